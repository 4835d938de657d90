//! Makes the streams and consumers of the plan, and says what differs. It never changes what exists: a limit that
//! shrinks by mistake deletes history, so every change is somebody's decision.

use anyhow::{Context, Result, bail, ensure};
use async_nats::jetstream::consumer::IntoConsumerConfig;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use crate::bus::Bus;
use crate::put::Trouble;
use crate::read;
pub use crate::streams::Plan;
use crate::streams::{self, DEAD};

/// Servers of a cluster find each other one after the other: until so much later, a missing one is waited for.
const GATHERING: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(250);

/// Before this version batches with several subjects could be refused for no reason.
const OLDEST: (i64, i64, i64) = (2, 14, 4);

/// A store without room for a plan gets a smaller log, but none that is worth nothing.
const SMALLEST: u64 = 1 << 28;

/// What was there and what was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Streams and consumers (`STREAM/consumer`) that are new.
    pub made: Vec<String>,
    /// Those that were there already, as planned.
    pub kept: Vec<String>,
}

/// Makes what is missing of the plan. Harmless to repeat. Where there is no room for what all streams may take, they get
/// half of it, or half of that: the server keeps room for every stream, and a small disk is no reason not to begin.
///
/// # Errors
/// Something exists and differs: each field is named, with both values and the way to change it.
pub async fn provision(bus: &Bus, plan: &Plan) -> Result<Report> {
    let client = &bus.0.calls.client;
    let (major, minor, patch) = OLDEST;
    if !client.is_server_compatible(major, minor, patch) {
        let version = client.server_info().version;
        bail!("nats-server {version} is too old: atomic batches need {major}.{minor}.{patch} or later");
    }
    let mut report = Report::default();
    let mut differences = vec![];
    let mut plan = plan.clone();
    for n in 0..all(&plan).len() {
        let mut wanted = all(&plan).swap_remove(n);
        match wanted.info(bus).await? {
            None => {
                while !wanted.make(bus).await? {
                    let fix = "raise `max_file_store`, or free some of its disk";
                    ensure!(plan.log_bytes / 2 >= SMALLEST, "{}: the server has no room for a log; {fix}", wanted.name);
                    plan.log_bytes /= 2;
                    tracing::warn!(log.bytes = plan.log_bytes, "there is no room for more of a log");
                    shrink(bus, &plan, &report).await?;
                    wanted = all(&plan).swap_remove(n);
                }
                report.made.push(wanted.name);
            }
            Some(info) => match wanted.differences(&info["config"]) {
                none if none.is_empty() => report.kept.push(wanted.name),
                some => differences.extend(some),
            },
        }
    }
    if !differences.is_empty() {
        bail!("what exists differs from the plan, and nothing of it was changed:\n  {}", differences.join("\n  "));
    }
    Ok(report)
}

/// Makes the streams that were made just now as small as the plan has become.
async fn shrink(bus: &Bus, plan: &Plan, report: &Report) -> Result<()> {
    let made = |wanted: &Wanted| !wanted.name.contains('/') && report.made.contains(&wanted.name);
    for wanted in all(plan).into_iter().filter(made) {
        let update = format!("STREAM.UPDATE.{}", wanted.name);
        let updated: Value = read::api(&bus.0.calls, &update, wanted.request.clone()).await?;
        if let Some(other) = trouble(&updated) {
            bail!("cannot make {} smaller: {} ({})", wanted.name, other.description, other.err_code);
        }
    }
    Ok(())
}

/// A stream or a consumer as it should be.
struct Wanted {
    name: String,
    info: String,
    create: String,
    request: Value,
    config: Value,
    hint: String,
}

fn all(plan: &Plan) -> Vec<Wanted> {
    let streams = streams::streams(plan).into_iter().map(|config| {
        let name = config.name.clone();
        let config = serde_json::to_value(config).expect("a configuration is JSON");
        Wanted {
            info: format!("STREAM.INFO.{name}"),
            create: format!("STREAM.CREATE.{name}"),
            request: config.clone(),
            hint: format!("`nats stream edit {name}`, or another plan"),
            config,
            name,
        }
    });
    let consumers = streams::consumers().into_iter().map(|(stream, config)| {
        let config = config.into_consumer_config();
        let name = config.durable_name.clone().expect("every consumer of the plan is durable");
        let config = serde_json::to_value(config).expect("a configuration is JSON");
        Wanted {
            info: format!("CONSUMER.INFO.{stream}.{name}"),
            create: format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"),
            request: json!({ "stream_name": stream, "config": config, "action": "create" }),
            hint: format!("`nats consumer edit {stream} {name}`"),
            config,
            name: format!("{stream}/{name}"),
        }
    });
    streams.chain(consumers).collect()
}

impl Wanted {
    async fn info(&self, bus: &Bus) -> Result<Option<Value>> {
        let info: Value = read::api(&bus.0.calls, &self.info, json!({})).await?;
        match trouble(&info) {
            None => Ok(Some(info)),
            // no such stream, no such consumer
            Some(Trouble { err_code: 10059 | 10014, .. }) => Ok(None),
            Some(other) => bail!("{}: {} ({})", self.name, other.description, other.err_code),
        }
    }

    /// Whether there was room for it.
    async fn make(&self, bus: &Bus) -> Result<bool> {
        let deadline = Instant::now() + GATHERING;
        loop {
            let made: Value = read::api(&bus.0.calls, &self.create, self.request.clone()).await?;
            match trouble(&made) {
                None => return Ok(true),
                // another process makes the same at this moment
                Some(Trouble { err_code: 10058 | 10148, .. }) => return Ok(true),
                // too few servers for the copies that are asked for: so it is while a cluster starts
                Some(Trouble { err_code: 10005, .. }) if Instant::now() < deadline => sleep(AGAIN).await,
                Some(Trouble { err_code: 10047, .. }) => return Ok(false),
                Some(other) => bail!("cannot make {}: {} ({})", self.name, other.description, other.err_code),
            }
        }
    }

    /// Every field of the plan that exists with another value. Fields the server adds by itself do not count.
    fn differences(&self, exists: &Value) -> Vec<String> {
        let Value::Object(planned) = &self.config else { return vec![] };
        let differs = |(field, planned): (&String, &Value)| {
            let there = &exists[field];
            // there was less room when it was made
            let smaller = field == "max_bytes" && there.as_i64() < planned.as_i64() && there.as_i64() > Some(0);
            // what an earlier version planned, and no harm
            let longer = field == "duplicate_window" && there.as_i64() > planned.as_i64();
            (!same(planned, there) && !smaller && !longer).then(|| {
                format!("{}: {field} is {there}, the plan says {planned}; to change it: {}", self.name, self.hint)
            })
        };
        planned.iter().filter_map(differs).collect()
    }
}

/// The server leaves out what is empty, zero or false.
fn same(planned: &Value, there: &Value) -> bool {
    let nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    planned == there || (nothing(planned) && nothing(there))
}

/// What the server's API says is wrong, if anything is.
pub(crate) fn trouble(answer: &Value) -> Option<Trouble> {
    serde_json::from_value(answer.get("error")?.clone()).ok()
}

/// How the log is, for `doctor` and for waiting until everything is done.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The version of the server this process is connected to.
    pub server: String,
    /// What differs from the plan: streams and consumers that are missing or otherwise configured.
    pub differences: Vec<String>,
    /// Every stream of the plan that exists.
    pub streams: Vec<StreamState>,
    /// Every durable consumer of the plan that exists.
    pub consumers: Vec<ConsumerState>,
    /// Messages in `DEAD`.
    pub dead: u64,
    /// The server's clock minus ours, to within half a round trip.
    pub clock_offset: TimeDelta,
}

/// How a stream is.
#[derive(Clone, Debug)]
pub struct StreamState {
    /// Its name.
    pub name: String,
    /// Messages in it.
    pub messages: u64,
    /// Its size.
    pub bytes: u64,
    /// What it may take; 0 or less is without limit.
    pub max_bytes: i64,
    /// The sequence of its last message.
    pub last_sequence: u64,
    /// Copies of every message.
    pub replicas: u64,
    /// How long ids are remembered.
    pub duplicate_window: TimeDelta,
    /// Copies that are offline or behind.
    pub lagging: u64,
}

/// How a durable consumer is.
#[derive(Clone, Debug)]
pub struct ConsumerState {
    /// Its stream.
    pub stream: String,
    /// Its name.
    pub name: String,
    /// Messages it has not been given yet.
    pub pending: u64,
    /// Messages that were given and are not acknowledged.
    pub unacknowledged: u64,
    /// Messages that were given more than once and are not acknowledged.
    pub redelivered: u64,
    /// Somebody is asking for messages.
    pub waiting: bool,
}

/// Looks at everything in the plan and changes nothing.
///
/// # Errors
/// The server does not answer.
pub async fn inspect(bus: &Bus, plan: &Plan) -> Result<Inspection> {
    let mut found = Inspection {
        server: bus.0.calls.client.server_info().version,
        differences: vec![],
        streams: vec![],
        consumers: vec![],
        dead: 0,
        clock_offset: TimeDelta::zero(),
    };
    for wanted in all(plan) {
        let before = Utc::now();
        let Some(info) = wanted.info(bus).await? else {
            found.differences.push(format!("{} is missing; to make it: `reprise provision`", wanted.name));
            continue;
        };
        let between = before + (Utc::now() - before) / 2;
        found.differences.extend(wanted.differences(&info["config"]));
        if wanted.name.contains('/') {
            found.consumers.push(consumer_state(&info));
        } else {
            found.clock_offset = info["ts"]
                .as_str()
                .and_then(|ts| ts.parse::<DateTime<Utc>>().ok())
                .map_or(TimeDelta::zero(), |ts| ts - between);
            found.streams.push(stream_state(info).with_context(|| wanted.name.clone())?);
        }
    }
    found.dead = found.streams.iter().find(|stream| stream.name == DEAD).map_or(0, |stream| stream.messages);
    Ok(found)
}

#[derive(Deserialize)]
struct Info {
    config: Config,
    state: State,
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct Config {
    name: String,
    max_bytes: i64,
    num_replicas: u64,
    #[serde(default)]
    duplicate_window: i64,
}

#[derive(Deserialize)]
struct State {
    messages: u64,
    bytes: u64,
    last_seq: u64,
}

#[derive(Deserialize)]
struct Cluster {
    #[serde(default)]
    replicas: Vec<Replica>,
}

#[derive(Deserialize)]
struct Replica {
    #[serde(default)]
    current: bool,
    #[serde(default)]
    offline: bool,
}

fn stream_state(info: Value) -> Result<StreamState> {
    let info: Info = serde_json::from_value(info)?;
    let replicas = info.cluster.map(|cluster| cluster.replicas).unwrap_or_default();
    Ok(StreamState {
        name: info.config.name,
        messages: info.state.messages,
        bytes: info.state.bytes,
        max_bytes: info.config.max_bytes,
        last_sequence: info.state.last_seq,
        replicas: info.config.num_replicas,
        duplicate_window: TimeDelta::nanoseconds(info.config.duplicate_window),
        lagging: replicas.iter().filter(|replica| replica.offline || !replica.current).count() as u64,
    })
}

fn consumer_state(info: &Value) -> ConsumerState {
    let number = |field: &str| info[field].as_u64().unwrap_or(0);
    let text = |field: &str| info[field].as_str().unwrap_or_default().to_owned();
    ConsumerState {
        stream: text("stream_name"),
        name: text("name"),
        pending: number("num_pending"),
        unacknowledged: number("num_ack_pending"),
        redelivered: number("num_redelivered"),
        waiting: number("num_waiting") > 0,
    }
}

/// Whether everything that was asked has been decided and everything that follows from it was done: no consumer has
/// anything before it or unacknowledged, and nothing came while looking.
///
/// # Errors
/// The server does not answer.
pub async fn drained(bus: &Bus) -> Result<bool> {
    let before = ends(bus).await?;
    let busy = |state: &ConsumerState| state.pending > 0 || state.unacknowledged > 0;
    if consumer_states(bus, None).await?.iter().any(busy) {
        return Ok(false);
    }
    Ok(before == ends(bus).await?)
}

/// The durable consumers that exist, of one context or of all.
pub(crate) async fn consumer_states(bus: &Bus, context: Option<&str>) -> Result<Vec<ConsumerState>> {
    let mut states = vec![];
    for (stream, config) in streams::consumers() {
        let name = config.durable_name.unwrap_or_default();
        if context.is_some_and(|context| context != name) {
            continue;
        }
        let info: Value = read::api(&bus.0.calls, &format!("CONSUMER.INFO.{stream}.{name}"), json!({})).await?;
        if info["error"].is_null() {
            states.push(consumer_state(&info));
        }
    }
    Ok(states)
}

async fn ends(bus: &Bus) -> Result<Vec<u64>> {
    let streams = [streams::COMMANDS, streams::ASKED, streams::EVENTS, streams::OUTCOMES];
    futures::future::try_join_all(streams.map(|stream| bus.last_sequence(stream))).await
}
