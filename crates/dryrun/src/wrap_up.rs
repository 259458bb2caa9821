//! The wrap-up: minutes of the meeting that ends a run, made of its `summary.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backlog::{self, Backlog, Source};
use crate::review::escape::{code, prose, shortened};
use crate::review::markdown::{list, mark};
use crate::review::{actions, facts};
use crate::watch::duration::{brief, counted, humanised};
use crate::{IncidentKind, Status};

mod older;

pub use older::{LIMIT as REPORT_LIMIT, Read, ReadError, read};

/// The `schema` of a wrap-up.
pub const SCHEMA: &str = "gonogo.dry-run.wrap-up.v1";

/// Most incidents that are listed.
pub const INCIDENTS: usize = 200;

/// How a wrap-up is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// When.
    pub generated_at: Timestamp,
    /// How many seconds less than required still meet it (`--wrap-up-duration-tolerance-minutes`).
    pub tolerance_seconds: f64,
    /// Whether a warning makes the wrap-up fail (`--wrap-up-treat-warn-as-failure`).
    pub treat_warn_as_failure: bool,
    /// Notes.
    pub notes: Vec<String>,
}

impl Options {
    /// Returns the usual ones: five minutes' tolerance, warnings stay warnings.
    pub const fn at(generated_at: Timestamp) -> Self {
        Self {
            generated_at,
            tolerance_seconds: 300.0,
            treat_warn_as_failure: false,
            notes: Vec::new(),
        }
    }
}

/// A wrap-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WrapUp {
    /// [`SCHEMA`].
    #[serde(default)]
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// The worst of report and duration, what is accepted left out; `fail` in place of `warn` if asked for.
    pub status: Status,
    /// The run's label or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How long it lasted.
    pub duration_seconds: Option<f64>,
    /// How long it had to last: the sign-off's minimum, else the target.
    pub required_duration_seconds: Option<f64>,
    /// What it was to last.
    pub target_duration_seconds: Option<f64>,
    /// How many seconds less are accepted.
    pub duration_tolerance_seconds: f64,
    /// Whether it lasted long enough; absent if nothing was required. An unknown duration does not.
    pub duration_met: Option<bool>,
    /// Whether warnings were taken as failures.
    #[serde(default)]
    pub treat_warn_as_failure: bool,
    /// How each part stands.
    pub statuses: Vec<PartStatus>,
    /// What stands out.
    pub highlights: Vec<String>,
    /// What is to be done.
    pub backlog: Backlog,
    /// What the harness saw, worst first.
    pub incidents: Vec<Line>,
    /// How many more.
    #[serde(default)]
    pub incidents_omitted: u64,
    /// Notes, those on what could not be read among them.
    pub notes: Vec<String>,
    /// What the operator said about the run.
    pub metadata: BTreeMap<String, Value>,
}

/// How a part stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartStatus {
    /// `report`, `summary`, `sign_off`, `logs`, `diary`, `performance`, or declared evidence.
    pub name: String,
    /// How.
    pub status: Status,
}

/// An incident in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How bad.
    pub severity: Status,
    /// When first.
    pub occurred_at: Timestamp,
    /// What kind.
    pub kind: IncidentKind,
    /// How often.
    pub count: u64,
    /// What. May hold text of the child.
    pub message: String,
    /// The rule that accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl WrapUp {
    /// Makes the wrap-up of a report that [`read`] has read.
    pub fn of(read: &Read, options: Options) -> Self {
        let report = &read.report;
        let summary = &report.summary;
        let (started_at, ended_at, duration) = facts::span(report);
        let target = summary.metadata.target_duration_seconds;
        let required = report
            .sign_off
            .as_ref()
            .and_then(|sign_off| sign_off.criteria.minimum_duration_seconds)
            .or(target)
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        let tolerance = match options.tolerance_seconds.is_finite() {
            true => options.tolerance_seconds.max(0.0),
            false => 0.0,
        };
        let duration_met = required
            .map(|required| duration.is_some_and(|duration| duration + tolerance >= required));

        let mut statuses = vec![
            PartStatus::new("report", report.status),
            PartStatus::new("summary", summary.status),
        ];
        let parts = [
            ("sign_off", report.sign_off.as_ref().map(|part| part.status)),
            ("logs", summary.logs.as_ref().map(|part| part.status)),
            ("diary", summary.diary.as_ref().map(|part| part.status)),
            (
                "performance",
                summary.performance.as_ref().map(|part| part.status),
            ),
        ];
        statuses.extend(
            parts
                .into_iter()
                .filter_map(|(name, status)| Some(PartStatus::new(name, status?))),
        );
        statuses.extend(
            summary
                .evidence
                .iter()
                .map(|part| PartStatus::new(&part.name, part.status)),
        );

        let backlog = Backlog::of(
            &[Source {
                label: String::new(),
                read: read.clone(),
                rules: Vec::new(),
            }],
            options.generated_at,
        );
        let allow = facts::warnings_allowed(report);
        let mut status = statuses
            .iter()
            .take(2)
            .map(|part| part.status)
            .chain(report.sign_off.as_ref().map(|sign_off| sign_off.status))
            .map(|status| facts::counting(status, allow))
            .chain(backlog.items.iter().map(|item| item.severity))
            .fold(Status::Pass, Status::max);
        if duration_met == Some(false) {
            status = status.max(Status::Fail);
        }
        if options.treat_warn_as_failure && status == Status::Warn {
            status = Status::Fail;
        }

        let mut incidents: Vec<Line> = actions::incidents(report)
            .iter()
            .map(|incident| Line {
                severity: incident.severity,
                occurred_at: incident.occurred_at,
                kind: incident.kind,
                count: incident.count,
                message: shortened(&incident.message, crate::review::escape::LIMIT),
                accepted: incident.accepted.clone(),
            })
            .collect();
        incidents.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then(a.occurred_at.cmp(&b.occurred_at))
        });
        let incidents_omitted = incidents.len().saturating_sub(INCIDENTS) as u64;
        incidents.truncate(INCIDENTS);

        let mut metadata = summary.metadata.user.clone();
        metadata.extend(report.metadata.clone());
        let label = ["run_label", "label"].iter().find_map(|key| {
            metadata
                .get(*key)
                .and_then(Value::as_str)
                .map(str::to_owned)
        });
        let mut notes = options.notes;
        notes.extend(read.notes.iter().cloned());
        Self {
            schema: SCHEMA.to_owned(),
            generated_at: options.generated_at,
            status,
            run: label
                .or_else(|| summary.metadata.run_id.clone())
                .or_else(|| report.run_directory.clone()),
            started_at,
            ended_at,
            duration_seconds: duration,
            required_duration_seconds: required,
            target_duration_seconds: target,
            duration_tolerance_seconds: tolerance,
            duration_met,
            treat_warn_as_failure: options.treat_warn_as_failure,
            statuses,
            highlights: facts::highlights(report),
            backlog,
            incidents,
            incidents_omitted,
            notes,
            metadata,
        }
    }

    /// Renders the minutes: Duration, Status Summary, Highlights, Backlog & Follow-ups, Harness Incidents, Notes, Metadata.
    pub fn markdown(&self) -> String {
        let mut out = format!("# Final dry run wrap-up — {}\n\n", mark(self.status));
        let run = self.run.as_deref().map_or("Not recorded".to_owned(), prose);
        let _ = writeln!(
            out,
            "- **Run:** {run}\n- **Generated:** {}\n\n## Duration\n",
            self.generated_at
        );
        let known = |seconds: Option<f64>| seconds.map_or("unknown".to_owned(), humanised);
        let _ = writeln!(out, "- **Lasted:** {}", known(self.duration_seconds));
        if let (Some(from), Some(to)) = (self.started_at, self.ended_at) {
            let _ = writeln!(out, "- **From, to:** {from}, {to}");
        }
        let _ = writeln!(out, "- **Target:** {}", known(self.target_duration_seconds));
        let _ = writeln!(
            out,
            "- **Required:** {}, less at most {}",
            known(self.required_duration_seconds),
            brief(self.duration_tolerance_seconds)
        );
        let met = match self.duration_met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "nothing was required",
        };
        let _ = writeln!(out, "- **Met:** {met}\n");
        list(
            &mut out,
            "Status Summary",
            self.statuses
                .iter()
                .map(|part| format!("{}: **{}**", prose(&part.name), mark(part.status))),
            "None",
        );
        list(
            &mut out,
            "Highlights",
            self.highlights.iter().map(|text| prose(text)),
            "None",
        );
        list(
            &mut out,
            "Backlog & Follow-ups",
            self.backlog.items.iter().map(backlog::line),
            "None",
        );
        if self.backlog.omitted > 0 {
            let _ = writeln!(out, "and {} more.\n", counted(self.backlog.omitted));
        }
        list(
            &mut out,
            "Harness Incidents",
            self.incidents.iter().map(|line| {
                let times = match line.count {
                    0 | 1 => String::new(),
                    n => format!(" × {}", counted(n)),
                };
                let accepted = line
                    .accepted
                    .as_deref()
                    .map(|rule| format!(", accepted by {}", code(rule, false)))
                    .unwrap_or_default();
                format!(
                    "**{}** {} {}{times}{accepted}",
                    mark(line.severity),
                    line.occurred_at,
                    code(&line.message, false)
                )
            }),
            "None",
        );
        if self.incidents_omitted > 0 {
            let _ = writeln!(out, "and {} more.\n", counted(self.incidents_omitted));
        }
        list(
            &mut out,
            "Notes",
            self.notes.iter().map(|text| prose(text)),
            "None",
        );
        list(
            &mut out,
            "Metadata",
            self.metadata.iter().take(200).map(|(key, value)| {
                let value = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                format!("{} = {}", code(key, false), code(&value, false))
            }),
            "None",
        );
        out
    }
}

impl PartStatus {
    fn new(name: &str, status: Status) -> Self {
        Self {
            name: name.to_owned(),
            status,
        }
    }
}
