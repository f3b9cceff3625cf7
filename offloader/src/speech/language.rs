//! Which language somebody speaks: believed after enough speech, and doubted when it no longer fits.
//!
//! In: how probable each language is in a stretch of speech. Out: the language to listen in.
//! Not here: asking a model (`engine`), what is done with speech no model knows (`transcribe`).
//! Invariant: a few words decide nothing: a language is locked after ten seconds of speech, most of it
//! in that language; a stretch in another language is heard in that one without moving the lock.

use std::collections::BTreeMap;

use super::wire::Tongue;

/// Speech after which the leading language is locked.
const SURE_MS: u64 = 10_000;
/// Share of the evidence the leading language must have, in per cent.
const SURE_SHARE: u64 = 60;
/// A stretch shorter than this does not speak against the lock: clips of 3 s are often misjudged.
const DOUBT_MS: u64 = 3_000;
/// From this probability on, in thousandths, a stretch speaks for its language.
const LIKELY: u16 = 700;
/// What speaks against a locked language must be more probable.
const VERY_LIKELY: u16 = 850;
/// Or it is the likeliest of several that are alike, and the locked one is none of them: Spanish may be
/// taken for Portuguese, hardly for Russian. Of a stretch this long, in milliseconds.
const LEADING: u16 = 450;
const RULED_OUT: u16 = 50;
const CLEAR_MS: u64 = 5_000;
/// Below this probability of the best language a stretch may be in two languages.
const MIXED: u16 = 800;

/// What is known of one speaker's language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpokenLanguage {
    /// Said by whoever knows it; nothing changes it.
    given: Option<String>,
    /// Milliseconds of speech, weighted by probability.
    evidence: BTreeMap<String, u64>,
    heard_ms: u64,
}

impl SpokenLanguage {
    /// A language that is known beforehand (ISO 639-1), or `None`: to be found out.
    #[must_use]
    pub fn new(given: Option<String>) -> Self {
        Self {
            given,
            ..Self::default()
        }
    }

    /// Adds what `ms` of speech sounded like.
    pub(super) fn hear(&mut self, tongues: &[Tongue], ms: u64) {
        self.heard_ms += ms;
        for tongue in tongues {
            *self.evidence.entry(tongue.code.clone()).or_default() +=
                ms * u64::from(tongue.likely) / 1_000;
        }
    }

    /// The language that counts from now on, once it is sure.
    pub(super) fn locked(&self) -> Option<&str> {
        if let Some(given) = &self.given {
            return Some(given);
        }
        let (code, weight) = self.leading()?;
        let sure = self.heard_ms >= SURE_MS && weight * 100 >= self.heard_ms * SURE_SHARE;
        sure.then_some(code)
    }

    /// The best that can be said at the moment.
    pub(super) fn guess(&self) -> Option<&str> {
        self.locked()
            .or_else(|| self.leading().map(|(code, _)| code))
    }

    /// Whether somebody said which language it is.
    pub(super) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    fn leading(&self) -> Option<(&str, u64)> {
        let best = self.evidence.iter().max_by_key(|(_, weight)| **weight)?;
        Some((best.0.as_str(), *best.1))
    }

    /// The language in which `ms` of speech should rather be heard than in `used`.
    pub(super) fn rather<'t>(&self, used: &str, tongues: &'t [Tongue], ms: u64) -> Option<&'t str> {
        let best = tongues.first()?;
        let own = tongues.iter().find(|tongue| tongue.code == used);
        let is_ruled_out = own.map_or(0, |own| own.likely) < RULED_OUT && ms >= CLEAR_MS;
        let needed = match self.locked() == Some(used) {
            true if is_ruled_out => LEADING,
            true => VERY_LIKELY,
            false => LIKELY,
        };
        let differs = best.code != used && best.likely >= needed && ms >= DOUBT_MS;
        (differs && !self.is_given()).then_some(best.code.as_str())
    }
}

/// Whether a stretch may hold speech in two languages.
pub(super) fn is_mixed(tongues: &[Tongue]) -> bool {
    tongues.first().is_some_and(|best| best.likely < MIXED)
}

/// Words of which English is full and other languages are not, when an English model spells them.
const ENGLISH_WORDS: &[&str] = &[
    "the", "and", "of", "to", "you", "that", "it", "is", "for", "are", "with", "this", "have",
    "be", "at", "not", "but", "we", "they", "from", "or", "by", "what", "your", "can", "will",
    "if", "there", "all", "do", "about", "which", "when", "would", "up", "out", "one", "more",
    "then", "some", "has", "had", "been", "its", "who", "than", "now", "just", "like", "my", "our",
    "their", "them", "she", "her", "his", "were", "how", "so", "because", "could", "should", "get",
    "go", "going", "know", "think", "want", "need", "here", "good", "time", "please", "yes",
    "okay", "two", "three", "four", "five", "number", "was", "in", "on", "as", "it's", "i'm",
    "don't", "that's", "we're", "you're", "i'll", "let", "us", "very", "also", "only", "new",
    "thank", "well", "right", "first", "next", "other", "into", "any",
];
/// From fewer words nothing is concluded.
const FEW_WORDS: usize = 8;
/// Less speech may be a laugh or a sigh.
const SPARSE_FROM_MS: u64 = 5_000;

/// How much a text consists of the most common English words, in thousandths; `None` of a short text.
/// English has 300 and more; another language written down by a model that takes it for English has
/// 150 and less, however sure that model is of itself.
pub(super) fn english_share(text: &str) -> Option<u16> {
    let mut words = words(text);
    words.retain(|word| word.chars().any(char::is_alphabetic));
    let common = words
        .iter()
        .filter(|word| ENGLISH_WORDS.contains(&word.as_str()));
    let share = common.count() * 1_000 / words.len().max(1);
    (words.len() >= FEW_WORDS).then(|| u16::try_from(share).unwrap_or(1_000))
}

/// How much two hearings differ, in thousandths of the words of the longer one; 0 when neither has any. A
/// number is so many words as it has digits: it may be written in one or in several.
pub(super) fn difference(one: &str, other: &str) -> u16 {
    let items = |text| {
        let words = words(text).into_iter();
        let parts = words.flat_map(|word| {
            let parts = word.split(|letter: char| !letter.is_alphanumeric());
            parts.flat_map(digits).collect::<Vec<_>>()
        });
        parts.collect::<Vec<_>>()
    };
    let (one, other): (Vec<String>, Vec<String>) = (items(one), items(other));
    let changes = strsim::generic_levenshtein(&one, &other) * 1_000;
    u16::try_from(changes / one.len().max(other.len()).max(1)).unwrap_or(1_000)
}

/// A word, or the digits of a number.
fn digits(part: &str) -> Vec<String> {
    if part.bytes().all(|byte| byte.is_ascii_digit()) {
        part.chars().map(String::from).collect()
    } else {
        vec![part.to_owned()]
    }
}

/// Whether a text has too few words to conclude anything from them.
pub(super) fn is_short(text: &str) -> bool {
    words(text).len() < FEW_WORDS
}

/// In small letters, without what stands around them.
fn words(text: &str) -> Vec<String> {
    let words = text.split_whitespace().map(|word| {
        let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        word.to_lowercase()
    });
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether these are too few words for so much speech: whoever speaks says at least one in a second, and a
/// model that understands nothing often has a courtesy for all of it.
pub(super) fn is_sparse(text: &str, speech_ms: u64) -> bool {
    let words = text.split_whitespace().count() as u64;
    speech_ms >= SPARSE_FROM_MS && words > 0 && words * 1_000 < speech_ms
}

/// The English name of a language, for people; its code when there is none.
#[must_use]
pub fn name(code: &str) -> String {
    let name = whisper_rs::get_lang_id(code).and_then(whisper_rs::get_lang_str_full);
    let mut letters = name.unwrap_or(code).chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// `en-US` and `EN` are `en`; `None` for what no model knows.
#[must_use]
pub fn code(text: &str) -> Option<String> {
    let code = text.trim().split(['-', '_']).next()?.to_lowercase();
    if !code.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let known = whisper_rs::get_lang_str(whisper_rs::get_lang_id(&code)?);
    known.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest is spread over too many languages to count.
    fn tongues(best: &str, likely: u16) -> Vec<Tongue> {
        vec![Tongue {
            code: best.to_owned(),
            likely,
        }]
    }

    #[test]
    fn the_first_words_decide_nothing() {
        let mut spoken = SpokenLanguage::default();
        spoken.hear(&tongues("en", 900), 2_000);
        assert_eq!((spoken.locked(), spoken.guess()), (None, Some("en")));
        spoken.hear(&tongues("es", 950), 9_000);
        assert_eq!(spoken.locked(), Some("es"));
    }

    #[test]
    fn a_language_that_stays_improbable_is_not_locked() {
        let mut spoken = SpokenLanguage::default();
        for _ in 0..10 {
            spoken.hear(&tongues("ja", 400), 5_000);
        }
        assert_eq!(spoken.locked(), None);
        spoken.hear(&tongues("ja", 1_000), 50_000);
        assert_eq!(spoken.locked(), Some("ja"));
    }

    #[test]
    fn what_is_said_in_another_language_is_heard_in_that_one() {
        let mut spoken = SpokenLanguage::default();
        spoken.hear(&tongues("ru", 990), 30_000);
        let spanish = tongues("es", 900);
        assert_eq!(spoken.rather("ru", &spanish, 5_000), Some("es"));
        assert_eq!(spoken.rather("ru", &spanish, 1_000), None, "too short");
        let perhaps = [tongues("es", 700), tongues("ru", 200)].concat();
        assert_eq!(spoken.rather("ru", &perhaps, 5_000), None);
        let alike = [tongues("es", 500), tongues("pt", 400)].concat();
        assert_eq!(spoken.rather("ru", &alike, 6_000), Some("es"));
        assert_eq!(spoken.locked(), Some("ru"));
    }

    #[test]
    fn a_given_language_is_not_doubted() {
        let mut spoken = SpokenLanguage::new(Some("fr".to_owned()));
        spoken.hear(&tongues("en", 999), 60_000);
        assert_eq!(spoken.locked(), Some("fr"));
        assert_eq!(spoken.rather("fr", &tongues("en", 999), 9_000), None);
    }

    #[test]
    fn another_language_spelt_as_english_has_few_english_words() {
        let english = "You may end the test by hanging up or by pressing the pound key.";
        let prompt = "Agent login, please enter your agent number followed by the pound key.";
        let spanish = "NUMA RO, KUsted Amarcado Esta Fueira DE Servicio PORFAVOR VARIFICEDED, \
                       NUMA RO E VELVA A INTENTAR.";
        let echo = "As the Punto de entrare ala pueba de echol, an estimate of tol o que digis arae, \
                    rapidido tan ponto como se a recidido por el systema.";
        let share = |text| english_share(text).unwrap();
        assert!(
            share(english) > 400 && share(prompt) > 300,
            "{}",
            share(prompt)
        );
        assert!(share(spanish) < 150 && share(echo) < 150, "{}", share(echo));
        assert_eq!(english_share("Hola."), None);
    }

    #[test]
    fn two_hearings_differ_by_their_words() {
        assert_eq!(difference("", ""), 0);
        assert_eq!(difference("Good morning, Anna.", "good morning anna"), 0);
        assert_eq!(difference("Good morning", ""), 1_000);
        assert_eq!(difference("one two three four", "one too three"), 500);
        assert_eq!(difference("call 415-555-1234", "Call 4155551234."), 0);
        assert_eq!(difference("at 10:30", "at 10 30"), 0);
        assert!(is_short("Um, yes, okay, thank you all.") && !is_short("a b c d e f g h"));
    }

    #[test]
    fn a_courtesy_is_too_little_for_half_a_minute() {
        assert!(is_sparse("Thank you very much.", 25_000));
        assert!(!is_sparse("Thank you very much.", 3_900));
        assert!(!is_sparse("", 25_000), "music");
        assert!(!is_sparse("Well. I am not so sure of that.", 7_500));
    }

    #[test]
    fn codes_and_names() {
        assert_eq!(code("en-US").as_deref(), Some("en"));
        assert_eq!(code("PT_br").as_deref(), Some("pt"));
        assert_eq!(code("russian").as_deref(), Some("ru"));
        assert_eq!(
            (code("klingon"), code("e\0n"), code("")),
            (None, None, None)
        );
        assert_eq!((name("es"), name("xx")), ("Spanish".into(), "Xx".into()));
    }
}
