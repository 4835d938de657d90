//! Who a socket is: the token in its handshake is checked as that of a request is, and the socket is nobody before.

use super::Live;
use super::ask::{self, Wanted};
use super::door::Knock;
use super::room::Room;
use crate::auth::{Actor, Identity, Refused};
use crate::extract;
use crate::problem::Problem;
use serde_json::Value;
use socketioxide::extract::{AckSender, Event, SocketRef, TryData};
use std::fmt;
use std::sync::Arc;

/// Why a socket is not admitted, as its client reads it: the code, then the words.
pub(super) struct Refusal(Problem);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code(), self.0.detail())
    }
}

/// Admits a socket, before it is told that it is connected: from then on it can ask, and is in its person's room.
///
/// # Errors
/// The refusal, which the client gets as a `connect_error`.
pub(super) async fn admit(live: Live, socket: SocketRef, said: TryData<Value>) -> Result<(), Refusal> {
    enter(&live, &socket, said.0.unwrap_or_default()).await.map_err(Refusal)
}

async fn enter(live: &Live, socket: &SocketRef, said: Value) -> Result<(), Problem> {
    let identity = match &said["token"] {
        Value::Null => socket.req_parts().extensions.get::<Knock>().map_or(Identity::Nobody, |it| it.identity.clone()),
        Value::String(token) => live.edge().auth.identify_token(token).await,
        _ => return Err(Problem::field("field_invalid", "/token", "the token is a text")),
    };
    let person = extract::identify(&identity)?;
    let actor =
        person.ok_or_else(|| Problem::unauthenticated("sign in and send the access token as auth: { token }"))?;
    let place = live.0.members.enter(socket.id, actor.clone())?;
    // a revocation is looked for among the members, so one that was learnt before is looked for once more
    still_good(live, actor.clone())?;
    socket.join(Room::User(actor.id).to_string());
    let (live, place) = (live.clone(), Arc::new(place));
    socket.on_fallback(
        move |socket: SocketRef, Event(event): Event, said: TryData<Value>, wanted: Wanted, ack: AckSender| {
            ask::answer(live, place, socket, event, said, wanted, ack)
        },
    );
    Ok(())
}

/// Whose token this is, whatever of a token the client sent.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn show(live: &Live, token: &str) -> Result<Actor, Problem> {
    let person = extract::identify(&live.edge().auth.identify_token(token).await)?;
    person.ok_or_else(|| Problem::unauthenticated("send an access token"))
}

/// The same person, whose session is not known to be over.
///
/// # Errors
/// It is.
pub(super) fn still_good(live: &Live, actor: Actor) -> Result<Actor, Problem> {
    match live.edge().auth.revocations.covers(&actor) {
        true => extract::identify(&Identity::Refused(Refused::Ended)).map(|_| actor),
        false => Ok(actor),
    }
}
