//! Plain numbers a shard counts; the shell turns them into metrics.
//!
//! Labels are closed enums, except the group, which operators choose by registering clients.

use std::collections::BTreeMap;

use crate::media::Codec;
use proto::id::GroupId;
use rtcd_srtp::Profile;

/// Everything counted since the shard began. Gauges are marked; the rest only grows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    pub packets_in: u64,
    pub bytes_in: u64,
    pub packets_out: u64,
    pub bytes_out: u64,
    /// Media packets handed to one subscription.
    pub forwarded: u64,
    /// Media packets handed to one link.
    pub linked: u64,
    /// Packets that receivers said they miss.
    pub missing: u64,
    /// Packets sent again.
    pub repeated: u64,
    /// Keyframe requests sent to publishers.
    pub keyframe_requests: u64,
    /// Times a session was woken because something was due.
    pub wakes: u64,
    /// Calls ended by a panic.
    pub panics: u64,
    dropped: [u64; DropReason::ALL.len()],
    conn_states: [u64; ConnState::ALL.len()],
    profiles: [u64; Profile::ALL.len()],
    /// By group.
    pub groups: BTreeMap<GroupId, GroupCounters>,
}

/// What is counted per tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupCounters {
    /// Gauge: live sessions.
    pub sessions: u64,
    tracks: [[u64; Codec::ALL.len()]; 2],
    errors: [u64; ErrorKind::ALL.len()],
}

/// Why a packet or message went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// No session is known at this address, or by this ICE name.
    UnknownSource,
    /// Not STUN, DTLS, RTP or RTCP, or refused by the session.
    Malformed,
    /// Media of a track nobody announced yet.
    Parked,
    /// A muted voice.
    Muted,
    /// A voice that has been silent for a while.
    Silent,
    /// A voice while louder ones take all the places there are.
    Quiet,
    /// Padding only.
    Padding,
    /// Too late to be placed in the outgoing sequence.
    Late,
    /// A payload longer than what is sent.
    TooLong,
    /// A packet for a receiver whose path is lost for the moment, or that it has already.
    NotSent,
    /// A packet of video for a receiver that already has too much waiting.
    Waiting,
    /// A packet of a participant that had too many sources already.
    TooManySources,
    /// An answer on a data channel whose receiver does not read.
    ChannelFull,
    /// A control message for a session that does not exist in this group.
    UnknownSession,
    /// A control or data channel message that cannot be read.
    BadMessage,
    /// An offer or answer that came when it could not be used.
    Glare,
}

impl DropReason {
    pub const ALL: [Self; 16] = [
        Self::UnknownSource,
        Self::Malformed,
        Self::Parked,
        Self::Muted,
        Self::Silent,
        Self::Quiet,
        Self::Padding,
        Self::Late,
        Self::TooLong,
        Self::NotSent,
        Self::Waiting,
        Self::TooManySources,
        Self::ChannelFull,
        Self::UnknownSession,
        Self::BadMessage,
        Self::Glare,
    ];

    /// Returns the metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown_source",
            Self::Malformed => "malformed",
            Self::Parked => "parked",
            Self::Muted => "muted",
            Self::Silent => "silent",
            Self::Quiet => "quiet",
            Self::Padding => "padding",
            Self::Late => "late",
            Self::TooLong => "too_long",
            Self::NotSent => "not_sent",
            Self::Waiting => "waiting",
            Self::TooManySources => "too_many_sources",
            Self::ChannelFull => "channel_full",
            Self::UnknownSession => "unknown_session",
            Self::BadMessage => "bad_message",
            Self::Glare => "glare",
        }
    }
}

/// Transitions of a session's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnState {
    Connected,
    Disconnected,
    Failed,
    Closed,
}

impl ConnState {
    pub const ALL: [Self; 4] = [
        Self::Connected,
        Self::Disconnected,
        Self::Failed,
        Self::Closed,
    ];

    /// Returns the metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// Errors counted per group, by the reference's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    Signalling,
    Ice,
    Rtp,
    Track,
    SignallingLockTimeout,
}

impl ErrorKind {
    pub const ALL: [Self; 5] = [
        Self::Signalling,
        Self::Ice,
        Self::Rtp,
        Self::Track,
        Self::SignallingLockTimeout,
    ];

    /// Returns the metric label, spelled as the reference does.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signalling => "signaling",
            Self::Ice => "ice",
            Self::Rtp => "rtp",
            Self::Track => "track",
            Self::SignallingLockTimeout => "signaling_lock_timeout",
        }
    }
}

/// Whether a track comes from a participant or goes to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackDirection {
    In,
    Out,
}

impl TrackDirection {
    pub const ALL: [Self; 2] = [Self::In, Self::Out];

    /// Returns the metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl Counters {
    /// Returns how many were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        DropReason::ALL
            .iter()
            .zip(self.dropped)
            .find_map(|(known, count)| (*known == reason).then_some(count))
            .unwrap_or(0)
    }

    /// Returns how many connections entered this state.
    #[must_use]
    pub fn conn_states(&self, state: ConnState) -> u64 {
        ConnState::ALL
            .iter()
            .zip(self.conn_states)
            .find_map(|(known, count)| (*known == state).then_some(count))
            .unwrap_or(0)
    }

    /// Returns how many sessions connected with this protection.
    #[must_use]
    pub fn profiles(&self, profile: Profile) -> u64 {
        Profile::ALL
            .iter()
            .zip(self.profiles)
            .find_map(|(known, count)| (*known == profile).then_some(count))
            .unwrap_or(0)
    }

    pub(crate) fn connected_with(&mut self, profile: Option<Profile>) {
        if let Some(profile) = profile {
            bump(&Profile::ALL, &mut self.profiles, profile);
        }
    }

    pub(crate) fn drop_one(&mut self, reason: DropReason) {
        bump(&DropReason::ALL, &mut self.dropped, reason);
    }

    pub(crate) fn conn_state(&mut self, state: ConnState) {
        bump(&ConnState::ALL, &mut self.conn_states, state);
    }

    pub(crate) fn error(&mut self, group: &GroupId, kind: ErrorKind) {
        bump(&ErrorKind::ALL, &mut self.group(group).errors, kind);
    }

    pub(crate) fn group(&mut self, group: &GroupId) -> &mut GroupCounters {
        self.groups.entry(group.clone()).or_default()
    }
}

impl GroupCounters {
    /// Whether the tenant has no session and no track.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sessions == 0 && self.tracks.iter().flatten().all(|count| *count == 0)
    }

    /// Gauge: live tracks of this direction and codec; outgoing ones are subscriptions.
    #[must_use]
    pub fn tracks(&self, direction: TrackDirection, codec: Codec) -> u64 {
        let row = TrackDirection::ALL.iter().zip(self.tracks);
        row.filter(|(known, _)| **known == direction)
            .flat_map(|(_, row)| Codec::ALL.into_iter().zip(row))
            .find_map(|(known, count)| (known == codec).then_some(count))
            .unwrap_or(0)
    }

    /// Returns how many errors of this kind there were.
    #[must_use]
    pub fn errors(&self, kind: ErrorKind) -> u64 {
        ErrorKind::ALL
            .iter()
            .zip(self.errors)
            .find_map(|(known, count)| (*known == kind).then_some(count))
            .unwrap_or(0)
    }

    pub(crate) fn track_began(&mut self, direction: TrackDirection, codec: Codec) {
        if let Some(count) = self.track_count(direction, codec) {
            *count += 1;
        }
    }

    pub(crate) fn track_ended(&mut self, direction: TrackDirection, codec: Codec) {
        if let Some(count) = self.track_count(direction, codec) {
            *count = count.saturating_sub(1);
        }
    }

    fn track_count(&mut self, direction: TrackDirection, codec: Codec) -> Option<&mut u64> {
        let row = TrackDirection::ALL
            .iter()
            .position(|known| *known == direction)?;
        let column = Codec::ALL.iter().position(|known| *known == codec)?;
        self.tracks.get_mut(row)?.get_mut(column)
    }
}

fn bump<K: PartialEq + Copy, const N: usize>(keys: &[K; N], counts: &mut [u64; N], key: K) {
    let position = keys.iter().position(|known| *known == key);
    if let Some(count) = position.and_then(|position| counts.get_mut(position)) {
        *count += 1;
    }
}
