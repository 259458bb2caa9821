//! The backlog: a flat list of what is to be followed up, of one run or of several.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gonogo_core::{Exit, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Status;
use crate::review::escape::{code, prose, visible};
use crate::review::markdown::mark;
use crate::review::{Objective, actions};
use crate::spec::Allow;
use crate::watch::duration::counted;
use crate::wrap_up::Read;

/// The `schema` of a backlog.
pub const SCHEMA: &str = "gonogo.dry-run.backlog.v1";

/// Most items that are listed.
pub const LIMIT: usize = 2_000;

/// A report to follow up.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Names the run: its label, slug or path. May be empty if there is one only.
    pub label: String,
    /// The report.
    pub read: Read,
    /// Its allow-list, for owners.
    pub rules: Vec<Allow>,
}

/// The backlog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backlog {
    /// [`SCHEMA`].
    #[serde(default)]
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// Worst first, each once.
    pub items: Vec<Item>,
    /// How many more.
    #[serde(default)]
    pub omitted: u64,
    /// How many of each status, all of them: `warn`, `fail`, `invalid`.
    pub counts: BTreeMap<Status, u64>,
    /// How many findings were accepted and so are not listed.
    #[serde(default)]
    pub accepted: u64,
}

/// Something to follow up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// How bad.
    pub severity: Status,
    /// Where from: a category of action items, or `objective`.
    pub category: String,
    /// What. May hold text of the child.
    pub description: String,
    /// Who.
    pub owner: String,
    /// How often, over all runs.
    pub count: u64,
    /// Runs that show it, by label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// When first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// Where it can be looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Backlog {
    /// Collects what is open in all reports. What several runs show is one item.
    pub fn of(sources: &[Source], generated_at: Timestamp) -> Self {
        let mut items: Vec<Item> = Vec::new();
        let mut places: BTreeMap<(Status, String, String), usize> = BTreeMap::new();
        let mut accepted = 0_u64;
        for source in sources {
            let collected = actions::collect(&source.read.report, &source.rules);
            accepted += collected.accepted.len() as u64;
            let found = collected.items.into_iter().map(|item| Item {
                severity: item.severity,
                category: item.category.word().to_owned(),
                description: item.description,
                owner: item.owner,
                count: item.count,
                runs: Vec::new(),
                occurred_at: item.occurred_at,
                evidence: item.evidence,
            });
            for mut item in found.chain(objectives(&source.read)) {
                let key = (
                    item.severity,
                    item.category.clone(),
                    item.description.clone(),
                );
                let run = Some(source.label.clone()).filter(|label| !label.is_empty());
                match places.get(&key).and_then(|place| items.get_mut(*place)) {
                    Some(known) => {
                        known.count = known.count.saturating_add(item.count);
                        known.occurred_at = match (known.occurred_at, item.occurred_at) {
                            (Some(a), Some(b)) => Some(a.min(b)),
                            (a, b) => a.or(b),
                        };
                        known
                            .runs
                            .extend(run.filter(|run| !known.runs.contains(run)));
                    }
                    None => {
                        item.runs.extend(run);
                        places.insert(key, items.len());
                        items.push(item);
                    }
                }
            }
        }
        // Stable: within a severity, runs and their categories keep their order.
        items.sort_by_key(|item| std::cmp::Reverse(item.severity));
        let mut counts: BTreeMap<Status, u64> = [Status::Warn, Status::Fail, Status::Invalid]
            .map(|status| (status, 0))
            .into();
        for item in &items {
            *counts.entry(item.severity).or_default() += 1;
        }
        let omitted = items.len().saturating_sub(LIMIT) as u64;
        items.truncate(LIMIT);
        Self {
            schema: SCHEMA.to_owned(),
            generated_at,
            items,
            omitted,
            counts,
            accepted,
        }
    }

    /// Returns how many items have this severity.
    pub fn count(&self, severity: Status) -> u64 {
        self.counts.get(&severity).copied().unwrap_or_default()
    }

    /// Returns the exit code: 0, unless `--fail-on-fail` finds failures (2, or 3 where something could not be judged) or `--fail-on-warn`
    /// finds anything at all (1 if there are only warnings).
    pub fn exit(&self, fail_on_warn: bool, fail_on_fail: bool) -> Exit {
        let bad = [Status::Invalid, Status::Fail]
            .into_iter()
            .find(|status| self.count(*status) > 0);
        match bad {
            Some(status) if fail_on_fail => status.exit(),
            _ if fail_on_warn && (bad.is_some() || self.count(Status::Warn) > 0) => Exit::Hold,
            _ => Exit::Done,
        }
    }

    /// Renders the list as Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::from("# Final dry run backlog\n\n");
        let _ = writeln!(
            out,
            "- **Generated:** {}\n- **Open:** {} failures, {} warnings, {} not judged; {} accepted\n",
            self.generated_at,
            counted(self.count(Status::Fail)),
            counted(self.count(Status::Warn)),
            counted(self.count(Status::Invalid)),
            counted(self.accepted)
        );
        if self.items.is_empty() {
            out.push_str("None\n");
        }
        for item in &self.items {
            let _ = writeln!(out, "- [ ] {}", line(item));
        }
        if self.omitted > 0 {
            let _ = writeln!(out, "\nand {} more, not listed.", counted(self.omitted));
        }
        out
    }

    /// Renders the list as CSV (RFC 4180). A cell that a spreadsheet would compute begins with an apostrophe.
    pub fn csv(&self) -> String {
        let mut out =
            String::from("severity,category,description,owner,count,runs,occurred_at,evidence\r\n");
        for item in &self.items {
            let cells = [
                item.severity.word().to_owned(),
                item.category.clone(),
                item.description.clone(),
                item.owner.clone(),
                item.count.to_string(),
                item.runs.join("; "),
                item.occurred_at
                    .map(|at| at.to_string())
                    .unwrap_or_default(),
                item.evidence.clone().unwrap_or_default(),
            ];
            let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
            out.push_str(&cells.join(","));
            out.push_str("\r\n");
        }
        out
    }
}

fn cell(text: &str) -> String {
    let mut text = visible(text);
    if text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\'', '\\'])
    {
        text.insert(0, '\'');
    }
    match text.contains([',', '"', ';']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// Returns one item as a line of Markdown, without its list mark.
pub fn line(item: &Item) -> String {
    let mut text = format!(
        "**{}** {} {}",
        mark(item.severity),
        code(&item.category, false),
        code(&item.description, false)
    );
    if item.count > 1 {
        let _ = write!(text, " × {}", counted(item.count));
    }
    let _ = write!(text, " — {}", prose(&item.owner));
    if let Some(place) = &item.evidence {
        let _ = write!(text, "; see {}", code(place, false));
    }
    if !item.runs.is_empty() {
        let runs: Vec<String> = item
            .runs
            .iter()
            .take(8)
            .map(|run| code(run, false))
            .collect();
        let _ = write!(text, "; in {}", runs.join(", "));
        if item.runs.len() > 8 {
            let _ = write!(text, " and {} more runs", item.runs.len() - 8);
        }
    }
    text
}

/// Returns the objectives of the report's review that are not met.
fn objectives(read: &Read) -> Vec<Item> {
    let Some(list) = read
        .report
        .review
        .as_ref()
        .and_then(|review| review.get("objectives"))
    else {
        return Vec::new();
    };
    let Ok(list) = serde_json::from_value::<Vec<Objective>>(list.clone()) else {
        return vec![Item {
            severity: Status::Warn,
            category: "objective".to_owned(),
            description: "the objectives of the review cannot be read".to_owned(),
            owner: "objective owner".to_owned(),
            count: 1,
            runs: Vec::new(),
            occurred_at: None,
            evidence: None,
        }];
    };
    list.into_iter()
        .filter(|objective| objective.status > Status::Pass)
        .map(|objective| Item {
            severity: objective.status,
            category: "objective".to_owned(),
            description: match objective.note {
                Some(note) => format!("{}: {note}", objective.name),
                None => objective.name,
            },
            owner: "objective owner".to_owned(),
            count: 1,
            runs: Vec::new(),
            occurred_at: None,
            evidence: None,
        })
        .collect()
}
