//! Word of new replies to those who follow their threads.
//!
//! In: a reply that is kept, and the hold on the order of posts. Out: an event for each follower.
//! Invariant: a follower hears of replies in their order, each with what was unread right before and
//! right behind it; nobody who posts waits until others' followers are told.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use proto::id::{PostId, UserId};
use serde_json::json;
use tokio::sync::MutexGuard;
use tokio::task::unconstrained;

use super::{Before, FollowedThread, ThreadReader, to_follower};
use crate::embedded::fault::Fault;
use crate::embedded::store::{FollowedRow, ReplyFollowers};
use crate::embedded::{Server, wire};

/// Most followers who are told of a reply at once; the others see it when they look.
const MAX_TOLD: i64 = 1000;
/// Followers who are told before others may go on.
const TOLD_AT_ONCE: usize = 50;

/// A reply that followers are told of.
#[derive(Debug)]
pub(in crate::embedded) struct ToldReply<'a> {
    pub(in crate::embedded) root: &'a PostId,
    /// How those stood before who began to follow by it or wrote it.
    pub(in crate::embedded) before: Vec<FollowedRow>,
    /// The writer, and whoever began to follow by it.
    pub(in crate::embedded) followers: &'a ReplyFollowers,
    pub(in crate::embedded) mentioned: &'a [UserId],
}

impl ToldReply<'_> {
    /// What a follower had not read before it.
    fn before(&self, now: &FollowedRow) -> Before {
        let person = &now.person_id;
        let by = self.followers;
        let mut changed = by.author.iter().chain(&by.joining).chain(&by.named);
        if changed.any(|one| one == person) {
            let was = self.before.iter().find(|was| was.person_id == *person);
            return was.map(Before::from).unwrap_or_default();
        }
        Before {
            mentions: now.mentions - i64::from(self.mentioned.contains(person)),
            unread: now.unread - 1,
        }
    }
}

impl Server {
    /// What those have not read of a thread who may begin to follow it by a reply, or read it by
    /// writing: of them its change does not say how it was before.
    pub(in crate::embedded) async fn before_reply(
        &self,
        root: &PostId,
        by: &ReplyFollowers,
    ) -> Result<Vec<FollowedRow>, Fault> {
        let people = by.author.iter().chain(&by.joining).chain(&by.named);
        let people: Vec<&str> = people.map(UserId::as_str).collect();
        Ok(self.store.followers_among(root, &people).await?)
    }

    /// Tells the followers of a thread that there is a new reply. `in_order`: what keeps posts in
    /// their order. It is held no longer than it takes to read what each follower has not read now; a
    /// thousand are told while others post, of one reply after the other all the same.
    pub(in crate::embedded) async fn tell_followers(
        &self,
        reply: ToldReply<'_>,
        in_order: MutexGuard<'_, ()>,
    ) -> Result<(), Fault> {
        let followers = self.store.followers(reply.root, MAX_TOLD).await?;
        let Some(any) = followers.first() else {
            return Ok(());
        };
        let mut turn = pin!(unconstrained(self.telling_followers.lock()));
        let in_line = poll_fn(|context| Poll::Ready(turn.as_mut().poll(context)));
        let in_line = in_line.await;
        drop(in_order);
        let _turn = match in_line {
            Poll::Ready(turn) => turn,
            Poll::Pending => turn.await,
        };
        let mut views = vec![self.post_view(reply.root.as_str()).await?];
        let reader = ThreadReader {
            person: any.person_id.clone(),
            is_extended: true,
        };
        self.add_thread_views(&mut views, &reader).await?;
        let Some(post) = views.pop() else {
            return Ok(());
        };
        let mut thread = wire::thread(&FollowedThread {
            row: any.clone(),
            post,
        });
        for (number, row) in followers.iter().enumerate() {
            if number % TOLD_AT_ONCE == TOLD_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            wire::set_follower(&mut thread, row);
            let was = reply.before(row);
            let data = json!({
                "thread": thread.to_string(),
                "previous_unread_mentions": was.mentions,
                "previous_unread_replies": was.unread,
            });
            let to = to_follower(&row.person_id, row.team_id.as_ref());
            self.emit("thread_updated", data, to);
        }
        Ok(())
    }
}
