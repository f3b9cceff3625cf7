//! The table `files`: where the bytes of files are, and how many there may be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use messaging::embedded::FileLimits;
use proto::redact::Secret;
use serde::{Deserialize, Serialize};
use storage::blob::{HAS_S3, LARGEST_S3_BLOB, S3Config};

use super::resolve::check_range;
use super::{ConfigError, FilesConfig};

const TABLE: &str = "files";
const HOUR: u64 = 3600;
const EIB: u64 = 1 << 60;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawFiles {
    pub place: String,
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    pub prefix: String,
    pub path_style: bool,
    pub ca_file: PathBuf,
    pub access_key_id: String,
    pub secret_key: Secret,
    pub secret_key_file: PathBuf,
    pub upload_hours: u64,
    pub unposted_days: u64,
    pub max_open_uploads: u64,
    pub person_quota_bytes: u64,
    pub total_quota_bytes: u64,
    pub min_free_bytes: u64,
}

impl Default for RawFiles {
    fn default() -> Self {
        Self {
            place: "directory".to_owned(),
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            path_style: true,
            ca_file: PathBuf::new(),
            access_key_id: String::new(),
            secret_key: Secret::default(),
            secret_key_file: PathBuf::new(),
            upload_hours: 24,
            unposted_days: 7,
            max_open_uploads: 20,
            person_quota_bytes: 10 << 30,
            total_quota_bytes: 0,
            min_free_bytes: 512 << 20,
        }
    }
}

/// Checks the table; `max_file_bytes` must fit into the place.
pub(super) fn resolve(
    raw: RawFiles,
    max_file_bytes: u64,
    errors: &mut Vec<ConfigError>,
) -> FilesConfig {
    for (key, value, low, high) in [
        ("files.upload_hours", raw.upload_hours, 1, 24 * 365),
        ("files.unposted_days", raw.unposted_days, 1, 3650),
        ("files.max_open_uploads", raw.max_open_uploads, 1, 10_000),
        ("files.person_quota_bytes", raw.person_quota_bytes, 0, EIB),
        ("files.total_quota_bytes", raw.total_quota_bytes, 0, EIB),
        ("files.min_free_bytes", raw.min_free_bytes, 0, EIB),
    ] {
        check_range(key, value, low, high, errors);
    }
    let limits = FileLimits {
        upload_lifetime: Duration::from_secs(raw.upload_hours.saturating_mul(HOUR)),
        unposted_lifetime: Duration::from_secs(raw.unposted_days.saturating_mul(24 * HOUR)),
        max_open_uploads: raw.max_open_uploads,
        person_quota_bytes: raw.person_quota_bytes,
        total_quota_bytes: raw.total_quota_bytes,
        min_free_bytes: raw.min_free_bytes,
        ..FileLimits::default()
    };
    let s3 = match raw.place.as_str() {
        "directory" => None,
        "s3" => {
            if !HAS_S3 {
                let rule = "this program was built without S3; build it with its default features";
                errors.push(wrong("place", "s3", rule));
            }
            if max_file_bytes > LARGEST_S3_BLOB {
                errors.push(ConfigError::Range {
                    key: "chat.max_file_bytes",
                    value: max_file_bytes,
                    low: 1 << 20,
                    high: LARGEST_S3_BLOB,
                });
            }
            Some(resolve_s3(raw, errors))
        }
        other => {
            let rule = "it must be `directory` or `s3`";
            errors.push(wrong("place", other, rule));
            None
        }
    };
    FilesConfig { limits, s3 }
}

fn resolve_s3(raw: RawFiles, errors: &mut Vec<ConfigError>) -> S3Config {
    let endpoint = raw.endpoint.trim_end_matches('/').to_owned();
    if super::resolve::split_url(&endpoint).is_none_or(|url| url.client_id.is_some()) {
        let rule = "it must be the address of an S3 server, such as \
                    `https://s3.example.org:9000`, without a path or a key";
        errors.push(wrong("endpoint", without_key(&endpoint), rule));
    }
    if raw.region.is_empty() {
        errors.push(wrong("region", "", "a request is signed for a region"));
    }
    if !is_bucket_name(&raw.bucket) {
        let rule = "a bucket has 3 to 63 small letters, digits, dots or hyphens";
        errors.push(wrong("bucket", &raw.bucket, rule));
    }
    if !is_prefix(&raw.prefix) {
        let rule = "it must be empty or end with `/`, without a part that is empty or begins with \
                    a dot";
        errors.push(wrong("prefix", &raw.prefix, rule));
    }
    if raw.access_key_id.is_empty() {
        errors.push(wrong("access_key_id", "", "the server must know who asks"));
    }
    let ca_file = Some(raw.ca_file).filter(|path| !path.as_os_str().is_empty());
    if let Some(path) = &ca_file
        && let Err(error) = std::fs::metadata(path)
    {
        errors.push(unreadable("ca_file", path, &error));
    }
    S3Config {
        endpoint,
        region: raw.region,
        bucket: raw.bucket,
        prefix: raw.prefix,
        path_style: raw.path_style,
        ca_file,
        access_key_id: raw.access_key_id,
        secret_key: secret_key(raw.secret_key, &raw.secret_key_file, errors),
        setting: TABLE.to_owned(),
    }
}

/// The secret itself, or the first line of its file.
fn secret_key(secret: Secret, file: &Path, errors: &mut Vec<ConfigError>) -> Secret {
    let has_file = !file.as_os_str().is_empty();
    match (secret.is_empty(), has_file) {
        (false, false) => secret,
        (true, true) => match std::fs::read_to_string(file) {
            Ok(text) => Secret::new(text.lines().next().unwrap_or_default().trim()),
            Err(error) => {
                errors.push(unreadable("secret_key_file", file, &error));
                Secret::default()
            }
        },
        (is_empty, _) => {
            let rule = "either it or `files.secret_key_file` must be set, and not both";
            let shown = if is_empty { "" } else { "(set)" };
            errors.push(wrong("secret_key", shown, rule));
            secret
        }
    }
}

fn wrong(key: &'static str, value: &str, rule: &'static str) -> ConfigError {
    ConfigError::Files {
        key,
        value: value.to_owned(),
        rule,
    }
}

fn unreadable(key: &'static str, path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::FilesUnreadable {
        key,
        path: path.to_owned(),
        why: error.to_string(),
    }
}

fn without_key(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, host)| host)
}

fn is_bucket_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| is_part(byte) || b".-".contains(&byte))
        && name.bytes().next().is_some_and(is_part)
        && name.bytes().last().is_some_and(is_part)
}

fn is_prefix(prefix: &str) -> bool {
    let Some(folders) = prefix.strip_suffix('/') else {
        return prefix.is_empty();
    };
    storage::blob::BlobKey::parse(folders).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3() -> RawFiles {
        RawFiles {
            place: "s3".to_owned(),
            endpoint: "https://s3.example.org:9000/".to_owned(),
            bucket: "parley".to_owned(),
            prefix: "site-a/".to_owned(),
            access_key_id: "id".to_owned(),
            secret_key: Secret::new("key"),
            ..RawFiles::default()
        }
    }

    fn problems(raw: RawFiles, max_file_bytes: u64) -> Vec<String> {
        let mut errors = Vec::new();
        resolve(raw, max_file_bytes, &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_are_those_of_the_chat_in_the_data_folder() {
        let mut errors = Vec::new();
        let files = resolve(RawFiles::default(), 1 << 30, &mut errors);
        assert_eq!(errors, []);
        assert_eq!(files.limits, FileLimits::default());
        assert!(files.s3.is_none());
    }

    #[test]
    fn a_bucket_is_taken_as_it_stands() {
        assert_eq!(problems(s3(), 1 << 30), [""; 0]);
        let mut errors = Vec::new();
        let config = resolve(s3(), 1 << 30, &mut errors).s3.unwrap();
        assert_eq!(config.endpoint, "https://s3.example.org:9000");
        assert_eq!(config.secret_key.expose(), "key");
    }

    #[test]
    fn a_secret_comes_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let secret_key_file = dir.path().join("key");
        let raw = RawFiles {
            secret_key: Secret::default(),
            secret_key_file: secret_key_file.clone(),
            ..s3()
        };
        let missing = problems(raw.clone(), 1);
        assert!(
            missing
                .iter()
                .any(|text| text.contains("files.secret_key_file")),
            "{missing:?}"
        );
        std::fs::write(&secret_key_file, "from the file\n").unwrap();
        let mut errors = Vec::new();
        let config = resolve(raw, 1, &mut errors).s3.unwrap();
        assert_eq!(
            (config.secret_key.expose(), errors),
            ("from the file", vec![])
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_and_no_secret() {
        let raw = RawFiles {
            endpoint: "http://id:hidden@s3/path".to_owned(),
            region: String::new(),
            bucket: "Parley".to_owned(),
            prefix: "no-slash".to_owned(),
            ca_file: PathBuf::from("/no/such/file"),
            access_key_id: String::new(),
            secret_key_file: PathBuf::from("/also"),
            upload_hours: 0,
            ..s3()
        };
        let said = problems(raw, LARGEST_S3_BLOB + 1);
        assert_eq!(said.len(), 9, "{said:#?}");
        assert!(!said.concat().contains("hidden"), "{said:#?}");
        let other = RawFiles {
            place: "tape".to_owned(),
            ..RawFiles::default()
        };
        assert_eq!(
            problems(other, 1),
            ["`files.place` is `tape`: it must be `directory` or `s3`"]
        );
    }
}
