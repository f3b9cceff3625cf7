//! Fonts: what is installed, what is part of the program, and which of them has a letter.
//!
//! In: folders, and letters as people see them (grapheme clusters). Out: a face that has all of it.
//! Files are listed once, opened when a letter is looked for in them, and mapped, not read: of a
//! font of 20 MB only the pages of the letters shown come into memory.
//! Invariant: the same files give the same choice; the fonts in the program are always there, so a
//! text can be drawn on a machine without fonts (scripts they lack as their empty box).
//!
//! The fonts in the program are Ubuntu Light (Ubuntu Font Licence 1.0) and Noto Emoji (OFL 1.1).

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use harfrust::{FontRef, ShaperData};
use memmap2::Mmap;

/// Where systems keep fonts; the second is Debian's for one that others build upon.
const FOLDERS: [&str; 3] = [
    "/usr/share/fonts",
    "/usr/share/fonts-droid-fallback",
    "/usr/local/share/fonts",
];
/// Font files that are looked at; a machine of a print shop has thousands.
const MOST_FILES: usize = 2_000;
/// Folders within folders.
const DEEPEST: usize = 6;
/// Letters whose face is remembered.
const MOST_KNOWN: usize = 4_096;
/// Parts of file names that say: not for text among other text.
const ODD: [&str; 12] = [
    "Bold",
    "Italic",
    "Oblique",
    "Light",
    "Thin",
    "Black",
    "Medium",
    "Condensed",
    "Mono",
    "Serif",
    "Display",
    "Math",
];

/// Names a face among the fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaceId(usize);

/// All faces that can be used, the preferred ones first.
#[derive(Debug)]
pub struct Fonts {
    faces: Vec<Face>,
    known: BTreeMap<String, FaceId>,
}

/// One font.
pub struct Face {
    source: Source,
    rank: u8,
    opened: OnceCell<Option<Opened>>,
}

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Face({:?})", self.source)
    }
}

enum Source {
    Program(&'static str, &'static [u8]),
    File(PathBuf),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program(name, _) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

struct Opened {
    data: Data,
    shaping: OnceCell<Option<ShaperData>>,
}

enum Data {
    Program(&'static [u8]),
    Mapped(Mmap),
}

impl Data {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Program(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

impl Fonts {
    /// Lists the fonts of the machine, those of `folder` first. None is opened yet.
    #[must_use]
    pub fn installed(folder: Option<&Path>) -> Self {
        let system = FOLDERS.iter().map(|folder| (1, Path::new(folder)));
        let folders = folder.map(|folder| (0, folder)).into_iter().chain(system);
        let mut files = Vec::new();
        for (order, folder) in folders {
            let mut found = Vec::new();
            list(folder, DEEPEST, &mut found);
            files.extend(found.into_iter().map(|path| (order, path)));
        }
        files.truncate(MOST_FILES);
        files.sort();
        let faces = files.into_iter().map(|(order, path)| Face {
            rank: order * 20 + rank(&stem(&path)),
            source: Source::File(path),
            opened: OnceCell::new(),
        });
        Self::of(faces.collect())
    }

    /// Only what is part of the program.
    #[must_use]
    pub fn in_the_program() -> Self {
        Self::of(Vec::new())
    }

    /// Whether some face has all of a letter.
    #[must_use]
    pub fn have(&self, letter: &str) -> bool {
        self.find(letter).is_some()
    }

    fn of(mut faces: Vec<Face>) -> Self {
        let ours = [
            ("Ubuntu-Light", 21, epaint_default_fonts::UBUNTU_LIGHT),
            ("NotoEmoji", 50, epaint_default_fonts::NOTO_EMOJI_REGULAR),
        ];
        faces.extend(ours.map(|(name, rank, bytes)| Face {
            source: Source::Program(name, bytes),
            rank,
            opened: OnceCell::new(),
        }));
        // Stable: files of one rank stay in the order of their names.
        faces.sort_by_key(|face| face.rank);
        Self {
            faces,
            known: BTreeMap::new(),
        }
    }

    /// The face to show a letter with: the first that has all of it, else the program's own.
    pub fn face_for(&mut self, letter: &str) -> FaceId {
        if let Some(known) = self.known.get(letter) {
            return *known;
        }
        let found = self.find(letter).unwrap_or_else(|| self.ours());
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(letter.to_owned(), found);
        found
    }

    fn find(&self, letter: &str) -> Option<FaceId> {
        let emoji = is_emoji(letter);
        let mut order: Vec<usize> = (0..self.faces.len()).collect();
        if emoji {
            order.sort_by_key(|index| !self.faces.get(*index).is_some_and(Face::is_of_emoji));
        }
        let has = |index: &usize| self.faces.get(*index).is_some_and(|face| face.has(letter));
        order.into_iter().find(has).map(FaceId)
    }

    fn ours(&self) -> FaceId {
        let ours = |face: &Face| matches!(face.source, Source::Program(..));
        FaceId(self.faces.iter().position(ours).unwrap_or(0))
    }

    /// The face of that name, if it can be opened.
    #[must_use]
    pub fn face(&self, id: FaceId) -> Option<Shapes<'_>> {
        self.faces.get(id.0)?.shapes()
    }
}

/// An opened face.
pub struct Shapes<'a> {
    /// Outlines, bitmaps, measures.
    pub glyphs: ttf_parser::Face<'a>,
    /// The same font for the shaper.
    pub font: FontRef<'a>,
    pub shaping: &'a ShaperData,
}

impl std::fmt::Debug for Shapes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shapes")
    }
}

impl Face {
    fn is_of_emoji(&self) -> bool {
        match &self.source {
            Source::Program(name, _) => name.contains("Emoji"),
            Source::File(path) => stem(path).contains("Emoji"),
        }
    }

    fn opened(&self) -> Option<&Opened> {
        self.opened.get_or_init(|| self.open()).as_ref()
    }

    fn open(&self) -> Option<Opened> {
        let data = match &self.source {
            Source::Program(_, bytes) => Data::Program(bytes),
            Source::File(path) => match File::open(path).and_then(|file| map(&file)) {
                Ok(map) => Data::Mapped(map),
                Err(error) => {
                    tracing::debug!(path = %path.display(), %error, "a font cannot be opened");
                    return None;
                }
            },
        };
        // A file that is no font after all is one that has no letter.
        ttf_parser::Face::parse(data.bytes(), 0).ok()?;
        Some(Opened {
            data,
            shaping: OnceCell::new(),
        })
    }

    fn has(&self, letter: &str) -> bool {
        let Some(face) = self
            .opened()
            .and_then(|opened| ttf_parser::Face::parse(opened.data.bytes(), 0).ok())
        else {
            return false;
        };
        letter
            .chars()
            .filter(|c| !is_silent(*c))
            .all(|c| face.glyph_index(c).is_some_and(|glyph| glyph.0 != 0))
    }

    fn shapes(&self) -> Option<Shapes<'_>> {
        let opened = self.opened()?;
        let bytes = opened.data.bytes();
        let shaping = opened.shaping.get_or_init(|| {
            let font = FontRef::from_index(bytes, 0).ok()?;
            Some(ShaperData::new(&font))
        });
        Some(Shapes {
            glyphs: ttf_parser::Face::parse(bytes, 0).ok()?,
            font: FontRef::from_index(bytes, 0).ok()?,
            shaping: shaping.as_ref()?,
        })
    }
}

#[expect(
    unsafe_code,
    reason = "a mapped file may change; reading megabytes of each font is the alternative"
)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only. Package managers put a new file in the place of an old one, whose
    // pages stay as they were. Whoever shortens a font in place ends this worker with a signal, and
    // the service starts the next.
    unsafe { Mmap::map(file) }
}

/// Collects the font files below a folder, in the order of their names.
fn list(folder: &Path, deep: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if deep > 0 {
                list(&path, deep - 1, found);
            }
        } else if path
            .extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| {
                ["ttf", "otf", "ttc", "otc"].contains(&ending.to_ascii_lowercase().as_str())
            })
        {
            found.push(path);
        }
    }
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or_default().to_owned()
}

/// Lower is preferred: the family that has every script in one hand, then what has Han, then others;
/// the fonts in the program are 21 and 50, the files of the system begin with 20.
fn rank(stem: &str) -> u8 {
    let odd = ODD.iter().any(|part| stem.contains(part));
    match stem {
        "NotoSans-Regular" | "NotoSans" => 0,
        _ if stem.contains("Emoji") => 9,
        _ if odd => 8,
        _ if stem.starts_with("NotoSans") && !stem.contains("Symbols") => 2,
        _ if stem.starts_with("DroidSansFallback") => 3,
        _ => 5,
    }
}

/// Signs that show nothing of their own, or that a shaper may leave out.
fn is_silent(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a letter is to be shown as an emoji is.
fn is_emoji(letter: &str) -> bool {
    letter
        .chars()
        .any(|c| matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{fe0f}' | '\u{20e3}'))
        || letter.starts_with(|c: char| {
            matches!(
                c,
                '\u{231a}' | '\u{231b}' | '\u{23e9}'
                    ..='\u{23f3}'
                        | '\u{26a1}'
                        | '\u{2705}'
                        | '\u{270a}'
                        | '\u{270b}'
                        | '\u{2728}'
                        | '\u{274c}'
                        | '\u{2753}'
                        | '\u{2b50}'
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_fonts_shows_latin_cyrillic_greek_and_emoji() {
        let mut fonts = Fonts::in_the_program();
        for letter in ["a", "é", "Ж", "λ", "\u{1f600}", "✋"] {
            let id = fonts.face_for(letter);
            assert!(fonts.faces[id.0].has(letter), "{letter}");
        }
        let first = fonts.face_for("a");
        assert_eq!(fonts.face_for("山"), first, "a box, of the first face");
    }

    #[test]
    fn names_of_files_decide_which_is_looked_at_first() {
        let mut stems = [
            "FreeSans",
            "NotoColorEmoji",
            "NotoSansThai-Bold",
            "NotoSans-Regular",
            "NotoSansThai-Regular",
            "DroidSansFallback",
            "NotoSansMono-Regular",
        ];
        stems.sort_by_key(|stem| rank(stem));
        let expected = [
            "NotoSans-Regular",
            "NotoSansThai-Regular",
            "DroidSansFallback",
            "FreeSans",
            "NotoSansThai-Bold",
            "NotoSansMono-Regular",
            "NotoColorEmoji",
        ];
        assert_eq!(stems, expected);
    }

    #[test]
    fn a_file_that_is_no_font_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("NotoSans-Regular.ttf"), b"no font").unwrap();
        std::fs::write(folder.path().join("empty.otf"), b"").unwrap();
        std::fs::write(folder.path().join("note.txt"), b"").unwrap();
        let mut fonts = Fonts::installed(Some(folder.path()));
        let id = fonts.face_for("a");
        assert!(fonts.face(id).is_some());
        assert!(fonts.faces[id.0].has("a"));
    }
}
