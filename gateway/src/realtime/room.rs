//! The names of rooms: `user:<id>` and `video:<id>`, as in the subjects that lead to them.

use crate::problem::Problem;
use std::fmt;
use uuid::Uuid;

/// A room that clients can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// What one person hears. Everybody is in their own.
    User(Uuid),
    /// What everybody hears who looks at a video.
    Video(Uuid),
}

impl Room {
    /// The room of this name.
    ///
    /// # Errors
    /// 422: rooms are not called so.
    pub(super) fn read(name: &str) -> Result<Room, Problem> {
        let room = name.split_once(':').and_then(|(kind, id)| {
            let id = Uuid::try_parse(id).ok()?;
            match kind {
                "user" => Some(Room::User(id)),
                "video" => Some(Room::Video(id)),
                _ => None,
            }
        });
        room.ok_or_else(|| Problem::invalid("room_invalid", "a room is called user:<id> or video:<id>"))
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Room::User(id) => write!(f, "user:{id}"),
            Room::Video(id) => write!(f, "video:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_one_name() {
        let id = Uuid::from_u128(0xABCD);
        for room in [Room::User(id), Room::Video(id)] {
            assert_eq!(Room::read(&room.to_string()).expect("a room"), room);
        }
        assert_eq!(Room::read(&format!("video:{}", id.to_string().to_uppercase())).expect("a room"), Room::Video(id));
        for name in ["", "video", "video:", "video:1", "processing:00000000-0000-0000-0000-000000000001", ":"] {
            assert_eq!(Room::read(name).expect_err("no room").code(), "room_invalid", "{name}");
        }
    }
}
