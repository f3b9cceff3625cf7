//! A handshake in memory, to be made before a server depends on the keys.
//!
//! In: the time. Out: whether two connections gave their keys away, and the same ones. A str0m that
//! makes its DTLS instances later, or elsewhere, would mean calls without a sound and without an
//! error: with this it means a server that does not start, and says why.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::{KeySlot, build_tapped};
use crate::rtcp;

/// Virtual time a handshake may take; without losses it takes a few milliseconds of it.
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(10);

/// Why no call would have media.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestFault {
    #[error("two connections in memory do not come about: {0}")]
    NoConnection(String),
    #[error("a connection came about without giving its keys away: str0m makes DTLS otherwise")]
    NoKeys,
    #[error("two ends of one connection have different keys")]
    OtherKeys,
}

/// Connects two ends in memory and compares their keys.
///
/// # Errors
/// When calls would come about without media.
pub fn self_test(now: Instant) -> Result<(), SelfTestFault> {
    test(now, build_tapped)
}

struct End {
    rtc: Rtc,
    keys: KeySlot,
    address: SocketAddr,
    is_connected: bool,
}

fn test(
    now: Instant,
    build: impl Fn(RtcConfig, Instant) -> (Rtc, KeySlot),
) -> Result<(), SelfTestFault> {
    let failed = |error: &dyn std::fmt::Display| SelfTestFault::NoConnection(error.to_string());
    let end = |port: u16| {
        let (mut rtc, keys) = build(RtcConfig::new().set_rtp_mode(true), now);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let candidate = Candidate::host(address, Protocol::Udp).map_err(|error| failed(&error))?;
        rtc.add_local_candidate(candidate);
        Ok(End {
            rtc,
            keys,
            address,
            is_connected: false,
        })
    };
    let mut ends = [end(1)?, end(2)?];
    {
        let [first, second] = &mut ends;
        let mut api = first.rtc.sdp_api();
        api.add_channel("test".to_owned());
        let (offer, pending) = api.apply().ok_or_else(|| failed(&"nothing to offer"))?;
        let answer = second.rtc.sdp_api().accept_offer(offer);
        let answer = answer.map_err(|error| failed(&error))?;
        let accepted = first.rtc.sdp_api().accept_answer(pending, answer);
        accepted.map_err(|error| failed(&error))?;
    }
    let mut passed = Duration::ZERO;
    while ends.iter().any(|end| !end.is_connected) {
        if passed > PATIENCE {
            return Err(failed(&"no answer in 10 s"));
        }
        let now = now + passed;
        for place in 0..ends.len() {
            turn(&mut ends, place, now).map_err(|error| failed(&error))?;
        }
        passed += STEP;
    }
    let [first, second] = ends.each_ref().map(|end| end.keys.take());
    let (first, second) = first.zip(second).ok_or(SelfTestFault::NoKeys)?;
    for (from, to) in [(&first, &second), (&second, &first)] {
        let mut compound = Vec::new();
        rtcp::write_receiver_report(&mut compound, 7, &[]);
        let (plain, mut opened) = (compound.clone(), Vec::new());
        let sealed = from.send.seal_rtcp(1, &mut compound);
        let read = sealed.and_then(|()| to.receive.open_rtcp(&compound, &mut opened));
        if read != Some(1) || opened != plain {
            return Err(SelfTestFault::OtherKeys);
        }
    }
    Ok(())
}

/// Lets one end act, and hands what it sends to the other.
fn turn(ends: &mut [End; 2], place: usize, now: Instant) -> Result<(), str0m::RtcError> {
    let [first, second] = ends;
    let (own, other) = if place == 0 {
        (first, second)
    } else {
        (second, first)
    };
    own.rtc.handle_input(Input::Timeout(now))?;
    loop {
        match own.rtc.poll_output()? {
            Output::Timeout(_) => return Ok(()),
            Output::Transmit(sent) => {
                let received =
                    Receive::new(Protocol::Udp, own.address, other.address, &sent.contents);
                if let Ok(received) = received {
                    other.rtc.handle_input(Input::Receive(now, received))?;
                }
            }
            Output::Event(Event::Connected) => own.is_connected = true,
            Output::Event(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ends_have_the_same_keys() {
        assert_eq!(self_test(Instant::now()), Ok(()));
    }

    #[test]
    fn a_stack_that_gives_no_keys_away_is_noticed() {
        let plain = |config: RtcConfig, now| {
            let (_, slot) = build_tapped(RtcConfig::new(), now);
            (config.build(now), slot)
        };
        assert_eq!(test(Instant::now(), plain), Err(SelfTestFault::NoKeys));
    }
}
