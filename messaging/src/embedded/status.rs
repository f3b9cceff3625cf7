//! Who is online, away or not to be disturbed. Kept in memory: it says how things are now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proto::id::UserId;

use crate::model::Status;

/// A person's status and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Presence {
    pub(super) status: Status,
    /// Chosen by the person, so that coming and going does not change it.
    pub(super) manual: bool,
    pub(super) last_activity_at: i64,
}

const ABSENT: Presence = Presence {
    status: Status::Offline,
    manual: false,
    last_activity_at: 0,
};

#[derive(Debug, Default)]
pub(super) struct Statuses {
    by_person: Mutex<HashMap<UserId, Presence>>,
}

impl Statuses {
    pub(super) fn of(&self, person: &UserId) -> Presence {
        let by_person = self
            .by_person
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        by_person.get(person).copied().unwrap_or(ABSENT)
    }

    /// Sets the status a person chose; returns whether others see a difference.
    pub(super) fn choose(&self, person: &UserId, status: Status, now: i64) -> bool {
        // choosing `online` means: show how it is
        let manual = status != Status::Online;
        self.set(
            person,
            Presence {
                status,
                manual,
                last_activity_at: now,
            },
        )
    }

    /// Notes what the person's clients show; returns whether others see a difference.
    pub(super) fn observe(&self, person: &UserId, status: Status, now: i64) -> bool {
        if self.of(person).manual {
            return false;
        }
        self.set(
            person,
            Presence {
                status,
                manual: false,
                last_activity_at: now,
            },
        )
    }

    fn set(&self, person: &UserId, presence: Presence) -> bool {
        let mut by_person = self
            .by_person
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = by_person.insert(person.clone(), presence);
        before.unwrap_or(ABSENT).status != presence.status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_status_survives_coming_and_going() {
        let statuses = Statuses::default();
        let anna = UserId::parse("anna").unwrap();
        assert_eq!(statuses.of(&anna).status, Status::Offline);
        assert!(statuses.observe(&anna, Status::Online, 1));
        assert!(statuses.choose(&anna, Status::DoNotDisturb, 2));
        assert!(!statuses.observe(&anna, Status::Offline, 3));
        assert_eq!(statuses.of(&anna).status, Status::DoNotDisturb);
        assert!(statuses.choose(&anna, Status::Online, 4));
        assert!(statuses.observe(&anna, Status::Offline, 5));
    }
}
