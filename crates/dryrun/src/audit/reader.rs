//! Reads lines of a log, wherever it comes from: levels and traces by the one classifier, times from the lines, from our own views, or
//! from the index.

use serde::{Deserialize, Serialize};

use super::Format;
use super::tally::{INHERITED, Tally};
use super::wrapper;
use crate::classify::{self, Classifier, Counts, Finding, Level, Line, Sink};
use crate::spec::{HeartbeatSpec, Lines};
use crate::{Moment, Stream, stamp};

/// How many lines' times are kept: no trace is longer.
const TIMES: u64 = 8192;

/// Longest line of a view that is looked at; a line of 1 MiB may take six times as much there.
const VIEW_LINE: usize = 8 << 20;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Lines as somebody printed them.
    Lines(Format),
    /// Our `.jsonl` view, or that of an older harness.
    View,
}

/// Where times come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// From the lines; those without one have that of the line before.
    Lines,
    /// From when they arrived.
    Arrival,
}

/// What lines are read by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) lines: Lines,
    pub(crate) heartbeat: Option<HeartbeatSpec>,
    /// The year of times that name none.
    pub(crate) year: Option<i32>,
    /// Silences of more than so many nanoseconds are told.
    pub(crate) join: i64,
}

impl Rules {
    pub(crate) fn tally(&self) -> Tally {
        let beats = self.heartbeat.as_ref().is_some_and(|h| h.event.is_some());
        Tally::new(self.join, beats)
    }

    /// The raw JSON of the event that is a beat.
    fn beat(&self) -> Option<Vec<u8>> {
        let event = self.heartbeat.as_ref()?.event.as_ref()?;
        serde_json::to_vec(event).ok()
    }
}

/// Reads a stretch of a log.
pub(crate) struct Reader<'r> {
    rules: &'r Rules,
    kind: Kind,
    streams: Vec<Classifier>,
    track: Track,
    /// The open line of a view.
    open: Vec<u8>,
    beyond: u64,
}

/// A reader between two parts, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Paused {
    streams: Vec<classify::Saved>,
    /// The open line: of the classifier, or of the view.
    open: Vec<u8>,
    now: i64,
    times: Vec<i64>,
    first_time: u64,
}

impl<'r> Reader<'r> {
    pub(crate) fn new(
        rules: &'r Rules,
        kind: Kind,
        times: Times,
        stream: Stream,
    ) -> Result<Self, String> {
        let streams = match kind {
            Kind::View => Stream::ALL.to_vec(),
            Kind::Lines(_) => vec![stream],
        };
        let streams: Result<Vec<Classifier>, String> = streams
            .into_iter()
            .map(|s| Classifier::new(s, &rules.lines))
            .collect();
        Ok(Self {
            rules,
            kind,
            streams: streams?,
            track: Track::new(rules, kind, times),
            open: Vec::new(),
            beyond: 0,
        })
    }

    /// Reads bytes; of a view or a file the time of arrival says nothing.
    pub(crate) fn feed(&mut self, at: Moment, bytes: &[u8]) {
        match self.kind {
            Kind::Lines(_) => {
                if let [classifier] = &mut self.streams[..] {
                    let at = if self.track.times == Times::Lines {
                        Moment {
                            boot: 0,
                            wall: i64::MIN,
                        }
                    } else {
                        at
                    };
                    classifier.feed(at, bytes, &mut self.track);
                    self.track.tally.take(classifier);
                }
            }
            Kind::View => self.feed_view(bytes),
        }
    }

    fn feed_view(&mut self, bytes: &[u8]) {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            if self.open.is_empty() {
                self.view_line(&bytes[from..end], self.beyond);
            } else {
                let mut line = std::mem::take(&mut self.open);
                keep(&mut line, &mut self.beyond, &bytes[from..end]);
                self.view_line(&line, self.beyond);
                line.clear();
                line.shrink_to(64 << 10);
                self.open = line;
            }
            self.beyond = 0;
            from = end + 1;
        }
        keep(&mut self.open, &mut self.beyond, &bytes[from..]);
    }

    fn view_line(&mut self, line: &[u8], beyond: u64) {
        let unwrapped = if beyond == 0 {
            wrapper::unwrap(line)
        } else {
            None
        };
        let stored = line.len() as u64 + beyond + 1;
        let Some(found) = unwrapped else {
            self.track.tally.ignored += u64::from(!line.trim_ascii().is_empty());
            let at = self.track.moment(self.track.now);
            self.view_feed(0, at, line, stored);
            return;
        };
        let at = self.track.moment(found.at);
        self.track.now = found.at;
        let stream = found.stream as usize;
        self.view_feed(stream, at, &found.text, stored);
    }

    fn view_feed(&mut self, stream: usize, at: Moment, text: &[u8], stored: u64) {
        let Some(classifier) = self.streams.get_mut(stream) else {
            return;
        };
        self.track.arrival = at;
        // A message of several lines was one line.
        for (i, part) in text.split(|b| *b == b'\n').enumerate() {
            if i == 0 || !part.is_empty() {
                classifier.feed(at, part, &mut self.track);
                classifier.feed(at, b"\n", &mut self.track);
            }
        }
        let mut counts = classifier.take_counts();
        self.track.tally.shapes[stream].add(&counts);
        counts.bytes = stored;
        self.track.tally.counts.add(&counts);
    }

    /// The part before ended at that time: what named none had it.
    pub(crate) fn inherit(&mut self, now: i64) {
        if self.track.now == INHERITED {
            self.track.now = now;
        }
    }

    /// Returns whether a line is open.
    pub(crate) fn has_open_line(&self) -> bool {
        !self.open.is_empty() || self.streams.iter().any(Classifier::has_open_line)
    }

    /// Returns whether nothing is open.
    pub(crate) fn is_clear(&self) -> bool {
        self.open.is_empty() && self.streams.iter().all(Classifier::is_clear)
    }

    /// The stream is at its end; its last byte came at `at`.
    pub(crate) fn finish(&mut self, at: Moment) {
        if !self.open.is_empty() {
            let line = std::mem::take(&mut self.open);
            self.view_line(&line, self.beyond);
        }
        let at = match (self.track.times, self.kind) {
            (Times::Arrival, Kind::Lines(_)) => at,
            (Times::Arrival, Kind::View) => self.track.arrival,
            (Times::Lines, _) => Moment {
                boot: 0,
                wall: i64::MIN,
            },
        };
        for classifier in &mut self.streams {
            classifier.finish(at, &mut self.track);
            self.track.tally.take(classifier);
        }
    }

    /// Takes what was counted so far, and begins anew.
    pub(crate) fn take(&mut self) -> Tally {
        std::mem::replace(&mut self.track.tally, self.rules.tally())
    }

    /// What was counted so far.
    pub(crate) const fn tally_mut(&mut self) -> &mut Tally {
        &mut self.track.tally
    }

    /// Returns whether there were more causes than a part may have.
    pub(crate) const fn is_spilled(&self) -> bool {
        self.track.spilled
    }

    /// Lets this reader have any number of causes, from now on: somebody takes them often. What it has must have been taken.
    pub(crate) fn unbounded(&mut self) {
        self.track.tally.sightings =
            crate::engine::Sightings::with_keys(crate::engine::KEYS, usize::MAX);
    }

    /// Returns the state between two parts.
    pub(crate) fn pause(&self, tail: &[u8]) -> Paused {
        let oldest = self
            .streams
            .iter()
            .map(Classifier::open_line_number)
            .min()
            .unwrap_or(0);
        let newest = self.track.number;
        let first_time = oldest.max(newest.saturating_sub(TIMES - 1)).max(1);
        Paused {
            streams: self.streams.iter().map(Classifier::save).collect(),
            open: if self.kind == Kind::View {
                self.open.clone()
            } else {
                tail.to_vec()
            },
            now: self.track.now,
            times: (first_time..=newest)
                .map(|n| self.track.time_of(n))
                .collect(),
            first_time,
        }
    }

    /// Goes on from a state.
    pub(crate) fn resume(
        rules: &'r Rules,
        kind: Kind,
        times: Times,
        paused: Paused,
    ) -> Result<Self, String> {
        let mut reader = Self::new(rules, kind, times, Stream::Stdout)?;
        let streams: Result<Vec<Classifier>, String> = paused
            .streams
            .into_iter()
            .map(|s| Classifier::restore(&rules.lines, s))
            .collect();
        reader.streams = streams?;
        reader.track.now = paused.now;
        for (number, time) in (paused.first_time..).zip(&paused.times) {
            reader.track.note(number, *time);
        }
        match kind {
            Kind::View => reader.open = paused.open,
            Kind::Lines(_) => {
                if let [classifier] = &mut reader.streams[..] {
                    classifier.feed(
                        Moment {
                            boot: 0,
                            wall: i64::MIN,
                        },
                        &paused.open,
                        &mut reader.track,
                    );
                }
            }
        }
        reader.track.tally = rules.tally();
        Ok(reader)
    }

    /// The last time that a line had.
    pub(crate) const fn now(&self) -> i64 {
        self.track.now
    }
}

fn keep(line: &mut Vec<u8>, beyond: &mut u64, bytes: &[u8]) {
    let room = VIEW_LINE.saturating_sub(line.len()).min(bytes.len());
    line.extend_from_slice(&bytes[..room]);
    *beyond += (bytes.len() - room) as u64;
}

/// What a reader counts into.
struct Track {
    tally: Tally,
    times: Times,
    kind: Kind,
    year: Option<i32>,
    beat: Option<Vec<u8>>,
    allow: Vec<(String, i64)>,
    /// The last time that a line had.
    now: i64,
    /// When the line of a view arrived.
    arrival: Moment,
    /// Times of the last lines, by number.
    ring: Vec<i64>,
    number: u64,
    spilled: bool,
    date: stamp::Date,
}

impl Track {
    fn new(rules: &Rules, kind: Kind, times: Times) -> Self {
        Self {
            tally: rules.tally(),
            times,
            kind,
            year: rules.year,
            beat: rules.beat(),
            allow: rules
                .lines
                .allow
                .iter()
                .map(|a| {
                    (
                        a.name.clone(),
                        a.expires.as_millis().saturating_mul(1_000_000),
                    )
                })
                .collect(),
            now: INHERITED,
            arrival: Moment::default(),
            ring: match times {
                Times::Lines => vec![INHERITED; TIMES as usize],
                Times::Arrival => Vec::new(),
            },
            number: 0,
            spilled: false,
            date: stamp::Date::default(),
        }
    }

    const fn moment(&self, wall: i64) -> Moment {
        Moment {
            boot: if wall > 0 { wall as u64 } else { 0 },
            wall,
        }
    }

    fn note(&mut self, number: u64, time: i64) {
        self.number = number;
        let place = (number % TIMES) as usize;
        if let Some(slot) = self.ring.get_mut(place) {
            *slot = time;
        }
    }

    fn time_of(&self, number: u64) -> i64 {
        let known = number <= self.number && self.number - number < TIMES;
        match self.ring.get((number % TIMES) as usize) {
            Some(time) if known => *time,
            _ => self.now,
        }
    }

    /// Counts a line that has the time `wall`, `clock` on the clock that counts.
    #[inline]
    fn count(&mut self, line: &Line<'_>, wall: i64, clock: i64) {
        let counts = [
            1,
            u64::from(line.level == Level::Warning),
            u64::from(line.level >= Level::Error),
        ];
        if wall == INHERITED {
            for (sum, count) in self.tally.early.iter_mut().zip(counts) {
                *sum += count;
            }
            return;
        }
        self.tally.rate.add(wall, counts);
        self.tally.coverage.add(clock);
        let event = line.fields.as_ref().and_then(|f| f.event);
        if let (Some(beats), Some(beat), Some(event)) = (&mut self.tally.beats, &self.beat, event)
            && beat == event
        {
            beats.add(clock);
        }
    }
}

impl Sink for Track {
    const LINES: bool = true;

    #[inline]
    fn line(&mut self, line: &Line<'_>) {
        let mut own = None;
        match &line.fields {
            Some(fields) => {
                if let Some(event) = fields.event {
                    self.tally.events.add(event);
                }
                if let Some(raw) = fields.timestamp {
                    own = stamp::of_json_like(raw, &mut self.date);
                    self.tally.skew.unreadable += u64::from(own.is_none());
                }
            }
            None => {
                if line.bytes.first().is_some_and(
                    |b| matches!(b, b'0'..=b'9' | b'[' | b'(' | b'<' | b'@' | b'A'..=b'Z'),
                ) {
                    own = stamp::leading(line.bytes, self.year).map(|(at, _)| at);
                }
                let no_record = match self.kind {
                    Kind::Lines(Format::Jsonl) => true,
                    _ => line.bytes.trim_ascii().is_empty(),
                };
                self.tally.ignored += u64::from(no_record);
            }
        }
        match self.times {
            Times::Lines => {
                if let Some(at) = own {
                    self.now = at;
                    self.tally.records += 1;
                    self.tally.skew.add(at, None);
                    self.tally.edges =
                        Some(self.tally.edges.map_or((at, at), |(first, _)| (first, at)));
                }
                self.note(line.number, self.now);
                self.count(line, self.now, self.now);
            }
            Times::Arrival => {
                self.tally.records += 1;
                let wall = line.at.wall;
                if let Some(at) = own {
                    self.tally.skew.add(at, Some(wall));
                }
                self.tally.edges = Some(
                    self.tally
                        .edges
                        .map_or((wall, wall), |(first, _)| (first, wall)),
                );
                let clock = i64::try_from(line.at.boot).unwrap_or(i64::MAX);
                self.count(line, wall, clock);
            }
        }
    }

    fn finding(&mut self, mut finding: Finding) {
        if self.times == Times::Lines {
            finding.at = self.moment(self.time_of(finding.line));
            // The classifier did not know the time when it asked the rules.
            let expired = |name: &String| {
                self.allow
                    .iter()
                    .any(|(n, expires)| n == name && finding.at.wall >= *expires)
            };
            if finding.accepted.as_ref().is_some_and(expired) {
                finding.accepted = None;
            }
        }
        if !self.tally.sightings.finding(finding) {
            self.spilled = true;
        }
    }
}

/// Returns lines by the word of their level.
pub(crate) fn level_counts(counts: &Counts) -> std::collections::BTreeMap<String, u64> {
    crate::live::level_counts(counts)
}
