//! Who is let in, and what a node may do once it is: each attempt that must be refused, on Debian's
//! server with the files that an administrator gets.

use std::path::Path;
use std::time::{Duration, SystemTime};

use async_nats::{Client, ConnectOptions, Event};
use cluster::Error;
use cluster_nats::setup::Setup;
use cluster_nats::{Config, OpenError};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::servers::{House, debian, write};

const SHORT: Duration = Duration::from_millis(1500);

async fn house() -> House {
    // For clients that are not the engine's; somebody else may have been first.
    let _any = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let started = || House::start(&debian(), 1, &["n1", "n2"]);
    tokio::task::spawn_blocking(started).await.unwrap()
}

/// A node's papers, and nothing of our engine: what somebody would use who has stolen them.
async fn thief(house: &House, node: &str) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (said, refusals) = mpsc::unbounded_channel();
    let config = house.config(node);
    let tls = config.tls.unwrap();
    let options = ConnectOptions::new()
        .add_root_certificates(tls.authority)
        .add_client_certificate(tls.certificate, tls.key)
        .require_tls(true)
        .custom_inbox_prefix(format!("_INBOX_site_{node}"))
        .request_timeout(Some(SHORT))
        .event_callback(move |event| {
            if let Event::ServerError(error) = event {
                let _heard = said.send(error.to_string());
            }
            std::future::ready(())
        });
    let client = options.connect(format!("tls://{}", config.servers[0]));
    (client.await.unwrap(), refusals)
}

async fn refused(refusals: &mut mpsc::UnboundedReceiver<String>, subject: &str) {
    let said = tokio::time::timeout(SHORT, refusals.recv()).await;
    let said = said.unwrap_or_else(|_| panic!("`{subject}` was not refused"));
    let said = said.unwrap().to_lowercase();
    assert!(said.contains("permissions violation"), "{said}");
    assert!(said.contains(&subject.to_lowercase()), "{said}");
}

async fn why_not(config: &Config) -> String {
    let error = cluster_nats::open(config).await.unwrap_err();
    assert!(matches!(error, OpenError::Connect { .. }), "{error}");
    error.to_string().to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_is_not_let_in() {
    let mut house = house().await;
    // Vouched for, and not on the list: the servers have not been told yet.
    let files = house.setup.add_node("stranger").unwrap();
    let files: Vec<_> = files
        .into_iter()
        .filter(|file| file.path.starts_with("nodes"))
        .collect();
    write(house.path(), &files);
    let why = why_not(&house.config("stranger")).await;
    assert!(why.contains("authorization violation"), "{why}");
    // The papers of another cluster with the same names.
    let (mut other, _) = Setup::begin(house.plan.clone(), SystemTime::now()).unwrap();
    let elsewhere = house.path().join("elsewhere");
    write(&elsewhere, &other.add_node("n1").unwrap());
    let papers = |file: &str| elsewhere.join("nodes/n1").join(file);
    let mut foreign = house.config("n1");
    let tls = foreign.tls.as_mut().unwrap();
    tls.certificate = papers("certificate.pem");
    tls.key = papers("key.pem");
    let why = why_not(&foreign).await;
    assert!(why.contains("alert") || why.contains("tls"), "{why}");
    // A server that the node's authority has never seen.
    let mut wary = house.config("n1");
    wary.tls.as_mut().unwrap().authority = papers("authority.pem");
    let why = why_not(&wary).await;
    assert!(why.contains("invalid peer certificate"), "{why}");
    // Nobody at all.
    let options = ConnectOptions::new()
        .add_root_certificates(house.config("n1").tls.unwrap().authority)
        .require_tls(true);
    let address = format!("tls://{}", house.config("n1").servers[0]);
    let why = options.connect(address).await.unwrap_err().to_string();
    assert!(why.contains("alert") || why.contains("tls"), "{why}");
    // In the clear.
    let mut bare = house.config("n1");
    bare.tls = None;
    why_not(&bare).await;
    house.engine("n1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_let_in_once_the_servers_have_read_the_list_again() {
    let mut house = house().await;
    let files = house.setup.add_node("late").unwrap();
    write(house.path(), &files);
    house.servers[0].signal("HUP");
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while let Err(error) = cluster_nats::open(&house.config("late")).await {
        assert!(tokio::time::Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_speaks_as_itself_and_hears_what_is_its_own() {
    let house = house().await;
    // Makes what must be there.
    let engine = house.engine("n1").await;
    let (thief, mut refusals) = thief(&house, "n1").await;
    for subject in [
        "site.hb.n2",
        "site.bus.n2.all.calls",
        "site.ask.n2.all.calls",
        "$KV.site_nodes.n2",
        "$JS.API.STREAM.DELETE.KV_site_directory",
        "$JS.API.STREAM.PURGE.site_jobs",
        "$JS.API.STREAM.UPDATE.site_jobs",
        "$JS.API.STREAM.MSG.DELETE.site_jobs",
        "$JS.API.CONSUMER.DELETE.site_jobs.workers",
        "$JS.API.STREAM.CREATE.mine",
        "$SYS.REQ.SERVER.PING",
        "_INBOX_site_n2.x",
    ] {
        thief.publish(subject, "x".into()).await.unwrap();
        refused(&mut refusals, subject).await;
    }
    for subject in [
        "site.bus.*.to.n2.>",
        "site.ask.*.to.n2.>",
        "site.jobs.*",
        "_INBOX_site_n2.>",
        ">",
    ] {
        let mut heard = thief.subscribe(subject).await.unwrap();
        refused(&mut refusals, subject).await;
        let nothing = tokio::time::timeout(Duration::from_millis(50), heard.next()).await;
        assert!(!matches!(nothing, Ok(Some(_))), "{subject}");
    }
    // What is its own goes on.
    thief.publish("site.hb.n1", "{}\n".into()).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(300), refusals.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let kept = engine.directory.create("a", b"1".to_vec()).await;
    assert!(kept.is_ok(), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_denied_at_once_and_counted() {
    let house = house().await;
    let engine = house.engine("n1").await;
    let rights = house.path().join("servers/s0/rights.conf");
    let text = std::fs::read_to_string(&rights).unwrap();
    let line = "\"$KV.site_directory.>\"";
    assert!(text.contains(line));
    std::fs::write(&rights, text.replace(line, "\"nothing.else\"")).unwrap();
    house.servers[0].signal("HUP");
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    let mut key = 0;
    let denied = loop {
        key += 1;
        let asked = tokio::time::Instant::now();
        let made = engine
            .directory
            .create(&format!("k{key}"), Vec::new())
            .await;
        if made == Err(Error::Denied) {
            break asked.elapsed();
        }
        assert!(tokio::time::Instant::now() < end, "{made:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        denied < Duration::from_secs(1),
        "no answer was awaited: {denied:?}"
    );
    assert!(engine.counters.get(cluster::Figure::Denied) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_among_the_papers_is_named() {
    let house = house().await;
    let mut config = house.config("n1");
    config.tls.as_mut().unwrap().key = Path::new("/nowhere/key.pem").to_owned();
    let error = cluster_nats::open(&config).await.unwrap_err().to_string();
    assert!(error.starts_with("read `/nowhere/key.pem`: "), "{error}");
}
