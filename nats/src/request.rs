//! Questions from one process to another, and their answers. Whoever works on one says so every second; when that stops
//! the question went down with them and is asked again, so no caller waits out a time limit for somebody who is gone.

use anyhow::{Context, Result};
use async_nats::StatusCode;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::calls::{Calls, Unanswered};

/// How often whoever works on a question says so: an answer without a text, of which there is none in JSON.
const BEAT: Duration = Duration::from_secs(1);
/// Silence that no machine that is merely busy keeps.
const SILENCE: Duration = Duration::from_secs(4);
/// What one question may be answered with, the last time with its answer; any more the server does not let through.
pub(crate) const BEATS: u32 = 64;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody serves this subject now.
    #[error("nobody serves {0}")]
    NoResponders(String),
    /// No answer in time.
    #[error("no answer from {0} in time")]
    TimedOut(String),
    /// The question could not be sent, or the answer not be read.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

/// Answers a question to a subject.
pub type Answer = Arc<dyn Fn(String, Bytes) -> BoxFuture<'static, Vec<u8>> + Send + std::marker::Sync>;

impl Bus {
    /// Asks whoever [serves](Bus::serve) this subject and waits for the answer, JSON both. What is asked may be heard twice.
    ///
    /// # Errors
    /// Nobody answers, not in time, or not in these words.
    pub async fn request<Q: Serialize, A: DeserializeOwned>(
        &self,
        subject: &str,
        question: &Q,
        wait: Duration,
    ) -> Result<A, RequestError> {
        self.0.calls.request(subject, question, wait).await
    }

    /// Answers questions to `subject`, shared with everybody else in `queue`, at most `at_once` at a time, until stopped;
    /// then what has begun is finished.
    ///
    /// # Errors
    /// The subscription is not possible.
    pub async fn serve(
        &self,
        subject: &str,
        queue: &str,
        at_once: usize,
        answer: Answer,
        stop: CancellationToken,
    ) -> Result<()> {
        let client = &self.0.calls.client;
        let mut questions = client.queue_subscribe(subject.to_owned(), queue.to_owned()).await?;
        let room = Arc::new(Semaphore::new(at_once));
        let tasks = TaskTracker::new();
        let mut stopping = false;
        loop {
            let question = tokio::select! {
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    questions.drain().await?;
                    continue;
                }
                question = questions.next() => question,
            };
            let Some(question) = question else { break };
            let Some(reply) = question.reply else { continue };
            let permit = room.clone().acquire_owned().await.expect("the semaphore is never closed");
            let (client, answer) = (client.clone(), answer.clone());
            tasks.spawn(async move {
                let mut work = answer(question.subject.to_string(), question.payload);
                let text = loop {
                    match timeout(BEAT, &mut work).await {
                        Ok(text) => break text,
                        Err(_) => client.publish(reply.clone(), Bytes::new()).await.ok(),
                    };
                };
                client.publish(reply, text.into()).await.ok();
                drop(permit);
            });
        }
        tasks.close();
        tasks.wait().await;
        client.flush().await?;
        Ok(())
    }
}

impl Calls {
    /// As [`Bus::request`].
    pub(crate) async fn request<A: DeserializeOwned>(
        &self,
        subject: &str,
        question: &impl Serialize,
        wait: Duration,
    ) -> Result<A, RequestError> {
        let question = serde_json::to_vec(question).map_err(|error| RequestError::Failed(error.into()))?;
        match self.answer(subject, question.into(), Instant::now() + wait).await {
            Ok(answer) => serde_json::from_slice(&answer)
                .with_context(|| format!("the answer from {subject}"))
                .map_err(RequestError::Failed),
            Err(Unanswered::NoResponders) => Err(RequestError::NoResponders(subject.to_owned())),
            Err(Unanswered::TimedOut) => Err(RequestError::TimedOut(subject.to_owned())),
            Err(error) => Err(RequestError::Failed(error.into())),
        }
    }

    async fn answer(&self, subject: &str, question: Bytes, deadline: Instant) -> Result<Bytes, Unanswered> {
        let mut inbox = self.many();
        let mut silent_at = Instant::now();
        while silent_at < deadline {
            self.publish(subject, &inbox.subject, None, question.clone()).await?;
            silent_at = Instant::now() + SILENCE;
            while let Ok(said) = timeout_at(silent_at.min(deadline), inbox.answers.recv()).await {
                match said {
                    None => return Err(Unanswered::NotSent("the connection is closed".into())),
                    Some(said) if said.status == Some(StatusCode::NO_RESPONDERS) => {
                        return Err(Unanswered::NoResponders);
                    }
                    Some(said) if said.payload.is_empty() => silent_at = Instant::now() + SILENCE,
                    Some(said) => return Ok(said.payload),
                }
            }
        }
        Err(Unanswered::TimedOut)
    }
}
