//! What to call somebody in a mail.

/// A name as it may stand in a mail: one line, no address in it. Anybody can register somebody else's address under any
/// name, and our mails are not to carry what they want to say.
pub(crate) fn greetable(name: String) -> Option<String> {
    let dotted = name.split('.').skip(1).any(|rest| rest.starts_with(char::is_alphanumeric));
    let fine = name.chars().count() <= 60 && !dotted && !name.contains(|c: char| c.is_control() || "/@:".contains(c));
    (fine && !name.trim().is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::greetable;

    #[test]
    fn a_name_is_not_an_advertisement() {
        for name in ["Ada Lovelace", "St. John", "Ada <b>", "李小龍"] {
            assert!(greetable(name.into()).is_some(), "{name}");
        }
        for name in ["win at example.com", "http://example", "a\nb", " ", "me@home", &"x".repeat(61)] {
            assert!(greetable(name.into()).is_none(), "{name}");
        }
    }
}
