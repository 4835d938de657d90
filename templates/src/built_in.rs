//! What the platform says where nobody has published anything else.

use events::notification::template::{Text, Variable};

/// The keys of what there is.
pub const KEYS: &[&str] = &["appointment_confirmation"];

/// What is sent for this key as long as nobody publishes another text in the same language.
pub fn built_in(key: &str) -> Vec<Text> {
    match key {
        "appointment_confirmation" => appointment_confirmation(),
        _ => vec![],
    }
}

fn appointment_confirmation() -> Vec<Text> {
    let variables = || -> Vec<Variable> {
        [("title", true), ("starts_at", true), ("name", false), ("place", false), ("link", false), ("note", false)]
            .map(|(name, required)| Variable { name: name.to_owned(), required })
            .into()
    };
    let text = |locale: &str, subject: &str, text: &str, html: &str| Text {
        locale: locale.to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
        html: Some(html.to_owned()),
        variables: variables(),
    };
    vec![
        text(
            "en",
            "Your appointment: {{ title }}, {{ starts_at }}",
            include_str!("../texts/appointment_confirmation.en.txt"),
            include_str!("../texts/appointment_confirmation.en.html"),
        ),
        text(
            "de",
            "Ihr Termin: {{ title }}, {{ starts_at }}",
            include_str!("../texts/appointment_confirmation.de.txt"),
            include_str!("../texts/appointment_confirmation.de.html"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, render};
    use serde_json::{Map, Value, json};

    fn data(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn each_is_fit_and_says_what_it_is_given() {
        let (least, all) = (
            data(json!({ "title": "Fitting", "starts_at": "Monday, 9:00" })),
            data(json!({
                "title": "Fitting", "starts_at": "Monday, 9:00", "name": "Ada", "place": "Pier 4",
                "link": "https://example.org/a?b=1&c=2", "note": "Bring shoes.",
            })),
        );
        for key in KEYS {
            let texts = built_in(key);
            for text in &texts {
                check(key, text).unwrap_or_else(|unfit| panic!("{key} {}: {unfit}", text.locale));
                let short = render(&texts, &text.locale, &least).expect("what is required is there");
                assert_eq!(short.locale, text.locale);
                let long = render(&texts, &text.locale, &all).expect("everything is there");
                for value in ["Fitting", "Monday, 9:00", "Ada", "Pier 4", "Bring shoes."] {
                    assert!(long.text.contains(value), "{value}: {}", long.text);
                    assert!(long.html.as_ref().is_some_and(|html| html.contains(value)), "{value}");
                }
                assert!(long.text.contains("https://example.org/a?b=1&c=2"), "{}", long.text);
                assert!(!short.text.contains("  ") && !short.text.contains("\n\n\n"), "{:?}", short.text);
                assert!(!long.text.contains("\n\n\n"), "{:?}", long.text);
            }
        }
        assert!(built_in("nothing").is_empty());
    }
}
