//! What a worker says: commands to the job, each with what it follows from, and how far it is.

use anyhow::Result;
use chrono::Utc;
use events::processing::{Class, Command, Task};
use events::{AuthType, Event, Message, Source, Spec};
use nats::{Bus, Reply, Status};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// How long a job may take to answer.
const WAIT: Duration = Duration::from_secs(10);

/// What a job answered.
pub(crate) enum Answered {
    /// So it is; or so it will be decided.
    Fine,
    /// It is not wanted any more.
    Refused(String),
}

/// Says something to the job of a task.
///
/// # Errors
/// The log does not answer.
pub(crate) async fn tell(bus: &Bus, cause: &Message<Event>, task: &Task, command: Command) -> Result<Answered> {
    let message = Message {
        specversion: Spec::V1,
        id: id_of(&command),
        source: Source::new("/worker"),
        subject: task.job,
        time: Utc::now(),
        correlationid: cause.correlationid,
        causationid: Some(cause.id),
        authtype: AuthType::System,
        authid: cause.authid,
        authclaims: None,
        sequence: None,
        traceparent: cause.traceparent.clone(),
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: command.into(),
    };
    let reply = bus.ask(&message, WAIT).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(match reply {
        Reply::Told(outcome) if outcome.status == Status::Rejected => {
            Answered::Refused(outcome.refusal.map_or_else(String::new, |refusal| refusal.code))
        }
        Reply::Told(_) | Reply::Later => Answered::Fine,
    })
}

/// An attempt says each thing once, however often it is delivered: told again what was decided, not decided again.
fn id_of(command: &Command) -> Uuid {
    let (lease, word) = match command {
        Command::StartTask { lease, .. } => (lease, "start"),
        Command::CompleteTask { lease, .. } => (lease, "complete"),
        Command::FailTask { lease, .. } => (lease, "fail"),
        Command::Start(_) | Command::Cancel {} | Command::Retry {} => return Uuid::now_v7(),
    };
    Uuid::new_v5(lease, word.as_bytes())
}

/// Says to whoever listens how far a video is: `part` of the task, 0 to 1.
pub(crate) fn progress(bus: &Bus, task: &Task, part: f32) {
    let (from, to) = share(task);
    let progress = from + (to - from) * part.clamp(0.0, 1.0);
    let said = json!({ "of": task.of, "owner": task.owner, "version": task.version, "progress": progress });
    bus.say(&format!("rt.processing.{}", task.of), said.to_string().into_bytes());
}

/// Which part of the whole work a task is, by experience.
fn share(task: &Task) -> (f32, f32) {
    match (task.class, task.name.as_str()) {
        (_, "probe") => (0.0, 0.02),
        (Class::Required, _) => (0.02, 0.25),
        (Class::Normal, _) => (0.25, 0.97),
        (Class::Optional, _) => (0.97, 1.0),
    }
}
