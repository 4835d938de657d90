//! The keys of persons and those derived from the master key.

use crate::world::*;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use std::collections::BTreeSet;
use uuid::Uuid;
use vault::api::*;
use vault::{Config, MasterKey};

#[tokio::test]
async fn a_registered_person_has_a_key_and_nobody_else() {
    let world = World::start().await;
    let (ada, bob) = (world.registered("ada").await, world.registered("bob").await);
    let stranger = Uuid::new_v4();
    let keys = world.client.keys(&Keys { persons: vec![ada.id, bob.id, stranger] }).await.expect("an answer");
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[&stranger], None);
    assert!(keys[&ada.id].is_some() && keys[&ada.id] != keys[&bob.id]);
    assert_eq!(world.client.keys(&Keys { persons: vec![ada.id] }).await.expect("an answer")[&ada.id], keys[&ada.id]);
}

#[tokio::test]
async fn what_a_stranger_writes_has_one_key() {
    let world = World::start().await;
    let (about, question) = (Uuid::new_v4(), |about| Keys { persons: vec![about] });
    assert_eq!(world.client.keys(&question(about)).await.expect("an answer")[&about], None);
    assert_eq!(world.client.make_key(&MakeKey { about }).await.expect("an answer"), KeyMaking::Made);
    let made = world.client.keys(&question(about)).await.expect("an answer");
    assert!(made[&about].is_some());
    assert_eq!(world.client.make_key(&MakeKey { about }).await.expect("an answer"), KeyMaking::Made);
    assert_eq!(world.client.keys(&question(about)).await.expect("an answer"), made, "and no other");
}

#[tokio::test]
async fn a_thousand_keys_at_once_and_no_more() {
    let world = World::start().await;
    let persons: Vec<Uuid> = (0..1001).map(|_| Uuid::new_v4()).collect();
    let thousand = Keys { persons: persons[..1000].to_vec() };
    assert_eq!(world.client.keys(&thousand).await.expect("an answer").len(), 1000);
    assert!(world.client.keys(&Keys { persons }).await.is_err());
}

#[tokio::test]
async fn derived_keys_differ_and_stay() {
    let mut world = World::start().await;
    let ask = async |world: &World| {
        let (edge, push) = (world.client.edge_keys().await, world.client.push_key().await);
        let (edge, push) = (edge.expect("an answer"), push.expect("an answer"));
        [world.client.claim_key().await.expect("an answer").key, edge.fingerprint, edge.consistency, push.key]
    };
    let before = ask(&world).await;
    assert_eq!(before.iter().map(|key| key.expose()).collect::<BTreeSet<_>>().len(), 4);
    world.stop_vault().await;
    world.start_vault().await;
    assert_eq!(ask(&world).await, before);
}

/// What browsers are told belongs to what notification signs with.
#[tokio::test]
async fn both_halves_of_the_push_key_belong_together() {
    let world = World::start().await;
    let private = world.client.push_key().await.expect("an answer");
    assert_eq!(format!("{private:?}"), "PushKey { key: Secret(..) }");
    let scalar = BASE64_STANDARD.decode(private.key.expose()).expect("base64");
    let point = p256::SecretKey::from_slice(&scalar).expect("a scalar").public_key().to_encoded_point(false);
    let told = world.client.push_public_key().await.expect("an answer").public_key;
    assert_eq!(told, BASE64_URL_SAFE_NO_PAD.encode(point.as_bytes()));
}

#[tokio::test]
async fn another_master_key_is_refused_at_the_start() {
    let world = World::start().await;
    let other = MasterKey::from_base64(MasterKey::generate().expose()).expect("32 bytes");
    let run = vault::run(world.pool.clone(), world.bus.clone(), Config::new(other), Default::default());
    let error = format!("{:#}", run.await.expect_err("another master key"));
    assert!(error.contains("another master key"), "{error}");
}

#[tokio::test]
async fn migrations_may_be_repeated() {
    let world = World::start().await;
    vault::migrate(&world.pool).await.expect("nothing to do");
    assert_eq!(world.count("select count(*) from information_schema.tables where table_schema = 'public'").await, 0);
}

#[tokio::test]
async fn whoever_owns_the_schema_needs_no_other_right() {
    let postgres = embedded::Postgres::scratch();
    let url = postgres.database("kept");
    let owner = PgPool::connect(&url).await.expect("postgres");
    for statement in ["create role keeper login", "create schema vault authorization keeper"] {
        sqlx::query(statement).execute(&owner).await.expect("a statement");
    }
    let options: PgConnectOptions = url.parse().expect("an address");
    let keeper = PgPool::connect_with(options.username("keeper")).await.expect("postgres");
    vault::migrate(&keeper).await.expect("its own schema");
    vault::migrate(&keeper).await.expect("nothing to do");
}

#[test]
fn names_are_normal_as_identity_has_them() {
    for name in ["Ada", " ＡＤＡ ", "ﬁona", "ΣΊΣΥΦΟΣ", "STRASSE@Example.ORG", "İstanbul", "e\u{301}", "x\u{a0}"]
    {
        assert_eq!(vault::normal(name), identity::normal_username(name), "{name}");
        assert_eq!(vault::normal(name), identity::normal_email(name), "{name}");
    }
}
