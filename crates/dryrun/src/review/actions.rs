//! What is to be done after a run: each finding of its report that counts, once, worst first. Findings that a rule accepts stand beside.

use std::collections::BTreeSet;

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::escape::shortened;
use super::facts;
use crate::spec::Allow;
use crate::summary::{LogIncident, Report};
use crate::watch::duration::{brief, counted};
use crate::{Incident, IncidentKind, Status};

/// Most action items of a review, and most accepted findings.
pub const LIMIT: usize = 500;

/// The name under which `--allow-warnings` accepts.
pub const ALLOW_WARNINGS: &str = "--allow-warnings";

/// Where an action item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The logs as a whole, and lines by their level.
    Logs,
    /// A silence.
    LogGap,
    /// A stack trace, or other content.
    LogContent,
    /// The decision diary.
    Diary,
    /// Performance evidence.
    Performance,
    /// A criterion of the sign-off.
    SignOff,
    /// CPU, memory, disk.
    Resources,
    /// Declared evidence files: freshness, thresholds, what could not be read.
    Evidence,
    /// The harness itself, and how the run ended.
    Harness,
}

impl Category {
    /// Returns the word, as JSON has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::LogGap => "log_gap",
            Self::LogContent => "log_content",
            Self::Diary => "diary",
            Self::Performance => "performance",
            Self::SignOff => "sign_off",
            Self::Resources => "resources",
            Self::Evidence => "evidence",
            Self::Harness => "harness",
        }
    }

    /// Returns the place among categories of one severity: what a reader must hear of first.
    pub const fn rank(self) -> u8 {
        match self {
            Self::SignOff => 0,
            Self::Harness => 1,
            Self::LogContent => 2,
            Self::LogGap => 3,
            Self::Evidence => 4,
            Self::Diary => 5,
            Self::Performance => 6,
            Self::Resources => 7,
            Self::Logs => 8,
        }
    }

    /// Returns who acts, unless somebody is named.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Logs | Self::LogGap | Self::LogContent | Self::Resources => "runtime owner",
            Self::Diary | Self::Performance | Self::Evidence => "evidence owner",
            Self::SignOff => "approver",
            Self::Harness => "dry-run operator",
        }
    }
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionItem {
    /// How bad.
    pub severity: Status,
    /// Where from.
    pub category: Category,
    /// What, in one line. May hold text of the child.
    pub description: String,
    /// Who acts.
    #[serde(default)]
    pub owner: String,
    /// How often it was seen.
    #[serde(default = "one")]
    pub count: u64,
    /// When first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// Where it can be looked up: stream and line, or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

const fn one() -> u64 {
    1
}

/// A finding that a rule accepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The rule's name; `--allow-warnings` if all warnings are accepted.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What it would have counted as.
    pub severity: Status,
    /// Where from.
    pub category: Category,
    /// What.
    pub description: String,
    /// How often.
    #[serde(default = "one")]
    pub count: u64,
}

/// What [`collect`] returns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// Worst first, each once.
    pub items: Vec<ActionItem>,
    /// What rules accept, worst first.
    pub accepted: Vec<Accepted>,
}

/// Collects what is to be done.
pub fn collect(report: &Report, rules: &[Allow]) -> Collected {
    let mut collector = Collector {
        rules,
        allow_warnings: facts::warnings_allowed(report),
        seen: BTreeSet::new(),
        out: Collected::default(),
    };
    collector.logs(report);
    collector.evidence(report);
    collector.resources(report);
    collector.sign_off(report);
    for incident in incidents(report) {
        collector.incident(report, incident);
    }
    for row in super::criteria::rows(report)
        .iter()
        .filter(|row| row.contradicts)
    {
        collector.add(Found {
            severity: Status::Invalid,
            category: Category::SignOff,
            description: format!(
                "the figures contradict the sign-off: {} is {} where {} is required, and no finding says so; recompute the verdict",
                row.name, row.observed, row.required
            ),
            ..Found::default()
        });
    }
    // A part may stand badly without saying why. Then that is what must be said.
    let worst = collector
        .out
        .items
        .iter()
        .map(|item| item.severity)
        .max()
        .unwrap_or_default();
    let stated = report
        .sign_off
        .iter()
        .map(|sign_off| sign_off.status)
        .fold(report.status.max(report.summary.status), Status::max);
    let stated = facts::counting(stated, collector.allow_warnings);
    if stated > worst {
        collector.add(Found {
            severity: stated,
            category: Category::SignOff,
            description: format!("the report says `{stated}` and names no reason for it"),
            ..Found::default()
        });
    }
    let mut out = collector.out;
    out.items.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then(a.category.rank().cmp(&b.category.rank()))
            .then(a.occurred_at.cmp(&b.occurred_at))
    });
    out.accepted.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then(a.category.rank().cmp(&b.category.rank()))
    });
    out
}

/// Returns the report's incidents; of reports that keep them in the summary only, those.
pub fn incidents(report: &Report) -> &[Incident] {
    match report.incidents.is_empty() {
        true => &report.summary.metadata.harness_incidents,
        false => &report.incidents,
    }
}

/// Something found, on its way into a list.
#[derive(Default)]
struct Found<'a> {
    severity: Status,
    category: Category,
    description: String,
    accepted: Option<&'a str>,
    count: u64,
    occurred_at: Option<Timestamp>,
    evidence: Option<String>,
}

#[expect(
    clippy::derivable_impls,
    reason = "no category is a natural default of the public type"
)]
impl Default for Category {
    fn default() -> Self {
        Self::Harness
    }
}

struct Collector<'a> {
    rules: &'a [Allow],
    allow_warnings: bool,
    /// Severity, category, whether accepted, description.
    seen: BTreeSet<(Status, Category, bool, String)>,
    out: Collected,
}

impl Collector<'_> {
    fn add(&mut self, found: Found<'_>) {
        if found.severity == Status::Pass {
            return;
        }
        let description = shortened(&found.description, super::escape::LIMIT);
        let accepted = found.accepted.or_else(|| {
            (self.allow_warnings && found.severity == Status::Warn).then_some(ALLOW_WARNINGS)
        });
        let key = (
            found.severity,
            found.category,
            accepted.is_some(),
            description.clone(),
        );
        if !self.seen.insert(key) {
            return;
        }
        let Some(name) = accepted else {
            self.out.items.push(ActionItem {
                severity: found.severity,
                category: found.category,
                description,
                owner: found.category.role().to_owned(),
                count: found.count.max(1),
                occurred_at: found.occurred_at,
                evidence: found.evidence,
            });
            return;
        };
        let rule = self.rules.iter().find(|rule| rule.name == name);
        self.out.accepted.push(Accepted {
            rule: name.to_owned(),
            owner: match rule {
                Some(rule) => rule.owner.clone(),
                None if name == ALLOW_WARNINGS => "whoever started the run".to_owned(),
                None => "not recorded".to_owned(),
            },
            expires: rule.map(|rule| rule.expires),
            reason: rule.map(|rule| rule.reason.clone()).unwrap_or_default(),
            severity: found.severity,
            category: found.category,
            description,
            count: found.count.max(1),
        });
    }

    fn log_incident(&mut self, category: Category, incident: &LogIncident) {
        self.add(Found {
            severity: incident.severity,
            category,
            description: incident.summary.clone(),
            accepted: incident.accepted.as_deref(),
            count: incident.count,
            occurred_at: Some(incident.occurred_at),
            evidence: place(&incident.metadata),
        });
    }

    fn logs(&mut self, report: &Report) {
        let Some(logs) = &report.summary.logs else {
            return;
        };
        for incident in &logs.gap_incidents {
            self.log_incident(Category::LogGap, incident);
        }
        for incident in &logs.content_incidents {
            self.log_incident(Category::LogContent, incident);
        }
        for incident in logs.errors.iter().chain(&logs.warnings) {
            self.log_incident(Category::Logs, incident);
        }
        for blind in logs.blind.iter().filter(|blind| blind.explained.is_none()) {
            self.add(Found {
                severity: Status::Warn,
                category: Category::Harness,
                description: format!(
                    "{} from {} to {} is unknown ({}) and not explained",
                    brief(blind.to.since(blind.from).as_millis() as f64 / 1_000.0),
                    blind.from,
                    blind.to,
                    blind.reason
                ),
                occurred_at: Some(blind.from),
                ..Found::default()
            });
        }
    }

    fn evidence(&mut self, report: &Report) {
        let summary = &report.summary;
        if let Some(diary) = &summary.diary {
            for issue in &diary.issues {
                let entry = issue.entry_id.as_deref().or(issue.policy_id.as_deref());
                self.add(Found {
                    severity: issue.severity,
                    category: Category::Diary,
                    description: match entry {
                        Some(entry) => format!("{entry}: {}", issue.reason),
                        None => issue.reason.clone(),
                    },
                    occurred_at: issue.recorded_at,
                    evidence: summary.metadata.diary_path.clone(),
                    ..Found::default()
                });
            }
        }
        let findings = summary
            .performance
            .iter()
            .flat_map(|performance| &performance.issues)
            .map(|finding| (Category::Performance, None, finding))
            .chain(summary.evidence.iter().flat_map(|evidence| {
                evidence
                    .findings
                    .iter()
                    .map(move |finding| (Category::Evidence, Some(evidence), finding))
            }))
            .chain(
                summary
                    .unreadable
                    .iter()
                    .map(|finding| (Category::Evidence, None, finding)),
            );
        for (category, evidence, finding) in findings {
            self.add(Found {
                severity: finding.severity,
                category,
                description: match evidence {
                    Some(evidence) => format!("{}: {}", evidence.name, finding.message),
                    None => finding.message.clone(),
                },
                accepted: finding.accepted.as_deref(),
                evidence: place(&finding.metadata)
                    .or_else(|| evidence.map(|evidence| evidence.path.clone())),
                ..Found::default()
            });
        }
    }

    fn resources(&mut self, report: &Report) {
        let Some(monitor) = &report.summary.metadata.resource_monitor else {
            return;
        };
        let limited = monitor.thresholds.values().any(|limit| limit.is_finite());
        if !monitor.enabled && limited {
            self.add(Found {
                severity: Status::Warn,
                category: Category::Resources,
                description: format!(
                    "limits were set, but resources were not watched ({})",
                    monitor.reason.as_deref().unwrap_or("no reason recorded")
                ),
                ..Found::default()
            });
        }
    }

    fn sign_off(&mut self, report: &Report) {
        for finding in report
            .sign_off
            .iter()
            .flat_map(|sign_off| &sign_off.findings)
        {
            self.add(Found {
                severity: finding.severity,
                category: Category::SignOff,
                description: finding.message.clone(),
                accepted: finding.accepted.as_deref(),
                evidence: place(&finding.metadata),
                ..Found::default()
            });
        }
    }

    fn incident(&mut self, report: &Report, incident: &Incident) {
        let category = match incident.kind {
            IncidentKind::LogLevel => Category::Logs,
            IncidentKind::StackTrace => Category::LogContent,
            IncidentKind::LogGap => Category::LogGap,
            IncidentKind::Evidence => Category::Evidence,
            IncidentKind::Resource | IncidentKind::Disk => Category::Resources,
            _ => Category::Harness,
        };
        if audited(report, incident) {
            return;
        }
        self.add(Found {
            severity: incident.severity,
            category,
            description: incident.message.clone(),
            accepted: incident.accepted.as_deref(),
            count: incident.count,
            occurred_at: Some(incident.occurred_at),
            evidence: place(&incident.metadata),
        });
    }
}

/// Returns whether the audit lists what this incident tells, at least as badly: seen live and afterwards, it is one thing to do.
fn audited(report: &Report, incident: &Incident) -> bool {
    let Some(logs) = &report.summary.logs else {
        return false;
    };
    let lists: &[&[LogIncident]] = match incident.kind {
        IncidentKind::LogLevel => &[&logs.errors, &logs.warnings],
        IncidentKind::StackTrace => &[&logs.content_incidents],
        IncidentKind::LogGap => &[&logs.gap_incidents],
        _ => return false,
    };
    let key = incident.metadata.get("key").and_then(Value::as_str);
    lists.iter().copied().flatten().any(|audited| {
        let same = match incident.kind {
            IncidentKind::LogGap => {
                let (from, to) = super::outline::silence(audited);
                (from..=to).contains(&incident.occurred_at.as_millis())
            }
            _ => {
                audited.summary == incident.message
                    || key.is_some() && audited.metadata.get("key").and_then(Value::as_str) == key
            }
        };
        same && audited.severity >= incident.severity && audited.accepted == incident.accepted
    })
}

/// Returns where a finding can be looked up, from its metadata.
fn place(metadata: &std::collections::BTreeMap<String, Value>) -> Option<String> {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    let number = |key: &str| metadata.get(key).and_then(Value::as_u64);
    match (text("stream"), number("line"), text("path")) {
        (Some(stream), Some(line), _) => Some(format!("{stream} line {}", counted(line))),
        (None, Some(line), Some(path)) => Some(format!("{path} line {}", counted(line))),
        (_, _, Some(path)) => Some(path.to_owned()),
        (Some(stream), None, None) => Some(stream.to_owned()),
        (None, _, None) => None,
    }
}
