//! Reactions: who may answer a post with an emoji, and the events about it.
//!
//! Not here: which emoji there are; a client draws the names it knows.

use proto::id::UserId;
use serde_json::{Value, json};

use super::fault::Fault;
use super::posts::PostView;
use super::rooms::to_room;
use super::store::{PersonRow, Reacted, ReactionRow};
use super::{Server, wire};
use crate::model::RoomRight;

/// Different emoji below one post, and reactions in all: everybody who opens the room loads them.
const MAX_KINDS: usize = 50;
const MAX_REACTIONS: i64 = 1000;
/// Longest name of an emoji, in characters.
const MAX_EMOJI_CHARS: usize = 64;

impl Server {
    /// Answers a post with an emoji; returns the reaction as clients read it.
    pub(super) async fn react(
        &self,
        person: &PersonRow,
        post: &str,
        emoji: &str,
    ) -> Result<Value, Fault> {
        check_emoji(emoji)?;
        // the post must still be there when the reaction is kept
        let _in_order = self.posting.lock().await;
        let view = self.post_to_react_to(person, post).await?;
        self.keep_clock_steps().await?;
        let row = ReactionRow {
            post_id: view.row.id.clone(),
            person_id: person.id.clone(),
            emoji: emoji.to_owned(),
            created_at: self.now_ms(),
        };
        let reaction = wire::reaction(&row, &view.row);
        match self
            .store
            .add_reaction(&row, MAX_KINDS, MAX_REACTIONS)
            .await?
        {
            Reacted::AsBefore => {}
            Reacted::Full => {
                return Err(Fault::invalid(
                    "app.reaction.save.save.too_many_reactions",
                    format!(
                        "a message has at most {MAX_KINDS} different reactions, and \
                         {MAX_REACTIONS} in all"
                    ),
                ));
            }
            Reacted::Done => {
                let data = json!({ "reaction": reaction.to_string() });
                self.emit("reaction_added", data, to_room(&view.row.room_id));
            }
        }
        Ok(reaction)
    }

    /// Takes a reaction back: one's own, or as an administrator of the server somebody else's.
    pub(super) async fn take_reaction_back(
        &self,
        person: &PersonRow,
        of: &UserId,
        post: &str,
        emoji: &str,
    ) -> Result<(), Fault> {
        check_emoji(emoji)?;
        let _in_order = self.posting.lock().await;
        let view = self.post_to_react_to(person, post).await?;
        if *of != person.id && !person.is_admin {
            return Err(Fault::forbidden(
                "you can take back only your own reactions",
            ));
        }
        self.keep_clock_steps().await?;
        let now = self.now_ms();
        let removed = self.store.remove_reaction(&view.row.id, of, emoji, now);
        if removed.await? == Reacted::Done {
            let gone = |row: &&ReactionRow| row.person_id == *of && row.emoji == emoji;
            if let Some(row) = view.reactions.iter().find(gone) {
                let reaction = wire::reaction(row, &view.row).to_string();
                let data = json!({ "reaction": reaction });
                self.emit("reaction_removed", data, to_room(&view.row.room_id));
            }
        }
        Ok(())
    }

    async fn post_to_react_to(&self, person: &PersonRow, post: &str) -> Result<PostView, Fault> {
        let view = self.post_for(post, person).await?;
        self.room_for(view.row.room_id.as_str(), person, RoomRight::CreatePost)
            .await?;
        Ok(view)
    }
}

fn check_emoji(name: &str) -> Result<(), Fault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+-".contains(c);
    if (1..=MAX_EMOJI_CHARS).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Fault::invalid(
        "api.reaction.save_reaction.invalid.app_error",
        format!(
            "the name of an emoji has 1 to {MAX_EMOJI_CHARS} letters, digits, dashes, plus signs \
             or underscores"
        ),
    ))
}
