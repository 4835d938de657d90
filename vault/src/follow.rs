//! What the log says about accounts, the vault follows: registered, suspended, roles, erased. Every step may be
//! repeated, and a late delivery of an older event changes nothing.

use chrono::{DateTime, Utc};
use events::identity::session::EndReason;
use events::identity::user::{Event as UserEvent, Role};
use events::{Event, Message, Personal};
use kernel::{Done, Service};
use nats::Bus;
use sqlx::PgConnection;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use uuid::Uuid;

use crate::credentials::seal_names;
use crate::outbox::Cause;
use crate::sessions::{Which, activate, role_name};
use crate::vault::Vault;
use crate::{names, persons};

/// The vault as a worker: it reads events and asks nothing.
pub(crate) fn service(vault: Arc<Vault>, bus: Bus) -> Service {
    let worker = move |event: Message<Event>| -> std::pin::Pin<Box<dyn Future<Output = Done> + Send>> {
        let (vault, bus) = (vault.clone(), bus.clone());
        Box::pin(async move {
            vault.follow(&bus, &event).await?;
            vault.followed.fetch_max(event.time.timestamp_micros(), Ordering::Relaxed);
            Ok(vec![])
        })
    };
    Service::new("vault").works("follow", Arc::new(worker))
}

impl Vault {
    /// # Errors
    /// The database; the event comes again.
    pub async fn follow(&self, bus: &Bus, event: &Message<Event>) -> anyhow::Result<()> {
        let Event::User(body) = &event.body else { return Ok(()) };
        let (person, version) = (event.subject, event.sequence.map_or(0, |sequence| sequence.0 as i64));
        let cause = Cause { message: Some((event.id, event.correlationid)), by: event.authid };
        match body {
            UserEvent::Registered { username, email, roles, .. } => {
                let logins = [username, email].into_iter().flatten().filter_map(Personal::open);
                self.follow_registered(person, logins.map(|name| names::normal(name)).collect(), roles).await
            }
            UserEvent::Suspended { .. } => self.follow_status(person, true, version, cause).await,
            UserEvent::Reactivated {} => self.follow_status(person, false, version, cause).await,
            UserEvent::RoleAssigned { role } => self.follow_role(person, *role, true, version, cause).await,
            UserEvent::RoleRevoked { role } => self.follow_role(person, *role, false, version, cause).await,
            UserEvent::Erased {} => self.erase(bus, person, cause).await,
            _ => Ok(()),
        }
    }

    async fn follow_registered(&self, person: Uuid, logins: Vec<String>, roles: &[Role]) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        let statement = "select p.wrapped from vault.account a join vault.person p on p.id = a.person
                         where a.person = $1 for update of a";
        let account: Option<Option<Vec<u8>>> =
            sqlx::query_scalar(statement).bind(person).fetch_optional(&mut *tx).await?;
        // not made here, or erased since
        let Some(Some(wrapped)) = account else { return Ok(()) };
        activate(&mut tx, person, self.config.now(), roles).await?;
        if !logins.is_empty() {
            let key = persons::unwrap(&self.keys.kek, person, &wrapped)?;
            self.rename(&mut tx, person, &logins, seal_names(&key, person, &logins)?).await?;
        }
        tx.commit().await?;
        nats::crash::point("vault.followed");
        Ok(())
    }

    /// What the log says the names are counts more than what was said when the credential was made.
    async fn rename(
        &self,
        db: &mut PgConnection,
        person: Uuid,
        logins: &[String],
        sealed: Vec<u8>,
    ) -> anyhow::Result<()> {
        let hashed: Vec<Vec<u8>> = logins.iter().map(|name| self.login_name(name).to_vec()).collect();
        sqlx::query("delete from vault.login where person = $1 and name <> all($2)")
            .bind(person)
            .bind(&hashed)
            .execute(&mut *db)
            .await?;
        let statement = "insert into vault.login (name, person) select distinct unnest($2::bytea[]), $1::uuid on conflict do nothing";
        sqlx::query(statement).bind(person).bind(&hashed).execute(&mut *db).await?;
        sqlx::query("update vault.account set names = $2 where person = $1")
            .bind(person)
            .bind(sealed)
            .execute(db)
            .await?;
        Ok(())
    }

    async fn follow_status(&self, person: Uuid, suspended: bool, version: i64, cause: Cause) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        let statement = "update vault.account set suspended = $2, suspended_version = $3
                         where person = $1 and suspended_version < $3";
        let done = sqlx::query(statement).bind(person).bind(suspended).bind(version).execute(&mut *tx).await?;
        if done.rows_affected() == 1 && suspended {
            self.end(&mut tx, person, Which::All, EndReason::Suspended, cause).await?;
        }
        tx.commit().await?;
        self.said.notify_one();
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
        if query.execute(&mut *tx).await?.rows_affected() == 1 {
            self.end(&mut tx, person, Which::All, EndReason::Revoked, cause).await?;
        }
        tx.commit().await?;
        self.said.notify_one();
        Ok(())
    }

    /// Destroys the key and everything else about a person. The row without a key stays: nobody makes another.
    pub async fn erase(&self, bus: &Bus, person: Uuid, cause: Cause) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        self.end(&mut tx, person, Which::All, EndReason::Erased, cause).await?;
        sqlx::query("delete from vault.account where person = $1").bind(person).execute(&mut *tx).await?;
        let statement = "insert into vault.person (id, wrapped) values ($1, null)
                         on conflict (id) do update set wrapped = null";
        sqlx::query(statement).bind(person).execute(&mut *tx).await?;
        tx.commit().await?;
        self.said.notify_one();
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
        let gone: Vec<Uuid> = sqlx::query_scalar(statement).bind(before).fetch_all(&self.pool).await?;
        gone.into_iter().for_each(|person| self.forgotten(bus, person));
        Ok(())
    }
}
