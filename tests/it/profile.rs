//! Profiles: what a person shows, who sees it, how it is changed, and that whoever writes can read what was written.

use crate::support::person::{registration, unused_name};
use crate::support::{Person, Platform};
use serde_json::{Value, json};

/// A profile's whole life, as its person, as others and as browsers see it.
#[tokio::test]
async fn a_profile_and_its_page() {
    let platform = Platform::start().await;
    what_is_given_changes(&platform).await;
    nobody_overwrites_unseen(&platform).await;
    writers_read_what_they_wrote(&platform).await;
    a_handle_moves(&platform).await;
    who_sees_it(&platform).await;
    preferences_are_kept(&platform).await;
    the_page(&platform).await;
    what_cannot_be(&platform).await;
    platform.check().await;
}

async fn what_is_given_changes(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    let change = json!({ "display_name": "Ada L.", "bio": "Engines\nand notes", "location": "London",
        "website": "https://ada.example/~l" });
    let answer = platform.put("/api/profile").by(&ada).json(change.clone()).send().await.expect(200);
    assert_eq!(answer.version(), 2);
    let shown = platform.get("/api/profile").by(&ada).after(&answer).send().await.expect(200);
    for (name, value) in change.as_object().expect("an object") {
        assert_eq!(&shown.body[name], value);
    }
    assert_eq!((shown.version(), &shown.body["version"]), (2, &json!(2)));

    let answer =
        platform.put("/api/profile").by(&ada).json(json!({ "bio": "", "location": null })).send().await.expect(200);
    let shown = platform.get("/api/profile").by(&ada).after(&answer).send().await.expect(200);
    assert_eq!((&shown.body["bio"], &shown.body["location"]), (&Value::Null, &Value::Null));
    assert_eq!(shown.body["display_name"], "Ada L.", "what is absent stays");

    let before = platform.events_about(ada.id).len();
    let same = platform.put("/api/profile").by(&ada).json(json!({ "display_name": "Ada L." })).send().await.expect(200);
    assert_eq!(same.version(), 3, "already so: the version stays");
    assert_eq!(platform.events_about(ada.id).len(), before, "and nothing is written");
}

async fn nobody_overwrites_unseen(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    let shown = platform.get("/api/profile").by(&ada).send().await.expect(200);
    let seen = shown.header("etag").expect("an ETag").to_owned();
    let put = |tag: &str, name: &str| {
        platform.put("/api/profile").by(&ada).header("if-match", tag).json(json!({ "display_name": name })).send()
    };
    let first = put(&seen, "One").await.expect(200);
    let late = put(&seen, "Two").await.problem(412, "stale");
    assert_ne!(late.header("etag"), Some(seen.as_str()));
    put(first.header("etag").expect("an ETag"), "Three").await.expect(200);
    put("*", "Four").await.expect(200);
    put("W/\"4\"", "Weak").await.problem(412, "stale");
    put("\"1\", \"2\"", "Five").await.problem(400, "if_match_invalid");

    let shown =
        platform.get("/api/profile").by(&ada).after(&put("*", "Six").await.expect(200)).send().await.expect(200);
    let tag = shown.header("etag").expect("an ETag").to_owned();
    let again = platform.get("/api/profile").by(&ada).header("if-none-match", &tag).send().await.expect(304);
    assert!(again.text.is_empty());
    platform.get("/api/profile").by(&ada).header("if-none-match", &seen).send().await.expect(200);
}

async fn writers_read_what_they_wrote(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    for n in 0..100 {
        let name = format!("Ada {n}");
        let answer =
            platform.put("/api/profile").by(&ada).json(json!({ "display_name": name })).send().await.expect(200);
        let shown = platform.get("/api/profile").by(&ada).after(&answer).send().await.expect(200);
        assert_eq!(shown.body["display_name"], name);
    }
    let forged = platform.get("/api/profile").by(&ada).header("consistency-token", "AAAA");
    forged.send().await.problem(400, "consistency_token_invalid");
}

async fn a_handle_moves(platform: &Platform) {
    let (ada, eve) = (platform.somebody_with_profile().await, platform.somebody_with_profile().await);
    let old = platform.get("/api/profile").by(&ada).send().await.expect(200).text_at("/handle");
    let change = |who: &Person, handle: &str| {
        platform.put("/api/profile/handle").by(who).json(json!({ "handle": handle })).send()
    };
    change(&eve, &old).await.problem(409, "handle_taken");
    let moved = change(&ada, "countess").await.expect(200);
    let page = platform.get(&format!("/u/{old}")).after(&moved).send().await.expect(301);
    assert!(page.header("location").is_some_and(|to| to.ends_with("/u/countess")), "{page:?}");
    platform.get("/u/countess").after(&moved).send().await.expect(200);
    change(&eve, "countess").await.problem(409, "handle_taken");
    let taken = change(&eve, &old).await.expect(200);
    let page = platform.get(&format!("/u/{old}")).after(&taken).send().await.expect(200);
    assert!(!page.text.contains("countess"), "the old handle is another's now");
    for (handle, code) in [
        ("ab", "handle_invalid"),
        ("Upper", "handle_invalid"),
        ("-dash", "handle_invalid"),
        ("admin", "handle_reserved"),
    ] {
        change(&ada, handle).await.problem(422, code);
    }
}

async fn who_sees_it(platform: &Platform) {
    let (ada, eve, admin) =
        (platform.somebody_with_profile().await, platform.somebody_with_profile().await, platform.admin().await);
    let handle = platform.get("/api/profile").by(&ada).send().await.expect(200).text_at("/handle");
    let (page, data) = (format!("/u/{handle}"), format!("/api/profiles/{handle}"));
    let set = |visibility: &str| {
        platform.put("/api/profile/visibility").by(&ada).json(json!({ "visibility": visibility })).send()
    };
    let public = platform.get(&data).send().await.expect(200);
    for hidden in ["email", "username", "preferences"] {
        assert!(public.body.get(hidden).is_none(), "others do not see {hidden}: {public:?}");
    }
    let unlisted = set("unlisted").await.expect(200);
    assert!(platform.get(&page).after(&unlisted).send().await.expect(200).text.contains("noindex"));
    let private = set("private").await.expect(200);
    platform.get(&page).after(&private).send().await.expect(404);
    platform.get(&data).after(&private).send().await.problem(404, "profile_missing");
    platform.get(&data).by(&eve).send().await.problem(404, "profile_missing");
    platform.get(&data).by(&ada).send().await.expect(200);
    platform.get(&data).by(&admin).send().await.expect(200);
    let path = format!("/api/users/{}/profile", ada.id);
    platform.get(&path).by(&eve).send().await.problem(404, "profile_missing");
    platform.get(&path).by(&admin).send().await.expect(200);
    set("everyone").await.refused(422);
}

async fn preferences_are_kept(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    let put = |body: Value| platform.put("/api/profile/preferences").by(&ada).json(body).send();
    put(json!({ "theme": "dark", "page-size": 50, "mails": true })).await.expect(200);
    let last = put(json!({ "preferences": { "theme": null, "mails": false } })).await.expect(200);
    let shown = platform.get("/api/profile").by(&ada).after(&last).send().await.expect(200);
    assert_eq!(shown.body["preferences"], json!({ "page-size": 50, "mails": false }));
    for bad in [json!({ "x": "y".repeat(201) }), json!({ "x": [1] }), json!({ "x": 1.5 }), json!({ "": 1 })] {
        put(bad).await.refused(422);
    }
}

/// The page for people: fast, plain, and nothing that was written into a profile runs in it.
async fn the_page(platform: &Platform) {
    let mut body = registration(&unused_name("page"));
    body["name"] = json!("Ada <b>Lovelace</b>");
    let answer = platform.post("/api/auth/register").json(body).send().await.expect(201);
    let ada = Person::signed_in(&answer);
    platform.profile_of(&ada).await;
    let nasty = "</script><img src=x onerror=alert(1)> {{7*7}} \"quoted\"";
    let change = json!({ "bio": nasty, "website": "https://ada.example/\"onload=\"x" });
    let answer = platform.put("/api/profile").by(&ada).json(change).send().await.expect(200);
    let page = platform.get(&format!("/u/{}", ada.username)).after(&answer).send().await.expect(200);
    assert!(page.header("content-type").is_some_and(|media| media.starts_with("text/html")), "{page:?}");
    assert!(page.header("content-security-policy").is_some(), "{page:?}");
    assert!(page.text.contains("Ada &lt;b&gt;Lovelace"), "{page:?}");
    for part in ["<img", "<b>Lovelace", "=\"https://ada.example/\""] {
        assert!(!page.text.contains(part), "{part} in {}", page.text);
    }
    for tag in ["og:title", "og:description", "og:url", "og:type"] {
        assert!(page.text.contains(&format!("property=\"{tag}\"")), "{tag}: {}", page.text);
    }
    let upper = platform.get(&format!("/u/{}", ada.username.to_uppercase())).send().await;
    assert!([200, 301, 308, 404].contains(&upper.status), "{upper:?}");
    let missing = platform.get("/u/nobody-of-that-name").header("accept", "text/html").send().await.expect(404);
    assert!(missing.text.contains("<html") || missing.text.contains("<!"), "people get a page: {missing:?}");
    for trick in ["/u/..%2f..%2fetc%2fpasswd", "/u/%00", "/u/%ff%fe", "/u/'%20or%201=1--"] {
        let answer = platform.get(trick).send().await;
        assert!((400..500).contains(&answer.status), "{trick}: {answer:?}");
    }
}

async fn what_cannot_be(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    let before = platform.events_about(ada.id).len();
    let bad = [
        (json!({ "display_name": "x".repeat(101) }), "too_long"),
        (json!({ "display_name": "two\nlines" }), "control_characters"),
        (json!({ "website": "javascript:alert(1)" }), "website_invalid"),
        (json!({ "website": "https://x.example/ y" }), "website_invalid"),
        (json!({ "bio": "x".repeat(2001) }), "too_long"),
    ];
    for (body, code) in bad {
        platform.put("/api/profile").by(&ada).json(body).send().await.problem(422, code);
    }
    platform.put("/api/profile").by(&ada).json(json!({ "handel": "typo" })).send().await.refused(422);
    platform.put("/api/profile").json(json!({ "bio": "whose?" })).send().await.problem(401, "unauthenticated");
    assert_eq!(platform.events_about(ada.id).len(), before);
}
