//! A command is decided: load, decide, append, tell. An outcome that was told never changes: a rejection is stored
//! before it is told, and for an acceptance the events are the proof, found again by the command's id.

use anyhow::{Result, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use events::{AuthType, Sequence};
use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::{Caller, Decision, Draft, Fault, Meta, Refusal, Service};
use serde::Deserialize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::accepted::Accepted;
use crate::append::{Appended, Cause, append, jitter};
use crate::bus::Bus;
use crate::calls;
use crate::consume::{Delivery, Handle, Rest};
use crate::crash;
use crate::load::{Loaded, Loader, Make, Of, hidden, last_caused_by};
use crate::outcome::{self, Outcome, Status};
use crate::put::{Note, Put};
use crate::read;
use crate::refusal::{erased, insisted, not_handled, stale, taken};
use crate::send::repeatable;
use crate::streams::{COMMANDS, EVENTS, OUTCOMES, REMEMBERED};

/// How often a command is decided again because somebody else was faster.
const CONTENTION: u32 = 10;
/// Older deliveries are given up: soon the message is delivered to somebody else, and two must not decide it at once.
const TOO_OLD: Duration = Duration::from_secs(20);
/// A command that waited longer may have been decided before: events of younger ones are told apart by their ids.
const OLD: Duration = Duration::from_secs(15);
const _: () = assert!(OLD.as_secs() + TOO_OLD.as_secs() + 5 <= REMEMBERED.as_secs(), "ids are known for long enough");
/// Clocks of servers and processes differ by less than this.
const CLOCKS: TimeDelta = TimeDelta::minutes(2);

/// Decides the commands of one context.
pub(crate) struct Decide {
    bus: Bus,
    context: &'static str,
    aggregates: Vec<(&'static str, Make)>,
    loader: Arc<Loader>,
    accepted: Accepted,
    tasks: TaskTracker,
}

/// What a command says about itself.
#[derive(Deserialize)]
struct Head {
    id: Uuid,
    subject: Uuid,
    time: DateTime<Utc>,
    correlationid: Uuid,
    authtype: AuthType,
    authid: Option<Uuid>,
    authclaims: Option<String>,
    traceparent: Option<String>,
    replyto: Option<String>,
    ifmatch: Option<Sequence>,
    fingerprint: Option<String>,
    #[serde(rename = "type")]
    kind: String,
}

/// A command while it is decided.
struct Asked {
    head: Head,
    opened: bytes::Bytes,
    of: Of,
    make: Make,
    meta: Meta,
    /// It may have been decided before.
    again: bool,
    stored: DateTime<Utc>,
}

/// What a decision came to, before it is known whether it holds.
enum Step {
    Happens(Vec<Draft>),
    AlreadySo,
    Refused(Refusal),
}

impl Handle for Decide {
    fn handle(self: Arc<Self>, delivery: Arc<Delivery>) -> BoxFuture<'static, Result<Option<Rest>, Fault>> {
        async move { self.command(delivery).await.map(Some) }.boxed()
    }

    fn give_up(self: Arc<Self>, delivery: Arc<Delivery>, _: String) -> BoxFuture<'static, Result<()>> {
        async move { self.give_up_on(delivery).await }.boxed()
    }
}

impl Decide {
    pub(crate) fn new(bus: Bus, service: &Service) -> Self {
        let loader = Arc::new(Loader::new(bus.clone()));
        let aggregates = service.aggregates.clone();
        let accepted = Accepted::new(bus.clone(), service.name);
        Decide { bus, context: service.name, aggregates, loader, accepted, tasks: TaskTracker::new() }
    }

    async fn command(self: Arc<Self>, delivery: Arc<Delivery>) -> Result<Rest, Fault> {
        crash::point("command.received");
        let mut asked = self.read(&delivery).await?;
        if asked.again
            && let Some(outcome) = self.bus.outcome(asked.head.id).await?
        {
            self.tell(&asked.head, &outcome).await;
            return Ok(done());
        }
        let outcome = self.decided(&mut asked, &delivery).await?;
        crash::point("command.decided");
        if outcome.is_proven {
            let told = self.tell(&asked.head, &outcome.outcome).await;
            crash::point("command.told");
            let nobody_asks = told && !asked.again;
            return Ok(
                async move { self.store_proven(outcome.outcome, nobody_asks).await.map_err(Fault::Retry) }.boxed()
            );
        }
        let stored = self.store(&outcome.outcome).await?;
        crash::point("command.stored");
        self.tell(&asked.head, &stored).await;
        Ok(done())
    }

    async fn read(&self, delivery: &Delivery) -> Result<Asked, Fault> {
        let opened = self.bus.keyring().open(&delivery.payload).await?;
        let head: Head = serde_json::from_slice(&opened).map_err(|error| Fault::Reject(hidden(&error)))?;
        // behind `cmd.` or `ask.`
        let place = delivery.subject.get(4..);
        let of = |&(aggregate, make): &(&'static str, Make)| {
            let subject = format!("{}.{aggregate}.{}", self.context, head.subject);
            (place == Some(&subject)).then_some((Of { context: self.context, aggregate, id: head.subject }, make))
        };
        let (of, make) = self
            .aggregates
            .iter()
            .find_map(of)
            .ok_or_else(|| Fault::Reject(anyhow!("{} does not fit the message", delivery.subject)))?;
        let caller = Caller::of(head.authtype, head.authid, head.authclaims.as_deref());
        let meta = Meta { subject: head.subject, id: head.id, time: head.time, caller, taken: vec![] };
        // a waiting command that was not decided in time is sent a second time; one that is old may have been delivered
        // before to a consumer that knew nothing of it since, and younger ones are told apart by the ids of their events
        let resent = delivery.stream == COMMANDS && head.replyto.is_some();
        let old = (Utc::now() - delivery.stored).to_std().is_ok_and(|waited| waited > OLD);
        let again = delivery.delivered > 1 || repeatable(head.id) || resent || old;
        Ok(Asked { head, opened, of, make, meta, again, stored: delivery.stored })
    }

    /// Decides until a decision holds.
    async fn decided(&self, asked: &mut Asked, delivery: &Delivery) -> Result<Proven, Fault> {
        let mut at_least = 0;
        for attempt in 0..CONTENTION {
            if delivery.received.elapsed() > TOO_OLD {
                break;
            }
            let loaded = self.loader.load(asked.of, asked.make, at_least).await?;
            if (asked.again || attempt > 0)
                && let Some(outcome) = Box::pin(self.decided_before(asked, &loaded)).await?
            {
                return Ok(Proven { outcome, is_proven: true });
            }
            let (step, version, sequence) = self.step(asked, &loaded)?;
            let drafts = match step {
                Step::Happens(drafts) => drafts,
                Step::AlreadySo | Step::Refused(_) => match Box::pin(self.tail(asked.of)).await? {
                    tail if tail == sequence => return Ok(not_proven(asked, step, version, sequence)),
                    tail => {
                        at_least = self.behind(asked.of, tail);
                        continue;
                    }
                },
            };
            match append(&self.bus, asked.of, (version, sequence), &drafts, &asked.cause()).await? {
                Appended::Stored(last) => return Ok(self.stored(asked, &loaded, &drafts, (version, sequence), last)),
                Appended::Conflict(tail) => at_least = self.behind(asked.of, tail),
                Appended::Before => {
                    asked.again = true;
                    self.loader.forget(asked.of);
                }
                Appended::Taken(claims) => asked.meta.taken.extend(claims),
                Appended::Erased => return Ok(not_proven(asked, Step::Refused(erased()), version, sequence)),
            }
            tokio::time::sleep(jitter(attempt)).await;
        }
        Err(Fault::Retry(anyhow!("{} is contended", asked.of.events())))
    }

    /// The rules are asked.
    fn step(&self, asked: &Asked, loaded: &Mutex<Loaded>) -> Result<(Step, u64, u64), Fault> {
        let loaded = loaded.lock().map_err(|_| {
            self.loader.forget(asked.of);
            Fault::Retry(anyhow!("a panic left the state unclear"))
        })?;
        let (version, sequence) = (loaded.version, loaded.sequence);
        if asked.head.ifmatch.is_some_and(|wanted| wanted.0 != version) {
            return Ok((Step::Refused(stale(version)), version, sequence));
        }
        let decision = loaded.state.decide(&asked.opened, &asked.meta);
        let step = match decision.map_err(|error| Fault::Reject(hidden(&error)))? {
            Decision::Rejected(refusal) => Step::Refused(refusal),
            Decision::Accepted(drafts) if drafts.is_empty() => Step::AlreadySo,
            Decision::Accepted(drafts) => match insisted(&drafts, &asked.meta.taken) {
                Some(claim) => Step::Refused(taken(claim)),
                None => Step::Happens(drafts),
            },
        };
        Ok((step, version, sequence))
    }

    async fn tail(&self, of: Of) -> Result<u64> {
        Ok(read::leader_last(&self.bus.0.calls, EVENTS, &of.events()).await?.map_or(0, |tail| tail.sequence))
    }

    fn behind(&self, of: Of, tail: u64) -> u64 {
        self.loader.forget(of);
        tail
    }

    /// The events are in the log: memory follows, readers are told.
    fn stored(
        &self,
        asked: &Asked,
        loaded: &Arc<Mutex<Loaded>>,
        drafts: &[Draft],
        (before, after): (u64, u64),
        last: u64,
    ) -> Proven {
        crash::point("events.appended");
        self.bus.0.wakes.give(EVENTS);
        let bodies: Vec<&[u8]> = drafts.iter().map(|draft| draft.body.get().as_bytes()).collect();
        let evolved = loaded.lock().ok().and_then(|mut loaded| {
            loaded.evolve(asked.head.id, &bodies, after, last).then(|| loaded.wants_snapshot(before))
        });
        if evolved.is_none() {
            self.loader.forget(asked.of);
        }
        let version = before + drafts.len() as u64;
        if evolved == Some(true) {
            let (loader, of, loaded) = (self.loader.clone(), asked.of, loaded.clone());
            self.tasks.spawn(async move { loader.snapshot(of, loaded).await });
        }
        Proven { outcome: asked.outcome(Status::Accepted, version, last, None, Utc::now()), is_proven: true }
    }

    /// The outcome that the events of this command prove.
    async fn decided_before(&self, asked: &Asked, loaded: &Mutex<Loaded>) -> Result<Option<Outcome>> {
        let command = asked.head.id;
        let repeatable = repeatable(command);
        if repeatable && !loaded.lock().is_ok_and(|loaded| loaded.may_follow(command)) {
            return Ok(None);
        }
        // any other command has no events from before it was stored
        let since = (!repeatable).then(|| asked.stored - CLOCKS);
        let own = last_caused_by(&self.bus, &asked.of.events(), command, since).await?;
        Ok(own.map(|(event, position)| asked.outcome(Status::Accepted, event.sequence.0, position, None, event.time)))
    }

    async fn store_proven(&self, outcome: Outcome, nobody_asks: bool) -> Result<()> {
        if nobody_asks { self.accepted.store(outcome).await } else { self.store(&outcome).await.map(drop) }
    }

    /// Stores an outcome unless there is one; answers the one that counts.
    async fn store(&self, outcome: &Outcome) -> Result<Outcome> {
        let json = serde_json::to_vec(outcome)?;
        let note = Note::only(outcome::subject(outcome.id), json);
        for attempt in 0..5 {
            let put = self.bus.0.outcomes.put(vec![note.clone()]).await;
            if let Put::Stored { duplicate: false, .. } = put {
                let status = if outcome.status == Status::Rejected { "rejected" } else { "accepted" };
                metrics::counter!("reprise_outcomes_total", "context" => self.context, "status" => status).increment(1);
                self.bus.0.wakes.give(OUTCOMES);
                return Ok(outcome.clone());
            }
            if let Some(first) = self.bus.outcome(outcome.id).await? {
                return Ok(first);
            }
            tracing::debug!(command.id = %outcome.id, ?put, "storing an outcome again");
            tokio::time::sleep(jitter(attempt)).await;
        }
        Err(anyhow!("the outcome of {} cannot be stored now", outcome.id))
    }

    /// Whether there is somebody to tell.
    async fn tell(&self, head: &Head, outcome: &Outcome) -> bool {
        let Some(replyto) = head.replyto.as_ref().filter(|inbox| inbox.starts_with("_INBOX_")) else { return false };
        if let Some(heard) = calls::tell_here(replyto, outcome) {
            return heard;
        }
        let json = serde_json::to_vec(outcome).expect("an outcome has text keys");
        self.bus.0.calls.client.publish(replyto.clone(), json.into()).await.is_ok()
    }

    /// A command that cannot be decided is rejected, so that whoever waits for it is not left waiting.
    async fn give_up_on(&self, delivery: Arc<Delivery>) -> Result<()> {
        let Ok(head) = serde_json::from_slice::<Head>(&delivery.payload) else { return Ok(()) };
        let outcome = Outcome {
            id: head.id,
            kind: head.kind.clone(),
            subject: head.subject,
            status: Status::Rejected,
            version: 0,
            position: 0,
            refusal: Some(not_handled()),
            fingerprint: head.fingerprint.clone(),
            authid: head.authid,
            time: Utc::now(),
        };
        let stored = self.store(&outcome).await?;
        self.tell(&head, &stored).await;
        Ok(())
    }

    pub(crate) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// An outcome, and whether events in the log prove it.
struct Proven {
    outcome: Outcome,
    is_proven: bool,
}

fn done() -> Rest {
    async { Ok(()) }.boxed()
}

fn not_proven(asked: &Asked, step: Step, version: u64, sequence: u64) -> Proven {
    let (status, refusal) = match step {
        Step::Refused(refusal) => (Status::Rejected, Some(refusal)),
        Step::AlreadySo | Step::Happens(_) => (Status::Accepted, None),
    };
    Proven { outcome: asked.outcome(status, version, sequence, refusal, Utc::now()), is_proven: false }
}

impl Asked {
    fn outcome(
        &self,
        status: Status,
        version: u64,
        position: u64,
        refusal: Option<Refusal>,
        time: DateTime<Utc>,
    ) -> Outcome {
        Outcome {
            id: self.head.id,
            kind: self.head.kind.clone(),
            subject: self.head.subject,
            status,
            version,
            position,
            refusal,
            fingerprint: self.head.fingerprint.clone(),
            authid: self.head.authid,
            time,
        }
    }

    fn cause(&self) -> Cause<'_> {
        Cause {
            id: self.head.id,
            correlationid: self.head.correlationid,
            authtype: self.head.authtype,
            authid: self.head.authid,
            traceparent: self.head.traceparent.as_deref(),
        }
    }
}
