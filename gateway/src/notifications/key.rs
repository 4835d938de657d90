//! What a browser needs before it can be pushed to.

use crate::answer::Answer;
use crate::app::App;
use crate::openapi::{Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderValue, header};

pub(super) fn doc() -> Doc {
    describe("push_key", "notifications", "The key to subscribe to pushes with")
        .text("For `pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })`. A subscription made with it is worth nothing to anybody else.")
        .answers_with(200, "PushKey", "The platform's public key (VAPID, RFC 8292)", &["CacheControl"])
}

/// `GET /api/notifications/push/key`
pub(super) async fn show(State(app): State<App>) -> Result<Answer, Problem> {
    let key = app.vault().push_public_key().await?;
    Ok(Answer::ok(&key).header(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")))
}
