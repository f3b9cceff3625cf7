//! What a session asks for: speak, show, raise a hand, react, caption.
//!
//! Not here: joining, coming back, leaving (`join`, `conversation`).

use proto::id::{ConnId, SessionId};

use crate::conversation::Conversation;
use crate::conversation::session::Session;
use crate::io::{Moment, Observation, Output, Refusal};
use crate::media::{MediaCommand, Signal};
use crate::news::{News, Who};
use crate::record::Record;

/// One request of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Signal(Signal),
    Mute,
    Unmute,
    /// `stream`: the id of what will be shown.
    ShareScreen {
        stream: String,
    },
    StopScreen,
    ShowVideo {
        stream: String,
    },
    StopVideo,
    RaiseHand,
    LowerHand,
    React(Emoji),
    /// From the transcribing bot.
    Caption(Caption),
}

impl Request {
    /// Returns the metric label.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Signal(Signal::Description(_)) => "sdp",
            Self::Signal(Signal::Candidate(_)) => "ice",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::ShareScreen { .. } => "screen_on",
            Self::StopScreen => "screen_off",
            Self::ShowVideo { .. } => "video_on",
            Self::StopVideo => "video_off",
            Self::RaiseHand => "raise_hand",
            Self::LowerHand => "unraise_hand",
            Self::React(_) => "react",
            Self::Caption(_) => "caption",
        }
    }
}

/// A reaction's picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emoji {
    pub name: String,
    pub skin: String,
    /// Code points in hexadecimal.
    pub unified: String,
    pub literal: String,
}

/// A piece of live caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    /// Who spoke.
    pub session: SessionId,
    pub text: String,
    /// Milliseconds of audio the text adds.
    pub new_audio_ms: f64,
    pub line: Option<CaptionLine>,
}

/// What a bot says of a caption beyond its text; means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionLine {
    /// A later text with the same one replaces this one.
    pub id: String,
    /// No later text will come.
    pub is_final: bool,
    /// How much of the text stays, in UTF-16 code units.
    pub settled_len: u32,
    /// ISO 639-1.
    pub language: String,
    /// The text is why nothing can be shown.
    pub is_notice: bool,
}

impl Conversation {
    pub(crate) fn handle_request(&mut self, connection: &ConnId, request: Request, at: Moment) {
        #[cfg(feature = "fault-injection")]
        crate::fault::panic_if_asked(&request);
        let id = self.session_on(connection);
        let Some(session) = id.and_then(|id| self.sessions.get(&id)) else {
            return self.out.refused(Refusal::NoSession, request.name());
        };
        let (who, is_bot) = (session.who(), session.is_bot);
        match request {
            Request::Signal(signal) => self.tell_media(&who.session, |session| {
                MediaCommand::Signal { session, signal }
            }),
            Request::Caption(caption) if is_bot => self.show_caption(caption),
            Request::Caption(_) => self.out.refused(Refusal::BotOnly, "caption"),
            for_people if is_bot => self.out.refused(Refusal::NotForBots, for_people.name()),
            Request::Mute => {
                self.silence(&who.session, at);
                self.set_unmuted(who, false);
            }
            Request::Unmute => self.set_unmuted(who, true),
            Request::RaiseHand => self.set_hand(who, at.unix_ms),
            Request::LowerHand => self.set_hand(who, 0),
            Request::React(emoji) => {
                let at_ms = at.unix_ms;
                self.tell_participants(News::Reacted { who, emoji, at_ms });
            }
            Request::ShareScreen { stream } => self.share_screen(who, stream, at),
            Request::StopScreen => self.stop_screen(&who.session, at),
            Request::ShowVideo { stream } => self.set_video(who, Some(stream), at),
            Request::StopVideo => self.set_video(who, None, at),
        }
    }

    /// Whoever mutes in the middle of a word speaks no longer.
    fn silence(&mut self, session: &SessionId, at: Moment) {
        let session = self.sessions.get_mut(session);
        if let Some(session) = session.filter(|session| session.is_speaking()) {
            session.hear(false, at);
        }
    }

    fn set_unmuted(&mut self, who: Who, unmuted: bool) {
        self.tell_media(&who.session, |session| MediaCommand::Voice {
            session,
            unmuted,
        });
        self.change_session(&who.session, |session| session.unmuted = unmuted);
        self.tell_participants(News::Voice { who, unmuted });
    }

    fn set_hand(&mut self, who: Who, raised_at_ms: i64) {
        self.change_session(&who.session, |session| {
            session.raised_hand_ms = raised_at_ms;
        });
        self.tell_participants(News::Hand { who, raised_at_ms });
    }

    fn share_screen(&mut self, who: Who, stream: String, at: Moment) {
        if !self.setting.features.screen_sharing {
            return self.out.refused(Refusal::ScreenSharingOff, "screen_on");
        }
        let presenter = self.presenter.as_ref();
        if presenter.is_some_and(|presenter| *presenter != who.session) {
            return self.out.refused(Refusal::AlreadyPresenting, "screen_on");
        }
        self.presenter = Some(who.session.clone());
        self.usage.screen_on(at);
        self.store_soon();
        self.tell_media(&who.session, |session| MediaCommand::Screen {
            session,
            stream: Some(stream),
        });
        self.tell_participants(News::ScreenOn(who));
    }

    fn stop_screen(&mut self, id: &SessionId, at: Moment) {
        if self.presenter.as_ref() != Some(id) {
            return self.out.refused(Refusal::NotAllowed, "screen_off");
        }
        self.stop_presenting(id, true, at);
        self.store_soon();
        self.tell_media(id, |session| MediaCommand::Screen {
            session,
            stream: None,
        });
    }

    fn set_video(&mut self, who: Who, stream: Option<String>, at: Moment) {
        let on = stream.is_some();
        if !self.setting.features.video {
            let name = if on { "video_on" } else { "video_off" };
            return self.out.refused(Refusal::VideoOff, name);
        }
        self.change_session(&who.session, |session| session.video = on);
        if on {
            self.usage.video_on(&who.session, at);
        } else {
            self.usage.video_off(&who.session, at);
        }
        self.store_soon();
        self.tell_media(&who.session, |session| MediaCommand::Video {
            session,
            stream,
        });
        self.tell_participants(News::Video { who, on });
    }

    fn show_caption(&mut self, caption: Caption) {
        let speaker = self.sessions.get(&caption.session);
        let Some(speaker) = speaker.filter(|session| !session.is_bot) else {
            return self.out.refused(Refusal::UnknownSession, "caption");
        };
        let (who, text, line) = (speaker.who(), caption.text, caption.line);
        self.tell_participants(News::Caption { who, text, line });
        let ms = caption.new_audio_ms;
        self.out
            .push(Output::Observed(Observation::CaptionAudio { ms }));
    }

    /// What a session shows means something to a restart only: it need not be waited for.
    fn change_session(&mut self, id: &SessionId, change: impl FnOnce(&mut Session)) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        change(session);
        let record = session.record(&self.id);
        self.out.store_soon(Record::Session(record));
    }

    fn store_soon(&mut self) {
        let record = self.record(0);
        self.out.store_soon(Record::Call(record));
    }
}
