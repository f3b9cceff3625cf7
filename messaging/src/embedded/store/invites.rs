//! Ways into a team for whoever has the link, for a time and a number of people.
//!
//! Only a hash of the link's secret is kept.

use proto::id::{TeamId, UserId};
use storage::Transaction;

use super::teams::join_team;
use super::{InviteRow, Store, StoreError};

/// An invite to be inserted.
#[derive(Debug)]
pub(crate) struct NewInvite<'a> {
    pub(crate) id: &'a str,
    pub(crate) token_hash: &'a str,
    pub(crate) team: &'a TeamId,
    pub(crate) creator: &'a UserId,
    pub(crate) expires_at: i64,
    /// 0 for any number.
    pub(crate) max_uses: i64,
}

impl Store {
    pub(crate) async fn insert_invite(
        &self,
        invite: &NewInvite<'_>,
        now: i64,
    ) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO invites (id, token_hash, team_id, creator_id, created_at, expires_at,
                max_uses, uses, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)",
        )
        .bind(invite.id)
        .bind(invite.token_hash)
        .bind(invite.team.as_str())
        .bind(invite.creator.as_str())
        .bind(now)
        .bind(invite.expires_at)
        .bind(invite.max_uses);
        self.db.execute("insert invite", insert).await?;
        Ok(())
    }

    /// The invite that a link holds, if it is still good.
    pub(crate) async fn good_invite(
        &self,
        token_hash: &str,
        now: i64,
    ) -> Result<Option<InviteRow>, StoreError> {
        let select = sqlx::query_as(
            "SELECT * FROM invites WHERE token_hash = $1 AND ended_at = 0 AND expires_at > $2
               AND (max_uses = 0 OR uses < max_uses)",
        )
        .bind(token_hash)
        .bind(now);
        self.db.fetch_optional("read invite", select).await
    }

    /// The invites to a team, the newest first; those that are over too, as long as they are kept.
    pub(crate) async fn invites_to(
        &self,
        team: &TeamId,
        limit: i64,
    ) -> Result<Vec<InviteRow>, StoreError> {
        let select = sqlx::query_as(
            "SELECT * FROM invites WHERE team_id = $1 ORDER BY created_at DESC, id LIMIT $2",
        )
        .bind(team.as_str())
        .bind(limit);
        self.db.fetch_all("list invites", select).await
    }

    /// Whether there was a good one to withdraw.
    pub(crate) async fn end_invite(
        &self,
        team: &TeamId,
        id: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let update = sqlx::query(
            "UPDATE invites SET ended_at = $3 WHERE id = $1 AND team_id = $2 AND ended_at = 0",
        )
        .bind(id)
        .bind(team.as_str())
        .bind(now);
        Ok(self.db.execute("withdraw invite", update).await? > 0)
    }

    /// Puts somebody who has an account into the team of an invite. `None` when the invite is no
    /// longer good; else whether she was not in the team before, in which case it is used once more.
    pub(crate) async fn join_by_invite(
        &self,
        invite: &InviteRow,
        person: &UserId,
        now: i64,
    ) -> Result<Option<bool>, StoreError> {
        let mut tx = self.begin("begin joining by invite").await?;
        let is_new = join_team(&mut tx, &invite.team_id, person, false, now).await?;
        if is_new && !spend_invite(&mut tx, &invite.id, now).await? {
            tx.rollback().await?;
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(is_new))
    }
}

/// Uses an invite once; whether it was good.
pub(super) async fn spend_invite(
    tx: &mut Transaction,
    id: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let update = sqlx::query(
        "UPDATE invites SET uses = uses + 1 WHERE id = $1 AND ended_at = 0 AND expires_at > $2
           AND (max_uses = 0 OR uses < max_uses)",
    )
    .bind(id)
    .bind(now);
    Ok(tx.execute("use invite", update).await? > 0)
}
