//! Recordings: whole jobs, from a service to a film, of a call whose server and media are in this program.
//!
//! What a recording costs is the processor time of its worker and of all that the worker starts, from its
//! start until the film is handed in, over the length of the call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use offloader::order::lock_path;
use offloader::{Config, Running};
use serde_json::{Value, json};

use crate::figures::{Figure, Good, Seen, percentile};
use crate::sfu::Script;
use crate::site::Site;
use crate::{Args, process, sound};

const KEY: &str = "a key of thirty-two bytes or more";
/// How long calls last: their voices are half a minute long.
const CALL: Duration = Duration::from_secs(28);
/// Starts of which the 95th percentile is taken.
const STARTS: usize = 20;
/// A film that is not there by then will not come.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(crate) async fn measure(
    args: &Args,
    wanted: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let voices = || {
        (0..10).fold(Script::default(), |script, n| {
            let hertz = 200.0 + 40.0 * n as f32;
            script.voice(&format!("person{n}"), hertz)
        })
    };
    if wanted("record-voices") || wanted("record-memory") {
        let cost = cost(args, voices()).await?;
        let cores = figure(
            "record-voices",
            "cores, 10 speakers",
            "",
            cost.cores,
            0.1,
            0.03,
        );
        let memory = figure(
            "record-memory",
            "per further recording",
            "MB",
            cost.memory,
            80.0,
            40.0,
        );
        figures.push(cores.made_of(Seen::Over(cost.busy)));
        figures.push(memory.made_of(Seen::Over(cost.held)));
    }
    if wanted("record-screen") {
        let script = voices().screen_of("person1", changing(), Duration::ZERO);
        let cost = cost(args, script).await?;
        let cores = figure(
            "record-screen",
            "cores, 720p with a screen, 20 fps",
            "",
            cost.cores,
            0.5,
            0.3,
        );
        figures.push(cores.made_of(Seen::Over(cost.busy)));
    }
    if wanted("record-start") {
        let begins = starts(args).await?;
        let slow = percentile(begins.clone(), 95);
        let slow = figure(
            "record-start",
            "job accepted to recording, p95",
            "s",
            slow,
            1.5,
            0.7,
        );
        figures.push(slow.made_of(Seen::Each(begins)));
    }
    if wanted("record-killed") {
        let lost = killed(args, voices()).await?;
        figures.push(figure(
            "record-killed",
            "sound lost on kill -9",
            "s",
            lost,
            4.0,
            2.0,
        ));
    }
    figures.retain(|figure| wanted(&figure.row));
    Ok(figures)
}

fn figure(
    row: &str,
    what: &'static str,
    unit: &'static str,
    value: f64,
    must: f64,
    aim: f64,
) -> Figure {
    Figure {
        row: row.to_owned(),
        what,
        unit,
        value,
        must,
        aim,
        good: Good::AtMost,
        seen: Seen::Nothing,
    }
}

/// A screen for the length of a call of which every picture is another: it grows lighter and dark again.
fn changing() -> Vec<Vec<u8>> {
    let luma = |picture| u8::try_from(60 + picture % 120).unwrap_or(60);
    sound::shaded_packets(luma, 640, 360, 30 * 30)
}

/// A service with its folder.
struct Service {
    running: Running,
    folder: tempfile::TempDir,
    http: reqwest::Client,
}

impl Service {
    async fn start(args: &Args) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = args.binary.to_string_lossy().into_owned();
        let config = Config {
            done_jobs_retention: Some(Duration::from_secs(3600)),
            listen_address: "127.0.0.1:0".to_owned(),
            data_dir: folder.path().to_path_buf(),
            allow_self_registration: true,
            max_concurrent_jobs: 100,
            worker_command: vec![program, "worker".to_owned()],
            ..Config::default()
        };
        Ok(Self {
            running: offloader::start(config).await?,
            folder,
            http: reqwest::Client::builder().no_proxy().build()?,
        })
    }

    /// Asks for a recording; returns its id.
    async fn record(&self, site: &Site) -> anyhow::Result<String> {
        let mut input = site.recording_input();
        if let Some(input) = input.as_object_mut() {
            // What the reference calls medium.
            let medium = [
                ("frame_rate", json!(20)),
                ("video_rate", json!(1500)),
                ("video_preset", json!("veryfast")),
            ];
            input.extend(medium.map(|(key, value)| (key.to_owned(), value)));
        }
        let job = json!({
            "type": "recording", "runner": "mattermost/calls-recorder:v0.8.13",
            "max_duration_sec": 600, "input_data": input,
        });
        let asked = self
            .http
            .post(format!("http://{}/jobs", self.running.http_addr));
        let asked = asked.basic_auth("bench", Some(KEY)).json(&job);
        let answer: Value = asked.send().await?.error_for_status()?.json().await?;
        let id = answer.get("id").and_then(Value::as_str);
        Ok(id.context("a job without an id")?.to_owned())
    }

    fn worker(&self, job: &str) -> anyhow::Result<u64> {
        let folder = self.folder.path().join("jobs").join(job);
        let pid = std::fs::read_to_string(lock_path(&folder))?;
        Ok(pid.trim().parse()?)
    }
}

async fn until(what: &str, mut is: impl FnMut() -> bool) -> anyhow::Result<Instant> {
    let begun = Instant::now();
    while !is() {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(Instant::now())
}

fn started(site: &Site) -> bool {
    let statuses = site.statuses.lock();
    statuses.is_ok_and(|statuses| !statuses.is_empty())
}

fn handed_in(site: &Site) -> bool {
    let recordings = site.recordings.lock();
    recordings.is_ok_and(|recordings| !recordings.is_empty())
}

/// Processor seconds of everything that was started and has ended.
fn spent() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// What a recording takes.
struct Cost {
    cores: f64,
    /// Most of its memory, in MB.
    memory: f64,
    /// Cores over the seconds of the call, of what runs in it.
    busy: Vec<(f64, f64)>,
    /// Memory in MB over the same.
    held: Vec<(f64, f64)>,
}

async fn cost(args: &Args, script: Script) -> anyhow::Result<Cost> {
    let site = Site::start(script).await;
    let service = Service::start(args).await?;
    let before = spent()?;
    let job = service.record(&site).await?;
    let begun = until("the recording", || started(&site)).await?;
    let worker = service.worker(&job)?;
    let mut memory = 0.0_f64;
    let (mut busy, mut held) = (Vec::new(), Vec::new());
    let mut before_that = (
        begun.elapsed().as_secs_f64(),
        process::seconds_of_tree(worker)?,
    );
    while begun.elapsed() < CALL {
        let now = process::memory_of_tree(worker)?;
        memory = memory.max(now);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (at, spent) = (
            begun.elapsed().as_secs_f64(),
            process::seconds_of_tree(worker)?,
        );
        busy.push((at, (spent - before_that.1) / (at - before_that.0)));
        held.push((at, now));
        before_that = (at, spent);
    }
    let lasted = begun.elapsed().as_secs_f64();
    site.stop_job();
    // The worker may end between two looks.
    until("the film", || {
        memory = memory.max(process::memory_of_tree(worker).unwrap_or(0.0));
        handed_in(&site)
    })
    .await?;
    let gone = format!("/proc/{worker}");
    until("the worker's end", || !std::path::Path::new(&gone).exists()).await?;
    service.running.stop().await;
    Ok(Cost {
        cores: (spent()? - before) / lasted,
        memory,
        busy,
        held,
    })
}

async fn starts(args: &Args) -> anyhow::Result<Vec<f64>> {
    let service = Service::start(args).await?;
    let mut begins = Vec::new();
    for _ in 0..STARTS {
        let site = Site::start(Script::default().voice("anna", 400.0)).await;
        let asked = Instant::now();
        service.record(&site).await?;
        let begun = until("the recording", || started(&site)).await?;
        begins.push(begun.duration_since(asked).as_secs_f64());
        site.stop_job();
        // What is stopped at once may be too short for a film.
        until("the end", || site.leaves.load(Ordering::Relaxed) > 0).await?;
    }
    service.running.stop().await;
    Ok(begins)
}

/// How much before the worker's sudden end the film ends.
async fn killed(args: &Args, script: Script) -> anyhow::Result<f64> {
    let site: Arc<Site> = Site::start(script).await;
    let service = Service::start(args).await?;
    let job = service.record(&site).await?;
    let begun = until("the recording", || started(&site)).await?;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let worker = service.worker(&job)?.to_string();
    let mut kill = tokio::process::Command::new("kill");
    let done = kill.args(["-9", &worker]).status().await?;
    anyhow::ensure!(done.success(), "`kill -9 {worker}` failed");
    let lived = begun.elapsed().as_secs_f64();
    until("the film", || handed_in(&site)).await?;
    anyhow::ensure!(
        site.joins.load(Ordering::Relaxed) <= 2,
        "the call was joined again and again"
    );
    let film = service.folder.path().join("film.mp4");
    std::fs::write(&film, site.file(".mp4"))?;
    let seconds = ffmpeg_next::format::input(&film)?.duration() as f64 / 1e6;
    service.running.stop().await;
    Ok((lived - seconds).max(0.0))
}
