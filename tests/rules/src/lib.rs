//! The rules of dependency, executed: which crate may know which library. A crate of its own with next to no
//! dependencies, so that `make check` answers in seconds.
#![cfg(test)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Who may use a library, besides nobody. Tests of a crate (`dev`) are free.
const ONLY: &[(&str, &[&str])] = &[
    ("async-nats", &["nats"]),
    ("axum", &["gateway", "bench"]),
    ("cloudevents-sdk", &["gateway"]),
    ("socketioxide", &["gateway"]),
    ("sqlx", &["postgres", "vault", "projections", "reprise", "bench"]),
    ("object_store", &["blobs"]),
    ("lettre", &["notification"]),
    ("web-push-native", &["notification"]),
    ("argon2", &["vault", "bench"]),
    ("bcrypt", &["vault"]),
];

/// What the crates with rules of the domain may use: nothing with a clock, a network or a thread.
const PURE: &[&str] = &["events", "kernel", "identity", "profile", "storage", "video", "processing", "templates"];
const ALLOWED_IN_PURE: &[&str] = &[
    "anyhow",
    "chrono",
    "events",
    "kernel",
    "minijinja",
    "serde",
    "serde_json",
    "thiserror",
    "unicode-normalization",
    "uuid",
];

/// Who may know whom inside the workspace, besides `reprise`, which knows all: nobody knows the gateway, and the vault
/// does not know what is remembered.
const KNOWS: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("kernel", &["events"]),
    ("identity", &["events", "kernel"]),
    ("profile", &["events", "kernel"]),
    ("storage", &["events", "kernel"]),
    ("video", &["events", "kernel"]),
    ("processing", &["events", "kernel"]),
    ("templates", &["events"]),
    ("blobs", &[]),
    ("media", &["events"]),
    ("worker", &["events", "nats", "blobs", "media"]),
    ("embedded", &[]),
    ("nats", &["events", "kernel"]),
    ("postgres", &[]),
    ("vault", &["events", "kernel", "nats", "postgres"]),
    ("projections", &["events", "kernel", "nats", "postgres"]),
    ("notification", &["events", "kernel", "nats", "templates", "vault"]),
    ("gateway", &["events", "kernel", "nats", "templates", "vault", "projections", "blobs"]),
];

struct Crate {
    name: String,
    uses: BTreeSet<String>,
    doctest: bool,
}

fn workspace() -> Vec<Crate> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("packages").iter().map(read).collect()
}

fn read(package: &Value) -> Crate {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let normal = |dependency: &&Value| dependency["kind"].is_null();
    let uses = package["dependencies"].as_array().expect("dependencies").iter().filter(normal);
    let targets = package["targets"].as_array().expect("targets");
    let is_lib = |target: &&Value| target["kind"].as_array().is_some_and(|kinds| kinds.contains(&"lib".into()));
    let doctest = targets.iter().filter(is_lib).any(|lib| lib["doctest"] == true);
    Crate { name: text(&package["name"]), uses: uses.map(|one| text(&one["name"])).collect(), doctest }
}

#[test]
fn each_library_has_one_place() {
    for member in workspace() {
        for (library, users) in ONLY {
            let fine = !member.uses.contains(*library) || users.contains(&member.name.as_str());
            assert!(fine, "{} uses {library}; only {users:?} may", member.name);
        }
    }
}

#[test]
fn rules_of_the_domain_are_pure() {
    for member in workspace().iter().filter(|member| PURE.contains(&member.name.as_str())) {
        for library in &member.uses {
            assert!(ALLOWED_IN_PURE.contains(&library.as_str()), "{} must not use {library}", member.name);
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let members = workspace();
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    for member in &members {
        let Some((_, known)) = KNOWS.iter().find(|(name, _)| *name == member.name) else { continue };
        for other in member.uses.iter().filter(|other| names.contains(other.as_str())) {
            assert!(known.contains(&other.as_str()), "{} must not know {other}", member.name);
        }
    }
}

#[test]
fn every_crate_is_covered_and_none_has_doctests() {
    let free = ["reprise", "bench", "rules"];
    for member in workspace() {
        let covered = free.contains(&member.name.as_str()) || KNOWS.iter().any(|(name, _)| *name == member.name);
        assert!(covered, "say in this file whom {} may know", member.name);
        assert!(!member.doctest, "{} needs `doctest = false` under [lib]: examples are tests here", member.name);
    }
}
