//! What follows in a profile from what happened elsewhere.

use events::identity::user;
use events::profile::Command;
use events::{Event, Message, Personal};
use kernel::{Ask, ask};

use crate::handle::nearest;

/// Whenever somebody registers, begin their profile: the handle from the username, or from the address before the `@`.
pub(crate) fn create_profile_when_registered(event: &Message<Event>) -> Vec<Ask> {
    let Event::User(user::Event::Registered { username, email, name, .. }) = &event.body else { return vec![] };
    let text = |field: &Option<Personal<String>>| field.as_ref().and_then(Personal::open).cloned();
    let local = text(email).and_then(|email| email.rsplit_once('@').map(|(local, _)| local.to_owned()));
    let wish = text(username).or(local).unwrap_or_default();
    let display_name = text(name).or_else(|| text(username)).map(Personal::new);
    vec![ask(event.subject, Command::Create { handle: nearest(&wish), display_name })]
}

/// Whenever somebody is erased, forget their profile.
pub(crate) fn erase_profile_when_user_erased(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::User(user::Event::Erased {}) => vec![ask(event.subject, Command::Erase {})],
        _ => vec![],
    }
}
