//! The shapes of videos and files, asked and answered.

use super::reference;
use super::schemas::{closed, id, maybe, maybe_time, number, open, text, time, visibility};
use serde_json::{Value, json};

/// All of them.
pub(super) fn schemas() -> Value {
    let tags =
        || json!({ "type": "array", "maxItems": 20, "items": { "type": "string", "minLength": 1, "maxLength": 30 } });
    let said = || {
        json!({
            "title": { "type": "string", "minLength": 1, "maxLength": 120 },
            "description": { "type": "string", "maxLength": 5000 },
            "tags": tags(),
            "category": { "type": "string", "maxLength": 40 },
            "visibility": visibility(),
            "privacy": visibility(),
        })
    };
    let status = json!({ "enum": ["draft", "uploading", "processing", "playable", "ready", "published", "failed"] });
    let rendition = json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "width": { "type": "integer" }, "height": { "type": "integer" } },
    });
    let task = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "class": { "enum": ["required", "normal", "optional"] },
            "state": { "enum": ["queued", "running", "done", "failed"] },
            "attempts": { "type": "integer", "minimum": 0 },
            "error": {
                "type": ["object", "null"],
                "description": "Why the last attempt failed: `code`, `message`, and for admins `tail`, the end of what the tool said",
            },
        },
    });
    json!({
        "VideoDraft": closed("What is said of a new video", &["title"], said()),
        "VideoChange": closed("What is to be said of it from now on", &[], said()),
        "Publication": closed("When", &[], json!({ "at": time("When it is to be published; at once without it") })),
        "VideoChanged": open("The video", &["id", "version"], json!({
            "id": id("The video"),
            "version": number("The `ETag`"),
        })),
        "VideoDeleted": open("A video that was", &["id", "version", "status"], json!({
            "id": id("The video"),
            "version": number("The `ETag`"),
            "status": { "const": "deleted" },
        })),
        "ViewCounted": open("A view", &["id", "counted"], json!({
            "id": id("The video"),
            "counted": { "type": "boolean", "description": "Whether it counts" },
        })),
        "Video": open("A video", &["id", "user_id", "title", "status", "progress", "visibility"], json!({
            "id": id("The video"),
            "user_id": id("Whose it is"),
            "title": text("What it is called"),
            "description": maybe("string", "What it is about"),
            "tags": tags(),
            "category": maybe("string", "One word for its kind"),
            "visibility": visibility(),
            "status": status,
            "progress": number("Percent of the work on it that is done"),
            "duration_ms": maybe("integer", "Milliseconds"),
            "width": maybe("integer", "Pixels"),
            "height": maybe("integer", "Pixels"),
            "renditions": { "type": "array", "items": rendition },
            "thumbnail": maybe("string", "Where its picture is"),
            "storyboard": maybe("string", "Where the WebVTT of its small pictures is"),
            "playback": maybe("string", "The master playlist, as soon as it can be played"),
            "page": text("The page that plays it, or shows how far it is; with a permission when it is not for everybody"),
            "featured": { "type": "boolean" },
            "views": number("How often it was watched"),
            "error": { "type": ["object", "null"], "description": "Why nothing could be made of it, for its owner" },
            "published_at": maybe_time("Published"),
            "scheduled_at": maybe_time("To be published"),
            "created_at": time("Begun"),
            "updated_at": time("Last changed"),
            "version": number("The `ETag`"),
        })),
        "Videos": open("A page of videos, newest first", &["items", "next"], json!({
            "items": { "type": "array", "items": reference("schemas", "Video") },
            "next": maybe("string", "Send it as `after` for the next page; `null` on the last"),
        })),
        "VideoStatus": open("Where a video stands", &["id", "status", "progress"], json!({
            "id": id("The video"),
            "status": status,
            "progress": number("Percent of the work on it that is done"),
            "published": { "type": "boolean", "description": "Whether others see it" },
            "renditions": { "type": "array", "items": { "type": "string" } },
            "thumbnail": maybe("string", "Where its picture is"),
            "error": { "type": ["object", "null"], "description": "Why nothing could be made of it" },
        })),
        "Queue": open("How much there is to do", &["waiting", "active", "classes", "jobs"], json!({
            "waiting": number("Tasks that no worker has taken yet"),
            "active": number("Tasks under way"),
            "classes": { "type": "object", "description": "The same for each class: required, normal, optional" },
            "jobs": { "type": "object", "description": "Jobs that are under way, and that failed" },
        })),
        "Job": open("A job", &["id", "kind", "video_id", "user_id", "run", "state", "tasks"], json!({
            "id": id("The job"),
            "kind": text("Which kind of work"),
            "video_id": id("The video"),
            "source_version": number("The version of its file"),
            "user_id": id("Whose it is"),
            "run": number("How often it was begun"),
            "state": { "enum": ["working", "completed", "failed", "cancelled"] },
            "tasks": { "type": "array", "items": task },
            "error": { "type": ["object", "null"], "description": "Why it failed" },
            "created_at": time("Begun"),
            "updated_at": time("When something happened to it last"),
        })),
        "Jobs": open("A page of jobs, newest first", &["items", "next"], json!({
            "items": { "type": "array", "items": reference("schemas", "Job") },
            "next": maybe("string", "Send it as `after` for the next page; `null` on the last"),
        })),
        "JobChanged": open("The job", &["id", "version"], json!({
            "id": id("The job"),
            "version": number("The `ETag`"),
        })),
        "FileChanged": open("The file", &["id"], json!({ "id": id("The file") })),
        "FileUploaded": open("A file that is here", &["id", "size", "purpose"], json!({
            "id": id("The file"),
            "size": number("Bytes"),
            "purpose": text("What it is for"),
            "video_id": { "type": ["string", "null"], "format": "uuid", "description": "The video that it is the source of" },
        })),
    })
}
