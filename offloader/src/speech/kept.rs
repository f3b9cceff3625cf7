//! What was found out about a job's audio, kept in its folder: a second try begins where the first ended.
//!
//! In: a question with its audio, and the answer. Out: the answer, when the same was asked before.
//! Not here: which answers are worth keeping (`client`).
//! Invariant: an answer is found only for the very same audio, model and wishes; half a line, as a
//! killed process leaves it, is no answer.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::wire::Reply;

/// SHA-256 of a whole request frame, in hexadecimal.
pub(super) type Question = String;

#[derive(Serialize, Deserialize)]
struct Line<R> {
    question: Question,
    answer: R,
}

/// The answers of one job.
#[derive(Debug)]
pub(super) struct Kept {
    answers: HashMap<Question, Reply>,
    file: File,
}

impl Kept {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let before = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let lines = before.split(|byte| *byte == b'\n');
        let answers = lines
            .filter_map(|line| serde_json::from_slice::<Line<Reply>>(line).ok())
            .map(|line| (line.question, line.answer))
            .collect();
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if !before.is_empty() && !before.ends_with(b"\n") {
            file.write_all(b"\n")?;
        }
        Ok(Self { answers, file })
    }

    pub(super) fn answer(&self, question: &Question) -> Option<Reply> {
        self.answers.get(question).cloned()
    }

    /// Keeps an answer. A disk that is full costs a repetition at most.
    pub(super) fn keep(&mut self, question: Question, answer: &Reply) {
        let line = Line { question, answer };
        let written = serde_json::to_vec(&line)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                self.file.write_all(&line)
            });
        if let Err(error) = written {
            tracing::debug!(%error, "a finished window is not kept");
        }
    }
}

pub(super) fn question(frame: &[u8]) -> Question {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(64);
    for byte in digest::digest(&digest::SHA256, frame).as_ref() {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::wire::Span;
    use super::*;

    fn speech(end_ms: u64) -> Reply {
        let spans = vec![Span {
            start_ms: 0,
            end_ms,
        }];
        Reply::Speech { spans }
    }

    #[test]
    fn answers_outlive_the_process_and_half_a_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows.jsonl");
        let (one, two, three) = (question(b"one"), question(b"two"), question(b"three"));
        let mut kept = Kept::open(&path).unwrap();
        kept.keep(one.clone(), &speech(1));
        kept.keep(two.clone(), &speech(2));
        drop(kept);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();

        let mut kept = Kept::open(&path).unwrap();
        assert_eq!(kept.answer(&one), Some(speech(1)));
        assert_eq!(kept.answer(&two), None);
        kept.keep(three.clone(), &speech(3));
        assert_eq!(Kept::open(&path).unwrap().answer(&three), Some(speech(3)));
    }
}
