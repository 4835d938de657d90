//! Where a browser takes pushes, and whether what somebody says about that can be true. Nothing here does I/O, so a
//! decision may ask.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::Uri;
use p256::PublicKey;
use web_push_native::Auth;

use crate::http::is_loopback;

/// Longer than any push service's addresses.
const LONGEST: usize = 1000;
/// Base64url; some programs pad it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a browser gives for being pushed to, as `PushSubscription.toJSON()` writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The address at the browser's push service. Whoever knows it can try to push there.
    pub endpoint: String,
    /// The browser's public key: only who has the private one can read a push.
    pub p256dh: String,
    /// A secret that the browser shares with whoever may push.
    pub auth: String,
}

/// Why a subscription is none; each says what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// The address is none that a push service gives.
    #[error("the endpoint is not an https:// address of at most {LONGEST} characters")]
    Endpoint,
    /// The key is none.
    #[error("p256dh is not a public key: the 65 bytes of an uncompressed P-256 point, in base64url")]
    Key,
    /// The secret is none.
    #[error("auth is not 16 bytes in base64url")]
    Auth,
}

impl Unacceptable {
    /// The member of the subscription that is wrong.
    pub fn field(self) -> &'static str {
        match self {
            Unacceptable::Endpoint => "endpoint",
            Unacceptable::Key => "p256dh",
            Unacceptable::Auth => "auth",
        }
    }
}

/// May these be the parts of a [`Subscription`]? Whether its push service is spoken to is decided when something is
/// sent.
///
/// # Errors
/// The first part that cannot be.
pub fn acceptable(endpoint: &str, p256dh: &str, auth: &str) -> Result<(), Unacceptable> {
    read(endpoint, p256dh, auth).map(drop)
}

/// A subscription as it is worked with.
pub(crate) struct Opened {
    pub endpoint: Uri,
    pub key: PublicKey,
    pub auth: Auth,
}

impl Subscription {
    pub(crate) fn open(&self) -> Result<Opened, Unacceptable> {
        read(&self.endpoint, &self.p256dh, &self.auth)
    }
}

fn read(endpoint: &str, p256dh: &str, auth: &str) -> Result<Opened, Unacceptable> {
    Ok(Opened {
        endpoint: read_endpoint(endpoint).ok_or(Unacceptable::Endpoint)?,
        key: read_key(p256dh).ok_or(Unacceptable::Key)?,
        auth: read_auth(auth).ok_or(Unacceptable::Auth)?,
    })
}

fn read_endpoint(text: &str) -> Option<Uri> {
    let uri: Uri = Some(text).filter(|text| text.len() <= LONGEST)?.parse().ok()?;
    let named = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let safe = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_loopback(&uri));
    (named && safe).then_some(uri)
}

fn read_key(text: &str) -> Option<PublicKey> {
    let point = decode::<65>(text)?;
    // checks that it is on the curve: another point would tell whoever made it something of our key
    PublicKey::from_sec1_bytes(&point).ok()
}

fn read_auth(text: &str) -> Option<Auth> {
    decode::<16>(text).map(Auth::from)
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // nothing that long is decoded at all
    let bytes = BASE64.decode(Some(text).filter(|text| text.len() <= 2 * N)?).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "https://push.example/send/abc";
    /// Those of RFC 8291, section 5.
    const KEY: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn what_a_browser_gives_is_acceptable() {
        assert_eq!(acceptable(ENDPOINT, KEY, AUTH), Ok(()));
        assert_eq!(acceptable(ENDPOINT, &format!("{KEY}="), &format!("{AUTH}==")), Ok(()));
        assert_eq!(acceptable("http://127.0.0.1:8080/send", KEY, AUTH), Ok(()));
    }

    #[test]
    fn no_other_endpoint_is() {
        let long = format!("https://push.example/{}", "a".repeat(LONGEST));
        for endpoint in [
            "",
            "nonsense",
            "/send/abc",
            "push.example",
            "http://push.example/send",
            "ftp://push.example/send",
            "https://",
            "https://push.example@evil.example/send",
            "https://push.example/a b",
            "https://push.example/\r\nx: y",
            "file:///etc/passwd",
            &long,
        ] {
            assert_eq!(acceptable(endpoint, KEY, AUTH), Err(Unacceptable::Endpoint), "{endpoint}");
        }
    }

    #[test]
    fn a_key_is_a_point_on_the_curve() {
        let mut beside = BASE64.decode(KEY).expect("base64url");
        beside[64] ^= 1;
        let beside = BASE64.encode(beside);
        let compressed = BASE64.encode([&[2], &BASE64.decode(KEY).expect("base64url")[1..33]].concat());
        let zero = BASE64.encode([0; 65]);
        for key in ["", "AA", &KEY[..80], "!", &beside, &compressed, &zero, &"A".repeat(100_000)] {
            assert_eq!(acceptable(ENDPOINT, key, AUTH), Err(Unacceptable::Key), "{:.90}", key);
        }
    }

    #[test]
    fn a_secret_is_16_bytes() {
        for auth in ["", "AA", "BTBZMqHH6r4Tts7J_aSI", "BTBZMqHH6r4Tts7J/aSIgg", &KEY[..24]] {
            assert_eq!(acceptable(ENDPOINT, KEY, auth), Err(Unacceptable::Auth), "{auth}");
        }
    }
}
