//! One log event as a line.
//!
//! JSON: `timestamp`, `level`, `msg`, `caller`, then the fields in the order of the event.
//! Plain: the same, separated by blanks, fields as `name=value`.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The form of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineFormat {
    pub(super) json: bool,
    pub(super) color: bool,
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let caller = match (metadata.file(), metadata.line()) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => metadata.target().to_owned(),
        };
        let timestamp = timestamp(SystemTime::now());
        let line = if self.json {
            json_line(&timestamp, *metadata.level(), &caller, fields)
        } else {
            plain_line(&timestamp, *metadata.level(), &caller, &fields, self.color)
        };
        writeln!(writer, "{line}")
    }
}

/// The fields of an event, in its order.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = text(&value);
        } else {
            self.others.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn json_line(timestamp: &str, level: Level, caller: &str, fields: Fields) -> String {
    // Written entry by entry: the map of `serde_json` would sort them.
    let mut line = String::from("{");
    let head = [
        ("timestamp", Value::from(timestamp)),
        ("level", Value::from(level_name(level))),
        ("msg", Value::from(fields.message)),
        ("caller", Value::from(caller)),
    ];
    let mut seen = Map::new();
    for (name, value) in head.into_iter().chain(fields.others) {
        if seen.insert(name.to_owned(), Value::Null).is_some() {
            continue;
        }
        let comma = if line.len() > 1 { "," } else { "" };
        let _ = write!(line, "{comma}{}:{value}", Value::from(name));
    }
    line.push('}');
    line
}

fn plain_line(timestamp: &str, level: Level, caller: &str, fields: &Fields, color: bool) -> String {
    let name = level_name(level);
    let level = if color {
        format!("\u{1b}[{}m{name:<5}\u{1b}[0m", color_of(level))
    } else {
        format!("{name:<5}")
    };
    let mut line = format!("{level} [{timestamp}] {}", one_line(&fields.message));
    let _ = write!(line, " caller=\"{caller}\"");
    for (name, value) in &fields.others {
        // As JSON, texts are quoted: a value cannot pass for another field or line.
        let _ = write!(line, " {name}={value}");
    }
    line
}

/// Keeps a message from passing for two.
fn one_line(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn color_of(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 36,
        Level::DEBUG | Level::TRACE => 90,
    }
}

/// Renders a time in UTC as `YYYY-MM-DD HH:MM:SS.mmm +00:00`.
fn timestamp(time: SystemTime) -> String {
    let at = OffsetDateTime::from(time);
    let ((year, month, day), (hour, minute, second)) = (at.to_calendar_date(), at.to_hms());
    let (month, millis) = (u8::from(month), at.millisecond());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03} +00:00")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn fields() -> Fields {
        Fields {
            message: "session\nended".to_owned(),
            others: vec![
                ("callID", "c\"1".into()),
                ("seconds", 5.into()),
                ("msg", "x".into()),
            ],
        }
    }

    #[test]
    fn json_lines_have_the_keys_of_the_reference_in_order() {
        let line = json_line("now", Level::INFO, "a.rs:1", fields());
        assert_eq!(
            line,
            r#"{"timestamp":"now","level":"info","msg":"session\nended","caller":"a.rs:1","callID":"c\"1","seconds":5}"#
        );
        assert!(serde_json::from_str::<Value>(&line).is_ok());
    }

    #[test]
    fn plain_lines_are_one_line() {
        let line = plain_line("now", Level::WARN, "a.rs:1", &fields(), false);
        assert_eq!(
            line,
            r#"warn  [now] session ended caller="a.rs:1" callID="c\"1" seconds=5 msg="x""#
        );
    }

    #[test]
    fn dates_are_right_over_leap_days() {
        let at = |seconds: u64| timestamp(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7));
        assert_eq!(at(0), "1970-01-01 00:00:00.007 +00:00");
        assert_eq!(at(951_782_399), "2000-02-28 23:59:59.007 +00:00");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00.007 +00:00");
        assert_eq!(at(1_709_251_200), "2024-03-01 00:00:00.007 +00:00");
        assert_eq!(at(4_102_444_799), "2099-12-31 23:59:59.007 +00:00");
    }
}
