//! Uploads as folders: `data`, which only grows, and `state.json`, which says how much of it counts. The state never
//! runs ahead of what is on the disk; what `data` has beyond it is from a crash, and is cut off.

use bytes::Bytes;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use super::disk::{absent, make_dir, new_file, remove_below, sync_dir};
use super::{Folder, off};
use crate::piece::{self, SAFE_AFTER};
use crate::upload::{Progress, Record};
use crate::{AppendError, Begun, Fault, FinishError, Stored, Upload};

/// An upload that only we append to, as long as this is there: a crash lets go of the lock as well.
pub(crate) struct Session {
    dir: Arc<Path>,
    _lock: File,
    data: Arc<File>,
    found: Record,
    /// Up to where it is safe.
    safe: u64,
    checked: bool,
    saving: Option<JoinHandle<io::Result<()>>>,
}

/// Why an upload is not ours to work on.
enum Taken {
    Gone,
    Busy,
    Failed(io::Error),
}

impl Folder {
    fn upload_dir(&self, upload: Uuid) -> PathBuf {
        self.uploads_dir().join(upload.to_string())
    }

    pub async fn begin(&self, upload: Uuid, begun: &Begun) -> Result<(), Fault> {
        let (draft, dir, record) = (self.draft(), self.upload_dir(upload), Record::new(begun));
        let uploads = self.uploads_dir();
        off(format!("cannot begin upload {upload}"), move || {
            if dir.exists() {
                return Ok(());
            }
            make_dir(&draft)?;
            let begin = || {
                new_file(&draft.join("data"))?.sync_all()?;
                write(&draft, &record)?;
                match fs::rename(&draft, &dir) {
                    // somebody else was a little faster
                    Err(_) if dir.exists() => remove_below(&draft).map(drop),
                    other => other,
                }
            };
            begin().inspect_err(|_| drop(remove_below(&draft)))?;
            sync_dir(&uploads)
        })
        .await
    }

    pub async fn upload(&self, upload: Uuid) -> Result<Option<Upload>, Fault> {
        let dir = self.upload_dir(upload);
        let record = off(format!("cannot look at upload {upload}"), move || read(&dir)).await?;
        Ok(record.map(|record| record.upload(upload)))
    }

    pub async fn uploads(&self) -> Result<Vec<Upload>, Fault> {
        let dir = self.uploads_dir();
        off("cannot list the uploads", move || {
            let mut all = Vec::new();
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
                let Some(id) = id else { continue };
                match read(&path) {
                    Ok(record) => all.extend(record.map(|record| record.upload(id))),
                    // one that nobody can read must not keep the others from being swept
                    Err(error) => tracing::error!(upload.id = %id, %error, "cannot read the state of an upload"),
                }
            }
            Ok(all)
        })
        .await
    }

    pub async fn session(self, upload: Uuid, offset: u64, checked: bool) -> Result<Session, AppendError> {
        let dir = self.upload_dir(upload);
        off(format!("cannot open upload {upload}"), move || Ok(open(&dir, offset, checked))).await?
    }

    pub async fn shorten(&self, upload: Uuid) -> Result<Upload, FinishError> {
        let dir = self.upload_dir(upload);
        let shortened = move || -> Result<Record, FinishError> {
            let (_lock, mut record) = lock(&dir)?;
            record.begun.length = record.progress.offset;
            write(&dir, &record).map_err(|error| Fault::new("cannot write down how long it is", error))?;
            Ok(record)
        };
        let record = off(format!("cannot shorten upload {upload}"), move || Ok(shortened())).await??;
        Ok(record.upload(upload))
    }

    pub async fn finish(&self, upload: Uuid) -> Result<Stored, FinishError> {
        let (folder, dir) = (self.clone(), self.upload_dir(upload));
        off(format!("cannot finish upload {upload}"), move || Ok(folder.place(&dir))).await?
    }

    fn place(&self, dir: &Path) -> Result<Stored, FinishError> {
        let (_lock, mut record) = lock(dir)?;
        if !record.is_complete() {
            return Err(FinishError::Incomplete { offset: record.progress.offset });
        }
        match self.put_in_place(dir, &mut record) {
            Ok(()) => Ok(record.stored()),
            // aborted meanwhile
            Err(_) if !dir.exists() => Err(FinishError::Gone),
            Err(error) => Err(Fault::new(format!("cannot put {} in its place", record.begun.key), error).into()),
        }
    }

    fn put_in_place(&self, dir: &Path, record: &mut Record) -> io::Result<()> {
        let data = dir.join("data");
        if !record.finished {
            cut(&data, record.begun.length)?;
            record.finished = true;
            write(dir, record)?;
        }
        // without data it has been put in its place before
        if data.try_exists()? { self.settle(&data, &record.begun.key) } else { Ok(()) }
    }

    pub async fn abort(&self, upload: Uuid) -> Result<bool, Fault> {
        let (dir, draft, uploads) = (self.upload_dir(upload), self.draft(), self.uploads_dir());
        off(format!("cannot abort upload {upload}"), move || {
            // at once, and whoever appends finds it gone
            if !fs::rename(dir, &draft).map(|()| true).or_else(absent)? {
                return Ok(false);
            }
            sync_dir(&uploads)?;
            remove_below(&draft).map(|_| true)
        })
        .await
    }
}

impl piece::Session for Session {
    fn found(&self) -> Progress {
        self.found.progress.clone()
    }

    fn length(&self) -> u64 {
        self.found.begun.length
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), AppendError> {
        let data = self.data.clone();
        Ok(off("cannot write what came", move || (&*data).write_all(&bytes)).await?)
    }

    async fn passed(&mut self, progress: &Progress) -> Result<(), AppendError> {
        if !self.checked && progress.offset - self.safe >= SAFE_AFTER {
            self.saved().await?;
            // the next bytes need not wait for the disk
            self.saving = Some(self.save(progress.clone()));
        }
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), AppendError> {
        Ok(())
    }

    async fn keep(mut self, progress: Progress) -> Result<(), AppendError> {
        self.saved().await?;
        if progress.offset != self.safe {
            self.saving = Some(self.save(progress));
        }
        self.saved().await
    }

    async fn discard(mut self) -> Result<(), AppendError> {
        self.saved().await?;
        let before = self.found.progress.clone();
        if before.offset != self.safe {
            self.saving = Some(self.save(before));
            self.saved().await?;
        }
        let (data, length) = (self.data.clone(), self.found.progress.offset);
        Ok(off("cannot take back what came", move || data.set_len(length)).await?)
    }

    async fn give_up(mut self) {
        // the fault is told already; the next to come cuts off what is not safe
        let _ = self.saved().await;
    }
}

impl Session {
    fn save(&mut self, progress: Progress) -> JoinHandle<io::Result<()>> {
        self.safe = progress.offset;
        let (data, dir, record) = (self.data.clone(), self.dir.clone(), self.found.at(progress));
        spawn_blocking(move || {
            data.sync_data()?;
            write(&dir, &record)
        })
    }

    /// Waits until what is being saved is safe.
    async fn saved(&mut self) -> Result<(), AppendError> {
        let Some(saving) = mem::take(&mut self.saving) else { return Ok(()) };
        match saving.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(AppendError::Gone),
            Ok(Err(error)) => Err(Fault::new("cannot make safe what came", error).into()),
            Err(error) => Err(Fault::new("saving ended before its time", error).into()),
        }
    }
}

fn open(dir: &Path, offset: u64, checked: bool) -> Result<Session, AppendError> {
    let (lock, record) = lock(dir)?;
    let is = record.progress.offset;
    if record.finished {
        return Err(AppendError::Gone);
    }
    if is != offset {
        return Err(AppendError::Offset { is });
    }
    let data = cut(&dir.join("data"), is).map_err(|error| Fault::new("cannot open what came before", error))?;
    Ok(Session { dir: dir.into(), _lock: lock, data: Arc::new(data), safe: is, found: record, checked, saving: None })
}

/// Takes an upload for ourselves, until what this returns is dropped.
fn lock(dir: &Path) -> Result<(File, Record), Taken> {
    let lock = match File::open(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Taken::Gone),
        other => other.map_err(Taken::Failed)?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Taken::Busy),
        Err(TryLockError::Error(error)) => return Err(Taken::Failed(error)),
    }
    // read under the lock: until now somebody else may have changed it, or taken it away
    let record = read(dir).map_err(Taken::Failed)?.ok_or(Taken::Gone)?;
    Ok((lock, record))
}

/// Opens the data, cuts off what was written but not acknowledged, and goes to its end.
fn cut(path: &Path, length: u64) -> io::Result<File> {
    let mut data = OpenOptions::new().read(true).write(true).open(path)?;
    let there = data.metadata()?.len();
    if there < length {
        return Err(io::Error::other(format!("{there} bytes are there, {length} were acknowledged")));
    }
    data.set_len(length)?;
    data.seek(SeekFrom::Start(length))?;
    Ok(data)
}

fn read(dir: &Path) -> io::Result<Option<Record>> {
    let text = fs::read(dir.join("state.json")).map(Some).or_else(absent)?;
    Ok(text.map(|text| serde_json::from_slice(&text)).transpose()?)
}

/// Whole or not at all, and safe afterwards.
fn write(dir: &Path, record: &Record) -> io::Result<()> {
    let (draft, path) = (dir.join("state.new"), dir.join("state.json"));
    // a draft may be left from a crash
    fs::remove_file(&draft).or_else(absent)?;
    let mut file = new_file(&draft)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    sync_dir(dir)
}

impl From<Taken> for AppendError {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Gone => Self::Gone,
            Taken::Busy => Self::Busy,
            Taken::Failed(error) => Self::Fault(Fault::new("cannot take the upload", error)),
        }
    }
}

impl From<Taken> for FinishError {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Gone => Self::Gone,
            Taken::Busy => Self::Busy,
            Taken::Failed(error) => Self::Fault(Fault::new("cannot take the upload", error)),
        }
    }
}
