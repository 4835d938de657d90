//! What people are told: in their inbox, by mail as they want it, and what becomes of it all.

use crate::support::{Answer, Person, Platform, eventually};
use serde_json::{Value, json};

/// One platform, one person who is told things, one admin who tells them.
#[tokio::test]
async fn what_people_are_told() {
    let platform = Platform::start().await;
    let admin = platform.admin().await;
    let person = platform.somebody_with_profile().await;
    it_is_in_the_inbox_and_in_a_mail(&platform, &admin, &person).await;
    mails_can_be_looked_at(&platform).await;
    it_is_told_once(&platform, &admin, &person).await;
    wishes_are_kept(&platform, &admin, &person).await;
    one_click_ends_mails(&platform, &admin, &person).await;
    what_comes_back_is_not_sent_again(&platform, &admin, &person).await;
    templates_are_filled(&platform, &admin, &person).await;
    admins_hear_of_letters(&platform, &admin).await;
    browsers_are_kept(&platform, &person).await;
    nobody_else_may(&platform, &person).await;
    nothing_is_left_of_the_forgotten(&platform, &admin, &person).await;
    platform.settle().await;
    platform.check().await;
}

fn message(person: &Person, title: &str, category: &str) -> Value {
    json!({ "user_id": person.id, "title": title, "text": "The stage is yours.", "category": category, "link": "/docs" })
}

/// An admin tells somebody something.
pub async fn told(platform: &Platform, admin: &Person, body: Value) -> Answer {
    platform.post("/api/notifications/send").by(admin).json(body).send().await.expect(200)
}

async fn inbox(platform: &Platform, person: &Person, after: &Answer) -> Value {
    platform.get("/api/notifications").by(person).after(after).send().await.expect(200).body
}

/// The newest delivery to a person, as soon as it is in this state.
pub async fn delivery(platform: &Platform, admin: &Person, person: &Person, state: &str) -> Value {
    let path = format!("/api/notifications/deliveries?user_id={}&limit=1", person.id);
    eventually(&format!("a delivery is {state}"), async || {
        let page = platform.get(&path).by(admin).send().await.expect(200).body;
        let newest = page["items"].get(0)?.clone();
        (newest["state"] == state).then_some(newest)
    })
    .await
}

async fn it_is_in_the_inbox_and_in_a_mail(platform: &Platform, admin: &Person, person: &Person) {
    let answer = told(platform, admin, message(person, "Soundcheck at six", "activity")).await;
    let page = inbox(platform, person, &answer).await;
    assert_eq!(page["unread"], 1, "{page}");
    let notice = &page["items"][0];
    assert_eq!(notice["title"], "Soundcheck at six");
    assert_eq!(notice["id"], answer.body["id"]);
    let mail = platform.mail(&person.email, "Soundcheck at six").await;
    assert!(mail.text.contains("/docs") && mail.text.contains("List-Unsubscribe-Post"), "{}", mail.text);
    let sent = delivery(platform, admin, person, "sent").await;
    assert_eq!((&sent["channel"], &sent["attempts"]), (&json!("email"), &json!(1)));
    assert!(mail.text.contains(sent["id"].as_str().expect("an id")), "the mail is called after its delivery");
    let seen = platform.post("/api/notifications/read").by(person).json(json!({ "ids": [notice["id"]] })).send().await;
    let count = platform.get("/api/notifications/unread-count").by(person).after(&seen.expect(200)).send().await;
    assert_eq!(count.expect(200).body["unread"], 0);
}

async fn mails_can_be_looked_at(platform: &Platform) {
    let page = platform.get("/dev/mail").send().await.expect(200).text;
    let line = page.lines().find(|line| line.contains("Soundcheck at six")).expect("the mail is listed");
    let path = line.split('"').nth(1).expect("a link").to_owned();
    let mail = platform.get(&path).send().await.expect(200);
    assert!(mail.text.contains("The stage is yours."), "{}", mail.text);
    assert!(mail.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
    // a page elsewhere reaches this machine under its own name only
    platform.get("/dev/mail").header("host", "evil.example").send().await.problem(404, "not_found");
    platform.get(&path).header("x-forwarded-for", "192.0.2.1").send().await.problem(404, "not_found");
    platform.get("/dev/mail/nonsense").send().await.problem(400, "id_invalid");
}

async fn it_is_told_once(platform: &Platform, admin: &Person, person: &Person) {
    let mut body = message(person, "Only once", "activity");
    body["key"] = json!("booking 7");
    let first = told(platform, admin, body.clone()).await;
    let again = told(platform, admin, body).await;
    assert_eq!(first.body["id"], again.body["id"]);
    platform.mail(&person.email, "Only once").await;
    platform.settle().await;
    assert_eq!(platform.mails(&person.email, "Only once").len(), 1);
}

async fn wishes_are_kept(platform: &Platform, admin: &Person, person: &Person) {
    let want = |body: Value| platform.put("/api/notifications/preferences").by(person).json(body).send();
    want(json!({ "zone": "Europe/Atlantis" })).await.problem(422, "zone_unknown");
    want(json!({ "phone": "0660" })).await.problem(422, "phone_invalid");
    want(json!({ "channels": { "activity": { "pigeon": true } } })).await.refused(422);
    // quiet all day but for a second
    let quiet = json!({ "quiet": { "from": "00:00:01", "to": "00:00:00" }, "zone": "Europe/Vienna" });
    let answer = want(quiet.clone()).await.expect(200);
    let said = platform.get("/api/notifications/preferences").by(person).after(&answer).send().await.expect(200);
    assert_eq!(said.body["quiet"], quiet["quiet"]);
    told(platform, admin, message(person, "It can wait", "activity")).await;
    let waits = delivery(platform, admin, person, "deferred").await;
    assert_eq!(waits["reason"], "quiet_hours");
    told(platform, admin, message(person, "It cannot wait", "security")).await;
    platform.mail(&person.email, "It cannot wait").await;
    assert!(platform.mails(&person.email, "It can wait").is_empty());
    want(json!({})).await.expect(200);
}

async fn one_click_ends_mails(platform: &Platform, admin: &Person, person: &Person) {
    let mail = platform.mail(&person.email, "Soundcheck at six").await;
    let at = mail.text.find("/api/notifications/unsubscribe/").expect("a link");
    let link: String = mail.text[at..].chars().take_while(|c| !c.is_whitespace() && !"<>\"".contains(*c)).collect();
    platform.get(&link).send().await.expect(200);
    told(platform, admin, message(person, "After a look", "activity")).await;
    platform.mail(&person.email, "After a look").await;
    let click = platform.post(&link).body("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click");
    click.send().await.expect(200);
    told(platform, admin, message(person, "After a click", "activity")).await;
    let held = delivery(platform, admin, person, "suppressed").await;
    assert_eq!(held["reason"], "switched_off");
    told(platform, admin, message(person, "What was asked for", "transactional")).await;
    platform.mail(&person.email, "What was asked for").await;
    assert!(platform.mails(&person.email, "After a click").is_empty());
    let forged = format!("{}A", &link[..link.len() - 1]);
    let forged = if forged == link { format!("{}B", &link[..link.len() - 1]) } else { forged };
    platform.post(&forged).send().await.problem(404, "unsubscribe_token_invalid");
    platform.get("/api/notifications/unsubscribe/x").send().await.problem(404, "unsubscribe_token_invalid");
}

async fn what_comes_back_is_not_sent_again(platform: &Platform, admin: &Person, person: &Person) {
    told(platform, admin, message(person, "Into the void", "transactional")).await;
    let sent = delivery(platform, admin, person, "sent").await;
    let receipt = format!("/api/notifications/deliveries/{}/receipt", sent["id"].as_str().expect("an id"));
    let bounced = || platform.post(&receipt).json(json!({ "receipt": "bounced" }));
    bounced().by(person).send().await.problem(403, "admin_required");
    let answer = bounced().by(admin).send().await.expect(200);
    let said = platform.get("/api/notifications/preferences").by(person).after(&answer).send().await.expect(200);
    assert_eq!(said.body["suppressed"], json!({ "email": "bounced" }));
    told(platform, admin, message(person, "Into the void again", "transactional")).await;
    assert_eq!(delivery(platform, admin, person, "suppressed").await["reason"], "bounced");
    let lift = format!("/api/notifications/suppressions/{}", person.id);
    platform.delete(&lift).by(admin).send().await.expect(200);
    told(platform, admin, message(person, "It arrives again", "transactional")).await;
    platform.mail(&person.email, "It arrives again").await;
}

async fn templates_are_filled(platform: &Platform, admin: &Person, person: &Person) {
    let locale = json!({ "locale": "de-AT" });
    let wished = platform.put("/api/notifications/preferences").by(person).json(locale).send().await.expect(200);
    let confirm = |data: Value| {
        let body = json!({ "user_id": person.id, "data": data });
        platform.post("/api/notifications/appointment-confirmation").by(admin).after(&wished).json(body).send()
    };
    confirm(json!({ "title": "Anprobe" })).await.refused(422);
    confirm(json!({ "title": "Anprobe", "starts_at": "Montag, 9:00" })).await.expect(200);
    platform.mail(&person.email, "Ihr Termin: Anprobe, Montag, 9:00").await;
    let both = json!({ "user_id": person.id, "text": "Hello", "template": "appointment_confirmation" });
    let tell = |body: Value| platform.post("/api/notifications/send").by(admin).json(body).send();
    tell(both).await.problem(422, "field_unexpected");
    tell(json!({ "user_id": person.id })).await.problem(422, "field_required");
    let data = json!({ "data": { "title": "Trial", "starts_at": "now" } });
    let test = platform.post("/api/notifications/templates/appointment_confirmation/test").by(admin);
    test.json(data).send().await.expect(200);
    platform.mail(&admin.email, "Your appointment: Trial, now").await;
}

async fn admins_hear_of_letters(platform: &Platform, admin: &Person) {
    let form =
        json!({ "name": "Eve", "email": "eve@example.org", "subject": "Bridges", "message": "Do you build them?" });
    platform.post("/api/contact").json(form).send().await.expect(201);
    let mail = platform.mail(&admin.email, "Somebody wrote with the contact form").await;
    assert!(!mail.text.contains("Bridges"), "what was written stays where it can be erased: {}", mail.text);
}

async fn browsers_are_kept(platform: &Platform, person: &Person) {
    let browser = json!({
        "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/abc",
        "expirationTime": null,
        "keys": {
            "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth": "BTBZMqHH6r4Tts7J_aSIgg",
        },
    });
    let path = "/api/notifications/subscriptions";
    let answer = platform.post(path).by(person).json(browser.clone()).send().await.expect(201);
    let all = platform.get(path).by(person).after(&answer).send().await.expect(200).body;
    assert_eq!(all["items"][0]["id"], answer.body["id"]);
    assert!(!all.to_string().contains("wpush"), "an endpoint is a secret: {all}");
    let end = json!({ "endpoint": browser["endpoint"] });
    let answer = platform.delete(path).by(person).json(end).send().await.expect(200);
    let none = platform.get(path).by(person).after(&answer).send().await.expect(200).body;
    assert_eq!(none["items"], json!([]));
    platform.delete(path).by(person).json(json!({})).send().await.problem(422, "field_required");
}

async fn nobody_else_may(platform: &Platform, person: &Person) {
    platform.get("/api/notifications").send().await.problem(401, "unauthenticated");
    let tell = || platform.post("/api/notifications/send").json(message(person, "Spam", "marketing"));
    tell().send().await.problem(401, "unauthenticated");
    tell().by(person).send().await.problem(403, "admin_required");
    let stranger = platform.somebody().await;
    let page = platform.get("/api/notifications").by(&stranger).send().await.expect(200).body;
    assert_eq!(page["items"], json!([]));
    platform.get("/api/notifications/deliveries").by(&stranger).send().await.problem(403, "admin_required");
}

async fn nothing_is_left_of_the_forgotten(platform: &Platform, admin: &Person, person: &Person) {
    let answer = platform.delete(&format!("/api/users/{}", person.id)).by(admin).send().await;
    assert!(answer.status < 300, "{answer:?}");
    platform.settle().await;
    let log = platform.events_about(person.id);
    assert!(log.iter().any(|entry| entry.kind() == "notification.inbox.erased.v1"), "the inbox is forgotten too");
    let tell = platform.post("/api/notifications/send").by(admin);
    tell.json(message(person, "Anybody there?", "security")).send().await.problem(410, "person_erased");
}
