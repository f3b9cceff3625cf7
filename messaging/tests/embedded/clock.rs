//! A clock that is set: posts keep their order, and nothing that comes later is dated wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use messaging::embedded::WallClock;
use serde_json::{Value, json};

use crate::desk::{Client, Desk, text};

const DAY_MS: i64 = 24 * 3600 * 1000;
const TODAY: i64 = 1_800_000_000_000;

fn order(page: &Value) -> Vec<String> {
    page["order"].as_array().unwrap().iter().map(text).collect()
}

fn at(post: &Value) -> i64 {
    post["create_at"].as_i64().unwrap()
}

struct Hand(Arc<AtomicI64>);

impl Hand {
    fn new() -> (Self, WallClock) {
        let time = Arc::new(AtomicI64::new(TODAY));
        let source = time.clone();
        let clock = WallClock::from_fn(move || source.load(Ordering::Relaxed));
        (Self(time), clock)
    }

    fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_clock_that_jumped_forward_once_dates_nothing_after_it_in_the_future() {
    let dir = tempfile::tempdir().unwrap();
    let (hand, clock) = Hand::new();
    let desk = Desk::open_at(dir.path(), |config| config.wall_clock = clock.clone()).await;
    let anna = desk.person("anna").await;
    let room = anna.town_square().await;
    let before = anna.say(&room, "before").await;
    hand.set(TODAY + 20 * DAY_MS);
    let ahead = anna.say(&room, "ahead").await;
    assert_eq!(at(&ahead), TODAY + 20 * DAY_MS);
    hand.set(TODAY + 60_000);
    let after = anna.say(&room, "after").await;
    assert_eq!(at(&after), TODAY + 60_000);
    let later = anna.say(&room, "later").await;
    assert_eq!(at(&later), TODAY + 60_001);
    let [first, second, third, fourth] = [&before, &ahead, &after, &later].map(|p| text(&p["id"]));
    let check = async |anna: &Client| {
        let page = anna.read(&format!("/channels/{room}/posts")).await;
        assert_eq!(
            order(&page),
            [&fourth, &third, &second, &first].map(Clone::clone)
        );
        let path = format!("/channels/{room}/posts?before={third}&per_page=1");
        let page = anna.read(&path).await;
        assert_eq!(order(&page), std::slice::from_ref(&second));
        assert_eq!(page["prev_post_id"], json!(first));
        let page = anna
            .read(&format!("/channels/{room}/posts?after={second}"))
            .await;
        assert_eq!(order(&page), [&fourth, &third].map(Clone::clone));
        // a client whose newest post is the one of the future misses nothing
        let since = at(&ahead);
        let page = anna
            .read(&format!("/channels/{room}/posts?since={since}"))
            .await;
        assert!(
            order(&page).starts_with(&[fourth.clone(), third.clone()]),
            "{page}"
        );
    };
    check(&anna).await;
    desk.server.close().await;
    // also after a restart
    let desk = Desk::open_at(dir.path(), |config| config.wall_clock = clock.clone()).await;
    let anna = Client {
        token: anna.token.clone(),
        id: anna.id.clone(),
        ..desk.nobody()
    };
    check(&anna).await;
    let next = anna.say(&room, "next").await;
    assert!(
        (TODAY..TODAY + DAY_MS).contains(&at(&next)),
        "{}",
        at(&next)
    );
}

#[tokio::test]
async fn what_is_unread_follows_the_order_and_not_the_clock() {
    let (hand, clock) = Hand::new();
    let desk = Desk::open_with(|config| config.wall_clock = clock).await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let read = text(&anna.say(&room, "read").await["id"]);
    let view = json!({ "channel_id": room });
    assert_eq!(ben.post("/channels/members/me/view", view).await.0, 200);
    hand.set(TODAY - 2 * DAY_MS);
    let unread = text(&anna.say(&room, "unread").await["id"]);
    let path = format!("/users/me/channels/{room}/posts/unread?limit_after=1&limit_before=1");
    let page = ben.read(&path).await;
    assert_eq!(order(&page), [unread, read]);
}
