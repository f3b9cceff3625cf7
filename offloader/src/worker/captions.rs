//! Live captions: each voice decoded as it comes, its words sent to the call.
//!
//! In: packets of voice tracks. Out: caption commands to the client.
//! Not here: how speech becomes text (`speech`).
//! What is shed: packets for which there is no room; captions are never worth a delay.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proto::calls::action::{CaptionLine, MetricName};
use proto::id::SessionId;
use proto::offload::TranscribingInput;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

use crate::capture::jitter::{JitterBuffer, Ordered};
use crate::client::{CallCommand, MediaPacket, TrackKey};
use crate::finish::resample::ToSpeech;
use crate::opus::Decoder;
use crate::order::SpeechOrder;
use crate::speech::{
    CaptionOptions, CaptionStream, CaptionUpdate, CaptionUpdates, SpeechClient, SpeechError,
    language,
};

/// A missing packet is waited for this long.
const HOLD: Duration = Duration::from_millis(300);
/// Packets of one voice that may wait: 12 s.
const QUEUE: usize = 600;
/// A pause in the packets is heard as silence up to this long.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);

/// Shown to a call that asked for captions where no model can make them.
const NO_MODEL: &str = "[no captions: the server has no speech model]";
/// And where the models cannot run.
const NO_SPEECH: &str = "[no captions: the server cannot run speech recognition]";

/// The captions of one call.
#[derive(Debug)]
pub(super) struct Captions {
    /// Or why there are none, of which the call has yet to hear.
    speech: Result<SpeechClient, &'static str>,
    language: Option<String>,
    commands: mpsc::Sender<CallCommand>,
    voices: BTreeMap<TrackKey, Voice>,
    tasks: Vec<JoinHandle<()>>,
    told: bool,
}

#[derive(Debug)]
struct Voice {
    packets: mpsc::Sender<MediaPacket>,
    /// The last packet found no room.
    is_full: bool,
    behind: Behind,
}

/// Tells the calls server each time the captions of one voice fall behind: it counts them.
#[derive(Debug, Clone)]
struct Behind {
    session: SessionId,
    commands: mpsc::Sender<CallCommand>,
}

impl Behind {
    /// A client whose queue is full is not waited for.
    fn tell(&self, how: MetricName) {
        let session = self.session.clone();
        let told = CallCommand::FellBehind { session, how };
        let _ = self.commands.try_send(told);
    }
}

impl Captions {
    /// Opens the way to speech recognition. Without a model the call is told so in place of a caption.
    pub(super) fn open(
        order: &SpeechOrder,
        input: &TranscribingInput,
        commands: mpsc::Sender<CallCommand>,
    ) -> Self {
        let speech = super::listening::speech_client(order, input, None);
        let speech = speech.inspect_err(|error| tracing::warn!(%error, "no captions"));
        Self {
            speech: speech.map_err(|error| why(&error)),
            language: language::code(&input.captions_language),
            commands,
            voices: BTreeMap::new(),
            tasks: Vec::new(),
            told: false,
        }
    }

    /// Hears a voice. `kept`: the number of its track in the folder, which no other line of the call has
    /// in its name, also of a worker before.
    pub(super) fn add(&mut self, track: TrackKey, kept: TrackKey, owner: SessionId) {
        let speech = match &self.speech {
            Ok(speech) => speech,
            Err(why) => {
                if !std::mem::replace(&mut self.told, true) {
                    let told = tell_once(owner, kept, why, self.commands.clone());
                    self.tasks.push(tokio::spawn(told));
                }
                return;
            }
        };
        let options = CaptionOptions {
            language: self.language.clone(),
        };
        let (stream, updates) = speech.captions(options);
        let (packets, queue) = mpsc::channel(QUEUE);
        let behind = Behind {
            session: owner.clone(),
            commands: self.commands.clone(),
        };
        let voice = Voice {
            packets,
            is_full: false,
            behind: behind.clone(),
        };
        self.voices.insert(track, voice);
        self.tasks.push(tokio::spawn(hear(queue, stream, behind)));
        let told = tell(updates, owner, kept, self.commands.clone());
        self.tasks.push(tokio::spawn(told));
    }

    pub(super) fn remove(&mut self, track: TrackKey) {
        self.voices.remove(&track);
    }

    pub(super) fn packet(&mut self, track: TrackKey, packet: MediaPacket) {
        let Some(voice) = self.voices.get_mut(&track) else {
            return;
        };
        // Full: recognition is far behind and drops audio anyway.
        let is_full = matches!(voice.packets.try_send(packet), Err(TrySendError::Full(_)));
        if is_full && !voice.is_full {
            voice.behind.tell(MetricName::LiveCaptionsPacketBufferFull);
        }
        voice.is_full = is_full;
    }

    /// Ends all voices. What was not yet recognised is not shown.
    pub(super) async fn end(mut self) {
        self.voices.clear();
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

/// Turns the packets of one voice into PCM for recognition.
async fn hear(mut packets: mpsc::Receiver<MediaPacket>, stream: CaptionStream, behind: Behind) {
    let mut decoder = match Decoder::new() {
        Ok(decoder) => decoder,
        Err(error) => {
            tracing::warn!(%error, "a voice gets no captions");
            return;
        }
    };
    let start = Instant::now();
    let mut buffer = JitterBuffer::new(HOLD);
    let mut filter = ToSpeech::new();
    let mut last_time: Option<u64> = None;
    let mut lost = 0;
    let mut fallen = Fallen::default();
    while let Some(packet) = packets.recv().await {
        let now = packet.arrived.saturating_duration_since(start);
        buffer.push(now, packet.seq_no, packet);
        while let Some(item) = buffer.pop(now) {
            let packet = match item {
                Ordered::Lost(count) => {
                    lost += usize::try_from(count).unwrap_or(0);
                    continue;
                }
                // It has a number and says nothing.
                Ordered::Packet(packet) if packet.payload.is_empty() => continue,
                Ordered::Packet(packet) => packet,
            };
            let gap = pause(last_time, packet.time);
            let hidden = (std::mem::take(&mut lost) * decoder.usual_len()).min(gap);
            if gap > hidden {
                stream.push(&filter.push(&vec![(0.0, 0.0); gap - hidden]));
            }
            if hidden > 0 {
                stream.push(&filter.push(&decoder.lost(hidden, &packet.payload)));
            }
            let samples = decoder.decode(&packet.payload);
            let len = u64::try_from(samples.len()).unwrap_or(0);
            last_time = Some(packet.time.saturating_add(len));
            stream.push(&filter.push(&samples));
        }
        let now = Fallen {
            dropped: stream.windows_dropped(),
            shed: stream.windows_shed(),
        };
        fallen.further(now).for_each(|how| behind.tell(how));
    }
}

/// How often captions of a voice fell behind so far.
#[derive(Debug, Clone, Copy, Default)]
struct Fallen {
    dropped: u64,
    shed: u64,
}

impl Fallen {
    /// What has come about since.
    fn further(&mut self, now: Self) -> impl Iterator<Item = MetricName> + use<> {
        let before = std::mem::replace(self, now);
        let dropped = now.dropped > before.dropped;
        let shed = now.shed > before.shed;
        let dropped = dropped.then_some(MetricName::LiveCaptionsWindowDropped);
        let shed = shed.then_some(MetricName::LiveCaptionsTranscriberBufferFull);
        dropped.into_iter().chain(shed)
    }
}

/// Samples of silence between the end of one packet and the beginning of the next.
fn pause(end: Option<u64>, begin: u64) -> usize {
    let most = u64::try_from(LONGEST_SILENCE.as_millis()).unwrap_or(0) * 48;
    let gap = end.map_or(0, |end| begin.saturating_sub(end)).min(most);
    usize::try_from(gap).unwrap_or(0)
}

async fn tell(
    mut updates: CaptionUpdates,
    session: SessionId,
    track: TrackKey,
    commands: mpsc::Sender<CallCommand>,
) {
    while let Some(update) = updates.next().await {
        if update.text.is_empty() {
            continue;
        }
        let caption = caption(&session, track, update);
        if commands.send(caption).await.is_err() {
            return;
        }
    }
}

fn why(error: &SpeechError) -> &'static str {
    match error {
        SpeechError::NoModel { .. } => NO_MODEL,
        SpeechError::Processor { .. }
        | SpeechError::NoCommand
        | SpeechError::Shed { .. }
        | SpeechError::Crashed { .. }
        | SpeechError::NotStarting { .. }
        | SpeechError::Refused { .. }
        | SpeechError::Frame(_)
        | SpeechError::Mismatch
        | SpeechError::Kept { .. }
        | SpeechError::Folder(_)
        | SpeechError::Stopped => NO_SPEECH,
    }
}

/// The first who publishes a voice is who stands for the notice; everybody sees it.
async fn tell_once(
    session: SessionId,
    track: TrackKey,
    why: &str,
    commands: mpsc::Sender<CallCommand>,
) {
    let caption = CallCommand::Caption {
        session,
        text: why.to_owned(),
        new_audio_len_ms: 0.0,
        line: CaptionLine {
            utterance: format!("{track}.0"),
            is_final: true,
            settled_len: 0,
            language: String::new(),
            is_notice: true,
        },
    };
    // The call may be over already.
    let _ = commands.send(caption).await;
}

/// What old servers read, and beside it which line it is and what of it stays.
fn caption(session: &SessionId, track: TrackKey, update: CaptionUpdate) -> CallCommand {
    let length = u32::try_from(update.new_audio_len_ms).unwrap_or(u32::MAX);
    let settled = update.text.get(..update.stable_bytes).unwrap_or_default();
    let settled_len = u32::try_from(settled.encode_utf16().count()).unwrap_or(u32::MAX);
    CallCommand::Caption {
        session: session.clone(),
        new_audio_len_ms: f64::from(length),
        line: CaptionLine {
            utterance: format!("{track}.{}", update.line),
            is_final: update.is_final,
            settled_len,
            language: update.language,
            is_notice: update.is_notice,
        },
        text: update.text,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::client::Coding;
    use crate::speech::Flicker;

    use super::*;

    #[test]
    fn a_voice_that_finds_no_room_is_counted_once_until_it_finds_some() {
        let (commands, mut told) = mpsc::channel(8);
        let (packets, mut queue) = mpsc::channel(1);
        let session = SessionId::parse("s".repeat(26)).unwrap();
        let behind = Behind {
            session,
            commands: commands.clone(),
        };
        let voice = Voice {
            packets,
            is_full: false,
            behind,
        };
        let mut captions = Captions {
            speech: Err(NO_MODEL),
            language: None,
            commands,
            voices: BTreeMap::from([(7, voice)]),
            tasks: Vec::new(),
            told: false,
        };
        let packet = || MediaPacket {
            arrived: Instant::now(),
            seq_no: 0,
            time: 0,
            marker: false,
            coding: Coding::Usual,
            payload: [0].as_slice().into(),
        };
        let mut times = |captions: &mut Captions, packets: usize| {
            (0..packets).for_each(|_| captions.packet(7, packet()));
            let told = std::iter::from_fn(|| told.try_recv().ok());
            told.filter(|told| {
                let full = MetricName::LiveCaptionsPacketBufferFull;
                matches!(told, CallCommand::FellBehind { how, .. } if *how == full)
            })
            .count()
        };
        assert_eq!(times(&mut captions, 1), 0);
        assert_eq!(times(&mut captions, 5), 1);
        queue.try_recv().unwrap();
        assert_eq!(times(&mut captions, 3), 1, "it found room, and none again");
        drop(queue);
        assert_eq!(times(&mut captions, 3), 0, "a voice that ended");
    }

    #[test]
    fn what_was_dropped_and_what_gave_way_are_told_apart_and_once() {
        let mut fallen = Fallen::default();
        let mut told = |dropped, shed| {
            let further = fallen.further(Fallen { dropped, shed });
            further.map(MetricName::as_str).collect::<Vec<_>>()
        };
        assert_eq!(told(0, 0), [""; 0]);
        assert_eq!(told(1, 0), ["live_captions_window_dropped"]);
        assert_eq!(told(1, 2), ["live_captions_transcriber_buf_full"]);
        assert_eq!(told(1, 2), [""; 0]);
    }

    #[test]
    fn a_caption_says_what_of_it_stays_as_browsers_count() {
        let update = CaptionUpdate {
            text: "Größe 👍 viell".to_owned(),
            stable_bytes: "Größe 👍".len(),
            line: 3,
            language: "de".to_owned(),
            is_notice: false,
            new_audio_len_ms: 500,
            is_final: false,
            delay: Duration::ZERO,
            heard_until_ms: 500,
            flicker: Flicker::default(),
        };
        let session = SessionId::parse("s".repeat(26)).unwrap();
        let CallCommand::Caption { line, text, .. } = caption(&session, 7, update) else {
            panic!("a caption");
        };
        assert_eq!((line.utterance.as_str(), line.settled_len), ("7.3", 8));
        assert_eq!(text, "Größe 👍 viell");
    }
}
