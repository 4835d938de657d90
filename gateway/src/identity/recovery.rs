//! A forgotten password: a mail with a token, and a new password for the token. What is answered to the wish for a mail
//! never tells whether there is such an account.

use super::{hashing, same, slow, weak};
use crate::answer::Answer;
use crate::app::App;
use crate::extract::Body;
use crate::openapi::{Doc, doc as describe};
use crate::problem::Problem;
use crate::shapes::{ForgottenPassword, PasswordReset};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use vault::api::{Forgot, ResetPassword, ResettingPassword};

pub(super) fn forgot_doc() -> Doc {
    describe("forgot_password", "identity", "Ask for a mail with which to choose another password")
        .text("The answer is the same whether there is such an account or not. The token in the mail serves once, for an hour.")
        .body("ForgottenPassword", json!({ "email": "ada@example.org" }))
        .answers(202, "Message", "If there is such an account, a mail is on its way")
}

/// `POST /api/auth/forgot-password`
pub(super) async fn forgot(State(app): State<App>, Body(input): Body<ForgottenPassword>) -> Result<Answer, Problem> {
    app.vault().forgot(&Forgot { identifier: input.email }).await?;
    let message = "if there is such an account, a mail is on its way";
    Ok(Answer::json(StatusCode::ACCEPTED, &json!({ "message": message })))
}

pub(super) fn reset_doc() -> Doc {
    let example = json!({ "token": "from the mail", "password": "another horse, another staple" });
    describe("reset_password", "identity", "Choose another password with the token from the mail")
        .text("Every session of the person ends. Nobody is signed in by this.")
        .body("PasswordReset", example)
        .answers(200, "Message", "The new password counts")
}

/// `POST /api/auth/reset-password`
pub(super) async fn reset(State(app): State<App>, Body(input): Body<PasswordReset>) -> Result<Answer, Problem> {
    same(&input.password, input.confirm_password.as_ref(), "/confirm_password")?;
    match hashing(&app).reset_password(&ResetPassword { token: input.token, new: input.password }).await? {
        ResettingPassword::Changed { .. } => {
            Ok(Answer::ok(&json!({ "message": "the new password counts from now on, sign in with it" })))
        }
        ResettingPassword::BadToken => {
            let detail = "this token does not count (any more), ask for another mail";
            Err(Problem::field("reset_token_invalid", "/token", detail))
        }
        ResettingPassword::Weak { reasons } => Err(weak("/password", &reasons)),
        ResettingPassword::Slow { retry_after } => Err(slow(retry_after)),
    }
}
