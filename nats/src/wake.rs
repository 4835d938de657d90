//! «There is something new in this stream»: said by whoever stored it, at most every millisecond, and only a hint.
//! Readers look by themselves now and then, so that a lost hint costs time and nothing else. Another hint says that
//! somebody waits for what readers gather.

use async_nats::Client;
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OnceCell, watch};

/// Hints closer together than this are one.
const PAUSE: Duration = Duration::from_millis(1);

/// Said instead of a stream's name: somebody waits for a projection, so nothing shall be gathered any longer.
pub(crate) const WAITING: &str = "waiting";

type Seen = Arc<Mutex<HashMap<String, watch::Sender<u64>>>>;

/// Hints given and heard on one connection.
pub(crate) struct Wakes {
    client: Client,
    giving: Mutex<HashMap<&'static str, Arc<Notify>>>,
    heard: OnceCell<()>,
    seen: Seen,
}

impl Wakes {
    pub(crate) fn new(client: Client) -> Self {
        Wakes { client, giving: Mutex::default(), heard: OnceCell::new(), seen: Seen::default() }
    }

    /// Something new is in `stream`.
    pub(crate) fn give(&self, stream: &'static str) {
        let mut giving = self.giving.lock().unwrap_or_else(PoisonError::into_inner);
        giving
            .entry(stream)
            .or_insert_with(|| {
                let due = Arc::new(Notify::new());
                tokio::spawn(give_all(self.client.clone(), format!("wake.{stream}"), due.clone()));
                due
            })
            .notify_one();
    }

    /// Changes whenever something new is in `stream`.
    pub(crate) async fn hear(&self, stream: &str) -> watch::Receiver<u64> {
        let (client, seen) = (self.client.clone(), self.seen.clone());
        let subscribe = async move || {
            if let Ok(mut hints) = client.subscribe("wake.*").await {
                tokio::spawn(async move {
                    while let Some(hint) = hints.next().await {
                        let stream = hint.subject.strip_prefix("wake.").unwrap_or_default().to_owned();
                        sender(&seen, &stream).send_modify(|count| *count += 1);
                    }
                });
            }
        };
        self.heard.get_or_init(subscribe).await;
        sender(&self.seen, stream).subscribe()
    }
}

fn sender(seen: &Seen, stream: &str) -> watch::Sender<u64> {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.entry(stream.to_owned()).or_insert_with(|| watch::Sender::new(0)).clone()
}

async fn give_all(client: Client, subject: String, due: Arc<Notify>) {
    loop {
        due.notified().await;
        client.publish(subject.clone(), bytes::Bytes::new()).await.ok();
        tokio::time::sleep(PAUSE).await;
    }
}
