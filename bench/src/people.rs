//! The people who send the load. They register as anyone would; their access tokens are renewed before they run out.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::http::{Connection, bearer, request};

/// A registered person, signed in.
#[derive(Clone)]
pub struct Person {
    /// The id of the account and of the profile.
    pub id: Uuid,
    /// Serves a quarter of an hour.
    pub token: String,
    refresh: String,
    since: Instant,
}

#[derive(Deserialize)]
struct SignedIn {
    access_token: String,
    refresh_token: String,
}

#[derive(Deserialize)]
struct Registered {
    user: User,
    #[serde(flatten)]
    tokens: SignedIn,
}

#[derive(Deserialize)]
struct User {
    id: Uuid,
}

#[cfg(test)]
impl Person {
    /// Somebody with a token from elsewhere.
    pub fn known(id: Uuid, token: String) -> Self {
        Person { id, token, refresh: String::new(), since: Instant::now() }
    }
}

/// Registers people, `at_once` at a time, names counted on from `first`. Nobody can write to them, so no mail is written.
pub async fn register(address: SocketAddr, first: usize, count: usize, at_once: usize) -> Result<Vec<Person>> {
    register_with(address, first, count, at_once, "").await
}

/// The same with addresses, which are sent mails about their accounts first.
pub async fn register_reachable(address: SocketAddr, count: usize, at_once: usize) -> Result<Vec<Person>> {
    register_with(address, 0, count, at_once, "example.org").await
}

async fn register_with(
    address: SocketAddr,
    first: usize,
    count: usize,
    at_once: usize,
    domain: &'static str,
) -> Result<Vec<Person>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let next = next.clone();
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut people = vec![];
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return anyhow::Ok(people);
                }
                people.push(register_at(&mut connection, first + n, domain).await?);
            }
        });
    }
    let mut people = vec![];
    while let Some(some) = tasks.join_next().await {
        people.extend(some??);
    }
    Ok(people)
}

/// Registers one person, by username, so that no mail is written.
pub async fn register_one(connection: &mut Connection, n: usize) -> Result<Person> {
    register_at(connection, n, "").await
}

/// With an address in this domain, if it is one.
async fn register_at(connection: &mut Connection, n: usize, domain: &str) -> Result<Person> {
    let email = if domain.is_empty() { String::new() } else { format!(r#""email":"bench{n}@{domain}","#) };
    let body = format!(r#"{{"username":"bench{n}",{email}"password":"correct horse {n} battery"}}"#);
    let since = Instant::now();
    let answer = connection.exchange(&request("POST", "/api/auth/register", "", &body)).await?;
    // on a machine that is very slow it goes on after the answer
    let registered: Registered = if answer.status == 202 {
        signed_in(connection, n).await?
    } else {
        answer.json(201).context("POST /api/auth/register")?
    };
    let SignedIn { access_token: token, refresh_token: refresh } = registered.tokens;
    Ok(Person { id: registered.user.id, token, refresh, since })
}

/// Signs a person in whose registration goes on.
async fn signed_in(connection: &mut Connection, n: usize) -> Result<Registered> {
    let body = format!(r#"{{"username":"bench{n}","password":"correct horse {n} battery"}}"#);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = connection.exchange(&request("POST", "/api/auth/login", "", &body)).await?;
        if answer.status == 200 || Instant::now() > deadline {
            return answer.json(200).context("POST /api/auth/login after a registration that was answered with 202");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until everyone's profile can be read: the reactions to the registrations are done.
pub async fn settled(address: SocketAddr, people: &[Person]) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let deadline = Instant::now() + Duration::from_secs(60);
    for person in people {
        loop {
            let answer = connection.exchange(&request("GET", "/api/profile", &bearer(&person.token), "")).await?;
            if answer.status == 200 {
                break;
            }
            let late = Instant::now() > deadline;
            ensure!(!late, "a profile is missing a minute after its registration: {}", answer.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Renews the tokens that are older than five minutes, so that none runs out within a figure.
pub async fn renew(address: SocketAddr, people: &mut [Person]) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    for person in people.iter_mut().filter(|person| person.since.elapsed() > Duration::from_secs(300)) {
        let body = format!(r#"{{"refresh_token":"{}"}}"#, person.refresh);
        let since = Instant::now();
        let answer = connection.exchange(&request("POST", "/api/auth/refresh-token", "", &body)).await?;
        let tokens: SignedIn = answer.json(200).context("POST /api/auth/refresh-token")?;
        *person = Person { token: tokens.access_token, refresh: tokens.refresh_token, since, ..person.clone() };
    }
    Ok(())
}
