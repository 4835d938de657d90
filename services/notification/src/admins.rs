//! Telling admins that somebody wrote with the contact form. What was written is not repeated: it can be forgotten there,
//! and is to stay nowhere else.

use events::notification::contact;
use events::notification::inbox::{Category, Command, Notice, What};
use events::{Event, Message, Personal};
use kernel::{Ask, Done, Worker, ask};
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// Who the admins are. A function, so that this crate needs no database.
pub type Admins = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = anyhow::Result<Vec<Uuid>>> + Send>> + Send + Sync>;

pub(crate) fn worker(admins: Admins) -> Worker {
    Arc::new(move |event| {
        let admins = admins.clone();
        Box::pin(async move { tell(&admins, &event).await })
    })
}

async fn tell(admins: &Admins, event: &Message<Event>) -> Done {
    let Event::Contact(contact::Event::Received(_)) = &event.body else { return Ok(vec![]) };
    Ok(admins().await?.into_iter().map(|admin| notice(admin, event.id)).collect())
}

fn notice(admin: Uuid, notice: Uuid) -> Ask {
    let text = |text: &str| Personal::new(text.to_owned());
    let what = What::Message {
        title: text("Somebody wrote with the contact form"),
        text: text("What they wrote is in the list of messages, where it can be answered and erased."),
        html: None,
        link: Some("/docs#contact".to_owned()),
        template: None,
    };
    ask(admin, Command::Notify(Notice { notice, category: Category::Activity, channels: None, what }))
}
