//! The log as an auditor reads it: page after page of `$JS.API.DIRECT.GET.EVENTS`, sealed fields left sealed.

use super::Platform;
use super::stranger::Stranger;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use uuid::Uuid;

/// One stored message.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its position in the stream.
    pub position: u64,
    /// Its NATS subject.
    pub subject: String,
    /// Its headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// The CloudEvent.
    pub event: Value,
}

impl Entry {
    /// The CloudEvent's type.
    pub fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap_or_default()
    }

    /// The aggregate it is about.
    pub fn about(&self) -> Uuid {
        self.id("subject")
    }

    /// An attribute that is a UUID.
    #[track_caller]
    pub fn id(&self, attribute: &str) -> Uuid {
        let text = self.event[attribute].as_str().and_then(|text| text.parse().ok());
        text.unwrap_or_else(|| panic!("no {attribute}: {}", self.event))
    }

    /// The version of the aggregate after it.
    #[track_caller]
    pub fn version(&self) -> u64 {
        let text = self.event["sequence"].as_str().and_then(|text| text.parse().ok());
        text.unwrap_or_else(|| panic!("no sequence: {}", self.event))
    }
}

/// Everything in `stream`, by a connection that may read it.
pub fn read(stranger: &mut Stranger, stream: &str) -> io::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = vec![];
    loop {
        let from = entries.last().map_or(1, |entry| entry.position + 1);
        let question = json!({ "seq": from, "batch": 500, "next_by_subj": ">" });
        let page = stranger.page(&format!("$JS.API.DIRECT.GET.{stream}"), &question)?;
        if page.is_empty() {
            return Ok(entries);
        }
        entries.extend(page.iter().map(|message| Entry {
            position: message.headers.get("nats-sequence").and_then(|text| text.parse().ok()).unwrap_or_default(),
            subject: message.headers.get("nats-subject").cloned().unwrap_or_default(),
            headers: message.headers.clone(),
            event: message.json(),
        }));
    }
}

impl Platform {
    /// A connection with the auditor's rights.
    pub fn stranger(&self) -> Stranger {
        Stranger::from_env(&self.env()).expect("the auditor may connect")
    }

    /// All events.
    pub fn events(&self) -> Vec<Entry> {
        read(&mut self.stranger(), "EVENTS").expect("the auditor may read the events")
    }

    /// The events about one aggregate.
    pub fn events_about(&self, id: Uuid) -> Vec<Entry> {
        self.events().into_iter().filter(|entry| entry.subject.ends_with(&format!(".{id}"))).collect()
    }

    /// The position of the last event.
    pub fn last_position(&self) -> u64 {
        let info = self.stranger().ask("$JS.API.STREAM.INFO.EVENTS", &json!({})).expect("a connection");
        let info = info.expect("the auditor may ask about the stream").json();
        info["state"]["last_seq"].as_u64().unwrap_or_else(|| panic!("no state: {info}"))
    }
}
