//! What a participant's track shows, found from `MediaStream` ids.
//!
//! In: the track's kind and stream id, the ids announced by ScreenOn and VideoOn, how long it has
//! been waiting. Out: a type, or "not yet". The announcement may come after the track: SDP over the
//! data channel is faster than the calls server.
//! Invariant: a video nobody announced is never shown.

use std::time::Duration;

use crate::media::TrackKind;

/// How long sound that shares its stream with an unannounced video waits for the announcement.
const SOUND_PATIENCE: Duration = Duration::from_secs(2);

/// What is known about a track when one of its packets arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clues<'a> {
    pub(super) is_audio: bool,
    pub(super) stream: Option<&'a str>,
    /// The stream announced by ScreenOn, if this participant is the presenter.
    pub(super) screen: Option<&'a str>,
    /// The stream announced by VideoOn.
    pub(super) video: Option<&'a str>,
    /// A video with the same stream exists and is not classified.
    pub(super) beside_unknown_video: bool,
    pub(super) waited: Duration,
}

/// Decides what a track shows; `None`: wait.
pub(super) fn classify(clues: Clues<'_>) -> Option<TrackKind> {
    let matches = |announced: Option<&str>| announced.is_some() && announced == clues.stream;
    if clues.is_audio {
        if matches(clues.screen) {
            Some(TrackKind::ScreenAudio)
        } else if clues.beside_unknown_video && clues.waited < SOUND_PATIENCE {
            None
        } else {
            Some(TrackKind::Voice)
        }
    } else if matches(clues.screen) {
        Some(TrackKind::Screen)
    } else if matches(clues.video) {
        Some(TrackKind::Video)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Clues<'_> = Clues {
        is_audio: false,
        stream: Some("a"),
        screen: None,
        video: None,
        beside_unknown_video: false,
        waited: Duration::ZERO,
    };

    #[test]
    fn videos_are_what_was_announced() {
        let table = [
            (NOTHING, None),
            (
                Clues {
                    screen: Some("a"),
                    ..NOTHING
                },
                Some(TrackKind::Screen),
            ),
            (
                Clues {
                    screen: Some("b"),
                    ..NOTHING
                },
                None,
            ),
            (
                Clues {
                    video: Some("a"),
                    ..NOTHING
                },
                Some(TrackKind::Video),
            ),
            (
                Clues {
                    screen: Some("a"),
                    video: Some("a"),
                    ..NOTHING
                },
                Some(TrackKind::Screen),
            ),
            (
                Clues {
                    stream: None,
                    ..NOTHING
                },
                None,
            ),
        ];
        for (clues, expected) in table {
            assert_eq!(classify(clues), expected, "{clues:?}");
        }
    }

    #[test]
    fn sounds_are_voices_unless_they_belong_to_the_screen() {
        let sound = Clues {
            is_audio: true,
            ..NOTHING
        };
        let beside = Clues {
            beside_unknown_video: true,
            ..sound
        };
        let table = [
            (sound, Some(TrackKind::Voice)),
            (
                Clues {
                    stream: None,
                    ..sound
                },
                Some(TrackKind::Voice),
            ),
            (
                Clues {
                    screen: Some("a"),
                    ..sound
                },
                Some(TrackKind::ScreenAudio),
            ),
            (
                Clues {
                    screen: Some("b"),
                    ..sound
                },
                Some(TrackKind::Voice),
            ),
            (beside, None),
            (
                Clues {
                    waited: SOUND_PATIENCE,
                    ..beside
                },
                Some(TrackKind::Voice),
            ),
        ];
        for (clues, expected) in table {
            assert_eq!(classify(clues), expected, "{clues:?}");
        }
    }
}
