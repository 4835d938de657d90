//! Who is signed in: access tokens are EdDSA JWTs of the vault, nothing else is believed.
//! A token is verified once and then known by a keyed hash until it expires; revocation is looked at every time.

use crate::revocation::Revocations;
use axum::http::HeaderValue;
use chrono::Utc;
use events::identity::user::Role;
use futures::future::BoxFuture;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use quick_cache::sync::Cache;
use serde::Deserialize;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Verified tokens that are remembered; an older one is verified again.
const REMEMBERED: usize = 20_000;
/// A longer token is none of ours.
const LONGEST: usize = 4096;
/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 5;
/// Keys are asked for at most this often because of a token that names an unknown one.
const REFETCH: Duration = Duration::from_secs(2);

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The account.
    pub id: Uuid,
    /// The session that the token belongs to.
    pub session: Uuid,
    /// Roles beyond that of every user.
    pub roles: Arc<[Role]>,
    /// When the token was issued, seconds since 1970.
    pub issued_at: i64,
    /// When it ends, seconds since 1970.
    pub expires_at: i64,
    /// The roles as messages carry them.
    pub(crate) claims: Option<Arc<str>>,
}

impl Actor {
    /// Whether this is an admin.
    pub fn is_admin(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }
}

/// What the `Authorization` of a request came to.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// There is none.
    Nobody,
    /// It is good.
    Person(Actor),
    /// It is not.
    Refused(Refused),
    /// The vault's keys could not be had, so nobody knows.
    Unknown,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not a token of ours, or not any more what we issued.
    Invalid,
    /// It was good once.
    Expired,
    /// Its session is over, or its person may not sign in.
    Ended,
}

/// Where the vault's public keys come from.
pub(crate) type KeySource = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<JwkSet>> + Send + Sync>;

/// Verifies tokens.
pub(crate) struct Auth {
    source: KeySource,
    keys: RwLock<Arc<HashMap<String, DecodingKey>>>,
    fetched: tokio::sync::Mutex<Option<Instant>>,
    verified: Cache<[u64; 2], Actor>,
    /// Two random keys of SipHash: 128 bits that nobody without them can aim at, for a fraction of what SHA-256 costs.
    hashers: [RandomState; 2],
    validation: Validation,
    pub revocations: Revocations,
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    sid: Uuid,
    #[serde(default)]
    roles: Vec<serde_json::Value>,
    iat: i64,
    exp: i64,
}

impl Auth {
    pub(crate) fn new(source: KeySource) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&["reprise"]);
        validation.set_audience(&["reprise"]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        Auth {
            source,
            keys: RwLock::default(),
            fetched: tokio::sync::Mutex::new(None),
            verified: Cache::new(REMEMBERED),
            hashers: Default::default(),
            validation,
            revocations: Revocations::default(),
        }
    }

    /// Takes the keys of the vault as they are now.
    pub(crate) async fn fetch_keys(&self) -> anyhow::Result<()> {
        let set = (self.source)().await?;
        let keys: HashMap<_, _> = set.keys.iter().filter_map(usable).collect();
        anyhow::ensure!(!keys.is_empty(), "the vault has no key to sign tokens with");
        *self.keys.write().expect("never poisoned: nothing panics inside") = Arc::new(keys);
        Ok(())
    }

    /// Whether there are keys to verify with.
    pub(crate) fn has_keys(&self) -> bool {
        !self.keys.read().expect("never poisoned: nothing panics inside").is_empty()
    }

    /// Who sent this.
    pub(crate) async fn identify(&self, authorization: Option<&HeaderValue>) -> Identity {
        let Some(authorization) = authorization else { return Identity::Nobody };
        let Some(token) = authorization.to_str().ok().and_then(bearer) else {
            return Identity::Refused(Refused::Invalid);
        };
        self.identify_token(token).await
    }

    /// Whose this token is.
    pub(crate) async fn identify_token(&self, token: &str) -> Identity {
        if token.len() > LONGEST {
            return Identity::Refused(Refused::Invalid);
        }
        let hash = self.hashers.each_ref().map(|keyed| keyed.hash_one(token));
        let actor = match self.verified.get(&hash) {
            Some(actor) => actor,
            None => match self.verify(token).await {
                Ok(actor) => {
                    self.verified.insert(hash, actor.clone());
                    actor
                }
                Err(identity) => return identity,
            },
        };
        if actor.expires_at + LEEWAY as i64 <= Utc::now().timestamp() {
            return Identity::Refused(Refused::Expired);
        }
        if self.revocations.covers(&actor) {
            return Identity::Refused(Refused::Ended);
        }
        Identity::Person(actor)
    }

    async fn verify(&self, token: &str) -> Result<Actor, Identity> {
        let invalid = || Identity::Refused(Refused::Invalid);
        let header = decode_header(token).map_err(|_| invalid())?;
        // whatever else the header says (jku, x5u, jwk, x5c) is not looked at; what must be understood is not
        let critical = header.extras.inner().contains_key("crit");
        let typed = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt"));
        if header.alg != Algorithm::EdDSA || !typed || critical {
            return Err(invalid());
        }
        let kid = header.kid.ok_or_else(invalid)?;
        let key = match self.key(&kid) {
            Some(key) => key,
            None => self.fetched_key(&kid).await?.ok_or_else(invalid)?,
        };
        let claims = decode::<Claims>(token, &key, &self.validation).map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => Identity::Refused(Refused::Expired),
            _ => invalid(),
        })?;
        actor(claims.claims).ok_or_else(invalid)
    }

    fn key(&self, kid: &str) -> Option<DecodingKey> {
        self.keys.read().expect("never poisoned: nothing panics inside").get(kid).cloned()
    }

    /// The key after asking the vault again, which happens once for many and not too often.
    async fn fetched_key(&self, kid: &str) -> Result<Option<DecodingKey>, Identity> {
        let mut fetched = self.fetched.lock().await;
        if let Some(key) = self.key(kid) {
            return Ok(Some(key)); // fetched while this request waited
        }
        if self.has_keys() && fetched.is_some_and(|at| at.elapsed() < REFETCH) {
            return Ok(None);
        }
        *fetched = Some(Instant::now());
        if let Err(error) = self.fetch_keys().await {
            tracing::warn!(error = format!("{error:#}"), "the vault did not tell its keys");
            return Err(Identity::Unknown);
        }
        Ok(self.key(kid))
    }
}

fn usable(key: &jsonwebtoken::jwk::Jwk) -> Option<(String, DecodingKey)> {
    let kid = key.common.key_id.clone()?;
    match &key.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Some((kid, DecodingKey::from_ed_components(&pair.x).ok()?))
        }
        _ => None,
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn actor(claims: Claims) -> Option<Actor> {
    let now = Utc::now().timestamp();
    if claims.iat > now + LEEWAY as i64 || claims.iat >= claims.exp {
        return None;
    }
    // a role that this version does not know gives no right here
    let roles: Vec<Role> = claims.roles.into_iter().filter_map(|role| serde_json::from_value(role).ok()).collect();
    Some(Actor {
        id: claims.sub,
        session: claims.sid,
        claims: kernel::Caller::claims(&roles).map(Into::into),
        roles: roles.into(),
        issued_at: claims.iat,
        expires_at: claims.exp,
    })
}

#[cfg(test)]
mod tests;
