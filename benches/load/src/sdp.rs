//! Puts our own SSRCs into descriptions that str0m wrote.
//!
//! In: an SDP text. Out: the same with the SSRC of every m-line replaced by ours, retransmission
//! streams and transport-wide feedback left out. Keyed by mid, so that an m-line keeps its SSRC for
//! the life of the connection.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Our SSRC of each m-line.
#[derive(Debug, Default)]
pub(crate) struct OwnSsrcs(BTreeMap<String, u32>);

impl OwnSsrcs {
    pub(crate) fn of(&self, mid: &str) -> Option<u32> {
        self.0.get(mid).copied()
    }

    fn of_or_new(&mut self, mid: &str) -> u32 {
        *self
            .0
            .entry(mid.to_owned())
            .or_insert_with(|| rand::random_range(1..=u32::MAX))
    }
}

/// Rewrites `sdp`.
pub(crate) fn with_own_ssrcs(sdp: &str, own: &mut OwnSsrcs) -> String {
    let mut out = String::with_capacity(sdp.len());
    let mut section: Vec<&str> = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            write_section(&section, own, &mut out);
            section.clear();
        }
        section.push(line);
    }
    write_section(&section, own, &mut out);
    out
}

fn write_section(lines: &[&str], own: &mut OwnSsrcs, out: &mut String) {
    let mid = lines.iter().find_map(|line| line.strip_prefix("a=mid:"));
    let main = lines.iter().find_map(|line| ssrc_of(line));
    let repeats: Vec<&str> = lines.iter().filter_map(|line| repeat_type(line)).collect();
    for line in lines {
        if repeats
            .iter()
            .any(|payload_type| is_about(line, payload_type))
        {
            continue;
        }
        if line.starts_with("m=") {
            let kept = line.split(' ').filter(|word| !repeats.contains(word));
            out.push_str(&kept.collect::<Vec<_>>().join(" "));
            out.push_str("\r\n");
            continue;
        }
        if line.starts_with("a=ssrc-group:")
            || (line.starts_with("a=rtcp-fb:") && line.ends_with(" transport-cc"))
        {
            continue;
        }
        match (mid, ssrc_of(line)) {
            (Some(mid), Some(ssrc)) if Some(ssrc) == main => {
                let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
                let ours = own.of_or_new(mid);
                // Writing to a string cannot fail.
                let _ = write!(out, "a=ssrc:{ours} {rest}\r\n");
            }
            (_, Some(_)) => {}
            (_, None) => {
                out.push_str(line);
                out.push_str("\r\n");
            }
        }
    }
}

/// The payload type of a retransmission stream (RFC 4588).
fn repeat_type(line: &str) -> Option<&str> {
    let (payload_type, format) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
    format.starts_with("rtx/").then_some(payload_type)
}

fn is_about(line: &str, payload_type: &str) -> bool {
    ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
        .iter()
        .filter_map(|name| line.strip_prefix(name)?.split_once(' '))
        .any(|(about, _)| about == payload_type)
}

fn ssrc_of(line: &str) -> Option<u32> {
    line.strip_prefix("a=ssrc:")?
        .split_once(' ')?
        .0
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\na=group:BUNDLE 0 1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtcp-fb:111 transport-cc\r\n\
        a=ssrc:11 cname:x\r\na=ssrc:11 msid:s t\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtcp-fb:96 nack pli\r\na=mid:1\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
        a=ssrc-group:FID 21 22\r\na=ssrc:21 cname:x\r\na=ssrc:22 cname:x\r\n";

    #[test]
    fn every_m_line_gets_its_own_ssrc_and_keeps_it() {
        let mut own = OwnSsrcs::default();
        let first = with_own_ssrcs(OFFER, &mut own);
        let audio = own.of("0").unwrap();
        let video = own.of("1").unwrap();
        assert_ne!(audio, video);
        assert!(first.contains(&format!(
            "a=ssrc:{audio} cname:x\r\na=ssrc:{audio} msid:s t\r\n"
        )));
        assert!(first.contains(&format!("a=ssrc:{video} cname:x\r\n")));
        assert_eq!(with_own_ssrcs(OFFER, &mut own), first);
    }

    #[test]
    fn retransmission_streams_and_transport_feedback_are_left_out() {
        let text = with_own_ssrcs(OFFER, &mut OwnSsrcs::default());
        assert!(
            !text.contains("FID") && !text.contains("a=ssrc:22 ") && !text.contains("a=ssrc:11 ")
        );
        assert!(!text.contains("transport-cc") && text.contains("a=rtcp-fb:96 nack pli"));
        assert!(text.contains("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n") && !text.contains("apt="));
    }
}
