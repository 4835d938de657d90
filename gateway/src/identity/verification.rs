//! The proof that an address is the person's: a mail with a token, and the token shown here.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::Body;
use crate::identity::soon;
use crate::openapi::{Access, Doc, doc as describe};
use crate::problem::Problem;
use crate::shapes::EmailVerification;
use axum::extract::State;
use events::identity::user::Command;
use serde_json::json;
use vault::api::{VerifyEmail, VerifyingEmail};

pub(super) fn verify_doc() -> Doc {
    describe("verify_email", "identity", "Show the token from the mail")
        .text("The same token is good again until it expires, 24 hours after the mail.")
        .body("EmailVerification", json!({ "token": "from the mail" }))
        .header("Prefer")
        .answers(200, "Message", "The address is proven")
        .answers_with(202, "Operation", "Seen by the vault, and not yet in the log", &["Location", "RetryAfter"])
}

/// `POST /api/auth/verify-email`: the vault says it to the log, so here its outcome is waited for.
pub(super) async fn verify(
    State(app): State<App>,
    asked: Asked,
    Body(input): Body<EmailVerification>,
) -> Result<Answer, Problem> {
    let VerifyingEmail::Verified { command, .. } =
        app.vault().verify_email(&VerifyEmail { token: input.token }).await?
    else {
        let detail = "this token does not count (any more), ask for another mail";
        return Err(Problem::field("verification_token_invalid", "/token", detail));
    };
    let outcome = soon(&app, asked.prefer().patience(), async || Ok(app.bus().outcome(command).await?)).await?;
    let Some(outcome) = outcome else { return Ok(Answer::later(command)) };
    match outcome.refusal {
        Some(refusal) => Err(Problem::refused(refusal)),
        None => {
            asked.note(|notes| notes.position = Some(outcome.position));
            Ok(Answer::ok(&json!({ "message": "the address is proven to be yours" })))
        }
    }
}

pub(super) fn resend_doc() -> Doc {
    describe("resend_verification", "identity", "Ask for another mail that proves the address")
        .text("For the address of whoever asks. Nothing happens when it is proven already. A body is not looked at.")
        .access(Access::Person)
        .command()
        .answers(200, "Message", "If the address is not proven yet, a mail is on its way")
}

/// `POST /api/auth/resend-verification`
pub(super) async fn resend(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Answer, Problem> {
    let accepted = app.send(&actor, &asked, actor.id, Command::RequestEmailVerification {}).await?;
    let message = "if the address is not proven yet, a mail is on its way";
    Ok(Answer::of(&accepted, |_| Answer::ok(&json!({ "message": message }))))
}
