//! Streams an address into a temporary file, hashing on the way and telling how far it is.
//!
//! In: an address, a folder. Out: a temporary file in that folder and its SHA-256.
//! Invariant: nothing is kept in memory but one chunk; the file vanishes unless it is persisted.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use reqwest::{Certificate, Client, Url};
use service::outgoing::Whom;
use tempfile::NamedTempFile;

/// Largest file fetched: Whisper large in 32-bit floats is 6 GB.
const LIMIT: u64 = 8 << 30;

/// What the names of files begin with that are not yet models.
pub(super) const PREFIX: &str = ".pull-";

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("read the certificates `{}` (PIP_CERT, or cert in pip.conf)", path.display())]
    CertificateFile { path: PathBuf, source: io::Error },
    #[error("set up HTTPS")]
    Client(#[source] reqwest::Error),
    #[error("fetch `{address}`{way}")]
    Fetch {
        address: String,
        /// The proxy in between, in words.
        way: String,
        source: reqwest::Error,
    },
    #[error("`{address}` answered `{status}`")]
    Status { address: String, status: u16 },
    #[error("`{address}` is longer than `{LIMIT}` bytes")]
    TooLong { address: String },
    #[error("write to the models folder `{}`", dir.display())]
    Write { dir: PathBuf, source: io::Error },
}

/// How long a server may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until it is reached.
    pub(super) connect: Duration,
    /// Between two pieces of its answer.
    pub(super) read: Duration,
}

impl Patience {
    pub(super) const USUAL: Self = Self {
        connect: Duration::from_secs(30),
        read: Duration::from_secs(120),
    };
}

/// An HTTP client that trusts the system and the given certificates.
pub(super) fn client(
    certificates: Option<&Path>,
    patience: Patience,
) -> Result<Client, DownloadError> {
    let mut builder = Whom::World
        .client()
        .user_agent(concat!("parley-models/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(patience.connect)
        .read_timeout(patience.read);
    if let Some(path) = certificates {
        let file = |source| DownloadError::CertificateFile {
            path: path.to_owned(),
            source,
        };
        let pem = std::fs::read(path).map_err(file)?;
        let more = Certificate::from_pem_bundle(&pem).map_err(DownloadError::Client)?;
        builder = builder.tls_certs_merge(more);
    }
    builder.build().map_err(DownloadError::Client)
}

/// An address as it may be shown.
pub(super) fn shown(url: &Url) -> Url {
    let mut shown = url.clone();
    // Fails only for addresses without a host.
    let _ = (shown.set_username(""), shown.set_password(None));
    shown.set_query(None);
    shown
}

/// Fetches `url` into a temporary file of `dir` and returns it with its SHA-256 in hex.
pub(super) async fn fetch(
    http: &Client,
    url: Url,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<(NamedTempFile, String), DownloadError> {
    let shown = shown(&url);
    let address = shown.to_string();
    let way = Whom::World.way(&shown);
    let failed = |source: reqwest::Error| DownloadError::Fetch {
        address: address.clone(),
        way: way.clone(),
        source: source.without_url(),
    };
    let mut answer = http.get(url).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(DownloadError::Status {
            status: answer.status().as_u16(),
            address,
        });
    }
    progress.expect(answer.content_length());
    let write = |source| DownloadError::Write {
        dir: dir.to_owned(),
        source,
    };
    let mut file = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempfile_in(dir)
        .map_err(write)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut received = 0u64;
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        received += chunk.len() as u64;
        if received > LIMIT {
            return Err(DownloadError::TooLong { address });
        }
        hash.update(&chunk);
        file.write_all(&chunk).map_err(write)?;
        progress.show(received);
    }
    file.flush().map_err(write)?;
    Ok((file, hex(hash.finish().as_ref())))
}

/// SHA-256 of a file in hex.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut chunk = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok(hex(hash.finish().as_ref()));
        }
        hash.update(chunk.get(..count).unwrap_or_default());
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines of the form `  40% of 70.7 MB`, one per tenth.
pub(super) struct Progress<'a> {
    out: &'a mut dyn Write,
    expected: Option<u64>,
    tenths: u64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            expected: None,
            tenths: 0,
        }
    }

    /// One line of news.
    pub(super) fn say(&mut self, text: &str) {
        // Progress is a courtesy: a closed terminal must not end the work.
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
    }

    fn expect(&mut self, bytes: Option<u64>) {
        self.expected = bytes.filter(|bytes| *bytes > 0);
        self.tenths = 0;
    }

    fn show(&mut self, received: u64) {
        let Some(expected) = self.expected else {
            return;
        };
        let tenths = received.saturating_mul(10) / expected;
        // Small files are there before anybody could read a line about them.
        if tenths > self.tenths && expected > 1 << 20 {
            self.tenths = tenths;
            self.say(&format!("  {:3}% of {}", tenths * 10, megabytes(expected)));
        }
    }
}

/// `70.7 MB`.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}
