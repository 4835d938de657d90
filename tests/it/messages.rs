//! The texts of messages, and what people write: from the form to the sealed log, the list of admins, and nothing.

use crate::support::{Person, Platform, eventually};
use serde_json::{Value, json};

const KEY: &str = "appointment_confirmation";
const TEMPLATES: &str = "/api/notifications/templates";
/// Nowhere but in what is opened for an admin.
const CANARY: &str = "canary-w8k2v";

/// What admins do with both, and that nobody else does.
#[tokio::test]
async fn texts_and_the_contact_form() {
    let platform = Platform::start().await;
    let (admin, ada) = (platform.admin().await, platform.somebody().await);
    the_platform_brings_a_text(&platform, &admin).await;
    a_text_is_drafted_looked_at_and_published(&platform, &admin).await;
    a_bad_text_is_refused_precisely(&platform, &admin).await;
    texts_are_for_admins(&platform, &ada).await;
    let first = somebody_writes(&platform, &admin, &ada).await;
    a_program_is_thanked_and_ignored(&platform, &admin).await;
    bad_forms_are_refused_at_once(&platform).await;
    what_people_wrote_comes_in_pages(&platform, &admin).await;
    a_message_is_answered_and_forgotten(&platform, &admin, &first).await;
    platform.check().await;
}

fn draft(locale: &str, subject: &str) -> Value {
    json!({
        "key": KEY, "locale": locale, "subject": subject,
        "text": "{{ title }}: {{ starts_at }}{% if name %}, {{ name }}{% endif %}",
        "html": "<b>{{ title }}</b>",
        "variables": [{ "name": "title" }, { "name": "starts_at" }, { "name": "name", "required": false }],
    })
}

async fn the_platform_brings_a_text(platform: &Platform, admin: &Person) {
    let shown = platform.get(&format!("{TEMPLATES}/{KEY}")).by(admin).send().await.expect(200);
    assert_eq!(shown.body["state"], "built_in");
    let data = json!({ "title": "Fitting", "starts_at": "Monday, 9:00" });
    for (locale, found) in [("de-AT", "de"), ("fr", "en")] {
        let body = json!({ "locale": locale, "data": data });
        let made = platform.post(&format!("{TEMPLATES}/{KEY}/preview")).by(admin).json(body).send().await.expect(200);
        assert_eq!(made.body["locale"], found);
        assert!(made.text_at("/text").contains("Monday, 9:00"), "{made:?}");
    }
    platform.get(&format!("{TEMPLATES}/nothing")).by(admin).send().await.problem(404, "template_missing");
}

async fn a_text_is_drafted_looked_at_and_published(platform: &Platform, admin: &Person) {
    let (place, data) = (format!("{TEMPLATES}/{KEY}"), json!({ "title": "<Fitting>", "starts_at": "9:00" }));
    let put = |locale: &str, subject: &str| platform.post(TEMPLATES).by(admin).json(draft(locale, subject)).send();
    let drafted = put("de", "Termin {{ title }}").await.expect(201);
    assert_eq!(drafted.header("location"), Some(place.as_str()));
    let number = drafted.body["draft"].clone();
    let preview = |body: Value| platform.post(&format!("{place}/preview")).by(admin).json(body);
    let seen = preview(json!({ "draft": number, "data": data })).after(&drafted).send().await.expect(200);
    assert_eq!(seen.body["subject"], "Termin <Fitting>");
    assert_eq!(seen.body["html"], "<b>&lt;Fitting&gt;</b>");
    let before = preview(json!({ "locale": "de-AT", "data": data })).after(&drafted).send().await.expect(200);
    assert_ne!(before.body["subject"], "Termin <Fitting>", "a draft is not sent");

    let publish = |draft: &Value| platform.post(&format!("{place}/publish")).by(admin).json(json!({ "draft": draft }));
    let published = publish(&number).send().await.expect(200);
    let after = preview(json!({ "locale": "de-AT", "data": data })).after(&published).send().await.expect(200);
    assert_eq!(after.body["subject"], "Termin <Fitting>");
    assert_eq!(publish(&number).send().await.expect(200).version(), published.version(), "already so");
    publish(&json!(99)).send().await.problem(404, "draft_missing");

    let other = put("de", "Anders").await.expect(201);
    let shown = platform.get(&place).by(admin).after(&other).send().await.expect(200);
    assert_eq!((&shown.body["state"], &shown.body["published"]), (&json!("published"), &json!({ "de": number })));
    assert_eq!(shown.body["newest"], json!({ "de": other.body["draft"] }));
    let drafts: Vec<_> = shown.body["drafts"].as_array().expect("drafts").iter().map(|one| &one["sent"]).collect();
    assert_eq!(drafts, [&json!(false), &json!(true)], "the newest, and what is sent");
    let list = platform.get("/api/templates").by(admin).after(&other).send().await.expect(200);
    assert_eq!(list.body["items"][0]["key"], KEY);

    let stale = platform.delete(&place).by(admin).header("if-match", "\"1\"").send().await;
    stale.problem(412, "stale");
    let retired = platform.delete(&place).by(admin).send().await.expect(200);
    let again = preview(json!({ "locale": "de", "data": data })).after(&retired).send().await.expect(200);
    assert!(again.text_at("/subject").starts_with("Ihr Termin"), "what the platform brings counts again: {again:?}");
}

async fn a_bad_text_is_refused_precisely(platform: &Platform, admin: &Person) {
    let put = |name: &str, value: Value| {
        let mut body = draft("en", "Hello");
        body[name] = value;
        platform.post(TEMPLATES).by(admin).json(body).send()
    };
    for (field, value, code, pointer) in [
        ("key", json!("../x"), "key_invalid", "/key"),
        ("locale", json!("english"), "locale_invalid", "/locale"),
        ("subject", json!("{{ nmae }}"), "variables_undeclared", "/subject"),
        ("text", json!("{% if title %}"), "template_invalid", "/text"),
        ("text", json!("{% include 'other' %}"), "template_invalid", "/text"),
        ("html", json!("{{ title|safe }}"), "template_invalid", "/html"),
        ("variables", json!([{ "name": "A B" }]), "variables_invalid", "/variables"),
        ("txet", json!("x"), "field_invalid", "/txet"),
    ] {
        let refused = put(field, value).await.problem(422, code);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
    }
    let preview = |data: Value| {
        let body = json!({ "data": data });
        platform.post(&format!("{TEMPLATES}/{KEY}/preview")).by(admin).json(body).send()
    };
    let missing = preview(json!({ "title": "x" })).await.problem(422, "variables_missing");
    assert!(missing.text_at("/detail").contains("starts_at"), "{missing:?}");
    let unknown =
        preview(json!({ "title": "x", "starts_at": "y", "when": "z" })).await.problem(422, "variables_unknown");
    assert!(unknown.text_at("/detail").contains("when"), "{unknown:?}");
}

async fn texts_are_for_admins(platform: &Platform, ada: &Person) {
    platform.get(TEMPLATES).send().await.problem(401, "unauthenticated");
    platform.get(TEMPLATES).by(ada).send().await.problem(403, "admin_required");
    platform.post(TEMPLATES).by(ada).json(draft("en", "Hello")).send().await.problem(403, "admin_required");
    platform.get("/api/contact").by(ada).send().await.problem(403, "admin_required");
}

fn form(subject: &str) -> Value {
    json!({
        "name": format!("Grace {CANARY}"), "email": format!("{CANARY}@example.org"), "subject": subject,
        "message": format!("Two lines\nof {CANARY}"),
    })
}

/// Its id.
async fn somebody_writes(platform: &Platform, admin: &Person, ada: &Person) -> String {
    let write = || platform.post("/api/contact").header("idempotency-key", "once").json(form("First"));
    let taken = write().send().await.expect(201);
    let again = write().send().await.expect(201);
    assert_eq!(taken.body, again.body, "one key, one message");
    platform.post("/api/contact").by(ada).json(form("Second")).send().await.expect(201);
    let third = platform.post("/api/contact").json(form("Third")).send().await.expect(201);

    let list = platform.get("/api/contact").by(admin).after(&third).send().await.expect(200);
    let items = list.body["items"].as_array().expect("a list");
    let subjects: Vec<_> = items.iter().map(|one| one["subject"].as_str().unwrap_or_default()).collect();
    assert_eq!(subjects, ["Third", "Second", "First"], "newest first, each once");
    assert_eq!((&items[2]["id"], &items[2]["state"]), (&taken.body["id"], &json!("waiting")));
    assert_eq!(items[2]["message"], form("First")["message"]);
    assert_eq!(items[2]["email"], form("First")["email"]);

    let system = platform.system();
    for stream in ["EVENTS", "COMMANDS", "ASKED", "OUTCOMES"] {
        let open = system.stored(stream).into_iter().find(|entry| entry.event.to_string().contains(CANARY));
        assert!(open.is_none(), "it lies open in {stream}: {:?}", open.map(|entry| entry.event));
    }
    let rows = system.page("contact_page", "contact_id").await;
    assert!(rows.len() == 3 && !json!(rows).to_string().contains(CANARY), "{rows:?}");
    taken.text_at("/id")
}

async fn a_program_is_thanked_and_ignored(platform: &Platform, admin: &Person) {
    let before = platform.last_position();
    let mut filled = form("Buy");
    filled["website"] = json!("https://buy.example");
    let thanked = platform.post("/api/contact").json(filled).send().await.expect(201);
    assert_eq!(thanked.body["message"], "thank you, somebody will read this");
    platform.settle().await;
    assert_eq!(platform.last_position(), before);
    let list = platform.get("/api/contact").by(admin).send().await.expect(200);
    assert!(!list.text.contains("Buy"), "{list:?}");
}

async fn bad_forms_are_refused_at_once(platform: &Platform) {
    let before = platform.last_position();
    let refused = platform.post("/api/contact").json(json!({ "name": "Ada" })).send().await.problem(422, "invalid");
    let pointers: Vec<_> =
        refused.body["errors"].as_array().expect("errors").iter().map(|one| &one["pointer"]).collect();
    assert_eq!(pointers, [&json!("/email"), &json!("/subject"), &json!("/message")]);
    let mut typo = form("x");
    typo["mesage"] = json!("x");
    platform.post("/api/contact").json(typo).send().await.problem(422, "field_invalid");
    platform.post("/api/contact").json(form(&"x".repeat(201))).send().await.problem(422, "invalid");
    platform.post("/api/contact").json(form(&"x".repeat(70_000))).send().await.problem(413, "body_too_large");
    platform.settle().await;
    assert_eq!(platform.last_position(), before);
}

async fn what_people_wrote_comes_in_pages(platform: &Platform, admin: &Person) {
    let mut subjects = vec![];
    let mut path = "/api/contact?limit=2&state=waiting".to_owned();
    loop {
        let page = platform.get(&path).by(admin).send().await.expect(200);
        let items = page.body["items"].as_array().expect("a list").clone();
        subjects.extend(items.iter().map(|one| one["subject"].as_str().expect("a subject").to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        let link = page.header("link").expect("a link");
        path = link.split(['<', '>']).nth(1).expect("an address").to_owned();
        assert!(path.contains(next) && path.contains("state=waiting"), "{path}");
        let foreign = format!("/api/contact?state=answered&after={next}");
        platform.get(&foreign).by(admin).send().await.problem(400, "cursor_invalid");
    }
    assert_eq!(subjects, ["Third", "Second", "First"]);
    platform.get("/api/contact?state=lost").by(admin).send().await.problem(400, "query_invalid");
}

async fn a_message_is_answered_and_forgotten(platform: &Platform, admin: &Person, id: &str) {
    let place = format!("/api/contact/{id}");
    let answered = platform.post(&format!("{place}/answered")).by(admin).send().await.expect(200);
    let list = platform.get("/api/contact?state=answered").by(admin).after(&answered).send().await.expect(200);
    assert_eq!(list.body["items"].as_array().map(Vec::len), Some(1));
    assert!(list.body["items"][0]["answered_at"].is_string(), "{list:?}");

    platform.delete(&place).send().await.problem(401, "unauthenticated");
    let erased = platform.delete(&place).by(admin).send().await.expect(204);
    let list = platform.get("/api/contact").by(admin).after(&erased).send().await.expect(200);
    assert!(!list.text.contains(id) && list.text.contains("Third"), "{list:?}");
    platform.delete(&place).by(admin).send().await.expect(204);
    platform.post(&format!("{place}/answered")).by(admin).send().await.problem(404, "contact_missing");
    let nothing = "/api/contact/00000000-0000-7000-8000-000000000000";
    platform.delete(nothing).by(admin).send().await.problem(404, "contact_missing");

    eventually("its key is destroyed, and there is no other", async || {
        let again = platform.post("/api/contact").header("idempotency-key", "once").json(form("First")).send().await;
        (again.status != 201).then(|| again.problem(410, "person_erased"))
    })
    .await;
    platform.settle().await;
    let opened = platform.system().opened().await;
    let received = opened.iter().find(|entry| entry.about().to_string() == id).expect("the log stays");
    assert_eq!(received.event["data"]["message"], json!({ "$erased": true }));
}
