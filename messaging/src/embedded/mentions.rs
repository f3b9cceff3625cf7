//! Whom a message is about.
//!
//! In: a message and its room. Out: members of the room. Not here: what becomes of a mention (`store`
//! counts it, `threads` lets people follow).

use proto::id::UserId;

use super::Server;
use super::fault::Fault;
use super::store::{PersonRow, RoomRow};
use crate::model::Status;

/// Names looked up when a message mentions people.
const MAX_MENTIONS: usize = 32;
/// Most members of a room whom `@channel` and its like reach; in a larger one they reach nobody.
const MAX_WIDE_MENTION: i64 = 1000;
/// Names that stand for everybody in a room, and for those of them who are there.
const EVERYBODY: [&str; 2] = ["all", "channel"];
const EVERYBODY_HERE: &str = "here";

/// Members whom a message is about, without its author; sorted, each once.
#[derive(Debug, Default)]
pub(super) struct Mentioned {
    /// Those whose names it holds.
    pub(super) named: Vec<UserId>,
    /// They, and everybody whom it reaches otherwise.
    pub(super) all: Vec<UserId>,
}

impl Server {
    /// Members whom a message is about: those named with `@`, everybody where it says so, and the
    /// others of a direct or group room.
    pub(super) async fn mentioned(
        &self,
        room: &RoomRow,
        author: &PersonRow,
        message: &str,
    ) -> Result<Mentioned, Fault> {
        let names = named_in(message);
        let is_for_all = |name: &String| EVERYBODY.contains(&name.as_str());
        let wide = room.is_personal() || names.iter().any(is_for_all);
        let mut all: Vec<UserId> = Vec::new();
        if wide || names.iter().any(|name| name == EVERYBODY_HERE) {
            let members = self
                .store
                .members(&room.id, 0, MAX_WIDE_MENTION + 1)
                .await?;
            let is_small = i64::try_from(members.len()).is_ok_and(|n| n <= MAX_WIDE_MENTION);
            let reached = members.into_iter().filter(|member| {
                let is_there = || self.statuses.of(&member.person_id).status != Status::Offline;
                is_small && (wide || is_there())
            });
            all.extend(reached.map(|member| member.person_id));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let persons = self.store.persons_by_username(&names).await?;
        let persons: Vec<&str> = persons.iter().map(|person| person.id.as_str()).collect();
        let members = self.store.members_by_ids(&room.id, &persons).await?;
        let named: Vec<UserId> = members.into_iter().map(|member| member.person_id).collect();
        all.extend_from_slice(&named);
        let of_others = |mut ids: Vec<UserId>| {
            ids.retain(|id| *id != author.id);
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        Ok(Mentioned {
            named: of_others(named),
            all: of_others(all),
        })
    }
}

/// Whether a message names this person, or everybody.
pub(super) fn names_person(message: &str, username: &str) -> bool {
    let is_she = |name: &String| name == username || EVERYBODY.contains(&name.as_str());
    named_in(message).iter().any(is_she)
}

/// The names that follow an `@`, in lower case, each once.
pub(super) fn named_in(message: &str) -> Vec<String> {
    let mut names: Vec<String> = message
        .split('@')
        .skip(1)
        .map(|rest| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            rest.get(..end)
                .unwrap_or_default()
                .trim_end_matches(['.', '-', '_'])
                .to_lowercase()
        })
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(MAX_MENTIONS);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_names_after_an_at_sign() {
        assert_eq!(
            named_in("hello @Anna, and @ben.b. @anna"),
            ["anna", "ben.b"]
        );
        assert!(named_in("a@ @ @!").is_empty());
        assert_eq!(named_in("mail@example.org"), ["example.org"]);
    }
}
