//! Hashing passwords: argon2id on blocking threads, at most one per core, so memory and time stay bounded.
//! Hashes of other systems (bcrypt) are understood and reported as stale, to be replaced at the next sign-in.

use anyhow::Context;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::config::Argon;
use crate::crypto::random;
use crate::{Config, Secret};

/// What came of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// It is the password.
    pub right: bool,
    /// The hash was made with other parameters than today's.
    pub stale: bool,
}

/// Too many wait already.
#[derive(Debug)]
pub(crate) struct Busy {
    /// Seconds after which it is worth trying again.
    pub retry_after: u32,
}

/// The only place where passwords are hashed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hasher {
    argon: Argon,
    /// Who may wait or run; taken without waiting.
    queue: Arc<Semaphore>,
    /// Who may run: one per core.
    cores: Arc<Semaphore>,
    /// With fewer free places than this in the queue somebody waits in it.
    waiting: usize,
    /// Memory for argon2, kept while others wait: fetching fresh pages costs a fifth as much as the hash itself, and
    /// when nobody signs in it would be missing elsewhere.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    /// Compared with when there is no account, so that this takes as long as when there is one.
    dummy: Arc<str>,
    /// What to tell when the queue is full: about how long it takes to empty.
    retry_after: u32,
}

/// What a core gets through, roughly: good enough to say when to come back.
const KIB_PER_SECOND: f64 = 1_200_000.0;

impl Hasher {
    /// # Errors
    /// argon2 does not accept the parameters.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        // of no password at all, and compared with at the same cost
        let dummy = phc(&params(config.argon).context("argon2 parameters")?, &random::<16>(), &random::<32>())?;
        let seconds = f64::from(config.argon.memory) * f64::from(config.argon.passes) / KIB_PER_SECOND;
        Ok(Hasher {
            argon: config.argon,
            queue: Arc::new(Semaphore::new(cores + config.hash_queue)),
            cores: Arc::new(Semaphore::new(cores)),
            waiting: config.hash_queue,
            memory: Arc::default(),
            dummy: dummy.into(),
            retry_after: (config.hash_queue as f64 * seconds / cores as f64).ceil().max(1.0) as u32,
        })
    }

    /// A new hash of a password, in PHC form.
    pub async fn hash(&self, password: &Secret) -> Result<anyhow::Result<String>, Busy> {
        let (argon, password) = (self.argon, password.clone());
        self.run("hash", move |memory| argon_hash(argon, memory, password.expose().as_bytes())).await
    }

    /// Compares a password with a stored hash; without one it takes as long and the answer is no.
    pub async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<anyhow::Result<Verdict>, Busy> {
        let (argon, password, known) = (self.argon, password.clone(), hash.is_some());
        let hash = hash.map_or_else(|| self.dummy.to_string(), str::to_owned);
        let work = move |memory: &mut Vec<Block>| {
            let verdict = verify(argon, memory, password.expose().as_bytes(), &hash)?;
            Ok(Verdict { right: verdict.right && known, stale: verdict.stale && known })
        };
        self.run("verify", work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        kind: &'static str,
        work: impl FnOnce(&mut Vec<Block>) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<anyhow::Result<T>, Busy> {
        let busy = Busy { retry_after: self.retry_after };
        let place = self.queue.clone().try_acquire_owned().map_err(|_| busy)?;
        let core = self.cores.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (memory, queue, waiting) = (self.memory.clone(), self.queue.clone(), self.waiting);
        let work = move || {
            let started = Instant::now();
            let mut blocks = memory.lock().expect("no panic while locked").pop().unwrap_or_default();
            let result = work(&mut blocks);
            let mut kept = memory.lock().expect("no panic while locked");
            if queue.available_permits() < waiting {
                kept.push(blocks);
            } else {
                kept.clear();
            }
            drop(kept);
            metrics::histogram!("reprise_hash_seconds", "kind" => kind).record(started.elapsed().as_secs_f64());
            // held until the work is done, even when nobody waits for it any more
            drop((core, place));
            result
        };
        Ok(tokio::task::spawn_blocking(work).await.context("hashing").and_then(|result| result))
    }
}

fn params(argon: Argon) -> anyhow::Result<Params> {
    Params::new(argon.memory, argon.passes, argon.lanes, None).map_err(|error| anyhow::anyhow!("{error}"))
}

fn argon_hash(argon: Argon, memory: &mut Vec<Block>, password: &[u8]) -> anyhow::Result<String> {
    let params = params(argon)?;
    let salt = random::<16>();
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    fill(&params, Algorithm::Argon2id, Version::V0x13, memory, password, &salt, &mut out)?;
    phc(&params, &salt, &out)
}

fn phc(params: &Params, salt: &[u8], out: &[u8]) -> anyhow::Result<String> {
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|error| anyhow::anyhow!("{error}"))?,
        salt: Some(Salt::new(salt).map_err(|error| anyhow::anyhow!("{error}"))?),
        hash: Some(Output::new(out).map_err(|error| anyhow::anyhow!("{error}"))?),
    };
    Ok(phc.to_string())
}

fn fill(
    params: &Params,
    algorithm: Algorithm,
    version: Version,
    memory: &mut Vec<Block>,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
) -> anyhow::Result<()> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let argon = Argon2::new(algorithm, version, params.clone());
    argon
        .hash_password_into_with_memory(password, salt, out, memory.as_mut_slice())
        .map_err(|error| anyhow::anyhow!("{error}"))
}

fn verify(argon: Argon, memory: &mut Vec<Block>, password: &[u8], hash: &str) -> anyhow::Result<Verdict> {
    if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
        return Ok(Verdict { right: bcrypt::verify(password, hash).context("a stored bcrypt hash")?, stale: true });
    }
    let unreadable = |error: &dyn std::fmt::Display| anyhow::anyhow!("a stored hash: {error}");
    let phc = PasswordHash::new(hash).map_err(|error| unreadable(&error))?;
    let algorithm = Algorithm::try_from(phc.algorithm.as_str()).map_err(|error| unreadable(&error))?;
    let version = phc.version.map_or(Ok(Version::V0x13), Version::try_from).map_err(|error| unreadable(&error))?;
    let used = Params::try_from(&phc).map_err(|error| unreadable(&error))?;
    let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
        anyhow::bail!("a stored hash without salt or hash")
    };
    let mut out = vec![0; expected.len()];
    fill(&used, algorithm, version, memory, password, &salt, &mut out)?;
    let now = params(argon)?;
    let same = (used.m_cost(), used.t_cost(), used.p_cost()) == (now.m_cost(), now.t_cost(), now.p_cost());
    let stale = !same || algorithm != Algorithm::Argon2id || version != Version::V0x13;
    Ok(Verdict { right: out.ct_eq(expected.as_bytes()).into(), stale })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Argon = Argon { memory: 64, passes: 1, lanes: 1 };

    fn check(password: &str, hash: &str, argon: Argon) -> Verdict {
        verify(argon, &mut Vec::new(), password.as_bytes(), hash).expect("a readable hash")
    }

    #[test]
    fn a_hash_knows_its_password_and_its_age() {
        let hash = argon_hash(CHEAP, &mut Vec::new(), b"correct horse").expect("hash");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_eq!(check("correct horse", &hash, CHEAP), Verdict { right: true, stale: false });
        assert_eq!(check("wrong horse", &hash, CHEAP), Verdict { right: false, stale: false });
        assert_eq!(check("correct horse", &hash, Argon { passes: 2, ..CHEAP }), Verdict { right: true, stale: true });
    }

    #[test]
    fn the_memory_of_another_hash_changes_nothing() {
        let mut memory = Vec::new();
        argon_hash(Argon { memory: 256, ..CHEAP }, &mut memory, b"someone else's").expect("hash");
        let hash = argon_hash(CHEAP, &mut memory, b"correct horse").expect("hash");
        assert!(check("correct horse", &hash, CHEAP).right);
    }

    /// From the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 24`.
    #[test]
    fn hashes_of_the_reference_implementation_are_understood() {
        let hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(check("password", hash, CHEAP).right);
    }

    #[test]
    fn bcrypt_of_every_kind_is_understood_and_stale() {
        let hash = bcrypt::hash("correct horse", 4).expect("hash");
        for kind in ["$2a$", "$2b$", "$2y$"] {
            let hash = hash.replacen("$2b$", kind, 1);
            assert_eq!(check("correct horse", &hash, CHEAP), Verdict { right: true, stale: true });
            assert_eq!(check("wrong horse", &hash, CHEAP), Verdict { right: false, stale: true });
        }
    }
}
