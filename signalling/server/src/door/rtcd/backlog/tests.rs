//! What waits for a host: what is kept, what overtakes what, and what is said again.

use proto::id::UserId;

use super::*;

fn session(name: &str) -> SessionId {
    SessionId::parse(name).unwrap()
}

fn call() -> CallId {
    CallId::parse("call").unwrap()
}

fn join(name: &str) -> ControlMessage {
    ControlMessage::Join(JoinMessage {
        call: call(),
        user: UserId::parse("anna").unwrap(),
        session: session(name),
        channel: String::new(),
        av1_support: false,
        dc_signalling: true,
    })
}

fn leave(name: &str) -> ControlMessage {
    ControlMessage::Leave(session(name))
}

fn say(name: &str, kind: RtcKind, data: &[u8]) -> ControlMessage {
    ControlMessage::Rtc(RtcMessage::for_session(&session(name), kind, data.to_vec()))
}

/// What the host is told next, in short.
fn told(backlog: &mut Backlog) -> Vec<String> {
    std::iter::from_fn(|| backlog.take())
        .map(|message| match message {
            ControlMessage::Join(join) => format!("{} join", join.session),
            ControlMessage::Leave(session) => format!("{session} leave"),
            ControlMessage::Reconnect(session) => format!("{session} reconnect"),
            ControlMessage::Rtc(rtc) => format!("{} {:?}", rtc.session, rtc.kind),
            other @ (ControlMessage::Hello(_)
            | ControlMessage::Vad(_)
            | ControlMessage::Close(_)
            | ControlMessage::Unknown(_)) => panic!("{other:?} is not for hosts"),
        })
        .collect()
}

fn backlog(messages: impl IntoIterator<Item = ControlMessage>) -> Backlog {
    let mut backlog = Backlog::default();
    for message in messages {
        backlog.push(message).unwrap();
    }
    backlog
}

/// The host has read everything.
fn confirm(backlog: &mut Backlog) {
    while let Some(ping) = backlog.ping() {
        backlog.confirm(ping);
    }
}

fn has(sessions: &[&str]) -> BTreeMap<CallId, BTreeSet<SessionId>> {
    BTreeMap::from([(call(), sessions.iter().map(|name| session(name)).collect())])
}

/// Anna is in the call and the host knows everything.
fn anna_is_in() -> Backlog {
    let mut backlog = backlog([join("anna")]);
    told(&mut backlog);
    confirm(&mut backlog);
    backlog
}

#[test]
fn what_is_said_about_a_session_keeps_its_order() {
    let mut backlog = backlog([
        join("anna"),
        say("anna", RtcKind::ScreenOn, b"{}"),
        say("anna", RtcKind::Sdp, b"offer"),
        say("anna", RtcKind::ScreenOff, b""),
        leave("anna"),
    ]);
    // She left before the host heard of her.
    assert_eq!(told(&mut backlog), Vec::<String>::new());
    let mut backlog = anna_is_in();
    for message in [
        say("anna", RtcKind::ScreenOn, b"{}"),
        say("anna", RtcKind::Sdp, b"offer"),
        say("anna", RtcKind::ScreenOff, b""),
        say("anna", RtcKind::Ice, b"{}"),
    ] {
        backlog.push(message).unwrap();
    }
    assert_eq!(
        told(&mut backlog),
        ["anna ScreenOn", "anna Sdp", "anna ScreenOff", "anna Ice"]
    );
}

#[test]
fn the_newest_state_replaces_what_it_overtakes() {
    let mut backlog = anna_is_in();
    for n in 0..10_000 {
        let kind = if n % 2 == 0 {
            RtcKind::Unmute
        } else {
            RtcKind::Mute
        };
        backlog.push(say("anna", kind, b"")).unwrap();
    }
    assert_eq!(backlog.len(), 1);
    assert_eq!(told(&mut backlog), ["anna Mute"]);
}

#[test]
fn a_mute_that_may_have_been_lost_is_said_again_after_an_outage() {
    let mut backlog = anna_is_in();
    backlog.push(say("anna", RtcKind::Unmute, b"")).unwrap();
    told(&mut backlog);
    confirm(&mut backlog);
    backlog.push(say("anna", RtcKind::Mute, b"")).unwrap();
    // Written into a connection that was dead already.
    assert_eq!(told(&mut backlog), ["anna Mute"]);
    assert!(backlog.reconnected(Some(&has(&["anna"]))).is_empty());
    assert_eq!(told(&mut backlog), ["anna reconnect", "anna Mute"]);
    // And also when everything was confirmed: the host may have a state of its own by now.
    confirm(&mut backlog);
    backlog.reconnected(Some(&has(&["anna"])));
    assert_eq!(told(&mut backlog), ["anna reconnect", "anna Mute"]);
}

#[test]
fn signals_that_did_not_arrive_are_sent_again_and_others_are_not() {
    let mut backlog = anna_is_in();
    backlog.push(say("anna", RtcKind::Sdp, b"first")).unwrap();
    told(&mut backlog);
    backlog.answered(&session("anna"));
    backlog.push(say("anna", RtcKind::Ice, b"{}")).unwrap();
    backlog.push(say("anna", RtcKind::Sdp, b"second")).unwrap();
    told(&mut backlog);
    backlog.reconnected(Some(&has(&["anna"])));
    assert_eq!(
        told(&mut backlog),
        ["anna reconnect", "anna Ice", "anna Sdp"]
    );
}

#[test]
fn a_join_on_its_way_is_sent_again_unless_it_arrived() {
    let mut lost = backlog([join("anna"), say("anna", RtcKind::Sdp, b"offer")]);
    told(&mut lost);
    assert!(lost.reconnected(Some(&has(&[]))).is_empty());
    assert_eq!(told(&mut lost), ["anna join", "anna Sdp"]);
    let mut arrived = backlog([join("anna"), say("anna", RtcKind::Sdp, b"offer")]);
    told(&mut arrived);
    assert!(arrived.reconnected(Some(&has(&["anna"]))).is_empty());
    assert_eq!(told(&mut arrived), ["anna reconnect", "anna Sdp"]);
}

#[test]
fn a_leave_is_told_until_the_host_knows() {
    let mut backlog = anna_is_in();
    backlog.push(leave("anna")).unwrap();
    assert_eq!(told(&mut backlog), ["anna leave"]);
    assert!(backlog.reconnected(Some(&has(&["anna"]))).is_empty());
    assert_eq!(told(&mut backlog), ["anna leave"]);
    assert!(!backlog.closed(&session("anna")));
    assert!(backlog.calls().is_empty());
    assert!(backlog.reconnected(Some(&has(&[]))).is_empty());
    assert_eq!(told(&mut backlog), Vec::<String>::new());
}

#[test]
fn a_host_that_lost_everything_has_ended_every_session() {
    let mut backlog = anna_is_in();
    backlog.push(join("ben")).unwrap();
    told(&mut backlog);
    confirm(&mut backlog);
    backlog.push(leave("ben")).unwrap();
    // The one who left is no news; a newcomer is told about.
    backlog.push(join("carla")).unwrap();
    assert_eq!(backlog.reconnected(Some(&has(&[]))), [session("anna")]);
    assert_eq!(told(&mut backlog), ["carla join"]);
    assert_eq!(
        backlog.push(say("anna", RtcKind::Mute, b"")),
        Err(Refused::NoSession)
    );
}

#[test]
fn a_session_nobody_knows_any_more_is_ended() {
    let mut backlog = anna_is_in();
    backlog.reconnected(Some(&has(&["anna", "ghost"])));
    assert_eq!(told(&mut backlog), ["anna reconnect", "ghost leave"]);
    // Once: the close that follows is not news.
    assert!(!backlog.closed(&session("ghost")));
}

#[test]
fn a_host_that_cannot_tell_is_believed_to_have_everything() {
    let mut backlog = anna_is_in();
    assert!(backlog.reconnected(None).is_empty());
    assert_eq!(told(&mut backlog), ["anna reconnect"]);
}

#[test]
fn the_close_of_a_session_that_left_does_not_end_the_one_that_came_back() {
    let mut backlog = anna_is_in();
    backlog.push(leave("anna")).unwrap();
    backlog.push(join("anna")).unwrap();
    assert_eq!(told(&mut backlog), ["anna leave", "anna join"]);
    assert!(!backlog.closed(&session("anna")), "the old one");
    assert!(backlog.closed(&session("anna")), "the new one");
}

#[test]
fn signals_beyond_the_bound_end_the_session_and_no_other() {
    let mut backlog = anna_is_in();
    backlog.push(join("ben")).unwrap();
    told(&mut backlog);
    for _ in 0..MAX_SIGNALS {
        backlog.push(say("anna", RtcKind::Ice, b"{}")).unwrap();
    }
    backlog.push(say("anna", RtcKind::Mute, b"")).unwrap();
    backlog.push(say("ben", RtcKind::Mute, b"")).unwrap();
    let one_more = say("anna", RtcKind::Ice, b"{}");
    assert_eq!(backlog.push(one_more), Err(Refused::GivenUp));
    assert_eq!(told(&mut backlog), ["ben Mute", "anna leave"]);
    let large = vec![b'x'; MAX_SIGNAL_BYTES + 1];
    assert_eq!(
        backlog.push(say("ben", RtcKind::Sdp, &large)),
        Err(Refused::GivenUp)
    );
}

#[test]
fn a_screen_is_off_before_the_next_is_on() {
    let mut backlog = anna_is_in();
    backlog.push(join("ben")).unwrap();
    backlog.push(say("ben", RtcKind::ScreenOn, b"{}")).unwrap();
    backlog.push(say("ben", RtcKind::ScreenOff, b"")).unwrap();
    backlog.push(say("anna", RtcKind::ScreenOn, b"{}")).unwrap();
    told(&mut backlog);
    confirm(&mut backlog);
    backlog.reconnected(Some(&has(&["anna", "ben"])));
    assert_eq!(
        told(&mut backlog),
        [
            "anna reconnect",
            "ben reconnect",
            "ben ScreenOff",
            "anna ScreenOn"
        ]
    );
}

#[test]
fn after_a_restart_of_ours_the_host_is_told_who_is_muted() {
    let known = |name: &str, unmuted| KnownSession {
        session: session(name),
        call: call(),
        unmuted,
    };
    let mut backlog = Backlog::new([known("anna", false), known("ben", true)]);
    backlog.reconnected(Some(&has(&["anna", "ben"])));
    assert_eq!(
        told(&mut backlog),
        ["anna reconnect", "ben reconnect", "anna Mute", "ben Unmute"]
    );
}

#[test]
fn what_is_no_message_for_hosts_is_refused() {
    let mut backlog = anna_is_in();
    let voice = say("anna", RtcKind::VoiceOn, b"");
    assert_eq!(backlog.push(voice), Err(Refused::NotForHosts));
    let close = ControlMessage::Close(session("anna"));
    assert_eq!(backlog.push(close), Err(Refused::NotForHosts));
    assert_eq!(backlog.push(leave("ben")), Err(Refused::NoSession));
}

#[test]
fn a_session_that_is_at_another_host_is_told_of_there() {
    let mut first = backlog([join("s"), say("s", RtcKind::Sdp, b"offer"), join("t")]);
    assert_eq!(told(&mut first), ["s join", "s Sdp", "t join"]);
    confirm(&mut first);
    for message in [
        say("s", RtcKind::Unmute, b""),
        say("s", RtcKind::Ice, b"late"),
        say("t", RtcKind::Unmute, b""),
    ] {
        first.push(message).unwrap();
    }
    let mut second = Backlog::default();
    second.take_over(&session("s"), first.hand_over(&session("s")).unwrap());
    assert!(first.hand_over(&session("s")).is_none(), "once");
    assert_eq!(told(&mut first), ["t Unmute"]);
    assert_eq!(first.push(leave("s")), Err(Refused::NoSession));
    assert_eq!(told(&mut second), ["s reconnect", "s Unmute", "s Ice"]);
    // After an outage each is told of its own.
    assert_eq!(first.reconnected(None), []);
    assert_eq!(told(&mut first), ["t reconnect", "t Unmute"]);
    assert_eq!(second.reconnected(None), []);
    assert_eq!(told(&mut second)[..2], ["s reconnect", "s Unmute"]);
    second.push(leave("s")).unwrap();
    assert!(told(&mut second).ends_with(&["s leave".to_owned()]));
}
