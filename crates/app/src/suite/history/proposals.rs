//! Entries for `quarantine.toml`, made of what the recorded runs show.
//!
//! Invariants: an entry is for one test, one variant and one signature, with at least two runs as evidence; what only a person can say
//! (issue, reason, when it is to be taken out, and the owner where nobody is known) is left empty, and an entry with something empty is refused
//! by the gate; nothing is written to the project, and nothing is excused.

use std::fmt::Write as _;

use gonogo_core::{Reason, Span, Timestamp};
use gonogo_gate::inputs::FileState;
use gonogo_gate::policy::{DEFAULT, Policy};
use gonogo_gate::quarantine::SCHEMA;
use gonogo_suite::TestId;
use gonogo_suite::flake::{Draft, Rules, State, draft};
use gonogo_suite::signature::ALGORITHM;
use serde::Serialize;

use super::flakes::{Flaky, flakes};
use super::{Unusable, Window};
use crate::AppError;
use crate::config::SuitesFile;
use crate::gates::excuses;
use crate::gates::gathering::{self, POLICY, Place, QUARANTINE};
use crate::home::Home;
use crate::suite::analysing::{Beside, replays};
use crate::suite::{reading, running};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Only tests whose name contains this.
    pub test: Option<String>,
    /// Only tests of this target.
    pub target: Option<String>,
    /// Which runs are looked at.
    pub window: Window,
}

/// An entry that is proposed.
#[derive(Debug, Clone, Serialize)]
pub struct Proposed {
    /// The target.
    pub target: String,
    /// Who owns it, where somebody is known to.
    pub owner: Option<String>,
    /// The command that runs it, as narrow as can be.
    pub repro: String,
    /// Its text in the file.
    pub toml: String,
    /// What it is made of.
    #[serde(flatten)]
    pub draft: Draft,
}

/// A test that was looked at and is not proposed.
#[derive(Debug, Clone, Serialize)]
pub struct Passed {
    /// The target.
    pub target: String,
    /// The test.
    pub test: TestId,
    /// Why not.
    pub why: Vec<String>,
}

/// What is proposed.
#[derive(Debug, Serialize)]
pub struct Proposals {
    /// The entries.
    pub entries: Vec<Proposed>,
    /// Others, and why not.
    pub passed_over: Vec<Passed>,
    /// What of the history could not be used.
    pub unusable: Vec<Unusable>,
    /// Runs that were read.
    pub runs: usize,
    /// Whether the project has a file of quarantines already.
    pub has_file: bool,
}

impl Proposals {
    /// The text of all entries; with the file's head if there is no file yet.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        if !self.has_file {
            let _ = writeln!(text, "schema = {}\n", quoted(SCHEMA));
        }
        let entries: Vec<&str> = self.entries.iter().map(|e| e.toml.as_str()).collect();
        text + &entries.join("\n")
    }
}

/// Proposes quarantines.
///
/// # Errors
/// No configuration; a policy that cannot be read; the ledger's and git's faults.
pub fn propose(home: &Home, ask: &Ask) -> Result<Proposals, AppError> {
    let place = Place::find(home)?;
    let found = flakes(home, &ask.window)?;
    let longest = longest(&place)?;
    let source = place.tree.now()?;
    let now = home.clock.now().wall;
    let standing = excuses::standing(&place, &source, now)?;
    // An entry says days, and counts from the beginning of its first.
    let today = day(now);
    let rules = Rules::default();
    let named = |one: &&Flaky| {
        let shown = one.stat.test.to_string();
        ask.test
            .as_ref()
            .is_none_or(|part| shown.contains(part.as_str()))
            && ask
                .target
                .as_ref()
                .is_none_or(|target| *target == one.target)
    };
    // A file into which this is being written is there, and empty.
    let has_file = match gathering::file(&place.root.join(QUARANTINE)) {
        FileState::Absent => false,
        FileState::Text { text } => !text.trim().is_empty(),
        FileState::Unreadable { .. } => true,
    };
    let mut proposals = Proposals {
        entries: Vec::new(),
        passed_over: Vec::new(),
        runs: found.runs,
        has_file,
        unusable: found.unusable,
    };
    for one in found.tests.iter().filter(named) {
        // Without a name only what is flaky is of interest.
        if ask.test.is_none() && one.stat.state != State::Flaky {
            continue;
        }
        let class = one.stat.class.map(|c| c.longest());
        let most = class.map_or(longest, |class| class.min(longest));
        let mut why = Vec::new();
        let is_command = one.stat.test == TestId::new(&one.target, "", "(command)");
        match draft(&one.stat, &rules, today, Some(most)) {
            Ok(_) if is_command => why.push(
                "it is a plain command: a log that ends alike is no proof of the same failure, and an entry would cover them all"
                    .to_owned(),
            ),
            Err(errors) => why.extend(errors.iter().map(ToString::to_string)),
            Ok(drafts) => {
                for draft in drafts {
                    let algorithm = &draft.signature.algorithm;
                    if algorithm != ALGORITHM {
                        why.push(format!(
                            "its runs know the failure by `{algorithm}`, and gates compare by `{ALGORITHM}`: run it again"
                        ));
                        continue;
                    }
                    if draft.signature.is_of_nothing() {
                        why.push(
                            "its failure says nothing of why: no message, no trace, no output; an entry would cover every failure that says nothing"
                                .to_owned(),
                        );
                        continue;
                    }
                    let signature = draft.signature.to_string();
                    let has = standing.read.iter().find(|q| {
                        q.is_for(&one.target, &draft.test, &one.selector)
                            && q.signatures.contains(&signature)
                    });
                    match has {
                        Some(entry) => why.push(format!(
                            "`{QUARANTINE}` has it already, {} until {}",
                            entry.status.word().replace('_', " "),
                            entry.expires
                        )),
                        None => proposals.entries.push(proposed(home, one, draft)?),
                    }
                }
            }
        }
        if !why.is_empty() {
            proposals.passed_over.push(Passed {
                target: one.target.clone(),
                test: one.stat.test.clone(),
                why,
            });
        }
    }
    Ok(proposals)
}

/// The longest that the policy allows.
fn longest(place: &Place<'_>) -> Result<Span, AppError> {
    let fault = |why: String| {
        let text = format!("`{POLICY}` cannot be read: {why}");
        AppError::new(Reason::PolicyError, text)
    };
    let policy = match gathering::file(&place.root.join(POLICY)) {
        FileState::Absent => Policy::read(DEFAULT),
        FileState::Text { text } => Policy::read(&text),
        FileState::Unreadable { why } => return Err(fault(why)),
    };
    let policy = policy.map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        fault(texts.join("; "))
    })?;
    Ok(policy.defaults.quarantine_max)
}

fn proposed(home: &Home, one: &Flaky, draft: Draft) -> Result<Proposed, AppError> {
    let (owner, repro) = known(home, one, &draft)?;
    let mut proposed = Proposed {
        target: one.target.clone(),
        owner,
        repro,
        toml: String::new(),
        draft,
    };
    proposed.toml = toml(one, &proposed);
    Ok(proposed)
}

/// Who owns a test, and the command that runs it: from a run of the evidence in which it failed and that is as it was recorded.
fn known(home: &Home, one: &Flaky, draft: &Draft) -> Result<(Option<String>, String), AppError> {
    let root = home.root();
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    let declared = file.suites.get(&one.target).and_then(|s| s.owner.clone());
    let beside = Beside {
        root: &root,
        file,
        seed: None,
        env: Default::default(),
        os: String::new(),
        tools: std::collections::BTreeMap::new(),
        vcr_mode: None,
        against: None,
        program: running::program(home),
    };
    for run in &draft.evidence {
        let loaded = match reading::find(home, run) {
            Ok(loaded) if loaded.differences.is_empty() => loaded,
            _ => continue,
        };
        let result = loaded.summary.targets().find(|t| t.target == one.target);
        let row = result.and_then(|t| t.bad.iter().find(|row| row.test == draft.test));
        let (Some(result), Some(row)) = (result, row) else {
            continue;
        };
        let owner = row
            .owner
            .clone()
            .or(declared)
            .or_else(|| result.owner.clone());
        let repro = replays(&beside, &loaded.summary, row);
        return Ok((
            owner,
            repro.map(|r| r.best().shell.clone()).unwrap_or_default(),
        ));
    }
    Ok((declared, String::new()))
}

fn day(at: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000;
    Timestamp::from_millis(at.as_millis().div_euclid(DAY) * DAY)
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(texts: &[String]) -> String {
    let all: Vec<String> = texts.iter().map(|t| quoted(t)).collect();
    format!("[{}]", all.join(", "))
}

fn toml(one: &Flaky, proposed: &Proposed) -> String {
    let draft = &proposed.draft;
    let date = |at: Timestamp| at.to_string().get(..10).unwrap_or_default().to_owned();
    let parts = [
        ("suite", &*draft.test.suite),
        ("class", &*draft.test.class),
        ("name", draft.test.name.as_str()),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| format!("{key} = {}", quoted(text)))
        .collect();
    let variant: Vec<String> = one
        .selector
        .iter()
        .map(|(k, v)| format!("{} = {}", quoted(k), quoted(v)))
        .collect();
    let owner = match proposed.owner.as_deref() {
        Some(owner) => format!("owner = {}", quoted(owner)),
        None => "owner = \"\"            # who mends it".to_owned(),
    };
    let repro = match proposed.repro.as_str() {
        "" => "repro = \"\"            # the command that runs it".to_owned(),
        repro => format!("repro = {}", quoted(repro)),
    };
    let mut text = String::from("[[quarantine]]\n");
    let lines = [
        format!("target = {}", quoted(&one.target)),
        format!("test = {{ {} }}", parts.join(", ")),
        match variant.is_empty() {
            true => "variant = {}".to_owned(),
            false => format!("variant = {{ {} }}", variant.join(", ")),
        },
        format!("signature = {}", list(&[draft.signature.to_string()])),
        format!("category = {}", quoted(draft.category.word())),
        owner,
        format!("quarantined = {}", date(draft.created)),
        format!("expires = {}", date(draft.latest)),
        format!("evidence = {}", list(&draft.evidence)),
        repro,
        format!("# {}", draft.told),
        "issue = \"\"            # where it is tracked".to_owned(),
        "reason = \"\"           # why it may wait".to_owned(),
        format!("remove_when = \"\"      # {}", draft.recovers),
    ];
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text
}
