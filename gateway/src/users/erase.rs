//! `DELETE /api/users/{id}`: the person is forgotten, for ever and everywhere.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::Admin;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::State;
use events::identity::user::Command;

pub(super) fn doc() -> Doc {
    describe("erase_user", "users", "Forget a person")
        .text("The key to everything personal is destroyed, sessions end, names become free. It cannot be undone. Asking again is \
            no mistake.")
        .access(Access::Admin)
        .id_of("id", "The person")
        .command()
        .if_match()
        .answers_with(204, "", "The person is forgotten", DONE)
}

/// `DELETE /api/users/{id}`
pub(super) async fn erase(State(app): State<App>, admin: Admin, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    let accepted = app.send(&admin, &asked, id, Command::Erase {}).await?;
    Ok(Answer::of(&accepted, |_| Answer::nothing()))
}
