//! Passwords: made at registration, compared at sign-in, replaced by who knows the old one or follows a mail.
//! Nothing observable tells whether an account exists: without one the same work is done.

use chrono::{DateTime, Utc};
use events::identity::session::{EndReason, Method};
use events::identity::user::{Command, LoginFailure, PasswordChange};
use uuid::Uuid;

use crate::api::*;
use crate::crypto::{self, Key, mac};
use crate::hash::Busy;
use crate::outbox::{self, Cause, any_command};
use crate::sessions::{Beginning, Right, Which, roles};
use crate::turns::Turns;
use crate::vault::{Origin, Vault};
use crate::{Secret, Weakness, names, persons};

#[derive(sqlx::FromRow)]
struct Account {
    person: Uuid,
    hash: String,
    suspended: bool,
    wrapped: Option<Vec<u8>>,
}

impl Vault {
    /// Makes the credential and the key of a person. Those who repeat it meanwhile wait, and are told the same.
    pub async fn register(&self, question: Register) -> anyhow::Result<Registering> {
        let turn = self.turns.of(question.credential);
        let mut known = turn.lock().await;
        if Turns::is_right(&known, &question.password) {
            return Ok(Registering::Registered);
        }
        let answer = self.register_alone(&question).await?;
        if answer == Registering::Registered {
            *known = Some(question.password);
        }
        Ok(answer)
    }

    async fn register_alone(&self, question: &Register) -> anyhow::Result<Registering> {
        if let Some(known) = self.registered(question).await? {
            return Ok(known);
        }
        let logins: Vec<String> = question.logins.iter().map(|name| names::normal(name.expose())).collect();
        let reasons = self.config.policy.judge(question.password.expose(), &logins);
        if !reasons.is_empty() {
            return Ok(Registering::Weak { reasons });
        }
        let hash = match self.hasher.hash(&question.password).await {
            Ok(hash) => hash?,
            Err(Busy { retry_after }) => return Ok(Registering::Slow { retry_after }),
        };
        if self.insert(question, &logins, &hash).await? {
            nats::crash::point("vault.registered");
            return Ok(Registering::Registered);
        }
        // somebody asked the same at the same time, or the person was erased
        Ok(self.registered(question).await?.unwrap_or(Registering::Mismatch))
    }

    /// What to answer when there is an account already: whether this is its password.
    async fn registered(&self, question: &Register) -> anyhow::Result<Option<Registering>> {
        let known: Option<(Uuid, String)> =
            sqlx::query_as("select credential, hash from vault.account where person = $1")
                .bind(question.user)
                .fetch_optional(&self.db)
                .await?;
        let Some((credential, hash)) = known else { return Ok(None) };
        let right = match self.hasher.verify(&question.password, Some(&hash)).await {
            Ok(verdict) => verdict?.right,
            Err(Busy { retry_after }) => return Ok(Some(Registering::Slow { retry_after })),
        };
        let same = right && credential == question.credential;
        Ok(Some(if same { Registering::Registered } else { Registering::Mismatch }))
    }

    /// One statement, one commit; `false` when the person is there already, with or without a key.
    async fn insert(&self, question: &Register, logins: &[String], hash: &str) -> anyhow::Result<bool> {
        let moment = self.keyring.moment();
        let (key, wrapped) = persons::new_key(&self.keys.kek, question.user);
        let hashed: Vec<Vec<u8>> = logins.iter().map(|name| self.login_name(name).to_vec()).collect();
        let statement = "with person as (
                insert into vault.person (id, wrapped) values ($1, $2) on conflict do nothing returning id
            ), account as (
                insert into vault.account (person, credential, hash, names, created_at)
                select id, $3, $4, $5, $6 from person returning person
            ), login as (
                insert into vault.login (name, person)
                select distinct name, person from account, unnest($7::bytea[]) as name
            ) select count(*) from account";
        let made: i64 = sqlx::query_scalar(statement)
            .bind(question.user)
            .bind(wrapped)
            .bind(question.credential)
            .bind(hash)
            .bind(seal_names(&key, question.user, logins)?)
            .bind(self.config.now())
            .bind(hashed)
            .fetch_one(&self.db)
            .await?;
        if made == 1 {
            // everything that follows a registration seals or opens with it
            self.keyring.keep(moment, question.user, &key.0);
        }
        Ok(made == 1)
    }

    /// Signs in.
    pub async fn login(&self, question: Login) -> anyhow::Result<SigningIn> {
        let (now, name) = (self.config.now(), self.login_name(question.identifier.expose()));
        let origin = Origin::of(&question.agent, &question.address);
        let network = origin.network().to_owned();
        if let Err(retry_after) = self.throttle.attempt(name, &network, now) {
            return Ok(SigningIn::Slow { retry_after });
        }
        let account = self.find_account(&name).await?;
        let password = &question.password;
        // bcrypt and argon2 of an absurd length cost nothing worth mentioning, but nobody has such a password
        let hash = account.as_ref().map(|account| account.hash.as_str()).filter(|_| password.expose().len() <= 1024);
        let verdict = match self.hasher.verify(password, hash).await {
            Ok(verdict) => verdict?,
            Err(Busy { retry_after }) => {
                self.throttle.refund(name, &network, now);
                return Ok(SigningIn::Slow { retry_after });
            }
        };
        match account {
            Some(account) if verdict.right && !account.suspended => {
                self.throttle.refund(name, &network, now);
                let account = if verdict.stale { self.rehash(account, password).await? } else { account };
                self.open_session(account, origin).await
            }
            account => self.refuse(name, account, verdict.right, now).await,
        }
    }

    async fn find_account(&self, name: &[u8; 32]) -> anyhow::Result<Option<Account>> {
        let statement = "select a.person, a.hash, a.suspended, p.wrapped
                         from vault.login l join vault.account a on a.person = l.person join vault.person p on p.id = a.person
                         where l.name = $1 and a.active_at is not null order by a.active_at desc limit 1";
        Ok(sqlx::query_as(statement).bind(&name[..]).fetch_optional(&self.db).await?)
    }

    /// One name for all the names of an account, for counting what nobody outside can see.
    fn one_name(&self, name: [u8; 32], account: &Option<Account>) -> [u8; 32] {
        account.as_ref().map_or(name, |account| mac(&self.keys.login, &[b"user", account.person.as_bytes()]))
    }

    /// Refuses, and says so to the log if there is an account; without one the same is written and says nothing.
    async fn refuse(
        &self,
        name: [u8; 32],
        account: Option<Account>,
        right: bool,
        now: DateTime<Utc>,
    ) -> anyhow::Result<SigningIn> {
        let worth = self.throttle.may_record(self.one_name(name, &account), now);
        let reason = if right { LoginFailure::Suspended } else { LoginFailure::WrongPassword };
        let message = account.filter(|_| worth).map(|account| {
            let command = Command::RecordLoginFailure { reason };
            serde_json::to_vec(&outbox::message(any_command(), account.person, now, Cause::default(), command))
        });
        let said = outbox::write(&self.db, vec![message.transpose()?]).await?;
        self.written(said);
        Ok(SigningIn::Refused)
    }

    /// The password is known now, so its hash can be made with today's parameters; if there is no time, the next time.
    async fn rehash(&self, account: Account, password: &Secret) -> anyhow::Result<Account> {
        let Ok(hash) = self.hasher.hash(password).await else { return Ok(account) };
        let hash = hash?;
        let done = sqlx::query("update vault.account set hash = $3 where person = $1 and hash = $2")
            .bind(account.person)
            .bind(&account.hash)
            .bind(&hash)
            .execute(&self.db)
            .await?;
        Ok(if done.rows_affected() == 1 { Account { hash, ..account } } else { account })
    }

    /// Begins a session if the account is still as it was when the password was compared.
    async fn open_session(&self, account: Account, origin: Origin) -> anyhow::Result<SigningIn> {
        let Some(wrapped) = &account.wrapped else { return Ok(SigningIn::Refused) };
        let key = persons::unwrap(&self.keys.kek, account.person, wrapped)?;
        let (id, person, cause) = (crypto::timed_id(self.config.now()), account.person, Cause::by(account.person));
        let new = self.prepare(Beginning { id, person, method: Method::Password, origin, cause }).await?;
        let Some(new) = new else { return Ok(SigningIn::Refused) };
        match self.begin(Right::Password(&account.hash), new, &key).await? {
            Some(begun) => self.signed_in(&begun.row.expect("a random id is new"), roles(begun.roles)?),
            None => Ok(SigningIn::Refused),
        }
    }

    /// Replaces the password of somebody who is signed in and knows it.
    pub async fn change_password(&self, question: ChangePassword) -> anyhow::Result<ChangingPassword> {
        let (now, name) = (self.config.now(), mac(&self.keys.login, &[b"user", question.user.as_bytes()]));
        let session = question.session.to_string();
        if let Err(retry_after) = self.throttle.attempt(name, &session, now) {
            return Ok(ChangingPassword::Slow { retry_after });
        }
        let statement = "select a.hash from vault.account a join vault.session s on s.person = a.person
                         where a.person = $1 and s.id = $2 and s.ended_at is null and not a.suspended";
        let old: Option<String> =
            sqlx::query_scalar(statement).bind(question.user).bind(question.session).fetch_optional(&self.db).await?;
        let right = match self.hasher.verify(&question.current, old.as_deref()).await {
            Ok(verdict) => verdict?.right,
            Err(Busy { retry_after }) => return Ok(ChangingPassword::Slow { retry_after }),
        };
        let Some(old) = old.filter(|_| right) else { return Ok(ChangingPassword::Wrong) };
        self.throttle.refund(name, &session, now);
        let reasons = self.weaknesses(question.user, &question.new).await?;
        if !reasons.is_empty() {
            return Ok(ChangingPassword::Weak { reasons });
        }
        let new = match self.hasher.hash(&question.new).await {
            Ok(new) => new?,
            Err(Busy { retry_after }) => return Ok(ChangingPassword::Slow { retry_after }),
        };
        let changed =
            self.replace(Replacement::Known { old: &old, session: question.session }, question.user, &new).await?;
        Ok(if changed { ChangingPassword::Changed } else { ChangingPassword::Wrong })
    }

    /// Sets a new password by the right of a mailed token, which is used up with it and not before.
    pub async fn reset_password(&self, question: ResetPassword) -> anyhow::Result<ResettingPassword> {
        let hash = crypto::sha256(question.token.expose().as_bytes());
        let statement = "select t.person from vault.mail_token t join vault.account a on a.person = t.person
                         where t.hash = $1 and t.purpose = 'reset' and t.used_at is null and t.expires_at > $2
                           and not a.suspended";
        let query = sqlx::query_scalar(statement).bind(&hash[..]).bind(self.config.now());
        let Some(user) = query.fetch_optional(&self.db).await? else { return Ok(ResettingPassword::BadToken) };
        let reasons = self.weaknesses(user, &question.new).await?;
        if !reasons.is_empty() {
            return Ok(ResettingPassword::Weak { reasons });
        }
        let new = match self.hasher.hash(&question.new).await {
            Ok(new) => new?,
            Err(Busy { retry_after }) => return Ok(ResettingPassword::Slow { retry_after }),
        };
        let changed = self.replace(Replacement::Mailed { token: &hash }, user, &new).await?;
        Ok(if changed { ResettingPassword::Changed { user } } else { ResettingPassword::BadToken })
    }

    async fn weaknesses(&self, person: Uuid, password: &Secret) -> anyhow::Result<Vec<Weakness>> {
        let statement = "select a.names, p.wrapped from vault.account a join vault.person p on p.id = a.person
                         where a.person = $1 and p.wrapped is not null";
        let known: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(statement).bind(person).fetch_optional(&self.db).await?;
        let names: Vec<String> = match known {
            Some((names, wrapped)) => {
                let key = persons::unwrap(&self.keys.kek, person, &wrapped)?;
                serde_json::from_slice(&crypto::open(&key, person.as_bytes(), &names)?)?
            }
            None => vec![],
        };
        Ok(self.config.policy.judge(password.expose(), &names))
    }

    /// One transaction: the right to do it is used up, the hash replaced, sessions ended, the log told.
    async fn replace(&self, right: Replacement<'_>, person: Uuid, new: &str) -> anyhow::Result<bool> {
        let now = self.config.now();
        let mut tx = self.pool.begin().await?;
        let (held, which, how) = match right {
            Replacement::Known { old, session } => {
                let statement = "update vault.account set hash = $2 where person = $1 and hash = $3";
                let done = sqlx::query(statement).bind(person).bind(new).bind(old).execute(&mut *tx).await?;
                (done.rows_affected() == 1, Which::AllBut(session), PasswordChange::Known)
            }
            Replacement::Mailed { token } => {
                let statement = "with used as (
                        update vault.mail_token set used_at = $4
                        where hash = $3 and person = $1 and purpose = 'reset' and used_at is null and expires_at > $4
                        returning person
                    ) update vault.account set hash = $2 where person in (select person from used)";
                let done =
                    sqlx::query(statement).bind(person).bind(new).bind(&token[..]).bind(now).execute(&mut *tx).await?;
                (done.rows_affected() == 1, Which::All, PasswordChange::Reset)
            }
        };
        if !held {
            return Ok(false);
        }
        // a mail that was asked for before must not undo this
        let statement =
            "update vault.mail_token set used_at = $2 where person = $1 and purpose = 'reset' and used_at is null";
        sqlx::query(statement).bind(person).bind(now).execute(&mut *tx).await?;
        let cause = Cause::by(person);
        let ended = self.end(&mut tx, person, which, EndReason::PasswordChanged, cause).await?;
        let command = Command::RecordPasswordChange { how };
        let message = outbox::message(any_command(), person, now, cause, command);
        let changed = outbox::write(&mut *tx, vec![Some(serde_json::to_vec(&message)?)]).await?;
        tx.commit().await?;
        self.written(ended.and(changed));
        Ok(true)
    }

    /// Asks for a mail to set a new password. One row is written whether the name is known or not.
    pub async fn forgot(&self, question: Forgot) -> anyhow::Result<()> {
        let (now, name) = (self.config.now(), self.login_name(question.identifier.expose()));
        let account = self.find_account(&name).await?;
        let due = self.throttle.may_mail(self.one_name(name, &account), now);
        let message = account.filter(|account| due && !account.suspended).map(|account| {
            let command = Command::RequestPasswordReset {};
            serde_json::to_vec(&outbox::message(any_command(), account.person, now, Cause::default(), command))
        });
        let said = outbox::write(&self.db, vec![message.transpose()?]).await?;
        self.written(said);
        Ok(())
    }
}

/// By what right a password is replaced.
enum Replacement<'a> {
    Known { old: &'a str, session: Uuid },
    Mailed { token: &'a [u8; 32] },
}

/// The names of a person, as kept for judging new passwords.
pub(crate) fn seal_names(key: &Key, person: Uuid, names: &[String]) -> anyhow::Result<Vec<u8>> {
    Ok(crypto::seal(key, person.as_bytes(), &serde_json::to_vec(names)?))
}
