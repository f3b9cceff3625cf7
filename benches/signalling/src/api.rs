//! The REST calls that make people, channels and posts.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// How often a request that is refused for coming too fast is made again, and after what pause.
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(200);

/// A person and a login.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) token: String,
}

/// The API of one server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
}

/// What a sign-in came to.
#[derive(Debug)]
pub(crate) enum SignIn {
    Done(Person),
    /// Asked to come again later.
    Later,
}

impl Api {
    pub(crate) fn new(server: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .context("make a client")?;
        Ok(Self {
            http,
            base: format!("{server}/api/v4"),
        })
    }

    pub(crate) async fn get(&self, by: &Person, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, by, path, None).await
    }

    pub(crate) async fn post(
        &self,
        by: &Person,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        self.ask(Method::POST, by, path, Some(body)).await
    }

    /// The bytes of an answer.
    pub(crate) async fn download(&self, by: &Person, path: &str) -> anyhow::Result<usize> {
        let request = self.http.get(format!("{}{path}", self.base));
        let answer = request.bearer_auth(&by.token).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let bytes = answer.with_context(|| format!("GET {path}"))?.bytes().await;
        Ok(bytes.with_context(|| format!("GET {path}"))?.len())
    }

    /// Makes an account and signs in.
    pub(crate) async fn new_person(
        &self,
        admin: &Person,
        name: &str,
        password: &str,
    ) -> anyhow::Result<Person> {
        let account = json!({
            "username": name, "password": password, "email": format!("{name}@localhost"),
        });
        self.post(admin, "/users", &account).await?;
        self.signed_in(name, password).await
    }

    /// Signs in, again and again while the server is too busy.
    pub(crate) async fn signed_in(&self, name: &str, password: &str) -> anyhow::Result<Person> {
        for _ in 0..TRIES {
            match self.sign_in(name, password).await? {
                SignIn::Done(person) => return Ok(person),
                SignIn::Later => tokio::time::sleep(PAUSE).await,
            }
        }
        anyhow::bail!("{name} cannot sign in: the server stays too busy")
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> anyhow::Result<SignIn> {
        let request = self.http.post(format!("{}/users/login", self.base));
        let body = json!({"login_id": name, "password": password});
        let answer = request.json(&body).send().await.context("sign in")?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                return Ok(SignIn::Later);
            }
            status => anyhow::bail!("{name} cannot sign in: {status}"),
        }
        let token = answer.headers().get("token").context("no token")?;
        let token = token.to_str().context("a token is text")?.to_owned();
        let person: Value = answer.json().await.context("sign in")?;
        Ok(SignIn::Done(Person {
            name: name.to_owned(),
            id: id_of(&person)?,
            token,
        }))
    }

    /// Makes a private channel with these members; returns its id.
    pub(crate) async fn new_channel(
        &self,
        admin: &Person,
        team: &str,
        name: &str,
        members: &[Person],
    ) -> anyhow::Result<String> {
        let channel = json!({
            "team_id": team, "name": name, "display_name": name, "type": "P",
        });
        let channel = id_of(&self.post(admin, "/channels", &channel).await?)?;
        for member in members {
            let path = format!("/channels/{channel}/members");
            let body = json!({"user_id": member.id});
            self.post(admin, &path, &body).await?;
        }
        Ok(channel)
    }

    /// Posts; returns the post's id.
    pub(crate) async fn new_post(
        &self,
        by: &Person,
        channel: &str,
        root: &str,
        message: &str,
    ) -> anyhow::Result<String> {
        let body = json!({"channel_id": channel, "root_id": root, "message": message});
        id_of(&self.post(by, "/posts", &body).await?)
    }

    async fn ask(
        &self,
        method: Method,
        by: &Person,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        for _ in 0..TRIES {
            let mut request = self
                .http
                .request(method.clone(), format!("{}{path}", self.base))
                .bearer_auth(&by.token);
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request
                .send()
                .await
                .with_context(|| format!("{method} {path}"))?;
            let status = answer.status();
            if status == StatusCode::TOO_MANY_REQUESTS {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let text = answer.text().await.with_context(|| path.to_owned())?;
            anyhow::ensure!(status.is_success(), "{method} {path}: {status}: {text}");
            return serde_json::from_str(&text).with_context(|| format!("{method} {path}"));
        }
        anyhow::bail!("{method} {path}: asked too fast {TRIES} times")
    }
}

pub(crate) fn id_of(thing: &Value) -> anyhow::Result<String> {
    let id = thing.get("id").and_then(Value::as_str);
    id.map(str::to_owned).context("an answer without `id`")
}
