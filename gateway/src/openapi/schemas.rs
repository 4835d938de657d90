//! The shapes of bodies. Those of requests are as strict as the readers in `shapes.rs`: what is not named is refused.

use serde_json::{Value, json};

/// `components/schemas`.
pub(super) fn schemas() -> Value {
    let mut all = requests();
    for part in [answers_of_identity(), answers_of_profile(), answers_of_platform()] {
        let (Value::Object(all), Value::Object(part)) = (&mut all, part) else { continue };
        all.extend(part);
    }
    all
}

/// A request: nothing but what is named.
fn closed(description: &str, required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// An answer: more may come in later versions.
fn open(description: &str, required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "description": description, "required": required, "properties": properties })
}

fn maybe(kind: &str, description: &str) -> Value {
    json!({ "type": [kind, "null"], "description": description })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn id(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn maybe_time(description: &str) -> Value {
    json!({ "type": ["string", "null"], "format": "date-time", "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn roles() -> Value {
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

fn visibility() -> Value {
    json!({
        "type": "string",
        "enum": ["public", "unlisted", "private"],
        "description": "Everyone and search engines; everyone who has the address; only the person and admins",
    })
}

fn preference_map(nullable: bool) -> Value {
    let mut value = json!({ "type": ["boolean", "integer", "string"], "maxLength": 200 });
    if nullable {
        value["type"] = json!(["boolean", "integer", "string", "null"]);
    }
    json!({ "type": "object", "additionalProperties": value, "maxProperties": 100 })
}

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
    closed("At least one of `username` and `email`", &["password"], properties)
}

fn requests() -> Value {
    let token = || json!({ "type": "string", "minLength": 1, "maxLength": 4096 });
    json!({
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
    })
}

fn answers_of_identity() -> Value {
    json!({
        "AuthUser": open("Whose account it is", &["id", "username", "email", "roles"], json!({
            "id": id("The person's id everywhere"),
            "username": maybe("string", "The name to sign in with"),
            "email": maybe("string", "The address"),
            "name": maybe("string", "What the person is called"),
            "roles": roles(),
        })),
        "SignedIn": open("The account and its tokens",
            &["user", "access_token", "token", "refresh_token", "token_type", "expires_in"], json!({
            "user": super::reference("schemas", "AuthUser"),
            "access_token": text("Send it as `Authorization: Bearer …`"),
            "token": text("The same as `access_token`"),
            "refresh_token": text("Serves once, for new tokens"),
            "token_type": { "const": "Bearer" },
            "expires_in": number("Seconds that the access token counts"),
        })),
        "Message": open("A word to the person", &["message"], json!({ "message": text("What was done, in words") })),
        "TokenState": open("Whose token it is", &["valid", "user", "session"], json!({
            "valid": { "const": true },
            "user": super::reference("schemas", "TokenUser"),
            "session": id("The session"),
        })),
        "TokenUser": open("What the token says of its person", &["id", "roles"], json!({ "id": id("The person"), "roles": roles() })),
        "Sessions": open("Where the person is signed in", &["sessions"], json!({
            "sessions": { "type": "array", "items": super::reference("schemas", "Session") },
        })),
        "Session": open("One sign-in", &["id", "current", "started_at", "last_seen_at", "expires_at"], json!({
            "id": id("The session"),
            "current": { "type": "boolean", "description": "Whether it is the one that asks" },
            "agent": maybe("string", "The browser or program, as it calls itself"),
            "network": maybe("string", "The network it came from, never the whole address"),
            "started_at": time("Signed in"),
            "last_seen_at": time("Last refreshed"),
            "expires_at": time("Over at the latest"),
        })),
        "Ended": open("How many sessions were ended", &["ended"], json!({ "ended": number("Sessions") })),
        "KeySet": open("Public keys of access tokens (RFC 7517)", &["keys"], json!({
            "keys": { "type": "array", "items": { "type": "object", "required": ["kty", "kid"] } },
        })),
        "User": open("An account", &["id", "username", "email", "email_verified", "roles", "status", "created_at", "updated_at", "version"],
            json!({
            "id": id("The person's id everywhere"),
            "username": maybe("string", "The name to sign in with"),
            "email": maybe("string", "The address"),
            "email_verified": { "type": "boolean", "description": "Whether the address is proven to be the person's" },
            "name": maybe("string", "What the person is called"),
            "roles": roles(),
            "status": { "type": "string", "enum": ["active", "suspended", "erased"], "description": "Whether the account may sign in" },
            "created_at": time("Registered"),
            "updated_at": time("Last changed"),
            "version": number("The `ETag`"),
            "profile": { "oneOf": [super::reference("schemas", "PublicProfile"), { "type": "null" }] },
        })),
        "Users": open("A page of accounts, newest first", &["users", "next"], json!({
            "users": { "type": "array", "items": super::reference("schemas", "User") },
            "next": maybe("string", "Send it as `after` for the next page; `null` on the last"),
        })),
    })
}

fn answers_of_profile() -> Value {
    let shown = json!({
        "user_id": id("Whose it is"),
        "handle": text("Where it is found: `/u/<handle>`"),
        "display_name": maybe("string", "What the person is called"),
        "name": maybe("string", "The same as `display_name`"),
        "bio": maybe("string", "About the person"),
        "location": maybe("string", "Where the person is"),
        "website": maybe("string", "Where the person is on the web"),
        "visibility": visibility(),
        "created_at": time("Begun"),
        "updated_at": time("Last changed"),
        "version": number("The `ETag`"),
    });
    let mut own = shown.clone();
    own["email"] = maybe("string", "The person's address; only the person and admins see it");
    own["username"] = maybe("string", "The person's name to sign in with; only the person and admins see it");
    own["preferences"] = preference_map(false);
    let done = |more: Value| {
        let mut properties = json!({ "user_id": id("Whose it is"), "version": number("The `ETag`") });
        let (Value::Object(all), Value::Object(more)) = (&mut properties, more) else { return properties };
        all.extend(more);
        open("What was changed", &["user_id", "version"], properties)
    };
    json!({
        "Profile": open("A profile as its person sees it", &["user_id", "handle", "display_name", "visibility", "version"], own),
        "PublicProfile": open("A profile as others see it", &["user_id", "handle", "display_name", "visibility", "version"], shown),
        "ProfileChanged": done(json!({
            "display_name": maybe("string", "What the person is called, when it was given"),
            "name": maybe("string", "The same as `display_name`"),
            "bio": maybe("string", "About the person, when it was given"),
            "location": maybe("string", "Where the person is, when it was given"),
            "website": maybe("string", "Where the person is on the web, when it was given"),
        })),
        "HandleChanged": done(json!({ "handle": text("Where it is found") })),
        "VisibilityChanged": done(json!({ "visibility": visibility() })),
        "PreferencesChanged": done(json!({ "preferences": preference_map(true) })),
        "Preferences": open("How somebody likes things", &["user_id", "preferences", "version"], json!({
            "user_id": id("Whose they are"),
            "preferences": preference_map(false),
            "version": number("The `ETag`"),
        })),
    })
}

fn answers_of_platform() -> Value {
    let status = json!({ "type": "string", "enum": ["pending", "accepted", "rejected"] });
    json!({
        "Problem": open("What went wrong (RFC 9457)", &["type", "title", "status", "code"], json!({
            "type": { "type": "string", "format": "uri-reference", "description": "A page about this kind of problem" },
            "title": text("The kind of problem, in words"),
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the answer" },
            "code": text("A stable word for programs"),
            "detail": text("This problem, in words for the person who asked"),
            "instance": text("The path that was asked"),
        })),
        "Operation": open("A command and what became of it", &["id", "status"], json!({
            "id": id("The command"),
            "status": status,
            "kind": maybe("string", "The command's type"),
            "subject": { "type": ["string", "null"], "format": "uuid", "description": "What it was asked of" },
            "version": { "type": ["integer", "null"], "description": "The version after it" },
            "asked_at": maybe_time("Asked"),
            "decided_at": maybe_time("Decided"),
        })),
        "CloudEvent": open("A command as a CloudEvent 1.0", &["specversion", "id", "source", "type", "subject", "data"], json!({
            "specversion": { "const": "1.0" },
            "id": text("With `source` it makes the command idempotent"),
            "source": { "type": "string", "format": "uri-reference", "description": "Who asks, in the asker's own words" },
            "type": { "type": "string", "description": "The command: `profile.profile.update.v1`" },
            "subject": id("What is asked"),
            "data": { "type": "object", "description": "What the command says" },
        })),
        "Document": open("An OpenAPI 3.1 document", &["openapi", "info", "paths"], json!({ "openapi": text("3.1") })),
        "Health": open("How the platform is", &["status"], json!({ "status": text("`ok` when all is well") })),
    })
}
