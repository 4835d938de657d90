//! What people are told, over HTTP: their inbox, how they want it, and for admins telling people something by which
//! texts, and seeing what became of it; and what people write with the contact form.

mod contact;
mod deliveries;
mod inbox;
mod key;
mod preferences;
mod send;
pub(crate) mod shapes;
mod subscriptions;
mod templates;
mod unsubscribe;

use crate::table::{Route, delete, get, post, put};

/// What notification answers.
pub(crate) fn routes() -> Vec<Route> {
    [own_routes(), telling_routes(), template_routes(), contact_routes()].into_iter().flatten().collect()
}

/// A person's own inbox, and how they want it.
fn own_routes() -> Vec<Route> {
    vec![
        get(&["/api/notifications"], inbox::list, inbox::list_doc()),
        get(&["/api/notifications/unread-count"], inbox::unread, inbox::unread_doc()),
        post(&["/api/notifications/read"], inbox::read, inbox::read_doc()),
        get(&["/api/notifications/preferences"], preferences::show, preferences::show_doc()),
        put(&["/api/notifications/preferences"], preferences::change, preferences::change_doc()),
        get(
            &["/api/notifications/subscriptions", "/api/subscriptions"],
            subscriptions::list,
            subscriptions::list_doc(),
        ),
        post(&["/api/notifications/subscriptions", "/api/subscriptions"], subscriptions::add, subscriptions::add_doc()),
        delete(
            &["/api/notifications/subscriptions", "/api/subscriptions"],
            subscriptions::end,
            subscriptions::end_doc(),
        ),
        get(&["/api/notifications/push/key"], key::show, key::doc()),
        get(&["/api/notifications/unsubscribe/{token}"], unsubscribe::look, unsubscribe::look_doc()),
        post(&["/api/notifications/unsubscribe/{token}"], unsubscribe::press, unsubscribe::press_doc()),
    ]
}

/// Telling people something, and what became of it.
fn telling_routes() -> Vec<Route> {
    vec![
        post(&["/api/notifications/send"], send::any, send::any_doc()),
        post(&["/api/notifications/email"], send::email, send::email_doc()),
        post(&["/api/notifications/push"], send::push, send::push_doc()),
        post(&["/api/notifications/sms"], send::sms, send::sms_doc()),
        post(&["/api/notifications/appointment-confirmation"], send::appointment, send::appointment_doc()),
        get(&["/api/notifications/deliveries"], deliveries::list, deliveries::list_doc()),
        post(&["/api/notifications/deliveries/{id}/retry"], deliveries::retry, deliveries::retry_doc()),
        post(&["/api/notifications/deliveries/{id}/receipt"], deliveries::receipt, deliveries::receipt_doc()),
        delete(&["/api/notifications/suppressions/{id}"], deliveries::lift, deliveries::lift_doc()),
    ]
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
        post(&["/api/notifications/templates/{key}/test", "/api/templates/{key}/test"], send::test, send::test_doc()),
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
