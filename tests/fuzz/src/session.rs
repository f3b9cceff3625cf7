//! A session that nobody has proved anything to: what an offer and first datagrams can do.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use harness::stun::{self, Credentials};
use harness::world::{call, key, shard_address};
use proto::id::UserId;
use rtcd_core::{
    CoreConfig, Description, DescriptionKind, Dialect, HostCandidate, Input, JoinRequest, Output,
    Request, Shard, Signal, Transport,
};

use crate::bytes::Bytes;

/// Outputs one input may cause: more is an avalanche.
const MOST_OUTPUTS: usize = 10_000;
const SESSION: &str = "anna";

/// What a browser offers first, shortened to what matters.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    a=msid-semantic: WMS\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:them\r\na=ice-pwd:their-password-is-long\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:\
    11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

/// The one instant everything here counts from.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// A shard with one session of one call.
struct Scene {
    shard: Shard,
    now: Instant,
    answer: Option<String>,
}

impl Scene {
    fn new() -> Self {
        let now = epoch();
        let address = shard_address(0);
        let candidates = vec![
            HostCandidate::plain(Transport::Udp, address),
            HostCandidate::plain(Transport::Tcp, address),
        ];
        let config = CoreConfig {
            candidates,
            ..CoreConfig::default()
        };
        let mut scene = Self {
            shard: Shard::new(config, now),
            now,
            answer: None,
        };
        scene.input(Input::Join(JoinRequest {
            key: key(SESSION),
            call: call("call").call,
            user: UserId::parse("user").expect("an id"),
            channel: None,
            av1_support: true,
            dialect: Dialect::Calls {
                offers_over_channel: true,
            },
            candidates: None,
        }));
        scene
    }

    fn input(&mut self, input: Input<'_>) {
        self.shard.handle_input(self.now, input);
        for _ in 0..MOST_OUTPUTS {
            match self.shard.poll_output() {
                Output::Timeout(_) => return,
                Output::Signal { signal, .. } => self.signal(signal),
                Output::Transmit { .. }
                | Output::Media(_)
                | Output::Named { .. }
                | Output::Voice { .. }
                | Output::Closed { .. }
                | Output::Linked { .. }
                | Output::LegLost { .. }
                | Output::Measured(_) => {}
            }
        }
        panic!("more than {MOST_OUTPUTS} outputs of one input");
    }

    fn signal(&mut self, signal: Signal) {
        if let Signal::Describe(Description { kind, sdp }) = signal
            && kind == DescriptionKind::Answer
        {
            self.answer = Some(sdp);
        }
    }

    fn describe(&mut self, kind: DescriptionKind, sdp: &str) {
        let sdp = sdp.to_owned();
        let request = Request::Describe(Description { kind, sdp });
        let key = key(SESSION);
        self.input(Input::Control { key, request });
    }

    fn datagram(&mut self, transport: Transport, source: SocketAddr, contents: &[u8]) {
        self.input(Input::Datagram {
            transport,
            source,
            destination: shard_address(0),
            contents,
        });
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.input(Input::Timeout);
    }

    /// A session is there, or is gone with its call; nothing has broken.
    fn check(&self) {
        assert_eq!(self.shard.counters().panics, 0, "a call ended by a panic");
        assert_eq!(self.shard.sessions() > 0, self.shard.legs() > 0);
    }
}

/// Session descriptions: the first is an offer, or follows one; the rest are what they say.
///
/// A first byte of 1 puts a proper offer before the input. Descriptions are parted by zero bytes; one that
/// begins with `A` is an answer.
pub(crate) fn offer(input: &[u8]) {
    let Some((mode, texts)) = input.split_first() else {
        return;
    };
    let mut scene = Scene::new();
    if *mode == 1 {
        scene.describe(DescriptionKind::Offer, OFFER);
        assert!(scene.answer.is_some(), "a proper offer is answered");
    }
    let texts = String::from_utf8_lossy(texts);
    for text in texts.split('\0').take(8) {
        match text.strip_prefix('A') {
            Some(answer) => scene.describe(DescriptionKind::Answer, answer),
            None => scene.describe(DescriptionKind::Offer, text),
        }
        scene.pass(Duration::from_millis(50));
    }
    scene.pass(Duration::from_secs(1));
    scene.check();
}

/// Datagrams for a session that has answered an offer. Orders:
///
/// ```text
///  0 piece          a datagram from a first address
///  1 piece          a Binding request with these attributes, from there, with the right password
///  2 byte           so many times 20 ms pass
///  3 piece          a datagram from a second address
///  4 piece          a Binding request from the second address
///  5 piece          a frame of a TCP connection
///  6                a proper check that nominates, from the first address
///  7 piece          a proper check with these bytes behind it
/// ```
pub(crate) fn datagrams(input: &[u8]) {
    let mut scene = Scene::new();
    scene.describe(DescriptionKind::Offer, OFFER);
    let answer = scene.answer.clone().unwrap_or_default();
    let ours = Credentials::from_sdp(&answer).expect("credentials in our answer");
    let first = SocketAddr::from(([10, 1, 0, 1], 5000));
    let second = SocketAddr::from(([10, 1, 0, 2], 5000));
    let mut bytes = Bytes::new(input);
    for round in 0..200u8 {
        let Some(order) = bytes.order() else { break };
        let request = |attributes: &[u8]| stun::request(&ours, "them", [round; 12], attributes);
        match order % 8 {
            0 => scene.datagram(Transport::Udp, first, bytes.piece()),
            1 => scene.datagram(Transport::Udp, first, &request(bytes.piece())),
            2 => scene.pass(Duration::from_millis(20) * u32::from(bytes.byte())),
            3 => scene.datagram(Transport::Udp, second, bytes.piece()),
            4 => scene.datagram(Transport::Udp, second, &request(bytes.piece())),
            5 => scene.datagram(Transport::Tcp, first, bytes.piece()),
            6 => {
                let check = request(&stun::check_attributes(true));
                scene.datagram(Transport::Udp, first, &check);
            }
            _ => {
                let mut check = request(&stun::check_attributes(false));
                check.extend(bytes.piece());
                scene.datagram(Transport::Udp, first, &check);
            }
        }
    }
    scene.pass(Duration::from_secs(1));
    scene.check();
}
