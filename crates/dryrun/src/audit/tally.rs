//! What was counted in a part of a log. Two tallies of neighbouring parts make one: nothing in them depends on where the cut was.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::rate::Rate;
use super::records::Records;
use crate::classify::{Classifier, Counts};
use crate::engine::Sightings;
use crate::summary::Skew;

/// Most names of events that are counted one by one.
const EVENTS: usize = 1000;

/// The time of what has none yet: that of the line before, which is in the part before.
pub(crate) const INHERITED: i64 = i64::MIN;

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// Lines that belong to no record.
    pub(crate) ignored: u64,
    /// Of each stream, what of it is records.
    #[serde(default)]
    pub(crate) shapes: [Records; 2],
    pub(crate) events: Events,
    /// Lines with a time of their own.
    pub(crate) records: u64,
    /// When there were lines, on the clock that counts.
    pub(crate) coverage: Coverage,
    /// When there were beats, if only some lines are.
    pub(crate) beats: Option<Coverage>,
    pub(crate) rate: Rate,
    /// Lines, warnings and errors before the first line with a time.
    pub(crate) early: [u64; 3],
    /// Wall times of the first and the last line (in order, not in time) with a time of its own.
    pub(crate) edges: Option<(i64, i64)>,
    /// The child's own times against ours.
    pub(crate) skew: Skewed,
    pub(crate) sightings: Sightings,
}

/// The child's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Skewed {
    pub(crate) records: u64,
    pub(crate) unreadable: u64,
    pub(crate) backwards: u64,
    /// Nanoseconds: least and greatest lead of the child.
    pub(crate) lead: Option<(i64, i64)>,
    /// First and last time that the child named.
    pub(crate) edges: Option<(i64, i64)>,
}

impl Skewed {
    /// A record names `at`; we saw it at `seen`, if we did.
    #[inline]
    pub(crate) fn add(&mut self, at: i64, seen: Option<i64>) {
        self.records += 1;
        match &mut self.edges {
            Some((_, last)) => {
                self.backwards += u64::from(at < *last);
                *last = at;
            }
            None => self.edges = Some((at, at)),
        }
        if let Some(seen) = seen {
            let lead = at.saturating_sub(seen);
            self.lead = Some(
                self.lead
                    .map_or((lead, lead), |(a, b)| (a.min(lead), b.max(lead))),
            );
        }
    }

    fn append(&mut self, later: &Self) {
        self.records += later.records;
        self.unreadable += later.unreadable;
        self.backwards += later.backwards;
        if let (Some((_, last)), Some((first, _))) = (self.edges, later.edges) {
            self.backwards += u64::from(first < last);
        }
        self.edges = join(self.edges, later.edges);
        self.lead = match (self.lead, later.lead) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    /// Returns it as the summary shows it; none if no record named a time.
    pub(crate) fn report(&self) -> Option<Skew> {
        (self.records + self.unreadable > 0).then(|| {
            let (min, max) = self.lead.unwrap_or((0, 0));
            Skew {
                records: self.records,
                min_seconds: min as f64 / 1e9,
                max_seconds: max as f64 / 1e9,
                unreadable: self.unreadable,
                backwards: self.backwards,
            }
        })
    }
}

fn join(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0, b.1)),
        (a, b) => a.or(b),
    }
}

impl Tally {
    /// Makes an empty one, from which silences of more than `join` nanoseconds can be told.
    pub(crate) fn new(join: i64, beats: bool) -> Self {
        Self {
            counts: Counts::default(),
            ignored: 0,
            shapes: [Records::default(), Records::default()],
            events: Events::default(),
            records: 0,
            coverage: Coverage::new(join),
            beats: beats.then(|| Coverage::new(join)),
            rate: Rate::default(),
            early: [0; 3],
            edges: None,
            skew: Skewed::default(),
            sightings: Sightings::default(),
        }
    }

    /// Takes in what a classifier counted.
    pub(crate) fn take(&mut self, classifier: &mut Classifier) {
        let counts = classifier.take_counts();
        self.shapes[classifier.stream as usize].add(&counts);
        self.counts.add(&counts);
    }

    /// Puts what followed behind it, but for the sightings, which go to an engine, and the records, which are told by stream or file.
    pub(crate) fn append(&mut self, later: &Self) {
        self.counts.add(&later.counts);
        self.ignored += later.ignored;
        self.events.append(&later.events);
        self.records += later.records;
        self.coverage.merge(&later.coverage);
        if let (Some(beats), Some(more)) = (&mut self.beats, &later.beats) {
            beats.merge(more);
        }
        self.rate.merge(&later.rate);
        match self.edges {
            Some((_, last)) => self.rate.add(last, later.early),
            None => {
                for (sum, more) in self.early.iter_mut().zip(later.early) {
                    *sum += more;
                }
            }
        }
        self.edges = join(self.edges, later.edges);
        self.skew.append(&later.skew);
    }
}

/// Records by event.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "StoredEvents", into = "StoredEvents")]
pub(crate) struct Events {
    names: Vec<(String, u64)>,
    places: HashMap<String, usize>,
    others: u64,
    /// The raw JSON of the last one: the next is often the same.
    last: (Vec<u8>, usize),
}

#[derive(Serialize, Deserialize)]
struct StoredEvents {
    names: Vec<(String, u64)>,
    others: u64,
}

impl std::convert::From<StoredEvents> for Events {
    fn from(stored: StoredEvents) -> Self {
        let places = stored
            .names
            .iter()
            .enumerate()
            .map(|(i, (n, _))| (n.clone(), i))
            .collect();
        Self {
            names: stored.names,
            places,
            others: stored.others,
            last: (Vec::new(), 0),
        }
    }
}

impl std::convert::From<Events> for StoredEvents {
    fn from(events: Events) -> Self {
        Self {
            names: events.names,
            others: events.others,
        }
    }
}

impl Events {
    /// Counts the event of a record, raw JSON.
    #[inline]
    pub(crate) fn add(&mut self, raw: &[u8]) {
        if !self.last.0.is_empty() && self.last.0 == raw {
            self.names[self.last.1].1 += 1;
            return;
        }
        self.look_up(raw);
    }

    fn look_up(&mut self, raw: &[u8]) {
        let Some(name) = crate::classify::text(raw).filter(|n| n.len() <= 200) else {
            // Names are texts; `null` is none, anything else is counted with the rest.
            self.others += u64::from(raw != b"null");
            return;
        };
        if let Some(place) = self.count(name, 1) {
            self.last.0.clear();
            self.last.0.extend_from_slice(raw);
            self.last.1 = place;
        }
    }

    fn count(&mut self, name: String, count: u64) -> Option<usize> {
        if let Some(&place) = self.places.get(&name) {
            self.names[place].1 += count;
            Some(place)
        } else if self.names.len() < EVENTS {
            self.places.insert(name.clone(), self.names.len());
            self.names.push((name, count));
            Some(self.names.len() - 1)
        } else {
            self.others += count;
            None
        }
    }

    fn append(&mut self, later: &Self) {
        for (name, count) in &later.names {
            self.count(name.clone(), *count);
        }
        self.others += later.others;
    }

    /// Returns the counts, the rest under `…`.
    pub(crate) fn report(&self) -> std::collections::BTreeMap<String, u64> {
        let rest = (self.others > 0).then(|| ("…".to_owned(), self.others));
        self.names.iter().cloned().chain(rest).collect()
    }
}
