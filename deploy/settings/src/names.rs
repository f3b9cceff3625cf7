//! Names that somebody has typed: which known one was meant.

/// Letters that may be wrong in a name that is meant as another.
const MOST_WRONG: usize = 3;

/// Returns the known name that is nearest to `typed`, if any is near.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = MOST_WRONG.min(typed.chars().count() / 3);
    let distances = known
        .into_iter()
        .map(|name| (strsim::osa_distance(typed, name), name));
    let near = distances.filter(|(distance, _)| *distance <= most);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Renders `; did you mean ...?` with the nearest known name; empty when none is near.
#[must_use]
pub fn hint<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Whether a name is of the kind that Kubernetes and Docker set for a service called like us, such
/// as `RTCD_PORT_8045_TCP_ADDR`.
#[must_use]
pub(crate) fn is_link(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix).unwrap_or_default();
    let of_port = rest
        .strip_prefix("PORT_")
        .and_then(|rest| rest.split_once('_'));
    rest == "PORT"
        || rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || of_port.is_some_and(|(port, _)| port.bytes().all(|byte| byte.is_ascii_digit()))
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
        assert_eq!(nearest("calls.aav1", known), Some("calls.av1"));
        assert_eq!(hint("calls.avl", known), "; did you mean `calls.av1`?");
    }

    #[test]
    fn names_that_an_orchestrator_sets_are_known() {
        for name in [
            "X_PORT",
            "X_SERVICE_HOST",
            "X_SERVICE_PORT_HTTP",
            "X_PORT_80_TCP_ADDR",
        ] {
            assert!(is_link(name, "X_"), "{name}");
        }
        for name in ["X_RTC_PORT", "X_PORT_RANGE_LOW", "PORT"] {
            assert!(!is_link(name, "X_"), "{name}");
        }
    }
}
