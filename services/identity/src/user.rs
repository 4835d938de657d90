//! An account: its names are unique, its status and roles change by command, and nobody takes the power to administer
//! from themselves, so there is always someone left who has it.

use chrono::{DateTime, TimeDelta, Utc};
use events::Personal;
use events::identity::user::{Command, Event, Role, Status};
use kernel::{Caller, Claim, Decider, Kind, Meta};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::{is_email, is_username, normal_email, normal_username};

/// A mailed proof of address counts this long.
const VERIFICATION: TimeDelta = TimeDelta::hours(24);
/// A mailed right to a new password counts this long.
const RESET: TimeDelta = TimeDelta::minutes(60);

/// The state of an account.
#[derive(Default, Serialize, Deserialize)]
pub enum User {
    /// Nobody registered with this id.
    #[default]
    Missing,
    /// Somebody did.
    Present(Account),
    /// Somebody did, and is forgotten.
    Erased,
}

/// What the rules need to know of an account.
#[derive(Serialize, Deserialize)]
pub struct Account {
    username: Option<Personal<String>>,
    email: Option<Personal<String>>,
    credential: Uuid,
    roles: Vec<Role>,
    status: Status,
    verified: bool,
}

/// What can be in the way.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such account")]
    Missing,
    #[error("this account exists already")]
    Exists,
    #[error("this username is taken, choose another")]
    UsernameTaken,
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    #[error("give a username, an e-mail address, or both")]
    Nameless,
    #[error("a username is 3 to 30 letters, digits, dots, underscores or hyphens, and begins with a letter or digit")]
    BadUsername,
    #[error("this is not an e-mail address")]
    BadEmail,
    #[error("a name is at most 100 characters")]
    BadName,
    #[error("only an admin may do this")]
    NotAdmin,
    #[error("only the person or an admin may do this")]
    NotYours,
    #[error("the one-time secret was used already, ask an admin")]
    BootstrapUsed,
    #[error("nobody suspends, demotes or deletes themselves, ask another admin")]
    Yourself,
    #[error("this account has no e-mail address")]
    NoEmail,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "user_missing",
            Self::Exists => "user_exists",
            Self::UsernameTaken => "username_taken",
            Self::EmailTaken => "email_taken",
            Self::Nameless => "name_required",
            Self::BadUsername => "username_invalid",
            Self::BadEmail => "email_invalid",
            Self::BadName => "name_invalid",
            Self::NotAdmin => "admin_required",
            Self::NotYours => "not_yours",
            Self::BootstrapUsed => "bootstrap_used",
            Self::Yourself => "not_on_yourself",
            Self::NoEmail => "email_missing",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::Exists | Self::UsernameTaken | Self::EmailTaken | Self::NoEmail | Self::Yourself => Kind::Conflict,
            Self::Nameless | Self::BadUsername | Self::BadEmail | Self::BadName => Kind::Invalid,
            Self::NotAdmin | Self::NotYours | Self::BootstrapUsed => Kind::Forbidden,
        }
    }
}

impl Decider for User {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (User::Missing, Command::Register { username, email, name, credential, roles, bootstrap, locale }) => {
                register(New { username, email, name, credential, roles, bootstrap, locale }, meta)
            }
            (_, Command::Register { .. }) => Err(Rejection::Exists),
            (User::Missing, _) => Err(Rejection::Missing),
            (User::Erased, Command::Erase {}) => Ok(vec![]),
            (User::Erased, _) => Err(Rejection::Missing),
            (User::Present(account), command) => account.decide(command, meta),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (_, Event::Registered { username, email, credential, roles, .. }) => {
                *self = User::Present(Account {
                    username: username.clone(),
                    email: email.clone(),
                    credential: *credential,
                    roles: roles.clone(),
                    status: Status::Active,
                    verified: false,
                });
            }
            (_, Event::Erased {}) => *self = User::Erased,
            (User::Present(account), event) => account.evolve(event),
            _ => {}
        }
    }

    fn claims(&self, event: &Event) -> Vec<Claim> {
        let names = |username: &Option<Personal<String>>, email: &Option<Personal<String>>, make: MakeClaim| {
            let username = username.iter().filter_map(Personal::open).map(|name| make(USERNAME, normal_username(name)));
            let email = email.iter().filter_map(Personal::open).map(|address| make(EMAIL, normal_email(address)));
            username.chain(email).collect::<Vec<_>>()
        };
        match (self, event) {
            (_, Event::Registered { username, email, bootstrap, .. }) => {
                let secret = bootstrap.iter().map(|secret| Claim::take(BOOTSTRAP, secret.to_string()));
                names(username, email, Claim::take).into_iter().chain(secret).collect()
            }
            (User::Present(account), Event::Erased {}) => names(&account.username, &account.email, Claim::release),
            _ => vec![],
        }
    }
}

type MakeClaim = fn(&'static str, String) -> Claim;

/// The kind of claim for names to sign in with.
const USERNAME: &str = "username";
/// The kind of claim for addresses.
const EMAIL: &str = "email";
/// The kind of claim for one-time secrets: whoever takes it uses it up.
const BOOTSTRAP: &str = "bootstrap";

impl Account {
    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Register { .. } => Err(Rejection::Exists),
            Command::RequestEmailVerification {} => {
                meta.may_act_for(meta.subject).then_some(()).ok_or(Rejection::NotYours)?;
                self.email.as_ref().ok_or(Rejection::NoEmail)?;
                Ok(if self.verified { vec![] } else { vec![verification(meta.time)] })
            }
            Command::VerifyEmail {} => {
                system(meta)?;
                Ok(if self.verified { vec![] } else { vec![Event::EmailVerified {}] })
            }
            Command::RecordPasswordChange { how } => system(meta).map(|()| vec![Event::PasswordChanged { how }]),
            Command::RequestPasswordReset {} => {
                system(meta)?;
                self.email.as_ref().ok_or(Rejection::NoEmail)?;
                Ok(vec![Event::PasswordResetRequested { expires_at: meta.time + RESET }])
            }
            Command::RecordLoginFailure { reason } => system(meta).map(|()| vec![Event::LoginFailed { reason }]),
            Command::SetStatus { status, .. } if status == self.status => admin(meta).map(|()| vec![]),
            Command::SetStatus { status: Status::Suspended, reason } => {
                admin_of_another(meta).map(|()| vec![Event::Suspended { reason }])
            }
            Command::SetStatus { status: Status::Active, .. } => admin(meta).map(|()| vec![Event::Reactivated {}]),
            Command::AssignRole { role } => {
                admin(meta)?;
                Ok(if self.roles.contains(&role) { vec![] } else { vec![Event::RoleAssigned { role }] })
            }
            Command::RevokeRole { role } if !self.roles.contains(&role) => admin(meta).map(|()| vec![]),
            Command::RevokeRole { role } => admin_of_another(meta).map(|()| vec![Event::RoleRevoked { role }]),
            Command::Erase {} => admin_of_another(meta).map(|()| vec![Event::Erased {}]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::EmailVerified {} => self.verified = true,
            Event::Suspended { .. } => self.status = Status::Suspended,
            Event::Reactivated {} => self.status = Status::Active,
            Event::RoleAssigned { role } => self.roles.push(*role),
            Event::RoleRevoked { role } => self.roles.retain(|held| held != role),
            _ => {}
        }
    }
}

/// What a registration says.
struct New {
    username: Option<Personal<String>>,
    email: Option<Personal<String>>,
    name: Option<Personal<String>>,
    credential: Uuid,
    roles: Vec<Role>,
    bootstrap: Option<Uuid>,
    locale: Option<String>,
}

fn register(new: New, meta: &Meta) -> Result<Vec<Event>, Rejection> {
    let New { username, email, name, credential, roles, bootstrap, locale } = new;
    let text =
        |field: &Option<Personal<String>>| field.as_ref().and_then(Personal::open).map(|text| text.trim().to_owned());
    let (username, email, name) = (text(&username), text(&email), text(&name));
    if username.is_none() && email.is_none() {
        return Err(Rejection::Nameless);
    }
    if let Some(username) = &username {
        is_username(username).then_some(()).ok_or(Rejection::BadUsername)?;
        let free = !meta.is_taken(USERNAME, &normal_username(username));
        free.then_some(()).ok_or(Rejection::UsernameTaken)?;
    }
    if let Some(email) = &email {
        is_email(email).then_some(()).ok_or(Rejection::BadEmail)?;
        (!meta.is_taken(EMAIL, &normal_email(email))).then_some(()).ok_or(Rejection::EmailTaken)?;
    }
    if name.as_ref().is_some_and(|name| name.chars().count() > 100 || name.chars().any(char::is_control)) {
        return Err(Rejection::BadName);
    }
    match bootstrap {
        None if !roles.is_empty() => admin(meta)?,
        Some(secret) if meta.is_taken(BOOTSTRAP, &secret.to_string()) => return Err(Rejection::BootstrapUsed),
        _ => {}
    }
    let verification = email.is_some().then(|| verification(meta.time));
    let (username, email, name) = (username.map(Personal::new), email.map(Personal::new), name.map(Personal::new));
    let registered = Event::Registered { username, email, name, credential, roles, bootstrap, locale };
    Ok([registered].into_iter().chain(verification).collect())
}

fn verification(now: DateTime<Utc>) -> Event {
    Event::EmailVerificationRequested { expires_at: now + VERIFICATION }
}

fn system(meta: &Meta) -> Result<(), Rejection> {
    (meta.caller == Caller::System).then_some(()).ok_or(Rejection::NotAdmin)
}

fn admin(meta: &Meta) -> Result<(), Rejection> {
    meta.may_administer().then_some(()).ok_or(Rejection::NotAdmin)
}

/// The last admin can only be removed by an admin, and no admin can remove themselves: one always remains.
fn admin_of_another(meta: &Meta) -> Result<(), Rejection> {
    admin(meta)?;
    match meta.caller {
        Caller::Person { id, .. } if id == meta.subject => Err(Rejection::Yourself),
        _ => Ok(()),
    }
}
