//! Who is who: names and pictures of those in the call, and what the call is about.
//!
//! In: sessions. Out: what is found about them, once each; profile pictures as files of the folder.
//! Looked up while people are there: a server tells nothing of sessions that have left.
//! Invariant: what is not found is missing from the recording, and nothing else goes wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::calls::bot::Profile;
use proto::id::{SessionId, UserId};
use tokio::sync::mpsc;

use super::{Details, Job};
use crate::client::bot::{BotApi, BotError};
use crate::ffmpeg::Still;
use crate::finish::faces;

/// Tries and pause of looking something up.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// What was looked up.
pub(super) enum Found {
    Name {
        session: SessionId,
        user: String,
        name: String,
    },
    Title(String),
}

/// Looks up.
pub(super) struct Names {
    bot: BotApi,
    /// Where pictures are kept; `None` where nobody looks at them.
    folder: Option<PathBuf>,
    asked: BTreeSet<SessionId>,
    found: mpsc::Sender<Found>,
}

impl Names {
    /// Begins, and asks what the call is about if that will be shown.
    pub(super) fn new(job: &Job) -> (Self, mpsc::Receiver<Found>) {
        let (found, receiver) = mpsc::channel(64);
        let folder = match job.details {
            Details::Recording(_) => Some(job.order.folder.clone()),
            Details::Transcribing(_) => None,
        };
        if folder.is_some() {
            let (bot, found) = (job.bot.clone(), found.clone());
            tokio::spawn(async move {
                if let Some(title) = retry("what the room is called", || bot.title()).await {
                    // Nobody listens any more when the capture has ended.
                    let _ = found.send(Found::Title(title)).await;
                }
            });
        }
        let names = Self {
            bot: job.bot.clone(),
            folder,
            asked: BTreeSet::new(),
            found,
        };
        (names, receiver)
    }

    /// Looks up who holds a session, unless that was done.
    pub(super) fn look_up(&mut self, session: &SessionId) {
        if !self.asked.insert(session.clone()) {
            return;
        }
        let (bot, folder) = (self.bot.clone(), self.folder.clone());
        let (session, found) = (session.clone(), self.found.clone());
        tokio::spawn(async move {
            let profile = retry("the name of a session", || bot.profile(&session)).await;
            let Some(profile) = profile else {
                return;
            };
            let name = Found::Name {
                session,
                user: profile.id.to_string(),
                name: display_name(&profile),
            };
            // Nobody listens any more when the capture has ended.
            let _ = found.send(name).await;
            if let Some(folder) = folder {
                keep_face(&bot, &folder, &profile.id).await;
            }
        });
    }
}

/// Keeps a person's picture, unless it is there already or only drawn: we draw too.
async fn keep_face(bot: &BotApi, folder: &Path, user: &UserId) {
    if faces::path(folder, user.as_str()).exists() {
        return;
    }
    let portrait = retry("a profile picture", || bot.portrait(user)).await;
    let Some(bytes) = portrait.filter(|bytes| Still::may_be(bytes)) else {
        return;
    };
    let (folder, user) = (folder.to_path_buf(), user.to_string());
    let kept = tokio::task::spawn_blocking(move || faces::keep(&folder, &user, &bytes)).await;
    match kept {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "keep a profile picture"),
        Err(error) => tracing::error!(%error, "keep a profile picture"),
    }
}

async fn retry<T, F>(what: &'static str, ask: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, BotError>>,
{
    for _ in 0..TRIES {
        match ask().await {
            Ok(found) => return Some(found),
            Err(error) => tracing::debug!(%error, what, "look up"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!(what, "nobody knows");
    None
}

/// First and last name, else nickname, else username.
fn display_name(profile: &Profile) -> String {
    let full = format!("{} {}", profile.first_name.trim(), profile.last_name.trim());
    let names = [
        full.trim(),
        profile.nickname.trim(),
        profile.username.trim(),
    ];
    names
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or("Unknown")
        .to_owned()
}
