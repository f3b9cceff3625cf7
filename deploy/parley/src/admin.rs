//! The verb `admin`: what an administrator sees and does from the machine of the server.
//!
//! In: what was typed, the configuration. Out: text to print, or why not. People are `people`'s; the
//! rest is asked of the server that runs, over its own API, in a session of an administrator that is
//! made for the question and ended with it: whoever may read the records may have one.

mod nodes;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use proto::redact::Secret;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use service::outgoing::Whom;
use signalling::Config;

use crate::people::{self, PeopleCommand};

/// A session that is not ended, because this process was killed, ends by itself after this.
const SESSION: Duration = Duration::from_secs(60);
/// The server is on this machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Channels asked for at once.
const PAGE: usize = 200;

/// What is asked, or done.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Who has an account and may sign in; also without a server.
    People {
        #[command(subcommand)]
        command: PeopleCommand,
    },
    /// Channels of all teams, but direct and group messages.
    Channels {
        #[command(subcommand)]
        command: ChannelsCommand,
    },
    /// Calls that run.
    Calls {
        #[command(subcommand)]
        command: CallsCommand,
    },
    /// Show recordings and transcripts that are being made: since when, how large, what is missing, how
    /// late.
    Recordings,
    /// Show the nodes of the cluster and the job services as this server sees them: what each is there
    /// for, whether it is up, how loaded; exit code 1 unless this server sees the others. Also `parley
    /// status`.
    Nodes {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Show what is kept, and how much room is left for it.
    Storage,
    /// Show whether the server is ready, and what is wrong with it; exit code 1 unless it is ready.
    Health,
}

/// What is done with channels.
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelsCommand {
    /// Show every channel, archived ones too.
    List,
    /// Close a channel: it stays readable, and nobody writes or calls there.
    Archive {
        /// Its name in the address of the page, or its id.
        channel: String,
    },
    /// Open an archived channel again.
    Restore { channel: String },
}

/// What is done with calls.
#[derive(Debug, Subcommand)]
pub(crate) enum CallsCommand {
    /// Show calls that run, the oldest first.
    List,
    /// End the call in a channel for everybody.
    End {
        /// Its name in the address of the page, or its id.
        channel: String,
    },
}

/// Carries out the verb; returns what is to be printed.
pub(crate) async fn carry_out(config: &Config, command: AdminCommand) -> anyhow::Result<String> {
    if let AdminCommand::People { command } = command {
        return people::carry_out(config, command).await;
    }
    people::ensure_records(config)?;
    let token = signalling::with_chat(config, async |chat| chat.tool_session(SESSION).await);
    let server = Running {
        address: reachable(config.listen),
        token: token.await?,
        http: Whom::OwnServices.client().timeout(PATIENCE).build()?,
    };
    let done = act(&server, command).await;
    // It ends by itself if the server has gone.
    let _ = server.ask(Method::POST, "/api/v4/users/logout").await;
    done
}

async fn act(server: &Running, command: AdminCommand) -> anyhow::Result<String> {
    Ok(match command {
        AdminCommand::People { .. } => String::new(),
        AdminCommand::Channels { command } => match command {
            ChannelsCommand::List => channels(&server.channels().await?),
            ChannelsCommand::Archive { channel } => {
                let (id, name) = server.channel(&channel).await?;
                server
                    .ask(Method::DELETE, &format!("/api/v4/channels/{id}"))
                    .await?;
                format!("`{name}` is archived: readable, and nobody writes or calls there")
            }
            ChannelsCommand::Restore { channel } => {
                let (id, name) = server.channel(&channel).await?;
                let path = format!("/api/v4/channels/{id}/restore");
                server.ask(Method::POST, &path).await?;
                format!("`{name}` is open again")
            }
        },
        AdminCommand::Calls { command } => match command {
            CallsCommand::List => calls(&server.ask(Method::GET, "/api/v4/admin/calls").await?),
            CallsCommand::End { channel } => {
                let (id, name) = server.channel(&channel).await?;
                let path = format!("/plugins/com.mattermost.calls/calls/{id}/host/end");
                server.ask(Method::POST, &path).await?;
                format!("the call in `{name}` ends for everybody")
            }
        },
        AdminCommand::Recordings => {
            recordings(&server.ask(Method::GET, "/api/v4/admin/jobs").await?)?
        }
        AdminCommand::Nodes { json } => {
            let seen = server.ask(Method::GET, "/api/v4/admin/nodes").await?;
            let text = if json {
                format!("{seen:#}")
            } else {
                nodes::table(&seen)
            };
            let sight = seen.get("sight").and_then(Value::as_str);
            ensure!(matches!(sight, Some("clear" | "alone")), "{text}");
            text
        }
        AdminCommand::Storage => fields(&server.ask(Method::GET, "/api/v4/admin/storage").await?),
        AdminCommand::Health => {
            let health = server.ask(Method::GET, "/api/v4/admin/health").await?;
            let text = fields(&health);
            let is_ready = health.get("ready") == Some(&Value::Bool(true));
            ensure!(is_ready, "the server is not ready\n{text}");
            text
        }
    })
}

/// The server that runs.
struct Running {
    address: SocketAddr,
    token: Secret,
    http: reqwest::Client,
}

impl Running {
    async fn ask(&self, method: Method, path: &str) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", self.address);
        self.answer(self.http.request(method, url)).await
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.bearer_auth(self.token.expose()).send().await;
        let answer = answer.map_err(|error| {
            anyhow::anyhow!(
                "no server answers at `{}` ({}): start it, or name its address with `--listen`",
                self.address,
                Whom::OwnServices.words(&error)
            )
        })?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let why = body.get("message").and_then(Value::as_str);
        let why = why.unwrap_or("it does not say why");
        bail!("the server at `{}` refuses ({status}): {why}", self.address)
    }

    async fn channels(&self) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        for page in 0.. {
            let path = format!("/api/v4/channels?include_deleted=true&page={page}&per_page={PAGE}");
            let some = self.ask(Method::GET, &path).await?;
            let some = some
                .as_array()
                .context("read the list of channels")?
                .clone();
            let is_last = some.len() < PAGE;
            all.extend(some);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Id and name of the one channel that is meant.
    async fn channel(&self, meant: &str) -> anyhow::Result<(String, String)> {
        let all = self.channels().await?;
        let found: Vec<&Value> = all
            .iter()
            .filter(|channel| channel["id"] == meant || channel["name"] == meant)
            .collect();
        match found[..] {
            [channel] => Ok((word(&channel["id"]), word(&channel["name"]))),
            [] => bail!("there is no channel `{meant}`: see `parley admin channels list`"),
            [..] => {
                let ids: Vec<String> = found.iter().map(|channel| word(&channel["id"])).collect();
                bail!(
                    "several channels are called `{meant}`; say which by its id: {}",
                    ids.join(", ")
                )
            }
        }
    }
}

/// Where a server that listens at `listen` is reached from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn channels(all: &[Value]) -> String {
    let mut text = format!(
        "{:<28} {:<24} {:<16} {:<8} STATE",
        "ID", "NAME", "TEAM", "KIND"
    );
    for channel in all {
        let kind = if channel["type"] == "P" {
            "private"
        } else {
            "open"
        };
        let state = if channel["delete_at"] == 0 {
            "open"
        } else {
            "archived"
        };
        let [id, name, team] = ["id", "name", "team_name"].map(|key| word(&channel[key]));
        // Writing to a String does not fail.
        let _written = write!(text, "\n{id:<28} {name:<24} {team:<16} {kind:<8} {state}");
    }
    text
}

fn calls(running: &Value) -> String {
    let running = running.as_array().map(Vec::as_slice).unwrap_or_default();
    if running.is_empty() {
        return "no call runs".to_owned();
    }
    let mut text = format!("{:<28} {:<24} {:<7} RECORDED", "CHANNEL", "NAME", "PEOPLE");
    for call in running {
        // Of a direct or group message it is not said which.
        let known = |key: &str| call[key].as_str().unwrap_or("(personal)").to_owned();
        let (channel, name) = (known("channel_id"), known("channel_name"));
        let people = word(&call["participants"]);
        let recorded = if call["recording"] == true {
            "yes"
        } else {
            "no"
        };
        // Writing to a String does not fail.
        let _written = write!(text, "\n{channel:<28} {name:<24} {people:<7} {recorded}");
    }
    text
}

fn recordings(report: &Value) -> anyhow::Result<String> {
    let problem = report["problem"].as_str().unwrap_or_default();
    ensure!(problem.is_empty(), "{problem}");
    let jobs = report["jobs"].as_array().map(Vec::as_slice);
    let jobs = jobs.unwrap_or_default();
    let free = size(&report["free_bytes"]);
    if jobs.is_empty() {
        return Ok(format!(
            "nothing is recorded or transcribed; {free} are free for it"
        ));
    }
    let mut text = format!(
        "{:<13} {:<20} {:<10} {:<9} {:<9} {:<8} {:<11} GAPS",
        "JOB", "CHANNEL", "STATE", "LASTS", "SIZE", "MISSING", "LAST HEARD"
    );
    for job in jobs {
        // Of a direct or group message it is not said which.
        let channel = job["channel_name"].as_str().unwrap_or("(personal)");
        let state = if job["is_paused"] == true {
            "paused".to_owned()
        } else {
            word(&job["phase"])
        };
        let kind = word(&job["type"]);
        let lasts = clock(&job["captured_ms"]);
        let bytes = size(&job["bytes"]);
        let missing = word(&job["missing_packets"]);
        let gaps = gaps(job);
        let heard = match job["silent_ms"].as_i64() {
            // Nobody listens any more.
            _ if job["phase"] == "finishing" => "it is over".to_owned(),
            Some(ms) => format!("{} s ago", ms / 1000),
            None => "not yet".to_owned(),
        };
        // Writing to a String does not fail.
        let _written = write!(
            text,
            "\n{kind:<13} {channel:<20} {state:<10} {lasts:<9} {bytes:<9} {missing:<8} {heard:<11} {gaps}"
        );
    }
    // Writing to a String does not fail.
    let _written = write!(text, "\n{free} are free where they are made");
    Ok(text)
}

/// Milliseconds as hours, minutes and seconds.
fn clock(ms: &Value) -> String {
    let seconds = ms.as_i64().unwrap_or(0) / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours}:{minutes:02}:{:02}", seconds % 60)
}

fn size(bytes: &Value) -> String {
    let bytes = bytes.as_u64().unwrap_or(0);
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        10_000_000_000.. => format!("{} GB", bytes / 1_000_000_000),
    }
}

/// Where a recording has nothing although the call went on, beside packets that are missing.
fn gaps(job: &Value) -> String {
    let died = job["workers"].as_i64().unwrap_or(0) - 1;
    let all = [
        (job["pauses"].as_i64().unwrap_or(0), "pause", "pauses"),
        (
            job["dropped_packets"].as_i64().unwrap_or(0),
            "packet the disk was too slow for",
            "packets the disk was too slow for",
        ),
        (died, "worker died", "workers died"),
    ];
    let told = all.into_iter().filter(|(count, ..)| *count > 0);
    let told =
        told.map(|(count, one, more)| format!("{count} {}", if count == 1 { one } else { more }));
    let told: Vec<_> = told.collect();
    if told.is_empty() {
        "none".to_owned()
    } else {
        told.join(", ")
    }
}

/// One line a field.
fn fields(value: &Value) -> String {
    let lines = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let text = match value.as_array() {
                Some(words) if words.is_empty() => "none".to_owned(),
                Some(words) => words.iter().map(word).collect::<Vec<_>>().join("; "),
                None => word(value),
            };
            format!("{:<28} {text}", name.replace('_', " "))
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text without its quotes, anything else as it is.
fn word(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_this_machine() {
        for (listens, asked) in [
            ("0.0.0.0:8065", "127.0.0.1:8065"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line_a_field() {
        let told = fields(&json!({"ready": false, "troubles": ["a", "b"], "version": "1"}));
        let lines: Vec<Vec<&str>> = told
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["troubles", "a;", "b"]);
        assert_eq!(
            fields(&json!({"troubles": []})).split_whitespace().last(),
            Some("none")
        );
    }

    #[test]
    fn a_recording_is_told_with_its_size_its_gaps_and_its_delay() {
        let job = json!({
            "type": "recording", "phase": "capturing", "captured_ms": 3_725_000, "is_paused": true,
            "pauses": 2, "bytes": 12_400_000, "missing_packets": 7, "dropped_packets": 0,
            "silent_ms": 1400,
        });
        let told = recordings(&json!({"problem": "", "free_bytes": 9_000_000, "jobs": [job]}));
        let told = told.unwrap();
        let row: Vec<&str> = told.lines().nth(1).unwrap().split_whitespace().collect();
        let expected = "recording (personal) paused 1:02:05 12 MB 7 1 s ago 2 pauses";
        assert_eq!(row.join(" "), expected);
        let lost = json!({"workers": 3, "pauses": 1, "dropped_packets": 9});
        let expected = "1 pause, 9 packets the disk was too slow for, 2 workers died";
        assert_eq!(
            (gaps(&lost), gaps(&json!({"workers": 1}))),
            (expected.to_owned(), "none".to_owned())
        );
        let none = recordings(&json!({"problem": "", "free_bytes": 20_000_000_000_u64}));
        let text = "nothing is recorded or transcribed; 20 GB are free for it";
        assert_eq!(none.unwrap(), text);
        assert!(recordings(&json!({"problem": "it is away"})).is_err());
    }

    #[test]
    fn a_personal_call_is_counted_and_not_named() {
        let told = calls(&json!([{"participants": 2, "recording": true}]));
        assert!(
            told.ends_with("2       yes") && told.contains("(personal)"),
            "{told}"
        );
    }
}
