//! An event becomes a mail: as a file, and in a real conversation with an SMTP server.

use chrono::{DateTime, TimeDelta, Utc};
use events::identity::{session, user};
use events::notification::inbox::{self, Attempt, Category, Channel, Command, Delivery, Item, What};
use events::{AuthType, Event, Message, Personal, Source, Spec};
use kernel::{Done, Fault};
use notification::{
    Address, AddressOf, Admins, Mailer, Mint, Permit, Push, PushKey, PushServices, UnsubscribeAt, WasSent, Ways,
    service,
};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use uuid::Uuid;

const SITE: &str = "https://reprise.example";
/// A delivery that went out before.
const SENT: Uuid = Uuid::from_u128(99);

fn event(body: impl Into<Event>) -> Message<Event> {
    Message {
        specversion: Spec::V1,
        id: Uuid::now_v7(),
        source: Source::new("/services/identity"),
        subject: Uuid::from_u128(7),
        time: Utc::now(),
        correlationid: Uuid::from_u128(1),
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

fn registered(email: Option<&str>) -> user::Event {
    let (username, credential) = (Some(Personal::new("ada".to_owned())), Uuid::from_u128(5));
    user::Event::Registered {
        username,
        email: email.map(|email| Personal::new(email.to_owned())),
        name: None,
        credential,
        roles: vec![],
        bootstrap: None,
        locale: None,
    }
}

fn soon() -> DateTime<Utc> {
    Utc::now() + TimeDelta::hours(1)
}

fn lives_at(address: Address) -> AddressOf {
    Arc::new(move |_| {
        let address = address.clone();
        Box::pin(async move { Ok(address) })
    })
}

fn known(email: &str, name: &str) -> AddressOf {
    lives_at(Address::Known { email: email.into(), name: Some(name.into()), handle: Some("ada".into()) })
}

fn ada() -> AddressOf {
    known("ada@example.org", "Ada <b> Lovelace")
}

fn mint() -> Mint {
    Arc::new(|question| Box::pin(async move { Ok(format!("token-for-{}", question.event)) }))
}

async fn work(mailer: Mailer, address: AddressOf, event: &Message<Event>) -> Done {
    do_as("mail_the_person", mailer, address, event).await
}

async fn do_as(worker: &str, mailer: Mailer, address_of: AddressOf, event: &Message<Event>) -> Done {
    let unsubscribe_at: UnsubscribeAt =
        Arc::new(|_, category| Box::pin(async move { Ok(format!("{SITE}/unsubscribe/{}", category.word())) }));
    let permit: Permit = Arc::new(|_, until| Box::pin(async move { Ok(format!("until={}", until.timestamp())) }));
    let push_key: PushKey = Arc::new(|| Box::pin(async { anyhow::bail!("no pushes in these tests") }));
    let push = Push::new(push_key, SITE, PushServices::default()).expect("a contact");
    let was_sent: WasSent = Arc::new(|delivery| Box::pin(async move { Ok(delivery == SENT) }));
    let ways = Ways { mailer: Arc::new(mailer), address_of, unsubscribe_at, permit, push, sms: None, was_sent };
    let nobody: Admins = Arc::new(|| Box::pin(async { Ok(vec![]) }));
    let service = service(mint(), ways, Arc::new(|_, _| {}), nobody);
    let (_, worker) = service.workers.iter().find(|(name, _)| *name == worker).expect("there is such a worker");
    worker(event.clone()).await
}

/// The one mail in a folder, soft line breaks undone.
fn only_mail(folder: &Path) -> String {
    let files: Vec<_> = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let raw = fs::read_to_string(&files[0]).expect("a mail is ASCII");
    raw.replace("=\r\n", "").replace("=3D", "=")
}

#[tokio::test]
async fn a_verification_mail_is_a_file_named_after_its_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let event = event(user::Event::EmailVerificationRequested { expires_at: soon() });
    for _ in 0..2 {
        let mailer = Mailer::folder(folder.path(), None, SITE).expect("a mailer");
        assert!(work(mailer, ada(), &event).await.is_ok_and(|asks| asks.is_empty()));
    }
    assert!(folder.path().join(format!("{}.eml", event.id)).exists());
    let mail = only_mail(folder.path());
    let has = |text: &str| assert!(mail.contains(text), "{text:?} is not in\n{mail}");
    has(&format!("Message-ID: <{}@reprise.example>", event.id));
    has("Subject: Confirm your e-mail address");
    has("ada@example.org");
    has(&format!("{SITE}/verify-email?token=token-for-{}", event.id));
    has("Hello Ada <b> Lovelace");
    has("Hello Ada &lt;b&gt; Lovelace");
    has("text/plain");
    has("text/html");
}

#[tokio::test]
async fn every_occasion_has_its_mail() {
    let occasions: [(Event, &str); 4] = [
        (user::Event::PasswordResetRequested { expires_at: soon() }.into(), "Set a new password"),
        (user::Event::PasswordChanged { how: user::PasswordChange::Known }.into(), "Your password was changed"),
        (session::Event::ReuseDetected { user: Uuid::from_u128(7) }.into(), "We signed one of your devices out"),
        (registered(Some("ada@example.org")).into(), "Welcome to Reprise"),
    ];
    for (body, subject) in occasions {
        let folder = tempfile::tempdir().expect("a folder");
        let mailer = Mailer::folder(folder.path(), None, SITE).expect("a mailer");
        assert!(work(mailer, ada(), &event(body)).await.is_ok());
        assert!(only_mail(folder.path()).contains(&format!("Subject: {subject}")), "{subject}");
    }
}

#[tokio::test]
async fn nobody_is_written_to_in_vain() {
    let folder = tempfile::tempdir().expect("a folder");
    let mailer = || Mailer::folder(folder.path(), None, SITE).expect("a mailer");
    let late = event(user::Event::PasswordResetRequested { expires_at: Utc::now() - TimeDelta::seconds(1) });
    assert!(work(mailer(), ada(), &late).await.is_ok());
    let verify = event(user::Event::EmailVerificationRequested { expires_at: soon() });
    assert!(work(mailer(), lives_at(Address::Nowhere), &verify).await.is_ok());
    assert!(matches!(work(mailer(), lives_at(Address::NotYet), &verify).await, Err(Fault::Retry(_))));
    let unreachable = event(registered(None));
    assert!(work(mailer(), lives_at(Address::NotYet), &unreachable).await.is_ok(), "is not even looked for");
    let old = Message { time: Utc::now() - TimeDelta::hours(1), ..verify };
    assert!(work(mailer(), lives_at(Address::NotYet), &old).await.is_ok());
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[tokio::test]
async fn no_name_or_address_can_add_a_header() {
    for (email, name) in [
        ("ada@example.org", "Ada\r\nBcc: eve@example.org"),
        ("ada@example.org\r\nBcc: eve@example.org", "Ada"),
        ("ada@example.org>, <eve@example.org", "Ada"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mailer = Mailer::folder(folder.path(), None, SITE).expect("a mailer");
        let address = known(email, name);
        let done =
            work(mailer, address, &event(user::Event::PasswordChanged { how: user::PasswordChange::Reset })).await;
        match done {
            Ok(_) => assert!(!only_mail(folder.path()).contains("\nBcc")),
            Err(Fault::Reject(why)) => assert!(!format!("{why:#}").contains("example.org"), "{why:#}"),
            Err(Fault::Retry(why)) => panic!("it will never work: {why:#}"),
        }
    }
}

/// A mail server of its own: answers as told, remembers what clients say.
async fn mail_server(answer_to_rcpt: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    let heard = Arc::new(Mutex::new(vec![]));
    let lines = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (reader, mut writer) = stream.into_split();
            let mut reader = BufReader::new(reader).lines();
            let _ = writer.write_all(b"220 test\r\n").await;
            let mut in_data = false;
            while let Ok(Some(line)) = reader.next_line().await {
                let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                    "." if in_data => Some("250 taken"),
                    _ if in_data => None,
                    "EHLO" => Some("250-test\r\n250 8BITMIME"),
                    "RCPT" => Some(answer_to_rcpt),
                    "DATA" => Some("354 go on"),
                    "QUIT" => Some("221 bye"),
                    _ => Some("250 ok"),
                };
                in_data = answer == Some("354 go on") || (in_data && answer.is_none());
                lines.lock().expect("nobody panics here").push(line);
                if let Some(answer) = answer {
                    let _ = writer.write_all(format!("{answer}\r\n").as_bytes()).await;
                }
            }
        }
    });
    (url, heard)
}

#[tokio::test]
async fn a_mail_server_gets_the_mail() {
    let (url, heard) = mail_server("250 ok").await;
    let mailer = Mailer::smtp(&url, Some("Reprise <mail@reprise.example>"), SITE).expect("a mailer");
    let event = event(user::Event::PasswordResetRequested { expires_at: soon() });
    assert!(work(mailer, ada(), &event).await.is_ok());
    let heard = heard.lock().expect("nobody panics here").join("\n");
    for text in ["MAIL FROM:<mail@reprise.example>", "RCPT TO:<ada@example.org>", "Subject: Set a new password"] {
        assert!(heard.contains(text), "{text:?} is not in\n{heard}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_for_good_is_believed_and_not_quoted() {
    let event = event(user::Event::PasswordChanged { how: user::PasswordChange::Known });
    let (url, _) = mail_server("550 5.1.1 <ada@example.org> unknown").await;
    let never = work(Mailer::smtp(&url, None, SITE).expect("a mailer"), ada(), &event).await;
    assert!(matches!(&never, Err(Fault::Reject(why)) if !format!("{why:?}").contains("ada@")), "{never:?}");
    let (url, _) = mail_server("451 4.7.1 <ada@example.org> try later").await;
    let later = work(Mailer::smtp(&url, None, SITE).expect("a mailer"), ada(), &event).await;
    assert!(matches!(&later, Err(Fault::Retry(why)) if !format!("{why:?}").contains("ada@")), "{later:?}");
    let gone = Mailer::smtp("smtp://127.0.0.1:1", None, SITE).expect("a mailer");
    assert!(matches!(work(gone, ada(), &event).await, Err(Fault::Retry(_))));
}

fn queued(category: Category, whats: Vec<What>) -> Message<Event> {
    let item = |what| Item { notice: Uuid::now_v7(), at: Utc::now(), what };
    let items = whats.into_iter().map(item).collect();
    let delivery = Uuid::from_u128(0xde);
    let queued = Delivery { delivery, channel: Channel::Email, category, attempt: 2, to: None, items };
    event(inbox::Event::DeliveryQueued(queued))
}

fn ready() -> What {
    What::VideoReady { video: Uuid::from_u128(9), title: Personal::new("Salt & <b>".to_owned()) }
}

/// What the worker reports of the one delivery.
fn reported(done: &Done) -> &Attempt {
    let asks = done.as_ref().expect("an answer");
    match &asks[0].command {
        events::Command::Inbox(Command::Report { attempt: 2, result, .. }) if asks.len() == 1 => result,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_went_out_does_not_go_out_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut event = queued(Category::Activity, vec![ready()]);
    let Event::Inbox(inbox::Event::DeliveryQueued(delivery)) = &mut event.body else { unreachable!("it is queued") };
    delivery.delivery = SENT;
    let mailer = Mailer::folder(folder.path(), None, SITE).expect("a mailer");
    let done = do_as("deliver", mailer, ada(), &event).await;
    assert_eq!(done.expect("nothing to do"), []);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_delivery_is_a_mail_that_can_be_ended_with_one_click() {
    let folder = tempfile::tempdir().expect("a folder");
    let event = queued(Category::Activity, vec![ready()]);
    for _ in 0..2 {
        let mailer = Mailer::folder(folder.path(), None, SITE).expect("a mailer");
        let done = do_as("deliver", mailer, ada(), &event).await;
        assert_eq!(*reported(&done), Attempt::Sent { provider_id: None });
    }
    let mail = only_mail(folder.path());
    let has = |text: &str| assert!(mail.contains(text), "{text:?} is not in\n{mail}");
    has(&format!("Message-ID: <{}@reprise.example>", Uuid::from_u128(0xde)));
    has("Subject: Your video is ready");
    has(&format!("List-Unsubscribe: <{SITE}/unsubscribe/activity>"));
    has("List-Unsubscribe-Post: List-Unsubscribe=One-Click");
    has("Salt & <b>");
    has("Salt &amp; &lt;b&gt;");
    let week = event.time.timestamp() + 7 * 24 * 3600;
    has(&format!("{SITE}/watch/{}?until={week}", Uuid::from_u128(9)));
}

#[tokio::test]
async fn what_cannot_be_switched_off_has_no_such_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |text: &str| Personal::new(text.to_owned());
    let what = What::Message {
        title: text("The stage is yours"),
        text: text("On Friday."),
        html: Some(text("<p>On <b>Friday</b>.</p>")),
        link: None,
        template: None,
    };
    let mailer = Mailer::folder(folder.path(), None, SITE).expect("a mailer");
    do_as("deliver", mailer, ada(), &queued(Category::Transactional, vec![what])).await.expect("sent");
    let mail = only_mail(folder.path());
    assert!(!mail.contains("List-Unsubscribe"), "{mail}");
    assert!(mail.contains("<p>On <b>Friday</b>.</p>") && mail.contains("On Friday."), "{mail}");
}

#[tokio::test]
async fn a_digest_is_one_mail() {
    let folder = tempfile::tempdir().expect("a folder");
    let failed = What::VideoFailed {
        video: Uuid::from_u128(8),
        title: Personal::new("Dunes".to_owned()),
        message: "it has no picture".to_owned(),
    };
    let mailer = Mailer::folder(folder.path(), None, SITE).expect("a mailer");
    do_as("deliver", mailer, ada(), &queued(Category::Activity, vec![ready(), failed])).await.expect("sent");
    let mail = only_mail(folder.path());
    for text in ["Subject: 2 things that happened at Reprise", "Salt &amp;", "Dunes", "it has no picture"] {
        assert!(mail.contains(text), "{text:?} is not in\n{mail}");
    }
}

#[tokio::test]
async fn what_a_server_says_of_a_delivery_is_reported() {
    for (answer, wanted) in [
        ("550 5.1.1 <ada@example.org> unknown", Attempt::Gone { error: "SMTP 550".into() }),
        ("550 there is nobody", Attempt::Gone { error: "SMTP 550".into() }),
        ("553 5.7.1 we do not send for <mail@reprise.example>", Attempt::Never { error: "SMTP 553".into() }),
        ("554 5.7.1 no", Attempt::Never { error: "SMTP 554".into() }),
        ("530 5.7.0 log in first", Attempt::NotNow { error: "SMTP 530".into(), rest_s: None }),
        ("451 4.7.1 <ada@example.org> later", Attempt::NotNow { error: "SMTP 451".into(), rest_s: None }),
    ] {
        let (url, _) = mail_server(answer).await;
        let mailer = Mailer::smtp(&url, None, SITE).expect("a mailer");
        let done = do_as("deliver", mailer, ada(), &queued(Category::Activity, vec![ready()])).await;
        assert_eq!(*reported(&done), wanted);
    }
    let erased = What::VideoReady { video: Uuid::from_u128(9), title: Personal::Erased };
    let mailer = Mailer::smtp("smtp://127.0.0.1:1", None, SITE).expect("a mailer");
    let done = do_as("deliver", mailer, ada(), &queued(Category::Activity, vec![erased])).await;
    assert_eq!(*reported(&done), Attempt::Never { error: "nothing of it is left".into() });
}

#[tokio::test]
async fn settings_that_cannot_be_are_named() {
    let of = |result: anyhow::Result<Mailer>| result.err().expect("refused").to_string();
    assert!(of(Mailer::smtp("ftp://x", None, SITE)).contains("REPRISE_SMTP_URL"));
    assert!(of(Mailer::smtp("smtp://localhost", Some("nobody"), SITE)).contains("REPRISE_MAIL_FROM"));
    assert!(of(Mailer::smtp("smtp://localhost", None, "nonsense")).contains("REPRISE_PUBLIC_URL"));
}
