//! A video is ready, and its owner hears of it once on every way there is: in the inbox, by mail over SMTP, by push, and on
//! an open socket.

use crate::support::films::clip;
use crate::support::outside::{MailServer, PushService};
use crate::support::platform::Setup;
use crate::support::sockets::Sockets;
use crate::support::{Person, Platform, eventually};
use serde_json::json;

/// With mails and pushes going to servers of the test.
async fn platform(mails: &MailServer) -> Platform {
    let setup = Setup::default().variable("REPRISE_SMTP_URL", &mails.url);
    setup.variable("REPRISE_PUSH_SERVICES", "127.0.0.1").start().await
}

async fn subscribed(platform: &Platform, person: &Person, pushes: &PushService) {
    let browser = json!({
        "endpoint": format!("{}/one", pushes.url),
        // the example of RFC 8291
        "keys": {
            "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth": "BTBZMqHH6r4Tts7J_aSIgg",
        },
    });
    platform.post("/api/notifications/subscriptions").by(person).json(browser).send().await.expect(201);
}

#[tokio::test]
async fn a_ready_video_is_told_once_on_every_way() {
    let (mails, pushes) = (MailServer::start().await, PushService::start().await);
    let platform = platform(&mails).await;
    let sockets = Sockets::start();
    let ada = platform.somebody_with_profile().await;
    subscribed(&platform, &ada, &pushes).await;
    let socket = sockets.of(&platform.url, &ada).await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "320x180", 2)).expect("the clip");
    platform.uploaded(&ada, &source, "Lighthouse").await;
    platform.video_in(&ada, &["ready"]).await;
    let said = socket.event("notification").await;
    assert_eq!((&said["kind"], &said["title"]), (&json!("video_ready"), &json!("Your video is ready")));
    eventually("the mail is there", async || mails.about("Your video is ready").pop()).await;
    eventually("the push is there", async || pushes.taken().pop()).await;
    platform.settle().await;
    assert_eq!(mails.about("Your video is ready").len(), 1, "one mail");
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
    let admin = platform.admin().await;
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
