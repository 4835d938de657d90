//! When something goes out: local times of the day as instants. On the day on which clocks go forward a time may not
//! exist, then it is when they have; on the day on which they go back it exists twice, then the first that is still to
//! come is meant.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use events::notification::inbox::Quiet;

/// The zone of this name, UTC without one.
pub(crate) fn zone(name: Option<&str>) -> Option<Tz> {
    name.map_or(Some(Tz::UTC), |name| name.parse().ok())
}

/// When the quiet hours end, if it is quiet now.
pub(crate) fn quiet_until(quiet: Quiet, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let Quiet { from, to } = quiet;
    let time = now.with_timezone(&zone).time();
    let inside = if from <= to { from <= time && time < to } else { from <= time || time < to };
    inside.then(|| next(to, zone, now))
}

/// When it is this time of the day next.
pub(crate) fn next(time: NaiveTime, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
    let days = now.with_timezone(&zone).date_naive().iter_days();
    let mut coming = days.flat_map(|day| instants(day, time, zone)).filter(|instant| *instant > now);
    coming.next().unwrap_or(now)
}

/// When it is this time on this day: once, or twice, or as soon as there is a time after it.
fn instants(day: NaiveDate, time: NaiveTime, zone: Tz) -> Vec<DateTime<Utc>> {
    let found = |minutes: i64| {
        let local = zone.from_local_datetime(&(day.and_time(time) + TimeDelta::minutes(minutes)));
        [local.earliest(), local.latest().filter(|_| local.single().is_none())]
    };
    // no clock was ever put forward by more than a day, and none by less than minutes
    let first = (0..24 * 60).step_by(15).map(found).find(|found| found[0].is_some());
    first.into_iter().flatten().flatten().map(|instant| instant.with_timezone(&Utc)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIENNA: Tz = Tz::Europe__Vienna;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn clock(text: &str) -> NaiveTime {
        text.parse().expect("a time of the day")
    }

    fn night(now: &str) -> Option<String> {
        let quiet = Quiet { from: clock("22:00"), to: clock("07:00") };
        quiet_until(quiet, VIENNA, at(now)).map(|until| until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    }

    #[test]
    fn a_night_ends_in_the_morning() {
        assert_eq!(night("2026-07-01T20:30:00Z").as_deref(), Some("2026-07-02T05:00:00Z"));
        assert_eq!(night("2026-07-02T04:59:59Z").as_deref(), Some("2026-07-02T05:00:00Z"));
        assert_eq!(night("2026-07-02T05:00:00Z"), None);
        assert_eq!(night("2026-07-02T19:59:59Z"), None);
    }

    #[test]
    fn a_night_in_which_clocks_change_ends_by_the_clock() {
        // forward on 29 March 2026, back on 25 October
        assert_eq!(night("2026-03-28T22:00:00Z").as_deref(), Some("2026-03-29T05:00:00Z"));
        assert_eq!(night("2026-10-24T21:00:00Z").as_deref(), Some("2026-10-25T06:00:00Z"));
    }

    #[test]
    fn a_rest_within_a_day_is_quiet_too() {
        let quiet = Quiet { from: clock("12:00"), to: clock("13:30") };
        assert_eq!(quiet_until(quiet, Tz::UTC, at("2026-07-01T12:10:00Z")), Some(at("2026-07-01T13:30:00Z")));
        assert_eq!(quiet_until(quiet, Tz::UTC, at("2026-07-01T13:30:00Z")), None);
        let never = Quiet { from: clock("12:00"), to: clock("12:00") };
        assert_eq!(quiet_until(never, Tz::UTC, at("2026-07-01T12:00:00Z")), None);
    }

    #[test]
    fn a_time_that_does_not_exist_is_when_clocks_have_gone_forward() {
        assert_eq!(next(clock("02:30"), VIENNA, at("2026-03-28T23:30:00Z")), at("2026-03-29T01:00:00Z"));
        assert_eq!(next(clock("02:30"), VIENNA, at("2026-03-29T01:00:00Z")), at("2026-03-30T00:30:00Z"));
    }

    #[test]
    fn a_time_that_exists_twice_is_the_first_that_is_to_come() {
        assert_eq!(next(clock("02:30"), VIENNA, at("2026-10-25T00:00:00Z")), at("2026-10-25T00:30:00Z"));
        assert_eq!(next(clock("02:30"), VIENNA, at("2026-10-25T00:30:00Z")), at("2026-10-25T01:30:00Z"));
    }

    #[test]
    fn a_zone_has_a_name() {
        assert_eq!(zone(None), Some(Tz::UTC));
        assert_eq!(zone(Some("Europe/Vienna")), Some(VIENNA));
        assert_eq!(zone(Some("Europe/Atlantis")), None);
    }
}
