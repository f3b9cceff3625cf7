//! How we speak to the server: addresses, keys, time limits, trust; and what its refusals mean.
//!
//! Proxies of the environment are not used: the bucket is where the settings say.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use super::{NoBucket, S3Config};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// One request with its body and the beginning of its answer: a part in 120 s is 0.4 Mbit/s.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
const TRIES: u32 = 4;
/// Of a question whose answer is of use only at once.
const FEW_TRIES: u32 = 2;

#[expect(
    clippy::unwrap_in_result,
    reason = "certificates only make a whole context"
)]
pub(super) fn connect(config: &S3Config) -> Result<Client, NoBucket> {
    let trust = match &config.ca_file {
        None => TrustStore::default(),
        Some(path) => {
            let unreadable = |source: super::BoxError| NoBucket::Authority {
                path: path.clone(),
                setting: config.setting.clone(),
                source,
            };
            let pem = std::fs::read(path).map_err(|error| unreadable(error.into()))?;
            // The client would panic on it at its first connection.
            if !holds_a_certificate(&pem) {
                return Err(unreadable("it holds no PEM certificate".into()));
            }
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    let tls = TlsContext::builder().with_trust_store(trust).build();
    let tls = tls.expect("a context of certificates only is complete");
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(tls)
        .build_https();
    let credentials = Credentials::new(
        &config.access_key_id,
        config.secret_key.expose(),
        None,
        None,
        "settings",
    );
    let limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(ANSWER_LIMIT)
        .build();
    let sdk = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .endpoint_url(&config.endpoint)
        .region(Region::new(config.region.clone()))
        .credentials_provider(credentials)
        .force_path_style(config.path_style)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(limits)
        .build();
    Ok(Client::from_conf(sdk))
}

/// What is different about a question whose answer is of use only at once.
pub(super) fn impatient() -> aws_sdk_s3::config::Builder {
    let tries = RetryConfig::standard().with_max_attempts(FEW_TRIES);
    aws_sdk_s3::Config::builder().retry_config(tries)
}

fn holds_a_certificate(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----")
}

pub(super) fn time(time: Option<&DateTime>) -> SystemTime {
    time.and_then(|time| SystemTime::try_from(*time).ok())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Why the server did not do something, in one line.
#[derive(Debug)]
pub(super) struct Refusal {
    /// HTTP status; 0 when no answer came.
    status: u16,
    text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(super) fn of<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error
            .raw_response()
            .map_or(0, |answer| answer.status().as_u16());
        let text = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) if status != 0 => format!("the server answered {status}"),
            (None, _) => DisplayErrorContext(&error).to_string(),
        };
        Self { status, text }
    }

    pub(super) fn is_absence(&self) -> bool {
        self.status == 404 && !self.text.starts_with("NoSuchBucket")
    }

    pub(super) fn is_beyond_end(&self) -> bool {
        self.status == 416
    }
}
