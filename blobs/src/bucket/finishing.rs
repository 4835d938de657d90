//! The end of an upload: the server puts the parts together, or everything is cleared away. Both are tasks of their
//! own, so that a caller who goes away leaves nothing locked.

use object_store::multipart::{MultipartStore, PartId};
use object_store::{Attribute, Error, GetOptions, ObjectStore, PutPayload, UpdateVersion};
use uuid::Uuid;

use super::Bucket;
use super::staging::MARK;
use super::state::State;
use crate::{Fault, FinishError, Stored, Upload};

/// Others may write a state as often as we do; each time one of us gets on.
const TRIES: usize = 100;

impl Bucket {
    pub async fn shorten(&self, upload: Uuid) -> Result<Upload, FinishError> {
        let seen = self.seen(upload).await?.filter(|seen| !seen.state.gone).ok_or(FinishError::Gone)?;
        if self.is_held(&seen) {
            return Err(FinishError::Busy);
        }
        // one write needs no lock: it counts only if nobody else wrote since
        let mut state = State { locked: false, ..seen.state };
        state.record.begun.length = state.record.progress.offset;
        let written = self.replace(upload, &mut state, seen.version).await?;
        written.map(|_| state.record.upload(upload)).ok_or(FinishError::Busy)
    }

    pub async fn finish(&self, upload: Uuid) -> Result<Stored, FinishError> {
        let bucket = self.clone();
        let finishing = tokio::spawn(async move { bucket.put_together(upload).await });
        finishing.await.map_err(|error| Fault::new("finishing ended before its time", error))?
    }

    async fn put_together(&self, upload: Uuid) -> Result<Stored, FinishError> {
        let seen = self.seen(upload).await?.filter(|seen| !seen.state.gone).ok_or(FinishError::Gone)?;
        if seen.state.record.finished {
            return Ok(seen.state.record.stored());
        }
        if !seen.state.record.is_complete() {
            return Err(FinishError::Incomplete { offset: seen.state.record.progress.offset });
        }
        let (mut state, version) = self.lock(upload, seen).await?.ok_or(FinishError::Busy)?;
        let placed = self.place(upload, &state).await;
        state.record.finished = placed.is_ok();
        state.locked = false;
        let tail = if placed.is_ok() { state.tail.take() } else { None };
        let written = self.unlock(upload, &mut state, version).await;
        placed?;
        written?;
        self.drop_tail(upload, tail).await;
        Ok(state.record.stored())
    }

    async fn unlock(&self, upload: Uuid, state: &mut State, version: UpdateVersion) -> Result<(), FinishError> {
        if self.replace(upload, state, version).await?.is_some() {
            return Ok(());
        }
        if self.upload(upload).await?.is_some() {
            return Err(FinishError::Busy);
        }
        // aborted meanwhile: then nobody wants what we have just put there
        if state.record.finished {
            self.delete(&state.record.begun.key).await?;
        }
        Err(FinishError::Gone)
    }

    /// Makes the object. A part is sent again under its number, and a second end finds the work of the first, so this
    /// may break off anywhere.
    async fn place(&self, upload: Uuid, state: &State) -> Result<(), Fault> {
        let (key, tail) = (&state.record.begun.key, self.tail(upload, state).await?);
        let Some(multipart) = &state.multipart else {
            return self.put(key, tail.unwrap_or_default()).await;
        };
        let failed = |error| Fault::s3(format!("cannot put {key} together"), &error);
        let name = self.blob(key);
        let mut parts: Vec<_> = state.parts.iter().map(|id| PartId { content_id: id.clone() }).collect();
        if let Some(tail) = tail {
            match self.s3.put_part(&name, multipart, parts.len(), PutPayload::from(tail)).await {
                Ok(part) => parts.push(part),
                Err(error @ Error::NotFound { .. }) => return self.was_placed(upload, state, error).await,
                Err(error) => return Err(failed(error)),
            }
        }
        match self.s3.complete_multipart(&name, multipart, parts).await {
            Ok(_) => Ok(()),
            Err(error @ Error::NotFound { .. }) => self.was_placed(upload, state, error).await,
            Err(error) => Err(failed(error)),
        }
    }

    /// The parts are gone: is it because they are an object already?
    async fn was_placed(&self, upload: Uuid, state: &State, error: Error) -> Result<(), Fault> {
        let key = &state.record.begun.key;
        let head = self.s3.get_opts(&self.blob(key), GetOptions { head: true, ..Default::default() }).await;
        let mark = Attribute::Metadata(MARK.into());
        let ours = head.is_ok_and(|head| head.attributes.get(&mark).is_some_and(|mark| **mark == *upload.to_string()));
        if ours { Ok(()) } else { Err(Fault::s3(format!("the parts of {key} are gone"), &error)) }
    }

    pub async fn abort(&self, upload: Uuid) -> Result<bool, Fault> {
        let bucket = self.clone();
        let aborting = tokio::spawn(async move { bucket.clear(upload).await });
        aborting.await.map_err(|error| Fault::new("aborting ended before its time", error))?
    }

    async fn clear(&self, upload: Uuid) -> Result<bool, Fault> {
        let Some(state) = self.doom(upload).await? else { return Ok(false) };
        if let (Some(multipart), false) = (&state.multipart, state.record.finished) {
            match self.s3.abort_multipart(&self.blob(&state.record.begun.key), multipart).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(Fault::s3(format!("cannot abort upload {upload}"), &error)),
            }
        }
        self.delete_below(self.name(&format!(".uploads/{upload}"))).await.map(|_| true)
    }

    /// Writes down that an upload is over, whoever works on it: nothing they write counts after this.
    async fn doom(&self, upload: Uuid) -> Result<Option<State>, Fault> {
        for _ in 0..TRIES {
            let Some(seen) = self.seen(upload).await? else { return Ok(None) };
            let mut state = State { gone: true, locked: false, ..seen.state };
            if self.replace(upload, &mut state, seen.version).await?.is_some() {
                return Ok(Some(state));
            }
        }
        Err(Fault::new(format!("cannot abort upload {upload}"), "others write to it all the time"))
    }
}
