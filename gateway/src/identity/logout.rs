//! `POST /api/auth/logout`: the session of the access token is over, at every gateway within a second.

use crate::answer::Answer;
use crate::app::App;
use crate::auth::Actor;
use crate::openapi::{Access, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::State;
use vault::api::Logout;

pub(super) fn doc() -> Doc {
    describe("logout", "identity", "Sign out")
        .text("The session of the access token is over, with its refresh token. A body is not looked at.")
        .access(Access::Person)
        .answers(204, "", "Signed out")
}

/// `POST /api/auth/logout`
pub(super) async fn logout(State(app): State<App>, actor: Actor) -> Result<Answer, Problem> {
    app.vault().logout(&Logout { user: actor.id, session: actor.session }).await?;
    app.ended(actor.session);
    Ok(Answer::nothing())
}
