//! Files over HTTP: resumable uploads (tus 1.0.0), uploads in one go, and serving with ranges. No path of a caller ever
//! names a blob: ids and a few known forms do.

mod files;
mod finish;
mod hls;
mod one_shot;
mod picture;
mod range;
mod signature;
mod tus;

pub(crate) use hls::{master_of, picture_of};
pub(crate) use signature::{Signature, query as signed_query};

use crate::table::{self, Route, delete, get, post};

/// What storage answers.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        table::options(&["/api/storage/tus"], tus::options, tus::options_doc()),
        post(&["/api/storage/tus"], tus::create, tus::create_doc()),
        table::head(&["/api/storage/tus/{id}"], tus::head, tus::head_doc()),
        table::patch(&["/api/storage/tus/{id}"], tus::append, tus::append_doc()),
        delete(&["/api/storage/tus/{id}"], tus::abort, tus::abort_doc()),
        post(&["/api/storage/upload/{purpose}"], one_shot::upload, one_shot::doc()),
        get(&["/api/storage/files/{id}"], files::get, files::doc()),
        delete(&["/api/storage/files/{id}"], files::delete, files::delete_doc()),
        get(&["/api/storage/videos/{id}/original"], files::original, files::original_doc()),
        get(&["/api/storage/videos/{id}/hls/{*path}"], hls::get, hls::doc()),
    ]
}
