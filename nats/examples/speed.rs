//! How fast the bare path is.
#[path = "../tests/it/kit.rs"]
#[allow(dead_code)]
mod kit;
use kit::*;
use nats::*;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn cpu(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let f: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) * 10_000.0
}

#[tokio::main]
async fn main() {
    let mode = std::env::args().nth(1).unwrap_or("interval".into());
    let clients: usize = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(64);
    let total: usize = std::env::args().nth(3).and_then(|n| n.parse().ok()).unwrap_or(50_000);
    let sync = if mode == "always" { Sync::Always } else { Sync::Interval };
    let config =
        if mode == "always" { "max_payload: 8MB\njetstream { sync_interval: always }\n" } else { "max_payload: 8MB\n" };
    let server = embedded::Nats::scratch_with(config);
    let world = World::new(&server.url, sync, 1).await;
    world.run(counter()).await;
    let gateway = world.another().await;
    let subjects: Vec<Uuid> = (0..1000).map(|_| Uuid::now_v7()).collect();
    for subject in subjects.iter().take(10) {
        told(&gateway, &command(*subject, count())).await;
    }
    let cpu0 = (cpu(std::process::id()), cpu(server.pid));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|c| {
            let (gateway, subjects) = (gateway.clone(), subjects.clone());
            tokio::spawn(async move {
                let mut times = vec![];
                for n in 0..total / clients {
                    let body = if std::env::var("PLAIN").is_ok() {
                        count()
                    } else {
                        events::profile::Command::ChangeHandle { handle: String::new() }
                    };
                    let _ = &body;
                    let t = Instant::now();
                    told(&gateway, &command(subjects[(n * clients + c) % subjects.len()], count())).await;
                    times.push(t.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times: Vec<Duration> = vec![];
    for t in tasks {
        times.extend(t.await.unwrap());
    }
    let took = begun.elapsed();
    times.sort();
    println!(
        "{mode} {clients}: {:.0}/s p50 {:?} p99 {:?}",
        times.len() as f64 / took.as_secs_f64(),
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
    let begun = Instant::now();
    world.settled().await;
    println!(
        "cpu per command: ours {:.0} us, nats {:.0} us",
        (cpu(std::process::id()) - cpu0.0) / times.len() as f64,
        (cpu(server.pid) - cpu0.1) / times.len() as f64
    );
    println!("settled after {:?}", begun.elapsed());
    let begun = Instant::now();
    let mut feed = gateway.feed(streams::EVENTS, vec![], Start::Sequence(0));
    let cpu0 = (cpu(std::process::id()), cpu(server.pid));
    let mut n = 0;
    loop {
        let some = feed.next(2000, Duration::from_millis(50)).await.unwrap();
        if some.is_empty() {
            break;
        }
        n += some.len();
    }
    println!(
        "cpu per event: ours {:.1} us, nats {:.1} us",
        (cpu(std::process::id()) - cpu0.0) / n as f64,
        (cpu(server.pid) - cpu0.1) / n as f64
    );
    println!("read {n} at {:.0}/s", n as f64 / begun.elapsed().as_secs_f64());
    if clients == 1 {
        return;
    }
    let one = Instant::now();
    let mut times: Vec<_> = vec![];
    for n in 0..500 {
        let t = Instant::now();
        told(&gateway, &command(subjects[n], count())).await;
        times.push(t.elapsed());
    }
    times.sort();
    println!("one connection: p50 {:?} p99 {:?} ({:?})", times[250], times[495], one.elapsed());
}
