//! What handlers can do: send commands, read pages, ask the vault. A handler turns HTTP into one of these and back.

use crate::asked::{Asked, IfMatch};
use crate::auth::Actor;
use crate::config::Config;
use crate::edge::Edge;
use crate::extract::{Admin, MaybeActor};
use crate::health::Health;
use crate::problem::Problem;
use crate::videos::{Views, Watched};
use crate::{consistency, idempotency};
use axum::http::StatusCode;
use blobs::Blobs;
use chrono::Utc;
use events::{AuthType, Command, Message, Sequence, Source, Spec};
use nats::{Bus, Outcome, Reply, SendError, Status};
use projections::Reads;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A read waits this long for what a `Consistency-Token` names.
const FRESH: Duration = Duration::from_secs(2);
/// A command that the log does not confirm is given up so long after the client wanted an answer.
const SPARE: Duration = Duration::from_secs(3);
/// SHA-256 of a body that is not there.
const EMPTY: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The gateway as handlers see it. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    edge: Arc<Edge>,
    bus: Bus,
    reads: Reads,
    blobs: Blobs,
    vault: vault::Client,
    health: Health,
    watched: Watched,
    views: Views,
}

/// On whose behalf a command is sent.
#[derive(Clone, Debug)]
pub enum Who {
    /// Somebody who is signed in.
    Person(Actor),
    /// Somebody who is not.
    Unknown,
    /// Reprise itself, on behalf of somebody: what only the edge knows, as that all bytes of a file have arrived.
    Reprise(Uuid),
}

/// What came of sending a command.
#[derive(Clone, Debug)]
pub enum Accepted {
    /// It was decided, and accepted.
    Done(Outcome),
    /// It will be decided; the operation with this id tells.
    Later(Uuid),
}

impl Accepted {
    /// The outcome, if there is one yet.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Accepted::Done(outcome) => Some(outcome),
            Accepted::Later(_) => None,
        }
    }
}

impl App {
    pub(crate) fn new(edge: Arc<Edge>, bus: Bus, reads: Reads, blobs: Blobs) -> Self {
        let vault = vault::Client::new(bus.clone());
        let (health, watched, views) = (Health::default(), Watched::default(), Views::default());
        App(Arc::new(Parts { edge, bus, reads, blobs, vault, health, watched, views }))
    }

    /// Where the bytes of files lie.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// What was just said of videos: who sees them, how far they are.
    pub(crate) fn watched(&self) -> &Watched {
        &self.0.watched
    }

    /// Views that were gathered.
    pub(crate) fn views(&self) -> &Views {
        &self.0.views
    }

    /// What the operator chose.
    pub fn config(&self) -> &Config {
        &self.0.edge.config
    }

    /// The pages.
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// The vault.
    pub fn vault(&self) -> &vault::Client {
        &self.0.vault
    }

    /// The way of messages.
    pub fn bus(&self) -> &Bus {
        &self.0.bus
    }

    pub(crate) fn edge(&self) -> &Edge {
        &self.0.edge
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.health
    }

    /// The vault ended a session on behalf of this request: here its tokens count no more from now on.
    pub(crate) fn ended(&self, session: Uuid) {
        self.0.edge.auth.revocations.end(session);
    }

    /// The id of something new: the same again for a repetition under the same `Idempotency-Key`.
    ///
    /// # Errors
    /// 400 when the key is not acceptable.
    pub fn new_id(&self, asked: &Asked) -> Result<Uuid, Problem> {
        let command = asked.idempotent_id(asked.person())?;
        Ok(command.map_or_else(Uuid::now_v7, |command| Uuid::new_v5(&command, b"subject")))
    }

    /// The id that the first command of this request will have when it is sent for `who`: the vault wants to know it
    /// before an account is opened.
    ///
    /// # Errors
    /// 400 when the `Idempotency-Key` is not acceptable.
    pub fn first_command(&self, who: &Who, asked: &Asked) -> Result<Uuid, Problem> {
        Ok(asked.command_id(who.person(), 0)?.0)
    }

    /// Sends a command and waits for its outcome as long as the client wants.
    ///
    /// # Errors
    /// The refusal of the decider with its status; 422 when the `Idempotency-Key` was used for something else; 503 when
    /// there is too much to do or the log cannot be reached.
    pub async fn send(
        &self,
        who: impl Into<Who>,
        asked: &Asked,
        subject: Uuid,
        command: impl Into<Command>,
    ) -> Result<Accepted, Problem> {
        let who = who.into();
        let (id, derived) = asked.next_command(who.person())?;
        let fingerprint = derived.then(|| self.fingerprint(asked));
        self.send_as(who, asked, id, fingerprint, subject, command.into()).await
    }

    /// The same, expecting this version and not the one in `If-Match`, which may be about something else.
    pub(crate) async fn send_expecting(
        &self,
        who: impl Into<Who>,
        asked: &Asked,
        expected: Option<IfMatch>,
        subject: Uuid,
        command: impl Into<Command>,
    ) -> Result<Accepted, Problem> {
        let who = who.into();
        let (id, derived) = asked.next_command(who.person())?;
        let fingerprint = derived.then(|| self.fingerprint(asked));
        self.deliver(asked, message(who, asked, id, fingerprint, subject, command.into(), expected)?).await
    }

    /// The same for a command whose id and fingerprint are made elsewhere.
    pub(crate) async fn send_as(
        &self,
        who: Who,
        asked: &Asked,
        id: Uuid,
        fingerprint: Option<String>,
        subject: Uuid,
        command: Command,
    ) -> Result<Accepted, Problem> {
        self.deliver(asked, message(who, asked, id, fingerprint, subject, command, asked.if_match()?)?).await
    }

    /// What is rarely done is boxed: every handler carries the room for it, and is moved several times for each request.
    async fn deliver(&self, asked: &Asked, message: Message<Command>) -> Result<Accepted, Problem> {
        let _place = self.0.edge.commands.take()?;
        let (id, fingerprint) = (message.id, message.fingerprint.as_deref());
        // only an id that the client chose can have an outcome already
        if fingerprint.is_some()
            && let Some(outcome) = Box::pin(self.earlier(id, fingerprint)).await?
        {
            asked.note(|notes| notes.replayed = true);
            return told(asked, outcome);
        }
        let prefer = asked.prefer();
        asked.note(|notes| notes.preference = prefer.applied());
        let patience = prefer.patience();
        if patience.is_zero() {
            Box::pin(self.0.bus.send(&message)).await.map_err(unsent)?;
        } else if let Reply::Told(outcome) = in_time(patience, self.0.bus.ask(&message, patience)).await? {
            same(outcome.fingerprint.as_deref(), fingerprint)?;
            return told(asked, outcome);
        }
        Box::pin(self.0.bus.remember(&message)).await.map_err(unsent)?;
        Ok(Accepted::Later(id))
    }

    /// What came of a command whose id the client chose, when it was sent before.
    async fn earlier(&self, id: Uuid, fingerprint: Option<&str>) -> Result<Option<Outcome>, Problem> {
        let outcome = self.0.bus.outcome(id).await?;
        let first = match &outcome {
            Some(outcome) => outcome.fingerprint.clone(),
            None => self.0.bus.pending(id).await?.and_then(|pending| pending.fingerprint),
        };
        same(first.as_deref(), fingerprint)?;
        Ok(outcome)
    }

    fn fingerprint(&self, asked: &Asked) -> String {
        let body = asked.0.body.get().unwrap_or(&EMPTY);
        self.fingerprint_of(asked.0.method.as_str(), asked.path(), body)
    }

    /// What was asked, as a keyed hash.
    pub(crate) fn fingerprint_of(&self, method: &str, what: &str, body: &[u8; 32]) -> String {
        idempotency::fingerprint(&self.0.edge.keys.fingerprint, method, what, body)
    }

    /// Waits until `projections` show what the request's `Consistency-Token` names, if it has one.
    ///
    /// # Errors
    /// 400 for a token that was not issued here, 503 with `Retry-After` when the pages are too far behind.
    pub async fn fresh(&self, asked: &Asked, projections: &[&str]) -> Result<(), Problem> {
        let Some(token) = &asked.0.token else { return Ok(()) };
        let position = consistency::position(&self.0.edge.keys.consistency, token)?;
        if self.0.reads.wait_for(projections, position, FRESH).await? {
            return Ok(());
        }
        Err(Problem::unavailable("projection_behind", "what you wrote is not readable yet, try again shortly", 1))
    }
}

/// The answer of a log that answers; a client that waited long enough is not made to wait for one that does not.
async fn in_time<T>(patience: Duration, answer: impl Future<Output = Result<T, SendError>>) -> Result<T, Problem> {
    match tokio::time::timeout(patience + SPARE, answer).await {
        Ok(answer) => answer.map_err(unsent),
        Err(_) => Err(Problem::internal(&"the log did not answer in time")),
    }
}

/// One key, one request; what was first is not known any more after some minutes.
fn same(first: Option<&str>, now: Option<&str>) -> Result<(), Problem> {
    if first.is_some() && first != now {
        return Err(Problem::invalid("idempotency_key_reused", "this Idempotency-Key was used for another request"));
    }
    Ok(())
}

fn told(asked: &Asked, outcome: Outcome) -> Result<Accepted, Problem> {
    match (outcome.status, &outcome.refusal) {
        (Status::Accepted, _) => {
            asked.note(|notes| notes.position = notes.position.max(Some(outcome.position)));
            Ok(Accepted::Done(outcome))
        }
        (Status::Rejected, Some(refusal)) => Err(Problem::refused(refusal.clone())),
        (Status::Rejected, None) => Err(Problem::conflict("rejected", "this was refused")),
    }
}

/// Builds the message from what was asked: the only place where a request becomes one.
fn message(
    who: Who,
    asked: &Asked,
    id: Uuid,
    fingerprint: Option<String>,
    subject: Uuid,
    command: Command,
    expected: Option<IfMatch>,
) -> Result<Message<Command>, Problem> {
    let ifmatch = match expected {
        None | Some(IfMatch::Any) => None,
        Some(IfMatch::Version(version)) => Some(Sequence(version)),
        Some(IfMatch::Never) => return Err(stale()),
    };
    let (authtype, authid, authclaims) = match who {
        Who::Person(actor) => (AuthType::AppUser, Some(actor.id), actor.claims.as_deref().map(str::to_owned)),
        Who::Unknown => (AuthType::Unauthenticated, None, None),
        Who::Reprise(person) => (AuthType::System, Some(person), None),
    };
    Ok(Message {
        specversion: Spec::V1,
        id,
        source: Source::new("/gateway"),
        subject,
        time: Utc::now(),
        correlationid: *asked.0.correlation.get_or_init(|| id),
        causationid: None,
        authtype,
        authid,
        authclaims,
        sequence: None,
        traceparent: Some(asked.0.trace.to_string()),
        replyto: None,
        ifmatch,
        fingerprint,
        body: command,
    })
}

/// What was seen is not what is there.
pub(crate) fn stale() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "this was changed since you saw it, read it again")
}

/// A command that could not be sent.
fn unsent(error: SendError) -> Problem {
    match error {
        SendError::Erased => Problem::new(StatusCode::GONE, "person_erased", "this person was erased"),
        SendError::Overloaded => {
            Problem::unavailable("overloaded", "there is too much to do at the moment, try again shortly", 2)
        }
        SendError::Unavailable(cause) => Problem::internal(&cause),
    }
}

impl Who {
    fn person(&self) -> Option<Uuid> {
        match self {
            Who::Person(actor) => Some(actor.id),
            Who::Unknown => None,
            Who::Reprise(person) => Some(*person),
        }
    }
}

impl From<Actor> for Who {
    fn from(actor: Actor) -> Self {
        Who::Person(actor)
    }
}

impl From<&Actor> for Who {
    fn from(actor: &Actor) -> Self {
        Who::Person(actor.clone())
    }
}

impl From<Admin> for Who {
    fn from(Admin(actor): Admin) -> Self {
        Who::Person(actor)
    }
}

impl From<&Admin> for Who {
    fn from(Admin(actor): &Admin) -> Self {
        Who::Person(actor.clone())
    }
}

impl From<MaybeActor> for Who {
    fn from(MaybeActor(actor): MaybeActor) -> Self {
        actor.map_or(Who::Unknown, Who::Person)
    }
}

impl From<&MaybeActor> for Who {
    fn from(maybe: &MaybeActor) -> Self {
        maybe.clone().into()
    }
}
