//! Pictures that people gave themselves.

use proto::id::UserId;

use super::{PortraitRow, Store, StoreError};

impl Store {
    pub(crate) async fn portrait_of(
        &self,
        person: &UserId,
    ) -> Result<Option<PortraitRow>, StoreError> {
        let select = sqlx::query_as("SELECT mime, picture FROM portraits WHERE person_id = $1");
        self.db
            .fetch_optional("read portrait", select.bind(person.as_str()))
            .await
    }

    /// Keeps a picture, or (`None`) goes back to the drawn one.
    pub(crate) async fn keep_portrait(
        &self,
        person: &UserId,
        portrait: Option<&PortraitRow>,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("begin keeping portrait").await?;
        let statement = match portrait {
            Some(portrait) => sqlx::query(
                "INSERT INTO portraits (person_id, mime, picture) VALUES ($1, $2, $3)
                 ON CONFLICT (person_id) DO UPDATE
                 SET mime = excluded.mime, picture = excluded.picture",
            )
            .bind(person.as_str())
            .bind(&portrait.mime)
            .bind(portrait.picture.as_slice()),
            None => sqlx::query("DELETE FROM portraits WHERE person_id = $1").bind(person.as_str()),
        };
        tx.execute("keep portrait", statement).await?;
        let note = sqlx::query("UPDATE people SET pictured_at = $2, updated_at = $3 WHERE id = $1")
            .bind(person.as_str())
            .bind(if portrait.is_some() { now } else { 0 })
            .bind(now);
        tx.execute("note portrait", note).await?;
        tx.commit().await
    }
}
