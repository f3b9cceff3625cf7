//! One connection: its numbers, its ring of sent events, its present socket.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use proto::id::{ChannelId, ConnId, TeamId, UserId};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{REPLAY_RING, SEND_QUEUE, Shared};
use crate::gateway::seat::Floor;
use crate::model::ClientEvent;

/// An event serialised once, up to the number that differs per connection.
#[derive(Debug)]
pub(super) struct Template {
    head: Shared,
    /// May be left out for a client that is behind.
    is_minor: bool,
}

impl Template {
    pub(super) fn new(event: &ClientEvent) -> Self {
        let audience = &event.audience;
        let omitted: Map<String, Value> = audience
            .omit_users
            .iter()
            .map(|user| (user.as_str().to_owned(), Value::Bool(true)))
            .collect();
        let broadcast = json!({
            "omit_users": if omitted.is_empty() { Value::Null } else { Value::Object(omitted) },
            "user_id": audience.user.as_ref().map_or("", UserId::as_str),
            "channel_id": audience.room.as_ref().map_or("", ChannelId::as_str),
            "team_id": audience.team.as_ref().map_or("", TeamId::as_str),
            "connection_id": audience.connection.as_ref().map_or("", ConnId::as_str),
            "omit_connection_id": audience.omit_connection.as_ref().map_or("", ConnId::as_str),
        });
        let name = Value::from(event.name.as_str());
        let data = json!(event.data);
        let head = format!("{{\"event\":{name},\"data\":{data},\"broadcast\":{broadcast},\"seq\":");
        let is_minor = matches!(
            event.name.as_str(),
            "typing" | "status_change" | "multiple_channels_viewed"
        );
        Self {
            head: head.into(),
            is_minor,
        }
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    user: UserId,
    login_id: String,
    floor: Floor,
    generation: u64,
    next_seq: u64,
    /// The last events with their numbers, oldest first.
    ring: VecDeque<(u64, Shared)>,
    queue: Option<mpsc::Sender<Utf8Bytes>>,
    /// Since when there is no socket; `None` while a task serves one.
    absent_since: Option<Instant>,
    /// The connection ends with its socket.
    is_doomed: bool,
}

impl Connection {
    pub(super) fn new(user: UserId) -> Self {
        Self {
            user,
            login_id: String::new(),
            floor: Floor::default(),
            generation: 0,
            next_seq: 0,
            ring: VecDeque::new(),
            queue: None,
            absent_since: None,
            is_doomed: false,
        }
    }

    pub(super) fn user(&self) -> &UserId {
        &self.user
    }

    pub(super) fn login_id(&self) -> &str {
        &self.login_id
    }

    pub(super) fn floor(&self) -> Floor {
        self.floor.clone()
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn has_socket(&self) -> bool {
        self.absent_since.is_none()
    }

    pub(super) fn absent_since(&self) -> Option<Instant> {
        self.absent_since
    }

    pub(super) fn absent_for(&self, now: Instant) -> Duration {
        self.absent_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    pub(super) fn may_resume(&self, user: &UserId) -> bool {
        self.user == *user && !self.is_doomed
    }

    /// Numbers an event, keeps it for replay, and hands it to the socket if there is one.
    pub(super) fn send(&mut self, template: &Template) {
        let behind = self
            .queue
            .as_ref()
            .is_some_and(|queue| queue.capacity() < SEND_QUEUE / 2);
        if self.is_doomed || (template.is_minor && behind) {
            return;
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        self.ring.push_back((seq, template.head.clone()));
        if self.ring.len() > REPLAY_RING + SEND_QUEUE {
            self.ring.pop_front();
        }
        if let Some(queue) = &self.queue
            && queue.try_send(frame(seq, &template.head)).is_err()
        {
            // too slow: the socket goes, the ring stays for the client's next try
            self.queue = None;
        }
    }

    /// The frames from `seq` on; `None` when some of them are no longer kept.
    pub(super) fn replay_from(&self, seq: u64) -> Option<Vec<Utf8Bytes>> {
        let oldest = self.ring.front().map_or(self.next_seq, |(first, _)| *first);
        let is_kept = seq >= oldest && seq <= self.next_seq;
        is_kept.then(|| {
            self.ring
                .iter()
                .filter(|(number, _)| *number >= seq)
                .map(|(number, head)| frame(*number, head))
                .collect()
        })
    }

    pub(super) fn attach(
        &mut self,
        generation: u64,
        queue: mpsc::Sender<Utf8Bytes>,
        login_id: &str,
    ) {
        self.generation = generation;
        self.queue = Some(queue);
        login_id.clone_into(&mut self.login_id);
        self.absent_since = None;
    }

    /// Ends the queue; the task of the socket notices and ends too.
    pub(super) fn cut_off(&mut self) {
        self.queue = None;
        self.is_doomed = true;
    }

    /// Notes that the socket is gone; returns whether the connection ends with it.
    pub(super) fn detach(&mut self, now: Instant) -> bool {
        self.queue = None;
        self.absent_since = Some(now);
        self.is_doomed
    }
}

fn frame(seq: u64, head: &str) -> Utf8Bytes {
    format!("{head}{seq}}}").into()
}
