//! `GET /watch/{id}`: a page that plays a video. It runs two scripts of ours and nothing else, and says who may see it in
//! the same way as the rest does.

use super::show::{progress_of, status_of, visible};
use crate::app::App;
use crate::asked::Asked;
use crate::extract::MaybeActor;
use crate::openapi::{Access, Doc, doc as describe};
use crate::page::{self, Page};
use crate::path::Id;
use crate::problem::Problem;
use crate::storage::{Signature, master_of, picture_of};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use minijinja::context;
use projections::profile_page;

pub(super) fn doc() -> Doc {
    describe("watch", "videos", "A page that plays a video")
        .text("With the query of a signed address it also plays what is not published.")
        .access(Access::Optional)
        .id_of("id", "The video")
        .reads()
        .answers_text(200, "text/html; charset=utf-8", "The page", &[])
        .answers_text(404, "text/html; charset=utf-8", "A page that says that there is nothing to watch", &[])
}

/// `GET /watch/{id}`
pub(super) async fn page(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Id(id): Id,
    Query(signature): Query<Signature>,
    asked: Asked,
) -> Result<Response, Problem> {
    app.fresh(&asked, &["video_page"]).await?;
    let signed = signature.permits(&app.edge().keys.consistency, id, Utc::now());
    let Ok(row) = visible(&app, id, actor.as_ref(), signed).await else {
        let text = match signature.query() {
            Some(_) if !signed => "This link leads nowhere any more. Whose video it is finds it among their own.",
            _ => "There is no video at this address, or it is not public.",
        };
        return Ok(page::notice(StatusCode::NOT_FOUND, "Nothing to watch", text));
    };
    let query = signature.query().filter(|_| signed);
    let owner = profile_page::get(app.reads(), row.owner).await?.filter(|owner| owner.visibility != "private");
    let values = context! {
        id => id.to_string(),
        title => row.title.clone(),
        description => row.description.clone(),
        origin => app.config().public_url.clone(),
        status => status_of(&row),
        coming => row.failure.is_none() && row.status != "ready",
        playable => ["playable", "ready"].contains(&&*row.status),
        progress => progress_of(app.watched(), &row),
        failure => row.failure.as_ref().and_then(|failure| failure["message"].as_str()),
        master => master_of(id, query.as_deref()),
        poster => row.thumbnail.as_deref().map(|file| picture_of(id, file, query.as_deref())),
        unlisted => row.visibility != "public" || !row.is_shown(),
        handle => owner.as_ref().map(|owner| owner.handle.clone()),
        published => row.published_at.map(|at| at.format("%Y-%m-%d").to_string()),
        length => row.duration_ms.map(length),
        owner => owner.map(|owner| owner.display_name.unwrap_or(owner.handle)),
    };
    let mut response = page::html(StatusCode::OK, Page::Watch, values);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response.into_response())
}

/// `1:02:03`, or `2:03`.
fn length(milliseconds: i64) -> String {
    let seconds = (milliseconds + 500) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// hls.js feeds the player through blobs and works in a worker of its own.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self' blob:; \
     connect-src 'self' ws: wss:; worker-src blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

#[cfg(test)]
mod tests {
    #[test]
    fn a_length_is_as_people_write_it() {
        let lengths = [400, 62_499, 600_000, 3_723_000].map(super::length);
        assert_eq!(lengths, ["0:00", "1:02", "10:00", "1:02:03"]);
    }
}
