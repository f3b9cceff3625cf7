//! What is read from where, and what is told.

use super::*;
use crate::{Manner, Other, sample};

const MANNER: Manner = Manner {
    program: "mill",
    prefix: "MILL_",
    ours: "MILL_",
    theirs: "MM_",
    others: &[Other {
        name: "PROFILES",
        doc: "Without effect.",
        is_idle: true,
    }],
    ..Manner::PLAIN
};

fn no_tiles(names: &[String]) -> Result<(), String> {
    if names.iter().any(|name| name == "tile") {
        return Err("a mill grinds no tiles".to_owned());
    }
    Ok(())
}

crate::settings! {
    pub(super) struct Raw: MANNER {
        "mill" mill: RawMill {
            /// Name on the
            /// door.
            site_name: String = "Mill";
            /// Takes part.
            is_open: bool = false;
        }
        "mill.wheel" wheel: RawWheel {
            /// Turns a minute.
            speed: u16 = 12, in 1..=60, named ["OLD_SPEED", "MM_SPEED"];
            /// Opens the door.
            door_key: proto::redact::Secret = "";
            /// What it grinds.
            grinds: Vec<String> = &["rye", "oats"], if no_tiles;
        }
    }
}

fn read(text: &str, environment: &[(&str, &str)]) -> Read<Raw> {
    let environment = environment.iter().copied().collect();
    Read::text(text, &environment).unwrap()
}

fn problems(read: &Read<Raw>) -> Vec<String> {
    read.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_environment_weighs_more_than_the_file_and_the_own_name_most() {
    let file = "[Mill.Wheel]\nSpeed = 13\n";
    let mut all = read(
        file,
        &[
            ("MM_SPEED", "15"),
            ("MILL_MILL_WHEEL_SPEED", "16"),
            ("OLD_SPEED", "14"),
        ],
    );
    assert_eq!(all.raw.wheel.speed, 16);
    assert_eq!(
        read(file, &[("MM_SPEED", "15"), ("OLD_SPEED", "14")])
            .raw
            .wheel
            .speed,
        15
    );
    let only_file = read(file, &[]);
    assert_eq!(
        (
            only_file.raw.wheel.speed,
            only_file.origin("mill.wheel.speed")
        ),
        (13, Origin::File)
    );
    all.suggest("mill.wheel.speed", "17");
    assert_eq!(all.raw.wheel.speed, 16);
    all.overrule("mill.wheel.speed", "18");
    assert_eq!(
        (all.raw.wheel.speed, all.origin("mill.wheel.speed")),
        (18, Origin::Flag)
    );
}

#[test]
fn everything_that_is_wrong_is_told_and_the_rest_is_read() {
    let file =
        "[mill]\nis_open = \"hot\"\nsite_name = \"Windmill\"\nwheel = 1\n[celar]\nwine = 1\n";
    assert_eq!(
        problems(&read(file, &[])),
        [
            "`celar.wine`: there is no such key",
            "`mill.is_open` is `hot`: it must be `true` or `false`",
            "`mill.wheel` is `integer`: it must be a table",
        ]
    );
    let file =
        "[mill.wheel]\nspeed = 300\nsped = 3\ndoor_key = 1234\ngrinds = [\"tile\"]\n[garden]\n";
    let environment = [
        ("MILL_MILL_SITE_NAME", "Windmill"),
        ("MM_SPEED", "fast"),
        ("MILL_MILL_WHEEL_SPED", "1"),
    ];
    let wrong = read(file, &environment);
    assert_eq!(wrong.raw.mill.site_name, "Windmill");
    assert_eq!(
        problems(&wrong),
        [
            "`garden`: there is no such key",
            "`mill.wheel.door_key` is `(not shown)`: it must be a text, in quotes",
            "`mill.wheel.grinds` is `[\"tile\"]`: a mill grinds no tiles",
            "`mill.wheel.sped`: there is no such key; did you mean `mill.wheel.speed`?",
            "`mill.wheel.speed` is `300`: it must be a number from 1 to 60",
            "`mill.wheel.speed` is `fast` (from MM_SPEED): it must be a number from 1 to 60",
            "`MILL_MILL_WHEEL_SPED`: there is no such name in the environment of mill; did you mean \
             `MILL_MILL_WHEEL_SPEED`?",
        ]
    );
    let mut check = wrong.check();
    check.refuse("mill.wheel.speed", "said already");
    check.refuse("mill.site_name", "it must be another");
    let told = check.done(()).unwrap_err();
    assert_eq!(told.0.len(), 8);
    assert!(
        told.to_string().ends_with(
            "\n- `mill.site_name` is `Windmill` (from MILL_MILL_SITE_NAME): it must be another"
        ),
        "{told}"
    );
}

#[test]
fn names_of_others_are_left_alone_or_told() {
    let names = [
        "HOME",
        "MILL_PORT",
        "MILL_SERVICE_HOST",
        "MILL_COLOUR",
        "MM_DEPTH_OF_THE_POND",
        "MM_SPED",
        "MMX_DEPTH",
    ];
    let environment: Vec<_> = names.into_iter().map(|name| (name, "x")).collect();
    let told = read("", &environment);
    assert!(told.problems.is_empty(), "{:?}", told.problems);
    assert_eq!(
        told.warnings,
        [
            "unknown environment name `MILL_COLOUR` ignored",
            "unknown environment name `MM_DEPTH_OF_THE_POND` ignored",
            "unknown environment name `MM_SPED` ignored; did you mean `MM_SPEED`?",
        ]
    );
    assert_eq!(read("", &[("PROFILES", "false")]).warnings, [""; 0]);
    assert_eq!(
        read("", &[("PROFILES", "1")]).warnings,
        ["PROFILES is set: Without effect."]
    );
}

#[test]
fn another_default_weighs_less_than_anything_written() {
    let mut nothing = read("", &[]);
    nothing.suggest("mill.wheel.speed", "20");
    assert_eq!(nothing.raw.wheel.speed, 20);
    for (file, problems) in [("mill.wheel.speed = 15", 0), ("mill.wheel.speed = 99", 1)] {
        let mut written = read(file, &[]);
        written.suggest("mill.wheel.speed", "20");
        assert_ne!(written.raw.wheel.speed, 20, "{file}");
        assert_eq!(written.problems.len(), problems, "{file}");
    }
}

#[test]
fn what_holds_is_printed_with_its_origin_and_can_be_read_again() {
    let file = "[mill.wheel]\ndoor_key = \"hush\"\n";
    let printed = read(file, &[("MM_SPEED", "15")]).print();
    assert_eq!(
        printed,
        "[mill]\nsite_name = \"Mill\" # default\nis_open = false # default\n\n[mill.wheel]\n\
         speed = 15 # environment: MM_SPEED\ndoor_key = \"(set)\" # file\n\
         grinds = [\"rye\", \"oats\"] # default\n"
    );
    assert_eq!(read(&printed, &[]).raw.wheel.speed, 15);
}

#[test]
fn the_sample_explains_every_key() {
    let sample = sample::<Raw>();
    assert!(
        sample.contains(
            "\n[mill]\n# Name on the door. [MILL_MILL_SITE_NAME]\n# site_name = \"Mill\"\n"
        ),
        "{sample}"
    );
    assert!(
        sample.contains(
            "\n# Turns a minute. [OLD_SPEED, MM_SPEED, MILL_MILL_WHEEL_SPEED]\n# speed = 12\n"
        ),
        "{sample}"
    );
    assert!(
        sample.ends_with("\n# In the environment only:\n# PROFILES: Without effect.\n"),
        "{sample}"
    );
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_told() {
    let folder = std::env::temp_dir();
    let missing = folder.join("no-such-file.toml");
    let none = Environment::default();
    assert_eq!(
        Read::<Raw>::file(Some(&missing), true, &none)
            .unwrap()
            .warnings
            .len(),
        1
    );
    assert!(matches!(
        Read::<Raw>::file(Some(&missing), false, &none),
        Err(FileError::Unreadable { .. })
    ));
    assert!(matches!(
        Read::<Raw>::text("no toml", &none),
        Err(FileError::NotToml(_))
    ));
    assert!(Read::<Raw>::file(None, false, &none).is_ok());
}
