//! What is only read: no state behind it.

use std::cell::Cell;

use proto::rtcd::{
    ChannelMessage, ControlMessage, IceCandidate, MAX_CONTROL_LEN, ScreenOnData,
    SessionDescription, VideoOnData,
};
use rtcd::config::{Config, Probe, Raw};
use rtcd::framing::Frames;
use rtcd_srtp::{rtcp, rtp};
use settings::Read;

/// A message of the control WebSocket. What was understood is written and understood again.
pub(crate) fn control(input: &[u8]) {
    let Ok(message) = ControlMessage::decode(input, MAX_CONTROL_LEN) else {
        return;
    };
    let again = ControlMessage::decode(&message.encode(), 2 * MAX_CONTROL_LEN);
    assert_eq!(again.as_ref(), Ok(&message), "written and read again");
    if let ControlMessage::Rtc(message) = message {
        let _ = SessionDescription::from_json(&message.data);
        let _ = IceCandidate::from_json(&message.data);
        let _ = ScreenOnData::from_json(&message.data);
        let _ = VideoOnData::from_json(&message.data);
    }
}

/// A message of the data channel.
pub(crate) fn channel(input: &[u8]) {
    let Ok(message) = ChannelMessage::decode(input) else {
        return;
    };
    if matches!(message, ChannelMessage::Unknown(_)) {
        return;
    }
    let again = ChannelMessage::decode(&message.encode());
    assert_eq!(again.as_ref(), Ok(&message), "written and read again");
}

/// The bytes of a TCP media connection. However they are cut, the same frames come out.
pub(crate) fn framing(input: &[u8]) {
    let Some((cut, stream)) = input.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    let pieces = frames(stream, usize::from(*cut).max(1));
    assert_eq!(whole, pieces, "in pieces of {cut}");
}

fn frames(stream: &[u8], cut: usize) -> (Vec<Vec<u8>>, bool) {
    let mut frames = Frames::default();
    let mut found = Vec::new();
    for piece in stream.chunks(cut) {
        frames.extend(piece);
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => found.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// A configuration file, and behind a zero byte the environment, a line each.
pub(crate) fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (file, environment) = text.split_once('\0').unwrap_or((&text, ""));
    let environment = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let Ok(read) = Read::<Raw>::text(file, &environment) else {
        return;
    };
    let probe = Probe {
        cpus: 2,
        tls: |_| Ok(()),
        papers: |_| Ok(()),
    };
    match Config::resolve(&read, probe) {
        Ok(config) => {
            assert!(config.rtc.shards > 0, "a node without a shard");
            assert!(read.print().contains('\n'));
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
}

/// What is inside media packets, after their seal was opened: reports and feedback, or headers.
pub(crate) fn media(input: &[u8]) {
    let words = input.len() / 4;
    let messages = Cell::new(0usize);
    rtcp::read(input, |message| {
        messages.set(messages.get() + 1);
        if let rtcp::Message::Nack { sequences, .. } = message {
            assert!(
                sequences.len() <= 17 * words,
                "more than the bits there are"
            );
        }
    });
    assert!(messages.get() <= words, "more messages than words");
    for ids in [(None, None), (Some(1), Some(5)), (Some(14), Some(0))] {
        if let Some(received) = rtp::read(input, ids.0, ids.1) {
            assert!(
                received.header_len <= input.len(),
                "a header longer than its packet"
            );
        }
    }
}
