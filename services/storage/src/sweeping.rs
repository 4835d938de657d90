//! Removing bytes: whatever an event says is needed no more. Removing what is not there is no fault, so an event may come
//! as often as it likes.

use events::{Event, Message, processing, storage, video};
use kernel::{Done, Worker};
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// Bytes that can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// What has arrived of an upload.
    Upload(Uuid),
    /// A file.
    File(Uuid),
    /// Everything that was made of a video.
    Video(Uuid),
    /// What the runs of a job made of one version of a video: one that goes on after a failure keeps what was made before.
    Runs {
        /// The video.
        of: Uuid,
        /// Its version.
        version: u32,
        /// The last of them.
        last: u32,
    },
}

/// Removes bytes. A function, so that the rules beside it stay without a blob store.
pub type Sweep = Arc<dyn Fn(Bytes) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send + Sync>;

pub(crate) fn worker(sweep: Sweep) -> Worker {
    Arc::new(move |event| {
        let sweep = sweep.clone();
        Box::pin(async move { all(&sweep, &event).await })
    })
}

async fn all(sweep: &Sweep, event: &Message<Event>) -> Done {
    for bytes in unneeded(event) {
        sweep(bytes).await?;
    }
    Ok(vec![])
}

/// What nobody needs any more after an event.
pub(crate) fn unneeded(event: &Message<Event>) -> Vec<Bytes> {
    match &event.body {
        Event::Shelf(storage::Event::UploadAborted { upload } | storage::Event::UploadExpired { upload }) => {
            vec![Bytes::Upload(*upload), Bytes::File(*upload)]
        }
        Event::Shelf(storage::Event::FileDeleted { file }) => vec![Bytes::File(*file)],
        Event::Shelf(storage::Event::Erased { uploads, files }) => {
            let uploads = uploads.iter().flat_map(|upload| [Bytes::Upload(*upload), Bytes::File(*upload)]);
            uploads.chain(files.iter().map(|file| Bytes::File(*file))).collect()
        }
        Event::Video(video::Event::Deleted { .. }) => vec![Bytes::Video(event.subject)],
        Event::Job(processing::Event::Cancelled { of, version, run, .. }) => {
            vec![Bytes::Runs { of: *of, version: *version, last: *run }]
        }
        _ => vec![],
    }
}
