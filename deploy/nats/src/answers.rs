//! What an answer, or none, of a server means to whoever asked.

use async_nats::error::Error as Kinded;
use async_nats::jetstream;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind};
use cluster::Error;

/// The record was at another revision. Two numbers for one thing: a single server gives the first,
/// several copies may give the second, which the client does not know.
const WRONG_REVISION: [u64; 2] = [10071, 10164];
/// A stream takes no more: in all, or of one subject.
const NO_ROOM: u64 = 10077;
/// There is no such message.
const NO_MESSAGE: u64 = 10037;

/// What a write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    Error(Error),
    /// One of the same subject is there already.
    IsThere,
}

/// The server's own error below whatever the client made of it.
fn server_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a jetstream::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<jetstream::Error>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Reads why a write has no acknowledgement.
pub(crate) fn write(error: &PublishError) -> Refused {
    Refused::Error(match error.kind() {
        PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => {
            Error::Conflict { current: None }
        }
        // Nobody listens to the subject: its stream has no leader at this moment.
        PublishErrorKind::StreamNotFound | PublishErrorKind::MaxAckPending => Error::Unavailable,
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Error::Unknown,
        PublishErrorKind::MaxPayloadExceeded => {
            Error::Invalid("the server between the nodes takes no message of this size")
        }
        PublishErrorKind::Other => match server_error(error) {
            Some(said) => return refused(said.error_code().0, &said.to_string()),
            // It was never sent.
            None => Error::Unavailable,
        },
    })
}

fn refused(code: u64, text: &str) -> Refused {
    if WRONG_REVISION.contains(&code) {
        return Refused::Error(Error::Conflict { current: None });
    }
    if code == NO_ROOM && text.contains("per subject") {
        return Refused::IsThere;
    }
    if code == NO_ROOM {
        return Refused::Error(Error::Full);
    }
    tracing::debug!(code, text, "a write was refused");
    Refused::Error(Error::Unavailable)
}

/// Reads why a record could not be read by any server; `Ok`: because there is none.
pub(crate) fn recent(error: &Kinded<DirectGetErrorKind>) -> Result<(), Error> {
    match error.kind() {
        DirectGetErrorKind::NotFound => Ok(()),
        DirectGetErrorKind::InvalidSubject => Err(Error::Invalid("no name of a record")),
        DirectGetErrorKind::TimedOut
        | DirectGetErrorKind::Request
        | DirectGetErrorKind::ErrorResponse(..)
        | DirectGetErrorKind::Other => Err(Error::Unavailable),
    }
}

/// Reads why a record could not be read from its leader; `Ok`: because there is none.
pub(crate) fn latest(error: &Kinded<LastRawMessageErrorKind>) -> Result<(), Error> {
    match error.kind() {
        LastRawMessageErrorKind::NoMessageFound => Ok(()),
        LastRawMessageErrorKind::JetStream(said) if said.error_code().0 == NO_MESSAGE => Ok(()),
        LastRawMessageErrorKind::InvalidSubject => Err(Error::Invalid("no name of a record")),
        LastRawMessageErrorKind::JetStream(_) | LastRawMessageErrorKind::Other => {
            Err(Error::Unavailable)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u64) -> PublishError {
        let text = format!(r#"{{"code":400,"err_code":{code},"description":"as it is"}}"#);
        let error: jetstream::Error = serde_json::from_str(&text).unwrap();
        PublishError::with_source(PublishErrorKind::Other, error)
    }

    #[test]
    fn a_conflict_has_two_numbers() {
        let conflict = Refused::Error(Error::Conflict { current: None });
        for code in WRONG_REVISION {
            assert_eq!(write(&said(code)), conflict, "{code}");
        }
        let known = PublishError::new(PublishErrorKind::WrongLastSequence);
        assert_eq!(write(&known), conflict);
        assert_eq!(write(&said(10008)), Refused::Error(Error::Unavailable));
    }

    #[test]
    fn no_leader_is_no_outcome_and_no_answer_is_none_either_way() {
        for (kind, error) in [
            (PublishErrorKind::StreamNotFound, Error::Unavailable),
            (PublishErrorKind::TimedOut, Error::Unknown),
            (PublishErrorKind::BrokenPipe, Error::Unknown),
        ] {
            assert_eq!(write(&PublishError::new(kind)), Refused::Error(error));
        }
    }

    #[test]
    fn room_in_all_and_for_one_subject_are_told_apart() {
        let full = refused(NO_ROOM, "maximum messages exceeded");
        assert_eq!(full, Refused::Error(Error::Full));
        let there = refused(NO_ROOM, "maximum messages per subject exceeded");
        assert_eq!(there, Refused::IsThere);
    }
}
