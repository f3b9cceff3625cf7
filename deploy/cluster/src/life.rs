//! Who is alive, as one watcher may say: from beats, by its own clock.
//!
//! In: beats, facts, cuts of the connection, time. Out: [`NodeEvent`]s, and whose facts are wanted.
//! Not here: sockets, clocks, tasks (`members`); what is done about a death.
//!
//! ```text
//! unheard --beat--> heard --facts--> up --1.5 s--> suspect --1.5 s--> down (silent)
//!                                     ^--------------beat------------------'
//! any of them --last beat--> down (left)      --later incarnation--> down (replaced), heard
//! ```
//!
//! Invariant: without sight nobody is called dead. We see while we hear our own voice through the
//! engine, and not everybody else has fallen silent at once. When sight returns all clocks start anew.
//! Invariant: of a node only the latest start counts, and what has left does not come back.

mod peer;
mod sight;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proto::cluster::{Beat, Facts};

use crate::{Down, NodeEvent, NodeId};
use peer::{Peer, Stage};
use sight::Sight;

/// The times of a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Between two beats of a node.
    pub beat: Duration,
    /// Silence after which a node is given nothing new.
    pub suspect: Duration,
    /// Silence after which a node is dead.
    pub down: Duration,
    /// Silence of our own voice after which we are blind.
    pub blind: Duration,
    /// How long we think ourselves cut off when everybody else fell silent at once and we still hear
    /// ourselves. Longer: a site that dies whole is taken over later. Shorter: one that is cut off
    /// calls the others dead; by then the engine refuses it every write.
    pub alone: Duration,
    /// After the beginning: how long until whoever is there has been heard.
    pub settle: Duration,
    /// For how long who is gone is remembered: longer than a late beat can be under way.
    pub forget: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            beat: Duration::from_millis(500),
            suspect: Duration::from_millis(1500),
            down: Duration::from_secs(3),
            blind: Duration::from_secs(1),
            alone: Duration::from_secs(10),
            settle: Duration::from_millis(1100),
            forget: Duration::from_secs(300),
        }
    }
}

/// The view of one watcher.
#[derive(Debug)]
pub struct Life {
    times: Times,
    own: NodeId,
    voice: String,
    sight: Sight,
    peers: BTreeMap<NodeId, Peer>,
    wanted: BTreeSet<NodeId>,
    /// When we began; gone once `Synced` was said.
    unsettled: Option<Instant>,
    /// As we saw when we last looked, and when that was.
    saw: bool,
    looked: Instant,
    /// `Blind` was said, and `Sighted` not since.
    said_blind: bool,
    events: VecDeque<NodeEvent>,
}

impl Life {
    /// Begins to watch as the node `own`, whose beats of this process bear `voice`.
    #[must_use]
    pub fn new(own: NodeId, voice: String, times: Times, now: Instant) -> Self {
        Self {
            times,
            own,
            voice,
            sight: Sight::new(now),
            peers: BTreeMap::new(),
            wanted: BTreeSet::new(),
            unsettled: Some(now),
            saw: false,
            looked: now,
            said_blind: false,
            events: VecDeque::new(),
        }
    }

    /// Takes a beat.
    pub fn handle_beat(&mut self, beat: &Beat, now: Instant) {
        let Ok(id) = NodeId::new(&beat.node) else {
            return;
        };
        // Before what it says: we may have slept, and all our clocks be late.
        self.look(now);
        if beat.voice == self.voice {
            self.sight.own_voice(now);
        } else if id != self.own {
            self.sight.other_voice(now);
        }
        if beat.incarnation > 0 {
            self.heard(id, beat, now);
        }
        self.look(now);
    }

    /// Takes what was found of a node's facts; `None`: there are none, or they could not be read.
    pub fn handle_facts(&mut self, id: &NodeId, found: Option<(Facts, Vec<u8>)>, now: Instant) {
        let Some((head, body)) = found else {
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let known = peer.facts.as_ref().map(|(known, _)| *known);
        if head.incarnation != peer.incarnation || known.is_some_and(|known| known >= head) {
            return;
        }
        peer.facts = Some((head, body));
        match peer.stage {
            Stage::Heard => {
                if peer.is_heard(now, self.times.suspect) {
                    self.is_up(id);
                }
            }
            Stage::Up | Stage::Suspect => {
                if let Some(node) = peer.node(id) {
                    self.events.push_back(NodeEvent::Changed(node));
                }
            }
            Stage::Gone => {}
        }
        self.look(now);
    }

    /// The connection to the engine is gone, or may have lost beats.
    pub fn handle_cut(&mut self, now: Instant) {
        self.sight.cut();
        self.look(now);
    }

    /// The connection is there again; sight returns with our own voice.
    pub fn handle_linked(&mut self, now: Instant) {
        self.look(now);
        self.sight.linked(now);
        self.look(now);
    }

    /// Takes the time. To be called when `poll_timeout` is due; late is no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.look(now);
    }

    /// Returns what became of a node or of our sight, in order.
    pub fn poll_event(&mut self) -> Option<NodeEvent> {
        self.events.pop_front()
    }

    /// Returns a node whose facts are to be read and given to `handle_facts`. It is asked for again with
    /// its next beat.
    pub fn poll_wanted(&mut self) -> Option<NodeId> {
        self.wanted.pop_first()
    }

    /// Returns when `handle_timeout` has something to do, should nothing come before; `None`: only what
    /// comes can change anything.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sight = self.sight.deadline(&self.times);
        if !self.sight.is_seeing() {
            return sight;
        }
        let due = [
            sight,
            self.settles(),
            self.next_verdict(),
            self.falls_silent(),
        ];
        due.into_iter().flatten().min()
    }

    fn heard(&mut self, id: NodeId, beat: &Beat, now: Instant) {
        let peer = self
            .peers
            .entry(id.clone())
            .or_insert_with(|| Peer::new(beat.incarnation, now));
        if beat.incarnation < peer.incarnation {
            return;
        }
        if beat.incarnation > peer.incarnation {
            if peer.is_there() {
                self.events
                    .push_back(NodeEvent::Down(id.clone(), Down::Replaced));
            }
            *peer = Peer::new(beat.incarnation, now);
        }
        if peer.has_left {
            return;
        }
        peer.heard = now;
        if beat.leaves {
            if peer.is_there() {
                self.events
                    .push_back(NodeEvent::Down(id.clone(), Down::Left));
            }
            peer.has_left = true;
            peer.stage = Stage::Gone;
            self.wanted.remove(&id);
            return;
        }
        if peer.wants_facts(beat.edition) {
            self.wanted.insert(id.clone());
        }
        let is_other_load = peer.load != beat.load;
        peer.load = beat.load;
        match peer.stage {
            Stage::Up if is_other_load => self.events.push_back(NodeEvent::Load(id, beat.load)),
            Stage::Up => {}
            Stage::Heard | Stage::Suspect | Stage::Gone => {
                if peer.facts.is_some() {
                    self.is_up(&id);
                }
            }
        }
    }

    fn is_up(&mut self, id: &NodeId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        peer.stage = Stage::Up;
        let load = peer.load;
        if let Some(node) = peer.node(id) {
            self.events.push_back(NodeEvent::Up(node));
            if load > 0 {
                self.events.push_back(NodeEvent::Load(id.clone(), load));
            }
        }
    }

    /// First whether we see, then who is dead.
    fn look(&mut self, now: Instant) {
        let all_silent = self.all_silent(now);
        self.sight.look(now, all_silent, &self.times);
        self.looked = now;
        let sees = self.sight.is_seeing();
        if sees && !self.saw {
            if std::mem::take(&mut self.said_blind) {
                self.events.push_back(NodeEvent::Sighted);
            }
            if !self.sight.accepts_silence() {
                for peer in self.peers.values_mut().filter(|peer| peer.is_there()) {
                    peer.heard = now;
                }
            }
        }
        if self.sight.is_blind() && !self.said_blind {
            self.said_blind = true;
            self.events.push_back(NodeEvent::Blind);
        }
        self.saw = sees;
        if sees {
            self.judge(now);
            self.settle(now);
        }
    }

    fn judge(&mut self, now: Instant) {
        for (id, peer) in &mut self.peers {
            let silence = now.saturating_duration_since(peer.heard);
            if peer.stage == Stage::Up && silence >= self.times.suspect {
                peer.stage = Stage::Suspect;
                self.events.push_back(NodeEvent::Suspect(id.clone()));
            }
            if peer.stage == Stage::Suspect && silence >= self.times.down {
                peer.stage = Stage::Gone;
                self.events
                    .push_back(NodeEvent::Down(id.clone(), Down::Silent));
            }
        }
        let forget = self.times.forget;
        self.peers
            .retain(|_, peer| peer.is_there() || peer.is_heard(now, forget));
    }

    /// Says `Synced` once everybody must have been heard and, for a while, until their facts are read.
    fn settle(&mut self, now: Instant) {
        let Some(began) = self.unsettled else {
            return;
        };
        let since = now.saturating_duration_since(began);
        let times = &self.times;
        let mut unread = self
            .peers
            .values()
            .filter(|peer| peer.stage == Stage::Heard && peer.is_heard(now, times.suspect));
        if since >= times.settle && (unread.next().is_none() || since >= times.down) {
            self.unsettled = None;
            self.events.push_back(NodeEvent::Synced);
        }
    }

    /// Whether at least two others were there, all of them fell silent together, and nobody else is
    /// heard either.
    fn all_silent(&self, now: Instant) -> bool {
        self.silent_from().is_some_and(|from| now >= from)
    }

    /// When silence of the others, if none of them is heard before, is silence of all at once. `None`
    /// while they are fewer than two, or fell silent one after the other.
    fn silent_from(&self) -> Option<Instant> {
        let others = self
            .peers
            .iter()
            .filter(|(id, peer)| **id != self.own && peer.is_there());
        let heard: Vec<Instant> = others.map(|(_, peer)| peer.heard).collect();
        let (oldest, newest) = (heard.iter().min()?, heard.iter().max()?);
        let together = newest.saturating_duration_since(*oldest) <= self.times.beat * 2;
        let gap = self.times.suspect.saturating_sub(self.times.beat);
        let last = self
            .sight
            .heard_others()
            .map_or(*newest, |any| any.max(*newest));
        (heard.len() > 1 && together).then(|| last + gap)
    }

    fn settles(&self) -> Option<Instant> {
        let began = self.unsettled?;
        let first = began + self.times.settle;
        Some(if self.looked < first {
            first
        } else {
            began + self.times.down
        })
    }

    fn falls_silent(&self) -> Option<Instant> {
        self.silent_from().filter(|_| !self.sight.accepts_silence())
    }

    fn next_verdict(&self) -> Option<Instant> {
        let due = self.peers.values().map(|peer| match peer.stage {
            Stage::Up => peer.heard + self.times.suspect,
            Stage::Suspect => peer.heard + self.times.down,
            Stage::Heard | Stage::Gone => peer.heard + self.times.forget,
        });
        due.min()
    }

    /// The nodes that are there and not suspected, for tests and status pages.
    pub fn up(&self) -> impl Iterator<Item = (&NodeId, u64)> {
        let up = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.stage == Stage::Up);
        up.map(|(id, peer)| (id, peer.incarnation))
    }

    /// Whether verdicts count.
    #[must_use]
    pub fn is_seeing(&self) -> bool {
        self.sight.is_seeing()
    }
}
