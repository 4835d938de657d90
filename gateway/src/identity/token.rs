//! What a token is worth, and the public keys with which everybody can see that for themselves.

use crate::answer::Answer;
use crate::app::App;
use crate::auth::Actor;
use crate::openapi::{Access, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use chrono::DateTime;
use serde_json::json;

pub(super) fn doc() -> Doc {
    describe("validate_token", "identity", "Does my access token count?")
        .text("`401` when it does not: not a token of this platform, too old, or its session is over.")
        .access(Access::Person)
        .answers(200, "TokenState", "It counts")
}

/// `GET /api/auth/validate-token`
pub(super) async fn validate(actor: Actor) -> Answer {
    let expires_at = DateTime::from_timestamp(actor.expires_at, 0);
    let user = json!({ "id": actor.id, "roles": &actor.roles[..] });
    Answer::ok(&json!({ "valid": true, "user": user, "session": actor.session, "expires_at": expires_at }))
}

pub(super) fn keys_doc() -> Doc {
    describe("jwks", "identity", "The public keys of access tokens")
        .text("Tokens are EdDSA JWTs of type `at+jwt` with issuer and audience `reprise`. A new key is shown well before anything is signed with it.")
        .answers_with(200, "KeySet", "A JWK set", &["CacheControl"])
}

/// `GET /.well-known/jwks.json`
pub(super) async fn keys(State(app): State<App>) -> Result<Answer, Problem> {
    let keys = app.vault().jwks().await?;
    Ok(Answer::ok(&keys).header(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
}
