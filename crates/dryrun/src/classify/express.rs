//! The express lane: most lines of a log differ from the line before in a few values only. A *mould* is cast from one harmless record
//! and loosened by each like it: what has always been the same is compared as it stands, keys and values at once, and only the rest
//! is read. Level, event and what the record says are known beforehand where they have always been the same.
//!
//! Invariant: a line that fits a mould is one that [`super::json::scan`] reads as one whole object, whose level is the mould's, and whose
//! text no trace begins or goes on with. Everything else is read as ever. Whether a line takes this lane can only be told by the time.

use super::json::{Scan, Slot};
use super::shape::{self, Members};
use super::told::{Fields, Level};
use super::{LINE_LIMIT, gate, level, record, structured, wrapped};
use crate::spec::NumericLevels;

/// Most moulds: levels and kinds of records that are harmless and frequent.
const MOULDS: usize = 6;

/// How often moulds are cast or loosened before they must have earned more of it.
const LESSONS: u32 = 256;

/// Lines that fit for each further lesson.
const EARNS: u32 = 256;

/// Lines in a row that fitted nothing, after which only some are tried.
const DOUBT: u32 = 64;

/// Slots whose choice depends on what kind of value they have.
const CHOSEN: [Slot; 9] = [
    Slot::Timestamp,
    Slot::Ts,
    Slot::AtTimestamp,
    Slot::Time,
    Slot::Message,
    Slot::Msg,
    Slot::Event,
    Slot::Log,
    Slot::Journal,
];

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// All of it.
    Same(Box<[u8]>),
    /// A text that begins so, with its quote.
    Text(Box<[u8]>),
    /// A number.
    Number,
    /// Something simple.
    Simple,
}

/// What is read where a mould leaves something open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// The rest of a text, with its closing quote.
    Text,
    Number,
    Simple,
}

/// A stretch that is always the same, and what is read behind it.
#[derive(Debug, Clone)]
struct Part {
    fixed: Box<[u8]>,
    open: Open,
    /// Where its place is noted, if somebody asks for it.
    mark: usize,
}

/// Where a value stands in a line that fits.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the fixed stretch of part `part` (or in the end, behind all parts), so far from where that stretch begins.
    Fixed { mark: usize, from: usize, to: usize },
    /// It begins `back` bytes before what part `part` leaves open.
    Open { mark: usize, back: usize },
}

/// Values that are noted: those of [`Fields`], and what the record says.
const MARKS: usize = 5;
/// No mark.
const NONE: usize = usize::MAX;

#[derive(Debug, Clone)]
struct Mould {
    /// What stands before each value, and what is known of it.
    members: Vec<(Box<[u8]>, Known)>,
    /// Which members state the level or what was thrown, whose values do not change within a mould, and which are chosen by their kind.
    levels: Vec<usize>,
    chosen: Vec<usize>,
    /// Which members are the time, the message, the event, and what the record says.
    wanted: [Option<usize>; 4],
    tail: Box<[u8]>,
    level: Level,
    word: Box<str>,
    parts: Vec<Part>,
    end: Box<[u8]>,
    places: [Option<Place>; 4],
    /// Bytes from the start of what the record says that need not be searched.
    innocent: usize,
    /// Whether what the record says is open.
    speaks: bool,
    /// Whether that is a line that the record wraps.
    wraps: bool,
    fits: u32,
}

/// A line that fitted.
pub(super) struct Fit<'m, 'l> {
    pub(super) line: &'l [u8],
    pub(super) level: Level,
    pub(super) word: &'m str,
    pub(super) fields: Fields<'l>,
}

/// The moulds of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Moulds {
    known: Vec<Mould>,
    /// Which fitted last.
    recent: usize,
    misses: u32,
    lessons: u32,
    fits: u32,
}

impl Moulds {
    /// Returns the line that `rest` begins with, without its line feed, if it fits.
    #[inline]
    pub(super) fn fit<'l>(&mut self, rest: &'l [u8]) -> Option<Fit<'_, 'l>> {
        if rest.first() != Some(&b'{') {
            return None;
        }
        let count = self.known.len();
        if self.misses >= DOUBT {
            self.misses += 1;
            if !self.misses.is_multiple_of(8) {
                return None;
            }
        }
        let found = (0..count).find_map(|step| {
            let place = self.recent + step;
            let place = if place >= count { place - count } else { place };
            let (length, fields) = self.known[place].read(rest)?;
            Some((place, length, fields))
        });
        let Some((place, length, fields)) = found else {
            self.misses = self.misses.saturating_add(1);
            return None;
        };
        self.recent = place;
        self.misses = 0;
        self.fits += 1;
        if self.fits == EARNS {
            self.fits = 0;
            self.lessons = self.lessons.saturating_sub(1);
        }
        let mould = &mut self.known[place];
        mould.fits = mould.fits.saturating_add(1);
        Some(Fit {
            line: &rest[..length],
            level: mould.level,
            word: &mould.word,
            fields,
        })
    }

    /// A line of simple values that fitted nothing turned out to be harmless.
    pub(super) fn learn(&mut self, line: &[u8], scan: &Scan, level: Level, word: &str) {
        if self.lessons >= LESSONS || line.first() != Some(&b'{') {
            return;
        }
        self.lessons += 1;
        let Some(members) = shape::members(line) else {
            return;
        };
        if let Some(place) = self.known.iter().position(|m| m.is_like(line, &members)) {
            if !self.known[place].loosen(line, &members) {
                self.known.swap_remove(place);
                self.recent = 0;
            }
            return;
        }
        let Some(mould) = Mould::cast(line, &members, scan, level, word) else {
            return;
        };
        if self.known.len() < MOULDS {
            self.known.push(mould);
            return;
        }
        // The one that fitted least makes room, and all begin anew.
        if let Some(least) = (0..MOULDS).min_by_key(|i| self.known[*i].fits) {
            self.known[least] = mould;
        }
        for mould in &mut self.known {
            mould.fits /= 2;
        }
    }
}

impl Mould {
    fn cast(line: &[u8], members: &Members, scan: &Scan, level: Level, word: &str) -> Option<Self> {
        let member_of = |value: Option<&[u8]>| {
            let value = value?;
            let from = value.as_ptr() as usize - line.as_ptr() as usize;
            members
                .values
                .iter()
                .position(|(_, start, _)| *start == from)
        };
        let of_slots = |slots: &[Slot]| -> Option<Vec<usize>> {
            let mut found = Vec::new();
            for slot in slots {
                if let Some(value) = scan.value(line, *slot) {
                    found.push(member_of(Some(value))?);
                }
            }
            Some(found)
        };
        let fields = record::fields(scan, line);
        let spoken = record::spoken(scan, line);
        let wrapped = wrapped::text(scan, line);
        if wrapped.is_some() && wrapped != spoken {
            return None;
        }
        let wanted = [fields.timestamp, fields.message, fields.event, spoken];
        let mut mould = Self {
            members: members
                .values
                .iter()
                .map(|(literal, start, end)| {
                    let value = Known::Same(line[*start..*end].into());
                    (line[*literal..*start].into(), value)
                })
                .collect(),
            levels: of_slots(
                &[&level::STATED[..], &structured::THREW[..], &[Slot::Stream]].concat(),
            )?,
            chosen: of_slots(&CHOSEN)?,
            wanted: wanted.map(member_of),
            tail: [&line[members.tail..], b"\n"].concat().into(),
            level,
            word: word.into(),
            parts: Vec::new(),
            end: Box::default(),
            places: [None; 4],
            innocent: 0,
            speaks: false,
            wraps: wrapped.is_some(),
            fits: 0,
        };
        for (value, member) in wanted.iter().zip(mould.wanted) {
            if value.is_some() && member.is_none() {
                return None;
            }
        }
        mould.compile();
        Some(mould)
    }

    /// Whether a line has the same keys and states the same level.
    fn is_like(&self, line: &[u8], members: &Members) -> bool {
        self.members.len() == members.values.len()
            && self.tail.strip_suffix(b"\n") == Some(&line[members.tail..])
            && self.members.iter().zip(&members.values).enumerate().all(
                |(i, ((literal, known), (from, start, end)))| {
                    **literal == line[*from..*start]
                        && (!self.levels.contains(&i)
                            || matches!(known, Known::Same(v) if **v == line[*start..*end]))
                },
            )
    }

    /// Takes in a line that is like it; returns whether it is still of use.
    fn loosen(&mut self, line: &[u8], members: &Members) -> bool {
        for (i, (_, start, end)) in members.values.iter().enumerate() {
            let known = &mut self.members[i].1;
            known.loosen(&line[*start..*end]);
            if *known == Known::Simple && self.chosen.contains(&i) {
                return false;
            }
        }
        self.compile();
        true
    }

    fn compile(&mut self) {
        let mut parts: Vec<Part> = Vec::new();
        let mut fixed: Vec<u8> = Vec::new();
        self.places = [None; 4];
        self.innocent = 0;
        self.speaks = false;
        // Places in the stretch that is being put together: they get its part's mark when it ends.
        let mut waiting: Vec<(usize, usize, usize)> = Vec::new();
        let mut marks = 0;
        for (i, (literal, known)) in self.members.iter().enumerate() {
            fixed.extend_from_slice(literal);
            let wanted: Vec<usize> = (0..4).filter(|w| self.wanted[*w] == Some(i)).collect();
            let (open, prefix): (Open, &[u8]) = match known {
                Known::Same(value) => {
                    let from = fixed.len();
                    fixed.extend_from_slice(value);
                    waiting.extend(wanted.iter().map(|w| (*w, from, fixed.len())));
                    continue;
                }
                Known::Text(prefix) => (Open::Text, prefix),
                Known::Number => (Open::Number, &[]),
                Known::Simple => (Open::Simple, &[]),
            };
            fixed.extend_from_slice(prefix);
            let mark = if wanted.is_empty() && waiting.is_empty() {
                NONE
            } else {
                marks += 1;
                marks - 1
            };
            for (w, from, to) in waiting.drain(..) {
                self.places[w] = Some(Place::Fixed { mark, from, to });
            }
            for w in wanted {
                let back = prefix.len();
                self.places[w] = Some(Place::Open { mark, back });
                if w == 3 {
                    self.speaks = true;
                    self.innocent = prefix.len() - gate::overlap(prefix);
                }
            }
            parts.push(Part {
                fixed: std::mem::take(&mut fixed).into(),
                open,
                mark,
            });
        }
        fixed.extend_from_slice(&self.tail);
        for (w, from, to) in waiting {
            self.places[w] = Some(Place::Fixed {
                mark: MARKS - 1,
                from,
                to,
            });
        }
        self.parts = parts;
        self.end = fixed.into();
    }

    /// Reads the line at the beginning of `rest`; returns its length and what it is read by.
    #[inline]
    fn read<'l>(&self, rest: &'l [u8]) -> Option<(usize, Fields<'l>)> {
        // Of each mark where its stretch begins, and where what is open begins and ends.
        let mut marks = [(0, 0, 0); MARKS];
        let mut at = 0;
        for part in &self.parts {
            let open = at + part.fixed.len();
            if !same(rest.get(at..open)?, &part.fixed) {
                return None;
            }
            let end = match part.open {
                Open::Text => shape::rest_of_text(rest, open)?,
                Open::Number => shape::number(rest, open)?,
                Open::Simple => shape::value(rest, open)?,
            };
            if let Some(mark) = marks.get_mut(part.mark) {
                *mark = (at, open, end);
            }
            at = end;
        }
        let end = at + self.end.len();
        if !same(rest.get(at..end)?, &self.end) || end > LINE_LIMIT {
            return None;
        }
        marks[MARKS - 1] = (at, end, end);
        let place = |w: usize| {
            Some(match self.places[w]? {
                Place::Fixed { mark, from, to } => (marks[mark].0 + from, marks[mark].0 + to),
                Place::Open { mark, back } => (marks[mark].1 - back, marks[mark].2),
            })
        };
        let value = |w: usize| place(w).and_then(|(from, to)| rest.get(from..to));
        if self.speaks {
            let (from, to) = place(3)?;
            if gate::hits(rest.get(from + self.innocent..to)?) {
                return None;
            }
            if self.wraps && wrapped::read(rest.get(from..to)?, NumericLevels::Auto).is_some() {
                return None;
            }
        }
        let fields = Fields {
            timestamp: value(0),
            message: value(1),
            event: value(2),
            odd: false,
        };
        Some((end - 1, fields))
    }
}

impl Known {
    /// Takes in another value.
    fn loosen(&mut self, value: &[u8]) {
        let is_text = |v: &[u8]| v.first() == Some(&b'"');
        let is_number = |v: &[u8]| matches!(v.first(), Some(b'-' | b'0'..=b'9'));
        let common = |a: &[u8]| -> Box<[u8]> {
            // Without the closing quotes, which would end the text.
            let inner = &value[..value.len() - 1];
            let mut count = a.iter().zip(inner).take_while(|(a, b)| a == b).count();
            // What counts up changes soon.
            while count > 1 && a[count - 1].is_ascii_digit() {
                count -= 1;
            }
            a[..count].into()
        };
        *self = match self {
            Self::Same(known) if **known == *value => return,
            Self::Same(known) if is_text(known) && is_text(value) => {
                Self::Text(common(&known[..known.len() - 1]))
            }
            Self::Text(prefix)
                if is_text(value) && value.len() > prefix.len() && value.starts_with(prefix) =>
            {
                return;
            }
            Self::Text(prefix) if is_text(value) => Self::Text(common(prefix)),
            Self::Same(known) if is_number(known) && is_number(value) => Self::Number,
            Self::Number if is_number(value) => return,
            _ => Self::Simple,
        };
    }
}

/// Compares two stretches of equal length: most are short, and a call costs more than the comparison.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() > 64 || a.len() != b.len() {
        return a == b;
    }
    let eight = |s: &[u8], at: usize| {
        s.get(at..at + 8)
            .and_then(|s| <[u8; 8]>::try_from(s).ok())
            .map(u64::from_le_bytes)
    };
    let count = a.len();
    if count < 8 {
        return a.iter().zip(b).all(|(a, b)| a == b);
    }
    let mut differ = 0;
    let mut at = 0;
    while at + 8 <= count {
        differ |= eight(a, at).unwrap_or(0) ^ eight(b, at).unwrap_or(1);
        at += 8;
    }
    differ |= eight(a, count - 8).unwrap_or(0) ^ eight(b, count - 8).unwrap_or(1);
    differ == 0
}

#[cfg(test)]
mod tests;
