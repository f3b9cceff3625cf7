//! Which media hosts there are at the start, and which come while the server runs because a name means
//! others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use service::supervise::Restarts;
use signalling_core::{MediaHost, RestoredCall};
use storage::Sealer;
use tokio::time::MissedTickBehavior;

use super::credentials;
use crate::config::{Config, ServiceUrl};
use crate::door::rtcd::{Changes, HostConfig, HostName, KnownSession};
use crate::engine::Engine;
use crate::store::Store;

/// How often it is asked what a name means; as the reference does.
const ASKED_EVERY: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// A name, and how the hosts behind it are signed in to.
#[derive(Debug, Clone)]
pub(super) struct Named {
    name: HostName,
    access: HostConfig,
    /// Hosts of earlier calls that are not behind the name any more.
    former: Vec<MediaHost>,
}

/// What is needed to sign in to media hosts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) sealer: &'a Sealer,
}

impl Access<'_> {
    /// All hosts that are known, and the names to ask about again.
    pub(super) async fn hosts(
        &self,
        restored: &[RestoredCall],
    ) -> anyhow::Result<(Vec<HostConfig>, Vec<Named>)> {
        let (mut hosts, mut names) = (Vec::new(), Vec::new());
        for url in &self.config.rtcd.hosts {
            let access = self.host(url, restored).await?;
            let Some(mut name) = HostName::of(url) else {
                hosts.push(access);
                continue;
            };
            let Changes { came, .. } = ask(&mut name).await;
            if came.is_empty() {
                hosts.push(access.clone());
            }
            hosts.extend(came.into_iter().map(|base| access.at(base, restored)));
            names.push(Named {
                name,
                access,
                former: Vec::new(),
            });
        }
        self.add_hosts_of_earlier_calls(&mut hosts, &mut names, restored)
            .await?;
        let mut known = BTreeSet::new();
        hosts.retain(|host| known.insert(host.base.clone()));
        Ok((hosts, names))
    }

    /// Hosts that no setting names any more, by the calls that ran there.
    async fn add_hosts_of_earlier_calls(
        &self,
        hosts: &mut Vec<HostConfig>,
        names: &mut [Named],
        restored: &[RestoredCall],
    ) -> anyhow::Result<()> {
        for session in restored.iter().flat_map(|call| &call.sessions) {
            let base = &session.media.0;
            if hosts.iter().any(|host| host.base == *base) {
                continue;
            }
            let mut names = names.iter_mut();
            let behind = names.find(|named| named.name.may_have_been(base));
            if let Some(named) = behind {
                named.former.push(session.media.clone());
                hosts.push(named.access.at(base.clone(), restored));
            } else if self.config.papers.is_some() {
                hosts.push(self.host(&ServiceUrl::plain(base), restored).await?);
            }
        }
        Ok(())
    }

    async fn host(
        &self,
        url: &ServiceUrl,
        restored: &[RestoredCall],
    ) -> anyhow::Result<HostConfig> {
        let rtcd = &self.config.rtcd;
        let (id, key) = (&rtcd.client_id, &rtcd.auth_key);
        let (client_id, auth_key) =
            credentials(self.store, self.sealer, "rtcd", url, id, key).await?;
        let host = HostConfig {
            base: String::new(),
            client_id,
            auth_key,
            known: Vec::new(),
        };
        Ok(host.at(url.base.clone(), restored))
    }

    /// How this server signs in to media hosts that no setting names.
    pub(super) async fn unnamed_host(&self) -> anyhow::Result<HostConfig> {
        self.host(&ServiceUrl::plain(""), &[]).await
    }
}

impl HostConfig {
    /// The same access to another host, with the sessions that it should still have.
    fn at(&self, base: String, restored: &[RestoredCall]) -> Self {
        let host = MediaHost(base);
        let sessions = restored.iter().flat_map(|call| &call.sessions);
        let known = sessions
            .filter(|session| session.media == host)
            .map(|session| KnownSession {
                session: session.id.clone(),
                call: session.call.clone(),
                unmuted: session.unmuted,
            })
            .collect();
        Self {
            base: host.0,
            known,
            ..self.clone()
        }
    }
}

async fn ask(name: &mut HostName) -> Changes {
    let found = tokio::time::timeout(ANSWER_WITHIN, name.look_up()).await;
    name.take(&found.unwrap_or_default())
}

/// Follows what the names mean, for as long as the server lives.
pub(super) fn follow_names(engine: &Arc<Engine>, names: Vec<Named>) {
    if names.is_empty() {
        return;
    }
    let following = engine.clone();
    let follow = move || follow(following.clone(), names.clone());
    let task = "names of media hosts";
    engine.tasks.restarted(task, follow, Restarts::default());
}

async fn follow(engine: Arc<Engine>, mut names: Vec<Named>) {
    let hosts = &engine.media_hosts;
    for former in names.iter().flat_map(|named| &named.former) {
        hosts.let_take_more(former, false);
    }
    let mut ticks = tokio::time::interval(ASKED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for Named { name, access, .. } in &mut names {
            let Changes { came, went } = ask(name).await;
            for base in came {
                tracing::info!(host = base, "a media host is behind its name now");
                hosts.add(access.at(base.clone(), &[]));
                hosts.let_take_more(&MediaHost(base), true);
            }
            for base in went {
                tracing::info!(
                    host = base,
                    "a media host is not behind its name: it gets no new calls"
                );
                hosts.let_take_more(&MediaHost(base), false);
            }
        }
    }
}
