//! Personal fields on the wire: `{"$sealed":"<person>.<base64url(nonce ‖ ciphertext ‖ tag)>"}`, AES-256-GCM, bound to the
//! message and the person. Written and read only here, so no other code can forget it.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload};
use anyhow::{Context, Result, anyhow};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

use crate::bus::SendError;
use crate::keyring::Cipher;

/// Cannot be inside a JSON text, where quotes are escaped.
const SEALED: &[u8] = br#"{"$sealed":""#;
const PERSONAL: &[u8] = br#""$personal""#;
const NONCE: usize = 12;

type Keys = HashMap<Uuid, Option<Cipher>>;

pub(crate) fn has_sealed(raw: &[u8]) -> bool {
    memmem::find(raw, SEALED).is_some()
}

pub(crate) fn has_personal(raw: &[u8]) -> bool {
    memmem::find(raw, PERSONAL).is_some()
}

/// The portable form of a sealed field, for where the message around it is not kept: `text` is what
/// `Personal::Sealed` holds.
pub fn portable(message: Uuid, text: &str) -> String {
    format!("{message}.{text}")
}

/// The persons in the sealed fields of a message.
pub(crate) fn persons(raw: &[u8]) -> impl Iterator<Item = Uuid> + '_ {
    memmem::find_iter(raw, SEALED).filter_map(|at| Uuid::try_parse_ascii(raw.get(at + SEALED.len()..)?.get(..36)?).ok())
}

/// The persons whose keys are needed to seal `message`.
pub(crate) fn about(message: &Value) -> Result<HashSet<Uuid>> {
    let head = head_of(message)?;
    let mut persons = HashSet::new();
    collect(message, head.subject, &mut persons);
    Ok(persons)
}

/// Seals every personal field of `message`.
pub(crate) fn seal(message: &mut Value, keys: &Keys) -> Result<(), SendError> {
    let head = head_of(message).map_err(SendError::Unavailable)?;
    walk(message, &head, keys)
}

/// Opens every sealed field. What does not fit its key stays sealed: somebody changed it, and no reader is stopped by that.
pub(crate) fn open(raw: Bytes, keys: &Keys) -> Bytes {
    let Ok(head) = serde_json::from_slice::<Head>(&raw) else { return raw };
    let mut opened = Vec::with_capacity(raw.len());
    let mut from = 0;
    for at in memmem::find_iter(&raw, SEALED) {
        let text = &raw[at + SEALED.len()..];
        let Some(end) = memchr::memchr(b'"', text) else { break };
        // the object has this one member: `"}` follows
        let Some(sealed) = std::str::from_utf8(&text[..end]).ok().filter(|_| text.get(end + 1) == Some(&b'}')) else {
            continue;
        };
        let Some(replacement) = replacement(sealed, &head, keys) else { continue };
        opened.extend_from_slice(&raw[from..at]);
        opened.extend_from_slice(&replacement);
        from = at + SEALED.len() + end + 2;
    }
    opened.extend_from_slice(&raw[from..]);
    opened.into()
}

/// What stands for a sealed field once it is opened.
fn replacement(sealed: &str, head: &Head, keys: &Keys) -> Option<Vec<u8>> {
    let (person, text) = split(sealed)?;
    let Some(cipher) = keys.get(&person)? else { return Some(br#"{"$erased":true}"#.to_vec()) };
    let Some(plain) = decrypt(cipher, head.id, person, text) else {
        metrics::counter!("reprise_unsealable_total").increment(1);
        tracing::error!(message.id = %head.id, "a sealed field does not fit its key");
        return None;
    };
    let mut object = br#"{"$personal":"#.to_vec();
    object.extend_from_slice(&plain);
    if person != head.subject {
        object.extend_from_slice(format!(r#","about":"{person}""#).as_bytes());
    }
    object.push(b'}');
    Some(object)
}

/// A sealed text that carries its message's id.
pub(crate) struct Portable<'a> {
    message: Uuid,
    pub(crate) person: Uuid,
    text: &'a str,
}

impl<'a> Portable<'a> {
    pub(crate) fn read(portable: &'a str) -> Option<Self> {
        let (message, sealed) = portable.split_once('.')?;
        let (person, text) = split(sealed)?;
        Some(Portable { message: message.parse().ok()?, person, text })
    }
}

pub(crate) fn open_portable(portable: &str, keys: &Keys) -> Option<String> {
    let portable = Portable::read(portable)?;
    let cipher = keys.get(&portable.person)?.as_ref()?;
    let plain = decrypt(cipher, portable.message, portable.person, portable.text)?;
    match serde_json::from_slice(&plain).ok()? {
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

#[derive(Deserialize)]
struct Head {
    id: Uuid,
    subject: Uuid,
}

fn head_of(message: &Value) -> Result<Head> {
    let field = |name: &str| {
        let text = message.get(name).and_then(Value::as_str).with_context(|| format!("a message without {name}"))?;
        text.parse::<Uuid>().map_err(|error| anyhow!("{name} of a message: {error}"))
    };
    Ok(Head { id: field("id")?, subject: field("subject")? })
}

/// The person a `{"$personal": …}` is about; `None` when this is no such object.
fn person_of(object: &Map<String, Value>, subject: Uuid) -> Option<Uuid> {
    object
        .contains_key("$personal")
        .then(|| object.get("about").and_then(Value::as_str).and_then(|about| about.parse().ok()).unwrap_or(subject))
}

fn collect(value: &Value, subject: Uuid, persons: &mut HashSet<Uuid>) {
    match value {
        Value::Object(object) => match person_of(object, subject) {
            Some(person) => drop(persons.insert(person)),
            None => object.values().for_each(|inner| collect(inner, subject, persons)),
        },
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, subject, persons)),
        _ => {}
    }
}

fn walk(value: &mut Value, head: &Head, keys: &Keys) -> Result<(), SendError> {
    match value {
        Value::Object(object) => match person_of(object, head.subject) {
            Some(person) => {
                let cipher = keys.get(&person).and_then(Option::as_ref).ok_or(SendError::Erased)?;
                let text = encrypt(cipher, head.id, person, object["$personal"].to_string().as_bytes());
                *value = json!({ "$sealed": format!("{person}.{text}") });
                Ok(())
            }
            None => object.values_mut().try_for_each(|inner| walk(inner, head, keys)),
        },
        Value::Array(items) => items.iter_mut().try_for_each(|inner| walk(inner, head, keys)),
        _ => Ok(()),
    }
}

fn split(sealed: &str) -> Option<(Uuid, &str)> {
    let (person, text) = sealed.split_once('.')?;
    Some((person.parse().ok()?, text))
}

/// The message's id and the person: what a sealed text belongs to cannot be changed.
fn bound_to(message: Uuid, person: Uuid) -> [u8; 32] {
    let mut both = [0; 32];
    both[..16].copy_from_slice(message.as_bytes());
    both[16..].copy_from_slice(person.as_bytes());
    both
}

fn encrypt(cipher: &Aes256Gcm, message: Uuid, person: Uuid, plain: &[u8]) -> String {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the system gives randomness");
    let payload = Payload { msg: plain, aad: &bound_to(message, person) };
    let secret = cipher.encrypt((&nonce).into(), payload).expect("a field is shorter than 64 GB");
    BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &secret].concat())
}

fn decrypt(cipher: &Aes256Gcm, message: Uuid, person: Uuid, text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let (nonce, secret) = bytes.split_first_chunk::<NONCE>()?;
    cipher.decrypt(nonce.into(), Payload { msg: secret, aad: &bound_to(message, person) }).ok()
}
