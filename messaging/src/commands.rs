//! What people write that begins with `/`: carried out, and never published.
//!
//! In: a command and who sent it. Out: what only the sender is shown.
//! Not here: what the commands do (whoever answers them), their routes (`embedded`).

use async_trait::async_trait;
use proto::id::{ChannelId, PostId};

use crate::model::Person;

/// A command as somebody sent it. The sender may post in the room.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub by: Person,
    pub room: ChannelId,
    /// Name of the team the room is seen in.
    pub team: String,
    /// The thread it was written in.
    pub root: Option<PostId>,
    /// With its `/`.
    pub text: String,
    /// The address the sender uses, without a slash at its end.
    pub site_url: String,
}

impl Command {
    /// Its words, the first without its `/`.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.text
            .strip_prefix('/')
            .unwrap_or(&self.text)
            .split_whitespace()
    }
}

/// A command, or what may follow one, as it is offered to whoever types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub name: &'static str,
    /// What comes behind it.
    pub hint: &'static str,
    pub description: &'static str,
    pub next: Vec<Self>,
}

impl Offer {
    /// One with nothing that can be chosen behind it.
    #[must_use]
    pub fn new(name: &'static str, hint: &'static str, description: &'static str) -> Self {
        Self {
            name,
            hint,
            description,
            next: Vec::new(),
        }
    }

    /// One behind which one of `next` follows.
    #[must_use]
    pub fn followed_by(mut self, next: Vec<Self>) -> Self {
        self.next = next;
        self
    }
}

/// Whoever carries out commands.
#[async_trait]
pub trait CommandHandler: Send + Sync + std::fmt::Debug {
    /// In the language of a person whose profile names `locale`; empty for the server's.
    fn offers(&self, locale: &str) -> Vec<Offer>;
    /// What is said of a command, without its `/`, that nobody knows; in the same language.
    fn unknown(&self, name: &str, locale: &str) -> String;
    /// What the sender is shown, perhaps nothing; `None`: the command is unknown.
    async fn carry_out(&self, command: Command) -> Option<String>;
}

/// What fits behind `typed` (without its `/`), each with the whole line it makes.
#[must_use]
pub fn complete<'a>(offers: &'a [Offer], typed: &str) -> Vec<(String, &'a Offer)> {
    let (mut level, mut before) = (offers, String::new());
    let mut rest = typed.trim_start();
    while let Some((word, behind)) = rest.split_once(char::is_whitespace) {
        let Some(chosen) = level.iter().find(|offer| offer.name == word) else {
            return Vec::new();
        };
        level = &chosen.next;
        before = format!("{before}{word} ");
        rest = behind.trim_start();
    }
    let rest = rest.to_lowercase();
    level
        .iter()
        .filter(|offer| offer.name.starts_with(&rest))
        .map(|offer| (format!("{before}{}", offer.name), offer))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(typed: &str) -> Vec<String> {
        let ways = vec![Offer::new("start", "", ""), Offer::new("stop", "", "")];
        let offers = [Offer::new("call", "", "").followed_by(vec![
            Offer::new("start", "[title]", ""),
            Offer::new("recording", "", "").followed_by(ways),
        ])];
        let complete = complete(&offers, typed).into_iter();
        complete.map(|(line, _)| line).collect()
    }

    #[test]
    fn each_word_is_completed_from_what_may_follow_the_one_before() {
        assert_eq!(lines(""), ["call"]);
        assert_eq!(lines("CA"), ["call"]);
        assert_eq!(lines("call "), ["call start", "call recording"]);
        assert_eq!(lines("call  st"), ["call start"]);
        assert_eq!(
            lines("call recording s"),
            ["call recording start", "call recording stop"]
        );
        assert!(lines("call start a title").is_empty());
        assert!(lines("walk s").is_empty());
    }
}
