//! A real coturn on loopback, with credentials out of a shared secret, as operators run it.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proto::redact::Secret;
use rtcd::config::{IceServer, IceServerKind, RtcConfig, TurnConfig};
use tokio::net::UdpSocket;

use super::control::PATIENCE;

const SECRET: &str = "a secret that two servers share";

/// A running server; ends with this.
pub(crate) struct Coturn {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

/// Ports that are tried: one that was free may be somebody else's in the next moment.
const TRIES: u32 = 4;

impl Coturn {
    pub(crate) async fn start() -> Self {
        for _ in 0..TRIES {
            let server = Self::on_a_free_port().await;
            if server.answers().await {
                return server;
            }
        }
        panic!("coturn is silent");
    }

    async fn on_a_free_port() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let port = address.port().to_string();
        let file = |name: &str| directory.path().join(name).into_os_string();
        let child = Command::new("turnserver")
            .args([
                "-n",
                "--listening-ip",
                "127.0.0.1",
                "--relay-ip",
                "127.0.0.1",
            ])
            .args(["--listening-port", &port, "--realm", "calls.example.org"])
            .args(["--use-auth-secret", "--static-auth-secret", SECRET])
            .args([
                "--no-tls",
                "--no-dtls",
                "--no-cli",
                "--allow-loopback-peers",
            ])
            .args(["--no-stdout-log", "--log-file"])
            .arg(file("log"))
            .arg("--pidfile")
            .arg(file("pid"))
            .arg("--userdb")
            .arg(file("db"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`turnserver` of Debian's package coturn, which tests/run installs");
        Self {
            child,
            address,
            _directory: directory,
        }
    }

    /// Makes a node use this server.
    pub(crate) fn configure(&self, rtc: &mut RtcConfig) {
        rtc.ice_servers = vec![IceServer {
            kind: IceServerKind::Turn,
            urls: vec![format!("turn:{}?transport=udp", self.address)],
            username: String::new(),
            credential: Secret::default(),
        }];
        rtc.turn = Some(TurnConfig {
            static_auth_secret: Secret::new(SECRET),
            credentials_expiration: Duration::from_secs(3600),
        });
    }

    /// Waits until it answers a Binding request; whether it does.
    async fn answers(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        request.extend([7; 12]);
        let deadline = tokio::time::Instant::now() + PATIENCE / TRIES;
        let mut buffer = [0; 1500];
        while tokio::time::Instant::now() < deadline {
            socket.send_to(&request, self.address).await.unwrap();
            let answer = socket.recv_from(&mut buffer);
            let answer = tokio::time::timeout(Duration::from_millis(100), answer).await;
            if matches!(answer, Ok(Ok((20.., from))) if from == self.address) {
                return true;
            }
        }
        false
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
