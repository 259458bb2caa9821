//! Good artifacts for the selftest, made by the rules that make them elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Timestamp};
use serde_json::Value;

use super::bench::{TREE, before};
use crate::artifact::Artifact;
use crate::classification::{CLASSES, Classes, classify};
use crate::contract::CONTRACT;
use crate::doubles::{AllowList, inventory};
use crate::inputs::{Base, FileState, Found, Origin, PolicyFile};
use crate::policy::{Computed, POLICY};
use crate::rubric::RUBRIC;
use crate::tracker::{Fields, checkpoint};
use crate::wording::{DEFAULT, Rules, Shown, guard};

/// The module of the rubric that is made here.
pub(super) const MODULE: &str = "selftest";

/// A good artifact of a check.
pub(super) fn artifact(check: &Computed, now: Timestamp) -> Result<Found<Value>, String> {
    let at = before(now, gonogo_core::Span::from_secs(60));
    let file = "tests/selftest.rs".to_owned();
    let source = "fn works() {}";
    let classes = format!(
        "schema = \"{CLASSES}\"\n[suite.unit]\nfiles = [\"{file}\"]\nforbidden = [\"Mock\"]\n"
    );
    let classes = Classes::parse(&classes).map_err(|e| e.to_string())?;
    let bytes = match check {
        Computed::Tracker { terms, .. } => {
            let ended = terms
                .ends
                .first()
                .ok_or("no state of the tracker is an end")?;
            let row = serde_json::json!({"id": "1", "status": ended}).to_string();
            checkpoint(row.as_bytes(), &Fields::default(), terms, Some(at), at).to_bytes()
        }
        Computed::Wording { .. } => {
            let rules = Rules::parse(DEFAULT).map_err(|e| e.to_string())?;
            let texts = BTreeMap::from([("README.md".to_owned(), &b"It runs tests."[..])]);
            guard(&rules, &texts, &Shown::default(), at).to_bytes()
        }
        Computed::Classification { .. } => {
            let sources = BTreeMap::from([(file.clone(), source)]);
            classify(&classes, &BTreeSet::from([file]), &sources, at).to_bytes()
        }
        Computed::Doubles { .. } => {
            let sources = BTreeMap::from([(file, source)]);
            inventory(&sources, Some(&classes), &AllowList::default(), at).to_bytes()
        }
    };
    let bytes = bytes.map_err(|e| e.to_string())?;
    Ok(Found::Present {
        value: serde_json::from_slice(&bytes).map_err(|e| e.to_string())?,
        origin: Origin {
            digest: Digest::of(&bytes),
            at: Some(at),
            tree: Some(TREE.to_owned()),
            record: None,
        },
    })
}

/// A rule file as its base has it.
pub(super) fn rules(text: String) -> PolicyFile {
    PolicyFile {
        state: FileState::Text { text },
        base: Base::Same,
    }
}

/// A rubric of one module.
pub(super) fn rubric() -> String {
    format!(
        "schema = \"{RUBRIC}\"\n[[module]]\nname = \"{MODULE}\"\npaths = [\"src/**\"]\ncriticality = \"high\"\nfloor = {{ line = \"75%\" }}\nrationale = \"selftest\"\n"
    )
}

/// A contract of one hard gate.
pub(super) fn contract(lane: &str) -> String {
    format!(
        "schema = \"{CONTRACT}\"\nlane = \"{lane}\"\n[[hard_gates]]\ngate_id = \"G01\"\ndomain = \"selftest\"\nblocking = true\nowner = \"selftest\"\npass_criteria = [\"{POLICY}\"]\n"
    )
}
