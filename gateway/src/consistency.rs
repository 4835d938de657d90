//! `Consistency-Token`: the place in the log that a client has written to or read from, signed so that nobody makes one
//! up and waits for a place that never comes. A read that carries it shows at least that much, or says 503.

use crate::problem::Problem;
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Of this many bytes: a version, the position, and the signature.
const LENGTH: usize = 1 + 8 + 16;
const VERSION: u8 = 1;

/// The token for a position in `EVENTS`.
pub(crate) fn token(key: &[u8], position: u64) -> HeaderValue {
    let mut bytes = [0; LENGTH];
    bytes[0] = VERSION;
    bytes[1..9].copy_from_slice(&position.to_be_bytes());
    let signature = sign(key, &bytes[..9]);
    bytes[9..].copy_from_slice(&signature);
    HeaderValue::from_str(&URL_SAFE_NO_PAD.encode(bytes)).expect("base64 is ASCII")
}

/// The position of a token.
///
/// # Errors
/// 400 when it is not one of ours.
pub(crate) fn position(key: &[u8], token: &HeaderValue) -> Result<u64, Problem> {
    let forged = || Problem::malformed("consistency_token_invalid", "this Consistency-Token was not issued here");
    let bytes = URL_SAFE_NO_PAD.decode(token.as_bytes()).map_err(|_| forged())?;
    let bytes: [u8; LENGTH] = bytes.try_into().map_err(|_| forged())?;
    let good = subtle::ConstantTimeEq::ct_eq(&sign(key, &bytes[..9])[..], &bytes[9..]);
    if bytes[0] != VERSION || !bool::from(good) {
        return Err(forged());
    }
    Ok(u64::from_be_bytes(bytes[1..9].try_into().expect("eight bytes")))
}

fn sign(key: &[u8], what: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(what);
    mac.finalize().into_bytes()[..16].try_into().expect("32 bytes have 16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_issued_is_taken() {
        let issued = token(b"key", 4711);
        assert_eq!(position(b"key", &issued).expect("ours"), 4711);
        assert_eq!(position(b"other", &issued).expect_err("another key").code(), "consistency_token_invalid");
        let mut bytes = URL_SAFE_NO_PAD.decode(issued.as_bytes()).expect("base64");
        for n in 0..bytes.len() {
            bytes[n] ^= 1;
            let forged = HeaderValue::from_str(&URL_SAFE_NO_PAD.encode(&bytes)).expect("ASCII");
            assert!(position(b"key", &forged).is_err(), "byte {n}");
            bytes[n] ^= 1;
        }
        for junk in ["", "4711", "ÿ", &"A".repeat(5000)] {
            assert!(position(b"key", &HeaderValue::from_bytes(junk.as_bytes()).expect("a header")).is_err());
        }
    }
}
