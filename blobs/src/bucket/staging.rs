//! Uploads as multipart uploads: whole parts go to the server while more is coming, and what is left at the end of a
//! piece waits as an object of its own. The state names the parts that count; others are written again.

use bytes::Bytes;
use object_store::multipart::{MultipartStore, PartId};
use object_store::{Attribute, Attributes, ObjectStoreExt, PutMultipartOptions, PutPayload, UpdateVersion};
use std::mem;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use super::Bucket;
use super::state::State;
use crate::piece::{self, SAFE_AFTER};
use crate::upload::Progress;
use crate::{AppendError, Fault};

/// How often we say that we still live; well below the lease.
const SIGN_OF_LIFE: Duration = Duration::from_secs(8);
/// Under which name an object says which upload it was.
pub(super) const MARK: &str = "upload";

/// An upload that only we append to, as long as our state is the last one.
pub(crate) struct Session {
    bucket: Bucket,
    upload: Uuid,
    /// As found, but locked by us.
    found: State,
    /// With the parts that have arrived since.
    state: State,
    version: UpdateVersion,
    written: Instant,
    safe: u64,
    /// What is too little for a part so far.
    rest: Vec<Bytes>,
    shipping: Option<(Progress, JoinHandle<object_store::Result<PartId>>)>,
    checked: bool,
}

impl Bucket {
    pub async fn session(self, upload: Uuid, offset: u64, checked: bool) -> Result<Session, AppendError> {
        let seen = self.seen(upload).await?.filter(|seen| !seen.state.gone && !seen.state.record.finished);
        let seen = seen.ok_or(AppendError::Gone)?;
        let is = seen.state.record.progress.offset;
        if is != offset && !self.is_held(&seen) {
            return Err(AppendError::Offset { is });
        }
        let (state, version) = self.lock(upload, seen).await?.ok_or(AppendError::Busy)?;
        let mut session = Session {
            bucket: self,
            upload,
            found: state.clone(),
            state,
            version,
            written: Instant::now(),
            safe: is,
            rest: Vec::new(),
            shipping: None,
            checked,
        };
        match session.bucket.tail(upload, &session.state).await {
            Ok(tail) => session.rest.extend(tail),
            Err(fault) => {
                piece::Session::give_up(session).await;
                return Err(fault.into());
            }
        }
        Ok(session)
    }
}

impl piece::Session for Session {
    fn found(&self) -> Progress {
        self.found.record.progress.clone()
    }

    fn length(&self) -> u64 {
        self.found.record.begun.length
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), AppendError> {
        self.rest.push(bytes);
        Ok(())
    }

    async fn passed(&mut self, progress: &Progress) -> Result<(), AppendError> {
        if progress.offset.is_multiple_of(self.state.part) {
            self.ship(progress.clone()).await?;
        }
        let due = !self.checked && progress.offset - self.safe >= SAFE_AFTER;
        if due {
            self.arrived().await?;
        }
        // a part may be longer than that
        if due && self.state.record.progress.offset > self.safe { self.save().await } else { self.renew().await }
    }

    async fn renew(&mut self) -> Result<(), AppendError> {
        if self.written.elapsed() < SIGN_OF_LIFE {
            return Ok(());
        }
        self.arrived().await?;
        self.save().await
    }

    async fn keep(mut self, progress: Progress) -> Result<(), AppendError> {
        if progress.offset == self.found.record.progress.offset {
            return self.discard().await;
        }
        let kept = self.kept(progress).await;
        if kept.is_err() {
            self.give_up().await;
        }
        kept
    }

    async fn discard(mut self) -> Result<(), AppendError> {
        // what is still on its way must not come after whoever is next
        let arrived = self.arrived().await;
        let multipart = self.state.multipart.clone();
        self.replace(State { multipart, locked: false, ..self.found.clone() }).await.and(arrived)
    }

    async fn give_up(mut self) {
        // the fault is told already; without the state being written, the lease ends in time
        let _ = self.arrived().await;
        let _ = self.replace(State { locked: false, ..self.safe_state() }).await;
    }
}

impl Session {
    async fn kept(&mut self, progress: Progress) -> Result<(), AppendError> {
        self.arrived().await?;
        let tail = (!self.rest.is_empty()).then(Uuid::new_v4);
        if let Some(tail) = tail {
            let (name, rest) = (self.bucket.tail_name(self.upload, tail), PutPayload::from_iter(self.rest.drain(..)));
            let put = self.bucket.s3.put(&name, rest).await;
            put.map_err(|error| Fault::s3("cannot write what came", &error))?;
        }
        let record = self.state.record.at(progress);
        let kept = self.replace(State { record, tail, locked: false, ..self.state.clone() }).await;
        self.bucket.drop_tail(self.upload, if kept.is_ok() { self.found.tail } else { tail }).await;
        kept
    }

    /// Sends a part on its way while the next one is coming.
    async fn ship(&mut self, progress: Progress) -> Result<(), AppendError> {
        self.arrived().await?;
        let multipart = self.multipart().await?;
        let part = PutPayload::from_iter(mem::take(&mut self.rest));
        let (s3, name) = (self.bucket.s3.clone(), self.bucket.blob(&self.state.record.begun.key));
        let index = self.state.parts.len();
        let shipping = tokio::spawn(async move { s3.put_part(&name, &multipart, index, part).await });
        self.shipping = Some((progress, shipping));
        Ok(())
    }

    /// Waits for the part that is on its way.
    async fn arrived(&mut self) -> Result<(), AppendError> {
        let Some((progress, mut shipping)) = self.shipping.take() else { return Ok(()) };
        let part = loop {
            match timeout(SIGN_OF_LIFE, &mut shipping).await {
                Ok(part) => break part,
                Err(_) => self.save().await.inspect_err(|_| shipping.abort())?,
            }
        };
        match part.map_err(|error| Fault::new("sending ended before its time", error))? {
            Ok(part) => self.state.parts.push(part.content_id),
            Err(error) => return Err(self.lost(Fault::s3("cannot send what came", &error)).await),
        }
        self.state.record.progress = progress;
        self.state.tail = None;
        Ok(())
    }

    /// The multipart upload; one that is made is written down at once, for otherwise nobody could abort it.
    async fn multipart(&mut self) -> Result<String, AppendError> {
        if let Some(multipart) = &self.state.multipart {
            return Ok(multipart.clone());
        }
        let name = self.bucket.blob(&self.state.record.begun.key);
        let mark = Attributes::from_iter([(Attribute::Metadata(MARK.into()), self.upload.to_string())]);
        let options = PutMultipartOptions::from(mark);
        let made = self.bucket.s3.create_multipart_opts(&name, options).await;
        let made = made.map_err(|error| Fault::s3("cannot begin to send what came", &error))?;
        self.state.multipart = Some(made.clone());
        let saved = self.save().await;
        // after a fault nobody knows whether it is written down; otherwise it certainly is not
        if let Err(AppendError::Gone | AppendError::Busy) = saved {
            let _ = self.bucket.s3.abort_multipart(&name, &made).await;
        }
        saved.map(|()| made)
    }

    /// What may be written down before the end: with a checksum, only how it was found.
    fn safe_state(&self) -> State {
        let State { multipart, .. } = self.state.clone();
        if self.checked { State { multipart, ..self.found.clone() } } else { self.state.clone() }
    }

    async fn save(&mut self) -> Result<(), AppendError> {
        self.replace(self.safe_state()).await
    }

    async fn replace(&mut self, mut state: State) -> Result<(), AppendError> {
        let replaced = self.bucket.replace(self.upload, &mut state, self.version.clone()).await?;
        let Some(version) = replaced else {
            let there = self.bucket.upload(self.upload).await?;
            return Err(if there.is_some() { AppendError::Busy } else { AppendError::Gone });
        };
        self.version = version;
        self.written = Instant::now();
        self.safe = state.record.progress.offset;
        Ok(())
    }

    /// A fault, or that the upload was aborted under our hands.
    async fn lost(&self, fault: Fault) -> AppendError {
        match self.bucket.upload(self.upload).await {
            Ok(None) => AppendError::Gone,
            _ => fault.into(),
        }
    }
}
