//! What is said to the log is neither lost nor said twice.

use crate::world::*;
use vault::api::*;

#[tokio::test]
async fn what_was_written_before_a_crash_is_said_after_it() {
    let mut world = World::start().await;
    let (_, first) = world.person("ada").await;
    let start = format!("cmd.identity.session.{}", first.session);
    world.until_said("COMMANDS", &start, &["identity.session.start.v1"]).await;
    until("the outbox is empty", async || world.count("select count(*) from vault.outbox").await == 0).await;
    world.kill_vault().await;
    world.outbox_from_log(&start).await;
    world.start_vault().await;
    until("the outbox is empty", async || world.count("select count(*) from vault.outbox").await == 0).await;
    // the same id: the log has it once
    world.until_said("COMMANDS", &start, &["identity.session.start.v1"]).await;
}

#[tokio::test]
async fn what_cannot_be_sent_now_is_sent_later() {
    let mut world = World::start().await;
    let (person, first) = world.person("ada").await;
    until("the outbox is empty", async || world.count("select count(*) from vault.outbox").await == 0).await;
    world.stop_vault().await;
    // a vault that died between its transaction and the relay leaves exactly this
    let end = format!(
        "update vault.session set ended_at = now() where id = '{0}'; insert into vault.outbox (message)
         select convert_to(replace(replace('{1}', 'SESSION', '{0}'), 'PERSON', '{2}'), 'UTF8')",
        first.session,
        END.replace('\n', ""),
        person.id
    );
    for statement in end.split("; ") {
        world.sql(statement).await;
    }
    world.start_vault().await;
    let types = ["identity.session.start.v1", "identity.session.end.v1"];
    world.until_said("COMMANDS", &format!("cmd.identity.session.{}", first.session), &types).await;
    assert_eq!(world.refresh(&first.refresh_token).await, SigningIn::Refused);
}

const END: &str = r#"{"specversion":"1.0","id":"9b2d5b30-7c1c-5d1e-9c35-3f8b1f7c2a11","source":"/vault","subject":"SESSION",
"time":"2026-11-20T12:00:00Z","correlationid":"9b2d5b30-7c1c-5d1e-9c35-3f8b1f7c2a11","authtype":"system",
"type":"identity.session.end.v1","data":{"user":"PERSON","reason":"logged_out"}}"#;

#[tokio::test]
async fn the_log_learns_of_sessions_without_personal_data_in_the_clear() {
    let world = World::start().await;
    world.start_identity().await;
    let (person, first) = world.person("ada").await;
    world.client.logout(&Logout { user: person.id, session: first.session }).await.expect("an answer");
    let subject = format!("evt.identity.session.{}", first.session);
    let types = ["identity.session.started.v1", "identity.session.ended.v1"];
    let events = world.until_said("EVENTS", &subject, &types).await;
    assert_eq!(events[0]["correlationid"], person.command.to_string());
    assert_eq!(events[0]["data"]["network"], serde_json::json!({"$personal": "192.0.2.0/24", "about": person.id}));
}
