//! Which servers may be used for what.
//!
//! Before 2.10.27 a record with three copies is won by several writers at once: their check is made by
//! the leader before it has copied what it is about. With one copy 2.9 is right.

use std::fmt;

/// The oldest that is known to do what is needed with one copy.
const OLDEST: Version = Version(2, 9, 10);
/// The oldest whose compare-and-swap holds with several copies.
const OLDEST_WITH_COPIES: Version = Version(2, 10, 27);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u64, u64, u64);

impl Version {
    /// Reads `2.10.27`, `v2.10.27` and `2.11.0-preview.2`.
    fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.split(['.', '-', '+']);
        let mut number = || parts.next()?.parse().ok();
        Some(Self(number()?, number()?, number()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A server that may not be used so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`cluster.copies` is `{copies}`: the server `{server}` has version `{version}`, and this needs \
     {needs} or newer{why}; install a newer server{or}"
)]
pub struct TooOld {
    copies: usize,
    server: String,
    version: String,
    needs: String,
    why: &'static str,
    or: &'static str,
}

/// Checks the server that was reached.
pub(crate) fn check(server: &str, version: &str, copies: usize) -> Result<(), TooOld> {
    let needs = if copies > 1 {
        OLDEST_WITH_COPIES
    } else {
        OLDEST
    };
    if Version::read(version).is_some_and(|version| version >= needs) {
        return Ok(());
    }
    let is_copies = copies > 1;
    Err(TooOld {
        copies,
        server: server.to_owned(),
        version: version.to_owned(),
        needs: needs.to_string(),
        why: if is_copies {
            " (an older one lets several writers win)"
        } else {
            ""
        },
        or: if is_copies {
            ", or set `cluster.copies = 1`"
        } else {
            ""
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_copies_need_a_server_whose_compare_and_swap_holds() {
        for (version, copies, may) in [
            ("2.9.10", 1, true),
            ("2.9.10", 3, false),
            ("2.10.26", 3, false),
            ("2.10.27", 3, true),
            ("2.11.0-preview.2", 3, true),
            ("v2.15.1", 3, true),
            ("3.0.0", 3, true),
            ("2.8.4", 1, false),
            ("", 1, false),
            ("new", 3, false),
        ] {
            assert_eq!(
                check("s", version, copies).is_ok(),
                may,
                "{version} {copies}"
            );
        }
        let said = check("10.0.0.1:4222", "2.9.10", 3).unwrap_err().to_string();
        let wanted = "`cluster.copies` is `3`: the server `10.0.0.1:4222` has version `2.9.10`, and this \
                      needs 2.10.27 or newer (an older one lets several writers win); install a newer \
                      server, or set `cluster.copies = 1`";
        assert_eq!(said, wanted);
    }
}
