//! Searching: what is found, by whom, and what is not.

use serde_json::{Value, json};

use crate::desk::{Client, Desk, text};

async fn found(person: &Client, terms: &str) -> Vec<String> {
    let team = person.team().await;
    let body = json!({ "terms": terms, "is_or_search": false });
    let path = format!("/teams/{team}/posts/search");
    let (status, answer) = person.post(&path, body).await;
    assert_eq!(status, 200, "{terms}: {answer}");
    assert_eq!(answer["matches"], Value::Null);
    let order = answer["order"].as_array().unwrap();
    let message = |id: &Value| text(&answer["posts"][text(id)]["message"]);
    order.iter().map(message).collect()
}

#[tokio::test]
async fn posts_are_found_by_their_words_newest_first() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    anna.say(&room, "The budget meeting is on Monday").await;
    ben.say(&room, "Which Budget? The ÜBER-budget!").await;
    anna.say(&room, "月曜の会議").await;
    let both = [
        "Which Budget? The ÜBER-budget!",
        "The budget meeting is on Monday",
    ];
    assert_eq!(found(&anna, "budget").await, both);
    assert_eq!(found(&anna, "budg*").await, both);
    assert_eq!(found(&anna, "budg mond").await, both[1..]);
    assert_eq!(found(&anna, "\"budg\"").await, [""; 0]);
    assert_eq!(found(&anna, "\"budget meeting\"").await, both[1..]);
    assert_eq!(found(&anna, "\"meeting budget\"").await, [""; 0]);
    assert_eq!(found(&anna, "budget -monday").await, both[..1]);
    assert_eq!(found(&anna, "über").await, both[..1]);
    assert_eq!(found(&anna, "会議").await, ["月曜の会議"]);
    assert_eq!(found(&anna, "議会").await, [""; 0]);
    assert_eq!(found(&anna, "budget from:@ben").await, both[..1]);
    assert_eq!(
        found(&anna, "from:anna budget in:town-square").await,
        both[1..]
    );
    assert_eq!(found(&anna, "budget from:nobody").await, [""; 0]);
    assert_eq!(found(&anna, "budget before:2020-01-01").await, [""; 0]);
    assert_eq!(found(&anna, "budget after:2020-01-01").await, both);
    assert_eq!(found(&anna, "' OR 1=1 --").await, [""; 0]);
    let path = format!("/teams/{}/posts/search", anna.team().await);
    let (status, refusal) = anna.post(&path, json!({ "terms": "%" })).await;
    assert_eq!(
        (status, text(&refusal["message"])),
        (400, "Type a word to search for.".to_owned())
    );
}

#[tokio::test]
async fn a_search_finds_what_a_post_says_now() {
    let desk = Desk::open().await;
    let (_, anna, ben) = desk.three().await;
    let room = anna.town_square().await;
    let id = text(&anna.say(&room, "an old word").await["id"]);
    let edit = json!({ "message": "a new word" });
    anna.put(&format!("/posts/{id}/patch"), edit).await;
    assert_eq!(found(&ben, "old").await, [""; 0]);
    assert_eq!(found(&ben, "new").await, ["a new word"]);
    anna.delete(&format!("/posts/{id}")).await;
    assert_eq!(found(&ben, "new").await, [""; 0]);
}

#[tokio::test]
async fn nobody_finds_what_is_not_theirs_to_read() {
    let desk = Desk::open().await;
    let (admin, anna, ben) = desk.three().await;
    let room = anna.room("P", "secret").await;
    anna.say(&room, "the treasure is here").await;
    let direct = anna
        .make("/channels/direct", json!([anna.id, ben.id]))
        .await;
    let direct = text(&direct["id"]);
    anna.say(&direct, "the treasure is there").await;
    assert_eq!(found(&ben, "treasure").await, ["the treasure is there"]);
    assert_eq!(
        found(&ben, "in:@anna treasure").await,
        ["the treasure is there"]
    );
    assert_eq!(found(&ben, "treasure in:secret").await, [""; 0]);
    assert_eq!(found(&admin, "treasure").await, [""; 0]);
    let member = json!({ "user_id": ben.id });
    anna.make(&format!("/channels/{room}/members"), member)
        .await;
    assert_eq!(found(&ben, "treasure").await.len(), 2);
    anna.delete(&format!("/channels/{room}/members/{}", ben.id))
        .await;
    assert_eq!(found(&ben, "treasure").await.len(), 1);
    let (_, everywhere) = ben
        .post("/posts/search", json!({ "terms": "treasure" }))
        .await;
    assert_eq!(everywhere["order"].as_array().unwrap().len(), 1);
    // another team's posts are not found from this one
    let body = json!({ "name": "other", "display_name": "Other", "type": "O" });
    let other = text(&admin.make("/teams", body).await["id"]);
    let path = format!("/teams/{other}/posts/search");
    assert_eq!(ben.post(&path, json!({ "terms": "treasure" })).await.0, 404);
    // an archived room's are found when they are asked for
    anna.delete(&format!("/channels/{room}")).await;
    assert_eq!(found(&anna, "treasure").await.len(), 1);
    let body = json!({ "terms": "treasure", "include_deleted_channels": true });
    let (_, all) = anna.post("/posts/search", body).await;
    assert_eq!(all["order"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn searches_have_pages_and_bad_ones_a_reason() {
    let desk = Desk::open_with(|config| config.writes_per_minute = 0).await;
    let (_, anna, _) = desk.three().await;
    let room = anna.town_square().await;
    for number in 0..7 {
        anna.say(&room, &format!("apple {number}")).await;
    }
    anna.say(&room, "pear 8").await;
    let page = async |page: i64| {
        let body = json!({ "terms": "apple", "page": page, "per_page": 3 });
        let answer = anna.post("/posts/search", body).await.1;
        answer["order"].as_array().unwrap().len()
    };
    assert_eq!([page(0).await, page(2).await, page(3).await], [3, 1, 0]);
    let either = json!({ "terms": "pear apple", "is_or_search": true });
    let (_, either) = anna.post("/posts/search", either).await;
    assert_eq!(either["order"].as_array().unwrap().len(), 8);
    for bad in ["", "  \"\" ", "on:yesterday", &"x".repeat(600)] {
        let (status, refusal) = anna.post("/posts/search", json!({ "terms": bad })).await;
        assert_eq!(status, 400, "{bad}: {refusal}");
    }
}
