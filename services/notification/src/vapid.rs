//! How the platform says to a push service who it is (VAPID, RFC 8292): a token signed with the key that the browser
//! subscribed with.

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, TimeDelta, Utc};
use hyper::Uri;
use hyper::header::HeaderValue;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::EncodePrivateKey;
use serde::Serialize;

/// Half of what is allowed, so that clocks may differ.
const LIFE: TimeDelta = TimeDelta::hours(12);

/// Signs as the platform.
pub(crate) struct Vapid {
    secret: EncodingKey,
    public: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: i64,
    sub: &'a str,
}

impl Vapid {
    /// # Errors
    /// It is not a P-256 scalar in base64, as the vault gives it.
    pub fn read(key: &str) -> Result<Self> {
        let scalar = BASE64_STANDARD.decode(key).ok().context("the push key is not base64")?;
        let secret = SecretKey::from_slice(&scalar).ok().context("the push key is not a P-256 key")?;
        let public = secret.public_key().to_encoded_point(false);
        let der = secret.to_pkcs8_der().ok().context("the push key cannot be written as PKCS 8")?;
        let secret = EncodingKey::from_ec_der(der.as_bytes());
        Ok(Vapid { secret, public: BASE64_URL_SAFE_NO_PAD.encode(public.as_bytes()) })
    }

    /// The `Authorization` for pushes to this endpoint.
    ///
    /// # Errors
    /// The endpoint is no web address.
    pub fn authorization(&self, endpoint: &Uri, contact: &str, now: DateTime<Utc>) -> Result<HeaderValue> {
        let aud = origin(endpoint).context("an endpoint without a host")?;
        let claims = Claims { aud: &aud, exp: (now + LIFE).timestamp(), sub: contact };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.secret)?;
        let mut header = HeaderValue::from_str(&format!("vapid t={token}, k={}", self.public))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// The contact must be one that the people of a push service can use.
pub(crate) fn check_contact(contact: &str) -> Result<()> {
    let known = ["mailto:", "https://", "http://"]
        .iter()
        .any(|scheme| contact.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    ensure!(known, "REPRISE_PUSH_CONTACT={contact} is not mailto:somebody@example.org or a web address");
    Ok(())
}

/// Scheme, host and port as browsers write them (RFC 6454): in small letters, without the usual port.
fn origin(endpoint: &Uri) -> Option<String> {
    let (scheme, host) = (endpoint.scheme_str()?, endpoint.host()?.to_ascii_lowercase());
    let usual = if scheme == "https" { 443 } else { 80 };
    Some(match endpoint.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_no_usual_port() {
        for (endpoint, expected) in [
            ("https://push.example/send/abc?x=y", "https://push.example"),
            ("https://PUSH.example:443/send", "https://push.example"),
            ("http://127.0.0.1:8080/send", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin(&endpoint.parse().expect("an address")).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_key_that_is_none_is_not_repeated() {
        for key in ["hunter2", "aHVudGVyMg==", &BASE64_STANDARD.encode([0; 32])] {
            let error = Vapid::read(key).err().expect("refused");
            assert!(!format!("{error:#}").contains(key), "{error:#}");
        }
    }
}
