//! Making credentials.

use crate::world::*;
use events::identity::user::Role;
use uuid::Uuid;
use vault::Weakness;
use vault::api::*;

#[tokio::test]
async fn a_repetition_is_the_same_registration_only_with_the_same_password() {
    let world = World::start().await;
    let person = world.registered("ada").await;
    let again = world.client.register(&person.register(PASSWORD)).await.expect("an answer");
    assert_eq!(again, Registering::Registered);
    let other = world.client.register(&person.register("another long password")).await.expect("an answer");
    assert_eq!(other, Registering::Mismatch);
    let stranger = Register { credential: Uuid::new_v4(), ..person.register(PASSWORD) };
    assert_eq!(world.client.register(&stranger).await.expect("an answer"), Registering::Mismatch);
    assert_eq!(world.count("select count(*) from vault.account").await, 1);
}

#[tokio::test]
async fn the_same_registration_at_once_is_one() {
    let world = World::start().await;
    let person = Person::new("ada");
    let question = person.register(PASSWORD);
    let answers = futures::future::join_all((0..20).map(|_| world.client.register(&question))).await;
    assert!(answers.into_iter().all(|answer| answer.expect("an answer") == Registering::Registered));
    assert_eq!(world.count("select count(*) from vault.account").await, 1);
}

#[tokio::test]
async fn weak_passwords_are_refused_with_reasons_and_nothing_is_kept() {
    let world = World::start().await;
    let ada = Person::new("ada.lovelace");
    let weak = async |password: &str| world.client.register(&ada.register(password)).await.expect("an answer");
    let reasons = |reasons: &[Weakness]| Registering::Weak { reasons: reasons.to_vec() };
    assert_eq!(weak("tr4-M1").await, reasons(&[Weakness::TooShort]));
    assert_eq!(weak("Password123!").await, reasons(&[Weakness::Common]));
    assert_eq!(weak("ada.lovelace-1").await, reasons(&[Weakness::ContainsName]));
    assert_eq!(weak("83726154").await, reasons(&[Weakness::TooSimple]));
    assert_eq!(weak(&"x7-".repeat(400)).await, reasons(&[Weakness::TooLong]));
    assert_eq!(world.count("select count(*) from vault.person").await, 0);
}

#[tokio::test]
async fn a_pending_credential_signs_nobody_in() {
    let world = World::start().await;
    let person = world.registered("ada").await;
    assert_eq!(world.login("ada", PASSWORD).await, SigningIn::Refused);
    tokens(world.client.start_session(&person.start()).await.expect("an answer"));
    tokens(world.login("ada", PASSWORD).await);
}

#[tokio::test]
async fn the_first_session_is_the_same_for_the_same_command() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    let again = world.client.start_session(&person.start()).await.expect("an answer");
    assert_eq!(tokens(again), first);
    let at_once = futures::future::join_all(
        (0..10).map(|_| async { tokens(world.client.start_session(&person.start()).await.expect("an answer")) }),
    );
    assert!(at_once.await.iter().all(|one| *one == first));
    let other = StartSession { credential: Uuid::new_v4(), ..person.start() };
    assert_eq!(world.client.start_session(&other).await.expect("an answer"), SigningIn::Refused);
    let start = format!("cmd.identity.session.{}", first.session);
    let said = world.until_said("COMMANDS", &start, &["identity.session.start.v1"]).await;
    assert_eq!(said[0]["data"]["method"], "registration");
    assert_eq!(said[0]["data"]["agent"]["$personal"], "Browser/1");
    assert_eq!(said[0]["data"]["network"]["$personal"], "192.0.2.0/24");
    assert_eq!((&said[0]["authtype"], &said[0]["source"]), (&"system".into(), &"/vault".into()));
}

#[tokio::test]
async fn a_first_session_asked_for_late_has_tokens_that_serve() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    pass(chrono::TimeDelta::minutes(16));
    let late = tokens(world.client.start_session(&person.start()).await.expect("an answer"));
    assert_eq!(late.session, first.session);
    assert_ne!(late.access_token, first.access_token);
    assert_eq!(late.refresh_token, first.refresh_token);
}

#[tokio::test]
async fn the_roles_of_a_registration_are_in_its_tokens() {
    let world = World::start().await;
    let person = world.registered("ada").await;
    let question = StartSession { roles: vec![Role::Admin], ..person.start() };
    let SigningIn::SignedIn { roles, .. } = world.client.start_session(&question).await.expect("an answer") else {
        panic!("refused");
    };
    assert_eq!(roles, [Role::Admin]);
}

#[tokio::test]
async fn the_one_time_secret_has_an_id_that_tells_nothing() {
    let world = World::start().await;
    let ask =
        async |secret: &str| world.client.bootstrap(&Bootstrap { secret: secret.into() }).await.expect("an answer");
    let good = ask("the one-time secret").await;
    assert!(matches!(good, Bootstrapping::Good { .. }));
    assert_eq!(ask("the one-time secret").await, good);
    assert_eq!(ask("the one-time secre").await, Bootstrapping::Bad);
    assert_eq!(ask("").await, Bootstrapping::Bad);
}
