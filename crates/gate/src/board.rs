//! The board of a release's gates: what must hold before it goes out, who answers for it, and how it stands.
//!
//! The file says what is wanted; how a row stands is derived from evidence that somebody looked at and handed in ([`Looked`]). Invariants:
//! no status is ever read from the file; evidence that is missing, stale, failed, from the future or not understood is no pass; an
//! excuse ("conditional") needs an owner, an end and a mitigation, ends, and never turns a row into a pass; a sign-off is over exactly the
//! evidence that was looked at, and counts for nothing else.

use std::collections::BTreeSet;

use gonogo_core::{Digest, Span, Timestamp, canonical};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The schema.
pub const SCHEMA: &str = "gonogo.release-gates.v1";

/// Most rows.
const MOST: usize = 200;

/// Evidence may be dated this far ahead, for clocks that differ.
const SKEW: Span = Span::from_secs(60);

/// What to begin with.
pub const TEMPLATE: &str = include_str!("board/template.toml");

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// [`SCHEMA`].
    pub schema: String,
    /// The phase that the release is in: rows of later phases are not due yet.
    pub phase: u32,
    /// The rows.
    #[serde(rename = "gate", default)]
    pub rows: Vec<Row>,
}

/// A row as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name of the gate.
    pub name: String,
    /// From which phase on it is due.
    pub phase: u32,
    /// Who answers for it.
    pub owner: String,
    /// What must be true, in words.
    pub pass: String,
    /// What it would mean if it were not.
    pub blocker: String,
    /// What shows it.
    pub evidence: Wanted,
    /// How old that may be.
    pub max_age: Span,
    /// Who must have looked at it.
    #[serde(default)]
    pub sign_off: BTreeSet<String>,
    /// Why the release may go on without it for a while.
    #[serde(default)]
    pub conditional: Option<Conditional>,
}

/// Evidence that a row wants; each is the newest of its kind in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wanted {
    /// The run of suites of this profile.
    Suite(String),
    /// The verdict of `gonogo gate check` in this lane.
    Verdict(String),
    /// The sign-off of a dry run of this name.
    DryRun(String),
    /// The report that `gonogo slo report --record` kept; true.
    Slo(bool),
    /// A record of another kind, and what its body must say.
    Record(WantedRecord),
}

/// A record that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedRecord {
    /// Its kind.
    pub kind: String,
    /// Its stream, or how streams begin where it ends in `/`; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Where in the body the word stands (RFC 6901).
    pub at: String,
    /// The word that is good.
    pub is: String,
}

/// An excuse.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditional {
    /// Who answers for it.
    pub owner: String,
    /// Until when.
    pub expires: Timestamp,
    /// What is done instead.
    pub mitigation: String,
}

/// What was found when the evidence was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// It is there.
    Found(Found),
    /// There is none.
    Missing(String),
    /// There is something, and it cannot be used.
    Unusable(String),
}

/// Evidence that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its record's index.
    pub record: u64,
    /// Its record's stream.
    pub stream: String,
    /// Of the record's exact bytes.
    pub digest: Digest,
    /// When it was made.
    pub at: Timestamp,
    /// What it says.
    pub said: Said,
    /// When it stops being worth anything by its own word.
    pub ends: Option<Timestamp>,
}

/// What evidence says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It is good.
    Good,
    /// It is not.
    Bad(String),
    /// It does not say, or says what nobody knows.
    Unclear(String),
}

/// Somebody's word that they looked at evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOff {
    /// Who.
    pub by: String,
    /// Over what: [`over`].
    pub over: Digest,
    /// When.
    pub at: Timestamp,
}

/// How a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Shown, current and signed.
    Pass,
    /// Shown not to hold.
    Fail,
    /// Not shown: missing, stale, unclear or not signed.
    Blocked,
    /// Not shown, and not due yet.
    OnTrack,
    /// Not shown, and excused for a while.
    AtRisk,
}

impl Status {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Blocked => "blocked",
            Self::OnTrack => "on-track",
            Self::AtRisk => "at-risk",
        }
    }
}

/// A row with how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How.
    pub status: Status,
    /// Why, in words; empty for a pass.
    pub why: Vec<String>,
    /// Whether it could be judged at all: what cannot be understood is neither shown nor refuted.
    pub decidable: bool,
    /// What a sign-off of what is there now is over.
    pub over: Option<Digest>,
    /// Who has signed that.
    pub signed: Vec<String>,
    /// Who has not.
    pub unsigned: Vec<String>,
}

/// What the board says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Every row that is due passes.
    Go,
    /// Some are excused, all others pass: a person decides.
    Conditional,
    /// A row that is due is not good.
    NoGo,
    /// Nothing is refuted, and something cannot be judged.
    Undecided,
}

/// Why a file is no board.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// It cannot be read.
    #[error("{0}")]
    Syntax(String),
    /// It says what cannot be.
    #[error("{0}")]
    Content(String),
}

/// Reads a board.
///
/// # Errors
/// [`BoardError`]: an unknown key, a name twice, an empty owner, pass condition, blocker or mitigation, no row.
pub fn read(text: &str) -> Result<Board, BoardError> {
    let board: Board = toml::from_str(text).map_err(|e| BoardError::Syntax(e.to_string()))?;
    let content = |text: String| Err(BoardError::Content(text));
    if board.schema != SCHEMA {
        return content(format!("`schema` is not `{SCHEMA}`"));
    }
    if board.rows.is_empty() {
        return content("it has no gate; a board that asks for nothing shows nothing".into());
    }
    if board.rows.len() > MOST {
        return content(format!("it has more than {MOST} gates"));
    }
    let mut names = BTreeSet::new();
    for row in &board.rows {
        let name = &row.name;
        if !plain(name) {
            return content(format!(
                "`{}`: a gate's name has 1 to 64 printable characters",
                name.escape_debug()
            ));
        }
        if !names.insert(slug(name)) {
            return content(format!("two gates are called `{name}`, or nearly so"));
        }
        let empty = |what: &str, text: &str| {
            text.trim()
                .is_empty()
                .then(|| format!("`{name}`: {what} must not be empty"))
        };
        let mut faults = [
            empty("`owner`", &row.owner),
            empty("`pass`", &row.pass),
            empty("`blocker`", &row.blocker),
            (row.max_age == Span::ZERO).then(|| format!("`{name}`: `max_age` must not be 0")),
            (row.evidence == Wanted::Slo(false))
                .then(|| format!("`{name}`: `slo` is true, or not there")),
        ]
        .into_iter()
        .chain(row.conditional.iter().flat_map(|c| {
            [
                empty("`conditional.owner`", &c.owner),
                empty("`conditional.mitigation`", &c.mitigation),
            ]
        }))
        .flatten();
        if let Some(fault) = faults.next() {
            return content(fault);
        }
        if row.sign_off.iter().any(|who| !plain(who)) {
            return content(format!("`{name}`: `sign_off` names nobody"));
        }
    }
    Ok(board)
}

fn plain(text: &str) -> bool {
    let n = text.chars().count();
    (1..=64).contains(&n) && !text.chars().any(char::is_control) && text.trim() == text
}

/// A row's name as streams carry it.
pub fn slug(name: &str) -> String {
    let all: String = name
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ => '-',
        })
        .collect();
    let parts: Vec<&str> = all.split('-').filter(|p| !p.is_empty()).collect();
    match parts.is_empty() {
        // A name without a plain letter still has one form of its own.
        true => Digest::of(name.as_bytes()).hex()[..16].to_owned(),
        false => parts.join("-"),
    }
}

/// What a sign-off of this evidence is over: the row as it stands in the file, and the evidence's exact bytes. Another condition, another
/// age, another record: another sign-off.
pub fn over(row: &Row, found: &Found) -> Option<Digest> {
    let all = json!({
        "schema": SCHEMA,
        "gate": row.name,
        "owner": row.owner,
        "pass": row.pass,
        "evidence": row.evidence,
        "maxAge": row.max_age,
        "record": found.digest,
    });
    let bytes = canonical::to_vec(&all).ok()?;
    Some(Digest::of(&bytes))
}

/// Words that stand where a name is to come: the template's own first.
const NOBODY: [&str; 9] = [
    "owner", "tbd", "todo", "nobody", "none", "n/a", "na", "unknown", "x",
];

/// Whether an owner is nobody's name.
fn is_nobody(owner: &str) -> bool {
    let name = owner.trim_matches(|c: char| c.is_whitespace() || "<>[]{}()?.-_".contains(c));
    name.is_empty() || NOBODY.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Says how a row stands at `now`.
pub fn judge(
    row: &Row,
    phase: u32,
    looked: &Looked,
    signed: &[SignOff],
    now: Timestamp,
) -> Standing {
    let mut standing = shown(row, looked, signed, now);
    if standing.status == Status::Pass && is_nobody(&row.owner) {
        standing.status = Status::Blocked;
        let text = format!("nobody answers for it: its owner is `{}`", row.owner);
        standing.why.push(text);
    }
    if standing.status == Status::Pass {
        return standing;
    }
    // What is shown not to hold is told at once; what is only not shown yet is not due before its phase.
    if row.phase > phase && standing.status == Status::Blocked {
        standing.status = Status::OnTrack;
        standing
            .why
            .push(format!("due from phase {} on", row.phase));
        return standing;
    }
    match &row.conditional {
        Some(excuse) if excuse.expires > now => {
            standing.status = Status::AtRisk;
            standing.decidable = true;
            standing.why.push(format!(
                "excused until {} by {}: {}",
                excuse.expires, excuse.owner, excuse.mitigation
            ));
        }
        Some(excuse) => standing.why.push(format!(
            "its excuse by {} ended at {}",
            excuse.owner, excuse.expires
        )),
        None => {}
    }
    standing
}

fn shown(row: &Row, looked: &Looked, signed: &[SignOff], now: Timestamp) -> Standing {
    let mut standing = Standing {
        status: Status::Blocked,
        why: Vec::new(),
        decidable: true,
        over: None,
        signed: Vec::new(),
        unsigned: row.sign_off.iter().cloned().collect(),
    };
    let found = match looked {
        Looked::Found(found) => found,
        Looked::Missing(text) => {
            standing.why.push(format!("missing: {text}"));
            return standing;
        }
        Looked::Unusable(text) => {
            standing.why.push(format!("cannot be used: {text}"));
            standing.decidable = false;
            return standing;
        }
    };
    standing.over = over(row, found);
    let has = |who: &&String| {
        let theirs = signed.iter().filter(|s| s.by == **who);
        let mut of_this = theirs.filter(|s| Some(s.over) == standing.over);
        // Nobody has looked at what was not there yet.
        of_this.any(|s| s.at.after(SKEW) >= found.at)
    };
    let (signed, unsigned) = row.sign_off.iter().partition::<Vec<&String>, _>(has);
    standing.signed = signed.into_iter().cloned().collect();
    standing.unsigned = unsigned.into_iter().cloned().collect();
    match &found.said {
        Said::Good => {}
        Said::Bad(text) => {
            standing.status = Status::Fail;
            standing.why.push(text.clone());
        }
        Said::Unclear(text) => {
            standing.decidable = false;
            standing.why.push(format!("undecidable: {text}"));
        }
    }
    if found.at > now.after(SKEW) {
        standing.decidable = false;
        standing
            .why
            .push(format!("dated in the future: {}", found.at));
    } else if now.since(found.at) > row.max_age {
        let age = now.since(found.at);
        standing.why.push(format!(
            "stale: {} old, and {} is admitted",
            short(age),
            row.max_age
        ));
    }
    if let Some(end) = found.ends.filter(|end| *end <= now) {
        standing.why.push(format!("stale: it ended at {end}"));
    }
    if !standing.unsigned.is_empty() {
        let who = standing.unsigned.join(", ");
        standing.why.push(format!("not signed off by {who}"));
    }
    if standing.why.is_empty() && standing.over.is_some() {
        standing.status = Status::Pass;
    }
    standing
}

/// A length of time for people.
pub fn short(span: Span) -> String {
    let minutes = span.as_millis() / 60_000;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, m) => format!("{m}m"),
        (0, h, m) => format!("{h}h {m}m"),
        (d, h, _) => format!("{d}d {h}h"),
    }
}

/// What all rows say together. A row that was refuted, or is missing, stale or unsigned, is a no-go whatever else cannot be judged.
pub fn decide<'a>(rows: impl Iterator<Item = &'a Standing> + Clone) -> Decision {
    let open = rows
        .clone()
        .filter(|r| matches!(r.status, Status::Fail | Status::Blocked));
    if open
        .clone()
        .any(|r| r.status == Status::Fail || r.decidable)
    {
        return Decision::NoGo;
    }
    if open.clone().next().is_some() || rows.clone().next().is_none() {
        return Decision::Undecided;
    }
    let due = |r: &&Standing| r.status != Status::OnTrack;
    if !rows.clone().any(|r| due(&r)) {
        return Decision::Undecided;
    }
    match rows.clone().any(|r| r.status == Status::AtRisk) {
        true => Decision::Conditional,
        false => Decision::Go,
    }
}

#[cfg(test)]
#[path = "board/tests.rs"]
mod tests;
