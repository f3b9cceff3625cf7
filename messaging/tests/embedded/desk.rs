//! A server to talk to, people who talk to it, and their sockets.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use messaging::embedded::{Config, NewAccount, Server};
use messaging::gateway::{ClientHandler, Gateway};
use messaging::model::ClientAction;
use proto::id::{ConnId, UserId};
use proto::redact::Secret;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use service::Tasks;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

pub(crate) use crate::socket_client::{Incoming, PATIENCE, Socket, text};

pub(crate) const PASSWORD: &str = "correct horse";

/// A running server. Its files go with `dir`.
pub(crate) struct Desk {
    pub(crate) server: Arc<Server>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) address: SocketAddr,
    pub(crate) dir: PathBuf,
    task: JoinHandle<()>,
    pub(crate) tasks: Tasks,
    _temp: Option<tempfile::TempDir>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.tasks.begin_stop();
        self.task.abort();
    }
}

impl Desk {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::open_for(Arc::new(()), change).await
    }

    /// A server whose clients' actions go to `handler`.
    pub(crate) async fn open_for(
        handler: Arc<dyn ClientHandler>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut desk = Self::serve(temp.path(), handler, change).await;
        desk._temp = Some(temp);
        desk
    }

    /// A server, and what its clients do.
    pub(crate) async fn open_heard() -> (Self, Ear) {
        let (sender, heard) = unbounded_channel();
        let desk = Self::open_for(Arc::new(Mouth(sender)), |_| {}).await;
        (desk, Ear(heard))
    }

    pub(crate) async fn open_at(dir: &Path, change: impl FnOnce(&mut Config)) -> Self {
        Self::serve(dir, Arc::new(()), change).await
    }

    async fn serve(
        dir: &Path,
        handler: Arc<dyn ClientHandler>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::new(dir);
        config.database = crate::engine::database(dir, config.database).await;
        change(&mut config);
        let server = Server::open(config).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tasks = Tasks::new("desk");
        server.keep_house(&tasks);
        let gateway = Gateway::new(server.clone(), server.gateway_config(), &tasks);
        let app = server
            .router()
            .merge(gateway.router(handler))
            .into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            server,
            gateway,
            address,
            dir: dir.to_owned(),
            task,
            tasks,
            _temp: None,
        }
    }

    /// An account, signed in over HTTP. The first one of a server is its administrator.
    pub(crate) async fn person(&self, username: &str) -> Client {
        let account = NewAccount {
            username: username.to_owned(),
            password: Secret::new(PASSWORD),
            ..NewAccount::default()
        };
        self.server.ensure_account(account).await.unwrap();
        self.sign_in(username).await
    }

    /// The administrator and two ordinary people.
    pub(crate) async fn three(&self) -> (Client, Client, Client) {
        let admin = self.person("admin").await;
        (admin, self.person("anna").await, self.person("ben").await)
    }

    pub(crate) fn nobody(&self) -> Client {
        Client {
            http: reqwest::Client::new(),
            base: format!("http://{}/api/v4", self.address),
            address: self.address,
            token: String::new(),
            id: String::new(),
        }
    }

    pub(crate) async fn sign_in(&self, username: &str) -> Client {
        let mut client = self.nobody();
        let body = json!({ "login_id": username, "password": PASSWORD });
        let response = client
            .request(Method::POST, "/users/login")
            .json(&body)
            .send()
            .await;
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        client.token = response.headers()["token"].to_str().unwrap().to_owned();
        client.id = text(&response.json::<Value>().await.unwrap()["id"]);
        client
    }
}

/// What a handler was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Connected { connection: ConnId, user: UserId },
    Action(ClientAction),
    Disconnected { connection: ConnId, user: UserId },
}

#[derive(Debug)]
struct Mouth(UnboundedSender<Heard>);

#[async_trait]
impl ClientHandler for Mouth {
    async fn connected(&self, connection: &ConnId, user: &UserId) {
        let (connection, user) = (connection.clone(), user.clone());
        drop(self.0.send(Heard::Connected { connection, user }));
    }

    async fn action(&self, action: ClientAction) {
        drop(self.0.send(Heard::Action(action)));
    }

    async fn disconnected(&self, connection: &ConnId, user: &UserId) {
        let (connection, user) = (connection.clone(), user.clone());
        drop(self.0.send(Heard::Disconnected { connection, user }));
    }
}

/// Hears what clients do.
pub(crate) struct Ear(UnboundedReceiver<Heard>);

impl Ear {
    pub(crate) async fn next(&mut self) -> Heard {
        tokio::time::timeout(PATIENCE, self.0.recv())
            .await
            .expect("something is heard in time")
            .unwrap()
    }
}

/// Somebody who sends requests.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) id: String,
}

impl Client {
    pub(crate) fn user_id(&self) -> UserId {
        UserId::parse(self.id.as_str()).unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() {
            request
        } else {
            request.bearer_auth(&self.token)
        }
    }

    async fn answer(request: RequestBuilder) -> (u16, Value) {
        let response: Response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        Self::answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        Self::answer(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        Self::answer(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        Self::answer(self.request(Method::DELETE, path)).await
    }

    /// The answer to a request that must succeed.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(crate) async fn make(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, 201, "POST {path}: {answer}");
        answer
    }

    /// The id of the default team.
    pub(crate) async fn team(&self) -> String {
        text(&self.read("/users/me/teams").await[0]["id"])
    }

    /// The id of the room that everybody is in.
    pub(crate) async fn town_square(&self) -> String {
        let team = self.team().await;
        text(
            &self
                .read(&format!("/teams/{team}/channels/name/town-square"))
                .await["id"],
        )
    }

    pub(crate) async fn room(&self, kind: &str, name: &str) -> String {
        let team_id = self.team().await;
        let body = json!({ "team_id": team_id, "type": kind, "name": name, "display_name": name });
        text(&self.make("/channels", body).await["id"])
    }

    pub(crate) async fn say(&self, room: &str, message: &str) -> Value {
        self.make("/posts", json!({ "channel_id": room, "message": message }))
            .await
    }

    pub(crate) async fn socket(&self) -> Socket {
        self.resume("?connection_id=&sequence_number=0").await
    }

    /// A socket with the bearer token, or without any for an empty one.
    pub(crate) async fn resume(&self, query: &str) -> Socket {
        let bearer = format!("BEARER {}", self.token);
        let header = (!self.token.is_empty()).then_some(("authorization", bearer));
        Socket::open_at(self.address, query, header).await
    }
}

/// Asks again and again until the answer is `Some`.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = ask().await {
            return value;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it did not happen in time"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
