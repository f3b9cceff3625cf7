//! The Calls plugin's protocol: what clients and bots say to signalling, and what it answers.
//!
//! `action` (client to server) and `event` (server to client) travel over the messaging WebSocket
//! in the frames of `frame`; `state`, `config`, `rest` and `bot` are JSON bodies under
//! `/plugins/com.mattermost.calls`.
//! Not here: who may do what (`signalling-core`), the messaging server's own API (`messaging`).
//! Invariant: key spellings are exactly those on the wire, mixed `userID` and `user_id` included.

pub mod action;
pub mod bot;
pub mod config;
pub mod event;
pub mod frame;
mod or_empty;
pub mod rest;
pub mod sdp;
pub mod state;

pub use action::{Action, DecodeActionError};
pub use config::{ClientConfig, IceServer};
pub use event::{DecodeEventError, Event};
pub use frame::{ClientFrame, DecodeFrameError, Field, Fields, ServerFrame};
pub use state::{CallState, JobKind, JobState, SessionState};

/// The version of the Calls plugin whose protocol we speak, as `/version` tells it: clients switch
/// features by it. It says nothing about Parley's own version.
pub const COMPATIBLE_VERSION: &str = "1.12.2";

/// The plugin's id: part of routes, actions and events.
pub const PLUGIN_ID: &str = "com.mattermost.calls";
/// Where the plugin's REST routes begin.
pub const ROUTE_PREFIX: &str = "/plugins/com.mattermost.calls";
/// What every action and event of calls begins with.
pub const NAME_PREFIX: &str = "custom_com.mattermost.calls_";

/// Longest call title, in characters; the rest is cut off.
pub const MAX_TITLE_CHARS: usize = 256;
/// Longest name of anything else, in bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// Longest ICE candidate, screen or video announcement, in bytes of JSON.
pub const MAX_SMALL_JSON_BYTES: usize = 4 * 1024;
/// Longest caption, in bytes.
pub const MAX_CAPTION_BYTES: usize = 4 * 1024;
/// Longest name of a line of captions, or of its language, in bytes.
pub const MAX_CAPTION_WORD_BYTES: usize = 64;
