//! Whether this process lives, whether it can work, and what of the platform it sees. Looked at once a second in the
//! background, so a probe costs nothing and never waits.

use crate::answer::Answer;
use crate::app::App;
use crate::edge::Edge;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// An answer of a part that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(2);
/// What was seen longer ago does not count: the looking itself hangs.
const OLD: Duration = Duration::from_secs(10);
/// Pages are fresh that show everything older than this.
const FRESH: Duration = Duration::from_secs(5);
/// A log that takes nothing for longer than this takes no commands.
const REFUSING: Duration = Duration::from_secs(2);
/// Signing keys are read anew this often, so that the next one is known before it is used.
const KEYS: Duration = Duration::from_secs(60);

/// How one part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `ok`, or `down`.
    pub status: &'static str,
    /// In words, when it is not well or there is something to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Part {
    /// It works.
    pub fn ok() -> Self {
        Part { status: "ok", detail: None }
    }

    /// It does not.
    pub fn down(detail: impl Into<String>) -> Self {
        Part { status: "down", detail: Some(detail.into()) }
    }

    fn when(good: bool, detail: impl Into<String>) -> Self {
        if good { Part::ok() } else { Part::down(detail) }
    }
}

/// How everything is that this process needs.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<RwLock<Seen>>);

#[derive(Clone, Debug, Default)]
struct Seen {
    at: Option<Instant>,
    parts: BTreeMap<&'static str, Part>,
}

/// The answer of a probe.
#[derive(Serialize)]
struct Report<'a> {
    status: &'static str,
    version: &'a str,
    checks: BTreeMap<&'static str, Part>,
}

impl Health {
    /// Takes note of how the parts are now.
    pub fn report(&self, parts: BTreeMap<&'static str, Part>) {
        *self.0.write().expect("never poisoned: nothing panics inside") = Seen { at: Some(Instant::now()), parts };
    }

    /// How the parts are; when nobody has looked lately, that is what is wrong.
    pub fn parts(&self) -> BTreeMap<&'static str, Part> {
        let seen = self.0.read().expect("never poisoned: nothing panics inside").clone();
        let mut parts = seen.parts;
        if seen.at.is_none_or(|at| at.elapsed() > OLD) {
            parts.insert("looking", Part::down("nothing was looked at lately"));
        }
        parts
    }

    /// The answer of a probe.
    ///
    /// # Errors
    /// 503 that names the parts that are not well.
    pub(crate) fn answer(&self, version: &str) -> Result<Answer, Problem> {
        answer(self.parts(), version)
    }
}

fn answer(checks: BTreeMap<&'static str, Part>, version: &str) -> Result<Answer, Problem> {
    if checks.values().any(|part| part.status != "ok") {
        return Err(Problem::not_ready(checks));
    }
    let report = Answer::ok(&Report { status: "ok", version, checks });
    Ok(report.header(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// `GET /livez`: this process answers, more is not asked.
pub(crate) async fn live() -> Result<Answer, Problem> {
    answer(BTreeMap::new(), env!("CARGO_PKG_VERSION"))
}

/// `GET /readyz`: commands can be taken and reads are fresh.
pub(crate) async fn ready(State(app): State<App>) -> Result<Answer, Problem> {
    answer(everything(&app), app.config().version)
}

fn everything(app: &App) -> BTreeMap<&'static str, Part> {
    let mut parts = app.health().parts();
    if app.edge().draining.load(Ordering::Relaxed) {
        parts.insert("draining", Part::down("this gateway is stopping"));
    }
    parts
}

/// Looks at everything the gateway needs until stopped.
pub(crate) async fn watch(app: App, stop: CancellationToken) {
    let mut keys: Option<Instant> = None;
    let mut tails = Tails::default();
    loop {
        if keys.is_none_or(|at| at.elapsed() > KEYS) && app.edge().auth.fetch_keys().await.is_ok() {
            keys = Some(Instant::now());
        }
        let parts = look(&app, &mut tails).await;
        app.health().report(parts);
        app.edge().measure();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn look(app: &App, tails: &mut Tails) -> BTreeMap<&'static str, Part> {
    let tail = in_time(app.bus().last_sequence("EVENTS")).await;
    let mut parts = BTreeMap::from([
        ("revocations", revocations(app.edge())),
        ("vault", Part::when(app.edge().auth.has_keys(), "no key to check tokens with is known yet")),
    ]);
    let (user, profile, live) = tokio::join!(
        in_time(app.reads().position("user_page")),
        in_time(app.reads().position("profile_page")),
        in_time(app.reads().are_live(&["user_page", "profile_page", "operations"])),
    );
    match tail {
        Ok(tail) => {
            let refused = nats::refusing().is_some_and(|time| time > REFUSING);
            parts.insert("nats", Part::when(!refused, "nothing can be written to the log"));
            tails.note(tail);
        }
        Err(why) => {
            parts.insert("nats", Part::down(why));
        }
    }
    match (user, profile, live) {
        (Ok(_), Ok(_), Ok(false)) => {
            parts.insert("postgres", Part::ok());
            parts.insert("projections", Part::down("not every page has been built yet"));
        }
        (Ok(user), Ok(profile), Ok(true)) => {
            parts.insert("postgres", Part::ok());
            let behind = tails.goal().saturating_sub(user.min(profile));
            parts.insert("projections", Part::when(behind == 0, format!("{behind} events behind")));
        }
        (Err(why), ..) | (_, Err(why), _) | (_, _, Err(why)) => {
            parts.insert("postgres", Part::down(why));
        }
    }
    parts
}

/// How long the log was lately: what counts is whether pages move, not how much is written at this moment.
#[derive(Default)]
struct Tails(VecDeque<(Instant, u64)>);

impl Tails {
    fn note(&mut self, tail: u64) {
        self.0.push_back((Instant::now(), tail));
        while self.0.get(1).is_some_and(|(at, _)| at.elapsed() > FRESH) {
            self.0.pop_front();
        }
    }

    /// What pages must show by now: what was there 5 s ago, or when the looking began.
    fn goal(&self) -> u64 {
        self.0.front().map_or(0, |(_, tail)| *tail)
    }
}

fn revocations(edge: &Edge) -> Part {
    match edge.auth.revocations.age() {
        Some(age) if age < 10_000 => Part::ok(),
        Some(age) => Part::down(format!("ended sessions are known up to {} s ago only", age / 1000)),
        None => Part::down("ended sessions are not read yet"),
    }
}

async fn in_time<T, E: std::fmt::Display>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        // the cause may name a host or a user: it is for the log
        Ok(Err(cause)) => {
            tracing::debug!(error = format!("{cause:#}"), "a part of the platform does not answer");
            Err("does not answer".to_owned())
        }
        Err(_) => Err("does not answer in time".to_owned()),
    }
}
