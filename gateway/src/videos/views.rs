//! Views: somebody counts once for a video in each half hour of the clock. They are gathered here and told to the video as
//! sums, never as one event each. Who it was is kept as a keyed hash that has the half hour in it, so nobody is recognised
//! in the next one, and never written down.

use super::show::shown_to;
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::MaybeActor;
use crate::limits::network;
use crate::openapi::{Access, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::State;
use chrono::{DateTime, Utc};
use events::video::Command;
use events::{AuthType, Message, Source, Spec};
use futures::{StreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use quick_cache::sync::Cache;
use serde_json::json;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Half an hour, seconds.
const WINDOW: i64 = 30 * 60;
/// Videos hear their sums this often: what a gateway that is killed has not told is lost.
const TELL: Duration = Duration::from_secs(5);
/// When a gateway stops it has so long to tell the last ones.
const LAST: Duration = Duration::from_secs(5);
/// Sums that are told side by side.
const AT_ONCE: usize = 32;
/// Visits that are remembered; with more of them in half an hour somebody may count twice.
const MANY: usize = 500_000;
/// Where gateways tell each other whom they counted.
const SEEN: &str = "rt.seen";

/// Somebody who watches something in some half hour, as a hash.
type Visit = u128;

/// What was gathered.
pub(crate) struct Views {
    seen: Cache<Visit, ()>,
    sums: Mutex<BTreeMap<Uuid, u32>>,
    /// Sent, and nobody knows whether they arrived: they go again as they are.
    unclear: tokio::sync::Mutex<Vec<Message<events::Command>>>,
}

impl Default for Views {
    fn default() -> Self {
        Views { seen: Cache::new(MANY), sums: Mutex::default(), unclear: tokio::sync::Mutex::default() }
    }
}

impl Views {
    /// Whether this is the first that is heard of a visit.
    fn is_new(&self, visit: Visit) -> bool {
        let mut new = false;
        let remembered = self.seen.get_or_insert_with::<_, Infallible>(&visit, || {
            new = true;
            Ok(())
        });
        remembered.expect("remembering cannot fail");
        new
    }

    fn add(&self, video: Uuid) {
        *self.sums.lock().unwrap_or_else(PoisonError::into_inner).entry(video).or_default() += 1;
    }

    fn take(&self) -> BTreeMap<Uuid, u32> {
        std::mem::take(&mut *self.sums.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn doc() -> Doc {
    describe("view_video", "videos", "Say that a video is being watched")
        .text("Counts once in half an hour for each person, and without one for each program at an address. What does not count: \
            its owner, and a video that others do not see. The sum follows within seconds.")
        .access(Access::Optional)
        .id_of("id", "The video")
        .reads()
        .answers(200, "ViewCounted", "Heard")
}

/// `POST /api/videos/{id}/view`
pub(super) async fn view(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Id(id): Id,
    asked: Asked,
) -> Result<Answer, Problem> {
    app.fresh(&asked, &["video_page"]).await?;
    let row = shown_to(&app, id, actor.as_ref()).await?;
    let person = actor.map(|actor| actor.id);
    let visit = visit(&app.edge().keys.consistency, id, person, asked.address(), asked.agent(), Utc::now());
    let counted = row.is_shown() && person != Some(row.owner) && app.views().is_new(visit);
    if counted {
        app.views().add(id);
        app.bus().say(SEEN, visit.to_be_bytes().to_vec());
    }
    Ok(Answer::ok(&json!({ "id": id, "counted": counted })))
}

/// The same for one visitor at every gateway, and another one in the next half hour.
fn visit(
    key: &[u8],
    video: Uuid,
    person: Option<Uuid>,
    address: IpAddr,
    agent: Option<&str>,
    now: DateTime<Utc>,
) -> Visit {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"view ");
    mac.update(video.as_bytes());
    mac.update(&now.timestamp().div_euclid(WINDOW).to_be_bytes());
    match person {
        Some(person) => {
            mac.update(b"person ");
            mac.update(person.as_bytes());
        }
        None => {
            mac.update(b"somebody ");
            mac.update(&network(address).to_be_bytes());
            mac.update(agent.unwrap_or_default().as_bytes());
        }
    }
    Visit::from_be_bytes(mac.finalize().into_bytes()[..16].try_into().expect("sixteen bytes of thirty-two"))
}

/// Listens to whom other gateways counted, until stopped.
pub(crate) async fn hear_others(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let Ok(said) = app.bus().listen(SEEN).await else {
            stop.run_until_cancelled(tokio::time::sleep(TELL)).await;
            continue;
        };
        let mut said = pin!(said);
        while let Some(Some((_, payload))) = stop.run_until_cancelled(said.next()).await {
            if let Ok(visit) = (*payload).try_into() {
                app.views().is_new(Visit::from_be_bytes(visit));
            }
        }
    }
}

/// Tells videos their sums until stopped.
pub(crate) async fn keep_telling(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(TELL)).await.is_some() {
        tell(&app).await;
    }
}

/// Tells what is left when no more requests come.
pub(crate) async fn tell_last(app: &App) {
    if tokio::time::timeout(LAST, tell(app)).await.is_err() {
        tracing::warn!("the last views could not be told in time");
    }
}

async fn tell(app: &App) {
    let mut unclear = app.views().unclear.lock().await;
    // one by one for each video: nothing new while nobody knows what became of the old
    let sums = if unclear.is_empty() { app.views().take() } else { BTreeMap::new() };
    unclear.extend(sums.into_iter().map(|(video, views)| message(video, views)));
    let sent = stream::iter(unclear.iter().cloned()).map(|message| async {
        match app.bus().send(&message).await {
            Ok(_) => None,
            Err(error) => Some((message, error)),
        }
    });
    let failed: Vec<_> = sent.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    if let Some((_, error)) = failed.first() {
        tracing::warn!(videos = failed.len(), error = %error, "views cannot be told, trying again");
    }
    *unclear = failed.into_iter().map(|(message, _)| message).collect();
}

fn message(video: Uuid, views: u32) -> Message<events::Command> {
    let id = Uuid::now_v7();
    Message {
        specversion: Spec::V1,
        id,
        source: Source::new("/gateway"),
        subject: video,
        time: Utc::now(),
        correlationid: id,
        causationid: None,
        authtype: AuthType::System,
        authid: None,
        authclaims: None,
        sequence: None,
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: Command::CountViews { views }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, agent: &str, person: Option<u128>, minutes: i64) -> Visit {
        let now = DateTime::from_timestamp(1_790_000_000 / WINDOW * WINDOW + minutes * 60, 0).expect("a time");
        let address = address.parse().expect("an address");
        visit(b"key", Uuid::from_u128(1), person.map(Uuid::from_u128), address, Some(agent), now)
    }

    #[test]
    fn a_visitor_is_one_for_half_an_hour() {
        let ada = at("10.0.0.1", "a", Some(7), 0);
        assert_eq!(ada, at("10.0.0.2", "b", Some(7), 29), "wherever she is");
        assert_ne!(ada, at("10.0.0.1", "a", Some(7), 30));
        assert_ne!(ada, at("10.0.0.1", "a", Some(8), 0));
        let somebody = at("2001:db8::1", "a", None, 0);
        assert_eq!(somebody, at("2001:db8::2", "a", None, 29), "a house has many addresses");
        assert_ne!(somebody, at("2001:db8::1", "b", None, 0));
        assert_ne!(somebody, at("10.0.0.1", "a", None, 0));
        let other =
            visit(b"another key", Uuid::from_u128(1), None, "10.0.0.1".parse().expect("one"), Some("a"), Utc::now());
        assert_ne!(other, at("10.0.0.1", "a", None, 0));
    }

    #[test]
    fn what_another_gateway_counted_is_not_new_here() {
        let views = Views::default();
        assert!(views.is_new(1) && !views.is_new(1) && views.is_new(2));
        views.add(Uuid::from_u128(1));
        views.add(Uuid::from_u128(1));
        assert_eq!(views.take(), BTreeMap::from([(Uuid::from_u128(1), 2)]));
        assert_eq!(views.take(), BTreeMap::new());
    }
}
