//! The bot's session: joins, answers the server's offers, survives a lost WebSocket, leaves.
//!
//! In: WebSocket events, data channel messages, datagrams, commands. Out: `CallEvent`s.
//! Order of things: `hello` -> `join` -> `join` event -> offer -> answer -> data channel open.
//! Invariant: the session id is the first connection's id, for as long as the session lives; the
//! last event is `Closed`.

use std::time::{Duration, Instant};

use proto::calls::Action;
use proto::calls::action::{Caption, Join, Metric};
use proto::calls::event::{Event, MediaMove};
use proto::calls::frame::EventFrame;
use proto::calls::sdp::{Description, SdpKind as CallsSdpKind};
use proto::id::{ConnId, SessionId};
use proto::rtcd::{ChannelMessage, IceCandidate, SdpKind, SessionDescription};
use serde_json::Value;
use tokio::sync::mpsc;

mod news;
mod reopen;

use super::peer::{Peer, PeerError, PeerEvent, is_wanted, resolve};
use super::socket::{Socket, hello_connection, open_first, wait_hello};
use super::tracks::Change;
use super::{CallCommand, CallEvent, CallHandle, CloseReason, EVENT_QUEUE, JoinOrder};

/// Data channel pings, which keep middleboxes and the server's timers content.
const PING_EVERY: Duration = Duration::from_secs(1);
/// A join that is not answered has failed.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);
/// A media path that is silent for this long after it was reported lost ends the session.
const MEDIA_GRACE: Duration = Duration::from_secs(20);
/// How long leaving may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Joins a call. The handle's events end with `Closed`.
#[must_use]
pub fn join(order: JoinOrder) -> CallHandle {
    // A second installation in one process is refused and harmless.
    let _ = std::panic::catch_unwind(|| {
        str0m::crypto::from_feature_flags().install_process_default();
    });
    let (out, events) = mpsc::channel(EVENT_QUEUE);
    let (commands, incoming) = mpsc::channel(64);
    tokio::spawn(async move {
        let reason = match Session::open(order, out.clone(), incoming).await {
            Ok(session) => Box::pin(session.run()).await,
            Err(reason) => reason,
        };
        let _ = out.send(CallEvent::Closed { reason }).await;
    });
    CallHandle { events, commands }
}

struct Session {
    order: JoinOrder,
    out: mpsc::Sender<CallEvent>,
    commands: mpsc::Receiver<CallCommand>,
    socket: Socket,
    original: ConnId,
    current: ConnId,
    peer: Option<Peer>,
    opened: Instant,
    connected: bool,
    media_lost_at: Option<Instant>,
}

enum Step {
    Frame(Option<EventFrame>),
    Command(Option<CallCommand>),
    Datagram(super::peer::Datagram),
    Due,
    Ping,
}

impl Session {
    async fn open(
        order: JoinOrder,
        out: mpsc::Sender<CallEvent>,
        commands: mpsc::Receiver<CallCommand>,
    ) -> Result<Self, CloseReason> {
        let mut socket = open_first(&order.site_url, &order.token, JOIN_TIMEOUT).await?;
        let hello = tokio::time::timeout(JOIN_TIMEOUT, wait_hello(&mut socket)).await;
        let connection = hello
            .ok()
            .flatten()
            .ok_or_else(|| CloseReason::Unreachable("it did not say hello".to_owned()))?;
        let join = Action::Join(Join {
            channel: order.channel.clone(),
            title: String::new(),
            thread: None,
            job: Some(order.job.clone()),
            av1_support: order.av1,
            dc_signalling: true,
        });
        socket.send(&join).await;
        Ok(Self {
            order,
            out,
            commands,
            socket,
            original: connection.clone(),
            current: connection,
            peer: None,
            opened: Instant::now(),
            connected: false,
            media_lost_at: None,
        })
    }

    async fn run(mut self) -> CloseReason {
        let mut ping = tokio::time::interval(PING_EVERY);
        loop {
            let due = self
                .peer
                .as_ref()
                .map_or_else(|| Instant::now() + PING_EVERY, Peer::deadline);
            let step = tokio::select! {
                frame = self.socket.next() => Step::Frame(frame),
                command = self.commands.recv() => Step::Command(command),
                datagram = next_datagram(self.peer.as_mut()) => Step::Datagram(datagram),
                () = tokio::time::sleep_until(due.into()) => Step::Due,
                _ = ping.tick() => Step::Ping,
            };
            let ended = match step {
                Step::Frame(Some(frame)) => self.take_frame(frame).await,
                Step::Frame(None) => self.reopen().await,
                Step::Command(Some(command)) => self.take_command(command).await,
                Step::Command(None) => Some(CloseReason::Left),
                Step::Datagram(datagram) => self.with_peer(|peer| peer.receive(&datagram)),
                Step::Due => self.with_peer(Peer::tick),
                Step::Ping => self.ping(),
            };
            let ended = match ended {
                Some(reason) => Some(reason),
                None => self.tell().await,
            };
            if let Some(reason) = ended {
                return Box::pin(self.leave(reason)).await;
            }
        }
    }

    fn with_peer(
        &mut self,
        work: impl FnOnce(&mut Peer) -> Result<(), PeerError>,
    ) -> Option<CloseReason> {
        let peer = self.peer.as_mut()?;
        work(peer).err().map(failed)
    }

    fn ping(&mut self) -> Option<CloseReason> {
        if !self.connected && self.opened.elapsed() > JOIN_TIMEOUT {
            let what = if self.peer.is_some() {
                "no media path"
            } else {
                "no answer to the join"
            };
            return Some(CloseReason::MediaFailed(format!(
                "{what} within {} s",
                JOIN_TIMEOUT.as_secs()
            )));
        }
        if self
            .media_lost_at
            .is_some_and(|at| at.elapsed() > MEDIA_GRACE)
        {
            return Some(CloseReason::MediaLost);
        }
        self.with_peer(|peer| peer.send(&ChannelMessage::Ping).map(drop))
    }

    /// Passes on what the WebRTC side has to tell.
    async fn tell(&mut self) -> Option<CloseReason> {
        while let Some(event) = self.peer.as_mut().and_then(Peer::next_event) {
            let told = match event {
                PeerEvent::Connected => {
                    self.connected = true;
                    self.media_lost_at = None;
                    CallEvent::Connected { remote: None }
                }
                PeerEvent::Disconnected => {
                    self.media_lost_at = Some(Instant::now());
                    continue;
                }
                PeerEvent::ChannelOpen => continue,
                PeerEvent::Message(ChannelMessage::Sdp(description)) => {
                    match self.answer(&description, true).await {
                        None => continue,
                        reason => return reason,
                    }
                }
                PeerEvent::Message(_) => continue,
                PeerEvent::Track(Change::Added { key, kind, owner }) if is_wanted(kind) => {
                    CallEvent::TrackAdded {
                        track: key,
                        kind,
                        owner,
                    }
                }
                PeerEvent::Track(Change::Added { .. }) => continue,
                PeerEvent::Track(Change::Ended { key }) => CallEvent::TrackEnded { track: key },
                PeerEvent::Packet { track, packet } => {
                    self.media_lost_at = None;
                    CallEvent::Packet { track, packet }
                }
            };
            if self.out.send(told).await.is_err() {
                return Some(CloseReason::Left);
            }
        }
        None
    }

    async fn take_command(&mut self, command: CallCommand) -> Option<CloseReason> {
        match command {
            CallCommand::RequestKeyframe { track } => {
                self.with_peer(|peer| peer.request_keyframe(track))
            }
            CallCommand::Caption {
                session,
                text,
                new_audio_len_ms,
                line,
            } => {
                let caption = Caption {
                    session,
                    text,
                    new_audio_len_ms,
                    line: Some(line),
                };
                self.socket.send(&Action::Caption(caption)).await;
                None
            }
            CallCommand::FellBehind { session, how } => {
                let metric = Metric {
                    name: how,
                    session: Some(session),
                    data: String::new(),
                };
                self.socket.send(&Action::Metric(metric)).await;
                None
            }
            CallCommand::Leave => Some(CloseReason::Left),
        }
    }

    async fn take_frame(&mut self, frame: EventFrame) -> Option<CloseReason> {
        if frame.event == "hello" {
            if let Some(connection) = hello_connection(&frame) {
                self.current = connection;
            }
            return None;
        }
        if !self.is_for_us(&frame) {
            return None;
        }
        let event = match Event::decode(&frame.event, &frame.data) {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(%error, "an event was not understood");
                return None;
            }
        };
        if let Event::Join(_) = event {
            // A second one is an echo.
            return if self.peer.is_none() {
                self.start_media().await
            } else {
                None
            };
        }
        if let Event::Error(refused) = event {
            return Some(CloseReason::Refused(refused.data));
        }
        if let Event::Signal(signal) = event {
            return self.take_signal(&signal.data).await;
        }
        if let Event::MediaMoves(MediaMove { session_id }) = &event {
            let is_ours = session_id.as_str() == self.original.as_str();
            let goes = is_ours && !*self.order.alone.borrow();
            return goes.then_some(CloseReason::HostGone);
        }
        if let Event::CallState(state) = event {
            return self.take_state(&state.call).await;
        }
        let told = news::of_event(event, &self.order)?;
        self.out.send(told).await.err().map(|_| CloseReason::Left)
    }

    /// Who was there before the bot, and who shares a screen.
    async fn take_state(&mut self, json: &str) -> Option<CloseReason> {
        for event in news::of_state(json) {
            if self.out.send(event).await.is_err() {
                return Some(CloseReason::Left);
            }
        }
        None
    }

    /// Events of other channels, jobs and connections are none of ours.
    fn is_for_us(&self, frame: &EventFrame) -> bool {
        let text = |key: &str| {
            frame
                .data
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let connection = match frame.broadcast.connection_id.as_str() {
            "" => text("connID"),
            id => id,
        };
        if !connection.is_empty()
            && connection != self.current.as_str()
            && connection != self.original.as_str()
        {
            return false;
        }
        let channel = match frame.broadcast.channel_id.as_str() {
            "" => text("channelID"),
            id => id,
        };
        channel.is_empty() || channel == self.order.channel.as_str()
    }

    async fn start_media(&mut self) -> Option<CloseReason> {
        let Ok(session) = SessionId::parse(self.original.as_str()) else {
            return Some(CloseReason::Refused(
                "the connection's id cannot be used".to_owned(),
            ));
        };
        if self.out.send(CallEvent::Joined { session }).await.is_err() {
            return Some(CloseReason::Left);
        }
        let server = resolve(&self.order.site_url).await;
        let offered = Peer::new(server, self.order.av1).and_then(|mut peer| {
            let offer = peer.offer()?;
            Ok((peer, offer))
        });
        match offered {
            Ok((peer, offer)) => {
                self.peer = Some(peer);
                self.opened = Instant::now();
                self.send_description(&offer).await;
                None
            }
            Err(error) => Some(failed(error)),
        }
    }

    async fn take_signal(&mut self, text: &str) -> Option<CloseReason> {
        if let Ok(description) = SessionDescription::from_json(text.as_bytes()) {
            return self.answer(&description, false).await;
        }
        match IceCandidate::from_json(text.as_bytes()) {
            Ok(candidate) => self.with_peer(|peer| peer.add_candidate(&candidate.candidate)),
            Err(error) => {
                tracing::debug!(%error, "a signal was not understood");
                None
            }
        }
    }

    /// Takes a description; an answer to an offer goes back the way the offer came.
    async fn answer(
        &mut self,
        description: &SessionDescription,
        over_channel: bool,
    ) -> Option<CloseReason> {
        let peer = self.peer.as_mut()?;
        let answer = match peer.take(description) {
            Ok(Some(answer)) => answer,
            Ok(None) => return None,
            Err(error @ PeerError::Sdp(_)) => {
                tracing::warn!(%error, "an offer could not be answered");
                return None;
            }
            Err(error) => return Some(failed(error)),
        };
        if over_channel {
            match peer.send(&ChannelMessage::Sdp(answer.clone())) {
                Ok(true) => return None,
                Ok(false) => {}
                Err(error) => return Some(failed(error)),
            }
        }
        self.send_description(&answer).await;
        None
    }

    async fn send_description(&mut self, description: &SessionDescription) {
        let kind = match description.kind {
            SdpKind::Offer => CallsSdpKind::Offer,
            SdpKind::Answer => CallsSdpKind::Answer,
        };
        let description = Description {
            kind,
            sdp: description.sdp.clone(),
        };
        self.socket.send(&Action::Sdp(description)).await;
    }

    async fn leave(mut self, reason: CloseReason) -> CloseReason {
        let goodbye = async {
            if let Some(peer) = self.peer.as_mut() {
                peer.close();
            }
            self.socket.send(&Action::Leave).await;
            self.socket.close().await;
        };
        let _ = tokio::time::timeout(LEAVE_TIMEOUT, goodbye).await;
        reason
    }
}

async fn next_datagram(peer: Option<&mut Peer>) -> super::peer::Datagram {
    match peer {
        Some(peer) => match peer.datagrams.recv().await {
            Some(datagram) => datagram,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn failed(error: PeerError) -> CloseReason {
    // The chain as one line: the reason is shown to people.
    let text = format!("{:#}", anyhow::Error::from(error));
    CloseReason::MediaFailed(text)
}
