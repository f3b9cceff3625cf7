//! Letters between nodes: what is written is read again, and any bytes give an answer.

use proptest::prelude::*;
use proto::cluster::{
    Beat, Claim, ClaimState, DeadLetter, Facts, LetterError, MAX_HEAD, Turn, decode, encode,
};

fn claims() -> impl Strategy<Value = Claim> {
    let state = prop_oneof![
        Just(ClaimState::Running),
        Just(ClaimState::Returned),
        Just(ClaimState::Done),
        any::<String>().prop_map(|reason| ClaimState::Dead { reason }),
    ];
    let numbers = (any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>());
    (numbers, any::<String>(), any::<String>(), state).prop_map(
        |((message, delivery, start, sign), worker, nonce, state)| Claim {
            turn: Turn { message, delivery },
            start,
            worker,
            nonce,
            sign,
            state,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(claim in claims(), body: Vec<u8>) {
        let letter = encode(&claim, &body);
        let (head, read) = decode::<Claim>(&letter).unwrap();
        prop_assert_eq!(head, claim);
        prop_assert_eq!(read, body);
    }

    #[test]
    fn any_bytes_give_an_answer(letter: Vec<u8>) {
        let _any = decode::<Beat>(&letter);
        let _any = decode::<Claim>(&letter);
        let _any = decode::<DeadLetter>(&letter);
    }
}

#[test]
fn a_beat_is_as_it_was() {
    let beat = Beat {
        node: "n1".to_owned(),
        incarnation: 7,
        edition: 2,
        voice: "v".to_owned(),
        load: 125,
        leaves: false,
    };
    let said = r#"{"node":"n1","incarnation":7,"edition":2,"voice":"v","load":125}"#;
    assert_eq!(encode(&beat, b""), format!("{said}\n").into_bytes());
    let (read, body) = decode::<Beat>(format!("{said}\n").as_bytes()).unwrap();
    assert_eq!((read, body), (beat, &b""[..]));
}

#[test]
fn what_is_no_letter_is_said() {
    let endless = vec![b'{'; MAX_HEAD + 1];
    assert_eq!(decode::<Facts>(&endless), Err(LetterError::NoHead));
    assert_eq!(decode::<Facts>(b"{}"), Err(LetterError::NoHead));
    let other = decode::<Facts>(b"{\"node\":\"n1\"}\n").unwrap_err();
    assert!(other.to_string().contains("incarnation"), "{other}");
}
