//! Sessions: one row each, whose generation counts refreshes. Every change of it is one conditional update, so of two
//! that race exactly one wins; what a loser may still have is decided by whether the winner's token was used.

use chrono::{DateTime, TimeDelta, Utc};
use events::identity::session::{Command, EndReason, Method};
use events::identity::user::Role;
use events::{Command as AnyCommand, Message, Personal};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::api::*;
use crate::crypto::{self, Key};
use crate::outbox::{self, Cause, Said, session_command};
use crate::tokens::{self, ACCESS_LIFE, Row};
use crate::vault::{Origin, Vault};
use crate::{Secret, persons};

/// A session that is not refreshed ends after that long.
const IDLE: TimeDelta = TimeDelta::days(14);
/// No session lives longer.
pub(crate) const ABSOLUTE: TimeDelta = TimeDelta::days(90);
/// An answer that was lost may be asked for again that long, if what it held was not used.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// A session that is about to begin.
pub(crate) struct Beginning {
    pub id: Uuid,
    pub person: Uuid,
    pub method: Method,
    pub origin: Origin,
    pub cause: Cause,
}

/// The same with what is said about it, sealed.
pub(crate) struct Prepared {
    new: Beginning,
    said: Vec<u8>,
}

/// By what right a session begins.
pub(crate) enum Right<'a> {
    /// The account was opened with this credential and these roles; with its first session it counts.
    Registered { credential: Uuid, roles: &'a [Role] },
    /// The password was compared with this hash.
    Password(&'a str),
}

/// A session that was begun.
pub(crate) struct Begun {
    /// `None` when there is one with its id, which stays as it is.
    pub row: Option<Row>,
    /// What its person may do, as it was stored before.
    pub roles: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    row: Row,
    ended_at: Option<DateTime<Utc>>,
    client: Vec<u8>,
    wrapped: Option<Vec<u8>>,
    roles: Vec<String>,
}

impl Found {
    fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && expires(&self.row) > now
    }
}

fn expires(row: &Row) -> DateTime<Utc> {
    (row.started_at + ABSOLUTE).min(row.issued_at + IDLE)
}

impl Vault {
    /// Signs in a person who has just registered. The session's id comes from the command, so asking again finds it.
    pub async fn start_session(&self, question: StartSession) -> anyhow::Result<SigningIn> {
        let (now, session) = (self.config.now(), Uuid::new_v5(&question.command, b"session"));
        let origin = Origin::of(&question.agent, &question.address);
        let cause = Cause { message: Some((question.command, question.command)), by: Some(question.user) };
        let (person, method) = (question.user, Method::Registration);
        let statement = "select p.wrapped from vault.account a join vault.person p on p.id = a.person
                         where a.person = $1 and p.wrapped is not null";
        let wrapped: Option<Vec<u8>> = sqlx::query_scalar(statement).bind(person).fetch_optional(&self.db).await?;
        let Some(wrapped) = wrapped else { return Ok(SigningIn::Refused) };
        let key = persons::unwrap(&self.keys.kek, person, &wrapped)?;
        let new = self.prepare(Beginning { id: session, person, method, origin, cause }).await?;
        let Some(new) = new else { return Ok(SigningIn::Refused) };
        let right = Right::Registered { credential: question.credential, roles: &question.roles };
        let Some(begun) = self.begin(right, new, &key).await? else { return Ok(SigningIn::Refused) };
        nats::crash::point("vault.session_started");
        let held = roles(begun.roles)?;
        // what follows the log may give the roles at the same time, where this could not see it
        if let Some(row) = begun.row.filter(|_| question.roles.iter().all(|role| held.contains(role))) {
            return self.signed_in(&row, held);
        }
        match self.find(session).await?.filter(|found| found.is_open(now)) {
            Some(found) => self.signed_in(&self.renewed(found.row, now).await?, roles(found.roles)?),
            None => Ok(SigningIn::Refused),
        }
    }

    /// A session that was never refreshed and is asked for when its access token has expired gets another one.
    async fn renewed(&self, row: Row, now: DateTime<Utc>) -> anyhow::Result<Row> {
        if row.generation > 0 || row.issued_at + ACCESS_LIFE > now {
            return Ok(row);
        }
        let statement = "update vault.session set issued_at = $3, key_id = $4
                         where id = $1 and issued_at = $2 and generation = 0 and ended_at is null";
        let key_id = self.signer.current(now).id.clone();
        let query = sqlx::query(statement).bind(row.id).bind(row.issued_at).bind(now).bind(&key_id);
        let done = query.execute(&self.db).await?;
        // whoever was quicker has the newer tokens; these are as good as before
        Ok(if done.rows_affected() == 1 { Row { issued_at: now, key_id, ..row } } else { row })
    }

    /// Seals what will be said. `None` for an erased person.
    pub async fn prepare(&self, new: Beginning) -> anyhow::Result<Option<Prepared>> {
        let said = self.sealed(&start(&new, self.config.now())).await?;
        Ok(said.map(|said| Prepared { new, said }))
    }

    /// Writes a session and what is said about it, if the account is still as it was when the right was found: one
    /// statement, one commit. `None` when it is not.
    pub async fn begin(&self, right: Right<'_>, new: Prepared, key: &Key) -> anyhow::Result<Option<Begun>> {
        let (now, Prepared { new, said }) = (self.config.now(), new);
        let client = crypto::seal(key, new.id.as_bytes(), &serde_json::to_vec(&new.origin)?);
        let key_id = self.signer.current(now).id.clone();
        let (credential, hash, registered) = match right {
            Right::Registered { credential, roles } => (Some(credential), None, roles),
            Right::Password(hash) => (None, Some(hash), &[][..]),
        };
        // the lock holds off a change of password or a suspension, which end every session they can see; the log knows
        // an account already that counts from here on. Version 1 of a role is the registration's: whatever the log says
        // later about it counts more
        let statement = "with account as (
                select person, active_at is null as pending from vault.account
                where person = $1 and credential = coalesce($2, credential) and hash = coalesce($3, hash) and not suspended
                for no key update
            ), active as (
                update vault.account a set active_at = $4 from account where a.person = account.person and pending
            ), given as (
                insert into vault.role (person, role, held, version)
                select person, unnest($5::text[]), true, 1 from account where pending
                on conflict do nothing
            ), session as (
                insert into vault.session (id, person, started_at, issued_at, key_id, client)
                select $6, person, $4, $4, $7, $8 from account on conflict (id) do nothing returning id
            ), said as (
                insert into vault.outbox (message) select $9 from session returning id
            ) select (select id from said),
                     array(select role from vault.role where person = $1 and held order by role)
              from account";
        let begun: Option<(Option<i64>, Vec<String>)> = sqlx::query_as(statement)
            .bind(new.person)
            .bind(credential)
            .bind(hash)
            .bind(now)
            .bind(registered.iter().map(role_name).collect::<Result<Vec<_>, _>>()?)
            .bind(new.id)
            .bind(&key_id)
            .bind(client)
            .bind(&said)
            .fetch_optional(&self.db)
            .await?;
        let Some((written, roles)) = begun else { return Ok(None) };
        let (id, person) = (new.id, new.person);
        let row = written.map(|outbox| {
            self.written(Said::one(outbox, said));
            Row { id, person, started_at: now, generation: 0, issued_at: now, key_id }
        });
        Ok(Some(Begun { row, roles }))
    }

    /// The tokens of a session as it stands.
    pub fn signed_in(&self, row: &Row, roles: Vec<Role>) -> anyhow::Result<SigningIn> {
        // without its key every token it signed has expired
        let Some(signing) = self.signer.find(&row.key_id) else { return Ok(SigningIn::Refused) };
        let tokens = tokens::of(row, &roles, &signing, &self.keys.refresh)?;
        Ok(SigningIn::SignedIn { tokens, roles })
    }

    /// Exchanges a refresh token.
    pub async fn refresh(&self, question: Refresh) -> anyhow::Result<SigningIn> {
        let Some((session, generation)) = tokens::read_refresh(&self.keys.refresh, &question.refresh_token) else {
            return Ok(SigningIn::Refused);
        };
        let now = self.config.now();
        let Some(found) = self.find(session).await?.filter(|found| found.is_open(now)) else {
            return Ok(SigningIn::Refused);
        };
        if generation != found.row.generation {
            return self.judge(found, generation).await;
        }
        if let Some(row) = self.advance(&found, &question, now).await? {
            return self.signed_in(&row, roles(found.roles)?);
        }
        // somebody else was quicker with the same token: as if its answer had been lost
        match self.find(session).await?.filter(|found| found.is_open(now)) {
            Some(found) => self.judge(found, generation).await,
            None => Ok(SigningIn::Refused),
        }
    }

    /// A refresh token that is not the current one: forgiven if its successor was not used, else proof of theft.
    async fn judge(&self, found: Found, generation: i32) -> anyhow::Result<SigningIn> {
        let (row, now) = (&found.row, self.config.now());
        let unused = generation + 1 == row.generation;
        if unused && now - row.issued_at <= GRACE {
            return self.signed_in(row, roles(found.roles)?);
        }
        if generation < row.generation {
            self.report_reuse(row, now).await?;
        }
        Ok(SigningIn::Refused)
    }

    /// The next generation, unless it exists already.
    async fn advance(&self, found: &Found, question: &Refresh, now: DateTime<Utc>) -> anyhow::Result<Option<Row>> {
        let client = self.moved(found, question)?;
        let statement = "update vault.session set generation = generation + 1, issued_at = $3, key_id = $4, client = $5
                         where id = $1 and generation = $2 and ended_at is null
                         returning id, person, started_at, generation, issued_at, key_id";
        let row = sqlx::query_as(statement)
            .bind(found.row.id)
            .bind(found.row.generation)
            .bind(now)
            .bind(&self.signer.current(now).id)
            .bind(client)
            .fetch_optional(&self.db)
            .await?;
        Ok(row)
    }

    /// Where the session is seen now: what the question does not tell stays as it was.
    fn moved(&self, found: &Found, question: &Refresh) -> anyhow::Result<Vec<u8>> {
        let Some(wrapped) = &found.wrapped else { return Ok(found.client.clone()) };
        let key = persons::unwrap(&self.keys.kek, found.row.person, wrapped)?;
        let old = read_origin(&key, found.row.id, &found.client);
        let new = Origin::of(&question.agent, &question.address);
        let new = Origin { agent: new.agent.or(old.agent), network: new.network.or(old.network) };
        Ok(crypto::seal(&key, found.row.id.as_bytes(), &serde_json::to_vec(&new)?))
    }

    async fn report_reuse(&self, row: &Row, now: DateTime<Utc>) -> anyhow::Result<()> {
        let (mut tx, mut said) = (self.pool.begin().await?, Said::default());
        let ended = sqlx::query("update vault.session set ended_at = $2 where id = $1 and ended_at is null")
            .bind(row.id)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        if ended.rows_affected() == 1 {
            let command = Command::ReportReuse { user: row.person };
            let message = outbox::message(session_command(row.id, "reuse"), row.id, now, Cause::default(), command);
            said = outbox::write(&mut *tx, vec![Some(serde_json::to_vec(&message)?)]).await?;
            metrics::counter!("reprise_refresh_reuse_total").increment(1);
            tracing::warn!(session.id = %row.id, "a replaced refresh token was shown again, the session is over");
        }
        tx.commit().await?;
        self.written(said);
        Ok(())
    }

    async fn find(&self, session: Uuid) -> anyhow::Result<Option<Found>> {
        let statement =
            "select s.id, s.person, s.started_at, s.generation, s.issued_at, s.key_id, s.ended_at, s.client,
                                p.wrapped, array(select role from vault.role where person = s.person and held order by role) roles
                         from vault.session s join vault.person p on p.id = s.person where s.id = $1";
        Ok(sqlx::query_as(statement).bind(session).fetch_optional(&self.db).await?)
    }

    /// Ends a session because its person signed out.
    pub async fn logout(&self, question: Logout) -> anyhow::Result<Ended> {
        let Logout { user, session } = question;
        self.end_session(EndSession { user, session, reason: EndReason::LoggedOut, by: user }).await
    }

    /// Ends a session of `user`.
    pub async fn end_session(&self, question: EndSession) -> anyhow::Result<Ended> {
        let mut tx = self.pool.begin().await?;
        let which = Which::One(question.session);
        let ended = self.end(&mut tx, question.user, which, question.reason, Cause::by(question.by)).await?;
        tx.commit().await?;
        let any = ended.len() > 0;
        self.written(ended);
        Ok(Ended { ended: any })
    }

    /// Ends sessions of a person and says so, once for each.
    pub async fn end(
        &self,
        db: &mut PgConnection,
        person: Uuid,
        which: Which,
        reason: EndReason,
        cause: Cause,
    ) -> anyhow::Result<Said> {
        let now = self.config.now();
        let (only, except) = match which {
            Which::All => (None, None),
            Which::One(session) => (Some(session), None),
            Which::AllBut(session) => (None, Some(session)),
        };
        let statement = "update vault.session set ended_at = $2
                         where person = $1 and ended_at is null and ($3::uuid is null or id = $3)
                           and ($4::uuid is null or id <> $4) returning id";
        let query = sqlx::query_scalar(statement).bind(person).bind(now).bind(only).bind(except);
        let ended: Vec<Uuid> = query.fetch_all(&mut *db).await?;
        let say = |session: &Uuid| {
            let command = Command::End { user: person, reason };
            let message = outbox::message(session_command(*session, "end"), *session, now, cause, command);
            serde_json::to_vec(&message).map(Some)
        };
        let messages = ended.iter().map(say).collect::<Result<Vec<_>, _>>()?;
        Ok(outbox::write(db, messages).await?)
    }

    /// The open sessions of a person, newest first.
    pub async fn sessions(&self, question: Sessions) -> anyhow::Result<Vec<Session>> {
        let now = self.config.now();
        let statement =
            "select s.id, s.person, s.started_at, s.generation, s.issued_at, s.key_id, s.ended_at, s.client,
                                p.wrapped, '{}'::text[] roles
                         from vault.session s join vault.person p on p.id = s.person
                         where s.person = $1 and s.ended_at is null order by s.started_at desc, s.id limit 1000";
        let found: Vec<Found> = sqlx::query_as(statement).bind(question.user).fetch_all(&self.db).await?;
        let Some(wrapped) = found.first().and_then(|found| found.wrapped.as_ref()) else { return Ok(vec![]) };
        let key = persons::unwrap(&self.keys.kek, question.user, wrapped)?;
        let show = |found: Found| {
            let Origin { agent, network } = read_origin(&key, found.row.id, &found.client);
            let (id, started_at, last_seen_at) = (found.row.id, found.row.started_at, found.row.issued_at);
            let (current, expires_at) = (question.current == Some(id), expires(&found.row));
            Session { id, started_at, last_seen_at, agent, network, current, expires_at }
        };
        Ok(found.into_iter().filter(|found| found.is_open(now)).map(show).collect())
    }
}

/// Which sessions of a person.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    All,
    One(Uuid),
    AllBut(Uuid),
}

/// Roles as they are stored.
pub(crate) fn roles(names: Vec<String>) -> serde_json::Result<Vec<Role>> {
    names.into_iter().map(|name| serde_json::from_value(name.into())).collect()
}

/// A role as it is written on the wire.
pub(crate) fn role_name(role: &Role) -> serde_json::Result<String> {
    serde_json::to_value(role).and_then(serde_json::from_value)
}

fn read_origin(key: &Key, session: Uuid, client: &[u8]) -> Origin {
    let plain = crypto::open(key, session.as_bytes(), client).ok();
    plain.and_then(|plain| serde_json::from_slice(&plain).ok()).unwrap_or_default()
}

fn start(new: &Beginning, now: DateTime<Utc>) -> Message<AnyCommand> {
    let personal =
        |text: &Option<Secret>| text.as_ref().map(|text| Personal::about(new.person, text.expose().to_owned()));
    let (agent, network) = (personal(&new.origin.agent), personal(&new.origin.network));
    let command = Command::Start { user: new.person, method: new.method, agent, network };
    outbox::message(session_command(new.id, "start"), new.id, now, new.cause, command)
}
