//! Tokens are computed, never stored: from the session's row and the keys. So a lost answer can be given again to the
//! byte, and a stolen database holds none.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, TimeDelta, Utc};
use events::identity::user::Role;
use jsonwebtoken::{Algorithm, Header};
use serde::Serialize;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Secret;
use crate::api::Tokens;
use crate::crypto::{Key, mac};
use crate::signing::SigningKey;

/// An access token is good for that long.
pub(crate) const ACCESS_LIFE: TimeDelta = TimeDelta::minutes(15);

/// What tokens are computed from.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Row {
    pub id: Uuid,
    pub person: Uuid,
    pub started_at: DateTime<Utc>,
    pub generation: i32,
    pub issued_at: DateTime<Utc>,
    pub key_id: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'static str,
    sub: Uuid,
    sid: Uuid,
    roles: &'a [Role],
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// The tokens of a session's current generation.
///
/// # Errors
/// The signing key is defective.
pub(crate) fn of(row: &Row, roles: &[Role], signing: &SigningKey, refresh: &Key) -> anyhow::Result<Tokens> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(signing.id.clone());
    let issued = row.issued_at.timestamp();
    let claims = Claims {
        iss: "reprise",
        aud: "reprise",
        sub: row.person,
        sid: row.id,
        roles,
        iat: issued,
        nbf: issued,
        exp: issued + ACCESS_LIFE.num_seconds(),
        jti: Uuid::new_v5(&row.id, &row.generation.to_be_bytes()),
    };
    Ok(Tokens {
        user: row.person,
        session: row.id,
        access_token: jsonwebtoken::encode(&header, &claims, &signing.secret)?.into(),
        refresh_token: refresh_token(refresh, row.id, row.generation),
        token_type: "Bearer".to_owned(),
        expires_in: ACCESS_LIFE.num_seconds() as u64,
    })
}

/// `<session>.<generation>.<keyed hash of both>`.
fn refresh_token(key: &Key, session: Uuid, generation: i32) -> Secret {
    let hash = mac(key, &[session.as_bytes(), &generation.to_be_bytes()]);
    format!("{}.{generation}.{}", session.simple(), BASE64_URL_SAFE_NO_PAD.encode(hash)).into()
}

/// The session and generation of a refresh token that was made here.
pub(crate) fn read_refresh(key: &Key, token: &Secret) -> Option<(Uuid, i32)> {
    let mut parts = token.expose().split('.');
    let (session, generation) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let genuine = refresh_token(key, session, generation);
    bool::from(genuine.expose().as_bytes().ct_eq(token.expose().as_bytes())).then_some((session, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_genuine_refresh_tokens_are_read() {
        let (key, session) = (Key([7; 32]), Uuid::from_u128(5));
        let token = refresh_token(&key, session, 3);
        assert_eq!(read_refresh(&key, &token), Some((session, 3)));
        assert_eq!(read_refresh(&Key([8; 32]), &token), None);
        let other = token.expose().replacen(".3.", ".4.", 1);
        for forged in [other.as_str(), "", ".", "x.y.z", &token.expose()[..40], &format!("{} ", token.expose())] {
            assert_eq!(read_refresh(&key, &forged.into()), None, "{forged}");
        }
        // the same number written otherwise is another text
        assert_eq!(read_refresh(&key, &token.expose().replacen(".3.", ".+3.", 1).into()), None);
    }
}
