//! Lists of videos, the newest first, page by page: what everybody sees, and to owners and admins what they have.

use super::show::{Video, note_uploads};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::MaybeActor;
use crate::lists::Page;
use crate::openapi::{Access, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::users::escaped;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use projections::video_page::{self, Search};
use serde::Deserialize;
use serde_json::json;

fn list(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "videos", summary)
        .access(Access::Optional)
        .query("search", "Words of the title or the description", json!({ "type": "string", "maxLength": 100 }))
        .query("tag", "Only with this tag", json!({ "type": "string", "maxLength": 30 }))
        .query("category", "Only of this category", json!({ "type": "string", "maxLength": 40 }))
        .query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }))
        .query("after", "`next` of the page before", json!({ "type": "string", "maxLength": 100 }))
        .reads()
        .answers_with(200, "Videos", "A page of them", &["Link"])
}

pub(super) fn all_doc() -> Doc {
    list("videos", "Published videos")
}

pub(super) fn featured_doc() -> Doc {
    list("featured_videos", "Featured videos")
}

pub(super) fn of_user_doc() -> Doc {
    list("user_videos", "Videos of a person")
        .text("All of them for the person and for admins, for others the published ones.")
        .id_of("id", "The person")
}

/// What a list is narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(alias = "q")]
    search: Option<String>,
    tag: Option<String>,
    category: Option<String>,
    limit: Option<u8>,
    after: Option<String>,
}

type Narrowed = Result<Query<Wanted>, QueryRejection>;

/// `GET /api/videos`
pub(super) async fn all(State(app): State<App>, asked: Asked, wanted: Narrowed) -> Result<Answer, Problem> {
    page(&app, &asked, wanted, Search::default(), false).await
}

/// `GET /api/videos/featured`
pub(super) async fn featured(State(app): State<App>, asked: Asked, wanted: Narrowed) -> Result<Answer, Problem> {
    page(&app, &asked, wanted, Search { featured: true, ..Search::default() }, false).await
}

/// `GET /api/videos/user/{id}`
pub(super) async fn of_user(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Id(owner): Id,
    asked: Asked,
    wanted: Narrowed,
) -> Result<Answer, Problem> {
    let own = actor.is_some_and(|actor| actor.id == owner || actor.is_admin());
    page(&app, &asked, wanted, Search { owner: Some(owner), unseen: own, ..Search::default() }, own).await
}

async fn page(app: &App, asked: &Asked, wanted: Narrowed, search: Search, own: bool) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    let texts = [&wanted.search, &wanted.tag, &wanted.category];
    if texts.iter().any(|text| text.as_ref().is_some_and(|text| text.contains('\0') || text.chars().count() > 100)) {
        return Err(Problem::malformed("query_invalid", "a text is at most 100 characters, without NUL"));
    }
    let page = Page::wanted(app, asked, &own.to_string(), filters(&wanted), wanted.limit, wanted.after.as_deref())?;
    app.fresh(asked, &["video_page", "file_page"]).await?;
    let search = Search {
        text: wanted.search.clone().filter(|text| !text.trim().is_empty()),
        tag: wanted.tag.as_ref().map(|tag| tag.to_lowercase()),
        category: wanted.category.as_ref().map(|category| category.to_lowercase()),
        limit: page.rows(),
        after: page.after,
        ..search
    };
    let mut rows = video_page::search(app.reads(), &search).await?;
    let next = page.cut(&mut rows, |row| (row.created_at, row.video_id));
    note_uploads(app, &mut rows).await?;
    page.answer(&rows.into_iter().map(|row| Video::new(app, row, own)).collect::<Vec<_>>(), next)
}

/// The filters without the place: what a cursor is good for.
fn filters(wanted: &Wanted) -> String {
    let parts = [("search", &wanted.search), ("tag", &wanted.tag), ("category", &wanted.category)];
    let given = parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}&", escaped(value.as_deref()?))));
    given.collect()
}
