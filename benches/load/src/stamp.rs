//! The send time inside a payload, and the clock it is read from.
//!
//! Wall time, because the kernel stamps what arrives with it. Out of an authenticated payload only.

use std::time::SystemTime;

/// Before the time, at the end of a payload.
const MARK: [u8; 4] = *b"sent";

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

/// Puts the time `sent` at the end of `payload`, if it is long enough.
pub(crate) fn put(payload: &mut [u8], sent: u64) {
    if let Some((rest, time)) = payload.split_last_chunk_mut::<8>()
        && let Some((_, mark)) = rest.split_last_chunk_mut::<4>()
    {
        *mark = MARK;
        *time = sent.to_be_bytes();
    }
}

/// Finds the time in a payload that carries one.
pub(crate) fn find(payload: &[u8]) -> Option<u64> {
    let (rest, time) = payload.split_last_chunk::<8>()?;
    let (_, mark) = rest.split_last_chunk::<4>()?;
    (*mark == MARK).then(|| u64::from_be_bytes(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_where_one_was_put() {
        let mut payload = [0x55; 80];
        assert_eq!(find(&payload), None);
        put(&mut payload, 42);
        assert_eq!(find(&payload), Some(42));
        assert_eq!(payload[..68], [0x55; 68]);
        assert_eq!(find(&payload[..8]), None);
    }
}
