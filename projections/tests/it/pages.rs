//! Each page: events, then rows, then what its queries answer.

use events::Personal;
use events::identity::user::{Event as User, LoginFailure, Role};
use events::profile::{Event as Profile, Preference, Visibility};
use projections::{Stream, Writer, operations, profile_page, user_page};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Story, World, message, person, registered, time};

#[tokio::test]
async fn an_account_is_shown_as_it_is() {
    let world = World::new().await;
    let (ada, other) = (person(1), person(2));
    let mut story = Story::default();
    story.register(ada, "Ada", "ada@example.com").user(ada, User::EmailVerified {});
    story.user(ada, User::RoleAssigned { role: Role::Moderator }).user(ada, User::RoleAssigned { role: Role::Admin });
    story.register(other, "Other", "other@example.com").user(other, User::Suspended { reason: None });
    story.user(ada, User::LoginFailed { reason: LoginFailure::WrongPassword });
    world.tell(&story).await;
    let row = user_page::get(&world.reads, ada).await.expect("the query").expect("the row");
    assert_eq!(row.username.as_deref(), Some("Ada"));
    let sealed = format!("{}.{ada}.c2VhbGVk", message(ada, 1, 1, registered("", "").into()).id);
    assert_eq!(row.email_sealed, Some(sealed), "as it is stored, under the id of the message that it was sealed for");
    assert_eq!((row.email_verified, row.status.as_str(), row.locale.as_deref()), (true, "active", Some("en")));
    assert_eq!(row.roles, ["admin", "moderator"]);
    assert_eq!((row.created_at, row.updated_at), (time(1), time(4)), "a refused sign-in is no change");
    assert_eq!(row.version, 5, "but it counts in the version");
    assert!(user_page::get(&world.reads, person(9)).await.expect("the query").is_none());
}

#[tokio::test]
async fn accounts_are_searched() {
    let world = World::new().await;
    let mut story = Story::default();
    for n in 1..=25 {
        story.register(person(n), &format!("Person{n}"), "x@example.com");
    }
    story.user(person(3), User::Suspended { reason: None }).user(person(4), User::RoleAssigned { role: Role::Admin });
    story.user(person(5), User::Erased {});
    world.tell(&story).await;
    let all = user_page::Search { limit: 10, ..Default::default() };
    let mut found = vec![];
    let mut after = None;
    loop {
        let page =
            user_page::search(&world.reads, &user_page::Search { after, ..all.clone() }).await.expect("the query");
        let Some(last) = page.last() else { break };
        after = Some(last.cursor());
        found.extend(page.into_iter().map(|row| row.id));
    }
    let expected: Vec<Uuid> = (1..=25).rev().filter(|n| *n != 5).map(person).collect();
    assert_eq!(found, expected, "newest first, without the erased, each once");
    let ids = async |search: user_page::Search| -> Vec<Uuid> {
        let rows = user_page::search(&world.reads, &search).await.expect("the query");
        rows.into_iter().map(|row| row.id).collect()
    };
    let text = |text: &str| user_page::Search { text: Some(text.to_owned()), ..all.clone() };
    assert_eq!(ids(text("pERson7")).await, [person(7)]);
    assert_eq!(ids(text("son2")).await.len(), 7, "2 and 20 to 25");
    assert!(ids(text("%")).await.is_empty(), "no pattern, just a sign");
    let status = |status: &str| user_page::Search { status: Some(status.to_owned()), ..all.clone() };
    assert_eq!(ids(status("suspended")).await, [person(3)]);
    assert_eq!(ids(status("erased")).await, [person(5)]);
    assert_eq!(ids(user_page::Search { role: Some("admin".to_owned()), ..all.clone() }).await, [person(4)]);
}

#[tokio::test]
async fn a_profile_is_shown_as_it_is() {
    let world = World::new().await;
    let ada = person(1);
    let text = |text: &str| Some(Personal::new(text.to_owned()));
    let mut story = Story::default();
    story.create(ada, "ada");
    let bio = "tab\there, \"quotes\", a \\ and\na line; NUL \0 ü";
    story.profile(
        ada,
        Profile::Updated {
            display_name: None,
            bio: text(bio),
            location: text("London"),
            website: text("https://a.example"),
        },
    );
    story.profile(ada, Profile::Updated { display_name: None, bio: None, location: text(""), website: None });
    story.profile(ada, Profile::VisibilitySet { visibility: Visibility::Unlisted });
    let some = |value| Some(Preference::Text(String::from(value)));
    story.profile(
        ada,
        Profile::PreferencesUpdated {
            preferences: [("theme".into(), some("dark\0")), ("n".into(), Some(Preference::Number(3)))].into(),
        },
    );
    story.profile(
        ada,
        Profile::PreferencesUpdated {
            preferences: [("theme".into(), None), ("mail".into(), Some(Preference::Switch(true)))].into(),
        },
    );
    world.tell(&story).await;
    let row = profile_page::get(&world.reads, ada).await.expect("the query").expect("the row");
    assert_eq!((row.handle.as_str(), row.display_name.as_deref()), ("ada", Some("The ada")));
    assert_eq!(row.bio, Some(bio.replace('\0', "\u{fffd}")));
    assert_eq!((row.location, row.website.as_deref()), (None, Some("https://a.example")));
    assert_eq!((row.visibility.as_str(), row.preferences), ("unlisted", json!({ "n": 3, "mail": true })));
    assert_eq!((row.version, row.created_at, row.updated_at), (6, time(1), time(6)));
}

#[tokio::test]
async fn an_old_handle_leads_on_until_someone_else_takes_it() {
    let world = World::new().await;
    let (ada, bob) = (person(1), person(2));
    let mut story = Story::default();
    story.create(ada, "ada").rename(ada, "ada", "lovelace").rename(ada, "lovelace", "countess").create(bob, "bob");
    world.tell(&story).await;
    let found = async |handle: &str| match profile_page::by_handle(&world.reads, handle).await.expect("the query") {
        Some(profile_page::Found::Page(row)) => format!("page of {}", row.handle),
        Some(profile_page::Found::MovedTo(handle)) => format!("moved to {handle}"),
        None => "nothing".to_owned(),
    };
    assert_eq!(found("ada").await, "moved to countess");
    assert_eq!(found("lovelace").await, "moved to countess");
    assert_eq!(found("countess").await, "page of countess");
    let seen = story.messages.len();
    story.rename(bob, "bob", "ada").rename(bob, "ada", "bobby");
    let mut writer = world.writer().await;
    writer.write(&story.messages[seen..seen + 1].to_vec().into()).await.expect("a good story");
    assert_eq!(found("ada").await, "page of ada");
    writer.write(&story.messages[seen + 1..].to_vec().into()).await.expect("a good story");
    assert_eq!(found("ada").await, "moved to bobby", "the last who had it");
    assert_eq!(found("nobody").await, "nothing");
    let moved = profile_page::many(&world.reads, &[ada, bob, person(9)]).await.expect("the query");
    assert_eq!(moved.len(), 2);
}

#[tokio::test]
async fn public_profiles_are_searched() {
    let world = World::new().await;
    let mut story = Story::default();
    for n in 1..=12 {
        story.create(person(n), &format!("person-{n:02}"));
    }
    story.profile(person(2), Profile::VisibilitySet { visibility: Visibility::Private });
    world.tell(&story).await;
    let search = |text: &str, after: Option<&str>| profile_page::Search {
        text: text.to_owned(),
        limit: 5,
        after: after.map(str::to_owned),
    };
    let handles = async |search: profile_page::Search| -> Vec<String> {
        let rows = profile_page::search(&world.reads, &search).await.expect("the query");
        rows.into_iter().map(|row| row.handle).collect()
    };
    assert_eq!(
        handles(search("PERSON-0", None)).await,
        ["person-01", "person-03", "person-04", "person-05", "person-06"]
    );
    assert_eq!(handles(search("person-0", Some("person-06"))).await, ["person-07", "person-08", "person-09"]);
    assert_eq!(
        handles(search("the person-1", None)).await,
        ["person-10", "person-11", "person-12"],
        "by the display name"
    );
}

#[tokio::test]
async fn an_erased_person_leaves_nothing_personal() {
    let world = World::new().await;
    let (ada, bob) = (person(1), person(2));
    let mut story = Story::default();
    story.register(ada, "Ada-Canary", "ada@example.com").create(ada, "ada").rename(ada, "ada", "countess");
    story
        .register(bob, "Bob", "bob@example.com")
        .create(bob, "bob")
        .rename(bob, "bob", "ada")
        .rename(bob, "ada", "robert");
    story.rename(ada, "countess", "enchantress").user(ada, User::Erased {}).profile(ada, Profile::Erased {});
    world.tell(&story).await;
    let row = user_page::get(&world.reads, ada).await.expect("the query").expect("the id stays");
    assert_eq!((row.username, row.email_sealed, row.locale), (None, None, None));
    assert_eq!((row.status.as_str(), row.version), ("erased", 2));
    assert!(profile_page::get(&world.reads, ada).await.expect("the query").is_none());
    let rows = world.rows().await.join("\n");
    assert!(!rows.contains("countess") && !rows.contains("enchantress"), "{rows}");
    assert!(profile_page::by_handle(&world.reads, "ada").await.expect("the query").is_some(), "that one is Bob's");
    assert!(profile_page::by_handle(&world.reads, "countess").await.expect("the query").is_none());
}

#[tokio::test]
async fn a_message_whose_key_is_gone_makes_a_row_without_it() {
    let world = World::new().await;
    let ada = person(1);
    let mut opened = serde_json::to_value(message(ada, 1, 1, registered("x", "x").into())).expect("JSON");
    opened["data"]["username"] = json!({ "$erased": true });
    opened["data"]["email"] = json!({ "$erased": true });
    let mut raw = opened.clone();
    raw["data"]["email"] = json!({ "$sealed": format!("{ada}.c2VhbGVk") });
    let mut story = Story::default();
    story.bytes(&format!("evt.identity.user.{ada}"), raw.to_string(), opened.to_string());
    world.tell(&story).await;
    let row = user_page::get(&world.reads, ada).await.expect("the query").expect("the row");
    assert_eq!((row.username, row.email_sealed), (None, None));
}

#[tokio::test]
async fn an_operation_ends_once() {
    let world = World::new().await;
    let (early, late, alone) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let (one, two) = (Uuid::from_u128(4), Uuid::from_u128(5));
    let pending = |id: Uuid| json!({ "id": id, "kind": "profile.profile.update.v1", "subject": person(1), "status": "pending", "authid": person(1), "time": time(1) });
    let outcome = |id: Uuid, status: &str| {
        let mut outcome = pending(id);
        outcome["status"] = json!(status);
        outcome["time"] = json!(time(2));
        outcome["version"] = json!(4);
        outcome["position"] = json!(17);
        if status == "rejected" {
            outcome["refusal"] = json!({ "code": "handle_taken", "kind": "conflict", "detail": "taken" });
        }
        outcome
    };
    let mut story = Story::default();
    story.raw(&format!("out.{early}.pending"), pending(early)).raw(&format!("out.{early}"), outcome(early, "rejected"));
    story.raw(&format!("out.{late}"), outcome(late, "accepted")).raw(&format!("out.{late}.pending"), pending(late));
    story.raw(&format!("out.{late}"), outcome(late, "rejected")).raw(&format!("out.{alone}.pending"), pending(alone));
    story.raw(&format!("out.{one}"), json!([outcome(one, "accepted"), outcome(two, "accepted")]));
    world.held.add(Stream::Outcomes, story.messages.clone());
    let mut writer = Writer::live(&world.pool, &["operations"]).await.expect("it is built");
    for one in &story.messages {
        writer.write(&vec![one.clone()].into()).await.expect("a good story");
    }
    let row = async |id| operations::get(&world.reads, id).await.expect("the query").expect("the row");
    let rejected = row(early).await;
    assert_eq!(
        (rejected.status.as_str(), rejected.asked_at, rejected.decided_at),
        ("rejected", time(1), Some(time(2)))
    );
    assert_eq!(rejected.refusal.expect("why")["code"], "handle_taken");
    let accepted = row(late).await;
    assert_eq!((accepted.status.as_str(), accepted.version, accepted.position), ("accepted", Some(4), Some(17)));
    assert_eq!((accepted.asked_at, accepted.authid), (time(1), Some(person(1))));
    assert_eq!([row(one).await.status, row(two).await.status], ["accepted", "accepted"], "stored together");
    let waiting = row(alone).await;
    assert_eq!((waiting.status.as_str(), waiting.version, waiting.decided_at), ("pending", None, None));
}
