//! Which passwords are good enough. No rule about what must be in a long one: length is what counts.

use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::names::normal;

/// Which passwords are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// At least 8 characters, not common, without the person's own names, and not of one kind of character if short.
    #[default]
    Strict,
    /// At least 8 characters.
    Basic,
}

impl FromStr for Policy {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match name {
            "strict" => Ok(Policy::Strict),
            "basic" => Ok(Policy::Basic),
            _ => anyhow::bail!("a password policy is strict or basic, not {name:?}"),
        }
    }
}

/// Why a password is not accepted. `Display` says it to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weakness {
    /// Fewer than 8 characters.
    TooShort,
    /// More than 1024 bytes: hashing time must not depend on what strangers send.
    TooLong,
    /// Everybody's first guess.
    Common,
    /// It contains a name of its person.
    ContainsName,
    /// Fewer than 15 characters and all of one kind, or very few different ones.
    TooSimple,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weakness::TooShort => "a password has at least 8 characters",
            Weakness::TooLong => "a password has at most 1024 bytes",
            Weakness::Common => "this is one of the passwords that are guessed first",
            Weakness::ContainsName => "a password does not contain your username or e-mail address",
            Weakness::TooSimple => "mix letters, digits and signs, or use 15 characters or more",
        })
    }
}

const MIN_CHARS: usize = 8;
const LONG_CHARS: usize = 15;
const MAX_BYTES: usize = 1024;
/// Shorter parts of names occur in good passwords by chance.
const MIN_NAME_CHARS: usize = 4;

impl Policy {
    /// Everything that speaks against `password` for the person with these names; nothing means it is accepted.
    pub fn judge(self, password: &str, names: &[String]) -> Vec<Weakness> {
        if password.len() > MAX_BYTES {
            return vec![Weakness::TooLong];
        }
        let chars = password.chars().count();
        let strict = self == Policy::Strict;
        let normal = normal(password);
        let checks = [
            (chars < MIN_CHARS, Weakness::TooShort),
            (strict && is_common(&normal), Weakness::Common),
            (strict && names.iter().any(|name| contains_name(&normal, name)), Weakness::ContainsName),
            (strict && is_simple(password, chars), Weakness::TooSimple),
        ];
        checks.into_iter().filter_map(|(found, weakness)| found.then_some(weakness)).collect()
    }
}

/// The list as it is, and with what people put around a word to satisfy rules: `Password123!`, `2024dragon`.
fn is_common(normal: &str) -> bool {
    static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());
    let core = normal.trim_matches(|c: char| !c.is_alphabetic());
    let plain: String = core.chars().map(unleet).collect();
    let known = |word: &str| COMMON.contains(word);
    let bare: String = normal.chars().filter(|c| c.is_alphanumeric()).collect();
    known(normal) || known(&bare) || (normal.chars().count() < LONG_CHARS && (known(core) || known(&plain)))
}

fn unleet(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// The whole name, or the local part of an address.
fn contains_name(normal: &str, name: &str) -> bool {
    let local = name.rsplit_once('@').map_or(name, |(local, _)| local);
    [name, local].iter().any(|part| part.chars().count() >= MIN_NAME_CHARS && normal.contains(part))
}

fn is_simple(password: &str, chars: usize) -> bool {
    let different = password.chars().collect::<HashSet<_>>().len();
    if different < 4 {
        return true;
    }
    let kind = |c: char| match c {
        c if c.is_lowercase() => 0,
        c if c.is_uppercase() => 1,
        c if c.is_numeric() => 2,
        c if c.is_alphabetic() => 3,
        _ => 4,
    };
    chars < LONG_CHARS && password.chars().map(kind).collect::<HashSet<_>>().len() == 1
}

#[cfg(test)]
mod tests {
    use super::Weakness::*;
    use super::*;

    fn strict(password: &str) -> Vec<Weakness> {
        Policy::Strict.judge(password, &["ada.lovelace".into(), "countess@example.org".into(), "bob".into()])
    }

    #[test]
    fn strict_accepts_what_is_hard_to_guess() {
        for good in ["correct horse battery", "tr4il-M1x-9", "Zwölf Boxkämpfer", "xkqjzvwpmrtyplus", "bobbing-42-Corks"]
        {
            assert_eq!(strict(good), [], "{good}");
        }
    }

    #[test]
    fn strict_refuses_what_is_guessed_first() {
        for common in ["password", "Password123!", "P@ssw0rd", "qwertyuiop", "letmein2024", "ILOVEYOU", "ｐassword"] {
            assert!(strict(common).contains(&Common), "{common}");
        }
    }

    #[test]
    fn strict_refuses_own_names() {
        assert_eq!(strict("Ada.Lovelace-1815"), [ContainsName]);
        assert_eq!(strict("my-countess-7"), [ContainsName]);
    }

    #[test]
    fn strict_refuses_short_ones_of_one_kind() {
        assert_eq!(strict("83726154"), [TooSimple]);
        assert_eq!(strict("zkvqmwpj"), [TooSimple]);
        assert_eq!(strict("aBaBaBaBaBaBaBaB"), [TooSimple]);
    }

    #[test]
    fn basic_counts_characters_only() {
        assert_eq!(Policy::Basic.judge("password", &["password".into()]), []);
        assert_eq!(Policy::Basic.judge("pässwör", &[]), [TooShort]);
    }

    #[test]
    fn nothing_is_longer_than_it_may_be() {
        assert_eq!(Policy::Basic.judge(&"x".repeat(1025), &[]), [TooLong]);
        assert_eq!(Policy::Basic.judge(&"x".repeat(1024), &[]), []);
    }
}
