//! The incident engine: many findings become few incidents, each with its exact count, first and last time and one full sample.
//!
//! Keys are bounded: the 4,096 that were seen last are kept one by one, and what falls out is still counted, by kind and severity,
//! in [`NotKept`]. Parts of a stream that are read in parallel collect [`Sightings`]; put into an engine in the order of the stream
//! they leave exactly what the findings themselves would have left.
//!
//! Invariant: the sum of all counts, kept and not kept, is the number of findings.

use std::collections::{BTreeMap, HashMap};

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::classify::{Finding, What};
use crate::{Incident, IncidentKind, Moment, Status};

mod sightings;

pub use sightings::Sightings;

/// Most causes that are kept one by one.
pub const KEYS: usize = 4096;

/// Most bytes of all samples together; beyond that a sample is cut.
const SAMPLE_BYTES: usize = 4 << 20;

/// What is kept of a sample when there is no more room.
const SHORT_SAMPLE: usize = 512;

/// Most bytes of a key and of a message.
const KEY_BYTES: usize = 512;

/// Quiet for so long (boot clock, nanoseconds), a cause that comes again is a new episode.
pub const REARM: u64 = 600 * 1_000_000_000;

/// A cause, and how often it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// What two sightings of it have in common.
    pub key: String,
    /// The worst sighting.
    pub severity: Status,
    /// What kind.
    pub kind: IncidentKind,
    /// One line for people, of the first sighting, or of the first that was worse.
    pub message: String,
    /// How often.
    pub count: u64,
    /// How often it began anew: after [`REARM`], or after recovery.
    pub episodes: u64,
    /// When first.
    pub first: Moment,
    /// When last.
    pub last: Moment,
    /// Whether it goes on.
    #[serde(default)]
    pub open: bool,
    /// The rule that accepts it.
    #[serde(default)]
    pub accepted: Option<String>,
    /// More for machines.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

impl Cause {
    /// Makes a cause that was seen once.
    pub fn new(
        kind: IncidentKind,
        severity: Status,
        key: impl Into<String>,
        at: Moment,
        message: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            severity,
            kind,
            message: message.into(),
            count: 1,
            episodes: 1,
            first: at,
            last: at,
            open: false,
            accepted: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.to_owned(), value.into());
        self
    }

    /// Returns it as reports show it.
    pub fn incident(&self) -> Incident {
        let mut metadata = self.metadata.clone();
        metadata.insert("key".to_owned(), self.key.clone().into());
        if self.episodes > 1 {
            metadata.insert("episodes".to_owned(), self.episodes.into());
        }
        Incident {
            severity: self.severity,
            occurred_at: self.first.timestamp(),
            message: self.message.clone(),
            kind: self.kind,
            count: self.count,
            last_at: Some(self.last.timestamp()),
            open: self.open,
            accepted: self.accepted.clone(),
            metadata,
        }
    }

    fn sample_bytes(&self) -> usize {
        self.metadata
            .get("sample")
            .and_then(Value::as_str)
            .map_or(0, str::len)
    }

    fn shorten_sample(&mut self) {
        if let Some(Value::String(sample)) = self.metadata.get_mut("sample")
            && sample.len() > SHORT_SAMPLE
        {
            truncate(sample, SHORT_SAMPLE);
            self.metadata.insert("sample_cut".to_owned(), true.into());
        }
    }

    /// Takes in what was seen of the same cause afterwards.
    fn extend(&mut self, later: Self) {
        self.episodes += later.episodes;
        // A condition says itself when it begins anew; a line does so after a quiet time.
        let goes_on = if later.open {
            self.open
        } else {
            later.first.since(self.last) <= REARM
        };
        if goes_on {
            self.episodes = self.episodes.saturating_sub(1);
        }
        if later.severity > self.severity {
            self.severity = later.severity;
            self.message = later.message;
        }
        self.count += later.count;
        // The last in the order of the log, not of time: so parts add up whatever times they name.
        self.last = later.last;
        self.open |= later.open;
    }
}

/// Causes that are not kept one by one any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotKept {
    /// Their worst sighting.
    pub severity: Status,
    /// What kind.
    pub kind: IncidentKind,
    /// Whether rules accept them.
    #[serde(default)]
    pub accepted: bool,
    /// How many; a cause that came again after it fell out counts again.
    pub causes: u64,
    /// How many sightings, exactly.
    pub count: u64,
    /// When the first of them was.
    pub first_at: Timestamp,
    /// When the last of them was.
    pub last_at: Timestamp,
}

/// Takes findings, keeps causes.
#[derive(Debug, Clone)]
pub struct Engine {
    keys: usize,
    /// Causes by place; a place that is free is in `free`.
    causes: Vec<Option<(u64, Cause)>>,
    free: Vec<u32>,
    places: HashMap<String, u32>,
    /// Places by the turn of their last sighting.
    turns: BTreeMap<u64, u32>,
    turn: u64,
    sample_bytes: usize,
    not_kept: Vec<NotKept>,
    /// Whether there is something that was not shown yet.
    urgent: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self::with_keys(KEYS)
    }
}

impl Engine {
    /// Makes an engine that keeps `keys` causes one by one.
    pub fn with_keys(keys: usize) -> Self {
        Self {
            keys: keys.max(1),
            causes: Vec::new(),
            free: Vec::new(),
            places: HashMap::new(),
            turns: BTreeMap::new(),
            turn: 0,
            sample_bytes: 0,
            not_kept: Vec::new(),
            urgent: false,
        }
    }

    /// Takes a finding of the classifier.
    pub fn finding(&mut self, finding: Finding) {
        self.sighting(cause_of(finding));
    }

    /// Takes a sighting, or several of one cause.
    pub fn sighting(&mut self, seen: Cause) {
        if let Some(&place) = self.places.get(&seen.key) {
            self.touch(place);
            if let Some((_, cause)) = &mut self.causes[place as usize] {
                self.urgent |= seen.severity > cause.severity || (seen.open && !cause.open);
                cause.extend(seen);
            }
            return;
        }
        self.urgent = true;
        self.admit(seen);
    }

    /// Says that a condition is over; the next sighting of `key` is a new episode.
    pub fn recovered(&mut self, key: &str, at: Moment) {
        let place = self.places.get(key).copied();
        if let Some((_, cause)) = place.and_then(|p| self.causes[p as usize].as_mut())
            && cause.open
        {
            cause.open = false;
            cause.last = cause.last.max(at);
            self.urgent = true;
        }
    }

    /// Changes the worst severity, message and facts of a condition that goes on.
    pub fn update(&mut self, key: &str, change: impl FnOnce(&mut Cause)) {
        let place = self.places.get(key).copied();
        if let Some((_, cause)) = place.and_then(|p| self.causes[p as usize].as_mut()) {
            let before = cause.severity;
            change(cause);
            self.urgent |= cause.severity > before;
        }
    }

    /// Returns whether a condition goes on.
    pub fn is_open(&self, key: &str) -> bool {
        self.cause(key).is_some_and(|c| c.open)
    }

    /// Returns a cause that is kept.
    pub fn cause(&self, key: &str) -> Option<&Cause> {
        let place = *self.places.get(key)?;
        self.causes[place as usize].as_ref().map(|(_, c)| c)
    }

    /// Takes in what a part of the stream collected; parts come in the order of the stream.
    pub fn absorb(&mut self, part: Sightings) {
        for epoch in part.into_epochs() {
            let order = epoch.by_last_sighting();
            for cause in epoch.causes {
                self.sighting(cause);
            }
            for key in order {
                if let Some(&place) = self.places.get(&key) {
                    self.touch(place);
                }
            }
        }
    }

    fn admit(&mut self, mut cause: Cause) {
        if self.places.len() >= self.keys {
            self.evict();
        }
        truncate(&mut cause.key, KEY_BYTES);
        truncate(&mut cause.message, KEY_BYTES);
        if self.sample_bytes + cause.sample_bytes() > SAMPLE_BYTES {
            cause.shorten_sample();
        }
        self.sample_bytes += cause.sample_bytes();
        self.turn += 1;
        let key = cause.key.clone();
        let slot = Some((self.turn, cause));
        let place = match self.free.pop() {
            Some(place) => {
                self.causes[place as usize] = slot;
                place
            }
            None => {
                self.causes.push(slot);
                (self.causes.len() - 1) as u32
            }
        };
        self.turns.insert(self.turn, place);
        self.places.insert(key, place);
    }

    fn touch(&mut self, place: u32) {
        let Some((turn, _)) = &mut self.causes[place as usize] else {
            return;
        };
        if *turn != self.turn {
            self.turns.remove(turn);
            self.turn += 1;
            *turn = self.turn;
            self.turns.insert(self.turn, place);
        }
    }

    fn evict(&mut self) {
        let Some((_, place)) = self.turns.pop_first() else {
            return;
        };
        if let Some((_, cause)) = self.causes[place as usize].take() {
            self.free.push(place);
            self.places.remove(&cause.key);
            self.sample_bytes = self.sample_bytes.saturating_sub(cause.sample_bytes());
            self.count_dropped(&cause);
        }
    }

    fn count_dropped(&mut self, cause: &Cause) {
        let accepted = cause.accepted.is_some();
        let same = self
            .not_kept
            .iter_mut()
            .find(|n| (n.severity, n.kind, n.accepted) == (cause.severity, cause.kind, accepted));
        let (first_at, last_at) = (cause.first.timestamp(), cause.last.timestamp());
        match same {
            Some(n) => {
                n.causes += 1;
                n.count += cause.count;
                n.first_at = n.first_at.min(first_at);
                n.last_at = n.last_at.max(last_at);
            }
            None => self.not_kept.push(NotKept {
                severity: cause.severity,
                kind: cause.kind,
                accepted,
                causes: 1,
                count: cause.count,
                first_at,
                last_at,
            }),
        }
    }

    /// Returns the causes that are kept: worst first, then in the order of their first sighting.
    pub fn causes(&self) -> Vec<&Cause> {
        let mut causes: Vec<&Cause> = self.causes.iter().flatten().map(|(_, c)| c).collect();
        causes.sort_by(|a, b| worst_first(a, b));
        causes
    }

    /// Returns what is not kept one by one, worst first.
    pub fn not_kept(&self) -> Vec<NotKept> {
        let mut not_kept = self.not_kept.clone();
        not_kept.sort_by_key(|n| (std::cmp::Reverse(n.severity), n.kind, n.accepted));
        not_kept
    }

    /// Returns how many causes are not kept one by one.
    pub fn causes_not_kept(&self) -> u64 {
        self.not_kept.iter().map(|n| n.causes).sum()
    }

    /// Returns the worst that no rule accepts.
    pub fn status(&self) -> Status {
        let kept = self.causes.iter().flatten().map(|(_, c)| c);
        let kept = kept.filter(|c| c.accepted.is_none()).map(|c| c.severity);
        let dropped = self.not_kept.iter().filter(|n| !n.accepted);
        kept.chain(dropped.map(|n| n.severity))
            .max()
            .unwrap_or_default()
    }

    /// Returns whether there is something that was not shown yet, and takes note that it will.
    pub const fn take_urgent(&mut self) -> bool {
        std::mem::replace(&mut self.urgent, false)
    }

    /// Returns the state, in the order of the last sighting.
    pub fn saved(&self) -> SavedEngine {
        let in_turn = self.turns.values();
        SavedEngine {
            causes: in_turn
                .filter_map(|p| self.causes[*p as usize].as_ref())
                .map(|(_, c)| c.clone())
                .collect(),
            not_kept: self.not_kept.clone(),
        }
    }

    /// Goes on from what [`Engine::saved`] returned.
    pub fn restored(saved: SavedEngine) -> Self {
        let mut engine = Self::default();
        for cause in saved.causes {
            engine.admit(cause);
        }
        engine.not_kept = saved.not_kept;
        engine
    }
}

/// An engine as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedEngine {
    causes: Vec<Cause>,
    not_kept: Vec<NotKept>,
}

/// The order of reports: worst first, then by time; the key decides between equals.
pub fn worst_first(a: &Cause, b: &Cause) -> std::cmp::Ordering {
    let at = |c: &Cause| (std::cmp::Reverse(c.severity), c.first);
    at(a).cmp(&at(b)).then_with(|| a.key.cmp(&b.key))
}

/// Makes a cause of a finding. Its key names kind, severity, stream and rule, so that sightings of one cause are of one sort.
pub fn cause_of(finding: Finding) -> Cause {
    let Finding {
        severity,
        what,
        stream,
        line,
        at,
        key,
        message,
        sample,
        accepted,
    } = finding;
    let (kind, word) = match &what {
        What::Line { level } => (IncidentKind::LogLevel, format!("{level:?}").to_lowercase()),
        What::Trace { language, .. } => (IncidentKind::StackTrace, (*language).to_owned()),
        What::LongLine { .. } => (IncidentKind::LongLine, "long".to_owned()),
    };
    let rule = accepted.as_deref().unwrap_or("");
    let key = format!("{word}/{stream}/{}/{rule}/{key}", severity.word());
    let folded = folded(&sample);
    let is_folded = folded.is_some();
    let message = self::folded(&message).unwrap_or(message);
    let mut cause = Cause::new(kind, severity, bounded(key), at, message)
        .with("stream", stream.word())
        .with("line", line)
        .with("sample", folded.unwrap_or(sample));
    if is_folded {
        cause = cause.with("sample_folded", true);
    }
    truncate(&mut cause.message, KEY_BYTES);
    cause.accepted = accepted;
    match what {
        What::Line { .. } => cause.with("level", word),
        What::Trace {
            language,
            kind,
            lines,
            frames,
        } => cause
            .with("language", language)
            .with("exception", kind)
            .with("lines", lines)
            .with("frames", frames),
        What::LongLine { bytes } => cause.with("bytes", bytes),
    }
}

/// So many of the same character in a row are told as such: control characters, all others.
const RUNS: (usize, usize) = (8, 256);

/// Tells long runs of one character as such: thousands of NUL bytes say no more to a reader than their number. None if there is no
/// such run; white space that lays out a trace stays.
fn folded(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut kept = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        let mut count = 1;
        while chars.next_if(|(_, next)| *next == first).is_some() {
            count += 1;
        }
        let limit = if first.is_control() { RUNS.0 } else { RUNS.1 };
        if count < limit || first.is_whitespace() {
            continue;
        }
        out.push_str(&text[kept..start]);
        let shown = match first {
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        };
        out.push_str(&format!("[{count} × {shown}]"));
        kept = start + count * first.len_utf8();
    }
    (kept > 0).then(|| out + &text[kept..])
}

/// Cuts a key that is too long so that two that differ still do: its end becomes the digest of the whole.
fn bounded(mut key: String) -> String {
    if key.len() > KEY_BYTES {
        let digest = gonogo_core::Digest::of(key.as_bytes()).hex();
        truncate(&mut key, KEY_BYTES - 24);
        key.push_str(&digest[..16]);
    }
    key
}

/// Cuts `text` to at most `bytes`, a mark at its end.
pub(crate) fn truncate(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let mut end = bytes.saturating_sub(3);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;
    use crate::classify::Level;

    fn at(seconds: u64) -> Moment {
        Moment {
            boot: seconds * 1_000_000_000,
            wall: seconds as i64 * 1_000_000_000,
        }
    }

    #[test]
    fn a_run_of_one_character_is_told_as_such() {
        let mut finding = warning(1, 1);
        finding.sample = format!("boom {}\n\tat {} end", "\0".repeat(4000), "é".repeat(300));
        finding.message = "\0".repeat(500);
        let cause = cause_of(finding);
        assert_eq!(
            cause.metadata["sample"],
            "boom [4000 × \\u{0}]\n\tat [300 × é] end"
        );
        assert_eq!(cause.message, "[500 × \\u{0}]");
        assert_eq!(cause.metadata["sample_folded"], true);
        // What lays out a trace, and short runs, stay as they were printed.
        let mut finding = warning(1, 1);
        finding.sample = format!("{}at f\n{}\0\0", " ".repeat(500), "^".repeat(100));
        let cause = cause_of(finding.clone());
        assert_eq!(cause.metadata["sample"], *finding.sample);
        assert!(!cause.metadata.contains_key("sample_folded"));
    }

    fn warning(key: usize, seconds: u64) -> Finding {
        Finding {
            severity: Status::Warn,
            what: What::Line {
                level: Level::Warning,
            },
            stream: Stream::Stdout,
            line: seconds + 1,
            at: at(seconds),
            key: format!("k{key}"),
            message: format!("warning {key}"),
            sample: format!("warning {key} at {seconds}"),
            accepted: None,
        }
    }

    fn total(engine: &Engine) -> u64 {
        engine.causes().iter().map(|c| c.count).sum::<u64>()
            + engine.not_kept().iter().map(|n| n.count).sum::<u64>()
    }

    #[test]
    fn one_cause_is_one_incident_with_its_first_sample_and_exact_count() {
        let mut engine = Engine::default();
        for i in 0..1000 {
            engine.finding(warning(i % 3, i as u64));
        }
        let causes = engine.causes();
        assert_eq!(causes.len(), 3);
        assert_eq!(
            (causes[0].count, causes[1].count, causes[2].count),
            (334, 333, 333)
        );
        assert_eq!(causes[1].metadata["sample"], "warning 1 at 1");
        assert_eq!((causes[1].first, causes[1].last), (at(1), at(997)));
        assert_eq!(causes[1].episodes, 1);
    }

    #[test]
    fn what_falls_out_is_counted() {
        let mut engine = Engine::with_keys(10);
        for i in 0..1000 {
            engine.finding(warning(i, i as u64));
        }
        assert_eq!(engine.causes().len(), 10);
        assert_eq!(total(&engine), 1000);
        assert_eq!(engine.causes_not_kept(), 990);
        assert_eq!(engine.status(), Status::Warn);
        assert_eq!(engine.not_kept()[0].last_at, at(989).timestamp());
    }

    #[test]
    fn quiet_for_long_makes_a_new_episode() {
        let mut engine = Engine::default();
        for seconds in [0, 10, 700, 710, 2000] {
            engine.finding(warning(1, seconds));
        }
        assert_eq!(engine.causes()[0].episodes, 3);
    }

    #[test]
    fn conditions_open_recover_and_open_again() {
        let mut engine = Engine::default();
        let mut silence = Cause::new(
            IncidentKind::LogGap,
            Status::Warn,
            "silence",
            at(5),
            "silent",
        );
        silence.open = true;
        engine.sighting(silence.clone());
        assert!(engine.take_urgent() && !engine.take_urgent());
        engine.recovered("silence", at(9));
        assert!(!engine.is_open("silence"));
        silence.first = at(20);
        engine.sighting(silence);
        let cause = engine.cause("silence").unwrap();
        assert_eq!((cause.count, cause.episodes, cause.open), (2, 2, true));
        engine.update("silence", |c| c.severity = Status::Fail);
        assert!(engine.take_urgent());
        assert_eq!(engine.status(), Status::Fail);
    }

    #[test]
    fn accepted_findings_do_not_count() {
        let mut engine = Engine::with_keys(2);
        for i in 0..5 {
            let mut finding = warning(i, i as u64);
            finding.accepted = Some("known".to_owned());
            engine.finding(finding);
        }
        assert_eq!(engine.status(), Status::Pass);
        assert_eq!(total(&engine), 5);
    }

    #[test]
    fn four_thousand_distinct_warnings_take_no_time() {
        let mut engine = Engine::default();
        for i in 0..4000 {
            engine.finding(warning(i, i as u64));
        }
        assert_eq!(engine.causes().len(), 4000);
        let saved = engine.saved();
        let again = Engine::restored(saved.clone());
        assert_eq!(again.saved(), saved);
    }

    #[test]
    fn samples_and_keys_are_bounded_and_long_keys_stay_apart() {
        let mut engine = Engine::default();
        for i in 0..100 {
            let mut finding = warning(i, 0);
            finding.sample = "x".repeat(256 << 10);
            finding.key = format!("{}{i}", "é".repeat(5000));
            engine.finding(finding);
        }
        assert_eq!(engine.causes().len(), 100);
        let bytes: usize = engine.causes().iter().map(|c| c.sample_bytes()).sum();
        assert!(bytes <= SAMPLE_BYTES + 100 * SHORT_SAMPLE, "{bytes}");
    }

    proptest::proptest! {
        /// Cut anywhere, with any number of keys that fit or do not: the parts leave what the whole leaves.
        #[test]
        fn parts_make_the_whole(
            keys in proptest::collection::vec(0usize..12, 0..200), cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let mut whole = Engine::with_keys(7);
            keys.iter().enumerate().for_each(|(i, k)| whole.finding(warning(*k, 90 * i as u64)));
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(keys.len())).collect();
            cuts.extend([0, keys.len()]);
            cuts.sort_unstable();
            let mut joined = Engine::with_keys(7);
            for cut in cuts.windows(2) {
                let mut part = Sightings::with_keys(7, usize::MAX);
                for (i, key) in keys.iter().enumerate().take(cut[1]).skip(cut[0]) {
                    proptest::prop_assert!(part.finding(warning(*key, 90 * i as u64)));
                }
                joined.absorb(part);
            }
            proptest::prop_assert_eq!(joined.saved(), whole.saved());
            proptest::prop_assert_eq!(total(&joined), keys.len() as u64);
        }
    }
}
