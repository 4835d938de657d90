//! What a job tells of a video. Each thing is noted once, in whichever order it is heard: a job that is done says again
//! what all was made, so a video is never ready before it can be played.

use events::processing::Output;
use events::video::{Event, Progress};

use super::{Draft, titled};

/// A film has no file of its own.
pub(super) const FILM: &str = "film";

impl Draft {
    /// What a job made. A job may be asked again and repeats itself, and when a process dies in the middle of telling,
    /// what came first may be heard last.
    pub(super) fn note(&self, version: u32, progress: Progress, made: Vec<Output>) -> Vec<Event> {
        let owner = self.owner;
        let title = titled(owner, self.about.title.clone());
        match progress {
            Progress::Resumed { from_nothing } => vec![Event::ProcessingResumed { version, from_nothing }],
            // what was made is thrown away
            _ if self.cancelled => vec![],
            Progress::Cancelled => vec![Event::ProcessingCancelled { owner, version }],
            Progress::Made(output) => self.take(version, vec![output]),
            Progress::Completed if self.ready => vec![],
            Progress::Completed => {
                let film = |output: &Output| match output {
                    Output::Film { film } => Some(film.duration_ms),
                    _ => None,
                };
                let duration_ms = made.iter().find_map(film).unwrap_or(self.duration_ms);
                let mut events = self.take(version, made);
                events.push(Event::Ready { owner, version, title, duration_ms });
                events
            }
            Progress::Failed { code, message } => {
                vec![Event::ProcessingFailed { owner, version, title, code, message }]
            }
        }
    }

    /// What is new of what was made.
    fn take(&self, version: u32, made: Vec<Output>) -> Vec<Event> {
        let (mut events, mut playable) = (vec![], self.playable);
        for output in made.into_iter().filter(|output| !self.made.contains(name(output))) {
            match output {
                Output::Film { film } => events.push(Event::Probed { version, film }),
                Output::Thumbnail { picture } => events.push(Event::ThumbnailSet { version, picture }),
                Output::Storyboard { storyboard } => events.push(Event::StoryboardSet { version, storyboard }),
                Output::Renditions { renditions } => {
                    events.push(Event::RenditionsAdded { version, renditions });
                    if !std::mem::replace(&mut playable, true) {
                        events.push(Event::BecamePlayable { owner: self.owner, version });
                    }
                }
            }
        }
        events
    }
}

/// What tells apart what was made: where it lies, which no other attempt shares.
fn name(output: &Output) -> &str {
    match output {
        Output::Film { .. } => FILM,
        Output::Thumbnail { picture } => &picture.file,
        Output::Storyboard { storyboard } => &storyboard.index,
        // those of one task come together
        Output::Renditions { renditions } => renditions.first().map_or("", |rendition| &rendition.folder),
    }
}
