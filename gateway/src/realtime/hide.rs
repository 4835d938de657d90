//! A video that not everybody may see any more: whoever may not leaves its room.

use super::Live;
use super::room::Room;
use crate::videos;
use projections::video_page::Row;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Between two looks at a page that does not show the change yet.
const LOOK: Duration = Duration::from_millis(50);
/// A page that is further behind is not waited for: then everybody leaves, and may join again.
const LOOKS: usize = 100;

/// What is said of a video that was hidden.
#[derive(Deserialize)]
pub(super) struct Hidden {
    /// The video.
    of: Uuid,
    /// The version from which on it is.
    version: i64,
}

/// Shows out whoever may not see the video.
pub(super) async fn hide(live: Live, Hidden { of: video, version }: Hidden) {
    let row = changed(&live, video, version).await;
    let Some(everybody) = live.0.io.of("/") else { return };
    let (room, actors) = (Room::Video(video).to_string(), live.0.members.actors());
    for socket in everybody.within(room.clone()).sockets() {
        if !row.as_ref().is_some_and(|row| videos::may_see(row, actors.get(&socket.id))) {
            socket.leave(room.clone());
            // a client that does not take it is out of the room all the same
            let _ = socket.emit("videoHidden", &json!({ "videoId": video }));
        }
    }
}

/// The video as it is since that version; `None` when it is gone, or nobody knows.
async fn changed(live: &Live, video: Uuid, version: i64) -> Option<Arc<Row>> {
    for _ in 0..LOOKS {
        match videos::look(live.app(), video).await {
            Ok(Some(row)) if row.version >= version => return Some(row),
            Ok(None) => return None,
            _ => tokio::time::sleep(LOOK).await,
        }
    }
    tracing::warn!("a page does not show that a video was hidden, everybody left its room");
    None
}
