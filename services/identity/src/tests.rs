//! The specification of identity: given what happened, when this is asked, then that happens.

use chrono::{DateTime, TimeDelta, Utc};
use events::Personal;
use events::identity::session::{self, EndReason, Method};
use events::identity::user::{Command, Event, LoginFailure, PasswordChange, Role, Status};
use kernel::testing::{SUBJECT, given};
use kernel::{Caller, Claim};
use uuid::Uuid;

use crate::session::Session;
use crate::user::{Rejection, User};

const CREDENTIAL: Uuid = Uuid::from_u128(5);
const SECRET: Uuid = Uuid::from_u128(6);

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range")
}

fn some(text: &str) -> Option<Personal<String>> {
    Some(Personal::new(text.to_owned()))
}

fn register(username: Option<&str>, email: Option<&str>) -> Command {
    let (username, email) = (username.and_then(some), email.and_then(some));
    Command::Register {
        username,
        email,
        name: None,
        credential: CREDENTIAL,
        roles: vec![],
        bootstrap: None,
        locale: None,
    }
}

fn registered(username: Option<&str>, email: Option<&str>) -> Event {
    let (username, email) = (username.and_then(some), email.and_then(some));
    Event::Registered {
        username,
        email,
        name: None,
        credential: CREDENTIAL,
        roles: vec![],
        bootstrap: None,
        locale: None,
    }
}

fn verification() -> Event {
    Event::EmailVerificationRequested { expires_at: now() + TimeDelta::hours(24) }
}

fn ada() -> Event {
    registered(Some("ada"), Some("ada@example.org"))
}

fn registers_admin(bootstrap: Option<Uuid>) -> Command {
    let Command::Register { username, email, name, credential, locale, .. } = register(Some("ada"), None) else {
        unreachable!("register makes a Register")
    };
    Command::Register { username, email, name, credential, roles: vec![Role::Admin], bootstrap, locale }
}

#[test]
fn registers_with_both_names() {
    given::<User>([])
        .by(Caller::Unknown)
        .when(register(Some("ada"), Some("ada@example.org")))
        .then([ada(), verification()]);
}

#[test]
fn registers_with_a_username_alone() {
    given::<User>([]).by(Caller::Unknown).when(register(Some("ada"), None)).then([registered(Some("ada"), None)]);
}

#[test]
fn registers_with_an_address_alone() {
    let then = [registered(None, Some("ada@example.org")), verification()];
    given::<User>([]).by(Caller::Unknown).when(register(None, Some(" ada@example.org "))).then(then);
}

#[test]
fn names_are_claimed_in_their_normal_form() {
    let claims = [Claim::take("username", "ada"), Claim::take("email", "ada@example.org")];
    given::<User>([]).when(register(Some("ＡDA"), Some("Ada@Example.ORG"))).claims(claims);
}

#[test]
fn a_nameless_registration_is_refused() {
    given::<User>([]).when(register(None, None)).rejected(Rejection::Nameless);
}

#[test]
fn bad_names_are_refused() {
    for bad in ["", "ab", "a b c", "-ada", "ada/../x", "ada'; drop table", "é\u{0}é", &"a".repeat(31)] {
        given::<User>([]).when(register(Some(bad), None)).rejected(Rejection::BadUsername);
    }
    for bad in ["", "ada", "@example.org", "ada@", "ada@host", "a b@example.org", "ada@-x.org", "ada\r\nBcc: x@y.z"] {
        given::<User>([]).when(register(None, Some(bad))).rejected(Rejection::BadEmail);
    }
}

#[test]
fn a_taken_name_says_which() {
    let command = || register(Some("ada"), Some("ada@example.org"));
    given::<User>([]).taken("username", "ada").when(command()).rejected(Rejection::UsernameTaken);
    given::<User>([]).taken("email", "ada@example.org").when(command()).rejected(Rejection::EmailTaken);
}

#[test]
fn an_account_registers_once() {
    given::<User>([ada()]).when(register(Some("eve"), None)).rejected(Rejection::Exists);
    given::<User>([ada(), Event::Erased {}]).when(register(Some("eve"), None)).rejected(Rejection::Exists);
}

#[test]
fn only_an_admin_or_the_secret_makes_an_admin() {
    given::<User>([]).by(Caller::Unknown).when(registers_admin(None)).rejected(Rejection::NotAdmin);
    given::<User>([]).by_admin().when(registers_admin(None)).claims([Claim::take("username", "ada")]);
    let both = [Claim::take("username", "ada"), Claim::take("bootstrap", SECRET.to_string())];
    given::<User>([]).by(Caller::Unknown).when(registers_admin(Some(SECRET))).claims(both);
}

#[test]
fn the_secret_serves_once() {
    let given = given::<User>([]).by(Caller::Unknown).taken("bootstrap", &SECRET.to_string());
    given.when(registers_admin(Some(SECRET))).rejected(Rejection::BootstrapUsed);
}

#[test]
fn an_address_is_verified_once_and_by_the_vault_only() {
    given::<User>([ada()]).by(Caller::System).when(Command::VerifyEmail {}).then([Event::EmailVerified {}]);
    given::<User>([ada(), Event::EmailVerified {}]).by(Caller::System).when(Command::VerifyEmail {}).then([]);
    given::<User>([ada()]).when(Command::VerifyEmail {}).rejected(Rejection::NotAdmin);
}

#[test]
fn another_verification_mail_is_for_the_unverified() {
    given::<User>([ada()]).when(Command::RequestEmailVerification {}).then([verification()]);
    given::<User>([ada(), Event::EmailVerified {}]).when(Command::RequestEmailVerification {}).then([]);
    let nameless = registered(Some("ada"), None);
    given::<User>([nameless]).when(Command::RequestEmailVerification {}).rejected(Rejection::NoEmail);
}

#[test]
fn the_vault_reports_and_nobody_else() {
    let how = PasswordChange::Known;
    let given_ada = || given::<User>([ada()]).by(Caller::System);
    given_ada().when(Command::RecordPasswordChange { how }).then([Event::PasswordChanged { how }]);
    let reason = LoginFailure::WrongPassword;
    given_ada().when(Command::RecordLoginFailure { reason }).then([Event::LoginFailed { reason }]);
    let expires_at = now() + TimeDelta::minutes(60);
    given_ada().when(Command::RequestPasswordReset {}).then([Event::PasswordResetRequested { expires_at }]);
    given::<User>([ada()]).when(Command::RecordPasswordChange { how }).rejected(Rejection::NotAdmin);
    given::<User>([ada()]).when(Command::RecordLoginFailure { reason }).rejected(Rejection::NotAdmin);
}

#[test]
fn an_admin_suspends_and_reactivates() {
    let set = |status| Command::SetStatus { status, reason: None };
    let suspended = Event::Suspended { reason: None };
    given::<User>([ada()]).by_admin().when(set(Status::Suspended)).then([Event::Suspended { reason: None }]);
    given::<User>([ada(), suspended.clone()]).by_admin().when(set(Status::Suspended)).then([]);
    given::<User>([ada(), suspended]).by_admin().when(set(Status::Active)).then([Event::Reactivated {}]);
    given::<User>([ada()]).when(set(Status::Suspended)).rejected(Rejection::NotAdmin);
}

#[test]
fn roles_are_given_and_taken_by_admins() {
    let role = Role::Moderator;
    given::<User>([ada()]).by_admin().when(Command::AssignRole { role }).then([Event::RoleAssigned { role }]);
    let moderator = [ada(), Event::RoleAssigned { role }];
    given::<User>(moderator.clone()).by_admin().when(Command::AssignRole { role }).then([]);
    given::<User>(moderator).by_admin().when(Command::RevokeRole { role }).then([Event::RoleRevoked { role }]);
    given::<User>([ada()]).when(Command::AssignRole { role: Role::Admin }).rejected(Rejection::NotAdmin);
}

#[test]
fn no_admin_removes_themselves() {
    let myself = Caller::Person { id: SUBJECT, roles: vec![Role::Admin] };
    let me = || given::<User>([ada(), Event::RoleAssigned { role: Role::Admin }]).by(myself.clone());
    me().when(Command::RevokeRole { role: Role::Admin }).rejected(Rejection::Yourself);
    me().when(Command::RevokeRole { role: Role::Moderator }).then([]);
    me().when(Command::SetStatus { status: Status::Suspended, reason: None }).rejected(Rejection::Yourself);
    me().when(Command::Erase {}).rejected(Rejection::Yourself);
}

#[test]
fn erasing_frees_the_names_and_stays() {
    let free = [Claim::release("username", "ada"), Claim::release("email", "ada@example.org")];
    given::<User>([ada()]).by_admin().when(Command::Erase {}).claims(free);
    given::<User>([ada(), Event::Erased {}]).by_admin().when(Command::Erase {}).then([]);
    given::<User>([ada(), Event::Erased {}]).by_admin().when(Command::VerifyEmail {}).rejected(Rejection::Missing);
    given::<User>([]).by_admin().when(Command::Erase {}).rejected(Rejection::Missing);
}

fn start() -> session::Command {
    session::Command::Start { user: SUBJECT, method: Method::Password, agent: None, network: None }
}

fn started() -> session::Event {
    session::Event::Started { user: SUBJECT, method: Method::Password, agent: None, network: None }
}

fn end() -> session::Command {
    session::Command::End { user: SUBJECT, reason: EndReason::LoggedOut }
}

fn ended(reason: EndReason) -> session::Event {
    session::Event::Ended { user: SUBJECT, reason }
}

#[test]
fn a_session_starts_once_and_ends_once() {
    given::<Session>([]).by(Caller::System).when(start()).then([started()]);
    given::<Session>([started()]).by(Caller::System).when(start()).then([]);
    given::<Session>([started()]).by(Caller::System).when(end()).then([ended(EndReason::LoggedOut)]);
    given::<Session>([started(), ended(EndReason::LoggedOut)]).by(Caller::System).when(end()).then([]);
}

#[test]
fn an_end_that_overtakes_its_start_counts() {
    given::<Session>([]).by(Caller::System).when(end()).then([ended(EndReason::LoggedOut)]);
    given::<Session>([ended(EndReason::LoggedOut)]).by(Caller::System).when(start()).then([]);
}

#[test]
fn a_stolen_token_ends_the_session() {
    let reuse = session::Event::ReuseDetected { user: SUBJECT };
    let report = || session::Command::ReportReuse { user: SUBJECT };
    let both = [reuse.clone(), ended(EndReason::ReuseDetected)];
    given::<Session>([started()]).by(Caller::System).when(report()).then(both);
    let over = [started(), ended(EndReason::LoggedOut)];
    given::<Session>(over).by(Caller::System).when(report()).then([reuse]);
}

#[test]
fn nobody_but_the_vault_speaks_for_sessions() {
    given::<Session>([started()]).when(end()).rejected(crate::session::Rejection::NotVault);
}
