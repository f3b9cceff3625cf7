//! A participant on webrtc-rs: offers first, opens `calls-dc`, takes the lock before it negotiates
//! again, answers what the server offers.
//!
//! Not here: which media it speaks, and which way it reaches the node (`engine`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proto::id::SessionId;
use proto::rtcd::{
    ChannelMessage, ControlMessage, IceCandidate, MediaMapEntry, RtcKind, RtcMessage, ScreenOnData,
    SdpKind, SessionDescription, TrackType, parse_track_id,
};
use tokio::sync::mpsc;
use webrtc::api::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8};
use webrtc::data_channel::RTCDataChannel;
use webrtc::data_channel::data_channel_message::DataChannelMessage;
use webrtc::media::Sample;
use webrtc::peer_connection::RTCPeerConnection;
use webrtc::peer_connection::configuration::RTCConfiguration;
use webrtc::peer_connection::sdp::session_description::RTCSessionDescription;
use webrtc::rtp::extension::audio_level_extension::AudioLevelExtension;
use webrtc::rtp_transceiver::rtp_codec::RTCRtpCodecCapability;
use webrtc::track::track_local::TrackLocal;
use webrtc::track::track_local::track_local_static_sample::TrackLocalStaticSample;
use webrtc::track::track_remote::TrackRemote;

use super::control::{Client, PATIENCE, eventually};
use super::engine::{Reach, Track, api, wrapped_candidate};

/// Packets that prove that media flows now.
const SOME: usize = 25;
/// Silence that proves that media does not flow: many packets long.
const SILENCE: Duration = Duration::from_millis(600);

type Tracks = Mutex<BTreeMap<(TrackType, String), Track>>;

struct Inner {
    session: SessionId,
    reach: Reach,
    client: Client,
    connection: RTCPeerConnection,
    channel: Arc<RTCDataChannel>,
    open: AtomicBool,
    tracks: Tracks,
    media_map: Mutex<BTreeMap<String, MediaMapEntry>>,
    answers: tokio::sync::Mutex<mpsc::UnboundedReceiver<SessionDescription>>,
    lock_results: tokio::sync::Mutex<mpsc::UnboundedReceiver<bool>>,
}

/// One person with one connection.
#[derive(Clone)]
pub(crate) struct Participant(Arc<Inner>);

impl Participant {
    /// Joins a call and waits until the data channel is open.
    pub(crate) async fn join(client: &Client, call: &str, session: &str) -> Self {
        Self::join_by(Reach::All, client, call, session).await
    }

    /// Joins a call over some of the server's candidates only.
    pub(crate) async fn join_by(reach: Reach, client: &Client, call: &str, session: &str) -> Self {
        let messages = client.messages_for(session);
        client.join(call, session).await;
        let connection = api(reach)
            .new_peer_connection(RTCConfiguration::default())
            .await
            .unwrap();
        let channel = connection
            .create_data_channel("calls-dc", None)
            .await
            .unwrap();
        let (answer_sender, answers) = mpsc::unbounded_channel();
        let (lock_sender, lock_results) = mpsc::unbounded_channel();
        let (incoming_sender, incoming) = mpsc::unbounded_channel();
        let participant = Self(Arc::new(Inner {
            session: SessionId::parse(session).unwrap(),
            reach,
            client: client.clone(),
            connection,
            channel,
            open: AtomicBool::new(false),
            tracks: Mutex::default(),
            media_map: Mutex::default(),
            answers: tokio::sync::Mutex::new(answers),
            lock_results: tokio::sync::Mutex::new(lock_results),
        }));
        participant.listen(incoming_sender);
        participant.follow(messages, incoming, answer_sender, lock_sender);
        participant.offer().await;
        eventually(&format!("data channel of {session}"), || {
            participant.0.open.load(Ordering::Acquire)
        })
        .await;
        participant
    }

    /// Joins and offers; returns offer and answer. The connection is not used.
    pub(crate) async fn first_exchange(
        client: &Client,
        call: &str,
        session: &str,
    ) -> (String, String) {
        let mut messages = client.messages_for(session);
        client.join(call, session).await;
        let connection = api(Reach::All)
            .new_peer_connection(RTCConfiguration::default())
            .await
            .unwrap();
        connection
            .create_data_channel("calls-dc", None)
            .await
            .unwrap();
        let offer = connection.create_offer(None).await.unwrap();
        let description = SessionDescription {
            kind: SdpKind::Offer,
            sdp: offer.sdp.clone(),
        };
        let session = SessionId::parse(session).unwrap();
        let data = description.to_json().into_bytes();
        let message = RtcMessage::for_session(&session, RtcKind::Sdp, data);
        client.send(&ControlMessage::Rtc(message)).await;
        loop {
            let message = tokio::time::timeout(PATIENCE, messages.recv())
                .await
                .unwrap()
                .unwrap();
            if message.kind == RtcKind::Sdp {
                connection.close().await.unwrap();
                let answer = SessionDescription::from_json(&message.data).unwrap();
                return (offer.sdp, answer.sdp);
            }
        }
    }

    /// Adds a microphone and speaks from now on: loud and quiet in turn, as speech is.
    pub(crate) async fn speak(&self) {
        let track = Arc::new(TrackLocalStaticSample::new(
            RTCRtpCodecCapability {
                mime_type: MIME_TYPE_OPUS.to_owned(),
                ..Default::default()
            },
            "microphone".to_owned(),
            format!("stream-of-{}", self.0.session),
        ));
        self.publish(Arc::clone(&track) as Arc<dyn TrackLocal + Send + Sync>)
            .await;
        let data = self.mark(&[0xfc]);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            for count in 0u32.. {
                ticks.tick().await;
                let duration = Duration::from_millis(20);
                let sample = Sample {
                    data: data.clone(),
                    duration,
                    ..Default::default()
                };
                let level = if count % 20 < 10 { 20 } else { 80 };
                let writer = track.sample_writer();
                let level = AudioLevelExtension { level, voice: true };
                if writer
                    .with_audio_level(level)
                    .write_sample(&sample)
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
    }

    /// Announces a screen and shows it from now on.
    pub(crate) async fn share_screen(&self) {
        let stream_id = format!("screen-stream-of-{}", self.0.session);
        let announcement = ScreenOnData {
            stream_id: stream_id.clone(),
        };
        self.control(RtcKind::ScreenOn, announcement.to_json().into_bytes())
            .await;
        let track = Arc::new(TrackLocalStaticSample::new(
            RTCRtpCodecCapability {
                mime_type: MIME_TYPE_VP8.to_owned(),
                ..Default::default()
            },
            "screen".to_owned(),
            stream_id,
        ));
        self.publish(Arc::clone(&track) as Arc<dyn TrackLocal + Send + Sync>)
            .await;
        // Every frame begins as a keyframe of 16 x 16 does (RFC 6386 9.1).
        let data = self.mark(&[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 16, 0, 16, 0]);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                let duration = Duration::from_millis(50);
                let sample = Sample {
                    data: data.clone(),
                    duration,
                    ..Default::default()
                };
                if track.write_sample(&sample).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Has the calls server send something about this session.
    pub(crate) async fn control(&self, kind: RtcKind, data: Vec<u8>) {
        let message = RtcMessage::for_session(&self.0.session, kind, data);
        self.0.client.send(&ControlMessage::Rtc(message)).await;
    }

    pub(crate) async fn leave(&self) {
        self.0
            .client
            .send(&ControlMessage::Leave(self.0.session.clone()))
            .await;
    }

    /// Closes the connection, as a closed browser window does.
    pub(crate) async fn hang_up(&self) {
        self.0.connection.close().await.unwrap();
    }

    /// Waits for more of somebody's voice.
    pub(crate) async fn hears(&self, speaker: &str) {
        self.gets_more(TrackType::Voice, speaker).await;
    }

    pub(crate) async fn sees_screen_of(&self, presenter: &str) {
        self.gets_more(TrackType::Screen, presenter).await;
    }

    /// Waits until nothing of somebody's voice comes any more.
    pub(crate) async fn hears_nothing_of(&self, speaker: &str) {
        self.gets_nothing(TrackType::Voice, speaker).await;
    }

    pub(crate) async fn sees_no_screen_of(&self, presenter: &str) {
        self.gets_nothing(TrackType::Screen, presenter).await;
    }

    pub(crate) async fn track(&self, kind: TrackType, publisher: &str) -> Track {
        let key = (kind, publisher.to_owned());
        eventually("a track", || {
            self.0.tracks.lock().unwrap().contains_key(&key)
        })
        .await;
        self.0.tracks.lock().unwrap()[&key].clone()
    }

    /// Returns the address of the node that this participant's media comes from.
    pub(crate) async fn path(&self) -> IpAddr {
        let transport = self.0.connection.sctp().transport();
        let pair = transport
            .ice_transport()
            .get_selected_candidate_pair()
            .await;
        pair.unwrap().remote.address.parse().unwrap()
    }

    /// Returns how many packets of somebody's voice are missing in between.
    pub(crate) async fn gaps_of(&self, speaker: &str) -> usize {
        self.track(TrackType::Voice, speaker).await.gaps
    }

    /// Returns whose voices have come.
    pub(crate) fn speakers(&self) -> Vec<String> {
        let tracks = self.0.tracks.lock().unwrap();
        tracks
            .keys()
            .filter(|(kind, _)| kind.is_audio())
            .map(|(_, who)| who.clone())
            .collect()
    }

    fn count(&self, kind: TrackType, publisher: &str) -> usize {
        let tracks = self.0.tracks.lock().unwrap();
        tracks
            .get(&(kind, publisher.to_owned()))
            .map_or(0, |track| track.packets)
    }

    async fn gets_more(&self, kind: TrackType, publisher: &str) {
        let before = self.count(kind, publisher);
        let what = format!("{kind:?} of {publisher} at {}", self.0.session);
        eventually(&what, || self.count(kind, publisher) >= before + SOME).await;
    }

    async fn gets_nothing(&self, kind: TrackType, publisher: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let before = self.count(kind, publisher);
            tokio::time::sleep(SILENCE).await;
            if self.count(kind, publisher) == before {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{publisher} goes on"
            );
        }
    }

    fn mark(&self, head: &[u8]) -> Bytes {
        [head, b"<", self.0.session.as_str().as_bytes(), b">"]
            .concat()
            .into()
    }

    /// Adds a track under the signalling lock.
    async fn publish(&self, track: Arc<dyn TrackLocal + Send + Sync>) {
        self.lock().await;
        self.0.connection.add_track(track).await.unwrap();
        self.offer().await;
        self.send(&ChannelMessage::Unlock).await;
    }

    async fn lock(&self) {
        let mut results = self.0.lock_results.lock().await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.send(&ChannelMessage::Lock).await;
            if tokio::time::timeout(PATIENCE, results.recv())
                .await
                .unwrap()
                .unwrap()
            {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "lock not granted");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Offers what there is, over the data channel if it is open, and applies the answer.
    async fn offer(&self) {
        let connection = &self.0.connection;
        let offer = connection.create_offer(None).await.unwrap();
        connection
            .set_local_description(offer.clone())
            .await
            .unwrap();
        self.send_description(SdpKind::Offer, offer.sdp).await;
        let mut answers = self.0.answers.lock().await;
        let answer = tokio::time::timeout(PATIENCE, answers.recv())
            .await
            .unwrap()
            .unwrap();
        let answer = RTCSessionDescription::answer(self.0.reach.narrow(&answer.sdp)).unwrap();
        connection.set_remote_description(answer).await.unwrap();
    }

    async fn answer(&self, sdp: String) {
        let connection = &self.0.connection;
        let offer = RTCSessionDescription::offer(self.0.reach.narrow(&sdp)).unwrap();
        connection.set_remote_description(offer).await.unwrap();
        let answer = connection.create_answer(None).await.unwrap();
        connection
            .set_local_description(answer.clone())
            .await
            .unwrap();
        self.send_description(SdpKind::Answer, answer.sdp).await;
    }

    async fn send_description(&self, kind: SdpKind, sdp: String) {
        let description = SessionDescription { kind, sdp };
        if self.0.open.load(Ordering::Acquire) {
            self.send(&ChannelMessage::Sdp(description)).await;
        } else {
            self.control(RtcKind::Sdp, description.to_json().into_bytes())
                .await;
        }
    }

    async fn send(&self, message: &ChannelMessage) {
        self.0.channel.send(&message.encode().into()).await.unwrap();
    }

    /// Wires the callbacks of the connection; weak, so that it can end.
    fn listen(&self, incoming: mpsc::UnboundedSender<ChannelMessage>) {
        let weak = Arc::downgrade(&self.0);
        self.0.channel.on_open(Box::new(move || {
            if let Some(inner) = weak.upgrade() {
                inner.open.store(true, Ordering::Release);
            }
            Box::pin(async {})
        }));
        self.0
            .channel
            .on_message(Box::new(move |message: DataChannelMessage| {
                let _ = incoming.send(ChannelMessage::decode(&message.data).unwrap());
                Box::pin(async {})
            }));
        let weak = Arc::downgrade(&self.0);
        self.0
            .connection
            .on_ice_candidate(Box::new(move |candidate| {
                let (inner, candidate) = (weak.upgrade(), candidate.and_then(|c| c.to_json().ok()));
                Box::pin(async move {
                    let (Some(inner), Some(candidate)) = (inner, candidate) else {
                        return;
                    };
                    let json = IceCandidate::local(candidate.candidate).to_json();
                    Self(inner).control(RtcKind::Ice, json.into_bytes()).await;
                })
            }));
        let weak = Arc::downgrade(&self.0);
        self.0
            .connection
            .on_track(Box::new(move |track, _, transceiver| {
                let inner = weak.upgrade();
                Box::pin(async move {
                    let Some(inner) = inner else { return };
                    let mid = transceiver
                        .mid()
                        .map(|mid| mid.to_string())
                        .unwrap_or_default();
                    tokio::spawn(receive(Arc::downgrade(&inner), track, mid));
                })
            }));
    }

    /// Carries out what the server says, in order.
    fn follow(
        &self,
        mut messages: mpsc::UnboundedReceiver<RtcMessage>,
        mut incoming: mpsc::UnboundedReceiver<ChannelMessage>,
        answers: mpsc::UnboundedSender<SessionDescription>,
        locks: mpsc::UnboundedSender<bool>,
    ) {
        let this = self.clone();
        let own_answers = answers.clone();
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                match message.kind {
                    RtcKind::Sdp => {
                        let description = SessionDescription::from_json(&message.data).unwrap();
                        this.take_description(description, &own_answers).await;
                    }
                    RtcKind::Ice => this.take_candidate(&message.data),
                    other => panic!("unexpected {other:?}"),
                }
            }
        });
        let this = self.clone();
        tokio::spawn(async move {
            while let Some(message) = incoming.recv().await {
                match message {
                    ChannelMessage::Sdp(description) => {
                        this.take_description(description, &answers).await;
                    }
                    ChannelMessage::MediaMap(map) => *this.0.media_map.lock().unwrap() = map,
                    ChannelMessage::LockResult(granted) => drop(locks.send(granted)),
                    ChannelMessage::Pong => {}
                    other => panic!("unexpected {other:?}"),
                }
            }
        });
    }

    /// Makes use of a candidate of the server as soon as there is a description it belongs to.
    fn take_candidate(&self, json: &[u8]) {
        let candidate = wrapped_candidate(json);
        if !self.0.reach.allows(&candidate.candidate) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let connection = &this.0.connection;
            while connection.remote_description().await.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            connection.add_ice_candidate(candidate).await.unwrap();
        });
    }

    async fn take_description(
        &self,
        description: SessionDescription,
        answers: &mpsc::UnboundedSender<SessionDescription>,
    ) {
        match description.kind {
            SdpKind::Offer => self.answer(description.sdp).await,
            SdpKind::Answer => drop(answers.send(description)),
        }
    }
}

/// Counts the packets of a track that carry the publisher's mark.
async fn receive(inner: std::sync::Weak<Inner>, track: Arc<TrackRemote>, mid: String) {
    let (kind, publisher) = parse_track_id(&track.id()).expect("track ids name type and publisher");
    let mark = format!("<{publisher}>").into_bytes();
    let key = (kind, publisher.to_string());
    let announced = inner.upgrade().is_some_and(|inner| {
        let map = inner.media_map.lock().unwrap();
        map.get(&mid)
            .is_some_and(|entry| entry.kind == kind && entry.sender == key.1)
    });
    while let Ok((packet, _)) = track.read_rtp().await {
        let Some(inner) = inner.upgrade() else { return };
        if packet.payload.is_empty() {
            continue;
        }
        assert!(
            packet
                .payload
                .windows(mark.len())
                .any(|window| window == mark),
            "payload of {publisher} has been changed"
        );
        let mut tracks = inner.tracks.lock().unwrap();
        let entry = tracks
            .entry(key.clone())
            .or_insert_with(|| Track::new(track.stream_id(), announced));
        entry.note(packet.header.sequence_number);
    }
}
