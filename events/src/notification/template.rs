//! Templates: the texts of messages, in several languages and versions. Editing makes drafts; what is sent is the one
//! that was published last in a language.

use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

/// All ids of templates come from here; it never changes.
const NAMESPACE: Uuid = uuid!("5e1f8a52-6c0d-5b8f-9a3e-2f4f0c7d9b16");

/// The id of the template with this key: a key has one template.
pub fn of_key(key: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, key.as_bytes())
}

/// What can be asked of a template; admins ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Makes a new draft.
    #[serde(rename = "notification.template.put.v1")]
    Put {
        /// What the template is called by programs: `appointment_confirmation`. Its id follows from it.
        key: String,
        /// What it says.
        #[serde(flatten)]
        text: Text,
    },
    /// From now on this draft is what is sent in its language.
    #[serde(rename = "notification.template.publish.v1")]
    Publish {
        /// The draft.
        draft: u64,
    },
    /// Nothing of it is sent any more.
    #[serde(rename = "notification.template.retire.v1")]
    Retire {},
}

/// What happened to a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// There is a new draft.
    #[serde(rename = "notification.template.drafted.v1")]
    Drafted {
        /// What the template is called by programs.
        key: String,
        /// The draft's number: the version of the template that it made.
        draft: u64,
        /// What it says.
        #[serde(flatten)]
        text: Text,
    },
    /// This draft is what is sent in its language.
    #[serde(rename = "notification.template.published.v1")]
    Published {
        /// The draft.
        draft: u64,
        /// Its language.
        locale: String,
    },
    /// Nothing of it is sent any more.
    #[serde(rename = "notification.template.retired.v1")]
    Retired {},
}

/// What a template says in one language, in the syntax of minijinja.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// `de` or `de-AT`.
    pub locale: String,
    /// One line; nothing is escaped in it.
    pub subject: String,
    /// The plain form; nothing is escaped in it.
    pub text: String,
    /// The form with markup; what is put into it is escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Everything that it uses.
    #[serde(default)]
    pub variables: Vec<Variable>,
}

/// Something that is put into a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// A word: `starts_at`.
    pub name: String,
    /// Without it nothing is sent; otherwise its place stays empty.
    pub required: bool,
}
