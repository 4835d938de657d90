//! The specification of storage.

use chrono::{DateTime, TimeDelta, Utc};
use events::identity::user;
use events::storage::{Command, Event, Purpose, Upload};
use events::{AuthType, Message, Source, Spec, processing, video};
use kernel::testing::{SUBJECT, given};
use kernel::{Caller, ask};
use uuid::Uuid;

use crate::reactions::{
    abort_uploads_when_video_deleted, delete_file_when_nobody_needs_it, erase_shelf_when_user_erased,
    expire_upload_when_initiated,
};
use crate::shelf::{AT_ONCE, QUOTA, Rejection, Shelf, longest};
use crate::sweeping::{Bytes, unneeded};

fn tomorrow() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_086_400, 0).expect("a time in range")
}

fn upload(id: u128, length: u64) -> Upload {
    let (upload, purpose) = (Uuid::from_u128(id), Purpose::Video);
    Upload { upload, purpose, length, filename: None, title: None, video: None, expires_at: tomorrow() }
}

fn completed(id: u128, size: u64) -> Event {
    Event::UploadCompleted { upload: upload(id, size), size, sha256: "ab".repeat(32), mime: "video/mp4".into() }
}

fn complete(id: u128, size: u64) -> Command {
    Command::CompleteUpload { upload: Uuid::from_u128(id), size, sha256: "ab".repeat(32), mime: "video/mp4".into() }
}

fn message(body: impl Into<events::Event>) -> Message<events::Event> {
    Message {
        specversion: Spec::V1,
        id: Uuid::from_u128(70),
        source: Source::new("/test"),
        subject: SUBJECT,
        time: tomorrow() - TimeDelta::days(1),
        correlationid: Uuid::from_u128(71),
        causationid: None,
        authtype: AuthType::System,
        authid: None,
        authclaims: None,
        sequence: None,
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: body.into(),
    }
}

#[test]
fn room_is_kept_once() {
    given::<Shelf>([]).when(Command::InitiateUpload(upload(5, 10))).then([Event::UploadInitiated(upload(5, 10))]);
    let begun = || given::<Shelf>([Event::UploadInitiated(upload(5, 10))]);
    begun().when(Command::InitiateUpload(upload(5, 10))).then([]);
    begun().when(Command::InitiateUpload(upload(5, 11))).rejected(Rejection::Exists);
    given::<Shelf>([completed(5, 10)]).when(Command::InitiateUpload(upload(5, 10))).rejected(Rejection::Exists);
}

#[test]
fn what_a_person_keeps_has_an_end() {
    let full = (0..4).map(|n| completed(n, QUOTA / 4));
    given::<Shelf>(full.clone()).when(Command::InitiateUpload(upload(9, 1))).rejected(Rejection::OverQuota);
    let freed = full.chain([Event::FileDeleted { file: Uuid::from_u128(0) }]);
    given::<Shelf>(freed).when(Command::InitiateUpload(upload(9, 1))).then([Event::UploadInitiated(upload(9, 1))]);
    let long = longest(Purpose::Video) + 1;
    given::<Shelf>([])
        .when(Command::InitiateUpload(upload(5, long)))
        .rejected(Rejection::TooLong("video", longest(Purpose::Video)));
    let many = (0..AT_ONCE as u128).map(|n| Event::UploadInitiated(upload(n, 1)));
    given::<Shelf>(many).when(Command::InitiateUpload(upload(999, 1))).rejected(Rejection::TooManyUploads);
}

#[test]
fn only_reprise_says_what_has_arrived() {
    let begun = || given::<Shelf>([Event::UploadInitiated(upload(5, 10))]);
    begun().when(complete(5, 10)).rejected(Rejection::NotReprise);
    begun().by(Caller::System).when(complete(5, 10)).then([completed(5, 10)]);
    begun().by(Caller::System).when(complete(5, 11)).rejected(Rejection::OtherLength);
    begun().by(Caller::System).when(complete(6, 10)).rejected(Rejection::NoSuchUpload);
    given::<Shelf>([completed(5, 10)]).by(Caller::System).when(complete(5, 10)).then([]);
}

#[test]
fn an_upload_ends_in_one_way() {
    let (id, begun) = (Uuid::from_u128(5), || given::<Shelf>([Event::UploadInitiated(upload(5, 10))]));
    begun().when(Command::AbortUpload { upload: id }).then([Event::UploadAborted { upload: id }]);
    begun().by(Caller::System).when(Command::ExpireUpload { upload: id }).then([Event::UploadExpired { upload: id }]);
    given::<Shelf>([completed(5, 10)]).by(Caller::System).when(Command::ExpireUpload { upload: id }).then([]);
    given::<Shelf>([]).when(Command::AbortUpload { upload: id }).rejected(Rejection::NoSuchUpload);
}

#[test]
fn nobody_touches_the_shelf_of_another() {
    let other = Caller::Person { id: Uuid::from_u128(8), roles: vec![] };
    let file = Uuid::from_u128(5);
    given::<Shelf>([completed(5, 1)]).by(other).when(Command::DeleteFile { file }).rejected(Rejection::NotYours);
    given::<Shelf>([completed(5, 1)]).by_admin().when(Command::DeleteFile { file }).then([Event::FileDeleted { file }]);
    given::<Shelf>([]).when(Command::DeleteFile { file }).rejected(Rejection::NoSuchFile);
    given::<Shelf>([]).by(Caller::System).when(Command::DeleteFile { file }).then([]);
}

#[test]
fn an_erased_shelf_stays_empty() {
    let (on_the_way, file) = (Uuid::from_u128(4), Uuid::from_u128(5));
    let full = [Event::UploadInitiated(upload(4, 1)), completed(5, 1)];
    let erased = Event::Erased { uploads: vec![on_the_way], files: vec![file] };
    given::<Shelf>(full).by(Caller::System).when(Command::Erase {}).then([erased.clone()]);
    given::<Shelf>([erased.clone()]).by(Caller::System).when(Command::Erase {}).then([]);
    given::<Shelf>([erased]).when(Command::InitiateUpload(upload(6, 1))).rejected(Rejection::NotYours);
    let files: Vec<Uuid> = (0..2500).map(Uuid::from_u128).collect();
    let parts = files.chunks(1000).map(|some| Event::Erased { uploads: vec![], files: some.to_vec() });
    let full = (0..2500).map(|n| completed(n, 1));
    given::<Shelf>(full).by(Caller::System).when(Command::Erase {}).then(parts);
}

#[test]
fn an_upload_has_a_timer() {
    let asked = expire_upload_when_initiated(&message(Event::UploadInitiated(upload(5, 10))));
    let expire = ask(SUBJECT, Command::ExpireUpload { upload: Uuid::from_u128(5) }).at(tomorrow());
    assert_eq!(asked, [expire]);
}

#[test]
fn a_source_goes_when_its_video_has_no_use_for_it() {
    let (owner, file) = (Uuid::from_u128(1), Uuid::from_u128(5));
    let gone = [ask(owner, Command::DeleteFile { file })];
    let deleted = video::Event::Deleted { owner, version: 1, file: Some(file) };
    assert_eq!(delete_file_when_nobody_needs_it(&message(deleted)), gone);
    let replaced =
        video::Event::SourceAttached { owner, file: Uuid::from_u128(6), size: 1, version: 2, replaces: Some(file) };
    assert_eq!(delete_file_when_nobody_needs_it(&message(replaced)), gone);
    let refused = video::Event::SourceRefused { owner, file };
    assert_eq!(delete_file_when_nobody_needs_it(&message(refused)), gone);
    assert_eq!(erase_shelf_when_user_erased(&message(user::Event::Erased {})), [ask(SUBJECT, Command::Erase {})]);
}

#[test]
fn nothing_need_arrive_for_a_video_that_is_gone() {
    let (video, owner) = (Uuid::from_u128(7), SUBJECT);
    let begun = |id, video| Event::UploadInitiated(Upload { video, ..upload(id, 10) });
    let some = [begun(5, Some(video)), begun(6, None), begun(8, Some(Uuid::from_u128(9)))];
    let aborted = Event::UploadAborted { upload: Uuid::from_u128(5) };
    given::<Shelf>(some).by(Caller::System).when(Command::AbortUploadsFor { video }).then([aborted]);
    let mut deleted = message(video::Event::Deleted { owner, version: 0, file: None });
    deleted.subject = video;
    assert_eq!(abort_uploads_when_video_deleted(&deleted), [ask(owner, Command::AbortUploadsFor { video })]);
}

#[test]
fn bytes_go_with_what_needed_them() {
    let (id, of) = (Uuid::from_u128(5), Uuid::from_u128(6));
    let aborted = message(Event::UploadAborted { upload: id });
    assert_eq!(unneeded(&aborted), [Bytes::Upload(id), Bytes::File(id)]);
    assert_eq!(unneeded(&message(Event::FileDeleted { file: id })), [Bytes::File(id)]);
    let cancelled = processing::Event::Cancelled { of, version: 2, run: 3, for_good: false };
    assert_eq!(unneeded(&message(cancelled)), [Bytes::Runs { of, version: 2, last: 3 }]);
    let deleted = video::Event::Deleted { owner: id, version: 1, file: None };
    assert_eq!(unneeded(&message(deleted)), [Bytes::Video(SUBJECT)]);
    assert_eq!(unneeded(&message(completed(5, 1))), []);
}
