//! The work on videos over HTTP: begin it again, end it, see how far it is. It begins by itself; `start` is for what failed
//! or was ended.

mod jobs;

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::table::{Route, get, post};
use crate::videos;
use axum::extract::State;
use events::processing::{Command, Kind, job};
use projections::video_page;
use serde_json::json;
use uuid::Uuid;

/// What processing answers.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        post(&["/api/processing/videos/{id}/start"], start, start_doc()),
        post(&["/api/processing/videos/{id}/cancel"], cancel, cancel_doc()),
        get(&["/api/processing/videos/{id}/status"], videos::status, videos::status_doc_of("processing_status")),
        get(&["/api/processing/queue/status"], jobs::queue, jobs::queue_doc()),
        get(&["/api/processing/jobs"], jobs::list, jobs::list_doc()),
        post(&["/api/processing/jobs/{id}/retry"], jobs::retry, jobs::retry_doc()),
    ]
}

fn start_doc() -> Doc {
    describe("start_processing", "processing", "Work on a video again")
        .text("What failed is tried again; after a cancellation everything is made anew. Work that is under way or done is `409`.")
        .access(Access::Person)
        .id_of("id", "The video")
        .reads()
        .command()
        .answers_with(200, "VideoChanged", "It goes on", DONE)
}

async fn start(State(app): State<App>, actor: Actor, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    ask(&app, &actor, id, &asked, Command::Retry {}).await
}

fn cancel_doc() -> Doc {
    describe("cancel_processing", "processing", "End the work on a video")
        .text("What was made of it is thrown away; the file stays.")
        .access(Access::Person)
        .id_of("id", "The video")
        .reads()
        .command()
        .answers_with(200, "VideoChanged", "It is over", DONE)
}

async fn cancel(State(app): State<App>, actor: Actor, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    ask(&app, &actor, id, &asked, Command::Cancel {}).await
}

/// Asks the job of the video's source; the rules know who may.
async fn ask(app: &App, actor: &Actor, video: Uuid, asked: &Asked, command: Command) -> Result<Answer, Problem> {
    app.fresh(asked, &["video_page"]).await?;
    let row = video_page::get(app.reads(), video).await?.ok_or_else(videos::missing)?;
    let version = u32::try_from(row.source_version).ok().filter(|version| *version > 0);
    let version = version.ok_or_else(|| Problem::conflict("no_source", "this video has no file yet, upload one"))?;
    let accepted = app.send(actor, asked, job(video, version, Kind::Video), command).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "id": video, "version": outcome.version }))))
}
