//! The invariants: what must be true of the log and of the rows whenever nothing is under way, whatever happened before.

use super::Platform;
use super::fold::pages;
use super::log::Entry;
use super::system::System;
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// All of them. The system must have settled.
pub async fn check(system: &System) {
    let log = system.opened().await;
    let commands = [system.stored("COMMANDS"), system.stored("ASKED")].concat();
    let outcomes = system.stored("OUTCOMES");
    versions_are_contiguous(&log);
    every_event_has_a_cause(&log, &commands);
    every_command_has_one_outcome(&log, &commands, &outcomes);
    names_have_one_holder(&log);
    everybody_has_one_profile(&log);
    rows_are_the_fold(system, &log).await;
}

/// Every aggregate's events are numbered 1, 2, 3, …
fn versions_are_contiguous(log: &[Entry]) {
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in log.iter().filter(|entry| !entry.kind().contains(".claim.")) {
        let version = versions.entry(&entry.subject).or_default();
        *version += 1;
        assert_eq!(entry.version(), *version, "{}: {}", entry.subject, entry.event);
    }
}

/// Every event's `causationid` is the id of a command about the same aggregate; claims follow from a command too.
fn every_event_has_a_cause(log: &[Entry], commands: &[Entry]) {
    let asked: BTreeMap<Uuid, &Entry> =
        commands.iter().filter(|command| command.event["id"].is_string()).map(|one| (one.id("id"), one)).collect();
    for entry in log {
        let cause = entry.id("causationid");
        let command = asked.get(&cause).unwrap_or_else(|| panic!("nobody asked for {}", entry.event));
        if !entry.kind().contains(".claim.") {
            assert_eq!(command.about(), entry.about(), "{}", entry.event);
        }
        assert_eq!(command.id("correlationid"), entry.id("correlationid"), "{}", entry.event);
    }
}

/// One outcome each, and it tells the truth: accepted with the events there are, or rejected with none.
fn every_command_has_one_outcome(log: &[Entry], commands: &[Entry], outcomes: &[Entry]) {
    let mut caused: BTreeMap<Uuid, Vec<&Entry>> = BTreeMap::new();
    for entry in log {
        caused.entry(entry.id("causationid")).or_default().push(entry);
    }
    // one under its command's id, or several that were stored together
    let decided = outcomes.iter().filter(|one| !one.subject.ends_with(".pending"));
    let each = decided.flat_map(|one| one.event.as_array().map_or(std::slice::from_ref(&one.event), Vec::as_slice));
    let told: BTreeMap<&str, &Value> = each.map(|one| (one["id"].as_str().unwrap_or_default(), one)).collect();
    let ids: BTreeSet<Uuid> =
        commands.iter().filter(|one| one.event["id"].is_string()).map(|one| one.id("id")).collect();
    for id in ids {
        let events = caused.remove(&id).unwrap_or_default();
        let outcome = told.get(id.to_string().as_str());
        match outcome.map(|outcome| (outcome["status"].as_str().unwrap_or_default(), outcome)) {
            Some(("accepted", outcome)) => {
                let own: Vec<_> = events.iter().filter(|event| !event.kind().contains(".claim.")).collect();
                if let Some(last) = own.last() {
                    assert_eq!(outcome["version"], last.version(), "{outcome}\n{}", last.event);
                    assert_eq!(outcome["position"], last.position, "{outcome}\n{}", last.event);
                }
            }
            Some(("rejected", outcome)) => assert!(events.is_empty(), "rejected, and yet: {outcome}\n{:?}", events),
            Some((_, outcome)) => panic!("no outcome: {outcome}"),
            None => assert!(!events.is_empty(), "the command {id} has no outcome"),
        }
        let positions: Vec<_> = events.iter().map(|event| event.position).collect();
        let together = positions.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(together, "the events of {id} are not together: {positions:?}");
    }
    assert!(caused.is_empty());
}

/// A name is taken, given back, taken again: never taken twice.
fn names_have_one_holder(log: &[Entry]) {
    let mut holders: BTreeMap<&str, Value> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.kind().contains(".claim.")) {
        let holder = &entry.event["data"]["holder"];
        let before = holders.insert(&entry.subject, Value::Null).unwrap_or(Value::Null);
        if entry.kind().ends_with(".claim.taken.v1") {
            assert!(before.is_null(), "taken twice: {}", entry.event);
            holders.insert(&entry.subject, holder.clone());
        } else {
            assert_eq!(before, *holder, "given back by another: {}", entry.event);
        }
    }
}

/// Whoever registered has exactly one profile, and no two people one handle.
fn everybody_has_one_profile(log: &[Entry]) {
    let who = |kind: &str| log.iter().filter(|e| e.kind() == kind).map(Entry::about).collect::<Vec<_>>();
    let (registered, created) = (who("identity.user.registered.v1"), who("profile.profile.created.v1"));
    let (people, profiles) = (registered.iter().collect::<BTreeSet<_>>(), created.iter().collect::<BTreeSet<_>>());
    assert_eq!(people.len(), registered.len(), "registered twice");
    assert_eq!(profiles.len(), created.len(), "two profiles");
    let without: Vec<_> = people.difference(&profiles).collect();
    let erased = who("identity.user.erased.v1");
    let hanging: Vec<_> = without.iter().filter(|id| !erased.contains(id)).collect();
    assert!(hanging.is_empty(), "no profile for {hanging:?}");
}

/// The rows are what the log says, and nothing else.
async fn rows_are_the_fold(system: &System, log: &[Entry]) {
    let expected = pages(log);
    let users = system.page("user_page", "id").await.into_iter().map(user_row).collect();
    compare("user_page", expected.users, users, "id");
    let profiles = system.page("profile_page", "user_id").await.into_iter().map(profile_row).collect();
    let mut handles = BTreeSet::new();
    for row in expected.profiles.values() {
        assert!(handles.insert(row["handle"].to_string()), "two people at {}", row["handle"]);
    }
    compare("profile_page", expected.profiles, profiles, "user_id");
}

fn user_row(mut row: Value) -> Value {
    let sealed = row.as_object_mut().and_then(|row| row.remove("email_sealed")).unwrap_or_default();
    row["has_email"] = json!(!sealed.is_null());
    row
}

fn profile_row(row: Value) -> Value {
    row
}

fn compare(page: &str, expected: BTreeMap<Uuid, Value>, rows: Vec<Value>, key: &str) {
    let id = |row: &Value| row[key].as_str().and_then(|id| id.parse::<Uuid>().ok()).expect("rows have ids");
    let mut there: BTreeMap<Uuid, Value> = rows.into_iter().map(|row| (id(&row), row)).collect();
    for (id, row) in expected {
        let found = there.remove(&id).unwrap_or_else(|| panic!("{page} has no row for {id}: {row}"));
        assert_eq!(found, moments_of(row, &found), "{page} {id}");
    }
    assert!(there.is_empty(), "{page} has rows that the log does not know: {there:?}");
}

/// The row with the times of `other` where the two are one moment: events say nanoseconds, Postgres keeps microseconds
/// and rounds.
fn moments_of(mut row: Value, other: &Value) -> Value {
    for field in ["created_at", "updated_at"] {
        let moment = |row: &Value| row[field].as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let (Some(one), Some(two)) = (moment(&row), moment(other)) else { panic!("no {field}: {row} {other}") };
        if (one - two).abs() <= TimeDelta::microseconds(1) {
            row[field] = other[field].clone();
        }
    }
    row
}

impl Platform {
    /// The parts of this platform.
    pub fn system(&self) -> System {
        let env = self.env();
        System {
            nats: env["NATS_URL"].clone(),
            seeds: Some(self.data().join("keys/nats")),
            database: env["DATABASE_URL"].clone(),
        }
    }

    /// Waits until nothing is under way any more.
    pub async fn settle(&self) {
        self.system().settle().await;
    }

    /// All invariants; settles first.
    pub async fn check(&self) {
        let system = self.system();
        system.settle().await;
        check(&system).await;
        self.bytes_are_known().await;
    }

    /// How many events of a type there are.
    pub fn count(&self, kind: &str) -> usize {
        self.events().iter().filter(|entry| entry.kind() == kind).count()
    }
}
