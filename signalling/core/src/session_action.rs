//! What a session in a call may ask for: speak, show, raise a hand, react, caption.
//!
//! Not here: joining and coming back (`join`).

use proto::calls::Event;
use proto::calls::action::{Action, Caption, Emoji};
use proto::calls::event::{CaptionShown, Hand, Reaction};
use proto::id::{ConnId, SessionId};
use proto::rtcd::{
    ControlMessage, IceCandidate, RtcKind, RtcMessage, ScreenOnData, SessionDescription,
    VideoOnData,
};

use crate::calls::Calls;
use crate::io::{Moment, Observation, Output, Record, Refusal};

impl Calls {
    pub(crate) fn handle_action(&mut self, connection: &ConnId, action: Action, at: Moment) {
        if action == Action::Leave {
            return self.handle_leave(connection, at);
        }
        let Some(id) = self.sessions_by_connection.get(connection).cloned() else {
            return self.out.refused(Refusal::NoSession, action.short_name());
        };
        let session = self
            .call_of(&id)
            .and_then(|call| call.sessions.get_mut(&id));
        let Some(session) = session else { return };
        let (allowed, is_bot) = (session.allowance.take(at.now), session.is_bot);
        if !allowed {
            return self.out.refused(Refusal::RateLimit, action.short_name());
        }
        match action {
            Action::Sdp(description) => self.pass_description(&id, &description),
            Action::Ice { candidate } => self.pass_candidate(&id, candidate),
            Action::Caption(caption) if is_bot => self.show_caption(&id, caption),
            Action::Metric(metric) => self.out.push(Output::Observed(Observation::Metric(metric))),
            Action::Caption(_) => self.out.refused(Refusal::BotOnly, "caption"),
            // Voice activity is found by the media server; pings only keep proxies awake.
            Action::VoiceOn | Action::VoiceOff | Action::Ping => {}
            Action::Join(_) | Action::Leave | Action::Reconnect(_) | Action::CallState { .. } => {}
            for_people @ (Action::Mute
            | Action::Unmute
            | Action::ScreenOn { .. }
            | Action::ScreenOff
            | Action::VideoOn { .. }
            | Action::VideoOff
            | Action::RaiseHand
            | Action::UnraiseHand
            | Action::React(_)) => {
                if is_bot {
                    self.out
                        .refused(Refusal::NotForBots, for_people.short_name());
                } else {
                    self.handle_person_action(&id, for_people, at);
                }
            }
        }
    }

    fn handle_person_action(&mut self, id: &SessionId, action: Action, at: Moment) {
        match action {
            Action::Mute => self.set_unmuted(id, false),
            Action::Unmute => self.set_unmuted(id, true),
            Action::RaiseHand => self.set_hand(id, at.unix_ms),
            Action::UnraiseHand => self.set_hand(id, 0),
            Action::React(emoji) => self.show_reaction(id, emoji, at),
            Action::ScreenOn { stream } => self.screen_on(id, stream),
            Action::ScreenOff => self.screen_off(id),
            Action::VideoOn { stream } => self.video_on(id, stream),
            Action::VideoOff => self.video_off(id),
            // Handled before a session is looked for.
            Action::Join(_) | Action::Leave | Action::Reconnect(_) | Action::CallState { .. } => {}
            // Handled by the caller.
            Action::Sdp(_)
            | Action::Ice { .. }
            | Action::Caption(_)
            | Action::Metric(_)
            | Action::VoiceOn
            | Action::VoiceOff
            | Action::Ping => {}
        }
    }

    fn handle_leave(&mut self, connection: &ConnId, at: Moment) {
        for call in self.calls.values_mut() {
            call.waiting
                .retain(|request| request.connection != *connection);
        }
        match self.sessions_by_connection.get(connection).cloned() {
            Some(session) => self.remove_session(&session, true, at),
            None => self.out.refused(Refusal::NoSession, "leave"),
        }
    }

    fn pass_description(&mut self, id: &SessionId, description: &SessionDescription) {
        self.signal_media(id, RtcKind::Sdp, description.to_json().into_bytes());
    }

    fn pass_candidate(&mut self, id: &SessionId, json: String) {
        // The end of candidates, and what is no candidate, means nothing to the media server.
        let known = IceCandidate::from_json(json.as_bytes());
        if known.is_ok_and(|candidate| !candidate.candidate.is_empty()) {
            self.signal_media(id, RtcKind::Ice, json.into_bytes());
        }
    }

    fn signal_media(&mut self, id: &SessionId, kind: RtcKind, data: Vec<u8>) {
        self.tell_media(
            id,
            ControlMessage::Rtc(RtcMessage::for_session(id, kind, data)),
        );
    }

    fn set_unmuted(&mut self, id: &SessionId, unmuted: bool) {
        let kind = if unmuted {
            RtcKind::Unmute
        } else {
            RtcKind::Mute
        };
        self.signal_media(id, kind, Vec::new());
        self.change_session(id, |session| session.unmuted = unmuted);
        self.announce_session(
            id,
            if unmuted {
                Event::UserUnmuted
            } else {
                Event::UserMuted
            },
        );
    }

    fn set_hand(&mut self, id: &SessionId, raised_hand: i64) {
        self.change_session(id, |session| session.raised_hand_ms = raised_hand);
        self.announce_session(id, |who| {
            let hand = Hand {
                user: who.user,
                session_id: who.session_id,
                raised_hand,
            };
            if raised_hand > 0 {
                Event::UserRaiseHand(hand)
            } else {
                Event::UserUnraiseHand(hand)
            }
        });
    }

    fn show_reaction(&mut self, id: &SessionId, emoji: Emoji, at: Moment) {
        self.announce_session(id, |who| {
            Event::UserReacted(Reaction {
                user_id: who.user,
                session_id: who.session_id,
                emoji,
                timestamp: at.unix_ms,
            })
        });
    }

    fn screen_on(&mut self, id: &SessionId, stream: String) {
        if !self.features.screen_sharing {
            return self.out.refused(Refusal::ScreenSharingOff, "screen_on");
        }
        let Some(call) = self.call_of(id) else { return };
        if call
            .presenter
            .as_ref()
            .is_some_and(|presenter| presenter != id)
        {
            return self.out.refused(Refusal::AlreadyPresenting, "screen_on");
        }
        call.presenter = Some(id.clone());
        let record = call.record(0);
        self.out.store(Record::Call(record));
        let data = ScreenOnData { stream_id: stream }.to_json().into_bytes();
        self.signal_media(id, RtcKind::ScreenOn, data);
        self.announce_session(id, Event::UserScreenOn);
    }

    fn screen_off(&mut self, id: &SessionId) {
        let Some(channel) = self.channels_by_session.get(id) else {
            return;
        };
        let Some(call) = self.calls.get_mut(channel) else {
            return;
        };
        if call.presenter.as_ref() != Some(id) {
            return self.out.refused(Refusal::NotAllowed, "screen_off");
        }
        call.stop_presenting(&mut self.out, id, true);
        call.store(&mut self.out);
        self.signal_media(id, RtcKind::ScreenOff, Vec::new());
    }

    fn video_on(&mut self, id: &SessionId, stream: String) {
        if !self.features.video {
            return self.out.refused(Refusal::VideoOff, "video_on");
        }
        self.change_session(id, |session| session.video = true);
        let data = VideoOnData { stream_id: stream }.to_json().into_bytes();
        self.signal_media(id, RtcKind::VideoOn, data);
        self.announce_session(id, Event::UserVideoOn);
    }

    fn video_off(&mut self, id: &SessionId) {
        if !self.features.video {
            return self.out.refused(Refusal::VideoOff, "video_off");
        }
        self.change_session(id, |session| session.video = false);
        self.signal_media(id, RtcKind::VideoOff, Vec::new());
        self.announce_session(id, Event::UserVideoOff);
    }

    fn show_caption(&mut self, bot: &SessionId, caption: Caption) {
        let Some(channel) = self.channels_by_session.get(bot) else {
            return;
        };
        let Some(call) = self.calls.get(channel) else {
            return;
        };
        let Some(speaker) = call.sessions.get(&caption.session).filter(|s| !s.is_bot) else {
            return self.out.refused(Refusal::UnknownSession, "caption");
        };
        let shown = CaptionShown {
            channel_id: call.channel.clone(),
            user_id: speaker.user.clone(),
            session_id: caption.session,
            text: caption.text,
        };
        call.to_participants(&mut self.out, &Event::Caption(shown));
        let ms = caption.new_audio_len_ms;
        self.out
            .push(Output::Observed(Observation::CaptionAudio { ms }));
    }

    fn change_session(
        &mut self,
        id: &SessionId,
        change: impl FnOnce(&mut crate::call::session::Session),
    ) {
        let Some(call) = self.call_of(id) else { return };
        let call_id = call.id.clone();
        let Some(session) = call.sessions.get_mut(id) else {
            return;
        };
        change(session);
        let record = session.record(&call_id);
        self.out.store(Record::Session(record));
    }

    fn announce_session(
        &mut self,
        id: &SessionId,
        event: impl FnOnce(proto::calls::event::SessionOfUser) -> Event,
    ) {
        let Some(channel) = self.channels_by_session.get(id) else {
            return;
        };
        let Some(call) = self.calls.get(channel) else {
            return;
        };
        let Some(who) = call.session_of_user(id) else {
            return;
        };
        call.to_participants(&mut self.out, &event(who));
    }
}
