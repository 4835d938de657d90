//! Files and uploads under way: whose they are, what they are, how large. The bytes lie elsewhere.

use chrono::{DateTime, Utc};
use events::storage::{self, Upload};
use events::{Event, Personal};
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, cell, text};

/// One file, or an upload that is going to be one.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// The file.
    pub file_id: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// `video`, `presentation`, `audio` or `image`.
    pub purpose: String,
    /// `uploading` or `stored`.
    pub state: String,
    /// Bytes.
    pub size: i64,
    /// What it is, once it is known.
    pub mime: Option<String>,
    /// SHA-256, 64 hexadecimal digits, once it is known.
    pub sha256: Option<String>,
    /// What it was called at home.
    pub filename: Option<String>,
    /// The video that it was uploaded for.
    pub video: Option<Uuid>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
}

impl Stored for Row {
    const TABLE: &'static str = "file_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("file_id", "uuid"),
        ("owner", "uuid not null"),
        ("purpose", "text not null"),
        ("state", "text not null"),
        ("size", "bigint not null"),
        ("mime", "text"),
        ("sha256", "text"),
        ("filename", "text"),
        ("video", "uuid"),
        ("created_at", "timestamptz not null"),
    ];
    const INDEXES: &'static [&'static str] = &["(owner, created_at desc)", "(video) where state = 'uploading'"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.file_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.file_id),
            cell(self.owner),
            Some((&self.purpose).into()),
            Some((&self.state).into()),
            cell(self.size),
            text(&self.mime),
            text(&self.sha256),
            text(&self.filename),
            self.video.and_then(cell),
            cell(self.created_at.to_rfc3339()),
        ]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct FilePage {
    files: Table<Row>,
}

impl Projection for FilePage {
    fn name(&self) -> &'static str {
        "file_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.storage.shelf."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        let Event::Shelf(what) = &event.body else { return };
        match what {
            storage::Event::UploadInitiated(upload) | storage::Event::UploadCompleted { upload, .. } => {
                self.files.need(&upload.upload);
            }
            storage::Event::UploadAborted { upload: file }
            | storage::Event::UploadExpired { upload: file }
            | storage::Event::FileDeleted { file } => self.files.need(file),
            storage::Event::Erased { uploads, files } => {
                uploads.iter().chain(files).for_each(|file| self.files.need(file));
            }
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        let Event::Shelf(what) = &event.body else { return Ok(()) };
        match what {
            storage::Event::UploadInitiated(upload) => self.files.put(row(event.subject, upload, event.time)),
            storage::Event::UploadCompleted { upload, size, sha256, mime } => {
                let begun = self.files.get(&upload.upload).map_or(event.time, |row| row.created_at);
                self.files.put(Row {
                    state: "stored".to_owned(),
                    size: *size as i64,
                    mime: Some(mime.clone()),
                    sha256: Some(sha256.clone()),
                    ..row(event.subject, upload, begun)
                });
            }
            storage::Event::UploadAborted { upload: file }
            | storage::Event::UploadExpired { upload: file }
            | storage::Event::FileDeleted { file } => self.files.remove(file),
            storage::Event::Erased { uploads, files } => {
                uploads.iter().chain(files).for_each(|file| self.files.remove(file));
                self.files.scrub();
            }
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.files]
    }
}

fn row(owner: Uuid, upload: &Upload, created_at: DateTime<Utc>) -> Row {
    Row {
        file_id: upload.upload,
        owner,
        purpose: upload.purpose.word().to_owned(),
        state: "uploading".to_owned(),
        size: upload.length as i64,
        mime: None,
        sha256: None,
        filename: upload.filename.as_ref().and_then(Personal::open).cloned(),
        video: upload.video,
        created_at,
    }
}

/// A file, or an upload.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, file: Uuid) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("select * from read.file_page where file_id = $1").bind(file).fetch_optional(&reads.db).await
}

/// Those of the files and uploads that there are, each with its state.
///
/// # Errors
/// As of [`get`].
pub async fn states(reads: &Reads, files: &[Uuid]) -> sqlx::Result<Vec<(Uuid, String)>> {
    let sql = "select file_id, state from read.file_page where file_id = any($1)";
    sqlx::query_as(sql).bind(files).fetch_all(&reads.db).await
}

/// Those of the videos whose source is on its way.
///
/// # Errors
/// As of [`get`].
pub async fn awaited_by(reads: &Reads, videos: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    let sql = "select distinct video from read.file_page where state = 'uploading' and video = any($1)";
    sqlx::query_scalar(sql).bind(videos).fetch_all(&reads.db).await
}
