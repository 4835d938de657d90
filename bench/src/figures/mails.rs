//! How long after something happened its mail is in the hands of the mail server.

use anyhow::{Result, ensure};
use nats::Bus;
use std::collections::HashSet;
use std::ops::Range;
use uuid::Uuid;

use crate::fill;
use crate::histogram::Histogram;
use crate::mailbox::Mailbox;
use crate::people;
use crate::platform::Platform;
use crate::ready::{OWNERS, PACE, Ready};
use crate::results::{Better, Row};
use crate::rounds::Rounds;
use crate::run::{Bench, say};

/// Measures it, on a platform whose mails go to this mailbox.
pub async fn measure(bench: &mut Bench, platform: &Platform, mailbox: &mut Mailbox) -> Result<()> {
    say(format!("registering {OWNERS} people who have an address"));
    let people = people::register_reachable(platform.address, OWNERS, 4).await?;
    people::settled(platform.address, &people).await?;
    let owners: Vec<_> = people.iter().map(|person| person.id).collect();
    let service = fill::role(platform.data(), "video").await?;
    let [mut p50, mut p99] = [Rounds::default(), Rounds::default()];
    // not counted: everybody once, so that what is asked for only once for each person has been
    let mut next = OWNERS as u64;
    told(&service, &owners, mailbox, 0..next).await?;
    for _ in 0..bench.settings.rounds {
        platform.quiet().await?;
        let end = next + PACE * bench.settings.round.as_secs().max(1);
        let seen = told(&service, &owners, mailbox, next..end).await?;
        next = end;
        p50.push(seen.millis(0.5));
        p99.push(seen.millis(0.99));
    }
    service.flushed_close().await;
    let row = Row::value("event to mail accepted by the server, p99", p99.median(), "ms", Better::Lower, 500.0, 250.0);
    let conditions = format!(
        "{PACE} videos a second become ready, of {OWNERS} people in turn; from the time of the event to the server's 250, \
         {} rounds of {} s: p50 {}, p99 {}",
        bench.settings.rounds,
        bench.settings.round.as_secs(),
        p50.spread(),
        p99.spread()
    );
    bench.report(row.under(conditions));
    Ok(())
}

/// Everybody is told of theirs by mail, once each.
async fn told(service: &Bus, owners: &[Uuid], mailbox: &mut Mailbox, numbers: Range<u64>) -> Result<Histogram> {
    let ready = Ready::from_now(numbers.clone());
    let arriving = async {
        let (mut seen, mut arrived) = (Histogram::default(), HashSet::new());
        for _ in numbers {
            let (n, at) = mailbox.next().await?;
            ensure!(arrived.insert(n), "the mail of video {n} came again");
            seen.record(ready.since(n, at)?);
        }
        anyhow::Ok(seen)
    };
    let ((), seen) = tokio::try_join!(ready.happen(service, owners), arriving)?;
    Ok(seen)
}
