//! Which database the stories are told on: here one on a PostgreSQL server for each directory.

use std::fs;
use std::path::Path;

use storage::Location;

/// The database of this directory: the same one after a restart.
pub(crate) async fn database(dir: &Path, _own: Location) -> Location {
    let note = dir.join("test-database");
    let address = match fs::read_to_string(&note) {
        Ok(address) => address,
        Err(_) => {
            let address = storage::testing::postgres::fresh_database().await;
            fs::create_dir_all(dir).unwrap();
            fs::write(&note, &address).unwrap();
            address
        }
    };
    let server = Location::server(&address, Path::new("")).unwrap();
    server.unwrap()
}
