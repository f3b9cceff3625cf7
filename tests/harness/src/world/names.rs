//! Names and addresses of a world: one tenant, ids that are words.

use std::net::SocketAddr;

use proto::id::{CallId, GroupId, SessionId};
use rtcd_core::{CallKey, SessionKey};

/// The tenant all participants belong to.
#[must_use]
pub fn group() -> GroupId {
    GroupId::parse("group").expect("an id")
}

/// Names a session of the tenant.
#[must_use]
pub fn key(name: &str) -> SessionKey {
    SessionKey {
        group: group(),
        session: SessionId::parse(name).expect("an id"),
    }
}

/// Names a call of the tenant.
#[must_use]
pub fn call(name: &str) -> CallKey {
    CallKey {
        group: group(),
        call: CallId::parse(name).expect("an id"),
    }
}

/// Returns where participants reach a shard.
#[must_use]
pub fn shard_address(shard: usize) -> SocketAddr {
    SocketAddr::from((
        [10, 0, 0, u8::try_from(shard + 1).expect("few shards")],
        8443,
    ))
}
