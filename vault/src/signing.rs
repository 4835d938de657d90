//! The keys that sign access tokens. Each is published at least an hour before it signs and stays published until the
//! last token it signed has expired, so no gateway ever meets a token whose key it cannot know.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use std::sync::{Arc, RwLock};
use zeroize::Zeroizing;

use crate::Config;
use crate::api::Jwks;
use crate::crypto::{self, Key};
use crate::tokens::ACCESS_LIFE;

/// A new key is published that long before it signs: gateways look every few minutes.
const AHEAD: TimeDelta = TimeDelta::hours(2);
/// A retired key stays published that long after its last token expired: clocks differ.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// PKCS8 version 1 of an Ed25519 key is these bytes and the 32 of the seed (RFC 8410).
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A key that signs access tokens.
pub(crate) struct SigningKey {
    pub id: String,
    pub signs_from: DateTime<Utc>,
    pub secret: EncodingKey,
    public: Jwk,
}

/// The signing keys there are.
#[derive(Default)]
pub(crate) struct Signer(RwLock<Vec<Arc<SigningKey>>>);

impl SigningKey {
    fn read(seed: &Key, signs_from: DateTime<Utc>) -> anyhow::Result<Self> {
        let der = Zeroizing::new([&PKCS8[..], &seed.0].concat());
        let secret = EncodingKey::from_ed_der(&der);
        let mut public = Jwk::from_encoding_key(&secret, Algorithm::EdDSA)?;
        let id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(id.clone());
        public.common.key_algorithm = Some(KeyAlgorithm::EdDSA);
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(SigningKey { id, signs_from, secret, public })
    }
}

impl Signer {
    /// The key that signs now.
    pub fn current(&self, now: DateTime<Utc>) -> Arc<SigningKey> {
        let keys = self.keys();
        let begun = keys.iter().rfind(|key| key.signs_from <= now);
        // a clock that was set back before the first key began changes nothing
        begun.or(keys.first()).expect("a vault has a signing key before it answers").clone()
    }

    /// The key of this id, unless all its tokens have expired.
    pub fn find(&self, id: &str) -> Option<Arc<SigningKey>> {
        self.keys().iter().find(|key| key.id == id).cloned()
    }

    /// Every key that a valid token may be signed with, now or soon.
    pub fn jwks(&self) -> Jwks {
        json!({ "keys": self.keys().iter().map(|key| &key.public).collect::<Vec<_>>() })
    }

    fn keys(&self) -> Vec<Arc<SigningKey>> {
        self.0.read().expect("no panic while locked").clone()
    }

    /// Makes the next key when it is time, removes what is no longer needed, and learns what others made.
    ///
    /// # Errors
    /// The database, or a key that was wrapped with another master key.
    pub async fn rotate(&self, pool: &PgPool, kek: &Key, config: &Config) -> anyhow::Result<()> {
        let now = config.now();
        let mut tx = pool.begin().await?;
        // one vault at a time, or two would make two next keys
        sqlx::query("select pg_advisory_xact_lock(hashtext('vault.signing_key'))").execute(&mut *tx).await?;
        let mut keys = load(&mut tx, kek).await?;
        if let Some(signs_from) = next(&keys, now, config.signing_period) {
            keys.push(insert(&mut tx, kek, signs_from).await?);
        }
        let kept = keys.iter().rposition(|key| key.signs_from + ACCESS_LIFE + SLACK <= now).unwrap_or(0);
        let retired: Vec<_> = keys.drain(..kept).map(|key| key.id).collect();
        sqlx::query("delete from vault.signing_key where id = any($1)").bind(&retired).execute(&mut *tx).await?;
        tx.commit().await?;
        *self.0.write().expect("no panic while locked") = keys.into_iter().map(Arc::new).collect();
        Ok(())
    }
}

/// When a key that must be made now begins to sign.
fn next(keys: &[SigningKey], now: DateTime<Utc>, period: TimeDelta) -> Option<DateTime<Utc>> {
    let Some(last) = keys.last() else { return Some(now) };
    let due = last.signs_from + period;
    (due <= now + AHEAD).then(|| due.max(now + AHEAD))
}

async fn load(db: &mut PgConnection, kek: &Key) -> anyhow::Result<Vec<SigningKey>> {
    let rows: Vec<(String, Vec<u8>, DateTime<Utc>)> =
        sqlx::query_as("select id, wrapped, signs_from from vault.signing_key order by signs_from")
            .fetch_all(db)
            .await?;
    let read = |(id, wrapped, signs_from): (String, Vec<u8>, _)| {
        SigningKey::read(&crypto::unwrap_key(kek, id.as_bytes(), &wrapped)?, signs_from)
    };
    rows.into_iter().map(read).collect()
}

async fn insert(db: &mut PgConnection, kek: &Key, signs_from: DateTime<Utc>) -> anyhow::Result<SigningKey> {
    let seed = Key(crypto::random());
    let key = SigningKey::read(&seed, signs_from)?;
    sqlx::query("insert into vault.signing_key (id, wrapped, signs_from) values ($1, $2, $3)")
        .bind(&key.id)
        .bind(crypto::seal(kek, key.id.as_bytes(), &seed.0))
        .bind(signs_from)
        .execute(db)
        .await?;
    Ok(key)
}
