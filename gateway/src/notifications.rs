//! What people are told, over HTTP: their inbox, how they want it, and for admins telling people something and seeing
//! what became of it.

mod deliveries;
mod inbox;
mod key;
mod preferences;
mod send;
pub(crate) mod shapes;
mod subscriptions;
mod unsubscribe;

use crate::table::{Route, delete, get, post, put};

/// What notification answers.
pub(crate) fn routes() -> Vec<Route> {
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
        post(&["/api/notifications/send"], send::any, send::any_doc()),
        post(&["/api/notifications/email"], send::email, send::email_doc()),
        post(&["/api/notifications/push"], send::push, send::push_doc()),
        post(&["/api/notifications/sms"], send::sms, send::sms_doc()),
        get(&["/api/notifications/deliveries"], deliveries::list, deliveries::list_doc()),
        post(&["/api/notifications/deliveries/{id}/retry"], deliveries::retry, deliveries::retry_doc()),
        post(&["/api/notifications/deliveries/{id}/receipt"], deliveries::receipt, deliveries::receipt_doc()),
        delete(&["/api/notifications/suppressions/{id}"], deliveries::lift, deliveries::lift_doc()),
    ]
}
