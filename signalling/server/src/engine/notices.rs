//! What the chat world and the media hosts report, as inputs, one after the other.

use std::sync::Arc;

use async_trait::async_trait;
use messaging::gateway::ClientHandler;
use messaging::model::{ActionData, ActionValue, ChatNews, ClientAction, RoomRight};
use messaging::news::Backlog;
use proto::calls::action::Action;
use proto::calls::{Field, Fields, NAME_PREFIX};
use proto::id::{ConnId, UserId};
use signalling_core::Input;
use tokio::sync::mpsc;

use super::Engine;
use crate::links::MediaNews;

/// The clients' side of calls: each client's actions in order, different clients side by side.
#[derive(Debug)]
pub(crate) struct Clients(pub(crate) Arc<Engine>);

#[async_trait]
impl ClientHandler for Clients {
    async fn connected(&self, _: &ConnId, _: &UserId) {
        self.0.metrics.connections.inc();
    }

    async fn action(&self, action: ClientAction) {
        handle_action(&self.0, action).await;
    }

    async fn disconnected(&self, connection: &ConnId, _: &UserId) {
        self.0.metrics.connections.dec();
        let connection = connection.clone();
        self.0.input(Input::Disconnected { connection }).await;
    }
}

/// Runs for ever: what the chat world reports, one after the other.
pub(crate) async fn run_chat_news(engine: Arc<Engine>, news: Arc<Backlog>) {
    loop {
        match news.next().await {
            ChatNews::LeftRoom { room, user } => {
                if !engine.may(&user, &room, RoomRight::Read).await {
                    engine
                        .input(Input::LeftRoom {
                            channel: room,
                            user,
                        })
                        .await;
                }
            }
            ChatNews::RoomArchived { room } => {
                engine.input(Input::RoomArchived { channel: room }).await;
            }
            ChatNews::LoginEnded { login_id, .. } => {
                engine.input(Input::LoginEnded { login: login_id }).await;
            }
            ChatNews::JoinedRoom { .. }
            | ChatNews::JoinedTeam { .. }
            | ChatNews::LeftTeam { .. }
            | ChatNews::Event(_) => {}
        }
    }
}

/// Runs until the links end.
pub(crate) async fn run_media_news(engine: Arc<Engine>, mut news: mpsc::Receiver<MediaNews>) {
    while let Some(heard) = news.recv().await {
        let input = match heard {
            MediaNews::Signal { session, json } => Input::MediaSignal { session, json },
            MediaNews::Voice { session, on } => Input::MediaVoice { session, on },
            MediaNews::Closed { session } => Input::MediaClosed { session },
        };
        engine.input(input).await;
    }
}

async fn handle_action(engine: &Arc<Engine>, sent: ClientAction) {
    let ClientAction {
        connection,
        login,
        action,
        data,
    } = sent;
    if !action.starts_with(NAME_PREFIX) {
        return;
    }
    let decoded = match Action::decode(&action, &fields(data)) {
        Ok(decoded) => decoded,
        Err(error) => {
            let metrics = &engine.metrics;
            metrics
                .actions_refused
                .with_label_values(&["undecodable", "any"])
                .inc();
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "action of a client cannot be read"
            );
            return;
        }
    };
    engine
        .metrics
        .events
        .with_label_values(&["in", decoded.short_name()])
        .inc();
    let user = login.person.id.clone();
    let input = match decoded {
        Action::Join(ask) => {
            Input::Join(Box::new(engine.join_request(connection, login, ask).await))
        }
        Action::Reconnect(ask) => {
            let may_post = engine.may(&user, &ask.channel, RoomRight::CreatePost).await;
            Input::Reconnect {
                connection,
                user,
                may_post,
                ask,
            }
        }
        Action::CallState { channel } => {
            let may_read = engine.may_read(&user, &channel).await;
            Input::StateWanted {
                connection,
                user,
                may_read,
                channel,
            }
        }
        action @ (Action::Leave
        | Action::Sdp(_)
        | Action::Ice { .. }
        | Action::Mute
        | Action::Unmute
        | Action::ScreenOn { .. }
        | Action::ScreenOff
        | Action::VideoOn { .. }
        | Action::VideoOff
        | Action::RaiseHand
        | Action::UnraiseHand
        | Action::React(_)
        | Action::Caption(_)
        | Action::Metric(_)
        | Action::VoiceOn
        | Action::VoiceOff
        | Action::Ping) => Input::Action { connection, action },
    };
    engine.input(input).await;
}

fn fields(data: ActionData) -> Fields {
    let fields = data.fields.into_iter().map(|(key, value)| match value {
        ActionValue::Json(value) => (key, Field::Json(value)),
        ActionValue::Bytes(bytes) => (key, Field::Bytes(bytes)),
    });
    fields.collect()
}
