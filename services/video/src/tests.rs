//! The specification of video.

use chrono::DateTime;
use events::identity::user;
use events::media::{Film, Picture, Rate, Rendition};
use events::processing::{self, Failure, Output};
use events::storage::{self, Purpose, Upload};
use events::video::{About, Command, Event, Progress, Visibility, library, of_file};
use events::{AuthType, Message, Personal, Sequence, Source, Spec};
use kernel::testing::{SUBJECT, given};
use kernel::{Caller, ask};
use serde_json::json;
use uuid::Uuid;

use crate::announcing::announcement;
use crate::reactions::{
    attach_source_when_uploaded, delete_videos_when_library_erased, erase_library_when_user_erased,
    keep_library_when_videos_come_and_go, note_what_a_job_made, publish_when_scheduled,
};
use crate::video::{Rejection, Video};

const OWNER: Uuid = Uuid::from_u128(7);
const FILE: Uuid = Uuid::from_u128(8);

fn owner() -> Caller {
    Caller::Person { id: OWNER, roles: vec![] }
}

fn about(title: &str) -> About {
    About { title: Some(Personal::about(OWNER, title.to_owned())), ..About::default() }
}

fn title() -> Personal<String> {
    Personal::about(OWNER, "A clip".to_owned())
}

fn created() -> Event {
    Event::Created { owner: OWNER, about: about("A clip") }
}

fn attached(version: u32) -> Event {
    Event::SourceAttached { owner: OWNER, file: FILE, size: 9, version, replaces: None }
}

fn rendition() -> Rendition {
    Rendition {
        name: "360p".into(),
        folder: "1.1/rung/360p".into(),
        width: 640,
        height: 360,
        rate: Rate { frames: 30, seconds: 1 },
        codecs: "avc1.64001e".into(),
        peak_bits: 2,
        average_bits: 1,
        duration_ms: 1000,
        bytes: 5,
    }
}

fn made() -> Progress {
    Progress::Made(Output::Renditions { renditions: vec![rendition()] })
}

fn playable() -> Vec<Event> {
    let added = Event::RenditionsAdded { version: 1, renditions: vec![rendition()] };
    vec![created(), attached(1), added, Event::BecamePlayable { owner: OWNER, version: 1 }]
}

fn note(version: u32, progress: Progress) -> Command {
    Command::Note { version, progress, made: vec![] }
}

fn message(subject: Uuid, body: impl Into<events::Event>) -> Message<events::Event> {
    Message {
        specversion: Spec::V1,
        id: Uuid::from_u128(70),
        source: Source::new("/test"),
        subject,
        time: DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range"),
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
fn a_draft_begins_with_a_title() {
    let create = || Command::Create { owner: OWNER, about: about(" A clip ") };
    given::<Video>([]).by(owner()).when(create()).then([created()]);
    given::<Video>([]).when(create()).rejected(Rejection::NotYours);
    given::<Video>([created()]).by(owner()).when(create()).rejected(Rejection::Exists);
    given::<Video>([created()]).by(Caller::System).when(create()).then([]);
    given::<Video>([])
        .by(owner())
        .when(Command::Create { owner: OWNER, about: about("") })
        .rejected(Rejection::BadTitle);
}

#[test]
fn a_file_begins_its_video_and_names_it() {
    let attach = || {
        let about = Some(about("holiday\u{7}.final.mp4"));
        Command::AttachSource { owner: OWNER, file: FILE, size: 9, about }
    };
    let called = || Event::Created { owner: OWNER, about: about("holiday.final") };
    given::<Video>([]).by(Caller::System).when(attach()).then([called(), attached(1)]);
    given::<Video>([called(), attached(1)]).by(Caller::System).when(attach()).then([]);
    given::<Video>([]).by(owner()).when(attach()).rejected(Rejection::Missing);
}

#[test]
fn a_source_is_attached_once_and_replaced_by_another() {
    let attach = |file| Command::AttachSource { owner: OWNER, file, size: 9, about: None };
    given::<Video>([created()]).by(Caller::System).when(attach(FILE)).then([attached(1)]);
    given::<Video>([created(), attached(1)]).by(Caller::System).when(attach(FILE)).then([]);
    let other = Uuid::from_u128(9);
    let second = Event::SourceAttached { owner: OWNER, file: other, size: 9, version: 2, replaces: Some(FILE) };
    given::<Video>([created(), attached(1)]).by(Caller::System).when(attach(other)).then([second]);
    let foreign = Command::AttachSource { owner: Uuid::from_u128(66), file: FILE, size: 9, about: None };
    let refused = Event::SourceRefused { owner: Uuid::from_u128(66), file: FILE };
    given::<Video>([created()]).by(Caller::System).when(foreign.clone()).then([refused]);
    given::<Video>([created()]).by(owner()).when(foreign).rejected(Rejection::NotYours);
}

#[test]
fn a_file_that_comes_too_late_is_not_kept() {
    let attach = || Command::AttachSource { owner: OWNER, file: FILE, size: 9, about: None };
    let refused = || Event::SourceRefused { owner: OWNER, file: FILE };
    let deleted = Event::Deleted { owner: OWNER, version: 0, file: None };
    given::<Video>([created(), deleted.clone()]).by(Caller::System).when(attach()).then([refused()]);
    given::<Video>([created(), deleted]).by(owner()).when(attach()).rejected(Rejection::Missing);
    given::<Video>([]).by(Caller::System).when(attach()).then([refused()]);
    let create = Command::Create { owner: OWNER, about: about("A clip") };
    given::<Video>([refused()]).by(owner()).when(create).then([created()]);
}

#[test]
fn the_first_rendition_makes_it_playable() {
    let added = || Event::RenditionsAdded { version: 1, renditions: vec![rendition()] };
    let begun = [created(), attached(1)];
    let first = [added(), Event::BecamePlayable { owner: OWNER, version: 1 }];
    given::<Video>(begun).by(Caller::System).when(note(1, made())).then(first);
    given::<Video>(playable()).by(Caller::System).when(note(1, made())).then([]);
    let larger = Rendition { folder: "1.1/rungs/480p".into(), ..rendition() };
    let more = note(1, Progress::Made(Output::Renditions { renditions: vec![larger.clone()] }));
    let added = Event::RenditionsAdded { version: 1, renditions: vec![larger] };
    given::<Video>(playable()).by(Caller::System).when(more).then([added]);
}

#[test]
fn its_end_may_be_heard_before_what_came_first() {
    let renditions = Output::Renditions { renditions: vec![rendition()] };
    let thumbnail = Output::Thumbnail { picture: Picture { file: "1.1/t/t.jpg".into(), width: 2, height: 2 } };
    let rate = Rate { frames: 30, seconds: 1 };
    let film = Film { duration_ms: 6, width: 2, height: 2, rate, uneven: false, sound: true, codec: "h264".into() };
    let made = vec![Output::Film { film: film.clone() }, renditions.clone(), thumbnail.clone()];
    let over = Command::Note { version: 1, progress: Progress::Completed, made };
    let Output::Thumbnail { picture } = thumbnail.clone() else { unreachable!("it is one") };
    let all = [
        Event::Probed { version: 1, film },
        Event::RenditionsAdded { version: 1, renditions: vec![rendition()] },
        Event::BecamePlayable { owner: OWNER, version: 1 },
        Event::ThumbnailSet { version: 1, picture },
        Event::Ready { owner: OWNER, version: 1, title: title(), duration_ms: 6 },
    ];
    given::<Video>([created(), attached(1)]).by(Caller::System).when(over).then(all.clone());
    for late in [renditions, thumbnail] {
        let before = [created(), attached(1)].into_iter().chain(all.clone());
        given::<Video>(before).by(Caller::System).when(note(1, Progress::Made(late))).then([]);
    }
}

#[test]
fn what_was_made_before_a_cancellation_is_not_heard_after_it() {
    let cancelled = || Event::ProcessingCancelled { owner: OWNER, version: 1 };
    let over = || playable().into_iter().chain([cancelled()]);
    for late in [made(), Progress::Completed, Progress::Cancelled] {
        given::<Video>(over()).by(Caller::System).when(note(1, late)).then([]);
    }
    let resumed = || Event::ProcessingResumed { version: 1, from_nothing: true };
    given::<Video>(over()).by(Caller::System).when(note(1, Progress::Resumed { from_nothing: true })).then([resumed()]);
    let again = [
        Event::RenditionsAdded { version: 1, renditions: vec![rendition()] },
        Event::BecamePlayable { owner: OWNER, version: 1 },
    ];
    given::<Video>(over().chain([resumed()])).by(Caller::System).when(note(1, made())).then(again);
}

#[test]
fn it_is_ready_once() {
    let ready = Event::Ready { owner: OWNER, version: 1, title: title(), duration_ms: 0 };
    given::<Video>(playable()).by(Caller::System).when(note(1, Progress::Completed)).then([ready.clone()]);
    let done = playable().into_iter().chain([ready]);
    given::<Video>(done).by(Caller::System).when(note(1, Progress::Completed)).then([]);
}

#[test]
fn work_on_an_older_version_counts_no_more() {
    let newer = playable().into_iter().chain([attached(2)]);
    given::<Video>(newer).by(Caller::System).when(note(1, Progress::Completed)).then([]);
    given::<Video>(playable()).by(owner()).when(note(1, Progress::Completed)).rejected(Rejection::NotReprise);
    let gone = [created(), Event::Deleted { owner: OWNER, version: 0, file: None }];
    given::<Video>(gone).by(Caller::System).when(note(1, made())).then([]);
}

#[test]
fn what_cannot_be_played_is_not_published() {
    let publish = || Command::Publish {};
    given::<Video>([created()]).by(owner()).when(publish()).rejected(Rejection::NotPlayable);
    given::<Video>(playable()).when(publish()).rejected(Rejection::NotYours);
    given::<Video>(playable()).by(owner()).when(publish()).then([Event::Published { owner: OWNER }]);
    given::<Video>(playable()).by_admin().when(publish()).then([Event::Published { owner: OWNER }]);
}

#[test]
fn a_publication_comes_when_it_is_due_and_still_wanted() {
    let at = DateTime::from_timestamp(1_800_000_100, 0).expect("a time in range");
    let past = DateTime::from_timestamp(1_700_000_000, 0).expect("a time in range");
    let scheduled = || Event::PublicationScheduled { at };
    given::<Video>(playable()).by(owner()).when(Command::Schedule { at }).then([scheduled()]);
    given::<Video>(playable()).by(owner()).when(Command::Schedule { at: past }).rejected(Rejection::NotInFuture);
    let due = || Command::PublishAsScheduled { at };
    let waiting = || playable().into_iter().chain([scheduled()]);
    given::<Video>(waiting()).by(Caller::System).when(due()).then([Event::Published { owner: OWNER }]);
    let withdrawn = waiting().chain([Event::Unpublished {}]);
    given::<Video>(withdrawn).by(Caller::System).when(due()).then([]);
}

#[test]
fn only_what_changes_is_said() {
    let update = |about| Command::Update { about };
    given::<Video>([created()]).by(owner()).when(update(about("A clip"))).then([]);
    let change = About { tags: Some(vec!["Live ".into()]), visibility: Some(Visibility::Public), ..about("A clip") };
    let kept = About { tags: Some(vec!["live".into()]), ..About::default() };
    given::<Video>([created()]).by(owner()).when(update(change)).then([Event::Updated { about: kept }]);
    let long = About { tags: Some(vec!["x".repeat(31)]), ..About::default() };
    given::<Video>([created()]).by(owner()).when(update(long)).rejected(Rejection::BadTags);
}

#[test]
fn deleting_says_what_is_left_to_do() {
    let deleted = || Event::Deleted { owner: OWNER, version: 1, file: Some(FILE) };
    given::<Video>(playable()).by(owner()).when(Command::Delete {}).then([deleted()]);
    given::<Video>(playable()).when(Command::Delete {}).rejected(Rejection::NotYours);
    let gone = playable().into_iter().chain([deleted()]);
    given::<Video>(gone).by(owner()).when(Command::Delete {}).then([]);
    given::<Video>([]).by(owner()).when(Command::Delete {}).rejected(Rejection::Missing);
}

#[test]
fn only_admins_feature() {
    let feature = || Command::Feature { featured: true };
    given::<Video>([created()]).by(owner()).when(feature()).rejected(Rejection::NotAdmin);
    given::<Video>([created()]).by_admin().when(feature()).then([Event::Featured { featured: true }]);
}

#[test]
fn an_upload_becomes_a_video() {
    let upload = |purpose, video| {
        let upload = Upload {
            upload: FILE,
            purpose,
            length: 9,
            filename: Some(Personal::new("clip.mp4".into())),
            title: None,
            video,
            expires_at: DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range"),
        };
        storage::Event::UploadCompleted { upload, size: 9, sha256: String::new(), mime: "video/mp4".into() }
    };
    let attach = |video, about| ask(video, Command::AttachSource { owner: OWNER, file: FILE, size: 9, about });
    let draft = Uuid::from_u128(50);
    let for_draft = message(OWNER, upload(Purpose::Video, Some(draft)));
    assert_eq!(attach_source_when_uploaded(&for_draft), [attach(draft, None)]);
    let new = attach(of_file(FILE), Some(about("clip.mp4")));
    assert_eq!(attach_source_when_uploaded(&message(OWNER, upload(Purpose::Video, None))), [new]);
    assert_eq!(attach_source_when_uploaded(&message(OWNER, upload(Purpose::Image, None))), []);
}

#[test]
fn a_job_tells_its_video() {
    let (of, version, task) = (SUBJECT, 1, "thumbnail".to_owned());
    let picture = Picture { file: "t.jpg".into(), width: 2, height: 2 };
    let output = Output::Thumbnail { picture };
    let failure = Failure { code: "c".into(), message: "m".into(), retryable: false, tail: None };
    for (event, progress) in [
        (processing::Event::TaskCompleted { of, version, task, output: output.clone() }, Progress::Made(output)),
        (processing::Event::Completed { of, version, made: vec![] }, Progress::Completed),
        (
            processing::Event::Failed { of, version, failure },
            Progress::Failed { code: "c".into(), message: "m".into() },
        ),
        (processing::Event::Cancelled { of, version, run: 1, for_good: false }, Progress::Cancelled),
        (
            processing::Event::Retried { of, version, run: 2, from_nothing: true },
            Progress::Resumed { from_nothing: true },
        ),
    ] {
        assert_eq!(note_what_a_job_made(&message(Uuid::from_u128(60), event)), [ask(of, note(1, progress))]);
    }
}

#[test]
fn a_publication_has_a_timer() {
    let at = DateTime::from_timestamp(1_800_000_100, 0).expect("a time in range");
    let asked = publish_when_scheduled(&message(SUBJECT, Event::PublicationScheduled { at }));
    assert_eq!(asked, [ask(SUBJECT, Command::PublishAsScheduled { at }).at(at)]);
}

#[test]
fn who_waits_for_a_video_hears_how_it_ended() {
    let (version, code, text) = (2, "c".to_owned(), "m".to_owned());
    let also = json!([format!("user:{OWNER}")]);
    let subject = format!("rt.video.{SUBJECT}");
    let said = |event: Event| announcement(&message(SUBJECT, event));
    let ready = Event::Ready { owner: OWNER, version, title: title(), duration_ms: 9 };
    let data = json!({ "videoId": SUBJECT, "version": 2, "durationMs": 9 });
    let expected = json!({ "id": Uuid::from_u128(70), "event": "videoProcessingComplete", "data": data, "also": also });
    assert_eq!(said(ready), Some((subject.clone(), expected)));
    let failed = Event::ProcessingFailed { owner: OWNER, version, title: title(), code, message: text };
    let data = json!({ "videoId": SUBJECT, "version": 2, "code": "c", "message": "m" });
    let expected = json!({ "id": Uuid::from_u128(70), "event": "videoProcessingError", "data": data, "also": also });
    assert_eq!(said(failed), Some((subject, expected)));
    assert_eq!(said(Event::Published { owner: OWNER }), None);
}

#[test]
fn gateways_hear_of_what_is_hidden() {
    let said = |event: Event| announcement(&Message { sequence: Some(Sequence(7)), ..message(SUBJECT, event) });
    let about = |visibility| About { visibility: Some(visibility), ..About::default() };
    let private = Event::Updated { about: about(Visibility::Private) };
    let hidden = [Event::Unpublished {}, Event::Deleted { owner: OWNER, version: 1, file: None }, private];
    for event in hidden {
        let expected = json!({ "of": SUBJECT, "version": 7 });
        assert_eq!(said(event), Some((format!("rt.hidden.{SUBJECT}"), expected)));
    }
    assert_eq!(said(Event::Updated { about: about(Visibility::Unlisted) }), None);
}

#[test]
fn videos_go_with_their_owner() {
    let (video, owner) = (Uuid::from_u128(60), OWNER);
    let kept = keep_library_when_videos_come_and_go(&message(video, created()));
    assert_eq!(kept, [ask(owner, library::Command::Add { video })]);
    let deleted = Event::Deleted { owner, version: 1, file: None };
    let kept = keep_library_when_videos_come_and_go(&message(video, deleted));
    assert_eq!(kept, [ask(owner, library::Command::Remove { video })]);
    let erased = erase_library_when_user_erased(&message(owner, user::Event::Erased {}));
    assert_eq!(erased, [ask(owner, library::Command::Erase {})]);
    let gone = delete_videos_when_library_erased(&message(owner, library::Event::Erased { videos: vec![video] }));
    assert_eq!(gone, [ask(video, Command::Delete {})]);
}
