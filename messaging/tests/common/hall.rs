//! A gateway to talk to, in front of a backend in memory.

use std::net::SocketAddr;
use std::sync::Arc;

use messaging::gateway::{ClientHandler, Config, Gateway};
use messaging::model::{Audience, ClientEvent, RoomKind};
use proto::id::{ChannelId, UserId};
use serde_json::{Map, Value};
use service::Tasks;
use tokio::task::JoinHandle;

use crate::memory::Memory;
use crate::socket::Socket;

/// A running gateway, and two people in one room.
pub(crate) struct Hall {
    pub(crate) backend: Arc<Memory>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) address: SocketAddr,
    pub(crate) room: ChannelId,
    pub(crate) anna: Guest,
    pub(crate) ben: Guest,
    task: JoinHandle<()>,
    _tasks: Tasks,
}

/// Somebody with a login.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) id: UserId,
    pub(crate) token: String,
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hall {
    pub(crate) async fn open(handler: Arc<dyn ClientHandler>) -> Self {
        let backend = Arc::new(Memory::default());
        let config = Config {
            api_version: "10.11.0".to_owned(),
            server_version: "10.11.0.1.test.true".to_owned(),
            ..Config::default()
        };
        let tasks = Tasks::new("hall");
        let gateway = Gateway::new(backend.clone(), config, &tasks);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = gateway.router(handler);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let room = backend.add_room(RoomKind::Private);
        let guest = |name: &str| {
            let id = backend.add_person(name, false);
            backend.join(&room, &id);
            let token = backend.sign_in(&id);
            Guest { id, token }
        };
        let (anna, ben) = (guest("anna"), guest("ben"));
        Self {
            backend,
            gateway,
            address,
            room,
            anna,
            ben,
            task,
            _tasks: tasks,
        }
    }

    pub(crate) async fn socket(&self, guest: &Guest) -> Socket {
        self.resume(guest, "?connection_id=&sequence_number=0")
            .await
    }

    pub(crate) async fn resume(&self, guest: &Guest, query: &str) -> Socket {
        let bearer = format!("BEARER {}", guest.token);
        Socket::open_at(self.address, query, Some(("authorization", bearer))).await
    }

    /// Sends an event to the room.
    pub(crate) fn announce(&self, name: &str, text: &str) {
        self.gateway.publish(&ClientEvent {
            name: name.to_owned(),
            data: Map::from_iter([("text".to_owned(), Value::from(text))]),
            audience: Audience {
                room: Some(self.room.clone()),
                ..Audience::default()
            },
        });
    }
}
