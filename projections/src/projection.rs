//! What a projection is, and the list of all of them. It gets rows and messages and nothing else: it has no way to send
//! anything, so reading the log again repeats nothing in the world.

use std::time::Duration;

use crate::recorded::Recorded;
use crate::table::Rows;
use crate::{
    contact_page, delivery_page, file_page, inbox_page, job_page, operations, profile_page, template_page, user_page,
    video_page, wishes_page,
};

/// A read model in the making: its tables, and what each message changes in them.
///
/// The engine calls `needs` for a batch of messages, loads the rows that were named, calls `needs` again (what was
/// loaded may lead to more), and then `apply` for one message after the other. The changed rows and the checkpoint are
/// written in one transaction. It is the same when a projection is rebuilt; only there the batches are larger.
pub trait Projection: Send + Sync {
    /// Its name: that of the module, the checkpoint, the metric label.
    fn name(&self) -> &'static str;

    /// Counts up whenever `apply` changes meaning: the projection is then rebuilt. Changed columns are noticed anyway.
    fn logic(&self) -> u32 {
        1
    }

    /// The stream it is made from.
    fn stream(&self) -> Stream {
        Stream::Events
    }

    /// Beginnings of the subjects it wants; others only move its position.
    fn listens(&self) -> &'static [&'static str];

    /// An SQL condition for rows whose time is over, if that ever happens.
    fn expires(&self) -> Option<&'static str> {
        None
    }

    /// Names the rows that `apply` will look at or write.
    fn needs(&mut self, recorded: &Recorded);

    /// What the message changes.
    ///
    /// # Errors
    /// The message cannot be applied: its key stops here. The text must not contain anything personal.
    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()>;

    /// Its tables.
    fn tables(&mut self) -> Vec<&mut dyn Rows>;
}

/// A stream that projections are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Everything that happened, kept for ever. Consistency tokens are positions in it.
    Events,
    /// What became of commands, kept for minutes. A rebuild carries over the rows whose messages are gone.
    Outcomes,
}

impl Stream {
    /// Both.
    pub const ALL: [Stream; 2] = [Stream::Events, Stream::Outcomes];

    /// Its name in JetStream.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Events => "EVENTS",
            Stream::Outcomes => "OUTCOMES",
        }
    }

    /// The subjects in it.
    pub fn subjects(self) -> &'static str {
        match self {
            Stream::Events => "evt.>",
            Stream::Outcomes => "out.>",
        }
    }

    /// How long what comes one by one is gathered before it is written, unless somebody waits for it: in larger
    /// transactions a change costs Postgres a third less.
    pub(crate) const GATHER: Duration = Duration::from_millis(50);

    /// Whether every message there ever was can still be read.
    pub fn remembers(self) -> bool {
        self == Stream::Events
    }
}

/// Every projection there is. A new one is one file and one line here.
pub fn all() -> Vec<Box<dyn Projection>> {
    vec![
        Box::<user_page::UserPage>::default(),
        Box::<profile_page::ProfilePage>::default(),
        Box::<file_page::FilePage>::default(),
        Box::<video_page::VideoPage>::default(),
        Box::<inbox_page::InboxPage>::default(),
        Box::<delivery_page::DeliveryPage>::default(),
        Box::<wishes_page::WishesPage>::default(),
        Box::<template_page::TemplatePage>::default(),
        Box::<contact_page::ContactPage>::default(),
        Box::<job_page::JobPage>::default(),
        Box::<operations::Operations>::default(),
    ]
}

/// The projection of this name.
///
/// # Errors
/// There is none; the message says which there are.
pub fn named(name: &str) -> anyhow::Result<Box<dyn Projection>> {
    let names: Vec<_> = all().iter().map(|projection| projection.name()).collect();
    let found = all().into_iter().find(|projection| projection.name() == name);
    found.ok_or_else(|| anyhow::anyhow!("there is no projection {name:?}; there are {}", names.join(", ")))
}

/// What identifies the shape and the logic of a projection: rows made by another definition are made again.
pub(crate) fn definition(projection: &mut dyn Projection) -> String {
    let logic = projection.logic();
    let tables = projection.tables();
    let shapes: Vec<String> = tables.iter().map(|table| table.create("x") + &table.index("x")).collect();
    format!("{logic}: {}", shapes.join("; "))
}
