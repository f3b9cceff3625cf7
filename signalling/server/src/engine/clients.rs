//! What clients do, each on its own connection's task: decoded, looked up, given to the call.
//!
//! In: frames of one connection, in order. Out: turns of the call it belongs to.
//! Invariants: whatever a frame is, it costs its connection's budget; a connection's next frame is
//! not looked at before its call has taken the one before, so that its order is kept and a call has
//! no more to do for it than one turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use messaging::gateway::ClientHandler;
use messaging::model::{ActionData, ActionValue, ClientAction, Login, RoomRight};
use messaging::rate::{Bucket, Rate};
use proto::calls::action::{Action, DecodeActionError, Join, MetricName, Reconnect};
use proto::calls::{Field, Fields, NAME_PREFIX};
use proto::id::{ChannelId, ConnId, SessionId, UserId};
use signalling_core::{Input, JoinError, Refusal};
use tokio::sync::oneshot;

use super::Engine;
use super::observe::{Sampler, count_measurement};
use super::owner::Turn;
use super::registry::Place;
use crate::door::calls::{Asked, ask, refusal, words};

/// Frames of one connection; more is the sender's own loss. A join brings a burst of candidates.
const FRAMES: Rate = Rate::new(100.0, 10.0);

/// The clients' side of the engine.
#[derive(Debug)]
pub(crate) struct Clients {
    engine: Arc<Engine>,
    budgets: Mutex<HashMap<ConnId, Bucket>>,
    log: Sampler,
}

impl Clients {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            budgets: Mutex::default(),
            log: Sampler::default(),
        }
    }

    fn budgets(&self) -> MutexGuard<'_, HashMap<ConnId, Bucket>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ClientHandler for Clients {
    async fn connected(&self, connection: &ConnId, _: &UserId) {
        self.engine.metrics.connections.inc();
        let budget = Bucket::new(FRAMES, Instant::now());
        self.budgets().insert(connection.clone(), budget);
    }

    async fn disconnected(&self, connection: &ConnId, _: &UserId) {
        self.engine.metrics.connections.dec();
        self.budgets().remove(connection);
        if let Some(place) = self.engine.registry.place(connection) {
            let connection = connection.clone();
            let gone = Input::Disconnected { connection };
            self.engine.input(place.channel(), gone).await;
        }
    }

    async fn action(&self, sent: ClientAction) {
        let ClientAction {
            connection,
            login,
            action,
            data,
        } = sent;
        if !action.starts_with(NAME_PREFIX) {
            return;
        }
        if self.engine.config.calls.disabled {
            return self.refuse_frame("calls_disabled");
        }
        if !self.may_say_more(&connection) {
            return self.refuse_frame("rate_limit");
        }
        let decoded = match Action::decode(&action, &fields(data)) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "action of a client cannot be read"
                );
                if error.action() == Some("join") {
                    self.engine.refuse_unreadable_join(connection, &error);
                }
                return self.refuse_frame("undecodable");
            }
        };
        let engine = &self.engine;
        engine
            .metrics
            .events
            .with_label_values(&["in", decoded.short_name()])
            .inc();
        let (handler, began) = (decoded.short_name(), Instant::now());
        self.carry_out(connection, &login, decoded).await;
        engine.metrics.handled(handler, began);
    }
}

impl Clients {
    async fn carry_out(&self, connection: ConnId, login: &Login, action: Action) {
        let engine = &self.engine;
        let user = login.person.id.clone();
        match ask(action) {
            Asked::Join(join) => engine.join(connection, login, join).await,
            Asked::Reconnect(reconnect) => engine.reconnect(connection, user, reconnect).await,
            Asked::State(channel) => engine.tell_state(connection, user, channel).await,
            Asked::Leave => {
                let leave = Input::Leave {
                    connection: connection.clone(),
                };
                engine.of_connection(&connection, leave, "leave").await;
            }
            Asked::Request(request) => {
                let name = request.name();
                let input = Input::Request {
                    connection: connection.clone(),
                    request,
                };
                engine.of_connection(&connection, input, name).await;
            }
            Asked::Measured(metric) => {
                let place = engine.registry.place(&connection);
                match why_not_counted(place, user == engine.bot.id, metric.name) {
                    None => count_measurement(&engine.metrics, &metric),
                    Some(refusal) => engine.refused(refusal.as_str(), "metric"),
                }
            }
            Asked::Nothing => {}
        }
    }

    fn may_say_more(&self, connection: &ConnId) -> bool {
        let now = Instant::now();
        let mut budgets = self.budgets();
        let budget = budgets.get_mut(connection);
        // A connection that is not there any more has nothing to say.
        budget.is_some_and(|budget| budget.take(now).is_ok())
    }

    fn refuse_frame(&self, reason: &'static str) {
        self.engine
            .metrics
            .actions_refused
            .with_label_values(&[reason, "any"])
            .inc();
        if let Some(held_back) = self.log.sample(Instant::now()) {
            tracing::info!(reason, held_back, "frame of a client refused");
        }
    }
}

impl Engine {
    /// Gives an input to the call of a connection, and waits until the call has taken it.
    async fn of_connection(self: &Arc<Self>, on: &ConnId, input: Input, name: &'static str) {
        match self.registry.place(on) {
            Some(place) => self.input(place.channel(), input).await,
            None => self.refused(Refusal::NoSession.as_str(), name),
        }
    }

    async fn join(self: &Arc<Self>, connection: ConnId, login: &Login, ask: Join) {
        let channel = ask.channel.clone();
        let mut request = self.join_request(connection, login, ask).await;
        let admission = self.registry.admit(
            &channel,
            &request.connection,
            |of_call| self.choose_media(of_call),
            |number| self.spawn_owner(&channel, number),
        );
        request.facts.is_connected = admission.is_connected;
        request.facts.media = admission.media;
        let (sender, taken) = oneshot::channel();
        let turn = Turn::Input {
            input: Input::Join(Box::new(request)),
            taken: Some(sender),
        };
        if let Err(unsent) = admission.queue.send(turn).await {
            self.deliver(&channel, unsent.0).await;
        }
        // Not told when the call panicked: whoever waits is told of its end.
        let _ = taken.await;
    }

    /// Whoever asks to join waits for an answer, whatever was asked.
    fn refuse_unreadable_join(&self, connection: ConnId, why: &DecodeActionError) {
        let error = JoinError::Unreadable(why.to_string());
        let label = words::join_label(&error);
        self.metrics.joins_refused.with_label_values(&[label]).inc();
        self.send_out(refusal(connection, &error));
    }

    async fn reconnect(self: &Arc<Self>, connection: ConnId, user: UserId, ask: Reconnect) {
        let Reconnect {
            channel,
            original,
            previous,
        } = ask;
        let Ok(session) = SessionId::parse(original.as_str()) else {
            return;
        };
        let may_post = self.may(&user, &channel, RoomRight::CreatePost).await;
        let its_own = Place::Sits(channel.clone(), session.clone());
        let place = self.registry.place(&connection);
        let input = Input::Reconnect {
            connection,
            user,
            session,
            previous,
            may_post,
            is_taken: place.is_some_and(|place| place != its_own),
        };
        self.input(&channel, input).await;
    }

    async fn tell_state(self: &Arc<Self>, connection: ConnId, user: UserId, channel: ChannelId) {
        let may_read = self.may_read(&user, &channel).await;
        let input = Input::StateWanted {
            connection,
            user,
            may_read,
        };
        self.input(&channel, input).await;
    }
}

fn why_not_counted(place: Option<Place>, is_bot: bool, name: MetricName) -> Option<Refusal> {
    match (place, is_bot, name.is_of_bots()) {
        (Some(Place::Waits(_)) | None, ..) => Some(Refusal::NoSession),
        (_, false, true) => Some(Refusal::BotOnly),
        (_, true, false) => Some(Refusal::NotForBots),
        (Some(Place::Sits(..)), ..) => None,
    }
}

fn fields(data: ActionData) -> Fields {
    let fields = data.fields.into_iter().map(|(key, value)| match value {
        ActionValue::Json(value) => (key, Field::Json(value)),
        ActionValue::Bytes(bytes) => (key, Field::Bytes(bytes)),
    });
    fields.collect()
}
