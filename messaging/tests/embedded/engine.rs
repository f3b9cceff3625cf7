//! Which database the stories are told on: here the default, SQLite in the data directory.

use std::path::Path;

use storage::Location;

pub(crate) async fn database(_dir: &Path, own: Location) -> Location {
    std::future::ready(own).await
}
