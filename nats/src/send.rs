//! Commands on their way into the log: sealed, durable before anybody hears that they were taken, and safe to send
//! again under the same id.

use anyhow::{Context, Result, anyhow};
use events::{Command, Message};
use memchr::memmem;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use crate::bus::{Bus, SendError};
use crate::calls::Inbox;
use crate::lane::Writer;
use crate::outcome::{self, Outcome, Pending};
use crate::put::{Note, Put, hand_over};
use crate::{crash, read, streams};

/// How long an unclear answer is asked after again.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whoever was not told in time has one look at what is stored, in case the telling was lost.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// A command is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// It was there before, under the same id.
    pub duplicate: bool,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is decided.
    Told(Outcome),
    /// It is in the log, but was not decided in time.
    Later,
}

impl Bus {
    /// Puts a command into the log, personal data sealed. When this is `Ok` it is durable and will be decided.
    ///
    /// # Errors
    /// See [`SendError`]; after `Unavailable` it may be there all the same.
    pub async fn send(&self, command: &Message<Command>) -> Result<Sent, SendError> {
        self.send_to(&self.0.commands, command, None).await
    }

    /// Puts a command into the log and waits for the outcome: when it is told, its events are durable. When it is not told
    /// in time, the command is. A repetition under an id that may be repeated is told what the first one was.
    ///
    /// # Errors
    /// As [`Bus::send`].
    pub async fn ask(&self, command: &Message<Command>, wait: Duration) -> Result<Reply, SendError> {
        let deadline = Instant::now() + wait;
        let mut inbox = self.0.calls.outcome();
        let told = self.ask_at(command, &mut inbox, deadline).await?;
        if told == Reply::Later {
            // from now on it is decided whatever happens
            Box::pin(self.send_to(&self.0.commands, command, Some(&inbox.subject))).await?;
        }
        Ok(told)
    }

    async fn ask_at(
        &self,
        command: &Message<Command>,
        inbox: &mut Inbox<oneshot::Receiver<Outcome>>,
        deadline: Instant,
    ) -> Result<Reply, SendError> {
        if repeatable(command.id) {
            // somebody may have asked before: the acknowledgement tells
            let mut sending = Box::pin(self.send_to(&self.0.asked, command, Some(&inbox.subject)));
            let sent = tokio::select! {
                biased;
                sent = &mut sending => sent?,
                told = &mut inbox.answers => return Ok(told_or_later(told.ok())),
            };
            if sent.duplicate {
                return Ok(Box::pin(self.stored_outcome(command.id, deadline)).await);
            }
        } else {
            self.hand_over(command, &inbox.subject).await?;
        }
        let told = timeout(deadline.saturating_duration_since(Instant::now()), &mut inbox.answers).await;
        match told {
            Ok(told) => Ok(told_or_later(told.ok())),
            Err(_) => Ok(Box::pin(self.stored_outcome(command.id, Instant::now() + LAST_LOOK)).await),
        }
    }

    /// Notes that a command was taken, before a client hears `202`: from then on its operation is pending.
    ///
    /// # Errors
    /// As [`Bus::send`].
    pub async fn remember(&self, command: &Message<Command>) -> Result<(), SendError> {
        let payload = serde_json::to_vec(&pending(command)?).map_err(|error| SendError::Unavailable(error.into()))?;
        let note = Note::only(outcome::pending_subject(command.id), payload);
        match self.0.outcomes.put(vec![note]).await {
            // a conflict says that it was noted before
            Put::Stored { .. } | Put::Conflict | Put::InProcess => {}
            Put::Full => return Err(SendError::Overloaded),
            Put::Refused(why) | Put::Unclear(why) => return Err(SendError::Unavailable(anyhow!(why))),
        }
        self.0.wakes.give(streams::OUTCOMES);
        Ok(())
    }

    /// What came of a command, as the leader knows it; `None` while it is not decided, or long ago, or when only the
    /// one who asked ([`Bus::ask`]) was told, under an id that does not come again: the log's events and the
    /// `operations` page know of that one.
    ///
    /// # Errors
    /// The log does not answer.
    pub async fn outcome(&self, command: Uuid) -> Result<Option<Outcome>> {
        let stored = read::leader_last(&self.0.calls, streams::OUTCOMES, &outcome::subject(command)).await?;
        Ok(stored.map(|stored| outcome::of(command, &stored.payload)).transpose()?.flatten())
    }

    /// Whether it is noted that a command was taken ([`Bus::remember`]).
    ///
    /// # Errors
    /// The log does not answer.
    pub async fn pending(&self, command: Uuid) -> Result<Option<Pending>> {
        let stored = read::leader_last(&self.0.calls, streams::OUTCOMES, &outcome::pending_subject(command)).await?;
        Ok(stored.map(|stored| serde_json::from_slice(&stored.payload)).transpose()?)
    }

    async fn send_to(
        &self,
        writer: &Writer,
        command: &Message<Command>,
        inbox: Option<&str>,
    ) -> Result<Sent, SendError> {
        let _room = self.0.sending.try_acquire().map_err(|_| SendError::Overloaded)?;
        let note = self.note(writer.subjects(), command, inbox).await?;
        self.put_command(writer, note).await
    }

    /// Puts a command where those are who wait for the outcome, without waiting for an acknowledgement: the outcome is one,
    /// and without it the command is stored again.
    async fn hand_over(&self, command: &Message<Command>, inbox: &str) -> Result<(), SendError> {
        let _room = self.0.sending.try_acquire().map_err(|_| SendError::Overloaded)?;
        let note = self.note(self.0.asked.subjects(), command, Some(inbox)).await?;
        crash::point("command.sending");
        let sent = hand_over(&self.0.calls, streams::ASKED, Note { id: None, ..note }).await;
        crash::point("command.sent");
        sent.map_err(SendError::Unavailable)
    }

    /// The command as it is stored; nobody but [`Bus::ask`] says where the outcome is told.
    async fn note(&self, begins: &str, command: &Message<Command>, inbox: Option<&str>) -> Result<Note, SendError> {
        let json = match inbox.map(str::to_owned) {
            replyto if command.replyto == replyto => serde_json::to_vec(command),
            replyto => serde_json::to_vec(&Message { replyto, ..command.clone() }),
        };
        let json = json.map_err(|error| SendError::Unavailable(error.into()))?;
        let subject = command_subject(begins, &kind_of(&json).map_err(SendError::Unavailable)?, command.subject);
        let sealed = self.keyring().seal(json).await?;
        Ok(Note::new(subject.map_err(SendError::Unavailable)?, command.id, None, sealed))
    }

    /// Stores a command that is sealed already. The same id again is no second command.
    pub(crate) async fn put_command(&self, writer: &Writer, note: Note) -> Result<Sent, SendError> {
        let deadline = Instant::now() + PATIENCE;
        crash::point("command.sending");
        loop {
            let why = match writer.put(vec![note.clone()]).await {
                Put::Stored { sequence, duplicate } => {
                    crash::point("command.sent");
                    return Ok(Sent { sequence, duplicate });
                }
                Put::Full => return Err(SendError::Overloaded),
                Put::Refused(why) => return Err(SendError::Unavailable(anyhow!(why))),
                Put::Conflict | Put::InProcess => "the same command is being stored".to_owned(),
                Put::Unclear(why) => why,
            };
            if Instant::now() > deadline {
                return Err(SendError::Unavailable(anyhow!("the command may not be stored: {why}")));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The outcome of a command that somebody else sent under the same id; `Later` when it is not decided by then.
    async fn stored_outcome(&self, command: Uuid, deadline: Instant) -> Reply {
        let mut pause = Duration::from_millis(4);
        loop {
            // the command is in the log: whatever goes wrong from here on, its outcome comes later
            match timeout_at(deadline, self.outcome(command)).await {
                Ok(Ok(Some(outcome))) => return Reply::Told(outcome),
                Ok(_) if Instant::now() + pause < deadline => {}
                _ => return Reply::Later,
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}

/// Whether a command under this id may be sent again much later: then its outcome is kept under its own subject.
pub(crate) fn repeatable(command: Uuid) -> bool {
    command.get_version_num() == 5
}

fn told_or_later(told: Option<Outcome>) -> Reply {
    crash::point("command.answered");
    told.map_or(Reply::Later, Reply::Told)
}

fn pending(command: &Message<Command>) -> Result<Pending, SendError> {
    let json = serde_json::to_vec(&command.body).map_err(|error| SendError::Unavailable(error.into()))?;
    Ok(Pending {
        id: command.id,
        kind: kind_of(&json).map_err(SendError::Unavailable)?,
        subject: command.subject,
        status: outcome::Waiting::Pending,
        fingerprint: command.fingerprint.clone(),
        authid: command.authid,
        time: command.time,
    })
}

/// The `type` of a message that we wrote, or of its body alone.
pub(crate) fn kind_of(json: &[u8]) -> Result<String> {
    const TYPE: &[u8] = br#""type":""#;
    // it stands before the data, and inside a text its quotes would be escaped
    let rest = memmem::find(json, TYPE).map(|at| &json[at + TYPE.len()..]).context("a message without a type")?;
    let end = memchr::memchr(b'"', rest).context("a type without an end")?;
    Ok(std::str::from_utf8(&rest[..end])?.to_owned())
}

/// `cmd.identity.user.<id>` for `identity.user.register.v1`, when it begins with `cmd`.
pub(crate) fn command_subject(begins: &str, kind: &str, aggregate: Uuid) -> Result<String> {
    let mut words = kind.split('.');
    match (words.next(), words.next(), words.next()) {
        (Some(context), Some(of), Some(_)) => Ok(format!("{begins}.{context}.{of}.{aggregate}")),
        _ => Err(anyhow!("{kind:?} is no type of a command")),
    }
}
