//! Open files: as many as the process may have, and how they are shared out.
//!
//! Connections of strangers must never take the descriptors that databases, media and the other
//! ports of the same process need: a [`crate::listen::Limits`] is cut to the port's share.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Below this the start warns: half of it are the people one port can take.
const COMFORTABLE: u64 = 4096;
/// Kept for databases, sockets of media, files in the middle of a transfer, our own requests.
const RESERVED: u64 = 96;

/// Allows this process as many open files as it may allow itself, and warns when those are few. The
/// usual 1024 are a thousand connections: half-open ones alone could keep everybody out.
pub fn raise_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "limit of open files not raised");
    }
    if let Some(warning) = warning(limit()) {
        tracing::warn!("{warning}");
    }
}

/// What a port may take of the process's descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The port that people use.
    People,
    /// A port that other services use.
    Service,
}

impl Share {
    /// Returns how many connections the port may have at once. All ports of a process that runs
    /// every service (one for people, three for services) stay below the limit together.
    #[must_use]
    pub fn connections(self) -> usize {
        self.of(limit())
    }

    fn of(self, limit: u64) -> usize {
        let left = limit.saturating_sub(RESERVED.min(limit / 2));
        let share = match self {
            Self::People => left / 2,
            Self::Service => left / 8,
        };
        usize::try_from(share).unwrap_or(usize::MAX)
    }
}

fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(limit, _)| limit)
}

fn warning(limit: u64) -> Option<String> {
    (limit < COMFORTABLE).then(|| {
        format!(
            "the limit of open files (RLIMIT_NOFILE, `ulimit -n`) is {limit}: at most {} people's \
             connections at once; raise it to {COMFORTABLE} or more (LimitNOFILE in a systemd unit)",
            Share::People.of(limit)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_leave_room_for_the_rest_whatever_the_limit() {
        for limit in [64, 256, 1024, 4096, 65_536, 1 << 30] {
            let taken = Share::People.of(limit) + 3 * Share::Service.of(limit);
            let left = limit - u64::try_from(taken).unwrap();
            assert!(left >= RESERVED.min(limit / 2), "{limit}: {left}");
            assert!(Share::Service.of(limit) >= 4, "{limit}");
        }
        assert_eq!((Share::People.of(256), Share::Service.of(256)), (80, 20));
    }

    #[test]
    fn few_are_warned_about_with_what_to_do() {
        let text = warning(256).unwrap();
        assert!(text.contains("is 256: at most 80 people's"), "{text}");
        assert!(text.contains("LimitNOFILE"), "{text}");
        assert_eq!(warning(COMFORTABLE), None);
    }
}
