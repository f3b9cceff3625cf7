//! The suite that every adapter of `ChatBackend` passes.
//!
//! In: an adapter and a `World` that its test has prepared. Out: a panic that names what differs.
//! Not here: what only one adapter has (its HTTP, its own rules).

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use proto::id::{ChannelId, FileId, PostId, UploadId, UserId};
use serde_json::{Map, Value, json};

use crate::model::{ChatNews, ClientEvent, NewPost, Post, RoomRight, Status, UploadProgress};
use crate::news::NewsListener;
use crate::{ChatBackend, ChatError, IncomingBytes};

/// What there must be before the suite runs.
#[derive(Debug, Clone)]
pub struct World {
    /// A member of both rooms, and a token of hers.
    pub anna: UserId,
    pub anna_username: String,
    pub anna_token: String,
    /// A member of `shared` only, and no administrator.
    pub ben: UserId,
    /// A room of both, where both may write.
    pub shared: ChannelId,
    /// A private room without Ben.
    pub closed: ChannelId,
}

/// Runs the whole suite.
///
/// # Panics
/// When the adapter behaves differently from the contract.
pub async fn run(chat: &dyn ChatBackend, world: &World) {
    logins(chat, world).await;
    people(chat, world).await;
    rooms(chat, world).await;
    posts(chat, world).await;
    uploads(chat, world).await;
    files_of_posts(chat, world).await;
    unknown_ids(chat).await;
    news(chat, world).await;
}

async fn logins(chat: &dyn ChatBackend, world: &World) {
    let login = chat
        .login(&world.anna_token)
        .await
        .expect("a good token is looked up");
    let login = login.expect("a good token belongs to somebody");
    assert_eq!(login.person.id, world.anna, "the token is Anna's");
    assert_ne!(
        login.login_id, world.anna_token,
        "the id of a login is not its token"
    );
    let live = chat
        .login_is_live(&login.login_id)
        .await
        .expect("a login is looked up");
    assert!(live, "the login of a good token is live");
    let unknown = chat
        .login("no-such-token")
        .await
        .expect("a wrong token is no failure");
    assert_eq!(unknown, None, "a wrong token belongs to nobody");
    let live = chat
        .login_is_live("no-such-login")
        .await
        .expect("a login is looked up");
    assert!(!live, "an unknown login is not live");
}

async fn people(chat: &dyn ChatBackend, world: &World) {
    let anna = chat.person(&world.anna).await.expect("Anna exists");
    assert_eq!(anna.username, world.anna_username);
    assert!(!anna.is_bot);
    let named = chat
        .person_by_username(&world.anna_username)
        .await
        .expect("Anna has a name");
    assert_eq!(named, anna);
    let nobody = UserId::random();
    let asked = [world.anna.clone(), nobody, world.ben.clone()];
    let mut found: Vec<UserId> = chat
        .persons(&asked)
        .await
        .expect("several people")
        .into_iter()
        .map(|p| p.id)
        .collect();
    found.sort_unstable();
    let mut expected = vec![world.anna.clone(), world.ben.clone()];
    expected.sort_unstable();
    assert_eq!(found, expected, "unknown people are left out");
    let asked = [world.anna.clone(), UserId::random()];
    chat.observe_status(&world.anna, Status::Away)
        .await
        .expect("a status is noted");
    let statuses = chat.statuses(&asked).await.expect("statuses");
    assert_eq!(
        statuses,
        [Status::Away, Status::Offline],
        "in the order asked; who is unknown is offline"
    );
    let (picture, mime) = chat
        .portrait(&world.anna)
        .await
        .expect("everybody has a picture");
    assert!(
        !picture.is_empty() && mime.starts_with("image/"),
        "a picture of type `{mime}`"
    );

    let (bot, token) = chat
        .ensure_bot("conformance-bot", "Bot")
        .await
        .expect("a bot is made");
    assert!(bot.is_bot);
    let (again, other_token) = chat
        .ensure_bot("conformance-bot", "Bot")
        .await
        .expect("again");
    assert_eq!(again.id, bot.id, "a bot is made once");
    for token in [token, other_token] {
        let login = chat
            .login(&token)
            .await
            .expect("a bot's token")
            .expect("is good");
        assert_eq!(login.person.id, bot.id);
    }
}

async fn rooms(chat: &dyn ChatBackend, world: &World) {
    let may = async |user: &UserId, room: &ChannelId, right| {
        chat.may(user, room, right)
            .await
            .expect("a right is looked up")
    };
    let shared = chat
        .room(&world.shared)
        .await
        .expect("the shared room exists");
    assert!(!shared.archived);
    let members = chat.members(&world.shared).await.expect("it has members");
    assert!(members.contains(&world.anna) && members.contains(&world.ben));
    let count = chat.member_count(&world.shared).await.expect("a number");
    assert_eq!(count, members.len());
    for user in [&world.anna, &world.ben] {
        assert!(may(user, &world.shared, RoomRight::Read).await);
        assert!(may(user, &world.shared, RoomRight::CreatePost).await);
    }
    assert!(may(&world.anna, &world.closed, RoomRight::CreatePost).await);
    for right in [RoomRight::Read, RoomRight::CreatePost, RoomRight::Manage] {
        assert!(
            !may(&world.ben, &world.closed, right).await,
            "{right:?} is not Ben's"
        );
    }
    let membership = chat.membership(&world.ben).await.expect("where Ben is");
    assert!(membership.rooms.contains(&world.shared));
    assert!(!membership.rooms.contains(&world.closed));
    let of_ben = chat.rooms_of(&world.ben).await.expect("Ben's rooms");
    assert!(of_ben.iter().any(|room| room.id == world.shared));
    assert!(
        !of_ben.iter().any(|room| room.id == world.closed),
        "Ben does not see it"
    );
}

/// Remembers the news.
#[derive(Debug, Default)]
struct Ear(Mutex<Vec<ChatNews>>);

impl NewsListener for Ear {
    fn hear(&self, news: &ChatNews) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(news.clone());
    }
}

impl Ear {
    /// What was heard since the last time.
    fn events(&self) -> Vec<ClientEvent> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let events = std::mem::take(&mut *heard).into_iter();
        events
            .filter_map(|news| match news {
                ChatNews::Event(event) => Some(event),
                ChatNews::JoinedRoom { .. }
                | ChatNews::LeftRoom { .. }
                | ChatNews::JoinedTeam { .. }
                | ChatNews::LeftTeam { .. }
                | ChatNews::RoomArchived { .. }
                | ChatNews::LoginEnded { .. } => None,
            })
            .collect()
    }
}

/// Clients hear of posts before the verb returns, so that nothing overtakes them.
async fn news(chat: &dyn ChatBackend, world: &World) {
    let (ear, second) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
    chat.listen(ear.clone());
    chat.listen(second.clone());
    let heard = |name: &str| {
        let events = ear.events();
        let event = events.iter().find(|event| event.name == name);
        let event = event.unwrap_or_else(|| panic!("clients hear `{name}`, but only {events:?}"));
        assert_eq!(event.audience.room.as_ref(), Some(&world.shared));
        assert!(event.data.contains_key("post"));
    };
    let post = chat
        .create_post(new_post(world, "news"))
        .await
        .expect("a post");
    heard("posted");
    chat.update_post(post).await.expect("an edit");
    heard("post_edited");
    assert!(
        second.events().len() >= 2,
        "every listener hears everything"
    );
}

fn new_post(world: &World, message: &str) -> NewPost {
    NewPost {
        room: world.shared.clone(),
        author: world.anna.clone(),
        root: None,
        message: message.to_owned(),
        kind: String::new(),
        props: Map::new(),
        files: Vec::new(),
    }
}

async fn posts(chat: &dyn ChatBackend, world: &World) {
    let mut call = new_post(world, "anna started a call");
    call.kind = "custom_calls".to_owned();
    call.props
        .insert("start_at".to_owned(), json!(1_700_000_000_000_i64));
    let made = chat
        .create_post(call.clone())
        .await
        .expect("the post of a call");
    assert_eq!(made.kind, call.kind);
    assert_eq!(made.props, call.props);
    assert_eq!(made.root, None);
    assert!(made.created_at_ms > 0 && !made.deleted);
    assert_eq!(chat.post(&made.id).await.expect("it can be read"), made);

    let mut reply = new_post(world, "a reply");
    reply.root = Some(made.id.clone());
    let reply = chat.create_post(reply).await.expect("a reply");
    assert_eq!(reply.root, Some(made.id.clone()));
    assert!(
        reply.created_at_ms > made.created_at_ms,
        "times tell the order"
    );

    let mut ended = made.clone();
    ended.message = "Call ended".to_owned();
    ended
        .props
        .insert("end_at".to_owned(), json!(1_700_000_060_000_i64));
    let updated = chat
        .update_post(ended.clone())
        .await
        .expect("a post is updated");
    assert_eq!(
        (&updated.message, &updated.props),
        (&ended.message, &ended.props)
    );
    assert_eq!(updated.kind, made.kind);
    assert!(updated.updated_at_ms > made.updated_at_ms);
    assert_eq!(chat.post(&made.id).await.expect("it can be read"), updated);

    let mut lost = new_post(world, "a reply to nothing");
    lost.root = Some(PostId::random());
    assert!(
        chat.create_post(lost).await.is_err(),
        "a thread needs its first post"
    );
}

/// Uploads in pieces of this size.
const PIECE: usize = 1000;

fn sent(piece: &[u8]) -> IncomingBytes {
    let piece = Bytes::copy_from_slice(piece);
    stream::iter([Ok(piece)]).boxed()
}

async fn contents(chat: &dyn ChatBackend, id: &FileId, range: Range<u64>) -> Vec<u8> {
    let mut contents = chat.file_contents(id, range).await.expect("its bytes");
    let mut bytes = Vec::new();
    while let Some(piece) = contents.bytes.next().await {
        bytes.extend_from_slice(&piece.expect("a piece"));
    }
    let promised = contents.range.end - contents.range.start;
    assert_eq!(u64::try_from(bytes.len()).expect("a small file"), promised);
    bytes
}

async fn stored_file(chat: &dyn ChatBackend, world: &World, name: &str, body: &[u8]) -> FileId {
    let size = u64::try_from(body.len()).expect("a small file");
    let upload = chat
        .create_upload(&world.anna, &world.shared, name, size)
        .await;
    let upload = upload.expect("an upload begins");
    assert_eq!((upload.offset_bytes, upload.size_bytes), (0, size));
    let mut sent_bytes = 0;
    for piece in body.chunks(PIECE) {
        sent_bytes += piece.len();
        let progress = chat.append_upload(&upload.id, sent(piece)).await;
        match progress.expect("a piece is appended") {
            UploadProgress::Complete(file) => {
                assert_eq!(sent_bytes, body.len(), "complete with the last piece only");
                assert_eq!(file.size_bytes, size);
                return file.id;
            }
            UploadProgress::Partial => {
                let state = chat
                    .upload(&upload.id)
                    .await
                    .expect("an upload can be looked at");
                assert_eq!(
                    state.offset_bytes,
                    u64::try_from(sent_bytes).expect("small")
                );
            }
        }
    }
    panic!("the upload of `{name}` did not end with its last piece");
}

async fn uploads(chat: &dyn ChatBackend, world: &World) {
    let body: Vec<u8> = (0..=255).cycle().take(2 * PIECE + 500).collect();
    let id = stored_file(chat, world, "talk.mp4", &body).await;
    let file = chat.file(&id).await.expect("the file exists");
    assert_eq!(
        (file.name.as_str(), file.extension.as_str()),
        ("talk.mp4", "mp4")
    );
    assert_eq!(file.mime, "video/mp4");
    assert_eq!((&file.owner, &file.room), (&world.anna, &world.shared));
    assert_eq!(contents(chat, &id, 0..u64::MAX).await, body);
    let part = body.get(990..1010).expect("the body is longer");
    assert_eq!(contents(chat, &id, 990..1010).await, part);

    let upload = chat
        .create_upload(&world.anna, &world.shared, "a.txt", 3)
        .await;
    let upload = upload.expect("an upload begins");
    let too_much = chat.append_upload(&upload.id, sent(b"four")).await;
    assert!(too_much.is_err(), "nothing goes beyond the end");
    let state = chat
        .upload(&upload.id)
        .await
        .expect("the upload is still there");
    assert_eq!(state.offset_bytes, 0);
}

async fn files_of_posts(chat: &dyn ChatBackend, world: &World) {
    let shown = stored_file(chat, world, "talk.txt", b"words").await;
    let carried = stored_file(chat, world, "talk.vtt", b"WEBVTT").await;
    let mut post = new_post(world, "the recording");
    post.files.push(shown.clone());
    let post = chat.create_post(post).await.expect("a post with a file");
    assert_eq!(post.files, std::slice::from_ref(&shown));
    chat.attach_file(&carried, &post.id)
        .await
        .expect("a file is tied to a post");
    let post = chat.post(&post.id).await.expect("the post");
    assert_eq!(post.files, [shown], "a tied file is not listed");
    let file = chat.file(&carried).await.expect("the tied file");
    assert_eq!(file.post, Some(post.id));
}

async fn unknown_ids(chat: &dyn ChatBackend) {
    fn missing<T: std::fmt::Debug>(result: Result<T, ChatError>) {
        match result {
            Err(ChatError::NotFound { .. }) => {}
            Err(
                error @ (ChatError::Refused(_) | ChatError::NoRoom(_) | ChatError::Storage { .. }),
            ) => {
                panic!("what is unknown is not found, but: {error}")
            }
            Ok(value) => panic!("what is unknown was found: {value:?}"),
        }
    }
    let (user, room) = (UserId::random(), ChannelId::random());
    missing(chat.person(&user).await);
    missing(chat.person_by_username("no.such.name").await);
    missing(chat.room(&room).await);
    missing(chat.members(&room).await);
    missing(chat.may(&user, &room, RoomRight::Read).await);
    missing(chat.post(&PostId::random()).await);
    missing(chat.upload(&UploadId::random()).await);
    missing(chat.append_upload(&UploadId::random(), sent(b"")).await);
    missing(chat.file(&FileId::random()).await);
    missing(chat.file_contents(&FileId::random(), 0..1).await);
    let post = Post {
        id: PostId::random(),
        room: room.clone(),
        author: user.clone(),
        root: None,
        message: String::new(),
        kind: String::new(),
        props: Map::<String, Value>::new(),
        files: Vec::new(),
        created_at_ms: 0,
        updated_at_ms: 0,
        deleted: false,
    };
    missing(chat.update_post(post).await);
    missing(chat.attach_file(&FileId::random(), &PostId::random()).await);
}
