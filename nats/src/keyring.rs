//! The keys of persons, asked from the vault in batches and kept for at most a minute. A key that is gone is
//! forgotten at once: no process keeps a key longer than it takes to hear `vault.erased`, or a minute.

use aes_gcm::{Aes256Gcm, KeyInit};
use anyhow::{Result, anyhow, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use futures::future::BoxFuture;
use quick_cache::sync::Cache;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::bus::SendError;
use crate::calls::Calls;
use crate::seal::{self, Keys};

/// A key lives here no longer than this.
const FRESH: Duration = Duration::from_secs(60);
/// That there is no key is believed for a moment only: the person may be registering right now.
const ABSENT: Duration = Duration::from_secs(1);
/// The vault answers for that many persons at a time.
const AT_ONCE: usize = 1000;
/// Persons whose keys are kept; about 1 kB each.
const CAPACITY: usize = 20_000;

/// Finds keys of persons; `None` for one who is erased or unknown.
pub type Lookup = Arc<dyn Fn(Vec<Uuid>) -> BoxFuture<'static, Result<HashMap<Uuid, Option<[u8; 32]>>>> + Send + Sync>;

pub(crate) type Cipher = Arc<Aes256Gcm>;

/// Seals and opens personal data. Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<Ring>);

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(..)")
    }
}

struct Ring {
    source: Source,
    cache: Cache<Uuid, Kept>,
    /// Counts what was forgotten, so that an answer that was under way meanwhile is not kept.
    forgotten: AtomicU64,
    claims: OnceCell<Zeroizing<[u8; 32]>>,
}

/// How many persons had been forgotten, see [`Keyring::moment`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Moment(u64);

enum Source {
    Vault(Arc<Calls>),
    Local(Lookup),
}

#[derive(Clone)]
struct Kept {
    cipher: Option<Cipher>,
    since: Instant,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < if self.cipher.is_some() { FRESH } else { ABSENT }
    }
}

impl Keyring {
    /// A keyring that asks `lookup`: for the vault itself, for those who share its process, and for tests.
    pub fn local(
        lookup: impl Fn(Vec<Uuid>) -> BoxFuture<'static, Result<HashMap<Uuid, Option<[u8; 32]>>>> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Source::Local(Arc::new(lookup)))
    }

    /// The same keyring with the key for unique names, for which others ask the vault.
    pub fn with_claim_key(self, key: [u8; 32]) -> Self {
        self.0.claims.set(Zeroizing::new(key)).ok();
        self
    }

    pub(crate) fn vault(calls: Arc<Calls>) -> Self {
        Self::of(Source::Vault(calls))
    }

    fn of(source: Source) -> Self {
        Keyring(Arc::new(Ring {
            source,
            cache: Cache::new(CAPACITY),
            forgotten: AtomicU64::new(0),
            claims: OnceCell::new(),
        }))
    }

    /// The message as a reader sees it: every sealed field in the clear, or erased.
    ///
    /// # Errors
    /// The keys cannot be had now; worth trying again.
    pub async fn open(&self, raw: &Bytes) -> Result<Bytes> {
        if !seal::has_sealed(raw) {
            return Ok(raw.clone());
        }
        Ok(self.open_all(vec![raw.clone()]).await?.remove(0))
    }

    /// [`Keyring::open`] for many messages with one question to the vault.
    ///
    /// # Errors
    /// The keys cannot be had now; worth trying again.
    pub async fn open_all(&self, raw: Vec<Bytes>) -> Result<Vec<Bytes>> {
        let persons: BTreeSet<Uuid> = raw.iter().flat_map(|message| seal::persons(message)).collect();
        if persons.is_empty() {
            return Ok(raw);
        }
        let keys = self.keys(persons).await?;
        Ok(raw.into_iter().map(|message| seal::open(message, &keys)).collect())
    }

    /// Opens portable texts (`<message>.<person>.<base64>`, see [`portable`](seal::portable)): the text itself, or the
    /// JSON of what is not a text; `None` when it is erased.
    ///
    /// # Errors
    /// The keys cannot be had now; worth trying again.
    pub async fn open_text(&self, portable: &[String]) -> Result<Vec<Option<String>>> {
        let persons = portable.iter().filter_map(|text| seal::Portable::read(text)).map(|text| text.person).collect();
        let keys = self.keys(persons).await?;
        Ok(portable.iter().map(|text| seal::open_portable(text, &keys)).collect())
    }

    /// The message as it may leave the process: every personal field sealed with its person's key.
    ///
    /// # Errors
    /// [`SendError::Erased`]: a person in it has no key any more.
    pub async fn seal(&self, message: Vec<u8>) -> Result<Vec<u8>, SendError> {
        if !seal::has_personal(&message) {
            return Ok(message);
        }
        let (head, fields) = seal::fields(&message).map_err(SendError::Unavailable)?;
        let persons = fields.iter().map(|field| field.person).collect();
        let keys = self.keys(persons).await.map_err(SendError::Unavailable)?;
        seal::seal(&message, &head, &fields, &keys)
    }

    /// Taken before a key is looked up or made, so that [`Keyring::keep`] can tell whether anybody was forgotten meanwhile.
    pub fn moment(&self) -> Moment {
        Moment(self.0.forgotten.load(Ordering::SeqCst))
    }

    /// Keeps the key of `person`, which was looked up or made since `moment`: nobody has to ask for it in the next minute.
    pub fn keep(&self, moment: Moment, person: Uuid, key: &[u8; 32]) {
        self.put(moment, person, Some(Arc::new(Aes256Gcm::new(key.into()))), Instant::now());
    }

    /// Forgets the key of `person` now.
    pub fn forget(&self, person: Uuid) {
        self.0.forgotten.fetch_add(1, Ordering::SeqCst);
        self.0.cache.remove(&person);
    }

    /// The key under which unique names are hashed.
    pub(crate) async fn claim_key(&self) -> Result<&[u8; 32]> {
        let key = self.0.claims.get_or_try_init(async || match &self.0.source {
            Source::Local(_) => Err(anyhow!("a local keyring has no key for unique names unless given one")),
            Source::Vault(calls) => {
                let answer: ClaimKey = ask(calls, "vault.claim_key", &serde_json::json!({})).await?;
                key(&answer.key)
            }
        });
        Ok(&**key.await?)
    }

    async fn keys(&self, persons: BTreeSet<Uuid>) -> Result<Keys> {
        let mut found = Keys::new();
        let mut missing = vec![];
        for person in persons {
            match self.0.cache.get(&person) {
                Some(kept) if kept.is_fresh() => drop(found.insert(person, kept.cipher)),
                _ => missing.push(person),
            }
        }
        for some in missing.chunks(AT_ONCE) {
            Box::pin(self.fetch(some.to_vec(), &mut found)).await?;
        }
        Ok(found)
    }

    async fn fetch(&self, persons: Vec<Uuid>, found: &mut Keys) -> Result<()> {
        let moment = self.moment();
        let keys = match &self.0.source {
            Source::Local(lookup) => lookup(persons.clone()).await?,
            Source::Vault(calls) => from_vault(calls, &persons).await?,
        };
        let since = Instant::now();
        for person in persons {
            let bytes = keys.get(&person).copied().flatten().map(Zeroizing::new);
            let cipher = bytes.map(|bytes| Arc::new(Aes256Gcm::new((&*bytes).into())));
            self.put(moment, person, cipher.clone(), since);
            found.insert(person, cipher);
        }
        Ok(())
    }

    fn put(&self, moment: Moment, person: Uuid, cipher: Option<Cipher>, since: Instant) {
        self.0.cache.insert(person, Kept { cipher, since });
        // looked at after it is kept: whoever forgets later than this finds it there
        if self.moment() != moment {
            self.0.cache.remove(&person);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wire<A> {
    Answer(A),
    Failure(String),
}

/// A key in base64, on its way from the vault.
#[derive(Deserialize)]
#[serde(from = "String")]
struct KeyText(Zeroizing<String>);

impl From<String> for KeyText {
    fn from(text: String) -> Self {
        KeyText(Zeroizing::new(text))
    }
}

#[derive(Deserialize)]
struct ClaimKey {
    key: KeyText,
}

async fn ask<A: serde::de::DeserializeOwned>(calls: &Calls, verb: &str, question: &serde_json::Value) -> Result<A> {
    match calls.request(verb, question, Duration::from_secs(5)).await? {
        Wire::Answer(answer) => Ok(answer),
        Wire::Failure(code) => Err(anyhow!("{verb}: {code}")),
    }
}

async fn from_vault(calls: &Calls, persons: &[Uuid]) -> Result<HashMap<Uuid, Option<[u8; 32]>>> {
    let question = serde_json::json!({ "persons": persons });
    let answer: BTreeMap<Uuid, Option<KeyText>> = ask(calls, "vault.keys", &question).await?;
    ensure!(persons.iter().all(|person| answer.contains_key(person)), "the vault answered for others than were asked");
    answer
        .into_iter()
        .map(|(person, text)| Ok((person, text.map(|text| key(&text)).transpose()?.map(|key| *key))))
        .collect()
}

fn key(KeyText(text): &KeyText) -> Result<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.as_bytes()).map_err(|_| anyhow!("a key is not base64"))?);
    let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| anyhow!("a key has not 32 bytes"))?;
    Ok(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicUsize;

    #[tokio::test]
    async fn a_key_that_was_under_way_when_its_person_was_erased_is_not_kept() {
        let (itself, asked) = (Arc::new(OnceLock::<Keyring>::new()), AtomicUsize::new(0));
        let erasing = itself.clone();
        let keyring = Keyring::local(move |persons| {
            let (erasing, first) = (erasing.clone(), asked.fetch_add(1, Ordering::SeqCst) == 0);
            async move {
                if first {
                    persons.iter().for_each(|person| erasing.get().expect("it is set").forget(*person));
                }
                Ok(persons.into_iter().map(|person| (person, first.then_some([7; 32]))).collect())
            }
            .boxed()
        });
        itself.set(keyring.clone()).expect("it is set once");
        let person = Uuid::now_v7();
        let is_there = async || keyring.keys(BTreeSet::from([person])).await.expect("keys")[&person].is_some();
        assert!(is_there().await, "who asked before has it");
        assert!(!is_there().await, "who asks afterwards does not");
    }

    #[tokio::test]
    async fn a_key_that_was_just_made_is_kept_unless_its_person_was_erased_meanwhile() {
        let keyring = Keyring::local(|persons| {
            async move { Ok(persons.into_iter().map(|person| (person, None)).collect()) }.boxed()
        });
        let is_there = async |person| keyring.keys(BTreeSet::from([person])).await.expect("keys")[&person].is_some();
        let [here, gone] = [Uuid::now_v7(), Uuid::now_v7()];
        keyring.keep(keyring.moment(), here, &[7; 32]);
        assert!(is_there(here).await, "nobody had to be asked");
        let moment = keyring.moment();
        keyring.forget(gone);
        keyring.keep(moment, gone, &[7; 32]);
        assert!(!is_there(gone).await);
    }
}
