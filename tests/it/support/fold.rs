//! The pages as they must be: a fold of the log written without a look at the projections, over JSON.
//! It knows nothing of Rust types, so a mistake in them shows.

use super::log::Entry;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The rows that the log says there are.
#[derive(Default)]
pub struct Pages {
    /// `user_page` by id, without the sealed address, whose presence alone is told.
    pub users: BTreeMap<Uuid, Value>,
    /// `profile_page` by person.
    pub profiles: BTreeMap<Uuid, Value>,
}

/// Folds opened events, in the order of the log.
pub fn pages(log: &[Entry]) -> Pages {
    let mut pages = Pages::default();
    for entry in log {
        match entry.subject.split('.').nth(2) {
            Some("user") => user(&mut pages.users, entry),
            Some("profile") => profile(&mut pages.profiles, entry),
            _ => {}
        }
    }
    pages
}

/// A personal field, opened: its text, or nothing when it is absent or erased.
fn open(field: &Value) -> Value {
    match field {
        Value::Object(wrapped) => wrapped.get("$personal").cloned().unwrap_or(Value::Null),
        other => other.clone(),
    }
}

fn time(entry: &Entry) -> Value {
    entry.event["time"].clone()
}

fn user(users: &mut BTreeMap<Uuid, Value>, entry: &Entry) {
    let (id, data) = (entry.about(), &entry.event["data"]);
    if entry.kind() == "identity.user.registered.v1" {
        let roles: BTreeSet<String> = data["roles"].as_array().into_iter().flatten().filter_map(word).collect();
        let row = json!({
            "id": id, "username": open(&data["username"]), "has_email": !open(&data["email"]).is_null(),
            "email_verified": false, "roles": roles, "status": "active", "locale": data["locale"],
            "created_at": time(entry), "updated_at": time(entry), "version": entry.version(),
        });
        users.insert(id, row);
        return;
    }
    let Some(row) = users.get_mut(&id) else { panic!("{} before a registration: {}", entry.kind(), entry.event) };
    row["version"] = json!(entry.version());
    let mut changed = true;
    match entry.kind() {
        "identity.user.email_verified.v1" => row["email_verified"] = json!(true),
        "identity.user.suspended.v1" => row["status"] = json!("suspended"),
        "identity.user.reactivated.v1" => row["status"] = json!("active"),
        "identity.user.role_assigned.v1" => change_roles(row, |roles| roles.insert(role(data))),
        "identity.user.role_revoked.v1" => change_roles(row, |roles| roles.remove(&role(data))),
        "identity.user.erased.v1" => {
            row["status"] = json!("erased");
            row["username"] = Value::Null;
            row["has_email"] = json!(false);
            row["email_verified"] = json!(false);
            row["roles"] = json!([]);
            row["locale"] = Value::Null;
        }
        _ => changed = false,
    }
    if changed {
        row["updated_at"] = time(entry);
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn role(data: &Value) -> String {
    word(&data["role"]).expect("a role is a word")
}

fn change_roles(row: &mut Value, change: impl FnOnce(&mut BTreeSet<String>) -> bool) {
    let mut roles = row["roles"].as_array().into_iter().flatten().filter_map(word).collect();
    change(&mut roles);
    row["roles"] = json!(roles);
}

fn profile(profiles: &mut BTreeMap<Uuid, Value>, entry: &Entry) {
    let (id, data) = (entry.about(), &entry.event["data"]);
    match entry.kind() {
        "profile.profile.created.v1" => {
            let row = json!({
                "user_id": id, "handle": data["handle"], "display_name": open(&data["display_name"]), "bio": null,
                "location": null, "website": null, "visibility": "public", "preferences": {},
                "version": entry.version(), "created_at": time(entry), "updated_at": time(entry), "past_handles": [],
            });
            let before = profiles.insert(id, row);
            assert!(before.is_none(), "a second profile of {id}");
            return;
        }
        "profile.profile.erased.v1" => {
            profiles.remove(&id);
            return;
        }
        _ => {}
    }
    let Some(row) = profiles.get_mut(&id) else { panic!("{} before a profile: {}", entry.kind(), entry.event) };
    row["version"] = json!(entry.version());
    row["updated_at"] = time(entry);
    match entry.kind() {
        "profile.profile.updated.v1" => {
            for (name, value) in data.as_object().into_iter().flatten() {
                let value = open(value);
                row[name] = if value == "" { Value::Null } else { value };
            }
        }
        "profile.profile.handle_changed.v1" => {
            let past = row["past_handles"].as_array_mut().expect("past handles are a list");
            past.retain(|handle| *handle != data["from"] && *handle != data["to"]);
            past.push(data["from"].clone());
            row["handle"] = data["to"].clone();
        }
        "profile.profile.visibility_set.v1" => row["visibility"] = data["visibility"].clone(),
        "profile.profile.preferences_updated.v1" => {
            let kept = row["preferences"].as_object_mut().expect("preferences are an object");
            merge(kept, data["preferences"].as_object().expect("preferences are an object"));
        }
        other => panic!("unknown to this fold: {other}"),
    }
}

fn merge(kept: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (name, value) in changes {
        match value {
            Value::Null => kept.remove(name),
            value => kept.insert(name.clone(), value.clone()),
        };
    }
}
