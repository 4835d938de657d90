//! Profiles over HTTP: everybody's own under `/api/profile`, anybody's by id or by handle. One page, many names: each
//! of the systems whose clients come here calls it differently.

mod change;
mod preferences;
mod show;

pub(crate) use show::find;

use crate::table::{Route, get, put};

/// What profile answers.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get(&["/api/profile", "/api/users/profile"], show::own, show::own_doc()),
        put(&["/api/profile", "/api/users/profile"], change::own, change::own_doc()),
        put(&["/api/profile/handle"], change::handle, change::handle_doc()),
        put(&["/api/profile/visibility"], change::visibility, change::visibility_doc()),
        get(&["/api/profile/preferences"], preferences::own, preferences::own_doc()),
        put(&["/api/profile/preferences"], preferences::change_own, preferences::change_own_doc()),
        get(&["/api/users/{id}/profile"], show::of, show::of_doc()),
        put(&["/api/users/{id}/profile"], change::of, change::of_doc()),
        get(&["/api/users/{id}/preferences"], preferences::of, preferences::of_doc()),
        put(&["/api/users/{id}/preferences"], preferences::change_of, preferences::change_of_doc()),
        get(&["/api/profiles/{handle}"], show::by_handle, show::by_handle_doc()),
    ]
}
