//! `POST /api/auth/login`: a name and a password for tokens. Whatever is wrong, the answer is one and the same.

use super::{account, hashing, slow};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::Body;
use crate::openapi::{Doc, doc as describe};
use crate::problem::Problem;
use crate::shapes::{Login, SignedIn};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use vault::api::SigningIn;

pub(super) fn doc() -> Doc {
    let text = "An unknown name, a wrong password and a suspended account are answered alike. `429` after many failed tries; \
        it slows guessing down and locks nobody out.";
    describe("login", "identity", "Sign in")
        .text(text)
        .body("Login", json!({ "identifier": "ada", "password": "correct horse battery staple" }))
        .refuses(&[401])
        .answers(200, "SignedIn", "Signed in")
}

/// `POST /api/auth/login`
pub(super) async fn login(State(app): State<App>, asked: Asked, Body(input): Body<Login>) -> Result<Answer, Problem> {
    let question = vault::api::Login {
        identifier: input.identifier.clone(),
        password: input.password,
        agent: asked.agent().map(Into::into),
        address: Some(asked.address().to_string().into()),
    };
    match hashing(&app).login(&question).await? {
        SigningIn::SignedIn { tokens, roles } => {
            let user = account::of(&app, tokens.user, roles, Some(input.identifier.expose())).await?;
            Ok(Answer::ok(&SignedIn::new(user, &tokens)))
        }
        SigningIn::Refused => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "invalid_credentials",
            "the name and the password do not belong together",
        )),
        SigningIn::Slow { retry_after } => Err(slow(retry_after)),
    }
}
