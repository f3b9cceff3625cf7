//! Settings as text: the sample file, and what is in force (secrets hidden).

use std::fmt::Write as _;

use crate::{Key, Origin, Read, Settings};

const WIDTH: usize = 96;

/// Renders the sample file: every key with its manual, its names in the environment, and its default.
#[must_use]
pub fn sample<S: Settings>() -> String {
    let defaults = S::default();
    let program = S::MANNER.program;
    let mut text = format!(
        "# Configuration of {program}. A line that is commented out shows a default.\n\
         # Each key can also be set in the environment, under the names in brackets; the last one weighs\n\
         # most. `{program} check-config` names every problem, `{program} print-config` shows what holds.\n",
    );
    let mut table = "";
    for key in S::keys() {
        let (name, is_first) = enter(key, &mut table, &mut text);
        if !is_first {
            text.push('\n');
        }
        let doc = key.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        wrap(&format!("{doc} [{}]", key.names().join(", ")), &mut text);
        let _ = writeln!(text, "# {name} = {}", (key.show)(&defaults));
    }
    if !S::MANNER.others.is_empty() {
        text.push_str("\n# In the environment only:\n");
    }
    for other in S::MANNER.others {
        wrap(&format!("{}: {}", other.name, other.doc), &mut text);
    }
    text
}

impl<S: Settings> Read<S> {
    /// Renders what is in force, with the origin of each value, secrets hidden.
    #[must_use]
    pub fn print(&self) -> String {
        let (mut text, mut table) = (String::new(), "");
        for key in S::keys() {
            let (name, _) = enter(key, &mut table, &mut text);
            let origin = match self.origin(key.path) {
                Origin::Default => "default".to_owned(),
                Origin::File => "file".to_owned(),
                Origin::Environment(name) => format!("environment: {name}"),
                Origin::Flag => format!("{} itself", S::MANNER.program),
            };
            let _ = writeln!(text, "{name} = {} # {origin}", (key.show)(&self.raw));
        }
        text
    }
}

/// Begins the table of a key where another one ends. Returns the key's name, and whether it is the
/// first one.
fn enter<S>(key: &Key<S>, table: &mut &'static str, text: &mut String) -> (&'static str, bool) {
    let (this_table, name) = key.parts();
    let is_first = this_table != *table;
    if is_first {
        *table = this_table;
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}[{table}]");
    }
    (name, is_first)
}

/// Writes a comment.
fn wrap(comment: &str, text: &mut String) {
    let mut line = String::from("#");
    for word in comment.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH + 2 && line.len() > 1 {
            let _ = writeln!(text, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}
