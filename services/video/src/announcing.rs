//! Saying at once that a video is ready, or that nothing could be made of it, to whoever looks at it and to its owner;
//! and to every gateway that not everybody who looks at it may go on. At most once and kept by nobody: who needs to be
//! sure asks for the video.

use events::video::{About, Event as Video, Visibility};
use events::{Event, Message};
use kernel::Worker;
use serde_json::{Value, json};
use std::sync::Arc;

/// Says something on a subject to whoever listens now. A function, so that the rules beside it know no network.
pub type Say = Arc<dyn Fn(&str, Value) + Send + Sync>;

pub(crate) fn worker(say: Say) -> Worker {
    Arc::new(move |event| {
        if let Some((subject, said)) = announcement(&event) {
            say(&subject, said);
        }
        Box::pin(async { Ok(vec![]) })
    })
}

/// What is said of an event, and where. The owner need not look at the video to hear it.
pub(crate) fn announcement(event: &Message<Event>) -> Option<(String, Value)> {
    let Event::Video(video) = &event.body else { return None };
    let (owner, name, data) = match video {
        Video::Ready { owner, version, duration_ms, .. } => {
            let data = json!({ "videoId": event.subject, "version": version, "durationMs": duration_ms });
            (owner, "videoProcessingComplete", data)
        }
        Video::ProcessingFailed { owner, version, code, message, .. } => {
            let data = json!({ "videoId": event.subject, "version": version, "code": code, "message": message });
            (owner, "videoProcessingError", data)
        }
        Video::Deleted { .. }
        | Video::Unpublished {}
        | Video::Updated { about: About { visibility: Some(Visibility::Private), .. } } => {
            let version = event.sequence.map_or(0, |sequence| sequence.0);
            let said = json!({ "of": event.subject, "version": version });
            return Some((format!("rt.hidden.{}", event.subject), said));
        }
        _ => return None,
    };
    let said = json!({ "id": event.id, "event": name, "data": data, "also": [format!("user:{owner}")] });
    Some((format!("rt.video.{}", event.subject), said))
}
