//! Why a part is not well: the first of its worst reasons, with the place, and how many more there are.

use crate::Status;
use crate::sign_off::Finding;
use crate::summary::{Diary, LogIncident, Logs, Performance};

/// Longest reason, in characters: a sign-off is read by people.
const LONGEST: usize = 300;

/// Why a part is not well.
#[derive(Debug, Default)]
pub(super) struct Why {
    /// The first of the worst.
    pub(super) first: Option<String>,
    /// How many reasons there are beside it.
    pub(super) more: u64,
    /// The file.
    pub(super) path: Option<String>,
}

fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The first of the worst, of those that count.
fn worst<T>(all: impl Iterator<Item = (Status, T)>) -> (Option<T>, u64) {
    let mut count: u64 = 0;
    let mut first: Option<(Status, T)> = None;
    for (status, what) in all.filter(|(status, _)| *status > Status::Pass) {
        count += 1;
        if first.as_ref().is_none_or(|(worst, _)| status > *worst) {
            first = Some((status, what));
        }
    }
    (first.map(|(_, what)| what), count.saturating_sub(1))
}

fn of_finding(finding: &Finding) -> (Status, String) {
    let counts = finding.accepted.is_none();
    let severity = if counts {
        finding.severity
    } else {
        Status::Pass
    };
    (severity, short(&finding.message))
}

fn of_incident(found: &LogIncident) -> (Status, String) {
    let severity = match found.accepted {
        None => found.severity,
        Some(_) => Status::Pass,
    };
    let fact = |name: &str| found.metadata.get(name).filter(|v| !v.is_null());
    let stream = fact("stream").and_then(|s| s.as_str());
    let line = fact("line").and_then(serde_json::Value::as_u64);
    let place = match (stream, line) {
        (Some(stream), Some(line)) => format!(" on {stream}, line {line}"),
        (None, Some(line)) => format!(" in line {line}"),
        (Some(stream), None) => format!(" on {stream}"),
        (None, None) => String::new(),
    };
    let times = match found.count {
        0 | 1 => String::new(),
        n => format!(", {n} times"),
    };
    let text = format!(
        "{}{place}, at {}{times}",
        short(&found.summary),
        found.occurred_at
    );
    (severity, text)
}

/// What is wrong with the logs themselves comes first among equals: what they say is worth less then.
pub(super) fn of_logs(logs: &Logs) -> Why {
    let problems = logs.problems.iter().map(of_finding);
    let incidents = [
        &logs.content_incidents,
        &logs.errors,
        &logs.gap_incidents,
        &logs.warnings,
    ];
    let incidents = incidents.into_iter().flatten().map(of_incident);
    let (first, more) = worst(problems.chain(incidents));
    Why {
        first,
        more,
        path: None,
    }
}

/// The entry is named by its id, or else by its time.
pub(super) fn of_diary(diary: &Diary, path: Option<&str>) -> Why {
    let (issue, _) = worst(diary.issues.iter().map(|issue| (issue.severity, issue)));
    let first = issue.map(|issue| {
        let place = match (&issue.entry_id, issue.recorded_at) {
            (Some(id), Some(at)) => format!("entry `{}` of {at}: ", short(id)),
            (Some(id), None) => format!("entry `{}`: ", short(id)),
            (None, Some(at)) => format!("the entry of {at}: "),
            (None, None) => String::new(),
        };
        format!("{place}{}", short(&issue.reason))
    });
    Why {
        more: diary.issue_count.saturating_sub(u64::from(first.is_some())),
        first,
        path: path.map(str::to_owned),
    }
}

pub(super) fn of_performance(performance: &Performance, path: Option<&str>) -> Why {
    let (first, more) = worst(performance.issues.iter().map(of_finding));
    Why {
        first,
        more,
        path: path.map(str::to_owned),
    }
}
