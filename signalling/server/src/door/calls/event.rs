//! News of calls as events for clients, with the audiences and copies of the protocol.
//!
//! In: news and whom they are for. Out: a `Broadcast`: one body, and everybody it goes to.

use messaging::model::Audience;
use proto::calls::Event;
use proto::calls::action::{CaptionLine, Emoji};
use proto::calls::event::{
    CallStart, CallStateNews, CaptionShown, Dismissal, Hand, HostChange, HostRequest, JobNews,
    JobStop, Joined, LowerHand, MediaMove, Nothing, Reaction, Refused, Removal, ScreenOff,
    SessionOfUser, Signal, UserSession,
};
use proto::id::{ChannelId, ConnId, SessionId, UserId};
use serde_json::{Map, Value};
use signalling_core::{Envelope, JoinError, News, To, Who};

use super::{view, words};

/// One event and its addressees, in the order in which they are told.
#[derive(Debug)]
pub(crate) struct Broadcast {
    /// Without the prefix; for counters.
    pub(crate) short_name: &'static str,
    pub(crate) name: String,
    pub(crate) data: Map<String, Value>,
    pub(crate) audiences: Vec<Audience>,
}

impl Broadcast {
    /// How many events it is: one for each audience, and for each person who gets their own.
    pub(crate) fn copies(&self) -> u64 {
        let copies = |one: &Audience| one.each_of.as_ref().map_or(1, Vec::len);
        let all = self.audiences.iter().map(copies).sum::<usize>();
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

/// Writes news of the call in `channel`.
pub(crate) fn broadcast(channel: &ChannelId, bot: &UserId, envelope: Envelope) -> Broadcast {
    let to_connection = matches!(envelope.to, To::Connection(_));
    let audiences = audiences(channel, bot, envelope.to);
    let event = event(channel, envelope.news);
    Broadcast {
        short_name: event.short_name(),
        name: event.name(),
        data: if to_connection {
            event.data()
        } else {
            event.data_in(channel)
        },
        audiences,
    }
}

/// Says that calls were switched on or off in a channel.
pub(crate) fn announcement(channel: &ChannelId, bot: &UserId, enabled: bool) -> Broadcast {
    let event = if enabled {
        Event::ChannelEnableVoice(Nothing {})
    } else {
        Event::ChannelDisableVoice(Nothing {})
    };
    Broadcast {
        short_name: event.short_name(),
        name: event.name(),
        data: event.data_in(channel),
        audiences: audiences(channel, bot, To::Room),
    }
}

/// Refuses a join of which not even the channel may be known.
pub(crate) fn refusal(connection: ConnId, error: &JoinError) -> Broadcast {
    let event = Event::Error(Refused {
        data: words::join(error),
        connection: connection.clone(),
    });
    Broadcast {
        short_name: event.short_name(),
        name: event.name(),
        data: event.data(),
        audiences: vec![Audience {
            connection: Some(connection),
            ..Audience::default()
        }],
    }
}

fn audiences(channel: &ChannelId, bot: &UserId, to: To) -> Vec<Audience> {
    let user = |user: UserId| Audience {
        user: Some(user),
        ..Audience::default()
    };
    let bot = bot.clone();
    match to {
        To::Connection(connection) => vec![Audience {
            connection: Some(connection),
            ..Audience::default()
        }],
        To::User(one) => vec![user(one)],
        To::Bot => vec![user(bot)],
        To::Room => {
            let everybody = Audience {
                room: Some(channel.clone()),
                omit_users: vec![bot.clone()],
                ..Audience::default()
            };
            vec![everybody, user(bot)]
        }
        To::Participants(people) => {
            let each = Audience {
                each_of: Some(people),
                room: Some(channel.clone()),
                omit_users: vec![bot.clone()],
                ..Audience::default()
            };
            vec![each, user(bot)]
        }
    }
}

#[expect(clippy::too_many_lines, reason = "a table: one entry per kind of news")]
fn event(channel: &ChannelId, news: News) -> Event {
    match news {
        News::Joined(connection) => Event::Join(Joined { connection }),
        News::JoinRefused { connection, error } => Event::Error(Refused {
            data: words::join(&error),
            connection,
        }),
        News::Signal { session, json } => Event::Signal(Signal {
            data: json,
            session,
        }),
        News::Started {
            call,
            start_at_ms,
            post,
            thread,
            owner,
            host,
        } => Event::CallStart(CallStart {
            id: call,
            channel: channel.clone(),
            start_at: start_at_ms,
            thread_id: thread,
            post_id: post,
            owner_id: owner,
            host_id: host,
        }),
        News::State(call) => {
            let call = serde_json::to_string(&view::state(*call)).unwrap_or_default();
            Event::CallState(CallStateNews {
                channel_id: channel.clone(),
                call,
            })
        }
        News::Ending => Event::CallEnd(Nothing {}),
        News::HostChanged { call, host } => Event::CallHostChanged(HostChange {
            host,
            call_id: call,
        }),
        News::Job(job) => Event::CallJobState(JobNews {
            channel: channel.clone(),
            state: view::job_state(&job),
        }),
        News::JobStop(job_id) => Event::JobStop(JobStop { job_id }),
        News::JobPause(job_id) => Event::JobPause(JobStop { job_id }),
        News::JobResume(job_id) => Event::JobResume(JobStop { job_id }),
        News::Dismissed { call, user } => {
            Event::UserDismissedNotification(Dismissal { user, call })
        }
        News::MediaMoves { session } => Event::MediaMoves(MediaMove {
            session_id: session,
        }),
        News::AskedToMute { session, host } => {
            Event::HostMute(host_request(channel, session, host))
        }
        News::AskedToStopScreen { session, host } => {
            Event::HostScreenOff(host_request(channel, session, host))
        }
        News::AskedToLowerHand {
            call,
            session,
            host,
        } => Event::HostLowerHand(LowerHand {
            call_id: call,
            channel_id: channel.clone(),
            session_id: session,
            host_id: host,
        }),
        News::Removed { call, who } => Event::HostRemoved(Removal {
            call_id: call,
            channel_id: channel.clone(),
            session_id: who.session,
            user_id: who.user,
        }),
        News::Entered(who) => Event::UserJoined(user_session(who)),
        News::Left(who) => Event::UserLeft(user_session(who)),
        News::Voice { who, unmuted: true } => Event::UserUnmuted(session_of_user(who)),
        News::Voice { who, .. } => Event::UserMuted(session_of_user(who)),
        News::Speaking { who, on: true } => Event::UserVoiceOn(session_of_user(who)),
        News::Speaking { who, .. } => Event::UserVoiceOff(session_of_user(who)),
        News::ScreenOn(who) => Event::UserScreenOn(session_of_user(who)),
        News::ScreenOff(who) => {
            let (user, session_id) = who.map(|who| (who.user, who.session)).unzip();
            Event::UserScreenOff(ScreenOff { user, session_id })
        }
        News::Video { who, on: true } => Event::UserVideoOn(session_of_user(who)),
        News::Video { who, .. } => Event::UserVideoOff(session_of_user(who)),
        News::Hand { who, raised_at_ms } => {
            let hand = Hand {
                user: who.user,
                session_id: who.session,
                raised_hand: raised_at_ms,
            };
            if raised_at_ms > 0 {
                Event::UserRaiseHand(hand)
            } else {
                Event::UserUnraiseHand(hand)
            }
        }
        News::Reacted { who, emoji, at_ms } => Event::UserReacted(Reaction {
            user_id: who.user,
            session_id: who.session,
            emoji: Emoji {
                name: emoji.name,
                skin: emoji.skin,
                unified: emoji.unified,
                literal: emoji.literal,
            },
            timestamp: at_ms,
        }),
        News::Caption { who, text, line } => Event::Caption(CaptionShown {
            channel_id: channel.clone(),
            user_id: who.user,
            session_id: who.session,
            text,
            line: line.map(|line| CaptionLine {
                utterance: line.id,
                is_final: line.is_final,
                settled_len: line.settled_len,
                language: line.language,
                is_notice: line.is_notice,
            }),
        }),
    }
}

fn user_session(who: Who) -> UserSession {
    UserSession {
        user_id: who.user,
        session_id: who.session,
    }
}

fn session_of_user(who: Who) -> SessionOfUser {
    SessionOfUser {
        user: who.user,
        session_id: who.session,
    }
}

fn host_request(channel: &ChannelId, session_id: SessionId, host: UserId) -> HostRequest {
    HostRequest {
        channel_id: channel.clone(),
        session_id,
        host_id: Some(host),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids() -> (ChannelId, UserId, UserId) {
        let user = |name: &str| UserId::parse(name).unwrap();
        (ChannelId::parse("talk").unwrap(), user("bot"), user("anna"))
    }

    fn muted(user: &UserId) -> News {
        let who = Who {
            user: user.clone(),
            session: SessionId::parse("s").unwrap(),
        };
        News::Voice {
            who,
            unmuted: false,
        }
    }

    #[test]
    fn participants_hear_once_each_and_the_bot_hears_too() {
        let (channel, bot, anna) = ids();
        let ben = UserId::parse("ben").unwrap();
        let to = To::Participants(vec![anna.clone(), ben.clone()]);
        let news = muted(&anna);
        let sent = broadcast(&channel, &bot, Envelope { news, to });
        assert_eq!(sent.name, "custom_com.mattermost.calls_user_muted");
        let data = json!({"userID": "anna", "session_id": "s", "channelID": "talk"});
        assert_eq!(Value::Object(sent.data.clone()), data);
        let [people, its_copy] = sent.audiences.as_slice() else {
            panic!("{:?}", sent.audiences);
        };
        assert_eq!((&people.user, &people.room), (&None, &Some(channel)));
        assert_eq!(people.each_of.as_deref(), Some([anna, ben].as_slice()));
        assert_eq!(people.omit_users, std::slice::from_ref(&bot));
        assert_eq!(its_copy.omit_users, []);
        assert_eq!((&its_copy.user, &its_copy.room), (&Some(bot), &None));
        assert_eq!(its_copy.each_of, None);
        assert_eq!(sent.copies(), 3);
    }

    #[test]
    fn a_channel_hears_without_the_bot_which_has_its_own_copy() {
        let (channel, bot, anna) = ids();
        let news = muted(&anna);
        let to = To::Room;
        let sent = broadcast(&channel, &bot, Envelope { news, to });
        assert_eq!(sent.audiences[0].omit_users, std::slice::from_ref(&bot));
        assert_eq!(sent.audiences[1].user, Some(bot));
    }

    #[test]
    fn what_goes_to_one_connection_names_no_channel() {
        let (channel, bot, _) = ids();
        let connection = ConnId::parse("c").unwrap();
        let news = News::Joined(connection.clone());
        let to = To::Connection(connection);
        let sent = broadcast(&channel, &bot, Envelope { news, to });
        assert_eq!(Value::Object(sent.data), json!({"connID": "c"}));
    }
}
