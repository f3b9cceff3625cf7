//! What a job costs while its call lasts, in cores of the machine.
//!
//! Measured with `benches/run offloader` and rounded up. What comes after the call (the rest of a film,
//! the words) is done at low priority: it takes what is left, and adds nothing to what was promised.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::str::FromStr;

use proto::offload::{JobRequest, JobType, RecordingInput, TranscribingInput};

/// Writing down who speaks.
const LISTENING: Cores = Cores(100);
/// Captions by a small model, a few who take turns.
const CAPTIONS: Cores = Cores(250);
/// A shared screen of 1280x720 at 20 pictures a second, drawn and encoded.
const PICTURES: Cores = Cores(300);
const PICTURES_PIXELS_PER_SECOND: u64 = 1280 * 720 * 20;

/// Thousandths of one core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cores(u32);

impl Cores {
    /// All the cores that this process may use.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self(u32::try_from(cores).unwrap_or(1).saturating_mul(1000))
    }

    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl Add for Cores {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Cores {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

impl FromStr for Cores {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "it must be a number of cores from 0 to 1000, such as 1.5";
        let cores: f64 = text.trim().parse().map_err(|_| RULE)?;
        if !(0.0..=1000.0).contains(&cores) {
            return Err(RULE);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 1,000,000"
        )]
        Ok(Self((cores * 1000.0).round() as u32))
    }
}

/// What a job of this request costs. Input that cannot be read costs as the smallest: its job fails
/// when it begins.
#[must_use]
pub fn of(request: &JobRequest, kind: JobType) -> Cores {
    match kind {
        JobType::Recording => LISTENING.max(pictures(request)),
        JobType::Transcribing => {
            let input = TranscribingInput::parse(&request.input_data);
            let captions = input.is_ok_and(|input| input.captions_on);
            LISTENING + if captions { CAPTIONS } else { Cores(0) }
        }
    }
}

fn pictures(request: &JobRequest) -> Cores {
    let Ok(input) = RecordingInput::parse(&request.input_data) else {
        return Cores(0);
    };
    let pixels = u64::from(input.width) * u64::from(input.height);
    let wanted = pixels * u64::from(input.frame_rate) * u64::from(PICTURES.0);
    Cores(u32::try_from(wanted.div_ceil(PICTURES_PIXELS_PER_SECOND)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(input: &serde_json::Value) -> JobRequest {
        JobRequest {
            input_data: input.as_object().unwrap().clone(),
            ..JobRequest::default()
        }
    }

    #[test]
    fn a_larger_picture_and_captions_cost_more() {
        let id = "abcdefghijklmnopqrstuvwxyz";
        let recording = |width: u32, height: u32, rate: u32| {
            let input = json!({
                "site_url": "http://chat.example", "call_id": id, "post_id": id,
                "recording_id": id, "auth_token": id, "width": width, "height": height,
                "frame_rate": rate,
            });
            of(&request(&input), JobType::Recording)
        };
        assert_eq!(recording(1280, 720, 20), Cores(300));
        assert_eq!(recording(1280, 720, 15), Cores(225));
        assert_eq!(recording(1920, 1080, 20), Cores(675));
        let transcribing = |captions: bool| {
            let input = json!({
                "site_url": "http://chat.example", "call_id": id, "post_id": id,
                "transcription_id": id, "auth_token": id, "live_captions_on": captions,
            });
            of(&request(&input), JobType::Transcribing)
        };
        assert_eq!(
            (transcribing(false), transcribing(true)),
            (Cores(100), Cores(350))
        );
        assert_eq!(of(&request(&json!({})), JobType::Recording), Cores(100));
    }

    #[test]
    fn cores_are_written_as_a_number() {
        assert_eq!("1.5".parse(), Ok(Cores(1500)));
        assert_eq!("0".parse(), Ok(Cores(0)));
        assert_eq!(Cores(1500).to_string(), "1.5");
        for bad in ["", "-1", "many", "1001", "NaN"] {
            assert!(bad.parse::<Cores>().is_err(), "{bad}");
        }
    }
}
