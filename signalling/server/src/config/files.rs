//! The table `files`: where the bytes of files are, and how many there may be.

use std::time::Duration;

use messaging::embedded::FileLimits;
use proto::redact::Secret;
use settings::Check;
use storage::blob::{HAS_S3, LARGEST_S3_BLOB, S3Config};

use super::FilesConfig;
use super::raw::{RawConfig, RawFiles};

const TABLE: &str = "files";
const HOUR: u64 = 3600;

/// Checks the table; `chat.max_file_bytes` must fit into the place.
pub(super) fn resolve(raw: &RawConfig, check: &mut Check<'_, RawConfig>) -> FilesConfig {
    let files = &raw.files;
    let limits = FileLimits {
        upload_lifetime: Duration::from_secs(files.upload_hours * HOUR),
        unposted_lifetime: Duration::from_secs(files.unposted_days * 24 * HOUR),
        max_open_uploads: files.max_open_uploads,
        person_quota_bytes: files.person_quota_bytes,
        total_quota_bytes: files.total_quota_bytes,
        min_free_bytes: files.min_free_bytes,
        ..FileLimits::default()
    };
    let is_s3 = files.place == "s3";
    if is_s3 && !HAS_S3 {
        let rule = "this program was built without S3; build it with its default features";
        check.refuse("files.place", rule);
    }
    if is_s3 && raw.chat.max_file_bytes > LARGEST_S3_BLOB {
        let rule = format!("an S3 server takes at most {LARGEST_S3_BLOB} bytes");
        check.refuse("chat.max_file_bytes", rule);
    }
    let s3 = is_s3.then(|| s3(files, check));
    FilesConfig { limits, s3 }
}

fn s3(raw: &RawFiles, check: &mut Check<'_, RawConfig>) -> S3Config {
    let endpoint = raw.endpoint.trim_end_matches('/').to_owned();
    if super::resolve::split_url(&endpoint).is_none_or(|url| url.client_id.is_some()) {
        check.refuse(
            "files.endpoint",
            "it must be the address of an S3 server, such as `https://s3.example.org:9000`, without \
             a path or a key",
        );
    }
    check.need(
        "files.region",
        &raw.region,
        "a request is signed for a region",
    );
    if !is_bucket_name(&raw.bucket) {
        let rule = "a bucket has 3 to 63 small letters, digits, dots or hyphens";
        check.refuse("files.bucket", rule);
    }
    if !is_prefix(&raw.prefix) {
        let rule = "it must be empty or end with `/`, without a part that is empty or begins with \
                    a dot";
        check.refuse("files.prefix", rule);
    }
    check.need(
        "files.access_key_id",
        &raw.access_key_id,
        "the server must know who asks",
    );
    let ca_file = Some(raw.ca_file.clone()).filter(|path| !path.as_os_str().is_empty());
    if let Some(path) = &ca_file {
        check.accept("files.ca_file", std::fs::metadata(path));
    }
    S3Config {
        endpoint,
        region: raw.region.clone(),
        bucket: raw.bucket.clone(),
        prefix: raw.prefix.clone(),
        path_style: raw.path_style,
        ca_file,
        access_key_id: raw.access_key_id.clone(),
        secret_key: secret_key(raw, check),
        setting: TABLE.to_owned(),
    }
}

/// The secret itself, or the first line of its file.
fn secret_key(raw: &RawFiles, check: &mut Check<'_, RawConfig>) -> Secret {
    let file = &raw.secret_key_file;
    match (raw.secret_key.is_empty(), file.as_os_str().is_empty()) {
        (true, false) => {
            let text = check.accept("files.secret_key_file", std::fs::read_to_string(file));
            let text = text.unwrap_or_default();
            return Secret::new(text.lines().next().unwrap_or_default().trim());
        }
        (false, true) => {}
        (true, true) | (false, false) => {
            let rule = "either it or `files.secret_key_file` must be set, and not both";
            check.refuse("files.secret_key", rule);
        }
    }
    raw.secret_key.clone()
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
    use std::path::PathBuf;

    use settings::Link;

    use super::*;

    fn s3() -> RawConfig {
        let files = RawFiles {
            place: "s3".to_owned(),
            endpoint: Link("https://s3.example.org:9000/".to_owned()),
            bucket: "parley".to_owned(),
            prefix: "site-a/".to_owned(),
            access_key_id: "id".to_owned(),
            secret_key: Secret::new("key"),
            ..RawFiles::default()
        };
        RawConfig {
            files,
            ..RawConfig::default()
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_chat_in_the_data_folder() {
        let files = RawConfig::default().resolve().unwrap().files;
        assert_eq!(files.limits, FileLimits::default());
        assert!(files.s3.is_none());
    }

    #[test]
    fn a_bucket_is_taken_as_it_stands() {
        let config = s3().resolve().unwrap().files.s3.unwrap();
        assert_eq!(config.endpoint, "https://s3.example.org:9000");
        assert_eq!(config.secret_key.expose(), "key");
    }

    #[test]
    fn a_secret_comes_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut raw = s3();
        raw.files.secret_key = Secret::default();
        raw.files.secret_key_file = dir.path().join("key");
        let missing = raw.clone().resolve().unwrap_err();
        assert_eq!(missing.keys(), ["files.secret_key_file"]);
        std::fs::write(&raw.files.secret_key_file, "from the file\n").unwrap();
        let config = raw.resolve().unwrap().files.s3.unwrap();
        assert_eq!(config.secret_key.expose(), "from the file");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_and_no_secret() {
        let mut raw = s3();
        raw.chat.max_file_bytes = LARGEST_S3_BLOB + 1;
        raw.files = RawFiles {
            endpoint: Link("http://id:hidden@s3/path".to_owned()),
            region: String::new(),
            bucket: "Parley".to_owned(),
            prefix: "no-slash".to_owned(),
            ca_file: PathBuf::from("/no/such/file"),
            access_key_id: String::new(),
            secret_key_file: PathBuf::from("/also"),
            ..raw.files
        };
        let said = raw.resolve().unwrap_err();
        assert_eq!(
            said.keys(),
            [
                "chat.max_file_bytes",
                "files.endpoint",
                "files.region",
                "files.bucket",
                "files.prefix",
                "files.access_key_id",
                "files.ca_file",
                "files.secret_key",
            ]
        );
        assert!(!said.to_string().contains("hidden"), "{said}");
    }
}
