//! A database that an earlier version left is taken over with everything in it.

use std::path::Path;

use proto::id::{ChannelId, UserId};
use storage::Location;

use super::{PersonFilter, Store};

const OLD: &str = include_str!("adoption/before_numbered_steps.sql");

async fn adopted(folder: &Path) -> Store {
    let path = folder.join("chat.db");
    storage::testing::sqlite_of_old(&path, OLD).await;
    // the second start finds its work done
    let first = Store::open(&Location::File(path.clone())).await.unwrap();
    first.close().await;
    Store::open(&Location::File(path)).await.unwrap()
}

fn user(name: &str) -> UserId {
    UserId::parse(format!("{name:1<26}")).unwrap()
}

fn town_square() -> ChannelId {
    ChannelId::parse(format!("{:1<26}", "room")).unwrap()
}

#[tokio::test]
async fn people_and_their_marks_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = adopted(folder.path()).await;
    let everybody = PersonFilter {
        limit: 10,
        ..PersonFilter::default()
    };
    let people = store.list_persons(&everybody).await.unwrap();
    let marks: Vec<_> = people
        .iter()
        .map(|person| (person.username.as_str(), person.is_bot, person.is_admin))
        .collect();
    assert_eq!(
        marks,
        [
            ("anna", false, true),
            ("ben", false, false),
            ("calls", true, false)
        ]
    );
    let anna = people.first().unwrap();
    assert_eq!((anna.position.as_str(), anna.updated_at), ("host", 11));
    let login = store.login_by_token("token-hash", 99).await.unwrap();
    assert_eq!(login.unwrap().person_id, user("anna"));
    let preferences = store.preferences_of(&user("ben")).await.unwrap();
    assert_eq!(preferences.first().unwrap().value, "dark");
}

#[tokio::test]
async fn rooms_and_memberships_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = adopted(folder.path()).await;
    let team = store.team_by_name("main").await.unwrap().unwrap();
    let members = store.team_members(&team.id, 0, 9).await.unwrap();
    let admins: Vec<_> = members.iter().map(|member| member.is_admin).collect();
    assert_eq!(admins, [true, false]);
    let defaults = store.default_rooms(&team.id).await.unwrap();
    assert_eq!(defaults.len(), 1);
    let room = defaults.first().unwrap();
    assert_eq!((room.name.as_str(), room.post_count), ("town-square", 2));
    let ben = store.member(&room.id, &user("ben")).await.unwrap().unwrap();
    assert_eq!((ben.is_admin, ben.mentions), (false, 3));
    let anna = store.member(&room.id, &user("anna")).await.unwrap();
    assert!(anna.unwrap().is_admin);
}

#[tokio::test]
async fn posts_and_files_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = adopted(folder.path()).await;
    let post = format!("{:1<26}", "post");
    let root = store.post(&post).await.unwrap().unwrap();
    assert_eq!((root.message.as_str(), root.reply_count), ("hello", 1));
    assert_eq!(root.room_id, town_square());
    let listed = store.files_of_posts(&[&post]).await.unwrap();
    let names: Vec<_> = listed.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["a.png"]);
    let unlisted = store.file(&format!("{:2<26}", "file")).await.unwrap();
    assert_eq!(unlisted.unwrap().post_id, Some(root.id));
    let uploads = store.all_uploads().await.unwrap();
    assert_eq!(uploads.len(), 1);
}
