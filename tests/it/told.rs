//! A video is ready, and its owner hears of it once on every way there is: in the inbox, by mail over SMTP, by push, and on
//! an open socket. What a mail server refuses or cannot take now is refused, or taken later.

use crate::notifications::{delivery, told};
use crate::support::films::clip;
use crate::support::mail_server::{Accepted, MailServer};
use crate::support::outside::Listener;
use crate::support::person::{registration, unused_name};
use crate::support::platform::Setup;
use crate::support::sockets::Sockets;
use crate::support::{Person, Platform, eventually, patiently};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

/// With mails and pushes going to servers of the test.
async fn platform(mails: &MailServer) -> Platform {
    let setup = mails.known_to(Setup::default());
    setup.variable("REPRISE_PUSH_SERVICES", "127.0.0.1").start().await
}

async fn subscribed(platform: &Platform, person: &Person, pushes: &Listener) {
    platform.post("/api/notifications/subscriptions").by(person).json(pushes.browser()).send().await.expect(201);
}

const READY: &str = "Your video is ready";

/// Two forms, an id that repetitions share, and a way to end such mails.
fn is_as_it_should_be(accepted: &Accepted, delivery: &Value) {
    assert_eq!((accepted.user.as_str(), accepted.secure), ("reprise", true));
    let mail = accepted.read();
    let id = delivery["id"].as_str().expect("an id");
    assert_eq!(mail.message_id(), Some(format!("{id}@localhost").as_str()));
    let header = |name: &'static str| mail.header_raw(name).unwrap_or_default().trim().to_owned();
    assert_eq!(header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    let unsubscribe = header("List-Unsubscribe");
    assert!(unsubscribe.starts_with("<http://") && unsubscribe.ends_with('>'), "{unsubscribe}");
    assert!(header("Content-Type").starts_with("multipart/alternative"), "{mail:?}");
    assert_eq!((mail.text_body_count(), mail.html_body_count()), (1, 1));
    let (plain, html) = (mail.body_text(0).expect("plain text"), mail.body_html(0).expect("HTML"));
    assert!(plain.contains("Lighthouse") && !plain.contains("<p"), "{plain}");
    assert!(html.contains("Lighthouse") && html.contains("<p"), "{html}");
}

/// In a browser where nobody is signed in, although nobody else may see the video yet.
async fn its_link_leads_to_the_video(platform: &Platform, accepted: &Accepted) {
    let mail = accepted.read();
    let plain = mail.body_text(0).expect("plain text");
    let site = platform.url.replace("127.0.0.1", "localhost");
    let mut links = plain.split_whitespace().filter_map(|word| word.strip_prefix(site.as_str()));
    let link = links.find(|link| link.starts_with("/watch/")).expect("a link to the video");
    let page = platform.get(link).send().await.expect(200);
    assert!(page.text.contains("Lighthouse"), "{page:?}");
    let (path, query) = link.split_once('?').expect("a permission");
    let id = path.trim_start_matches("/watch/");
    let master = format!("/api/storage/videos/{id}/hls/master.m3u8");
    platform.get(&format!("{master}?{query}")).send().await.expect(200);
    platform.get(&master).send().await.problem(404, "video_missing");
    let bare = platform.get(path).send().await.expect(404);
    let altered = platform.get(&link.replace("signature=", "signature=A")).send().await.expect(404);
    assert!(bare.text.contains("no video at this address"), "{bare:?}");
    assert!(altered.text.contains("leads nowhere any more"), "{altered:?}");
}

#[tokio::test]
async fn a_ready_video_is_told_once_on_every_way() {
    let (mails, pushes) = (MailServer::start().await, Listener::start().await);
    let platform = platform(&mails).await;
    let sockets = Sockets::start();
    let (admin, ada) = (platform.admin().await, platform.somebody_with_profile().await);
    subscribed(&platform, &ada, &pushes).await;
    let socket = sockets.of(&platform.url, &ada).await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "320x180", 2)).expect("the clip");
    platform.uploaded(&ada, &source, "Lighthouse").await;
    platform.video_in(&ada, &["ready"]).await;
    let said = socket.event("notification").await;
    assert_eq!((&said["kind"], &said["title"]), (&json!("video_ready"), &json!("Your video is ready")));
    let mail = eventually("the mail is there", async || mails.about(&ada.email, READY).pop()).await;
    // the page shows the delivery in its own time
    platform.settle().await;
    let path = format!("/api/notifications/deliveries?user_id={}&channel=email", ada.id);
    let sent = platform.get(&path).by(&admin).send().await.expect(200).body["items"][0].clone();
    is_as_it_should_be(&mail, &sent);
    its_link_leads_to_the_video(&platform, &mail).await;
    eventually("the push is there", async || pushes.taken().pop()).await;
    assert_eq!(mails.about(&ada.email, READY).len(), 1, "one mail");
    let all = pushes.taken();
    assert_eq!(all.len(), 1, "one push");
    for header in ["content-encoding: aes128gcm", "authorization: vapid t=", "ttl: ", "topic: "] {
        assert!(all[0].to_lowercase().contains(header), "{header} is not in {}", all[0]);
    }
    assert_eq!(socket.events("notification").len(), 1, "one message");
    let inbox = platform.get("/api/notifications").by(&ada).send().await.expect(200).body;
    assert_eq!((inbox["items"].as_array().map(Vec::len), &inbox["unread"]), (Some(1), &json!(1)), "{inbox}");
    assert_eq!(inbox["items"][0]["id"], said["id"]);
    platform.check().await;

    // a browser that is gone is not spoken to again
    pushes.answer_with("410 Gone");
    let tell = |title: &str| {
        let body = json!({ "user_id": ada.id, "title": title, "text": "Hello.", "category": "activity" });
        platform.post("/api/notifications/push").by(&admin).json(body).send()
    };
    tell("One").await.expect(200);
    eventually("the subscription is over", async || {
        let all = platform.get("/api/notifications/subscriptions").by(&ada).send().await.expect(200).body;
        (all["items"] == json!([])).then_some(())
    })
    .await;
    tell("Two").await.expect(200);
    platform.settle().await;
    assert_eq!(pushes.taken().len(), 2, "it was not asked a third time");
}

/// The mail server refuses an address, and is away for a while.
#[tokio::test]
async fn mails_reach_whom_they_can_reach() {
    let mut mails = MailServer::start().await;
    let platform = platform(&mails).await;
    let (admin, ada) = (platform.admin().await, platform.somebody_with_profile().await);
    a_connection_serves_again(&platform, &admin, &ada, &mails).await;
    an_address_that_is_none_is_left_alone(&platform, &admin, &mails).await;
    a_server_that_was_away_gets_it_later(&platform, &admin, &ada, &mut mails).await;
    platform.check().await;
}

fn message(person: &Person, title: &str) -> Value {
    json!({ "user_id": person.id, "title": title, "text": "The stage is yours.", "category": "transactional" })
}

async fn a_connection_serves_again(platform: &Platform, admin: &Person, ada: &Person, mails: &MailServer) {
    let mut connections = HashSet::new();
    let titles = ["First call", "Second call", "Third call", "Fourth call", "Fifth call"];
    for title in titles {
        told(platform, admin, message(ada, title)).await;
        let mail = eventually("the mail is there", async || mails.about(&ada.email, title).pop()).await;
        connections.insert(mail.connection);
        // the server has the mail before its sender hears so and puts the connection back
        platform.settle().await;
    }
    assert!(connections.len() < titles.len() - 1, "a connection for each mail: {connections:?}");
}

async fn an_address_that_is_none_is_left_alone(platform: &Platform, admin: &Person, mails: &MailServer) {
    let nobody = platform.post("/api/auth/register").json(registration(&unused_name("nobody"))).send().await;
    let nobody = Person::signed_in(&nobody.expect(201));
    platform.profile_of(&nobody).await;
    told(platform, admin, message(&nobody, "Are you there?")).await;
    let bounced = delivery(platform, admin, &nobody, "bounced").await;
    assert_eq!(bounced["attempts"], 1, "{bounced}");
    let wishes = platform.get("/api/notifications/preferences").by(&nobody).send().await.expect(200).body;
    assert_eq!(wishes["suppressed"], json!({ "email": "bounced" }));
    told(platform, admin, message(&nobody, "And now?")).await;
    let held = delivery(platform, admin, &nobody, "suppressed").await;
    assert_eq!((&held["reason"], &held["attempts"]), (&json!("bounced"), &json!(0)));
    assert!(mails.mails(&nobody.email).is_empty());
}

async fn a_server_that_was_away_gets_it_later(
    platform: &Platform,
    admin: &Person,
    ada: &Person,
    mails: &mut MailServer,
) {
    // the connections that are kept for the next mail must not be what the next mail is lost with
    mails.stop();
    told(platform, admin, message(ada, "When the lights are on again")).await;
    let waits = delivery(platform, admin, ada, "retrying").await;
    assert_eq!((&waits["reason"], &waits["attempts"]), (&json!("no answer"), &json!(1)));
    mails.start_again().await;
    let arrived = async || mails.about(&ada.email, "When the lights are on again").pop();
    let mail = patiently("the mail is there", Duration::from_secs(120), arrived).await;
    let sent = delivery(platform, admin, ada, "sent").await;
    assert_eq!(sent["id"], waits["id"]);
    let id = sent["id"].as_str().expect("an id");
    assert_eq!(mail.read().message_id(), Some(format!("{id}@localhost").as_str()));
    platform.settle().await;
    assert_eq!(mails.about(&ada.email, "When the lights are on again").len(), 1);
}
