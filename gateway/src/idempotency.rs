//! `Idempotency-Key`: the same key from the same caller is the same command, so its effect happens once.
//! A keyed fingerprint of what was asked goes with it; the same key with another request is noticed and refused.

use crate::problem::Problem;
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use uuid::{Uuid, uuid};

/// All command ids that are derived from a client's key come from here; it never changes.
const NAMESPACE: Uuid = uuid!("7b6f9c56-0f5f-5d0e-9c6b-3a3c0b1f8e21");

/// The whole value is the key, quoted (as the draft writes it) or not (as everybody does).
pub(crate) fn key(value: &HeaderValue) -> Result<&str, Problem> {
    let refused = |detail: &'static str| Problem::malformed("idempotency_key_invalid", detail);
    let text = value.to_str().map_err(|_| refused("an Idempotency-Key is printable ASCII"))?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match text.len() {
        0 => Err(refused("an Idempotency-Key is not empty")),
        256.. => Err(refused("an Idempotency-Key has at most 255 characters")),
        _ => Ok(text),
    }
}

/// Where the keys of a person live: two people never share one.
pub(crate) fn person(id: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, id.as_bytes())
}

/// Where the keys of somebody without an account live: at this address of theirs, for this route.
pub(crate) fn anonymous(method: &str, path: &str, address: IpAddr) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{method} {path} {address}").as_bytes())
}

/// The id of a command that came as a CloudEvent: its source and id identify it, within what one person sends.
pub(crate) fn cloudevent(who: Uuid, source: &str, id: &str) -> Uuid {
    Uuid::new_v5(&person(who), format!("{source}\n{id}").as_bytes())
}

/// What was asked, as a keyed hash: nobody who reads the log learns the body from it.
pub(crate) fn fingerprint(key: &[u8], method: &str, path: &str, body: &[u8; 32]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [method.as_bytes(), path.as_bytes(), body] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
}

/// A hash of the body that does not depend on spaces or the order of members, nor on secrets: a client may repeat a
/// request, and what it hides is the vault's to compare.
pub(crate) fn digest(body: &[u8]) -> [u8; 32] {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let mut canonical = String::with_capacity(body.len());
            write(&value, &mut canonical);
            Sha256::digest(canonical.as_bytes()).into()
        }
        Err(_) => Sha256::digest(body).into(),
    }
}

/// Members with such names are secrets, wherever they are.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token"].iter().any(|word| name.contains(word))
}

fn write(value: &Value, to: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().filter(|(name, _)| !is_secret(name)).collect();
            members.sort_by_key(|(name, _)| *name);
            to.push('{');
            for (name, value) in members {
                to.push_str(&Value::from(name.as_str()).to_string());
                to.push(':');
                write(value, to);
                to.push(',');
            }
            to.push('}');
        }
        Value::Array(items) => {
            to.push('[');
            for item in items {
                write(item, to);
                to.push(',');
            }
            to.push(']');
        }
        simple => to.push_str(&simple.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_printable() {
        let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).expect("a header");
        assert_eq!(key(&value("abc")).expect("plain"), "abc");
        assert_eq!(key(&value("\"abc\"")).expect("quoted"), "abc");
        assert_eq!(key(&value(&"k".repeat(255))).expect("longest").len(), 255);
        for bad in ["", "\"\"", &"k".repeat(256), "schlüssel"] {
            assert_eq!(key(&value(bad)).expect_err("refused").code(), "idempotency_key_invalid");
        }
    }

    #[test]
    fn what_does_not_matter_does_not_change_the_fingerprint() {
        let one = digest(br#"{"a": 1, "b": {"y": [1, 2], "x": null}, "password": "one"}"#);
        assert_eq!(one, digest(br#"{"b":{"x":null,"y":[1,2]},"a":1,"password":"two"}"#));
        assert_ne!(one, digest(br#"{"b":{"x":null,"y":[2,1]},"a":1}"#));
        assert_ne!(digest(br#"{"a":"1"}"#), digest(br#"{"a":1}"#));
        assert_ne!(digest(br#"[[1],2]"#), digest(br#"[[1,2]]"#));
    }

    #[test]
    fn the_fingerprint_depends_on_everything_and_needs_the_key() {
        let print = |key: &[u8], method, path, body: &[u8]| fingerprint(key, method, path, &digest(body));
        let one = print(b"k", "PUT", "/api/profile", b"{}");
        assert_eq!(one, print(b"k", "PUT", "/api/profile", b"{ }"));
        for other in [
            print(b"l", "PUT", "/api/profile", b"{}"),
            print(b"k", "POST", "/api/profile", b"{}"),
            print(b"k", "PUT", "/api/profil", b"e{}"),
            print(b"k", "PUT", "/api/profile", b"[]"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn nobody_shares_ids() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_ne!(cloudevent(a, "/x", "1"), cloudevent(b, "/x", "1"));
        assert_ne!(cloudevent(a, "/x", "1"), cloudevent(a, "/y", "1"));
        assert_ne!(cloudevent(a, "/x", "1"), Uuid::new_v5(&person(a), b"1"));
    }
}
