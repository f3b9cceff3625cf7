//! What an operator sees of the server itself: readiness, metrics, files, the end.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::world::World;

async fn ready(world: &World) -> (u16, String) {
    let url = format!("http://{}/readyz", world.addr());
    let answer = world.http.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until `/readyz` tells of the place for files: it is looked at every few seconds.
pub(crate) async fn told_of_files(world: &World) -> String {
    for _ in 0..40 {
        if let (503, told) = ready(world).await {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("never told");
}

#[tokio::test]
async fn files_that_cannot_be_written_are_told() {
    let world = World::new().await;
    assert_eq!(ready(&world).await, (200, "ready\n".to_owned()));
    let uploads = world.data.path().join("uploads");
    std::fs::remove_dir_all(&uploads).unwrap();
    std::fs::write(&uploads, "in the way").unwrap();
    let told = told_of_files(&world).await;
    assert!(told.contains("storage.data_dir"), "{told}");
    std::fs::remove_file(&uploads).unwrap();
    std::fs::create_dir(&uploads).unwrap();
    let mut answer = ready(&world).await;
    for _ in 0..40 {
        if answer.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        answer = ready(&world).await;
    }
    assert_eq!(answer, (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn a_killed_task_is_told_and_is_what_the_server_fails_of() {
    for task in ["media news"] {
        let world = World::new().await;
        assert_eq!(ready(&world).await, (200, "ready\n".to_owned()));
        assert!(world.running.tasks().kill(task), "{task}");
        let over = world.running.failed().await;
        assert_eq!(
            over.to_string(),
            format!(
                "task `{task}` of signalling was cancelled: signalling cannot go on without it"
            )
        );
        let told = format!("task `{task}` was cancelled\n");
        assert_eq!(ready(&world).await, (503, told));
    }
}

#[tokio::test]
async fn the_end_of_a_connection_to_a_media_host_is_told() {
    let world = World::new().await;
    let connection = format!("connection to {}", world.rtcd.url());
    assert!(world.running.tasks().kill(&connection));
    assert_eq!(world.running.failed().await.task, connection);
    let (status, told) = ready(&world).await;
    assert_eq!(status, 503);
    assert!(
        told.starts_with(&format!("task `{connection}` was cancelled\n")),
        "{told}"
    );
}

#[tokio::test]
async fn metrics_on_the_peoples_port_are_for_administrators() {
    let world = World::new().await;
    let url = format!("http://{}/metrics", world.addr());
    let status = async |token: Option<&str>| {
        let mut request = world.http.get(&url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(None).await, 401);
    assert_eq!(status(Some(&world.anna.token)).await, 403);
    assert_eq!(status(Some(&world.admin.token)).await, 200);
}

#[tokio::test]
async fn nothing_that_is_kept_is_open_to_others() {
    let world = World::new().await;
    let _call = world.anna_and_ben().await;
    let mut folders = vec![world.data.path().to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(others_may(&folder), 0, "{}", folder.display());
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            seen += 1;
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(others_may(&path), 0, "{}", path.display());
            }
        }
    }
    assert!(seen >= 2, "the databases");
}

fn others_may(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o077
}
