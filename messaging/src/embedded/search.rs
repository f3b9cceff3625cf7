//! Searching posts: what is typed, which words a text has, which posts match.
//!
//! In: what somebody typed. Out: posts of rooms that she is in, newest first.
//! A word finds the words that begin with it, in quotes only itself; `-` before it leaves out what
//! holds it. Scripts that write no spaces are indexed letter by letter, and what stands side by side
//! in the search must do so in the post.
//! Not here: SQL (`store::search`, `store::words`).
//! Invariant: the words of a search and of a post are made by the same function.

mod typed;

use std::time::Duration;

use proto::id::{ChannelId, TeamId};

use super::Server;
use super::fault::Fault;
use super::store::{PersonRow, PostRow, PostSearch};
use typed::Typed;

/// Longest word that is told apart, in characters.
const MAX_WORD_CHARS: usize = 64;
/// Posts looked at in one go, and for one page at most.
const BATCH: i64 = 100;
const MAX_SCANNED: usize = 5000;
/// Pause between batches of posts of an older server that are indexed.
const INDEX_PAUSE: Duration = Duration::from_millis(20);

/// How a search is meant, beside its text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    /// One of the terms is enough.
    pub(super) any: bool,
    pub(super) with_archived: bool,
    /// Seconds that the searcher's clock is ahead of UTC.
    pub(super) utc_offset: i64,
    pub(super) offset: usize,
    pub(super) limit: usize,
}

/// Words that stand side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    words: Vec<String>,
    /// The last word must be the whole word.
    is_exact: bool,
}

impl Term {
    /// `None` for a text without words.
    fn new(text: &str, is_exact: bool) -> Option<Self> {
        let words: Vec<String> = words_of(text).collect();
        (!words.is_empty()).then_some(Self { words, is_exact })
    }

    /// Each word, and whether what begins with it will do.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, bool)> {
        let last = self.words.len() - 1;
        let words = self.words.iter().enumerate();
        words.map(move |(index, word)| (word.as_str(), index == last && !self.is_exact))
    }

    pub(crate) fn is_one_word(&self) -> bool {
        self.words.len() == 1
    }

    /// Whether the words of a post hold these, side by side.
    fn is_in(&self, post: &[String]) -> bool {
        post.windows(self.words.len()).any(|window| {
            window
                .iter()
                .zip(self.words())
                .all(|(word, (wanted, is_beginning))| {
                    word == wanted || (is_beginning && word.starts_with(wanted))
                })
        })
    }
}

/// The words of a text, in their order, in lower case.
pub(crate) fn words_of(text: &str) -> impl Iterator<Item = String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() && !is_of_spaceless_script(c) {
            word.push(c);
            continue;
        }
        push_word(&mut words, &mut word);
        if c.is_alphanumeric() {
            words.push(c.to_string());
        }
    }
    push_word(&mut words, &mut word);
    words.into_iter()
}

fn push_word(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(word.chars().take(MAX_WORD_CHARS).collect());
        word.clear();
    }
}

/// Whether words are not told apart by spaces in the script of this character.
fn is_of_spaceless_script(c: char) -> bool {
    matches!(c,
        // Thai, Lao, Myanmar, Khmer
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        // kana, Chinese characters and their extensions
        | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{3ffff}')
}

impl Server {
    /// Posts that match, newest first, in one team and outside of teams, or (`None`) everywhere.
    pub(super) async fn search_posts(
        &self,
        person: &PersonRow,
        team: Option<&TeamId>,
        text: &str,
        wish: Wish,
    ) -> Result<Vec<PostRow>, Fault> {
        let typed = Typed::read(text, wish.utc_offset)?;
        let search = PostSearch {
            team,
            terms: &typed.terms,
            excluded: &typed.excluded,
            any: wish.any,
            authors: self.authors_named(&typed.authors).await?,
            rooms: self.rooms_named(person, &typed.rooms).await?,
            from: typed.from,
            until: typed.until,
            with_archived: wish.with_archived,
        };
        let wanted = wish.offset.saturating_add(wish.limit);
        let (mut found, mut scanned, mut below) = (Vec::new(), 0, i64::MAX);
        while found.len() < wanted && scanned < MAX_SCANNED {
            let rows = self.store.posts_like(&person.id, &search, below, BATCH);
            let rows = rows.await?;
            let Some(last) = rows.last() else { break };
            below = last.seq;
            scanned += rows.len();
            found.extend(rows.into_iter().filter(|row| matches(&typed, wish, row)));
        }
        Ok(found
            .into_iter()
            .skip(wish.offset)
            .take(wish.limit)
            .collect())
    }

    async fn authors_named(
        &self,
        names: &[String],
    ) -> Result<Option<Vec<proto::id::UserId>>, Fault> {
        if names.is_empty() {
            return Ok(None);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let people = self.store.persons_by_username(&names).await?;
        Ok(Some(people.into_iter().map(|person| person.id).collect()))
    }

    /// Of the rooms the person is in: by name, shown name or id, and direct ones by `@name`.
    async fn rooms_named(
        &self,
        person: &PersonRow,
        names: &[String],
    ) -> Result<Option<Vec<ChannelId>>, Fault> {
        if names.is_empty() {
            return Ok(None);
        }
        let others: Vec<&str> = names
            .iter()
            .filter_map(|name| name.strip_prefix('@'))
            .collect();
        let others = self.store.persons_by_username(&others).await?;
        let direct: Vec<String> = others
            .iter()
            .map(|other| {
                let (a, b) = (&person.id, &other.id);
                let (low, high) = if a <= b { (a, b) } else { (b, a) };
                format!("{low}__{high}")
            })
            .collect();
        let rooms = self.store.rooms_with(&person.id).await?;
        let is_named = |room: &super::store::RoomRow| {
            let shown = room.display_name.to_lowercase();
            direct.contains(&room.name)
                || names.iter().any(|name| {
                    [room.name.as_str(), room.id.as_str(), shown.as_str()].contains(&name.as_str())
                })
        };
        let rooms = rooms.into_iter().filter(is_named);
        Ok(Some(rooms.map(|room| room.id).collect()))
    }

    /// Indexes what an older server left, until everything is.
    pub(super) async fn index_posts(&self) -> Result<(), Fault> {
        while !self.store.is_closed() && self.store.index_some_posts().await? {
            tokio::time::sleep(INDEX_PAUSE).await;
        }
        Ok(())
    }
}

fn matches(typed: &Typed, wish: Wish, row: &PostRow) -> bool {
    let words: Vec<String> = words_of(&row.message).collect();
    let mut terms = typed.terms.iter();
    let has = |term: &Term| term.is_in(&words);
    let is_found = typed.terms.is_empty()
        || if wish.any {
            terms.any(has)
        } else {
            terms.all(has)
        };
    is_found && !typed.excluded.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        words_of(text).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(
            words("Hello, WÖRLD-wide 42!"),
            ["hello", "wörld", "wide", "42"]
        );
        assert_eq!(words("会議は月曜"), ["会", "議", "は", "月", "曜"]);
        assert!(words(" -*- \"\" ").is_empty());
        assert_eq!(words(&"x".repeat(100))[0].len(), MAX_WORD_CHARS);
    }

    #[test]
    fn a_term_finds_its_words_side_by_side() {
        let post = words("The budget meeting of Monday; 月曜の会議");
        for (text, is_exact, found) in [
            ("budg", false, true),
            ("budg", true, false),
            ("budget meet", false, true),
            ("budget meet", true, false),
            ("budget meeting", true, true),
            ("meeting budget", true, false),
            ("会議", false, true),
            ("議会", false, false),
        ] {
            let term = Term::new(text, is_exact).unwrap();
            assert_eq!(term.is_in(&post), found, "{text}");
        }
        assert_eq!(Term::new("...", false), None);
    }
}
