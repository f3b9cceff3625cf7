//! Why a socket ended from our side, as its close frame says it.

use futures_util::SinkExt as _;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// How long a client may take to accept its farewell.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Farewell {
    code: CloseCode,
    reason: &'static str,
}

const fn farewell(code: CloseCode, reason: &'static str) -> Farewell {
    Farewell { code, reason }
}

pub(super) const GONE: Farewell = farewell(CloseCode::Normal, "");
pub(super) const BAD_FRAME: Farewell = farewell(
    CloseCode::Unsupported,
    "a frame is a JSON object or a MessagePack map",
);
pub(super) const TOO_LARGE: Farewell =
    farewell(CloseCode::Size, "a message has at most 8192 bytes");
pub(super) const NOT_SIGNED_IN: Farewell = farewell(
    CloseCode::Policy,
    "sign in within 5 seconds with a good token",
);
pub(super) const BAD_RESUME: Farewell =
    farewell(CloseCode::Policy, "connection_id needs a sequence_number");
pub(super) const SILENT: Farewell =
    farewell(CloseCode::Policy, "nothing was heard for 100 seconds");
pub(super) const FLOOD: Farewell = farewell(
    CloseCode::Policy,
    "too many requests although many were refused",
);
pub(super) const TOO_MANY: Farewell = farewell(CloseCode::Again, "you have too many connections");
pub(super) const CUT_OFF: Farewell = farewell(
    CloseCode::Again,
    "the login ended, a newer socket took over, or too much was left unread",
);
pub(super) const TROUBLE: Farewell = farewell(CloseCode::Error, "the server has a problem");

/// The client may be gone: then there is nobody to say farewell to.
pub(super) async fn say<S>(socket: &mut S, farewell: Farewell)
where
    S: futures_util::Sink<Message> + Unpin,
{
    let close = CloseFrame {
        code: farewell.code,
        reason: farewell.reason.into(),
    };
    let said = socket.send(Message::Close(Some(close)));
    drop(tokio::time::timeout(DEADLINE, said).await);
}
