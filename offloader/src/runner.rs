//! Names of runners: images that the caller believes will run.
//!
//! In: a name such as `mattermost/calls-recorder:v0.8.13`. Out: which worker it means, or why not.
//! Nothing is pulled; the names are checked so that a wrong set-up is told early.

use proto::offload::JobType;

/// Oldest versions whose jobs are understood, as the reference service has them.
const MIN_RECORDER: (u64, u64, u64) = (0, 6, 0);
const MIN_TRANSCRIBER: (u64, u64, u64) = (0, 1, 0);

/// Why a runner name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunnerError {
    #[error("should not be empty")]
    Empty,
    #[error("failed to validate runner \"{0}\"")]
    Unknown(String),
    #[error("actual version ({actual}) is lower than minimum supported version ({minimum})")]
    TooOld { actual: String, minimum: String },
}

/// Checks a runner name of `registry`.
///
/// # Errors
/// When it is empty, not of the form `REGISTRY/calls-{recorder,transcriber}:vX.Y.Z[-devN]`, or
/// older than supported.
pub fn check_runner(name: &str, registry: &str) -> Result<JobType, RunnerError> {
    if name.is_empty() {
        return Err(RunnerError::Empty);
    }
    let unknown = || RunnerError::Unknown(name.to_owned());
    let image = name
        .strip_prefix(registry)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or_else(unknown)?;
    let (repository, tag) = image.split_once(':').ok_or_else(unknown)?;
    let (kind, minimum) = match repository {
        "calls-recorder" => (JobType::Recording, MIN_RECORDER),
        "calls-transcriber" => (JobType::Transcribing, MIN_TRANSCRIBER),
        _ => return Err(unknown()),
    };
    let version = parse_tag(tag).ok_or_else(unknown)?;
    if version < minimum {
        let (major, minor, patch) = minimum;
        return Err(RunnerError::TooOld {
            actual: tag.trim_start_matches('v').to_owned(),
            minimum: format!("{major}.{minor}.{patch}"),
        });
    }
    Ok(kind)
}

/// `vX.Y.Z`, then nothing or `-dev` and digits.
fn parse_tag(tag: &str) -> Option<(u64, u64, u64)> {
    let numbers = tag.strip_prefix('v')?;
    let numbers = match numbers.split_once('-') {
        Some((numbers, suffix)) => {
            let digits = suffix.strip_prefix("dev")?;
            digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then_some(numbers)?
        }
        None => numbers,
    };
    let mut parts = numbers.split('.').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        // `01` is no number of a version.
        let digits = digits && (part == "0" || !part.starts_with('0'));
        digits.then(|| part.parse::<u64>().ok()).flatten()
    });
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_or_refused_for_the_right_reason() {
        let check = |name: &str| check_runner(name, "mattermost").map_err(|e| e.to_string());
        assert_eq!(
            check("mattermost/calls-recorder:v0.8.13"),
            Ok(JobType::Recording)
        );
        assert_eq!(
            check("mattermost/calls-recorder:v0.6.0-dev12"),
            Ok(JobType::Recording)
        );
        assert_eq!(
            check("mattermost/calls-recorder:v0.6.0-dev"),
            Ok(JobType::Recording)
        );
        assert_eq!(
            check("mattermost/calls-transcriber:v0.1.0"),
            Ok(JobType::Transcribing)
        );
        assert_eq!(check(""), Err("should not be empty".into()));
        assert_eq!(
            check("mattermost/calls-recorder:v0.5.9"),
            Err("actual version (0.5.9) is lower than minimum supported version (0.6.0)".into())
        );
        for name in [
            "other/calls-recorder:v0.8.13",
            "mattermost/calls-recorder:latest",
            "mattermost/calls-recorder@sha256:abcd",
            "mattermost/calls-recorder:v0.8.13@sha256:abcd",
            "mattermost/calls-recorder:v0.8",
            "mattermost/calls-recorder:0.8.13",
            "mattermost/calls-recorder:v0.8.13-rc1",
            "mattermost/calls-recorder:v0.8.13-dev1x",
            "mattermost/calls-player:v0.8.13",
            "mattermost/calls-recorder:v01.8.13",
            "mattermost/calls-recorder:v0.08.13",
        ] {
            assert_eq!(
                check(name),
                Err(format!("failed to validate runner \"{name}\""))
            );
        }
    }
}
