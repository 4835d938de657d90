//! Films as players get them: the master playlist is written from what there is, so it never names what is not; playlists
//! and segments lie in the blob store under names that no caller chooses. Who may see a film is asked once a second, not
//! for each segment.

use super::range::{Shown, answer};
use super::signature::Signature;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::MaybeActor;
use crate::openapi::{Access, Doc, doc as describe};
use crate::problem::Problem;
use crate::videos;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use blobs::Key;
use bytes::Bytes;
use chrono::Utc;
use events::media::Rendition;
use futures::TryStreamExt;
use projections::video_page::Row;
use serde_json::json;
use std::fmt::Write;
use uuid::Uuid;

/// A segment never changes: another version of a film has other names.
const FOREVER: &str = "private, max-age=31536000, immutable";
/// A playlist grows while a film is made.
const SHORT: &str = "private, max-age=2";

pub(super) fn doc() -> Doc {
    describe("hls", "storage", "A film as HLS: `master.m3u8`, and what it names")
        .text("Published films are for everybody who may see them; others for their owner and admins, or with the query that \
            `playback` of the video carries.")
        .access(Access::Optional)
        .id_of("id", "The video")
        .path("path", "`master.m3u8`, or what a playlist names", json!({ "type": "string", "maxLength": 200 }))
        .query("expires", "Of a signed address", json!({ "type": "integer" }))
        .query("signature", "Of a signed address", json!({ "type": "string", "maxLength": 40 }))
        .answers_text(200, "application/vnd.apple.mpegurl", "It", &["ETag", "CacheControl"])
        .answers_text(206, "application/octet-stream", "A part of it", &["ETag", "CacheControl"])
        .refuses(&[416])
}

/// `GET /api/storage/videos/{id}/hls/{*path}`
pub(super) async fn get(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Path((video, path)): Path<(String, String)>,
    Query(signature): Query<Signature>,
    asked: Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let video = Uuid::try_parse(&video).map_err(|_| videos::missing())?;
    app.fresh(&asked, &["video_page"]).await?;
    let signed = signature.permits(&app.edge().keys.consistency, video, Utc::now());
    if path == "master.m3u8" {
        let row = videos::visible(&app, video, actor.as_ref(), signed).await?;
        return master(&row, signature.query().filter(|_| signed).as_deref());
    }
    if !signed {
        videos::visible(&app, video, actor.as_ref(), false).await?;
    }
    let (mime, cache) = known(&path).ok_or_else(videos::missing)?;
    let key = Key::new(&format!("videos/{video}/{path}")).map_err(|_| videos::missing())?;
    if mime == PLAYLIST
        && let Some(query) = signature.query().filter(|_| signed)
    {
        return signed_playlist(&app, &key, &query).await;
    }
    answer(app.blobs(), &key, &method, &headers, Shown { mime, cache, disposition: None, sandboxed: false }).await
}

const PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// The media type of what we make, by its name: `<version>.<run>/<task>/[<rung>/]<file>`. Anything else is not there.
fn known(path: &str) -> Option<(&'static str, &'static str)> {
    let words: Vec<&str> = path.split('/').collect();
    let plain = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    if !(3..=4).contains(&words.len()) || !words.iter().all(plain) || path.contains("..") {
        return None;
    }
    Some(match words.last()?.rsplit_once('.')?.1 {
        "m3u8" => (PLAYLIST, FOREVER),
        "m4s" => ("video/iso.segment", FOREVER),
        "mp4" => ("video/mp4", FOREVER),
        "jpg" => ("image/jpeg", FOREVER),
        "vtt" => ("text/vtt; charset=utf-8", FOREVER),
        _ => return None,
    })
}

/// Where the master playlist of a video is.
pub(crate) fn master_of(video: Uuid, query: Option<&str>) -> String {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("/api/storage/videos/{video}/hls/master.m3u8{query}")
}

/// Where a picture of a video is, by the name it has in its row.
pub(crate) fn picture_of(video: Uuid, file: &str, query: Option<&str>) -> String {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("/api/storage/videos/{video}/hls/{file}{query}")
}

fn master(row: &Row, query: Option<&str>) -> Result<Response, Problem> {
    let renditions: Vec<Rendition> =
        serde_json::from_value(row.renditions.clone()).map_err(|error| Problem::internal(&error))?;
    if renditions.is_empty() {
        return Err(Problem::missing("not_playable_yet", "this video cannot be played yet"));
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(PLAYLIST)),
        (header::CACHE_CONTROL, HeaderValue::from_static(SHORT)),
    ];
    Ok((headers, playlist(&renditions, query)).into_response())
}

/// The master playlist (RFC 8216, section 4.3.4).
fn playlist(renditions: &[Rendition], query: Option<&str>) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for one in renditions {
        let (peak, average, codecs) = (one.peak_bits, one.average_bits, &one.codecs);
        let (width, height, rate, folder) = (one.width, one.height, one.rate.per_second(), &one.folder);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\",RESOLUTION={width}x{height},FRAME-RATE={rate:.3}\n{folder}/index.m3u8{query}"
        )
        .expect("writing to a text");
    }
    text
}

/// A playlist whose addresses carry the permission on.
async fn signed_playlist(app: &App, key: &Key, query: &str) -> Result<Response, Problem> {
    let found = app.blobs().get(key, None).await.map_err(|fault| Problem::internal(&fault))?;
    let (_, body) = found.ok_or_else(videos::missing)?;
    let bytes: Vec<Bytes> = body.try_collect().await.map_err(|error| Problem::internal(&error))?;
    let bytes = bytes.concat();
    let text = String::from_utf8_lossy(&bytes);
    let mut signed = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        let line = match line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|rest| rest.split_once('"')) {
            Some((name, rest)) => format!("#EXT-X-MAP:URI=\"{name}?{query}\"{rest}"),
            None if line.is_empty() || line.starts_with('#') => line.to_owned(),
            None => format!("{line}?{query}"),
        };
        signed += &line;
        signed.push('\n');
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(PLAYLIST)),
        (header::CACHE_CONTROL, HeaderValue::from_static(SHORT)),
    ];
    Ok((headers, signed).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::media::Rate;

    #[test]
    fn only_what_we_make_is_served() {
        for path in ["1.1/rung-360p-01890a5d/360p/00001.m4s", "1.2/thumbnail-ab/thumbnail.jpg", "1.1/r/360p/index.m3u8"]
        {
            assert!(known(path).is_some(), "{path}");
        }
        for path in [
            "../files/x/y.mp4",
            "1.1/../360p/index.m3u8",
            "1.1//index.m3u8",
            "1.1/a/b/c/index.m3u8",
            "1.1/a/secret.json",
            "1.1/a/%2e%2e/x.mp4",
            "index.m3u8",
        ] {
            assert!(known(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_master_names_what_there_is() {
        let one = Rendition {
            name: "360p".into(),
            folder: "1.1/rung-360p-ab/360p".into(),
            width: 640,
            height: 360,
            rate: Rate { frames: 30_000, seconds: 1001 },
            codecs: "avc1.64001e,mp4a.40.2".into(),
            peak_bits: 1_600_000,
            average_bits: 1_100_000,
            duration_ms: 60_000,
            bytes: 8_250_000,
        };
        let text = playlist(&[one], Some("expires=1&signature=x"));
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH=1600000,AVERAGE-BANDWIDTH=1100000,\
             CODECS=\"avc1.64001e,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=29.970\n1.1/rung-360p-ab/360p/index.m3u8?expires=1&signature=x\n"
        );
    }
}
