//! Personal fields on the wire: `{"$sealed":"<person>.<base64url(nonce ‖ ciphertext ‖ tag)>"}`, AES-256-GCM, bound to the
//! message and the person. Written and read only here, so no other code can forget it.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload};
use anyhow::{Context, Result, bail, ensure};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use bytes::Bytes;
use memchr::memmem;
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use uuid::Uuid;

use crate::bus::SendError;
use crate::keyring::Cipher;

/// Cannot be inside a JSON text, where quotes are escaped.
const SEALED: &[u8] = br#"{"$sealed":""#;
const PERSONAL: &[u8] = br#""$personal""#;
/// How `Personal` begins when it is written.
const OPEN: &[u8] = br#"{"$personal":"#;
/// How `events::Message` begins when it is written.
const BEGIN: &[u8] = br#"{"specversion":"1.0","id":""#;
const ABOUT: &[u8] = br#","about":""#;
const NONCE: usize = 12;

/// Mostly of one person, where hashing costs more than comparing.
pub(crate) type Keys = BTreeMap<Uuid, Option<Cipher>>;

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

/// A personal field in the clear: where it is, whose, and what.
pub(crate) struct Field<'a> {
    span: Range<usize>,
    pub(crate) person: Uuid,
    value: &'a str,
}

/// The personal fields of a message, in order.
pub(crate) fn fields(message: &[u8]) -> Result<(Head, Vec<Field<'_>>)> {
    let head = Head::read(message).context("a message has an id and a subject")?;
    let fields: Vec<_> = memmem::find_iter(message, OPEN)
        .map(|at| field(message, at, head.subject).with_context(|| format!("the personal field at byte {at}")))
        .collect::<Result<_>>()?;
    // in another place or shape the word is somebody's attempt to pass something by
    let regular = memmem::find_iter(message, PERSONAL).count() == fields.len()
        && fields.windows(2).all(|two| two[0].span.end <= two[1].span.start);
    ensure!(regular, "`$personal` is where no personal field can be");
    Ok((head, fields))
}

fn field(message: &[u8], at: usize, subject: Uuid) -> Result<Field<'_>> {
    let from = at + OPEN.len();
    let mut values = serde_json::Deserializer::from_slice(&message[from..]).into_iter::<&RawValue>();
    let value = values.next().context("no value")??.get();
    let end = from + values.byte_offset();
    let rest = &message[end..];
    if rest.first() == Some(&b'}') {
        return Ok(Field { span: at..end + 1, person: subject, value });
    }
    let about = rest.strip_prefix(ABOUT).and_then(|rest| rest.split_at_checked(36));
    match about {
        Some((person, [b'"', b'}', ..])) => {
            Ok(Field { span: at..end + ABOUT.len() + 38, person: Uuid::try_parse_ascii(person)?, value })
        }
        _ => bail!("it has other members than `about`"),
    }
}

/// Seals every personal field.
pub(crate) fn seal(message: &[u8], head: &Head, fields: &[Field], keys: &Keys) -> Result<Vec<u8>, SendError> {
    let mut sealed = Vec::with_capacity(message.len() + 128 * fields.len());
    let mut from = 0;
    for Field { span, person, value } in fields {
        let cipher = keys.get(person).and_then(Option::as_ref).ok_or(SendError::Erased)?;
        let text = encrypt(cipher, head.id, *person, value.as_bytes());
        sealed.extend_from_slice(&message[from..span.start]);
        sealed.extend_from_slice(format!(r#"{{"$sealed":"{person}.{text}"}}"#).as_bytes());
        from = span.end;
    }
    sealed.extend_from_slice(&message[from..]);
    Ok(sealed)
}

/// Opens every sealed field. What does not fit its key stays sealed: somebody changed it, and no reader is stopped by that.
pub(crate) fn open(raw: Bytes, keys: &Keys) -> Bytes {
    let Some(head) = Head::read(&raw) else { return raw };
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

/// What a sealed field belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    id: Uuid,
    subject: Uuid,
}

impl Head {
    /// Both stand before anything long, so the rest is not looked at.
    fn read(message: &[u8]) -> Option<Head> {
        Head::at_its_place(message).or_else(|| Head::sought(message))
    }

    /// Where every message of ours has them, behind a source that is plain text.
    fn at_its_place(message: &[u8]) -> Option<Head> {
        let (id, rest) = message.strip_prefix(BEGIN)?.split_at_checked(36)?;
        let rest = rest.strip_prefix(br#"","source":""#)?;
        let rest = rest[memchr::memchr2(b'"', b'\\', rest)?..].strip_prefix(br#"","subject":""#)?;
        Some(Head { id: Uuid::try_parse_ascii(id).ok()?, subject: Uuid::try_parse_ascii(rest.get(..36)?).ok()? })
    }

    fn sought(message: &[u8]) -> Option<Head> {
        let mut head = Seek::default();
        let mut json = serde_json::Deserializer::from_slice(message);
        // that the object goes on is an error to the parser, and what is sought has been found by then
        let _ = json.deserialize_map(&mut head);
        Some(Head { id: head.id?, subject: head.subject? })
    }
}

/// Reads an object until both members are there.
#[derive(Default)]
struct Seek {
    id: Option<Uuid>,
    subject: Option<Uuid>,
}

impl<'de> Visitor<'de> for &mut Seek {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        while self.id.is_none() || self.subject.is_none() {
            let Some(name) = members.next_key::<Cow<'de, str>>()? else { break };
            match &*name {
                "id" => self.id = Some(members.next_value()?),
                "subject" => self.subject = Some(members.next_value()?),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send::kind_of;
    use std::path::Path;

    /// The frozen samples, as they are on the wire: without white space.
    fn samples() -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/wire");
        let files = std::fs::read_dir(folder).expect("the samples").map(|entry| entry.expect("a file").path());
        let text = |file| std::fs::read_to_string(file).expect("text");
        let packed = |text: String| text.lines().map(str::trim).collect::<String>().replace("\": ", "\":");
        files.map(|file| packed(text(file)).into_bytes()).collect()
    }

    #[test]
    fn id_subject_and_type_stand_where_they_are_looked_for_first() {
        let samples = samples();
        assert!(samples.len() > 100);
        for sample in samples {
            let head = |head: Head| (head.id, head.subject);
            let place = Head::at_its_place(&sample).map(head);
            assert_eq!((place, place.is_some()), (Head::sought(&sample).map(head), true));
            let message: Value = serde_json::from_slice(&sample).expect("JSON");
            assert_eq!(kind_of(&sample).expect("a type"), message["type"]);
        }
    }

    #[test]
    fn messages_in_another_order_are_read_too() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8060";
        let other = format!(r#"{{"subject":"{id}","source":"/a","id":"{id}"}}"#);
        let escaped = format!(r#"{{"specversion":"1.0","id":"{id}","source":"a\"b","subject":"{id}"}}"#);
        for text in [other, escaped] {
            let head = Head::read(text.as_bytes()).expect("an id and a subject");
            assert_eq!((head.id.to_string(), head.subject.to_string()), (id.to_owned(), id.to_owned()), "{text}");
        }
        assert!(Head::read(br#"{"specversion":"1.0","id":"1"}"#).is_none());
    }
}
