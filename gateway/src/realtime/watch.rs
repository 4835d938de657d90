//! What ends without anybody asking: tokens that expire and sessions that are revoked take their sockets with them.

use super::Live;
use super::members::Due;
use chrono::Utc;
use serde_json::json;
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Revocations come in bursts; all of one are looked at together.
const BURST: Duration = Duration::from_millis(50);

/// Looks until stopped: every second, and whenever something was revoked.
pub(crate) async fn watch(live: Live, stop: CancellationToken) {
    let mut revoked = live.edge().auth.revocations.changes();
    while stop.run_until_cancelled(pause(&mut revoked)).await.is_some() {
        let revocations = &live.edge().auth.revocations;
        for (socket, due) in live.0.members.due(Utc::now().timestamp(), |actor| revocations.covers(actor)) {
            act(&live, socket, due);
        }
    }
}

async fn pause(revoked: &mut watch::Receiver<()>) {
    if tokio::time::timeout(EVERY, revoked.changed()).await.is_ok() {
        tokio::time::sleep(BURST).await;
    }
}

/// A socket that cannot take the message now is found again at the next look.
fn act(live: &Live, socket: Sid, due: Due) {
    let Some(socket) = live.0.io.of("/").and_then(|all| all.get_socket(socket)) else { return };
    match due {
        Due::Notice(ends) => drop(socket.emit("tokenExpiring", &json!({ "expiresAt": ends }))),
        Due::Expired => end(socket, "token_expired", "the access token has expired, connect again with another one"),
        Due::Ended => end(socket, "session_ended", "this session is over, sign in again"),
    }
}

/// From here on it hears nothing any more, whether or not it takes its dismissal.
fn end(socket: SocketRef, code: &str, detail: &str) {
    socket.leave_all();
    let _ = socket.emit("sessionEnded", &json!({ "code": code, "detail": detail }));
    let _ = socket.disconnect();
}
