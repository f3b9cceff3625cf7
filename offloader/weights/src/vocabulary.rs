//! The vocabulary of Whisper: from printable stand-ins to the bytes a token means.
//!
//! In: the text file, one token per line. Out: the bytes of every token before the special ones.
//! See: byte-level BPE as in GPT-2, where every byte that would not print has a letter for it.

use std::collections::BTreeMap;

/// The first special token; everything before it is text.
const END_OF_TEXT: &str = "<|endoftext|>";

/// Why a vocabulary cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    #[error("the vocabulary is not UTF-8")]
    NotText(#[source] std::str::Utf8Error),
    #[error("the vocabulary has no `{END_OF_TEXT}`, which parts text from special tokens")]
    NoEnd,
    #[error("token `{token}` of the vocabulary has `{character}`, which stands for no byte")]
    Character { token: String, character: char },
}

/// The tokens of a vocabulary file, special ones included.
pub(crate) fn tokens(file: &[u8]) -> Result<Vec<&str>, VocabularyError> {
    let text = std::str::from_utf8(file).map_err(VocabularyError::NotText)?;
    Ok(text.trim_end_matches('\n').split('\n').collect())
}

/// The raw bytes of every text token of a vocabulary file, in order.
///
/// # Errors
/// When the file is not a byte-level vocabulary.
pub(crate) fn text_tokens(file: &[u8]) -> Result<Vec<Vec<u8>>, VocabularyError> {
    let tokens = tokens(file)?;
    let end = tokens
        .iter()
        .position(|token| *token == END_OF_TEXT)
        .ok_or(VocabularyError::NoEnd)?;
    let bytes_by_character = stand_ins();
    let bytes_of = |token: &&str| {
        let byte = |character| {
            let known = bytes_by_character.get(&character).copied();
            known.ok_or_else(|| VocabularyError::Character {
                token: (*token).to_owned(),
                character,
            })
        };
        token.chars().map(byte).collect()
    };
    tokens.iter().take(end).map(bytes_of).collect()
}

/// Printable Latin-1 stands for itself; the other bytes, in order, for the letters from U+0100.
fn stand_ins() -> BTreeMap<char, u8> {
    let (plain, other): (Vec<u8>, Vec<u8>) =
        (0..=u8::MAX).partition(|byte| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..));
    let itself = plain.into_iter().map(|byte| (char::from(byte), byte));
    itself.chain(('\u{100}'..).zip(other)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_has_one_stand_in() {
        let table = stand_ins();
        assert_eq!(table.len(), 256);
        assert_eq!(
            (table[&'!'], table[&'\u{120}'], table[&'\u{10a}']),
            (b'!', b' ', b'\n')
        );
    }

    #[test]
    fn tokens_before_the_special_ones_become_bytes() {
        let file = "!\n\u{120}the\n<|endoftext|>\n<|en|>\n".as_bytes();
        assert_eq!(
            text_tokens(file).unwrap(),
            [b"!".to_vec(), b" the".to_vec()]
        );
        assert_eq!(tokens(file).unwrap().len(), 4);
    }

    #[test]
    fn a_character_without_a_byte_is_named() {
        let error = text_tokens("ok\n\u{4e00}\n<|endoftext|>".as_bytes()).unwrap_err();
        assert!(error.to_string().contains('\u{4e00}'), "{error}");
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = text_tokens(&bytes);
        }
    }
}
