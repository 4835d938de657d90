//! Which videos a person has, remembered for the day when they are to go with the person.

use events::video::library::{Command, Event};
use kernel::{Caller, Decider, Kind, Meta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// So many ids are in one event: a message has an end.
const AT_ONCE: usize = 1000;

/// The state of a library.
#[derive(Default, Serialize, Deserialize)]
pub struct Library {
    videos: BTreeSet<Uuid>,
    erased: bool,
}

/// What can be in the way.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("only Reprise itself keeps the list of somebody's videos")]
    NotReprise,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        "reprise_only"
    }

    fn kind(&self) -> Kind {
        Kind::Forbidden
    }
}

impl Decider for Library {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        (meta.caller == Caller::System).then_some(()).ok_or(Rejection::NotReprise)?;
        Ok(match command {
            // it was begun while its person was being forgotten
            Command::Add { video } if self.erased => vec![Event::Erased { videos: vec![video] }],
            Command::Add { video } if self.videos.contains(&video) => vec![],
            Command::Add { video } => vec![Event::Added { video }],
            Command::Remove { video } if self.videos.contains(&video) => vec![Event::Removed { video }],
            Command::Remove { .. } => vec![],
            Command::Erase {} if self.erased => vec![],
            Command::Erase {} if self.videos.is_empty() => vec![Event::Erased { videos: vec![] }],
            Command::Erase {} => {
                let all: Vec<Uuid> = self.videos.iter().copied().collect();
                all.chunks(AT_ONCE).map(|some| Event::Erased { videos: some.to_vec() }).collect()
            }
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Added { video } => drop(self.videos.insert(*video)),
            Event::Removed { video } => drop(self.videos.remove(video)),
            Event::Erased { .. } => *self = Library { erased: true, ..Library::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::testing::given;

    fn video(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn when(before: impl IntoIterator<Item = Event>, command: Command, then: impl IntoIterator<Item = Event>) {
        given::<Library>(before).by(Caller::System).when(command).then(then);
    }

    #[test]
    fn it_knows_what_there_is() {
        let added = || Event::Added { video: video(1) };
        when([], Command::Add { video: video(1) }, [added()]);
        when([added()], Command::Add { video: video(1) }, []);
        when([added()], Command::Remove { video: video(1) }, [Event::Removed { video: video(1) }]);
        when([], Command::Remove { video: video(1) }, []);
        given::<Library>([]).when(Command::Add { video: video(1) }).rejected(Rejection::NotReprise);
    }

    #[test]
    fn everything_goes_with_its_person() {
        let erased = |videos: &[u128]| Event::Erased { videos: videos.iter().map(|n| video(*n)).collect() };
        let added = |n| Event::Added { video: video(n) };
        when([added(1), added(2), Event::Removed { video: video(1) }], Command::Erase {}, [erased(&[2])]);
        when([], Command::Erase {}, [erased(&[])]);
        when([added(1), erased(&[1])], Command::Erase {}, []);
        when([erased(&[])], Command::Add { video: video(3) }, [erased(&[3])]);
    }

    #[test]
    fn many_are_said_in_parts() {
        let all: Vec<Uuid> = (0..2500).map(video).collect();
        let before: Vec<Event> = all.iter().map(|video| Event::Added { video: *video }).collect();
        when(before, Command::Erase {}, all.chunks(1000).map(|some| Event::Erased { videos: some.to_vec() }));
    }
}
