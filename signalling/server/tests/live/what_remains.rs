//! Everything that is left of a recorded call, row by row: what people want to keep, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use proto::calls::action::Action;
use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Column as _, Connection as _, Row as _};

use crate::bot_routes::upload;
use crate::recording::recorded;

/// The rows of every table, each as the texts of its columns.
type Records = BTreeMap<String, Vec<BTreeMap<String, String>>>;

async fn records(file: &Path) -> Records {
    sqlx::any::install_default_drivers();
    let address = format!("sqlite://{}?mode=ro", file.display());
    let mut db = AnyConnection::connect(&address).await.unwrap();
    // Without the tables of SQLite and of the migrations.
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' \
                  AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut db).await.unwrap();
    let mut records = Records::new();
    for table in tables {
        let all = sqlx::AssertSqlSafe(format!("SELECT * FROM {table}"));
        let rows = sqlx::query(all).fetch_all(&mut db).await.unwrap();
        records.insert(table, rows.iter().map(texts).collect());
    }
    records
}

fn texts(row: &AnyRow) -> BTreeMap<String, String> {
    let text = |name: &str| {
        let number = row.try_get::<i64, _>(name).map(|number| number.to_string());
        let bytes = || {
            row.try_get::<Vec<u8>, _>(name)
                .map(|bytes| format!("{bytes:?}"))
        };
        number
            .or_else(|_| row.try_get::<String, _>(name))
            .or_else(|_| bytes())
            .unwrap_or_default()
    };
    let columns = row.columns().iter();
    columns
        .map(|column| (column.name().to_owned(), text(column.name())))
        .collect()
}

fn counts(records: &Records) -> Vec<(&str, usize)> {
    let tables = records.iter();
    tables
        .map(|(name, rows)| (name.as_str(), rows.len()))
        .collect()
}

/// The column of all rows of a table, sorted.
fn column(records: &Records, table: &str, name: &str) -> Vec<String> {
    let mut texts: Vec<String> = records[table].iter().map(|row| row[name].clone()).collect();
    texts.sort();
    texts
}

#[expect(clippy::too_many_lines, reason = "one story and its inventory")]
#[tokio::test]
async fn of_a_recorded_call_its_posts_its_files_and_its_finished_records_remain() {
    let (world, mut anna, mut ben, bot, recording, transcribing) = recorded().await;
    let asked = world.jobs.as_ref().unwrap().jobs();
    let job_token = asked[0]["input_data"]["auth_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let post = asked[0]["input_data"]["post_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut bots = Vec::new();
    for (job, kind) in [(&recording, "recording"), (&transcribing, "transcribing")] {
        let mut client = world.connect(&bot).await;
        client.ask_to_join(&world.channel, Some(job)).await;
        client.wait_for("call_state").await;
        let path = world.call_path(&format!("jobs/{job}/status"));
        let report = json!({ "JobType": kind, "Status": "started" });
        let (status, told) = world.post(&bot, &format!("/bot{path}"), report).await;
        assert_eq!(status, 200, "{told}");
        bots.push(client);
    }
    let stop = world.call_path("recording/stop");
    assert_eq!(world.post(&world.anna, &stop, json!({})).await.0, 200);
    for client in &mut bots {
        client.wait_for("job_stop").await;
        client.act(&Action::Leave).await;
    }
    let film = upload(&world, &bot, "call.mp4", b"a film").await;
    let report = json!({ "JobID": recording, "PostID": post, "FileIDs": [film] });
    let path = format!("/bot{}", world.call_path("recordings"));
    assert_eq!(world.post(&bot, &path, report).await.0, 200);
    let vtt = upload(&world, &bot, "call.vtt", b"WEBVTT").await;
    let txt = upload(&world, &bot, "call.txt", b"good morning").await;
    let transcription = json!({ "Language": "en", "FileIDs": [vtt, txt] });
    let report =
        json!({ "JobID": transcribing, "PostID": post, "Transcriptions": [transcription] });
    let path = format!("/bot{}", world.call_path("transcriptions"));
    let (status, told) = world.post(&bot, &path, report).await;
    assert_eq!(status, 200, "{told}");
    anna.act(&Action::Leave).await;
    ben.act(&Action::Leave).await;
    loop {
        let (_, active) = world.get(&world.anna, &world.call_path("active")).await;
        if active["active"] == false {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let tokens = [&world.admin, &world.anna, &world.ben, &bot].map(|one| one.token.clone());
    let ids = [&recording, &transcribing].map(Clone::clone);
    world.running.stop().await;

    let calls = records(&world.data.path().join("calls.db")).await;
    assert_eq!(
        counts(&calls),
        [
            ("calls", 1),
            ("calls_channels", 0),
            ("calls_jobs", 3),
            ("calls_sessions", 0),
            ("keys", 3),
            ("storage_health", 0),
        ]
    );
    assert_ne!(
        column(&calls, "calls", "endat"),
        ["0"],
        "the call has ended"
    );
    assert_eq!(column(&calls, "calls", "postid"), [post.as_str()]);
    // Who had what recorded, and when: nothing that opens a door.
    let kinds = column(&calls, "calls_jobs", "type");
    assert_eq!(kinds, ["captioning", "recording", "transcribing"]);
    assert!(!column(&calls, "calls_jobs", "endat").contains(&"0".to_owned()));
    for props in column(&calls, "calls_jobs", "props") {
        let props: Value = serde_json::from_str(&props).unwrap();
        let names: Vec<&String> = props.as_object().unwrap().keys().collect();
        assert_eq!(names, ["bot_conn_id", "err", "job_id"]);
    }
    let keys = column(&calls, "keys", "name");
    assert_eq!(keys, ["client_id", "job_service_auth_key", "rtcd_auth_key"]);

    let chat = records(&world.data.path().join("chat.db")).await;
    // What the posts are found by: as many words as they have, and they say how long it took.
    let mut counted = counts(&chat);
    counted.retain(|(table, _)| *table != "post_words");
    assert_eq!(
        counted,
        [
            ("clock_steps", 0),
            ("doomed_blobs", 0),
            ("ended_logins", 0),
            ("files", 3),
            ("invites", 0),
            ("logins", 5),
            ("people", 4),
            ("portraits", 0),
            ("post_files", 3),
            ("posts", 3),
            ("preferences", 0),
            ("push_ids", 0),
            ("reactions", 0),
            ("room_members", 15),
            ("rooms", 5),
            ("server_marks", 1),
            ("storage_health", 0),
            ("team_members", 6),
            ("teams", 2),
            ("thread_followers", 1), // whoever began the call, of its thread
            ("unindexed", 1),        // how far the words are known
            ("uploads", 0),
        ]
    );
    let names = column(&chat, "files", "name");
    assert_eq!(names, ["call.mp4", "call.txt", "call.vtt"]);
    for (database, records) in [("calls", &calls), ("chat", &chat)] {
        let values = records.values().flatten().flat_map(BTreeMap::values);
        for value in values {
            for token in tokens.iter().chain([&job_token]) {
                assert!(!value.contains(token), "a token in {database}: {value}");
            }
        }
    }
    let in_chat = chat.values().flatten().flat_map(BTreeMap::values);
    for value in in_chat {
        assert!(!value.contains("input_data") && !value.contains("auth_token"));
        assert!(
            ids.iter().all(|job| value != job),
            "a job has no row of its own"
        );
    }
}
