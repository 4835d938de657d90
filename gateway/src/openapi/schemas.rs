//! The shapes of bodies. Those of requests are as strict as the readers in `shapes.rs`: what is not named is refused.

use serde_json::{Value, json};

/// `components/schemas`.
pub(super) fn schemas() -> Value {
    let mut all = requests();
    let parts = [super::media::schemas(), super::notifications::schemas(), super::templates::schemas()];
    for part in super::answers::schemas().into_iter().chain(parts) {
        let (Value::Object(all), Value::Object(part)) = (&mut all, part) else { continue };
        all.extend(part);
    }
    all
}

/// A request: nothing but what is named.
pub(super) fn closed(description: &str, required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Things under several names, of which exactly one of each group is given: one whole schema for each way to say it,
/// because tools that make up requests get lost in alternatives that leave the rest open.
fn one_of(mut schema: Value, groups: &[&[&str]]) -> Value {
    let description = schema["description"].take();
    let mut ways = vec![schema];
    for names in groups {
        let each = |way: &Value| names.iter().map(|name| only(way.clone(), names, name)).collect::<Vec<_>>();
        ways = ways.iter().flat_map(each).collect();
    }
    json!({ "description": description, "oneOf": ways })
}

/// The schema with one of the names only, which is required.
fn only(mut schema: Value, names: &[&str], kept: &str) -> Value {
    if let Some(all) = schema["properties"].as_object_mut() {
        all.retain(|name, _| name == kept || !names.contains(&name.as_str()));
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(kept.into());
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("description");
    }
    schema
}

/// Things under several names, of which at most one is given.
fn not_twice(schema: Value, groups: &[&[&str]]) -> Value {
    let mut pairs = vec![];
    for names in groups {
        for (at, one) in names.iter().enumerate() {
            pairs.extend(names[at + 1..].iter().map(|other| json!({ "required": [one, other] })));
        }
    }
    with(schema, "not", json!({ "anyOf": pairs }))
}

fn with(mut schema: Value, keyword: &str, value: Value) -> Value {
    schema[keyword] = value;
    schema
}

/// An answer: more may come in later versions.
pub(super) fn open(description: &str, required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "description": description, "required": required, "properties": properties })
}

pub(super) fn maybe(kind: &str, description: &str) -> Value {
    json!({ "type": [kind, "null"], "description": description })
}

pub(super) fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

pub(super) fn id(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

pub(super) fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

pub(super) fn maybe_time(description: &str) -> Value {
    json!({ "type": ["string", "null"], "format": "date-time", "description": description })
}

pub(super) fn number(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

pub(super) fn roles() -> Value {
    json!({
        "type": "array",
        "description": "Rights beyond those of every user",
        "items": { "type": "string", "enum": ["admin", "moderator"] },
    })
}

/// A text that can be given, left as it is (absent) or cleared (`null` or empty).
fn field(limit: u32, description: &str) -> Value {
    json!({ "type": ["string", "null"], "maxLength": limit, "description": description })
}

fn password(description: &str) -> Value {
    json!({ "type": "string", "format": "password", "minLength": 1, "maxLength": 1024, "description": description })
}

fn confirmation() -> Value {
    maybe("string", "The new password again, as forms send it; checked when given")
}

pub(super) fn visibility() -> Value {
    json!({
        "type": "string",
        "enum": ["public", "unlisted", "private"],
        "description": "Everyone and search engines; everyone who has the address; only the person and admins",
    })
}

pub(super) fn preference_map(nullable: bool) -> Value {
    let mut value = json!({ "type": ["boolean", "integer", "string"], "maxLength": 200 });
    if nullable {
        value["type"] = json!(["boolean", "integer", "string", "null"]);
    }
    json!({ "type": "object", "additionalProperties": value, "maxProperties": 100 })
}

/// What a person is called, in the words of all clients.
const NAMES: &[&str] = &["display_name", "name", "displayName"];
/// The repetition of a new password, likewise.
const CONFIRMATIONS: &[&str] = &["confirm_password", "confirmPassword", "password_confirmation"];

fn registration(extra: Value) -> Value {
    let mut properties = json!({
        "username": { "type": ["string", "null"], "maxLength": 60,
            "description": "3 to 30 letters, digits, dots, underscores or hyphens, beginning with a letter or digit; unique" },
        "email": { "type": ["string", "null"], "maxLength": 254, "description": "Unique; it can be signed in with too" },
        "password": password("At least 8 characters, and none that is common or made of the names"),
        "name": { "type": ["string", "null"], "maxLength": 200, "description": "What the person is called; at most 100 characters" },
        "display_name": { "type": ["string", "null"], "maxLength": 200, "description": "The same as `name`" },
        "displayName": { "type": ["string", "null"], "maxLength": 200, "description": "The same as `name`" },
        "locale": { "type": ["string", "null"], "maxLength": 35, "description": "BCP 47 tag for mails" },
        "confirm_password": confirmation(),
        "confirmPassword": confirmation(),
        "password_confirmation": confirmation(),
    });
    let (Value::Object(all), Value::Object(extra)) = (&mut properties, extra) else { return properties };
    all.extend(extra);
    let schema = closed("At least one of `username` and `email`", &["password"], properties);
    let schema = with(schema, "anyOf", json!([{ "required": ["username"] }, { "required": ["email"] }]));
    not_twice(schema, &[NAMES, CONFIRMATIONS, &["bootstrap_secret", "bootstrapSecret", "secret"]])
}

fn requests() -> Value {
    let token = || json!({ "type": "string", "minLength": 1, "maxLength": 4096 });
    let mut all = json!({
        "Registration": registration(json!({})),
        "AdminRegistration": registration(json!({
            "bootstrap_secret": maybe("string", "The one-time secret, when no admin asks; the header `X-Bootstrap-Secret` does as well"),
            "bootstrapSecret": maybe("string", "The same as `bootstrap_secret`"),
            "secret": maybe("string", "The same as `bootstrap_secret`"),
        })),
        "Login": closed("One of `identifier`, `email` and `username`, and the password", &["password"], json!({
            "identifier": text("A username or an e-mail address"),
            "email": text("The same as `identifier`"),
            "username": text("The same as `identifier`"),
            "password": password("The password"),
        })),
        "Refresh": closed("The refresh token", &[], json!({ "refresh_token": token(), "refreshToken": token() })),
        "PasswordChange": closed("The old password and the new one, each under one of its names", &[], json!({
            "current_password": password("The password until now"),
            "currentPassword": password("The same as `current_password`"),
            "old_password": password("The same as `current_password`"),
            "oldPassword": password("The same as `current_password`"),
            "new_password": password("The password from now on"),
            "newPassword": password("The same as `new_password`"),
            "confirm_password": confirmation(),
            "confirmPassword": confirmation(),
            "password_confirmation": confirmation(),
        })),
        "ForgottenPassword": closed("Whose password is forgotten", &[], json!({
            "email": text("The address of the account, or its username"),
            "identifier": text("The same as `email`"),
            "username": text("The same as `email`"),
        })),
        "PasswordReset": closed("The token from the mail and the new password", &["token"], json!({
            "token": token(),
            "password": password("The password from now on"),
            "new_password": password("The same as `password`"),
            "newPassword": password("The same as `password`"),
            "confirm_password": confirmation(),
            "confirmPassword": confirmation(),
            "password_confirmation": confirmation(),
        })),
        "PasswordResetForm": closed("The token from the mail and the new password", &["token", "password"], json!({
            "token": token(),
            "password": password("The password from now on"),
        })),
        "EmailVerification": closed("The token from the mail", &["token"], json!({ "token": token() })),
        "ProfileChange": {
            "type": "object",
            "description": "What is given changes, what is absent stays, `null` or an empty text clears",
            "minProperties": 1,
            "additionalProperties": false,
            "properties": {
                "display_name": field(100, "What the person is called"),
                "name": field(100, "The same as `display_name`"),
                "displayName": field(100, "The same as `display_name`"),
                "bio": field(2000, "About the person"),
                "location": field(100, "Where the person is"),
                "website": field(300, "Where the person is on the web: `https://` or `http://`"),
            },
        },
        "HandleChange": closed("The handle to have", &["handle"], json!({
            "handle": { "type": "string", "minLength": 3, "maxLength": 30, "pattern": "^[a-z0-9][a-z0-9_-]{2,29}$",
                "description": "Where the profile is found: `/u/<handle>`" },
        })),
        "VisibilityChange": closed("Who shall see the profile", &["visibility"], json!({ "visibility": visibility() })),
        "PreferencesChange": {
            "description": "By name: a switch, a whole number or a short text; `null` removes one. `{\"preferences\": {…}}` is understood too",
            "anyOf": [
                preference_map(true),
                closed("Wrapped", &["preferences"], json!({ "preferences": preference_map(true) })),
            ],
        },
        "UserChange": {
            "type": "object",
            "description": "What shall be; what is absent stays",
            "minProperties": 1,
            "additionalProperties": false,
            "properties": {
                "display_name": field(100, "What the person is called"),
                "name": field(100, "The same as `display_name`"),
                "displayName": field(100, "The same as `display_name`"),
                "roles": roles(),
                "status": { "type": "string", "enum": ["active", "suspended"], "description": "Whether the account may sign in" },
                "reason": { "type": ["string", "null"], "maxLength": 500, "description": "Why it is suspended, for the audit" },
            },
        },
    });
    for (name, groups) in ONE_OF {
        all[name] = one_of(all[name].take(), groups);
    }
    for (name, names) in NOT_TWICE {
        all[name] = not_twice(all[name].take(), &[names]);
    }
    all
}

type Groups = &'static [&'static [&'static str]];

/// Requests in which exactly one name of each group is given.
const ONE_OF: &[(&str, Groups)] = &[
    ("Login", &[&["identifier", "email", "username"]]),
    ("Refresh", &[&["refresh_token", "refreshToken"]]),
    (
        "PasswordChange",
        &[&["current_password", "currentPassword", "old_password", "oldPassword"], &["new_password", "newPassword"]],
    ),
    ("ForgottenPassword", &[&["email", "identifier", "username"]]),
    ("PasswordReset", &[&["password", "new_password", "newPassword"]]),
];

/// Requests in which a thing has several names and need not be given.
const NOT_TWICE: &[(&str, &[&str])] = &[
    ("PasswordChange", CONFIRMATIONS),
    ("PasswordReset", CONFIRMATIONS),
    ("ProfileChange", NAMES),
    ("UserChange", NAMES),
];
