//! What is asked of a template: for which environment, processor and kind of package.

use std::fmt;
use std::str::FromStr;

use crate::limits::ENVIRONMENT_BYTES_MAX;

/// What a template is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The environment, which every name ends with.
    pub environment: Environment,
    /// The processor.
    pub architecture: Architecture,
    /// What functions run.
    pub package: Package,
}

/// The name of an environment: lowercase letters, digits and hyphens, with a letter first and no hyphen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment(String);

impl Environment {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no name of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It is empty or too long.
    Length(usize),
    /// It has a character that names of buckets cannot have.
    Character(char),
    /// It begins with something else than a letter, or ends with a hyphen.
    Ends(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(0) => write!(f, "the environment has no name; take one such as dev"),
            Self::Length(bytes) => write!(
                f,
                "the name of the environment has {bytes} characters, and names of buckets and roles have room for \
                 {ENVIRONMENT_BYTES_MAX}; take a shorter one"
            ),
            Self::Character(c) => write!(
                f,
                "the name of the environment has `{}`, which names of buckets cannot have; take lowercase letters, \
                 digits and hyphens",
                c.escape_debug()
            ),
            Self::Ends(name) => {
                write!(f, "environment `{name}` must begin with a letter and not end with a hyphen")
            }
        }
    }
}

impl std::error::Error for Error {}

impl FromStr for Environment {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let count = name.chars().count();
        if count == 0 || count > ENVIRONMENT_BYTES_MAX {
            return Err(Error::Length(count));
        }
        let is_good = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
        if let Some(c) = name.chars().find(|c| !is_good(c)) {
            return Err(Error::Character(c));
        }
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.ends_with('-') {
            return Err(Error::Ends(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

/// The processor that functions run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Architecture {
    /// ARM, which costs less.
    #[default]
    Arm64,
    /// Intel and AMD.
    X86,
}

impl Architecture {
    /// Its name in a template.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }
}

/// What functions run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Package {
    /// The file `bootstrap` in a zip in a bucket.
    #[default]
    Zip,
    /// An image of a container.
    Image,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_environments() {
        let longest = "a".repeat(ENVIRONMENT_BYTES_MAX);
        for good in ["dev", "pr-17", "a", "x9", &longest] {
            assert_eq!(good.parse::<Environment>().map(|name| name.as_str().to_owned()), Ok(good.to_owned()));
        }
        let too_long = format!("{longest}a");
        for (bad, error) in [
            ("", Error::Length(0)),
            (&too_long, Error::Length(ENVIRONMENT_BYTES_MAX + 1)),
            ("Dev", Error::Character('D')),
            ("a_b", Error::Character('_')),
            ("dév", Error::Character('é')),
            ("9a", Error::Ends("9a".to_owned())),
            ("a-", Error::Ends("a-".to_owned())),
            ("-", Error::Ends("-".to_owned())),
        ] {
            assert_eq!(bad.parse::<Environment>(), Err(error), "{bad:?}");
        }
    }
}
