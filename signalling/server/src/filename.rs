//! Names of recordings: who or where, and when.

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

fn utc(unix_ms: i64) -> String {
    let seconds = unix_ms.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}_{hour:02}-{minute:02}-{second:02}")
}

/// The Gregorian date of a day counted from 1970-01-01. Years begin in March here, so that the leap
/// day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_era = days + 719_468;
    let era = since_era.div_euclid(146_097);
    let day_of_era = since_era.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
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
