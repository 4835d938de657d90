//! `POST /api/auth/refresh-token`: a refresh token for new tokens. It serves once; a lost answer can be asked for again
//! within seconds, anything later ends the session, because two have the token then.

use super::{account, slow};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::Body;
use crate::openapi::{Doc, doc as describe};
use crate::problem::Problem;
use crate::shapes::{Refresh, SignedIn};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use vault::api::SigningIn;

pub(super) fn doc() -> Doc {
    let text = "The token serves once. Sent again within 10 seconds because the answer was lost, it serves again if nothing was done \
        with the tokens that were lost; sent again later it ends the session.";
    describe("refresh", "identity", "Get new tokens")
        .text(text)
        .body("Refresh", json!({ "refresh_token": "the last one" }))
        .refuses(&[401])
        .answers(200, "SignedIn", "New tokens; the old refresh token is used up")
}

/// `POST /api/auth/refresh-token`
pub(super) async fn refresh(
    State(app): State<App>,
    asked: Asked,
    Body(input): Body<Refresh>,
) -> Result<Answer, Problem> {
    let question = vault::api::Refresh {
        refresh_token: input.refresh_token,
        agent: asked.agent().map(Into::into),
        address: Some(asked.address().to_string().into()),
    };
    match app.vault().refresh(&question).await? {
        SigningIn::SignedIn { tokens, roles } => {
            let user = account::of(&app, tokens.user, roles, None).await?;
            Ok(Answer::ok(&SignedIn::new(user, &tokens)))
        }
        SigningIn::Refused => {
            let detail = "this refresh token does not count (any more), sign in again";
            Err(Problem::new(StatusCode::UNAUTHORIZED, "refresh_refused", detail))
        }
        SigningIn::Slow { retry_after } => Err(slow(retry_after)),
    }
}
