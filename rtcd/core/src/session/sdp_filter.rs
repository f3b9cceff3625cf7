//! What of a participant's description is read at all.
//!
//! In: a description as it came. Out: the same without the lines and codecs nobody here reads, in
//! bounded length. The parser behind it tries dozens of forms on every line, so what a description
//! costs must not depend on what else somebody wrote into it.
//! Not here: what the remaining lines mean (`description`, str0m).
//! Invariant: what is left out has no influence on the answer.

use super::description::push_line;

/// M-lines a participant may have besides those we made. A browser needs four; each costs something
/// whenever the session is touched.
const MAX_OWN_LINES: usize = 32;
/// Most lines of any kind: a browser in a call of a hundred needs 2700.
const MAX_LINES: usize = 16 * 1024;
/// Lines that are read in a description of a participant that has only m-lines of its own. Browsers
/// need about 10 for sound and 30 for a picture.
const MAX_OWN_TEXT: Amount = Amount {
    lines: 400,
    bytes: 32 * 1024,
};
/// How many more for each m-line of ours.
const MAX_OUR_TEXT: Amount = Amount {
    lines: 32,
    bytes: 2 * 1024,
};
/// Most lines of an m-line that are looked at: a browser with every codec there is needs 160.
const MAX_SECTION_LINES: usize = 640;

/// The extensions of RTP headers that are negotiated.
const EXTENSIONS: [&str; 5] = [
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
];
const CODECS: [&str; 3] = ["opus/", "vp8/", "av1/"];
/// What says how to reach somebody.
const TRANSPORT: [&str; 4] = ["ice-ufrag", "ice-pwd", "fingerprint", "setup"];
const REPETITIONS: &str = "rtx/";
/// Payload types of one kind that are looked at in an m-line; browsers give each codec at most four.
const MAX_TYPES: usize = 32;

/// A description is more than any client needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuch {
    #[error(
        "description has {lines} m-lines: at most {MAX_OWN_LINES} of the participant's own and {ours} of ours are accepted"
    )]
    Lines { lines: usize, ours: usize },
    #[error("description has more than {MAX_LINES} lines")]
    AllLines,
    #[error("an m-line has more than {MAX_SECTION_LINES} attributes")]
    Attributes,
    #[error("description has more than {} lines or {} bytes that are read", most.lines, most.bytes)]
    Text { most: Amount },
}

/// How much text there is, or may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    lines: usize,
    bytes: usize,
}

impl Amount {
    fn most(ours: usize) -> Self {
        Self {
            lines: MAX_OWN_TEXT.lines + ours * MAX_OUR_TEXT.lines,
            bytes: MAX_OWN_TEXT.bytes + ours * MAX_OUR_TEXT.bytes,
        }
    }

    fn exceeds(self, most: Self) -> bool {
        self.lines > most.lines || self.bytes > most.bytes
    }
}

/// Leaves out what is not read. `ours`: how many of the m-lines we made.
pub(crate) fn relevant(sdp: &str, ours: usize) -> Result<String, TooMuch> {
    if sdp.bytes().filter(|byte| *byte == b'\n').count() > MAX_LINES {
        return Err(TooMuch::AllLines);
    }
    let lines = sdp.lines().filter(|line| line.starts_with("m=")).count();
    if lines > MAX_OWN_LINES + ours {
        return Err(TooMuch::Lines { lines, ours });
    }
    let most = Amount::most(ours);
    let mut reading = Reading::default();
    for line in sdp.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            reading.finish();
        }
        if is_read(line) && !(reading.knows_transport && is_transport(line)) {
            reading.section.push(line);
        }
        if reading.section.len() > MAX_SECTION_LINES {
            return Err(TooMuch::Attributes);
        }
        if reading.amount().exceeds(most) {
            return Err(TooMuch::Text { most });
        }
    }
    reading.finish();
    if reading.amount().exceeds(most) {
        return Err(TooMuch::Text { most });
    }
    Ok(reading.text)
}

/// A description on its way through.
#[derive(Default)]
struct Reading<'a> {
    text: String,
    lines: usize,
    /// The m-line at hand, or what comes before the first.
    section: Vec<&'a str>,
    /// An m-line has said how to reach the participant; all others share that (BUNDLE).
    knows_transport: bool,
}

impl<'a> Reading<'a> {
    fn amount(&self) -> Amount {
        Amount {
            lines: self.lines,
            bytes: self.text.len(),
        }
    }

    /// Writes the m-line at hand.
    fn finish(&mut self) {
        let mut section = std::mem::take(&mut self.section);
        let head = section.first().copied().unwrap_or_default();
        let is_media = head.starts_with("m=audio ") || head.starts_with("m=video ");
        let kept = if is_media {
            kept_types(&section)
        } else {
            Vec::new()
        };
        self.knows_transport |= TRANSPORT
            .iter()
            .all(|name| section.iter().any(|line| is_attribute(line, name)));
        for line in section.drain(..) {
            if kept.is_empty() {
                self.push(line);
            } else if line.starts_with("m=") {
                let words = line.split(' ').enumerate();
                let words = words.filter(|(index, word)| *index < 3 || kept.contains(word));
                let words: Vec<&str> = words.map(|(_, word)| word).collect();
                self.push(&words.join(" "));
            } else if payload_type(line).is_none_or(|named| kept.contains(&named)) {
                self.push(line);
            }
        }
        self.section = section;
    }

    fn push(&mut self, line: &str) {
        self.lines += 1;
        push_line(&mut self.text, line);
    }
}

/// Whether any part of a line may mean something.
///
/// Candidates do not: participants reach us, not we them. Their first check tells their address,
/// which also holds behind address translation and for mDNS names. A check of ours to an address out
/// of a description would be answered from a place nobody knows yet, cost the first second of the
/// call, and let anybody make this node send to any address.
fn is_read(line: &str) -> bool {
    let Some(attribute) = line.strip_prefix("a=") else {
        return ["v=", "o=", "s=", "t=", "m="]
            .iter()
            .any(|kind| line.starts_with(kind));
    };
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    match name {
        "extmap" => {
            let uri = value.split(' ').nth(1);
            uri.is_some_and(|uri| EXTENSIONS.contains(&uri))
        }
        "group" | "msid-semantic" | "ice-lite" | "ice-ufrag" | "ice-pwd" | "ice-options"
        | "fingerprint" | "setup" | "mid" | "sctp-port" | "sctp-init" | "max-message-size"
        | "sendrecv" | "sendonly" | "recvonly" | "inactive" | "msid" | "rtpmap" | "rtcp-fb"
        | "fmtp" | "rid" | "simulcast" | "ssrc-group" | "ssrc" => true,
        _ => false,
    }
}

fn is_transport(line: &str) -> bool {
    let mut names = TRANSPORT.iter().chain(&["ice-options"]);
    names.any(|name| is_attribute(line, name))
}

fn is_attribute(line: &str, name: &str) -> bool {
    let value = line.strip_prefix("a=").and_then(|a| a.strip_prefix(name));
    value.is_some_and(|value| value.starts_with(':'))
}

/// Returns the payload types of the codecs we speak, and of their repetitions; none if the m-line
/// has no such codec: then it is refused as it is.
fn kept_types<'a>(section: &[&'a str]) -> Vec<&'a str> {
    let named = |prefix| {
        let lines = section.iter().copied();
        lines.filter_map(move |line: &'a str| line.strip_prefix(prefix)?.split_once(' '))
    };
    let is_codec = |codec: &str, known: &str| {
        let start = codec.get(..known.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(known))
    };
    let codecs = named("a=rtpmap:");
    let spoken = codecs.filter(|(_, codec)| CODECS.iter().any(|known| is_codec(codec, known)));
    let mut kept: Vec<&str> = spoken
        .map(|(payload_type, _)| payload_type)
        .take(MAX_TYPES)
        .collect();
    if kept.is_empty() {
        return kept;
    }
    let repeating: Vec<&str> = named("a=rtpmap:")
        .filter(|(_, codec)| is_codec(codec, REPETITIONS))
        .map(|(payload_type, _)| payload_type)
        .take(MAX_TYPES)
        .collect();
    let of_kept = named("a=fmtp:")
        .filter(|(payload_type, _)| repeating.contains(payload_type))
        .filter(|(_, format)| {
            let repeated = format.strip_prefix("apt=");
            repeated.is_some_and(|repeated| kept.contains(&repeated))
        })
        .map(|(payload_type, _)| payload_type)
        .take(MAX_TYPES)
        .collect::<Vec<_>>();
    kept.extend(of_kept);
    kept
}

/// Returns the payload type an attribute is about.
fn payload_type(line: &str) -> Option<&str> {
    let about = ["a=rtpmap:", "a=rtcp-fb:", "a=fmtp:"];
    let rest = about.iter().find_map(|prefix| line.strip_prefix(prefix))?;
    rest.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_left_out() {
        let offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\ni=about\r\nb=AS:5\r\nt=0 0\r\n\
            a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 110\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
            a=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=mid:0\r\na=unheard:of\r\n\
            a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
            a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\n\
            a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\na=rtpmap:63 red/48000/2\r\n\
            a=fmtp:63 111/111\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:110 telephone-event/48000\r\n";
        assert_eq!(
            relevant(offer, 0).unwrap(),
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
             a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\n\
             a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n"
        );
    }

    #[test]
    fn repetitions_stay_with_the_codec_they_repeat() {
        let section = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 45\na=rtpmap:96 VP8/90000\n\
            a=rtcp-fb:96 nack pli\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\na=rtpmap:98 VP9/90000\n\
            a=rtcp-fb:98 nack\na=rtpmap:99 rtx/90000\na=fmtp:99 apt=98\na=rtpmap:45 AV1/90000\n";
        let left = relevant(section, 0).unwrap();
        assert!(
            left.starts_with("m=video 9 UDP/TLS/RTP/SAVPF 96 97 45\r\n"),
            "{left}"
        );
        assert_eq!(left.lines().count(), 6, "{left}");
        assert!(!left.contains(":98") && !left.contains(":99"));
        // Nothing we speak: the m-line is what it was, to be refused.
        let foreign = "m=video 9 UDP/TLS/RTP/SAVPF 98\r\na=rtpmap:98 VP9/90000\r\n";
        assert_eq!(relevant(foreign, 0).unwrap(), foreign);
    }

    #[test]
    fn how_to_reach_somebody_is_read_once() {
        let transport =
            "a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 00\r\na=setup:active\r\n";
        let half = "m=audio 9 X 111\r\na=ice-ufrag:half\r\na=mid:0\r\n";
        let whole = format!("m=audio 9 X 111\r\n{transport}a=ice-options:trickle\r\na=mid:1\r\n");
        let again = whole.replace(":1\r\n", ":2\r\n");
        assert_eq!(
            relevant(&[half, &whole, &again].concat(), 0).unwrap(),
            [half, &whole, "m=audio 9 X 111\r\na=mid:2\r\n"].concat()
        );
    }

    #[test]
    fn more_than_any_client_needs_is_refused() {
        let lines = "m=audio 9 X 111\r\n".repeat(MAX_OWN_LINES + 1);
        assert!(matches!(relevant(&lines, 0), Err(TooMuch::Lines { .. })));
        assert!(relevant(&lines, 1).is_ok());
        let attributes = format!(
            "m=audio 9 X 1\n{}",
            "a=ssrc:1 a:b\n".repeat(MAX_SECTION_LINES)
        );
        assert_eq!(relevant(&attributes, 9), Err(TooMuch::Attributes));
        let short = "a=ssrc:1 a:b\n".repeat(MAX_OWN_TEXT.lines);
        let long = format!("a=mid:{}\n", "m".repeat(MAX_OWN_TEXT.bytes));
        for text in [short, long] {
            let more = format!("m=audio 9 X 1\n{text}");
            assert!(matches!(relevant(&more, 0), Err(TooMuch::Text { .. })));
            assert!(relevant(&more, 1).is_ok());
        }
        let noise = format!("m=audio 9 X 1\n{}", "a=x-noise:1\n".repeat(MAX_LINES - 1));
        assert_eq!(relevant(&noise, 0).unwrap(), "m=audio 9 X 1\r\n");
        assert_eq!(relevant(&format!("{noise}\n"), 0), Err(TooMuch::AllLines));
    }
}
