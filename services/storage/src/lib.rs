//! Storage: what people keep here. The rules know sizes and names; the bytes lie in the blob store, and go from there
//! when an event says that nobody needs them any more.

mod reactions;
mod shelf;
mod sweeping;
#[cfg(test)]
mod tests;

pub use sweeping::{Bytes, Sweep};

use kernel::Service;
use shelf::Shelf;

/// What storage contributes; `sweep` removes bytes.
pub fn service(sweep: Sweep) -> Service {
    Service::new("storage")
        .decides::<Shelf>("shelf")
        .reacts("expire_upload_when_initiated", reactions::expire_upload_when_initiated)
        .reacts("delete_file_when_nobody_needs_it", reactions::delete_file_when_nobody_needs_it)
        .reacts("abort_uploads_when_video_deleted", reactions::abort_uploads_when_video_deleted)
        .reacts("erase_shelf_when_user_erased", reactions::erase_shelf_when_user_erased)
        .works("sweep_when_unneeded", sweeping::worker(sweep))
}
