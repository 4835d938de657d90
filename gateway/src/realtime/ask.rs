//! What a client can ask over its socket. Every question is answered: with an acknowledgement when one is wanted, else
//! with the event `problem` when it could not be done.

use super::door::Knock;
use super::members::Place;
use super::room::Room;
use super::{Live, admit};
use crate::problem::Problem;
use crate::videos;
use serde_json::{Value, json};
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::{self, FromMessageParts};
use socketioxide::socket::Socket;
use std::convert::Infallible;
use std::sync::Arc;

/// Rooms that one socket may be in.
const ROOMS: usize = 100;

/// Whether the client wants an acknowledgement.
pub(super) struct Wanted(bool);

impl FromMessageParts<LocalAdapter> for Wanted {
    type Error = Infallible;

    fn from_message_parts(_: &Arc<Socket>, _: &mut handler::Value, ack: &Option<i64>) -> Result<Self, Infallible> {
        Ok(Wanted(ack.is_some()))
    }
}

/// Does what is asked, and says what came of it.
pub(super) async fn answer(
    live: Live,
    place: Arc<Place>,
    socket: SocketRef,
    event: String,
    said: TryData<Value>,
    wanted: Wanted,
    ack: AckSender,
) {
    let done = obey(&live, &place, &socket, &event, &said.0.unwrap_or_default()).await;
    // a client that does not take its answers loses its socket soon enough
    let _ = match (done, wanted.0) {
        (Ok(answer), _) => ack.send(&answer),
        (Err(problem), true) => {
            ack.send(&json!({ "status": "error", "code": problem.code(), "detail": problem.detail() }))
        }
        (Err(problem), false) => {
            socket.emit("problem", &json!({ "event": event, "code": problem.code(), "detail": problem.detail() }))
        }
    };
}

async fn obey(live: &Live, place: &Place, socket: &SocketRef, event: &str, said: &Value) -> Result<Value, Problem> {
    let address = socket.req_parts().extensions.get::<Knock>().map(|knock| knock.address);
    if let Some(address) = address {
        live.edge().count(address, Some(place.actor().id))?;
    }
    match event {
        "authenticate" => authenticate(live, place, text(said, "token")?).await,
        "join" => join(live, place, socket, Room::read(text(said, "room")?)?).await,
        "leave" => Ok(leave(place, socket, Room::read(text(said, "room")?)?)),
        "joinVideo" => join(live, place, socket, video(said)?).await,
        "leaveVideo" => Ok(leave(place, socket, video(said)?)),
        _ => Err(Problem::missing("event_unknown", "there is no such event to send")),
    }
}

/// The text itself, or the one in this field.
fn text<'a>(said: &'a Value, field: &'static str) -> Result<&'a str, Problem> {
    let found = said.as_str().or_else(|| said.get(field)?.as_str());
    found.ok_or_else(|| {
        Problem::field("field_invalid", format!("/{field}"), format!("send an object with the text {field}"))
    })
}

fn video(said: &Value) -> Result<Room, Problem> {
    Room::read(&format!("video:{}", text(said, "videoId")?))
}

async fn authenticate(live: &Live, place: &Place, token: &str) -> Result<Value, Problem> {
    let actor = admit::show(live, token).await?;
    let expires_at = actor.expires_at;
    if !place.renew(actor) {
        return Err(Problem::forbidden("not_yours", "this token is somebody else's, open another socket"));
    }
    Ok(json!({ "status": "ok", "expiresAt": expires_at }))
}

/// The same rule as for reading.
async fn join(live: &Live, place: &Place, socket: &SocketRef, room: Room) -> Result<Value, Problem> {
    let actor = admit::still_good(live, place.actor())?;
    match room {
        Room::User(id) if id == actor.id => {}
        Room::User(_) => return Err(Problem::forbidden("room_forbidden", "this room is somebody else's")),
        Room::Video(id) => drop(videos::visible(live.app(), id, Some(&actor), false).await?),
    }
    let name = room.to_string();
    socket.join(name.clone());
    // all of this is looked at afterwards: what happens meanwhile is then not missed
    if let Room::Video(id) = room
        && let Err(hidden) = videos::visible(live.app(), id, Some(&actor), false).await
    {
        socket.leave(name);
        return Err(hidden);
    }
    if !socket.connected() {
        socket.leave_all();
    } else if socket.rooms().len() > ROOMS {
        socket.leave(name);
        return Err(Problem::conflict("too_many_rooms", "this socket is in as many rooms as it may be, leave one"));
    }
    Ok(json!({ "status": "ok", "room": name }))
}

/// One's own room cannot be left: what is for a person reaches every socket of theirs.
fn leave(place: &Place, socket: &SocketRef, room: Room) -> Value {
    let name = room.to_string();
    if room != Room::User(place.actor().id) {
        socket.leave(name.clone());
    }
    json!({ "status": "ok", "room": name })
}
