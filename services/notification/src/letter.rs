//! What the mails say. One layout for all, as text and as HTML; the HTML escapes whatever is put into it.

use chrono::{DateTime, Utc};
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;
use std::sync::LazyLock;
use uuid::Uuid;

/// A mail before it has a form.
pub struct Letter {
    /// Which of the mails it is, for counting.
    pub kind: &'static str,
    /// Its subject line, which is also its heading.
    pub subject: &'static str,
    name: Option<String>,
    paragraphs: Vec<String>,
    link: Option<Link>,
    footer: String,
}

#[derive(Serialize)]
struct Link {
    label: &'static str,
    url: String,
}

/// What a layout may show.
#[derive(Serialize)]
struct Words<'a> {
    heading: &'a str,
    name: Option<&'a str>,
    paragraphs: &'a [String],
    link: &'a Option<Link>,
    footer: &'a str,
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
        self.render("letter.html", name)
    }

    fn render(&self, layout: &str, name: Option<&str>) -> String {
        let Letter { subject: heading, paragraphs, link, footer, .. } = self;
        let name = self.name.as_deref().or(name);
        let words = Value::from(Serde(Words { heading, name, paragraphs, link, footer }));
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
        subject: "Confirm your e-mail address",
        name: None,
        paragraphs: vec![format!("please confirm that this is your address, until {}.", until(expires))],
        link: Some(Link { label: "Confirm the address", url: format!("{site}/verify-email?token={token}") }),
        footer: format!("If you did not register, ignore this mail. {}", footer(site)),
    }
}

/// A new password was asked for.
pub(crate) fn reset(site: &str, token: &str, expires: DateTime<Utc>) -> Letter {
    Letter {
        kind: "reset",
        subject: "Set a new password",
        name: None,
        paragraphs: vec![
            format!("somebody, hopefully you, asked for a new password. You can set one until {}.", until(expires)),
            "If it was not you, there is nothing to do: the old password stays.".into(),
        ],
        link: Some(Link { label: "Set a new password", url: format!("{site}/reset-password?token={token}") }),
        footer: footer(site),
    }
}

/// The person has a profile.
pub(crate) fn welcome(site: &str, handle: &str) -> Letter {
    Letter {
        kind: "welcome",
        subject: "Welcome to Reprise",
        name: None,
        paragraphs: vec!["your account is ready, and so is your page.".into()],
        link: Some(Link { label: "Your page", url: format!("{site}/u/{handle}") }),
        footer: footer(site),
    }
}

/// A video is all there.
pub(crate) fn video_ready(site: &str, video: Uuid, title: &str) -> Letter {
    Letter {
        kind: "video_ready",
        subject: "Your video is ready",
        name: None,
        paragraphs: vec![
            format!("your video “{title}” is ready to be watched, in every size."),
            "Only you see it until you publish it.".into(),
        ],
        link: Some(Link { label: "Watch it", url: format!("{site}/watch/{video}") }),
        footer: footer(site),
    }
}

/// Nothing could be made of a file.
pub(crate) fn video_failed(site: &str, title: &str, message: &str) -> Letter {
    Letter {
        kind: "video_failed",
        subject: "Your video could not be prepared",
        name: None,
        paragraphs: vec![format!("your video “{title}” could not be prepared: {message}.")],
        link: None,
        footer: footer(site),
    }
}

/// The password is another one.
pub(crate) fn password_changed(site: &str, at: DateTime<Utc>) -> Letter {
    Letter {
        kind: "password_changed",
        subject: "Your password was changed",
        name: None,
        paragraphs: vec![
            format!("the password of your account was changed on {}. All other devices were signed out.", until(at)),
            "If it was not you, ask for a new password at once.".into(),
        ],
        link: None,
        footer: footer(site),
    }
}

/// A refresh token was used twice: somebody has a copy.
pub(crate) fn session_stolen(site: &str, at: DateTime<Utc>) -> Letter {
    Letter {
        kind: "session_stolen",
        subject: "We signed one of your devices out",
        name: None,
        paragraphs: vec![
            format!("on {} somebody used a copy of a session of yours, so we ended it on all sides.", until(at)),
            "Sign in again. If you do not know why this happened, change your password.".into(),
        ],
        link: None,
        footer: footer(site),
    }
}
