//! Known answers of the RFCs, refusals, and round trips of every profile.

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A half with these session keys, as the vectors of RFC 7714 give them.
fn gcm(profile: Profile, key: &str) -> Half {
    let salt = hex("5175 6964 2070 726f 2071 756f");
    let cipher = || Cipher::new(profile, &hex(key), &[], &salt).unwrap();
    Half {
        profile,
        rtp: cipher(),
        rtcp: cipher(),
    }
}

fn sealed(half: &Half, index: u64, packet: &[u8]) -> Vec<u8> {
    let (header, payload) = packet.split_at(12);
    let mut out = vec![0; packet.len() + half.profile.tag_len()];
    half.seal_rtp(index, header, payload, &[], &mut out)
        .unwrap();
    out
}

const RFC7714_PACKET: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 \
    20646976 69736120 696e2070 61727465 73207472 6573";

#[test]
fn rfc7714_16_1_1_aes_128_gcm() {
    let half = gcm(Profile::Aes128Gcm, "000102030405060708090a0b0c0d0e0f");
    let packet = hex(RFC7714_PACKET);
    let expected = hex(
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a \
         51c7d19b 36de3adf 8833 899d7f27 beb16a91 52cf765e e4390cce",
    );
    assert_eq!(sealed(&half, 0xf17b, &packet), expected);
    let mut received = expected;
    assert_eq!(half.open_rtp(0xf17b, 12, &mut received), Some(packet.len()));
    assert_eq!(received[..packet.len()], packet);
}

#[test]
fn rfc7714_16_2_1_aes_256_gcm() {
    let half = gcm(
        Profile::Aes256Gcm,
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    );
    let expected = hex(
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 \
         76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
    );
    assert_eq!(sealed(&half, 0xf17b, &hex(RFC7714_PACKET)), expected);
}

const RFC3711_KEY: &str = "e1f97a0d3e018be0d64fa32c06de4139";
const RFC3711_SALT: &str = "0ec675ad498afeebb6960b3aabe6";

#[test]
fn rfc3711_b3_key_derivation() {
    let derive = |label, len| {
        let (key, salt) = (hex(RFC3711_KEY), hex(RFC3711_SALT));
        derive(Profile::Aes128CmSha1, &key, &salt, label, len)
            .unwrap()
            .to_vec()
    };
    assert_eq!(derive(0, 16), hex("c61e7a93744f39ee10734afe3ff7a087"));
    assert_eq!(derive(2, 14), hex("30cbbc08863d8c85d49db34a9ae1"));
    assert_eq!(
        derive(1, 20),
        hex("cebe321f6ff7716b6fd4ab49af256a156d38baa4")
    );
}

#[test]
fn aes_cm_sha1_80_known_answers() {
    let half = Half::new(Profile::Aes128CmSha1, &hex(RFC3711_KEY), &hex(RFC3711_SALT)).unwrap();
    let packet = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    let expected = hex(
        "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb",
    );
    assert_eq!(sealed(&half, 0x1234, &packet), expected);
    let mut received = expected;
    assert_eq!(half.open_rtp(0x1234, 12, &mut received), Some(28));
    assert_eq!(received[..28], packet);

    let mut report = hex("81c8000b cafebabe abababab abababab abababab abababab");
    let plain = report.clone();
    half.seal_rtcp(1, &mut report).unwrap();
    assert_eq!(
        report,
        hex(
            "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798"
        )
    );
    let mut opened = Vec::new();
    assert_eq!(half.open_rtcp(&report, &mut opened), Some(1));
    assert_eq!(opened, plain);
}

fn any_half(profile: Profile) -> Half {
    let bytes: Vec<u8> = (0..46).collect();
    Half::new(
        profile,
        &bytes[..profile.key_len()],
        &bytes[32..32 + profile.salt_len()],
    )
    .unwrap()
}

#[test]
fn a_changed_bit_is_refused() {
    for profile in Profile::ALL {
        let half = any_half(profile);
        let packet = sealed(&half, 5, &[7; 40]);
        let mut report = [0x80; 28].to_vec();
        half.seal_rtcp(9, &mut report).unwrap();
        for byte in 0..packet.len() {
            let mut changed = packet.clone();
            changed[byte] ^= 1;
            assert_eq!(half.open_rtp(5, 12, &mut changed), None, "{profile:?}");
        }
        for byte in 0..report.len() {
            let mut changed = report.clone();
            changed[byte] ^= 1;
            assert_eq!(half.open_rtcp(&changed, &mut Vec::new()), None);
        }
        assert_eq!(half.open_rtp(5 + (1 << 16), 12, &mut packet.clone()), None);
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let half = any_half(Profile::Aes256Gcm);
    assert!(
        half.seal_rtp(1, &[0; 12], &[1], &[], &mut [0; 28])
            .is_none()
    );
    assert!(half.seal_rtp(1, &[0; 3], &[1], &[], &mut [0; 20]).is_none());
    assert!(half.seal_rtcp(1, &mut vec![0; 7]).is_none());
    assert!(half.seal_rtcp(1 << 31, &mut vec![0; 28]).is_none());
    assert!(Half::new(Profile::Aes256Gcm, &[0; 16], &[0; 12]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_is_sealed_is_opened(
        profile in proptest::sample::select(Profile::ALL.to_vec()),
        index in 0..1u64 << 48,
        payload in prop::collection::vec(any::<u8>(), 0..200),
        padding in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let half = any_half(profile);
        let header = [0x80, 111, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        let plain = [&header[..], &payload, &padding].concat();
        let mut packet = vec![0; plain.len() + profile.tag_len()];
        half.seal_rtp(index, &header, &payload, &padding, &mut packet).unwrap();
        prop_assert_eq!(half.open_rtp(index, 12, &mut packet), Some(plain.len()));
        prop_assert_eq!(&packet[..plain.len()], &plain);
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for profile in Profile::ALL {
            let half = any_half(profile);
            prop_assert_eq!(half.open_rtcp(&bytes, &mut Vec::new()), None);
            prop_assert_eq!(half.open_rtp(7, 12, &mut bytes.clone()), None);
        }
    }
}
