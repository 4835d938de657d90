//! The shapes of what people are told, asked and answered.

use super::schemas::{closed, id, maybe, maybe_time, number, open, text, time};
use serde_json::{Value, json};

/// All of them.
pub(super) fn schemas() -> Value {
    let category = || json!({ "enum": ["security", "transactional", "activity", "marketing"] });
    let channel = || json!({ "enum": ["in_app", "email", "push", "sms"] });
    let clock = |what: &str| json!({ "type": ["string", "null"], "description": what, "examples": ["22:00:00"] });
    let quiet = json!({
        "type": ["object", "null"],
        "required": ["from", "to"],
        "additionalProperties": false,
        "properties": {
            "from": { "type": "string", "examples": ["22:00:00"] },
            "to": { "type": "string", "examples": ["07:00:00"] },
        },
    });
    let switches = json!({
        "type": "object",
        "propertyNames": category(),
        "additionalProperties": { "type": "object", "propertyNames": channel(), "additionalProperties": { "type": "boolean" } },
    });
    let wishes = || {
        json!({
            "channels": switches,
            "quiet": quiet,
            "digest_at": clock("When mails about activity come together, local time; at once without it"),
            "zone": maybe("string", "IANA name of the zone of these times"),
            "locale": maybe("string", "BCP 47 tag"),
            "phone": maybe("string", "E.164, for text messages"),
        })
    };
    let mut said = wishes();
    said["suppressed"] = json!({ "type": "object", "description": "What is sent nothing any more, and why" });
    said["version"] = number("Of the inbox");
    let notice = json!({
        "type": "object",
        "required": ["id", "category", "kind", "title", "text", "created_at"],
        "properties": {
            "id": id("The notice"),
            "category": category(),
            "kind": text("What it is about, for programs: `video_ready`, `message`"),
            "title": text("One line"),
            "text": text("A few words"),
            "link": maybe("string", "Where it leads: an address, or a path of this site"),
            "created_at": time("When you were told"),
            "read_at": maybe_time("When you saw it"),
        },
    });
    let delivery = json!({
        "type": "object",
        "required": ["id", "user_id", "channel", "state", "attempts"],
        "properties": {
            "id": id("The delivery"),
            "user_id": id("To whom"),
            "channel": channel(),
            "category": maybe("string", "How much it matters"),
            "state": text("What became of it"),
            "attempts": number("How often it was tried"),
            "reason": maybe("string", "Why it is not sent"),
            "provider_id": maybe("string", "What the provider calls it"),
            "due_at": maybe_time("When it goes out"),
            "created_at": time("Begun"),
            "updated_at": time("Last changed"),
        },
    });
    let next = || maybe("string", "Send it as `after` for the next page; `null` on the last");
    let browser = json!({
        "type": "object",
        "properties": { "id": id("The browser"), "service": maybe("string", "Its push service"), "since": time("Since when") },
    });
    json!({
        "Notifications": open("A page of an inbox", &["items", "next", "unread"], json!({
            "items": { "type": "array", "items": notice },
            "next": next(),
            "unread": number("How much of all of it you have not seen"),
        })),
        "UnreadCount": open("How much", &["unread"], json!({ "unread": number("What you have not seen") })),
        "NotificationsRead": closed("What was seen", &[], json!({
            "ids": { "type": ["array", "null"], "maxItems": 500, "items": { "type": "string", "format": "uuid" } },
        })),
        "NotificationsChanged": open("Whose inbox", &["user_id", "version"], json!({
            "user_id": id("The person"),
            "version": number("Of the inbox"),
        })),
        "NotificationPreferences": open("How somebody wants to be told things", &["version"], said),
        "NotificationPreferencesChange": closed("How to be told things from now on", &[], wishes()),
        "PushSubscription": closed("What a browser gives", &["endpoint", "keys"], json!({
            "endpoint": { "type": "string", "format": "uri", "maxLength": 2048 },
            "expirationTime": { "type": ["number", "null"] },
            "keys": {
                "type": "object",
                "required": ["p256dh", "auth"],
                "additionalProperties": false,
                "properties": { "p256dh": { "type": "string" }, "auth": { "type": "string" } },
            },
        })),
        "PushSubscriptionEnd": closed("Which one", &[], json!({
            "endpoint": { "type": ["string", "null"] },
            "id": { "type": ["string", "null"], "format": "uuid" },
        })),
        "PushSubscribed": open("The browser", &["id"], json!({ "id": id("The browser"), "version": number("Of the inbox") })),
        "PushSubscriptions": open("Browsers", &["items"], json!({ "items": { "type": "array", "items": browser } })),
        "Telling": closed("What is to be told to whom: `title` and `text`, or a `template`", &["user_id"], json!({
            "user_id": id("The person"),
            "title": { "type": ["string", "null"], "maxLength": 200 },
            "text": { "type": ["string", "null"], "minLength": 1, "maxLength": 20000 },
            "template": { "type": ["string", "null"], "maxLength": 60 },
            "data": { "type": "object", "description": "What the template is filled with" },
            "locale": { "type": ["string", "null"], "maxLength": 35 },
            "html": { "type": ["string", "null"], "maxLength": 100_000 },
            "link": { "type": ["string", "null"], "maxLength": 2048 },
            "category": { "enum": ["security", "transactional", "activity", "marketing", null] },
            "channels": { "type": ["array", "null"], "items": channel() },
            "key": { "type": ["string", "null"], "maxLength": 200 },
        })),
        "Appointment": closed("What is confirmed to whom", &["user_id", "data"], json!({
            "user_id": id("The person"),
            "data": { "type": "object", "description": "What the template is filled with" },
            "channels": { "type": ["array", "null"], "items": channel() },
            "key": { "type": ["string", "null"], "maxLength": 200 },
            "locale": { "type": ["string", "null"], "maxLength": 35 },
        })),
        "TemplateTest": closed("What to fill it with", &[], json!({
            "locale": { "type": ["string", "null"], "maxLength": 35 },
            "data": { "type": "object" },
        })),
        "Told": open("What was told", &["success", "id", "user_id"], json!({
            "success": { "const": true },
            "id": id("The notice"),
            "user_id": id("The person"),
            "version": number("Of the inbox"),
        })),
        "Deliveries": open("A page of the log of deliveries", &["items", "next"], json!({
            "items": { "type": "array", "items": delivery },
            "next": next(),
        })),
        "DeliveryReceipt": closed("What a provider said", &["receipt"], json!({
            "receipt": { "enum": ["bounced", "complained"] },
        })),
    })
}
