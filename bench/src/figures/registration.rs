//! Registrations: almost all of one is hashing the password, so the share of what cores and hash time allow is what the
//! rest leaves of it. What they allow is measured with every core hashing, as with registrations: hashes share the memory,
//! and so many as one core makes alone no machine makes on all of them.

use anyhow::{Result, anyhow};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::people::register_one;
use crate::platform::Platform;
use crate::results::{Better, Row, short};
use crate::rounds::Rounds;
use crate::run::Bench;

/// Measures hash and registrations in turns.
pub async fn measure(bench: &mut Bench, platform: &Platform) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let hasher = Arc::new(platform.hasher().await?);
    let next = Arc::new(AtomicUsize::new(2_000_000));
    let [mut alone, mut hash, mut rate] = [Rounds::default(), Rounds::default(), Rounds::default()];
    platform.quiet().await?;
    for _ in 0..bench.settings.rounds {
        alone.push(seconds(&hasher, 1).await?);
        hash.push(seconds(&hasher, cores).await?);
        rate.push(registrations(platform, &next, cores * 4, bench.settings.round).await?);
        platform.quiet().await?;
    }
    let allowed = cores as f64 / hash.median();
    let against = ("cores / hash time", allowed);
    let row = Row::ratio("registrations", rate.median(), "registrations/s", against, Better::Higher, [0.8, 0.95]);
    let params = hasher.params();
    let conditions = format!(
        "sync {}, {cores} cores, argon2id m={} t={} p={}: {} ms a hash with every core hashing, {} ms alone; {} connections, \
         {} rounds of {} s: {}/s",
        platform.sync().word(),
        params.m_cost(),
        params.t_cost(),
        params.p_cost(),
        short(hash.median() * 1e3),
        short(alone.median() * 1e3),
        cores * 4,
        bench.settings.rounds,
        bench.settings.round.as_secs(),
        rate.spread()
    );
    bench.report(row.under(conditions));
    Ok(())
}

/// The hasher with the parameters of a stored hash, `$argon2id$v=19$m=19456,t=2,p=1$…`.
pub fn hasher(stored: &str) -> Result<Argon2<'static>> {
    let part = |name: &str| {
        let costs = stored.split('$').nth(3)?;
        costs.split(',').find_map(|cost| cost.strip_prefix(name)?.strip_prefix('=')?.parse::<u32>().ok())
    };
    let (m, t, p) = (part("m"), part("t"), part("p"));
    let (Some(m), Some(t), Some(p)) = (m, t, p) else { return Err(anyhow!("not an argon2id hash")) };
    let params = Params::new(m, t, p, None).map_err(|error| anyhow!("{error}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Seconds for one hash on an otherwise quiet machine, with so many made at once.
async fn seconds(hasher: &Arc<Argon2<'static>>, at_once: usize) -> Result<f64> {
    let mut threads = JoinSet::new();
    for _ in 0..at_once {
        let hasher = hasher.clone();
        threads.spawn_blocking(move || times(&hasher));
    }
    let mut all = Rounds::default();
    while let Some(some) = threads.join_next().await {
        some??.into_iter().for_each(|time| all.push(time));
    }
    Ok(all.median())
}

fn times(hasher: &Argon2<'static>) -> Result<Vec<f64>> {
    // memory that is used again: fresh pages would make the hash look slower than it has to be
    let mut memory = vec![Block::default(); hasher.params().block_count()];
    let hash = |n: u8| {
        let (mut out, begin) = ([0; 32], Instant::now());
        let done = hasher.hash_password_into_with_memory(b"correct horse battery", &[n; 16], &mut out, &mut memory);
        done.map_err(|error| anyhow!("{error}"))?;
        Ok(begin.elapsed().as_secs_f64())
    };
    (0..11).map(hash).collect()
}

/// Registrations per second over a while.
async fn registrations(platform: &Platform, next: &Arc<AtomicUsize>, at_once: usize, round: Duration) -> Result<f64> {
    let (begin, address) = (Instant::now(), platform.address);
    let end = begin + round;
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let next = next.clone();
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut done = 0u32;
            loop {
                register_one(&mut connection, next.fetch_add(1, Ordering::Relaxed)).await?;
                if Instant::now() > end {
                    return anyhow::Ok(done);
                }
                done += 1;
            }
        });
    }
    let mut done = 0;
    while let Some(some) = tasks.join_next().await {
        done += some??;
    }
    Ok(f64::from(done) / round.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #[test]
    fn costs_are_read_from_a_stored_hash() {
        let hasher = super::hasher("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA").expect("well-formed");
        assert_eq!((hasher.params().m_cost(), hasher.params().t_cost(), hasher.params().p_cost()), (19456, 2, 1));
        assert!(super::hasher("$2b$12$abc").is_err());
    }
}
