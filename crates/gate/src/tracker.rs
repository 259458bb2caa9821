//! Whether the technical work is done, by any tracker's export.
//!
//! [`checkpoint()`] reads JSON lines, a JSON list or CSV with a header (`rows`) and counts what is open. Invariants: a state that is not
//! known to be an end is open; what cannot be read, and an export without any issue, is invalid and never done; an item is left out of the
//! counts only while something beneath it is counted.

mod beside;
mod csv;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Timestamp, Verdict};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

pub use rows::{Fields, Form};

use crate::artifact::Artifact;

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.practical-finish-checkpoint.v1";

/// Most bytes of an export.
pub const LARGEST: usize = 256 << 20;

/// What of an export counts, and how. An argument of the policy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// States that are an end, in lower case; every other one is open.
    pub ends: BTreeSet<String>,
    /// Types that are documentation, in lower case.
    pub docs_types: BTreeSet<String>,
    /// Labels that are documentation, in lower case.
    pub docs_labels: BTreeSet<String>,
    /// Whether open documentation keeps it from being done.
    pub docs_may_remain: bool,
}

impl Default for Terms {
    /// `closed`, `done`, `tombstone`, `cancelled`, `canceled` end; the type `docs` is documentation, no label is.
    fn default() -> Self {
        let set = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        Self {
            ends: set(&["closed", "done", "tombstone", "cancelled", "canceled"]),
            docs_types: set(&["docs"]),
            docs_labels: BTreeSet::new(),
            docs_may_remain: true,
        }
    }
}

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Nothing.
    None,
    /// Documentation and reports.
    DocsOrReportOnly,
    /// Technical work.
    TechnicalRemaining,
    /// Nobody knows.
    Unknown,
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    /// As the tracker has it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its state, verbatim.
    pub status: String,
    /// Its type, verbatim; empty if the tracker has none.
    pub issue_type: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Of the export's bytes.
    pub digest: Digest,
    /// How many bytes.
    pub bytes: u64,
    /// Its form, if it could be told.
    pub form: Option<Form>,
    /// How many rows.
    pub rows: u64,
    /// How many issues: of rows with one id the last counts.
    pub issues: u64,
    /// When it was exported, if it says so.
    pub exported_at: Option<Timestamp>,
    /// The newest change in it: it is not older than that.
    pub newest_change: Option<Timestamp>,
}

/// The checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// `pass`, `fail` or `invalid`.
    pub status: Verdict,
    /// Why, for people.
    pub detail: String,
    /// Whether no technical issue is open.
    pub technical_completion_reached: bool,
    /// What is left.
    pub residual_open_scope: Scope,
    /// Whether documentation may remain, by the policy.
    pub docs_may_remain: bool,
    /// The sum of both counts below.
    pub open_count: u64,
    /// Length of the first list.
    pub technical_open_count: u64,
    /// Length of the second list.
    pub docs_or_report_open_count: u64,
    /// Technical issues that are open, by id.
    pub technical_open_issues: Vec<Issue>,
    /// Documentation that is open, by id.
    pub docs_or_report_open_issues: Vec<Issue>,
    /// Open items that are not counted, because items beneath them are.
    pub parents_left_out: Vec<String>,
    /// What was read.
    pub source: Source,
}

impl Checkpoint {
    /// When the export is from, as far as its content says.
    pub fn evidence_at(&self) -> Option<Timestamp> {
        self.source.exported_at.or(self.source.newest_change)
    }

    fn expected(&self) -> (Verdict, Scope, bool) {
        let technical = self.technical_open_count > 0;
        let docs = self.docs_or_report_open_count > 0;
        if self.status == Verdict::Invalid {
            return (Verdict::Invalid, Scope::Unknown, false);
        }
        let scope = match (technical, docs) {
            (true, _) => Scope::TechnicalRemaining,
            (false, true) => Scope::DocsOrReportOnly,
            (false, false) => Scope::None,
        };
        let is_done = !technical && (!docs || self.docs_may_remain);
        let status = if is_done {
            Verdict::Pass
        } else {
            Verdict::Fail
        };
        (status, scope, !technical)
    }
}

impl Artifact for Checkpoint {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: &str| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(Reason::SchemaUnknown, "the schema is another");
        }
        let counts = (
            self.technical_open_issues.len() as u64,
            self.docs_or_report_open_issues.len() as u64,
        );
        if counts != (self.technical_open_count, self.docs_or_report_open_count)
            || counts.0 + counts.1 != self.open_count
            || self.open_count + self.parents_left_out.len() as u64 > self.source.issues
            || self.source.issues > self.source.rows
        {
            tell(Reason::EvidenceCountMismatch, "its counts do not add up");
        }
        let stated = (
            self.status,
            self.residual_open_scope,
            self.technical_completion_reached,
        );
        if stated != self.expected() {
            let text = "its status is not that of its counts";
            tell(Reason::EvidenceCountMismatch, text);
        }
        if self.status != Verdict::Invalid && self.source.issues == 0 {
            tell(Reason::EvidenceMissing, "it rests on no issue");
        }
        if self.detail.trim().is_empty() {
            tell(Reason::EvidenceMissing, "it says no detail");
        }
        let all = self
            .technical_open_issues
            .iter()
            .chain(&self.docs_or_report_open_issues);
        let mut ids: Vec<&str> = all.map(|i| i.id.as_str()).collect();
        ids.extend(self.parents_left_out.iter().map(String::as_str));
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            tell(Reason::IdCollision, "an issue stands twice");
        }
        let newest = self.evidence_at().max(self.source.newest_change);
        let is_ahead = newest.is_some_and(|at| at > self.generated_at);
        if is_ahead && self.status != Verdict::Invalid {
            tell(Reason::ClockSkew, "the export is newer than the checkpoint");
        }
        found
    }
}

/// Reads an export and counts. `exported_at` is when it was taken, where the export does not say and the caller knows.
pub fn checkpoint(
    bytes: &[u8],
    fields: &Fields,
    terms: &Terms,
    exported_at: Option<Timestamp>,
    now: Timestamp,
) -> Checkpoint {
    let mut source = Source {
        digest: Digest::of(bytes),
        bytes: bytes.len() as u64,
        form: None,
        rows: 0,
        issues: 0,
        exported_at,
        newest_change: None,
    };
    let read = rows::read(bytes, fields);
    let mut made = Checkpoint {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        status: Verdict::Invalid,
        detail: String::new(),
        technical_completion_reached: false,
        residual_open_scope: Scope::Unknown,
        docs_may_remain: terms.docs_may_remain,
        open_count: 0,
        technical_open_count: 0,
        docs_or_report_open_count: 0,
        technical_open_issues: Vec::new(),
        docs_or_report_open_issues: Vec::new(),
        parents_left_out: Vec::new(),
        source: source.clone(),
    };
    let export = match read {
        Ok(export) => export,
        Err(why) => {
            made.detail = format!("the tracker's export cannot be read: {why}");
            return made;
        }
    };
    source.form = Some(export.form);
    source.rows = export.rows;
    source.issues = export.issues.len() as u64;
    // What the export says of itself is older than whoever kept it.
    source.exported_at = export.exported_at.or(exported_at);
    source.newest_change = export.newest_change;
    made.source = source;
    if export.issues.is_empty() {
        made.detail =
            "the export has no issue at all, open or closed; export every state".to_owned();
        return made;
    }
    let changed = made.source.newest_change;
    if made.evidence_at().max(changed).is_some_and(|at| at > now) {
        made.detail = "the export is dated in the future; set the clocks right".to_owned();
        return made;
    }
    if changed
        .zip(export.exported_at)
        .is_some_and(|(c, at)| c > at)
    {
        made.detail = "an issue was changed after the export says it was taken".to_owned();
        return made;
    }
    count(&mut made, export.issues, terms);
    made
}

fn count(made: &mut Checkpoint, issues: BTreeMap<String, rows::Row>, terms: &Terms) {
    let mut issues = issues;
    issues.retain(|_, row| {
        let is_open = |state: &&String| !terms.ends.contains(&state.trim().to_lowercase());
        let Some(state) = row.states.iter().find(is_open) else {
            return false;
        };
        row.issue.status.clone_from(state);
        true
    });
    let open: BTreeMap<&str, &rows::Row> =
        issues.iter().map(|(id, row)| (id.as_str(), row)).collect();
    let parents: BTreeSet<&str> = open
        .values()
        .filter_map(|row| row.parent.as_deref())
        .collect();
    for (id, row) in &open {
        if parents.contains(id) && !is_circular(id, &open) {
            made.parents_left_out.push((*id).to_owned());
            continue;
        }
        let kind = row.issue.issue_type.trim().to_lowercase();
        let mut labels = row.issue.labels.iter().map(|l| l.trim().to_lowercase());
        let is_docs =
            terms.docs_types.contains(&kind) || labels.any(|l| terms.docs_labels.contains(&l));
        let list = if is_docs {
            &mut made.docs_or_report_open_issues
        } else {
            &mut made.technical_open_issues
        };
        list.push(row.issue.clone());
    }
    made.technical_open_count = made.technical_open_issues.len() as u64;
    made.docs_or_report_open_count = made.docs_or_report_open_issues.len() as u64;
    made.open_count = made.technical_open_count + made.docs_or_report_open_count;
    made.status = Verdict::Fail;
    (
        made.status,
        made.residual_open_scope,
        made.technical_completion_reached,
    ) = made.expected();
    made.detail = match made.residual_open_scope {
        Scope::None => format!("none of {} issues is open", made.source.issues),
        Scope::DocsOrReportOnly => format!(
            "{} documentation issues are open, and nothing technical",
            made.docs_or_report_open_count
        ),
        _ => format!(
            "{} technical issues are open, `{}` among them",
            made.technical_open_count,
            made.technical_open_issues
                .first()
                .map_or("", |i| i.id.as_str())
        ),
    };
}

/// Whether an item is its own ancestor: then nothing beneath it need be counted, and it is.
fn is_circular(id: &str, open: &BTreeMap<&str, &rows::Row>) -> bool {
    let up = |id: &str| open.get(id).and_then(|row| row.parent.as_deref());
    // Brent's way of finding a circle, which needs no memory.
    let (mut slow, mut power, mut length) = (id, 1_u64, 0_u64);
    let mut fast = up(id);
    while let Some(at) = fast {
        if at == id {
            return true;
        }
        if at == slow {
            return false;
        }
        length += 1;
        if length == power {
            slow = at;
            power *= 2;
            length = 0;
        }
        fast = up(at);
    }
    false
}
