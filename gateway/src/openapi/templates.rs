//! The shapes of texts of messages and of the contact form, asked and answered.

use super::reference;
use super::schemas::{closed, id, maybe, maybe_time, number, open, text, time};
use serde_json::{Value, json};

/// All of them.
pub(super) fn schemas() -> Value {
    let Value::Object(mut all) = templates() else { return Value::Null };
    all.extend(contact().as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

fn templates() -> Value {
    let key = || json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 60 });
    let locale = || json!({ "type": "string", "pattern": "^[a-z]{2,3}(-[A-Z]{2})?$" });
    let line = |limit: u32| json!({ "type": "string", "minLength": 1, "maxLength": limit });
    let html = json!({ "type": ["string", "null"], "minLength": 1, "maxLength": 150_000 });
    let variable = closed(
        "Something that is put into a text",
        &["name"],
        json!({
            "name": { "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 40 },
            "required": { "type": "boolean", "default": true, "description": "Without it nothing is sent" },
        }),
    );
    let numbers = |description: &str| json!({ "type": "object", "description": description, "additionalProperties": { "type": "integer" } });
    let data =
        json!({ "type": "object", "description": "What is put into the text, by name", "additionalProperties": true });
    let template = || {
        json!({
            "key": text("What programs call it"),
            "state": { "enum": ["draft", "published", "retired", "built_in"] },
            "published": numbers("The draft that is sent, by language"),
            "newest": numbers("The newest draft, by language"),
            "created_at": time("Begun"),
            "updated_at": time("Last changed"),
            "version": number("The `ETag`"),
        })
    };
    let mut whole = template();
    whole["drafts"] = json!({ "type": "array", "items": reference("schemas", "TemplateDraft") });
    json!({
        "TemplatePut": closed("A draft that is to be", &["key", "locale", "subject", "text"], json!({
            "key": key(),
            "locale": locale(),
            "subject": line(500),
            "text": line(50_000),
            "html": html,
            "variables": { "type": "array", "maxItems": 50, "items": variable },
        })),
        "TemplatePublication": closed("Which draft", &["draft"], json!({ "draft": number("Its number") })),
        "TemplatePreview": closed("What to look at", &[], json!({
            "locale": { "type": ["string", "null"], "description": "The language that somebody prefers" },
            "draft": { "type": ["integer", "null"], "minimum": 0, "description": "A draft, whatever is published" },
            "data": data,
        })),
        "TemplateDrafted": open("The draft", &["key", "draft", "version"], json!({
            "key": text("The template"),
            "draft": number("The number of the draft"),
            "version": number("The `ETag`"),
        })),
        "TemplateChanged": open("The template", &["key", "version"], json!({
            "key": text("The template"),
            "version": number("The `ETag`"),
        })),
        "TemplateRendered": open("The message", &["locale", "subject", "text"], json!({
            "locale": text("The language it is in"),
            "subject": text("One line"),
            "text": text("The plain form"),
            "html": maybe("string", "The form with markup"),
        })),
        "TemplateDraft": open("A draft", &["draft", "sent", "text"], json!({
            "draft": number("Its number; 0 is what the platform brings along"),
            "sent": { "type": "boolean", "description": "Whether it is what is sent in its language" },
            "created_at": time("Made"),
            "text": open("What it says", &["locale", "subject", "text", "variables"], json!({
                "locale": text("Its language"),
                "subject": text("One line"),
                "text": text("The plain form"),
                "html": maybe("string", "The form with markup"),
                "variables": { "type": "array", "items": { "type": "object" } },
            })),
        })),
        "Template": open("A template", &["key", "state", "published", "drafts"], whole),
        "Templates": open("A page of templates, newest first", &["items", "next"], json!({
            "items": { "type": "array", "items": open("A template", &["key", "state", "version"], template()) },
            "next": maybe("string", "Send it as `after` for the next page; `null` on the last"),
        })),
    })
}

fn contact() -> Value {
    let line = |limit: usize| json!({ "type": "string", "minLength": 1, "maxLength": limit });
    json!({
        "ContactForm": closed("What somebody writes", &["name", "email", "subject", "message"], json!({
            "name": line(events::notification::contact::NAME),
            "email": { "type": "string", "format": "email", "maxLength": 254 },
            "subject": line(events::notification::contact::SUBJECT),
            "message": line(events::notification::contact::MESSAGE),
            "website": { "type": ["string", "null"], "maxLength": 0, "description": "Stays empty" },
        })),
        "ContactTaken": open("What was written", &["id", "message"], json!({
            "id": id("The message"),
            "message": text("In words for whoever wrote it"),
        })),
        "ContactMessage": open("What somebody wrote", &["id", "state", "received_at", "version"], json!({
            "id": id("The message"),
            "name": maybe("string", "What they call themselves"),
            "email": maybe("string", "Where they hope for an answer"),
            "subject": maybe("string", "What it is about"),
            "message": maybe("string", "The rest"),
            "state": { "enum": ["waiting", "answered"] },
            "received_at": time("Written"),
            "answered_at": maybe_time("Answered"),
            "version": number("The `ETag`"),
        })),
        "ContactMessages": open("A page of what people wrote, newest first", &["items", "next"], json!({
            "items": { "type": "array", "items": reference("schemas", "ContactMessage") },
            "next": maybe("string", "Send it as `after` for the next page; `null` on the last"),
        })),
        "ContactChanged": open("The message", &["id", "version"], json!({
            "id": id("The message"),
            "version": number("The `ETag`"),
        })),
    })
}
