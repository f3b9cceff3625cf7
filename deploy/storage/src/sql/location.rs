//! Where a database is, as a configuration says it: a file, or a PostgreSQL server.
//!
//! Invariant: what is shown of it (`Display`, `Debug`) holds no password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use proto::redact::Secret;
use sqlx::any::AnyConnectOptions;

const SCHEMES: [&str; 2] = ["postgres", "postgresql"];

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file; it and its folder are made when missing, for their owner only.
    File(PathBuf),
    /// `postgres://user@host:port/database`, with the options libpq knows (`sslmode`,
    /// `sslrootcert`, `sslcert`, `sslkey`). A schema per domain is made in the database.
    Postgres {
        /// The address, without a password.
        url: String,
        /// As it stands in an address: `%` is `%25`.
        password: Secret,
        /// Of several processes only the one that leads writes: the epoch in which this one does.
        epoch: Option<i64>,
    },
}

/// A setting does not say where a database is.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    #[error(
        "`{shown}` is not a `postgres://user@host/database`; leave it empty for SQLite in a file"
    )]
    Scheme { shown: String },
    #[error("`{shown}` is no address: write `postgres://user@host:port/database`")]
    Address { shown: String },
    #[error("`{shown}` names no database: write `postgres://user@host/database`")]
    NoDatabase { shown: String },
    #[error(
        "`{shown}` is on PostgreSQL, and this program was built without it: build it with its \
         default features, or leave the setting empty for SQLite in a file"
    )]
    LeftOut { shown: String },
    #[error("read the password of the database from `{path}`")]
    PasswordFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Location {
    /// Reads the two settings that name a server: its address, and a file with the password, which
    /// may be empty and then stands in the address or nowhere. `None` for no address: SQLite.
    ///
    /// # Errors
    /// When the address or the file cannot be read.
    pub fn server(address: &str, password_file: &Path) -> Result<Option<Self>, LocationError> {
        Self::server_if(cfg!(feature = "postgres"), address, password_file)
    }

    fn server_if(
        has_postgres: bool,
        address: &str,
        password_file: &Path,
    ) -> Result<Option<Self>, LocationError> {
        if address.is_empty() {
            return Ok(None);
        }
        let shown = || without_password(address);
        let scheme = address.split_once("://").map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| SCHEMES.contains(&scheme)) {
            return Err(LocationError::Scheme { shown: shown() });
        }
        let options = AnyConnectOptions::from_str(address);
        let mut url = options
            .map_err(|_| LocationError::Address { shown: shown() })?
            .database_url;
        if url.path().trim_start_matches('/').is_empty() {
            return Err(LocationError::NoDatabase { shown: shown() });
        }
        if !has_postgres {
            return Err(LocationError::LeftOut { shown: shown() });
        }
        let password = match url.password() {
            _ if !password_file.as_os_str().is_empty() => password_in(password_file)?,
            Some(inside) => Secret::new(inside),
            None => Secret::default(),
        };
        // Fails only for addresses without a host, which have no password either.
        let _ = url.set_password(None);
        Ok(Some(Self::Postgres {
            url: url.to_string(),
            password,
            epoch: None,
        }))
    }

    /// The same place, for the process that leads in this epoch ([`super::Leadership`]): what it writes
    /// is refused once the epoch is over. A file has one process, and no epochs.
    #[must_use]
    pub fn in_epoch(self, number: i64) -> Self {
        match self {
            Self::Postgres { url, password, .. } => Self::Postgres {
                url,
                password,
                epoch: Some(number),
            },
            file @ Self::File(_) => file,
        }
    }
}

/// The first line of the file, as it stands in an address.
fn password_in(file: &Path) -> Result<Secret, LocationError> {
    let text = std::fs::read_to_string(file).map_err(|source| LocationError::PasswordFile {
        path: file.to_owned(),
        source,
    })?;
    let line = text.lines().next().unwrap_or_default();
    Ok(Secret::new(line.replace('%', "%25")))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres { url, .. } => f.write_str(url.split('?').next().unwrap_or(url)),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

/// An address for an error text, even when it cannot be read.
fn without_password(setting: &str) -> String {
    let Some((scheme, rest)) = setting.split_once("://") else {
        return setting.to_owned();
    };
    // whatever stands before the last `@` may be a password
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = place.split('?').next().unwrap_or(place);
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(address: &str) -> Result<Option<Location>, LocationError> {
        Location::server(address, Path::new(""))
    }

    #[test]
    fn an_address_names_a_server_and_none_means_a_file() {
        assert_eq!(server("").unwrap(), None);
        let address = "postgres://parley@db.example:5433/parley?sslmode=verify-full";
        let expected = Location::Postgres {
            url: address.to_owned(),
            password: Secret::default(),
            epoch: None,
        };
        assert_eq!(server(address).unwrap(), Some(expected));
        for wrong in [
            "x/y.db",
            "mysql://h/d",
            "postgres://h",
            "postgres://h:port/d",
        ] {
            assert!(server(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_stands_in_the_address_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "from file 100%\n").unwrap();
        let address = "postgres://parley:in%40side@db.example/parley";
        for (file, expected) in [
            (file.as_path(), "from file 100%25"),
            (Path::new(""), "in%40side"),
        ] {
            let Some(Location::Postgres { url, password, .. }) =
                Location::server(address, file).unwrap()
            else {
                panic!("a server");
            };
            assert_eq!(url, "postgres://parley@db.example/parley");
            assert_eq!(password.expose(), expected);
        }
        let missing = Location::server(address, &folder.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("/none"), "{missing}");
    }

    #[test]
    fn a_program_without_postgresql_says_so_and_takes_files() {
        let path = Path::new("");
        assert_eq!(Location::server_if(false, "", path).unwrap(), None);
        let error = Location::server_if(false, "postgres://u:ss-word@h/d", path).unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with("`postgres://h/d` is on PostgreSQL"),
            "{said}"
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        let inside = server("postgres://parley:ss-word@db.example/parley")
            .unwrap()
            .unwrap();
        for shown in [format!("{inside}"), format!("{inside:?}")] {
            assert!(!shown.contains("ss-word"), "{shown}");
        }
        for bad in [
            "mysql://root:ss-word@h/d",
            "postgres://u:ss-word@h:port/d",
            "postgres://u:ss-word@h",
        ] {
            let error = server(bad).unwrap_err();
            let chain = format!("{error} {error:?}");
            assert!(!chain.contains("ss-word"), "{chain}");
        }
    }
}
