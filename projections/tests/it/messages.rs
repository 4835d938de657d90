//! Texts of messages and what people write: events, then rows, then what the queries answer.

use events::Personal;
use events::notification::contact::{Event as Contact, Letter};
use events::notification::template::{Event as Template, Text, Variable, of_key};
use projections::{Stream, Writer, contact_page, rebuild, template_page};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Story, World, message, person, time};

const PAGES: [&str; 2] = ["template_page", "contact_page"];

async fn told(story: &Story) -> World {
    let world = World::bare().await;
    rebuild(&world.pool, world.log(), &PAGES).await.expect("building from nothing");
    world.held.add(Stream::Events, story.messages.clone());
    let mut writer = Writer::live(&world.pool, &PAGES).await.expect("both pages are built");
    writer.write(&story.messages.clone().into()).await.expect("a good story");
    world
}

fn text(locale: &str, subject: &str) -> Text {
    let variables = vec![Variable { name: "name".into(), required: false }];
    let body = "it's \"quoted\", a \\ and\na line {{ name }}".to_owned();
    Text { locale: locale.into(), subject: subject.into(), text: body, html: None, variables }
}

impl Story {
    fn template(&mut self, key: &str, what: Template) -> &mut Self {
        self.event("notification.template", of_key(key), what.into())
    }

    fn drafted(&mut self, key: &str, draft: u64, locale: &str) -> &mut Self {
        let text = text(locale, &format!("{locale} {draft}"));
        self.template(key, Template::Drafted { key: key.into(), draft, text })
    }

    fn published(&mut self, key: &str, draft: u64, locale: &str) -> &mut Self {
        self.template(key, Template::Published { draft, locale: locale.into() })
    }

    fn contact(&mut self, id: Uuid, what: Contact) -> &mut Self {
        self.event("notification.contact", id, what.into())
    }

    fn received(&mut self, id: Uuid) -> &mut Self {
        let text = |text: &str| Personal::new(text.to_owned());
        let (name, email) = (text("Ada"), text("ada@example.org"));
        self.contact(id, Contact::Received(Letter { name, email, subject: text("Hello"), message: text("Hello") }))
    }
}

#[tokio::test]
async fn one_draft_is_sent_in_each_language() {
    let mut story = Story::default();
    story.drafted("welcome", 1, "en").drafted("welcome", 2, "de").published("welcome", 1, "en");
    story.drafted("welcome", 4, "en").published("welcome", 2, "de").drafted("other", 1, "en");
    let world = told(&story).await;
    let row = template_page::get(&world.reads, "welcome").await.expect("the query").expect("the row");
    assert_eq!((row.key.as_str(), row.state.as_str(), row.version), ("welcome", "published", 5));
    assert_eq!((&row.published, &row.newest), (&json!({ "en": 1, "de": 2 }), &json!({ "en": 4, "de": 2 })));
    assert_eq!((row.created_at, row.updated_at), (time(1), time(5)));
    let mut sent = template_page::published(&world.reads, "welcome").await.expect("the query");
    sent.sort_by(|one, other| one.locale.cmp(&other.locale));
    assert_eq!(sent, [text("de", "de 2"), text("en", "en 1")], "as they were written");
    let current = template_page::current(&world.reads, "welcome").await.expect("the query");
    assert_eq!(
        current.iter().map(|one| (one.draft, row.sends(one))).collect::<Vec<_>>(),
        [(4, false), (2, true), (1, true)]
    );
    let draft = template_page::draft(&world.reads, "welcome", 4).await.expect("the query").expect("the draft");
    assert_eq!(Text::from(draft), text("en", "en 4"));
    assert!(template_page::draft(&world.reads, "other", 4).await.expect("the query").is_none());
    assert!(template_page::published(&world.reads, "other").await.expect("the query").is_empty());
    let first = template_page::list(&world.reads, None, 1).await.expect("the query");
    assert_eq!(first[0].key, "other", "newest first");
    let after = Some((first[0].created_at, first[0].template_id));
    let rest = template_page::list(&world.reads, after, 10).await.expect("the query");
    assert_eq!(rest.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["welcome"]);
}

#[tokio::test]
async fn a_retired_template_sends_nothing_until_it_comes_back() {
    let mut story = Story::default();
    story.drafted("welcome", 1, "en").published("welcome", 1, "en").template("welcome", Template::Retired {});
    let world = told(&story).await;
    let state = async || template_page::get(&world.reads, "welcome").await.expect("the query").expect("the row").state;
    assert_eq!(state().await, "retired");
    assert!(template_page::published(&world.reads, "welcome").await.expect("the query").is_empty());
    let mut writer = Writer::live(&world.pool, &PAGES).await.expect("both pages are built");
    for (n, expected) in [(3, "draft"), (4, "published")] {
        match expected {
            "draft" => story.drafted("welcome", 4, "en"),
            _ => story.published("welcome", 1, "en"),
        };
        writer.write(&story.messages[n..].to_vec().into()).await.expect("a good story");
        assert_eq!(state().await, expected);
    }
    assert_eq!(template_page::published(&world.reads, "welcome").await.expect("the query").len(), 1);
}

#[tokio::test]
async fn what_people_wrote_is_kept_sealed_and_leaves_nothing() {
    let (ada, bob, eve) = (person(1), person(2), person(3));
    let mut story = Story::default();
    story.received(ada).received(bob).received(eve);
    story.contact(bob, Contact::Answered {}).contact(eve, Contact::Erased {});
    let world = told(&story).await;
    let all = contact_page::Search { limit: 10, ..Default::default() };
    let search = async |search: &contact_page::Search| -> Vec<contact_page::Row> {
        contact_page::search(&world.reads, search).await.expect("the query")
    };
    let rows = search(&all).await;
    assert_eq!(
        rows.iter().map(|row| row.contact_id).collect::<Vec<_>>(),
        [bob, ada],
        "newest first, without the erased"
    );
    assert_eq!((rows[0].state.as_str(), rows[0].answered_at, rows[0].version), ("answered", Some(time(4)), 2));
    let sealed = format!("{}.{ada}.c2VhbGVk", message(ada, 1, 1, Contact::Answered {}.into()).id);
    let fields = [&rows[1].name_sealed, &rows[1].email_sealed, &rows[1].subject_sealed, &rows[1].message_sealed];
    assert_eq!(fields, [&Some(sealed.clone()); 4], "as it is stored, under the id of its message");
    let answered = contact_page::Search { state: Some("answered".into()), ..all.clone() };
    assert_eq!(search(&answered).await.len(), 1);
    let behind = contact_page::Search { after: Some((rows[0].received_at, bob)), ..all };
    assert_eq!(search(&behind).await.iter().map(|row| row.contact_id).collect::<Vec<_>>(), [ada]);
}

#[tokio::test]
async fn a_message_whose_key_is_gone_makes_a_row_without_words() {
    let id = person(1);
    let stored = serde_json::to_value(message(id, 1, 1, Contact::Answered {}.into())).expect("JSON");
    let with = |field: serde_json::Value| {
        let mut event = stored.clone();
        event["type"] = json!("notification.contact.received.v1");
        event["data"] = json!({ "name": field, "email": field, "subject": field, "message": field });
        event.to_string()
    };
    let mut story = Story::default();
    let (raw, opened) = (with(json!({ "$sealed": format!("{id}.c2VhbGVk") })), with(json!({ "$erased": true })));
    story.bytes(&format!("evt.notification.contact.{id}"), raw, opened);
    let world = told(&story).await;
    let all = contact_page::Search { limit: 10, ..Default::default() };
    let rows = contact_page::search(&world.reads, &all).await.expect("the query");
    assert!(rows.len() == 1 && rows[0].name_sealed.is_none() && rows[0].message_sealed.is_none());
}
