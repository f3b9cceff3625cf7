//! What the chat world and the media hosts report, given to the calls it is about.
//!
//! Invariant: news of one call never waits for another call.

use std::sync::Arc;

use futures_util::StreamExt as _;
use messaging::model::ChatNews;
use messaging::news::Backlog;
use signalling_core::Input;
use tokio::sync::mpsc;

use super::Engine;
use super::owner::Turn;
use crate::door;
use crate::door::rtcd::MediaNews;

/// News of the chat world that are followed side by side.
const FOLLOWED_AT_ONCE: usize = 16;

/// Runs for ever.
pub(crate) async fn run_chat_news(engine: Arc<Engine>, backlog: Arc<Backlog>) {
    let all = futures_util::stream::unfold(backlog, |backlog| async {
        Some((backlog.next().await, backlog))
    });
    let follow = |news| follow(&engine, news);
    all.for_each_concurrent(FOLLOWED_AT_ONCE, follow).await;
}

async fn follow(engine: &Arc<Engine>, news: ChatNews) {
    match news {
        ChatNews::LeftRoom { room, user } => {
            // Whoever may still read the room, as in a public one, leaves its call all the same.
            if engine.registry.has_owner(&room) && !engine.is_member(&user, &room).await {
                engine.input(&room, Input::LeftRoom { user }).await;
            }
        }
        ChatNews::RoomArchived { room } => engine.input(&room, Input::RoomArchived).await,
        ChatNews::LoginEnded { login_id, .. } => engine.login_ended(&login_id).await,
        ChatNews::JoinedRoom { .. }
        | ChatNews::JoinedTeam { .. }
        | ChatNews::LeftTeam { .. }
        | ChatNews::Event(_) => {}
    }
}

/// Runs until the connections to media hosts end.
pub(crate) async fn run_media_news(engine: Arc<Engine>, mut news: mpsc::Receiver<MediaNews>) {
    while let Some(heard) = news.recv().await {
        let (session, input) = door::rtcd::input(heard);
        if let Input::MediaElsewhere { from, host, .. } = &input
            && !engine.media_hosts.reaches(from, host)
        {
            continue; // the host that was asked passes everything on
        }
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
                let late = engine.clone();
                let work = async move { late.deliver(&channel, turn).await };
                engine.tasks.one_of("news of a busy call", work, |_| ());
            }
        }
    }
}
