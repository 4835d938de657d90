//! `PUT /api/auth/change-password`: whoever knows the old password chooses another. Every other session ends.

use super::{hashing, same, slow, weak};
use crate::answer::Answer;
use crate::app::App;
use crate::auth::Actor;
use crate::extract::Body;
use crate::openapi::{Access, Doc, doc as describe};
use crate::problem::Problem;
use crate::shapes::PasswordChange;
use axum::extract::State;
use serde_json::json;
use vault::api::{ChangePassword, ChangingPassword};

pub(super) fn doc() -> Doc {
    let example =
        json!({ "current_password": "correct horse battery staple", "new_password": "another horse, another staple" });
    describe("change_password", "identity", "Choose another password")
        .text("Every other session of the person ends; the one that asks goes on.")
        .access(Access::Person)
        .body("PasswordChange", example)
        .answers(200, "Message", "The new password counts")
}

/// `PUT /api/auth/change-password`
pub(super) async fn change(
    State(app): State<App>,
    actor: Actor,
    Body(input): Body<PasswordChange>,
) -> Result<Answer, Problem> {
    same(&input.new_password, input.confirm_password.as_ref(), "/confirm_password")?;
    let question = ChangePassword {
        user: actor.id,
        session: actor.session,
        current: input.current_password,
        new: input.new_password,
    };
    match hashing(&app).change_password(&question).await? {
        ChangingPassword::Changed => Ok(Answer::ok(&json!({ "message": "the new password counts from now on" }))),
        ChangingPassword::Wrong => {
            Err(Problem::field("password_wrong", "/current_password", "the current password is not right"))
        }
        ChangingPassword::Weak { reasons } => Err(weak("/new_password", &reasons)),
        ChangingPassword::Slow { retry_after } => Err(slow(retry_after)),
    }
}
