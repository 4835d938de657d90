//! What clients send and get, in the words of all the systems whose clients come here: `refreshToken` beside
//! `refresh_token`, `name` beside `display_name`. Whatever is not named here is refused, so a typo is never silence.

use chrono::{DateTime, Utc};
use events::Personal;
use events::identity::user::{Role, Status};
use events::profile::{Preference, Visibility};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;
use vault::Secret;

/// `POST /api/auth/register` and its kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) password: Secret,
    #[serde(alias = "display_name", alias = "displayName")]
    pub(crate) name: Option<String>,
    pub(crate) locale: Option<String>,
    #[serde(alias = "confirmPassword", alias = "password_confirmation")]
    pub(crate) confirm_password: Option<Secret>,
    #[serde(alias = "secret", alias = "bootstrapSecret")]
    pub(crate) bootstrap_secret: Option<Secret>,
}

/// `POST /api/auth/login`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[serde(alias = "email", alias = "username")]
    pub(crate) identifier: Secret,
    pub(crate) password: Secret,
}

/// `POST /api/auth/refresh-token`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[serde(alias = "refreshToken")]
    pub(crate) refresh_token: Secret,
}

/// `PUT /api/auth/change-password`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[serde(alias = "currentPassword", alias = "old_password", alias = "oldPassword")]
    pub(crate) current_password: Secret,
    #[serde(alias = "newPassword")]
    pub(crate) new_password: Secret,
    #[serde(alias = "confirmPassword", alias = "password_confirmation")]
    pub(crate) confirm_password: Option<Secret>,
}

/// `POST /api/auth/forgot-password`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgottenPassword {
    #[serde(alias = "identifier", alias = "username")]
    pub(crate) email: Secret,
}

/// `POST /api/auth/reset-password`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    pub(crate) token: Secret,
    #[serde(alias = "new_password", alias = "newPassword")]
    pub(crate) password: Secret,
    #[serde(alias = "confirmPassword", alias = "password_confirmation")]
    pub(crate) confirm_password: Option<Secret>,
}

/// `POST /api/auth/verify-email`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailVerification {
    pub(crate) token: Secret,
}

/// `PUT /api/profile`: absent stays, `null` and the empty text clear.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileChange {
    #[serde(default, alias = "name", alias = "displayName", deserialize_with = "cleared")]
    pub(crate) display_name: Option<String>,
    #[serde(default, deserialize_with = "cleared")]
    pub(crate) bio: Option<String>,
    #[serde(default, deserialize_with = "cleared")]
    pub(crate) location: Option<String>,
    #[serde(default, deserialize_with = "cleared")]
    pub(crate) website: Option<String>,
}

/// `null` is said, and means the empty text.
fn cleared<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(from).map(|text| Some(text.unwrap_or_default()))
}

/// `PUT /api/profile/handle`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandleChange {
    pub(crate) handle: String,
}

/// `PUT /api/profile/visibility`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VisibilityChange {
    pub(crate) visibility: Visibility,
}

/// `PUT /api/profile/preferences`: a map, or a map in a map, which no preference can be mistaken for.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a preference is a switch, a whole number, a text, or null to remove it")]
pub(crate) enum PreferencesChange {
    Wrapped(Wrapped),
    Plain(BTreeMap<String, Option<Preference>>),
}

/// `{"preferences": {…}}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wrapped {
    preferences: BTreeMap<String, Option<Preference>>,
}

impl PreferencesChange {
    pub(crate) fn into_map(self) -> BTreeMap<String, Option<Preference>> {
        match self {
            PreferencesChange::Wrapped(wrapped) => wrapped.preferences,
            PreferencesChange::Plain(map) => map,
        }
    }
}

/// `PUT /api/users/{id}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    #[serde(default, alias = "name", alias = "displayName", deserialize_with = "cleared")]
    pub(crate) display_name: Option<String>,
    pub(crate) roles: Option<Vec<Role>>,
    pub(crate) status: Option<Status>,
    pub(crate) reason: Option<String>,
}

/// Whose account it is, on every answer that signs somebody in.
#[derive(Serialize)]
pub(crate) struct AuthUser {
    pub(crate) id: Uuid,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) roles: Vec<Role>,
}

/// The account and its tokens; `token` is the access token under the name that some clients know.
#[derive(Serialize)]
pub(crate) struct SignedIn {
    pub(crate) user: AuthUser,
    pub(crate) access_token: Secret,
    pub(crate) token: Secret,
    pub(crate) refresh_token: Secret,
    pub(crate) token_type: String,
    pub(crate) expires_in: u64,
}

impl SignedIn {
    pub(crate) fn new(user: AuthUser, tokens: &vault::api::Tokens) -> Self {
        SignedIn {
            user,
            access_token: tokens.access_token.clone(),
            token: tokens.access_token.clone(),
            refresh_token: tokens.refresh_token.clone(),
            token_type: tokens.token_type.clone(),
            expires_in: tokens.expires_in,
        }
    }
}

/// A profile as its person, an admin or anybody sees it.
#[derive(Serialize)]
pub(crate) struct Profile {
    pub(crate) user_id: Uuid,
    pub(crate) handle: String,
    pub(crate) display_name: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(flatten)]
    pub(crate) own: Option<Own>,
    pub(crate) bio: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) website: Option<String>,
    pub(crate) visibility: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i64,
}

/// What only the person and admins see of a profile.
#[derive(Serialize)]
pub(crate) struct Own {
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) preferences: serde_json::Value,
}

impl Profile {
    /// The row, and what only some see of it.
    pub(crate) fn new(row: projections::profile_page::Row, own: Option<Own>) -> Self {
        Profile {
            user_id: row.user_id,
            handle: row.handle,
            name: row.display_name.clone(),
            display_name: row.display_name,
            own,
            bio: row.bio,
            location: row.location,
            website: row.website,
            visibility: row.visibility,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// An account as its person and admins see it.
#[derive(Serialize)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: bool,
    pub(crate) name: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) status: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i64,
    pub(crate) profile: Option<Profile>,
}

/// Without spaces around it, and nothing from a text of spaces: forms send empty fields.
pub(crate) fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What is said of a video, new or not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VideoSaid {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) category: Option<String>,
    #[serde(alias = "privacy")]
    pub(crate) visibility: Option<events::video::Visibility>,
}

/// When a video is to be published.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publication {
    pub(crate) at: Option<DateTime<Utc>>,
}

/// Personal data about the subject of the command.
pub(crate) fn personal(text: &Option<String>) -> Option<Personal<String>> {
    text.clone().map(Personal::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn every_client_s_words_are_understood() {
        for names in
            [("current_password", "new_password"), ("currentPassword", "newPassword"), ("oldPassword", "newPassword")]
        {
            let text = format!(r#"{{"{}": "a", "{}": "b"}}"#, names.0, names.1);
            let change: PasswordChange = read(&text).expect("an alias");
            assert_eq!((change.current_password.expose(), change.new_password.expose()), ("a", "b"));
        }
        for name in ["identifier", "email", "username"] {
            assert!(read::<Login>(&format!(r#"{{"{name}": "ada", "password": "p"}}"#)).is_ok(), "{name}");
        }
        assert!(read::<Refresh>(r#"{"refreshToken": "x"}"#).is_ok());
        assert_eq!(
            read::<ProfileChange>(r#"{"name": "Ada"}"#).expect("S4's word").display_name.as_deref(),
            Some("Ada")
        );
    }

    #[test]
    fn a_typo_is_not_silence() {
        assert!(read::<PasswordChange>(r#"{"current_password": "a", "new_password": "b", "new": "c"}"#).is_err());
        assert!(read::<Registration>(r#"{"username": "ada", "password": "p", "role": "admin"}"#).is_err());
        assert!(read::<UserChange>(r#"{"role": "admin"}"#).is_err());
        assert!(read::<ProfileChange>(r#"{"display_nam": "Ada"}"#).is_err());
    }

    #[test]
    fn absent_stays_and_null_clears() {
        let change: ProfileChange = read(r#"{"bio": null}"#).expect("a change");
        assert_eq!((change.bio.as_deref(), change.location), (Some(""), None));
    }

    #[test]
    fn preferences_come_plain_or_wrapped() {
        let plain: PreferencesChange = read(r#"{"theme": "dark", "beta": true, "old": null}"#).expect("a map");
        let wrapped: PreferencesChange =
            read(r#"{"preferences": {"theme": "dark", "beta": true, "old": null}}"#).expect("a map");
        assert_eq!(plain.into_map(), wrapped.into_map());
        let named: PreferencesChange = read(r#"{"preferences": "dark"}"#).expect("a preference may have any name");
        assert_eq!(named.into_map().len(), 1);
    }
}
