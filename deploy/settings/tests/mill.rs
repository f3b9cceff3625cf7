//! The settings of a mill.

use settings::{Environment, Manner, Read};

const MANNER: Manner = Manner {
    program: "mill",
    prefix: "MILL_",
    ..Manner::PLAIN
};

settings::settings! {
    /// What stands in `mill.toml`.
    pub struct Raw: MANNER {
        "wheel" wheel: RawWheel {
            /// Turns a minute.
            speed: u32 = 12, in 1..=60, named ["MM_WHEEL_SPEED"];
            /// Which way it turns.
            direction: String = "left", of ["left", "right"];
        }
    }
}

#[test]
fn a_mill_turns_as_it_is_told() {
    let environment = Environment::from_iter([("MILL_WHEEL_SPEED", "20")]);
    let read = Read::<Raw>::text("wheel.direction = \"up\"", &environment).unwrap();
    assert_eq!(read.raw.wheel.speed, 20);
    assert_eq!(
        read.check().done(()).unwrap_err().0[0].to_string(),
        "`wheel.direction` is `up`: it must be `left` or `right`",
    );
}
