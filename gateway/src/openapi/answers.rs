//! The shapes of what is answered. More may come in later versions, so these are open.

use super::reference;
use super::schemas::{id, maybe, maybe_time, number, open, preference_map, roles, text, time, visibility};
use serde_json::{Value, json};

/// All of them.
pub(super) fn schemas() -> [Value; 3] {
    [answers_of_identity(), answers_of_profile(), answers_of_platform()]
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
            "user": reference("schemas", "AuthUser"),
            "access_token": text("Send it as `Authorization: Bearer …`"),
            "token": text("The same as `access_token`"),
            "refresh_token": text("Serves once, for new tokens"),
            "token_type": { "const": "Bearer" },
            "expires_in": number("Seconds that the access token counts"),
        })),
        "Message": open("A word to the person", &["message"], json!({ "message": text("What was done, in words") })),
        "TokenState": open("Whose token it is", &["valid", "user", "session"], json!({
            "valid": { "const": true },
            "user": reference("schemas", "TokenUser"),
            "session": id("The session"),
        })),
        "TokenUser": open("What the token says of its person", &["id", "roles"], json!({ "id": id("The person"), "roles": roles() })),
        "Sessions": open("Where the person is signed in", &["sessions"], json!({
            "sessions": { "type": "array", "items": reference("schemas", "Session") },
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
            "profile": { "oneOf": [reference("schemas", "PublicProfile"), { "type": "null" }] },
        })),
        "Users": open("A page of accounts, newest first", &["users", "next"], json!({
            "users": { "type": "array", "items": reference("schemas", "User") },
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
        "PushKey": open("What browsers subscribe with", &["public_key"], json!({
            "public_key": text("An uncompressed P-256 point in base64url without padding: 87 characters"),
        })),
        "Health": open("How the platform is", &["status"], json!({ "status": text("`ok` when all is well") })),
    })
}
