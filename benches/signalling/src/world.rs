//! People and channels: made once for a program, copied for each measurement.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pretend::MediaHost;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::api::{Api, Person, id_of};
use crate::client::Client;
use crate::process::{self, Server};

const PASSWORD: &str = "violet kettle under the pier";
/// Requests under way at once while the world is made: as many as the server hashes passwords.
const MAKERS: usize = 2;
/// People in a call of the busy hour.
const CALL_SIZE: usize = 10;
/// People in the small calls.
const PAIR_SIZE: usize = 2;

/// How large the world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) clients: usize,
    pub(crate) replies: usize,
    /// Length of a measured window, in seconds.
    pub(crate) seconds: u64,
}

/// The records of a server with everybody in it, and the program they belong to.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) program: PathBuf,
    pub(crate) size: Size,
    folder: TempDir,
    pub(crate) people: Vec<Person>,
    /// Everybody is in it.
    pub(crate) town: String,
    /// Channels of `CALL_SIZE` people each.
    pub(crate) calls: Vec<String>,
    /// Channels of `PAIR_SIZE` people each.
    pub(crate) pairs: Vec<String>,
    /// A channel of two more people, for the call that hangs.
    pub(crate) hanging: String,
    /// The first post of the long thread, once it is there.
    thread: OnceCell<String>,
}

/// A server on a copy of the template's records.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) api: Api,
    _folder: TempDir,
}

impl Template {
    pub(crate) async fn make(program: &Path, size: Size) -> anyhow::Result<Self> {
        let program = program
            .canonicalize()
            .with_context(|| format!("find `{}`", program.display()))?;
        let folder = TempDir::new().context("make a folder")?;
        process::add_administrator(&program, folder.path(), "admin", PASSWORD)?;
        let rtcd = MediaHost::on_a_thread().context("listen as a media host")?;
        let server = Server::start(&program, folder.path(), &rtcd.url()).await?;
        let api = Api::new(&server.url())?;
        let admin = api.signed_in("admin", PASSWORD).await?;
        let teams = api.get(&admin, "/users/me/teams").await?;
        let team = id_of(teams.get(0).context("no team")?)?;
        let path = format!("/teams/{team}/channels/name/town-square");
        let town = id_of(&api.get(&admin, &path).await?)?;
        let people = stream::iter(0..size.clients)
            .map(|n| new_person(&api, &admin, n))
            .buffered(MAKERS)
            .try_collect::<Vec<_>>()
            .await
            .context("make people")?;
        let calls = channels(&api, &admin, &team, "call", people.chunks(CALL_SIZE)).await?;
        let pairs = channels(&api, &admin, &team, "pair", people.chunks(PAIR_SIZE)).await?;
        let few = people.chunks(PAIR_SIZE).take(1);
        let hanging = channels(&api, &admin, &team, "hanging", few).await?;
        server.stop().await?;
        Ok(Self {
            program,
            size,
            folder,
            people,
            town,
            calls,
            pairs,
            hanging: hanging.into_iter().next().context("no people")?,
            thread: OnceCell::new(),
        })
    }

    /// Starts a server on a fresh copy.
    pub(crate) async fn open(&self) -> anyhow::Result<World> {
        let folder = TempDir::new().context("make a folder")?;
        let copied = Command::new("cp")
            .arg("-a")
            .arg(self.folder.path().join("data"))
            .arg(folder.path())
            .status()
            .context("copy the records")?;
        anyhow::ensure!(copied.success(), "copy the records: cp failed");
        let rtcd = MediaHost::on_a_thread().context("listen as a media host")?;
        let server = Server::start(&self.program, folder.path(), &rtcd.url()).await?;
        Ok(World {
            api: Api::new(&server.url())?,
            server,
            _folder: folder,
        })
    }

    /// The first post of a thread with all its replies; they are posted when first asked for.
    pub(crate) async fn thread(&self) -> anyhow::Result<&str> {
        let thread = self.thread.get_or_try_init(|| self.make_thread()).await?;
        Ok(thread)
    }

    async fn make_thread(&self) -> anyhow::Result<String> {
        let rtcd = MediaHost::on_a_thread().context("listen as a media host")?;
        let server = Server::start(&self.program, self.folder.path(), &rtcd.url()).await?;
        let api = Api::new(&server.url())?;
        let first = self.people.first().context("no people")?;
        let root = api
            .new_post(first, &self.town, "", "a long thread begins")
            .await?;
        let authors = self.people.iter().cycle().take(self.size.replies);
        stream::iter(authors.enumerate())
            .map(|(n, author)| {
                let (api, root) = (&api, &root);
                let message = format!("reply {n}: as long as what people write to each other");
                async move { api.new_post(author, &self.town, root, &message).await }
            })
            .buffer_unordered(8)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
            .context("post replies")?;
        server.stop().await?;
        Ok(root)
    }

    /// The password of everybody.
    pub(crate) fn password() -> &'static str {
        PASSWORD
    }

    /// Everybody with the channel of the call they are in.
    pub(crate) fn by_call(&self) -> impl Iterator<Item = (&Person, &str)> {
        in_chunks(&self.people, &self.calls, CALL_SIZE)
    }

    pub(crate) fn by_pair(&self) -> impl Iterator<Item = (&Person, &str)> {
        in_chunks(&self.people, &self.pairs, PAIR_SIZE)
    }
}

impl World {
    pub(crate) async fn connect(&self, person: &Person) -> anyhow::Result<Client> {
        Client::connect(self.server.addr, person).await
    }

    /// Connects people, a few at a time, and lets each join the call of the channel beside it.
    pub(crate) async fn in_calls<'a>(
        &self,
        people: impl Iterator<Item = (&'a Person, &'a str)>,
    ) -> anyhow::Result<Vec<Client>> {
        stream::iter(people)
            .map(|(person, channel)| async move {
                let mut client = self.connect(person).await?;
                client
                    .join(channel)
                    .await
                    .with_context(|| format!("{} joins", person.name))?;
                anyhow::Ok(client)
            })
            .buffered(MAKERS)
            .try_collect()
            .await
    }
}

fn in_chunks<'a>(
    people: &'a [Person],
    channels: &'a [String],
    size: usize,
) -> impl Iterator<Item = (&'a Person, &'a str)> {
    let groups = people.chunks(size).zip(channels);
    groups.flat_map(|(group, channel)| group.iter().map(|person| (person, channel.as_str())))
}

async fn new_person(api: &Api, admin: &Person, n: usize) -> anyhow::Result<Person> {
    api.new_person(admin, &format!("person{n:04}"), PASSWORD)
        .await
}

async fn channels<'a>(
    api: &Api,
    admin: &Person,
    team: &str,
    name: &str,
    groups: impl Iterator<Item = &'a [Person]>,
) -> anyhow::Result<Vec<String>> {
    stream::iter(groups.enumerate())
        .map(|(n, group)| async move {
            let name = format!("{name}-{n:03}");
            api.new_channel(admin, team, &name, group).await
        })
        .buffered(MAKERS)
        .try_collect()
        .await
        .with_context(|| format!("make the channels `{name}`"))
}
