//! The keys of persons: made once at registration, given to whoever seals or opens, destroyed when the person is erased.
//! What somebody without an account writes has a key too, for itself.
//! The row stays without its key, so a person who was erased never has one again.

use base64::prelude::{BASE64_STANDARD, Engine};
use futures::FutureExt;
use nats::{Bus, Keyring};
use sqlx::{PgExecutor, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

use crate::MasterKey;
use crate::api::{KeyMaking, Keys, MakeKey, PersonKeys};
use crate::crypto::{self, Key};
use crate::vault::Vault;

/// Persons that one question may be about.
const AT_ONCE: usize = 1000;

/// A new key, and the same wrapped.
pub(crate) fn new_key(kek: &Key, person: Uuid) -> (Key, Vec<u8>) {
    let key = Key(crypto::random());
    let wrapped = crypto::seal(kek, person.as_bytes(), &key.0);
    (key, wrapped)
}

/// The key in a row of `vault.person`.
pub(crate) fn unwrap(kek: &Key, person: Uuid, wrapped: &[u8]) -> anyhow::Result<Key> {
    crypto::unwrap_key(kek, person.as_bytes(), wrapped)
}

/// The keyring for the vault's own connection ([`nats::Bus::connect_with`]), and for the connections of those who share its
/// process: it reads the keys where they are, because the vault may not ask itself.
pub fn keyring(pool: PgPool, master: &MasterKey) -> Keyring {
    let crypto::Keys { kek, claim, .. } = crypto::Keys::of(master);
    let keyring = Keyring::local(move |persons| {
        let (pool, kek) = (pool.clone(), kek.clone());
        async move {
            let keys = find(&pool, &kek, &persons).await?;
            Ok(keys.into_iter().map(|(person, key)| (person, key.map(|key| key.0))).collect())
        }
        .boxed()
    });
    keyring.with_claim_key(claim.0)
}

/// Makes keys for people who come in bulk and not by registering: the key, and what `vault.person` keeps of it.
pub fn wrapping(master: &MasterKey) -> impl Fn(Uuid) -> ([u8; 32], Vec<u8>) + use<> {
    let kek = crypto::Keys::of(master).kek;
    move |person| {
        let (key, wrapped) = new_key(&kek, person);
        (key.0, wrapped)
    }
}

async fn find(db: impl PgExecutor<'_>, kek: &Key, persons: &[Uuid]) -> anyhow::Result<HashMap<Uuid, Option<Key>>> {
    let rows: Vec<(Uuid, Option<Vec<u8>>)> =
        sqlx::query_as("select id, wrapped from vault.person where id = any($1)").bind(persons).fetch_all(db).await?;
    let mut keys: HashMap<_, _> = persons.iter().map(|person| (*person, None)).collect();
    for (person, wrapped) in rows {
        keys.insert(person, wrapped.map(|wrapped| unwrap(kek, person, &wrapped)).transpose()?);
    }
    Ok(keys)
}

impl Vault {
    /// # Errors
    /// More persons than may be asked for at a time, or the database.
    pub async fn person_keys(&self, question: Keys) -> anyhow::Result<PersonKeys> {
        anyhow::ensure!(question.persons.len() <= AT_ONCE, "more than {AT_ONCE} persons in one question");
        let keys = find(&self.db, &self.keys.kek, &question.persons).await?;
        Ok(keys
            .into_iter()
            .map(|(person, key)| (person, key.map(|key| BASE64_STANDARD.encode(key.0).into())))
            .collect())
    }

    /// # Errors
    /// The database.
    pub async fn make_key(&self, MakeKey { about }: MakeKey) -> anyhow::Result<KeyMaking> {
        let (_, wrapped) = new_key(&self.keys.kek, about);
        let statement = "insert into vault.person (id, wrapped) values ($1, $2) on conflict (id) do nothing";
        sqlx::query(statement).bind(about).bind(wrapped).execute(&self.db).await?;
        let statement = "select wrapped is not null from vault.person where id = $1";
        let there = sqlx::query_scalar(statement).bind(about).fetch_one(&self.db).await?;
        Ok(if there { KeyMaking::Made } else { KeyMaking::Erased })
    }

    /// Destroys the key of what somebody wrote, and no key of a person with an account, whatever id it is asked for.
    pub(crate) async fn destroy_key(&self, bus: &Bus, about: Uuid) -> anyhow::Result<()> {
        let statement = "insert into vault.person (id, wrapped)
                         select $1, null where not exists (select 1 from vault.account where person = $1)
                         on conflict (id) do update set wrapped = null";
        sqlx::query(statement).bind(about).execute(&self.db).await?;
        self.forgotten(bus, about);
        Ok(())
    }
}
