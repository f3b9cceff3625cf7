//! Names of recordings: who or where, and when.

use time::OffsetDateTime;

/// Most people named in the file of a direct or group message.
pub(crate) const MOST_NAMES: usize = 8;
/// Longest name within a file name, in characters.
const LONGEST_NAME: usize = 24;

/// Joins the names of people.
pub(crate) fn of_people<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.take(MOST_NAMES).collect::<Vec<_>>().join("-")
}

/// Returns `Call_<name>_<YYYY-MM-DD_hh-mm-ss>` in UTC, safe on every file system.
pub(crate) fn of_call(name: &str, unix_ms: i64) -> String {
    let safe: String = name
        .chars()
        .take(LONGEST_NAME)
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("Call_{safe}_{}", utc(unix_ms))
}

/// Returns `call_logs_<YYYY-MM-DD_hh-mm-ss>.txt` in UTC.
pub(crate) fn of_logs(unix_ms: i64) -> String {
    format!("call_logs_{}.txt", utc(unix_ms))
}

fn utc(unix_ms: i64) -> String {
    // no call takes place in a year that this calendar does not have
    let at = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let ((year, month, day), (hour, minute, second)) = (at.to_calendar_date(), at.to_hms());
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}_{hour:02}-{minute:02}-{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_safe() {
        let name = of_call("Städte & Länder: ein sehr langer Name", 951_782_399_000);
        assert_eq!(name, "Call_St_dte___L_nder__ein_seh_2000-02-28_23-59-59");
        assert_eq!(
            of_call("town-square", 951_868_800_000),
            "Call_town-square_2000-03-01_00-00-00"
        );
    }
}
