//! Changing and resetting passwords, proving addresses.

use crate::world::*;
use chrono::TimeDelta;
use uuid::Uuid;
use vault::Weakness;
use vault::api::*;

const NEW: &str = "another long password";

fn user(person: &Person) -> String {
    format!("cmd.identity.user.{}", person.id)
}

async fn mint(world: &World, person: &Person, purpose: Purpose) -> vault::Secret {
    let question =
        MintToken { user: person.id, purpose, event: Uuid::new_v4(), expires_at: clock() + TimeDelta::hours(1) };
    let minted = world.client.mint_token(&question).await.expect("an answer");
    assert_eq!(world.client.mint_token(&question).await.expect("an answer"), minted);
    minted.token
}

async fn reset(world: &World, token: &vault::Secret, new: &str) -> ResettingPassword {
    let question = ResetPassword { token: token.clone(), new: new.into() };
    world.client.reset_password(&question).await.expect("an answer")
}

async fn change(world: &World, by: &Tokens, current: &str, new: &str) -> ChangingPassword {
    let (user, session) = (by.user, by.session);
    let question = ChangePassword { user, session, current: current.into(), new: new.into() };
    world.client.change_password(&question).await.expect("an answer")
}

#[tokio::test]
async fn whoever_knows_the_password_changes_it_and_ends_the_other_sessions() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    let other = tokens(world.login("ada", PASSWORD).await);
    assert_eq!(change(&world, &first, "wrong horse battery", NEW).await, ChangingPassword::Wrong);
    let weak = ChangingPassword::Weak { reasons: vec![Weakness::TooShort] };
    assert_eq!(change(&world, &first, PASSWORD, "tr4-M1").await, weak);
    let named = ChangingPassword::Weak { reasons: vec![Weakness::ContainsName] };
    assert_eq!(change(&world, &first, PASSWORD, "17-ada@example.org").await, named);
    assert_eq!(change(&world, &first, PASSWORD, NEW).await, ChangingPassword::Changed);

    assert_eq!(world.refresh(&other.refresh_token).await, SigningIn::Refused);
    tokens(world.refresh(&first.refresh_token).await);
    assert_eq!(world.login("ada", PASSWORD).await, SigningIn::Refused);
    tokens(world.login("ada", NEW).await);
    let types = ["identity.user.record_password_change.v1", "identity.user.record_login_failure.v1"];
    let said = world.until_said("COMMANDS", &user(&person), &types).await;
    assert_eq!(said[0]["data"]["how"], "known");
    let types = ["identity.session.start.v1", "identity.session.end.v1"];
    let ended = world.until_said("COMMANDS", &format!("cmd.identity.session.{}", other.session), &types).await;
    assert_eq!(ended[1]["data"]["reason"], "password_changed");
}

#[tokio::test]
async fn an_ended_session_changes_no_password() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    world.client.logout(&Logout { user: person.id, session: first.session }).await.expect("an answer");
    assert_eq!(change(&world, &first, PASSWORD, NEW).await, ChangingPassword::Wrong);
}

#[tokio::test]
async fn a_reset_token_serves_once_and_ends_every_session() {
    let world = World::start().await;
    let (person, first) = world.person("ada").await;
    let (token, earlier) = (mint(&world, &person, Purpose::Reset).await, mint(&world, &person, Purpose::Reset).await);
    let weak = ResettingPassword::Weak { reasons: vec![Weakness::TooShort] };
    assert_eq!(reset(&world, &token, "tr4-M1").await, weak);
    let at_once = futures::future::join_all((0..5).map(|_| reset(&world, &token, NEW))).await;
    let changed = ResettingPassword::Changed { user: person.id };
    assert_eq!(at_once.iter().filter(|answer| **answer == changed).count(), 1, "{at_once:?}");
    assert_eq!(reset(&world, &token, NEW).await, ResettingPassword::BadToken);
    assert_eq!(reset(&world, &earlier, NEW).await, ResettingPassword::BadToken);

    assert_eq!(world.refresh(&first.refresh_token).await, SigningIn::Refused);
    tokens(world.login("ada", NEW).await);
    let said = world.until_said("COMMANDS", &user(&person), &["identity.user.record_password_change.v1"]).await;
    assert_eq!(said[0]["data"]["how"], "reset");
}

#[tokio::test]
async fn tokens_for_mails_expire_and_serve_for_one_thing() {
    let world = World::start().await;
    let (person, _) = world.person("ada").await;
    let (proof, right) = (mint(&world, &person, Purpose::Verify).await, mint(&world, &person, Purpose::Reset).await);
    assert_eq!(reset(&world, &proof, NEW).await, ResettingPassword::BadToken);
    let verify = async |token: &vault::Secret| {
        world.client.verify_email(&VerifyEmail { token: token.clone() }).await.expect("an answer")
    };
    assert_eq!(verify(&right).await, VerifyingEmail::BadToken);
    assert_eq!(verify(&"nonsense".into()).await, VerifyingEmail::BadToken);
    let verified = verify(&proof).await;
    assert!(matches!(&verified, VerifyingEmail::Verified { user, .. } if *user == person.id), "{verified:?}");
    assert_eq!(verify(&proof).await, verified);
    world.until_said("COMMANDS", &user(&person), &["identity.user.verify_email.v1"]).await;

    pass(TimeDelta::hours(2));
    assert_eq!(verify(&proof).await, VerifyingEmail::BadToken);
    assert_eq!(reset(&world, &right, NEW).await, ResettingPassword::BadToken);
    until("expired tokens are removed", async || world.count("select count(*) from vault.mail_token").await == 0).await;
}

#[tokio::test]
async fn a_token_for_somebody_unknown_serves_for_nothing() {
    let world = World::start().await;
    let token = mint(&world, &Person::new("nobody"), Purpose::Reset).await;
    assert_eq!(reset(&world, &token, NEW).await, ResettingPassword::BadToken);
}

#[tokio::test]
async fn forgetting_is_answered_alike_and_mails_are_few() {
    let world = World::start().await;
    let (person, _) = world.person("ada").await;
    for name in ["nobody", "ada@example.org", "ADA", "ada", "ada", "ada", "ada"] {
        world.client.forgot(&Forgot { identifier: name.into() }).await.expect("the same answer");
    }
    let types = ["identity.user.request_password_reset.v1"; 3];
    world.until_said("COMMANDS", &user(&person), &types).await;
    assert_eq!(world.said("COMMANDS", "cmd.identity.user.*").await.len(), 3);
}
