//! What a person wants to hear of and where: the usual, what they said otherwise, and what nobody can switch off.

use chrono::{DateTime, Utc};
use events::notification::inbox::{Category, Channel, Deferral, Notice, Preferences};

use crate::times;

/// Whether a channel is used for a category when nobody said anything.
fn usual(category: Category, channel: Channel) -> bool {
    match category {
        Category::Transactional => true,
        Category::Security | Category::Activity => channel != Channel::Sms,
        Category::Marketing => false,
    }
}

/// Whether the person can do nothing about it.
pub(crate) fn is_fixed(category: Category, channel: Channel) -> bool {
    let matters = matches!(category, Category::Security | Category::Transactional);
    matters && matches!(channel, Channel::InApp | Channel::Email)
}

/// Whether a notice is meant for a channel at all.
pub(crate) fn is_meant(notice: &Notice, channel: Channel) -> bool {
    notice.channels.as_ref().map_or_else(|| usual(notice.category, channel), |channels| channels.contains(&channel))
}

/// Whether the person wants to hear of a category there.
pub(crate) fn wants(preferences: &Preferences, category: Category, channel: Channel) -> bool {
    let said = preferences.channels.get(&category).and_then(|channels| channels.get(&channel));
    is_fixed(category, channel) || said.copied().unwrap_or_else(|| usual(category, channel))
}

/// Until when something has to wait, and why.
pub(crate) fn waits(
    preferences: &Preferences,
    category: Category,
    channel: Channel,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, Deferral)> {
    let zone = times::zone(preferences.zone.as_deref()).unwrap_or_default();
    let patient = matches!(category, Category::Activity | Category::Marketing);
    let digest = preferences.digest_at.filter(|_| category == Category::Activity && channel == Channel::Email);
    if let Some(time) = digest {
        return Some((times::next(time, zone, now), Deferral::Digest));
    }
    let until = preferences.quiet.filter(|_| patient).and_then(|quiet| times::quiet_until(quiet, zone, now))?;
    Some((until, Deferral::QuietHours))
}
