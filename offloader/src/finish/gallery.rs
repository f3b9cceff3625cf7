//! Pictures of calls as they happen to be, drawn and looked at: names of many scripts, few and many
//! people, with and without a screen, and names that mean harm.
//!
//! `PICTURE_FONTSDIR` names a folder of fonts, as the setting does. `cargo test -p offloader gallery
//! -- --ignored` writes the pictures as files into `target/gallery`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use unicode_segmentation::UnicodeSegmentation;

use super::brush::{Brush, HAND, RAISED, SPEAKING, STAGE};
use super::canvas::{Area, Canvas};
use super::card::{Measure, Piece, Placed, Scene, Seen};
use super::faces;
use super::font::Fonts;
use super::name::{initials, tidy};
use super::plan::Person;
use super::text::{Letters, Room};

/// Names of eleven scripts; the first four can be shown without any font installed.
const NAMES: [(&str, &str); 11] = [
    ("Latin", "Zoë Krüger-Łukasiewicz"),
    ("Cyrillic", "Жанна Щербакова"),
    ("Greek", "Ἀλέξανδρος Παπαδόπουλος"),
    ("emoji", "Nina 👩🏽\u{200d}🚀 🇺🇦"),
    ("Arabic", "محمد عبد الرحمن"),
    ("Hebrew", "שָׂרָה בן־דוד"),
    ("Devanagari", "श्रीकृष्ण त्रिपाठी"),
    ("Thai", "ณัฐวุฒิ ศรีสุข"),
    ("Chinese", "欧阳晓明"),
    ("Japanese", "さくら 山田ユキ"),
    ("Korean", "김민준"),
];
const SIZE: (u32, u32) = (1280, 720);

fn folder_of_fonts() -> Option<PathBuf> {
    std::env::var_os("PICTURE_FONTSDIR").map(PathBuf::from)
}

fn fonts() -> Fonts {
    Fonts::installed(folder_of_fonts().as_deref())
}

fn brush(size: (u32, u32), folder: &Path) -> Brush {
    Brush::new(Measure::of(size.0, size.1), Letters::new(fonts()), folder)
}

/// As different as ids are.
fn id(n: usize) -> String {
    format!("{:x}", (n + 1) * 2_654_435_761)
}

fn seen(n: usize, name: &str) -> Seen {
    Seen {
        person: Person {
            id: id(n),
            name: name.to_owned(),
            muted: !n.is_multiple_of(3),
            hand_up: n % 7 == 4,
        },
        speaks: n % 9 == 3,
    }
}

fn people(count: usize) -> Vec<Seen> {
    let more = [
        "Anna Lindqvist",
        "Maximilian Freiherr von und zu Hohenstein-Waldburg",
        "Ben",
        "Priya Raghunathan",
    ];
    let names = NAMES.iter().map(|(_, name)| *name).chain(more).cycle();
    names
        .take(count)
        .enumerate()
        .map(|(n, name)| seen(n, name))
        .collect()
}

fn scene(count: usize) -> Scene {
    let measure = Measure::of(SIZE.0, SIZE.1);
    let tiles = if count > measure.most_tiles() {
        measure.most_tiles() - 1
    } else {
        count
    };
    Scene {
        title: "Produktrat Ω 東京".to_owned(),
        clock: "2026-11-28 14:03:22 UTC+01:00".to_owned(),
        count,
        people: people(count).into_iter().take(tiles).collect(),
        sharer: None,
    }
}

fn shared(count: usize) -> Scene {
    Scene {
        people: people(count),
        sharer: Some("Maximilian Freiherr von und zu Hohenstein-Waldburg".to_owned()),
        ..scene(count)
    }
}

fn drawn(scene: &Scene) -> (Canvas, Vec<Placed>) {
    let folder = tempfile::tempdir().unwrap();
    let mut brush = brush(SIZE, folder.path());
    let placed = scene.lay_out(Measure::of(SIZE.0, SIZE.1));
    brush.show(placed.clone());
    (brush.canvas().clone(), placed)
}

fn count(canvas: &Canvas, area: Area, wanted: impl Fn([u8; 3]) -> bool) -> usize {
    let rows = area.top..area.bottom();
    let pixels = rows.flat_map(|y| (area.left..area.right()).filter_map(move |x| canvas.at(x, y)));
    pixels.filter(|colour| wanted(colour.0)).count()
}

fn room(width: f32) -> Room {
    Room {
        width,
        lines: 2,
        size: 24.0,
        smallest: 16.0,
    }
}

#[test]
fn a_name_whose_letters_are_there_has_no_empty_box() {
    let mut letters = Letters::new(fonts());
    let complete = [
        "noto/NotoSans-Regular.ttf",
        "droid/DroidSansFallbackFull.ttf",
    ]
    .iter()
    .all(|file| Path::new("/usr/share/fonts/truetype").join(file).is_file())
        || folder_of_fonts().is_some();
    for (script, name) in NAMES {
        let there = name.graphemes(true).all(|letter| fonts().have(letter));
        assert!(there || !complete, "{script}: no font has all of {name}");
        let label = letters.set(name, room(600.0));
        assert!(label.width() > 40.0 && !label.cut, "{script}");
        assert_eq!(label.boxes() == 0, there, "{script}");
    }
    let mut bare = Letters::new(Fonts::in_the_program());
    for (script, name) in &NAMES[..2] {
        assert_eq!(bare.set(name, room(600.0)).boxes(), 0, "{script}");
    }
    assert!(bare.set("欧阳晓明", room(600.0)).boxes() > 0);
}

#[test]
fn a_name_is_whole_if_it_can_be_and_ends_at_a_letter_if_not() {
    let mut letters = Letters::new(fonts());
    let long = "Maximilian Freiherr von und zu Hohenstein-Waldburg";
    assert!(!letters.set(long, room(320.0)).cut, "on two lines");
    let tight = letters.set(long, room(120.0));
    assert!(tight.cut && tight.width() <= 120.0 && tight.height() < 45.0);
    for name in [
        "W".repeat(5_000),
        "欧".repeat(300),
        "👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(50),
    ] {
        let label = letters.set(&name, room(200.0));
        assert!(
            label.cut && label.width() <= 200.0,
            "{} for {name:.9}",
            label.width()
        );
    }
    assert_eq!(letters.set("", room(10.0)).width(), 0.0);
}

#[test]
fn directions_and_control_signs_of_a_name_stay_in_it() {
    assert_eq!(
        tidy("\u{202e}Anna\u{2066}\u{0}\u{7}\n  Lind\u{200f}qvist\u{2028}"),
        "Anna Lindqvist"
    );
    assert_eq!(
        tidy("علی\u{200c}رضا"),
        "علی\u{200c}رضا",
        "what parts letters in Persian"
    );
    let heaped = format!("a{}b", "\u{301}".repeat(900));
    assert!(tidy(&heaped).chars().count() <= 13);
    for (name, expected) in [
        ("Anna Maria Lindqvist", "AL"),
        ("zoë", "Z"),
        ("ben (guest)", "B"),
        ("", "?"),
        ("j.r.tolkien", "JT"),
        ("欧阳晓明", "欧"),
        ("Nina 👩🏽\u{200d}🚀 🇺🇦", "N"),
        ("👩🏽\u{200d}🚀", "👩🏽\u{200d}🚀"),
    ] {
        assert_eq!(initials(name), expected);
    }
}

#[test]
fn hostile_names_change_nothing_outside_their_tile() {
    let quiet = scene(9);
    let (before, placed) = drawn(&quiet);
    for name in [
        "",
        "\u{202e}\u{202e}evil",
        "\u{0}\u{1b}[31m\r\n\t",
        &"Z\u{351}\u{34d}\u{345}\u{301}\u{30b}".repeat(200),
        &"W".repeat(100_000),
        &"\u{fdfd}".repeat(99),
        "\u{1f468}\u{200d}\u{200d}\u{200d}",
        "\u{e0001}\u{10ffff}\u{d7ff}\u{e000}",
    ] {
        let mut hostile = quiet.clone();
        hostile.people[4].person.name = name.to_owned();
        let (after, _) = drawn(&hostile);
        let tile = placed
            .iter()
            .find(|p| matches!(&p.piece, Piece::Tile(s) if s.person.id == id(4)));
        let tile = tile.unwrap().area;
        let whole = before.whole();
        for y in 0..whole.height {
            for x in 0..whole.width {
                let inside = Area::new(x, y, 1, 1).and(tile).width == 1;
                assert!(
                    inside || before.at(x, y) == after.at(x, y),
                    "{name:.20} at {x} {y}"
                );
            }
        }
        assert_eq!(after.whole(), whole);
    }
}

#[test]
fn rings_and_hands_are_on_the_right_tiles() {
    let (canvas, placed) = drawn(&scene(24));
    let mut tiles = 0;
    for placed in &placed {
        let Piece::Tile(seen) = &placed.piece else {
            continue;
        };
        tiles += 1;
        let rings = count(&canvas, placed.area, |colour| colour == SPEAKING.0);
        let hands = count(&canvas, placed.area, |colour| colour == HAND.0);
        assert_eq!(rings > 400, seen.speaks, "{rings} at {}", seen.person.name);
        assert_eq!(
            hands > 60,
            seen.person.hand_up,
            "{hands} at {}",
            seen.person.name
        );
    }
    assert_eq!(tiles, 24);
}

#[test]
fn only_what_changed_is_drawn_and_comes_out_as_if_all_were() {
    let folder = tempfile::tempdir().unwrap();
    let mut brush = brush(SIZE, folder.path());
    let measure = Measure::of(SIZE.0, SIZE.1);
    let whole = brush.canvas().whole();
    let mut now = scene(10);
    assert_eq!(brush.show(now.lay_out(measure)), [whole]);
    assert!(brush.show(now.lay_out(measure)).is_empty());
    now.people[5].speaks = true;
    now.clock = "2026-11-28 14:03:23 UTC+01:00".to_owned();
    let fresh = brush.show(now.lay_out(measure));
    assert_eq!(fresh.len(), 2);
    assert!(brush.canvas().pixels() == drawn(&now).0.pixels());
    assert_eq!(brush.show(shared(10).lay_out(measure)), [whole]);
    assert!(brush.canvas().pixels() == drawn(&shared(10)).0.pixels());
    assert_eq!(brush.show(now.lay_out(measure)), [whole]);
    assert!(brush.canvas().pixels() == drawn(&now).0.pixels());
}

#[test]
fn a_screen_has_all_but_a_strip_that_names_who_speaks() {
    let (canvas, placed) = drawn(&shared(40));
    let rows = Measure::of(SIZE.0, SIZE.1).screen_rows();
    assert!(rows >= 670);
    let screen = Area::new(0, 0, 1280, rows);
    assert_eq!(count(&canvas, screen, |colour| colour != STAGE.0), 0);
    let strip = placed[0].area;
    assert!(count(&canvas, strip, |colour| colour == SPEAKING.0) > 150);
    let silent = Scene {
        people: Vec::new(),
        ..shared(40)
    };
    let (canvas, placed) = drawn(&silent);
    assert_eq!(
        count(&canvas, placed[0].area, |colour| colour == SPEAKING.0),
        0
    );
    assert!(count(&canvas, placed[0].area, |colour| colour[0] > 180) > 100);
}

#[test]
fn a_profile_picture_takes_the_place_of_initials() {
    let folder = tempfile::tempdir().unwrap();
    crate::ffmpeg::init();
    let red = png(64, 64, &[[220, 30, 30]; 64 * 64]);
    faces::keep(folder.path(), &id(0), &red).unwrap();
    faces::keep(folder.path(), &id(1), b"\x89PNG damaged").unwrap();
    let mut brush = brush(SIZE, folder.path());
    let placed = scene(2).lay_out(Measure::of(SIZE.0, SIZE.1));
    brush.show(placed.clone());
    let reds = |placed: &Placed| {
        count(brush.canvas(), placed.area, |[red, green, _]| {
            red > 200 && green < 60
        })
    };
    let tiles: Vec<_> = placed
        .iter()
        .filter(|p| matches!(p.piece, Piece::Tile(_)))
        .collect();
    assert!(reds(tiles[0]) > 5_000);
    assert_eq!(reds(tiles[1]), 0);
}

#[test]
fn pictures_of_any_size_can_be_drawn() {
    let folder = tempfile::tempdir().unwrap();
    for size in [(2, 2), (64, 48), (320, 180), (720, 1280), (1920, 1080)] {
        let mut brush = brush(size, folder.path());
        for scene in [scene(0), scene(3), scene(24), shared(3)] {
            brush.show(scene.lay_out(Measure::of(size.0, size.1)));
        }
        let whole = brush.canvas().whole();
        assert_eq!(
            count(brush.canvas(), whole, |_| true),
            (size.0 * size.1) as usize
        );
    }
}

/// Writes what there is to look at into `target/gallery`.
#[test]
#[ignore = "draws pictures for people to look at"]
fn gallery() {
    crate::ffmpeg::init();
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/gallery");
    fs::create_dir_all(&target).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let round = |n: u32| {
        let part = |n: u32| u8::try_from(n * 2 + 20).unwrap();
        [part(n % 96), part(n / 96), 150]
    };
    let pixels: Vec<_> = (0..96 * 96).map(round).collect();
    faces::keep(folder.path(), &id(2), &png(96, 96, &pixels)).unwrap();
    let scenes = [0, 1, 2, 9, 11, 40].map(|n| (format!("people-{n}"), scene(n)));
    let screens = [0, 1, 2, 9, 40].map(|n| (format!("screen-{n}"), shared(n)));
    for (name, scene) in scenes.into_iter().chain(screens) {
        let mut brush = brush(SIZE, folder.path());
        let begun = std::time::Instant::now();
        brush.show(scene.lay_out(Measure::of(SIZE.0, SIZE.1)));
        println!("{name}: {:?}", begun.elapsed());
        let mut pixels = brush.canvas().pixels().to_vec();
        if scene.sharer.is_some() {
            let rows = Measure::of(SIZE.0, SIZE.1).screen_rows().unsigned_abs() as usize;
            let width = rows * 16 / 9;
            for (n, pixel) in pixels.iter_mut().take(rows * 1280).enumerate() {
                let (x, y) = (n % 1280, n / 1280);
                let left = (1280 - width) / 2;
                *pixel = if !(left..left + width).contains(&x) {
                    [0; 3]
                } else if (x / 40 + y / 40) % 2 == 0 {
                    [245, 245, 240]
                } else {
                    RAISED.0.map(|part| part + 190)
                };
            }
        }
        fs::write(
            target.join(format!("{name}.png")),
            png(SIZE.0, SIZE.1, &pixels),
        )
        .unwrap();
    }
}

/// A picture as a PNG file.
fn png(width: u32, height: u32, pixels: &[[u8; 3]]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(data);
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        file.extend(kind);
        file.extend(data);
        file.extend(sum.sum().to_be_bytes());
    };
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 2, 0, 0, 0]);
    chunk(b"IHDR", &head);
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    for row in pixels.chunks(width as usize) {
        packed.write_all(&[0]).unwrap();
        packed.write_all(row.as_flattened()).unwrap();
    }
    chunk(b"IDAT", &packed.finish().unwrap());
    chunk(b"IEND", &[]);
    file
}
