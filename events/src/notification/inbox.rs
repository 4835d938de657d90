//! An inbox: what one person is told, and how it reaches them. Its id is the person's. One aggregate, because whether and
//! when something is sent depends on their wishes, on what waits already, and on which addresses still work.

use crate::Personal;
use chrono::{DateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

pub use super::delivery::{Attempt, Deferral, Delivery, Item, Reason, Receipt, Subscription, Target};

/// What can be asked of an inbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Tells the person something, once for each id.
    #[serde(rename = "notification.inbox.notify.v1")]
    Notify(Notice),
    /// What was put off until then is due; asked by a timer.
    #[serde(rename = "notification.inbox.release.v1")]
    Release {
        /// When it was to be.
        at: DateTime<Utc>,
    },
    /// What came of an attempt to deliver; asked by whoever tried.
    #[serde(rename = "notification.inbox.report.v1")]
    Report {
        /// What was delivered.
        delivery: Uuid,
        /// Which attempt it was.
        attempt: u32,
        /// What came of it.
        result: Attempt,
    },
    /// A provider says later what became of a delivery.
    #[serde(rename = "notification.inbox.record_receipt.v1")]
    RecordReceipt {
        /// What was delivered.
        delivery: Uuid,
        /// What it says.
        receipt: Receipt,
    },
    /// Tries again what failed.
    #[serde(rename = "notification.inbox.retry.v1")]
    Retry {
        /// What was to be delivered.
        delivery: Uuid,
    },
    /// The person saw these; what is unknown or was seen before changes nothing.
    #[serde(rename = "notification.inbox.mark_read.v1")]
    MarkRead {
        /// Which; all of them without a list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notices: Option<Vec<Uuid>>,
    },
    /// Says how the person wants to hear of things; replaces what was said before.
    #[serde(rename = "notification.inbox.set_preferences.v1")]
    SetPreferences(Preferences),
    /// Ends all mails of a category; asked by the link in a mail.
    #[serde(rename = "notification.inbox.unsubscribe.v1")]
    Unsubscribe {
        /// Of what.
        category: Category,
    },
    /// A browser may be told things.
    #[serde(rename = "notification.inbox.subscribe.v1")]
    Subscribe(Subscription),
    /// A browser is not to be told things any more.
    #[serde(rename = "notification.inbox.end_subscription.v1")]
    EndSubscription {
        /// Which.
        subscription: Uuid,
    },
    /// The person's address works again.
    #[serde(rename = "notification.inbox.lift_suppression.v1")]
    LiftSuppression {
        /// On which channel.
        channel: Channel,
    },
    /// Forgets everything, for good.
    #[serde(rename = "notification.inbox.erase.v1")]
    Erase {},
}

/// What happened to an inbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// The person is told something.
    #[serde(rename = "notification.inbox.notified.v1")]
    Notified {
        /// What.
        #[serde(flatten)]
        notice: Notice,
        /// Whether it shows in the inbox.
        shown: bool,
        /// The oldest one, which makes room for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drops: Option<Uuid>,
    },
    /// It does not go out on a channel.
    #[serde(rename = "notification.inbox.suppressed.v1")]
    Suppressed {
        /// What.
        notice: Uuid,
        /// Where.
        channel: Channel,
        /// Why.
        reason: Reason,
    },
    /// It goes out later.
    #[serde(rename = "notification.inbox.deferred.v1")]
    Deferred {
        /// What goes out.
        #[serde(flatten)]
        delivery: Delivery,
        /// When.
        until: DateTime<Utc>,
        /// Why.
        reason: Deferral,
    },
    /// What waited for a digest goes out as one; its delivery follows.
    #[serde(rename = "notification.inbox.digest_composed.v1")]
    DigestComposed {
        /// The delivery of the digest.
        delivery: Uuid,
        /// The deliveries that it replaces.
        replaces: Vec<Uuid>,
    },
    /// It is to be delivered now.
    #[serde(rename = "notification.inbox.delivery_queued.v1")]
    DeliveryQueued(Delivery),
    /// A provider took it.
    #[serde(rename = "notification.inbox.delivery_sent.v1")]
    DeliverySent {
        /// What.
        delivery: Uuid,
        /// Where.
        channel: Channel,
        /// What the provider calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_id: Option<String>,
    },
    /// It could not be delivered.
    #[serde(rename = "notification.inbox.delivery_failed.v1")]
    DeliveryFailed {
        /// What.
        delivery: Uuid,
        /// Where.
        channel: Channel,
        /// Which attempt it was.
        attempt: u32,
        /// Why, without anything personal.
        error: String,
        /// When it is tried again; never, when there is no time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again_at: Option<DateTime<Utc>>,
    },
    /// It came back, or the person complained: the channel is not used any more.
    #[serde(rename = "notification.inbox.delivery_bounced.v1")]
    DeliveryBounced {
        /// What.
        delivery: Uuid,
        /// Where.
        channel: Channel,
        /// Which of both.
        receipt: Receipt,
    },
    /// The channel is used again.
    #[serde(rename = "notification.inbox.suppression_lifted.v1")]
    SuppressionLifted {
        /// Which.
        channel: Channel,
    },
    /// The person saw them.
    #[serde(rename = "notification.inbox.read.v1")]
    Read {
        /// Which.
        notices: Vec<Uuid>,
    },
    /// So the person wants it.
    #[serde(rename = "notification.inbox.preferences_set.v1")]
    PreferencesSet(Preferences),
    /// No mails of this category any more.
    #[serde(rename = "notification.inbox.unsubscribed.v1")]
    Unsubscribed {
        /// Of what.
        category: Category,
    },
    /// A browser is told things.
    #[serde(rename = "notification.inbox.push_subscribed.v1")]
    PushSubscribed(Subscription),
    /// A browser is told nothing any more.
    #[serde(rename = "notification.inbox.push_ended.v1")]
    PushEnded {
        /// Which.
        subscription: Uuid,
        /// It does not exist any more, its push service says.
        gone: bool,
    },
    /// The person is forgotten.
    #[serde(rename = "notification.inbox.erased.v1")]
    Erased {
        /// What showed in the inbox.
        notices: Vec<Uuid>,
    },
}

/// Something that a person is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id: that of the event it is about, or one made of the caller's key. The same id is told once.
    pub notice: Uuid,
    /// How much it matters, and who decides.
    pub category: Category,
    /// The channels it goes out on; without them those that the person wants for the category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<Channel>>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What a person is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A video of theirs is all there.
    VideoReady {
        /// Which.
        video: Uuid,
        /// What it is called.
        title: Personal<String>,
    },
    /// Nothing could be made of a video of theirs.
    VideoFailed {
        /// Which.
        video: Uuid,
        /// What it is called.
        title: Personal<String>,
        /// Why, in words for them.
        message: String,
    },
    /// Whatever somebody wrote, who may.
    Message {
        /// One line.
        title: Personal<String>,
        /// As plain text.
        text: Personal<String>,
        /// As HTML, for channels that show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        html: Option<Personal<String>>,
        /// Where it leads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
        /// The template it was made of: `key@version/locale`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        template: Option<String>,
    },
}

/// How much it matters, and who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// About their account: goes out at once, and cannot be switched off.
    Security,
    /// What they asked for, like a confirmation: cannot be switched off.
    Transactional,
    /// What happens with what is theirs.
    Activity,
    /// What others would like them to know: only for those who asked for it.
    Marketing,
}

/// A way to reach a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The inbox on the site.
    InApp,
    /// A mail.
    Email,
    /// Their browsers.
    Push,
    /// Their telephone.
    Sms,
}

impl Category {
    /// All of them.
    pub const ALL: [Category; 4] =
        [Category::Security, Category::Transactional, Category::Activity, Category::Marketing];

    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Category::Security => "security",
            Category::Transactional => "transactional",
            Category::Activity => "activity",
            Category::Marketing => "marketing",
        }
    }
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 4] = [Channel::InApp, Channel::Email, Channel::Push, Channel::Sms];

    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Channel::InApp => "in_app",
            Channel::Email => "email",
            Channel::Push => "push",
            Channel::Sms => "sms",
        }
    }
}

/// How a person wants to hear of things.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// What differs from the usual: by category, by channel, whether it is used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Category, BTreeMap<Channel, bool>>,
    /// When to leave them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
    /// When mails about activity come together, once a day; at once, without a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_at: Option<NaiveTime>,
    /// The zone of these times, by its IANA name; UTC without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The language of what is written from templates, by its BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The telephone, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Personal<String>>,
}

/// A time of the day in which nothing but what matters goes out; over midnight when it ends before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// Its beginning, local time.
    pub from: NaiveTime,
    /// Its end, local time.
    pub to: NaiveTime,
}
