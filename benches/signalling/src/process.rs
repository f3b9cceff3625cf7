//! The measured program as a process: started in a folder of its own, asked for its memory and its
//! processor time, ended or killed.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

const STARTS_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(30);
/// Clock ticks a second in `/proc`: fixed by the kernel's interface.
const TICKS_PER_S: f64 = 100.0;
/// Ports looked at for a free one: below those that the system hands out to connections.
const LOWEST_PORT: u16 = 20_000;
const HIGHEST_PORT: u16 = 32_000;

/// A `signalling` that runs; killed with this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    program: PathBuf,
    folder: PathBuf,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Writes a configuration into `folder` and starts `program run` with it; returns once it says
    /// that it is ready.
    pub(crate) async fn start(
        program: &Path,
        folder: &Path,
        media_host: &str,
    ) -> anyhow::Result<Self> {
        let addr = free_address()?;
        configure(folder, addr, media_host)?;
        let mut server = Self {
            child: launch(program, folder)?,
            program: program.to_owned(),
            folder: folder.to_owned(),
            addr,
        };
        server.ready().await?;
        Ok(server)
    }

    /// Kills it without warning and starts it again on the same records and port, without waiting
    /// for it.
    pub(crate) fn kill_and_start(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("kill the server")?;
        self.child.wait().context("kill the server")?;
        self.child = launch(&self.program, &self.folder)?;
        Ok(())
    }

    /// Asks it to end, and waits.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .context("stop the server")?;
        anyhow::ensure!(asked.success(), "the server has ended by itself");
        let deadline = Instant::now() + STOPS_WITHIN;
        while self.child.try_wait().context("stop the server")?.is_none() {
            anyhow::ensure!(
                Instant::now() < deadline,
                "the server did not stop in {STOPS_WITHIN:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it keeps its records.
    pub(crate) fn data(&self) -> PathBuf {
        data_of(&self.folder)
    }

    /// Resident memory in kB.
    pub(crate) fn memory_kb(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .context("no VmRSS: the server has ended")
    }

    /// Processor time of all its threads so far, in seconds.
    pub(crate) fn cpu_s(&self) -> anyhow::Result<f64> {
        cpu_s(&self.child.id().to_string())
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("make a client")?;
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            let answer = http.get(format!("{}/readyz", self.url())).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            let ended = self.child.try_wait().context("start the server")?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                anyhow::bail!("`{}` is not ready:\n{log}", self.program.display());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
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

/// Adds the first account, an administrator, while no server runs on the folder.
pub(crate) fn add_administrator(
    program: &Path,
    folder: &Path,
    name: &str,
    password: &str,
) -> anyhow::Result<()> {
    configure(folder, free_address()?, "http://127.0.0.1:9")?;
    let done = Command::new(program)
        .arg("--config")
        .arg(folder.join("signalling.toml"))
        .args(["add-account", name, "--admin"])
        .env("SIGNALLING_PASSWORD", password)
        .output()
        .with_context(|| format!("start `{}`", program.display()))?;
    anyhow::ensure!(
        done.status.success(),
        "add-account: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

/// Processor time of this process so far, in seconds.
pub(crate) fn own_cpu_s() -> anyhow::Result<f64> {
    cpu_s("self")
}

/// Lets this process and those it starts hold a connection for each client.
pub(crate) fn raise_file_limit() -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("read the limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raise the limit of open files")
}

fn data_of(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn configure(folder: &Path, addr: SocketAddr, media_host: &str) -> anyhow::Result<()> {
    let data = data_of(folder);
    let text = format!(
        "[http]\nlisten = \"{addr}\"\n[storage]\ndata_dir = \"{}\"\n[rtcd]\nurls = [\"{media_host}\"]\n",
        data.display()
    );
    let path = folder.join("signalling.toml");
    std::fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))
}

fn launch(program: &Path, folder: &Path) -> anyhow::Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .context("open the server's log")?;
    Command::new(program)
        .arg("--config")
        .arg(folder.join("signalling.toml"))
        .arg("run")
        .env("SIGNALLING_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("start `{}`", program.display()))
}

fn cpu_s(process: &str) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name in parentheses may hold anything; user and system time are 12 and 13 behind it.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    match (times.next(), times.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok((user + system) / TICKS_PER_S),
        _ => anyhow::bail!("{path} holds no times"),
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let span = u32::from(HIGHEST_PORT - LOWEST_PORT);
    let start = std::process::id() * 7 % span;
    for step in 0..span {
        let offset = u16::try_from((start + step) % span).unwrap_or_default();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, LOWEST_PORT + offset));
        if TcpListener::bind(addr).is_ok() {
            return Ok(addr);
        }
    }
    anyhow::bail!("no free port from {LOWEST_PORT} to {HIGHEST_PORT}")
}
