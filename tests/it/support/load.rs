//! People who keep working while things break: each repeats what was not answered, under the same key, and remembers
//! what was promised. Afterwards the log must keep every promise, once.

use super::log::Entry;
use super::person::PASSWORD;
use super::platform::client;
use super::{Answer, Person, Request};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How long a saga may take while everything around it dies and comes back: a message that was in the hands of whoever
/// died comes again after half a minute, and may then meet the next death.
const PATIENCE: Duration = Duration::from_secs(150);

/// Several people at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    people: Vec<JoinHandle<Promises>>,
}

/// What one person was promised.
#[derive(Default)]
pub struct Promises {
    /// The accounts that a `201` promised.
    pub accounts: Vec<Person>,
    /// Who changed their name to what, and the version they were told.
    pub changes: Vec<(Person, String, u64)>,
    /// Requests that had to be repeated: proof that something broke.
    pub repeated: usize,
    /// Answers that no client should ever see.
    pub wrong: Vec<String>,
}

impl Load {
    /// `people` begin to work at once, each with a list of gateways to turn to.
    pub fn start(people: usize, gateways: &[String]) -> Load {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let people = (0..people)
            .map(|n| {
                let mut gateways = gateways.to_vec();
                let first = n % gateways.len();
                gateways.rotate_left(first);
                tokio::spawn(work(n, gateways, stop.clone(), done.clone()))
            })
            .collect();
        Load { stop, done, people }
    }

    /// Waits until so many more requests have been answered: the system is alive.
    pub async fn progress(&self, requests: usize) {
        let target = self.done.load(Ordering::SeqCst) + requests;
        super::patiently("the work goes on", Duration::from_secs(60), async || {
            (self.done.load(Ordering::SeqCst) >= target).then_some(())
        })
        .await;
    }

    /// Everybody ends what they are at, and tells.
    pub async fn stop(self) -> Promises {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Promises::default();
        for person in self.people {
            let one = person.await.expect("nobody gives up");
            all.accounts.extend(one.accounts);
            all.changes.extend(one.changes);
            all.repeated += one.repeated;
            all.wrong.extend(one.wrong);
        }
        all
    }
}

async fn work(n: usize, gateways: Vec<String>, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) -> Promises {
    let mut desk = Desk { client: client(), gateways, promises: Promises::default() };
    let mut round = 0;
    while !stop.load(Ordering::SeqCst) {
        round += 1;
        let name = format!("w{n}r{round}");
        let body = json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let answer = desk.until_done(Method::POST, "/api/auth/register", None, &name, body).await;
        if answer.status != 201 {
            desk.promises.wrong.push(format!("{answer:?}"));
            continue;
        }
        let person = Person::signed_in(&answer);
        desk.promises.accounts.push(person.clone());
        done.fetch_add(1, Ordering::SeqCst);
        desk.until_there(&person).await;
        for change in 0..8 {
            let text = format!("{name}c{change}");
            let body = json!({ "display_name": text });
            let answer = desk.until_done(Method::PUT, "/api/profile", Some(&person), &text, body).await;
            done.fetch_add(1, Ordering::SeqCst);
            match answer.status {
                200 => desk.promises.changes.push((person.clone(), text, answer.version())),
                _ => desk.promises.wrong.push(format!("{answer:?}")),
            }
        }
    }
    desk.promises
}

struct Desk {
    client: reqwest::Client,
    gateways: Vec<String>,
    promises: Promises,
}

impl Desk {
    /// Waits for the profile, which follows the registration in its own time.
    async fn until_there(&mut self, person: &Person) {
        let start = Instant::now();
        loop {
            let url = format!("{}/api/profile", self.gateways[0]);
            match Request::new(&self.client, Method::GET, &url).by(person).try_send().await {
                Ok(answer) if answer.status == 200 => return,
                Err(_) => self.gateways.rotate_left(1),
                Ok(_) => {}
            }
            assert!(start.elapsed() < PATIENCE, "no profile follows the registration of {}", person.id);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends it again and again under one key until it is decided: what every careful client does.
    async fn until_done(&mut self, method: Method, path: &str, by: Option<&Person>, key: &str, body: Value) -> Answer {
        let start = Instant::now();
        loop {
            let mut request = Request::new(&self.client, method.clone(), &format!("{}{path}", self.gateways[0]));
            request = request.header("idempotency-key", key).header("prefer", "wait=2").json(body.clone());
            if let Some(person) = by {
                request = request.by(person);
            }
            let answer = request.try_send().await;
            let again = match &answer {
                Err(_) => true,
                Ok(answer) => matches!(answer.status, 202 | 429 | 503),
            };
            match answer {
                Ok(answer) if !again => return answer,
                _ if start.elapsed() > PATIENCE => panic!("no answer to {path}: {answer:?}"),
                Err(_) => self.gateways.rotate_left(1),
                Ok(_) => {}
            }
            self.promises.repeated += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Promises {
    /// Demands that the log keeps every one of them, once.
    pub fn are_kept(&self, log: &[Entry]) {
        assert!(self.wrong.is_empty(), "{} wrong answers, the first: {}", self.wrong.len(), self.wrong[0]);
        assert!(!self.accounts.is_empty() && !self.changes.is_empty(), "nothing was promised");
        for person in &self.accounts {
            let count =
                log.iter().filter(|e| e.kind() == "identity.user.registered.v1" && e.about() == person.id).count();
            assert_eq!(count, 1, "the account {} was promised", person.id);
        }
        for (person, text, version) in &self.changes {
            let said = |entry: &&Entry| {
                entry.kind() == "profile.profile.updated.v1"
                    && entry.about() == person.id
                    && entry.event["data"]["display_name"].to_string().contains(&format!("\"{text}\""))
            };
            let events: Vec<_> = log.iter().filter(said).collect();
            assert_eq!(events.len(), 1, "{text} was promised once to {}", person.id);
            assert_eq!(events[0].version(), *version, "{text}: another version was told");
        }
    }
}
