//! The decision diary: what each entry says of the run, and whether the entries cover it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use gonogo_core::Timestamp;
use serde_json::Value;

use super::{COVERAGE_TOLERANCE, Input, Window, entry_time, scan, unreadable};
use crate::Status;
use crate::sign_off::Finding;
use crate::summary::{Diary, DiaryIssue};

/// Most issues that are kept, of each severity.
const ISSUES: usize = 1000;

/// Most policies that are counted one by one.
const POLICIES: usize = 1000;

/// Most days that are counted one by one.
const DAYS: usize = 10_000;

/// Most entries that later ones are compared with: 8 bytes each and a table of hashes over them.
const COMPARED: usize = 500_000;

const DAY: i64 = 86_400_000;

/// What is demanded of a diary.
#[derive(Debug, Clone, Default)]
pub struct DiaryRules {
    /// What it must cover; unknown if there are neither run nor logs.
    pub window: Option<Window>,
    /// Fewest entries.
    pub min_entries: Option<u64>,
    /// Fewest entries on each day (UTC) of the window.
    pub min_entries_per_day: u64,
    /// What a day with fewer means.
    pub daily_severity: Status,
    /// JSON pointer of an entry's time, if it is none of the usual names.
    pub time_pointer: Option<String>,
    /// When it is judged: entries dated later are told.
    pub judged_at: Option<Timestamp>,
}

/// Judges a diary. The second part is what could not be read. None if there is no file.
pub fn diary(input: Input<'_>, rules: &DiaryRules) -> Option<(Diary, Vec<Finding>)> {
    let source = input.source?;
    let mut reading = Reading {
        rules,
        diary: Diary::default(),
        fails: Vec::new(),
        warns: Vec::new(),
        days: BTreeMap::new(),
        known: false,
        seen: HashSet::new(),
        repeated: 0,
        repeats: None,
    };
    let mut odd = None;
    let outcome = scan::entries(source, |at, value| {
        if value.is_object() {
            reading.entry(&value);
        } else if odd.is_none() {
            odd = Some(scan::Problem {
                at,
                line: 0,
                reason: "an entry is not an object".to_owned(),
            });
        }
    });
    let label = "the decision diary";
    let mut findings: Vec<Finding> = outcome
        .problems
        .iter()
        .map(|p| unreadable(label, input.path, p))
        .collect();
    findings.extend(odd.map(|p| unreadable(label, input.path, &p)));
    if outcome.shape == scan::Shape::Sequence && reading.diary.total_entries == 1 && !reading.known
    {
        let problem = scan::Problem {
            at: 0,
            line: 1,
            reason: "it is an object without `entries`".to_owned(),
        };
        findings.push(unreadable(label, input.path, &problem));
        reading.diary.total_entries = 0;
    }
    reading.coverage();
    Some((reading.done(), findings))
}

struct Reading<'a> {
    rules: &'a DiaryRules,
    diary: Diary,
    fails: Vec<DiaryIssue>,
    warns: Vec<DiaryIssue>,
    days: BTreeMap<i64, u64>,
    /// Whether an entry had anything that an entry has.
    known: bool,
    /// Digests of the entries' names, for the first [`COMPARED`].
    seen: HashSet<u64>,
    /// Entries that were there before.
    repeated: u64,
    /// The first of them.
    repeats: Option<(Option<String>, Option<String>, Option<Timestamp>)>,
}

impl Reading<'_> {
    fn entry(&mut self, entry: &Value) {
        self.diary.total_entries += 1;
        self.known |= [
            "entry_id",
            "policy_id",
            "recorded_at",
            "decision",
            "outcomes",
            "notes",
        ]
        .iter()
        .any(|name| entry.get(name).is_some());
        let at = entry_time(entry, self.rules.time_pointer.as_deref());
        let text = |name: &str| match entry.get(name) {
            Some(Value::String(text)) => Some(text.chars().take(200).collect()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let (entry_id, policy_id): (Option<String>, Option<String>) =
            (text("entry_id"), text("policy_id"));
        let repeats = self.repeats(entry);
        if repeats {
            self.repeated += 1;
            self.repeats
                .get_or_insert_with(|| (entry_id.clone(), policy_id.clone(), at));
        }
        let policy = policy_id.clone().unwrap_or_else(|| "unknown".to_owned());
        let counts = &mut self.diary.policy_counts;
        let name = if counts.contains_key(&policy) || counts.len() < POLICIES {
            policy
        } else {
            "…".to_owned()
        };
        *counts.entry(name).or_default() += 1;
        let mut found = Vec::new();
        match at {
            None => found.push((
                Status::Fail,
                "the entry has no time that can be read".to_owned(),
            )),
            Some(at) => {
                let (first, last) = (
                    &mut self.diary.first_recorded_at,
                    &mut self.diary.last_recorded_at,
                );
                *first = Some(first.map_or(at, |f| f.min(at)));
                *last = Some(last.map_or(at, |l| l.max(at)));
                let day = at.as_millis().div_euclid(DAY);
                if !repeats && (self.days.len() < DAYS || self.days.contains_key(&day)) {
                    *self.days.entry(day).or_default() += 1;
                }
                let ahead = self.rules.judged_at.is_some_and(|now| {
                    at.as_millis() > now.as_millis().saturating_add(super::AHEAD)
                });
                if ahead {
                    found.push((Status::Warn, "the entry is dated in the future".to_owned()));
                }
            }
        }
        found.extend(entry.get("notes").and_then(|notes| of_notes(notes, 0)));
        for part in ["metadata", "decision", "outcomes"] {
            found.extend(entry.get(part).and_then(|value| of_status(part, value)));
        }
        for (severity, reason) in found {
            self.issue(severity, reason, (entry_id.clone(), policy_id.clone(), at));
        }
    }

    /// Whether the entry was there before: one with its `entry_id`, or the very same where it has none.
    fn repeats(&mut self, entry: &Value) -> bool {
        let mut hasher = DefaultHasher::new();
        match entry.get("entry_id").filter(|id| !id.is_null()) {
            Some(id) => id.to_string().hash(&mut hasher),
            None => entry.to_string().hash(&mut hasher),
        }
        let name = hasher.finish();
        if self.seen.len() < COMPARED {
            !self.seen.insert(name)
        } else {
            self.seen.contains(&name)
        }
    }

    fn issue(
        &mut self,
        severity: Status,
        reason: String,
        (entry_id, policy_id, recorded_at): (Option<String>, Option<String>, Option<Timestamp>),
    ) {
        self.diary.issue_count += 1;
        self.diary.status = self.diary.status.max(severity);
        let kept = if severity >= Status::Fail {
            &mut self.fails
        } else {
            &mut self.warns
        };
        if kept.len() < ISSUES {
            kept.push(DiaryIssue {
                entry_id,
                policy_id,
                recorded_at,
                severity,
                reason,
                metadata: BTreeMap::new(),
            });
        }
    }

    fn coverage(&mut self) {
        let none = (None, None, None);
        let total = self.diary.total_entries;
        if total == 0 {
            self.issue(Status::Fail, "the diary has no entries".to_owned(), none);
            return;
        }
        if let Some(first) = self.repeats.take() {
            let text = format!(
                "{} of the diary's {total} entries were there before (the first of them has the id {})",
                self.repeated,
                first
                    .0
                    .as_deref()
                    .map_or("none".to_owned(), |id| format!("`{id}`")),
            );
            self.issue(Status::Warn, text, first);
        }
        let distinct = total - self.repeated;
        if let Some(least) = self.rules.min_entries.filter(|least| distinct < *least) {
            self.issue(
                Status::Fail,
                format!("the diary has {distinct} entries, and {least} are required"),
                none.clone(),
            );
        }
        let Some(window) = self.rules.window else {
            self.issue(
                Status::Warn,
                "what the diary must cover is not known: there is no run and no log".to_owned(),
                none,
            );
            return;
        };
        let minutes = |ms: i64| ms as f64 / 60_000.0;
        if let Some(first) = self.diary.first_recorded_at {
            let late = first.as_millis().saturating_sub(window.from.as_millis());
            if late > COVERAGE_TOLERANCE {
                self.issue(
                    Status::Warn,
                    format!(
                        "the diary begins {:.1} minutes after the run",
                        minutes(late)
                    ),
                    none.clone(),
                );
            }
        }
        if let Some(last) = self.diary.last_recorded_at {
            let early = window.to.as_millis().saturating_sub(last.as_millis());
            if early > COVERAGE_TOLERANCE {
                self.issue(
                    Status::Warn,
                    format!(
                        "the diary ends {:.1} minutes before the run",
                        minutes(early)
                    ),
                    none.clone(),
                );
            }
        }
        let least = self.rules.min_entries_per_day;
        if least > 0 {
            let days =
                window.from.as_millis().div_euclid(DAY)..=window.to.as_millis().div_euclid(DAY);
            for day in days.take(DAYS) {
                let count = self.days.get(&day).copied().unwrap_or(0);
                if count < least {
                    let date: String = Timestamp::from_millis(day * DAY)
                        .to_string()
                        .chars()
                        .take(10)
                        .collect();
                    self.issue(self.rules.daily_severity, format!("the diary has {count} entries on {date}, and {least} are required a day"), none.clone());
                }
            }
        }
    }

    fn done(mut self) -> Diary {
        self.fails.append(&mut self.warns);
        self.fails.truncate(ISSUES);
        self.diary.issues = self.fails;
        self.diary
    }
}

/// The worst that notes say: a text, a list, or objects with texts.
fn of_notes(notes: &Value, depth: u8) -> Option<(Status, String)> {
    match notes {
        Value::String(text) => {
            let lower = text.to_lowercase();
            let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
            let severity = if has(&["incident", "halt", "error"]) {
                Status::Fail
            } else if has(&["warn", "degraded"]) {
                Status::Warn
            } else {
                return None;
            };
            let shown: String = text.chars().take(200).collect();
            Some((severity, format!("a note says: {shown}")))
        }
        Value::Array(list) if depth < 8 => {
            worst(list.iter().filter_map(|n| of_notes(n, depth + 1)))
        }
        Value::Object(map) if depth < 8 => {
            worst(map.values().filter_map(|n| of_notes(n, depth + 1)))
        }
        _ => None,
    }
}

/// The first of the worst.
fn worst(found: impl Iterator<Item = (Status, String)>) -> Option<(Status, String)> {
    found.reduce(|a, b| if b.0 > a.0 { b } else { a })
}

/// What `status` in one of an entry's parts says, or the part itself if it is a word; a part may be a list of them.
fn of_status(part: &str, value: &Value) -> Option<(Status, String)> {
    let word = match value {
        Value::Array(list) => return worst(list.iter().filter_map(|v| of_status(part, v))),
        Value::Object(map) => map.get("status")?.as_str()?,
        Value::String(word) => word,
        _ => return None,
    };
    let word = word.trim().to_lowercase();
    let severity = match word.as_str() {
        "error" | "failed" | "halted" | "fatal" | "critical" => Status::Fail,
        "warn" | "warning" | "degraded" | "throttled" | "skipped" => Status::Warn,
        _ => return None,
    };
    Some((severity, format!("the status in `{part}` is `{word}`")))
}
