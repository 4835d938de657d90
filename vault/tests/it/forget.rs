//! What the vault learns from the log: activation, suspension, roles, erasure.

use crate::world::*;
use chrono::TimeDelta;
use events::identity::user::{Command, Role, Status};
use events::notification::contact;
use futures::StreamExt;
use kernel::{Decider, Kind, Meta, Rejection, Service};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::api::*;

async fn known(world: &World, person: &Person) -> i64 {
    world
        .count(&format!("select count(*) from vault.account where person = '{}' and active_at is not null", person.id))
        .await
}

#[tokio::test]
async fn a_registration_in_the_log_activates_the_credential() {
    let world = World::start().await;
    world.start_identity().await;
    let ada = world.registered("ada").await;
    world.open_account(&ada, vec![Role::Moderator]).await;
    until("the credential is active", async || known(&world, &ada).await == 1).await;
    let SigningIn::SignedIn { roles, .. } = world.login("ada@example.org", PASSWORD).await else { panic!("refused") };
    assert_eq!(roles, [Role::Moderator]);
}

#[tokio::test]
async fn where_the_log_says_otherwise_the_log_is_right() {
    let world = World::start().await;
    world.start_identity().await;
    let ada = world.registered("ada").await;
    let question = StartSession { roles: vec![Role::Admin], ..ada.start() };
    tokens(world.client.start_session(&question).await.expect("an answer"));
    world.open_account(&Person { name: "countess".into(), ..ada }, vec![Role::Moderator]).await;
    until("the name is hers", async || matches!(world.login("countess", PASSWORD).await, SigningIn::SignedIn { .. }))
        .await;
    assert_eq!(world.login("ada", PASSWORD).await, SigningIn::Refused);
    let SigningIn::SignedIn { roles, .. } = world.login("countess", PASSWORD).await else { panic!("refused") };
    assert_eq!(roles, [Role::Moderator]);
}

#[tokio::test]
async fn of_two_registrations_of_one_name_the_log_decides() {
    let world = World::start().await;
    world.start_identity().await;
    let (one, two) = (world.registered("ada").await, world.registered("ada").await);
    world.open_account(&one, vec![]).await;
    until("the first is active", async || known(&world, &one).await == 1).await;
    world.open_account(&two, vec![]).await;
    until("the second is decided", async || world.bus.outcome(two.command).await.is_ok_and(|out| out.is_some())).await;
    assert_eq!(tokens(world.login("ada", PASSWORD).await).user, one.id);
    assert_eq!(known(&world, &two).await, 0);
}

#[tokio::test]
async fn suspension_ends_every_session_and_refuses_new_ones() {
    let world = World::start().await;
    world.start_identity().await;
    let (ada, first) = world.person("ada").await;
    world.open_account(&ada, vec![]).await;
    let set = async |status| world.command(Uuid::now_v7(), ada.id, Command::SetStatus { status, reason: None }).await;
    set(Status::Suspended).await;
    until("the session is over", async || world.sessions(&ada).await.is_empty()).await;
    assert_eq!(world.refresh(&first.refresh_token).await, SigningIn::Refused);
    assert_eq!(world.login("ada", PASSWORD).await, SigningIn::Refused);
    let subject = format!("evt.identity.session.{}", first.session);
    let events =
        world.until_said("EVENTS", &subject, &["identity.session.started.v1", "identity.session.ended.v1"]).await;
    assert_eq!(events[1]["data"]["reason"], "suspended");

    set(Status::Active).await;
    until("she may sign in again", async || matches!(world.login("ada", PASSWORD).await, SigningIn::SignedIn { .. }))
        .await;
}

#[tokio::test]
async fn a_change_of_roles_ends_sessions_and_counts_at_the_next() {
    let world = World::start().await;
    world.start_identity().await;
    let (ada, first) = world.person("ada").await;
    world.open_account(&ada, vec![]).await;
    world.command(Uuid::now_v7(), ada.id, Command::AssignRole { role: Role::Admin }).await;
    until("the session is over", async || world.sessions(&ada).await.is_empty()).await;
    assert_eq!(world.refresh(&first.refresh_token).await, SigningIn::Refused);
    let SigningIn::SignedIn { roles, .. } = world.login("ada", PASSWORD).await else { panic!("refused") };
    assert_eq!(roles, [Role::Admin]);
    world.command(Uuid::now_v7(), ada.id, Command::RevokeRole { role: Role::Admin }).await;
    until("the session is over", async || world.sessions(&ada).await.is_empty()).await;
    let SigningIn::SignedIn { roles, .. } = world.login("ada", PASSWORD).await else { panic!("refused") };
    assert_eq!(roles, []);
}

#[tokio::test]
async fn an_erased_person_has_no_key_and_never_gets_one() {
    let world = World::start().await;
    world.start_identity().await;
    let (ada, first) = world.person("ada").await;
    world.open_account(&ada, vec![]).await;
    until("the registration is followed", async || known(&world, &ada).await == 1).await;
    let mut erased = Box::pin(world.bus.listen("vault.erased").await.expect("nats"));
    world.command(Uuid::now_v7(), ada.id, Command::Erase {}).await;
    let (_, person) =
        tokio::time::timeout(std::time::Duration::from_secs(20), erased.next()).await.expect("in time").expect("said");
    assert_eq!(person, ada.id.to_string().as_bytes());

    let keys = world.client.keys(&Keys { persons: vec![ada.id] }).await.expect("an answer");
    assert_eq!(keys[&ada.id], None);
    assert_eq!(world.refresh(&first.refresh_token).await, SigningIn::Refused);
    assert_eq!(world.login("ada", PASSWORD).await, SigningIn::Refused);
    assert_eq!(world.client.start_session(&ada.start()).await.expect("an answer"), SigningIn::Refused);
    assert_eq!(world.client.register(&ada.register(PASSWORD)).await.expect("an answer"), Registering::Mismatch);
    assert_eq!(world.client.keys(&Keys { persons: vec![ada.id] }).await.expect("an answer")[&ada.id], None);
    for table in ["account", "login", "role", "session", "mail_token"] {
        assert_eq!(world.count(&format!("select count(*) from vault.{table}")).await, 0, "{table}");
    }
    let subject = format!("evt.identity.session.{}", first.session);
    world.until_said("EVENTS", &subject, &["identity.session.started.v1", "identity.session.ended.v1"]).await;
}

#[tokio::test]
async fn a_registration_that_came_to_nothing_is_forgotten_once_the_log_is_known_past_it() {
    let world = World::start().await;
    world.start_identity().await;
    let ada = world.registered("ada").await;
    pass(TimeDelta::hours(2));
    let (bob, _) = world.person("bob").await;
    world.open_account(&bob, vec![]).await;
    until("bob is followed", async || known(&world, &bob).await == 1).await;
    assert_eq!(world.count(&format!("select count(*) from vault.account where person = '{}'", ada.id)).await, 1);
    // bob's event carries the real time, an hour before ada's credential may go
    world
        .sql(&format!(
            "update vault.account set created_at = created_at - interval '2 hours' where person = '{}'",
            ada.id
        ))
        .await;
    until("ada is forgotten", async || {
        world.count(&format!("select count(*) from vault.account where person = '{}'", ada.id)).await == 0
    })
    .await;
    let keys = world.client.keys(&Keys { persons: vec![ada.id, bob.id] }).await.expect("an answer");
    assert!(keys[&ada.id].is_none() && keys[&bob.id].is_some());
}

/// Forgets whatever it is asked to forget.
#[derive(Default, Serialize, Deserialize)]
struct Forgetful;

#[derive(Debug, thiserror::Error)]
#[error("it only forgets")]
struct OnlyForgets;

impl Rejection for OnlyForgets {
    fn code(&self) -> &'static str {
        "only_forgets"
    }

    fn kind(&self) -> Kind {
        Kind::Conflict
    }
}

impl Decider for Forgetful {
    const LOGIC: u32 = 1;
    type Command = contact::Command;
    type Event = contact::Event;
    type Rejection = OnlyForgets;

    fn decide(&self, command: contact::Command, _: &Meta) -> Result<Vec<contact::Event>, OnlyForgets> {
        let erase = command == contact::Command::Erase {};
        erase.then(|| vec![contact::Event::Erased {}]).ok_or(OnlyForgets)
    }

    fn evolve(&mut self, _: &contact::Event) {}
}

#[tokio::test]
async fn what_a_stranger_wrote_is_forgotten_and_nobody_with_an_account() {
    let world = World::start().await;
    let service = Service::new("notification").decides::<Forgetful>("contact");
    tokio::spawn(nats::run_service(world.bus.clone(), service, Default::default()));
    let (ada, about) = (world.registered("ada").await, Uuid::new_v4());
    world.client.make_key(&MakeKey { about }).await.expect("an answer");
    let followed = world.bus.listen("vault.erased").await.expect("nats").take(2).collect::<Vec<_>>();
    for id in [ada.id, about] {
        world.command(Uuid::now_v7(), id, contact::Command::Erase {}).await;
    }
    tokio::time::timeout(std::time::Duration::from_secs(20), followed).await.expect("both are followed");
    let keys = world.client.keys(&Keys { persons: vec![ada.id, about] }).await.expect("an answer");
    assert!(keys[&about].is_none() && keys[&ada.id].is_some());
    assert_eq!(world.client.make_key(&MakeKey { about }).await.expect("an answer"), KeyMaking::Erased);
}
