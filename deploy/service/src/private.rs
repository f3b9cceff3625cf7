//! Folders and files that only the account of the service reads, whatever the umask.
//!
//! In: paths. Out: folders of mode 0700, files of mode 0600; what an earlier version left open to
//! others is closed. `umask` covers what libraries make by themselves (a database's log beside it).
//! Invariant: nothing is open to others even for a moment: the mode is given where a name is made.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;

const FOLDER: u32 = 0o700;
pub(crate) const FILE: u32 = 0o600;
/// What others may do.
const OTHERS: u32 = 0o077;

/// Takes from others whatever this process makes from now on: to be called before any thread runs.
pub(crate) fn umask() {
    nix::sys::stat::umask(Mode::from_bits_truncate(OTHERS));
}

/// Makes a folder, and those above it that are missing, for this account only. A folder that is
/// there and open to others is closed to them, with what is in it.
///
/// # Errors
/// When it cannot be made or closed; the text names it.
pub fn folder(path: &Path) -> io::Result<()> {
    let named = |error| named(path, error);
    let made = DirBuilder::new().recursive(true).mode(FOLDER).create(path);
    made.map_err(named)?;
    let mode = fs::metadata(path).map_err(named)?.mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    // From the top: once this one is closed nobody gets at what is below.
    set_mode(path, FOLDER)?;
    tracing::warn!(folder = %path.display(), "was open to other accounts, and is not any more");
    close_below(path)
}

/// Opens a file for writing from its beginning, for this account only.
///
/// # Errors
/// When it cannot be made; the text names it.
pub fn create(path: &Path) -> io::Result<File> {
    open(
        path,
        OpenOptions::new().write(true).create(true).truncate(true),
    )
}

/// Opens a file for writing at its end, for this account only.
///
/// # Errors
/// When it cannot be made; the text names it.
pub fn append(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().append(true).create(true))
}

/// Opens a file by `options`, for this account only; one that was open to others is closed to them.
///
/// # Errors
/// When it cannot be opened; the text names it.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let named = |error| named(path, error);
    let file = options.mode(FILE).open(path).map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    if metadata.is_file() && metadata.mode() & OTHERS != 0 {
        file.set_permissions(fs::Permissions::from_mode(FILE))
            .map_err(named)?;
    }
    Ok(file)
}

/// Writes a whole file, for this account only. Under another name first, so that a reader never
/// finds half of it.
///
/// # Errors
/// When it cannot be written; the text names it.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let mut file = create(&partial)?;
    file.write_all(contents)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|error| named(path, error))
}

/// A folder for sockets and the like that goes with this value, under no name that can be known
/// before: in `XDG_RUNTIME_DIR` where that is ours alone, else in the system's temporary folder.
///
/// # Errors
/// When neither takes it; the text says which.
pub fn passing_folder(prefix: &str) -> io::Result<tempfile::TempDir> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let parent = runtime
        .filter(|path| is_ours_alone(path))
        .unwrap_or_else(std::env::temp_dir);
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(fs::Permissions::from_mode(FOLDER))
        .tempdir_in(&parent)
        .map_err(|error| named(&parent, error))
}

fn is_ours_alone(path: &Path) -> bool {
    let ours = nix::unistd::geteuid().as_raw();
    fs::metadata(path).is_ok_and(|metadata| {
        path.is_absolute()
            && metadata.is_dir()
            && metadata.uid() == ours
            && metadata.mode() & OTHERS == 0
    })
}

/// Closes what is in a folder; links are left alone, and so is what belongs to somebody else.
fn close_below(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| named(&folder, error))? {
            let path = entry.map_err(|error| named(&folder, error))?.path();
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                // Gone since; nothing is left to close.
                continue;
            };
            if metadata.is_symlink() {
                continue;
            }
            if metadata.mode() & OTHERS != 0 {
                // Programs stay programs.
                set_mode(&path, metadata.mode() & FOLDER)?;
            }
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| {
        let rule = format!(
            "close to other accounts (`chmod go= {}`): {error}",
            path.display()
        );
        io::Error::new(error.kind(), rule)
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it becomes the error returned"
)]
fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn open_to_all(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_private_under_any_umask() {
        let place = tempfile::tempdir().unwrap();
        // The mask is the whole process's; the mode of what is made here does not depend on it.
        let before = nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
        let deep = place.path().join("a/b/c");
        folder(&deep).unwrap();
        for each in [&deep, &place.path().join("a/b"), &place.path().join("a")] {
            assert_eq!(mode(each), 0o700, "{}", each.display());
        }
        let file = deep.join("keys");
        create(&file).unwrap();
        append(&deep.join("log")).unwrap();
        write(&deep.join("ready"), b"{}").unwrap();
        nix::sys::stat::umask(before);
        for name in ["keys", "log", "ready"] {
            assert_eq!(mode(&deep.join(name)), 0o600, "{name}");
        }
        assert!(!deep.join("ready.partial").exists());
    }

    #[test]
    fn what_an_earlier_version_left_open_is_closed() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let (jobs, film, tool) = (data.join("jobs"), data.join("jobs/film"), data.join("tool"));
        let elsewhere = place.path().join("elsewhere");
        fs::create_dir_all(&jobs).unwrap();
        for file in [&film, &tool, &elsewhere] {
            fs::write(file, "seen").unwrap();
        }
        std::os::unix::fs::symlink(&elsewhere, data.join("link")).unwrap();
        for (path, mode) in [
            (&film, 0o644),
            (&tool, 0o755),
            (&elsewhere, 0o644),
            (&jobs, 0o755),
            (&data, 0o755),
        ] {
            open_to_all(path, mode);
        }
        folder(&data).unwrap();
        for (path, wanted) in [
            (&data, 0o700),
            (&jobs, 0o700),
            (&film, 0o600),
            (&tool, 0o700),
            (&elsewhere, 0o644),
        ] {
            assert_eq!(mode(path), wanted, "{}", path.display());
        }
        let log = data.join("log");
        fs::write(&log, "").unwrap();
        open_to_all(&log, 0o644);
        append(&log).unwrap();
        assert_eq!(mode(&log), 0o600);
    }

    #[test]
    fn what_cannot_be_made_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let refused = folder(&file.join("data")).unwrap_err().to_string();
        assert!(refused.contains("file/data`: "), "{refused}");
        let refused = create(&place.path().join("none/file"))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("none/file`: "), "{refused}");
    }

    #[test]
    fn a_passing_folder_is_private_unguessable_and_goes() {
        let (one, other) = (passing_folder("s-").unwrap(), passing_folder("s-").unwrap());
        assert_ne!(one.path(), other.path());
        assert_eq!(mode(one.path()), 0o700);
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
    }

    #[test]
    fn a_runtime_folder_that_others_reach_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        open_to_all(place.path(), 0o700);
        assert!(is_ours_alone(place.path()));
        open_to_all(place.path(), 0o755);
        assert!(!is_ours_alone(place.path()));
        assert!(!is_ours_alone(&place.path().join("none")));
    }
}
