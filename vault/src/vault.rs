//! The vault itself: what every verb works with. One value, shared by all of them.

use anyhow::{Context, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use nats::Keyring;
use postgres::Statements;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::api::{Bootstrap, Bootstrapping, ClaimKey, EdgeKeys};
use crate::crypto::{self, Key, Keys};
use crate::hash::Hasher;
use crate::outbox::Queue;
use crate::push::PushPair;
use crate::signing::Signer;
use crate::throttle::Throttle;
use crate::turns::Turns;
use crate::{Config, Secret, names};

/// What every verb works with.
pub(crate) struct Vault {
    /// For what takes several statements.
    pub pool: PgPool,
    /// For single statements.
    pub db: Statements,
    pub config: Config,
    pub keys: Keys,
    pub hasher: Hasher,
    pub throttle: Throttle,
    pub signer: Signer,
    pub push: PushPair,
    pub turns: Turns,
    /// Seals what is said to the log; looks keys up here instead of asking.
    pub keyring: Keyring,
    /// What is new in the outbox.
    pub said: Queue,
    /// The time of the newest event that was followed, in microseconds: how far the log is known.
    pub followed: AtomicI64,
}

impl Vault {
    /// `keyring` is that of its connection: whoever shares it forgets a person with the vault.
    ///
    /// # Errors
    /// The database cannot be reached, its schema is not there, or it was made with another master key.
    pub async fn open(pool: PgPool, keyring: Keyring, config: Config) -> anyhow::Result<Arc<Self>> {
        let keys = Keys::of(&config.master);
        check_master(&pool, &keys.check).await?;
        let signer = Signer::default();
        signer.rotate(&pool, &keys.kek, &config).await.context("signing keys")?;
        Ok(Arc::new(Vault {
            keyring,
            hasher: Hasher::new(&config)?,
            throttle: Throttle::new(config.throttle),
            turns: Turns::default(),
            said: Queue::default(),
            followed: AtomicI64::new(0),
            push: PushPair::of(&keys.push),
            db: Statements::over(pool.clone(), pool.options().get_max_connections() / 2),
            pool,
            config,
            keys,
            signer,
        }))
    }

    /// The keyed hash under which a name to sign in with is stored.
    pub fn login_name(&self, name: &str) -> [u8; 32] {
        crypto::mac(&self.keys.login, &[b"name", names::normal(name).as_bytes()])
    }

    pub fn claim_key(&self) -> ClaimKey {
        ClaimKey { key: encode(&self.keys.claim) }
    }

    pub fn edge_keys(&self) -> EdgeKeys {
        EdgeKeys { fingerprint: encode(&self.keys.fingerprint), consistency: encode(&self.keys.consistency) }
    }

    /// Compares hashes, so that the time taken tells neither length nor beginning of the secret.
    pub fn bootstrap(&self, question: &Bootstrap) -> Bootstrapping {
        let Some(secret) = &self.config.bootstrap else { return Bootstrapping::Bad };
        let hash = |secret: &Secret| Sha256::digest(secret.expose().as_bytes());
        if bool::from(hash(secret).ct_eq(&hash(&question.secret))) {
            let name = crypto::mac(&self.keys.bootstrap, &[secret.expose().as_bytes()]);
            Bootstrapping::Good { id: Uuid::new_v5(&Uuid::NAMESPACE_URL, &name) }
        } else {
            Bootstrapping::Bad
        }
    }
}

/// The first start leaves the master key's fingerprint; later ones must have the same key.
async fn check_master(pool: &PgPool, check: &Key) -> anyhow::Result<()> {
    let fingerprint = crypto::mac(check, &[b"fingerprint"]);
    sqlx::query("insert into vault.master (fingerprint) values ($1) on conflict do nothing")
        .bind(&fingerprint[..])
        .execute(pool)
        .await
        .context("the vault's schema (run the migrations first)")?;
    let known: Vec<u8> = sqlx::query_scalar("select fingerprint from vault.master").fetch_one(pool).await?;
    let same = bool::from(known.ct_eq(&fingerprint));
    ensure!(same, "this database was made with another master key; start the vault with that one");
    Ok(())
}

pub(crate) fn encode(key: &Key) -> Secret {
    BASE64_STANDARD.encode(key.0).into()
}

/// Where somebody came from, as it is kept of a session: sealed with the key of the person.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub agent: Option<Secret>,
    pub network: Option<Secret>,
}

/// Longer than any browser calls itself.
const AGENT_CHARS: usize = 300;

impl Origin {
    pub fn of(agent: &Option<Secret>, address: &Option<Secret>) -> Self {
        let agent = agent.as_ref().map(|agent| agent.expose().chars().take(AGENT_CHARS).collect::<String>().into());
        let network = address.as_ref().and_then(|address| names::network(address.expose())).map(Secret::from);
        Origin { agent, network }
    }

    /// For the throttle: those whose address is not known share one network.
    pub fn network(&self) -> &str {
        self.network.as_ref().map_or("", Secret::expose)
    }
}
