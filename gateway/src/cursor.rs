//! Where the next page of a list begins: opaque, signed, and good for the same list and filters only, so that nobody
//! builds on its inside or pages through one search with the place of another.

use crate::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Microseconds, id, signature.
const LENGTH: usize = 8 + 16 + 12;

/// The last one of a page: when it was begun, and which it is.
pub(crate) type Last = (DateTime<Utc>, Uuid);

/// The cursor as clients get it.
pub(crate) fn write(key: &[u8], list: &str, filters: &str, (time, id): Last) -> String {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&time.timestamp_micros().to_be_bytes());
    bytes[8..24].copy_from_slice(id.as_bytes());
    let signature = sign(key, list, filters, &bytes[..24]);
    bytes[24..].copy_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The cursor that was given out.
///
/// # Errors
/// 400 when it was not given out for this list and these filters.
pub(crate) fn read(key: &[u8], list: &str, filters: &str, text: &str) -> Result<Last, Problem> {
    let foreign =
        || Problem::malformed("cursor_invalid", "this list did not give out such a place; begin without `after`");
    let bytes: [u8; LENGTH] =
        URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(foreign)?;
    let signature = sign(key, list, filters, &bytes[..24]);
    if !bool::from(subtle::ConstantTimeEq::ct_eq(&signature[..], &bytes[24..])) {
        return Err(foreign());
    }
    let micros = i64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
    let id = Uuid::from_bytes(bytes[8..24].try_into().expect("sixteen bytes"));
    Ok((DateTime::from_timestamp_micros(micros).ok_or_else(foreign)?, id))
}

fn sign(key: &[u8], list: &str, filters: &str, place: &[u8]) -> [u8; 12] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(list.as_bytes());
    mac.update(b" after");
    mac.update(place);
    mac.update(filters.as_bytes());
    mac.finalize().into_bytes()[..12].try_into().expect("twelve bytes of thirty-two")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let time = DateTime::from_timestamp_micros(1_790_000_000_123_456).expect("a time");
        let last = (time, Uuid::from_u128(7));
        let text = write(b"key", "users", "admins", last);
        assert_eq!(read(b"key", "users", "admins", &text).expect("its own"), last);
        for (key, list, filters, text) in [
            (&b"key"[..], "users", "everybody", text.as_str()),
            (b"key", "videos", "admins", &text),
            (b"other", "users", "admins", &text),
            (b"key", "users", "admins", "nonsense"),
            (b"key", "users", "admins", ""),
        ] {
            assert_eq!(read(key, list, filters, text).expect_err("foreign").code(), "cursor_invalid");
        }
    }
}
