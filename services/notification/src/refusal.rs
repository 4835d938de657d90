//! What cannot be asked of an inbox, and why.

use events::Personal;
use events::notification::inbox::{Command, Notice, Preferences, Subscription, What};
use kernel::{Caller, Kind, Meta};

use crate::inbox::BROWSERS;
use crate::sms::is_phone;
use crate::subscription::{Unacceptable, acceptable};
use crate::times;

/// What can be in the way.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("there is nobody to tell anything")]
    Missing,
    #[error("only the person or an admin may change how they are told things")]
    NotYours,
    #[error("only an admin may tell people something")]
    NotAdmin,
    #[error("only Reprise itself knows what was delivered")]
    NotReprise,
    #[error("no delivery of this id was sent lately")]
    NeverSent,
    #[error("no delivery of this id failed lately")]
    NothingFailed,
    #[error("mails about the account, and what was asked for, cannot be switched off")]
    Fixed,
    #[error("at most {BROWSERS} browsers of a person are told things, end the subscription of another first")]
    TooManyBrowsers,
    #[error("{0} is 1 to {1} characters")]
    Length(&'static str, usize),
    #[error("a link begins with https:// or with the / of this site")]
    BadLink,
    #[error("a zone is an IANA name like Europe/Vienna")]
    BadZone,
    #[error("a locale is a BCP 47 tag like en or de-AT")]
    BadLocale,
    #[error("a telephone number is + and 7 to 15 digits, as in E.164")]
    BadPhone,
    #[error("no browser gives such a subscription: {0}")]
    BadBrowser(#[from] Unacceptable),
}

impl kernel::Rejection for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "inbox_missing",
            Self::NotYours => "not_yours",
            Self::NotAdmin => "admins_only",
            Self::NotReprise => "reprise_only",
            Self::NeverSent => "delivery_missing",
            Self::NothingFailed => "nothing_failed",
            Self::Fixed => "cannot_be_switched_off",
            Self::TooManyBrowsers => "too_many_subscriptions",
            Self::Length(..) => "text_length",
            Self::BadLink => "link_invalid",
            Self::BadZone => "zone_unknown",
            Self::BadLocale => "locale_invalid",
            Self::BadPhone => "phone_invalid",
            Self::BadBrowser(_) => "subscription_invalid",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing | Self::NeverSent | Self::NothingFailed => Kind::Missing,
            Self::NotYours | Self::NotAdmin | Self::NotReprise => Kind::Forbidden,
            Self::TooManyBrowsers => Kind::Conflict,
            _ => Kind::Invalid,
        }
    }
}

/// Who may ask what.
///
/// # Errors
/// Not this caller.
pub(crate) fn permitted(command: &Command, meta: &Meta) -> Result<(), Refused> {
    let (may, or) = match command {
        Command::Release { .. } | Command::Report { .. } | Command::Erase {} => {
            (meta.caller == Caller::System, Refused::NotReprise)
        }
        Command::Notify(_)
        | Command::RecordReceipt { .. }
        | Command::Retry { .. }
        | Command::LiftSuppression { .. } => (meta.may_administer(), Refused::NotAdmin),
        Command::MarkRead { .. }
        | Command::SetPreferences(_)
        | Command::Unsubscribe { .. }
        | Command::Subscribe(_)
        | Command::EndSubscription { .. } => (meta.may_act_for(meta.subject), Refused::NotYours),
    };
    may.then_some(()).ok_or(or)
}

/// What may be told.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn acceptable_notice(notice: &Notice) -> Result<(), Refused> {
    let What::Message { title, text, html, link, .. } = &notice.what else { return Ok(()) };
    let fits = |what, field: &Personal<String>, limit| {
        let length = field.open().map_or(1, |text| text.trim().chars().count());
        (1..=limit).contains(&length).then_some(()).ok_or(Refused::Length(what, limit))
    };
    fits("a title", title, 200)?;
    fits("a text", text, 20_000)?;
    html.as_ref().map_or(Ok(()), |html| fits("an HTML text", html, 100_000))?;
    let leads = |link: &String| {
        let here = link.starts_with('/') && !link.starts_with("//");
        (here || link.starts_with("https://")) && !link.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    link.as_ref().is_none_or(leads).then_some(()).ok_or(Refused::BadLink)
}

/// What browsers give.
///
/// # Errors
/// The part of it that no browser gives.
pub(crate) fn acceptable_browser(browser: &Subscription) -> Result<(), Refused> {
    let Subscription { endpoint, p256dh, auth, .. } = browser;
    let (Some(endpoint), Some(p256dh), Some(auth)) = (endpoint.open(), p256dh.open(), auth.open()) else {
        return Err(Refused::BadBrowser(Unacceptable::Endpoint));
    };
    Ok(acceptable(endpoint, p256dh, auth)?)
}

/// How a person may want it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn acceptable_preferences(preferences: &Preferences) -> Result<(), Refused> {
    times::zone(preferences.zone.as_deref()).ok_or(Refused::BadZone)?;
    let tag = |tag: &String| {
        let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        tag.len() <= 35 && tag.split('-').all(part)
    };
    preferences.locale.as_ref().is_none_or(tag).then_some(()).ok_or(Refused::BadLocale)?;
    let known = preferences.phone.as_ref().and_then(Personal::open);
    known.is_none_or(|number| is_phone(number)).then_some(()).ok_or(Refused::BadPhone)
}
