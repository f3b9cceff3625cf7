//! Configuration files of servers that are started to be measured.
//!
//! In: the protocol, the account the generator will use. Out: files in a folder, the address to
//! connect to. Everything but Janus' media on loopback, no STUN or TURN, logging only what is wrong, one media port or a
//! port range as each server's own documentation advises; everything else as it comes.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use anyhow::Context;

use super::Protocol;
use crate::servers::rtcd::Account;

/// Where rtcd accepts media ports; above are those the kernel gives to our own sockets.
const MEDIA_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What the command line of a server refers to.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) http_port: u16,
    /// Stands for `{config}`.
    pub(super) file: String,
    /// Stands for `{folder}`.
    pub(super) folder: String,
}

/// Writes the files.
pub(super) fn prepare(
    protocol: Protocol,
    account: &Account,
    folder: &Path,
) -> anyhow::Result<Prepared> {
    let http = free_tcp_port()?;
    let main = match protocol {
        Protocol::Rtcd => {
            let store = folder.join("store").display().to_string();
            write(folder, "rtcd.toml", &rtcd(http, free_media_port()?, &store))?
        }
        Protocol::LiveKit => {
            let text = livekit(http, free_tcp_port()?, free_media_port()?, account);
            write(folder, "livekit.yaml", &text)?
        }
        Protocol::Janus => {
            write(
                folder,
                "janus.transport.websockets.jcfg",
                &janus_websockets(http),
            )?;
            write(folder, "janus.plugin.videoroom.jcfg", "general: { }\n")?;
            write(folder, "janus.jcfg", &janus())?
        }
    };
    Ok(Prepared {
        http_port: http,
        file: main,
        folder: folder.display().to_string(),
    })
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, text).context("write the server's configuration")?;
    Ok(path.display().to_string())
}

fn rtcd(http: u16, media: u16, store: &str) -> String {
    format!(
        "[api.http]\nlisten_address = \"127.0.0.1:{http}\"\n\
         [api.security]\nallow_self_registration = true\n\
         [rtc]\nice_address_udp = \"127.0.0.1\"\nice_address_tcp = \"127.0.0.1\"\n\
         ice_port_udp = {media}\nice_port_tcp = {media}\n\
         [store]\ndata_source = \"{store}\"\n\
         [logger]\nenable_console = true\nconsole_level = \"ERROR\"\nenable_file = false\n"
    )
}

/// Limits of tracks and bytes are off: they are a guard of production, and would end the run. One
/// media port for each processor, as its sample configuration advises.
fn livekit(http: u16, tcp: u16, media: u16, account: &Account) -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // A range of one port is refused.
    let ports = match processors {
        1 => media.to_string(),
        more => format!("{media}-{}", usize::from(media) + more - 1),
    };
    format!(
        "port: {http}\nbind_addresses: [\"127.0.0.1\"]\n\
         rtc:\n  udp_port: {ports}\n  tcp_port: {tcp}\n  use_external_ip: false\n  \
         node_ip: 127.0.0.1\n  enable_loopback_candidate: true\n  \
         ips:\n    includes: [\"127.0.0.1/32\"]\n\
         keys:\n  {}: {}\nlogging:\n  level: error\n\
         limit:\n  num_tracks: -1\n  bytes_per_sec: -1\n",
        account.client_id, account.auth_key
    )
}

/// Event loops instead of a thread for each handle, as its documentation advises for many handles;
/// one for each processor. It offers no loopback address for media. Plugins and transports that are not used stay out.
fn janus() -> String {
    let loops = std::thread::available_parallelism().map_or(1, usize::from);
    let unused: Vec<String> = [
        "audiobridge",
        "duktape",
        "echotest",
        "lua",
        "nosip",
        "recordplay",
        "sip",
        "streaming",
        "textroom",
        "videocall",
        "voicemail",
    ]
    .iter()
    .map(|name| format!("libjanus_{name}.so"))
    .collect();
    let (first, last) = (MEDIA_PORTS.start, MEDIA_PORTS.end - 1);
    format!(
        "general: {{\n  debug_level = 2\n  server_name = \"load\"\n  event_loops = {loops}\n}}\n\
         media: {{ rtp_port_range = \"{first}-{last}\" }}\n\
         nat: {{ ignore_mdns = true }}\n\
         plugins: {{ disable = \"{}\" }}\n\
         transports: {{ disable = \"libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,\
         libjanus_pfunix.so,libjanus_rabbitmq.so\" }}\n\
         events: {{ broadcast = false }}\n",
        unused.join(",")
    )
}

fn janus_websockets(http: u16) -> String {
    format!(
        "general: {{\n  json = \"compact\"\n  ws = true\n  ws_port = {http}\n  \
         ws_ip = \"127.0.0.1\"\n  wss = false\n}}\nadmin: {{ admin_ws = false }}\n"
    )
}

fn free_tcp_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("look for a free port")?;
    Ok(listener
        .local_addr()
        .context("look for a free port")?
        .port())
}

fn free_media_port() -> anyhow::Result<u16> {
    (0..100)
        .map(|_| rand::random_range(MEDIA_PORTS))
        .find(|port| {
            UdpSocket::bind(("127.0.0.1", *port)).is_ok()
                && TcpListener::bind(("127.0.0.1", *port)).is_ok()
        })
        .context("find a free media port")
}
