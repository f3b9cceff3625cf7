//! A participant's own WebSocket to a server.
//!
//! In: frames to send. Out: frames received, each put into the participant's mailbox; an empty
//! letter when the connection could not be opened or has ended.
//! Here: no protocol; rtcd's shared control connection is its own.
//! Invariant: frames keep their order in both directions.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use super::Mailbox;

/// Sends on the connection, even before it is open.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    outgoing: mpsc::UnboundedSender<Message>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Socket {
    /// Starts opening a connection in the background.
    pub(crate) fn open(
        request: Request,
        mailbox: Mailbox,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let (outgoing, to_send) = mpsc::unbounded_channel();
        let failure = Arc::new(Mutex::new(None));
        let socket = Self {
            outgoing,
            failure: Arc::clone(&failure),
        };
        runtime.spawn(async move {
            let end = match serve(request, to_send, &mailbox).await {
                Ok(()) => "the server ended its WebSocket".to_owned(),
                Err(error) => error.to_string(),
            };
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
            let _generator_gone = mailbox.post(Vec::new());
        });
        socket
    }

    pub(crate) fn send_binary(&self, bytes: Vec<u8>) {
        // A closed socket shows as a participant that never gets in, with the failure below.
        let _closed = self.outgoing.send(Message::Binary(bytes.into()));
    }

    pub(crate) fn send_text(&self, text: String) {
        let _closed = self.outgoing.send(Message::Text(text.into()));
    }

    /// Why there was an empty letter.
    pub(crate) fn failure(&self) -> String {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_deref().unwrap_or("nothing failed").to_owned()
    }
}

async fn serve(
    request: Request,
    mut to_send: mpsc::UnboundedReceiver<Message>,
    mailbox: &Mailbox,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let (stream, _answer) = tokio_tungstenite::connect_async(request).await?;
    let (mut sink, mut stream) = stream.split();
    loop {
        tokio::select! {
            message = to_send.recv() => match message {
                Some(message) => sink.send(message).await?,
                // The participant is gone and its farewell is out.
                None => return sink.close().await,
            },
            frame = stream.next() => match frame {
                Some(frame) => {
                    let frame = frame?;
                    let is_data = frame.is_binary() || frame.is_text();
                    if is_data && !mailbox.post(frame.into_data().to_vec()) {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            },
        }
    }
}
