//! Invites: links that let people make an account and come into a team.
//!
//! In: who manages a team and asks for a link; who opens one. Out: accounts, memberships.
//! A link is good for a time and for a number of people (one, unless said otherwise), and can be
//! withdrawn. Its secret is told once, when it is made: the records hold a hash.
//! Not here: rules for accounts (`accounts`).

use std::time::Duration;

use proto::id::TeamId;
use proto::redact::Secret;

use super::Server;
use super::fault::Fault;
use super::passwords::token_hash;
use super::store::{InviteRow, NewInvite, PersonFilter, PersonRow, TeamMemberRow};
use crate::ChatError;

/// How long an invite is good unless it says so, and at most.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most people one link lets in, unless it lets in any number.
const MAX_USES: u32 = 1000;
/// Most invites in one answer.
const MAX_LISTED: i64 = 200;
/// Where the page takes up a link.
const PATH: &str = "/signup_user_complete/?id=";

/// How long and for how many people an invite is good.
#[derive(Debug, Clone, Copy)]
pub struct InviteTerms {
    pub lifetime: Duration,
    /// 0 for any number.
    pub max_uses: u32,
}

impl Default for InviteTerms {
    fn default() -> Self {
        Self {
            lifetime: DEFAULT_LIFETIME,
            max_uses: 1,
        }
    }
}

/// An invite that has just been made.
#[derive(Debug)]
pub(super) struct MadeInvite {
    pub(super) row: InviteRow,
    pub(super) token: Secret,
}

impl Server {
    /// Makes a link that lets people into the team that everybody joins, in the name of an
    /// administrator.
    ///
    /// # Errors
    /// When there is no administrator, or the terms break a rule.
    pub async fn invite(&self, terms: InviteTerms) -> Result<String, ChatError> {
        let admins = PersonFilter {
            only_admins: true,
            limit: 1,
            ..PersonFilter::default()
        };
        let admins = self.store.list_persons(&admins).await;
        let Some(admin) = admins.map_err(Fault::from)?.into_iter().next() else {
            return Err(ChatError::Refused(
                "there is no administrator yet in whose name to invite: add an account first"
                    .to_owned(),
            ));
        };
        let team = self.default_team().await?;
        let made = self.make_invite(&team, &admin, terms).await?;
        Ok(self.invite_link(made.token.expose()))
    }

    /// The address to pass on.
    pub(super) fn invite_link(&self, token: &str) -> String {
        let site = self.config.site_url.trim_end_matches('/');
        format!("{site}{PATH}{token}")
    }

    /// The team, for somebody who manages it.
    pub(super) async fn team_to_invite_to(
        &self,
        id: &str,
        person: &PersonRow,
    ) -> Result<TeamId, Fault> {
        let team = self.team_for(id, person).await?;
        if self.manages_team(&team.id, person).await? {
            return Ok(team.id);
        }
        Err(Fault::forbidden(
            "only an administrator invites people to this team",
        ))
    }

    pub(super) async fn make_invite(
        &self,
        team: &TeamId,
        creator: &PersonRow,
        terms: InviteTerms,
    ) -> Result<MadeInvite, Fault> {
        let refuse = |why: String| {
            Err(Fault::invalid(
                "api.context.invalid_body_param.app_error",
                why,
            ))
        };
        if terms.lifetime.is_zero() || terms.lifetime > MAX_LIFETIME {
            let days = MAX_LIFETIME.as_secs() / 86_400;
            return refuse(format!("an invitation is good for at most {days} days"));
        }
        if terms.max_uses > MAX_USES {
            return refuse(format!(
                "an invitation is good for at most {MAX_USES} people, or for any number (0)"
            ));
        }
        let token = proto::id::new_id();
        let now = self.wall_ms();
        let lifetime = i64::try_from(terms.lifetime.as_millis()).unwrap_or(i64::MAX);
        let row = InviteRow {
            id: proto::id::new_id(),
            team_id: team.clone(),
            creator_id: creator.id.clone(),
            created_at: now,
            expires_at: now.saturating_add(lifetime),
            max_uses: terms.max_uses.into(),
            uses: 0,
            ended_at: 0,
        };
        let hash = token_hash(&token);
        let invite = NewInvite {
            id: &row.id,
            token_hash: &hash,
            team,
            creator: &creator.id,
            expires_at: row.expires_at,
            max_uses: row.max_uses,
        };
        self.store.insert_invite(&invite, now).await?;
        Ok(MadeInvite {
            row,
            token: Secret::new(token),
        })
    }

    pub(super) async fn invites_to(&self, team: &TeamId) -> Result<Vec<InviteRow>, Fault> {
        Ok(self.store.invites_to(team, MAX_LISTED).await?)
    }

    pub(super) async fn withdraw_invite(&self, team: &TeamId, id: &str) -> Result<(), Fault> {
        if self.store.end_invite(team, id, self.wall_ms()).await? {
            return Ok(());
        }
        Err(Fault::not_found("invitation", id))
    }

    /// The invite of a link, if it is still good.
    pub(super) async fn good_invite(&self, token: &str) -> Result<InviteRow, Fault> {
        let hash = token_hash(token);
        let invite = self.store.good_invite(&hash, self.wall_ms()).await?;
        invite.ok_or_else(no_longer_good)
    }

    /// Takes somebody who has an account into the team of a link.
    pub(super) async fn join_by_invite(
        &self,
        token: &str,
        person: &PersonRow,
    ) -> Result<TeamMemberRow, Fault> {
        let invite = self.good_invite(token).await?;
        let _change = self.membership.lock().await;
        let now = self.wall_ms();
        let joined = self.store.join_by_invite(&invite, &person.id, now).await?;
        if joined.ok_or_else(no_longer_good)? {
            self.tell_joined_team(&invite.team_id, &person.id).await?;
        }
        let member = self.store.team_member(&invite.team_id, &person.id).await?;
        member.ok_or_else(no_longer_good)
    }
}

/// One answer for a link that never was, is used up, has expired or was withdrawn.
pub(super) fn no_longer_good() -> Fault {
    Fault::missing(
        "api.team.invite.not_good.app_error",
        "this invitation is no longer good: ask for a new one",
    )
}
