//! The jobs of one call that this node does side by side: a transcript is handed in after its recording.
//!
//! A messaging server adds captions to a recording's post only if that post exists; a film takes longer
//! to make than a text.
//! In: the folders of all jobs, beside one another. Out: the moment to hand in.
//! Not here: who makes the recording, and whether another node does: then nobody is waited for.
//! Invariant: the wait ends.

use std::path::Path;
use std::time::Duration;

use proto::calls::JobKind;
use proto::offload::input::CallInput;
use serde::{Deserialize, Serialize};

use crate::capture::journal::{self, Entry};
use crate::order::Outcome;

/// The file that says which call a folder belongs to.
const CALL: &str = "call.json";
/// How often the recording is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A film is made in less than the time the call took, and this beside.
const LEAST_PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    kind: String,
    site_url: String,
    post_id: String,
}

/// Says in the job's folder which call it belongs to.
pub(super) fn announce(folder: &Path, kind: JobKind, call: &CallInput) -> std::io::Result<()> {
    let part = folder.join("call.part");
    std::fs::write(&part, serde_json::to_vec(&described(kind, call))?)?;
    std::fs::rename(part, folder.join(CALL))
}

/// Waits until the recording of the same call is handed in, has failed, or has taken too long.
pub(super) async fn wait_for_recording(folder: &Path, call: &CallInput, span: Duration) {
    let patience = LEAST_PATIENCE + span;
    let waited = tokio::time::timeout(patience, async {
        while is_recording_due(folder, call) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    if waited.await.is_err() {
        tracing::warn!(
            ?patience,
            "the transcript goes before its recording, which takes long"
        );
    }
}

fn is_recording_due(folder: &Path, call: &CallInput) -> bool {
    let wanted = described(JobKind::Recording, call);
    let siblings = folder.parent().and_then(|jobs| jobs.read_dir().ok());
    let mut folders = siblings.into_iter().flatten().flatten();
    folders.any(|sibling| is_due(&sibling.path(), &wanted))
}

fn is_due(folder: &Path, wanted: &Call) -> bool {
    let call = std::fs::read(folder.join(CALL)).ok();
    let call = call.and_then(|text| serde_json::from_slice::<Call>(&text).ok());
    call.as_ref() == Some(wanted)
        && Outcome::read(folder).is_none()
        && !journal::read(folder).contains(&Entry::HandedIn)
}

fn described(kind: JobKind, call: &CallInput) -> Call {
    Call {
        kind: kind.as_str().to_owned(),
        site_url: call.site_url.clone(),
        post_id: call.post_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proto::redact::Secret;

    use super::*;
    use crate::capture::journal::Journal;
    use crate::order::Ending;

    fn call(post: &str) -> CallInput {
        CallInput {
            site_url: "http://site".to_owned(),
            channel_id: "c".to_owned(),
            post_id: post.to_owned(),
            job_id: "j".to_owned(),
            auth_token: Secret::new("t"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_transcript_waits_for_the_recording_of_its_call_and_no_other() {
        let jobs = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = jobs.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            folder
        };
        let (own, same, other) = (folder("own"), folder("same"), folder("other"));
        announce(&own, JobKind::Transcribing, &call("p")).unwrap();
        announce(&other, JobKind::Recording, &call("q")).unwrap();
        assert!(!is_recording_due(&own, &call("p")), "of another call");
        announce(&same, JobKind::Recording, &call("p")).unwrap();
        assert!(is_recording_due(&own, &call("p")));
        Journal::open(&same)
            .unwrap()
            .record(&Entry::HandedIn)
            .unwrap();
        assert!(!is_recording_due(&own, &call("p")));

        let failed = folder("failed");
        announce(&failed, JobKind::Recording, &call("p")).unwrap();
        let begun = tokio::time::Instant::now();
        wait_for_recording(&own, &call("p"), Duration::from_secs(60)).await;
        let waited = begun.elapsed().as_secs();
        assert!((660..=662).contains(&waited), "it ends after {waited} s");
        let outcome = Outcome {
            ending: Ending::Failed,
            note: String::new(),
        };
        outcome.write(&failed).unwrap();
        assert!(!is_recording_due(&own, &call("p")));
    }
}
