//! Showing a video: to everybody once it is published, before that to its owner and admins only. A signed address opens it
//! to whoever has the address.

use super::live::{Watched, percent};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::MaybeActor;
use crate::openapi::{Access, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::storage::{Signature, master_of, picture_of, signed_query};
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use projections::file_page;
use projections::video_page::{self, Row};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// A video as clients get it.
#[derive(Serialize)]
pub(crate) struct Video {
    id: Uuid,
    user_id: Uuid,
    title: String,
    description: Option<String>,
    tags: Vec<String>,
    category: Option<String>,
    visibility: String,
    status: &'static str,
    progress: u8,
    duration_ms: Option<i64>,
    width: Option<u64>,
    height: Option<u64>,
    renditions: Vec<Value>,
    thumbnail: Option<String>,
    storyboard: Option<String>,
    playback: Option<String>,
    page: String,
    featured: bool,
    views: i64,
    error: Option<Value>,
    published_at: Option<DateTime<Utc>>,
    scheduled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
}

/// The word for a draft whose source is on its way, which only the page of files knows.
const UPLOADING: &str = "uploading";

/// The word for where a video stands: S1's clients know one word for both how far it is and whether others see it.
pub(crate) fn status_of(row: &Row) -> &'static str {
    match row.status.as_str() {
        "ready" if row.published_at.is_some() => "published",
        "ready" => "ready",
        "playable" => "playable",
        "processing" => "processing",
        "failed" => "failed",
        UPLOADING => UPLOADING,
        _ => "draft",
    }
}

/// Percent of the work that is done.
pub(crate) fn progress_of(watched: &Watched, row: &Row) -> u8 {
    match row.status.as_str() {
        "ready" => 100,
        "processing" | "playable" => {
            let heard = watched.progress(row.video_id, row.source_version);
            let least = if row.status == "playable" { 0.25 } else { 0.0 };
            percent(heard.max(least))
        }
        _ => 0,
    }
}

impl Video {
    pub(crate) fn new(app: &App, row: Row, owner: bool) -> Self {
        let key = &app.edge().keys.consistency;
        // what others cannot see is opened to a player by an address that permits it
        let query = (!row.is_shown()).then(|| signed_query(key, row.video_id, Utc::now())).filter(|_| owner);
        let picture = |file: &str| picture_of(row.video_id, file, query.as_deref());
        let renditions = row.renditions.as_array().into_iter().flatten();
        let size = |name: &str| row.film.as_ref().and_then(|film| film[name].as_u64());
        Video {
            status: status_of(&row),
            progress: progress_of(app.watched(), &row),
            width: size("width"),
            height: size("height"),
            renditions: renditions
                .map(|one| json!({ "name": one["name"], "width": one["width"], "height": one["height"] }))
                .collect(),
            thumbnail: row.thumbnail.as_deref().map(picture),
            storyboard: row.storyboard.as_ref().and_then(|story| story["index"].as_str()).map(picture),
            playback: ["playable", "ready"].contains(&&*row.status).then(|| master_of(row.video_id, query.as_deref())),
            page: page_of(row.video_id, query.as_deref()),
            error: row.failure.clone().filter(|_| owner),
            id: row.video_id,
            user_id: row.owner,
            title: row.title,
            description: row.description,
            tags: row.tags,
            category: row.category,
            visibility: row.visibility,
            duration_ms: row.duration_ms,
            featured: row.featured,
            views: row.views,
            published_at: row.published_at,
            scheduled_at: row.scheduled_at.filter(|_| owner),
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

pub(super) fn doc() -> Doc {
    describe("video", "videos", "A video")
        .text("Published ones for everybody who may see them, others for their owner and admins. `playback` is the master playlist, \
            with a permission in its query when the video is not for everybody.")
        .access(Access::Optional)
        .id_of("id", "The video")
        .reads()
        .answers_with(200, "Video", "The video", &["ETag"])
}

/// `GET /api/videos/{id}`
pub(super) async fn get(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Id(id): Id,
    asked: Asked,
) -> Result<Answer, Problem> {
    app.fresh(&asked, &["video_page", "file_page"]).await?;
    let mut row = shown_to(&app, id, actor.as_ref()).await?;
    note_uploads(&app, std::slice::from_mut(&mut row)).await?;
    let owner = is_own(&row, actor.as_ref());
    let version = row.version.unsigned_abs();
    Ok(Answer::ok(&Video::new(&app, row, owner)).etag(version))
}

pub(super) fn status_doc() -> Doc {
    status_doc_of("video_status")
}

/// The same under another path of another system's clients.
pub(crate) fn status_doc_of(id: &'static str) -> Doc {
    describe(id, "videos", "How far a video is")
        .query("expires", "Of a signed address", json!({ "type": "integer" }))
        .query("signature", "Of a signed address", json!({ "type": "string", "maxLength": 40 }))
        .access(Access::Optional)
        .id_of("id", "The video")
        .reads()
        .answers(200, "VideoStatus", "Where it stands")
}

/// `GET /api/videos/{id}/status`
pub(crate) async fn status(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Id(id): Id,
    Query(signature): Query<Signature>,
    asked: Asked,
) -> Result<Answer, Problem> {
    app.fresh(&asked, &["video_page", "file_page"]).await?;
    let signed = signature.permits(&app.edge().keys.consistency, id, Utc::now());
    let row = looked_up(&app, id).await?;
    let mut row = row.filter(|row| signed || may_see(row, actor.as_ref())).ok_or_else(missing)?;
    note_uploads(&app, std::slice::from_mut(&mut row)).await?;
    let query = signature.query().filter(|_| signed);
    Ok(Answer::ok(&json!({
        "id": id,
        "status": status_of(&row),
        "progress": progress_of(app.watched(), &row),
        "published": row.published_at.is_some(),
        "renditions": row.renditions.as_array().into_iter().flatten().map(|one| one["name"].clone()).collect::<Vec<_>>(),
        "thumbnail": row.thumbnail.as_deref().map(|file| picture_of(id, file, query.as_deref())),
        "error": row.failure,
    })))
}

/// The video as it is now, if this caller may see it.
///
/// # Errors
/// 404, as of [`visible`].
pub(super) async fn shown_to(app: &App, video: Uuid, actor: Option<&Actor>) -> Result<Row, Problem> {
    looked_up(app, video).await?.filter(|row| may_see(row, actor)).ok_or_else(missing)
}

/// Drafts whose source is on its way are told apart from others.
///
/// # Errors
/// 500: the page of files cannot be read.
pub(super) async fn note_uploads(app: &App, rows: &mut [Row]) -> Result<(), Problem> {
    let drafts: Vec<Uuid> = rows.iter().filter(|row| row.status == "draft").map(|row| row.video_id).collect();
    if drafts.is_empty() {
        return Ok(());
    }
    let awaited_by = file_page::awaited_by(app.reads(), &drafts).await?;
    for row in rows.iter_mut().filter(|row| awaited_by.contains(&row.video_id)) {
        UPLOADING.clone_into(&mut row.status);
    }
    Ok(())
}

/// Where the page is that plays a video.
fn page_of(video: Uuid, query: Option<&str>) -> String {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("/watch/{video}{query}")
}

async fn looked_up(app: &App, video: Uuid) -> Result<Option<Row>, Problem> {
    Ok(video_page::get(app.reads(), video).await?)
}

/// The video, if it may be seen: by everybody, by this caller, or because the address says so.
///
/// # Errors
/// 404: it is not there, or not for this caller. Nobody hears which.
pub(crate) async fn visible(app: &App, video: Uuid, actor: Option<&Actor>, signed: bool) -> Result<Arc<Row>, Problem> {
    let row = match app.watched().row(video) {
        Some(row) => row,
        None => look(app, video).await?,
    };
    row.filter(|row| signed || may_see(row, actor)).ok_or_else(missing)
}

/// The video as the page has it now, whoever asks.
pub(crate) async fn look(app: &App, video: Uuid) -> Result<Option<Arc<Row>>, Problem> {
    let row = looked_up(app, video).await?.map(Arc::new);
    app.watched().saw(video, row.clone());
    Ok(row)
}

/// Whether this caller sees it.
pub(crate) fn may_see(row: &Row, actor: Option<&Actor>) -> bool {
    row.is_shown() || is_own(row, actor)
}

/// Whether this caller sees everything of it.
pub(super) fn is_own(row: &Row, actor: Option<&Actor>) -> bool {
    actor.is_some_and(|actor| actor.id == row.owner || actor.is_admin())
}

/// There is no such video, for this caller.
pub(crate) fn missing() -> Problem {
    Problem::missing("video_missing", "there is no such video, or it is not shown to you")
}
