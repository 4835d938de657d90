//! What a text says with somebody's data in it.

use crate::{environment, explain};
use events::notification::template::Text;
use minijinja::Value;
use minijinja::value::Serde;
use serde_json::{Map, Value as Json};
use std::io::{self, Write};

/// Characters of a subject that mail programs show at all.
const SUBJECT: usize = 250;
/// Bytes of a whole form.
const LONGEST: usize = 500_000;
/// The language that everybody understands somehow.
const LAST_RESORT: &str = "en";

/// A message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The language it is in.
    pub locale: String,
    /// One line.
    pub subject: String,
    /// The plain form.
    pub text: String,
    /// The form with markup, when the template has one.
    pub html: Option<String>,
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// None of the texts is in this language, one that is near, or English.
    #[error("this template says nothing in {0}, and nothing in English")]
    Speechless(String),
    /// What has to be there is not.
    #[error("these variables are required and not given: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// What is there has no place.
    #[error("this template has no such variables: {}", .0.join(", "))]
    Unknown(Vec<String>),
    /// It does not fit together.
    #[error("its {part} cannot be made of this: {why}")]
    Misfit {
        /// `subject`, `text` or `html`.
        part: &'static str,
        /// In words.
        why: String,
    },
}

impl Fault {
    /// A stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Speechless(_) => "template_locale_missing",
            Self::Missing(_) => "variables_missing",
            Self::Unknown(_) => "variables_unknown",
            Self::Misfit { .. } => "variables_unfit",
        }
    }
}

/// The message in the nearest language that one of the texts is in; of several in one language the first counts.
///
/// # Errors
/// There is no such text, or the data does not fit it.
pub fn render(texts: &[Text], locale: &str, data: &Map<String, Json>) -> Result<Rendered, Fault> {
    let text = nearest(texts, locale).ok_or_else(|| Fault::Speechless(locale.to_owned()))?;
    render_text(text, data)
}

/// The text in this language, without its region, or in English: `de-AT`, `de`, `en`.
pub fn nearest<'a>(texts: &'a [Text], locale: &str) -> Option<&'a Text> {
    let tried = std::iter::successors(Some(locale), |locale| Some(locale.rsplit_once(['-', '_'])?.0));
    let same = |text: &Text, locale: &str| text.locale.eq_ignore_ascii_case(&locale.replace('_', "-"));
    tried.chain([LAST_RESORT]).find_map(|locale| texts.iter().find(|text| same(text, locale)))
}

/// The message that this text makes of the data. What may be absent and is, is empty.
///
/// # Errors
/// The data does not fit.
pub fn render_text(text: &Text, data: &Map<String, Json>) -> Result<Rendered, Fault> {
    let given = |name: &str| data.get(name).is_some_and(|value| !value.is_null());
    let names = |wanted: &dyn Fn(&str) -> bool| {
        text.variables.iter().filter(|one| one.required && wanted(&one.name)).map(|one| one.name.clone()).collect()
    };
    let missing: Vec<String> = names(&|name| !given(name));
    if !missing.is_empty() {
        return Err(Fault::Missing(missing));
    }
    let known = |name: &&String| text.variables.iter().any(|one| one.name == **name);
    let unknown: Vec<String> = data.keys().filter(|name| !known(name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(Fault::Unknown(unknown));
    }
    let filled = text.variables.iter().map(|one| {
        let value = data.get(&one.name).filter(|value| !value.is_null()).cloned();
        (one.name.clone(), value.unwrap_or_else(|| "".into()))
    });
    let values = Value::from(Serde(filled.collect::<Map<_, _>>()));
    Ok(Rendered {
        locale: text.locale.clone(),
        subject: subject(&fill("subject", &text.subject, values.clone())?)?,
        text: fill("text", &text.text, values.clone())?,
        html: text.html.as_ref().map(|html| fill("html", html, values)).transpose()?,
    })
}

/// On one line, whatever was put into it: a header of a mail ends with its line.
fn subject(filled: &str) -> Result<String, Fault> {
    let line = filled.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    match line.chars().count() {
        1..=SUBJECT => Ok(line),
        _ => {
            Err(Fault::Misfit { part: "subject", why: format!("it becomes empty or longer than {SUBJECT} characters") })
        }
    }
}

fn fill(part: &'static str, source: &str, values: Value) -> Result<String, Fault> {
    let env = environment();
    let mut page = Page(vec![]);
    let filled = env.template_from_named_str(part, source);
    match filled.and_then(|template| template.render_captured_to(values, &mut page).map(drop)) {
        Ok(()) => Ok(String::from_utf8(page.0).expect("texts are written whole")),
        Err(error) => Err(Fault::Misfit { part, why: explain(&error) }),
    }
}

/// Paper of a bounded length.
struct Page(Vec<u8>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::notification::template::Variable;
    use serde_json::json;

    fn text(locale: &str) -> Text {
        Text {
            locale: locale.into(),
            subject: "{{ name }} ({{ place }})".into(),
            text: "Dear {{ name }},{% if place %} come to {{ place }}.{% endif %}".into(),
            html: Some("<p title=\"{{ place }}\">{{ name }}</p>".into()),
            variables: [("name", true), ("place", false)]
                .map(|(name, required)| Variable { name: name.into(), required })
                .into(),
        }
    }

    fn filled(text: &Text, data: Json) -> Result<Rendered, Fault> {
        render_text(text, data.as_object().expect("an object"))
    }

    #[test]
    fn markup_is_escaped_and_text_is_not() {
        let data = json!({ "name": "<b>Ada</b>", "place": "\"><script>" });
        let made = filled(&text("en"), data).expect("it fits");
        assert_eq!(made.subject, "<b>Ada</b> (\"><script>)");
        assert_eq!(made.text, "Dear <b>Ada</b>, come to \"><script>.");
        let html = made.html.expect("it has one");
        assert!(!html.contains("<b>") && !html.contains("<script>") && html.matches('"').count() == 2, "{html}");
    }

    #[test]
    fn a_subject_stays_on_its_line() {
        let made = filled(&text("en"), json!({ "name": "Ada\r\nBcc: all@example.org" })).expect("it fits");
        assert_eq!(made.subject, "Ada Bcc: all@example.org ()");
        let long = filled(&text("en"), json!({ "name": "x".repeat(251) })).expect_err("too long");
        assert_eq!(long.code(), "variables_unfit");
    }

    #[test]
    fn what_may_be_absent_is_empty() {
        for data in [json!({ "name": "Ada" }), json!({ "name": "Ada", "place": null })] {
            assert_eq!(filled(&text("en"), data).expect("it fits").text, "Dear Ada,");
        }
        let text = Text { text: "{{ place|default('nowhere') }}{{ name|default('x') }}".into(), ..text("en") };
        assert_eq!(filled(&text, json!({ "name": 0 })).expect("it fits").text, "nowhere0");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(filled(&text("en"), json!({ "place": "x" })), Err(Fault::Missing(vec!["name".into()])));
        assert_eq!(filled(&text("en"), json!({ "name": null })), Err(Fault::Missing(vec!["name".into()])));
        let unknown = filled(&text("en"), json!({ "name": "Ada", "plaec": "x" }));
        assert_eq!(unknown, Err(Fault::Unknown(vec!["plaec".into()])));
        let deep = Text { text: "a\n{{ name.first }}".into(), ..text("en") };
        let Err(Fault::Misfit { part: "text", why }) = filled(&deep, json!({ "name": { "last": "L" } })) else {
            panic!("there is no first")
        };
        assert!(why.contains("line 2"), "{why}");
    }

    #[test]
    fn the_nearest_language_is_taken() {
        let texts = ["en", "de", "de-AT", "fr-CA"].map(text);
        for (wanted, found) in [
            ("de-AT", "de-AT"),
            ("de_AT", "de-AT"),
            ("DE-at", "de-AT"),
            ("de-CH", "de"),
            ("de-CH-1996", "de"),
            ("fr", "en"),
            ("fr-CA", "fr-CA"),
            ("", "en"),
            ("nonsense", "en"),
        ] {
            assert_eq!(nearest(&texts, wanted).expect("English at least").locale, found, "{wanted}");
        }
        let data = Map::new();
        assert_eq!(render(&texts[1..], "fr", &data), Err(Fault::Speechless("fr".into())));
    }

    #[test]
    fn nothing_takes_for_ever_or_all_the_room() {
        let loops = "{% for a in name %}{% for b in name %}{% for c in name %}x{% endfor %}{% endfor %}{% endfor %}";
        let endless = Text { text: loops.into(), ..text("en") };
        let many = Text { subject: "x".into(), html: None, ..endless };
        let steps = filled(&many, json!({ "name": vec![1; 1000] })).expect_err("a billion steps");
        assert!(steps.to_string().contains("too many steps"), "{steps}");
        let long = Text { text: "{% for a in name %}{{ place }}{% endfor %}".into(), ..many };
        let data = json!({ "name": vec![1; 1000], "place": "x".repeat(1000) });
        let room = filled(&long, data).expect_err("a million bytes");
        assert!(room.to_string().contains("too long"), "{room}");
    }
}
