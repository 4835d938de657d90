//! The specification of profile.

use chrono::DateTime;
use events::identity::user;
use events::profile::{Command, Event, Preference, Visibility};
use events::{AuthType, Message, Personal, Source, Spec};
use kernel::testing::{SUBJECT, given};
use kernel::{Caller, Claim, ask};
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::profile::{Profile, Rejection};
use crate::reactions::{create_profile_when_registered, erase_profile_when_user_erased};

fn some(text: &str) -> Option<Personal<String>> {
    Some(Personal::new(text.to_owned()))
}

fn created(handle: &str) -> Event {
    Event::Created { handle: handle.to_owned(), display_name: some("Ada") }
}

fn create(handle: &str) -> Command {
    Command::Create { handle: handle.to_owned(), display_name: some("Ada") }
}

fn update(display_name: Option<&str>, website: Option<&str>) -> Command {
    let (display_name, website) = (display_name.and_then(some), website.and_then(some));
    Command::Update { display_name, bio: None, location: None, website }
}

fn renamed(display_name: &str) -> Event {
    Event::Updated { display_name: some(display_name), bio: None, location: None, website: None }
}

fn change(handle: &str) -> Command {
    Command::ChangeHandle { handle: handle.to_owned() }
}

#[test]
fn begins_with_the_wished_handle() {
    given::<Profile>([]).by(Caller::System).when(create("ada")).then([created("ada")]);
}

#[test]
fn a_taken_handle_gets_a_number() {
    let given = given::<Profile>([]).taken("handle", "ada").taken("handle", "ada2");
    given.when(create("ada")).then([created("ada3")]);
}

#[test]
fn the_last_resort_is_alone() {
    let given =
        ["ada", "ada2", "ada3", "ada4", "ada5"].into_iter().fold(given::<Profile>([]), |g, h| g.taken("handle", h));
    given.when(create("ada")).then([created("ada-000000000001")]);
}

#[test]
fn a_reserved_handle_is_not_given() {
    given::<Profile>([]).when(create("admin")).then([created("admin2")]);
}

#[test]
fn a_profile_begins_once() {
    given::<Profile>([created("ada")]).when(create("eve")).then([]);
    given::<Profile>([created("ada"), Event::Erased {}]).when(create("ada")).rejected(Rejection::Missing);
}

#[test]
fn updates_what_is_given() {
    given::<Profile>([created("ada")]).when(update(Some("Ada L."), None)).then([renamed("Ada L.")]);
}

#[test]
fn the_same_again_is_quiet() {
    given::<Profile>([created("ada")]).when(update(Some("Ada"), None)).then([]);
    given::<Profile>([created("ada")]).when(update(None, Some(""))).then([]);
    given::<Profile>([created("ada"), renamed("Countess")]).when(update(Some(" Countess "), None)).then([]);
}

#[test]
fn only_the_person_or_an_admin_updates() {
    let stranger = Caller::Person { id: Uuid::from_u128(77), roles: vec![] };
    let given_ada = || given::<Profile>([created("ada")]);
    given_ada().by(stranger).when(update(Some("Eve"), None)).rejected(Rejection::NotYours);
    given_ada().by(Caller::Unknown).when(update(Some("Eve"), None)).rejected(Rejection::NotYours);
    given_ada().by_admin().when(update(Some("Eve"), None)).then([renamed("Eve")]);
}

#[test]
fn bad_texts_are_refused() {
    let given_ada = || given::<Profile>([created("ada")]);
    given_ada().when(update(Some(&"x".repeat(101)), None)).rejected(Rejection::TooLong("a display name", 100));
    given_ada().when(update(Some("a\u{7}b"), None)).rejected(Rejection::Control("a display name"));
    for bad in ["javascript:alert(1)", "example.org", "https://a b"] {
        given_ada().when(update(None, Some(bad))).rejected(Rejection::BadWebsite);
    }
}

#[test]
fn a_new_handle_is_claimed_and_the_old_one_freed() {
    let claims = [Claim::release("handle", "ada"), Claim::take("handle", "countess")];
    given::<Profile>([created("ada")]).when(change("countess")).claims(claims);
    given::<Profile>([created("ada")]).when(change("ada")).then([]);
}

#[test]
fn bad_handles_are_refused() {
    let given_ada = || given::<Profile>([created("ada")]);
    for bad in ["", "ab", "Ada", "a/b", "-ab", "ädá", "a b c", &"a".repeat(31)] {
        given_ada().when(change(bad)).rejected(Rejection::BadHandle);
    }
    given_ada().when(change("admin")).rejected(Rejection::ReservedHandle);
    given_ada().taken("handle", "eve").when(change("eve")).rejected(Rejection::HandleTaken);
}

#[test]
fn visibility_changes_once() {
    let hide = || Command::SetVisibility { visibility: Visibility::Private };
    let hidden = Event::VisibilitySet { visibility: Visibility::Private };
    given::<Profile>([created("ada")]).when(hide()).then([hidden.clone()]);
    given::<Profile>([created("ada"), hidden]).when(hide()).then([]);
}

fn preferences(entries: &[(&str, Option<Preference>)]) -> BTreeMap<String, Option<Preference>> {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn preferences_keep_only_what_changes() {
    let dark = ("theme", Some(Preference::Text("dark".into())));
    let mails = ("mails", Some(Preference::Switch(false)));
    let first = Event::PreferencesUpdated { preferences: preferences(std::slice::from_ref(&dark)) };
    let ask = |entries: &[_]| Command::UpdatePreferences { preferences: preferences(entries) };
    let then = Event::PreferencesUpdated { preferences: preferences(std::slice::from_ref(&mails)) };
    given::<Profile>([created("ada"), first.clone()]).when(ask(&[dark, mails])).then([then]);
    let removed = Event::PreferencesUpdated { preferences: preferences(&[("theme", None)]) };
    given::<Profile>([created("ada"), first]).when(ask(&[("theme", None)])).then([removed]);
    for bad in ["", "$personal", "$sealed", "a\nb"] {
        given::<Profile>([created("ada")]).when(ask(&[(bad, None)])).rejected(Rejection::BadPreference);
    }
}

#[test]
fn at_most_fifty_preferences() {
    let many: BTreeMap<_, _> = (0..51).map(|n| (n.to_string(), Some(Preference::Number(n)))).collect();
    let command = Command::UpdatePreferences { preferences: many };
    given::<Profile>([created("ada")]).when(command).rejected(Rejection::TooManyPreferences);
}

#[test]
fn an_erased_profile_frees_its_handle_and_stays_erased() {
    given::<Profile>([created("ada")]).when(Command::Erase {}).claims([Claim::release("handle", "ada")]);
    given::<Profile>([created("ada"), Event::Erased {}]).when(Command::Erase {}).then([]);
    given::<Profile>([]).when(Command::Erase {}).then([]);
    given::<Profile>([]).when(update(Some("Ada"), None)).rejected(Rejection::Missing);
}

fn registered(username: Option<&str>, email: Option<&str>, name: Option<&str>) -> Message<events::Event> {
    let (username, email, name) = (username.and_then(some), email.and_then(some), name.and_then(some));
    let credential = Uuid::nil();
    said(user::Event::Registered { username, email, name, credential, roles: vec![], bootstrap: None, locale: None })
}

fn said(body: user::Event) -> Message<events::Event> {
    Message {
        specversion: Spec::V1,
        id: Uuid::from_u128(8),
        source: Source::new("/services/identity"),
        subject: SUBJECT,
        time: DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range"),
        correlationid: Uuid::from_u128(9),
        causationid: None,
        authtype: AuthType::Unauthenticated,
        authid: None,
        authclaims: None,
        sequence: None,
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: body.into(),
    }
}

#[test]
fn a_registration_begins_a_profile() {
    let handle = |username, email| match &create_profile_when_registered(&registered(username, email, None))[..] {
        [ask] => match &ask.command {
            events::Command::Profile(Command::Create { handle, .. }) => handle.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(handle(Some("Ada.Lovelace"), Some("x@example.org")), "ada-lovelace");
    assert_eq!(handle(None, Some("Zoë.B+tag@example.org")), "zoe-btag");
    assert_eq!(handle(Some("ab"), None), "user-ab");
    assert_eq!(handle(Some("日本語"), None), "user");
}

#[test]
fn the_profile_is_called_as_the_person_is() {
    let expected = ask(SUBJECT, Command::Create { handle: "ada".into(), display_name: some("Ada Lovelace") });
    assert_eq!(create_profile_when_registered(&registered(Some("ada"), None, Some("Ada Lovelace"))), [expected]);
}

#[test]
fn an_erasure_erases_the_profile() {
    assert_eq!(erase_profile_when_user_erased(&said(user::Event::Erased {})), [ask(SUBJECT, Command::Erase {})]);
    assert_eq!(erase_profile_when_user_erased(&said(user::Event::EmailVerified {})), []);
}
