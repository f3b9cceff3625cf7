//! The `Authorization` header, read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a request shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    Bearer(&'a str),
    Basic {
        name: String,
        password: String,
    },
    /// No header, or one that cannot be read.
    Nothing,
}

/// Reads a header: `Bearer ` exactly so, `Basic ` in any case.
pub(super) fn parse(header: Option<&str>) -> Presented<'_> {
    let Some(header) = header else {
        return Presented::Nothing;
    };
    if let Some(token) = header.strip_prefix("Bearer ") {
        return Presented::Bearer(token);
    }
    basic(header).unwrap_or(Presented::Nothing)
}

fn basic(header: &str) -> Option<Presented<'static>> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some(Presented::Basic {
        name: name.to_owned(),
        password: password.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let pair = |name: &str, password: &str| Presented::Basic {
            name: name.to_owned(),
            password: password.to_owned(),
        };
        let cases = [
            (Some("Bearer abc"), Presented::Bearer("abc")),
            (Some("bearer abc"), Presented::Nothing),
            (Some("Basic YTpiOmM="), pair("a", "b:c")),
            (Some("bAsIc Og=="), pair("", "")),
            (Some("Basic YQ=="), Presented::Nothing),
            (Some("Basic !"), Presented::Nothing),
            (Some("Basic"), Presented::Nothing),
            (Some(""), Presented::Nothing),
            (None, Presented::Nothing),
        ];
        for (header, presented) in cases {
            assert_eq!(parse(header), presented, "{header:?}");
        }
    }
}
