//! The demo: registers somebody over HTTP and shows what follows, as an auditor sees it: from the log, with keys that
//! can read and nothing else. Personal fields stay sealed.

mod saga;
mod scratch;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use nats::{Bus, Feed, Keyring, Options, Start};
use projections::{READER, pool};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use uuid::Uuid;

use crate::cli;
use crate::data::Folder;
use saga::{Fact, Saga};

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows one registration, on a running platform or on one that is gone afterwards.
///
/// # Errors
/// No platform is there, it refuses, or what should follow does not.
pub async fn run(args: cli::Demo) -> Result<ExitCode> {
    if args.scratch {
        let platform = scratch::Platform::start().await?;
        let shown = show(&Seen::of(&cli::Demo {
            data: platform.data(),
            url: None,
            nats_url: None,
            nats_nkey: None,
            database_url: None,
            scratch: false,
        })?)
        .await;
        platform.stop().await?;
        shown?;
    } else {
        show(&Seen::of(&args)?).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A platform from outside.
struct Seen {
    url: String,
    nats: Options,
    database_url: String,
}

impl Seen {
    fn of(args: &cli::Demo) -> Result<Self> {
        let all_said = args.url.is_some() && args.nats_url.is_some() && args.database_url.is_some();
        let known = if all_said { None } else { Some(Folder::at(&args.data.data).running()?) };
        let of = |said: &Option<String>, known: Option<String>, name: &str| {
            said.clone().or(known).with_context(|| format!("{name} is not given"))
        };
        let url = of(&args.url, known.as_ref().map(|known| known.url.clone()), "REPRISE_URL")?;
        let nats = of(&args.nats_url, known.as_ref().map(|known| known.nats_url.clone()), "NATS_URL")?;
        let reader = known.as_ref().and_then(|known| known.databases.get(READER).cloned());
        let database_url = of(&args.database_url, reader, "DATABASE_URL")?;
        let seed = args.nats_nkey.clone().or(known.and_then(|known| known.auditor));
        let nats = Options { url: nats, role: "auditor".into(), seed, sync: nats::Sync::Interval };
        Ok(Seen { url, nats, database_url })
    }
}

/// The log, the rows, and when it began.
struct Watch {
    feed: Feed,
    rows: PgPool,
    began: DateTime<Utc>,
    saga: Saga,
    /// When the client had its answer, and which; told in its place among the events.
    answer: Option<(i64, String)>,
}

/// What the client was answered.
struct Answer {
    person: Uuid,
    command: Uuid,
    said: (i64, String),
}

async fn show(seen: &Seen) -> Result<()> {
    // an auditor has no keys: whatever is sealed stays so
    let no_keys = Keyring::local(|_| Box::pin(async { Ok(std::collections::HashMap::new()) }));
    let bus = tokio::time::timeout(PATIENCE, Bus::connect_with(&seen.nats, no_keys))
        .await
        .context("NATS does not answer")??;
    let feed =
        bus.feed(nats::streams::EVENTS, vec![], Start::Sequence(bus.last_sequence(nats::streams::EVENTS).await?));
    let rows = pool(&seen.database_url, None, 1).await?;
    println!("\n  A registration, as the log tells it ({} by an auditor, personal fields sealed)\n", seen.url);
    let began = Utc::now();
    let answer = register(&seen.url, began).await?;
    let mut watch = Watch { feed, rows, began, saga: Saga::default(), answer: Some(answer.said) };
    watch.follow(answer.person, answer.command).await?;
    println!("\n  Its causation: ? is asked, ! has happened\n\n{}", watch.saga.tree(answer.command));
    bus.flushed_close().await;
    Ok(())
}

/// Registers somebody whom nobody knows.
async fn register(url: &str, began: DateTime<Utc>) -> Result<Answer> {
    let name = format!("demo-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let password = format!("{}-{}", Uuid::new_v4(), Uuid::new_v4());
    let body = json!({ "username": name, "email": format!("{name}@example.org"), "password": password });
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    line(Some(0), "http", "POST /api/auth/register", &format!("@{name}"));
    let answer = client.post(format!("{url}/api/auth/register")).json(&body).send().await;
    let answer = answer.with_context(|| format!("{url} does not answer"))?;
    let status = answer.status();
    let command = answer.headers().get("x-correlation-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let text = answer.text().await?;
    ensure!(status.as_u16() == 201, "registering was answered with {status}: {text}");
    let said = ((Utc::now() - began).num_milliseconds(), format!("{status}"));
    let answer: Value = serde_json::from_str(&text)?;
    let person = answer["user"]["id"].as_str().context("the answer names no user")?.parse()?;
    let command = command.context("the answer names no X-Correlation-Id")?.parse()?;
    Ok(Answer { person, command, said })
}

impl Watch {
    /// Shows every event of the saga as it is stored, until the profile and the session are there and so are the rows.
    async fn follow(&mut self, person: Uuid, command: Uuid) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut rows = (false, false);
        while !(rows.0
            && rows.1
            && self.saga.has("profile.profile.created.v1")
            && self.saga.has("identity.session.started.v1"))
        {
            ensure!(Instant::now() < deadline, "after {} s still missing: {}", PATIENCE.as_secs(), self.missing(rows));
            for delivered in self.feed.next(100, Duration::from_millis(50)).await? {
                let event: Value = serde_json::from_slice(&delivered.raw).context("an event that is not JSON")?;
                if let Some(fact) = Fact::of(&event, delivered.sequence, command)? {
                    self.tell(fact, delivered.time).await?;
                }
            }
            if !rows.0 && self.user_row(person).await? || !rows.1 && self.profile_row(person).await? {
                self.tell_answer();
                rows = (self.user_row(person).await?, self.profile_row(person).await?);
                self.tell_rows(person).await?;
            }
        }
        Ok(())
    }

    fn tell_answer(&mut self) {
        if let Some((when, status)) = self.answer.take() {
            line(Some(when), "http", "answered", &status);
        }
    }

    fn missing(&self, rows: (bool, bool)) -> String {
        let profile = self.saga.has("profile.profile.created.v1");
        let session = self.saga.has("identity.session.started.v1");
        let all = [
            (rows.0, "the row in user_page"),
            (rows.1, "the row in profile_page"),
            (profile, "the profile"),
            (session, "the session"),
        ];
        all.iter().filter(|(there, _)| !there).map(|(_, what)| *what).collect::<Vec<_>>().join(", ")
    }

    /// An event, and before it the command that led to it when that is new.
    async fn tell(&mut self, fact: Fact, time: DateTime<Utc>) -> Result<()> {
        let at = Some((time - self.began).num_milliseconds());
        if at > self.answer.as_ref().map(|(when, _)| *when) {
            self.tell_answer();
        }
        if !self.saga.knows(fact.command) {
            let kind = self.kind_of(fact.command).await?;
            let why = self.saga.cause(fact.command);
            if let Some((reaction, cause)) = &why {
                line(None, "reaction", reaction, &format!("to #{cause}"));
            }
            line(None, "command", &kind, &fact.command.to_string());
            self.saga.learn(fact.command, kind);
        }
        line(at, "event", &fact.kind, &format!("#{} {}", fact.position, fact.source));
        self.saga.add(fact);
        Ok(())
    }

    /// What a command asked: from the page of operations, which may need a moment.
    async fn kind_of(&self, command: Uuid) -> Result<String> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            let sql = "select kind from read.operations where id = $1";
            if let Some(kind) = sqlx::query_scalar(sql).bind(command).fetch_optional(&self.rows).await? {
                return Ok(kind);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("no outcome of the command {command}")
    }

    async fn user_row(&self, person: Uuid) -> Result<bool> {
        let sql = "select exists (select from read.user_page where id = $1)";
        Ok(sqlx::query_scalar(sql).bind(person).fetch_one(&self.rows).await?)
    }

    async fn profile_row(&self, person: Uuid) -> Result<bool> {
        let sql = "select exists (select from read.profile_page where user_id = $1)";
        Ok(sqlx::query_scalar(sql).bind(person).fetch_one(&self.rows).await?)
    }

    async fn tell_rows(&self, person: Uuid) -> Result<()> {
        let at = Some((Utc::now() - self.began).num_milliseconds());
        let sql = "select format('id %s, %s, version %s', id, status, version) from read.user_page where id = $1";
        let user: Option<String> = sqlx::query_scalar(sql).bind(person).fetch_optional(&self.rows).await?;
        let sql = "select format('/u/%s, %s, version %s', handle, visibility, version) from read.profile_page where user_id = $1";
        let profile: Option<String> = sqlx::query_scalar(sql).bind(person).fetch_optional(&self.rows).await?;
        for (name, row) in [("user_page", user), ("profile_page", profile)] {
            if let Some(row) = row {
                line(at, "row", name, &row);
            }
        }
        Ok(())
    }
}

fn line(at: Option<i64>, what: &str, name: &str, detail: &str) {
    let at = at.map_or(String::new(), |at| format!("+{at} ms"));
    println!("  {at:>8}  {what:<8}  {name:<48}  {detail}");
}
