//! Names to sign in with, and their normal forms: two names that a person could take for one have one normal form.

use unicode_normalization::UnicodeNormalization;

/// NFKC, then lower case: `Ａda` and `ada` are one name.
pub fn normal_username(name: &str) -> String {
    name.trim().nfkc().flat_map(char::to_lowercase).collect()
}

/// As a username. Mail servers may tell upper from lower case; people and attackers do not.
pub fn normal_email(address: &str) -> String {
    normal_username(address)
}

/// 3 to 30 letters, digits, `_`, `-` or `.`, beginning with a letter or digit: readable in an address and in a mail.
pub(crate) fn is_username(name: &str) -> bool {
    let normal = normal_username(name);
    (3..=30).contains(&normal.chars().count())
        && normal.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
        && normal.starts_with(char::is_alphanumeric)
}

/// One `@` between a local part and a domain with a dot, no spaces or control characters, at most 254 bytes (RFC 5321).
/// Whether anyone reads it there is for the verification mail to find out.
pub(crate) fn is_email(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let ok = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"".contains(c);
    address.len() <= 254
        && (1..=64).contains(&local.len())
        && !local.contains('@')
        && address.chars().all(ok)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && domain.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.')
}
