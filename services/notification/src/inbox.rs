//! An inbox: each notice is told once, goes where the person wants it and when, and what could not be delivered is tried
//! again for a day.

use chrono::{DateTime, TimeDelta, Utc};
use events::notification::inbox::{
    Attempt, Category, Channel, Command, Deferral, Delivery, Event, Item, Notice, Preferences, Reason, Receipt,
    Subscription, Target,
};
use kernel::{Caller, Decider, Meta};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

use crate::refusal::{self, Refused};
use crate::wishes;

/// An inbox shows so many notices; the oldest make room.
pub(crate) const SHOWN: usize = 500;
/// So many notices, deliveries and failures are remembered.
const REMEMBERED: usize = 200;
/// So many deliveries may wait.
pub(crate) const WAITING: usize = 500;
/// So many browsers of one person are told things.
pub(crate) const BROWSERS: usize = 20;
/// How long what failed rests before it is tried again, seconds.
const RESTS: [i64; 8] = [10, 60, 300, 1800, 2 * 3600, 4 * 3600, 8 * 3600, 12 * 3600];

/// The state of an inbox.
#[derive(Default, Serialize, Deserialize)]
pub struct Inbox {
    preferences: Preferences,
    browsers: BTreeMap<Uuid, Subscription>,
    dead_ends: BTreeMap<Channel, Receipt>,
    told: VecDeque<Uuid>,
    /// What shows, and whether it was seen.
    shown: VecDeque<(Uuid, bool)>,
    waiting: BTreeMap<Uuid, Waiting>,
    /// What providers may still say something about.
    sent: VecDeque<(Uuid, Channel)>,
    failed: VecDeque<Delivery>,
    erased: bool,
}

/// A delivery that is not over.
#[derive(Serialize, Deserialize)]
struct Waiting {
    delivery: Delivery,
    /// Put off until then; under way without a time.
    until: Option<DateTime<Utc>>,
    digest: bool,
}

impl Decider for Inbox {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Refused;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Refused> {
        refusal::permitted(&command, meta)?;
        if self.erased {
            // what was on its way when the person left has nobody to go to
            return if meta.caller == Caller::System { Ok(vec![]) } else { Err(Refused::Missing) };
        }
        match command {
            Command::Notify(notice) => self.notify(notice, meta),
            Command::Release { at } => Ok(self.release(at)),
            Command::Report { delivery, attempt, result } => Ok(self.report(delivery, attempt, result, meta.time)),
            Command::RecordReceipt { delivery, receipt } => self.receipt(delivery, receipt),
            Command::Retry { delivery } => {
                let failed = self.failed.iter().find(|failed| failed.delivery == delivery);
                let again = Delivery { attempt: 1, ..failed.ok_or(Refused::NothingFailed)?.clone() };
                Ok(vec![Event::DeliveryQueued(again)])
            }
            Command::MarkRead { notices } => Ok(self.read(notices)),
            Command::SetPreferences(preferences) => {
                refusal::acceptable_preferences(&preferences)?;
                let new = preferences != self.preferences;
                Ok(new.then_some(Event::PreferencesSet(preferences)).into_iter().collect())
            }
            Command::Unsubscribe { category } => {
                (!wishes::is_fixed(category, Channel::Email)).then_some(()).ok_or(Refused::Fixed)?;
                let wanted = wishes::wants(&self.preferences, category, Channel::Email);
                Ok(wanted.then_some(Event::Unsubscribed { category }).into_iter().collect())
            }
            Command::Subscribe(browser) => self.subscribe(browser),
            Command::EndSubscription { subscription } => {
                let known = self.browsers.contains_key(&subscription);
                Ok(known.then_some(Event::PushEnded { subscription, gone: false }).into_iter().collect())
            }
            Command::LiftSuppression { channel } => {
                let dead = self.dead_ends.contains_key(&channel);
                Ok(dead.then_some(Event::SuppressionLifted { channel }).into_iter().collect())
            }
            Command::Erase {} => {
                Ok(vec![Event::Erased { notices: self.shown.iter().map(|(notice, _)| *notice).collect() }])
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Notified { notice, shown, drops } => {
                remember(&mut self.told, notice.notice);
                self.shown.retain(|(notice, _)| Some(*notice) != *drops);
                if *shown {
                    self.shown.push_back((notice.notice, false));
                }
            }
            Event::Suppressed { .. } => {}
            Event::Deferred { delivery, until, reason } => {
                let digest = *reason == Deferral::Digest;
                self.wait(delivery.clone(), Some(*until), digest);
            }
            Event::DigestComposed { replaces, .. } => self.waiting.retain(|id, _| !replaces.contains(id)),
            Event::DeliveryQueued(delivery) => {
                self.failed.retain(|failed| failed.delivery != delivery.delivery);
                self.wait(delivery.clone(), None, false);
            }
            Event::DeliverySent { delivery, channel, .. } => {
                self.waiting.remove(delivery);
                remember(&mut self.sent, (*delivery, *channel));
            }
            Event::DeliveryFailed { delivery, again_at: Some(at), .. } => {
                if let Some(waiting) = self.waiting.get_mut(delivery) {
                    waiting.until = Some(*at);
                }
            }
            Event::DeliveryFailed { delivery, again_at: None, .. } => {
                if let Some(over) = self.waiting.remove(delivery) {
                    remember(&mut self.failed, over.delivery);
                }
            }
            Event::DeliveryBounced { channel, receipt, .. } => drop(self.dead_ends.insert(*channel, *receipt)),
            Event::SuppressionLifted { channel } => drop(self.dead_ends.remove(channel)),
            Event::Read { notices } => {
                let seen = self.shown.iter_mut().filter(|(notice, _)| notices.contains(notice));
                seen.for_each(|(_, read)| *read = true);
            }
            Event::PreferencesSet(preferences) => self.preferences = preferences.clone(),
            Event::Unsubscribed { category } => {
                self.preferences.channels.entry(*category).or_default().insert(Channel::Email, false);
            }
            Event::PushSubscribed(browser) => drop(self.browsers.insert(browser.subscription, browser.clone())),
            Event::PushEnded { subscription, .. } => drop(self.browsers.remove(subscription)),
            Event::Erased { .. } => *self = Inbox { erased: true, ..Inbox::default() },
        }
    }
}

fn remember<T>(list: &mut VecDeque<T>, one: T) {
    list.push_back(one);
    if list.len() > REMEMBERED {
        list.pop_front();
    }
}

impl Inbox {
    fn wait(&mut self, delivery: Delivery, until: Option<DateTime<Utc>>, digest: bool) {
        self.waiting.insert(delivery.delivery, Waiting { delivery, until, digest });
    }

    fn notify(&self, notice: Notice, meta: &Meta) -> Result<Vec<Event>, Refused> {
        refusal::acceptable_notice(&notice)?;
        if self.told.contains(&notice.notice) {
            return Ok(vec![]);
        }
        let goes =
            |channel| wishes::is_meant(&notice, channel) && wishes::wants(&self.preferences, notice.category, channel);
        let shown = goes(Channel::InApp);
        let full = shown && self.shown.len() >= SHOWN;
        let drops = self.shown.front().filter(|_| full).map(|(oldest, _)| *oldest);
        let elsewhere = [Channel::Email, Channel::Push, Channel::Sms].into_iter();
        let elsewhere: Vec<_> = elsewhere.flat_map(|channel| self.send(&notice, channel, meta.time)).collect();
        Ok(std::iter::once(Event::Notified { notice, shown, drops }).chain(elsewhere).collect())
    }

    /// What happens to a notice on a channel.
    fn send(&self, notice: &Notice, channel: Channel, now: DateTime<Utc>) -> Vec<Event> {
        if !wishes::is_meant(notice, channel) {
            return vec![];
        }
        let suppressed = |reason| vec![Event::Suppressed { notice: notice.notice, channel, reason }];
        if !wishes::wants(&self.preferences, notice.category, channel) {
            return suppressed(Reason::SwitchedOff);
        }
        match self.dead_ends.get(&channel) {
            Some(Receipt::Bounced) => return suppressed(Reason::Bounced),
            Some(Receipt::Complained) if notice.category != Category::Security => {
                return suppressed(Reason::Complained);
            }
            _ => {}
        }
        let targets = self.targets(channel);
        if targets.is_empty() {
            return if notice.channels.is_some() { suppressed(Reason::NoAddress) } else { vec![] };
        }
        if self.waiting.len() + targets.len() > WAITING {
            return suppressed(Reason::TooMany);
        }
        let waits = wishes::waits(&self.preferences, notice.category, channel, now);
        let event = |to: Option<Target>| {
            let item = Item { notice: notice.notice, at: now, what: notice.what.clone() };
            let delivery = Delivery {
                delivery: delivery_id(notice.notice, channel, to.as_ref()),
                channel,
                category: notice.category,
                attempt: u32::from(waits.is_none()),
                to,
                items: vec![item],
            };
            match waits {
                Some((until, reason)) => Event::Deferred { delivery, until, reason },
                None => Event::DeliveryQueued(delivery),
            }
        };
        targets.into_iter().map(event).collect()
    }

    /// Where a channel leads. Where mails go is looked up when they are sent.
    fn targets(&self, channel: Channel) -> Vec<Option<Target>> {
        match channel {
            Channel::InApp => vec![],
            Channel::Email => vec![None],
            Channel::Push => self.browsers.values().cloned().map(|browser| Some(Target::Browser(browser))).collect(),
            Channel::Sms => self.preferences.phone.iter().cloned().map(|to| Some(Target::Telephone(to))).collect(),
        }
    }

    /// What is due goes out; what waited for a digest goes out as one mail.
    fn release(&self, at: DateTime<Utc>) -> Vec<Event> {
        let due = |waiting: &&Waiting| waiting.until.is_some_and(|until| until <= at);
        let (digest, alone): (Vec<_>, Vec<_>) =
            self.waiting.values().filter(due).partition(|waiting| waiting.digest && waiting.delivery.attempt == 0);
        let again = |waiting: &Waiting| {
            let attempt = waiting.delivery.attempt + 1;
            Event::DeliveryQueued(Delivery { attempt, ..waiting.delivery.clone() })
        };
        let alone = alone.into_iter().map(again);
        match &digest[..] {
            [] => alone.collect(),
            [one] => alone.chain([again(one)]).collect(),
            [first, ..] => {
                let mut items: Vec<_> = digest.iter().flat_map(|one| one.delivery.items.clone()).collect();
                items.sort_by_key(|item| (item.at, item.notice));
                let delivery = Uuid::new_v5(&first.delivery.delivery, at.to_rfc3339().as_bytes());
                let replaces = digest.iter().map(|one| one.delivery.delivery).collect();
                let together = Delivery { delivery, attempt: 1, items, ..first.delivery.clone() };
                alone.chain([Event::DigestComposed { delivery, replaces }, Event::DeliveryQueued(together)]).collect()
            }
        }
    }

    fn report(&self, delivery: Uuid, attempt: u32, result: Attempt, now: DateTime<Utc>) -> Vec<Event> {
        let under_way = |waiting: &&Waiting| waiting.until.is_none() && waiting.delivery.attempt == attempt;
        let Some(waiting) = self.waiting.get(&delivery).filter(under_way) else { return vec![] };
        let channel = waiting.delivery.channel;
        let failed = |error, again_at| Event::DeliveryFailed { delivery, channel, attempt, error, again_at };
        match result {
            Attempt::Sent { provider_id } => vec![Event::DeliverySent { delivery, channel, provider_id }],
            Attempt::NotNow { error, rest_s } => {
                let rest = RESTS.get(attempt.saturating_sub(1) as usize);
                let rest = rest.map(|rest| (*rest).max(i64::from(rest_s.unwrap_or_default().min(24 * 3600))));
                vec![failed(error, rest.map(|rest| now + TimeDelta::seconds(rest)))]
            }
            Attempt::Never { error } => vec![failed(error, None)],
            Attempt::Gone { error } => {
                let end = match &waiting.delivery.to {
                    Some(Target::Browser(browser)) => {
                        Event::PushEnded { subscription: browser.subscription, gone: true }
                    }
                    _ => Event::DeliveryBounced { delivery, channel, receipt: Receipt::Bounced },
                };
                vec![failed(error, None), end]
            }
        }
    }

    fn receipt(&self, delivery: Uuid, receipt: Receipt) -> Result<Vec<Event>, Refused> {
        let channel = self.sent.iter().find(|(sent, _)| *sent == delivery).map(|(_, channel)| *channel);
        let channel = channel.ok_or(Refused::NeverSent)?;
        let known = self.dead_ends.get(&channel) == Some(&receipt);
        let bounced = Event::DeliveryBounced { delivery, channel, receipt };
        Ok((!known).then_some(bounced).into_iter().collect())
    }

    fn read(&self, wanted: Option<Vec<Uuid>>) -> Vec<Event> {
        let unseen = self.shown.iter().filter(|(_, read)| !read).map(|(notice, _)| *notice);
        let notices: Vec<_> =
            unseen.filter(|notice| wanted.as_ref().is_none_or(|wanted| wanted.contains(notice))).collect();
        if notices.is_empty() { vec![] } else { vec![Event::Read { notices }] }
    }

    fn subscribe(&self, browser: Subscription) -> Result<Vec<Event>, Refused> {
        refusal::acceptable_browser(&browser)?;
        let known = self.browsers.get(&browser.subscription);
        (known.is_some() || self.browsers.len() < BROWSERS).then_some(()).ok_or(Refused::TooManyBrowsers)?;
        let new = known != Some(&browser);
        Ok(new.then_some(Event::PushSubscribed(browser)).into_iter().collect())
    }
}

/// The same notice on the same channel to the same target is the same delivery.
fn delivery_id(notice: Uuid, channel: Channel, to: Option<&Target>) -> Uuid {
    let browser = match to {
        Some(Target::Browser(browser)) => browser.subscription,
        _ => Uuid::nil(),
    };
    Uuid::new_v5(&notice, &[channel.word().as_bytes(), browser.as_bytes()].concat())
}
