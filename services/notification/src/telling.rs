//! Telling those who are here right now: what shows in an inbox goes to the person's open sockets too. Who is not here
//! misses nothing, it is in the inbox.

use events::notification::Words;
use events::notification::inbox;
use events::{Event, Message};
use kernel::{Done, Worker};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// Says something to whoever listens for a person. A function, so that this crate needs no bus.
pub type Tell = Arc<dyn Fn(Uuid, Value) + Send + Sync>;

pub(crate) fn worker(tell: Tell) -> Worker {
    Arc::new(move |event| {
        let tell = tell.clone();
        Box::pin(async move { say(&tell, &event) })
    })
}

fn say(tell: &Tell, event: &Message<Event>) -> Done {
    let Event::Inbox(inbox::Event::Notified { notice, shown: true, .. }) = &event.body else { return Ok(vec![]) };
    let Some(words) = Words::of(&notice.what) else { return Ok(vec![]) };
    let data = json!({
        "id": notice.notice,
        "category": notice.category,
        "kind": words.kind,
        "title": words.title,
        "text": words.text,
        "link": words.link,
        "at": event.time,
    });
    tell(event.subject, json!({ "event": "notification", "data": data }));
    Ok(vec![])
}
