//! One piece of an upload on its way from a body to its store: cut into slices, hashed while they are written, in
//! constant memory. The writing is a task of its own: a caller who goes away leaves an upload that can go on.

use bytes::{Bytes, BytesMut};
use futures::future::join;
use futures::{Stream, StreamExt};
use std::mem;
use std::pin::pin;
use std::time::Duration;
use tokio::select;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::upload::{Check, Progress};
use crate::{AppendError, Checksum, Fault};

/// Slices end at multiples of this, counted from the beginning of the upload: parts of S3 are multiples too.
pub(crate) const SLICE: usize = 1 << 20;
/// After so many bytes at most, what has come is made safe.
pub(crate) const SAFE_AFTER: u64 = 64 << 20;
/// A body that says nothing for so long: time to say that we are still here.
const SILENCE: Duration = Duration::from_secs(5);

/// An upload that only we may append to, until this is kept or given back. Nothing counts before it is kept, or at
/// least passed.
pub(crate) trait Session: Send + 'static {
    /// How far the upload had come.
    fn found(&self) -> Progress;

    /// Bytes in all.
    fn length(&self) -> u64;

    /// Writes behind what was written before.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// All bytes up to here are written and hashed. From time to time they are made safe, unless a checksum decides
    /// about them in the end.
    fn passed(&mut self, progress: &Progress) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Called when nothing happens: others shall see that we live.
    fn renew(&mut self) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Makes everything safe and lets others in.
    fn keep(self, progress: Progress) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Goes back to how it was found and lets others in.
    fn discard(self) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Lets others in after a fault, with what is safe.
    fn give_up(self) -> impl Future<Output = ()> + Send;
}

enum Slice {
    Bytes(Bytes),
    TooLong,
    End,
}

enum End {
    Whole,
    Broken,
    TooLong,
}

/// Takes a piece into an upload and says how far the upload has come by it. The body is not touched before the upload
/// is open.
pub(crate) async fn take<S: Session, E>(
    opening: impl Future<Output = Result<S, AppendError>> + Send + 'static,
    body: impl Stream<Item = Result<Bytes, E>> + Send,
    checksum: Option<Checksum>,
) -> Result<u64, AppendError> {
    let (open, opened) = oneshot::channel();
    let (to, from) = mpsc::channel(2);
    let writing = tokio::spawn(async move {
        let session = opening.await?;
        // whoever asked may be gone by now; then the piece breaks off at once
        let _ = open.send((session.found().offset, session.length()));
        write(session, from, checksum).await
    });
    if let Ok((offset, length)) = opened.await {
        feed(body, offset, length, to).await;
    }
    writing.await.map_err(|error| Fault::new("appending ended before its time", error))?
}

/// Cuts a body into slices. Ends without a word when it breaks off, or when nobody listens any more.
async fn feed<E>(body: impl Stream<Item = Result<Bytes, E>> + Send, offset: u64, length: u64, to: Sender<Slice>) {
    let mut body = pin!(body);
    let mut room = SLICE - (offset % SLICE as u64) as usize;
    let mut left = length - offset;
    let mut slice = BytesMut::new();
    loop {
        let next = select! {
            next = body.next() => next.map(Result::ok),
            // nothing is written any more: say so now, however long the body takes
            () = to.closed() => return,
        };
        let Some(chunk) = next else { break };
        let Some(mut chunk) = chunk else {
            let _ = to.send(Slice::Bytes(slice.freeze())).await;
            return;
        };
        if chunk.len() as u64 > left {
            let _ = to.send(Slice::TooLong).await;
            return;
        }
        left -= chunk.len() as u64;
        while !chunk.is_empty() {
            let part = chunk.split_to(room.min(chunk.len()));
            room -= part.len();
            if slice.is_empty() {
                slice.reserve(part.len() + room);
            }
            slice.extend_from_slice(&part);
            if room == 0 {
                room = SLICE;
                if to.send(Slice::Bytes(mem::take(&mut slice).freeze())).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = to.send(Slice::Bytes(slice.freeze())).await;
    let _ = to.send(Slice::End).await;
}

async fn write<S: Session>(
    mut session: S,
    from: Receiver<Slice>,
    checksum: Option<Checksum>,
) -> Result<u64, AppendError> {
    let before = session.found().offset;
    let (progress, check, end) = match drain(&mut session, from, checksum).await {
        Ok(drained) => drained,
        Err(error) => {
            session.give_up().await;
            return Err(error);
        }
    };
    let offset = progress.offset;
    let holds = check.map(Check::holds);
    match (end, holds) {
        (End::TooLong, _) => session.discard().await.and(Err(AppendError::TooLong)),
        (End::Broken, Some(_)) => session.discard().await.and(Err(AppendError::Broken { offset: before })),
        (End::Broken, None) => session.keep(progress).await.and(Err(AppendError::Broken { offset })),
        (End::Whole, Some(false)) => session.discard().await.and(Err(AppendError::Checksum)),
        (End::Whole, _) => session.keep(progress).await.map(|()| offset),
    }
}

async fn drain<S: Session>(
    session: &mut S,
    mut from: Receiver<Slice>,
    checksum: Option<Checksum>,
) -> Result<(Progress, Option<Check>, End), AppendError> {
    let mut progress = session.found();
    let mut check = checksum.as_ref().map(Check::new);
    loop {
        let bytes = match timeout(SILENCE, from.recv()).await {
            Err(_) => {
                session.renew().await?;
                continue;
            }
            Ok(Some(Slice::Bytes(bytes))) if bytes.is_empty() => continue,
            Ok(Some(Slice::Bytes(bytes))) => bytes,
            Ok(Some(Slice::TooLong)) => return Ok((progress, check, End::TooLong)),
            Ok(Some(Slice::End)) => return Ok((progress, check, End::Whole)),
            Ok(None) => return Ok((progress, check, End::Broken)),
        };
        let slice = bytes.clone();
        let hashing = spawn_blocking(move || {
            progress.advance(&slice);
            if let Some(check) = &mut check {
                check.update(&slice);
            }
            (progress, check)
        });
        let (hashed, written) = join(hashing, session.write(bytes)).await;
        written?;
        (progress, check) = hashed.map_err(|error| Fault::new("hashing ended before its time", error))?;
        session.passed(&progress).await?;
    }
}
