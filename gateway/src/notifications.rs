//! Notifications over HTTP: the texts of messages, and what people write with the contact form.

mod contact;
mod lists;
pub(crate) mod shapes;
mod templates;

use crate::table::{Route, delete, get, post};

/// What notifications answer.
pub(crate) fn routes() -> Vec<Route> {
    [template_routes(), contact_routes()].into_iter().flatten().collect()
}

/// Texts of messages. One system's clients know them without the word before.
fn template_routes() -> Vec<Route> {
    vec![
        get(&["/api/notifications/templates", "/api/templates"], templates::list, templates::list_doc()),
        post(&["/api/notifications/templates", "/api/templates"], templates::put, templates::put_doc()),
        get(&["/api/notifications/templates/{key}", "/api/templates/{key}"], templates::show, templates::show_doc()),
        delete(
            &["/api/notifications/templates/{key}", "/api/templates/{key}"],
            templates::retire,
            templates::retire_doc(),
        ),
        post(
            &["/api/notifications/templates/{key}/publish", "/api/templates/{key}/publish"],
            templates::publish,
            templates::publish_doc(),
        ),
        post(
            &["/api/notifications/templates/{key}/preview", "/api/templates/{key}/preview"],
            templates::preview,
            templates::preview_doc(),
        ),
    ]
}

fn contact_routes() -> Vec<Route> {
    vec![
        post(&["/api/contact"], contact::send, contact::send_doc()),
        get(&["/api/contact"], contact::list, contact::list_doc()),
        post(&["/api/contact/{id}/answered"], contact::answered, contact::answered_doc()),
        delete(&["/api/contact/{id}"], contact::erase, contact::erase_doc()),
    ]
}
