//! What reaches the rooms: whatever a service says on `rt.<kind>.<id>` goes to the room `<kind>:<id>`, how far workers
//! are to whoever looks at the video and to whoever owns it, and whoever may not see a video any more leaves its room.

use super::Live;
use super::hide::hide;
use crate::app::App;
use crate::videos::Progress;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use socketioxide::BroadcastError;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A connection that takes no listener is asked again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// What a service says.
#[derive(Deserialize)]
struct Said {
    /// The same again is not told again: a service may be asked twice.
    #[serde(default)]
    id: Option<Uuid>,
    /// The event as clients know it.
    event: String,
    /// What it carries.
    data: Value,
    /// Other rooms that are to hear it. Who is in several hears it once.
    #[serde(default)]
    also: Vec<String>,
}

/// Listens until stopped. What is missed meanwhile is missed: whoever needs to know asks over HTTP.
pub(crate) async fn listen(live: Live, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let Ok(said) = live.app().bus().listen("rt.>").await else {
            stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
            continue;
        };
        let mut said = pin!(said);
        while let Some(Some((subject, payload))) = stop.run_until_cancelled(said.next()).await {
            hear(&live, &subject, &payload).await;
        }
    }
}

async fn hear(live: &Live, subject: &str, payload: &[u8]) {
    let Some((kind, id)) = subject.strip_prefix("rt.").and_then(|rest| rest.split_once('.')) else { return };
    if let Err(error) = take(live, kind, id, payload).await {
        tracing::warn!(subject, %error, "what a service said cannot be understood");
    }
}

async fn take(live: &Live, kind: &str, id: &str, payload: &[u8]) -> serde_json::Result<()> {
    match kind {
        "processing" => advance(live, &serde_json::from_slice(payload)?).await,
        "hidden" => drop(tokio::spawn(hide(live.clone(), serde_json::from_slice(payload)?))),
        _ => pass_on(live, format!("{kind}:{id}"), serde_json::from_slice(payload)?).await,
    }
    Ok(())
}

async fn pass_on(live: &Live, room: String, said: Said) {
    if let Some(id) = said.id {
        if live.0.told.get(&id).is_some() {
            return;
        }
        live.0.told.insert(id, ());
    }
    let rooms = std::iter::once(room).chain(said.also);
    tell(live, rooms.collect(), &said.event, &said.data).await;
}

async fn advance(live: &Live, said: &Progress) {
    let app: &App = live.app();
    if let Some(percent) = app.watched().heard(said, Instant::now()) {
        let data = json!({ "videoId": said.of, "version": said.version, "progress": percent });
        let rooms = vec![format!("video:{}", said.of), format!("user:{}", said.owner)];
        tell(live, rooms, "videoProcessingProgress", &data).await;
    }
}

/// Tells everybody who is in one of the rooms.
async fn tell(live: &Live, rooms: Vec<String>, event: &str, data: &Value) {
    let Some(everybody) = live.0.io.of("/") else { return };
    metrics::counter!("socket_messages_total", "event" => event.to_owned()).increment(1);
    if let Err(BroadcastError::Socket(slow)) = everybody.to(rooms).emit(event, data).await {
        metrics::counter!("socket_messages_dropped_total").increment(slow.len() as u64);
    }
}
