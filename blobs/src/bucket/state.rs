//! What is written down of an upload beside its parts: one object, replaced only by whoever has seen its last version.
//! That makes it a lock as well: of two who want the upload, the server lets one write.

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use object_store::path::Path as Name;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Bucket, part_size};
use crate::upload::Record;
use crate::{Begun, Fault, Upload};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    pub record: Record,
    /// Bytes of each part.
    pub part: u64,
    /// The multipart upload, once there is a whole part.
    pub multipart: Option<String>,
    /// What the server calls the parts that are there.
    pub parts: Vec<String>,
    /// The object that holds what is too little for a part.
    pub tail: Option<Uuid>,
    /// Somebody works on it.
    pub locked: bool,
    /// It is aborted, and only has to be cleared away.
    pub gone: bool,
    /// Differs from version to version: servers call the same bytes by the same name.
    pub mark: Uuid,
}

/// A state as the server has it.
pub(super) struct Seen {
    pub state: State,
    pub version: UpdateVersion,
    written: DateTime<Utc>,
}

impl Bucket {
    pub(super) fn upload_name(&self, upload: Uuid, rest: &str) -> Name {
        self.name(&format!(".uploads/{upload}/{rest}"))
    }

    pub(super) fn tail_name(&self, upload: Uuid, tail: Uuid) -> Name {
        self.upload_name(upload, &format!("tail-{tail}"))
    }

    pub async fn begin(&self, upload: Uuid, begun: &Begun) -> Result<(), Fault> {
        let state = State {
            record: Record::new(begun),
            part: part_size(begun.length),
            multipart: None,
            parts: Vec::new(),
            tail: None,
            locked: false,
            gone: false,
            mark: Uuid::new_v4(),
        };
        let name = self.upload_name(upload, "state.json");
        match self.s3.put_opts(&name, text(&state).into(), PutMode::Create.into()).await {
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(Fault::s3(format!("cannot begin upload {upload}"), &error)),
        }
    }

    pub async fn upload(&self, upload: Uuid) -> Result<Option<Upload>, Fault> {
        let seen = self.seen(upload).await?.filter(|seen| !seen.state.gone);
        Ok(seen.map(|seen| seen.state.record.upload(upload)))
    }

    pub async fn uploads(&self) -> Result<Vec<Upload>, Fault> {
        let listed = self.s3.list_with_delimiter(Some(&self.name(".uploads"))).await;
        let listed = listed.map_err(|error| Fault::s3("cannot list the uploads", &error))?;
        let ids = listed.common_prefixes.iter().filter_map(|name| name.filename()?.parse::<Uuid>().ok());
        let uploads = ids.map(|id| async move {
            match self.seen(id).await {
                // one whose end was cut short is here as well, so that somebody ends it
                Ok(seen) => seen.map(|seen| seen.state.record.upload(id)),
                // one that nobody can read must not keep the others from being swept
                Err(fault) => {
                    let error = anyhow::Error::from(fault);
                    tracing::error!(upload.id = %id, "{error:#}");
                    None
                }
            }
        });
        let all: Vec<_> = stream::iter(uploads.collect::<Vec<_>>()).buffered(8).collect().await;
        Ok(all.into_iter().flatten().collect())
    }

    pub(super) async fn seen(&self, upload: Uuid) -> Result<Option<Seen>, Fault> {
        let failed = |error| Fault::s3(format!("cannot look at upload {upload}"), &error);
        let got = match self.s3.get(&self.upload_name(upload, "state.json")).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            other => other.map_err(failed)?,
        };
        let (e_tag, version, written) = (got.meta.e_tag.clone(), got.meta.version.clone(), got.meta.last_modified);
        let bytes = got.bytes().await.map_err(failed)?;
        let state = serde_json::from_slice(&bytes);
        let state = state.map_err(|error| Fault::new(format!("cannot read the state of upload {upload}"), error))?;
        Ok(Some(Seen { state, version: UpdateVersion { e_tag, version }, written }))
    }

    /// Writes a state in place of the version given, and says which it is now; nothing when somebody else was there
    /// before.
    pub(super) async fn replace(
        &self,
        upload: Uuid,
        state: &mut State,
        version: UpdateVersion,
    ) -> Result<Option<UpdateVersion>, Fault> {
        state.mark = Uuid::new_v4();
        let text = text(state);
        let mode = PutMode::Update(version);
        let put = self.s3.put_opts(&self.upload_name(upload, "state.json"), text.clone().into(), mode.into()).await;
        match put {
            Ok(put) => Ok(Some(put.into())),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotFound { .. }) => {
                // when an answer is lost the client asks again, and finds what it has written itself
                let seen = self.seen(upload).await?.filter(|seen| self::text(&seen.state) == text);
                Ok(seen.map(|seen| seen.version))
            }
            Err(error) => Err(Fault::s3(format!("cannot write the state of upload {upload}"), &error)),
        }
    }

    /// Whether somebody works on it who gave a sign of life lately, by the clock of the server.
    pub(super) fn is_held(&self, seen: &Seen) -> bool {
        seen.state.locked && Utc::now() - seen.written < self.lease
    }

    /// Takes an upload for ourselves; nothing when somebody else has it.
    pub(super) async fn lock(&self, upload: Uuid, seen: Seen) -> Result<Option<(State, UpdateVersion)>, Fault> {
        if self.is_held(&seen) {
            return Ok(None);
        }
        let Seen { mut state, version, .. } = seen;
        if state.locked {
            tracing::warn!(upload.id = %upload, "taking over an upload from somebody who fell silent");
        }
        state.locked = true;
        Ok(self.replace(upload, &mut state, version).await?.map(|version| (state, version)))
    }

    /// What is kept of an upload beside its parts: less than one of them.
    pub(super) async fn tail(&self, upload: Uuid, state: &State) -> Result<Option<bytes::Bytes>, Fault> {
        let Some(tail) = state.tail else { return Ok(None) };
        let read = async { self.s3.get(&self.tail_name(upload, tail)).await?.bytes().await };
        read.await.map(Some).map_err(|error| Fault::s3(format!("cannot read the tail of upload {upload}"), &error))
    }

    pub(super) async fn drop_tail(&self, upload: Uuid, tail: Option<Uuid>) {
        if let Some(tail) = tail {
            // nobody reads it any more, and what stays is cleared away with the upload
            let _ = self.s3.delete(&self.tail_name(upload, tail)).await;
        }
    }
}

fn text(state: &State) -> Vec<u8> {
    serde_json::to_vec(state).expect("a state has only text for keys")
}
