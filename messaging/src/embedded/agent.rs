//! What somebody signs in with, as the header `User-Agent` tells it: a browser and a system, by which
//! people recognise their devices in a list of sign-ins.
//!
//! In: the header. Out: names of the tables below.
//! Not here: trust. Programs send what they like, and nothing is decided by it.
//! Invariant: nothing of what was sent is kept but whether a name of ours is in it.

/// Each name is empty where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) browser: &'static str,
    pub(super) os: &'static str,
}

/// What a header holds and what that is called. The first that fits: most browsers name others as well.
const BROWSERS: &[(&str, &str)] = &[
    ("Mattermost", "Mattermost"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// The same for systems: phones name the system they come from as well.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

impl Agent {
    /// Reads the header; nothing is known without one.
    pub(super) fn from_header(header: Option<&str>) -> Self {
        let header = header.unwrap_or_default();
        let named = |table: &[(&'static str, &'static str)]| {
            let found = table.iter().find(|(part, _)| header.contains(part));
            found.map_or("", |(_, name)| *name)
        };
        Self {
            browser: named(BROWSERS),
            os: named(SYSTEMS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_systems_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let mobile = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
        for (header, browser, os) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
                "Firefox",
                "Linux",
            ),
            (
                format!(
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/140.0.0.0 Safari/537.36"
                ),
                "Chrome",
                "Windows",
            ),
            (
                format!(
                    "Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
                ),
                "Edge",
                "Windows",
            ),
            (
                format!(
                    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {mobile} Version/18.0 Safari/605.1.15"
                ),
                "Safari",
                "macOS",
            ),
            (
                format!(
                    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {mobile} FxiOS/140.0 Mobile/15E148 Safari/605.1.15"
                ),
                "Firefox",
                "iOS",
            ),
            (
                format!(
                    "Mozilla/5.0 (Linux; Android 15; K) {webkit} Chrome/140.0.0.0 Mobile Safari/537.36"
                ),
                "Chrome",
                "Android",
            ),
            (
                format!(
                    "Mozilla/5.0 (Macintosh) {webkit} Mattermost/5.13.0 Chrome/138.0 Electron/37.2 Safari/537.36"
                ),
                "Mattermost",
                "macOS",
            ),
            ("curl/8.14.1".to_owned(), "curl", ""),
            ("<script>".to_owned(), "", ""),
        ] {
            let agent = Agent::from_header(Some(&header));
            assert_eq!((agent.browser, agent.os), (browser, os), "{header}");
        }
        assert_eq!(Agent::from_header(None), Agent::default());
    }
}
