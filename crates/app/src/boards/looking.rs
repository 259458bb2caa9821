//! Looking for evidence in the ledger: always the newest record of what is wanted, good or not.
//!
//! Runs of suites and verdicts are evidence of the tree that they are of, as the project's files are now, and of no other. A run counts if
//! it is of the whole profile: one suite of it, or one shard, shows nothing of the rest; if it went wrong, it says so of the whole.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_gate::board::{Found, Looked, Row, Said, SignOff, Wanted, WantedRecord};
use gonogo_ledger::KeyId;
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_store::ledger::{Filter, RecordView};
use gonogo_suite::run::Summary;
use serde_json::Value;

use crate::controls::force;
use crate::dry_run::recording;
use crate::gates::checking::VERDICT;
use crate::suite::running::{self, RESULT};
use crate::suite::source::Tree;
use crate::{AppError, Workspace, slo};

/// Most bytes of a kept summary.
const SUMMARY: u64 = 1 << 30;

/// A look at the ledger, with the keys that count.
pub(super) struct Sight<'a> {
    ws: &'a Workspace,
    controllers: BTreeSet<KeyId>,
    /// Keys of people that were not taken back, with their names.
    people: Vec<(KeyId, String)>,
    /// The tree that is here, once somebody asked for it; or why nobody knows it.
    tree: OnceCell<Result<String, String>>,
}

impl<'a> Sight<'a> {
    pub(super) fn of(ws: &'a Workspace) -> Result<Self, AppError> {
        let keys = ws.ledger.enrolled_keys()?;
        let of_people = keys
            .iter()
            .filter(|k| k.role == "person" && k.revoked.is_none());
        Ok(Self {
            ws,
            tree: OnceCell::new(),
            people: of_people.map(|k| (k.key.id(), k.who.clone())).collect(),
            controllers: keys
                .iter()
                .filter(|k| k.role == CONTROLLER)
                .map(|k| k.key.id())
                .collect(),
        })
    }

    /// The newest evidence that a row wants.
    pub(super) fn look(&self, row: &Row) -> Result<Looked, AppError> {
        match &row.evidence {
            Wanted::Suite(profile) => self.suite(row, profile),
            Wanted::Verdict(lane) => self.verdict(row, lane),
            Wanted::DryRun(label) => self.dry_run(row, label),
            Wanted::Slo(_) => {
                let found = self.newest(row, slo::KIND, true, &|r| r.stream == slo::STREAM)?;
                let none = "no report was recorded; make one: `gonogo slo report --record`";
                Ok(found.map_or(Looked::Missing(none.into()), |r| slo_report(&r)))
            }
            Wanted::Record(wanted) => {
                let is = |r: &RecordView| match &wanted.stream {
                    None => true,
                    Some(begin) if begin.ends_with('/') => r.stream.starts_with(begin),
                    Some(stream) => r.stream == *stream,
                };
                let found = self.newest(row, &wanted.kind, false, &is)?;
                let none = format!("no record of the kind `{}` is there", wanted.kind);
                Ok(found.map_or(Looked::Missing(none), |r| says(&r, wanted)))
            }
        }
    }

    /// The newest record of this kind that is meant. Ledgers grow for ever: first those are looked at that could still be current.
    fn newest(
        &self,
        row: &Row,
        kind: &str,
        own: bool,
        is: &dyn Fn(&RecordView) -> bool,
    ) -> Result<Option<RecordView>, AppError> {
        let now = self.ws.clock.now().wall.as_millis();
        let age = i64::try_from(row.max_age.as_millis()).unwrap_or(i64::MAX);
        let current = Timestamp::from_millis(now.saturating_sub(age).max(0));
        for since in [Some(current), None] {
            let all = self.ws.ledger.every(Filter {
                kind: Some(kind.to_owned()),
                since,
                ..Filter::default()
            })?;
            let counts = |r: &RecordView| !own || self.controllers.contains(&r.signer);
            let newest = all
                .into_iter()
                .filter(|r| counts(r) && is(r))
                .max_by_key(|r| r.index);
            if newest.is_some() {
                return Ok(newest);
            }
        }
        Ok(None)
    }

    /// The tree that is here.
    fn tree(&self) -> Result<&str, Looked> {
        let found = self.tree.get_or_init(|| {
            let find = || -> Result<String, AppError> {
                let root = self.ws.config.root();
                let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
                let file = &self.ws.config.suites;
                let apart = running::apart(file, &root, &root.join(&file.artifacts));
                Ok(Tree::find(&root, &self.ws.state, &apart)?.now()?.tree)
            };
            find().map_err(|e| format!("nobody knows which tree is here: {}", e.message))
        });
        found
            .as_deref()
            .map_err(|why| Looked::Unusable(why.clone()))
    }

    fn suite(&self, row: &Row, profile: &str) -> Result<Looked, AppError> {
        let Some(names) = self.ws.config.suites.profiles.get(profile) else {
            let file = self.ws.config.path.display();
            return Ok(Looked::Missing(format!(
                "`{file}` declares no profile `{profile}`"
            )));
        };
        let tree = match self.tree() {
            Ok(tree) => tree,
            Err(unusable) => return Ok(unusable),
        };
        let is_run = |r: &RecordView| r.stream.starts_with("run/suite/");
        let of_profile = |r: &RecordView| is_run(r) && word(&r.body, "profile") == Some(profile);
        let is = |r: &RecordView| of_profile(r) && self.lacks(r, tree, names).is_none();
        let Some(whole) = self.newest(row, RESULT, true, &is)? else {
            let newest = self.newest(row, RESULT, true, &of_profile)?;
            let how = format!("run it: `gonogo suite run --profile {profile}`");
            return Ok(Looked::Missing(match newest {
                None => format!("no run of the profile `{profile}` was recorded; {how}"),
                Some(r) => format!(
                    "no run of the whole profile `{profile}` and of what is here was recorded; the newest, record {}, {}; {how}",
                    r.index,
                    self.lacks(&r, tree, names).unwrap_or_default()
                ),
            }));
        };
        // What went wrong on the same tree later, if only in a part, is not made good by what was before.
        let worse = |r: &RecordView| {
            is_run(r)
                && r.index > whole.index
                && word(&r.body, "tree") == Some(tree)
                && !matches!(status(r), Some(Verdict::Pass | Verdict::Excused))
                && self
                    .summary(r)
                    .is_none_or(|s| s.selected.iter().any(|name| names.contains(name)))
        };
        Ok(match self.newest(row, RESULT, true, &worse)? {
            None => suite(&whole),
            Some(worse) => suite(&worse),
        })
    }

    /// Why a run is no evidence of the whole of a profile, as it is here; none if it is.
    fn lacks(&self, record: &RecordView, tree: &str, names: &[String]) -> Option<String> {
        let of = word(&record.body, "tree").unwrap_or_default();
        if of != tree {
            return Some(format!("is of another tree, `{of}`"));
        }
        let Some(summary) = self.summary(record) else {
            return Some("has no summary that can be read".into());
        };
        let declared = crate::gates::declared::digest_of(&self.ws.config);
        if summary.declared != Some(declared) {
            return Some("was made when something else was declared".into());
        }
        if let Some(shard) = &summary.shard {
            let (n, of) = (shard.index.saturating_add(1), shard.total);
            return Some(format!(
                "is shard {n} of {of}: put them together with `gonogo suite merge`"
            ));
        }
        let left: Vec<&str> = names
            .iter()
            .filter(|name| !summary.selected.contains(name))
            .map(String::as_str)
            .collect();
        (!left.is_empty()).then(|| format!("left out {}", left.join(", ")))
    }

    /// The summary of a run, as it was recorded.
    fn summary(&self, record: &RecordView) -> Option<Summary> {
        let blob = word(&record.body, "summary")?.parse().ok()?;
        let bytes = self.ws.ledger.read_blob(&blob, SUMMARY).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn verdict(&self, row: &Row, lane: &str) -> Result<Looked, AppError> {
        let tree = match self.tree() {
            Ok(tree) => tree,
            Err(unusable) => return Ok(unusable),
        };
        let of_lane = |r: &RecordView| {
            r.stream.starts_with("run/gate/") && word(&r.body, "lane") == Some(lane)
        };
        let is = |r: &RecordView| of_lane(r) && word(&r.body, "tree") == Some(tree);
        let how = format!("make one: `gonogo gate check --lane {lane}`");
        let Some(found) = self.newest(row, VERDICT, true, &is)? else {
            let other = self.newest(row, VERDICT, true, &of_lane)?;
            return Ok(Looked::Missing(match other {
                None => format!("no verdict of the lane `{lane}` was recorded; {how}"),
                Some(r) => format!(
                    "no verdict of the lane `{lane}` is of what is here; the newest, record {}, is of another tree, `{}`; {how}",
                    r.index,
                    word(&r.body, "tree").unwrap_or_default()
                ),
            }));
        };
        let rules = force::rules_of(&found.body, &force::rules_now(self.ws));
        Ok(match rules {
            Ok(()) => verdict(&found),
            Err(what) => Looked::Missing(format!(
                "the newest verdict of the lane `{lane}`, record {}, was judged by {what}; {how}",
                found.index
            )),
        })
    }

    fn dry_run(&self, row: &Row, label: &str) -> Result<Looked, AppError> {
        let is = |r: &RecordView| {
            r.stream.starts_with("run/dry-run/") && word(&r.body, "label") == Some(label)
        };
        let Some(begun) = self.newest(row, recording::BEGUN, true, &is)? else {
            let text = format!("no dry run `{label}` was recorded");
            return Ok(Looked::Missing(text));
        };
        let of_run = |r: &RecordView| r.stream == begun.stream;
        let Some(signed) = self.newest(row, recording::SIGN_OFF, true, &of_run)? else {
            let text = format!("the newest dry run `{label}` has not been signed off");
            return Ok(Looked::Missing(text));
        };
        let said = match word(&signed.body, "signOff") {
            Some("pass") => Said::Good,
            Some(word @ ("warn" | "fail" | "invalid")) => {
                Said::Bad(format!("the dry run was signed off with `{word}`"))
            }
            _ => Said::Unclear("the dry run's sign-off says nothing that is known".into()),
        };
        Ok(found(&signed, said, None))
    }

    /// Sign-offs of a gate, each under the key of the person whose name it has.
    pub(super) fn signed(&self, stream: &str) -> Result<Vec<SignOff>, AppError> {
        let mut all = Vec::new();
        for record in self.ws.every(stream.to_owned(), super::SIGN_OFF)? {
            let over = word(&record.body, "over").and_then(|o| o.parse::<Digest>().ok());
            let of = self.people.iter().find(|(key, _)| *key == record.signer);
            if let (Some(over), Some((_, who))) = (over, of)
                && *who == record.actor
            {
                all.push(SignOff {
                    by: who.clone(),
                    over,
                    at: record.time,
                });
            }
        }
        Ok(all)
    }
}

fn word<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str)
}

fn found(record: &RecordView, said: Said, ends: Option<Timestamp>) -> Looked {
    Looked::Found(Found {
        record: record.index,
        stream: record.stream.clone(),
        digest: record.digest,
        at: record.time,
        said,
        ends,
    })
}

fn status(record: &RecordView) -> Option<Verdict> {
    serde_json::from_value(record.body.get("status")?.clone()).ok()
}

fn suite(record: &RecordView) -> Looked {
    let said = match status(record) {
        Some(Verdict::Pass | Verdict::Excused) => Said::Good,
        Some(Verdict::Fail | Verdict::Hold) => Said::Bad("the run did not pass".into()),
        Some(Verdict::Invalid) => Said::Unclear("the run's own evidence cannot be used".into()),
        None => Said::Unclear("the run's record says no status that is known".into()),
    };
    found(record, said, None)
}

fn verdict(record: &RecordView) -> Looked {
    let said = match word(&record.body, "verdict") {
        Some("pass" | "excused") => Said::Good,
        Some(word @ ("fail" | "hold")) => Said::Bad(format!("the verdict is `{word}`")),
        Some("invalid") => Said::Unclear("the verdict's evidence cannot be used".into()),
        _ => Said::Unclear("the verdict's record says nothing that is known".into()),
    };
    // An end that cannot be read has come already.
    let ends = match record.body.get("expiresAt") {
        None | Some(Value::Null) => None,
        Some(end) => {
            let end = end.as_str().and_then(|e| e.parse().ok());
            Some(end.unwrap_or(Timestamp::from_millis(0)))
        }
    };
    found(record, said, ends)
}

fn slo_report(record: &RecordView) -> Looked {
    let objectives = record.body.get("objectives").and_then(Value::as_array);
    let looser = objectives
        .into_iter()
        .flatten()
        .filter(|o| o["looser"] != false);
    let looser: Vec<&str> = looser
        .map(|o| word(o, "objective").unwrap_or("?"))
        .collect();
    let said = match word(&record.body, "result") {
        Some("met") if looser.is_empty() && objectives.is_some_and(|o| !o.is_empty()) => Said::Good,
        Some("met") if !looser.is_empty() => Said::Bad(format!(
            "met only because less is asked than the contract does: {}",
            looser.join(", ")
        )),
        Some("missed") => Said::Bad("an objective was missed".into()),
        Some("no_data") => Said::Unclear("too little was measured".into()),
        _ => Said::Unclear("the report says nothing that is known".into()),
    };
    found(record, said, None)
}

fn says(record: &RecordView, wanted: &WantedRecord) -> Looked {
    let at = &wanted.at;
    let said = match record.body.pointer(at) {
        Some(Value::String(text)) if *text == wanted.is => Said::Good,
        Some(Value::Bool(flag)) if flag.to_string() == wanted.is => Said::Good,
        Some(Value::String(_) | Value::Bool(_)) => {
            Said::Bad(format!("`{at}` is not `{}`", wanted.is))
        }
        _ => Said::Unclear(format!("nothing to compare stands at `{at}`")),
    };
    found(record, said, None)
}
