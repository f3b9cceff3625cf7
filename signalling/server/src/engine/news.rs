//! What the chat world and the media hosts report, given to the calls it is about.
//!
//! Invariant: news of one call never waits for another call.

use std::sync::Arc;

use messaging::model::{Notice, RoomRight};
use signalling_core::{Input, Signal};
use tokio::sync::mpsc;

use super::owner::Turn;
use super::{Clients, Engine};
use crate::links::MediaNews;

/// Runs until the chat world ends.
pub(crate) async fn run_chat_news(
    engine: Arc<Engine>,
    clients: Arc<Clients>,
    mut notices: mpsc::Receiver<Notice>,
) {
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Action(action) => clients.action(action).await,
            Notice::Connected { connection, .. } => clients.connected(&connection),
            Notice::Disconnected { connection, .. } => clients.disconnected(&connection).await,
            Notice::LeftRoom { room, user } => {
                if !engine.may(&user, &room, RoomRight::Read).await {
                    engine.input(&room, Input::LeftRoom { user }).await;
                }
            }
            Notice::RoomArchived { room } => engine.input(&room, Input::RoomArchived).await,
            Notice::LoginEnded { login_id, .. } => engine.login_ended(&login_id).await,
        }
    }
}

/// Runs until the links end.
pub(crate) async fn run_media_news(engine: Arc<Engine>, mut news: mpsc::Receiver<MediaNews>) {
    while let Some(heard) = news.recv().await {
        let (session, input) = match heard {
            MediaNews::Signal { session, json } => {
                let signal = Signal::Description(json);
                (session.clone(), Input::MediaSignal { session, signal })
            }
            MediaNews::Voice { session, on } => {
                (session.clone(), Input::MediaVoice { session, on })
            }
            MediaNews::Closed { session } => (session.clone(), Input::MediaClosed { session }),
        };
        let Some(channel) = engine.registry.channel_of(&session) else {
            continue;
        };
        let Some(queue) = engine.registry.owner(&channel) else {
            continue;
        };
        let is_voice = matches!(input, Input::MediaVoice { .. });
        if let Err(unsent) = queue.try_send(Turn::input(input)) {
            let turn = unsent.into_inner();
            if is_voice {
                engine.refused("busy", "voice");
            } else {
                // That call has much to do; the others' news shall not wait for it.
                let engine = engine.clone();
                tokio::spawn(async move { engine.deliver(&channel, turn).await });
            }
        }
    }
}
