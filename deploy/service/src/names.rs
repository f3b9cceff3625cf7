//! Names that somebody has typed: which known one was meant.

/// Letters that may be wrong in a name that is meant as another.
const MOST_WRONG: usize = 3;

/// Returns the known name that is nearest to `typed`, if any is near.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = MOST_WRONG.min(typed.chars().count() / 3);
    let distances = known.into_iter().map(|name| (distance(typed, name), name));
    let near = distances.filter(|(distance, _)| *distance <= most);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Renders `; did you mean ...?` with the nearest known name; empty when none is near.
#[must_use]
pub fn hint<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Finds environment names that look like settings and are none: misspelt, most likely. `prefixes`
/// are ours alone; without one of them only a name near to a known one is told.
#[must_use]
pub fn unknown_environment(
    names: impl IntoIterator<Item = String>,
    prefixes: &[&str],
    known: &[&str],
) -> Vec<String> {
    let mut told: Vec<String> = names
        .into_iter()
        .filter(|name| !known.contains(&name.as_str()))
        .filter_map(|name| {
            let hint = hint(&name, known.iter().copied());
            let is_ours = prefixes.iter().any(|prefix| name.starts_with(prefix));
            (is_ours || !hint.is_empty())
                .then(|| format!("unknown environment name `{name}` ignored{hint}"))
        })
        .collect();
    told.sort();
    told
}

/// Finds environment names that begin with a prefix that is ours alone and are none of ours.
#[must_use]
pub fn foreign(
    names: impl IntoIterator<Item = String>,
    prefix: &str,
    known: &[&str],
) -> Vec<String> {
    let ours = names.into_iter().filter(|name| name.starts_with(prefix));
    let unknown = ours.filter(|name| !known.contains(&name.as_str()));
    let mut told: Vec<String> = unknown
        .map(|name| {
            let hint = hint(&name, known.iter().copied());
            format!("`{name}` in the environment: there is no such name{hint}")
        })
        .collect();
    told.sort();
    told
}

/// The names of this process's environment.
pub fn environment() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}

/// Letters to add, drop, change or swap with their neighbour to get from one name to the other.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let change = at(&last, column) + usize::from(letter != against);
            let mut least = change
                .min(at(&last, column + 1) + 1)
                .min(at(&next, column) + 1);
            let is_swap = row > 0
                && column > 0
                && one.get(row - 1) == Some(against)
                && other.get(column - 1) == Some(letter);
            if is_swap {
                least = least.min(at(&before_last, column - 1) + 1);
            }
            next.push(least);
        }
        before_last = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_far_ones_are_not() {
        let known = ["calls.video", "calls.av1", "http.listen"];
        for (typed, meant) in [
            ("calls.vidoe", Some("calls.video")),
            ("call.video", Some("calls.video")),
            ("http.lissten", Some("http.listen")),
            ("calls.simulcast", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
        assert_eq!(hint("calls.avl", known), "; did you mean `calls.av1`?");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn misspelt_environment_names_are_told_and_others_are_not() {
        let names = [
            "RTCD_RTC_PROT",
            "RTCD_RTC_PORT",
            "STORE_DATASOURC",
            "HOME",
            "STORE_X",
        ];
        let known = ["RTCD_RTC_PORT", "STORE_DATASOURCE"];
        let told = unknown_environment(names.map(str::to_owned), &["RTCD_"], &known);
        assert_eq!(
            told,
            [
                "unknown environment name `RTCD_RTC_PROT` ignored; did you mean `RTCD_RTC_PORT`?",
                "unknown environment name `STORE_DATASOURC` ignored; did you mean `STORE_DATASOURCE`?",
            ]
        );
        let told = unknown_environment(["RTCD_COLOUR".to_owned()], &["RTCD_"], &known);
        assert_eq!(told, ["unknown environment name `RTCD_COLOUR` ignored"]);
        let names = ["RTCD_RTC_PROT", "RTCD_RTC_PORT", "STORE_X"].map(str::to_owned);
        assert_eq!(
            foreign(names, "RTCD_", &known),
            [
                "`RTCD_RTC_PROT` in the environment: there is no such name; did you mean `RTCD_RTC_PORT`?"
            ]
        );
    }
}
