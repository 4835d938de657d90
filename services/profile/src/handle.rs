//! Handles: the word in `/u/<handle>`. Lower-case ASCII, so that one handle has one address and no look-alikes.

use unicode_normalization::UnicodeNormalization;

/// Words that mean something else in an address, or that nobody should be taken for.
const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "api",
    "about",
    "account",
    "auth",
    "contact",
    "docs",
    "help",
    "login",
    "logout",
    "me",
    "moderator",
    "null",
    "official",
    "profile",
    "register",
    "reprise",
    "root",
    "security",
    "settings",
    "signup",
    "staff",
    "status",
    "support",
    "system",
    "undefined",
    "user",
    "users",
    "www",
];

/// 3 to 30 of `a-z 0-9 _ -`, beginning with a letter or digit.
pub(crate) fn is_handle(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=30).contains(&text.len()) && text.chars().all(|c| plain(c) || "_-".contains(c)) && text.starts_with(plain)
}

/// Whether the word is kept for the platform.
pub(crate) fn is_reserved(handle: &str) -> bool {
    RESERVED.contains(&handle)
}

/// The nearest handle to a name: accents dropped, everything else foreign left out, filled up when too short.
pub(crate) fn nearest(name: &str) -> String {
    let kept = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(*c);
    let spelled = name.nfkd().flat_map(char::to_lowercase).map(|c| if c == '.' || c == ' ' { '-' } else { c });
    let plain: String = spelled.filter(kept).collect();
    let mut handle: String = plain.trim_start_matches(['_', '-']).chars().take(24).collect();
    if handle.len() < 3 || is_reserved(&handle) {
        handle = format!("user-{handle}").trim_end_matches('-').to_owned();
    }
    handle
}

/// The handles to try, in order: the wish, then with a number, at last with enough of the person's id to be alone.
pub(crate) fn candidates(wish: &str, person: uuid::Uuid) -> Vec<String> {
    let id = person.simple().to_string();
    let base: String = wish.chars().take(17).collect();
    let numbered = (2..=5).map(|n| format!("{base}{n}"));
    [wish.to_owned()].into_iter().chain(numbered).chain([format!("{base}-{}", &id[20..])]).collect()
}
