//! Translation by apertium, where an operator has installed it: rules and dictionaries, on this machine.
//!
//! In: lines. Out: as many lines. What it does not know it leaves as it is.
//! Invariant: a line never becomes two; the program gets no arguments but its pair.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::{TextError, Translator};

/// An hour of talk is translated in seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Codes of three letters that its pairs use, for ours of two; some are of several languages.
const LONG_CODES: &[(&str, &str)] = &[
    ("af", "afr"),
    ("be", "bel"),
    ("bg", "bul"),
    ("bs", "hbs"),
    ("ca", "cat"),
    ("cy", "cym"),
    ("da", "dan"),
    ("de", "deu"),
    ("en", "eng"),
    ("es", "spa"),
    ("eu", "eus"),
    ("fr", "fra"),
    ("gl", "glg"),
    ("hi", "hin"),
    ("hr", "hbs"),
    ("id", "ind"),
    ("is", "isl"),
    ("it", "ita"),
    ("mk", "mkd"),
    ("ms", "zlm"),
    ("nb", "nob"),
    ("nl", "nld"),
    ("nn", "nno"),
    ("no", "nob"),
    ("oc", "oci"),
    ("pl", "pol"),
    ("pt", "por"),
    ("ro", "ron"),
    ("ru", "rus"),
    ("sl", "slv"),
    ("sr", "hbs"),
    ("sv", "swe"),
    ("uk", "ukr"),
];

/// The installed program and its pairs.
#[derive(Debug)]
pub struct Apertium {
    program: PathBuf,
    pairs: BTreeSet<String>,
}

impl Apertium {
    /// Asks the program which pairs it has; `None` where there is no such program.
    pub async fn find(program: &Path) -> Option<Self> {
        let list = Command::new(program)
            .arg("-l")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let list = timeout(PATIENCE, list).await.ok()?.ok()?;
        let pairs = String::from_utf8_lossy(&list.stdout);
        let pairs: BTreeSet<_> = pairs.split_whitespace().map(str::to_owned).collect();
        (!pairs.is_empty()).then(|| Self {
            program: program.to_owned(),
            pairs,
        })
    }

    fn pair(&self, from: &str, to: &str) -> Option<String> {
        let spelt = |code: &str| {
            let long = LONG_CODES.iter().find(|(short, _)| *short == code);
            [
                Some(code.to_owned()),
                long.map(|(_, long)| (*long).to_owned()),
            ]
        };
        let spellings = spelt(from).into_iter().flatten().flat_map(|from| {
            let to = spelt(to).into_iter().flatten();
            to.map(move |to| format!("{from}-{to}")).collect::<Vec<_>>()
        });
        spellings.into_iter().find(|pair| self.pairs.contains(pair))
    }

    fn failed(&self, what: &'static str) -> TextError {
        TextError::Output {
            program: self.program.clone(),
            what,
        }
    }
}

#[async_trait]
impl Translator for Apertium {
    fn knows(&self, from: &str, to: &str) -> bool {
        self.pair(from, to).is_some()
    }

    async fn translate(
        &self,
        from: &str,
        to: &str,
        lines: &[String],
    ) -> Result<Vec<String>, TextError> {
        let pair = self.pair(from, to).ok_or_else(|| TextError::NoTranslator {
            from: from.to_owned(),
            to: to.to_owned(),
        })?;
        let program = |source| TextError::Program {
            program: self.program.clone(),
            source,
        };
        // `-u`: words it does not know come without a mark.
        let mut child = Command::new(&self.program)
            .args(["-u", &pair])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(program)?;
        let mut input = child.stdin.take();
        let one_line = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
        let text: String = lines.iter().map(one_line).collect();
        let feed = async move {
            if let Some(mut input) = input.take() {
                // A program that reads no further is judged by what it wrote.
                let _ = input.write_all(text.as_bytes()).await;
            }
        };
        let (output, ()) = timeout(PATIENCE, async {
            tokio::join!(child.wait_with_output(), feed)
        })
        .await
        .map_err(|_| self.failed("does not end"))?;
        let output = output.map_err(program)?;
        if !output.status.success() {
            return Err(self.failed("ends with a failure"));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let translated: Vec<_> = text.lines().take(lines.len()).map(str::to_owned).collect();
        if translated.len() == lines.len() {
            Ok(translated)
        } else {
            Err(self.failed("gives another number of lines"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A program that says it has two pairs and writes its lines in capitals.
    fn program(folder: &Path) -> PathBuf {
        let path = folder.join("apertium");
        let script = "#!/bin/sh\nif [ \"$1\" = -l ]; then printf '  spa-eng\\n  en-es\\n'; exit; fi\n\
                      [ \"$1 $2\" = '-u spa-eng' ] && exec tr a-z A-Z\nexit 1\n";
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    #[tokio::test]
    async fn lines_go_through_the_program_one_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let apertium = Apertium::find(&program(folder.path())).await.unwrap();
        assert!(apertium.knows("es", "en") && apertium.knows("en", "es"));
        assert!(!apertium.knows("es", "fr"));
        let lines = ["buenos\ndias".to_owned(), "hola".to_owned()];
        let translated = apertium.translate("es", "en", &lines).await.unwrap();
        assert_eq!(translated, ["BUENOS DIAS", "HOLA"]);
        let failed = apertium.translate("en", "es", &lines).await;
        assert!(
            matches!(failed, Err(TextError::Output { .. })),
            "{failed:?}"
        );
        let none = Apertium::find(&folder.path().join("nothing")).await;
        assert!(none.is_none());
    }
}
