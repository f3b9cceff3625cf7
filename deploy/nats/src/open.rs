//! Opens the engine: connects, looks at the server's version, makes what is missing.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions};
use cluster::directory::PATIENCE;
use cluster::members::Members;
use cluster::workers::Workers;
use cluster::{Counters, Engine};
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore, pki_types};
use tokio::sync::watch;

use crate::bus::Wires;
use crate::config::{Config, Tls};
use crate::link::{Link, Out};
use crate::names::{Bucket, Names};
use crate::post::Office;
use crate::provision::{NotMade, ensure};
use crate::pulse::Heart;
use crate::records::Records;
use crate::version::{TooOld, check};

/// A server that is frozen and still holds its connections is left after two of these: with the
/// client's own 60 s it would hold them for minutes.
const PING: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(3);
/// Servers that have only started elect first.
const PROVISION: Duration = Duration::from_secs(15);
/// Longest pause before a server is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why the engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("read `{path}`: {why}")]
    Read { path: String, why: String },
    #[error("reach a server between the nodes (`cluster.servers` is `{servers}`): {why}")]
    Connect { servers: String, why: String },
    #[error(transparent)]
    TooOld(#[from] TooOld),
    #[error(transparent)]
    NotMade(#[from] NotMade),
    #[error("`cluster.site` is `{site}`: {error}")]
    Site { site: String, error: cluster::Error },
}

/// What all parts of the engine share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) context: Context,
    pub(crate) link: Link,
    pub(crate) names: Names,
    pub(crate) node: cluster::NodeId,
    pub(crate) out: Out,
    pub(crate) counters: Arc<Counters>,
    /// Closed with the last part of the engine: its tasks end then, and its connection.
    _alive: watch::Sender<()>,
}

/// Opens the engine of one node.
///
/// # Errors
/// When no server can be reached, one is too old, or what must be there cannot be made.
pub async fn open(config: &Config) -> Result<Engine, OpenError> {
    cluster::name::check_token(&config.site).map_err(|error| OpenError::Site {
        site: config.site.clone(),
        error,
    })?;
    let counters = Arc::new(Counters::default());
    let link = Link::new(Arc::clone(&counters));
    let names = Names::new(&config.site);
    let client = connect(config, &link, &names).await?;
    let server = client.server_info();
    let address = format!("{}:{}", server.host, server.port);
    check(&address, &server.version, config.copies)?;
    let context = ContextBuilder::new()
        .timeout(PATIENCE)
        .ack_timeout(PATIENCE)
        .build(client.clone());
    provision(&context, &names, config.copies).await?;
    let alive = watch::Sender::new(());
    let again = provision_again(context.clone(), link.clone(), names.clone(), config.copies);
    let mut ends = alive.subscribe();
    tokio::spawn(async move {
        tokio::select! {
            () = again => {}
            _ended = ends.changed() => {}
        }
    });
    let shared = Shared {
        out: Out::new(client.clone()),
        client,
        context,
        link,
        names,
        node: config.node.clone(),
        counters: Arc::clone(&counters),
        _alive: alive,
    };
    Ok(engine(&shared))
}

fn engine(shared: &Shared) -> Engine {
    let counters = &shared.counters;
    let claims = Arc::new(Records::new(shared.clone(), Bucket::Claims));
    let post = Arc::new(Office::new(shared.clone()));
    let heart = Heart::new(shared.clone(), Records::new(shared.clone(), Bucket::Nodes));
    let node = shared.node.clone();
    Engine {
        node: node.clone(),
        registry: Arc::new(Members::new(Arc::new(heart), node, Arc::clone(counters))),
        directory: Arc::new(Records::new(shared.clone(), Bucket::Directory)),
        queue: Arc::new(Workers::new(post, claims, Arc::clone(counters))),
        bus: Arc::new(Wires::new(shared.clone())),
        counters: Arc::clone(counters),
    }
}

async fn connect(config: &Config, link: &Link, names: &Names) -> Result<Client, OpenError> {
    let told = link.clone();
    let mut options = ConnectOptions::new()
        .name(config.node.as_str())
        .ping_interval(PING)
        .connection_timeout(CONNECT)
        .request_timeout(Some(PATIENCE))
        .custom_inbox_prefix(names.inbox(config.node.as_str()))
        .reconnect_delay_callback(pause)
        .event_callback(move |event| {
            told.handle(event);
            std::future::ready(())
        });
    let scheme = if config.tls.is_some() { "tls" } else { "nats" };
    if let Some(tls) = &config.tls {
        options = options.require_tls(true).tls_client_config(trust(tls)?);
    }
    let servers: Vec<String> = config
        .servers
        .iter()
        .map(|server| format!("{scheme}://{server}"))
        .collect();
    options.connect(servers).await.map_err(|error| {
        let mut why = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            why = format!("{why}: {cause}");
            next = cause.source();
        }
        OpenError::Connect {
            servers: config.servers.join(", "),
            why,
        }
    })
}

/// Longer with every attempt, and not the same for all nodes, who lost the server together.
fn pause(attempts: usize) -> Duration {
    let doubled = Duration::from_millis(25)
        * 2_u32.saturating_pow(u32::try_from(attempts).unwrap_or(6).min(6));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let jitter = now.map_or(0, |now| now.subsec_nanos() % 1000);
    (doubled + doubled * jitter / 1000).min(LONGEST_PAUSE)
}

/// Nobody but our own authority is trusted, by TLS 1.3 alone.
fn trust(tls: &Tls) -> Result<ClientConfig, OpenError> {
    let read = |path: &std::path::Path, why: &dyn std::fmt::Display| OpenError::Read {
        path: path.display().to_string(),
        why: why.to_string(),
    };
    let certificates = |path: &std::path::Path| {
        let all = pki_types::CertificateDer::pem_file_iter(path)
            .and_then(|all| all.collect::<Result<Vec<_>, _>>());
        all.map_err(|error| read(path, &error))
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.authority)? {
        let added = roots.add(authority);
        added.map_err(|error| read(&tls.authority, &error))?;
    }
    let key = pki_types::PrivateKeyDer::from_pem_file(&tls.key);
    let key = key.map_err(|error| read(&tls.key, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| {
            let builder = builder.with_root_certificates(roots);
            builder.with_client_auth_cert(certificates(&tls.certificate).unwrap_or_default(), key)
        })
        .map_err(|error| read(&tls.certificate, &error))
}

/// Tries until the servers have elected.
async fn provision(context: &Context, names: &Names, copies: usize) -> Result<(), NotMade> {
    let end = tokio::time::Instant::now() + PROVISION;
    loop {
        let made = ensure(context, names, copies).await;
        if made.is_ok() || tokio::time::Instant::now() >= end {
            return made;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// A server that starts again has forgotten what it had in memory only.
async fn provision_again(context: Context, link: Link, names: Names, copies: usize) {
    let mut states = link.follow();
    drop(link);
    let mut made = states.borrow_and_update().made;
    while states.changed().await.is_ok() {
        let state = *states.borrow_and_update();
        if !state.is_up || state.made == made {
            continue;
        }
        made = state.made;
        if let Err(error) = provision(&context, &names, copies).await {
            tracing::warn!(%error, "after the server between the nodes came back");
        }
    }
}
