//! The contract: every type has a frozen sample in `wire/`, reads as it did on the day it was written, and is a valid
//! CloudEvent. A sample that fails means that old logs cannot be read: change the code, never the sample.

use events::{Command, Event, Message, Unreadable};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Every sample: its type, which is its file's name, and its text.
fn samples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire");
    let files = std::fs::read_dir(folder).expect("the folder of samples");
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        let path = file.expect("a readable entry").path();
        let name = path.file_stem().expect("a file name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a readable sample"))
    };
    files.map(read).collect()
}

/// Every wire name that the source gives to a variant.
fn types() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).expect("a readable source");
            names.extend(text.split('"').filter(|part| is_type(part)).map(str::to_owned));
        }
    }
    names
}

fn is_type(word: &str) -> bool {
    let parts: Vec<_> = word.split('.').collect();
    parts.len() == 4 && parts[3].strip_prefix('v').is_some_and(|version| version.parse::<u32>().is_ok())
}

/// What the platform makes of a sample, written again.
fn rewritten(text: &str) -> Value {
    let bytes = text.as_bytes();
    let value = match Message::<Event>::event(bytes) {
        Ok(message) => serde_json::to_value(message),
        Err(Unreadable::UnknownType(_)) => serde_json::to_value(Message::<Command>::command(bytes).expect("a command")),
        Err(error) => panic!("{error}"),
    };
    value.expect("a message has a JSON form")
}

#[test]
fn every_type_has_its_sample() {
    let sampled: BTreeSet<_> = samples().into_iter().map(|(name, _)| name).collect();
    assert_eq!(types(), sampled);
}

#[test]
fn every_sample_is_read_and_written_as_it_was() {
    for (name, text) in samples() {
        let frozen: Value = serde_json::from_str(&text).expect("JSON");
        let mut written = rewritten(&text);
        if name.contains(".claim.") {
            // one reader serves the claims of all contexts; the append writes the context's own name
            written["type"] = frozen["type"].clone();
        }
        assert_eq!(written, frozen, "{name}");
        assert_eq!(frozen["type"], *name);
    }
}

#[test]
fn every_sample_is_a_valid_cloudevent() {
    for (name, text) in samples() {
        let event: cloudevents::Event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let good = |extension: &str| extension.len() <= 20 && extension.bytes().all(|b| b.is_ascii_lowercase());
        assert!(event.iter_extensions().all(|(name, _)| good(name)), "{name}");
    }
}

#[test]
fn an_unknown_field_is_ignored_and_an_unknown_type_is_named() {
    let (_, text) = samples().into_iter().find(|(name, _)| name == "profile.profile.created.v1").expect("the sample");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["data"]["from_the_future"] = true.into();
    Message::<Event>::event(value.to_string().as_bytes()).expect("unknown fields are ignored");
    for unknown in ["profile.profile.created.v9", "feeds.source.degraded.v1", "nonsense"] {
        value["type"] = unknown.into();
        match Message::<Event>::event(value.to_string().as_bytes()) {
            Err(Unreadable::UnknownType(named)) => assert_eq!(named, unknown),
            other => panic!("{other:?}"),
        }
    }
}
