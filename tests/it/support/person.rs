//! People who use the platform.

use super::{Answer, Platform, eventually};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

/// Good enough for the strictest policy.
pub const PASSWORD: &str = "drei Wolken über Bergen 47";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account's id.
    pub id: Uuid,
    /// The name to sign in with; empty when there is none.
    pub username: String,
    /// The address; empty when there is none.
    pub email: String,
    /// The short-lived token.
    pub access_token: String,
    /// The token that gets another pair.
    pub refresh_token: String,
}

/// A name nobody has yet on this platform.
pub fn unused_name(beginning: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("{beginning}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The body that registers `name` with both names.
pub fn registration(name: &str) -> Value {
    json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD, "name": "Ada" })
}

impl Person {
    /// Whoever an answer to a registration or login is about.
    #[track_caller]
    pub fn signed_in(answer: &Answer) -> Person {
        let text = |pointer: &str| answer.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Person {
            id: answer.text_at("/user/id").parse().expect("an id is a UUID"),
            username: text("/user/username"),
            email: text("/user/email"),
            access_token: answer.text_at("/access_token"),
            refresh_token: answer.text_at("/refresh_token"),
        }
    }
}

impl Platform {
    /// Registers somebody new.
    pub async fn somebody(&self) -> Person {
        let answer = self.post("/api/auth/register").json(registration(&unused_name("ada"))).send().await.expect(201);
        Person::signed_in(&answer)
    }

    /// Registers somebody new and waits for the profile that follows.
    pub async fn somebody_with_profile(&self) -> Person {
        let person = self.somebody().await;
        self.profile_of(&person).await;
        person
    }

    /// Signs in.
    pub async fn login(&self, name: &str, password: &str) -> Answer {
        self.post("/api/auth/login").json(json!({ "username": name, "password": password })).send().await
    }
}

impl Platform {
    /// The one-time secret with which the first admin registers, from the page that `up` prints.
    pub async fn bootstrap_secret(&self) -> String {
        eventually("the page with the one-time secret is printed", async || {
            let output = std::fs::read_to_string(&self.running.output).ok()?;
            let mut lines = output.lines().skip_while(|line| !line.contains("one-time secret")).skip(1);
            lines.next().map(|line| line.trim().to_owned()).filter(|secret| secret.len() > 20)
        })
        .await
    }

    /// Registers the first admin.
    pub async fn admin(&self) -> Person {
        let mut body = registration(&unused_name("boss"));
        body["bootstrap_secret"] = json!(self.bootstrap_secret().await);
        let answer = self.post("/api/auth/register-admin").json(body).send().await.expect(201);
        Person::signed_in(&answer)
    }
}
