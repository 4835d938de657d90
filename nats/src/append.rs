//! Events and the unique names they claim, stored all together or not at all. Every answer that leaves a doubt is
//! settled by reading the tail from the leader, so that one server and three give the same result.

use anyhow::{Context, Result, anyhow};
use chrono::Utc;
use events::{AuthType, Message, Sequence, Source, Spec};
use hmac::{Hmac, KeyInit, Mac};
use kernel::{Claim, Draft, Fault};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::{Builder, Uuid};

use crate::bus::{Bus, SendError};
use crate::load::{EventHead, Of};
use crate::put::{Note, Put};
use crate::read::{self, Stored};
use crate::streams::EVENTS;

/// How often an append is tried again before the whole decision is.
const TRIES: u32 = 8;

/// The command that an append follows from.
pub(crate) struct Cause<'a> {
    pub(crate) id: Uuid,
    pub(crate) correlationid: Uuid,
    pub(crate) authtype: AuthType,
    pub(crate) authid: Option<Uuid>,
    pub(crate) traceparent: Option<&'a str>,
}

/// What came of an append.
#[derive(Debug)]
pub(crate) enum Appended {
    /// They are in the log; this is the sequence of the last.
    Stored(u64),
    /// The aggregate has other events by now, up to this sequence.
    Conflict(u64),
    /// The same command led to events before, on another version than this one was decided on.
    Before,
    /// These names are somebody else's.
    Taken(Vec<Claim>),
    /// A person in it has no key any more.
    Erased,
}

/// Stores what was decided on version `version` of the aggregate, whose last event is at `sequence`.
pub(crate) async fn append(
    bus: &Bus,
    of: Of,
    (version, sequence): (u64, u64),
    drafts: &[Draft],
    cause: &Cause<'_>,
) -> Result<Appended, Fault> {
    let begun = std::time::Instant::now();
    let (notes, last) = match events(bus, of, version, sequence, drafts, cause).await {
        Ok(notes) => notes,
        Err(SendError::Erased) => return Ok(Appended::Erased),
        Err(error) => return Err(Fault::Retry(error.into())),
    };
    let names = drafts.iter().flat_map(|draft| &draft.claims);
    let claims = match Claims::new(bus, of, names).await? {
        Ok(claims) => claims,
        Err(taken) => return Ok(Appended::Taken(taken)),
    };
    let last = (last, version + drafts.len() as u64);
    let append = Append { bus, of, sequence, cause, events: notes, last, claims };
    let appended = append.run().await;
    metrics::histogram!("reprise_append_seconds", "context" => of.context).record(begun.elapsed().as_secs_f64());
    if matches!(appended, Ok(Appended::Conflict(_) | Appended::Taken(_))) {
        metrics::counter!("reprise_conflicts_total", "context" => of.context).increment(1);
    }
    appended
}

struct Append<'a> {
    bus: &'a Bus,
    of: Of,
    sequence: u64,
    cause: &'a Cause<'a>,
    events: Vec<Note>,
    /// The id and the version of the last event.
    last: (Uuid, u64),
    claims: Claims,
}

impl Append<'_> {
    async fn run(mut self) -> Result<Appended, Fault> {
        for attempt in 0..TRIES {
            // claims first, so that the last sequence is the aggregate's
            let mut notes = self.claims.notes(self.of, self.cause);
            notes.extend(self.events.iter().cloned());
            let mut before = false;
            let why = match self.bus.0.events.put(notes).await {
                Put::Stored { sequence, duplicate: false } => return Ok(Appended::Stored(sequence)),
                Put::Full => return Err(Fault::Retry(anyhow!("the log is full"))),
                Put::Refused(why) => return Err(Fault::Retry(anyhow!("the log refuses: {why}"))),
                Put::Stored { .. } => {
                    before = true;
                    "stored before".to_owned()
                }
                Put::Conflict | Put::InProcess => "another append is in the way".to_owned(),
                Put::Unclear(why) => why,
            };
            if let Some(settled) = self.look().await? {
                return Ok(settled);
            }
            if before {
                return Ok(Appended::Before);
            }
            tracing::debug!(aggregate.id = %self.of.id, attempt, why, "appending again");
            tokio::time::sleep(jitter(attempt)).await;
        }
        Err(Fault::Retry(anyhow!("{} cannot be appended to now", self.of.events())))
    }

    /// What the leader knows; `None`: nothing of this append, so it may be tried again.
    async fn look(&mut self) -> Result<Option<Appended>> {
        let calls = &self.bus.0.calls;
        let tail = read::leader_last(calls, EVENTS, &self.of.events()).await?;
        if let Some(tail) = tail.filter(|tail| tail.sequence != self.sequence) {
            let head: EventHead = serde_json::from_slice(&tail.payload)?;
            if head.causationid != Some(self.cause.id) || head.id != self.last.0 {
                return Ok(Some(Appended::Conflict(tail.sequence)));
            }
            // another process, that was given the same command, may have decided it later than this one did
            let as_here = head.sequence.0 == self.last.1;
            return Ok(Some(if as_here { Appended::Stored(tail.sequence) } else { Appended::Before }));
        }
        let taken = self.claims.look(self.bus, self.of).await?;
        Ok((!taken.is_empty()).then_some(Appended::Taken(taken)))
    }
}

/// 5 to 50 ms, so that two who are in each other's way do not stay so.
pub(crate) fn jitter(attempt: u32) -> Duration {
    let mut random = [0; 1];
    getrandom::fill(&mut random).expect("the system gives randomness");
    Duration::from_millis(5 + u64::from(random[0]) * u64::from(attempt.min(4) + 1) / 28)
}

/// The events as they are stored, and the id of the last. Ids follow from the command's, so a repetition is recognised.
async fn events(
    bus: &Bus,
    of: Of,
    version: u64,
    sequence: u64,
    drafts: &[Draft],
    cause: &Cause<'_>,
) -> Result<(Vec<Note>, Uuid), SendError> {
    let mut notes = Vec::with_capacity(drafts.len());
    let mut last = Uuid::nil();
    for (n, draft) in drafts.iter().enumerate() {
        last = Uuid::new_v5(&cause.id, n.to_string().as_bytes());
        let json = written(of, of.id, last, version + n as u64 + 1, cause, draft.body.get());
        let sealed = bus.keyring().seal(json).await?;
        // the stream takes one expectation per subject in a batch
        notes.push(Note::new(of.events(), last, (n == 0).then_some(sequence), sealed));
    }
    Ok((notes, last))
}

#[derive(Serialize)]
struct Nothing {}

/// The envelope, with `body` (an object) flattened into it.
fn written(of: Of, subject: Uuid, id: Uuid, version: u64, cause: &Cause<'_>, body: &str) -> Vec<u8> {
    let envelope = Message {
        specversion: Spec::V1,
        id,
        source: Source(format!("/services/{}", of.context).into()),
        subject,
        time: Utc::now(),
        correlationid: cause.correlationid,
        causationid: Some(cause.id),
        authtype: cause.authtype,
        authid: cause.authid,
        authclaims: None,
        sequence: Some(Sequence(version)),
        traceparent: cause.traceparent.map(str::to_owned),
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: Nothing {},
    };
    let mut json = serde_json::to_vec(&envelope).expect("an envelope has text keys");
    json.pop();
    json.push(b',');
    json.extend_from_slice(body.trim_start().trim_start_matches('{').as_bytes());
    json
}

/// The names that an append takes and gives back.
struct Claims(Vec<Wish>);

/// One name, and what is known of it.
struct Wish {
    claim: Claim,
    id: Uuid,
    /// The last event on the claim: sequence and version. `None`: nothing is to be written.
    tail: Option<(u64, u64)>,
}

impl Claims {
    /// `Err`: these names are somebody else's.
    async fn new(bus: &Bus, of: Of, claims: impl Iterator<Item = &Claim>) -> Result<Result<Self, Vec<Claim>>> {
        let mut wishes: BTreeMap<Uuid, Wish> = BTreeMap::new();
        for claim in claims {
            let id = claim_id(bus.keyring().claim_key().await?, claim);
            // taken and given back at once: nothing changes for this name
            if wishes.get(&id).is_some_and(|before| before.claim.hold != claim.hold) {
                wishes.remove(&id);
            } else {
                wishes.insert(id, Wish { claim: claim.clone(), id, tail: Some((0, 0)) });
            }
        }
        let mut claims = Claims(wishes.into_values().collect());
        if claims.0.iter().any(|wish| !wish.claim.hold) {
            // only what is held can be given back, and where that was written must be known
            let taken = claims.look(bus, of).await?;
            if !taken.is_empty() {
                return Ok(Err(taken));
            }
        }
        Ok(Ok(claims))
    }

    fn notes(&self, of: Of, cause: &Cause<'_>) -> Vec<Note> {
        let written = self.0.iter().filter_map(|wish| Some((wish, wish.tail?)));
        written.map(|(wish, tail)| wish.note(of, cause, tail)).collect()
    }

    /// Reads every claim from the leader; answers those that are somebody else's.
    async fn look(&mut self, bus: &Bus, of: Of) -> Result<Vec<Claim>> {
        let mut taken = vec![];
        for wish in &mut self.0 {
            let stored = read::leader_last(&bus.0.calls, EVENTS, &claim_subject(of, wish.id)).await?;
            let state = stored.as_ref().map(ClaimState::read).transpose()?;
            wish.tail = match state {
                None => wish.claim.hold.then_some((0, 0)),
                Some(state) if state.holder == Some(of.id) => (!wish.claim.hold).then_some(state.tail),
                Some(state) if state.holder.is_none() => wish.claim.hold.then_some(state.tail),
                Some(_) => {
                    if wish.claim.hold {
                        taken.push(wish.claim.clone());
                    }
                    None
                }
            };
        }
        Ok(taken)
    }
}

impl Wish {
    fn note(&self, of: Of, cause: &Cause<'_>, (sequence, version): (u64, u64)) -> Note {
        let verb = if self.claim.hold { "taken" } else { "released" };
        let body = json!({
            "type": format!("{}.claim.{verb}.v1", of.context),
            "data": { "kind": self.claim.kind, "holder": of.id },
        });
        let id = Uuid::new_v5(&cause.id, format!("claim.{}.{verb}", self.id).as_bytes());
        let json = written(of, self.id, id, version + 1, cause, &body.to_string());
        Note::new(claim_subject(of, self.id), id, Some(sequence), json)
    }
}

fn claim_subject(of: Of, id: Uuid) -> String {
    format!("evt.{}.claim.{id}", of.context)
}

/// The same name has always the same id, and nobody without the key can tell which name it is.
fn claim_id(key: &[u8; 32], claim: &Claim) -> Uuid {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(claim.kind.as_bytes());
    mac.update(&[0]);
    mac.update(claim.name.0.as_bytes());
    let hash = mac.finalize().into_bytes();
    let bytes: [u8; 16] = hash[..16].try_into().expect("SHA-256 has 32 bytes");
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Who holds a name.
struct ClaimState {
    holder: Option<Uuid>,
    tail: (u64, u64),
}

#[derive(Deserialize)]
struct ClaimEvent {
    #[serde(rename = "type")]
    kind: String,
    sequence: Sequence,
    data: ClaimData,
}

#[derive(Deserialize)]
struct ClaimData {
    holder: Uuid,
}

impl ClaimState {
    fn read(stored: &Stored) -> Result<Self> {
        let event: ClaimEvent = serde_json::from_slice(&stored.payload).context("an event on a claim")?;
        let held = event.kind.contains(".claim.taken.");
        Ok(ClaimState { holder: held.then_some(event.data.holder), tail: (stored.sequence, event.sequence.0) })
    }
}
