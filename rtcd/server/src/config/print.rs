//! Configuration as text: the sample file, and what is in force (secrets hidden).

use std::fmt::Write as _;

use super::Probe;
use super::keys::{DefaultValue, ENVIRONMENT_SWITCHES, KEYS, Key};
use super::raw::{Origin, Raw};
use super::resolve::shown;

const WIDTH: usize = 96;

/// Renders the sample file: every key with its manual and its default.
#[must_use]
pub fn sample() -> String {
    let mut text = String::from(
        "# Configuration of rtcd. Every line that is commented out shows a default.\n\
         # Each key can also be set in the environment, under the name beside it.\n",
    );
    let mut table = "";
    for key in KEYS {
        let (this_table, name) = split(key);
        if this_table != table {
            table = this_table;
            let _ = write!(text, "\n[{table}]\n");
        } else {
            text.push('\n');
        }
        let manual = format!("{} [{}]", key.doc, key.env);
        for line in wrap(&manual) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "# {name} = {}", default_text(key));
    }
    text.push_str("\n# In the environment only:\n");
    for switch in ENVIRONMENT_SWITCHES {
        for line in wrap(&format!("{}: {}", switch.env, switch.doc)) {
            let _ = writeln!(text, "# {line}");
        }
    }
    text
}

/// Renders what is in force, with the origin of each value, secrets hidden.
#[must_use]
pub fn effective(raw: &Raw, probe: Probe) -> String {
    let mut text = String::new();
    let mut table = "";
    for key in KEYS {
        let (this_table, name) = split(key);
        if this_table != table {
            let gap = if table.is_empty() { "" } else { "\n" };
            table = this_table;
            let _ = writeln!(text, "{gap}[{table}]");
        }
        let value = raw.get(key, probe.cpus);
        let written = if key.secret || key.has_secrets_inside() {
            toml::Value::String(shown(key, &value.value)).to_string()
        } else {
            value.value.to_string()
        };
        let origin = match value.origin {
            Origin::Default => "default",
            Origin::File => "file",
            Origin::Environment => "environment",
            Origin::Flag => "flag",
        };
        let _ = writeln!(text, "{name} = {written} # {origin}");
    }
    text
}

fn split(key: &Key) -> (&'static str, &'static str) {
    key.path.rsplit_once('.').unwrap_or(("", key.path))
}

fn default_text(key: &Key) -> String {
    match key.default {
        DefaultValue::Text(text) => toml::Value::String(text.into()).to_string(),
        DefaultValue::Flag(flag) => flag.to_string(),
        DefaultValue::Number(number) => number.to_string(),
        DefaultValue::PerCpu(1) => "<number of CPUs>".to_owned(),
        DefaultValue::PerCpu(number) => format!("<{number} for each CPU>"),
        DefaultValue::EmptyList => "[]".to_owned(),
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const PROBE: Probe = Probe {
        cpus: 2,
        tls: |_| Ok(()),
    };

    /// `UPDATE_GOLDEN=1` rewrites the file.
    #[test]
    fn the_sample_file_is_the_one_made_from_the_keys() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rtcd.toml");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, sample()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), sample());
    }

    #[test]
    fn the_sample_file_holds_every_key_and_can_be_used() {
        let raw = Raw::read(&sample(), |_| None).unwrap();
        assert!(raw.warnings.is_empty());
        assert!(Config::resolve(&raw, PROBE).is_ok());

        let uncommented: String = sample()
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|l| l.contains(" = "))
                    .unwrap_or(line)
            })
            .map(|line| {
                line.replace("<number of CPUs>", "2")
                    .replace("<100 for each CPU>", "200")
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let raw = Raw::read(&uncommented, |_| None).unwrap();
        assert!(raw.warnings.is_empty(), "{:?}", raw.warnings);
        for key in KEYS {
            assert_eq!(raw.get(key, 2).origin, Origin::File, "{}", key.path);
        }
        assert!(Config::resolve(&raw, PROBE).is_ok());
    }

    #[test]
    fn secrets_are_never_printed() {
        let text = r#"
            [api.security]
            admin_secret_key = "hush-admin"
            [rtc]
            ice_servers = [{urls = ["turn:t:3478"], username = "u", credential = "hush-turn"}]
            [rtc.turn]
            static_auth_secret = "hush-shared"
        "#;
        let printed = effective(&Raw::read(text, |_| None).unwrap(), PROBE);
        assert!(!printed.contains("hush"), "{printed}");
        assert!(
            printed.contains("admin_secret_key = \"(set)\" # file"),
            "{printed}"
        );
        assert!(
            printed.contains("ice_port_udp = 8443 # default"),
            "{printed}"
        );
    }
}
