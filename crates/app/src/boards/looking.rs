//! Looking for evidence in the ledger: always the newest record of what is wanted, good or not.

use std::collections::BTreeSet;

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_gate::board::{Found, Looked, Row, Said, SignOff, Wanted, WantedRecord};
use gonogo_ledger::KeyId;
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_store::ledger::{Filter, RecordView};
use serde_json::Value;

use crate::dry_run::recording;
use crate::gates::checking::VERDICT;
use crate::suite::running::RESULT;
use crate::{AppError, Workspace, slo};

/// A look at the ledger, with the keys that count.
pub(super) struct Sight<'a> {
    ws: &'a Workspace,
    controllers: BTreeSet<KeyId>,
    /// Keys of people that were not taken back, with their names.
    people: Vec<(KeyId, String)>,
}

impl<'a> Sight<'a> {
    pub(super) fn of(ws: &'a Workspace) -> Result<Self, AppError> {
        let keys = ws.ledger.enrolled_keys()?;
        let of_people = keys
            .iter()
            .filter(|k| k.role == "person" && k.revoked.is_none());
        Ok(Self {
            ws,
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
            Wanted::Suite(profile) => {
                let is = |r: &RecordView| {
                    r.stream.starts_with("run/suite/") && word(&r.body, "profile") == Some(profile)
                };
                let found = self.newest(row, RESULT, true, &is)?;
                let none = format!(
                    "no run of the profile `{profile}` was recorded; run it: `gonogo suite run --profile {profile}`"
                );
                Ok(found.map_or(Looked::Missing(none), |r| suite(&r)))
            }
            Wanted::Verdict(lane) => {
                let is = |r: &RecordView| {
                    r.stream.starts_with("run/gate/") && word(&r.body, "lane") == Some(lane)
                };
                let found = self.newest(row, VERDICT, true, &is)?;
                let none = format!(
                    "no verdict of the lane `{lane}` was recorded; make one: `gonogo gate check --lane {lane}`"
                );
                Ok(found.map_or(Looked::Missing(none), |r| verdict(&r)))
            }
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

fn suite(record: &RecordView) -> Looked {
    let status = record.body.get("status").cloned().unwrap_or_default();
    let said = match serde_json::from_value(status) {
        Ok(Verdict::Pass | Verdict::Excused) => Said::Good,
        Ok(Verdict::Fail | Verdict::Hold) => Said::Bad("the run did not pass".into()),
        Ok(Verdict::Invalid) => Said::Unclear("the run's own evidence cannot be used".into()),
        Err(_) => Said::Unclear("the run's record says no status that is known".into()),
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
