//! The board of a release's gates: `release-gates.toml`, the evidence that its rows want, and people's sign-offs.
//!
//! Rules are in [`gonogo_gate::board`]; here is what is looked at. Evidence is the newest record of what a row wants, and records that
//! gonogo makes of its own count only if a controller signed them. A sign-off counts only under the key of the person whose name it has.

mod looking;

use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Exit, Reason, Timestamp};
use gonogo_gate::board::{self, Board, Decision, Looked, Row, Standing, Status};
use gonogo_store::ledger::Draft;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::tokens;
use crate::workspace::write_atomic;
use crate::{AppError, Workspace};

/// Name of the file, beside `gonogo.toml`.
pub const FILE: &str = "release-gates.toml";

/// Kind of the record of a sign-off.
pub const SIGN_OFF: &str = "gate-sign-off";

/// How the streams of sign-offs begin.
const STREAMS: &str = "run/release-gate/";

/// The most that the file may have, in bytes.
const MOST: u64 = 1 << 20;

/// How a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowStatus {
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

impl From<Status> for RowStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pass => Self::Pass,
            Status::Fail => Self::Fail,
            Status::Blocked => Self::Blocked,
            Status::OnTrack => Self::OnTrack,
            Status::AtRisk => Self::AtRisk,
        }
    }
}

impl RowStatus {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => Status::Pass.word(),
            Self::Fail => Status::Fail.word(),
            Self::Blocked => Status::Blocked.word(),
            Self::OnTrack => Status::OnTrack.word(),
            Self::AtRisk => Status::AtRisk.word(),
        }
    }
}

/// What the board says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoardDecision {
    /// Every row that is due passes.
    Go,
    /// Some are excused, all others pass: a person decides.
    Conditional,
    /// A row that is due is not good.
    NoGo,
    /// Nothing is refuted, and something cannot be judged.
    Undecided,
}

impl BoardDecision {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Conditional => "conditional",
            Self::NoGo => "no-go",
            Self::Undecided => "undecided",
        }
    }

    /// Exit code of a check that ends with it.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Go => Exit::Done,
            Self::Conditional => Exit::Hold,
            Self::NoGo => Exit::Fail,
            Self::Undecided => Exit::Unjudged,
        }
    }
}

impl From<Decision> for BoardDecision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Go => Self::Go,
            Decision::Conditional => Self::Conditional,
            Decision::NoGo => Self::NoGo,
            Decision::Undecided => Self::Undecided,
        }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DashboardRow {
    /// The gate.
    pub gate: String,
    /// From which phase on it is due.
    pub phase: u32,
    /// Who answers for it.
    pub owner: String,
    /// How it stands.
    pub status: RowStatus,
    /// What must be true.
    pub pass_condition: String,
    /// What it would mean if it were not.
    pub blocker_if_fail: String,
    /// Where the evidence is: stream and index of a record; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_path: Option<String>,
    /// The evidence's record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How old it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
    /// Why it does not pass; empty if it does.
    pub why: Vec<String>,
    /// Whether it could be judged.
    pub decidable: bool,
    /// Who has signed off what is there now.
    pub signed_off: Vec<String>,
    /// Whose sign-off is missing.
    pub sign_off_missing: Vec<String>,
    /// What a sign-off of what is there now is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_off_over: Option<Digest>,
}

/// The board as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// What it says.
    pub decision: BoardDecision,
    /// When it was looked at.
    pub at: Timestamp,
    /// The phase that the release is in.
    pub phase: u32,
    /// Digest of the file.
    pub file: Digest,
    /// The rows, as the file orders them.
    pub rows: Vec<DashboardRow>,
}

/// Where the file is.
pub fn path(ws: &Workspace) -> PathBuf {
    ws.config.root().join(FILE)
}

/// Looks at everything, and says how it stands.
///
/// # Errors
/// There is no file, or it is no board; the ledger cannot be read.
pub fn dashboard(ws: &Workspace) -> Result<Dashboard, AppError> {
    let (board, file) = read(&path(ws))?;
    let now = ws.clock.now().wall;
    let mut rows = Vec::with_capacity(board.rows.len());
    let mut standings = Vec::with_capacity(board.rows.len());
    let sight = looking::Sight::of(ws)?;
    for row in &board.rows {
        let looked = sight.look(row)?;
        let standing = stands(&sight, &board, row, &looked, now)?;
        rows.push(shown(row, &looked, &standing, now));
        standings.push(standing);
    }
    Ok(Dashboard {
        decision: board::decide(standings.iter()).into(),
        at: now,
        phase: board.phase,
        file,
        rows,
    })
}

fn stands(
    sight: &looking::Sight<'_>,
    board: &Board,
    row: &Row,
    looked: &Looked,
    now: Timestamp,
) -> Result<Standing, AppError> {
    let signed = match row.sign_off.is_empty() {
        true => Vec::new(),
        false => sight.signed(&stream(row))?,
    };
    Ok(board::judge(row, board.phase, looked, &signed, now))
}

fn stream(row: &Row) -> String {
    format!("{STREAMS}{}", board::slug(&row.name))
}

fn shown(row: &Row, looked: &Looked, standing: &Standing, now: Timestamp) -> DashboardRow {
    let found = match looked {
        Looked::Found(found) => Some(found),
        _ => None,
    };
    DashboardRow {
        gate: row.name.clone(),
        phase: row.phase,
        owner: row.owner.clone(),
        status: standing.status.into(),
        pass_condition: row.pass.clone(),
        blocker_if_fail: row.blocker.clone(),
        evidence_path: found.map(|f| format!("{}#{}", f.stream, f.record)),
        record: found.map(|f| f.record),
        at: found.map(|f| f.at),
        age: found.map(|f| board::short(now.since(f.at))),
        why: standing.why.clone(),
        decidable: standing.decidable,
        signed_off: standing.signed.clone(),
        sign_off_missing: standing.unsigned.clone(),
        sign_off_over: standing.over,
    }
}

fn read(path: &Path) -> Result<(Board, Digest), AppError> {
    use std::io::Read;
    let mut text = String::new();
    let opened = std::fs::File::open(path).and_then(|f| f.take(MOST + 1).read_to_string(&mut text));
    opened.map_err(|e| {
        let error = AppError::io("read", path, &e);
        match e.kind() {
            std::io::ErrorKind::NotFound => error.hint("begin one with `gonogo gates init`"),
            std::io::ErrorKind::InvalidData => AppError::new(
                Reason::InputMalformed,
                format!("`{}` is not UTF-8", path.display()),
            ),
            _ => error,
        }
    })?;
    if text.len() as u64 > MOST {
        let text = format!("`{}` has more than {MOST} bytes", path.display());
        return Err(AppError::new(Reason::InputMalformed, text));
    }
    let board = board::read(&text)
        .map_err(|e| AppError::new(Reason::InputMalformed, format!("`{}`: {e}", path.display())))?;
    Ok((board, Digest::of(text.as_bytes())))
}

/// Writes a file to begin with; never over one that is there.
///
/// # Errors
/// There is one already, or it cannot be written.
pub fn init(ws: &Workspace) -> Result<PathBuf, AppError> {
    let path = path(ws);
    if path.exists() {
        let text = format!("`{}` is there already; nothing was changed", path.display());
        return Err(AppError::new(Reason::OutputFailed, text));
    }
    write_atomic(&path, board::TEMPLATE.as_bytes())?;
    Ok(path)
}

/// A sign-off that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedOff {
    /// The gate.
    pub gate: String,
    /// Who.
    pub by: String,
    /// Over what.
    pub over: Digest,
    /// The evidence that was looked at.
    pub evidence: u64,
    /// The record.
    pub record: u64,
    /// Whether this call recorded it.
    pub fresh: bool,
}

/// Records that the caller looked at what a gate's row shows now.
///
/// # Errors
/// No such gate; nobody asks for the caller's word; there is nothing good to sign: evidence that is missing, stale or bad.
pub fn sign_off(ws: &Workspace, gate: &str, note: Option<&str>) -> Result<SignedOff, AppError> {
    let (board, _) = read(&path(ws))?;
    let wanted = board::slug(gate);
    let Some(row) = board.rows.iter().find(|r| board::slug(&r.name) == wanted) else {
        let names: Vec<&str> = board.rows.iter().map(|r| r.name.as_str()).collect();
        let gate: String = gate.escape_debug().take(80).collect();
        return Err(AppError::new(
            Reason::ArgumentInvalid,
            format!("no gate is called `{gate}`"),
        )
        .hint(format!("one of {}", names.join(", "))));
    };
    let time = ws.now()?;
    let me = ws.identity()?;
    tokens::must_be_a_person(ws, &me.name)?;
    if !row.sign_off.contains(&me.name) {
        let text = format!("`{}` asks for no sign-off of `{}`", row.name, me.name);
        return Err(
            AppError::new(Reason::ApproverNotEntitled, text).hint(format!(
                "`sign_off` of the gate in `{FILE}` names who is asked"
            )),
        );
    }
    let sight = looking::Sight::of(ws)?;
    let looked = sight.look(row)?;
    let standing = stands(&sight, &board, row, &looked, time)?;
    let (Looked::Found(found), Some(over)) = (&looked, standing.over) else {
        return Err(nothing_to_sign(row, &standing));
    };
    // A sign-off of what does not hold would wait to make it pass.
    let unsigned = Row {
        sign_off: Default::default(),
        conditional: None,
        ..row.clone()
    };
    let without = board::judge(&unsigned, board.phase, &looked, &[], time);
    if without.status != Status::Pass {
        return Err(nothing_to_sign(row, &without));
    }
    let receipt = ws.ledger.append(vec![Draft {
        stream: stream(row),
        key: format!("{}/{}", me.name, over.hex()),
        kind: SIGN_OFF.to_owned(),
        subject: vec![gonogo_ledger::Subject {
            name: row.name.clone(),
            digest: over,
        }],
        time,
        actor: me.name.clone(),
        body: json!({
            "gate": row.name,
            "over": over,
            "pass": row.pass,
            "evidence": {"record": found.record, "stream": found.stream, "digest": found.digest, "at": found.at},
            "note": note,
        }),
        signer: me.key.clone(),
    }]);
    let receipt = match receipt {
        Ok(receipts) => receipts[0],
        // The same words by the same person, with another time or note: it is signed already.
        Err(gonogo_store::ledger::LedgerError::KeyReused { index, .. }) => {
            return Ok(SignedOff {
                gate: row.name.clone(),
                by: me.name,
                over,
                evidence: found.record,
                record: index,
                fresh: false,
            });
        }
        Err(e) => return Err(e.into()),
    };
    Ok(SignedOff {
        gate: row.name.clone(),
        by: me.name,
        over,
        evidence: found.record,
        record: receipt.index,
        fresh: receipt.fresh,
    })
}

fn nothing_to_sign(row: &Row, standing: &Standing) -> AppError {
    let text = format!(
        "`{}` shows nothing to sign off: {}",
        row.name,
        standing.why.join("; ")
    );
    AppError::new(Reason::EvidenceMissing, text)
        .hint(format!("evidence is wanted for: {}", row.pass))
        .hint("`gonogo gates dashboard` shows what is there")
}

/// The board in Markdown.
pub fn markdown(board: &Dashboard) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let mut text = format!(
        "# Release gates: {}\n\nPhase {}, looked at {}.\n\n",
        board.decision.word(),
        board.phase,
        board.at
    );
    text.push_str("| gate | phase | owner | status | pass condition | blocker if fail | evidence | age | why |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for row in &board.rows {
        let why = match row.why.is_empty() {
            true => match row.signed_off.is_empty() {
                true => String::new(),
                false => format!("signed off by {}", row.signed_off.join(", ")),
            },
            false => row.why.join("; "),
        };
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            cell(&row.gate),
            row.phase,
            cell(&row.owner),
            row.status.word(),
            cell(&row.pass_condition),
            cell(&row.blocker_if_fail),
            cell(row.evidence_path.as_deref().unwrap_or("none")),
            row.age.as_deref().unwrap_or("-"),
            cell(&why)
        ));
    }
    text
}
