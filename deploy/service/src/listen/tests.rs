//! The accept loop over real sockets: limits, time, places, WebSockets, the end.

use axum::body::Bytes;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::routing::{get, post};
use tokio::sync::oneshot;

use super::*;

const SOON: Duration = Duration::from_millis(200);

fn limits() -> Limits {
    Limits {
        head_within: SOON,
        idle_within: SOON * 3,
        ..Limits::default()
    }
}

struct Port {
    address: SocketAddr,
    admission: Arc<Admission>,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Port {
    async fn open(limits: Limits, more: Router) -> Self {
        let listener = bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route(
                "/who",
                get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()),
            )
            .route("/len", post(async |body: Bytes| body.len().to_string()))
            .route("/ws", get(async |ws: WebSocketUpgrade| ws.on_upgrade(echo)))
            .merge(more);
        let admission = Admission::new("people", limits);
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(
            listener,
            None,
            router,
            Arc::clone(&admission),
            stopped,
        ));
        Self {
            address,
            admission,
            stop,
            serving,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Writes `words` and reads until the port closes.
    async fn say(&self, words: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(words.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    fn shed(&self, reason: &str) -> bool {
        let line = format!("x_connections_shed_total{{port=\"people\",reason=\"{reason}\"}} 1\n");
        self.admission.metrics("x").contains(&line)
    }

    fn open_connections(&self) -> String {
        let text = self.admission.metrics("x");
        let line = text.lines().find(|line| line.starts_with("x_connections{"));
        line.unwrap().to_owned()
    }
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn handlers_learn_who_asks_and_a_head_that_takes_too_long_is_cut() {
    let port = Port::open(limits(), Router::new()).await;
    let mut stream = port.connect().await;
    let here = stream.local_addr().unwrap().to_string();
    let request = "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.ends_with(&here));
    let half = port.say("GET /who HTTP/1.1\r\nHos").await;
    assert!(!half.starts_with("HTTP/1.1 200"), "{half}");
    assert!(port.shed("slow"), "{}", port.admission.metrics("x"));
    assert_eq!(port.say("").await, "");
    assert!(port.shed("silent"), "{}", port.admission.metrics("x"));
}

#[tokio::test]
async fn a_connection_kept_alive_or_a_body_on_which_nothing_moves_is_closed() {
    let port = Port::open(limits(), Router::new()).await;
    let kept = port.say("GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(kept.starts_with("HTTP/1.1 200 OK"), "{kept}");
    let stuck = port
        .say("POST /len HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        .await;
    assert!(!stuck.starts_with("HTTP/1.1 200"), "{stuck}");
    assert!(port.shed("idle"), "{}", port.admission.metrics("x"));
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_is_told_so() {
    let one = Limits {
        connections: 1,
        head_within: Duration::from_secs(60),
        ..limits()
    };
    let port = Port::open(one, Router::new()).await;
    let first = port.connect().await;
    let refused = port.say("GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nRetry-After: 10\r\n"), "{refused}");
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{refused}"
    );
    assert!(port.shed("full"), "{}", port.admission.metrics("x"));
    drop(first);
}

#[tokio::test]
async fn a_crowd_that_says_nothing_keeps_nobody_out() {
    let few = Limits {
        strangers: 8,
        head_within: Duration::from_secs(60),
        ..limits()
    };
    let port = Port::open(few, Router::new()).await;
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(port.connect().await);
    }
    let answer = port
        .say("GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(rest(&mut crowd.remove(0)).await, "", "the oldest gave way");
}

#[tokio::test]
async fn a_websocket_works_and_keeps_its_place_until_it_is_gone() {
    let long = Limits {
        idle_within: Duration::from_secs(60),
        ..limits()
    };
    let port = Port::open(long, Router::new()).await;
    let mut socket = port.connect().await;
    let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 101");
    let mut head = answer;
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    // A masked text frame, with a mask of zeros.
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    socket.write_all(&frame).await.unwrap();
    let mut echoed = [0; 4];
    socket.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"\x81\x02hi");
    assert_eq!(port.open_connections(), "x_connections{port=\"people\"} 1");
    socket.shutdown().await.unwrap();
    while socket.read_u8().await.is_ok() {}
    let gone = async {
        while port.open_connections() != "x_connections{port=\"people\"} 0" {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn a_websocket_on_which_nothing_moves_is_closed() {
    let port = Port::open(limits(), Router::new()).await;
    let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let head = port.say(request).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(port.shed("idle"), "{}", port.admission.metrics("x"));
}

#[tokio::test]
async fn a_stop_lets_a_running_answer_finish_and_closes_who_says_nothing() {
    let (asked, was_asked) = oneshot::channel();
    let (go_on, goes_on) = oneshot::channel::<()>();
    let hold = Arc::new(Mutex::new(Some((asked, goes_on))));
    let slow = move || {
        let (asked, goes_on) = hold.lock().unwrap().take().unwrap();
        async move {
            asked.send(()).unwrap();
            goes_on.await.unwrap();
            "at last"
        }
    };
    let long = Limits {
        head_within: Duration::from_secs(60),
        idle_within: Duration::from_secs(60),
        ..limits()
    };
    let port = Port::open(long, Router::new().route("/slow", get(slow))).await;
    let mut silent = port.connect().await;
    let mut stream = port.connect().await;
    let request = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    was_asked.await.unwrap();
    port.stop.send_replace(true);
    assert_eq!(rest(&mut silent).await, "");
    go_on.send(()).unwrap();
    assert!(rest(&mut stream).await.ends_with("at last"));
    port.serving.await.unwrap();
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named() {
    let taken = bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = bind(&address).await.unwrap_err().to_string();
    assert!(
        refused.starts_with(&format!("listen at {address}: ")),
        "{refused}"
    );
    for text in ["nowhere", ":nothing"] {
        let refused = bind(text).await.unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("listen at {text}: ")),
            "{refused}"
        );
    }
    assert!(
        bind(":0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .ip()
            .is_unspecified()
    );
}
