//! Who is told something because of what happened.

use events::identity::user;
use events::notification::inbox::{self, Category, Command, Notice, What};
use events::{Event, Message, Personal, video};
use kernel::{Ask, ask};
use uuid::Uuid;

/// Whenever the work on a video is over, its owner is told.
pub(crate) fn tell_owner_when_video_done(event: &Message<Event>) -> Vec<Ask> {
    let video = event.subject;
    let own = |title: &Personal<String>| title.open().cloned().map(Personal::new);
    match &event.body {
        Event::Video(video::Event::Ready { owner, title, .. }) => {
            let Some(title) = own(title) else { return vec![] };
            vec![tell(*owner, event.id, What::VideoReady { video, title })]
        }
        Event::Video(video::Event::ProcessingFailed { owner, title, message, .. }) => {
            let Some(title) = own(title) else { return vec![] };
            vec![tell(*owner, event.id, What::VideoFailed { video, title, message: message.clone() })]
        }
        _ => vec![],
    }
}

fn tell(person: Uuid, notice: Uuid, what: What) -> Ask {
    ask(person, Command::Notify(Notice { notice, category: Category::Activity, channels: None, what }))
}

/// Whenever something is put off, it is released when its time has come.
pub(crate) fn release_when_due(event: &Message<Event>) -> Vec<Ask> {
    let due = match &event.body {
        Event::Inbox(inbox::Event::Deferred { until, .. }) => *until,
        Event::Inbox(inbox::Event::DeliveryFailed { again_at: Some(at), .. }) => *at,
        _ => return vec![],
    };
    vec![ask(event.subject, Command::Release { at: due }).at(due)]
}

/// Whenever somebody is erased, forget what they were told.
pub(crate) fn erase_inbox_when_user_erased(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::User(user::Event::Erased {}) => vec![ask(event.subject, Command::Erase {})],
        _ => vec![],
    }
}
