//! Sessions and people whose tokens count no more, learnt from the log within a second. A token lives 15 minutes, so
//! nothing is remembered longer than that and a little; until the last 20 minutes are read, the gateway is not ready.

use crate::auth::Actor;
use chrono::{DateTime, TimeDelta, Utc};
use nats::{Bus, Start};
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use std::sync::RwLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than any token lives, clocks and delays included.
const REMEMBER: TimeDelta = TimeDelta::minutes(20);
/// Between two looks at the log: a session that ended is refused after about this long. Looking at every hint that there
/// is something new would read a busy log in a thousand small pieces a second.
const EVERY: Duration = Duration::from_millis(200);
/// The log is read in pages of so many messages.
const PAGE: usize = 1000;
/// Older knowledge is not good enough for admins.
const STALE: i64 = 10_000;

/// What counts no more.
#[derive(Default)]
pub(crate) struct Revocations {
    known: RwLock<Known>,
    /// When the log was last known to hold no more than was read, in ms since 1970; 0 = never.
    current: AtomicI64,
    /// Told when there is more that counts no more.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Known {
    /// Sessions that ended.
    sessions: HashMap<Uuid, i64>,
    /// People, and the time until which what they were given is void, in ms since 1970.
    people: HashMap<Uuid, i64>,
    /// In the order of time, to forget.
    order: VecDeque<(i64, Uuid)>,
}

/// As much of an event as matters here.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    subject: Uuid,
    time: DateTime<Utc>,
}

impl Revocations {
    /// Whether the actor's token counts no more.
    pub(crate) fn covers(&self, actor: &Actor) -> bool {
        let known = self.known.read().expect("never poisoned: nothing panics inside");
        if known.sessions.contains_key(&actor.session) {
            return true;
        }
        known.people.get(&actor.id).is_some_and(|until| {
            // a token says its second only, so one of the same second is void unless its session began later
            let began_later = began(actor.session).is_some_and(|began| began > *until);
            actor.issued_at * 1000 <= *until && !began_later
        })
    }

    /// Takes note of an event.
    pub(crate) fn learn(&self, event: &[u8]) {
        let Ok(head) = serde_json::from_slice::<Head>(event) else { return };
        let at = head.time.timestamp_millis();
        match head.kind.as_ref() {
            "identity.session.ended.v1" => self.note(|known| &mut known.sessions, head.subject, at),
            "identity.user.suspended.v1"
            | "identity.user.erased.v1"
            | "identity.user.role_assigned.v1"
            | "identity.user.role_revoked.v1" => self.note(|known| &mut known.people, head.subject, at),
            _ => {}
        }
    }

    /// A session ended through this very gateway, which need not hear of it to know it.
    pub(crate) fn end(&self, session: Uuid) {
        self.note(|known| &mut known.sessions, session, Utc::now().timestamp_millis());
    }

    fn note(&self, map: fn(&mut Known) -> &mut HashMap<Uuid, i64>, id: Uuid, at: i64) {
        let mut known = self.known.write().expect("never poisoned: nothing panics inside");
        let entry = map(&mut known).entry(id).or_insert(at);
        *entry = at.max(*entry);
        known.order.push_back((at, id));
        known.forget(Utc::now().timestamp_millis() - REMEMBER.num_milliseconds());
        drop(known);
        self.changed.send_replace(());
    }

    /// Hears whenever there is more that counts no more.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// How long ago everything in the log was known, in ms; `None` before it ever was.
    pub(crate) fn age(&self) -> Option<i64> {
        match self.current.load(Ordering::Relaxed) {
            0 => None,
            at => Some((Utc::now().timestamp_millis() - at).max(0)),
        }
    }

    /// Whether what is known is recent enough to trust an admin's token.
    pub(crate) fn is_current(&self) -> bool {
        self.age().is_some_and(|age| age < STALE)
    }

    pub(crate) fn mark_current(&self) {
        self.current.store(Utc::now().timestamp_millis(), Ordering::Relaxed);
    }
}

impl Known {
    fn forget(&mut self, before: i64) {
        while let Some((at, id)) = self.order.front().copied().filter(|(at, _)| *at < before) {
            self.order.pop_front();
            // the same id may have been noted again since
            for map in [&mut self.sessions, &mut self.people] {
                if map.get(&id).is_some_and(|latest| *latest <= at) {
                    map.remove(&id);
                }
            }
        }
    }
}

/// When a session with a time-ordered id began, in ms since 1970.
fn began(session: Uuid) -> Option<i64> {
    let (seconds, nanos) = session.get_timestamp().filter(|_| session.get_version_num() == 7)?.to_unix();
    i64::try_from(seconds * 1000 + u64::from(nanos / 1_000_000)).ok()
}

/// Reads what ended lately, then everything that ends, until stopped.
pub(crate) async fn follow(known: &Revocations, bus: &Bus, stop: &CancellationToken) {
    let filters = vec!["evt.identity.session.>".to_owned(), "evt.identity.user.>".to_owned()];
    let feed = bus.feed("EVENTS", filters, Start::Time(Utc::now() - REMEMBER));
    let mut feed = feed.sparse().sealed().gathering(EVERY / 2);
    while !stop.is_cancelled() {
        match feed.next(PAGE, EVERY).await {
            Ok(events) => {
                events.iter().for_each(|event| known.learn(&event.raw));
                if feed.at_end() {
                    known.mark_current();
                }
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "revocations cannot be read, trying again");
                stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(id: u128, session: Uuid, issued_ms: i64) -> Actor {
        let issued_at = issued_ms.div_euclid(1000);
        Actor {
            id: Uuid::from_u128(id),
            session,
            roles: [].into(),
            issued_at,
            expires_at: issued_at + 900,
            claims: None,
        }
    }

    fn event(kind: &str, subject: Uuid, at: i64) -> Vec<u8> {
        let time = DateTime::<Utc>::from_timestamp_millis(at).expect("a time");
        serde_json::json!({"type": kind, "subject": subject, "time": time, "data": {}}).to_string().into_bytes()
    }

    fn session_at(ms: i64) -> Uuid {
        let (seconds, nanos) = (ms as u64 / 1000, (ms % 1000) as u32 * 1_000_000);
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
    }

    #[test]
    fn an_ended_session_is_over() {
        let (known, now) = (Revocations::default(), Utc::now().timestamp_millis());
        let (mine, other) = (session_at(now - 5000), session_at(now - 5000));
        known.learn(&event("identity.session.ended.v1", mine, now));
        assert!(known.covers(&actor(1, mine, now)));
        assert!(!known.covers(&actor(1, other, now)));
    }

    #[test]
    fn what_a_suspended_person_had_is_void_and_what_follows_is_not() {
        for kind in ["suspended", "erased", "role_assigned", "role_revoked"] {
            let (known, now) = (Revocations::default(), Utc::now().timestamp_millis() / 1000 * 1000 + 500);
            known.learn(&event(&format!("identity.user.{kind}.v1"), Uuid::from_u128(1), now));
            assert!(known.covers(&actor(1, session_at(now - 60_000), now - 50_000)), "{kind}: before");
            assert!(known.covers(&actor(1, session_at(now - 60_000), now)), "{kind}: the same second, an old session");
            assert!(known.covers(&actor(1, Uuid::from_u128(9), now)), "{kind}: the same second, nobody knows");
            assert!(!known.covers(&actor(1, session_at(now + 3), now)), "{kind}: the same second, a new session");
            assert!(!known.covers(&actor(1, session_at(now - 60_000), now + 1000)), "{kind}: refreshed later");
            assert!(!known.covers(&actor(2, session_at(now - 60_000), now - 50_000)), "{kind}: somebody else");
        }
    }

    #[test]
    fn other_events_end_nothing() {
        let (known, now) = (Revocations::default(), Utc::now().timestamp_millis());
        known.learn(&event("identity.user.login_failed.v1", Uuid::from_u128(1), now));
        known.learn(b"not json");
        assert!(!known.covers(&actor(1, session_at(now - 1000), now - 1000)));
    }

    #[test]
    fn what_is_older_than_any_token_is_forgotten() {
        let (known, now) = (Revocations::default(), Utc::now().timestamp_millis());
        let old = now - REMEMBER.num_milliseconds() - 1000;
        for n in 0..1000 {
            known.learn(&event("identity.session.ended.v1", Uuid::from_u128(n), old));
        }
        known.learn(&event("identity.session.ended.v1", Uuid::from_u128(7), now));
        let known = known.known.read().expect("not poisoned");
        assert_eq!((known.sessions.len(), known.order.len()), (1, 1));
    }
}
