//! Compounds read back as they were written, and any bytes survived.

use proptest::prelude::*;

use super::*;

fn messages(compound: &[u8]) -> Vec<Message> {
    let mut found = Vec::new();
    read(compound, |message| found.push(message));
    found
}

#[test]
fn a_sender_report_with_its_name_and_a_goodbye() {
    let report = SenderReport {
        ntp: 0x0102_0304_0506_0708,
        timestamp: 9,
        packets: 10,
        octets: 11,
    };
    let mut compound = Vec::new();
    write_sender_report(&mut compound, 0xaabb_ccdd, &report);
    assert_eq!(compound.len(), 28);
    write_cname(&mut compound, 0xaabb_ccdd, "session1");
    assert_eq!(compound.len(), 28 + 20);
    write_goodbye(&mut compound, 0xaabb_ccdd);
    assert_eq!(
        messages(&compound),
        [
            Message::SenderReport {
                ssrc: 0xaabb_ccdd,
                report
            },
            Message::Goodbye { ssrc: 0xaabb_ccdd },
        ]
    );
}

#[test]
fn reception_reports_come_back_as_written() {
    let blocks = [1, 2, 3].map(|ssrc| ReceptionReport {
        ssrc,
        fraction_lost: 128,
        lost: 5,
        highest: 0x0001_ffff,
        jitter: 7,
        last_report: 8,
        since_report: 9,
    });
    let mut compound = Vec::new();
    write_receiver_report(&mut compound, 77, &blocks);
    assert_eq!(messages(&compound), blocks.map(Message::Reception));
}

#[test]
fn a_nack_names_packets_and_those_behind() {
    let mut compound = Vec::new();
    write_nack(&mut compound, 1, 2, &[65535]);
    let mask = compound.len() - 1;
    compound[mask] = 0b101;
    let sequences = vec![65535, 0, 2];
    assert_eq!(
        messages(&compound),
        [Message::Nack {
            media: 2,
            sequences
        }]
    );
}

#[test]
fn pli_and_fir_ask_for_the_same() {
    let mut compound = Vec::new();
    write_keyframe_request(&mut compound, 1, 2);
    head(&mut compound, 4, PAYLOAD_FEEDBACK, 4);
    compound.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    compound.extend([0, 0, 0, 3, 9, 0, 0, 0]);
    assert_eq!(
        messages(&compound),
        [
            Message::KeyframeWanted { media: 2 },
            Message::KeyframeWanted { media: 3 }
        ]
    );
}

#[test]
fn a_bitrate_limit_is_mantissa_and_exponent() {
    let mut compound = Vec::new();
    head(&mut compound, 15, PAYLOAD_FEEDBACK, 5);
    compound.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    compound.extend(b"REMB");
    // One SSRC, exponent 3, mantissa 125000.
    compound.extend([1, 3 << 2 | 1, 0xe8, 0x48, 0, 0, 0, 2]);
    let value = u64::from(0x1_e848_u32) << 3;
    compound.splice(2..4, [0, 5]);
    assert_eq!(
        messages(&compound),
        [Message::BitrateLimit {
            bits_per_second: value
        }]
    );
}

#[test]
fn an_enormous_bitrate_limit_stays_enormous() {
    let mut compound = Vec::new();
    head(&mut compound, 15, PAYLOAD_FEEDBACK, 4);
    compound.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    compound.extend(b"REMB");
    compound.extend([0, 0xff, 0xff, 0xff]);
    assert_eq!(
        messages(&compound),
        [Message::BitrateLimit {
            bits_per_second: u64::MAX
        }]
    );
}

#[test]
fn a_packet_longer_than_the_compound_ends_it() {
    let mut compound = Vec::new();
    write_goodbye(&mut compound, 1);
    compound.extend([0x81, 203, 0, 200]);
    assert_eq!(messages(&compound), [Message::Goodbye { ssrc: 1 }]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..120), kind in 200..207u8) {
        let mut compound = vec![0x80, kind, 0, 10];
        compound.extend(&bytes);
        let _ = messages(&compound);
        let _ = messages(&bytes);
    }
}
