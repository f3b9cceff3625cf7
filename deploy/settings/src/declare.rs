//! What a program's settings are: the one place where a key is written down.

use crate::Written;

/// One key of the settings `S`.
#[derive(Debug, Clone, Copy)]
pub struct Key<S: 'static> {
    /// Dotted path in the file; read without regard to case.
    pub path: &'static str,
    /// Names of the reference in the environment; a later one weighs more, our own name most.
    pub aliases: &'static [&'static str],
    /// The operator's manual.
    pub doc: &'static str,
    /// What is written may hold a secret: it is not repeated when it cannot be read.
    pub is_secret: bool,
    /// A yes or no: as a flag of the command line it needs no value.
    pub is_flag: bool,
    /// Reads and checks one value.
    pub take: fn(&mut S, &Written<'_>) -> Result<(), String>,
    /// The value in force, secrets hidden.
    pub show: fn(&S) -> toml::Value,
}

impl<S> Key<S> {
    /// The path of the table and the name in it.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }

    /// The value in force as text for people.
    pub(crate) fn text(&self, settings: &S) -> String {
        crate::value::plain(&(self.show)(settings))
    }
}

impl<S: Settings> Key<S> {
    /// Every name in the environment, the one that weighs most last.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let words: Vec<String> = self
            .path
            .split('.')
            .map(|word| match S::MANNER.spelling {
                Spelling::Apart => word.to_ascii_uppercase(),
                Spelling::Joined => word.replace('_', "").to_ascii_uppercase(),
            })
            .collect();
        let own = format!("{}{}", S::MANNER.prefix, words.join("_"));
        let aliases = self.aliases.iter().map(|name| (*name).to_owned());
        aliases.chain([own]).collect()
    }
}

/// How words of a path are written in a name of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `http.site_url` is `HTTP_SITE_URL`.
    Apart,
    /// `http.site_url` is `HTTP_SITEURL`, as in the reference's Go services.
    Joined,
}

/// What is the same for all keys of a program.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub program: &'static str,
    /// Stands before every name in the environment.
    pub prefix: &'static str,
    /// How names begin that are nobody else's: one that is nearly a known one is refused.
    pub ours: &'static str,
    pub spelling: Spelling,
    /// A name that is set to nothing counts as not set.
    pub empty_is_unset: bool,
    /// A key that resembles none is passed over with a warning, as the reference does. Else, and
    /// whenever it resembles one, it is refused.
    pub passes_unknown_keys: bool,
    /// A name that begins with [`Self::ours`] and is none is refused, whether or not it resembles one.
    pub refuses_unknown_names: bool,
    /// How the names of the reference begin that are meant for this program only: who sets one that
    /// is not read is told, whether or not it resembles one. Empty: there are none.
    pub theirs: &'static str,
    /// Names in the environment that are no keys.
    pub others: &'static [Other],
}

impl Manner {
    /// The usual ones.
    pub const PLAIN: Self = Self {
        program: "",
        prefix: "",
        ours: "",
        spelling: Spelling::Apart,
        empty_is_unset: false,
        passes_unknown_keys: false,
        refuses_unknown_names: false,
        theirs: "",
        others: &[],
    };
}

/// A name in the environment that is no key.
#[derive(Debug, Clone, Copy)]
pub struct Other {
    pub name: &'static str,
    pub doc: &'static str,
    /// It has no effect here: who sets it is told.
    pub is_idle: bool,
}

/// Settings made by [`settings!`](crate::settings).
pub trait Settings: Default + 'static {
    const MANNER: Manner;

    /// All keys, tables together, in the order of the sample file.
    fn keys() -> &'static [Key<Self>];

    /// Finds a key by its path.
    #[must_use]
    fn key(path: &str) -> Option<&'static Key<Self>> {
        Self::keys().iter().find(|key| key.path == path)
    }
}

/// Declares settings: `"path" field: Table { key: Type = default, RULES; }`.
///
/// Rules, in this order, each at most once: `in LOW..=HIGH`, `of ["one", "another"]`,
/// `if FUNCTION` (`fn(&Type) -> Result<(), String>`, the rule in words), `named ["NAME_OF_THE_REFERENCE"]`.
/// The doc comment of a key is its manual.
#[macro_export]
macro_rules! settings {
    (@aliases) => { &[] };
    (@aliases $aliases:expr) => { &$aliases };
    (
        $(#[doc = $about:literal])*
        $vis:vis struct $Raw:ident: $manner:path {
            $($path:literal $table:ident: $Table:ident {
                $(
                    $(#[doc = $doc:literal])+
                    $key:ident: $ty:ty = $default:expr
                    $(, in $range:expr)? $(, of $choice:expr)? $(, if $passes:expr)?
                    $(, named $aliases:expr)?;
                )+
            })+
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Default)]
        $vis struct $Raw {
            $(
                #[doc = concat!("The table `", $path, "`.")]
                $vis $table: $Table,
            )+
        }

        $(
            #[doc = concat!("The table `", $path, "`.")]
            #[derive(Debug, Clone)]
            $vis struct $Table {
                $($(#[doc = $doc])+ $vis $key: $ty,)+
            }

            impl Default for $Table {
                fn default() -> Self {
                    Self { $($key: <$ty as $crate::Value>::of($default),)+ }
                }
            }
        )+

        impl $crate::Settings for $Raw {
            const MANNER: $crate::Manner = $manner;

            fn keys() -> &'static [$crate::Key<Self>] {
                const KEYS: &[$crate::Key<$Raw>] = &[$($(
                    $crate::Key {
                        path: concat!($path, ".", stringify!($key)),
                        aliases: $crate::settings!(@aliases $($aliases)?),
                        doc: concat!($($doc),+),
                        is_secret: <$ty as $crate::Value>::IS_SECRET,
                        is_flag: <$ty as $crate::Value>::IS_FLAG,
                        take: |settings, written| {
                            let value = <$ty as $crate::Value>::read(written);
                            $(let value = $crate::range(value, $range);)?
                            $(let value = $crate::words_of(value, &$choice);)?
                            let value = value?;
                            $($passes(&value)?;)?
                            settings.$table.$key = value;
                            Ok(())
                        },
                        show: |settings| $crate::Value::show(&settings.$table.$key),
                    },
                )+)+];
                KEYS
            }
        }
    };
}
