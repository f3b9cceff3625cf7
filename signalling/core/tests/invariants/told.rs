//! What the calls say, heard by those it is for: the media host, the records, the roster, clients.

use super::*;

impl World {
    pub(super) fn drain(&mut self, of: &ChannelId) {
        loop {
            match self.calls.get_mut(of).unwrap().poll_output() {
                Output::Timeout(_) => return,
                Output::Publish(envelope) => {
                    if matches!(envelope.news, News::Started { .. }) {
                        self.begun.push(of.clone());
                    }
                    self.heard(&envelope.news, &envelope.to);
                }
                Output::Store(record) | Output::StoreSoon(record) => self.store(record),
                Output::ToMedia { host, command } => self.tell_media(host, command),
                Output::Roster(change) => self.seat(of, change),
                Output::HandOver { session, from, to } => {
                    // Its media may be over already.
                    if let Some(at) = self.in_media.get_mut(&session) {
                        assert_eq!(*at, from, "handed over from where it is");
                        *at = to;
                    }
                }
                Output::EditPost { .. } | Output::Observed(_) | Output::Hint { .. } => {}
                Output::CreatePost(post) => {
                    self.asked_posts.push((of.clone(), post.call));
                    if self.posts_come {
                        self.answer_post(false);
                    }
                }
                Output::RequestJob(request) => {
                    let key = (of.clone(), request.kind);
                    self.jobs.insert(key, request.job.clone());
                    self.pending_jobs.push((of.clone(), request.job));
                }
            }
        }
    }

    fn tell_media(&mut self, host: MediaHost, command: MediaCommand) {
        match command {
            MediaCommand::Enter { session, .. } => {
                let before = self.in_media.insert(session, host);
                assert_eq!(before, None, "joined twice at media hosts");
            }
            MediaCommand::Leave(session) => {
                let was_at = self.in_media.remove(&session);
                assert_eq!(was_at, Some(host), "left where it is");
            }
            about => assert_eq!(
                self.in_media.get(about.session()),
                Some(&host),
                "a media host is told of sessions it has"
            ),
        }
    }

    fn seat(&mut self, of: &ChannelId, change: Roster) {
        match change {
            Roster::Entered(seat) => {
                let place = Place::Sits(of.clone(), seat.session);
                let before = self.places.insert(seat.connection, place);
                assert_eq!(before, Some(Place::Waits(of.clone())), "who enters waited");
            }
            Roster::Moved { session, to } => {
                self.vacate(&session);
                self.places.insert(to, Place::Sits(of.clone(), session));
            }
            Roster::MediaAt { session, .. } => {
                assert!(self.sits(&session), "whose media goes had a session");
            }
            Roster::Left { session } => {
                assert!(self.sits(&session), "who leaves had a session");
                self.vacate(&session);
            }
            Roster::TurnedAway { connection } => {
                let here = Place::Waits(of.clone());
                if self.places.get(&connection) == Some(&here) {
                    self.places.remove(&connection);
                }
            }
        }
    }

    pub(super) fn vacate(&mut self, session: &SessionId) {
        self.places
            .retain(|_, place| !matches!(place, Place::Sits(_, of) if of == session));
    }

    fn heard(&mut self, news: &News, to: &To) {
        let (News::Joined(answered)
        | News::JoinRefused {
            connection: answered,
            ..
        }) = news
        else {
            return;
        };
        assert_eq!(*to, To::Connection(answered.clone()));
        // Who left in the meantime may be told or not.
        if let Some(open) = self.unanswered.get_mut(answered) {
            *open -= 1;
            assert!(*open >= 0, "a join is answered once");
        }
    }

    fn store(&mut self, record: Record) {
        match record {
            Record::Call(call) if call.end_at_ms == 0 => {
                self.open_calls.insert(call.id.to_string());
            }
            Record::Call(call) => {
                let passing = (&call.host, &call.host_locked, &call.presenter);
                assert_eq!(passing, (&None, &None, &None), "of a call that is over");
                assert!(call.dismissed.is_empty(), "nobody is rung for it");
                self.open_calls.remove(call.id.as_str());
            }
            Record::Session(session) => {
                self.stored_sessions.insert(session.id);
            }
            Record::SessionGone(session) => {
                self.stored_sessions.remove(&session);
            }
            Record::Job(job) if job.end_at_ms == 0 => {
                self.open_jobs.insert(job.id);
            }
            Record::Job(job) => {
                self.open_jobs.remove(&job.id);
            }
        }
    }
}
