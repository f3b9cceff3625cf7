//! From an HTTP request to a WebSocket: who may open one, and what its buffers are.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use proto::id::ConnId;
use serde::Deserialize;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{Socket, serve};
use crate::credentials::Credential;
use crate::gateway::hub::Resume;
use crate::gateway::refusal::Refusal;
use crate::gateway::{ClientHandler, Gateway};

/// Largest message accepted: the reason why session descriptions travel compressed.
const MAX_MESSAGE_BYTES: usize = 8 * 1024;
/// Read at once, in bytes; every client keeps as much allocated.
const READ_BYTES: usize = 1024;
/// Written together when several small events wait, in bytes.
const WRITE_BYTES: usize = 4 * 1024;

/// What the WebSocket's route needs.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Context {
    pub(in crate::gateway) gateway: Arc<Gateway>,
    pub(in crate::gateway) handler: Arc<dyn ClientHandler>,
}

/// The query of the upgrade.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::gateway) struct Upgrade {
    connection_id: String,
    sequence_number: Option<String>,
}

impl Upgrade {
    /// Where the client left off; an error when it does not say exactly.
    pub(super) fn resume(&self) -> Result<Option<Resume>, ()> {
        if self.connection_id.is_empty() {
            return Ok(None);
        }
        let connection = ConnId::parse(self.connection_id.as_str()).map_err(drop)?;
        let next_seq = self
            .sequence_number
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(drop)?;
        Ok(Some(Resume {
            connection,
            next_seq,
        }))
    }
}

/// `GET /api/v4/websocket`
pub(in crate::gateway) async fn upgrade(
    State(context): State<Context>,
    Query(query): Query<Upgrade>,
    mut request: Request,
) -> Result<Response, Refusal> {
    if !context.gateway.accepts_origin(request.headers()) {
        return Err(Refusal::forbidden(
            "pages of this origin may not connect: add it to `allowed_origins`",
        ));
    }
    let login = match Credential::from_headers(request.headers()) {
        Some(credential) => context.gateway.backend.login(credential.token()).await?,
        None => None,
    };
    let mut response = create_response_with_body(&request, Body::empty).map_err(|error| {
        Refusal::invalid(
            "api.web_socket.connect.upgrade.app_error",
            format!("this is no opening of a WebSocket: {error}"),
        )
    })?;
    if let Ok(version) = HeaderValue::from_str(&context.gateway.config.server_version) {
        response.headers_mut().insert("x-version-id", version);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = match upgraded.await {
            Ok(upgraded) => TokioIo::new(upgraded),
            Err(error) => {
                tracing::debug!(%error, "a client went away while its socket was opened");
                return;
            }
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES))
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES);
        let socket: Socket =
            WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
        serve(context, socket, login, query).await;
    });
    Ok(response)
}

impl Gateway {
    /// Whether the page that opens a socket is one of ours. Programs send no origin.
    fn accepts_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let site = self.config.site_url.trim_end_matches('/');
        if origin.eq_ignore_ascii_case(site)
            || self
                .config
                .allowed_origins
                .iter()
                .any(|known| known == "*" || known == origin)
        {
            return true;
        }
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let origin_host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && origin_host == host
    }
}
