//! When a window holds: once, or every week by a local clock.

use gonogo_core::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{Span, Zoned};

/// When a window holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// From a moment to another.
    Once {
        /// From this moment on.
        from: Timestamp,
        /// Up to this moment.
        until: Timestamp,
    },
    /// Every week.
    Weekly(Weekly),
}

/// Every week from a day and time to another, by the clocks of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weekly {
    /// From then on.
    pub from: WeekTime,
    /// Up to then; never the same.
    pub until: WeekTime,
    /// Whose clocks.
    pub zone: TimeZone,
}

/// A day of the week and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekTime {
    /// The day.
    pub day: Weekday,
    /// The time, to the minute.
    pub time: Time,
}

/// Why a text says no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It is no day and time.
    #[error("expected a day and a time such as `Fri 16:00`")]
    WeekTime,
    /// It is no moment.
    #[error(
        "expected a moment such as `2026-12-20T18:00:00Z`, or `2026-12-20 18:00` with a `zone`"
    )]
    Moment,
}

const DAYS: [(&str, &str, Weekday); 7] = [
    ("mon", "monday", Weekday::Monday),
    ("tue", "tuesday", Weekday::Tuesday),
    ("wed", "wednesday", Weekday::Wednesday),
    ("thu", "thursday", Weekday::Thursday),
    ("fri", "friday", Weekday::Friday),
    ("sat", "saturday", Weekday::Saturday),
    ("sun", "sunday", Weekday::Sunday),
];

impl std::str::FromStr for WeekTime {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let (day, time) = text.split_once(' ').ok_or(WindowError::WeekTime)?;
        let day = day.to_ascii_lowercase();
        let known = DAYS.iter().find(|(a, b, _)| day == *a || day == *b);
        let digits = |text: &str| -> Option<i8> {
            let plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| plain)
        };
        let time = time
            .split_once(':')
            .and_then(|(h, m)| Time::new(digits(h)?, digits(m)?, 0, 0).ok());
        match (known, time) {
            (Some((_, _, day)), Some(time)) => Ok(Self { day: *day, time }),
            _ => Err(WindowError::WeekTime),
        }
    }
}

impl When {
    /// Reads a window's two ends: both moments, or both days of the week.
    ///
    /// # Errors
    /// [`WindowError`] with which end it is: `true` for the first.
    pub fn read(
        from: &str,
        until: &str,
        zone: Option<&TimeZone>,
    ) -> Result<Self, (bool, WindowError)> {
        let weekly = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
        if weekly(from) {
            let from = from.parse().map_err(|e| (true, e))?;
            let until = until.parse().map_err(|e| (false, e))?;
            return Ok(Self::Weekly(Weekly {
                from,
                until,
                zone: zone.cloned().unwrap_or(TimeZone::UTC),
            }));
        }
        Ok(Self::Once {
            from: moment(from, zone, Disambiguation::Earlier).ok_or((true, WindowError::Moment))?,
            until: moment(until, zone, Disambiguation::Later)
                .ok_or((false, WindowError::Moment))?,
        })
    }

    /// Whether its two ends leave a time between them, and a week has a time outside.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Once { from, until } => from < until,
            Self::Weekly(weekly) => weekly.from != weekly.until,
        }
    }

    /// The stretch that holds at `now`, from when until when; none if none does.
    pub fn around(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Once { from, until } => (*from <= now && now < *until).then_some((*from, *until)),
            Self::Weekly(weekly) => weekly.around(now),
        }
    }
}

impl Weekly {
    fn around(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let instant = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
        let today = Zoned::new(instant, self.zone.clone()).date();
        let monday = today
            .checked_sub(Span::new().days(today.weekday().to_monday_zero_offset()))
            .ok()?;
        let mut days =
            self.until.day.to_monday_zero_offset() - self.from.day.to_monday_zero_offset();
        if days < 0 || days == 0 && self.until.time <= self.from.time {
            days += 7;
        }
        // The stretch of this week, the one before, which may go on, and the one after: clocks may have been set past it.
        [-7, 0, 7].into_iter().find_map(|week| {
            let first = i32::from(self.from.day.to_monday_zero_offset()) + week;
            let begin = monday.checked_add(Span::new().days(first)).ok()?;
            let end = begin.checked_add(Span::new().days(days)).ok()?;
            let since = self.at(begin, self.from.time, Disambiguation::Earlier)?;
            let until = self.at(end, self.until.time, Disambiguation::Later)?;
            (since <= now && now < until).then_some((since, until))
        })
    }

    fn at(&self, date: jiff::civil::Date, time: Time, which: Disambiguation) -> Option<Timestamp> {
        let zoned = self.zone.to_ambiguous_zoned(date.to_datetime(time));
        let zoned = zoned.disambiguate(which).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    }
}

/// A moment: with its offset, or by the clocks of a zone.
fn moment(text: &str, zone: Option<&TimeZone>, which: Disambiguation) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_millis(at.as_millisecond()));
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let zoned = zone?.to_ambiguous_zoned(civil).disambiguate(which).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}
