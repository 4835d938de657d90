//! Videos over HTTP: what people say of them, what can be played, and who may see it.

mod change;
mod list;
mod live;
mod show;
mod views;
mod watch;

pub(crate) use live::{Progress, Watched};
pub(crate) use show::{look, may_see, missing, status, status_doc_of, visible};
pub(crate) use views::{Views, hear_others, keep_telling, tell_last};

use crate::table::{Route, delete, get, post, put};

/// What videos answer.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get(&["/api/videos"], list::all, list::all_doc()),
        get(&["/api/videos/featured"], list::featured, list::featured_doc()),
        get(&["/api/videos/user/{id}"], list::of_user, list::of_user_doc()),
        post(&["/api/videos"], change::create, change::create_doc()),
        get(&["/api/videos/{id}"], show::get, show::doc()),
        put(&["/api/videos/{id}"], change::update, change::update_doc()),
        delete(&["/api/videos/{id}"], change::delete, change::delete_doc()),
        get(&["/api/videos/{id}/status"], show::status, show::status_doc()),
        post(&["/api/videos/{id}/publish"], change::publish, change::publish_doc()),
        post(&["/api/videos/{id}/unpublish"], change::unpublish, change::unpublish_doc()),
        post(&["/api/videos/{id}/feature"], change::feature, change::feature_doc()),
        post(&["/api/videos/{id}/unfeature"], change::unfeature, change::unfeature_doc()),
        post(&["/api/videos/{id}/view"], views::view, views::doc()),
        get(&["/watch/{id}"], watch::page, watch::doc()),
    ]
}
