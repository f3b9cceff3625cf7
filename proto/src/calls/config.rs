//! `GET /config`: what a client must know about this server.

use serde::{Deserialize, Serialize};

/// An ICE server as browsers want it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    pub urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// The configuration every signed-in person may see. Keys are the wire's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientConfig {
    /// Deprecated form: bare URLs.
    #[serde(rename = "ICEServers")]
    pub ice_servers: Vec<String>,
    /// TURN servers without credentials are left out; see `/turn-credentials`.
    #[serde(rename = "ICEServersConfigs")]
    pub ice_servers_configs: Vec<IceServer>,
    /// Always true; older mobile clients ask.
    #[serde(rename = "AllowEnableCalls")]
    pub allow_enable_calls: bool,
    #[serde(rename = "DefaultEnabled")]
    pub default_enabled: bool,
    /// 0 is no limit.
    #[serde(rename = "MaxCallParticipants")]
    pub max_call_participants: u32,
    #[serde(rename = "NeedsTURNCredentials")]
    pub needs_turn_credentials: bool,
    #[serde(rename = "AllowScreenSharing")]
    pub allow_screen_sharing: bool,
    #[serde(rename = "EnableRecordings")]
    pub enable_recordings: bool,
    #[serde(rename = "EnableTranscriptions")]
    pub enable_transcriptions: bool,
    #[serde(rename = "EnableLiveCaptions")]
    pub enable_live_captions: bool,
    /// Minutes.
    #[serde(rename = "MaxRecordingDuration")]
    pub max_recording_duration: u32,
    #[serde(rename = "EnableSimulcast")]
    pub enable_simulcast: bool,
    #[serde(rename = "EnableRinging")]
    pub enable_ringing: bool,
    pub sku_short_name: String,
    #[serde(rename = "HostControlsAllowed")]
    pub host_controls_allowed: bool,
    #[serde(rename = "EnableAV1")]
    pub enable_av1: bool,
    #[serde(rename = "GroupCallsAllowed")]
    pub group_calls_allowed: bool,
    #[serde(rename = "EnableDCSignaling")]
    pub enable_dc_signaling: bool,
    #[serde(rename = "EnableVideo")]
    pub enable_video: bool,
    /// Ours only: why there will be neither transcripts nor captions although they are switched on, in
    /// words for people; empty when all is well, or nothing is known.
    #[serde(default, rename = "SpeechProblem")]
    pub speech_problem: String,
    /// Ours only: what can be transcribed: codes of ISO 639-1, or `*` for as many as models of many
    /// languages know. Empty when nothing is known.
    #[serde(default, rename = "SpeechLanguages")]
    pub speech_languages: Vec<String>,
}
