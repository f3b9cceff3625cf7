//! What is written for people by the server itself: to one of them in that person's language, to
//! everybody in the server's.
//!
//! In: what is to be said, a language, what it is said of. Out: a sentence.
//! Not here: texts that are the wire's, which clients compare and which stay English (`words`).
//! Invariant: every language of the page says everything; the compiler sees to it.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod pt;

use signalling_core::{Hint, HostControlError, RecordingError};

/// Keeps what is put into a sentence of the other direction together.
const ISOLATE: char = '\u{2068}';
const END_OF_ISOLATE: char = '\u{2069}';

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Arabic,
    German,
    English,
    Spanish,
    French,
    Portuguese,
}

impl Language {
    /// Of a tag such as `de` or `pt-BR`: regions share a language. `None` where it is none of ours.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        let base = tag.split(['-', '_']).next().unwrap_or_default();
        Some(match base.to_ascii_lowercase().as_str() {
            "ar" => Self::Arabic,
            "de" => Self::German,
            "en" => Self::English,
            "es" => Self::Spanish,
            "fr" => Self::French,
            "pt" => Self::Portuguese,
            _ => return None,
        })
    }

    /// Says something in which there is no place for anything.
    pub(crate) fn say(self, told: Told) -> &'static str {
        match self {
            Self::Arabic => ar::text(told),
            Self::German => de::text(told),
            Self::English => en::text(told),
            Self::Spanish => es::text(told),
            Self::French => fr::text(told),
            Self::Portuguese => pt::text(told),
        }
    }

    /// Says something of somebody or something: a name, a word, a reason.
    pub(crate) fn say_of(self, told: Told, what: &str) -> String {
        if self == Self::Arabic {
            let apart = format!("{ISOLATE}{what}{END_OF_ISOLATE}");
            return self.say(told).replace("{}", &apart);
        }
        self.say(told).replace("{}", what)
    }

    /// Says something that ends with an address. A mark beside that would become part of it.
    pub(crate) fn say_with_link(self, told: Told, link: &str) -> String {
        self.say(told).replace("{}", link)
    }
}

macro_rules! told {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// All there is to say; `{}` in its text is a place.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Told { $($(#[$doc])* $name,)* }

        #[cfg(test)]
        const ALL: &[Told] = &[$(Told::$name,)*];
    };
}
told! {
    /// To whoever wanted to start a call.
    GroupCallsOff
    /// Behind it the link.
    CallLink
    CallLogs
    /// With the file itself.
    LogsKept

    /// Behind it why a command was not carried out.
    Failed
    WrongNumber
    WrongArguments
    UnknownSubcommand
    UnknownCommand
    NobodyCalled
    StatsUnreadable
    StatsEmpty
    HostControlsOff
    ServerStops
    Interrupted
    NoCall
    NotHost
    NotInCall
    BotHost
    RecordingsOff
    NoJobService
    NotRecorder
    RecordsAlready
    RecordsNot
    PausedAlready
    PausedNot

    /// What a command does, for whoever types.
    AboutCall
    AboutStart
    AboutJoin
    AboutLeave
    AboutEnd
    AboutLink
    AboutStats
    AboutLogs
    AboutRecording
    AboutHost
    AboutRecordingStart
    AboutRecordingStop
    AboutRecordingPause
    AboutRecordingResume

    /// To everybody, in posts.
    CallStarted
    CallEnded
    RecordingIsHere
    TranscriptIsHere
    NoRecording
    NoTranscript
    SummaryHead
    SummaryFoot
}

pub(crate) fn hint(hint: Hint) -> Told {
    match hint {
        Hint::GroupCallsOff => Told::GroupCallsOff,
    }
}

pub(crate) fn why_not_hosted(error: HostControlError) -> Told {
    match error {
        HostControlError::NoCall => Told::NoCall,
        HostControlError::NotHost => Told::NotHost,
        HostControlError::NotInCall => Told::NotInCall,
        HostControlError::BotHost => Told::BotHost,
    }
}

pub(crate) fn why_not_recorded(error: RecordingError) -> Told {
    match error {
        RecordingError::Disabled => Told::RecordingsOff,
        RecordingError::NoJobService => Told::NoJobService,
        RecordingError::NoCall => Told::NoCall,
        RecordingError::NotHost => Told::NotRecorder,
        RecordingError::InProgress => Told::RecordsAlready,
        RecordingError::NotInProgress => Told::RecordsNot,
        RecordingError::AlreadyPaused => Told::PausedAlready,
        RecordingError::NotPaused => Told::PausedNot,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The languages of the page, by its message files.
    fn tags() -> Vec<String> {
        let words = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/src/words");
        let files = std::fs::read_dir(words).unwrap();
        let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let tags = files.filter_map(|file| file.strip_suffix(".json").map(str::to_owned));
        tags.filter(|tag| !tag.ends_with("-later")).collect()
    }

    #[test]
    fn whoever_reads_the_page_in_a_language_is_told_everything_in_it() {
        let tags = tags();
        assert!(tags.len() >= 6, "{tags:?}");
        for &told in ALL {
            let texts = tags.iter().map(|tag| {
                let language = Language::of(tag);
                language.unwrap_or_else(|| panic!("`{tag}`")).say(told)
            });
            let texts: BTreeSet<&str> = texts.collect();
            assert_eq!(texts.len(), tags.len(), "each has its own: {texts:?}");
            assert!(!texts.contains(""), "{told:?}");
        }
    }

    #[test]
    fn every_language_has_the_same_places() {
        let places = |language: Language, told| language.say(told).matches("{}").count();
        for tag in tags() {
            let language = Language::of(&tag).unwrap();
            for &told in ALL {
                let ours = places(Language::English, told);
                assert_eq!(places(language, told), ours, "{told:?} in {tag}");
            }
        }
    }

    #[test]
    fn regions_share_their_language_and_others_have_none() {
        assert_eq!(Language::of("de-AT"), Some(Language::German));
        assert_eq!(Language::of("PT-br"), Language::of("pt-BR"));
        for unknown in ["", "nl", "-"] {
            assert_eq!(Language::of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn names_of_the_other_direction_stand_apart_and_links_stay_whole() {
        let told = Language::Arabic.say_of(Told::NobodyCalled, "@anna");
        assert!(told.contains("\u{2068}@anna\u{2069}"), "{told}");
        let link = "http://a.example/x?join_call=true";
        let told = Language::Arabic.say_with_link(Told::CallLink, link);
        assert!(told.ends_with(&format!(" {link}")), "{told}");
        let told = Language::English.say_of(Told::NobodyCalled, "@anna");
        assert_eq!(told, "there is nobody called @anna");
    }
}
