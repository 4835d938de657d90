//! What the mails say. One layout for all, as text and as HTML; the HTML escapes whatever is put into it.

use chrono::{DateTime, Utc};
use events::notification::Words;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::LazyLock;

/// A mail before it has a form.
#[derive(Default)]
pub struct Letter {
    /// Which of the mails it is, for counting.
    pub kind: &'static str,
    /// Its subject line, which is also its heading.
    pub subject: Cow<'static, str>,
    name: Option<String>,
    paragraphs: Vec<String>,
    list: Vec<Entry>,
    link: Option<Link>,
    footer: String,
    /// Where mails of this category are ended.
    pub(crate) unsubscribe: Option<String>,
    /// What stands in place of the layout, for those who wrote HTML themselves.
    html: Option<String>,
}

/// One thing of several.
#[derive(Serialize)]
struct Entry {
    title: String,
    text: String,
    url: Option<String>,
}

#[derive(Serialize)]
struct Link {
    label: &'static str,
    url: String,
}

/// What a layout may show.
#[derive(Serialize)]
struct Shown<'a> {
    heading: &'a str,
    name: Option<&'a str>,
    paragraphs: &'a [String],
    list: &'a [Entry],
    link: &'a Option<Link>,
    footer: &'a str,
    unsubscribe: Option<&'a str>,
}

static LAYOUTS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut layouts = Environment::new();
    for (name, source) in [
        ("letter.html", include_str!("../templates/letter.html")),
        ("letter.txt", include_str!("../templates/letter.txt")),
    ] {
        layouts.add_template(name, source).expect("the templates are part of the program");
    }
    layouts
});

impl Letter {
    /// As plain text.
    pub fn text(&self, name: Option<&str>) -> String {
        self.render("letter.txt", name)
    }

    /// As HTML.
    pub fn html(&self, name: Option<&str>) -> String {
        self.html.clone().unwrap_or_else(|| self.render("letter.html", name))
    }

    fn render(&self, layout: &str, name: Option<&str>) -> String {
        let Letter { subject: heading, paragraphs, list, link, footer, .. } = self;
        let (name, unsubscribe) = (self.name.as_deref().or(name), self.unsubscribe.as_deref());
        let shown = Shown { heading, name, paragraphs, list, link, footer, unsubscribe };
        let words = Value::from(Serde(shown));
        let layout = LAYOUTS.get_template(layout).expect("it was added above");
        layout.render(words).expect("every value has a text form")
    }
}

fn until(time: DateTime<Utc>) -> String {
    time.format("%-d %B %Y, %H:%M UTC").to_string()
}

fn footer(site: &str) -> String {
    format!("Sent by Reprise at {site} because of your account there.")
}

/// The address has to be proven.
pub(crate) fn verify(site: &str, token: &str, expires: DateTime<Utc>) -> Letter {
    Letter {
        kind: "verify",
        subject: "Confirm your e-mail address".into(),
        paragraphs: vec![format!("please confirm that this is your address, until {}.", until(expires))],
        link: Some(Link { label: "Confirm the address", url: format!("{site}/verify-email?token={token}") }),
        footer: format!("If you did not register, ignore this mail. {}", footer(site)),
        ..Letter::default()
    }
}

/// A new password was asked for.
pub(crate) fn reset(site: &str, token: &str, expires: DateTime<Utc>) -> Letter {
    Letter {
        kind: "reset",
        subject: "Set a new password".into(),
        paragraphs: vec![
            format!("somebody, hopefully you, asked for a new password. You can set one until {}.", until(expires)),
            "If it was not you, there is nothing to do: the old password stays.".into(),
        ],
        link: Some(Link { label: "Set a new password", url: format!("{site}/reset-password?token={token}") }),
        footer: footer(site),
        ..Letter::default()
    }
}

/// The person has a profile.
pub(crate) fn welcome(site: &str, handle: &str) -> Letter {
    Letter {
        kind: "welcome",
        subject: "Welcome to Reprise".into(),
        paragraphs: vec!["your account is ready, and so is your page.".into()],
        link: Some(Link { label: "Your page", url: format!("{site}/u/{handle}") }),
        footer: footer(site),
        ..Letter::default()
    }
}

/// One thing that somebody is told. `html` stands in place of the layout.
pub(crate) fn notice(site: &str, words: Words, html: Option<&str>, unsubscribe: Option<String>) -> Letter {
    let link = words.address(site).map(|url| Link { label: "Look at it", url });
    Letter {
        kind: words.kind,
        subject: words.title.into(),
        paragraphs: vec![words.text],
        link,
        footer: footer(site),
        unsubscribe,
        html: html.map(str::to_owned),
        ..Letter::default()
    }
}

/// What came together since the last one.
pub(crate) fn digest(site: &str, things: Vec<Words>, unsubscribe: Option<String>) -> Letter {
    let entry = |words: Words| {
        let url = words.address(site);
        Entry { title: words.title, text: words.text, url }
    };
    Letter {
        kind: "digest",
        subject: format!("{} things that happened at Reprise", things.len()).into(),
        paragraphs: vec!["this is what happened since the last mail.".into()],
        list: things.into_iter().map(entry).collect(),
        footer: footer(site),
        unsubscribe,
        ..Letter::default()
    }
}

/// The password is another one.
pub(crate) fn password_changed(site: &str, at: DateTime<Utc>) -> Letter {
    Letter {
        kind: "password_changed",
        subject: "Your password was changed".into(),
        paragraphs: vec![
            format!("the password of your account was changed on {}. All other devices were signed out.", until(at)),
            "If it was not you, ask for a new password at once.".into(),
        ],
        footer: footer(site),
        ..Letter::default()
    }
}

/// A refresh token was used twice: somebody has a copy.
pub(crate) fn session_stolen(site: &str, at: DateTime<Utc>) -> Letter {
    Letter {
        kind: "session_stolen",
        subject: "We signed one of your devices out".into(),
        paragraphs: vec![
            format!("on {} somebody used a copy of a session of yours, so we ended it on all sides.", until(at)),
            "Sign in again. If you do not know why this happened, change your password.".into(),
        ],
        footer: footer(site),
        ..Letter::default()
    }
}
