//! Permissions that addresses carry: whoever has one sees a video until it expires, and nothing else. Gateways make and
//! check them with the key that they share; for whoever writes to people, and has no such key, the vault makes them.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::api::{Permit, Permitted};
use crate::vault::Vault;

impl Vault {
    /// The query of an address.
    pub fn permit(&self, question: &Permit) -> Permitted {
        let Permit { video, expires_at } = question;
        Permitted { query: query(&self.keys.consistency.0, *video, expires_at.timestamp()).into() }
    }
}

/// The query of an address that is good for everything of this thing until then, in seconds since 1970.
pub fn query(key: &[u8], of: Uuid, expires: i64) -> String {
    format!("expires={expires}&signature={}", BASE64_URL_SAFE_NO_PAD.encode(sign(key, of, expires)))
}

/// The signature in it.
pub fn sign(key: &[u8], of: Uuid, expires: i64) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"media ");
    mac.update(of.as_bytes());
    mac.update(&expires.to_be_bytes());
    mac.finalize().into_bytes()[..16].try_into().expect("sixteen bytes of thirty-two")
}
