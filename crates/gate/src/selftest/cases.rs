//! The catalogue: 35 ways to pass without proof, by number.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span};
use gonogo_suite::Format;
use gonogo_suite::run::{End, Row, Shard};

use super::Case;
use super::bench::{Bench, Ran, Victim, before, judged, passing, report};
use crate::inputs::{Base, BaseFile, FileState, Found, PerfResult};
use crate::policy;

const PROFILE: &str =
    "add a blocking gate with `check = { suite = … }` over a target that writes test reports";
const BUDGETS: &str = "add a blocking gate with `check = { perf = { budgets = \"declared\" } }`";
const COMPARE: &str =
    "let the gate over runs compare with a baseline: `baseline = \"if_recorded\"`";

/// All, by number.
pub(super) const ALL: [Case; 35] = [
    Case {
        number: 1,
        title: "a target left no report file",
        expected: &[&[Reason::EvidenceMissing]],
        advice: PROFILE,
        poison: no_report,
    },
    Case {
        number: 2,
        title: "a report holds no test",
        expected: &[&[Reason::ZeroTests]],
        advice: PROFILE,
        poison: zero_tests,
    },
    Case {
        number: 3,
        title: "what a gate selects is empty, and its rule holds for nothing",
        expected: &[&[Reason::PolicyUndefined]],
        advice: PROFILE,
        poison: nothing_selected,
    },
    Case {
        number: 4,
        title: "a rerun selected nothing and ended well",
        expected: &[&[Reason::EvidenceMissing]],
        advice: PROFILE,
        poison: empty_rerun,
    },
    Case {
        number: 5,
        title: "a key of the policy was lost",
        expected: &[&[Reason::PolicyError]],
        advice: PROFILE,
        poison: lost_key,
    },
    Case {
        number: 6,
        title: "a job was skipped and counts as done",
        expected: &[&[Reason::RunIncomplete]],
        advice: PROFILE,
        poison: skipped_job,
    },
    Case {
        number: 7,
        title: "a filter of paths left the target out",
        expected: &[&[Reason::EvidenceMissing]],
        advice: PROFILE,
        poison: filtered_out,
    },
    Case {
        number: 8,
        title: "a check has not been registered yet",
        expected: &[&[Reason::EvidenceMissing]],
        advice: PROFILE,
        poison: not_yet_there,
    },
    Case {
        number: 9,
        title: "the policy's rules stand under a mistyped name",
        expected: &[&[Reason::PolicyError]],
        advice: PROFILE,
        poison: mistyped,
    },
    Case {
        number: 10,
        title: "a gate names something that is not defined",
        expected: &[&[Reason::PolicyUndefined, Reason::PolicyError]],
        advice: PROFILE,
        poison: undefined,
    },
    Case {
        number: 11,
        title: "tests fail and the exit code is 0",
        expected: &[&[Reason::ExitCodeConflict]],
        advice: PROFILE,
        poison: red_and_zero,
    },
    Case {
        number: 12,
        title: "a rule that forbids cannot be evaluated",
        expected: &[&[Reason::WaiverInvalid]],
        advice: PROFILE,
        poison: broken_rule,
    },
    Case {
        number: 13,
        title: "a second report cannot be parsed, and all failures of the first are quarantined",
        expected: &[
            &[Reason::EvidenceUnparsable, Reason::EvidenceTruncated],
            &[Reason::QuarantineApplied],
        ],
        advice: PROFILE,
        poison: second_report,
    },
    Case {
        number: 14,
        title: "the report is green and the exit code is 1",
        expected: &[&[Reason::ExitCodeConflict]],
        advice: PROFILE,
        poison: green_and_one,
    },
    Case {
        number: 15,
        title: "a test failed and its last child says skipped",
        expected: &[&[Reason::TestFailed]],
        advice: PROFILE,
        poison: last_child,
    },
    Case {
        number: 16,
        title: "a failure stands in a nested suite",
        expected: &[&[Reason::TestFailed]],
        advice: PROFILE,
        poison: nested,
    },
    Case {
        number: 17,
        title: "a suite failed as a whole",
        expected: &[&[Reason::TestErrored, Reason::TestFailed]],
        advice: PROFILE,
        poison: suite_error,
    },
    Case {
        number: 18,
        title: "a report declares more tests than it holds",
        expected: &[&[Reason::EvidenceCountMismatch]],
        advice: PROFILE,
        poison: declared_more,
    },
    Case {
        number: 19,
        title: "one shard's report was written over another's",
        expected: &[&[Reason::ShardMissing]],
        advice: PROFILE,
        poison: shard_overwritten,
    },
    Case {
        number: 20,
        title: "a shard never ran",
        expected: &[&[Reason::ShardMissing]],
        advice: PROFILE,
        poison: shard_missing,
    },
    Case {
        number: 21,
        title: "results come from a cache",
        expected: &[&[Reason::EvidenceCachedOnly]],
        advice: PROFILE,
        poison: cached,
    },
    Case {
        number: 22,
        title: "a report of an older commit was left behind",
        expected: &[&[Reason::EvidenceWrongTree]],
        advice: PROFILE,
        poison: older_tree,
    },
    Case {
        number: 23,
        title: "a flaky test is written as a success",
        expected: &[&[Reason::FlakyBlocking]],
        advice: PROFILE,
        poison: flaky,
    },
    Case {
        number: 24,
        title: "a time-out counts as a pass",
        expected: &[&[Reason::RunIncomplete]],
        advice: PROFILE,
        poison: timed_out,
    },
    Case {
        number: 25,
        title: "a performance series has too few samples",
        expected: &[&[Reason::PerfInsufficient]],
        advice: BUDGETS,
        poison: few_samples,
    },
    Case {
        number: 26,
        title: "a benchmark is muted by a suffix of its name",
        expected: &[&[Reason::EvidenceMissing]],
        advice: BUDGETS,
        poison: muted,
    },
    Case {
        number: 27,
        title: "the list of known failures was written by the change itself",
        expected: &[&[Reason::ExcuseUnapproved], &[Reason::TestFailed]],
        advice: PROFILE,
        poison: own_list,
    },
    Case {
        number: 28,
        title: "an expired waiver is applied",
        expected: &[&[Reason::WaiverExpired], &[Reason::TestFailed]],
        advice: PROFILE,
        poison: expired_waiver,
    },
    Case {
        number: 29,
        title: "a quarantine covers a parametrised sibling",
        expected: &[&[Reason::TestFailed]],
        advice: PROFILE,
        poison: sibling,
    },
    Case {
        number: 30,
        title: "a test was removed",
        expected: &[&[Reason::TestRemoved]],
        advice: COMPARE,
        poison: removed,
    },
    Case {
        number: 31,
        title: "a test was moved to those that are skipped",
        expected: &[&[Reason::NewlySkipped]],
        advice: COMPARE,
        poison: newly_skipped,
    },
    Case {
        number: 32,
        title: "the tree that landed is not the one that was tested",
        expected: &[&[Reason::TreeDriftAfterLand]],
        advice: PROFILE,
        poison: drifted,
    },
    Case {
        number: 33,
        title: "a run is green faster than it can be",
        expected: &[&[Reason::RunTooFast]],
        advice: "let `too_fast_percent` of the policy's defaults be 10",
        poison: too_fast,
    },
    Case {
        number: 34,
        title: "the change edits the policy that it is judged by",
        expected: &[&[Reason::PolicyChangedBySubject]],
        advice: PROFILE,
        poison: own_policy,
    },
    Case {
        number: 35,
        title: "the verdict is made again when its evidence has ended",
        expected: &[&[Reason::EvidenceStale]],
        advice: PROFILE,
        poison: too_late,
    },
];

type Poisoned = Result<(), String>;

/// Lets the victim have run with this report and exit code.
fn with(bench: &mut Bench, report: &str, code: i32) -> Poisoned {
    let victim = bench.victim()?;
    bench.rerun(&victim, Ran::junit(report, code))
}

/// The victim's good tests, and how many.
fn good(bench: &Bench) -> Result<(String, u64), String> {
    let victim = bench.victim()?;
    let count = bench.count(&victim);
    Ok((passing(count), count))
}

fn no_report(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let ran = Ran {
        reports: Vec::new(),
        ..Ran::junit("", 0)
    };
    bench.rerun(&victim, ran)
}

fn zero_tests(bench: &mut Bench) -> Poisoned {
    with(
        bench,
        "<testsuites><testsuite name=\"selftest\" tests=\"0\"/></testsuites>",
        0,
    )
}

fn nothing_selected(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let declared = &mut bench.inputs.manifest.declared;
    match &victim.profile {
        Some(profile) => {
            declared.profiles.insert(profile.clone(), Vec::new());
        }
        None => {
            declared.targets.remove(&victim.target);
        }
    }
    Ok(())
}

fn empty_rerun(bench: &mut Bench) -> Poisoned {
    bench.victim()?;
    bench.each_run(|run| {
        run.rerun_from = Some("an earlier run".into());
        run.selected.clear();
        run.fill(Vec::new());
    });
    Ok(())
}

/// Changes the policy's text as a table, and lets the base have the same: nothing but its form can be what is found.
fn policy(bench: &mut Bench, change: impl Fn(&mut toml::Table) -> Poisoned) -> Poisoned {
    let text = match &bench.inputs.policy.state {
        FileState::Text { text } => text.clone(),
        FileState::Absent | FileState::Unreadable { .. } => policy::DEFAULT.to_owned(),
    };
    let mut table: toml::Table = text.parse().map_err(|e| format!("{e}"))?;
    change(&mut table)?;
    bench.inputs.policy.state = FileState::Text {
        text: table.to_string(),
    };
    bench.inputs.policy.base = Base::Same;
    Ok(())
}

fn lost_key(bench: &mut Bench) -> Poisoned {
    policy(bench, |table| {
        let gates = table.get_mut("gates").and_then(toml::Value::as_table_mut);
        let gate = gates.and_then(|gates| gates.iter_mut().next());
        let gate = gate.and_then(|(_, gate)| gate.as_table_mut());
        gate.and_then(|gate| gate.remove("check"))
            .map(|_| ())
            .ok_or_else(|| "the policy has no gate".into())
    })
}

fn mistyped(bench: &mut Bench) -> Poisoned {
    // One gate alone: the others still stand where they are looked for.
    policy(bench, |table| {
        let gates = table.get_mut("gates").and_then(toml::Value::as_table_mut);
        let gates = gates.ok_or("the policy has no gates")?;
        let id = gates
            .keys()
            .next()
            .cloned()
            .ok_or("the policy has no gate")?;
        let gate = gates.remove(&id).ok_or("the policy has no gate")?;
        let moved = toml::Table::from_iter([(id, gate)]);
        table.insert("gate".into(), toml::Value::Table(moved));
        Ok(())
    })
}

fn undefined(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let declared = &mut bench.inputs.manifest.declared;
    match &victim.profile {
        Some(profile) => {
            let targets = declared.profiles.remove(profile).unwrap_or_default();
            declared
                .profiles
                .insert(format!("{profile}-renamed"), targets);
        }
        None => {
            let target = declared.targets.remove(&victim.target);
            let name = format!("{}-renamed", victim.target);
            declared.targets.extend(target.map(|t| (name, t)));
        }
    }
    Ok(())
}

fn skipped_job(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let bytes = report(bench.count(&victim));
    let ran = Ran {
        end: End::NotStarted {
            why: "its condition did not hold".into(),
        },
        ..Ran::junit(&bytes, 0)
    };
    bench.rerun(&victim, ran)
}

fn filtered_out(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    bench.each_run(|run| {
        let left: Vec<_> = run
            .targets()
            .filter(|t| t.target != victim.target)
            .cloned()
            .collect();
        run.selected.retain(|name| *name != victim.target);
        run.fill(left);
    });
    Ok(())
}

fn not_yet_there(bench: &mut Bench) -> Poisoned {
    bench.victim()?;
    bench.inputs.runs.clear();
    Ok(())
}

fn red_and_zero(bench: &mut Bench) -> Poisoned {
    let bytes = failing(&good(bench)?, "broken", "expected 1, got 2");
    with(bench, &bytes, 0)
}

/// A report of good tests and one that fails.
fn failing((tests, count): &(String, u64), name: &str, message: &str) -> String {
    let all = count + 1;
    format!(
        "<testsuites><testsuite name=\"selftest\" tests=\"{all}\" failures=\"1\">{tests}\
         <testcase classname=\"selftest\" name=\"{name}\"><failure message=\"{message}\"/></testcase>\
         </testsuite></testsuites>"
    )
}

fn broken_rule(bench: &mut Bench) -> Poisoned {
    bench.inputs.waivers.state = FileState::Text {
        text: "schema = \"gonogo.gate.waivers.v1\"\n[waiver.\n".into(),
    };
    bench.inputs.waivers.base = BaseFile::Same;
    Ok(())
}

/// A quarantine of a failing test as it is in the poisoned run, in the base already.
fn quarantine(bench: &Bench, victim: &Victim, row: &Row) -> Result<String, String> {
    let signature = row
        .signature
        .as_ref()
        .ok_or("the failure has no signature")?;
    let now = bench.inputs.now;
    let day = |back: u64| before(now, Span::from_secs(back * 86_400));
    let expires = now.after(Span::from_secs(4 * 86_400));
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    Ok(format!(
        "schema = \"gonogo.gate.quarantine.v1\"\n[[quarantine]]\ntarget = {}\n\
         test = {{ suite = {}, class = {}, name = {} }}\nvariant = {{}}\n\
         signature = \"{signature}\"\ncategory = \"FLAKE-TIMING\"\nowner = \"selftest-owner\"\n\
         quarantined = \"{}\"\nexpires = \"{expires}\"\nissue = \"selftest\"\n\
         evidence = [\"run_000000000001\", \"run_000000000002\"]\nrepro = \"selftest\"\nreason = \"selftest\"\n\
         remove_when = \"selftest\"\n",
        quote(&victim.target),
        quote(&row.test.suite),
        quote(&row.test.class),
        quote(&row.test.name),
        day(2),
    ))
}

/// The failing test of a report.
fn broken_row(bench: &Bench, victim: &Victim, bytes: &str) -> Result<Row, String> {
    let declared = bench.inputs.manifest.declared.targets.get(&victim.target);
    let declared = declared.ok_or("the target is not declared")?;
    let ran = Ran::junit(bytes, 1);
    let (_, rows) = judged(&victim.target, declared, &ran, bench.inputs.now);
    let bad = rows.into_iter().find(|row| !row.verdict.is_good());
    bad.ok_or_else(|| "no test of the report fails".into())
}

fn second_report(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let first = failing(&good(bench)?, "broken", "expected 1, got 2");
    let row = broken_row(bench, &victim, &first)?;
    let text = quarantine(bench, &victim, &row)?;
    bench.inputs.quarantine.state = FileState::Text { text };
    bench.inputs.quarantine.base = BaseFile::Same;
    let ran = Ran {
        reports: vec![
            (Format::Junit, first.as_bytes()),
            (Format::Junit, b"<html><body>502 Bad Gateway"),
        ],
        ..Ran::junit("", 1)
    };
    bench.rerun(&victim, ran)
}

fn green_and_one(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let bytes = report(bench.count(&victim));
    with(bench, &bytes, 1)
}

fn last_child(bench: &mut Bench) -> Poisoned {
    let (tests, count) = good(bench)?;
    let bytes = format!(
        "<testsuite name=\"selftest\" tests=\"{}\">{tests}<testcase classname=\"selftest\" name=\"broken\">\
         <failure message=\"it failed\"/><skipped/></testcase></testsuite>",
        count + 1
    );
    with(bench, &bytes, 1)
}

fn nested(bench: &mut Bench) -> Poisoned {
    let (tests, _) = good(bench)?;
    let bytes = format!(
        "<testsuites><testsuite name=\"a\"><testsuite name=\"b\"><testsuite name=\"c\">\
         <testcase classname=\"selftest\" name=\"broken\"><failure message=\"it failed\"/></testcase>\
         </testsuite></testsuite></testsuite><testsuite name=\"selftest\">{tests}</testsuite></testsuites>"
    );
    with(bench, &bytes, 1)
}

fn suite_error(bench: &mut Bench) -> Poisoned {
    let (tests, _) = good(bench)?;
    let bytes = format!(
        "<testsuites><testsuite name=\"selftest\">{tests}</testsuite>\
         <testsuite name=\"set-up\"><error message=\"the class could not be set up\"/></testsuite></testsuites>"
    );
    with(bench, &bytes, 1)
}

fn declared_more(bench: &mut Bench) -> Poisoned {
    let (tests, count) = good(bench)?;
    let bytes = format!(
        "<testsuites><testsuite name=\"selftest\" tests=\"{}\">{tests}</testsuite></testsuites>",
        count + 5
    );
    with(bench, &bytes, 0)
}

/// Cuts the victim's run into two shards: the first has everything that the run had.
fn shards(bench: &mut Bench) -> Result<usize, String> {
    let victim = bench.victim()?;
    let runs = &mut bench.inputs.runs;
    let has = |run: &crate::inputs::Run| {
        run.summary.selected.contains(&victim.target)
            && victim
                .profile
                .as_ref()
                .is_none_or(|p| *p == run.summary.profile)
    };
    runs.retain(has);
    let first = runs.first_mut().ok_or("there is no run of the target")?;
    first.summary.shard = Some(Shard {
        kind: "both".into(),
        name: "both-0-of-2".into(),
        index: 0,
        total: 2,
        plan: Digest::of(b"selftest").to_string(),
    });
    runs.truncate(1);
    bench.each_run(|_| ());
    Ok(0)
}

fn shard_overwritten(bench: &mut Bench) -> Poisoned {
    let at = shards(bench)?;
    let mut copy = bench.inputs.runs.get(at).ok_or("there is no run")?.clone();
    copy.summary.run_id.push_str("-again");
    copy.record = Some(2);
    bench.inputs.runs.push(copy);
    Ok(())
}

fn shard_missing(bench: &mut Bench) -> Poisoned {
    shards(bench).map(|_| ())
}

fn cached(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let count = bench.count(&victim);
    let mut bytes = String::from("{\"Action\":\"start\",\"Package\":\"selftest\"}\n");
    for n in 1..=count {
        for action in ["run", "pass"] {
            bytes.push_str(&format!(
                "{{\"Action\":\"{action}\",\"Package\":\"selftest\",\"Test\":\"TestWorks{n}\"}}\n"
            ));
        }
    }
    bytes.push_str(
        "{\"Action\":\"output\",\"Package\":\"selftest\",\"Output\":\"ok  \\tselftest\\t(cached)\\n\"}\n\
         {\"Action\":\"pass\",\"Package\":\"selftest\",\"Elapsed\":0}\n",
    );
    let ran = Ran {
        reports: vec![(Format::Go, bytes.as_bytes())],
        ..Ran::junit("", 0)
    };
    bench.rerun(&victim, ran)
}

fn older_tree(bench: &mut Bench) -> Poisoned {
    bench.victim()?;
    bench.each_run(|run| {
        run.source.tree = "git:01de201de201de201de201de201de201de201de2".into();
        run.source.tree_after = Some(run.source.tree.clone());
    });
    Ok(())
}

fn flaky(bench: &mut Bench) -> Poisoned {
    let (tests, count) = good(bench)?;
    let bytes = format!(
        "<testsuites><testsuite name=\"selftest\" tests=\"{}\" failures=\"0\">{tests}\
         <testcase classname=\"selftest\" name=\"sometimes\"><flakyFailure message=\"it failed first\"/></testcase>\
         </testsuite></testsuites>",
        count + 1
    );
    with(bench, &bytes, 0)
}

fn timed_out(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let bytes = report(bench.count(&victim));
    let after_ms = bench.took(&victim);
    let ran = Ran {
        end: End::TimedOut { after_ms },
        ..Ran::junit(&bytes, 0)
    };
    bench.rerun(&victim, ran)
}

fn few_samples(bench: &mut Bench) -> Poisoned {
    for found in bench.inputs.perf.values_mut() {
        if let Found::Present { value, .. } = found {
            value.result = PerfResult::Insufficient;
        }
    }
    if bench.inputs.perf.is_empty() {
        return Err("no gate of the policy looks at performance".into());
    }
    Ok(())
}

fn muted(bench: &mut Bench) -> Poisoned {
    if bench.inputs.perf.is_empty() {
        return Err("no gate of the policy looks at performance".into());
    }
    let muted: BTreeMap<_, _> = std::mem::take(&mut bench.inputs.perf)
        .into_iter()
        .map(|(name, found)| (format!("{name}_ignore"), found))
        .collect();
    bench.inputs.perf = muted;
    Ok(())
}

/// One test of the victim fails.
fn fail(bench: &mut Bench, name: &str) -> Result<(Victim, Row), String> {
    let victim = bench.victim()?;
    let bytes = failing(&good(bench)?, name, "expected 1, got 2");
    let row = broken_row(bench, &victim, &bytes)?;
    bench.rerun(&victim, Ran::junit(&bytes, 1))?;
    Ok((victim, row))
}

fn own_list(bench: &mut Bench) -> Poisoned {
    let (victim, row) = fail(bench, "broken")?;
    let text = quarantine(bench, &victim, &row)?;
    bench.inputs.quarantine.state = FileState::Text { text };
    bench.inputs.quarantine.base = BaseFile::Absent;
    Ok(())
}

fn expired_waiver(bench: &mut Bench) -> Poisoned {
    let (victim, _) = fail(bench, "broken")?;
    let now = bench.inputs.now;
    let day = |back: u64| before(now, Span::from_secs(back * 86_400));
    let text = format!(
        "schema = \"gonogo.gate.waivers.v1\"\n[waiver.{}]\nowner = \"selftest-owner\"\n\
         approver = \"selftest-approver\"\ncreated = \"{}\"\nexpires = \"{}\"\nissue = \"selftest\"\n\
         reason = \"selftest\"\nscope = [\"preflight\", \"full\", \"certification\"]\nremove_when = \"selftest\"\n",
        toml::Value::String(victim.gate.clone()),
        day(3),
        day(1),
    );
    bench.inputs.waivers.state = FileState::Text { text };
    bench.inputs.waivers.base = BaseFile::Same;
    Ok(())
}

fn sibling(bench: &mut Bench) -> Poisoned {
    let (victim, mut row) = fail(bench, "broken[second]")?;
    row.test.name = "broken".into();
    let text = quarantine(bench, &victim, &row)?;
    bench.inputs.quarantine.state = FileState::Text { text };
    bench.inputs.quarantine.base = BaseFile::Same;
    Ok(())
}

fn removed(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let bytes = report(bench.count(&victim) - 1);
    with(bench, &bytes, 0)
}

fn newly_skipped(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let count = bench.count(&victim);
    let bytes = format!(
        "<testsuites><testsuite name=\"selftest\" tests=\"{count}\" skipped=\"1\">{}\
         <testcase classname=\"selftest\" name=\"works_{count}\"><skipped/></testcase></testsuite></testsuites>",
        passing(count - 1)
    );
    with(bench, &bytes, 0)
}

fn drifted(bench: &mut Bench) -> Poisoned {
    bench.inputs.subject.landed_tree = Some("git:7a17ed7a17ed7a17ed7a17ed7a17ed7a17ed7a17".into());
    Ok(())
}

fn too_fast(bench: &mut Bench) -> Poisoned {
    let victim = bench.victim()?;
    let bytes = report(bench.count(&victim));
    let declared = bench.inputs.manifest.declared.targets.get(&victim.target);
    let least = declared.and_then(|t| t.min_duration_ms);
    // Above what is declared, so that history alone can tell.
    let duration_ms = least.unwrap_or(0).max(1);
    if let Some(history) = bench.inputs.history.get_mut(&victim.target) {
        history.median_ms = duration_ms.saturating_mul(1_000);
    }
    let ran = Ran {
        duration_ms,
        ..Ran::junit(&bytes, 0)
    };
    bench.rerun(&victim, ran)
}

fn own_policy(bench: &mut Bench) -> Poisoned {
    bench.inputs.policy.base = Base::Other {
        digest: Digest::of(b"the policy of the base"),
    };
    Ok(())
}

fn too_late(bench: &mut Bench) -> Poisoned {
    bench.victim()?;
    bench.inputs.now = bench.inputs.now.after(Span::from_secs(400 * 86_400));
    Ok(())
}
