//! The door to clients and bots: the Calls plugin's protocol.
//!
//! In: actions of clients, news and views of calls. Out: what to ask of a call (`action`), events
//! with their audiences (`event`), bodies of the REST routes (`view`, `config`), texts for people (`words`).
//! Not here: routes (`http`), the WebSocket (`messaging`).
//! Invariant: whatever goes to a channel or to the participants of a call also goes to the bot, which
//! is no member of the channel, and carries `channelID` in its data for everybody.

mod action;
mod config;
mod event;
mod view;
pub(crate) mod words;

pub(crate) use action::{Asked, ask};
pub(crate) use config::{client_config, environment, full_config};
pub(crate) use event::{Broadcast, announcement, broadcast, refusal};
pub(crate) use view::{job_state, state};
