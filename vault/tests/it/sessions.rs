//! Refreshing, listing and ending sessions; the keys that sign their tokens.

use crate::world::*;
use chrono::TimeDelta;
use events::identity::session::EndReason;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use uuid::Uuid;
use vault::Secret;
use vault::api::*;

fn session(tokens: &Tokens) -> String {
    format!("cmd.identity.session.{}", tokens.session)
}

#[tokio::test]
async fn a_refresh_token_serves_once() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    pass(TimeDelta::minutes(10));
    let second = tokens(world.refresh(&first.refresh_token).await);
    assert_eq!((second.user, second.session), (person.id, first.session));
    assert_ne!(second.access_token, first.access_token);
    let third = tokens(world.refresh(&second.refresh_token).await);
    assert_ne!(third.refresh_token, second.refresh_token);
}

#[tokio::test]
async fn of_two_at_once_neither_loses() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    let (one, two) = tokio::join!(world.refresh(&first.refresh_token), world.refresh(&first.refresh_token));
    assert_eq!(tokens(one), tokens(two));
    assert_eq!(world.count("select generation::bigint from vault.session").await, 1);
    assert_eq!(world.sessions(&person).await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_while_its_tokens_are_unused() {
    let world = World::start().await;
    let (_, first) = world.person("ada").await;
    let second = tokens(world.refresh(&first.refresh_token).await);
    pass(TimeDelta::seconds(9));
    assert_eq!(tokens(world.refresh(&first.refresh_token).await), second);
    tokens(world.refresh(&second.refresh_token).await);
}

#[tokio::test]
async fn a_replay_after_the_grace_ends_the_session() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    let second = tokens(world.refresh(&first.refresh_token).await);
    pass(TimeDelta::seconds(12));
    assert_eq!(world.refresh(&first.refresh_token).await, SigningIn::Refused);
    assert_eq!(world.refresh(&second.refresh_token).await, SigningIn::Refused);
    assert_eq!(world.sessions(&person).await, []);
    let types = ["identity.session.start.v1", "identity.session.report_reuse.v1"];
    world.until_said("COMMANDS", &session(&first), &types).await;
}

#[tokio::test]
async fn a_replay_of_what_was_used_ends_the_session_at_once() {
    let world = World::start().await;
    let (_, first) = world.person("ada").await;
    let second = tokens(world.refresh(&first.refresh_token).await);
    let third = tokens(world.refresh(&second.refresh_token).await);
    let thieves = futures::future::join_all((0..5).map(|_| world.refresh(&first.refresh_token))).await;
    assert!(thieves.iter().all(|answer| *answer == SigningIn::Refused));
    assert_eq!(world.refresh(&third.refresh_token).await, SigningIn::Refused);
    let types = ["identity.session.start.v1", "identity.session.report_reuse.v1"];
    world.until_said("COMMANDS", &session(&first), &types).await;
}

#[tokio::test]
async fn sessions_expire_idle_and_at_last() {
    let world = World::start().await;
    let (person, mut held) = world.person("ada").await;
    let idle = tokens(world.login("ada", PASSWORD).await);
    for _ in 0..8 {
        pass(TimeDelta::days(10));
        held = tokens(world.refresh(&held.refresh_token).await);
    }
    assert_eq!(world.refresh(&idle.refresh_token).await, SigningIn::Refused);
    assert_eq!(world.sessions(&person).await.len(), 1);
    pass(TimeDelta::days(10));
    assert_eq!(world.refresh(&held.refresh_token).await, SigningIn::Refused);
    pass(TimeDelta::days(1));
    until("old sessions are removed", async || world.count("select count(*) from vault.session").await == 0).await;
}

#[tokio::test]
async fn a_person_sees_and_ends_sessions() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    pass(TimeDelta::minutes(1));
    let second = tokens(world.login_from("ada", PASSWORD, "2001:db8:1:2::3").await);
    let question = Sessions { user: person.id, current: Some(first.session) };
    let listed = world.client.sessions(&question).await.expect("an answer");
    assert_eq!(
        listed.iter().map(|one| (one.id, one.current)).collect::<Vec<_>>(),
        [(second.session, false), (first.session, true)]
    );
    assert_eq!(listed[0].network, Some("2001:db8:1::/48".into()));
    assert_eq!(listed[0].agent, Some("Browser/1".into()));
    assert_eq!(listed[0].expires_at, listed[0].last_seen_at + TimeDelta::days(14));

    let (user, session) = (person.id, second.session);
    let end = EndSession { user, session, reason: EndReason::Revoked, by: user };
    let of_another = EndSession { user: Uuid::new_v4(), ..end.clone() };
    assert!(!world.client.end_session(&of_another).await.expect("an answer").ended);
    assert!(world.client.end_session(&end).await.expect("an answer").ended);
    assert!(!world.client.end_session(&end).await.expect("an answer").ended);
    assert_eq!(world.refresh(&second.refresh_token).await, SigningIn::Refused);
    assert!(world.client.logout(&Logout { user, session: first.session }).await.expect("an answer").ended);
    assert_eq!(world.sessions(&person).await, []);

    let types = ["identity.session.start.v1", "identity.session.end.v1"];
    let ended = world.until_said("COMMANDS", &self::session(&second), &types).await;
    assert_eq!((&ended[1]["data"]["reason"], &ended[1]["authid"]), (&"revoked".into(), &user.to_string().into()));
    let ended = world.until_said("COMMANDS", &self::session(&first), &types).await;
    assert_eq!(ended[1]["data"]["reason"], "logged_out");
}

#[tokio::test]
async fn where_a_session_is_seen_is_kept_up_to_date() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    let question = Refresh { refresh_token: first.refresh_token, agent: None, address: Some("203.0.113.9".into()) };
    tokens(world.client.refresh(&question).await.expect("an answer"));
    let listed = world.sessions(&person).await;
    assert_eq!((&listed[0].network, &listed[0].agent), (&Some("203.0.113.0/24".into()), &Some("Browser/1".into())));
}

fn kid(token: &Secret) -> String {
    jsonwebtoken::decode_header(token.expose()).expect("a header").kid.expect("a key id")
}

/// The claims of a valid token.
async fn claims(world: &World, token: &Secret) -> serde_json::Value {
    let set: JwkSet = serde_json::from_value(world.client.jwks().await.expect("an answer")).expect("a JWK set");
    let key = set.find(&kid(token)).expect("a published key");
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["reprise"]);
    validation.set_issuer(&["reprise"]);
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    let key = DecodingKey::from_jwk(key).expect("a key");
    jsonwebtoken::decode(token.expose(), &key, &validation).expect("a valid signature").claims
}

#[tokio::test]
async fn access_tokens_say_who_and_are_signed_with_a_published_key() {
    let world = World::start().await;
    let (person, tokens) = world.person("ada").await;
    let claims = claims(&world, &tokens.access_token).await;
    assert_eq!((&claims["sub"], &claims["sid"]), (&person.id.to_string().into(), &tokens.session.to_string().into()));
    assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), 900);
    assert_eq!(claims["roles"], serde_json::json!([]));
    let header = jsonwebtoken::decode_header(tokens.access_token.expose()).expect("a header");
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::EdDSA, Some("at+jwt")));
    let key = world.client.jwks().await.expect("an answer")["keys"][0].clone();
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&"OKP".into(), &"Ed25519".into(), &"sig".into()));
    assert_eq!(key.get("d"), None);
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_until_its_tokens_expired() {
    let world = World::start().await;
    let (_, first) = world.person("ada").await;
    let published = async || world.client.jwks().await.expect("an answer")["keys"].as_array().expect("keys").len();
    pass(TimeDelta::days(30) - TimeDelta::hours(1));
    until("the next key is published", async || published().await == 2).await;
    let before = tokens(world.login("ada", PASSWORD).await);
    assert_eq!(kid(&before.access_token), kid(&first.access_token));

    pass(TimeDelta::hours(2));
    let after = tokens(world.login("ada", PASSWORD).await);
    assert_ne!(kid(&after.access_token), kid(&first.access_token));
    claims(&world, &before.access_token).await;
    claims(&world, &after.access_token).await;

    pass(TimeDelta::hours(2));
    until("the retired key is gone", async || published().await == 1).await;
    claims(&world, &after.access_token).await;
}

/// No verb waits for a second connection while it holds one: with many at once that would be for ever.
#[tokio::test]
async fn one_connection_is_enough() {
    let world = World::with_connections(config(), 1).await;
    world.start_identity().await;
    let persons = futures::future::join_all((0..20).map(|n| {
        let world = &world;
        async move { world.person(&format!("person{n}")).await }
    }));
    for (person, first) in persons.await {
        let (one, two) = tokio::join!(world.refresh(&first.refresh_token), world.login(&person.name, PASSWORD));
        let held = tokens(one);
        let (user, session) = (person.id, held.session);
        let change = ChangePassword { user, session, current: PASSWORD.into(), new: "another long password".into() };
        assert_eq!(world.client.change_password(&change).await.expect("an answer"), ChangingPassword::Changed);
        assert_eq!(world.refresh(&tokens(two).refresh_token).await, SigningIn::Refused);
    }
}

#[tokio::test]
async fn another_vault_has_the_same_keys() {
    let mut world = World::start().await;
    let (_, first) = world.person("ada").await;
    world.stop_vault().await;
    world.start_vault().await;
    claims(&world, &first.access_token).await;
    tokens(world.refresh(&first.refresh_token).await);
}
