//! One attempt at a task: begun under a lease, watched while it goes on, told once. What it makes lies in a folder of its
//! own, so that nothing is ever half replaced, and goes away when nobody wants it.

use anyhow::Result;
use blobs::Key;
use events::processing::{Class, Command, Event, Failure, Output, Task};
use events::{Event as Any, Message, Personal};
use media::Stopped;
use nats::{Held, crash};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bench::Bench;
use crate::said::{Answered, progress, tell};
use crate::{Workshop, carry, doing};

/// How often it is looked whether the work is still wanted: a cancellation counts within a second.
const LOOK: Duration = Duration::from_secs(1);
/// A task that nothing is heard of for thirty seconds goes to another worker.
const BEAT: u32 = 8;

/// How an attempt ended.
pub(crate) enum End {
    /// The task is out of the way.
    Over,
    /// Somebody has to try again.
    NotNow,
}

/// Tries a task.
///
/// # Errors
/// Something outside the task is in the way; it should come again.
pub(crate) async fn make(workshop: &Workshop, held: &Held, stop: &CancellationToken) -> Result<End> {
    let Some((cause, task)) = read(held) else {
        tracing::error!("what is in the queue is no task of this version; it is dropped");
        return Ok(End::Over);
    };
    crash::point("task.taken");
    let lease = Uuid::now_v7();
    let start = Command::StartTask { task: task.name.clone(), run: task.run, lease };
    if let Answered::Refused(code) = tell(&workshop.bus, &cause, &task, start).await? {
        tidy(workshop, &task, &code).await?;
        return Ok(End::Over);
    }
    crash::point(begun(task.class));
    let began = std::time::Instant::now();
    let made = watched(workshop, held, &task, lease, stop).await;
    crash::point("task.made");
    let place = place(&task, lease)?;
    let answered = match made {
        Made::Output(output) => {
            let done = Command::CompleteTask { task: task.name.clone(), lease, output };
            tell(&workshop.bus, &cause, &task, done).await?
        }
        Made::Failed(failure) => {
            workshop.blobs.delete_all(&place).await?;
            tracing::info!(task.name, failure.code, "a task failed");
            let failed = Command::FailTask { task: task.name.clone(), lease, failure };
            tell(&workshop.bus, &cause, &task, failed).await?
        }
        Made::Unwanted => Answered::Refused("unwanted".into()),
        Made::Stopped => {
            workshop.blobs.delete_all(&place).await?;
            return Ok(End::NotNow);
        }
        Made::Trouble(error) => {
            workshop.blobs.delete_all(&place).await.ok();
            return Err(error);
        }
    };
    crash::point("task.told");
    metrics::histogram!("reprise_task_seconds", "class" => task.class.word()).record(began.elapsed());
    if let Answered::Refused(code) = answered {
        workshop.blobs.delete_all(&place).await?;
        tracing::info!(task.name, code, "what was made is not wanted any more");
    }
    Ok(End::Over)
}

/// Where a worker may die that has begun a task: tests hold up the work on a film in the middle by it.
fn begun(class: Class) -> &'static str {
    match class {
        Class::Required => "task.required",
        Class::Normal => "task.normal",
        Class::Optional => "task.optional",
    }
}

fn read(held: &Held) -> Option<(Message<Any>, Task)> {
    let event = Message::event(&held.payload).ok()?;
    let Any::Job(Event::TaskQueued(task)) = &event.body else { return None };
    let task = task.clone();
    Some((event, task))
}

/// What a worker that died may have left of a job that was cancelled.
async fn tidy(workshop: &Workshop, task: &Task, code: &str) -> Result<()> {
    if code == "job_cancelled" {
        workshop.blobs.delete_all(&run_of(task)?).await?;
    }
    Ok(())
}

fn run_of(task: &Task) -> Result<Key> {
    Ok(Key::new(&format!("videos/{}/{}.{}", task.of, task.version, task.run))?)
}

/// Where an attempt puts what it makes, behind `videos/<video>/`.
fn folder_of(task: &Task, lease: Uuid) -> String {
    let lease = lease.simple().to_string();
    format!("{}.{}/{}-{}", task.version, task.run, task.name, &lease[lease.len() - 12..])
}

fn place(task: &Task, lease: Uuid) -> Result<Key> {
    Ok(Key::new(&format!("videos/{}/{}", task.of, folder_of(task, lease)))?)
}

/// What came of the work.
enum Made {
    Output(Output),
    Failed(Failure),
    /// The job is over, or another attempt counts.
    Unwanted,
    /// This worker was told to stop.
    Stopped,
    Trouble(anyhow::Error),
}

/// Works, and looks meanwhile whether that is still wanted.
async fn watched(workshop: &Workshop, held: &Held, task: &Task, lease: Uuid, stop: &CancellationToken) -> Made {
    let halt = stop.child_token();
    let mut work = Box::pin(work(workshop, task, lease, &halt));
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0;
    let mut unwanted = false;
    let made = loop {
        tokio::select! {
            made = &mut work => break made,
            _ = look.tick() => {
                looks += 1;
                if looks % BEAT == 0 {
                    held.progress().await;
                }
                if !unwanted && is_over(workshop, task).await {
                    unwanted = true;
                    halt.cancel();
                }
            }
        }
    };
    match made {
        Ok(Ok(output)) => Made::Output(output),
        Ok(Err(Stopped::Failed(failure))) => Made::Failed(Failure {
            code: failure.code.to_owned(),
            message: failure.message,
            retryable: failure.retryable,
            tail: failure.tail.map(|tail| Personal::about(task.owner, tail)),
        }),
        Ok(Err(Stopped::Cancelled)) if unwanted => Made::Unwanted,
        Ok(Err(Stopped::Cancelled)) => Made::Stopped,
        Err(error) => Made::Trouble(error),
    }
}

/// Whether the last thing that happened to the job is its end. A log that does not answer says nothing.
async fn is_over(workshop: &Workshop, task: &Task) -> bool {
    let last = workshop.bus.last_event("processing.job", task.job).await.ok().flatten();
    let event = last.and_then(|event| Message::event(&event).ok());
    matches!(event.map(|event| event.body), Some(Any::Job(Event::Cancelled { .. } | Event::Failed { .. })))
}

async fn work(
    workshop: &Workshop,
    task: &Task,
    lease: Uuid,
    halt: &CancellationToken,
) -> Result<Result<Output, Stopped>> {
    let scratch = Bench::task(&workshop.scratch)?;
    let (source, out) = (scratch.path().join("source"), scratch.path().join("out"));
    tokio::fs::create_dir(&out).await?;
    match halt.run_until_cancelled(carry::fetch(&workshop.blobs, task, &source)).await.transpose()? {
        None => return Ok(Err(Stopped::Cancelled)),
        Some(None) => return Ok(Err(gone())),
        Some(Some(())) => {}
    }
    let said = |part: f32| progress(&workshop.bus, task, part);
    said(0.0);
    let made = doing::work(&workshop.tools, &task.work, &source, &out, &folder_of(task, lease), said, halt).await;
    if made.is_ok() {
        let place = place(task, lease)?;
        let uploaded = halt.run_until_cancelled(carry::keep(&workshop.blobs, &out, &place)).await;
        match uploaded {
            None => return Ok(Err(Stopped::Cancelled)),
            Some(uploaded) => uploaded?,
        }
    }
    Ok(made)
}

fn gone() -> Stopped {
    Stopped::Failed(media::Failure {
        code: "source_missing",
        message: "the file is not there any more, upload it again".to_owned(),
        retryable: false,
        tail: None,
    })
}
