//! What clients send about what people are told and by which texts, and with the contact form. A field that is not known is
//! refused, so that a slip is noticed.

use chrono::NaiveTime;
use events::notification::inbox::{Category, Channel, Quiet, Receipt};
use events::notification::template::{Text, Variable};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// `POST /api/notifications/read`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(super) ids: Option<Vec<Uuid>>,
}

/// `PUT /api/notifications/preferences`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    #[serde(default)]
    pub(super) channels: BTreeMap<Category, BTreeMap<Channel, bool>>,
    pub(super) quiet: Option<Quiet>,
    pub(super) digest_at: Option<NaiveTime>,
    #[serde(alias = "timezone")]
    pub(super) zone: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) phone: Option<String>,
}

/// `POST /api/notifications/subscriptions`: `PushSubscription.toJSON()` of a browser.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Browser {
    pub(super) endpoint: String,
    #[serde(rename = "expirationTime")]
    _expires: Option<f64>,
    pub(super) keys: Keys,
}

/// What a message to a browser is sealed with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub(super) p256dh: String,
    pub(super) auth: String,
}

/// `DELETE /api/notifications/subscriptions`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    pub(super) endpoint: Option<String>,
    pub(super) id: Option<Uuid>,
}

/// `POST /api/notifications/send` and its kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telling {
    #[serde(alias = "userId", alias = "to")]
    pub(super) user_id: Uuid,
    #[serde(alias = "subject")]
    pub(super) title: Option<String>,
    #[serde(alias = "message", alias = "body")]
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    #[serde(alias = "url")]
    pub(super) link: Option<String>,
    pub(super) category: Option<Category>,
    pub(super) channels: Option<Vec<Channel>>,
    /// The caller's own key: the same one for the same person is told once.
    pub(super) key: Option<String>,
    /// The key of a template, in place of title and text.
    pub(super) template: Option<String>,
    /// What the template is filled with.
    #[serde(default)]
    pub(super) data: Map<String, Value>,
    pub(super) locale: Option<String>,
}

/// `POST /api/notifications/appointment-confirmation`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Appointment {
    #[serde(alias = "userId", alias = "to")]
    pub(super) user_id: Uuid,
    /// What the template `appointment_confirmation` is filled with.
    pub(super) data: Map<String, Value>,
    pub(super) channels: Option<Vec<Channel>>,
    pub(super) key: Option<String>,
    pub(super) locale: Option<String>,
}

/// `POST /api/notifications/templates/{key}/test`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateTest {
    pub(super) locale: Option<String>,
    #[serde(default)]
    pub(super) data: Map<String, Value>,
}

/// `POST /api/notifications/deliveries/{id}/receipt`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    pub(super) receipt: Receipt,
}

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
