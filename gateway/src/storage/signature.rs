//! Addresses that carry their own permission: whoever has one sees what lies behind it until it expires, and nothing
//! else. For players, which cannot send a token with each segment.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use uuid::Uuid;
use vault::permission::{self, sign};

/// Long enough for the longest evening; a link in a mail is good for longer (`services/notification/src/delivering.rs`).
const GOOD_FOR: TimeDelta = TimeDelta::hours(8);

/// The permission in an address.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Signature {
    expires: Option<i64>,
    signature: Option<String>,
}

impl Signature {
    /// Whether it is good for everything of this thing, now.
    pub(crate) fn permits(&self, key: &[u8], of: Uuid, now: DateTime<Utc>) -> bool {
        let (Some(expires), Some(text)) = (self.expires, &self.signature) else { return false };
        let Ok(given) = URL_SAFE_NO_PAD.decode(text) else { return false };
        expires > now.timestamp() && bool::from(subtle::ConstantTimeEq::ct_eq(&sign(key, of, expires)[..], &given))
    }

    /// The same as a query, if there is one; to go on with.
    pub(crate) fn query(&self) -> Option<String> {
        let (expires, signature) = (self.expires?, self.signature.as_ref()?);
        Some(format!("expires={expires}&signature={signature}"))
    }
}

/// The query of an address that is good for a while, for everything of this thing. Within an hour it is the same one, so
/// that caches are of use.
pub(crate) fn query(key: &[u8], of: Uuid, now: DateTime<Utc>) -> String {
    permission::query(key, of, (now + GOOD_FOR).timestamp() / 3600 * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Signature {
        let part = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        Signature {
            expires: part("expires").and_then(|text| text.parse().ok()),
            signature: part("signature").map(str::to_owned),
        }
    }

    #[test]
    fn it_is_good_for_one_thing_and_one_evening() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).expect("a time");
        let (video, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let given = read(&query(b"key", video, now));
        assert!(given.permits(b"key", video, now));
        assert!(!given.permits(b"key", other, now));
        assert!(!given.permits(b"another key", video, now));
        assert!(!given.permits(b"key", video, now + TimeDelta::hours(9)));
        let longer = Signature { expires: given.expires.map(|at| at + 3600), ..given.clone() };
        assert!(!longer.permits(b"key", video, now));
        assert!(!Signature::default().permits(b"key", video, now));
    }
}
