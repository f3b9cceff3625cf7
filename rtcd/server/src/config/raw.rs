//! The settings as written: file, then environment over it.
//!
//! In: the text of the file, a lookup of environment names. Out: `Raw`, values by key, and
//! warnings about what was ignored.
//! Not here: whether a value is acceptable (`super::resolve`).

use std::collections::BTreeMap;

use service::names;

use super::keys::{DefaultValue, ENVIRONMENT_SWITCHES, KEYS, Key};

/// Where a value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Default,
    File,
    Environment,
    /// A flag of the command line.
    Flag,
}

/// One value as written.
#[derive(Debug, Clone, PartialEq)]
pub struct RawValue {
    pub value: toml::Value,
    pub origin: Origin,
}

/// What was written, by key path.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    values: BTreeMap<&'static str, RawValue>,
    /// Ignored keys, for the log.
    pub warnings: Vec<String>,
}

/// The file is not TOML.
#[derive(Debug, thiserror::Error)]
#[error("not TOML")]
pub struct NotToml(#[source] Box<toml::de::Error>);

impl Raw {
    /// Reads the text of a file and lays the environment over it.
    ///
    /// # Errors
    /// When the text is not TOML.
    pub fn read(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, NotToml> {
        let table: toml::Table = text.parse().map_err(|error| NotToml(Box::new(error)))?;
        let mut raw = Self::default();
        raw.take_table("", table);
        for key in KEYS {
            if let Some(text) = environment(key.env) {
                raw.set(key, toml::Value::String(text), Origin::Environment);
            }
        }
        for switch in ENVIRONMENT_SWITCHES {
            let value = environment(switch.env).unwrap_or_default();
            if !value.is_empty() && !is_off(&value) {
                raw.warnings
                    .push(format!("{} is set: {}", switch.env, switch.doc));
            }
        }
        Ok(raw)
    }

    /// Warns about names that look like settings and are none: misspelt, most likely.
    pub fn warn_of_unknown(&mut self, environment: impl IntoIterator<Item = String>) {
        let keys = KEYS.iter().map(|key| key.env);
        let switches = ENVIRONMENT_SWITCHES.iter().map(|switch| switch.env);
        let known: Vec<&str> = keys.chain(switches).collect();
        self.warnings
            .extend(names::unknown_environment(environment, &["RTCD_"], &known));
    }

    /// Sets one value over whatever was written.
    pub fn set(&mut self, key: &Key, value: toml::Value, origin: Origin) {
        self.values.insert(key.path, RawValue { value, origin });
    }

    /// Returns what was written, or the default.
    #[must_use]
    pub fn get(&self, key: &Key, cpus: usize) -> RawValue {
        self.values
            .get(key.path)
            .cloned()
            .unwrap_or_else(|| RawValue {
                value: default_value(key, cpus),
                origin: Origin::Default,
            })
    }

    fn take_table(&mut self, prefix: &str, table: toml::Table) {
        for (name, value) in table {
            let name = name.to_lowercase();
            let path = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            let known = KEYS.iter().find(|key| key.path == path);
            match (known, value) {
                (Some(key), value) => self.set(key, value, Origin::File),
                (None, toml::Value::Table(inner)) if is_table_of_keys(&path) => {
                    self.take_table(&path, inner);
                }
                (None, _) => {
                    let hint = names::hint(&path, KEYS.iter().map(|key| key.path));
                    self.warnings
                        .push(format!("unknown key `{path}` ignored{hint}"));
                }
            }
        }
    }
}

fn is_off(value: &str) -> bool {
    matches!(value, "0" | "f" | "F" | "false" | "False" | "FALSE")
}

fn is_table_of_keys(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn default_value(key: &Key, cpus: usize) -> toml::Value {
    let cpus = i64::try_from(cpus).unwrap_or(i64::MAX);
    match key.default {
        DefaultValue::Text(text) => toml::Value::String(text.into()),
        DefaultValue::Flag(flag) => toml::Value::Boolean(flag),
        DefaultValue::Number(number) => toml::Value::Integer(number),
        DefaultValue::PerCpu(number) => toml::Value::Integer(number.saturating_mul(cpus)),
        DefaultValue::EmptyList => toml::Value::Array(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::find;
    use super::*;

    #[test]
    fn keys_and_tables_are_found_in_any_case() {
        let raw = Raw::read("[API.Http]\nListen_Address = \":1\"", |_| None).unwrap();
        let value = raw.get(find("api.http.listen_address").unwrap(), 1);
        assert_eq!(value.value.as_str(), Some(":1"));
        assert_eq!(value.origin, Origin::File);
    }

    #[test]
    fn environment_weighs_more_than_the_file() {
        let raw = Raw::read("[rtc]\nice_port_udp = 1000", |name| {
            (name == "RTCD_RTC_ICEPORTUDP").then(|| "2000".to_owned())
        })
        .unwrap();
        let value = raw.get(find("rtc.ice_port_udp").unwrap(), 1);
        assert_eq!(value.value.as_str(), Some("2000"));
    }

    #[test]
    fn switches_without_effect_and_unknown_names_are_told() {
        let set = |name: &str| match name {
            "PERF_PROFILES" => Some("true".to_owned()),
            "RTCD_RTC_DTLS_INSECURE_SKIP_HELLOVERIFY" => Some("false".to_owned()),
            _ => None,
        };
        let mut raw = Raw::read("", set).unwrap();
        assert_eq!(raw.warnings.len(), 1, "{:?}", raw.warnings);
        assert!(raw.warnings[0].starts_with("PERF_PROFILES is set: "));
        let names = ["RTCD_RTC_ICEPORTUPD", "RTCD_RTC_ICEPORTUDP", "HOME"];
        raw.warn_of_unknown(names.map(str::to_owned));
        assert_eq!(
            raw.warnings[1..],
            [
                "unknown environment name `RTCD_RTC_ICEPORTUPD` ignored; did you mean \
              `RTCD_RTC_ICEPORTUDP`?"
            ]
        );
    }

    #[test]
    fn unknown_keys_are_ignored_with_a_warning() {
        let raw = Raw::read("[rtc]\nspeed = 1\n[video]\nx = 2", |_| None).unwrap();
        assert_eq!(
            raw.warnings,
            [
                "unknown key `rtc.speed` ignored",
                "unknown key `video` ignored"
            ]
        );
    }
}
