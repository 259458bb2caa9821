//! The three gates that are always there: the policy with its lane, its mode and the subject; the waivers; the quarantines.

use std::collections::BTreeSet;

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};

use super::obligation::Open;
use super::{Court, mode_holds, short};
use crate::inputs::{self, Base, BaseFile, Declared, ExcuseFile, FileState, Inputs, ManifestBase};
use crate::policy::{self, Budgets, Check, Lane, Mode, POLICY, QUARANTINES, WAIVERS};
use crate::strict::Fault;
use crate::verdict::{Obligation, Told};

/// The gate of a policy that cannot be read, or of a lane that nobody knows.
pub(super) fn unreadable(
    inputs: &Inputs,
    faults: Option<Vec<Fault>>,
    lane: Option<Lane>,
    digest: Digest,
) -> Vec<Obligation> {
    let mut open = Open::new(POLICY, "read", "a policy that can be read");
    open.cite("policy", digest, None);
    for fault in faults.iter().flatten() {
        open.tell(Reason::PolicyError, fault.to_string());
    }
    let mut all = vec![open.finish()];
    if lane.is_none() {
        let mut open = Open::new(POLICY, "lane", "a lane that is known");
        let text = format!(
            "there is no lane `{}`; known: preflight, full, certification",
            short(&inputs.lane)
        );
        open.tell(Reason::PolicyUndefined, text);
        all.push(open.finish());
    }
    all
}

/// The gate of the policy.
pub(super) fn policy(court: &Court<'_>, digest: Digest) -> Vec<Obligation> {
    let mut read = Open::new(POLICY, "read", "a policy that can be read");
    read.cite("policy", digest, None);
    if court.inputs.schema != inputs::SCHEMA {
        let text = format!("the inputs' schema is `{}`", court.inputs.schema);
        read.tell(Reason::SchemaUnknown, text);
    }
    let mut all = vec![
        read.finish(),
        lane(court, digest),
        base(court, digest),
        manifest(court),
        subject(court),
        mode(court, digest),
    ];
    all.extend(rule_files(court));
    all
}

/// Files that are rules beside the policy: each must be there, and not be changed by what it judges.
fn rule_files(court: &Court<'_>) -> Vec<Obligation> {
    let asked = court.policy.gates.iter();
    let asked = asked.filter(|gate| gate.lanes.contains(&court.lane));
    let names: BTreeSet<&str> = asked
        .flat_map(|gate| match &gate.check {
            // Those of its words that are files of the tree were read.
            Check::Command { argv, .. } => argv
                .iter()
                .map(|word| policy::file_of(word))
                .filter(|word| court.inputs.rules.contains_key(*word))
                .chain(
                    court
                        .inputs
                        .command_rules
                        .get(&gate.id)
                        .into_iter()
                        .flatten()
                        .map(String::as_str),
                )
                .collect(),
            check => check.rule_files(),
        })
        .collect();
    let each = |name: &str| {
        let required = format!("`{name}` as the change's base has it");
        let mut open = Open::new(POLICY, &format!("rules/{name}"), required);
        let Some(file) = court.inputs.rules.get(name) else {
            open.tell(Reason::PolicyError, format!("`{name}` was not read"));
            return open.finish();
        };
        let text = match &file.state {
            FileState::Text { text } => text,
            FileState::Absent => {
                open.tell(Reason::PolicyUndefined, format!("there is no `{name}`"));
                return open.finish();
            }
            FileState::Unreadable { why } => {
                open.tell(Reason::PolicyError, format!("`{name}`: {why}"));
                return open.finish();
            }
        };
        let digest = Digest::of(text.as_bytes());
        open.cite(name, digest, None);
        let changed = match &file.base {
            Base::Same => None,
            Base::Other { digest: other } if *other == digest => None,
            Base::Other { .. } => Some(format!("its base has another `{name}`")),
            Base::Absent => Some(format!("its base has no `{name}`")),
            Base::Unknown { why } => Some(format!("nobody knows the base's `{name}`: {why}")),
        };
        changes(court, &mut open, digest, changed.into_iter().collect());
        open.finish()
    };
    names.into_iter().map(each).collect()
}

/// What is said beside the gate of the policy.
pub(super) fn notes(court: &Court<'_>) -> Vec<String> {
    let mut notes: Vec<String> = court.inputs.subject.base_note.iter().cloned().collect();
    if court.inputs.policy.state == FileState::Absent {
        notes.push("there is no policy of the project, so the built-in one holds".to_owned());
    }
    notes
}

fn lane(court: &Court<'_>, digest: Digest) -> Obligation {
    let mut open = Open::new(POLICY, "lane", "a lane in which something blocks");
    open.cite("policy", digest, None);
    let has_budgets = court
        .inputs
        .manifest
        .declared
        .budgets
        .values()
        .any(|b| b.blocks);
    let blocks = court.policy.gates.iter().any(|gate| {
        let is_declared = has_budgets
            || !matches!(
                gate.check,
                Check::Perf {
                    budgets: Budgets::Declared,
                    ..
                }
            );
        gate.blocking && gate.lanes.contains(&court.lane) && is_declared
    });
    if !blocks {
        let text = format!("no gate blocks in the lane `{}`", court.lane.word());
        open.tell(Reason::PolicyUndefined, text);
    }
    open.finish()
}

fn base(court: &Court<'_>, digest: Digest) -> Obligation {
    let mut open = Open::new(POLICY, "base", "the policy of the change's base");
    open.cite("policy", digest, None);
    let default = Digest::of(policy::DEFAULT.as_bytes());
    let changed = match &court.inputs.policy.base {
        Base::Same => None,
        Base::Other { digest: other } if *other == digest => None,
        Base::Other { digest: other } => Some(format!("its base has another policy, {other}")),
        Base::Absent if digest == default => None,
        Base::Absent => Some("its base has no policy, so the built-in one held there".to_owned()),
        Base::Unknown { why } => Some(format!("nobody knows the base's policy: {why}")),
    };
    changes(court, &mut open, digest, changed.into_iter().collect());
    open.finish()
}

fn changes(court: &Court<'_>, open: &mut Open, digest: Digest, changed: Vec<String>) {
    if changed.is_empty() {
        return;
    }
    let approval = court.law.approval(digest, None, None);
    let reason = match approval {
        Some(_) => Reason::PolicyChangeApproved,
        None => Reason::PolicyChangedBySubject,
    };
    for text in changed {
        open.tell(reason, text);
    }
    if let Some(approval) = approval {
        open.cite("approval", approval.over, Some(approval.record));
        open.tell(reason, format!("approved by `{}`", short(&approval.signer)));
    }
}

fn manifest(court: &Court<'_>) -> Obligation {
    let manifest = &court.inputs.manifest;
    let mut open = Open::new(
        POLICY,
        "manifest",
        "targets that the change does not weaken",
    );
    open.cite("manifest", manifest.digest, None);
    let changed = match &manifest.base {
        ManifestBase::Same | ManifestBase::Absent => Vec::new(),
        ManifestBase::Unknown { why } => {
            vec![format!("nobody knows what the base declares: {why}")]
        }
        ManifestBase::Other { declared, .. } => weaker(declared, &manifest.declared),
    };
    changes(court, &mut open, manifest.digest, changed);
    open.finish()
}

/// What is declared more weakly than at the base.
fn weaker(base: &Declared, now: &Declared) -> Vec<String> {
    let mut found = Vec::new();
    for (name, was) in &base.targets {
        let Some(is) = now.targets.get(name) else {
            found.push(format!("the target `{name}` is gone"));
            continue;
        };
        let mut tell = |what: String| found.push(format!("the target `{name}` {what}"));
        if was.blocking && !is.blocking {
            tell("no longer blocks".into());
        }
        if is.min_tests < was.min_tests {
            tell(format!(
                "needs {} tests, and needed {}",
                is.min_tests, was.min_tests
            ));
        }
        if is.min_duration_ms.unwrap_or(0) < was.min_duration_ms.unwrap_or(0) {
            tell("may be green in less time".into());
        }
        if is.format != was.format {
            tell(format!(
                "reports as `{}`, and did as `{}`",
                is.format, was.format
            ));
        }
        if is.command != was.command {
            tell("is run by another command".into());
        }
        if is.how != was.how {
            tell("is run elsewhere, in another environment, or reports to other files".into());
        }
    }
    for (profile, was) in &base.profiles {
        let is = now.profiles.get(profile);
        let gone = was
            .iter()
            .filter(|t| now.targets.contains_key(*t) && is.is_none_or(|list| !list.contains(t)));
        found.extend(gone.map(|t| format!("the target `{t}` is no longer of profile `{profile}`")));
    }
    for (budget, was) in &base.budgets {
        match now.budgets.get(budget) {
            None => found.push(format!("the budget `{budget}` is gone")),
            Some(is) if was.blocks && !is.blocks => {
                found.push(format!("the budget `{budget}` no longer blocks"));
            }
            Some(is) if is.declared != was.declared => {
                found.push(format!("the budget `{budget}` is declared in another way"));
            }
            Some(_) => {}
        }
    }
    if now.dry_run != base.dry_run {
        found.push("`[dry_run]`, by which dry runs are judged, is declared in another way".into());
    }
    for (name, was) in &base.records {
        match now.records.get(name) {
            None => found.push(format!("the recording `{name}` is gone")),
            Some(is) if is != was => found.push(format!(
                "`[record.{name}]`, by which requests are told from each other, is declared in another way"
            )),
            Some(_) => {}
        }
    }
    let redact = now.redact.iter().filter(|p| !base.redact.contains(p));
    found.extend(redact.map(|p| format!("what `{p}` finds is taken out of what is read")));
    let apart = now.apart.iter().filter(|p| !base.apart.contains(p));
    found.extend(apart.map(|p| format!("what `{p}` finds is no longer part of the tree")));
    found
}

fn subject(court: &Court<'_>) -> Obligation {
    let subject = &court.inputs.subject;
    let mut open = Open::new(
        POLICY,
        "subject",
        "a tree that is known, and that landed as it was judged",
    );
    open.cite("tree", Digest::of(subject.tree.as_bytes()), None);
    if crate::strict::is_blank(&subject.tree) {
        open.tell(Reason::CheckUndecidable, "nobody says which tree is judged");
    }
    if let Some(landed) = &subject.landed_tree
        && *landed != subject.tree
    {
        let text = format!(
            "tree {} landed, and {} was judged",
            short(landed),
            short(&subject.tree)
        );
        open.tell(Reason::TreeDriftAfterLand, text);
    }
    open.finish()
}

fn mode(court: &Court<'_>, digest: Digest) -> Obligation {
    let mut open = Open::new(POLICY, "mode", "the strict mode of promotion");
    open.cite("policy", digest, None);
    let now = court.inputs.now;
    if let Mode::Rollback {
        rationale,
        since,
        expires,
        thresholds,
    } = &court.policy.mode
    {
        if now < *since {
            open.tell(
                Reason::ClockSkew,
                format!("the rollback mode begins in the future, at {since}"),
            );
        } else if mode_holds(&court.policy.mode, now).is_some() {
            open.until(*expires);
            let text =
                format!("until {expires}, then back to thresholds {thresholds}: {rationale}");
            open.tell(Reason::RollbackModeActive, text);
        } else {
            let text = format!("it expired at {expires}; the thresholds are {thresholds}");
            open.tell(Reason::RollbackModeExpired, text);
        }
    }
    open.finish()
}

/// Until when the rollback mode excuses, and the digest of the policy that says so.
pub(super) fn rollback(court: &Court<'_>) -> Option<(Timestamp, Digest)> {
    let expires = mode_holds(&court.policy.mode, court.inputs.now)?;
    Some((expires, super::policy_of(court.inputs).1))
}

/// The gate of the waivers.
pub(super) fn waivers(court: &Court<'_>) -> Vec<Obligation> {
    excuses(
        court,
        WAIVERS,
        &court.inputs.waivers,
        &court.waivers.reasons,
    )
}

/// The gate of the quarantines.
pub(super) fn quarantines(court: &Court<'_>) -> Vec<Obligation> {
    excuses(
        court,
        QUARANTINES,
        &court.inputs.quarantine,
        &court.quarantines.reasons,
    )
}

fn excuses(court: &Court<'_>, id: &str, file: &ExcuseFile, reasons: &[Told]) -> Vec<Obligation> {
    let mut open = Open::new(id, "", "entries that keep the rules, or none");
    let text = match &file.state {
        FileState::Text { text } => text.as_str(),
        FileState::Absent | FileState::Unreadable { .. } => "",
    };
    open.cite("file", Digest::of(text.as_bytes()), None);
    for told in reasons {
        open.tell_of(
            told.code,
            &told.text,
            told.target.as_deref(),
            told.test.clone(),
        );
    }
    if reasons.iter().any(|t| t.code == Reason::ExcuseUnapproved)
        && let BaseFile::Unknown { why } = &file.base
    {
        let text = format!("nobody knows what the base has: {why}");
        open.tell(Reason::ExcuseUnapproved, text);
    }
    // The first end of an excuse that holds changes this gate too: an entry that has ended fails it.
    let ends = if id == WAIVERS {
        let all = court.waivers.read.iter();
        all.filter(|w| w.status.holds()).map(|w| w.expires).min()
    } else {
        let all = court.quarantines.read.iter();
        all.filter(|q| q.status.holds()).map(|q| q.expires).min()
    };
    if let Some(ends) = ends {
        open.until(ends);
    }
    let row = open.finish();
    debug_assert!(row.status == Status::Pass || !row.reasons.is_empty());
    vec![row]
}
