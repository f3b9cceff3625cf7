//! Carries out what a call asks for: events, commands for media hosts, posts, jobs.
//!
//! In: effects whose turn has come. Out: the answers of the chat server and of the job service, as
//! inputs of the call.
//! Invariant: nothing here waits; whatever takes time runs beside, has a time limit, and always
//! comes back.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use messaging::ChatError;
use messaging::gateway::Gateway;
use messaging::model::Post;
use proto::id::{CallId, ChannelId, PostId, SessionId, UserId};
use signalling_core::{
    Envelope, Hint, Input, JobRequest, JoinError, MediaCommand, MediaHost, NewCallPost, News,
    PostEdit, To, Who,
};

use super::owner::{Reply, Turn};
use super::{Engine, moment};
use crate::door;
use crate::door::calls::{Broadcast, words};
use crate::posts;

/// How long the chat server may take for one request. Longer: people wait longer to hear that their
/// call cannot start.
pub(crate) const CHAT_LIMIT: Duration = Duration::from_secs(20);
/// How long after that the post of a call may still come, to be marked as ended.
const LATE_POST_LIMIT: Duration = Duration::from_secs(300);

/// Whoever brings events to clients. Never waits.
pub(crate) trait Publisher: Send + Sync + std::fmt::Debug {
    fn publish(&self, broadcast: Broadcast);
}

impl Publisher for Gateway {
    fn publish(&self, broadcast: Broadcast) {
        self.publish_to(&broadcast.name, &broadcast.data, &broadcast.audiences);
    }
}

/// One thing to do for a call.
pub(super) enum Effect {
    Publish(Envelope),
    ToMedia {
        host: MediaHost,
        command: MediaCommand,
    },
    HandOver {
        session: SessionId,
        from: MediaHost,
        to: MediaHost,
    },
    CreatePost(NewCallPost),
    EditPost {
        post: PostId,
        edit: PostEdit,
    },
    RequestJob(JobRequest),
    Hint {
        user: UserId,
        hint: Hint,
    },
    Reply(Reply),
}

impl Engine {
    pub(super) fn carry_out(self: &Arc<Self>, channel: &ChannelId, effect: Effect) {
        match effect {
            Effect::Publish(envelope) => self.publish(channel, envelope),
            Effect::ToMedia { host, command } => {
                self.media_hosts.send(&host, door::rtcd::message(command));
            }
            Effect::HandOver { session, from, to } => {
                self.media_hosts.hand_over(&session, &from, &to);
            }
            Effect::CreatePost(post) => {
                let (engine, channel) = (self.clone(), channel.clone());
                let work = async move { engine.create_post(channel, post).await };
                self.tasks.one_of("post of a call", work, |_| ());
            }
            Effect::EditPost { post, edit } => self.edit_post(&post, edit),
            Effect::RequestJob(request) => {
                let (engine, channel) = (self.clone(), channel.clone());
                let work = async move { engine.request_job(channel, request).await };
                self.tasks.one_of("request of a job", work, |_| ());
            }
            Effect::Hint { user, hint } => self.give_hint(channel, user, hint),
            Effect::Reply(reply) => reply(),
        }
    }

    pub(crate) fn publish(&self, channel: &ChannelId, envelope: Envelope) {
        let broadcast = door::calls::broadcast(channel, &self.bot.id, envelope);
        self.send_out(broadcast);
    }

    pub(super) fn send_out(&self, broadcast: Broadcast) {
        self.metrics
            .events
            .with_label_values(&["out", broadcast.short_name])
            .inc_by(broadcast.copies());
        self.publisher.publish(broadcast);
    }

    /// Tells those whose call is lost what nobody else will tell them.
    pub(super) fn sweep(&self, channel: &ChannelId) {
        let left = self.registry.abandon(channel);
        for connection in left.waiting {
            let to = To::Connection(connection.clone());
            let error = JoinError::Ended;
            let news = News::JoinRefused { connection, error };
            self.publish(channel, Envelope { news, to });
        }
        for seat in left.seats {
            let leave = MediaCommand::Leave(seat.session.clone());
            self.media_hosts
                .send(&seat.media, door::rtcd::message(leave));
            if seat.user != self.bot.id {
                let (user, session) = (seat.user, seat.session);
                let news = News::Left(Who { user, session });
                let to = To::Room;
                self.publish(channel, Envelope { news, to });
            }
        }
    }

    /// A call's post that does not come in time is refused; should it come later, it is told as
    /// well, and the call marks it as ended.
    async fn create_post(self: &Arc<Self>, channel: ChannelId, post: NewCallPost) {
        let (call, caller) = (post.call.clone(), post.author.clone());
        let made = posts::announce_call(&*self.chat, self.language(), &channel, post);
        let mut made = pin!(AssertUnwindSafe(made).catch_unwind());
        let seconds = CHAT_LIMIT.as_secs();
        let in_time = tokio::time::timeout(CHAT_LIMIT, &mut made).await;
        let is_made = matches!(in_time, Ok(Ok(Ok(_))));
        let input = match in_time {
            Ok(Ok(made)) => post_answer(call, made),
            Ok(Err(_)) => Input::PostRefused {
                call,
                reason: "a fault in the chat server".to_owned(),
            },
            Err(_) => {
                let refused = Input::PostRefused {
                    call: call.clone(),
                    reason: format!("the chat server did not answer in {seconds} s"),
                };
                self.deliver(&channel, Turn::input(refused)).await;
                match tokio::time::timeout(LATE_POST_LIMIT, made).await {
                    Ok(Ok(made)) => post_answer(call, made),
                    Ok(Err(_)) | Err(_) => return,
                }
            }
        };
        self.deliver(&channel, Turn::input(input)).await;
        // Nobody is called by a call that was refused, or is over.
        if is_made {
            self.wake_phones(&channel, &caller).await;
        }
    }

    /// Shows somebody a word of the bot that nobody else sees.
    fn give_hint(self: &Arc<Self>, channel: &ChannelId, user: UserId, hint: Hint) {
        let (engine, channel) = (self.clone(), channel.clone());
        let work = async move {
            let shown = async {
                // Better in another language than not at all.
                let person = engine.chat.person(&user).await;
                let locale = person.map(|person| person.locale).unwrap_or_default();
                let message = engine.language_of(&locale).say(words::hint(hint));
                let post = posts::hint(&channel, &engine.bot.id, message);
                engine.chat.show_to(&user, post).await
            };
            match tokio::time::timeout(CHAT_LIMIT, shown).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a hint was not shown"),
                Err(_) => tracing::warn!("a hint was not shown: the chat server did not answer"),
            }
        };
        self.tasks.one_of("hint", work, |_| ());
    }

    pub(crate) fn edit_post(self: &Arc<Self>, post: &PostId, edit: PostEdit) {
        let (engine, id) = (self.clone(), post.clone());
        let edited = self.lanes.run(post, CHAT_LIMIT, async move {
            let ours = (&engine.bot.id, engine.language());
            if let Err(error) = posts::edit(&*engine.chat, ours, &id, edit).await {
                tracing::warn!(%error, post = %id, "call post not edited");
            }
        });
        if let Err(error) = edited {
            tracing::warn!(%error, %post, "call post not edited");
        }
    }

    async fn request_job(self: &Arc<Self>, channel: ChannelId, request: JobRequest) {
        let kind = request.kind.as_str();
        let answer = match &self.jobs {
            Some(jobs) => jobs.create(&channel, &request, &self.bot.token).await,
            None => Err("job service is not initialized".to_owned()),
        };
        let outcome = if answer.is_ok() {
            "accepted"
        } else {
            "refused"
        };
        self.metrics.jobs.with_label_values(&[kind, outcome]).inc();
        if let Err(reason) = &answer {
            tracing::warn!(kind, reason, "job service refused a job");
        }
        let told = answer.as_ref().map(|_| ()).map_err(Clone::clone);
        let job = request.job;
        let input = Input::JobAnswered {
            job: job.clone(),
            answer,
        };
        self.input(&channel, input).await;
        self.answer_job(&job, told);
    }
}

fn post_answer(call: CallId, made: Result<Post, ChatError>) -> Input {
    match made {
        Ok(post) => Input::PostCreated {
            call,
            thread: post.root.unwrap_or_else(|| post.id.clone()),
            post: post.id,
        },
        Err(error) => Input::PostRefused {
            call,
            reason: error.to_string(),
        },
    }
}

impl Engine {
    /// Carries out what comes of an input for which no owner is needed.
    pub(super) fn without_owner(self: &Arc<Self>, channel: &ChannelId, turn: Turn) {
        use signalling_core::{Call, Output};
        let mut call = Call::new(self.features.clone(), channel.clone());
        let reply: Option<Reply> = match turn {
            Turn::Input { input, taken } => {
                call.handle_input(input, moment());
                taken.map(|taken| -> Reply { Box::new(|| _ = taken.send(())) })
            }
            Turn::Ask(ask) => Some(ask(&mut call, moment())),
            Turn::Look(look) => {
                look(&call);
                None
            }
            Turn::Flush(done) => Some(Box::new(|| _ = done.send(()))),
        };
        loop {
            match call.poll_output() {
                Output::Timeout(_) => break,
                Output::Publish(envelope) => self.publish(channel, envelope),
                Output::EditPost { post, edit } => self.edit_post(&post, edit),
                Output::Observed(observation) => self.observe(observation),
                Output::Hint { user, hint } => self.give_hint(channel, user, hint),
                Output::Roster(change) => self.registry.seat(channel, change),
                // Only calls ask for these, and there is none.
                Output::ToMedia { .. }
                | Output::HandOver { .. }
                | Output::Store(_)
                | Output::StoreSoon(_)
                | Output::CreatePost(_)
                | Output::RequestJob(_) => {}
            }
        }
        if let Some(reply) = reply {
            reply();
        }
    }
}
