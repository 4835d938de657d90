//! Where the next page of a list begins: opaque, signed, and good for the same filters only, so that nobody builds on
//! its inside or pages through one search with the place of another.

use crate::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use hmac::{Hmac, KeyInit, Mac};
use projections::user_page::Cursor;
use sha2::Sha256;
use uuid::Uuid;

/// Microseconds, id, signature.
const LENGTH: usize = 8 + 16 + 12;

/// The cursor as clients get it.
pub(super) fn write(key: &[u8], filters: &str, cursor: Cursor) -> String {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&cursor.created_at.timestamp_micros().to_be_bytes());
    bytes[8..24].copy_from_slice(cursor.id.as_bytes());
    let signature = sign(key, filters, &bytes[..24]);
    bytes[24..].copy_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The cursor that was given out.
///
/// # Errors
/// 400 when it was not given out for these filters.
pub(super) fn read(key: &[u8], filters: &str, text: &str) -> Result<Cursor, Problem> {
    let foreign =
        || Problem::malformed("cursor_invalid", "this list did not give out such a place; begin without `after`");
    let bytes: [u8; LENGTH] =
        URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(foreign)?;
    let signature = sign(key, filters, &bytes[..24]);
    if !bool::from(subtle::ConstantTimeEq::ct_eq(&signature[..], &bytes[24..])) {
        return Err(foreign());
    }
    let micros = i64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
    let id = Uuid::from_bytes(bytes[8..24].try_into().expect("sixteen bytes"));
    Ok(Cursor { created_at: DateTime::from_timestamp_micros(micros).ok_or_else(foreign)?, id })
}

fn sign(key: &[u8], filters: &str, place: &[u8]) -> [u8; 12] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"users after");
    mac.update(place);
    mac.update(filters.as_bytes());
    mac.finalize().into_bytes()[..12].try_into().expect("twelve bytes of thirty-two")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let created_at = DateTime::from_timestamp_micros(1_790_000_000_123_456).expect("a time");
        let cursor = Cursor { created_at, id: Uuid::from_u128(7) };
        let text = write(b"key", "admins", cursor);
        assert_eq!(read(b"key", "admins", &text).expect("its own"), cursor);
        for (key, filters, text) in [
            (&b"key"[..], "everybody", text.as_str()),
            (b"other", "admins", &text),
            (b"key", "admins", "nonsense"),
            (b"key", "admins", ""),
        ] {
            assert_eq!(read(key, filters, text).expect_err("foreign").code(), "cursor_invalid");
        }
    }
}
