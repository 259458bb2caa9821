//! Good inputs for any policy: what each of its gates asks for, as it should be.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Share, Span, Timestamp, Verdict as Status};
use gonogo_suite::Format;
use gonogo_suite::run::{COMMAND, End};
use serde_json::{Map, Value};

use super::bench::{
    Bench, Ran, TOOK, TREE, Victim, before, compared, judged, recorded, report, summary,
};
use super::computed;
use crate::inputs::{
    Base, BaseFile, Budgeted, CommandOutcome, Coverage, Covered, Declared, Drill, DryRun,
    ExcuseFile, FileState, Found, History, Inputs, Manifest, ManifestBase, Origin, Part, Perf,
    PerfResult, PolicyFile, Readiness, SCHEMA, Subject,
};
use crate::platforms::Platform;
use crate::policy::{self, Budgets, Check, Lane, Op, Operand, Policy, Rule, SuiteCheck, matching};

/// Most tests of a made report.
const MOST: u64 = 100_000;

/// The budget that is declared where a project has none, so that cases about budgets have something to poison.
pub(super) const BUDGET: &str = "selftest";

pub(super) fn make(
    policy: &FileState,
    declared: &Declared,
    lane: Lane,
    now: Timestamp,
) -> Result<Bench, String> {
    let text = match policy {
        FileState::Absent => policy::DEFAULT,
        FileState::Text { text } => text,
        FileState::Unreadable { why } => return Err(format!("the policy cannot be read: {why}")),
    };
    let read = Policy::read(text).map_err(|faults| {
        let texts: Vec<String> = faults.iter().take(5).map(ToString::to_string).collect();
        format!("the policy cannot be read: {}", texts.join("; "))
    })?;
    let mut declared = declared.clone();
    if declared.budgets.is_empty() {
        let budget = Budgeted {
            blocks: true,
            declared: Digest::of(BUDGET.as_bytes()),
        };
        declared.budgets.insert(BUDGET.to_owned(), budget);
    }
    let manifest = Manifest {
        digest: Digest::of(super::bench::DECLARED),
        declared,
        base: ManifestBase::Same,
    };
    let excuses = ExcuseFile {
        state: FileState::Absent,
        base: BaseFile::Absent,
        writers: Vec::new(),
    };
    let inputs = Inputs {
        schema: SCHEMA.to_owned(),
        now,
        lane: lane.word().to_owned(),
        subject: Subject {
            tree: TREE.to_owned(),
            authors: vec!["selftest-author".to_owned()],
            ..Subject::default()
        },
        policy: PolicyFile {
            state: policy.clone(),
            base: Base::Same,
        },
        manifest,
        runs: Vec::new(),
        unreadable_runs: Vec::new(),
        going_runs: Vec::new(),
        history: BTreeMap::new(),
        documents: BTreeMap::new(),
        earlier_documents: BTreeMap::new(),
        commands: BTreeMap::new(),
        coverage: BTreeMap::new(),
        computed: BTreeMap::new(),
        rules: BTreeMap::new(),
        command_rules: BTreeMap::new(),
        bundle: None,
        dry_runs: Vec::new(),
        readiness: Found::Absent,
        drills: BTreeMap::new(),
        perf: BTreeMap::new(),
        waivers: excuses.clone(),
        quarantine: excuses,
        approvals: Vec::new(),
        approvers: crate::inputs::Approvers::Anyone,
        quarantine_matched: BTreeMap::new(),
        quarantine_clean: BTreeMap::new(),
        quarantine_denied: BTreeMap::new(),
        quarantine_unseen: std::collections::BTreeSet::new(),
    };
    let mut bench = Bench {
        inputs,
        victim: None,
        victims: Vec::new(),
        tests: BTreeMap::new(),
        base: BTreeMap::new(),
    };
    runs(&mut bench, &read, lane)?;
    let mut made = Made {
        now,
        documents: BTreeMap::new(),
    };
    for gate in &read.gates {
        made.satisfy(&mut bench.inputs, &gate.id, &gate.check)?;
    }
    let documents = std::mem::take(&mut made.documents);
    for (name, value) in documents {
        bench.inputs.documents.insert(name, made.found(value));
    }
    Ok(bench)
}

/// The targets of a check, as far as they are declared.
fn targets(check: &SuiteCheck, declared: &Declared) -> Vec<String> {
    match &check.profile {
        None => check.targets.clone(),
        Some(profile) => declared.profiles.get(profile).cloned().unwrap_or_default(),
    }
}

/// Of targets with reports the first that blocks and the first that does not: what lets poison through is seen, though another would not.
fn weakest(names: &[String], declared: &Declared) -> Vec<String> {
    let first = |blocking: bool| {
        let is_such = |name: &&String| {
            let target = declared.targets.get(*name);
            target.is_some_and(|t| t.format != COMMAND && t.blocking == blocking)
        };
        names.iter().find(is_such).cloned()
    };
    [true, false].into_iter().filter_map(first).collect()
}

fn runs(bench: &mut Bench, policy: &Policy, lane: Lane) -> Result<(), String> {
    let declared = bench.inputs.manifest.declared.clone();
    let mut profiles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut least = 2;
    for gate in &policy.gates {
        if let Check::Platforms(check) = &gate.check {
            for platform in &check.platforms {
                let names = declared.profiles.get(&platform.profile).cloned();
                let all = profiles.entry(platform.profile.clone()).or_default();
                all.extend(names.unwrap_or_default());
            }
        }
        let Check::Suite(check) = &gate.check else {
            continue;
        };
        least = least.max(check.min_tests);
        let names = targets(check, &declared);
        let is_asked = gate.blocking && gate.lanes.contains(&lane);
        if is_asked {
            let victims = weakest(&names, &declared).into_iter().map(|target| Victim {
                target,
                gate: gate.id.clone(),
                profile: check.profile.clone(),
            });
            bench.victims.extend(victims);
        }
        let profile = check.profile.clone().unwrap_or_else(|| "selftest".into());
        profiles.entry(profile).or_default().extend(names);
    }
    let now = bench.inputs.now;
    for (n, (profile, names)) in profiles.into_iter().enumerate() {
        let mut results = Vec::new();
        let mut baselines = BTreeMap::new();
        for name in names {
            let Some(target) = declared.targets.get(&name) else {
                continue;
            };
            // One more than must run, so that a case that takes one away is not caught by the count.
            let count = least.max(target.min_tests).saturating_add(2);
            if count > MOST {
                return Err(format!(
                    "`{name}` needs {count} tests, more than are made here"
                ));
            }
            let bytes = report(count);
            let plain = target.format == COMMAND;
            let ran = Ran {
                reports: if plain {
                    Vec::new()
                } else {
                    vec![(Format::Junit, bytes.as_bytes())]
                },
                end: End::Exited { code: 0 },
                duration_ms: target.min_duration_ms.unwrap_or(0).max(TOOK),
            };
            let (result, rows) = judged(&name, target, &ran, before(now, Span::from_secs(120)));
            let base: Vec<_> = rows.iter().map(|r| (r.test.clone(), r.entry())).collect();
            baselines.insert(name.clone(), compared(&base, &rows));
            bench.base.insert(name.clone(), base);
            bench.tests.insert(name.clone(), count);
            bench.inputs.history.insert(
                name,
                History {
                    green_runs: 10,
                    median_ms: ran.duration_ms,
                },
            );
            results.push(result);
        }
        let id = format!("selftest-{n}");
        let mut run = recorded(summary(&id, &profile, results, now), n as u64 + 1);
        run.baselines = baselines;
        bench.inputs.runs.push(run);
    }
    Ok(())
}

/// A run of a platform, beside that of its profile.
fn shown(inputs: &mut Inputs, platform: &Platform) -> Result<(), String> {
    let count = inputs.runs.len() as u64;
    let of = inputs
        .runs
        .iter()
        .find(|run| run.summary.profile == platform.profile && run.summary.variant.is_empty());
    let of = of.ok_or_else(|| {
        let profile = &platform.profile;
        format!("the profile `{profile}`, which a platform must run, is not declared")
    })?;
    let mut summary = of.summary.clone();
    summary.run_id = format!("{}-{}", summary.run_id, platform.name);
    summary.variant = platform.variant.clone();
    let mut run = recorded(summary, count + 1);
    run.baselines = of.baselines.clone();
    inputs.runs.push(run);
    Ok(())
}

struct Made {
    now: Timestamp,
    documents: BTreeMap<String, Value>,
}

impl Made {
    fn found<T>(&self, value: T) -> Found<T> {
        Found::Present {
            value,
            origin: Origin {
                digest: Digest::of(b"selftest"),
                at: Some(before(self.now, Span::from_secs(60))),
                tree: Some(TREE.to_owned()),
                record: Some(100),
            },
        }
    }

    fn time(&self) -> Value {
        Value::String(before(self.now, Span::from_secs(60)).to_string())
    }

    fn satisfy(&mut self, inputs: &mut Inputs, id: &str, check: &Check) -> Result<(), String> {
        match check {
            Check::Suite(_) => {}
            Check::Schema {
                document,
                pointer,
                schema,
                ..
            } => self.set(document, pointer, Value::String(schema.clone()))?,
            Check::Json {
                document, rules, ..
            } => {
                for rule in rules {
                    self.rule(document, rule)?;
                }
            }
            Check::Counts {
                document,
                total,
                parts,
                ..
            } => {
                for part in parts {
                    self.set(document, part, Value::from(1))?;
                }
                self.set(document, total, Value::from(parts.len()))?;
            }
            Check::Percentage {
                document,
                numerator,
                denominator,
                floor,
                ..
            } => match denominator {
                None => self.set(document, numerator, Value::from(100))?,
                Some(denominator) => {
                    let whole = Value::from(floor.min_denominator.max(1));
                    self.set(document, numerator, whole.clone())?;
                    self.set(document, denominator, whole)?;
                }
            },
            Check::MaxAge { place, .. } => {
                let time = self.time();
                self.set(&place.document, &place.pointer, time)?;
            }
            Check::Lineage {
                equal,
                contained,
                times,
                ..
            } => {
                let pairs = contained.iter().flat_map(|(a, b)| [a, b]);
                for place in equal.iter().chain(pairs) {
                    self.set(&place.document, &place.pointer, "selftest".into())?;
                }
                for place in times {
                    let time = self.time();
                    self.set(&place.document, &place.pointer, time)?;
                }
            }
            Check::Command { argv, expect, .. } => {
                let outcome = CommandOutcome {
                    argv: argv.clone(),
                    end: End::Exited { code: *expect },
                };
                inputs.commands.insert(id.to_owned(), self.found(outcome));
            }
            Check::Coverage { report, floors, .. } => {
                let part = Some(Part {
                    covered: 100,
                    total: 100,
                });
                let whole = Covered {
                    lines: part,
                    functions: part,
                    branches: part,
                };
                let mut modules: BTreeMap<String, Covered> =
                    floors.keys().map(|m| (m.clone(), whole)).collect();
                if let Some(Found::Present { value, .. }) = inputs.coverage.remove(report) {
                    modules.extend(value.modules);
                }
                let found = self.found(Coverage {
                    modules,
                    ..Coverage::default()
                });
                inputs.coverage.insert(report.clone(), found);
            }
            Check::Computed(check) => {
                let found = computed::artifact(check, self.now)?;
                inputs.computed.insert(id.to_owned(), found);
                for file in Check::Computed(check.clone()).rule_files() {
                    let file = file.to_owned();
                    inputs.rules.insert(file, computed::rules(String::new()));
                }
            }
            Check::Rubric { check, .. } => {
                let text = computed::rules(computed::rubric());
                inputs.rules.insert(check.rubric.clone(), text);
                let mut coverage = match inputs.coverage.remove(&check.report) {
                    Some(Found::Present { value, .. }) => value,
                    _ => Coverage::default(),
                };
                let lines = Some(Part {
                    covered: 100,
                    total: 100,
                });
                let covered = Covered {
                    lines,
                    ..Covered::default()
                };
                coverage.modules.insert(computed::MODULE.into(), covered);
                let found = self.found(coverage);
                inputs.coverage.insert(check.report.clone(), found);
            }
            Check::Platforms(check) => {
                for platform in &check.platforms {
                    shown(inputs, platform)?;
                }
            }
            Check::Contract { file } => {
                inputs.subject.commit = Some("0".repeat(40));
                let text = computed::contract(&inputs.lane);
                inputs.rules.insert(file.clone(), computed::rules(text));
            }
            Check::DryRun { min_duration, .. } => {
                let known = inputs.dry_runs.iter().filter_map(|found| match found {
                    Found::Present { value, .. } => Some(value.counted_ms),
                    _ => None,
                });
                let counted_ms = known.max().unwrap_or(0).max(min_duration.as_millis());
                inputs.dry_runs = vec![self.found(DryRun {
                    verdict: Status::Pass,
                    why: None,
                    artifact: Digest::of(b"selftest"),
                    declared: inputs.manifest.declared.dry_run,
                    weaker: Vec::new(),
                    counted_ms,
                    uptime: Share::FULL,
                })];
            }
            Check::Readiness { surfaces, .. } => {
                let mut all: BTreeMap<String, String> = match &inputs.readiness {
                    Found::Present { value, .. } => value.surfaces.clone(),
                    _ => BTreeMap::from([("selftest".to_owned(), "healthy".to_owned())]),
                };
                let named = surfaces.iter().map(|s| (s.clone(), "healthy".to_owned()));
                all.extend(named);
                inputs.readiness = self.found(Readiness {
                    rollout_gate: "pass".into(),
                    surfaces: all,
                });
            }
            Check::Drill { name, .. } => {
                let drill = Drill {
                    verdict: Status::Pass,
                    real: true,
                };
                inputs.drills.insert(name.clone(), self.found(drill));
            }
            Check::Perf { budgets, .. } => {
                let names: Vec<String> = match budgets {
                    Budgets::Declared => inputs.manifest.declared.budgets.keys().cloned().collect(),
                    Budgets::Named(names) => names.clone(),
                };
                for name in names {
                    let perf = Perf {
                        budget: name.clone(),
                        result: PerfResult::Same,
                        reasons: Vec::new(),
                        base_tree: None,
                    };
                    inputs.perf.insert(name, self.found(perf));
                }
            }
        }
        Ok(())
    }

    fn rule(&mut self, document: &str, rule: &Rule) -> Result<(), String> {
        let known = self
            .documents
            .get(document)
            .is_some_and(|value| crate::judge::rule_holds(value, rule));
        if known {
            return Ok(());
        }
        let value = match (&rule.op, &rule.value) {
            (Op::Exists, _) | (_, Operand::None) => Value::String("selftest".into()),
            (Op::Matches(regex), _) => matching(regex)
                .map(Value::String)
                .ok_or_else(|| format!("no text was found that `{}` matches", regex.as_str()))?,
            (Op::Eq | Op::Le | Op::Ge, Operand::Value(value)) => value.clone(),
            (Op::Ne, Operand::Value(value)) => match value {
                Value::String(text) => Value::String(format!("{text}, not")),
                Value::Bool(flag) => Value::Bool(!flag),
                other => near(other, 1.0),
            },
            (Op::Lt, Operand::Value(value)) => near(value, -1.0),
            (Op::Gt, Operand::Value(value)) => near(value, 1.0),
            (Op::Contains, Operand::Value(value)) => match value {
                Value::String(_) => value.clone(),
                other => Value::Array(vec![other.clone()]),
            },
        };
        self.set(document, &rule.pointer, value)
    }

    fn set(&mut self, document: &str, pointer: &str, value: Value) -> Result<(), String> {
        let root = self
            .documents
            .entry(document.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        let mut place = root;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let Value::Object(map) = place else {
                return Err(format!(
                    "`{document}` cannot have both a value and something below it at `{pointer}`"
                ));
            };
            place = map
                .entry(token)
                .or_insert_with(|| Value::Object(Map::new()));
        }
        *place = value;
        Ok(())
    }
}

fn near(value: &Value, by: f64) -> Value {
    if let Some(n) = value.as_i64() {
        return Value::from(n.saturating_add(by as i64));
    }
    let number = value.as_f64().unwrap_or(0.0) + by;
    serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
}
