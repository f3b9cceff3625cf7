//! What must be true of the calls and of everything that was announced, after every step.

use super::*;

impl World {
    /// Whether nothing of any call is left, here or with anybody who was told of one.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.values().all(Call::is_idle)
            && self.places.is_empty()
            && self.stored_sessions.is_empty()
            && self.open_calls.is_empty()
            && self.open_jobs.is_empty()
            && self.in_media.is_empty()
    }

    /// Whether somebody still waits for the chat server.
    pub(crate) fn awaits_posts(&self) -> bool {
        !self.asked_posts.is_empty()
    }

    pub(crate) fn check(&self) {
        let waiting = self.places.values();
        let waiting = waiting.filter(|place| matches!(place, Place::Waits(_)));
        let waiting = i64::try_from(waiting.count()).unwrap();
        let unanswered: i64 = self.unanswered.values().sum();
        assert!(
            unanswered <= waiting,
            "joins without an answer: {:?}",
            self.unanswered
        );
        let live: Vec<(ChannelId, Seat)> = self
            .calls
            .iter()
            .flat_map(|(channel, call)| call.seats().map(|seat| (channel.clone(), seat)))
            .collect();
        let ids: BTreeSet<SessionId> = live.iter().map(|(_, seat)| seat.session.clone()).collect();
        assert_eq!(ids.len(), live.len(), "a session is in one call, once");
        for (channel, seat) in &live {
            let place = Place::Sits(channel.clone(), seat.session.clone());
            assert_eq!(
                self.places.get(&seat.connection),
                Some(&place),
                "the roster knows every session"
            );
        }
        let sitting = self.places.values();
        let sitting = sitting.filter(|place| matches!(place, Place::Sits(..)));
        assert_eq!(
            sitting.count(),
            live.len(),
            "the roster knows only sessions that are"
        );
        assert_eq!(ids, self.stored_sessions, "what is stored is what is");
        assert_eq!(
            ids,
            self.in_media.keys().cloned().collect(),
            "the media hosts have exactly our sessions"
        );
        for channel in &self.begun {
            let runs = self.calls[channel].is_running();
            assert!(
                runs || !self.posts_come,
                "a call is announced only if somebody gets in"
            );
        }
        for (channel, call) in &self.calls {
            if call.is_running() {
                self.check_call(channel, call);
            }
        }
    }

    fn check_call(&self, channel: &ChannelId, call: &Call) {
        let state = call.view(&user(0), self.at).unwrap();
        let all = call.seats().count();
        let least = usize::from(!self.awaits(channel, None));
        assert!(
            (least..=4).contains(&all),
            "a call has people, and no more than the limit: {all} in {channel}"
        );
        let people: BTreeSet<_> = state.sessions.iter().map(|s| s.user.clone()).collect();
        assert!(!people.contains(&user(3)), "bots are not listed");
        match &state.host {
            Some(host) => assert!(
                people.contains(host) || self.awaits(channel, Some(host)),
                "the host is in the call, or comes back"
            ),
            None => assert!(people.is_empty(), "people have a host"),
        }
        if let Some(presenter) = &state.presenter {
            let mut sessions = state.sessions.iter();
            assert!(sessions.any(|session| session.session == *presenter));
        }
        let jobs = [&state.recording, &state.transcribing, &state.captioning];
        for job in jobs.into_iter().flatten() {
            assert!(job.end_at_ms == 0 || job.end_at_ms >= job.init_at_ms);
            assert!(job.end_at_ms == 0 || job.start_at_ms <= job.end_at_ms);
            assert!(
                job.paused_at_ms == 0 || job.start_at_ms > 0 && job.end_at_ms == 0,
                "only what runs pauses"
            );
            assert!(
                job.progress.is_none() || job.end_at_ms > 0,
                "only what has ended is being finished"
            );
        }
        let open = |job: &Option<JobView>| job.as_ref().is_some_and(|j| j.end_at_ms == 0);
        if people.is_empty() && !self.awaits(channel, None) {
            assert!(!open(&state.recording), "nobody is left to record");
        }
        if open(&state.transcribing) {
            assert!(
                open(&state.recording),
                "transcribing never outlives recording"
            );
        }
    }
}
