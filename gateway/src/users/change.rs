//! `PUT /api/users/{id}`: an admin says what shall be. It becomes commands, one after the other. With a version they lead
//! from that one to what shall be, each expecting the version that the one before left: whoever is slower stops at the
//! first. Without one all of it is asked for, whatever is there: the page may be behind, and a failed sign-in is an
//! event too, so nobody who makes some keeps an admin from suspending.

use super::show::{missing, user};
use crate::answer::Answer;
use crate::app::{Accepted, App, stale};
use crate::asked::{Asked, IfMatch};
use crate::extract::{Admin, Body};
use crate::identity::{opened, soon};
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::shapes::{UserChange, personal};
use axum::extract::State;
use events::Personal;
use events::identity::user::{Command, Role, Status};
use projections::user_page::Row;
use projections::{profile_page, user_page};
use serde_json::json;
use std::time::Duration;

/// How long the page may take to show the version that the admin saw.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn doc() -> Doc {
    describe("change_user", "users", "Change an account")
        .text("`roles` is all that the account shall have, and needs `If-Match`; `status` suspends or reactivates it. Several changes are made one after \
            the other; the first that is refused stops the rest. With `*`, or for a status without `If-Match`, it is done whatever happened meanwhile.")
        .access(Access::Admin)
        .id_of("id", "The person")
        .body("UserChange", json!({ "roles": ["moderator"], "status": "active" }))
        .command()
        .if_match()
        .refuses(&[428])
        .answers_with(200, "User", "The account as it is now", DONE)
}

/// `PUT /api/users/{id}`
pub(super) async fn change(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    asked: Asked,
    Body(input): Body<UserChange>,
) -> Result<Answer, Problem> {
    // a list of roles replaces what another admin may just have given; a status or a name says all there is to say
    let seen = match &input.roles {
        Some(_) => asked.require_if_match()?,
        None => asked.if_match()?.unwrap_or(IfMatch::Any),
    };
    if input.display_name.is_none() && input.roles.is_none() && input.status.is_none() {
        return Err(Problem::invalid("nothing_to_change", "give at least one of display_name, roles and status"));
    }
    let mut row = seen_by(&app, id, seen).await?;
    let mut position = 0;
    let named = matches!(seen, IfMatch::Version(_));
    for command in commands(named.then_some(&row), &input) {
        let expected = named.then_some(IfMatch::Version(row.version.unsigned_abs()));
        match app.send_expecting(&admin, &asked, expected, id, command.clone()).await? {
            Accepted::Later(operation) => return Ok(Answer::later(operation)),
            Accepted::Done(outcome) => {
                applied(&mut row, &command);
                row.version = outcome.version.cast_signed();
                row.updated_at = outcome.time;
                position = outcome.position;
            }
        }
    }
    let mut profile = profile_page::get(app.reads(), id).await?;
    if input.display_name.is_some() {
        let display_name = personal(&input.display_name);
        let command = events::profile::Command::Update { display_name, bio: None, location: None, website: None };
        match app.send_expecting(&admin, &asked, None, id, command).await? {
            Accepted::Later(operation) => return Ok(Answer::later(operation)),
            Accepted::Done(outcome) => {
                if let Some(profile) = &mut profile {
                    profile.display_name =
                        input.display_name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
                    profile.version = outcome.version.cast_signed();
                }
            }
        }
    }
    // whoever looks next shall see it; it is done in any case
    if app.reads().wait_for(&["user_page"], position, PATIENCE).await? {
        row = user_page::get(app.reads(), id).await?.filter(|now| now.version > row.version).unwrap_or(row);
    }
    let email = opened(&app, row.email_sealed.clone()).await?;
    let version = row.version.unsigned_abs();
    Ok(Answer::ok(&user(row, email, profile)).etag(version))
}

/// The account in the version that the admin saw: the page may be a moment behind it, or somebody else was faster.
async fn seen_by(app: &App, id: uuid::Uuid, seen: IfMatch) -> Result<Row, Problem> {
    let enough = |row: &Row| match seen {
        IfMatch::Version(version) => row.version.unsigned_abs() >= version,
        IfMatch::Any | IfMatch::Never => true,
    };
    let row = user_page::get(app.reads(), id).await?.ok_or_else(missing)?;
    let row = match enough(&row) {
        true => row,
        false => soon(app, PATIENCE, async || Ok(user_page::get(app.reads(), id).await?.filter(enough)))
            .await?
            .unwrap_or(row),
    };
    if row.status == "erased" {
        return Err(missing());
    }
    match seen {
        IfMatch::Any => Ok(row),
        IfMatch::Version(version) if version == row.version.unsigned_abs() => Ok(row),
        IfMatch::Version(_) | IfMatch::Never => Err(stale()),
    }
}

/// What leads from the version that was seen to what shall be; to be asked for in any case when no version was.
fn commands(seen: Option<&Row>, input: &UserChange) -> Vec<Command> {
    let mut commands = vec![];
    if let Some(wanted) = &input.roles {
        for (role, word) in [(Role::Admin, "admin"), (Role::Moderator, "moderator")] {
            let (want, held) = (wanted.contains(&role), seen.map(|row| row.roles.iter().any(|held| held == word)));
            match want {
                _ if held == Some(want) => {}
                true => commands.push(Command::AssignRole { role }),
                false => commands.push(Command::RevokeRole { role }),
            }
        }
    }
    match input.status {
        Some(status) if seen.is_none_or(|row| word(status) != row.status) => {
            commands.push(Command::SetStatus { status, reason: input.reason.clone().map(Personal::new) });
        }
        _ => {}
    }
    if let (Some(row), true) = (seen, commands.is_empty()) {
        // the page may be behind: only the log knows whether this is still the version that was seen
        let status = if row.status == "suspended" { Status::Suspended } else { Status::Active };
        commands.push(Command::SetStatus { status, reason: None });
    }
    commands
}

/// The row after an accepted command.
fn applied(row: &mut Row, command: &Command) {
    let name = |role: &Role| if *role == Role::Admin { "admin" } else { "moderator" };
    match command {
        Command::AssignRole { role } => {
            row.roles.push(name(role).to_owned());
            row.roles.sort();
            row.roles.dedup();
        }
        Command::RevokeRole { role } => row.roles.retain(|held| held != name(role)),
        Command::SetStatus { status, .. } => row.status = word(*status).to_owned(),
        _ => {}
    }
}

/// A status as the page writes it.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Suspended => "suspended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn row(roles: &[&str], status: &str) -> Row {
        Row {
            id: uuid::Uuid::from_u128(7),
            username: None,
            email_sealed: None,
            email_verified: false,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            status: status.to_owned(),
            locale: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            version: 3,
        }
    }

    fn input(text: &str) -> UserChange {
        serde_json::from_str(text).expect("a change")
    }

    #[test]
    fn only_what_differs_is_asked_for() {
        let all =
            commands(Some(&row(&["admin"], "active")), &input(r#"{"roles": ["moderator"], "status": "suspended"}"#));
        let expected = [
            Command::RevokeRole { role: Role::Admin },
            Command::AssignRole { role: Role::Moderator },
            Command::SetStatus { status: Status::Suspended, reason: None },
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn all_is_asked_for_when_no_version_was_seen() {
        let all = commands(None, &input(r#"{"roles": ["moderator"], "status": "active"}"#));
        let expected = [
            Command::RevokeRole { role: Role::Admin },
            Command::AssignRole { role: Role::Moderator },
            Command::SetStatus { status: Status::Active, reason: None },
        ];
        assert_eq!(all, expected);
        assert_eq!(commands(None, &input(r#"{"name": "Ada"}"#)), []);
    }

    #[test]
    fn the_version_is_checked_even_when_nothing_differs() {
        let same = |status| [Command::SetStatus { status, reason: None }];
        let active = row(&["admin"], "active");
        assert_eq!(
            commands(Some(&active), &input(r#"{"roles": ["admin"], "status": "active"}"#)),
            same(Status::Active)
        );
        assert_eq!(commands(Some(&active), &input(r#"{"name": "Ada"}"#)), same(Status::Active));
        assert_eq!(commands(Some(&row(&[], "suspended")), &input(r#"{"name": "Ada"}"#)), same(Status::Suspended));
    }

    #[test]
    fn the_answer_shows_what_was_accepted() {
        let mut after = row(&["moderator"], "active");
        for command in
            commands(Some(&row(&["moderator"], "active")), &input(r#"{"roles": ["admin"], "status": "suspended"}"#))
        {
            applied(&mut after, &command);
        }
        assert_eq!((after.roles, after.status.as_str()), (vec!["admin".to_owned()], "suspended"));
    }
}
