//! Actions of clients as what is asked of a call.

use proto::calls::action::{self, Action, Join, Metric, Reconnect};
use proto::id::ChannelId;
use proto::rtcd::IceCandidate;
use signalling_core::{Caption, Emoji, Request, Signal, Utterance};

/// What an action means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    Join(Join),
    Leave,
    Reconnect(Reconnect),
    State(ChannelId),
    /// Something of the session on this connection.
    Request(Request),
    Measured(Metric),
    /// Accepted, and means nothing: voice activity is found by the media server, pings only keep
    /// proxies awake.
    Nothing,
}

/// `utterance`: what a caption's frame says of it beside the action.
pub(crate) fn ask(action: Action, utterance: Option<action::Utterance>) -> Asked {
    let request = match action {
        Action::Join(join) => return Asked::Join(join),
        Action::Leave => return Asked::Leave,
        Action::Reconnect(reconnect) => return Asked::Reconnect(reconnect),
        Action::CallState { channel } => return Asked::State(channel),
        Action::Metric(metric) => return Asked::Measured(metric),
        Action::VoiceOn | Action::VoiceOff | Action::Ping => return Asked::Nothing,
        Action::Sdp(description) => Request::Signal(Signal::Description(description.to_json())),
        Action::Ice { candidate: json } => {
            // The end of candidates, and what is no candidate, means nothing to the media server.
            let known = IceCandidate::from_json(json.as_bytes());
            if !known.is_ok_and(|candidate| !candidate.candidate.is_empty()) {
                return Asked::Nothing;
            }
            Request::Signal(Signal::Candidate(json))
        }
        Action::Mute => Request::Mute,
        Action::Unmute => Request::Unmute,
        Action::ScreenOn { stream } => Request::ShareScreen { stream },
        Action::ScreenOff => Request::StopScreen,
        Action::VideoOn { stream } => Request::ShowVideo { stream },
        Action::VideoOff => Request::StopVideo,
        Action::RaiseHand => Request::RaiseHand,
        Action::UnraiseHand => Request::LowerHand,
        Action::React(emoji) => Request::React(Emoji {
            name: emoji.name,
            skin: emoji.skin,
            unified: emoji.unified,
            literal: emoji.literal,
        }),
        Action::Caption(caption) => Request::Caption(Caption {
            session: caption.session,
            text: caption.text,
            new_audio_ms: caption.new_audio_len_ms,
            utterance: utterance.map(|said| Utterance {
                id: said.id,
                is_final: said.is_final,
            }),
        }),
    };
    Asked::Request(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_candidates_and_what_is_none_asks_for_nothing() {
        let ice = |json: &str| {
            let candidate = json.to_owned();
            ask(Action::Ice { candidate }, None)
        };
        for nothing in [r#"{"candidate":""}"#, "{}", "no json"] {
            assert_eq!(ice(nothing), Asked::Nothing, "{nothing}");
        }
        let candidate = r#"{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host"}"#;
        let passed = Request::Signal(Signal::Candidate(candidate.to_owned()));
        assert_eq!(ice(candidate), Asked::Request(passed));
    }
}
