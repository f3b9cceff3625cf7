//! What a client calls its file, made safe to show and to save.

use crate::embedded::fault::Fault;

/// Longest file name, in bytes.
const MAX_FILENAME_BYTES: usize = 255;

/// Takes the last part of a name, without control characters.
pub(super) fn checked(filename: &str) -> Result<String, Fault> {
    let name = filename
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .trim();
    let is_usable = !name.is_empty()
        && name.len() <= MAX_FILENAME_BYTES
        && !matches!(name, "." | "..")
        && !name.chars().any(|c| c.is_control() || turns_text(c));
    if is_usable {
        return Ok(name.to_owned());
    }
    Err(Fault::invalid(
        "api.file.name.app_error",
        format!(
            "a file name has 1 to {MAX_FILENAME_BYTES} bytes without control characters, also \
             those that turn the direction of text"
        ),
    ))
}

/// Characters that make `exe.txt` of what ends in `txt.exe` (Unicode 9, bidirectional controls).
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns what follows the last dot, in lower case.
pub(super) fn extension_of(filename: &str) -> String {
    filename
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .map(|(_, extension)| extension.to_lowercase())
        .filter(|extension| extension.len() <= 16)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lose_their_directories_and_keep_their_extension() {
        assert_eq!(checked("../../etc/passwd").unwrap(), "passwd");
        assert_eq!(checked("C:\\a\\b.TXT").unwrap(), "b.TXT");
        assert!(checked("a\n").is_ok());
        for bad in ["a\nb", "..", "", "photo\u{202e}gpj.exe", "a\u{2066}b"] {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
        assert_eq!(extension_of("b.TXT"), "txt");
        assert_eq!(extension_of(".profile"), "");
        assert_eq!(extension_of("plain"), "");
    }
}
