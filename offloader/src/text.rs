//! What is done with words after they were heard: translations and summaries.
//!
//! In: lines of text with their language. Out: as many lines in another language; a summary.
//! Not here: translation to English out of sound, which the speech model does itself (`speech`).
//! Invariant: what people said leaves this machine only for an address that the operator named twice: as
//! the endpoint, and among those that may be asked. Without it nothing is connected to.

use std::path::PathBuf;

use async_trait::async_trait;
use proto::redact::Secret;
use serde::{Deserialize, Serialize};

mod apertium;
mod endpoint;
mod summary;
mod translated;

pub use apertium::Apertium;
pub use endpoint::Endpoint;
pub use summary::{Summary, summarise};
pub use translated::translate;

/// What an operator allows to be done with words.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextOrder {
    /// `None`: no server is asked.
    pub endpoint: Option<EndpointOrder>,
    /// The program of apertium; empty: it is not used.
    pub apertium: PathBuf,
    /// ISO 639-1 codes of the languages that every transcript is translated into.
    pub transcript_languages: Vec<String>,
    pub summaries: bool,
}

/// A server that speaks as OpenAI's does.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointOrder {
    /// `http://host:port/v1`, without a slash at the end.
    pub url: String,
    pub model: String,
    /// Holds a secret: never printed. Empty: none is sent.
    pub key: Secret,
}

impl std::fmt::Debug for TextOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextOrder")
            .field("endpoint", &self.endpoint)
            .field("transcript_languages", &self.transcript_languages)
            .field("summaries", &self.summaries)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EndpointOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointOrder")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Why words were not translated or summarised.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error(
        "nothing here translates from `{from}` to `{to}`: name a server (text.endpoint), or install apertium with the pair"
    )]
    NoTranslator { from: String, to: String },
    #[error("make a client for `{url}`")]
    Client { url: String, source: reqwest::Error },
    #[error("ask `{url}`")]
    Network { url: String, source: reqwest::Error },
    #[error("`{url}` answers {status}")]
    Refused { url: String, status: u16 },
    #[error("the answer of `{url}` is longer than {limit} bytes")]
    TooLong { url: String, limit: usize },
    #[error("the answer of `{url}` is not what it should be: {rule}")]
    Unreadable { url: String, rule: &'static str },
    #[error("run `{}`", program.display())]
    Program {
        program: PathBuf,
        source: std::io::Error,
    },
    #[error("`{}` {what}", program.display())]
    Output {
        program: PathBuf,
        what: &'static str,
    },
}

/// Turns lines into another language.
#[async_trait]
pub trait Translator: Send + Sync {
    /// Whether it can be asked for this pair (ISO 639-1).
    fn knows(&self, from: &str, to: &str) -> bool;

    /// As many lines as were given, in their order.
    async fn translate(
        &self,
        from: &str,
        to: &str,
        lines: &[String],
    ) -> Result<Vec<String>, TextError>;
}

/// Everything that translates here, in the order in which it is asked: what is on this machine first.
///
/// # Errors
/// When no client can be made for the endpoint.
pub async fn translators(order: &TextOrder) -> Result<Vec<Box<dyn Translator>>, TextError> {
    let mut all: Vec<Box<dyn Translator>> = Vec::new();
    if !order.apertium.as_os_str().is_empty()
        && let Some(apertium) = Apertium::find(&order.apertium).await
    {
        all.push(Box::new(apertium));
    }
    if let Some(endpoint) = &order.endpoint {
        all.push(Box::new(Endpoint::new(endpoint)?));
    }
    Ok(all)
}
