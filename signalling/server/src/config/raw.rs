//! Every key of the configuration: default, names in the environment, rule, and the operator's
//! manual. Names that begin with `MM_` are those of the reference plugin.

use std::path::PathBuf;

use proto::calls::IceServer;
use proto::redact::Secret;
use settings::{Auto, Json, Link, Manner};

use super::names::OTHERS;

const EIB: u64 = 1 << 60;

const MANNER: Manner = Manner {
    program: "signalling",
    prefix: "SIGNALLING_",
    ours: "SIGNALLING_",
    theirs: "MM_CALLS_",
    others: OTHERS,
    ..Manner::PLAIN
};

settings::settings! {
    /// The file of `signalling`.
    pub struct RawConfig: MANNER {
        "http" http: RawHttp {
            /// Address and port for everything. Put a TLS-terminating proxy before it: browsers give
            /// microphones only to https pages and to localhost.
            listen: String = "127.0.0.1:8065";
            /// The address people open, such as "https://calls.example.org". Empty: whatever they
            /// used.
            site_url: String = "", named ["MM_SERVICESETTINGS_SITEURL"];
            /// Address and port where /metrics is served to everybody who reaches it, such as
            /// "127.0.0.1:8067" for a Prometheus on this machine; /readyz and /healthz are there,
            /// too. Empty: nowhere. On the port above /metrics is for administrators only.
            metrics_listen: String = "";
            /// Connections at once, WebSockets included; further ones are refused with 503. At most
            /// half of the files that the process may open (`ulimit -n`). Each person has one or two.
            max_connections: usize = 8192, in 1..=1_000_000;
            /// Of them from one address (an IPv6 network of 64 bits counts as one). Loopback and
            /// trusted proxies have no limit of their own. Raise it when an office of thousands
            /// shares one address.
            max_connections_per_address: usize = 2048, in 1..=1_000_000;
            /// Proxies in front of this server, as addresses or networks such as "10.0.0.0/8": only
            /// what they add to X-Forwarded-For is believed. Wrong passwords are counted per place
            /// (an IPv4 address, an IPv6 network of 64 bits); behind a proxy that is not named here
            /// everybody is at one place, and new devices share what strangers there may try. Needed
            /// behind any proxy, also one on this machine: ["127.0.0.1", "::1"]. The proxy must add
            /// the address it heard from.
            trusted_proxies: Vec<String> = &[];
            /// Origins whose pages may show the client in a frame, such as
            /// "https://teams.example.com" or "https://*.office.example"; none: nobody's. Sign-ins
            /// then also count in those frames, over HTTPS only.
            frame_ancestors: Vec<String> = &[];
        }
        "storage" storage: RawStorage {
            /// Databases and files. Back it up as a whole.
            data_dir: PathBuf = "data/signalling";
            /// Empty: SQLite files in data_dir. Or one PostgreSQL database for everything, as
            /// "postgres://user@host:5432/database"; the schemas `chat` and `calls` are made in it.
            /// To another machine TLS is demanded with a certificate that fits the host's name,
            /// unless `?sslmode=` says otherwise; `?sslrootcert=FILE` names a private authority.
            /// Files stay in data_dir.
            database: Link = "";
            /// A file whose first line is the password of that user. Or put the password into the
            /// address, and the address into the environment.
            database_password_file: PathBuf = "";
            /// The key that seals our keys at rtcd and the job service, in the database. Empty:
            /// `secret.key` in data_dir, made at the first start. Keep it with the backups of the
            /// database, but not beside them.
            key_file: PathBuf = "";
        }
        "files" files: RawFiles {
            /// Where the bytes of files and recordings are: "directory" (below `storage.data_dir`)
            /// or "s3" (a bucket of any server that speaks S3; AWS:
            /// "https://s3.REGION.amazonaws.com"). Moving from one to the other is copying:
            /// `DATA_DIR/files/ab/ID` is the object `PREFIXab/ID`.
            place: String = "directory", of ["directory", "s3"];
            /// "https://host:port" or "http://host:port". Proxies of the environment are not used.
            endpoint: Link = "";
            /// Requests are signed for a region; most servers take any.
            region: String = "us-east-1";
            /// Must exist, and be for this server alone, unless it has a prefix of its own such as
            /// "parley/".
            bucket: String = "";
            /// Before the name of every object. Empty, or with a `/` at its end.
            prefix: String = "";
            /// The bucket is named in the path, as most servers want it; false: in the host name, as
            /// AWS does.
            path_style: bool = true;
            /// PEM file of the authority that signed the server's certificate. Empty: the system's.
            ca_file: PathBuf = "";
            /// Who asks.
            access_key_id: String = "";
            /// The secret of that id; or a file with it, below.
            secret_key: Secret = "";
            /// A file whose first line is the secret.
            secret_key_file: PathBuf = "";
            /// Hours until an upload that was begun and not finished is removed.
            upload_hours: u64 = 24, in 1..=24 * 365;
            /// Days until a file that was uploaded and never posted is removed.
            unposted_days: u64 = 7, in 1..=3650;
            /// Uploads one person may have open at once; bots have no limit.
            max_open_uploads: u64 = 20, in 1..=10_000;
            /// Bytes of one person's files and begun uploads; 0: no limit. Not for bots. A deleted
            /// post's files go with it, unless another post carries them.
            person_quota_bytes: u64 = 10 << 30, in 0..=EIB;
            /// The same of everybody together, recordings included; 0: no limit.
            total_quota_bytes: u64 = 0, in 0..=EIB;
            /// Bytes that stay free for records on the disk of the files: uploads are refused before
            /// posts and calls fail. Without meaning for "s3".
            min_free_bytes: u64 = 512 << 20, in 0..=EIB;
        }
        "chat" chat: RawChat {
            /// Name shown to people.
            site_name: String = "Parley";
            /// Language of what the server itself posts for everybody, and of what it tells people
            /// whose profile names no language of ours: ar, de, en, es, fr or pt-BR.
            default_locale: String = "en", of ["ar", "de", "en", "es", "fr", "pt-BR"],
                named ["MM_LOCALIZATIONSETTINGS_DEFAULTSERVERLOCALE"];
            /// Whether anybody who reaches the server may make an account. The first account is an
            /// administrator: the page asks for the one-time token that is printed at the start,
            /// `signalling add-account` does not.
            open_registration: bool = false;
            /// Hours until a login must be renewed.
            login_lifetime_hours: u64 = 30 * 24, in 1..=10 * 365 * 24;
            /// Characters, 5 to 72. Passwords that are tried first, rows, repetitions and those that
            /// hold the user name are refused whatever their length. Accounts made earlier keep
            /// theirs.
            min_password_chars: usize = 12, in 5..=72;
            /// Bytes of the largest file, recordings included.
            max_file_bytes: u64 = 2 << 30, in 1 << 20..=1 << 40;
            /// Posts, edits and the like that one person may make in a minute for long, and a third
            /// of it at once; 0 for no limit.
            writes_per_minute: u32 = 600;
            /// Other origins whose pages may use this server (development servers). Of all others
            /// only our own pages may change anything: behind a proxy that changes the Host header,
            /// set http.site_url.
            allowed_origins: Vec<String> = &[];
        }
        "gateway" gateway: RawGateway {
            /// The clients' WebSockets. Frames that one may send in a second for long, and four times
            /// as many at once: 10 to 10000. Further ones are refused, and who goes on all the same
            /// is cut off. Bots have 20 times as much.
            frames_per_second: u32 = 50, in 10..=10_000;
            /// The same of all sockets of one person together, at least as much.
            frames_per_second_per_person: u32 = 200, in 10..=100_000;
            /// Sockets of one person, those included that may come back within five minutes.
            connections_per_person: usize = 256, in 1..=10_000;
            /// Bytes of events kept for one person who is behind or may come back: 65536 to
            /// 1073741824. Who needs more loses the socket and reads everything anew. Memory of a
            /// server whose people all are away: this times people.
            kept_bytes_per_person: usize = 8 << 20, in 64 << 10..=1 << 30;
        }
        "rtcd" rtcd: RawRtcd {
            /// Media hosts, "http://host:port" or "http://id:key@host:port". A call stays on one; a
            /// new call goes to the host with the lowest load. A name with several addresses is a
            /// host for each, asked again every 10 s: one that is gone from it gets no new calls.
            urls: Vec<Link> = &["http://127.0.0.1:8045"], named ["MM_CALLS_RTCD_URL", "MM_CALLS_RTCD_SERVICE_URL"];
            /// How we sign in to them. Empty: made at the first start and kept in the database; the
            /// host must then allow self registration.
            client_id: String = "", named ["MM_CALLS_RTCD_CLIENT_ID"];
            /// 32 to 72 characters.
            auth_key: Secret = "", named ["MM_CALLS_RTCD_AUTH_KEY"];
        }
        "cluster" cluster: RawCluster {
            /// One node of several: the folder with this node's papers, as `parley cluster add-node`
            /// writes it. Each process needs papers of its own. Media hosts that are nodes are found
            /// by themselves; those of rtcd.urls count beside them, where it is written. Empty: on its
            /// own.
            papers: PathBuf = "";
            /// One of several signalling processes, of which one leads, the others hand people on to
            /// it, and one takes its place when it goes: where they reach this one, "host:port", TCP;
            /// it listens at this port of every address while it leads. Needs papers and
            /// storage.database; that, storage.key_file and the place for files must be the same for
            /// all. Empty: the only one.
            link_address: String = "";
        }
        "offloader" offloader: RawOffloader {
            /// The job service for recordings, transcripts and captions, "http://host:4545". Empty:
            /// none of them.
            url: Link = "", named ["MM_CALLS_JOB_SERVICE_URL"];
            /// Job services beside that one. A job goes to the one with the fewest, and to the next when
            /// that refuses it or is away. A recording whose service is lost goes on at another, as a
            /// further recording of the call: what the first has taken is handed in when it is back.
            further_urls: Vec<Link> = &[];
            /// How we sign in to them. Empty: made at the first start.
            client_id: String = "", named ["MM_CALLS_JOB_SERVICE_CLIENT_ID"];
            /// 32 to 72 characters; empty: made at the first start. Services must then allow self
            /// registration.
            auth_key: Secret = "", named ["MM_CALLS_JOB_SERVICE_AUTH_KEY"];
            /// First part of the runner names.
            image_registry: String = "mattermost", named ["MM_CALLS_JOB_SERVICE_IMAGE_REGISTRY"];
            /// Where the bots reach this server. Empty: the address that is served.
            site_url: String = "", named ["MM_CALLS_RECORDER_SITE_URL"];
            /// Where those that transcribe reach it. Empty: as the others.
            transcriber_site_url: String = "", named ["MM_CALLS_TRANSCRIBER_SITE_URL"];
        }
        "calls" calls: RawCalls {
            /// No calls at all: chat goes on, the routes of calls answer 404, what clients do about
            /// calls is dropped, media hosts and the job service are left alone. Calls that ran when
            /// the server stopped end.
            disable: bool = false, named ["MM_CALLS_DISABLE"];
            /// Calls may start wherever nobody switched them off. false: only where an administrator
            /// allowed it.
            default_enabled: bool = true, named ["MM_CALLS_DEFAULT_ENABLED"];
            /// Calls outside direct messages.
            group_calls_allowed: bool = true, named ["MM_CALLS_GROUP_CALLS_ALLOWED"];
            /// Shows the host's controls to clients.
            host_controls_allowed: bool = true;
            /// Sessions per call; 0: no limit.
            max_participants: u32 = 0, named ["MM_CALLS_MAX_PARTICIPANTS", "MM_CALLS_MAX_CALL_PARTICIPANTS"];
            /// Participants may share their screens.
            allow_screen_sharing: bool = true, named ["MM_CALLS_ALLOW_SCREEN_SHARING"];
            /// Two qualities of a shared screen; costs the presenter upstream bandwidth.
            simulcast: bool = false, named ["MM_CALLS_ENABLE_SIMULCAST"];
            /// AV1 beside VP8 for shared screens; not with simulcast.
            av1: bool = false, named ["MM_CALLS_ENABLE_AV1"];
            /// Rings in direct messages.
            ringing: bool = false, named ["MM_CALLS_ENABLE_RINGING"];
            /// Session descriptions over the data channel: fewer steps and no race with the
            /// WebSocket.
            dc_signaling: bool = true, named ["MM_CALLS_ENABLE_DC_SIGNALING"];
            /// Cameras in direct messages.
            video: bool = false, named ["MM_CALLS_ENABLE_VIDEO"];
            /// Edition that clients are told; decides which controls some of them show.
            sku: String = "enterprise";
        }
        "recording" recording: RawRecording {
            /// Calls may be recorded. Needs `offloader.url`.
            enabled: bool = true, named ["MM_CALLS_ENABLE_RECORDINGS"];
            /// Minutes of the longest recording, 15 to 180.
            max_minutes: u32 = 60, in 15..=180, named ["MM_CALLS_MAX_RECORDING_DURATION"];
            /// low (720p, 1 Mbit/s), medium (720p, 1.5 Mbit/s) or high (1080p, 2.5 Mbit/s).
            quality: String = "medium", of ["low", "medium", "high"], named ["MM_CALLS_RECORDING_QUALITY"];
            /// Pixels, 1280 to 3840; auto: as the quality has it.
            width: Auto<1280, 3840> = (), named ["MM_CALLS_RECORDER_WIDTH"];
            /// Pixels, 720 to 2160; auto: as the quality has it.
            height: Auto<720, 2160> = (), named ["MM_CALLS_RECORDER_HEIGHT"];
            /// Thousands of bits of pictures in a second, 500 to 10000; auto: as the quality has it.
            video_rate: Auto<500, 10_000> = (), named ["MM_CALLS_RECORDER_VIDEO_RATE"];
            /// The same of sound, 32 to 320.
            audio_rate: u32 = 64, in 32..=320, named ["MM_CALLS_RECORDER_AUDIO_RATE"];
            /// Most pictures in a second, 10 to 60; auto: as the quality has it.
            frame_rate: Auto<10, 60> = (), named ["MM_CALLS_RECORDER_FRAME_RATE"];
            /// How much work the encoder takes: medium (most), fast, faster, veryfast, superfast,
            /// ultrafast; auto: as the quality has it.
            video_preset: String = "auto",
                of ["auto", "medium", "fast", "faster", "veryfast", "superfast", "ultrafast"],
                named ["MM_CALLS_RECORDER_VIDEO_PRESET"];
            /// What a recording is: "mp4" (a film); where the offloader is Parley's also "webm" (the
            /// shared screen as it was sent, and the sound), "ogg" or "m4a" (the sound alone).
            output_format: String = "mp4", of ["mp4", "webm", "ogg", "m4a"],
                named ["MM_CALLS_RECORDER_OUTPUT_FORMAT"];
        }
        "transcribing" transcribing: RawTranscribing {
            /// Recordings are transcribed. Needs recording.
            enabled: bool = true, named ["MM_CALLS_ENABLE_TRANSCRIPTIONS"];
            /// tiny, base, small, medium or large. Larger is better and slower.
            model_size: String = "base", if is_model, named ["MM_CALLS_TRANSCRIBER_MODEL_SIZE"];
            /// Threads of one transcription.
            threads: u32 = 2, in 1..=256, named ["MM_CALLS_TRANSCRIBER_NUM_THREADS"];
            /// Captions while people speak; only while the call is recorded.
            captions_enabled: bool = true,
                named ["MM_CALLS_ENABLE_LIVE_CAPTIONS", "MM_CALLS_TRANSCRIBER_LIVE_CAPTIONS_ON"];
            /// As model_size, for captions.
            captions_model_size: String = "tiny", if is_model,
                named ["MM_CALLS_LIVE_CAPTIONS_MODEL_SIZE", "MM_CALLS_TRANSCRIBER_LIVE_CAPTIONS_MODEL_SIZE"];
            /// Windows of sound at once.
            captions_transcribers: u32 = 1, in 1..=256,
                named [
                    "MM_CALLS_LIVE_CAPTIONS_NUM_TRANSCRIBERS",
                    "MM_CALLS_TRANSCRIBER_LIVE_CAPTIONS_NUM_TRANSCRIBERS",
                ];
            /// Threads for each of them.
            captions_threads_per_transcriber: u32 = 2, in 1..=256,
                named [
                    "MM_CALLS_LIVE_CAPTIONS_NUM_THREADS_PER_TRANSCRIBER",
                    "MM_CALLS_TRANSCRIBER_LIVE_CAPTIONS_NUM_THREADS_PER_TRANSCRIBER",
                ];
            /// Language of the captions, two letters.
            captions_language: String = "en", if is_language,
                named ["MM_CALLS_LIVE_CAPTIONS_LANGUAGE", "MM_CALLS_TRANSCRIBER_LIVE_CAPTIONS_LANGUAGE"];
            /// Cues of the WebVTT file without the names of those who speak.
            omit_speaker: bool = false, named ["MM_CALLS_TRANSCRIBER_WEBVTT_OMIT_SPEAKER"];
            /// Milliseconds of silence behind which the transcript's text begins a new paragraph.
            paragraph_silence_ms: u32 = 2000, in 1..=3_600_000,
                named ["MM_CALLS_TRANSCRIBER_TEXT_COMPACT_SILENCE_THRESHOLD_MS"];
            /// Milliseconds of speech in its longest paragraph.
            paragraph_max_ms: u32 = 10_000, in 1..=3_600_000,
                named ["MM_CALLS_TRANSCRIBER_TEXT_COMPACT_MAX_SEGMENT_DURATION_MS"];
        }
        "push" push: RawPush {
            /// Where phones that sleep are woken for calls in direct and group messages, such as
            /// "https://push.example.org/wake": a relay that passes messages on to the makers of
            /// phones. It is sent `{"id": "..."}`, once for each device: the name that the relay
            /// itself gave the device, which the device told us with `PUT
            /// /api/v4/users/sessions/device`. Nothing of who calls, or where. Whoever does not want
            /// to be disturbed is not woken. Empty: nobody is.
            relay: Link = "";
        }
        "ice" ice: RawIce {
            /// STUN and TURN servers for clients: { urls = ["turn:turn.example.org:3478"] }. None are
            /// needed when clients reach the media host directly. In the environment JSON.
            servers: Json<Vec<IceServer>> = (), named ["MM_CALLS_ICE_SERVERS_CONFIGS"];
            /// More of them, each by its address alone: ["stun:stun.example.org:3478"]. In the
            /// environment separated by commas.
            urls: Vec<String> = &[], if are_ice, named ["MM_CALLS_ICE_SERVERS"];
            /// Secret shared with the TURN servers; short-lived credentials are made from it.
            turn_secret: Secret = "", named ["MM_CALLS_TURN_STATIC_AUTH_SECRET"];
            /// How long such a credential is good for.
            turn_credentials_minutes: u64 = 240, in 1..=7 * 24 * 60,
                named ["MM_CALLS_TURN_CREDENTIALS_EXPIRATION_MINUTES"];
        }
    }
}

fn is_model(name: &str) -> Result<(), String> {
    let size = name.strip_suffix(".en").unwrap_or(name);
    if ["tiny", "base", "small", "medium", "large"].contains(&size) {
        return Ok(());
    }
    Err("it must be one of tiny, base, small, medium, large, each maybe with `.en`".to_owned())
}

fn are_ice(urls: &[String]) -> Result<(), String> {
    let schemes = ["stun:", "stuns:", "turn:", "turns:"];
    let is_one = |url: &String| schemes.iter().any(|scheme| url.starts_with(scheme));
    if urls.iter().all(is_one) {
        return Ok(());
    }
    Err("each must begin with `stun:`, `stuns:`, `turn:` or `turns:`".to_owned())
}

fn is_language(name: &str) -> Result<(), String> {
    if name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(());
    }
    Err("it must be a language of two letters, such as `en`".to_owned())
}
