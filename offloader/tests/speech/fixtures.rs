//! Recorded speech with known text for the tests, and the speech process of the built binary.

use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;

use offloader::speech::{SpeechClient, SpeechConfig};

use crate::installed::{models_dir, root};

/// One piece of known speech on a track.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) speaker: String,
    /// Where on the track.
    pub(crate) span: Range<u64>,
    pub(crate) text: String,
}

/// The known lines of `prompts` or `talk`.
pub(crate) fn lines(name: &str) -> Vec<Line> {
    let text =
        std::fs::read_to_string(fixture(&format!("{name}.tsv"))).expect("a readable fixture");
    let line = |row: &str| {
        let fields: Vec<_> = row.split('\t').collect();
        let [speaker, start, end, text] = fields[..] else {
            panic!("four fields, not `{row}`")
        };
        Line {
            speaker: speaker.to_owned(),
            span: start.parse().expect("start in ms")..end.parse().expect("end in ms"),
            text: text.to_owned(),
        }
    };
    text.lines().map(line).collect()
}

/// The audio of a track, 16 kHz mono.
pub(crate) fn pcm(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(fixture(&format!("{name}.s16"))).expect("a readable fixture");
    bytes
        .chunks_exact(2)
        .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0)
        .collect()
}

fn fixture(file: &str) -> PathBuf {
    let path = root().join("target/fixtures/speech").join(file);
    assert!(
        path.is_file(),
        "`{}` is missing: run `tests/fixtures/speech.sh`",
        path.display()
    );
    path
}

/// The command that becomes the speech process.
pub(crate) fn command() -> Vec<OsString> {
    vec![env!("CARGO_BIN_EXE_offloader").into(), "speech".into()]
}

/// A client with a speech process of its own.
pub(crate) fn client() -> SpeechClient {
    client_with(|_| {})
}

pub(crate) fn client_with(change: impl FnOnce(&mut SpeechConfig)) -> SpeechClient {
    let mut config = SpeechConfig::new(command(), models_dir());
    change(&mut config);
    SpeechClient::start(config).expect("the speech process can be started")
}
