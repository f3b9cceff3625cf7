//! The rtcd wire format is a promise: vectors of the specification, round trips, and any bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proto::id::{CallId, ConnId, GroupId, SessionId, UserId};
use proto::rtcd::{
    ApiAnswer, ChannelMessage, ControlMessage, Credentials, DecodeError, HelloMessage,
    IceCandidate, JoinMessage, MAX_CONTROL_LEN, MAX_SDP_LEN, MediaMapEntry, RtcKind, RtcMessage,
    SdpKind, SessionConfig, SessionDescription, SessionProps, TrackType, VersionInfo,
};

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

#[test]
fn control_messages_have_the_bytes_of_the_specification() {
    let letters = SessionId::parse(LETTERS).unwrap();
    let letters_hex = "ba6162636465666768696a6b6c6d6e6f707172737475767778797a";
    let session_hex = format!("81a973657373696f6e4944{letters_hex}");
    let rtc = |kind, data: &str| {
        RtcMessage::for_session(&SessionId::parse("s1").unwrap(), kind, data.into())
    };
    let vectors = [
        (
            ControlMessage::Hello(HelloMessage {
                client: GroupId::parse("clientA").unwrap(),
                conn: ConnId::parse(LETTERS).unwrap(),
            }),
            format!("a568656c6c6f82a8636c69656e744944a7636c69656e7441a6636f6e6e4944{letters_hex}"),
        ),
        (
            ControlMessage::Close(letters.clone()),
            format!("a5636c6f7365{session_hex}"),
        ),
        (
            ControlMessage::Leave(letters.clone()),
            format!("a56c65617665{session_hex}"),
        ),
        (
            ControlMessage::Reconnect(letters),
            format!("a97265636f6e6e656374{session_hex}"),
        ),
        (
            ControlMessage::Join(JoinMessage {
                call: CallId::parse("c1").unwrap(),
                user: UserId::parse("u1").unwrap(),
                session: SessionId::parse("s1").unwrap(),
                channel: "ch1".to_owned(),
                av1_support: false,
                dc_signalling: true,
            }),
            "a46a6f696e86a663616c6c4944a26331a6757365724944a27531a973657373696f6e4944a27331a96368\
             616e6e656c4944a3636831aa617631537570706f7274c2ab64635369676e616c696e67c3"
                .to_owned(),
        ),
        (
            ControlMessage::Rtc(rtc(RtcKind::Ice, r#"{"candidate":""}"#)),
            "a372746386a867726f75705f6964a0a7757365725f6964a0aa73657373696f6e5f6964a27331a763616c\
             6c5f6964a0a47479706501a464617461c4107b2263616e646964617465223a22227d"
                .to_owned(),
        ),
        (
            ControlMessage::Rtc(rtc(RtcKind::Mute, "")),
            "a372746385a867726f75705f6964a0a7757365725f6964a0aa73657373696f6e5f6964a27331a763616c\
             6c5f6964a0a47479706503"
                .to_owned(),
        ),
        (
            ControlMessage::Vad(RtcMessage {
                group: "g".into(),
                user: "u".into(),
                session: "s1".into(),
                call: "c1".into(),
                kind: RtcKind::VoiceOn,
                data: vec![],
                node: String::new(),
            }),
            "a376616485a867726f75705f6964a167a7757365725f6964a175aa73657373696f6e5f6964a27331a763\
             616c6c5f6964a26331a47479706507"
                .to_owned(),
        ),
    ];
    for (message, hex) in vectors {
        assert_eq!(to_hex(&message.encode()), hex, "{message:?}");
        assert_eq!(
            ControlMessage::decode(&from_hex(&hex), MAX_CONTROL_LEN).unwrap(),
            message
        );
    }
}

#[test]
fn control_messages_are_read_liberally() {
    let mute = |bytes: &str| ControlMessage::decode(&from_hex(bytes), MAX_CONTROL_LEN);
    let expected = Ok(ControlMessage::Rtc(RtcMessage::for_session(
        &SessionId::parse("s1").unwrap(),
        RtcKind::Mute,
        vec![],
    )));
    // A map16 with bin for str, an int64, an unknown nested key, nil data, and trailing bytes.
    let wide = "a3727463de0004c40a73657373696f6e5f6964c4027331a474797065d30000000000000003\
                a46e65787482a1619201c0a162c0a464617461c0ffff";
    assert_eq!(mute(wide), expected);
    // The array form, with a value from the future at its end.
    assert_eq!(mute("a372746397a0a0a27331a003c0c3"), expected);
    // A uint32, a float, and a number no kind has.
    assert_eq!(
        mute("a372746382aa73657373696f6e5f6964a27331a474797065ce00000003"),
        expected
    );
    assert_eq!(
        mute("a372746382aa73657373696f6e5f6964a27331a4747970650b"),
        Err(DecodeError::UnknownRtcKind { number: 11 })
    );
    assert_eq!(
        mute("a3666f6fc0"),
        Ok(ControlMessage::Unknown("foo".into()))
    );
}

#[test]
fn a_join_needs_its_ids_and_nothing_else() {
    let with_numbers = ControlMessage::decode(
        &from_hex(
            "a46a6f696e85a663616c6c4944a26331a6757365724944a27531a973657373696f6e4944a27331\
             aa617631537570706f727401a96368616e6e656c494405",
        ),
        MAX_CONTROL_LEN,
    );
    let Ok(ControlMessage::Join(join)) = with_numbers else {
        panic!("{with_numbers:?}")
    };
    assert!(!join.av1_support && !join.dc_signalling && join.channel.is_empty());
    let without_user = from_hex("a46a6f696e82a663616c6c4944a26331a973657373696f6e4944a27331");
    assert!(matches!(
        ControlMessage::decode(&without_user, MAX_CONTROL_LEN),
        Err(DecodeError::Id(_))
    ));
}

#[test]
fn a_control_message_over_the_limit_is_refused() {
    let long = vec![0; 11];
    assert_eq!(
        ControlMessage::decode(&long, 10),
        Err(DecodeError::TooLong { len: 11, limit: 10 })
    );
}

#[test]
fn channel_messages_have_the_bytes_of_the_specification() {
    let one_voice = BTreeMap::from([(
        "1".to_owned(),
        MediaMapEntry {
            kind: TrackType::Voice,
            sender: "s1".to_owned(),
        },
    )]);
    let vectors = [
        (ChannelMessage::Ping, "cc01"),
        (ChannelMessage::Pong, "cc02"),
        (ChannelMessage::Lock, "cc07"),
        (ChannelMessage::LockResult(true), "cc07c3"),
        (ChannelMessage::LockResult(false), "cc07c2"),
        (ChannelMessage::Unlock, "cc08"),
        (ChannelMessage::LossRate(0.5), "cc04cb3fe0000000000000"),
        (
            ChannelMessage::MediaMap(one_voice),
            "cc0981a13182a474797065a5766f696365a973656e6465725f6964a27331",
        ),
        (ChannelMessage::MediaMap(BTreeMap::new()), "cc0980"),
        (ChannelMessage::LegacyPing, "70696e67"),
        (ChannelMessage::LegacyPong, "706f6e67"),
    ];
    for (message, hex) in vectors {
        assert_eq!(to_hex(&message.encode()), hex, "{message:?}");
        assert_eq!(ChannelMessage::decode(&from_hex(hex)), Ok(message));
    }
    for (hex, message) in [
        ("01", ChannelMessage::Ping),
        ("07", ChannelMessage::Lock),
        ("08", ChannelMessage::Unlock),
        ("0400", ChannelMessage::LossRate(0.0)),
        ("06ca3f000000", ChannelMessage::Jitter(0.5)),
        ("0a80", ChannelMessage::Unknown(10)),
    ] {
        assert_eq!(ChannelMessage::decode(&from_hex(hex)), Ok(message));
    }
}

#[test]
fn a_compressed_session_description_is_read_and_written() {
    let offer = SessionDescription {
        kind: SdpKind::Offer,
        sdp: "v=0\r\n".into(),
    };
    let vector = "cc03c426789cab562aa92c4855b252ca4f4b4b2d52d2512a4e2900f2ca6c0d628a62f2946a01ab\
                  8f0a3f";
    assert_eq!(
        ChannelMessage::decode(&from_hex(vector)),
        Ok(ChannelMessage::Sdp(offer.clone()))
    );
    let message = ChannelMessage::Sdp(offer);
    assert_eq!(ChannelMessage::decode(&message.encode()), Ok(message));
}

#[test]
fn a_session_description_that_inflates_beyond_the_limit_is_refused() {
    let bomb = ChannelMessage::Sdp(SessionDescription {
        kind: SdpKind::Offer,
        sdp: "a".repeat(MAX_SDP_LEN),
    })
    .encode();
    assert!(bomb.len() < 2000);
    assert!(matches!(
        ChannelMessage::decode(&bomb),
        Err(DecodeError::Inflate { .. })
    ));
}

/// A browser answers in a call of a hundred with 74 KB and offers with 104 KB.
#[test]
fn a_session_description_of_a_big_call_comes_through() {
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n".repeat(20);
    let message = ChannelMessage::Sdp(SessionDescription {
        kind: SdpKind::Answer,
        sdp: section.repeat(200),
    });
    let encoded = message.encode();
    assert_eq!(ChannelMessage::decode(&encoded), Ok(message));
}

#[test]
fn a_media_map_keeps_the_entries_it_knows() {
    // {"1": {type: "hologram"}, "2": {type: "screen", sender_id: "s1"}}
    let hex = "0982a13181a474797065a8686f6c6f6772616da13282a474797065a673637265656e\
               a973656e6465725f6964a27331";
    let expected = BTreeMap::from([(
        "2".to_owned(),
        MediaMapEntry {
            kind: TrackType::Screen,
            sender: "s1".into(),
        },
    )]);
    assert_eq!(
        ChannelMessage::decode(&from_hex(hex)),
        Ok(ChannelMessage::MediaMap(expected))
    );
}

#[test]
fn candidates_are_wrapped_on_the_way_out_only() {
    let ours = IceCandidate::local("candidate:1 1 udp 1 127.0.0.1 8443 typ host");
    assert_eq!(
        ours.to_wrapped_json(),
        r#"{"candidate":{"candidate":"candidate:1 1 udp 1 127.0.0.1 8443 typ host","sdpMid":"","sdpMLineIndex":0,"usernameFragment":null},"type":"candidate"}"#
    );
    let theirs =
        br#"{"candidate":"candidate:x","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"}"#;
    let parsed = IceCandidate::from_json(theirs).unwrap();
    assert_eq!(parsed.candidate, "candidate:x");
    assert_eq!(parsed.username_fragment.as_deref(), Some("u"));
    assert_eq!(
        IceCandidate::from_json(ours.to_wrapped_json().as_bytes()).unwrap(),
        ours
    );
    assert_eq!(
        IceCandidate::from_json(br#"{"candidate":""}"#)
            .unwrap()
            .candidate,
        ""
    );
    assert!(IceCandidate::from_json(b"1").is_err());
}

#[test]
fn http_bodies_have_the_documented_keys() {
    let credentials: Credentials =
        serde_json::from_str(r#"{"clientID":"a","authKey":"k","more":"x"}"#).unwrap();
    assert_eq!(
        (
            credentials.client_id.as_str(),
            credentials.auth_key.expose()
        ),
        ("a", "k")
    );
    assert!(serde_json::from_str::<Credentials>(r#"{"clientID":1}"#).is_err());
    let registered = ApiAnswer {
        client_id: Some("a".into()),
        code: "201".into(),
        ..ApiAnswer::default()
    };
    assert_eq!(
        serde_json::to_string(&registered).unwrap(),
        r#"{"clientID":"a","code":"201"}"#
    );
    let version = serde_json::to_string(&VersionInfo::default()).unwrap();
    for key in [
        "buildDate",
        "buildVersion",
        "buildHash",
        "goVersion",
        "goOS",
        "goArch",
    ] {
        assert!(version.contains(&format!("\"{key}\":\"\"")), "{version}");
    }
    let config = SessionConfig {
        group_id: "g".into(),
        call_id: "c".into(),
        user_id: "u".into(),
        session_id: "s".into(),
        props: Some(SessionProps {
            dc_signalling: Some(true),
            ..SessionProps::default()
        }),
    };
    assert_eq!(
        serde_json::to_string(&config).unwrap(),
        r#"{"GroupID":"g","CallID":"c","UserID":"u","SessionID":"s","Props":{"av1Support":null,"channelID":null,"dcSignaling":true}}"#
    );
}

fn any_rtc() -> impl Strategy<Value = RtcMessage> {
    let text = "[a-z0-9]{0,40}";
    let kind = (1i64..=10).prop_map(|number| RtcKind::from_number(number).expect("1 to 10"));
    (
        text,
        text,
        "[a-z0-9]{1,40}",
        text,
        kind,
        prop::collection::vec(any::<u8>(), 0..70_000),
        text,
    )
        .prop_map(
            |(group, user, session, call, kind, data, node)| RtcMessage {
                group,
                user,
                session,
                call,
                kind,
                data,
                node,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rtc_messages_survive_the_wire(message in any_rtc()) {
        let sent = ControlMessage::Rtc(message);
        prop_assert_eq!(ControlMessage::decode(&sent.encode(), MAX_CONTROL_LEN), Ok(sent));
    }

    #[test]
    fn media_maps_survive_the_wire(mids in prop::collection::btree_set("[0-9]{1,4}", 0..400)) {
        let entry = MediaMapEntry { kind: TrackType::Screen, sender: "s".into() };
        let map = mids.into_iter().map(|mid| (mid, entry.clone())).collect();
        let sent = ChannelMessage::MediaMap(map);
        prop_assert_eq!(ChannelMessage::decode(&sent.encode()), Ok(sent));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_a_message_or_an_error(
        name in prop::sample::select(vec!["", "a46a6f696e", "a3727463", "a5636c6f7365", "0382", "09"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut all = from_hex(name);
        all.extend(bytes);
        // Whatever comes out, it came out: no panic, no unbounded allocation.
        let _ = ControlMessage::decode(&all, MAX_CONTROL_LEN);
        let _ = ChannelMessage::decode(&all);
        let _ = IceCandidate::from_json(&all);
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16);
    digits
        .chunks(2)
        .map(|pair| byte(pair).expect("two hex digits"))
        .collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
