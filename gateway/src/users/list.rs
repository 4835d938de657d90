//! `GET /api/users`: accounts for admins, newest first, page by page. Pages do not shift when somebody registers.

use super::show;
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::Admin;
use crate::lists::Page;
use crate::openapi::{Access, Doc, doc as describe};
use crate::problem::Problem;
use crate::shapes::User;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use events::identity::user::Role;
use projections::user_page::{Cursor, Row, Search};
use projections::{profile_page, user_page};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

pub(super) fn doc() -> Doc {
    describe("users", "users", "Accounts, newest first")
        .access(Access::Admin)
        .query("search", "Part of the username, upper or lower case", json!({ "type": "string", "maxLength": 100 }))
        .query(
            "status",
            "Only accounts in this state; without it all but the erased",
            json!({ "type": "string", "enum": ["active", "suspended", "erased"] }),
        )
        .query("role", "Only accounts that have this role", json!({ "type": "string", "enum": ["admin", "moderator"] }))
        .query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }))
        .query("after", "`next` of the page before", json!({ "type": "string", "maxLength": 100 }))
        .reads()
        .answers_with(200, "Users", "A page of them", &["Link"])
}

/// What the list is narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(alias = "q")]
    search: Option<String>,
    status: Option<Standing>,
    role: Option<Role>,
    limit: Option<u8>,
    after: Option<String>,
}

/// The states of an account on the page.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Active,
    Suspended,
    Erased,
}

impl Wanted {
    /// The filters without the place: what a cursor is good for.
    fn filters(&self) -> String {
        let mut text = String::new();
        let parts = [self.search.as_deref(), self.status(), self.role()];
        for (name, value) in ["search", "status", "role"].into_iter().zip(parts) {
            if let Some(value) = value {
                text += &format!("{name}={}&", escaped(value));
            }
        }
        text
    }

    fn status(&self) -> Option<&'static str> {
        self.status.map(|status| match status {
            Standing::Active => "active",
            Standing::Suspended => "suspended",
            Standing::Erased => "erased",
        })
    }

    fn role(&self) -> Option<&'static str> {
        self.role.map(|role| match role {
            Role::Admin => "admin",
            Role::Moderator => "moderator",
        })
    }
}

/// `GET /api/users`
pub(super) async fn list(
    State(app): State<App>,
    _: Admin,
    asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    if wanted.search.as_ref().is_some_and(|text| text.contains('\0') || text.chars().count() > 100) {
        return Err(Problem::malformed("query_invalid", "search is at most 100 characters, without NUL"));
    }
    let page = Page::wanted(&app, &asked, "", wanted.filters(), wanted.limit, wanted.after.as_deref())?;
    app.fresh(&asked, &["user_page", "profile_page"]).await?;
    let search = Search {
        text: wanted.search.clone(),
        status: wanted.status().map(str::to_owned),
        role: wanted.role().map(str::to_owned),
        limit: page.rows(),
        after: page.after.map(|(created_at, id)| Cursor { created_at, id }),
    };
    let mut rows = user_page::search(app.reads(), &search).await?;
    let next = page.cut(&mut rows, |row| (row.cursor().created_at, row.id));
    let users = shown(&app, rows).await?;
    page.answer_with(&json!({ "users": users, "next": next }), next)
}

/// The rows with their names, and their addresses opened all at once.
async fn shown(app: &App, rows: Vec<Row>) -> Result<Vec<User>, Problem> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let profiles = profile_page::many(app.reads(), &ids).await?;
    let mut profiles: HashMap<Uuid, _> = profiles.into_iter().map(|profile| (profile.user_id, profile)).collect();
    let sealed: Vec<String> = rows.iter().filter_map(|row| row.email_sealed.clone()).collect();
    let mut opened = app.bus().keyring().open_text(&sealed).await?.into_iter();
    let open = |row: Row| {
        let email = row.email_sealed.as_ref().and_then(|_| opened.next().flatten());
        let profile = profiles.remove(&row.id);
        show::user(row, email, profile)
    };
    Ok(rows.into_iter().map(open).collect())
}

/// For a query: everything but letters, digits and `-._~` as percent signs and bytes.
pub(crate) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_filters() {
        let uri = "/api/users?q=%C3%A4%26b&role=admin&limit=5".parse().expect("an address");
        let Query(wanted) = Query::<Wanted>::try_from_uri(&uri).expect("known parameters");
        assert_eq!(wanted.filters(), "search=%C3%A4%26b&role=admin&");
    }

    #[test]
    fn a_parameter_that_is_not_known_is_refused() {
        let uri = "/api/users?stauts=active".parse().expect("an address");
        assert!(Query::<Wanted>::try_from_uri(&uri).is_err());
    }
}
