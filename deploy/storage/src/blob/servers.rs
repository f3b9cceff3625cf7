//! S3 servers for tests: started on free ports, gone with the value that stands for them.
//!
//! `tests/s3/install` puts them under `target/s3`. Not there: a test fails and says so.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use proto::redact::Secret;
use tempfile::TempDir;

use super::{S3, S3Config};

const BUCKET: &str = "files";
const INSTALL: &str = "run `tests/s3/install` (part of `tests/run`)";

/// Which server, and what it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// moto, from PyPI; checks signatures as the server of AWS does.
    Moto,
    /// s3rver, from npm; can neither list nor abort multiparts.
    S3rver,
}

impl Kind {
    /// Whether multiparts that were begun can be listed and given up.
    #[must_use]
    pub fn aborts(self) -> bool {
        self == Self::Moto
    }

    /// Whether a request with a wrong secret is refused.
    #[must_use]
    pub fn checks_signatures(self) -> bool {
        self == Self::Moto
    }
}

/// A running server with one empty bucket.
#[derive(Debug)]
pub struct Server {
    child: Child,
    config: S3Config,
    _data: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may be gone already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Starts a server and makes the bucket.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start(kind: Kind) -> Self {
        let data = tempfile::tempdir().expect("a folder for the server's data");
        let (mut child, address) = launch(kind, data.path());
        let (access_key_id, secret_key) = match kind {
            Kind::Moto => moto_account(&address),
            Kind::S3rver => ("S3RVER".to_owned(), Secret::new("S3RVER")),
        };
        let config = S3Config {
            endpoint: format!("http://{address}"),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            prefix: String::new(),
            path_style: true,
            ca_file: None,
            access_key_id,
            secret_key,
            setting: "files".to_owned(),
        };
        let made = S3::new(config.clone()).expect("a client without an authority file");
        let made = made.client.create_bucket().bucket(BUCKET).send().await;
        if let Err(error) = made {
            drop(child.kill());
            panic!("make the bucket of {kind:?}: {error:?}");
        }
        Self {
            child,
            config,
            _data: data,
        }
    }

    /// How to reach the bucket.
    #[must_use]
    pub fn config(&self) -> S3Config {
        self.config.clone()
    }

    /// The bucket, below a prefix.
    ///
    /// # Panics
    /// Never: there is no authority file.
    #[must_use]
    pub fn store(&self, prefix: &str) -> S3 {
        let mut config = self.config();
        prefix.clone_into(&mut config.prefix);
        S3::new(config).expect("a client without an authority file")
    }
}

fn installed(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/s3");
    let path = root.join(path);
    assert!(
        path.exists(),
        "no S3 server at `{}`: {INSTALL}",
        path.display()
    );
    path
}

/// Starts the program on a port that it chooses, and reads which.
fn launch(kind: Kind, data: &Path) -> (Child, String) {
    let (command, mark) = match kind {
        Kind::Moto => {
            let mut command = Command::new(installed("venv/bin/moto_server"));
            command.args(["-H", "127.0.0.1", "-p", "0"]);
            (command, "Running on http://")
        }
        Kind::S3rver => {
            let mut command = Command::new("node");
            command.arg(installed("node_modules/s3rver/bin/s3rver.js"));
            command.args(["-a", "127.0.0.1", "-p", "0", "--silent", "-d"]);
            command.arg(data);
            (command, "listening on ")
        }
    };
    // One of them speaks on stdout, the other on stderr.
    let both = Command::new("sh")
        .args(["-c", "exec \"$@\" 2>&1", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = both.unwrap_or_else(|error| panic!("start {kind:?}: {error}; {INSTALL}"));
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
    let mut said = Vec::new();
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let address = line
            .split_once(mark)
            .map(|(_, rest)| rest.trim().to_owned());
        said.push(line);
        address
    });
    let Some(address) = address else {
        drop(child.kill());
        panic!(
            "{kind:?} did not start; {INSTALL}. It said:\n{}",
            said.join("\n")
        );
    };
    // A full pipe would stop it.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// Makes an account that may do everything, and has every request's signature checked from now on.
fn moto_account(address: &str) -> (String, Secret) {
    let iam = |form: &str| {
        // Where a request goes is read from its credential; the first ones are not checked.
        let scope =
            "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request, Signature=x";
        post(address, "/", scope, form)
    };
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let policy: String = policy.bytes().map(|byte| format!("%{byte:02X}")).collect();
    iam("Action=CreateUser&Version=2010-05-08&UserName=parley");
    iam(&format!(
        "Action=PutUserPolicy&Version=2010-05-08&UserName=parley&PolicyName=all&PolicyDocument={policy}"
    ));
    let made = iam("Action=CreateAccessKey&Version=2010-05-08&UserName=parley");
    let id = between(&made, "<AccessKeyId>", "</AccessKeyId>");
    let secret = between(&made, "<SecretAccessKey>", "</SecretAccessKey>");
    post(address, "/moto-api/reset-auth", "", "0");
    (id, Secret::new(secret))
}

/// Sends a form and returns the answer, which must be good.
fn post(address: &str, path: &str, authorization: &str, form: &str) -> String {
    // moto's own routes do not read forms
    let kind = if authorization.is_empty() {
        "text/plain"
    } else {
        "application/x-www-form-urlencoded"
    };
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: {authorization}\r\nContent-Length: {}\r\n\
         Content-Type: {kind}\r\n\r\n{form}",
        form.len()
    );
    let mut answer = String::new();
    let sent = TcpStream::connect(address).and_then(|mut stream| {
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)
    });
    sent.unwrap_or_else(|error| panic!("ask moto at {address}: {error}"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer
}

fn between(text: &str, from: &str, to: &str) -> String {
    let found = text
        .split_once(from)
        .and_then(|(_, rest)| rest.split_once(to));
    found
        .unwrap_or_else(|| panic!("no {from} in {text}"))
        .0
        .to_owned()
}
