//! Taking messages from a durable consumer: side by side for different subjects, one after the other for the same one.
//! Whether a message is acknowledged, comes again or is dead is decided in exactly one place, `settle`.

use anyhow::{Result, anyhow};
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{self, AckKind};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kernel::Fault;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::dead;
use crate::streams::{MAX_DELIVER, delay};

/// Subjects are spread over so many lanes; two in one lane wait for each other without need, so there are many.
const LANES: usize = 1024;
/// Messages asked for ahead.
const AHEAD: usize = 1000;

/// A message from a durable consumer.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) stream: &'static str,
    pub(crate) subject: async_nats::Subject,
    pub(crate) payload: Bytes,
    pub(crate) sequence: u64,
    /// How often it was delivered, this time included.
    pub(crate) delivered: i64,
    /// When it was stored.
    pub(crate) stored: DateTime<Utc>,
    pub(crate) received: Instant,
    reply: async_nats::Subject,
}

/// What still has to be done before a message may be acknowledged, and need not hold up its lane.
pub(crate) type Rest = BoxFuture<'static, Result<(), Fault>>;

/// Handles messages. `None`: done.
pub(crate) trait Handle: Send + Sync + 'static {
    fn handle(self: Arc<Self>, delivery: Arc<Delivery>) -> BoxFuture<'static, Result<Option<Rest>, Fault>>;

    /// Called before a message is buried, so that whoever waits for it hears so.
    fn give_up(self: Arc<Self>, _delivery: Arc<Delivery>, _reason: String) -> BoxFuture<'static, Result<()>> {
        async { Ok(()) }.boxed()
    }
}

/// Takes messages until stopped, then finishes those it has.
pub(crate) async fn consume(
    bus: Bus,
    stream: &'static str,
    name: &'static str,
    handle: Arc<dyn Handle>,
    stop: CancellationToken,
) -> Result<()> {
    let worker = Arc::new(Worker { bus, name, handle, lanes: Lanes::default(), tasks: TaskTracker::new() });
    while !stop.is_cancelled() {
        if let Err(error) = take(&worker, stream, &stop).await {
            tracing::warn!(stream, consumer = name, error = format!("{error:#}"), "cannot take messages, trying again");
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }
    worker.tasks.close();
    worker.tasks.wait().await;
    Ok(())
}

async fn take(worker: &Arc<Worker>, stream: &'static str, stop: &CancellationToken) -> Result<()> {
    let context = jetstream::new(worker.bus.0.calls.client.clone());
    let consumer: Consumer<pull::Config> = context.get_consumer_from_stream(worker.name, stream).await?;
    let pull = consumer.stream().max_messages_per_batch(AHEAD).expires(Duration::from_secs(30));
    let mut messages = pull.heartbeat(Duration::from_secs(5)).messages().await?;
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = messages.next() => next,
        };
        match next {
            Some(message) => worker.clone().start(Arc::new(delivery(stream, &message?)?)),
            None => return Err(anyhow!("the consumer ended")),
        }
    }
    // what has arrived already would otherwise wait for its time limit before somebody else gets it
    while let Some(Some(Ok(message))) = messages.next().now_or_never() {
        message.ack_with(AckKind::Nak(None)).await.ok();
    }
    Ok(())
}

fn delivery(stream: &'static str, message: &jetstream::Message) -> Result<Delivery> {
    let info = message.info().map_err(|error| anyhow!("a message without its place: {error}"))?;
    let nanos = info.published.unix_timestamp_nanos();
    Ok(Delivery {
        stream,
        subject: message.subject.clone(),
        payload: message.payload.clone(),
        sequence: info.stream_sequence,
        delivered: info.delivered,
        stored: DateTime::from_timestamp_nanos(i64::try_from(nanos)?),
        received: Instant::now(),
        reply: message.reply.clone().unwrap_or_else(|| async_nats::Subject::from_static("")),
    })
}

struct Worker {
    bus: Bus,
    name: &'static str,
    handle: Arc<dyn Handle>,
    lanes: Lanes,
    tasks: TaskTracker,
}

impl Worker {
    fn start(self: Arc<Self>, delivery: Arc<Delivery>) {
        if delivery.delivered > 1 {
            metrics::counter!("reprise_redeliveries_total", "stream" => delivery.stream, "context" => self.name)
                .increment(1);
        }
        let lane = self.lanes.of(&delivery.subject);
        if self.lanes.push(lane, delivery) {
            let worker = self.clone();
            self.tasks.spawn(async move {
                while let Some(delivery) = worker.lanes.next(lane) {
                    worker.clone().one(delivery).await;
                }
            });
        }
    }

    async fn one(self: Arc<Self>, delivery: Arc<Delivery>) {
        match guarded(self.handle.clone().handle(delivery.clone())).await {
            Ok(Some(rest)) => {
                let worker = self.clone();
                self.tasks.spawn(async move { worker.settle(delivery, guarded(rest).await).await });
            }
            Ok(None) => self.settle(delivery, Ok(())).await,
            Err(fault) => self.settle(delivery, Err(fault)).await,
        }
    }

    async fn settle(&self, delivery: Arc<Delivery>, result: Result<(), Fault>) {
        let answer = match result {
            Ok(()) => Bytes::from_static(b"+ACK"),
            Err(Fault::Retry(error)) if delivery.delivered < MAX_DELIVER => {
                let pause = delay(delivery.delivered);
                tracing::warn!(
                    message.subject = delivery.subject.as_str(),
                    message.sequence = delivery.sequence,
                    context = self.name,
                    error = format!("{error:#}"),
                    "could not be handled, comes again in {pause:?}"
                );
                nak(pause).into()
            }
            Err(Fault::Retry(error)) => Box::pin(self.bury(&delivery, format!("given up: {error:#}"))).await.into(),
            Err(Fault::Reject(error)) => Box::pin(self.bury(&delivery, format!("{error:#}"))).await.into(),
        };
        self.bus.0.calls.client.publish(delivery.reply.clone(), answer).await.ok();
    }

    /// The message is dead once it is in `DEAD`; until then it comes again.
    async fn bury(&self, delivery: &Arc<Delivery>, reason: String) -> String {
        let buried = async {
            self.handle.clone().give_up(delivery.clone(), reason.clone()).await?;
            dead::bury(&self.bus, self.name, delivery, &reason).await
        };
        match buried.await {
            Ok(()) => format!("+TERM {}", reason.replace(['\r', '\n'], " ")),
            Err(error) => {
                tracing::warn!(context = self.name, error = format!("{error:#}"), "cannot bury a dead message yet");
                nak(delay(delivery.delivered))
            }
        }
    }
}

fn nak(pause: Duration) -> String {
    format!("-NAK {{\"delay\": {}}}", pause.as_nanos())
}

impl Delivery {
    /// Tells the server that it is still being worked on.
    pub(crate) async fn progress(&self, bus: &Bus) {
        bus.0.calls.client.publish(self.reply.clone(), "+WPI".into()).await.ok();
    }
}

/// A panic ends the message, not the loop. What it said is not repeated: it may be personal.
async fn guarded<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(Fault::Reject(anyhow!("the code panicked"))))
}

/// Queues, one of which holds all messages of a subject.
struct Lanes {
    /// `None`: nobody works on this lane.
    lanes: Vec<Mutex<Option<VecDeque<Arc<Delivery>>>>>,
    hasher: RandomState,
}

impl Default for Lanes {
    fn default() -> Self {
        Lanes { lanes: (0..LANES).map(|_| Mutex::new(None)).collect(), hasher: RandomState::new() }
    }
}

impl Lanes {
    fn of(&self, subject: &str) -> usize {
        self.hasher.hash_one(subject) as usize % LANES
    }

    /// Whether somebody has to begin working on the lane.
    fn push(&self, lane: usize, delivery: Arc<Delivery>) -> bool {
        let mut queue = self.lanes[lane].lock().unwrap_or_else(PoisonError::into_inner);
        let idle = queue.is_none();
        queue.get_or_insert_default().push_back(delivery);
        idle
    }

    /// The next of the lane; at its end nobody works on it any more.
    fn next(&self, lane: usize) -> Option<Arc<Delivery>> {
        let mut queue = self.lanes[lane].lock().unwrap_or_else(PoisonError::into_inner);
        let next = queue.as_mut().and_then(VecDeque::pop_front);
        if next.is_none() {
            *queue = None;
        }
        next
    }
}
