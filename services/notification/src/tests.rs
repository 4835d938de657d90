//! The specification of inboxes.

use chrono::{DateTime, TimeDelta, Utc};
use events::Personal;
use events::notification::inbox::{
    Attempt, Category, Channel, Command, Deferral, Delivery, Event, Item, Notice, Preferences, Quiet, Reason, Receipt,
    Subscription, Target, What,
};
use kernel::Caller;
use kernel::testing::{Given, given};
use uuid::Uuid;

use crate::inbox::{BROWSERS, Inbox, SHOWN, WAITING};
use crate::refusal::Refused;

const NOTICE: Uuid = Uuid::from_u128(10);

/// When the commands of a test are asked: 08:00 UTC.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

fn video() -> What {
    What::VideoReady { video: Uuid::from_u128(9), title: Personal::new("Lighthouse".to_owned()) }
}

fn notice(n: u128) -> Notice {
    let notice = Uuid::from_u128(n);
    Notice { notice, category: Category::Activity, channels: None, what: video() }
}

fn of(category: Category) -> Notice {
    Notice { category, ..notice(10) }
}

fn on(channels: &[Channel]) -> Notice {
    Notice { channels: Some(channels.to_vec()), ..notice(10) }
}

fn told(notice: Notice) -> Event {
    Event::Notified { notice, shown: true, drops: None }
}

fn id(notice: Uuid, channel: Channel, browser: Uuid) -> Uuid {
    Uuid::new_v5(&notice, &[channel.word().as_bytes(), browser.as_bytes()].concat())
}

fn mail(n: u128, category: Category, attempt: u32) -> Delivery {
    let notice = Uuid::from_u128(n);
    Delivery {
        delivery: id(notice, Channel::Email, Uuid::nil()),
        channel: Channel::Email,
        category,
        attempt,
        to: None,
        items: vec![Item { notice, at: now(), what: video() }],
    }
}

fn queued() -> Event {
    Event::DeliveryQueued(mail(10, Category::Activity, 1))
}

fn browser(n: u128) -> Subscription {
    let text = |text: &str| Personal::new(text.to_owned());
    Subscription {
        subscription: Uuid::from_u128(n),
        endpoint: text("https://updates.push.services.mozilla.com/wpush/v2/abc"),
        // the example of RFC 8291
        p256dh: text("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        auth: text("BTBZMqHH6r4Tts7J_aSIgg"),
    }
}

fn wishes(preferences: Preferences) -> Event {
    Event::PreferencesSet(preferences)
}

fn without(category: Category, channel: Channel) -> Event {
    wishes(Preferences { channels: [(category, [(channel, false)].into())].into(), ..Preferences::default() })
}

fn quiet() -> Event {
    let clock = |text: &str| text.parse().expect("a time of the day");
    let quiet = Quiet { from: clock("07:00"), to: clock("09:30") };
    wishes(Preferences { quiet: Some(quiet), ..Preferences::default() })
}

fn digest() -> Event {
    wishes(Preferences { digest_at: Some("09:00".parse().expect("a time")), ..Preferences::default() })
}

fn system(events: impl IntoIterator<Item = Event>) -> Given<Inbox> {
    given::<Inbox>(events).by(Caller::System)
}

fn suppressed(channel: Channel, reason: Reason) -> Event {
    Event::Suppressed { notice: NOTICE, channel, reason }
}

fn report(result: Attempt) -> Command {
    Command::Report { delivery: id(NOTICE, Channel::Email, Uuid::nil()), attempt: 1, result }
}

fn failed(error: &str, attempt: u32, again_at: Option<DateTime<Utc>>) -> Event {
    let delivery = id(NOTICE, Channel::Email, Uuid::nil());
    Event::DeliveryFailed { delivery, channel: Channel::Email, attempt, error: error.to_owned(), again_at }
}

#[test]
fn what_happens_is_told_in_the_inbox_and_by_mail() {
    system([]).when(Command::Notify(notice(10))).then([told(notice(10)), queued()]);
}

#[test]
fn the_same_thing_is_told_once() {
    system([told(notice(10)), queued()]).when(Command::Notify(notice(10))).then([]);
}

#[test]
fn every_browser_hears_of_it() {
    let (one, other) = (browser(20), browser(21));
    let known = [Event::PushSubscribed(one.clone()), Event::PushSubscribed(other.clone())];
    let push = |to: Subscription| {
        let delivery = id(NOTICE, Channel::Push, to.subscription);
        Event::DeliveryQueued(Delivery {
            delivery,
            channel: Channel::Push,
            to: Some(Target::Browser(to)),
            ..mail(10, Category::Activity, 1)
        })
    };
    system(known).when(Command::Notify(notice(10))).then([told(notice(10)), queued(), push(one), push(other)]);
}

#[test]
fn what_is_switched_off_is_not_sent_and_that_is_known() {
    system([without(Category::Activity, Channel::Email)])
        .when(Command::Notify(notice(10)))
        .then([told(notice(10)), suppressed(Channel::Email, Reason::SwitchedOff)]);
    let hidden = Event::Notified { notice: notice(10), shown: false, drops: None };
    system([without(Category::Activity, Channel::InApp)]).when(Command::Notify(notice(10))).then([hidden, queued()]);
}

#[test]
fn what_is_about_the_account_cannot_be_switched_off() {
    let sent = Event::DeliveryQueued(mail(10, Category::Security, 1));
    system([without(Category::Security, Channel::Email)])
        .when(Command::Notify(of(Category::Security)))
        .then([told(of(Category::Security)), sent]);
}

#[test]
fn nobody_hears_of_what_is_new_without_asking() {
    let what = Notice { channels: Some(vec![Channel::InApp, Channel::Email]), ..of(Category::Marketing) };
    let hidden = Event::Notified { notice: what.clone(), shown: false, drops: None };
    system([]).when(Command::Notify(what)).then([hidden, suppressed(Channel::Email, Reason::SwitchedOff)]);
}

#[test]
fn a_channel_that_was_asked_for_and_leads_nowhere_is_named() {
    let what = Notice { category: Category::Transactional, ..on(&[Channel::Sms, Channel::Push]) };
    let hidden = Event::Notified { notice: what.clone(), shown: false, drops: None };
    system([]).when(Command::Notify(what)).then([
        hidden,
        suppressed(Channel::Push, Reason::NoAddress),
        suppressed(Channel::Sms, Reason::NoAddress),
    ]);
}

#[test]
fn quiet_hours_put_off_what_can_wait() {
    let until = now() + TimeDelta::minutes(90);
    let deferred = Event::Deferred { delivery: mail(10, Category::Activity, 0), until, reason: Deferral::QuietHours };
    system([quiet()]).when(Command::Notify(notice(10))).then([told(notice(10)), deferred.clone()]);
    let at_once = Event::DeliveryQueued(mail(10, Category::Security, 1));
    system([quiet()]).when(Command::Notify(of(Category::Security))).then([told(of(Category::Security)), at_once]);
    let waiting = || system([quiet(), told(notice(10)), deferred.clone()]);
    waiting().when(Command::Release { at: until - TimeDelta::seconds(1) }).then([]);
    waiting().when(Command::Release { at: until }).then([queued()]);
    system([quiet(), told(notice(10)), deferred.clone(), queued()]).when(Command::Release { at: until }).then([]);
}

#[test]
fn a_digest_is_one_mail_about_everything() {
    let until = now() + TimeDelta::hours(1);
    let deferred = |n| Event::Deferred { delivery: mail(n, Category::Activity, 0), until, reason: Deferral::Digest };
    system([digest()]).when(Command::Notify(notice(10))).then([told(notice(10)), deferred(10)]);
    system([digest(), deferred(10)]).when(Command::Release { at: until }).then([queued()]);
    let (one, two) = (mail(10, Category::Activity, 0), mail(11, Category::Activity, 0));
    let first = if one.delivery < two.delivery { one.delivery } else { two.delivery };
    let delivery = Uuid::new_v5(&first, until.to_rfc3339().as_bytes());
    let mut replaces = vec![one.delivery, two.delivery];
    replaces.sort();
    let items = [one.items.clone(), two.items.clone()].concat();
    let together = Delivery { delivery, attempt: 1, items, ..one };
    let composed = Event::DigestComposed { delivery, replaces };
    let sent = Event::DeliveryQueued(together);
    system([digest(), deferred(10), deferred(11)])
        .when(Command::Release { at: until })
        .then([composed.clone(), sent.clone()]);
    system([digest(), deferred(10), deferred(11), composed, sent]).when(Command::Release { at: until }).then([]);
}

#[test]
fn what_was_sent_is_over() {
    let delivery = id(NOTICE, Channel::Email, Uuid::nil());
    let sent = Event::DeliverySent { delivery, channel: Channel::Email, provider_id: None };
    let happened = || [told(notice(10)), queued()];
    system(happened()).when(report(Attempt::Sent { provider_id: None })).then([sent.clone()]);
    let again = happened().into_iter().chain([sent]);
    system(again).when(report(Attempt::Sent { provider_id: None })).then([]);
}

#[test]
fn what_failed_is_tried_again_and_given_up_after_a_day() {
    let not_now = || Attempt::NotNow { error: "SMTP 451".to_owned(), rest_s: None };
    let soon = now() + TimeDelta::seconds(10);
    system([queued()]).when(report(not_now())).then([failed("SMTP 451", 1, Some(soon))]);
    let again = Event::DeliveryQueued(mail(10, Category::Activity, 2));
    system([queued(), failed("SMTP 451", 1, Some(soon))]).when(Command::Release { at: soon }).then([again]);
    // a late report of the first attempt says nothing about the second
    let second = Event::DeliveryQueued(mail(10, Category::Activity, 2));
    system([queued(), failed("SMTP 451", 1, Some(soon)), second]).when(report(not_now())).then([]);
    let last = Event::DeliveryQueued(mail(10, Category::Activity, 9));
    let Command::Report { delivery, .. } = report(not_now()) else { unreachable!("it is one") };
    system([last])
        .when(Command::Report { delivery, attempt: 9, result: not_now() })
        .then([failed("SMTP 451", 9, None)]);
}

#[test]
fn a_provider_that_wants_rest_gets_it() {
    let result = Attempt::NotNow { error: "429".to_owned(), rest_s: Some(120) };
    let again = now() + TimeDelta::seconds(120);
    system([queued()]).when(report(result)).then([failed("429", 1, Some(again))]);
}

#[test]
fn what_was_given_up_can_be_tried_again_by_an_admin() {
    let delivery = id(NOTICE, Channel::Email, Uuid::nil());
    let over = || [queued(), failed("SMTP 554", 1, None)];
    given::<Inbox>(over()).by_admin().when(Command::Retry { delivery }).then([queued()]);
    given::<Inbox>(over()).when(Command::Retry { delivery }).rejected(Refused::NotAdmin);
    given::<Inbox>([queued()]).by_admin().when(Command::Retry { delivery }).rejected(Refused::NothingFailed);
}

#[test]
fn an_address_that_is_none_is_written_to_no_more_until_an_admin_says_so() {
    let delivery = id(NOTICE, Channel::Email, Uuid::nil());
    let bounced = Event::DeliveryBounced { delivery, channel: Channel::Email, receipt: Receipt::Bounced };
    let gone = Attempt::Gone { error: "SMTP 550".to_owned() };
    system([queued()]).when(report(gone)).then([failed("SMTP 550", 1, None), bounced.clone()]);
    system([bounced.clone()])
        .when(Command::Notify(of(Category::Security)))
        .then([told(of(Category::Security)), suppressed(Channel::Email, Reason::Bounced)]);
    let lift = Command::LiftSuppression { channel: Channel::Email };
    let lifted = Event::SuppressionLifted { channel: Channel::Email };
    given::<Inbox>([bounced.clone()]).by_admin().when(lift.clone()).then([lifted.clone()]);
    given::<Inbox>([bounced.clone()]).when(lift).rejected(Refused::NotAdmin);
    system([bounced, lifted]).when(Command::Notify(notice(10))).then([told(notice(10)), queued()]);
}

#[test]
fn a_complaint_ends_all_but_what_is_about_the_account() {
    let delivery = id(NOTICE, Channel::Email, Uuid::nil());
    let sent = Event::DeliverySent { delivery, channel: Channel::Email, provider_id: None };
    let complained = Event::DeliveryBounced { delivery, channel: Channel::Email, receipt: Receipt::Complained };
    let command = Command::RecordReceipt { delivery, receipt: Receipt::Complained };
    system([queued(), sent.clone()]).when(command.clone()).then([complained.clone()]);
    system([queued(), sent.clone(), complained.clone()]).when(command.clone()).then([]);
    system([queued()]).when(command).rejected(Refused::NeverSent);
    system([complained.clone()])
        .when(Command::Notify(notice(10)))
        .then([told(notice(10)), suppressed(Channel::Email, Reason::Complained)]);
    let safe = Event::DeliveryQueued(mail(10, Category::Security, 1));
    system([complained]).when(Command::Notify(of(Category::Security))).then([told(of(Category::Security)), safe]);
}

#[test]
fn a_browser_that_is_gone_is_forgotten() {
    let to = browser(20);
    let delivery = id(NOTICE, Channel::Push, to.subscription);
    let push = Delivery {
        delivery,
        channel: Channel::Push,
        to: Some(Target::Browser(to.clone())),
        ..mail(10, Category::Activity, 1)
    };
    let happened = [Event::PushSubscribed(to.clone()), Event::DeliveryQueued(push)];
    let result = Attempt::Gone { error: "410".to_owned() };
    let failed =
        Event::DeliveryFailed { delivery, channel: Channel::Push, attempt: 1, error: "410".to_owned(), again_at: None };
    let ended = Event::PushEnded { subscription: to.subscription, gone: true };
    system(happened).when(Command::Report { delivery, attempt: 1, result }).then([failed, ended]);
}

#[test]
fn a_person_has_a_bounded_number_of_browsers() {
    let full = || (0..BROWSERS as u128).map(|n| Event::PushSubscribed(browser(100 + n)));
    given::<Inbox>(full()).when(Command::Subscribe(browser(1))).rejected(Refused::TooManyBrowsers);
    given::<Inbox>(full()).when(Command::Subscribe(browser(100))).then([]);
    let none = Subscription { auth: Personal::new("short".to_owned()), ..browser(1) };
    given::<Inbox>([]).when(Command::Subscribe(none)).rejected(Refused::BadBrowser(crate::Unacceptable::Auth));
    let end = Command::EndSubscription { subscription: Uuid::from_u128(100) };
    let ended = Event::PushEnded { subscription: Uuid::from_u128(100), gone: false };
    given::<Inbox>(full()).when(end.clone()).then([ended]);
    given::<Inbox>([]).when(end).then([]);
}

#[test]
fn what_was_seen_is_read_once() {
    let all = Command::MarkRead { notices: None };
    let both = || [told(notice(10)), told(notice(11))];
    given::<Inbox>(both()).when(all.clone()).then([Event::Read { notices: vec![NOTICE, Uuid::from_u128(11)] }]);
    let one = Command::MarkRead { notices: Some(vec![NOTICE, Uuid::from_u128(99)]) };
    given::<Inbox>(both()).when(one).then([Event::Read { notices: vec![NOTICE] }]);
    let seen = [told(notice(10)), Event::Read { notices: vec![NOTICE] }];
    given::<Inbox>(seen).when(all.clone()).then([]);
    let stranger = Caller::Person { id: Uuid::from_u128(3), roles: vec![] };
    given::<Inbox>(both()).by(stranger).when(all).rejected(Refused::NotYours);
}

#[test]
fn an_inbox_shows_a_bounded_number() {
    let full = (0..SHOWN as u128).map(|n| told(notice(1000 + n)));
    let what = Event::Notified { notice: notice(10), shown: true, drops: Some(Uuid::from_u128(1000)) };
    system(full).when(Command::Notify(notice(10))).then([what, queued()]);
}

#[test]
fn a_bounded_number_waits() {
    let full = (0..WAITING as u128).map(|n| Event::DeliveryQueued(mail(1000 + n, Category::Activity, 1)));
    system(full)
        .when(Command::Notify(notice(10)))
        .then([told(notice(10)), suppressed(Channel::Email, Reason::TooMany)]);
}

#[test]
fn the_link_in_a_mail_ends_mails_of_its_kind() {
    let end = |category| Command::Unsubscribe { category };
    let ended = || Event::Unsubscribed { category: Category::Activity };
    system([]).when(end(Category::Activity)).then([ended()]);
    system([ended()]).when(end(Category::Activity)).then([]);
    system([]).when(end(Category::Transactional)).rejected(Refused::Fixed);
    system([ended()])
        .when(Command::Notify(notice(10)))
        .then([told(notice(10)), suppressed(Channel::Email, Reason::SwitchedOff)]);
}

#[test]
fn wishes_have_to_be_possible() {
    let set = |preferences| given::<Inbox>([]).when(Command::SetPreferences(preferences));
    let zone = |zone: &str| Preferences { zone: Some(zone.to_owned()), ..Preferences::default() };
    set(zone("Europe/Atlantis")).rejected(Refused::BadZone);
    set(zone("Europe/Vienna")).then([wishes(zone("Europe/Vienna"))]);
    set(Preferences::default()).then([]);
    let phone = |number: &str| Preferences { phone: Some(Personal::new(number.to_owned())), ..Preferences::default() };
    for number in ["0660123456", "+43", "+043660123456", "+4366012345x", ""] {
        set(phone(number)).rejected(Refused::BadPhone);
    }
    set(phone("+4366012345678")).then([wishes(phone("+4366012345678"))]);
    let locale = |tag: &str| Preferences { locale: Some(tag.to_owned()), ..Preferences::default() };
    set(locale("de_AT")).rejected(Refused::BadLocale);
    set(locale("de-AT")).then([wishes(locale("de-AT"))]);
}

#[test]
fn only_admins_and_reprise_tell_people_things() {
    given::<Inbox>([]).when(Command::Notify(notice(10))).rejected(Refused::NotAdmin);
    given::<Inbox>([]).by_admin().when(Command::Notify(notice(10))).then([told(notice(10)), queued()]);
    given::<Inbox>([]).by_admin().when(report(Attempt::Sent { provider_id: None })).rejected(Refused::NotReprise);
}

#[test]
fn a_message_has_a_title_a_text_and_a_link_that_leads_somewhere() {
    let message = |title: &str, text: &str, link: Option<&str>| {
        let what = What::Message {
            title: Personal::new(title.to_owned()),
            text: Personal::new(text.to_owned()),
            html: None,
            link: link.map(str::to_owned),
            template: None,
        };
        system([]).when(Command::Notify(Notice { what, channels: Some(vec![]), ..notice(10) }))
    };
    message("", "text", None).rejected(Refused::Length("a title", 200));
    message("title", " ", None).rejected(Refused::Length("a text", 20_000));
    for link in ["javascript:alert(1)", "//elsewhere", "http://x", "/a b"] {
        message("title", "text", Some(link)).rejected(Refused::BadLink);
    }
}

#[test]
fn who_is_forgotten_is_told_nothing_more() {
    let gone = || [told(notice(10)), queued(), Event::Erased { notices: vec![NOTICE] }];
    system([told(notice(10))]).when(Command::Erase {}).then([Event::Erased { notices: vec![NOTICE] }]);
    system(gone()).when(Command::Notify(notice(11))).then([]);
    system(gone()).when(report(Attempt::Sent { provider_id: None })).then([]);
    system(gone()).when(Command::Erase {}).then([]);
    given::<Inbox>(gone()).when(Command::MarkRead { notices: None }).rejected(Refused::Missing);
}
