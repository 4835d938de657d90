//! A job: tasks are queued as soon as what they need is there, results are taken from the current attempt only, and what
//! is cancelled stays so until somebody begins again.

use events::processing::{Command, Event, Failure, Order, Output, Task};
use kernel::{Caller, Decider, Kind, Meta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::plan::{self, Outputs};

/// A task is tried so often.
pub(crate) const ATTEMPTS: u32 = 5;

/// The state of a job.
#[derive(Default, Serialize, Deserialize)]
pub struct Job {
    order: Option<Order>,
    phase: Phase,
    /// What it is about is gone.
    pointless: bool,
    run: u32,
    tasks: BTreeMap<String, Doing>,
    outputs: Outputs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    #[default]
    Working,
    Completed,
    Failed,
    Cancelled,
}

/// A task that is not done.
#[derive(Serialize, Deserialize)]
struct Doing {
    task: Task,
    attempts: u32,
    lease: Option<Uuid>,
}

/// What can be in the way.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such job")]
    Missing,
    #[error("only the owner or an admin may say what becomes of a job")]
    NotYours,
    #[error("only Reprise itself works on jobs")]
    NotReprise,
    #[error("this job is over")]
    Over,
    #[error("this job was cancelled")]
    Cancelled,
    #[error("somebody else works on this task, or it is done")]
    Superseded,
    #[error("this job is under way or done, there is nothing to do again")]
    NothingToRetry,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "job_missing",
            Self::NotYours => "not_yours",
            Self::NotReprise => "reprise_only",
            Self::Over => "job_over",
            Self::Cancelled => "job_cancelled",
            Self::Superseded => "superseded",
            Self::NothingToRetry => "nothing_to_retry",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::NotYours | Self::NotReprise => Kind::Forbidden,
            _ => Kind::Conflict,
        }
    }
}

impl Decider for Job {
    const LOGIC: u32 = 2;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        let reprise = (meta.caller == Caller::System).then_some(()).ok_or(Rejection::NotReprise);
        let order = match (&self.order, command) {
            (None, Command::Start(order)) => {
                reprise?;
                let queued = self.queue(meta.subject, &order, 1, &Outputs::new());
                return Ok(std::iter::once(Event::Started(order)).chain(queued).collect());
            }
            // a source may be thrown away before the work on it begins: it never does then
            (None, Command::Cancel {}) if reprise.is_ok() => return Ok(vec![]),
            (None, _) => return Err(Rejection::Missing),
            (Some(_), Command::Start(_)) => return Ok(vec![]),
            (Some(order), command) => (order, command),
        };
        match order {
            (order, Command::Cancel {}) => {
                meta.may_act_for(order.owner).then_some(()).ok_or(Rejection::NotYours)?;
                self.cancel(order, meta)
            }
            (order, Command::Retry {}) => {
                meta.may_act_for(order.owner).then_some(()).ok_or(Rejection::NotYours)?;
                self.retry(meta.subject, order)
            }
            (order, command) => {
                reprise?;
                self.work(meta.subject, order, command)
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Started(order) => (self.order, self.run) = (Some(order.clone()), 1),
            Event::TaskQueued(task) => {
                let attempts = self.tasks.get(&task.name).map_or(0, |doing| doing.attempts);
                self.tasks.insert(task.name.clone(), Doing { task: task.clone(), attempts, lease: None });
            }
            Event::TaskStarted { task, lease, attempt } => {
                if let Some(doing) = self.tasks.get_mut(task) {
                    (doing.lease, doing.attempts) = (Some(*lease), *attempt);
                }
            }
            Event::TaskCompleted { task, output, .. } => {
                self.tasks.remove(task);
                self.outputs.insert(task.clone(), Some(output.clone()));
            }
            Event::TaskFailed { task, again: false, .. } => {
                self.tasks.remove(task);
                self.outputs.insert(task.clone(), None);
            }
            Event::TaskFailed { .. } => {}
            Event::Completed { .. } => self.phase = Phase::Completed,
            Event::Failed { .. } => self.phase = Phase::Failed,
            Event::Cancelled { for_good, .. } => {
                self.phase = Phase::Cancelled;
                self.pointless |= for_good;
            }
            Event::Retried { run, from_nothing, .. } => {
                (self.phase, self.run) = (Phase::Working, *run);
                self.tasks.clear();
                self.outputs.retain(|_, output| !from_nothing && output.is_some());
            }
        }
    }
}

impl Job {
    fn cancel(&self, order: &Order, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        // its source is gone, and what was made of it is to go: also what was made a moment ago
        let for_good = meta.caller == Caller::System;
        let cancelled = Event::Cancelled { of: order.of, version: order.version, run: self.run, for_good };
        match self.phase {
            Phase::Cancelled if self.pointless || !for_good => Ok(vec![]),
            Phase::Completed if !for_good => Err(Rejection::Over),
            _ => Ok(vec![cancelled]),
        }
    }

    fn retry(&self, job: Uuid, order: &Order) -> Result<Vec<Event>, Rejection> {
        let from_nothing = match self.phase {
            Phase::Working | Phase::Completed => return Err(Rejection::NothingToRetry),
            Phase::Cancelled if self.pointless => return Err(Rejection::Over),
            Phase::Failed => false,
            Phase::Cancelled => true,
        };
        let kept = self.outputs.iter().filter(|(_, output)| !from_nothing && output.is_some());
        let kept = kept.map(|(name, output)| (name.clone(), output.clone())).collect();
        let (of, version, run) = (order.of, order.version, self.run + 1);
        let again = Job { run, ..Job::default() };
        let queued = again.queue(job, order, run, &kept);
        Ok(std::iter::once(Event::Retried { of, version, run, from_nothing }).chain(queued).collect())
    }

    /// What workers say.
    fn work(&self, job: Uuid, order: &Order, command: Command) -> Result<Vec<Event>, Rejection> {
        match self.phase {
            Phase::Working => {}
            Phase::Cancelled => return Err(Rejection::Cancelled),
            Phase::Completed | Phase::Failed => return Err(Rejection::Over),
        }
        match command {
            Command::StartTask { task, run, lease } => {
                let doing = self.tasks.get(&task).filter(|_| run == self.run).ok_or(Rejection::Superseded)?;
                let attempt = doing.attempts + 1;
                if doing.lease == Some(lease) {
                    return Ok(vec![]);
                }
                if attempt > ATTEMPTS {
                    return Ok(self.give_up(job, order, &doing.task, lease, died()));
                }
                Ok(vec![Event::TaskStarted { task, lease, attempt }])
            }
            Command::CompleteTask { task, lease, output } => {
                self.held(&task, lease)?;
                Ok(self.completed(job, order, task, output))
            }
            Command::FailTask { task, lease, failure } => {
                let doing = self.held(&task, lease)?;
                if failure.retryable && doing.attempts < ATTEMPTS {
                    let again = Event::TaskQueued(doing.task.clone());
                    return Ok(vec![Event::TaskFailed { task, lease, failure, again: true }, again]);
                }
                Ok(self.give_up(job, order, &doing.task, lease, failure))
            }
            Command::Start(_) | Command::Cancel {} | Command::Retry {} => Ok(vec![]),
        }
    }

    /// The task, if this attempt is the one that counts.
    fn held(&self, task: &str, lease: Uuid) -> Result<&Doing, Rejection> {
        self.tasks.get(task).filter(|doing| doing.lease == Some(lease)).ok_or(Rejection::Superseded)
    }

    fn completed(&self, job: Uuid, order: &Order, task: String, output: Output) -> Vec<Event> {
        let (of, version) = (order.of, order.version);
        let done = Event::TaskCompleted { of, version, task: task.clone(), output: output.clone() };
        std::iter::once(done).chain(self.go_on(job, order, task, Some(output))).collect()
    }

    /// A task that will never be done: the end of the job, unless it can do without.
    fn give_up(&self, job: Uuid, order: &Order, task: &Task, lease: Uuid, failure: Failure) -> Vec<Event> {
        let name = task.name.clone();
        let failed = Event::TaskFailed { task: name.clone(), lease, failure: failure.clone(), again: false };
        if !plan::is_essential(&task.work) {
            return std::iter::once(failed).chain(self.go_on(job, order, name, None)).collect();
        }
        let over = Event::Failed { of: order.of, version: order.version, failure: Failure { tail: None, ..failure } };
        vec![failed, over]
    }

    /// What can be done now that a task is out of the way; the end, when that was the last.
    fn go_on(&self, job: Uuid, order: &Order, task: String, output: Option<Output>) -> Vec<Event> {
        let mut outputs = self.outputs.clone();
        outputs.insert(task.clone(), output);
        let mut events = self.queue(job, order, self.run, &outputs);
        if events.is_empty() && self.tasks.keys().all(|name| *name == task) {
            let made = outputs.into_values().flatten().collect();
            events.push(Event::Completed { of: order.of, version: order.version, made });
        }
        events
    }

    /// Tasks that can be done and are not under way.
    fn queue(&self, job: Uuid, order: &Order, run: u32, outputs: &Outputs) -> Vec<Event> {
        let Order { kind, of, version, owner, file, .. } = order.clone();
        let new = plan::steps(kind, outputs).into_iter();
        let new = new.filter(|step| !outputs.contains_key(&step.name) && !self.tasks.contains_key(&step.name));
        let task = |step: plan::Step| {
            let plan::Step { name, class, work } = step;
            Event::TaskQueued(Task { job, run, name, class, of, version, owner, file, work })
        };
        new.map(task).collect()
    }
}

/// Every worker that took the task up died of it.
fn died() -> Failure {
    Failure {
        code: "gave_up".to_owned(),
        message: "this file could not be worked on, export it again in another format".to_owned(),
        retryable: false,
        tail: None,
    }
}
