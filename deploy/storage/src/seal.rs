//! Secrets at rest: sealed with a key that lies in a file readable by its owner only.
//!
//! In: a secret, and what it is for. Out: bytes (or a text) that open only with this key and for
//! the same purpose. Not here: what is secret.
//! Invariant: a key that was used to seal is on the disk before anything sealed with it is.
//! See: NIST SP 800-38D (AES-GCM).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

const KEY_LEN: usize = 32;
/// How a sealed text begins; no secret of ours begins so in clear.
const MARK: &str = "sealed:";

/// Why secrets cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("key file `{path}`")]
    KeyFile { path: PathBuf, source: io::Error },
    #[error("key file `{path}` does not hold {KEY_LEN} bytes")]
    KeyLength { path: PathBuf },
    #[error("draw random bytes")]
    Random,
    #[error(
        "the sealed secret of `{purpose}` does not open with this key: bring back the key file \
         it was sealed with"
    )]
    Closed { purpose: String },
}

/// Seals and opens.
pub struct Sealer {
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Reads the key in this file; makes one the first time.
    ///
    /// # Errors
    /// When the file cannot be read or made, or is not a key.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::KeyFile {
            path: path.to_owned(),
            source,
        };
        let bytes = match fs::read(path) {
            Ok(bytes) => {
                keep_private(path).map_err(failed)?;
                bytes
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = vec![0; KEY_LEN];
                aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SealError::Random)?;
                write_new(path, &bytes).map_err(failed)?;
                bytes
            }
            Err(error) => return Err(failed(error)),
        };
        let key =
            RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::KeyLength {
                path: path.to_owned(),
            })?;
        Ok(Self { key })
    }

    /// Seals `secret` for `purpose`: nonce, then cipher text and tag.
    ///
    /// # Errors
    /// When no randomness can be had.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut body = secret.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut body)
            .map_err(|_| SealError::Random)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for `purpose`.
    ///
    /// # Errors
    /// When it was sealed with another key or for another purpose, or was changed.
    pub fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let closed = || SealError::Closed {
            purpose: purpose.to_owned(),
        };
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or_else(closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| closed())?;
        let mut body = body.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut body)
            .map_err(|_| closed())?;
        Ok(opened.to_vec())
    }

    /// Seals a text for `purpose`, as a text.
    ///
    /// # Errors
    /// When no randomness can be had.
    pub fn seal_text(&self, purpose: &str, secret: &str) -> Result<String, SealError> {
        let sealed = self.seal(purpose, secret.as_bytes())?;
        Ok(format!("{MARK}{}", BASE64.encode(sealed)))
    }

    /// Opens a text sealed for `purpose`; `None` for one that was never sealed.
    ///
    /// # Errors
    /// When it was sealed with another key or for another purpose, or was changed.
    pub fn unseal_text(&self, purpose: &str, kept: &str) -> Result<Option<String>, SealError> {
        let Some(sealed) = kept.strip_prefix(MARK) else {
            return Ok(None);
        };
        let closed = || SealError::Closed {
            purpose: purpose.to_owned(),
        };
        let sealed = BASE64.decode(sealed).map_err(|_| closed())?;
        let secret = self.unseal(purpose, &sealed)?;
        String::from_utf8(secret).map(Some).map_err(|_| closed())
    }
}

/// Takes away the rights that others have on a key.
fn keep_private(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        tracing::warn!(path = %path.display(), "others could read this key file; now only its owner can");
    }
    Ok(())
}

/// Writes the key so that it is there as a whole or not at all, whenever the power fails.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // a link, because a rename would replace a key that another process made meanwhile
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_in(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("secret.key")
    }

    #[test]
    fn opens_only_for_the_same_purpose_key_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(&key_in(&folder)).unwrap();
        let sealed = sealer.seal("job1", b"token").unwrap();
        assert!(!sealed.windows(5).any(|piece| piece == b"token"));
        let again = Sealer::open(&key_in(&folder)).unwrap();
        assert_eq!(again.unseal("job1", &sealed).unwrap(), b"token");
        assert!(again.unseal("job2", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(again.unseal("job1", &changed).is_err());
            assert!(again.unseal("job1", &sealed[..index]).is_err());
        }
        let other = tempfile::tempdir().unwrap();
        let other = Sealer::open(&key_in(&other)).unwrap();
        assert!(other.unseal("job1", &sealed).is_err());
    }

    #[test]
    fn a_text_is_sealed_as_a_text_and_a_clear_one_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(&key_in(&folder)).unwrap();
        let sealed = sealer.seal_text("rtcd", "key of rtcd").unwrap();
        assert!(!sealed.contains("key of rtcd"));
        let opened = sealer.unseal_text("rtcd", &sealed).unwrap();
        assert_eq!(opened.as_deref(), Some("key of rtcd"));
        assert!(sealer.unseal_text("offloader", &sealed).is_err());
        assert!(sealer.unseal_text("rtcd", "sealed:???").is_err());
        assert_eq!(sealer.unseal_text("rtcd", "key of rtcd").unwrap(), None);
    }

    #[test]
    fn only_the_owner_reads_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = key_in(&folder);
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        drop(Sealer::open(&path).unwrap());
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        drop(Sealer::open(&path).unwrap());
        assert_eq!(mode(), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
