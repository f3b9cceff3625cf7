//! Who may bring how much: sizes, open uploads, quotas, and room on the disk.
//!
//! An upload counts with its whole size from its beginning, a form with what it may bring until it
//! ends. Bots bring what people asked for: only the sum of all files and the disk limit them.
//! Invariant: a refusal names the limit and the setting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::id::UserId;

use super::Ending;
use crate::embedded::Server;
use crate::embedded::fault::Fault;
use crate::embedded::store::UploadRow;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What limits files, beside the size of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLimits {
    /// From the beginning of an upload to its last byte; then it is removed.
    pub upload_lifetime: Duration,
    /// Uploads and forms of one person at once.
    pub max_open_uploads: u64,
    /// Bytes of one person's files and begun uploads; 0: no limit.
    pub person_quota_bytes: u64,
    /// Bytes of everybody's files and begun uploads; 0: no limit.
    pub total_quota_bytes: u64,
    /// Bytes that stay free for records on the disk of the files.
    pub min_free_bytes: u64,
    /// How long a file waits to be posted; then it is removed.
    pub unposted_lifetime: Duration,
    /// Age at which bytes that belong to no record are removed.
    pub orphan_age: Duration,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            upload_lifetime: DAY,
            max_open_uploads: 20,
            person_quota_bytes: 10 << 30,
            total_quota_bytes: 0,
            min_free_bytes: 512 << 20,
            unposted_lifetime: 7 * DAY,
            orphan_age: 7 * DAY,
        }
    }
}

/// Forms that are being received, by person: how many, and what they may bring.
#[derive(Debug, Clone, Default)]
pub(super) struct Forms(Arc<Mutex<HashMap<UserId, (u64, u64)>>>);

impl Forms {
    fn change(&self, owner: &UserId, change: impl FnOnce(&mut (u64, u64))) {
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = forms.entry(owner.clone()).or_default();
        change(held);
        if held.0 == 0 {
            forms.remove(owner);
        }
    }

    fn of(&self, owner: &UserId) -> (u64, u64) {
        let forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forms.get(owner).copied().unwrap_or_default()
    }

    fn bytes(&self) -> u64 {
        let forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forms.values().map(|(_, bytes)| bytes).sum()
    }
}

/// A form that may come in; what it may bring is held for it until this is dropped.
#[derive(Debug)]
pub(super) struct AdmittedForm {
    pub(super) bytes: u64,
    limit: Limit,
    forms: Forms,
    owner: UserId,
}

impl Drop for AdmittedForm {
    fn drop(&mut self) {
        let bytes = self.bytes;
        self.forms.change(&self.owner, |held| {
            held.0 = held.0.saturating_sub(1);
            held.1 = held.1.saturating_sub(bytes);
        });
    }
}

impl AdmittedForm {
    /// What to say about a form that did not end as it should.
    pub(super) fn refusal(&self, ending: &Ending) -> Fault {
        let why = match ending {
            Ending::TooMuch => return self.limit.refusal(None),
            Ending::Silence => "nothing came for 30 seconds",
            Ending::Broken(why) => why,
        };
        Fault::invalid(
            "api.file.upload.read.app_error",
            format!("the upload broke off: {why}"),
        )
    }
}

/// A limit and what is left below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    kind: Kind,
    limit: u64,
    /// Bytes that may still come.
    left: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    FileSize,
    Place,
    Person,
    Total,
    Room,
}

impl Limit {
    fn of(kind: Kind, limit: u64, used: u64) -> Self {
        Self {
            kind,
            limit,
            left: limit.saturating_sub(used),
        }
    }

    /// Says that `wanted` bytes (of a form: nobody knows how many) are too many.
    fn refusal(&self, wanted: Option<u64>) -> Fault {
        let Self { kind, limit, left } = self;
        let file = wanted.map_or_else(
            || "the file".to_owned(),
            |wanted| format!("the file has {wanted} bytes and"),
        );
        match kind {
            Kind::FileSize => Fault::too_large(format!(
                "{file} is larger than {limit} bytes (`chat.max_file_bytes`)"
            )),
            Kind::Place => Fault::too_large(format!(
                "{file} is larger than {limit} bytes: the place of files takes no larger one \
                 (`files.place`)"
            )),
            Kind::Person => Fault::no_room(format!(
                "{file} does not fit: {left} bytes are left of your {limit} \
                 (`files.person_quota_bytes`)"
            )),
            Kind::Total => Fault::no_room(format!(
                "{file} does not fit: {left} bytes are left of {limit} for all files of this \
                 server (`files.total_quota_bytes`)"
            )),
            Kind::Room => Fault::no_room(format!(
                "{file} does not fit: {left} bytes are free on the server's disk beside the \
                 {limit} kept for records (`files.min_free_bytes`)"
            )),
        }
    }
}

impl Server {
    /// Refuses sizes that no file may have.
    pub(super) fn check_size(&self, size_bytes: u64) -> Result<(), Fault> {
        if size_bytes == 0 {
            return Err(Fault::invalid(
                "model.upload_session.is_valid.file_size.app_error",
                "`file_size` is 0: an upload has at least one byte",
            ));
        }
        for limit in self.size_limits() {
            if size_bytes > limit.left {
                return Err(limit.refusal(Some(size_bytes)));
            }
        }
        Ok(())
    }

    fn size_limits(&self) -> [Limit; 2] {
        [
            Limit::of(Kind::FileSize, self.config.max_file_bytes, 0),
            Limit::of(Kind::Place, self.vault.blobs.largest_blob(), 0),
        ]
    }

    /// Records an upload if the person may begin one of its size.
    pub(super) async fn admit_upload(&self, row: &UploadRow) -> Result<(), Fault> {
        let _alone = self.vault.admitting.lock().await;
        let wanted = super::size_of(row.size_bytes);
        for limit in self.limits_for(&row.owner_id).await? {
            if wanted > limit.left {
                return Err(limit.refusal(Some(wanted)));
            }
        }
        Ok(self.store.insert_upload(row).await?)
    }

    /// Admits a form of at most `expected` bytes, or cut to what the person may still bring.
    pub(super) async fn admit_form(
        &self,
        owner: &UserId,
        expected: Option<u64>,
    ) -> Result<AdmittedForm, Fault> {
        let _alone = self.vault.admitting.lock().await;
        let mut tightest = Limit::of(Kind::FileSize, u64::MAX, 0);
        let limits = self.limits_for(owner).await?;
        for limit in self.size_limits().into_iter().chain(limits) {
            if limit.left < tightest.left {
                tightest = limit;
            }
        }
        if tightest.left == 0 {
            return Err(tightest.refusal(None));
        }
        let bytes = tightest.left.min(expected.unwrap_or(u64::MAX));
        let forms = self.vault.forms.clone();
        forms.change(owner, |held| {
            held.0 += 1;
            held.1 += bytes;
        });
        Ok(AdmittedForm {
            bytes,
            limit: tightest,
            forms,
            owner: owner.clone(),
        })
    }

    /// What limits a person now; an error when she has too many uploads open.
    async fn limits_for(&self, owner: &UserId) -> Result<Vec<Limit>, Fault> {
        let rules = &self.vault.limits;
        let mut limits = Vec::new();
        if !self.person_row(owner.as_str()).await?.is_bot {
            let (forms, held) = self.vault.forms.of(owner);
            let usage = self.store.file_usage(owner).await?;
            let open = super::size_of(usage.open_uploads) + forms;
            if open >= rules.max_open_uploads {
                return Err(Fault::too_many(format!(
                    "you have {open} uploads open, as many as a person may have \
                     (`files.max_open_uploads`): finish one first"
                )));
            }
            if rules.person_quota_bytes != 0 {
                let used = super::size_of(usage.bytes) + held;
                limits.push(Limit::of(Kind::Person, rules.person_quota_bytes, used));
            }
        }
        if rules.total_quota_bytes != 0 {
            let used = super::size_of(self.store.all_file_bytes().await?);
            let used = used + self.vault.forms.bytes();
            limits.push(Limit::of(Kind::Total, rules.total_quota_bytes, used));
        }
        limits.extend(self.room().await?);
        Ok(limits)
    }

    /// What the disk of the files has left; `None` where nobody can say.
    async fn room(&self) -> Result<Option<Limit>, Fault> {
        let kept = self.vault.limits.min_free_bytes;
        let free = self.vault.blobs.free_bytes().await?;
        Ok(free.map(|free| Limit {
            kind: Kind::Room,
            limit: kept,
            left: free.saturating_sub(kept),
        }))
    }

    /// Refuses `wanted` further bytes when the records' reserve would suffer.
    pub(super) async fn check_room(&self, wanted: u64) -> Result<(), Fault> {
        match self.room().await? {
            Some(room) if wanted > room.left => Err(room.refusal(Some(wanted))),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether an upload's time is over.
    pub(in crate::embedded) fn has_expired(&self, upload: &UploadRow) -> bool {
        upload.created_at <= self.before(self.vault.limits.upload_lifetime)
    }

    /// The Unix milliseconds that were `age` ago.
    pub(super) fn before(&self, age: Duration) -> i64 {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        self.wall_ms().saturating_sub(age)
    }
}
