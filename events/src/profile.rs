//! A profile: what a person shows to others. Its id is the person's id.

use crate::Personal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What can be asked of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Begins the profile; asked by the reaction to a registration.
    #[serde(rename = "profile.profile.create.v1")]
    Create {
        /// The handle to have; a number follows it when it is taken.
        handle: String,
        /// What the person is called.
        #[serde(default)]
        display_name: Option<Personal<String>>,
    },
    /// Changes what is given and leaves the rest; an empty text clears.
    #[serde(rename = "profile.profile.update.v1")]
    Update {
        /// At most 100 characters.
        #[serde(default)]
        display_name: Option<Personal<String>>,
        /// At most 2000 characters.
        #[serde(default)]
        bio: Option<Personal<String>>,
        /// At most 100 characters.
        #[serde(default)]
        location: Option<Personal<String>>,
        /// An `https://` or `http://` address of at most 300 characters.
        #[serde(default)]
        website: Option<Personal<String>>,
    },
    /// Takes another handle; the old one leads to the new one.
    #[serde(rename = "profile.profile.change_handle.v1")]
    ChangeHandle {
        /// 3 to 30 of `a-z 0-9 _ -`, beginning with a letter or digit.
        handle: String,
    },
    /// Says who sees it.
    #[serde(rename = "profile.profile.set_visibility.v1")]
    SetVisibility {
        /// Who.
        visibility: Visibility,
    },
    /// Changes the preferences that are given; `null` removes one.
    #[serde(rename = "profile.profile.update_preferences.v1")]
    UpdatePreferences {
        /// By name; at most 50 in all.
        preferences: BTreeMap<String, Option<Preference>>,
    },
    /// Forgets it.
    #[serde(rename = "profile.profile.erase.v1")]
    Erase {},
}

/// What happened to a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// The profile exists.
    #[serde(rename = "profile.profile.created.v1")]
    Created {
        /// Where it is found: `/u/<handle>`.
        handle: String,
        /// What the person is called.
        #[serde(default)]
        display_name: Option<Personal<String>>,
    },
    /// What is given changed; an empty text means cleared.
    #[serde(rename = "profile.profile.updated.v1")]
    Updated {
        /// What the person is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<Personal<String>>,
        /// About the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bio: Option<Personal<String>>,
        /// Where the person is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<Personal<String>>,
        /// Where the person is on the web.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        website: Option<Personal<String>>,
    },
    /// It is found elsewhere now; the old handle leads here until someone else takes it.
    #[serde(rename = "profile.profile.handle_changed.v1")]
    HandleChanged {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
    },
    /// Others see it, or do not.
    #[serde(rename = "profile.profile.visibility_set.v1")]
    VisibilitySet {
        /// Who sees it.
        visibility: Visibility,
    },
    /// The preferences that are given changed.
    #[serde(rename = "profile.profile.preferences_updated.v1")]
    PreferencesUpdated {
        /// By name; `null` means removed.
        preferences: BTreeMap<String, Option<Preference>>,
    },
    /// It is forgotten.
    #[serde(rename = "profile.profile.erased.v1")]
    Erased {},
}

/// Who sees a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone, and search engines.
    #[default]
    Public,
    /// Everyone who has the address.
    Unlisted,
    /// Only the person and admins.
    Private,
}

/// One preference: a switch, a number or a short text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Preference {
    /// On or off.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// At most 200 characters.
    Text(String),
}
