//! An rtcd in a process of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use harness::random::Random;

const LOWEST_PORT: u16 = 20_000;
/// Servers of one process look in different places.
static COUNTER: AtomicU64 = AtomicU64::new(0);
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A running server; ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub http: SocketAddr,
    /// UDP and TCP.
    pub media: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Server {
    /// Starts the program at `binary` on loopback, on free ports.
    ///
    /// # Errors
    /// When it does not start, or does not answer within 30 s.
    pub async fn start(binary: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("make a directory")?;
        let http = free_address()?;
        let media = free_address()?;
        let program = binary
            .canonicalize()
            .with_context(|| format!("find `{}`", binary.display()))?;
        let child = Command::new(program)
            .current_dir(directory.path())
            .env_clear()
            .env("RTCD_API_HTTP_LISTENADDRESS", http.to_string())
            .env("RTCD_API_SECURITY_ALLOWSELFREGISTRATION", "true")
            .env("RTCD_RTC_ICEADDRESSUDP", "127.0.0.1")
            .env("RTCD_RTC_ICEADDRESSTCP", "127.0.0.1")
            .env("RTCD_RTC_ICEPORTUDP", media.port().to_string())
            .env("RTCD_RTC_ICEPORTTCP", media.port().to_string())
            .env("RTCD_STORE_DATASOURCE", directory.path().join("store"))
            .env("RTCD_LOGGER_CONSOLELEVEL", "ERROR")
            .env("RTCD_LOGGER_ENABLEFILE", "false")
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("start `{}`", binary.display()))?;
        let server = Self {
            child,
            http,
            media,
            _directory: directory,
        };
        tokio::time::timeout(STARTS_WITHIN, server.answers())
            .await
            .context("rtcd does not answer")?;
        Ok(server)
    }

    async fn answers(&self) {
        while reqwest::get(format!("http://{}/version", self.http))
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line
            .and_then(|line| line.split_whitespace().next())
            .context("no VmRSS: the process has ended")?;
        Ok(kilobytes.parse::<u64>().context("VmRSS")? * 1024)
    }

    /// Open descriptors.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn descriptors(&self) -> anyhow::Result<usize> {
        let path = format!("/proc/{}/fd", self.child.id());
        Ok(std::fs::read_dir(&path)
            .with_context(|| format!("read {path}"))?
            .count())
    }

    /// Waits until memory and descriptors are back near what they were, or for `patience`; returns
    /// what they are.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn settles(
        &self,
        (memory, descriptors): (u64, usize),
        patience: Duration,
    ) -> anyhow::Result<(u64, usize)> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let now = (self.memory()?, self.descriptors()?);
            let is_back = now.0 <= memory && now.1 <= descriptors;
            if is_back || tokio::time::Instant::now() > deadline {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds a port that is free now and that a configuration may name: below those the system hands
/// out to connections, which might take it before the server does.
fn free_address() -> anyhow::Result<SocketAddr> {
    let mut random = Random::new(u64::from(std::process::id()));
    for _ in 0..COUNTER.fetch_add(1, Ordering::Relaxed) {
        random.number();
    }
    for _ in 0..1000 {
        let port = LOWEST_PORT + u16::try_from(random.below(12_000)).unwrap_or_default();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no free port above {LOWEST_PORT}")
}
