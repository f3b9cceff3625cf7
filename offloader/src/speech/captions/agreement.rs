//! Which words of a growing line may be believed: those on which two hypotheses agree.
//!
//! In: one hypothesis after another about the same speech. Out: the line to show, a stable part
//! first, then words of which the model is sure, and how many shown words were taken back.
//! Not here: when a hypothesis is made, where the line is cut (`stream`).
//! Invariant: a committed word is never changed or taken back; another one in sight gives way only to
//! words that are committed or sure.
//! See: local agreement with n = 2, Liu et al. 2020; Macháček et al. 2023.

use super::super::wire::Word;

/// Of a hypothesis nobody has confirmed yet the last words are not shown: the sound of the next
/// syllable changes them most. More would delay, fewer would flicker.
const HELD_BACK: usize = 1;

/// Nor is a word shown of which the model is less sure, in thousandths: half of these are taken back.
/// It waits until two hypotheses agree, which delays it by one step.
const SURE: u16 = 650;

/// Characters of the text before a cut that stay in sight.
const CARRY_CHARACTERS: usize = 90;

/// How calm the captions were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flicker {
    /// Words that were shown, each counted once.
    pub shown: u64,
    /// Of these, words that were changed or vanished before they were committed.
    pub retracted: u64,
}

/// The line of one speaker.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// What was said before this line was cut, all committed.
    carry: String,
    committed: Vec<String>,
    /// Uncommitted words of the newest hypothesis.
    tail: Vec<Word>,
    /// Uncommitted words that are in sight.
    visible: usize,
    /// While none of these is: what was in sight before, which the newest hypothesis has otherwise
    /// without being sure. Most of it is back in the next one.
    lingering: Vec<String>,
    flicker: Flicker,
}

/// A line to show and how many of its bytes will stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) stable_bytes: usize,
}

impl Line {
    /// Takes the newest hypothesis about all speech of this line. `with_tail`: words may be shown
    /// that no second hypothesis has confirmed.
    pub(super) fn observe(&mut self, hypothesis: &[Word], with_tail: bool) {
        let before = self.in_sight();
        let tail = self.after_committed(hypothesis);
        let agreed = agreeing(&tail, &self.tail);
        let mut words = tail.into_iter();
        let committed = words.by_ref().take(agreed);
        self.committed.extend(committed.map(|word| word.text));
        self.tail = words.collect();
        let sure = self.sure();
        self.visible = if with_tail { sure } else { 0 };
        self.lingering = if sure == 0 {
            behind(&before, &self.committed)
        } else {
            Vec::new()
        };
        self.count(&before);
    }

    /// How many words of the tail may be shown before they are confirmed.
    fn sure(&self) -> usize {
        let shown = self.tail.len().saturating_sub(HELD_BACK);
        let sure = self.tail.iter().take(shown);
        sure.take_while(|word| word.sureness >= SURE).count()
    }

    /// Commits everything: the speaker paused. `hypothesis` is the last word on it, if there is one.
    pub(super) fn finish(&mut self, hypothesis: Option<&[Word]>) -> Shown {
        let before = self.in_sight();
        if let Some(hypothesis) = hypothesis {
            self.tail = self.after_committed(hypothesis);
        }
        self.commit_tail();
        self.visible = 0;
        self.lingering.clear();
        self.count(&before);
        let shown = self.shown();
        *self = Self {
            flicker: self.flicker,
            ..Self::default()
        };
        shown
    }

    /// Cuts the line in the middle of speech: `front` is what was said until the cut and stays in
    /// sight, `rest` is the first hypothesis about what follows.
    pub(super) fn cut(&mut self, front: &[Word], rest: &[Word]) {
        let before = self.in_sight();
        self.tail = self.after_committed(front);
        self.commit_tail();
        let mut said = std::mem::take(&mut self.committed);
        // Words committed before the cut was chosen may have been spoken after it. They are in
        // sight already and belong to the audio that hypotheses are about from now on.
        let repeated = overlap(&said, rest);
        self.committed = said.split_off(said.len() - repeated);
        self.tail = rest.iter().skip(repeated).cloned().collect();
        self.visible = self.sure();
        self.lingering = if self.visible == 0 {
            behind(&before, &[said.as_slice(), &self.committed].concat())
        } else {
            Vec::new()
        };
        let after = [said.clone(), self.in_sight()].concat();
        self.compare(&before, &after);
        let carry = if self.carry.is_empty() {
            said.join(" ")
        } else {
            format!("{} {}", self.carry, said.join(" "))
        };
        self.carry = ending(&carry);
    }

    /// What should be in sight now.
    pub(super) fn shown(&self) -> Shown {
        let mut text = self.carry.clone();
        for word in &self.committed {
            push_word(&mut text, word);
        }
        let stable_bytes = text.len();
        for word in self.provisional() {
            push_word(&mut text, word);
        }
        Shown { text, stable_bytes }
    }

    pub(super) fn flicker(&self) -> Flicker {
        self.flicker
    }

    fn in_sight(&self) -> Vec<String> {
        let provisional = self.provisional();
        self.committed.iter().chain(provisional).cloned().collect()
    }

    /// What is in sight and may change.
    fn provisional(&self) -> impl Iterator<Item = &String> {
        let tail = self.tail.iter().take(self.visible).map(|word| &word.text);
        tail.chain(&self.lingering)
    }

    fn commit_tail(&mut self) {
        let tail = self.tail.drain(..).map(|word| word.text);
        self.committed.extend(tail);
    }

    fn count(&mut self, before: &[String]) {
        let after = self.in_sight();
        self.compare(before, &after);
    }

    fn compare(&mut self, before: &[String], after: &[String]) {
        let kept = common(before, after);
        self.flicker.retracted += (before.len() - kept) as u64;
        self.flicker.shown += (after.len() - kept) as u64;
    }

    /// The words of a hypothesis that follow the committed ones. A newer hypothesis may have one
    /// word more or less among these, so the last committed words are looked for nearby.
    fn after_committed(&self, words: &[Word]) -> Vec<Word> {
        const SEARCH: usize = 3;
        let count = self.committed.len();
        let from = count.saturating_sub(SEARCH);
        let candidates = (from..=count + SEARCH).filter(|end| *end <= words.len());
        let best = candidates.max_by_key(|end| {
            (
                self.matching(words, *end),
                std::cmp::Reverse(end.abs_diff(count)),
            )
        });
        let rest = words.get(best.unwrap_or(count)..).unwrap_or_default();
        rest.to_vec()
    }

    /// How many committed words, counted from the last, end at `end` in a hypothesis; 4 are enough.
    fn matching(&self, words: &[Word], end: usize) -> usize {
        let before = words.get(..end).unwrap_or_default();
        let pairs = self.committed.iter().rev().zip(before.iter().rev());
        pairs
            .take(4)
            .take_while(|(committed, word)| same(committed, &word.text))
            .count()
    }
}

/// How many words two hypotheses begin with alike.
fn agreeing(one: &[Word], other: &[Word]) -> usize {
    let pairs = one.iter().zip(other);
    pairs
        .take_while(|(one, other)| same(&one.text, &other.text))
        .count()
}

fn push_word(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

/// Case and punctuation change without anybody minding.
fn same(one: &str, other: &str) -> bool {
    fn letters(word: &str) -> impl Iterator<Item = char> {
        word.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
    }
    letters(one).eq(letters(other))
}

/// What of the words in sight stands behind those that are committed by now; nothing where these turned
/// out to be others.
fn behind(in_sight: &[String], committed: &[String]) -> Vec<String> {
    let pairs = committed.iter().zip(in_sight);
    let alike = pairs.take_while(|(one, other)| same(one, other)).count();
    if alike < committed.len() {
        return Vec::new();
    }
    in_sight.get(alike..).unwrap_or_default().to_vec()
}

/// How many words at the end of `said` are the first words of `rest`.
fn overlap(said: &[String], rest: &[Word]) -> usize {
    let repeats = |count: &usize| {
        let end = said.iter().skip(said.len() - count);
        end.zip(rest).all(|(one, other)| same(one, &other.text))
    };
    (1..=said.len().min(rest.len()))
        .rev()
        .find(repeats)
        .unwrap_or(0)
}

/// Length of the longest common subsequence: the words that stayed.
fn common(before: &[String], after: &[String]) -> usize {
    let mut row = vec![0; after.len() + 1];
    for old in before {
        let mut diagonal = 0;
        let mut left = 0;
        for (cell, new) in row.iter_mut().skip(1).zip(after) {
            let above = *cell;
            *cell = if same(old, new) {
                diagonal + 1
            } else {
                above.max(left)
            };
            diagonal = above;
            left = *cell;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The last words of a text, at most [`CARRY_CHARACTERS`] long.
fn ending(text: &str) -> String {
    let mut kept = Vec::new();
    let mut characters = 0;
    for word in text.split_whitespace().rev() {
        characters += word.chars().count() + 1;
        if characters > CARRY_CHARACTERS {
            break;
        }
        kept.push(word);
    }
    kept.reverse();
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words of which the model is sure; of those with a `?` it is not.
    fn words(text: &str) -> Vec<Word> {
        let word = |text: &str| Word {
            start_ms: 0,
            end_ms: 0,
            text: text.trim_end_matches('?').to_owned(),
            sureness: if text.ends_with('?') { SURE - 1 } else { SURE },
        };
        text.split_whitespace().map(word).collect()
    }

    fn text(line: &Line) -> String {
        let Shown { text, stable_bytes } = line.shown();
        format!("{}|{}", &text[..stable_bytes], &text[stable_bytes..])
    }

    #[test]
    fn two_hypotheses_commit_what_they_share() {
        let mut line = Line::default();
        line.observe(&words("good mourning"), true);
        assert_eq!(text(&line), "|good");
        line.observe(&words("Good morning every"), true);
        assert_eq!(text(&line), "Good| morning");
        line.observe(&words("Good morning, everyone let"), true);
        assert_eq!(text(&line), "Good morning,| everyone");
        assert_eq!(
            line.flicker(),
            Flicker {
                shown: 3,
                retracted: 0
            }
        );
    }

    #[test]
    fn a_word_that_changes_after_it_was_shown_is_counted() {
        let mut line = Line::default();
        line.observe(&words("we will be there"), true);
        line.observe(&words("we wheel see them now"), true);
        assert_eq!(text(&line), "we| wheel see them");
        assert_eq!(
            line.flicker(),
            Flicker {
                shown: 6,
                retracted: 2
            }
        );
    }

    #[test]
    fn a_word_the_model_is_not_sure_of_waits_for_a_second_hypothesis() {
        let mut line = Line::default();
        line.observe(&words("we will? be there"), true);
        assert_eq!(text(&line), "|we");
        line.observe(&words("we will? be there now"), true);
        assert_eq!(text(&line), "we will be there|");
    }

    #[test]
    fn what_is_in_sight_gives_way_to_surer_words_only() {
        let mut line = Line::default();
        line.observe(&words("before Friday and we will decide next"), true);
        line.observe(&words("before Friday and? we'll? decide? next? week"), true);
        assert_eq!(text(&line), "before Friday and| we will decide");
        line.observe(&words("before Friday and we will decide next week"), true);
        assert_eq!(text(&line), "before Friday and| we will decide next");
        line.observe(&words("before Friday and we? wheel? decide"), true);
        assert_eq!(text(&line), "before Friday and we| will decide next");
        let calm = Flicker {
            shown: 7,
            retracted: 0,
        };
        assert_eq!(line.flicker(), calm);
        line.observe(&words("before Friday and we won't decide"), true);
        assert_eq!(text(&line), "before Friday and we| won't");
        assert_eq!(line.flicker().retracted, 3);
        // Nor at a cut whose rest is not heard well yet.
        line.cut(&words("before Friday and"), &words("we?"));
        assert_eq!(text(&line), "before Friday and we| won't");
        line.finish(None);
        assert_eq!(line.flicker().retracted, 4, "and not to what was committed");
    }

    #[test]
    fn on_a_loaded_machine_only_what_is_settled_is_added() {
        let mut line = Line::default();
        line.observe(&words("we will be"), true);
        assert_eq!(text(&line), "|we will");
        line.observe(&words("we wheel be there now"), false);
        assert_eq!(text(&line), "we|");
        line.observe(&words("we wheel be there now too"), false);
        assert_eq!(text(&line), "we wheel be there now|");
    }

    #[test]
    fn a_committed_word_stays_whatever_comes() {
        let mut line = Line::default();
        line.observe(&words("one two three"), true);
        line.observe(&words("one two three four"), true);
        line.observe(&words("won too three four five"), true);
        assert_eq!(text(&line), "one two three four|");
        let last = line.finish(Some(&words("completely different")));
        assert!(last.text.starts_with("one two three four"), "{last:?}");
        assert_eq!(last.stable_bytes, last.text.len());
    }

    #[test]
    fn a_lost_word_before_the_committed_end_does_not_repeat_or_skip_words() {
        let mut line = Line::default();
        line.observe(&words("so the next item is the budget"), true);
        line.observe(&words("so the next item is the budget for"), true);
        line.observe(&words("the next item is the budget for March and"), true);
        assert_eq!(text(&line), "so the next item is the budget for| March");
    }

    #[test]
    fn a_pause_commits_the_tail_and_starts_over() {
        let mut line = Line::default();
        line.observe(&words("see you tomorrow"), true);
        let last = line.finish(None);
        assert_eq!(last.text, "see you tomorrow");
        assert_eq!(text(&line), "|");
    }

    #[test]
    fn a_cut_keeps_the_end_in_sight() {
        let mut line = Line::default();
        line.observe(&words("I have a long story to tell about the"), true);
        line.observe(&words("I have a long story to tell about the old"), true);
        line.cut(
            &words("I have a long story to tell"),
            &words("about the old house"),
        );
        assert_eq!(text(&line), "I have a long story to tell about the| old");
        let shown = "word ".repeat(60);
        line.cut(&words(&shown), &words(""));
        assert!(line.shown().text.len() <= CARRY_CHARACTERS);
    }

    #[test]
    fn words_on_both_sides_of_a_cut_are_shown_once() {
        let mut line = Line::default();
        line.observe(&words("repeated back to you just"), true);
        line.observe(&words("repeated back to you just"), true);
        line.cut(&words("repeated back to"), &words("you just as soon as"));
        assert_eq!(text(&line), "repeated back to you just| as soon");
        line.observe(&words("you just as soon as it is"), true);
        assert_eq!(text(&line), "repeated back to you just as soon as| it");
        assert_eq!(
            line.flicker(),
            Flicker {
                shown: 9,
                retracted: 0
            }
        );
    }

    proptest! {
        #[test]
        fn committed_text_only_grows(
            hypotheses in prop::collection::vec(prop::collection::vec("[a-c]{1,2}", 0..8), 1..8)
        ) {
            let mut line = Line::default();
            let mut stable = String::new();
            for hypothesis in hypotheses {
                line.observe(&words(&hypothesis.join(" ")), true);
                let shown = line.shown();
                let now = shown.text[..shown.stable_bytes].to_owned();
                prop_assert!(now.starts_with(&stable), "{stable} -> {now}");
                stable = now;
            }
            prop_assert!(line.flicker().retracted <= line.flicker().shown);
            prop_assert!(line.finish(None).text.starts_with(&stable));
        }
    }
}
