//! How long a sign-in takes while 400 connections guess passwords of made-up names.
//!
//! The guesses come from other addresses than the person, as many as an attacker rents in a
//! minute, on a thread of their own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use tokio::sync::watch;

use crate::api::SignIn;
use crate::figures::{Figure, Limit, Times, real};
use crate::world::Template;

const CONNECTIONS: usize = 400;
/// Guessing connections from one address.
const PER_PLACE: usize = 10;
const SIGN_INS: usize = 40;
/// The flood runs so long before somebody signs in.
const WARM_UP: Duration = Duration::from_secs(1);
/// A person who is told to come later does so after this.
const COMES_BACK: Duration = Duration::from_millis(250);
/// Nobody waits longer; it counts as long.
const PATIENCE: Duration = Duration::from_secs(60);
/// All sign-ins of a round; what was not begun by then is not.
const ROUND: Duration = Duration::from_secs(90);
/// Milliseconds.
const MUST: f64 = 2000.0;

pub(super) async fn measure(template: &Template) -> anyhow::Result<Vec<Figure>> {
    let world = template.open().await?;
    let flood = Flood::start(&world.server.url())?;
    tokio::time::sleep(WARM_UP).await;
    let began = Instant::now();
    let cpu_before = world.server.cpu_s()?;
    let (mut times, mut sent_away) = (Times::default(), 0);
    for person in template.people.iter().take(SIGN_INS) {
        if began.elapsed() > ROUND {
            break;
        }
        let asked = Instant::now();
        let signed_in = async {
            while let SignIn::Later = world
                .api
                .sign_in(&person.name, Template::password())
                .await?
            {
                sent_away += 1;
                tokio::time::sleep(COMES_BACK).await;
            }
            anyhow::Ok(())
        };
        if let Ok(done) = tokio::time::timeout(PATIENCE, signed_in).await {
            done?;
        }
        times.push(asked.elapsed());
    }
    let took = began.elapsed().as_secs_f64();
    let guesses = flood.guesses.load(Ordering::Relaxed);
    let cpu = (world.server.cpu_s()? - cpu_before) / took;
    Ok(vec![
        Figure::told("sign-in, p95", times.percentile_ms(950), "ms").must(Limit::AtMost(MUST)),
        Figure::told("sign-in, p50", times.percentile_ms(500), "ms"),
        Figure::told("sign-ins measured", real(times.len()), ""),
        Figure::told("sign-ins told to come later", real(sent_away), ""),
        Figure::told("guesses answered", real(guesses) / took, "/s"),
        Figure::told("server's processors", cpu, ""),
    ])
}

/// Guesses until it is dropped.
struct Flood {
    guesses: Arc<AtomicUsize>,
    _ends: watch::Sender<()>,
}

impl Flood {
    fn start(server: &str) -> anyhow::Result<Self> {
        let guesses = Arc::new(AtomicUsize::new(0));
        let (ends, end) = watch::channel(());
        let url = format!("{server}/api/v4/users/login");
        let places = CONNECTIONS.div_ceil(PER_PLACE);
        let places = (0..places).map(place).collect::<anyhow::Result<Vec<_>>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the flood")?;
        let count = guesses.clone();
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let of_all = places.iter().flat_map(|http| vec![http.clone(); PER_PLACE]);
                for (n, http) in of_all.take(CONNECTIONS).enumerate() {
                    tokio::spawn(guess(http, url.clone(), n, count.clone()));
                }
                let mut end = end;
                // Ends with the sender, and the guesses with the runtime.
                let _ = end.changed().await;
            });
        });
        Ok(Self {
            guesses,
            _ends: ends,
        })
    }
}

/// An address of the loopback network that is not the person's.
fn place(n: usize) -> anyhow::Result<reqwest::Client> {
    let last = u8::try_from(n + 2).context("too many places")?;
    reqwest::Client::builder()
        .no_proxy()
        .local_address(std::net::IpAddr::V4(Ipv4Addr::new(127, 0, 1, last)))
        .build()
        .context("make a guesser")
}

async fn guess(http: reqwest::Client, url: String, connection: usize, count: Arc<AtomicUsize>) {
    for n in 0_usize.. {
        let name = format!("nobody{connection}x{n}");
        let body = json!({"login_id": name, "password": "a wrong password"});
        let answer = http.post(&url).json(&body).send().await;
        match answer {
            Ok(answer) => {
                drop(answer.bytes().await);
                count.fetch_add(1, Ordering::Relaxed);
            }
            // Cut off: an attacker connects again.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
