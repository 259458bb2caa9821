//! Which recorded runs a judgement sees: all of the tree under judgement, and those that they are held against, however many lie between.
//!
//! Invariants: no run of the tree is left out silently: beyond [`OWN`] it is said, and no gate over runs passes then; a baseline of the base
//! is looked for until every target has one, or it is said that the looking stopped. Memory: runs of other trees are kept without
//! their failures, and of those beyond the newest only what becomes a baseline.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Verdict};
use gonogo_store::ledger::RecordView;
use gonogo_suite::Summary;
use serde_json::Value;

use super::base::Base;
use super::compared::{self, LOOKED, Recorded};
use super::gathering::Place;
use super::{checking, declared};
use crate::AppError;
use crate::home::Book;
use crate::suite::recovering;

/// Most runs of the tree under judgement.
const OWN: usize = 2_000;

/// Most runs of the base that are looked at for baselines.
const BASE: usize = 20_000;

/// The runs.
pub(super) struct Looked {
    /// The newest first.
    pub all: Vec<Recorded>,
    /// Why runs of the tree cannot be read, or were not looked at.
    pub unreadable: Vec<String>,
    /// Records of those that are of commits that went in before the change, as these declare them.
    pub before: BTreeSet<u64>,
    /// Why not every run of the base was looked at.
    pub stopped: Option<String>,
}

/// What a baseline is for: target, variant and part.
type Wanted = BTreeSet<(String, String)>;

/// Looks. `records` are results of runs, the newest first.
///
/// # Errors
/// git's faults.
pub(super) fn look(
    place: &Place<'_>,
    book: &Book,
    records: &[RecordView],
    tree: &str,
    base: &Base,
) -> Result<Looked, AppError> {
    let home = place.home;
    let of = |record: &RecordView| record.body.get("tree").and_then(Value::as_str) == Some(tree);
    let own: Vec<&RecordView> = records.iter().filter(|r| of(r)).collect();
    let (mut all, unreadable) = compared::these(home, book, own.iter().copied().take(OWN));
    let mut unreadable: Vec<String> = unreadable.into_iter().map(|(_, why)| why).collect();
    unreadable.extend(all.iter().filter_map(|r| recovering::lost(&r.summary)));
    if own.len() > OWN {
        let left = own.len() - OWN;
        unreadable.push(format!(
            "{OWN} runs of this tree were looked at, and {left} older ones were not"
        ));
    }
    let mut wanted = Wanted::new();
    for run in &all {
        wanted.extend(keys(&run.summary, |_| true));
    }
    let others: Vec<&RecordView> = records.iter().filter(|r| !of(r)).collect();
    let (newest, _) = compared::these(home, book, others.iter().copied().take(LOOKED));
    let commits: BTreeSet<String> = newest
        .iter()
        .chain(&all)
        .filter_map(|r| r.summary.source.commit.clone())
        .collect();
    let commits: BTreeSet<String> = commits
        .into_iter()
        .filter(|commit| base.has(&place.tree, commit))
        .collect();
    let mut known = Known {
        place,
        declared: BTreeMap::new(),
    };
    let held = held(book)?;
    let is_held = |run: &Recorded| held.contains(&run.summary.source.tree);
    let of_base = newest.iter().chain(&all).filter(|run| {
        let commit = run.summary.source.commit.as_ref();
        commit.is_some_and(|c| commits.contains(c)) && !is_held(run) && known.is_whole(run)
    });
    let mut before: BTreeSet<u64> = of_base.map(|run| run.index).collect();
    let first_own = all.iter().map(|r| r.index).min().unwrap_or(u64::MAX);
    for run in &newest {
        // Only what is older than every run of the tree is a baseline of all of them.
        if run.index < first_own {
            satisfy(&mut wanted, run, &before);
        }
    }
    // Where nothing ran on the tree, these are what is shown instead, whole.
    match all.is_empty() {
        true => all = newest,
        false => all.extend(newest.into_iter().map(slim)),
    }
    let mut stopped = None;
    let mut older = others.iter().skip(LOOKED).peekable();
    if !wanted.is_empty() && older.peek().is_some() {
        let ancestors = base.ancestors(&place.tree)?;
        let mut looked = 0;
        for record in older {
            let commit = record.body.get("commit").and_then(Value::as_str);
            if !commit.is_some_and(|c| ancestors.contains(c)) {
                continue;
            }
            if wanted.is_empty() {
                break;
            }
            if looked == BASE {
                stopped = Some(format!(
                    "{BASE} runs of the base were looked at for a good one, and there are older ones"
                ));
                break;
            }
            looked += 1;
            let (found, _) = compared::these(home, book, [*record]);
            for run in found {
                if !is_held(&run) && known.is_whole(&run) {
                    before.insert(run.index);
                }
                if run.index < first_own && satisfy(&mut wanted, &run, &before) {
                    all.push(slim(run));
                }
            }
        }
    }
    all.sort_by_key(|r| std::cmp::Reverse(r.index));
    Ok(Looked {
        all,
        unreadable,
        before,
        stopped,
    })
}

/// What a verdict says of what a run lacks beside its baseline.
const LACKS: [Reason; 3] = [
    Reason::TestRemoved,
    Reason::NewlySkipped,
    Reason::Regression,
];

/// Trees of which the last word of a lane is that something of their baseline is gone. To hold others against them would forget it.
fn held(book: &Book) -> Result<BTreeSet<String>, AppError> {
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in checking::verdicts(book)? {
        let word = |key: &str| record.body.get(key).and_then(Value::as_str);
        let (Some(tree), Some(lane)) = (word("tree"), word("lane")) else {
            continue;
        };
        let reasons = record.body.get("reasons").and_then(Value::as_array);
        let mut reasons = reasons.into_iter().flatten().filter_map(Value::as_str);
        let is_good = matches!(word("verdict"), Some("pass" | "excused"));
        if is_good {
            if let Some(lanes) = held.get_mut(tree) {
                lanes.remove(lane);
            }
        } else if reasons.any(|reason| LACKS.iter().any(|lack| lack.code() == reason)) {
            let lanes = held.entry(tree.to_owned()).or_default();
            lanes.insert(lane.to_owned());
        }
    }
    held.retain(|_, lanes| !lanes.is_empty());
    Ok(held.into_keys().collect())
}

/// What commits declare.
struct Known<'a> {
    place: &'a Place<'a>,
    declared: BTreeMap<String, Option<Digest>>,
}

impl Known<'_> {
    /// Whether a run is of a commit as it is, by what that commit declares.
    fn is_whole(&mut self, run: &Recorded) -> bool {
        let source = &run.summary.source;
        let Some(commit) = source.commit.as_ref().filter(|_| !source.dirty) else {
            return false;
        };
        let place = self.place;
        let at = || declared::at(place.config, &place.tree, commit);
        let declared = *self.declared.entry(commit.clone()).or_insert_with(at);
        declared.is_some() && declared == run.summary.declared
    }
}

/// Takes what a run is a baseline of out of what is wanted; says whether there was any.
fn satisfy(wanted: &mut Wanted, run: &Recorded, before: &BTreeSet<u64>) -> bool {
    if !before.contains(&run.index) {
        return false;
    }
    let had = wanted.len();
    for key in keys(&run.summary, |status| status == Verdict::Pass) {
        wanted.remove(&key);
    }
    wanted.len() < had
}

fn keys(summary: &Summary, fits: impl Fn(Verdict) -> bool) -> Wanted {
    let alike = format!("{:?} {:?}", summary.variant, summary.shard);
    let fitting = summary.targets().filter(|t| fits(t.status));
    fitting.map(|t| (t.target.clone(), alike.clone())).collect()
}

/// Without its failures: a baseline's tests are in its own list.
fn slim(mut run: Recorded) -> Recorded {
    let summary = &mut run.summary;
    for list in [
        &mut summary.build,
        &mut summary.lint,
        &mut summary.unit_targets,
        &mut summary.suites,
    ] {
        for target in list.iter_mut() {
            target.bad.clear();
            target.bad.shrink_to_fit();
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use gonogo_core::Timestamp;
    use gonogo_core::clock::{Clock, SystemClock};
    use gonogo_suite::run::{
        Attempted, COMMAND, Class, Collisions, End, Input, Outcome, Row, Source, judge,
    };
    use gonogo_suite::{TestId, TestVerdict};

    use super::*;
    use crate::config::Overrides;
    use crate::home::Home;
    use crate::memory::Memory;
    use crate::suite::running;
    use crate::suite::source::git;
    use crate::workspace::Caller;

    const OWN_TREE: &str = "git:own";

    fn home(dir: &Path) -> Home {
        let env = [("GIT_CONFIG_NOSYSTEM", "1".into())];
        let run = |args: &[&str]| git(dir, &env, args).expect("git");
        run(&["init", "-q", "-b", "main"]);
        let text = "service = \"shop\"\n[suites.unit]\nclass = \"unit\"\ncommand = [\"true\"]\n";
        std::fs::write(dir.join("gonogo.toml"), text).expect("a file");
        std::fs::write(dir.join(".gitignore"), ".gonogo/\n").expect("a file");
        run(&["add", "-A"]);
        for text in ["one", "two"] {
            let name = ["-c", "user.name=ana", "-c", "user.email=ana@example.org"];
            let commit = ["commit", "-q", "--allow-empty", "-m", text];
            run(&[&name[..], &commit[..]].concat());
        }
        let caller = Caller {
            name: Some("ana".into()),
            key: None,
            ..Caller::default()
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let dir = dir.to_owned();
        Home::find(dir, Overrides::default(), caller, clock, Memory::none()).expect("a project")
    }

    /// A recorded run of one target.
    fn record(
        home: &Home,
        book: &Book,
        n: usize,
        tree: &str,
        commit: Option<&str>,
        verdict: TestVerdict,
    ) {
        let started = Timestamp::from_millis(1_790_000_000_000 + n as i64 * 60_000);
        let code = i32::from(!verdict.is_good());
        let row = Row {
            target: "unit".into(),
            test: TestId::new("unit", "", "(command)"),
            verdict,
            attempts: 1,
            seconds: None,
            cached: false,
            skip: None,
            skipped: None,
            file: None,
            signature: None,
            cause: None,
            failure: None,
            output: String::new(),
            owner: None,
        };
        let attempted = Attempted {
            target: "unit".into(),
            class: Class::Unit,
            correlation_id: "c".into(),
            blocking: true,
            owner: None,
            command: vec!["true".into()],
            dir: ".".into(),
            format: COMMAND.into(),
            min_tests: 1,
            min_duration_ms: None,
            end: End::Exited { code },
            duration_ms: 5,
            ended_at: started,
            inputs: vec![Input {
                path: "unit/unit/output.log".into(),
                from: None,
                resolved: None,
                sha256: gonogo_core::Digest::of(b""),
                bytes: 0,
                format: COMMAND.into(),
                parse: gonogo_suite::Parse::Whole,
                declared: None,
                attempts: 1,
                issues: Vec::new(),
                issues_omitted: 0,
            }],
            problems: Vec::new(),
            home: "unit/unit".into(),
        };
        let result = judge(attempted, &Collisions::default(), &[row]);
        let source = Source {
            tree: tree.into(),
            tree_after: Some(tree.into()),
            commit: commit.map(str::to_owned),
            ..Source::default()
        };
        let id = format!("run_{n:04}");
        let mut summary = Summary {
            selected: vec!["unit".into()],
            declared: home.config.as_ref().map(declared::digest_of),
            ..running::blank("shop", &id, "c", source, started)
        };
        summary.fill(vec![result]);
        summary.runner_outcome = Some(Outcome {
            status: summary.status,
            exit_code: summary.exit().code(),
            failed_phases: Vec::new(),
            source_snapshot_verified: true,
        });
        running::conclude(book, &summary, b"{}", "ana").expect("a record");
    }

    fn looked(home: &Home) -> Looked {
        let place = Place::find(home).expect("a place");
        let book = home.open(&home.here).expect("a ledger");
        let mut records =
            super::super::gathering::every_kind(&book, running::RESULT).expect("records");
        records.reverse();
        let base = Base::find(&place.tree, None).expect("a base");
        look(&place, &book, &records, OWN_TREE, &base).expect("runs")
    }

    #[test]
    fn no_run_of_the_tree_is_lost_among_others() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = home(dir.path());
        let head = git(dir.path(), &[], &["rev-parse", "HEAD~1"]).expect("a commit");
        {
            let book = home.open(&home.here).expect("a ledger");
            // A good run of the base, then a red one of the tree, then very many of other trees of the change.
            record(
                &home,
                &book,
                0,
                "git:base",
                Some(&head),
                TestVerdict::Passed,
            );
            record(&home, &book, 1, OWN_TREE, None, TestVerdict::Failed);
            for n in 2..LOOKED + 20 {
                record(
                    &home,
                    &book,
                    n,
                    &format!("git:other{n}"),
                    None,
                    TestVerdict::Passed,
                );
            }
        }
        let found = looked(&home);
        let own: Vec<&str> = found
            .all
            .iter()
            .filter(|r| r.summary.source.tree == OWN_TREE)
            .map(|r| r.summary.run_id.as_str())
            .collect();
        assert_eq!(own, ["run_0001"]);
        let own = found.all.iter().find(|r| r.summary.source.tree == OWN_TREE);
        let own = own.expect("its own run");
        assert_eq!(own.summary.targets().map(|t| t.bad.len()).sum::<usize>(), 1);
        assert!(own.summary.check().is_empty(), "{:?}", own.summary.check());
        let base = found.all.iter().any(|r| r.summary.run_id == "run_0000");
        assert!(base, "the baseline was lost");
        let base = found.all.iter().find(|r| r.summary.run_id == "run_0000");
        assert!(base.is_some_and(|r| found.before.contains(&r.index)));
        assert_eq!((found.unreadable.len(), found.stopped), (0, None));
        // The newest others, its own, and the one baseline: no more is held.
        assert_eq!(found.all.len(), LOOKED + 2);
    }

    #[test]
    fn very_many_runs_of_the_tree_do_not_hide_the_baseline() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = home(dir.path());
        let head = git(dir.path(), &[], &["rev-parse", "HEAD"]).expect("a commit");
        {
            let book = home.open(&home.here).expect("a ledger");
            record(
                &home,
                &book,
                0,
                "git:base",
                Some(&head),
                TestVerdict::Passed,
            );
            for n in 1..LOOKED + 20 {
                record(&home, &book, n, OWN_TREE, None, TestVerdict::Passed);
            }
        }
        let found = looked(&home);
        assert_eq!(found.all.len(), LOOKED + 20);
        let newest = &found.all[0];
        let compared = compared::baselines(newest, &found.all, &found.before, None);
        // Its list of tests is not there; that it was found is what counts.
        assert!(
            matches!(
                compared["unit"],
                gonogo_gate::inputs::Compared::Missing { .. }
            ),
            "{compared:?}"
        );
        let none: BTreeSet<u64> = BTreeSet::new();
        let stopped = compared::baselines(newest, &found.all, &none, Some("it stopped"));
        let why = gonogo_gate::inputs::Compared::Missing {
            why: "it stopped".into(),
        };
        assert_eq!(stopped["unit"], why);
    }
}
