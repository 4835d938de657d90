//! Whether a text is fit to be kept: it can be read, it names everything that it uses, and it is not too long.

use crate::{environment, explain, grammar};
use events::notification::template::{Text, Variable};
use std::collections::BTreeSet;

/// Bytes of a subject.
const SUBJECT: usize = 500;
/// Bytes of a plain form.
const TEXT: usize = 50_000;
/// Bytes of a form with markup; with the plain one it fits into a message of the log.
const HTML: usize = 150_000;
/// Variables of a text.
const VARIABLES: usize = 50;
/// Words that mean something else in a text.
const RESERVED: &[&str] =
    &["and", "or", "not", "in", "is", "if", "else", "elif", "for", "true", "false", "none", "loop", "self"];

/// Why a text is not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Unfit {
    /// What is wrong: `key`, `locale`, `subject`, `text`, `html` or `variables`.
    pub field: &'static str,
    /// A stable word.
    pub code: &'static str,
    /// In words.
    pub why: String,
}

/// Whether this can be the key of a template.
pub fn is_key(key: &str) -> bool {
    is_word(key, 60)
}

/// Looks at everything but whether there is room for it.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(key: &str, text: &Text) -> Result<(), Unfit> {
    let unfit = |field, code, why: &str| Unfit { field, code, why: why.to_owned() };
    if !is_key(key) {
        let why = "a key is at most 60 of a-z, 0-9 and _, and begins with a letter";
        return Err(unfit("key", "key_invalid", why));
    }
    if !is_locale(&text.locale) {
        return Err(unfit("locale", "locale_invalid", "a locale is a language and maybe a region: de or de-AT"));
    }
    let declared = declared(&text.variables)?;
    let html = text.html.as_ref().map(|html| ("html", html, HTML));
    for (part, source, most) in
        [("subject", &text.subject, SUBJECT), ("text", &text.text, TEXT)].into_iter().chain(html)
    {
        readable(part, source, most, &declared)?;
    }
    Ok(())
}

fn declared(variables: &[Variable]) -> Result<BTreeSet<&str>, Unfit> {
    let unfit = |why: String| Unfit { field: "variables", code: "variables_invalid", why };
    if variables.len() > VARIABLES {
        return Err(unfit(format!("a text has at most {VARIABLES} variables")));
    }
    let mut names = BTreeSet::new();
    for Variable { name, .. } in variables {
        if !is_word(name, 40) || RESERVED.contains(&name.as_str()) {
            let why =
                "a variable is at most 40 of a-z, 0-9 and _, begins with a letter, and is no word of the language";
            return Err(unfit(why.to_owned()));
        }
        if !names.insert(name.as_str()) {
            return Err(unfit(format!("{name} is declared twice")));
        }
    }
    Ok(names)
}

fn readable(part: &'static str, source: &str, most: usize, declared: &BTreeSet<&str>) -> Result<(), Unfit> {
    let unfit = |code, why: String| Err(Unfit { field: part, code, why });
    let one_line = part == "subject";
    if source.trim().is_empty() || source.len() > most {
        return unfit("template_invalid", format!("it is 1 to {most} bytes long"));
    }
    if source.contains(|c: char| c.is_control() && (one_line || !matches!(c, '\n' | '\r' | '\t'))) {
        let what = if one_line { "it is one line" } else { "it has control characters" };
        return unfit("template_invalid", what.to_owned());
    }
    if let Some(why) = grammar::excess(source) {
        return unfit("template_invalid", why);
    }
    let env = environment();
    let template = match env.template_from_named_str(part, source) {
        Ok(template) => template,
        Err(error) => return unfit("template_invalid", explain(&error)),
    };
    let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    let missing: Vec<&str> = used.iter().map(String::as_str).filter(|name| !declared.contains(name)).collect();
    if !missing.is_empty() {
        return unfit("variables_undeclared", format!("it uses what is not declared: {}", missing.join(", ")));
    }
    Ok(())
}

fn is_word(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}

fn is_locale(text: &str) -> bool {
    let (language, region) = text.split_once('-').map_or((text, None), |(language, region)| (language, Some(region)));
    (2..=3).contains(&language.len())
        && language.bytes().all(|c| c.is_ascii_lowercase())
        && region.is_none_or(|region| region.len() == 2 && region.bytes().all(|c| c.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Text {
        Text {
            locale: "de-AT".into(),
            subject: "Servus {{ name }}".into(),
            text: "{% for one in items %}{{ loop.index }} {{ one.title }}{% endfor %}".into(),
            html: Some("<p>{{ name|upper }}</p>".into()),
            variables: ["name", "items"].map(|name| Variable { name: name.into(), required: true }).into(),
        }
    }

    fn code(change: impl FnOnce(&mut Text)) -> (&'static str, &'static str) {
        let mut text = fine();
        change(&mut text);
        let unfit = check("welcome", &text).expect_err("not fit");
        (unfit.field, unfit.code)
    }

    #[test]
    fn what_is_fit() {
        check("welcome_2", &fine()).expect("fit");
        check("x", &Text { html: None, variables: vec![], text: "Hi".into(), subject: "Hi".into(), ..fine() })
            .expect("fit");
    }

    #[test]
    fn the_first_fault_is_named() {
        for key in ["", "Welcome", "1", "a-b", "../a", &"x".repeat(61)] {
            assert_eq!(check(key, &fine()).expect_err("no key").code, "key_invalid", "{key}");
        }
        for locale in ["", "deutsch", "DE", "de_AT", "de-at", "de-", "de-AT-1996"] {
            assert_eq!(code(|text| text.locale = locale.into()), ("locale", "locale_invalid"), "{locale}");
        }
        assert_eq!(code(|text| text.subject = " ".into()), ("subject", "template_invalid"));
        assert_eq!(code(|text| text.subject = "a\nb".into()), ("subject", "template_invalid"));
        assert_eq!(code(|text| text.subject = "x".repeat(501)), ("subject", "template_invalid"));
        assert_eq!(code(|text| text.text = "a\0b".into()), ("text", "template_invalid"));
        assert_eq!(code(|text| text.text = "{% if name %}".into()), ("text", "template_invalid"));
        assert_eq!(code(|text| text.html = Some("{{ name".into())), ("html", "template_invalid"));
        assert_eq!(code(|text| text.html = Some("{{ name|safe }}".into())), ("html", "template_invalid"));
        assert_eq!(code(|text| text.html = Some("{{ nmae }}".into())), ("html", "variables_undeclared"));
        assert_eq!(code(|text| text.text = "{{ range(3) }}".into()), ("text", "variables_undeclared"));
        for name in ["", "Name", "a b", "not", "loop"] {
            let two = |text: &mut Text| text.variables[1].name = name.into();
            assert_eq!(code(two), ("variables", "variables_invalid"), "{name}");
        }
        assert_eq!(code(|text| text.variables[1].name = "name".into()), ("variables", "variables_invalid"));
        let many = |n: usize| Variable { name: format!("v{n}"), required: false };
        assert_eq!(code(|text| text.variables.extend((0..50).map(many))), ("variables", "variables_invalid"));
    }

    #[test]
    fn the_line_is_named() {
        let text = Text { text: "one\ntwo {{ name name }}".into(), ..fine() };
        let unfit = check("welcome", &text).expect_err("not the language");
        assert!(unfit.to_string().starts_with("text: ") && unfit.why.contains("line 2"), "{unfit}");
    }
}
