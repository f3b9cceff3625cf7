//! Which of a participant's addresses media goes to.
//!
//! In: datagrams as they come, what str0m sends. Out: the path for `egress`.
//! str0m chooses among the checked addresses and does not tell. It shows by where it sends anything
//! but STUN, and can be made to send. It also stays with an address as long as its own checks there
//! have not all failed, some 20 s; a participant whose address was changed on its way (a new NAT
//! binding, another network) would hear nothing for so long. It is told here that the old one is
//! gone, as soon as the participant has proved another and gone silent at the old.
//! Invariant: only an address that was proved by a check with the session's password is followed.
//! See: RFC 8445 7.3.1.5 (nomination), RFC 7675 (consent).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::Candidate;

use super::Session;
use crate::config;
use crate::egress::{PROBE_SSRC, Path};
use crate::io::Transport;

/// How long str0m is asked where it sends to, after a check came from another address. Longer than
/// its own check of that address takes.
const PROBE_FOR: Duration = Duration::from_secs(2);
/// Addresses of a participant that are remembered with ours.
const MAX_HOMES: usize = 8;
/// Silence after which an address is given up for a proved one. Clients say something every second.
const SILENT_AFTER: Duration = Duration::from_millis(1500);

/// The path, and what it may soon be.
#[derive(Debug)]
pub(super) struct PathWatch {
    path: Option<Path>,
    /// When something came from there last.
    heard: Instant,
    /// A check came from another address: str0m may send there from now on.
    probe_until: Option<Instant>,
}

impl PathWatch {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            path: None,
            heard: now,
            probe_until: None,
        }
    }

    pub(super) const fn path(&self) -> Option<Path> {
        self.path
    }
}

impl Session {
    /// str0m sends there.
    pub(super) fn follow(&mut self, path: Path) {
        if self.watch.path == Some(path) {
            return;
        }
        self.watch.path = Some(path);
        if let Some(egress) = &mut self.egress {
            egress.follow(path);
        }
    }

    /// A datagram came that the session took; `is_check`: one that proves its address.
    pub(super) fn heard_from(&mut self, now: Instant, source: SocketAddr, is_check: bool) {
        let Some(path) = self.watch.path else {
            return;
        };
        if path.destination == source {
            self.watch.heard = now;
        } else if is_check {
            self.watch.probe_until = Some(now + PROBE_FOR);
            if now.saturating_duration_since(self.watch.heard) >= SILENT_AFTER {
                self.give_up(path);
                self.watch.heard = now;
            }
        }
        if self.egress.is_none() || !is_check {
            return;
        }
        match self.watch.probe_until {
            Some(until) if now < until => {
                let ssrc = PROBE_SSRC.into();
                self.rtc.direct_api().send_pli_feedback(ssrc, ssrc);
            }
            Some(_) => self.watch.probe_until = None,
            None => {}
        }
    }

    /// Notes at which of our addresses a participant's datagrams arrive. Several may hide behind one
    /// external address; answers have to leave from the one that was asked.
    pub(super) fn arrived(&mut self, source: SocketAddr, local: SocketAddr) {
        match self.homes.iter_mut().find(|(remote, _)| *remote == source) {
            Some((_, home)) => *home = local,
            None => {
                if self.homes.len() == MAX_HOMES {
                    self.homes.remove(0);
                }
                self.homes.push((source, local));
            }
        }
    }

    /// Returns the local address to send from, behind the one that was advertised.
    pub(super) fn home(
        &self,
        transport: Transport,
        advertised: SocketAddr,
        remote: SocketAddr,
    ) -> SocketAddr {
        let is_behind = |local| config::advertised(&self.reachable, transport, local) == advertised;
        self.homes
            .iter()
            .find(|(known, local)| *known == remote && is_behind(*local))
            .map_or_else(
                || config::local(&self.reachable, transport, advertised),
                |(_, local)| *local,
            )
    }

    /// Tells str0m that nobody is at an address any more.
    fn give_up(&mut self, path: Path) {
        let protocol = match path.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        let (ip, port) = (path.destination.ip(), path.destination.port());
        // All addresses of participants are found by their checks: peer reflexive.
        let line = format!("candidate:0 1 {protocol} 1 {ip} {port} typ prflx");
        if let Ok(candidate) = Candidate::from_sdp_string(&line) {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
    }
}
