//! The names by which people are looked for.
//!
//! Engines differ in what they call a small letter, so it is made here: the words of all names in
//! lower case, each with a space before it, so that a search for the beginning of a word is one for
//! a space and that beginning.

use super::{Store, StoreError};

/// People whose names are indexed in one transaction.
const PAGE: i64 = 500;

/// The words to look for a person by.
pub(super) fn search_names(username: &str, names: &[&String]) -> String {
    let parts = username.split(['.', '-', '_']);
    let words = names.iter().flat_map(|name| name.split_whitespace());
    let mut found = String::new();
    for word in [username].into_iter().chain(parts).chain(words) {
        found.push(' ');
        found.push_str(&word.to_lowercase());
    }
    found
}

/// Id, username, and the names of somebody whose names are to be indexed.
type Named = (String, String, String, String, String);

impl Store {
    /// Indexes the names of people whom an older server made. Writes nothing when there are none.
    pub(super) async fn index_names(&self) -> Result<(), StoreError> {
        loop {
            let select = sqlx::query_as::<_, Named>(
                "SELECT id, username, first_name, last_name, nickname FROM people
                 WHERE search_names = '' LIMIT $1",
            );
            let found = self.db.fetch_all("list names", select.bind(PAGE)).await?;
            if found.is_empty() {
                return Ok(());
            }
            let mut tx = self.begin("begin indexing names").await?;
            for (id, username, first, last, nickname) in &found {
                let update = sqlx::query("UPDATE people SET search_names = $2 WHERE id = $1")
                    .bind(id)
                    .bind(search_names(username, &[first, last, nickname]));
                tx.execute("index names", update).await?;
            }
            tx.commit().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_name_begins_with_a_space() {
        let names = [&"Anna Maria".to_owned(), &"ÅNGSTRÖM".to_owned()];
        assert_eq!(
            search_names("anna.b", &names),
            " anna.b anna b anna maria ångström"
        );
    }
}
