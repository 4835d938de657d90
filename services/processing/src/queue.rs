//! Tasks on their way to workers. Handing one out twice is harmless: a second worker that takes it up supersedes the
//! first, and only one result is taken.

use events::processing::{self, Class};
use events::{Event, Message};
use kernel::Worker;
use std::pin::Pin;
use std::sync::Arc;

/// Hands the task in an event to workers. A function, so that the rules beside it know no network.
pub type Queue =
    Arc<dyn Fn(Class, Message<Event>) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send + Sync>;

pub(crate) fn worker(queue: Queue) -> Worker {
    Arc::new(move |event| {
        let queue = queue.clone();
        Box::pin(async move {
            if let Event::Job(processing::Event::TaskQueued(task)) = &event.body {
                queue(task.class, event).await?;
            }
            Ok(vec![])
        })
    })
}
