//! What `/readyz` says of a node whose parts die, and how the node ends.

use super::*;

async fn ready(node: &Running) -> (u16, String) {
    let url = format!("http://{}/readyz", node.http_addr());
    let client = service::outgoing::Whom::OwnServices.client();
    let answer = client.build().unwrap().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_dead_shard_is_told_and_ends_the_node_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(Config::local(directory.path())).await.unwrap();
    assert_eq!(ready(&node).await, (200, "ok\n".to_owned()));
    node.inboxes[0].send(ShardMessage::Stop).unwrap();
    let over = node.failed().await;
    assert_eq!(over.task, "shard-0");
    let told = "task `shard-0` has ended, and should not\n".to_owned();
    assert_eq!(ready(&node).await, (503, told));
    let error = node.stop().await.unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "task `shard-0` of rtcd has ended, and should not: rtcd cannot go on without it"
    );
}

#[tokio::test]
async fn a_killed_task_is_told_and_ends_the_node_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(Config::local(directory.path())).await.unwrap();
    assert!(node.tasks().kill("events of shards"));
    node.failed().await;
    let told = "task `events of shards` was cancelled\n".to_owned();
    assert_eq!(ready(&node).await, (503, told));
    let error = node.stop().await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("task `events of shards` of rtcd was cancelled")
    );
}
