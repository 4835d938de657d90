//! The shape of names, looked at before anything is hashed or sent: what can never be a name costs nobody anything.
//! The rules are those of the identity context, kept equal by a test and not by a dependency.

use crate::problem::Problem;
use unicode_normalization::UnicodeNormalization;

/// Refuses what the identity context would refuse for its shape.
pub(super) fn check(username: Option<&str>, email: Option<&str>, name: Option<&str>) -> Result<(), Problem> {
    if username.is_some_and(|username| !is_username(username)) {
        let detail =
            "a username is 3 to 30 letters, digits, dots, underscores or hyphens, and begins with a letter or digit";
        return Err(Problem::field("username_invalid", "/username", detail));
    }
    if email.is_some_and(|email| !is_email(email)) {
        return Err(Problem::field("email_invalid", "/email", "this is not an e-mail address"));
    }
    if name.is_some_and(|name| name.chars().count() > 100 || name.chars().any(char::is_control)) {
        return Err(Problem::field(
            "name_invalid",
            "/name",
            "a name is at most 100 characters, none of them a control character",
        ));
    }
    Ok(())
}

fn is_username(name: &str) -> bool {
    // nothing that long becomes short enough, and normalising it would be work for nothing
    let normal: String = name.chars().take(200).nfkc().flat_map(char::to_lowercase).collect();
    (3..=30).contains(&normal.chars().count())
        && normal.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
        && normal.starts_with(char::is_alphanumeric)
}

/// Whether this can be an e-mail address.
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

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Caller, Decision, Meta};
    use serde_json::json;
    use uuid::Uuid;

    /// What the identity context says of a registration: the code of its refusal.
    fn decided(field: &str, text: &str) -> Option<String> {
        let mut data = json!({ "username": "fine-name", "email": null, "name": null, "credential": Uuid::nil() });
        data[field] = json!(text);
        let (_, user) = identity::service().aggregates[0];
        let command = json!({ "type": "identity.user.register.v1", "data": data }).to_string();
        let (subject, id, time) = (Uuid::from_u128(1), Uuid::from_u128(2), chrono::DateTime::UNIX_EPOCH);
        let meta = Meta { subject, id, time, caller: Caller::Unknown, taken: vec![] };
        match user().decide(command.as_bytes(), &meta).expect("a registration") {
            Decision::Accepted(_) => None,
            Decision::Rejected(refusal) => Some(refusal.code),
        }
    }

    #[test]
    fn the_gateway_and_the_context_agree() {
        let texts = [
            "ada",
            "ab",
            "Ada.Lovelace",
            "-ada",
            ".ada",
            "a b c",
            "a'b'c",
            "Dörte",
            "Ａda",
            "ﬁx",
            "ﬁ",
            "‥‥‥",
            "a‥b",
            "nul\u{0}",
            "💥💥💥",
            "../../etc/passwd",
            "ada@example.org",
            "ada@example",
            "@example.org",
            "a@b@c.d",
            "a b@c.de",
            "a@-b.de",
            "a@b-.de",
            "a@b..de",
            "ä@ö.de",
            "a\r\nb@c.de",
            "<a@b.de>",
            "a\u{202e}b",
            "x",
        ];
        let long = [
            "x".repeat(30),
            "x".repeat(31),
            "x".repeat(100),
            "x".repeat(101),
            format!("{}@b.de", "x".repeat(65)),
            format!("a@{}.de", "x".repeat(250)),
        ];
        for text in texts.into_iter().chain(long.iter().map(String::as_str)) {
            let code = |problem: Result<(), Problem>| problem.err().map(|problem| problem.code().to_owned());
            assert_eq!(code(check(Some(text), None, None)), decided("username", text), "username {text:?}");
            assert_eq!(code(check(None, Some(text), None)), decided("email", text), "email {text:?}");
            assert_eq!(code(check(None, None, Some(text))), decided("name", text), "name {text:?}");
        }
    }
}
