//! What the log says about accounts, the vault follows: registered, suspended, roles, erased; and when what a stranger
//! wrote is erased. Every step may be repeated, and a late delivery of an older event changes nothing.

use chrono::{DateTime, Utc};
use events::identity::session::EndReason;
use events::identity::user::{Event as UserEvent, Role};
use events::notification::contact;
use events::{Event, Message, Personal};
use kernel::{Done, Service};
use nats::Bus;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use uuid::Uuid;

use crate::credentials::seal_names;
use crate::outbox::{Cause, Said};
use crate::sessions::{Which, role_name};
use crate::vault::Vault;
use crate::{names, persons};

/// The vault as a worker: it reads events and asks nothing.
pub(crate) fn service(vault: Arc<Vault>, bus: Bus) -> Service {
    let worker = move |event: Message<Event>| -> std::pin::Pin<Box<dyn Future<Output = Done> + Send>> {
        let (vault, bus) = (vault.clone(), bus.clone());
        Box::pin(async move {
            vault.follow(&bus, &event).await?;
            nats::crash::point("vault.followed");
            vault.followed.fetch_max(event.time.timestamp_micros(), Ordering::Relaxed);
            Ok(vec![])
        })
    };
    Service::new("vault").works("follow", Arc::new(worker))
}

/// What is known of somebody whose registration the log tells.
#[derive(sqlx::FromRow)]
struct Known {
    wrapped: Option<Vec<u8>>,
    names: Vec<Vec<u8>>,
    /// Held since the registration, before this; a later version is a later word of the log.
    roles: Vec<String>,
}

impl Vault {
    /// # Errors
    /// The database; the event comes again.
    pub async fn follow(&self, bus: &Bus, event: &Message<Event>) -> anyhow::Result<()> {
        let body = match &event.body {
            Event::User(body) => body,
            Event::Contact(contact::Event::Erased {}) => return self.destroy_key(bus, event.subject).await,
            _ => return Ok(()),
        };
        let (person, version) = (event.subject, event.sequence.map_or(0, |sequence| sequence.0 as i64));
        let cause = Cause { message: Some((event.id, event.correlationid)), by: event.authid };
        match body {
            UserEvent::Registered { username, email, roles, .. } => {
                let logins = [username, email].into_iter().flatten().filter_map(Personal::open);
                self.follow_registered(person, logins.map(|name| names::normal(name)).collect(), roles, cause).await
            }
            UserEvent::Suspended { .. } => self.follow_status(person, true, version, cause).await,
            UserEvent::Reactivated {} => self.follow_status(person, false, version, cause).await,
            UserEvent::RoleAssigned { role } => self.follow_role(person, *role, true, version, cause).await,
            UserEvent::RoleRevoked { role } => self.follow_role(person, *role, false, version, cause).await,
            UserEvent::Erased {} => self.erase(bus, person, cause).await,
            _ => Ok(()),
        }
    }

    /// The account counts from now on. Most often nothing else is left to do: the first session has done it. Where the two
    /// differ, the log is right.
    async fn follow_registered(
        &self,
        person: Uuid,
        logins: Vec<String>,
        roles: &[Role],
        cause: Cause,
    ) -> anyhow::Result<()> {
        let role_names = roles.iter().map(role_name).collect::<Result<Vec<_>, _>>()?;
        // version 1 of a role is the registration's: whatever the log says later about it counts more
        let statement = "with active as (
                update vault.account set active_at = $2 where person = $1 and active_at is null
            ), given as (
                insert into vault.role (person, role, held, version)
                select person, unnest($3::text[]), true, 1 from vault.account where person = $1 on conflict do nothing
            ) select p.wrapped,
                     array(select name from vault.login where person = a.person) as names,
                     array(select role from vault.role where person = a.person and held and version = 1) as roles
              from vault.account a join vault.person p on p.id = a.person where a.person = $1";
        let query = sqlx::query_as(statement).bind(person).bind(self.config.now()).bind(&role_names);
        let known: Option<Known> = query.fetch_optional(&self.db).await?;
        // not made here, or erased since
        let Some(Known { wrapped: Some(wrapped), names, roles: held }) = known else { return Ok(()) };
        let hashed: BTreeSet<Vec<u8>> = logins.iter().map(|name| self.login_name(name).to_vec()).collect();
        let named = logins.is_empty() || hashed == names.into_iter().collect();
        let too_much = held.iter().any(|role| !role_names.contains(role));
        if named && !too_much {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        if !named {
            let key = persons::unwrap(&self.keys.kek, person, &wrapped)?;
            rename(&mut tx, person, hashed.into_iter().collect(), seal_names(&key, person, &logins)?).await?;
        }
        let mut said = Said::default();
        if too_much {
            let statement = "update vault.role set held = false where person = $1 and version = 1 and role <> all($2)";
            sqlx::query(statement).bind(person).bind(role_names).execute(&mut *tx).await?;
            said = self.end(&mut tx, person, Which::All, EndReason::Revoked, cause).await?;
        }
        tx.commit().await?;
        self.written(said);
        Ok(())
    }

    async fn follow_status(&self, person: Uuid, suspended: bool, version: i64, cause: Cause) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        let statement = "update vault.account set suspended = $2, suspended_version = $3
                         where person = $1 and suspended_version < $3";
        let done = sqlx::query(statement).bind(person).bind(suspended).bind(version).execute(&mut *tx).await?;
        let mut said = Said::default();
        if done.rows_affected() == 1 && suspended {
            said = self.end(&mut tx, person, Which::All, EndReason::Suspended, cause).await?;
        }
        tx.commit().await?;
        self.written(said);
        Ok(())
    }

    /// Sessions end with a change of roles: their tokens say what was.
    async fn follow_role(
        &self,
        person: Uuid,
        role: Role,
        held: bool,
        version: i64,
        cause: Cause,
    ) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        let statement = "insert into vault.role (person, role, held, version)
                         select person, $2, $3, $4 from vault.account where person = $1
                         on conflict (person, role) do update set held = excluded.held, version = excluded.version
                         where vault.role.version < excluded.version";
        let query = sqlx::query(statement).bind(person).bind(role_name(&role)?).bind(held).bind(version);
        let mut said = Said::default();
        if query.execute(&mut *tx).await?.rows_affected() == 1 {
            said = self.end(&mut tx, person, Which::All, EndReason::Revoked, cause).await?;
        }
        tx.commit().await?;
        self.written(said);
        Ok(())
    }

    /// Destroys the key and everything else about a person. The row without a key stays: nobody makes another.
    pub async fn erase(&self, bus: &Bus, person: Uuid, cause: Cause) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        let said = self.end(&mut tx, person, Which::All, EndReason::Erased, cause).await?;
        sqlx::query("delete from vault.account where person = $1").bind(person).execute(&mut *tx).await?;
        let statement = "insert into vault.person (id, wrapped) values ($1, null)
                         on conflict (id) do update set wrapped = null";
        sqlx::query(statement).bind(person).execute(&mut *tx).await?;
        tx.commit().await?;
        self.written(said);
        self.forgotten(bus, person);
        Ok(())
    }

    /// Whoever keeps the key in memory hears at once that it is gone.
    pub fn forgotten(&self, bus: &Bus, person: Uuid) {
        self.keyring.forget(person);
        bus.say("vault.erased", person.to_string().into_bytes());
    }

    /// Registrations that came to nothing: neither the log nor a session knows them after an hour.
    ///
    /// # Errors
    /// The database.
    pub async fn drop_pending(&self, bus: &Bus, before: DateTime<Utc>) -> anyhow::Result<()> {
        let statement =
            "with gone as (delete from vault.account where active_at is null and created_at < $1 returning person)
                         update vault.person set wrapped = null where id in (select person from gone) returning id";
        let gone: Vec<Uuid> = sqlx::query_scalar(statement).bind(before).fetch_all(&self.db).await?;
        gone.into_iter().for_each(|person| self.forgotten(bus, person));
        Ok(())
    }
}

/// What the log says the names are counts more than what was said when the credential was made.
async fn rename(db: &mut PgConnection, person: Uuid, hashed: Vec<Vec<u8>>, sealed: Vec<u8>) -> anyhow::Result<()> {
    let statement = "with gone as (delete from vault.login where person = $1 and name <> all($2)),
                          named as (update vault.account set names = $3 where person = $1 returning person)
                     insert into vault.login (name, person) select unnest($2::bytea[]), person from named
                     on conflict do nothing";
    sqlx::query(statement).bind(person).bind(hashed).bind(sealed).execute(db).await?;
    Ok(())
}
