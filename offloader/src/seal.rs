//! Secrets at rest: sealed with a key that lies beside the database, readable by the owner only.
//!
//! In: the secret part of a job's input. Out: bytes that open only with this key and this job id.
//! Not here: what is secret (`proto::offload`).
//! See: NIST SP 800-38D (AES-GCM).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

const KEY_LEN: usize = 32;

/// Why secrets cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("key file `{path}`")]
    KeyFile { path: PathBuf, source: io::Error },
    #[error("key file `{path}` does not hold {KEY_LEN} bytes")]
    KeyLength { path: PathBuf },
    #[error("draw a random key")]
    Random,
    #[error("sealed secret of job `{job}` does not open with this key")]
    Closed { job: String },
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
    /// Reads the key of the data folder; makes one the first time.
    ///
    /// # Errors
    /// When the file cannot be read or made, or is not a key.
    pub fn open(data_dir: &Path) -> Result<Self, SealError> {
        let path = data_dir.join("secret.key");
        let failed = |source| SealError::KeyFile {
            path: path.clone(),
            source,
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = vec![0; KEY_LEN];
                aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SealError::Random)?;
                let mut options = OpenOptions::new();
                let mut file = options
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(failed)?;
                file.write_all(&bytes)
                    .and_then(|()| file.sync_all())
                    .map_err(failed)?;
                bytes
            }
            Err(error) => return Err(failed(error)),
        };
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes)
            .map_err(|_| SealError::KeyLength { path: path.clone() })?;
        Ok(Self { key })
    }

    /// Seals `secret` for `job`: nonce, then cipher text and tag.
    ///
    /// # Errors
    /// When no randomness can be had.
    pub fn seal(&self, job: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut body = secret.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(job.as_bytes()), &mut body)
            .map_err(|_| SealError::Random)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for `job`.
    ///
    /// # Errors
    /// When it was sealed with another key or for another job, or was changed.
    pub fn unseal(&self, job: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let closed = || SealError::Closed {
            job: job.to_owned(),
        };
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or_else(closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| closed())?;
        let mut body = body.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(job.as_bytes()), &mut body)
            .map_err(|_| closed())?;
        Ok(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_for_the_same_job_key_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(folder.path()).unwrap();
        let sealed = sealer.seal("job1", b"token").unwrap();
        assert!(!sealed.windows(5).any(|piece| piece == b"token"));
        let again = Sealer::open(folder.path()).unwrap();
        assert_eq!(again.unseal("job1", &sealed).unwrap(), b"token");
        assert!(again.unseal("job2", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(again.unseal("job1", &changed).is_err());
            assert!(again.unseal("job1", &sealed[..index]).is_err());
        }
        let other = tempfile::tempdir().unwrap();
        assert!(
            Sealer::open(other.path())
                .unwrap()
                .unseal("job1", &sealed)
                .is_err()
        );
    }
}
