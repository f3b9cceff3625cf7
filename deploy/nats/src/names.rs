//! What everything is called on the servers: one place, for the engine and for the rights of its nodes.
//!
//! Subjects begin with the site. Behind it stands who speaks, and the servers see to it that nobody
//! speaks as somebody else: that is how a message's sender is known.

use cluster::{NodeId, Pattern, Topic};

/// The one consumer of jobs.
pub(crate) const WORKERS: &str = "workers";
/// The group in which servers of a question take turns.
pub(crate) const TURNS: &str = "turns";

/// The names of one site.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    site: String,
}

/// Which of the two ways a topic goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    News,
    Question,
}

impl Way {
    fn token(self) -> &'static str {
        match self {
            Self::News => "bus",
            Self::Question => "ask",
        }
    }
}

impl Names {
    pub(crate) fn new(site: &str) -> Self {
        Self {
            site: site.to_owned(),
        }
    }

    pub(crate) fn beat(&self, node: &str) -> String {
        format!("{}.hb.{node}", self.site)
    }

    /// The subject of a topic, or of a pattern with `*` for the sender.
    pub(crate) fn topic(
        &self,
        way: Way,
        from: &str,
        topic: &str,
        to: Option<(&str, &str)>,
    ) -> String {
        let (site, way) = (&self.site, way.token());
        match to {
            Some((node, what)) => format!("{site}.{way}.{from}.to.{node}.{what}"),
            None => format!("{site}.{way}.{from}.all.{topic}"),
        }
    }

    /// What answers at once that nobody is there: a round trip to the server and back.
    pub(crate) fn nobody(&self, node: &str) -> String {
        format!("{}.ask.{node}.nobody", self.site)
    }

    /// Who spoke, and on which topic.
    pub(crate) fn spoken(&self, subject: &str) -> Option<(NodeId, Topic)> {
        let rest = subject
            .strip_prefix(self.site.as_str())?
            .strip_prefix('.')?;
        let mut tokens = rest.splitn(4, '.');
        let (_way, from) = (tokens.next()?, tokens.next()?);
        let topic = match (tokens.next()?, tokens.next()?) {
            ("all", topic) => Topic::new(topic),
            ("to", topic) => Topic::new(&format!("node.{topic}")),
            _ => return None,
        };
        Some((NodeId::new(from).ok()?, topic.ok()?))
    }

    pub(crate) fn inbox(&self, node: &str) -> String {
        format!("_INBOX_{}_{node}", self.site)
    }

    pub(crate) fn bucket(&self, of: Bucket) -> String {
        format!("{}_{}", self.site, of.token())
    }

    /// The stream of a bucket.
    pub(crate) fn records(&self, of: Bucket) -> String {
        format!("KV_{}", self.bucket(of))
    }

    /// The subject of a record; `>` for all of them.
    pub(crate) fn record(&self, of: Bucket, key: &str) -> String {
        format!("$KV.{}.{key}", self.bucket(of))
    }

    pub(crate) fn jobs(&self) -> String {
        format!("{}_jobs", self.site)
    }

    pub(crate) fn dead(&self) -> String {
        format!("{}_dead", self.site)
    }

    pub(crate) fn job(&self, id: &str) -> String {
        format!("{}.jobs.{id}", self.site)
    }

    pub(crate) fn dead_job(&self, id: &str) -> String {
        format!("{}.dead.{id}", self.site)
    }

    /// The least that a node must be allowed to publish.
    pub(crate) fn may_publish(&self, node: &str) -> Vec<String> {
        let site = &self.site;
        let mut may = vec![
            self.beat(node),
            format!("{site}.bus.{node}.>"),
            format!("{site}.ask.{node}.>"),
            self.record(Bucket::Nodes, node),
            self.record(Bucket::Directory, ">"),
            self.record(Bucket::Claims, ">"),
            self.job("*"),
            self.dead_job("*"),
            "$JS.FC.>".to_owned(),
        ];
        let buckets = Bucket::ALL.map(|bucket| self.records(bucket));
        for stream in buckets.iter().chain(&[self.jobs(), self.dead()]) {
            // To make what is not there, and to look; not to change, empty or delete.
            may.push(format!("$JS.API.STREAM.CREATE.{stream}"));
            may.push(format!("$JS.API.STREAM.INFO.{stream}"));
        }
        for stream in &buckets {
            may.push(format!("$JS.API.DIRECT.GET.{stream}.>"));
            may.push(format!("$JS.API.STREAM.MSG.GET.{stream}"));
        }
        for stream in [self.records(Bucket::Directory), self.dead()] {
            may.push(format!("$JS.API.CONSUMER.CREATE.{stream}"));
            may.push(format!("$JS.API.CONSUMER.CREATE.{stream}.>"));
            may.push(format!("$JS.API.CONSUMER.DELETE.{stream}.*"));
            may.push(format!("$JS.API.CONSUMER.INFO.{stream}.*"));
        }
        let jobs = self.jobs();
        may.push(format!("$JS.API.CONSUMER.CREATE.{jobs}.{WORKERS}"));
        may.push(format!("$JS.API.CONSUMER.CREATE.{jobs}.{WORKERS}.>"));
        may.push(format!("$JS.API.CONSUMER.DURABLE.CREATE.{jobs}.{WORKERS}"));
        may.push(format!("$JS.API.CONSUMER.INFO.{jobs}.{WORKERS}"));
        may.push(format!("$JS.API.CONSUMER.MSG.NEXT.{jobs}.{WORKERS}"));
        may.push(format!("$JS.ACK.{jobs}.{WORKERS}.>"));
        may
    }

    /// The least that a node must be allowed to hear: what is for all, and what is for itself.
    pub(crate) fn may_hear(&self, node: &str) -> Vec<String> {
        let site = &self.site;
        let mut may = vec![self.beat("*"), format!("{}.>", self.inbox(node))];
        for way in ["bus", "ask"] {
            may.push(format!("{site}.{way}.*.all.>"));
            may.push(format!("{site}.{way}.*.to.{node}.>"));
        }
        may
    }

    /// The subject that hears a pattern, whoever speaks.
    pub(crate) fn listening(&self, way: Way, pattern: &Pattern) -> String {
        self.topic(way, "*", pattern.as_str(), pattern.addressee())
    }
}

/// What is kept as records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    Nodes,
    Directory,
    Claims,
}

impl Bucket {
    pub(crate) const ALL: [Self; 3] = [Self::Nodes, Self::Directory, Self::Claims];

    fn token(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Directory => "directory",
            Self::Claims => "claims",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_with_who_said_it() {
        let names = Names::new("site");
        for text in ["calls.a", "node.n2.order.x"] {
            let topic = Topic::new(text).unwrap();
            let subject = names.topic(Way::News, "n1", text, topic.addressee());
            let spoken = names.spoken(&subject);
            assert_eq!(
                spoken,
                Some((NodeId::new("n1").unwrap(), topic)),
                "{subject}"
            );
        }
        assert_eq!(names.spoken("other.bus.n1.all.calls"), None);
        assert_eq!(names.spoken("site.bus.n1"), None);
    }

    #[test]
    fn a_node_may_speak_as_itself_only_and_delete_nothing() {
        let names = Names::new("site");
        let may = [names.may_publish("n1"), names.may_hear("n1")].concat();
        for right in may {
            assert!(
                !right.contains("n2") && !right.contains("STREAM.DELETE"),
                "{right}"
            );
            assert!(
                !right.contains("PURGE") && !right.contains("UPDATE"),
                "{right}"
            );
            assert!(right != ">" && !right.starts_with("$JS.API.>"), "{right}");
        }
    }
}
