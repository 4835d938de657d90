//! What clients send about texts of messages, and with the contact form.

use events::notification::template::{Text, Variable};
use serde::Deserialize;
use serde_json::{Map, Value};

/// `POST /api/notifications/templates`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplatePut {
    pub(crate) key: String,
    locale: String,
    subject: String,
    text: String,
    html: Option<String>,
    #[serde(default)]
    variables: Vec<Declared>,
}

/// A variable that a text uses; one is required unless it says otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    name: String,
    #[serde(default = "yes")]
    required: bool,
}

fn yes() -> bool {
    true
}

impl TemplatePut {
    pub(crate) fn into_text(self) -> Text {
        let TemplatePut { locale, subject, text, html, variables, .. } = self;
        let variables = variables.into_iter().map(|Declared { name, required }| Variable { name, required }).collect();
        Text { locale, subject, text, html, variables }
    }
}

/// `POST /api/notifications/templates/{key}/publish`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplatePublication {
    pub(crate) draft: u64,
}

/// `POST /api/notifications/templates/{key}/preview`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplatePreview {
    pub(crate) locale: Option<String>,
    pub(crate) draft: Option<u64>,
    #[serde(default)]
    pub(crate) data: Map<String, Value>,
}

/// `POST /api/contact`: what is missing is said with everything else that is wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactForm {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) subject: String,
    #[serde(default)]
    pub(crate) message: String,
    /// Nobody sees this field; programs that fill every field do.
    #[serde(default)]
    pub(crate) website: Option<String>,
}
