//! Which compressed form of a file a client takes.
//!
//! In: `Accept-Encoding`. Out: the forms that we have and it takes, the best first.
//! See: RFC 9110, 12.5.3.

use axum::http::{HeaderMap, header};

/// A form in which the build writes a file beside the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// The smaller one first.
    pub(super) const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// As the headers say it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// How the name of such a file ends.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }
}

/// The forms that a client takes and likes at least as well as the plain one.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Encoding> {
    let lists = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    let offers: Vec<(String, u16)> = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(offer)
        .collect();
    let quality = |word: &str| {
        let of = |name: &str| offers.iter().find(|(word, _)| word == name);
        of(word).or_else(|| of("*")).map(|(_, quality)| *quality)
    };
    let plain = offers
        .iter()
        .find(|(word, _)| word == "identity")
        .map_or(0, |(_, quality)| *quality);
    let mut taken: Vec<(Encoding, u16)> = Encoding::ALL
        .into_iter()
        .filter_map(|encoding| Some((encoding, quality(encoding.word())?)))
        .filter(|(_, quality)| *quality > 0 && *quality >= plain)
        .collect();
    // Sorting keeps the order of those that are liked equally.
    taken.sort_by_key(|(_, quality)| std::cmp::Reverse(*quality));
    taken.into_iter().map(|(encoding, _)| encoding).collect()
}

/// One entry of the list, and how well it is liked, in thousandths.
fn offer(entry: &str) -> Option<(String, u16)> {
    let mut parts = entry.split(';').map(str::trim);
    let word = parts.next().filter(|word| !word.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let quality = match weight {
        None => 1000,
        Some(weight) => {
            let weight: f32 = weight.trim().parse().ok()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and 1000"
            )]
            let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
            thousandths
        }
    };
    Some((word.to_ascii_lowercase(), quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &str) -> Vec<&'static str> {
        let mut headers = HeaderMap::new();
        if !list.is_empty() {
            headers.insert(header::ACCEPT_ENCODING, list.parse().unwrap());
        }
        accepted(&headers).into_iter().map(Encoding::word).collect()
    }

    #[test]
    fn the_best_form_that_is_taken_comes_first() {
        for (list, expected) in [
            ("", &[][..]),
            ("gzip, deflate, br, zstd", &["br", "gzip"]),
            ("GZIP", &["gzip"]),
            ("x-gzip", &[]),
            ("br;q=0.5, gzip;q=0.8", &["gzip", "br"]),
            ("br;q=0, gzip", &["gzip"]),
            ("*", &["br", "gzip"]),
            ("*;q=0.1, br;q=0", &["gzip"]),
            ("identity", &[]),
            ("identity, gzip;q=0.5", &[]),
            ("identity;q=0.5, gzip;q=0.5", &["gzip"]),
            ("gzip; q=nonsense, ;;,", &[]),
            ("gzip;q=-1", &[]),
        ] {
            assert_eq!(words(list), expected, "{list}");
        }
    }
}
