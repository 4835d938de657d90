//! The master key and what is derived from it: one key per purpose, so that none can stand in for another.
//! Only wrapped keys and keyed hashes are ever stored; the master key itself is in memory only.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use anyhow::{Context, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::path::Path;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes. `Debug` hides them, dropping wipes them.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key(pub(crate) [u8; 32]);

/// The one secret that everything else hangs on: 32 bytes, from a file or the environment.
#[derive(Clone)]
pub struct MasterKey(Key);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl MasterKey {
    /// From base64 of 32 bytes, white space around it ignored.
    ///
    /// # Errors
    /// It is not that; the text is not repeated.
    pub fn from_base64(text: &str) -> anyhow::Result<Self> {
        let mut bytes =
            BASE64_STANDARD.decode(text.trim()).map_err(|_| anyhow::anyhow!("the master key is not base64"))?;
        let key = <[u8; 32]>::try_from(bytes.as_slice());
        bytes.zeroize();
        Ok(MasterKey(Key(key.map_err(|_| anyhow::anyhow!("the master key is not 32 bytes in base64"))?)))
    }

    /// From a file with base64 of 32 bytes.
    ///
    /// # Errors
    /// No such file, or not that in it.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let mut text =
            std::fs::read_to_string(path).with_context(|| format!("reading the master key from {}", path.display()))?;
        let key = Self::from_base64(&text);
        text.zeroize();
        key
    }

    /// A new one, as base64: what to put into a file that only the vault can read.
    pub fn generate() -> crate::Secret {
        BASE64_STANDARD.encode(random::<32>()).into()
    }

    /// The key for one purpose.
    pub(crate) fn derive(&self, label: &str) -> Key {
        Key(mac(&self.0, &[b"reprise vault v1", label.as_bytes()]))
    }
}

/// The keys derived from the master key, by purpose.
pub(crate) struct Keys {
    /// Wraps the keys of persons and the signing keys.
    pub kek: Key,
    /// Hashes unique names for the log.
    pub claim: Key,
    /// Gateways: hashes what was asked under an idempotency key.
    pub fingerprint: Key,
    /// Gateways: signs consistency tokens.
    pub consistency: Key,
    /// Hashes names to sign in with.
    pub login: Key,
    /// Makes refresh tokens.
    pub refresh: Key,
    /// Makes tokens for mails.
    pub mail: Key,
    /// Makes the key pair that push services know.
    pub push: Key,
    /// Names the one-time secret.
    pub bootstrap: Key,
    /// Recognises the master key that a database was made with.
    pub check: Key,
}

impl Keys {
    pub fn of(master: &MasterKey) -> Self {
        Keys {
            kek: master.derive("wrap"),
            claim: master.derive("claim"),
            fingerprint: master.derive("fingerprint"),
            consistency: master.derive("consistency"),
            login: master.derive("login"),
            refresh: master.derive("refresh"),
            mail: master.derive("mail"),
            push: master.derive("push"),
            bootstrap: master.derive("bootstrap"),
            check: master.derive("check"),
        }
    }
}

/// Keyed hash of several parts; their lengths are hashed too, so parts cannot flow into each other.
pub(crate) fn mac(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A hash of something that is itself unguessable.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Encrypts; `about` must be given again to decrypt. Layout: nonce, ciphertext, tag.
pub(crate) fn seal(key: &Key, about: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce = random::<12>();
    let sealed = cipher(key).encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: about });
    [&nonce[..], &sealed.expect("AES-GCM encrypts messages of this size")].concat()
}

/// Decrypts what [`seal`] made.
///
/// # Errors
/// Another key, another `about`, or changed bytes.
pub(crate) fn open(key: &Key, about: &[u8], sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let Some((nonce, sealed)) = sealed.split_first_chunk::<12>() else { bail!("too short to be sealed") };
    let plain = cipher(key).decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: about });
    plain.map_err(|_| anyhow::anyhow!("sealed with another key, or changed"))
}

/// Unwraps a key that was sealed with [`seal`].
///
/// # Errors
/// As [`open`].
pub(crate) fn unwrap_key(kek: &Key, about: &[u8], wrapped: &[u8]) -> anyhow::Result<Key> {
    let mut plain = open(kek, about, wrapped)?;
    let key = <[u8; 32]>::try_from(plain.as_slice());
    plain.zeroize();
    Ok(Key(key.ok().context("a wrapped key of another length")?))
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(&key.0.into())
}

/// The system's randomness: for keys, nonces, salts and ids.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// An id that says when it was made: gateways tell by it whether a session began before or after a change of rights.
pub(crate) fn timed_id(now: DateTime<Utc>) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(now.timestamp_millis().unsigned_abs(), &random()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_base64(&BASE64_STANDARD.encode([byte; 32])).expect("32 bytes")
    }

    #[test]
    fn keys_differ_by_purpose_and_by_master() {
        assert_ne!(master(1).derive("claim").0, master(1).derive("refresh").0);
        assert_ne!(master(1).derive("claim").0, master(2).derive("claim").0);
        assert_eq!(master(1).derive("claim").0, master(1).derive("claim").0);
    }

    #[test]
    fn what_is_sealed_for_one_cannot_be_opened_for_another() {
        let key = master(1).derive("wrap");
        let sealed = seal(&key, b"ada", b"secret");
        assert_eq!(open(&key, b"ada", &sealed).expect("own seal"), b"secret");
        assert!(open(&key, b"bob", &sealed).is_err());
        assert!(open(&master(2).derive("wrap"), b"ada", &sealed).is_err());
        assert!(open(&key, b"ada", &sealed[..20]).is_err());
    }

    #[test]
    fn parts_do_not_flow_into_each_other() {
        let key = master(1).derive("x");
        assert_ne!(mac(&key, &[b"ab", b"c"]), mac(&key, &[b"a", b"bc"]));
    }

    #[test]
    fn a_bad_master_key_is_not_repeated_in_the_error() {
        for bad in ["hunter2", "aGVsbG8="] {
            assert!(!format!("{:?}", MasterKey::from_base64(bad).expect_err("bad")).contains(bad));
        }
        assert!(MasterKey::from_base64(MasterKey::generate().expose()).is_ok());
    }
}
