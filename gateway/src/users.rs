//! Accounts over HTTP: admins list, search and change them; a person sees their own.

mod change;
mod erase;
mod list;
mod show;
mod toggle;

pub(crate) use list::escaped;

use crate::table::{Route, delete, get, post, put};

/// What users answers.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get(&["/api/users"], list::list, list::doc()),
        get(&["/api/users/{id}"], show::show, show::doc()),
        put(&["/api/users/{id}"], change::change, change::doc()),
        delete(&["/api/users/{id}"], erase::erase, erase::doc()),
        post(&["/api/users/{id}/toggle-status"], toggle::toggle, toggle::doc()),
    ]
}
