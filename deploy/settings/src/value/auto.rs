//! Numbers that are written, or left to something else by the word `auto`.

use std::ops::RangeInclusive;

use super::{Value, Written};

/// `EACH` for each CPU of the machine, or a number up to `MOST` that somebody wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerCpu<const EACH: u32, const MOST: u32>(pub Option<u32>);

impl<const EACH: u32, const MOST: u32> PerCpu<EACH, MOST> {
    /// The number on a machine with so many CPUs.
    #[must_use]
    pub fn on(&self, cpus: usize) -> u32 {
        let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
        self.0.unwrap_or(EACH.saturating_mul(cpus).min(MOST))
    }
}

impl<const EACH: u32, const MOST: u32> Value for PerCpu<EACH, MOST> {
    type Fixed = ();

    fn of((): Self::Fixed) -> Self {
        Self(None)
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        auto_or(written, 1..=MOST).map(Self)
    }

    fn show(&self) -> toml::Value {
        show_auto(self.0)
    }
}

/// A number from `LOW` to `HIGH` that somebody wrote, or `auto`: whatever else decides it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Auto<const LOW: u32, const HIGH: u32>(pub Option<u32>);

impl<const LOW: u32, const HIGH: u32> Auto<LOW, HIGH> {
    /// What was written, or the number of whatever else decides it.
    #[must_use]
    pub fn or(&self, otherwise: u32) -> u32 {
        self.0.unwrap_or(otherwise)
    }
}

impl<const LOW: u32, const HIGH: u32> Value for Auto<LOW, HIGH> {
    type Fixed = ();

    fn of((): Self::Fixed) -> Self {
        Self(None)
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        auto_or(written, LOW..=HIGH).map(Self)
    }

    fn show(&self) -> toml::Value {
        show_auto(self.0)
    }
}

fn auto_or(written: &Written<'_>, range: RangeInclusive<u32>) -> Result<Option<u32>, String> {
    if written.text() == Some("auto") {
        return Ok(None);
    }
    let number = crate::range(u32::read(written), range);
    number
        .map(Some)
        .map_err(|rule| format!("{rule}, or `auto`"))
}

fn show_auto(number: Option<u32>) -> toml::Value {
    number.map_or_else(|| "auto".into(), toml::Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Value>(text: &str) -> Result<T, String> {
        T::read(&Written::Text(text))
    }

    #[test]
    fn what_depends_on_the_machine_is_told_by_it_or_written() {
        let auto: PerCpu<2, 64> = read("auto").unwrap();
        assert_eq!((auto.on(4), auto.on(100)), (8, 64));
        assert_eq!(read::<PerCpu<2, 64>>("3").unwrap().on(4), 3);
        assert!(read::<PerCpu<2, 64>>("0").is_err());
        let auto: Auto<10, 60> = read("auto").unwrap();
        assert_eq!((auto.or(20), auto.show()), (20, "auto".into()));
        assert_eq!(read::<Auto<10, 60>>("30").unwrap().or(20), 30);
        let rule = read::<Auto<10, 60>>("9").unwrap_err();
        assert_eq!(rule, "it must be a number from 10 to 60, or `auto`");
    }
}
