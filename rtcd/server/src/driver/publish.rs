//! What a shard counts, made visible as metrics.
//!
//! In: the core's counters and what the shard itself sheds. Out: metrics, refreshed at most every
//! `REFRESH_EVERY`: no packet touches a shared counter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::Histogram;
use proto::id::GroupId;
use rtcd_core::{
    Codec, ConnState, Counters, DropReason, ErrorKind, GroupCounters, Measurement, Profile, Shard,
    TrackDirection, TrackKind,
};

use super::outbox::Outbox;
use super::wire::{SendResult, Wire};
use crate::metrics::{Metrics, seconds};
use crate::placement::ShardId;

const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// What the shard sheds outside the core.
#[derive(Debug, Clone, Copy, Default)]
struct Shed {
    hand_over: u64,
    link: u64,
    send_blocked: u64,
    send_refused: u64,
    frame: u64,
    handed_over: u64,
    voice_events: u64,
    deferred_events: u64,
    socket_errors: u64,
}

/// A shard's share of the metrics.
#[derive(Debug)]
pub(super) struct Published {
    label: String,
    loop_time: Histogram,
    metrics: Arc<Metrics>,
    last: Counters,
    last_shed: Shed,
    shed: Shed,
    /// Sockets that give nothing but errors.
    failing: i64,
    next: Instant,
}

impl Published {
    pub(super) fn new(id: ShardId, metrics: Arc<Metrics>, now: Instant) -> Self {
        let label = id.0.to_string();
        Self {
            loop_time: metrics.own.loop_time.with_label_values(&[&label]),
            label,
            metrics,
            last: Counters::default(),
            last_shed: Shed::default(),
            shed: Shed::default(),
            failing: 0,
            next: now,
        }
    }

    pub(super) fn handed_over(&mut self, sent: bool) {
        if sent {
            self.shed.handed_over += 1;
        } else {
            self.shed.hand_over += 1;
        }
    }

    pub(super) fn linked(&mut self, sent: bool) {
        if !sent {
            self.shed.link += 1;
        }
    }

    pub(super) const fn sent(&mut self, result: SendResult) {
        self.shed.send_blocked += result.blocked;
        self.shed.send_refused += result.refused;
    }

    pub(super) fn frame_dropped(&mut self) {
        self.shed.frame += 1;
    }

    /// Takes over what was counted on the way to the control side.
    pub(super) const fn events(&mut self, outbox: &Outbox) {
        self.shed.voice_events = outbox.replaced;
        self.shed.deferred_events = outbox.deferred;
    }

    /// Takes over what was counted of the sockets.
    pub(super) fn sockets(&mut self, wire: &Wire) {
        self.shed.socket_errors = wire.errors;
        let failing = i64::try_from(wire.failing()).unwrap_or(i64::MAX);
        if failing != self.failing {
            self.failing = failing;
            let gauge = &self.metrics.own.sockets_failing;
            gauge.with_label_values(&[&self.label]).set(failing);
        }
    }

    /// Publishes what was counted of tenants that have nothing on the shard, and forgets it.
    pub(super) fn forget_idle_groups(&mut self, shard: &mut Shard) {
        self.publish(shard.counters());
        shard.forget_idle_groups();
        self.last.clone_from(shard.counters());
    }

    /// Observes one measurement; these come at the pace of signalling, not of packets.
    pub(super) fn measured(&self, measurement: &Measurement) {
        let metrics = &self.metrics;
        let (histogram, group, value) = match measurement {
            Measurement::Join {
                group,
                outcome,
                took,
            } => {
                metrics.joined(group, outcome.as_str(), *took);
                return;
            }
            Measurement::ConnectionTime { group, took } => {
                (&metrics.connection_time, group, seconds(*took))
            }
            Measurement::DataChannelOpenTime { group, took } => {
                (&metrics.dc_open_time, group, seconds(*took))
            }
            Measurement::LockGrabTime { group, took } => {
                (&metrics.lock_grab_time, group, seconds(*took))
            }
            Measurement::LockHeldTime { group, took } => {
                (&metrics.lock_locked_time, group, seconds(*took))
            }
            Measurement::ClientLossRate { group, ratio } => {
                (&metrics.client_loss_rate, group, *ratio)
            }
            Measurement::ClientRoundTrip { group, took } => {
                (&metrics.client_rtt, group, seconds(*took))
            }
            Measurement::ClientJitter { group, took } => {
                (&metrics.client_jitter, group, seconds(*took))
            }
        };
        histogram
            .with_label_values(&[group.as_str()])
            .observe(value);
    }

    /// Observes how long one turn of the shard took, from waking to waiting.
    pub(super) fn turned(&self, took: Duration) {
        self.loop_time.observe(seconds(took));
    }

    /// Observes how long a packet took to everybody. As in the reference a camera counts as screen.
    pub(super) fn fanned_out(&self, group: &GroupId, kind: TrackKind, took: Duration) {
        let kind = match kind {
            TrackKind::Voice => "voice",
            TrackKind::ScreenAudio => "screen-audio",
            TrackKind::Screen | TrackKind::Video => "screen",
        };
        let labels = [group.as_str(), kind];
        self.metrics
            .track_writes_time
            .with_label_values(&labels)
            .observe(seconds(took));
    }

    /// Moves the metrics to where the counters are.
    pub(super) fn refresh(&mut self, counters: &Counters, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + REFRESH_EVERY;
        self.publish(counters);
    }

    fn publish(&mut self, counters: &Counters) {
        self.refresh_packets(counters);
        self.refresh_shed();
        for profile in Profile::ALL {
            let grown = counters.profiles(profile) - self.last.profiles(profile);
            let total = &self.metrics.own.srtp_profiles;
            total.with_label_values(&[profile.as_str()]).inc_by(grown);
        }
        for state in ConnState::ALL {
            let grown = counters.conn_states(state) - self.last.conn_states(state);
            self.metrics
                .conn_states
                .with_label_values(&[state.as_str()])
                .inc_by(grown);
        }
        let none = GroupCounters::default();
        for (group, now) in &counters.groups {
            let before = self.last.groups.get(group);
            // What does not change is not touched: it may be forgotten elsewhere.
            if before != Some(now) {
                self.refresh_group(group, before.unwrap_or(&none), now);
            }
        }
        self.last.clone_from(counters);
    }

    fn refresh_packets(&self, counters: &Counters) {
        let last = &self.last;
        for (direction, grown) in [
            ("in", counters.packets_in - last.packets_in),
            ("out", counters.packets_out - last.packets_out),
            ("forwarded", counters.forwarded - last.forwarded),
            ("linked", counters.linked - last.linked),
        ] {
            self.metrics
                .own
                .packets
                .with_label_values(&[&self.label, direction])
                .inc_by(grown);
        }
        for reason in DropReason::ALL {
            let grown = counters.dropped(reason) - last.dropped(reason);
            self.metrics
                .own
                .drops
                .with_label_values(&["core", reason.as_str()])
                .inc_by(grown);
        }
        self.metrics
            .own
            .panics
            .inc_by(counters.panics - last.panics);
        self.metrics
            .own
            .keyframe_requests
            .inc_by(counters.keyframe_requests - last.keyframe_requests);
    }

    fn refresh_shed(&mut self) {
        let (now, last) = (self.shed, self.last_shed);
        for (place, reason, grown) in [
            ("inbox", "hand_over", now.hand_over - last.hand_over),
            ("inbox", "link", now.link - last.link),
            ("udp", "socket_full", now.send_blocked - last.send_blocked),
            ("udp", "send_refused", now.send_refused - last.send_refused),
            ("tcp", "queue_full_or_gone", now.frame - last.frame),
            (
                "udp",
                "receive_error",
                now.socket_errors - last.socket_errors,
            ),
            (
                "events",
                "voice_activity",
                now.voice_events - last.voice_events,
            ),
        ] {
            self.metrics
                .own
                .drops
                .with_label_values(&[place, reason])
                .inc_by(grown);
        }
        let labels = [self.label.as_str(), "handed_over"];
        self.metrics
            .own
            .packets
            .with_label_values(&labels)
            .inc_by(now.handed_over - last.handed_over);
        let deferred = now.deferred_events - last.deferred_events;
        let total = &self.metrics.own.events_deferred;
        total.with_label_values(&[&self.label]).inc_by(deferred);
        self.last_shed = now;
    }

    /// Gauges are shared with the other shards: each adds its own difference.
    fn refresh_group(&self, group: &GroupId, before: &GroupCounters, now: &GroupCounters) {
        for direction in TrackDirection::ALL {
            for codec in Codec::ALL {
                let change =
                    signed(now.tracks(direction, codec)) - signed(before.tracks(direction, codec));
                let labels = [group.as_str(), direction.as_str(), codec.mime()];
                self.metrics.tracks.with_label_values(&labels).add(change);
            }
        }
        for kind in ErrorKind::ALL {
            let grown = now.errors(kind).saturating_sub(before.errors(kind));
            let labels = [group.as_str(), kind.as_str()];
            self.metrics.errors.with_label_values(&labels).inc_by(grown);
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
