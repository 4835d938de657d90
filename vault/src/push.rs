//! The key pair by which push services know the platform (VAPID, RFC 8292). Computed from the master key: it is there at
//! the first start, the same in every vault, and cannot be lost on its own, which would end every subscription.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use zeroize::Zeroizing;

use crate::api::{PushKey, PushPublicKey};
use crate::crypto::{Key, mac};

/// Both halves, as they are told.
pub(crate) struct PushPair {
    pub private: PushKey,
    pub public: PushPublicKey,
}

impl PushPair {
    pub fn of(key: &Key) -> Self {
        let secret = first_scalar((0..=u8::MAX).map(|draw| mac(key, &[b"p256", &[draw]])));
        let private = Zeroizing::new(<[u8; 32]>::from(secret.to_bytes()));
        let public = secret.public_key().to_encoded_point(false);
        PushPair {
            private: PushKey { key: BASE64_STANDARD.encode(private.as_slice()).into() },
            public: PushPublicKey { public_key: BASE64_URL_SAFE_NO_PAD.encode(public.as_bytes()) },
        }
    }
}

/// Not all of 32 bytes is a private key: zero, and what is not below the order of the curve, is drawn again.
fn first_scalar(mut draws: impl Iterator<Item = [u8; 32]>) -> SecretKey {
    draws.find_map(|draw| SecretKey::from_slice(&draw).ok()).expect("one draw of 2³² is none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_scalar_is_drawn_again() {
        let mut two = [0; 32];
        two[31] = 2;
        let secret = first_scalar([[0; 32], [0xff; 32], two, [1; 32]].into_iter());
        assert_eq!(<[u8; 32]>::from(secret.to_bytes()), two);
    }

    /// Subscriptions are bound to the key: from one master key it is for ever this one.
    #[test]
    fn the_pair_of_a_master_key_never_changes() {
        let pair = PushPair::of(&Key([7; 32]));
        let public = BASE64_URL_SAFE_NO_PAD.decode(&pair.public.public_key).expect("base64url");
        assert_eq!((public.len(), public[0]), (65, 4), "an uncompressed point");
        assert_eq!(
            pair.public.public_key,
            "BOK4qeXyeBCSs2oT33CMeWgdk8A_0HFaj5zFie1zeE_Z_OHWzNfbLbJUKrofgQPLcn7BDHlH2N4o9IAgOXGWVWA"
        );
        assert_ne!(PushPair::of(&Key([8; 32])).public, pair.public);
    }
}
