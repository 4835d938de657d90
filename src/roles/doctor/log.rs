//! How the log is: the server, what it does before it acknowledges, its streams, who reads them, what nobody could
//! handle.

use nats::provision::{ConsumerState, Inspection, Plan, StreamState, inspect};
use std::time::Duration;

use super::Finding;
use crate::cli;
use crate::connect::{Place, shown};
use crate::data::Folder;

/// Older servers lose messages or wedge streams in ways that matter here.
const OLDEST: [u64; 3] = [2, 15, 1];
/// More waiting messages than a healthy consumer ever has.
const LAG: u64 = 1000;

/// Looks as the operator, who may read what is known of streams and nothing else.
pub(super) async fn look(place: &Place, args: &cli::Doctor, own: Option<&Folder>) -> Vec<Finding> {
    let unreachable = |why: String| {
        let fix = "start it, or give the right NATS_URL and REPRISE_KEYS_DIR";
        vec![Finding::wrong("nats", format!("{} does not answer: {why}", shown(&place.nats_url)), fix)]
    };
    let bus = match tokio::time::timeout(Duration::from_secs(10), place.bus("operator")).await {
        Ok(Ok(bus)) => bus,
        Ok(Err(error)) => return unreachable(format!("{error:#}")),
        Err(_) => return unreachable("no connection in 10 s".into()),
    };
    let plan = Plan { replicas: args.replicas, ..Plan::default() };
    let seen = match inspect(&bus, &plan).await {
        Ok(seen) => seen,
        Err(error) => return unreachable(format!("{error:#}")),
    };
    let mut findings = vec![version(&seen.server), sync(place, own), replicas(&seen), dedupe(&seen), clock(&seen)];
    findings.extend(plan_differs(&seen));
    findings.extend(seen.streams.iter().filter_map(fill));
    findings.extend(seen.consumers.iter().map(consumer));
    findings.push(dead(&seen));
    bus.flushed_close().await;
    findings
}

fn version(found: &str) -> Finding {
    let mut numbers = found.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    let version = [(); 3].map(|()| numbers.next().unwrap_or(0));
    if version >= OLDEST {
        Finding::well("nats version", found)
    } else {
        Finding::wrong(
            "nats version",
            format!("{found}, older than 2.15.1"),
            "upgrade nats-server; `scripts/fetch` has the pinned one",
        )
    }
}

/// Servers do not tell clients what they do before they acknowledge: it is in their configuration.
fn sync(place: &Place, own: Option<&Folder>) -> Finding {
    let what = "fsync policy";
    let fix = "run with --sync always (in nats-server.conf: jetstream { sync_interval: always })";
    let config = own.and_then(|folder| std::fs::read_to_string(folder.path("nats/nats-server.conf")).ok());
    match config.map(|text| text.contains("sync_interval: always")) {
        Some(true) => Finding::well(what, "always: what is acknowledged is on the disk"),
        Some(false) => Finding::warn(
            what,
            "interval: up to two minutes of acknowledged commands can be lost in a crash of the machine",
            fix,
        ),
        None if place.sync == nats::Sync::Always => Finding::warn(
            what,
            "said to be always (REPRISE_SYNC), which the server does not confirm",
            "look for `sync_interval: always` in the configuration of each nats-server",
        ),
        None => Finding::warn(what, "said to be interval (REPRISE_SYNC)", fix),
    }
}

fn replicas(seen: &Inspection) -> Finding {
    let least = seen.streams.iter().map(|stream| stream.replicas).min().unwrap_or(0);
    let behind: Vec<&str> = seen.streams.iter().filter(|one| one.lagging > 0).map(|one| one.name.as_str()).collect();
    if !behind.is_empty() {
        let found = format!("copies of {} are offline or behind", behind.join(", "));
        return Finding::wrong("replicas", found, "look at the servers of the cluster: `nats server report jetstream`");
    }
    match least {
        0 => Finding::wrong("replicas", "no streams", "reprise provision"),
        1 => Finding::warn(
            "replicas",
            "one copy of the log: a lost disk is a lost log",
            "run three nats-servers and provision with --replicas 3, or back up the folder of NATS",
        ),
        n => Finding::well("replicas", format!("{n} copies of everything")),
    }
}

fn dedupe(seen: &Inspection) -> Finding {
    let window = seen
        .streams
        .iter()
        .filter(|one| ["EVENTS", "COMMANDS"].contains(&one.name.as_str()))
        .map(|one| one.duplicate_window)
        .min();
    match window {
        Some(window) if window.num_seconds() >= 45 => {
            Finding::well("dedupe window", format!("{} s", window.num_seconds()))
        }
        Some(window) => {
            let found =
                format!("{} s: quick retries may be stored twice (decided once all the same)", window.num_seconds());
            Finding::warn("dedupe window", found, "nats stream edit EVENTS --dupe-window 45s; the same for COMMANDS")
        }
        None => Finding::wrong("dedupe window", "no streams", "reprise provision"),
    }
}

fn clock(seen: &Inspection) -> Finding {
    let offset = seen.clock_offset.num_milliseconds();
    let found = format!("NATS is {offset} ms ahead of this machine");
    match offset.abs() {
        0..1000 => Finding::well("clock", found),
        _ => Finding::wrong("clock", found, "let NTP set the clocks: tokens and timers count on them"),
    }
}

fn plan_differs(seen: &Inspection) -> Vec<Finding> {
    let missing = |text: &&String| text.contains("is missing");
    seen.differences
        .iter()
        .map(|text| match missing(&text) {
            true => Finding::wrong("streams", text.clone(), "reprise provision"),
            false => Finding::warn(
                "streams",
                text.clone(),
                "change it as said there, or run doctor with the --replicas in use",
            ),
        })
        .collect()
}

fn fill(stream: &StreamState) -> Option<Finding> {
    let max = u64::try_from(stream.max_bytes).ok().filter(|max| *max > 0)?;
    let percent = stream.bytes * 100 / max;
    let found = format!("{percent} % of {:.1} GB used", max as f64 / 1e9);
    let fix = "raise max_bytes of the stream before it is full: then commands are refused with 503";
    let what = format!("stream {}", stream.name);
    // a stream that forgets the oldest is allowed to be full
    let forgets = ["OUTCOMES", "DEAD"].contains(&stream.name.as_str());
    (percent >= 80 && !forgets).then(|| Finding::wrong(what, found, fix))
}

fn consumer(state: &ConsumerState) -> Finding {
    let what = format!("{}/{}", state.stream, state.name);
    let found = format!("{} waiting, {} under way, {} again", state.pending, state.unacknowledged, state.redelivered);
    let role = if state.name == "vault" { "vault".into() } else { format!("service {}", state.name) };
    if !state.waiting && state.pending > 0 {
        Finding::wrong(
            what,
            format!("{found}; nobody asks for them"),
            format!("start `reprise {role}`, or see in its log why it hangs"),
        )
    } else if state.pending > LAG {
        Finding::warn(what, found, format!("start another `reprise {role}`, or see in its log what is slow"))
    } else {
        Finding::well(what, found)
    }
}

fn dead(seen: &Inspection) -> Finding {
    match seen.dead {
        0 => Finding::well("dead letters", "none"),
        n => Finding::warn(
            "dead letters",
            format!("{n} messages that nobody could handle"),
            "read why: `nats stream view DEAD`; the reason is in the headers",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::doctor::Verdict;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (found, verdict) in [
            ("2.15.1", Verdict::Well),
            ("2.15.10", Verdict::Well),
            ("3.0.0-dev", Verdict::Well),
            ("2.15.0", Verdict::Wrong),
            ("2.9.25", Verdict::Wrong),
            ("", Verdict::Wrong),
        ] {
            assert_eq!(version(found).verdict, verdict, "{found}");
        }
    }

    #[test]
    fn a_consumer_that_nobody_serves_is_wrong() {
        let state = |pending, waiting| ConsumerState {
            stream: "COMMANDS".into(),
            name: "profile".into(),
            pending,
            unacknowledged: 0,
            redelivered: 0,
            waiting,
        };
        assert_eq!(consumer(&state(1, false)).verdict, Verdict::Wrong);
        assert_eq!(consumer(&state(1, true)).verdict, Verdict::Well);
        assert_eq!(consumer(&state(LAG + 1, true)).verdict, Verdict::Warn);
        assert!(consumer(&state(1, false)).fix.is_some_and(|fix| fix.contains("service profile")));
    }
}
