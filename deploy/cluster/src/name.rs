//! Names of nodes, records and topics: one narrow alphabet, checked in one place, so that every engine
//! can carry them as they are.
//!
//! A token is 1 to 64 of `a-z A-Z 0-9 _ -`. A key or a topic is tokens joined by dots. Topics that
//! begin with `node` are a node's own: `node.<id>.<...>` reaches the node and nobody else.

use std::fmt;
use std::sync::Arc;

use crate::Error;

/// Longest token, in bytes.
pub const MAX_TOKEN: usize = 64;
/// Longest key or topic, in bytes.
pub const MAX_NAME: usize = 200;
/// Longest record, job, message, question or answer, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// The first token of what is addressed to one node.
const NODE: &str = "node";

const TOKEN_RULE: &str = "a name has 1 to 64 of the characters a-z A-Z 0-9 _ -";
const NAME_RULE: &str =
    "a key or topic is tokens of a-z A-Z 0-9 _ - joined by dots, 200 bytes at most";
const PATTERN_RULE: &str = "a pattern is a topic in which * stands for one token and > at the end for the rest; \
     what is addressed to a node names it";
const BODY_RULE: &str = "a body has 64 KiB at most";

/// Writes a token so that it is a part of a DNS name, in which capital letters mean nothing: lower case
/// letters but `x`, and digits, as they are, others as `x` and two hexadecimal digits.
fn dns_label(token: &str) -> String {
    use fmt::Write as _;
    let mut name = String::new();
    for (place, byte) in token.bytes().enumerate() {
        // A label has 63 characters at most.
        if place > 0 && place % 20 == 0 {
            name.push('.');
        }
        if byte.is_ascii_digit() || (byte.is_ascii_lowercase() && byte != b'x') {
            name.push(char::from(byte));
        } else {
            // Into memory.
            let _ = write!(name, "x{byte:02x}");
        }
    }
    name
}

/// Checks one token.
///
/// # Errors
/// `Invalid` with the rule.
pub fn check_token(text: &str) -> Result<(), Error> {
    if is_token(text) {
        Ok(())
    } else {
        Err(Error::Invalid(TOKEN_RULE))
    }
}

/// Checks the key of a record.
///
/// # Errors
/// `Invalid` with the rule.
pub fn check_key(text: &str) -> Result<(), Error> {
    if text.len() <= MAX_NAME && text.split('.').all(is_token) {
        Ok(())
    } else {
        Err(Error::Invalid(NAME_RULE))
    }
}

/// Checks what a key begins with: whole tokens, or nothing.
///
/// # Errors
/// `Invalid` with the rule.
pub fn check_prefix(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    check_key(text)
}

/// Whether a key is below a prefix: its first tokens are the prefix's, and there are more.
#[must_use]
pub fn is_below(key: &str, prefix: &str) -> bool {
    prefix.is_empty()
        || key
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// Checks the size of a body.
///
/// # Errors
/// `Invalid` with the rule.
pub fn check_body(body: &[u8]) -> Result<(), Error> {
    if body.len() <= MAX_BODY {
        Ok(())
    } else {
        Err(Error::Invalid(BODY_RULE))
    }
}

fn is_token(text: &str) -> bool {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(is_ours)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Who a node is: one token, the same over all its starts.
    NodeId
}

name! {
    /// Where something is published or asked.
    Topic
}

name! {
    /// Which topics are listened to: a topic, with `*` for one token and `>` at its end for the rest.
    Pattern
}

impl NodeId {
    /// Takes a node's name.
    ///
    /// # Errors
    /// `Invalid` when it is not one token.
    pub fn new(text: &str) -> Result<Self, Error> {
        check_token(text)?;
        Ok(Self(text.into()))
    }

    /// The name that this node's certificate is made out to, in the cluster of this name: another for
    /// every node and every cluster.
    #[must_use]
    pub fn dns_name(&self, site: &str) -> String {
        format!("{}.node.{}.parley", dns_label(&self.0), dns_label(site))
    }
}

impl Topic {
    /// Takes a topic.
    ///
    /// # Errors
    /// `Invalid` when it is not tokens joined by dots, or addressed to no node although it begins so.
    pub fn new(text: &str) -> Result<Self, Error> {
        check_key(text)?;
        if text == NODE || (text.starts_with("node.") && text.split('.').count() < 3) {
            return Err(Error::Invalid(
                "what is addressed to a node is `node.<id>.<what>`",
            ));
        }
        Ok(Self(text.into()))
    }

    /// Makes the topic of what is addressed to one node.
    ///
    /// # Errors
    /// `Invalid` when `what` is not tokens joined by dots.
    pub fn to(node: &NodeId, what: &str) -> Result<Self, Error> {
        Self::new(&format!("{NODE}.{node}.{what}"))
    }

    /// Returns the node that this is addressed to, if it is to one alone, and what is behind it.
    #[must_use]
    pub fn addressee(&self) -> Option<(&str, &str)> {
        addressee(&self.0)
    }
}

impl Pattern {
    /// Takes a pattern.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub fn new(text: &str) -> Result<Self, Error> {
        let refused = Error::Invalid(PATTERN_RULE);
        if text.len() > MAX_NAME {
            return Err(refused);
        }
        let tokens: Vec<&str> = text.split('.').collect();
        let last = tokens.len() - 1;
        let is_pattern = tokens
            .iter()
            .enumerate()
            .all(|(at, token)| is_token(token) || *token == "*" || (*token == ">" && at == last));
        let is_addressed = tokens.first() == Some(&NODE);
        let names_it = tokens.len() > 2 && tokens.get(1).is_some_and(|token| is_token(token));
        if is_pattern && (!is_addressed || names_it) {
            Ok(Self(text.into()))
        } else {
            Err(refused)
        }
    }

    /// Returns the node that this listens for, if it is one's own, and what is behind it.
    #[must_use]
    pub fn addressee(&self) -> Option<(&str, &str)> {
        addressee(&self.0)
    }

    /// Whether a topic is one of those. Wildcards do not reach what is addressed to a node.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        if self.addressee().is_some() != topic.addressee().is_some() {
            return false;
        }
        let mut topic = topic.0.split('.');
        for token in self.0.split('.') {
            match (token, topic.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (token, Some(other)) if token == other => {}
                _ => return false,
            }
        }
        topic.next().is_none()
    }
}

impl From<Topic> for Pattern {
    fn from(topic: Topic) -> Self {
        Self(topic.0)
    }
}

fn addressee(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("node.")?.split_once('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_narrow_alphabet() {
        for good in ["a", "call.x-1.y_2", "A.9"] {
            check_key(good).unwrap();
        }
        let long = "a".repeat(MAX_TOKEN + 1);
        let deep = ["abcdefghi"; 21].join(".");
        for bad in [
            "", ".", "a.", ".a", "a..b", "a b", "a/b", "a.*", "ä", "$x", &long, &deep,
        ] {
            assert_eq!(check_key(bad), Err(Error::Invalid(NAME_RULE)), "{bad}");
        }
        assert!(NodeId::new("n1").is_ok() && NodeId::new("n.1").is_err());
        assert!(
            check_body(&vec![0; MAX_BODY]).is_ok() && check_body(&vec![0; MAX_BODY + 1]).is_err()
        );
    }

    #[test]
    fn a_pattern_reaches_what_it_says_and_no_node_but_the_one_it_names() {
        for (pattern, topic, matches) in [
            ("calls.a", "calls.a", true),
            ("calls.a", "calls.b", false),
            ("calls.*", "calls.a", true),
            ("calls.*", "calls.a.b", false),
            ("calls.>", "calls.a.b", true),
            ("calls.>", "calls", false),
            ("*.a", "calls.a", true),
            (">", "calls.a", true),
            (">", "node.n1.ask", false),
            ("*.n1.ask", "node.n1.ask", false),
            ("node.n1.>", "node.n1.ask", true),
            ("node.n1.>", "node.n2.ask", false),
        ] {
            let (of, to) = (Pattern::new(pattern).unwrap(), Topic::new(topic).unwrap());
            assert_eq!(of.matches(&to), matches, "{pattern} {topic}");
        }
        for bad in ["node.*.ask", "node.>", "a.>.b", "a.x*", ""] {
            assert_eq!(
                Pattern::new(bad),
                Err(Error::Invalid(PATTERN_RULE)),
                "{bad}"
            );
        }
        assert!(Topic::new("node.n1").is_err() && Topic::new("calls.*").is_err());
    }

    #[test]
    fn a_key_is_below_whole_tokens() {
        assert!(is_below("call.a", "call") && is_below("call.a", ""));
        assert!(!is_below("call", "call") && !is_below("calls.a", "call"));
    }
}
