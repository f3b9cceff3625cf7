//! SDP as text: what has to be read from, or changed in, descriptions that str0m reads or writes.
//!
//! Coming in, a participant's m-line that we do not send on is turned one-way, so that the answer
//! announces no track of ours there. What is not read at all was left out before (`sdp_filter`). Going
//! out, an m-line gets the stream and track names of the track it carries, and SSRCs
//! for retransmission only where retransmission was negotiated.
//! Invariant: anything not understood is passed on as it is.

use std::collections::{BTreeMap, BTreeSet};

/// What one m-line of a participant's description says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) mid: String,
    pub(crate) is_audio: bool,
    /// The participant sends here.
    pub(crate) sends: bool,
    /// The participant would receive here.
    pub(crate) receives: bool,
    /// `MediaStream` id of what it sends.
    pub(crate) stream: Option<String>,
}

/// The names of the track an m-line carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackNames {
    pub(crate) stream: String,
    pub(crate) track: String,
}

/// Splits a description into its session part and its m-lines.
fn split(sdp: &str) -> Vec<Vec<&str>> {
    let mut parts = vec![Vec::new()];
    for line in sdp
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        if line.starts_with("m=") {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(line);
        }
    }
    parts
}

fn attribute<'a>(part: &[&'a str], prefix: &str) -> Option<&'a str> {
    part.iter().find_map(|line| line.strip_prefix(prefix))
}

fn direction<'a>(part: &[&'a str]) -> Option<&'a str> {
    const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
    part.iter().find(|line| DIRECTIONS.contains(line)).copied()
}

/// Reads the audio and video m-lines of a participant's description.
pub(crate) fn sections(sdp: &str) -> Vec<Section> {
    let parts = split(sdp);
    let session_direction = parts.first().and_then(|part| direction(part));
    let media = parts.iter().skip(1).filter_map(|part| {
        let line = part.first()?;
        let is_audio = line.starts_with("m=audio ");
        if !is_audio && !line.starts_with("m=video ") {
            return None;
        }
        let direction = direction(part)
            .or(session_direction)
            .unwrap_or("a=sendrecv");
        let stream = attribute(part, "a=msid:")
            .and_then(|msid| msid.split_ascii_whitespace().next())
            .or_else(|| ssrc_stream(part));
        Some(Section {
            mid: attribute(part, "a=mid:")?.to_owned(),
            is_audio,
            sends: direction == "a=sendrecv" || direction == "a=sendonly",
            receives: direction == "a=sendrecv" || direction == "a=recvonly",
            stream: stream.map(str::to_owned),
        })
    });
    media.collect()
}

/// Finds the stream id that older clients give per SSRC only.
fn ssrc_stream<'a>(part: &[&'a str]) -> Option<&'a str> {
    part.iter()
        .filter(|line| line.starts_with("a=ssrc:"))
        .find_map(|line| {
            let (_, value) = line.split_once(" msid:")?;
            value.split_ascii_whitespace().next()
        })
}

/// Returns the mids of all m-lines, the data channel's included.
pub(crate) fn mids(sdp: &str) -> Vec<String> {
    let parts = split(sdp);
    let mids = parts
        .iter()
        .skip(1)
        .filter_map(|part| attribute(part, "a=mid:"));
    mids.map(str::to_owned).collect()
}

/// Prepares a participant's offer: `ours` are the m-lines we send on. Retransmission
/// streams are left out, so that they are not answered: repetitions come on the stream itself.
pub(crate) fn incoming_offer(sdp: &str, ours: &BTreeSet<String>) -> String {
    let mut text = String::with_capacity(sdp.len());
    for (index, part) in split(sdp).iter().enumerate() {
        let media = part
            .first()
            .is_some_and(|m| m.starts_with("m=audio") || m.starts_with("m=video"));
        let we_send = attribute(part, "a=mid:").is_some_and(|mid| ours.contains(mid));
        let one_way = index > 0 && media && !we_send;
        let rtx = if media { Rtx::of(part) } else { Rtx::default() };
        for line in part {
            let line = match *line {
                "a=sendrecv" if one_way => "a=sendonly",
                "a=recvonly" if one_way => "a=inactive",
                other if rtx.describes(other) => continue,
                other => other,
            };
            match line.strip_prefix("m=") {
                Some(_) if !rtx.payload_types.is_empty() => {
                    push_line(&mut text, &rtx.taken_from(line))
                }
                Some(_) | None => push_line(&mut text, line),
            }
        }
        if one_way && direction(part).is_none() {
            push_line(&mut text, "a=sendonly");
        }
    }
    text
}

/// The retransmission streams of an m-line (RFC 4588).
#[derive(Debug, Default)]
struct Rtx<'a> {
    payload_types: BTreeSet<&'a str>,
    ssrcs: BTreeSet<&'a str>,
}

impl<'a> Rtx<'a> {
    fn of(part: &[&'a str]) -> Self {
        let mappings = part
            .iter()
            .filter_map(|line| line.strip_prefix("a=rtpmap:"));
        let payload_types = mappings
            .filter_map(|mapping| mapping.split_once(' '))
            .filter(|(_, codec)| codec.to_ascii_lowercase().starts_with("rtx/"))
            .map(|(payload_type, _)| payload_type);
        let groups = part
            .iter()
            .filter_map(|line| line.strip_prefix("a=ssrc-group:FID "));
        let ssrcs = groups.filter_map(|group| group.split_ascii_whitespace().nth(1));
        Self {
            payload_types: payload_types.collect(),
            ssrcs: ssrcs.collect(),
        }
    }

    fn describes(&self, line: &str) -> bool {
        let subject = |prefix| {
            let rest: &str = line.strip_prefix(prefix)?;
            rest.split_ascii_whitespace().next()
        };
        let of_type = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
            .into_iter()
            .filter_map(subject)
            .any(|payload_type| self.payload_types.contains(payload_type));
        let of_ssrc = subject("a=ssrc:").is_some_and(|ssrc| self.ssrcs.contains(ssrc));
        of_type || of_ssrc || (line.starts_with("a=ssrc-group:FID") && !self.ssrcs.is_empty())
    }

    /// Returns an `m=` line without these payload types.
    fn taken_from(&self, line: &str) -> String {
        let words = line.split(' ').enumerate();
        let kept = words.filter(|(index, word)| *index < 3 || !self.payload_types.contains(word));
        kept.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
    }
}

pub(super) fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push_str("\r\n");
}

/// What we send on an m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OurLine {
    pub(crate) names: TrackNames,
    /// The stream we send ourselves, in place of str0m's; then no transport-wide numbers are
    /// offered for audio that only we send either: nobody would read them.
    pub(crate) ssrc: Option<u32>,
}

/// Finishes a description of ours: `lines` says what each m-line carries, by mid.
pub(crate) fn outgoing(sdp: &str, lines: &BTreeMap<String, OurLine>) -> String {
    let mut text = String::with_capacity(sdp.len());
    for part in split(sdp) {
        let ours = attribute(&part, "a=mid:").and_then(|mid| lines.get(mid));
        let sends = !matches!(direction(&part), Some("a=recvonly" | "a=inactive"));
        match ours.and_then(|line| Some((&line.names, line.ssrc?))) {
            Some((names, ssrc)) => own_stream(&mut text, &part, names, ssrc, sends),
            None => str0m_stream(&mut text, &part, ours.map(|line| &line.names), sends),
        }
    }
    text
}

/// Writes an m-line on which we send ourselves.
fn own_stream(text: &mut String, part: &[&str], names: &TrackNames, ssrc: u32, sends: bool) {
    let TrackNames { stream, track } = names;
    let is_audio = part
        .first()
        .is_some_and(|line| line.starts_with("m=audio "));
    let is_one_way = direction(part) != Some("a=sendrecv");
    let about_transport = |line: &str| {
        (line.starts_with("a=extmap:") && line.contains("transport-wide-cc"))
            || (line.starts_with("a=rtcp-fb:") && line.ends_with(" transport-cc"))
    };
    let rtx = Rtx::of(part);
    for line in part {
        let replaced = line.starts_with("a=msid:") || line.starts_with("a=ssrc");
        let unused = is_audio && is_one_way && about_transport(line);
        if !(replaced || unused || rtx.describes(line)) {
            push_line(text, line);
        }
    }
    if sends {
        push_line(text, &format!("a=msid:{stream} {track}"));
        push_line(text, &format!("a=ssrc:{ssrc} cname:{stream}"));
        push_line(text, &format!("a=ssrc:{ssrc} msid:{stream} {track}"));
    }
}

/// Writes an m-line on which str0m sends, or nobody.
fn str0m_stream(text: &mut String, part: &[&str], names: Option<&TrackNames>, sends: bool) {
    let has_rtx = !Rtx::of(part).payload_types.is_empty();
    let hidden = if has_rtx {
        BTreeSet::new()
    } else {
        Rtx::of(part).ssrcs
    };
    for line in part {
        if let Some(ssrc) = line.strip_prefix("a=ssrc:") {
            let (ssrc, rest) = ssrc.split_once(' ').unwrap_or((ssrc, ""));
            if !sends || hidden.contains(ssrc) {
                continue;
            }
            match names {
                Some(TrackNames { stream, .. }) if rest.starts_with("cname:") => {
                    push_line(text, &format!("a=ssrc:{ssrc} cname:{stream}"));
                }
                Some(TrackNames { stream, track }) if rest.starts_with("msid:") => {
                    push_line(text, &format!("a=ssrc:{ssrc} msid:{stream} {track}"));
                }
                Some(_) | None => push_line(text, line),
            }
        } else if line.starts_with("a=msid:") {
            match names {
                _ if !sends => {}
                Some(TrackNames { stream, track }) => {
                    push_line(text, &format!("a=msid:{stream} {track}"));
                }
                None => push_line(text, line),
            }
        } else if has_rtx || !line.starts_with("a=ssrc-group:FID") {
            push_line(text, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\na=group:BUNDLE 0 1 2\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\na=sendrecv\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendrecv\r\na=msid:streamA trackA\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=recvonly\r\n";

    #[test]
    fn sections_say_what_a_participant_sends() {
        let found = sections(OFFER);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            Section {
                mid: "1".into(),
                is_audio: true,
                sends: true,
                receives: true,
                stream: Some("streamA".into())
            }
        );
        assert!(!found[1].sends && !found[1].is_audio);
        assert_eq!(mids(OFFER), ["0", "1", "2"]);
    }

    #[test]
    fn an_offer_is_one_way_where_we_do_not_send() {
        let prepared = incoming_offer(OFFER, &BTreeSet::new());
        assert!(prepared.contains("a=mid:1\r\na=sendonly\r\n"), "{prepared}");
        assert!(prepared.contains("a=mid:2\r\na=inactive\r\n"));
        assert!(
            prepared.contains("a=mid:0\r\na=sendrecv\r\n"),
            "the data channel is left alone"
        );
        let kept = incoming_offer(OFFER, &BTreeSet::from(["1".to_owned()]));
        assert!(kept.contains("a=mid:1\r\na=sendrecv\r\n"));
    }

    #[test]
    fn our_descriptions_name_the_track_and_hide_unused_ssrcs() {
        let ours = "v=0\r\nm=video 9 X 96\r\na=mid:v\r\na=sendonly\r\na=msid:x y\r\n\
            a=rtpmap:96 VP8/90000\r\na=ssrc:1 cname:y\r\na=ssrc:1 msid:x y\r\na=ssrc:2 cname:y\r\n\
            a=ssrc-group:FID 1 2\r\nm=audio 9 X 111\r\na=mid:a\r\na=recvonly\r\na=msid:x y\r\n";
        let line = |ssrc| {
            let names = TrackNames {
                stream: "s1".into(),
                track: "screen_s1_abc".into(),
            };
            BTreeMap::from([("v".to_owned(), OurLine { names, ssrc })])
        };
        let names = line(None);
        assert_eq!(
            outgoing(ours, &names),
            "v=0\r\nm=video 9 X 96\r\na=mid:v\r\na=sendonly\r\na=msid:s1 screen_s1_abc\r\n\
             a=rtpmap:96 VP8/90000\r\na=ssrc:1 cname:s1\r\na=ssrc:1 msid:s1 screen_s1_abc\r\n\
             m=audio 9 X 111\r\na=mid:a\r\na=recvonly\r\n"
        );
        let with_rtx = ours.replace("VP8/90000", "VP8/90000\r\na=rtpmap:97 rtx/90000");
        assert!(outgoing(&with_rtx, &names).contains("a=ssrc-group:FID 1 2"));
        assert_eq!(
            outgoing(ours, &line(Some(77))),
            "v=0\r\nm=video 9 X 96\r\na=mid:v\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n\
             a=msid:s1 screen_s1_abc\r\na=ssrc:77 cname:s1\r\na=ssrc:77 msid:s1 screen_s1_abc\r\n\
             m=audio 9 X 111\r\na=mid:a\r\na=recvonly\r\n"
        );
    }

    #[test]
    fn retransmission_is_taken_out_of_an_offer() {
        let offer = "v=0\r\nm=video 9 X 96 97 98\r\na=mid:v\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n\
            a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 AV1/90000\r\n\
            a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:y\r\na=ssrc:2 cname:y\r\n";
        assert_eq!(
            incoming_offer(offer, &BTreeSet::new()),
            "v=0\r\nm=video 9 X 96 98\r\na=mid:v\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n\
             a=rtpmap:98 AV1/90000\r\na=ssrc:1 cname:y\r\n"
        );
    }
}
