//! `perf compare`, `perf history`, `perf stress`, `perf sweep`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use gonogo_app::AppError;
use gonogo_app::perf::{comparing, history as past, stressing, sweeping};
use gonogo_app::workspace::write_report;
use gonogo_core::{Reason, Verdict};
use gonogo_suite::perf::Direction;
use gonogo_suite::perf::comparison::{Comparison, Word};
use serde_json::json;

use super::super::Answer;
use super::super::suite::{home, interrupted, plain, tone};
use super::tell;
use crate::args::Select;
use crate::args::perf::{PerfCompare, PerfHistory, PerfStress, PerfSweep};
use crate::screen::{Screen, Tone};

/// Points of a history that people see.
const SHOWN: usize = 20;

pub(super) fn stress(select: &Select, a: &PerfStress, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = stressing::Ask {
        names: a.names.clone(),
        command: a.command.clone(),
        correlation_id: a.correlation_id.clone(),
        one: a.out.is_some(),
    };
    let ended = interrupted();
    let is_ended = || ended.load(Ordering::SeqCst);
    let found = stressing::run(&home, &ask, &mut |text| screen.talk(text), &is_ended)?;
    tell(&found.kept.run, &BTreeMap::new(), &found.kept.dir, screen);
    if let (Some(out), Some((_, bytes))) = (&a.out, found.triages.values().next()) {
        write_report(&super::super::here()?.join(out), bytes)?;
    }
    screen.frame("next: gonogo gate check");
    let triages: BTreeMap<&String, _> = found.triages.iter().map(|(n, (t, _))| (n, t)).collect();
    screen.answer(
        "perf_stress",
        json!({
            "run": found.kept.run,
            "record": found.kept.record,
            "directory": found.kept.dir,
            "triages": triages,
        }),
    );
    Ok(found.kept.run.exit())
}

pub(super) fn compare(select: &Select, a: &PerfCompare, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = comparing::Ask {
        base: a.base.clone(),
        head: a.head.clone(),
        names: a.names.clone(),
        direction: a.better.as_deref().map(|way| match way {
            "more" => Direction::AtLeast,
            _ => Direction::AtMost,
        }),
        band: a.band,
        correlation_id: a.correlation_id.clone(),
    };
    let found = comparing::compare(&home, &ask)?;
    table(&found.comparison, screen);
    screen.frame(&format!("evidence  {}", found.dir.display()));
    if let Some(out) = &a.out {
        write_report(&super::super::here()?.join(out), &found.bytes)?;
    }
    screen.answer(
        "perf_compare",
        json!({
            "comparison": found.comparison,
            "record": found.record,
            "directory": found.dir,
        }),
    );
    Ok(comparing::exit(found.comparison.verdict))
}

fn table(found: &Comparison, screen: &Screen) {
    screen.say(&format!(
        "base {}  head {}",
        plain(&found.base.named),
        plain(&found.head.named)
    ));
    for row in &found.rows {
        let (word, tone) = match row.verdict {
            Word::Faster => ("faster", Tone::Good),
            Word::Slower => ("slower", Tone::Bad),
            Word::Comparable => ("alike", Tone::Good),
            Word::Info => ("info", Tone::Wait),
            Word::Missing => ("missing", Tone::Wait),
        };
        let figure = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
        let delta = row
            .delta_pct
            .map_or_else(String::new, |d| format!("{d:+.2} %"));
        screen.say(&format!(
            "  {} {:<24} {:>14} {:>14} {:<6} {delta}",
            screen.paint(tone, &format!("{word:<8}")),
            plain(&row.metric),
            figure(row.base_value),
            figure(row.head_value),
            plain(&row.unit),
        ));
    }
    for fault in &found.faults {
        let text = format!("      {}: {}", plain(&fault.metric), plain(&fault.detail));
        screen.say(&text);
    }
    if found.rows.is_empty() {
        screen.say("  neither side has a series");
    }
    if found.reasons.contains(&Reason::BaselineIncomparable) && found.faults.is_empty() {
        screen.say("      both sides are of the same tree: no change can show");
    }
    if found.summary.info_count > 0 {
        screen.say("      nobody says which way is better: declare a budget, or give --better");
    }
    let reasons: Vec<String> = found.reasons.iter().map(ToString::to_string).collect();
    screen.say(&format!(
        "{}  alike within {:.0} %  {}",
        screen.paint(tone(Some(found.verdict)), &found.verdict.to_string()),
        found.band * 100.0,
        reasons.join(", ")
    ));
}

pub(super) fn history(select: &Select, a: &PerfHistory, screen: &Screen) -> Answer {
    let home = home(select)?;
    let found = past::past(&home, &a.name, a.host_class.as_deref())?;
    let report = &found.report;
    screen.say(&format!(
        "{}  {} of `{}`  {}",
        plain(&found.budget),
        found.statistic.word(),
        plain(&report.metric),
        plain(&report.host_class)
    ));
    let before = report.series.len().saturating_sub(SHOWN);
    if before > 0 {
        screen.say(&format!("  {before} older ones are not shown"));
    }
    for point in report.series.iter().skip(before) {
        let changed = report.changes.iter().find(|c| c.commit == point.commit);
        let mark = changed.map_or_else(String::new, |c| format!("  {:+.2} %", c.change * 100.0));
        screen.say(&format!(
            "  {:<14} {:>14.2} {}{mark}",
            short(&point.commit),
            point.value,
            plain(&found.unit)
        ));
    }
    for change in &report.changes {
        let (word, tone) = match change.worse {
            true => ("worse", Tone::Bad),
            false => ("better", Tone::Good),
        };
        screen.say(&format!(
            "{} by {:.2} %, from {:.2} to {:.2}: after {}, through {}, most likely {} ({} measured)",
            screen.paint(tone, word),
            change.change.abs() * 100.0,
            change.before,
            change.after,
            short(&change.after_commit),
            short(&change.through_commit),
            short(&change.commit),
            change.suspects
        ));
    }
    for (why, many) in &found.left_out {
        screen.say(&format!("  {many} runs left out: {why}"));
    }
    if report.of_other_hosts > 0 {
        screen.say(&format!(
            "  {} points of other hosts",
            report.of_other_hosts
        ));
    }
    if report.reason == Reason::PerfInsufficient {
        let text = "  too few commits were measured to tell a change of level: 12 are the least";
        screen.say(text);
    }
    screen.say(&format!(
        "{}  {} points  {}",
        screen.paint(tone(Some(report.verdict)), &report.verdict.to_string()),
        report.points,
        report.reason
    ));
    let told = json!(found);
    if let Some(out) = &a.out {
        let bytes = serde_json::to_vec_pretty(&told).map_err(|e| {
            AppError::new(
                Reason::OutputFailed,
                format!("the history has no form: {e}"),
            )
        })?;
        write_report(&super::super::here()?.join(out), &bytes)?;
    }
    let verdict: Verdict = report.verdict;
    screen.answer("perf_history", told);
    Ok(comparing::exit(verdict))
}

/// The beginning of a commit's id, as git shows it.
fn short(commit: &str) -> String {
    plain(&commit.chars().take(12).collect::<String>())
}

pub(super) fn sweep(select: &Select, a: &PerfSweep, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = sweeping::Ask {
        names: a.names.clone(),
        correlation_id: a.correlation_id.clone(),
        one: a.out.is_some(),
    };
    let found = sweeping::study(&home, &ask, &mut |text| screen.talk(text))?;
    for study in &found.studies {
        let verdict = study.verdict.verdict;
        screen.say(&format!(
            "  {} {:<24} {}",
            screen.paint(tone(Some(verdict)), &format!("{:<8}", verdict.to_string())),
            plain(&study.name),
            study.verdict.reason
        ));
        if verdict != Verdict::Pass {
            screen.say(&format!("      {}", plain(&study.verdict.detail)));
        }
        if let Some(sweep) = &study.sweep {
            for (name, value) in &sweep.selected_defaults {
                let moves = sweep.sensitivity.iter().find(|s| s.name == *name);
                let moves = moves.map_or_else(String::new, |s| {
                    let word = if s.stable { "stable" } else { "sensitive" };
                    format!("  {word}: {:.1} % between best and worst", s.spread_pct)
                });
                screen.say(&format!("      {name} = {value}{moves}"));
            }
        }
        for row in study.matrix.iter().flat_map(|m| &m.rows) {
            screen.say(&format!(
                "      {} {:<20} {:.1} % of the whole, gain {:.1} % x confidence {:.2} / effort {} = {:.2}",
                row.rank,
                plain(&row.stage),
                row.contribution_pct,
                row.expected_gain_pct,
                row.confidence,
                row.effort,
                row.priority_score
            ));
        }
    }
    screen.frame(&format!("evidence  {}", found.dir.display()));
    if let (Some(out), Some(study)) = (&a.out, found.studies.first()) {
        write_report(&super::super::here()?.join(out), &study.bytes)?;
    }
    screen.answer(
        "perf_sweep",
        json!({
            "studies": found.studies,
            "record": found.record,
            "directory": found.dir,
        }),
    );
    Ok(found.exit())
}
