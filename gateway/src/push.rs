//! What a browser needs before it can be pushed to.

use crate::answer::Answer;
use crate::app::App;
use crate::openapi::{Doc, doc as describe};
use crate::problem::Problem;
use crate::table::{Route, get};
use axum::extract::State;
use axum::http::{HeaderValue, header};

/// What is answered about pushes.
pub(crate) fn routes() -> Vec<Route> {
    vec![get(&["/api/notifications/push/key"], key, key_doc())]
}

fn key_doc() -> Doc {
    describe("push_key", "notifications", "The key to subscribe to pushes with")
        .text("For `pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })`. A subscription made with it is worth nothing to anybody else.")
        .answers_with(200, "PushKey", "The platform's public key (VAPID, RFC 8292)", &["CacheControl"])
}

/// `GET /api/notifications/push/key`
async fn key(State(app): State<App>) -> Result<Answer, Problem> {
    let key = app.vault().push_public_key().await?;
    Ok(Answer::ok(&key).header(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")))
}
