//! Looking videos up.

use super::Row;
use crate::Reads;
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Words in title and description.
    pub text: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// A category.
    pub category: Option<String>,
    /// Only of this person.
    pub owner: Option<Uuid>,
    /// Also what others do not see: for owners and admins.
    pub unseen: bool,
    /// Only featured ones.
    pub featured: bool,
    /// Go on behind this one.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

/// A video.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, video: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select * from read.video_page where video_id = $1").bind(video).fetch_optional(&reads.db).await
}

/// Those of the videos that there are.
///
/// # Errors
/// As of [`get`].
pub async fn many(reads: &Reads, videos: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("select * from read.video_page where video_id = any($1)").bind(videos).fetch_all(&reads.db).await
}

/// Videos, the newest first.
///
/// # Errors
/// As of [`get`].
pub async fn search(reads: &Reads, search: &Search) -> sqlx::Result<Vec<Row>> {
    let mut sql = QueryBuilder::new("select * from read.video_page where true");
    if !search.unseen {
        sql.push(" and published_at is not null and visibility = 'public' and status in ('playable', 'ready')");
    }
    if let Some(owner) = search.owner {
        sql.push(" and owner = ").push_bind(owner);
    }
    if search.featured {
        sql.push(" and featured");
    }
    if let Some(tag) = &search.tag {
        sql.push(" and tags @> array[").push_bind(tag).push("]");
    }
    if let Some(category) = &search.category {
        sql.push(" and category = ").push_bind(category);
    }
    if let Some(text) = &search.text {
        sql.push(" and to_tsvector('simple'::regconfig, title || ' ' || coalesce(description, '')) @@ plainto_tsquery('simple', ")
            .push_bind(text)
            .push(")");
    }
    if let Some((created_at, video)) = search.after {
        sql.push(" and (created_at, video_id) < (").push_bind(created_at).push(", ").push_bind(video).push(")");
    }
    sql.push(" order by created_at desc, video_id desc limit ").push_bind(search.limit.clamp(1, 101));
    sql.build_query_as().fetch_all(&reads.db).await
}
