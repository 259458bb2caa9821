//! What the recorded runs say together: flaky tests, failures by signature.

use gonogo_app::suite::history::{self, Unusable, Window as Asked};
use gonogo_core::Exit;
use gonogo_suite::Summary;
use gonogo_suite::flake::State;
use gonogo_suite::run::Retry;
use serde_json::json;

use super::super::Answer;
use super::{home, plain};
use crate::args::Select;
use crate::args::suite::{SuiteClusters, SuiteFlakes, SuitePropose, Window};
use crate::screen::{Screen, Tone};

/// How many tests are told.
const TOLD: usize = 40;

fn asked(window: &Window) -> Asked {
    Asked {
        since: window.since,
        last: window.last,
    }
}

/// A time as a day and a minute.
fn minute(at: gonogo_core::Timestamp) -> String {
    at.to_string()
        .get(..16)
        .unwrap_or_default()
        .replace('T', " ")
}

/// Says what of the history could not be used, and ends a command by that: what was changed is no evidence, and where nothing could be
/// read nothing is known.
fn ended(unusable: &[Unusable], runs: usize, screen: &Screen) -> Exit {
    for one in unusable.iter().take(TOLD) {
        let target = one
            .target
            .as_ref()
            .map_or(String::new(), |t| format!(" {t}"));
        let text = format!(
            "  not used  {}{}: {}",
            one.run_id,
            plain(&target),
            plain(&one.why)
        );
        let tone = if one.is_gone { Tone::Wait } else { Tone::Bad };
        screen.say(&screen.paint(tone, &text));
    }
    let more = unusable.len().saturating_sub(TOLD);
    if more > 0 {
        screen.say(&format!("  not used  … and {more} more"));
    }
    let is_changed = unusable.iter().any(|u| !u.is_gone);
    match is_changed || (runs == 0 && !unusable.is_empty()) {
        true => Exit::Unjudged,
        false => Exit::Done,
    }
}

fn older(older: usize, merged: usize, screen: &Screen) {
    if older > 0 {
        screen.say(&format!(
            "  {older} older runs were not looked at; --last and --since say which are"
        ));
    }
    if merged > 0 {
        screen.say(&format!(
            "  {merged} merged runs are left out: their shards are counted themselves"
        ));
    }
}

const fn tone(state: State) -> Tone {
    match state {
        State::Broken => Tone::Bad,
        State::Flaky | State::Suspect => Tone::Wait,
        _ => Tone::Good,
    }
}

pub(super) fn flakes(select: &Select, a: &SuiteFlakes, screen: &Screen) -> Answer {
    let home = home(select)?;
    let mut found = history::flakes(&home, &asked(&a.window))?;
    if let Some(target) = &a.target {
        found.tests.retain(|t| t.target == *target);
    }
    let tests: u64 = found.by_state.values().sum();
    if found.runs == 0 {
        screen.say("no run to look at");
    } else {
        screen.say(&format!(
            "{} flaky, {} broken, {} suspect, {} recovered of {tests} tests in {} runs of the last {}",
            found.count(State::Flaky),
            found.count(State::Broken),
            found.count(State::Suspect),
            found.count(State::Recovered),
            found.runs,
            found.window,
        ));
    }
    for one in found.tests.iter().take(TOLD) {
        let stat = &one.stat;
        let variant = match stat.variant.as_str() {
            "" => String::new(),
            text => format!(" [{}]", plain(text)),
        };
        let class = stat.class.map_or("", |c| c.word());
        screen.say(&format!(
            "  {} {}: {}{variant}  {class}",
            screen.paint(tone(stat.state), &format!("{:<9}", stat.state.word())),
            plain(&one.target),
            plain(&stat.test.to_string()),
        ));
        let rate = match (stat.fail_rate, stat.interval) {
            (Some(rate), Some((low, high))) => format!(
                "fails in {:.1} % of {} runs (95 %: {:.1} to {:.1} %), expected {:.1} %",
                rate * 100.0,
                stat.runs,
                low * 100.0,
                high * 100.0,
                stat.posterior * 100.0
            ),
            _ => "no run of it counts".to_owned(),
        };
        let last = stat
            .last_flake
            .map_or(String::new(), |at| format!(", last {}", minute(at)));
        screen.say(&format!(
            "            {} mixed on {} of {} trees{last}; {rate}",
            stat.mixed, stat.mixed_trees, stat.trees
        ));
        for failure in stat.failures.iter().take(2) {
            let signature = failure
                .signature
                .as_ref()
                .map_or_else(|| "without a signature".to_owned(), ToString::to_string);
            screen.frame(&format!(
                "            {signature}  {} times; failed in {}, passed in {}",
                failure.fails,
                failure.failed_in.first().map_or("-", String::as_str),
                failure.passed_in.first().map_or("-", String::as_str),
            ));
        }
    }
    let more = found.tests.len().saturating_sub(TOLD);
    if more > 0 {
        screen.say(&format!("  … and {more} more; --json has all"));
    }
    for run in found.ignored_runs.iter().take(TOLD) {
        screen.say(&format!("  ignored   {}: {}", run.run_id, run.why));
    }
    if found.beyond > 0 {
        screen.say(&format!(
            "  {} verdicts are on tests beyond what is kept",
            found.beyond
        ));
    }
    for (target, budget) in found.budgets.targets.iter().filter(|(_, b)| b.is_exceeded) {
        let text = format!(
            "  budget    {}: {} mixed verdicts, and {} are allowed",
            plain(target),
            budget.used,
            budget.allowed
        );
        screen.say(&screen.paint(Tone::Bad, &text));
    }
    older(found.older_runs, found.merged_runs, screen);
    let exit = ended(&found.unusable, found.runs, screen);
    if found.tests.iter().any(|t| t.can_be_quarantined) {
        screen.frame("next: gonogo suite quarantine propose");
    }
    screen.answer("suite_flakes", json!(found));
    Ok(exit)
}

pub(super) fn clusters(select: &Select, a: &SuiteClusters, screen: &Screen) -> Answer {
    let home = home(select)?;
    let found = history::clusters(&home, &asked(&a.window), a.limit)?;
    let all = found.clusters.len() + found.omitted;
    match found.runs {
        0 => screen.say("no run to look at"),
        runs => screen.say(&format!(
            "{} failures in {all} clusters, in {runs} runs",
            found.failures
        )),
    }
    for one in &found.clusters {
        let c = &one.cluster;
        let about = |d: gonogo_suite::cluster::Distinct| match d.exact {
            true => d.count.to_string(),
            false => format!("about {}", d.count),
        };
        let mark = match (one.is_new, one.is_current) {
            (true, _) => screen.paint(Tone::Bad, "new     "),
            (false, true) => screen.paint(Tone::Wait, "current "),
            (false, false) => "past    ".to_owned(),
        };
        let key = c.key.lines().find(|l| !l.trim().is_empty()).unwrap_or("");
        let key: String = plain(key).chars().take(120).collect();
        screen.say(&format!("  {mark} {}  {}", c.signature, one.cause));
        screen.say(&format!("           {key}"));
        screen.say(&format!(
            "           {} failures in {} tests, {} runs, {} trees; {} to {}",
            c.failures,
            about(c.tests),
            about(c.runs),
            about(c.trees),
            minute(c.first.at),
            minute(c.last.at),
        ));
        for (test, count) in c.top_tests.iter().take(3) {
            screen.frame(&format!("           {count}× {}", plain(&test.to_string())));
        }
        if let Some((owner, _)) = c.top_owners.first() {
            screen.frame(&format!("           owner {}", plain(owner)));
        }
    }
    if found.omitted > 0 {
        screen.say(&format!(
            "  … and {} more clusters; raise --limit",
            found.omitted
        ));
    }
    for near in found.suggestions.iter().take(10) {
        screen.say(&format!(
            "  alike     {} and {}: {:.1} % apart; not joined",
            near.a,
            near.b,
            near.share * 100.0
        ));
    }
    if let Some(why) = &found.no_suggestions {
        screen.say(&format!("  {why}"));
    }
    if found.without_failure > 0 {
        screen.say(&format!(
            "  {} tests did not pass, and nothing is said of how",
            found.without_failure
        ));
    }
    if found.beyond > 0 {
        screen.say(&format!(
            "  {} failures are beyond what is kept",
            found.beyond
        ));
    }
    older(found.older_runs, found.merged_runs, screen);
    let exit = ended(&found.unusable, found.runs, screen);
    screen.answer("suite_clusters", json!(found));
    Ok(exit)
}

/// Tells the quarantined failures of a run apart, with their retries.
pub(super) fn quarantined(summary: &Summary, screen: &Screen) {
    let Some(all) = &summary.quarantined else {
        return;
    };
    if let Some(why) = &all.unusable {
        let text = format!("  quarantine cannot be used: {}", plain(why));
        screen.say(&screen.paint(Tone::Bad, &text));
    }
    for one in all.tests.iter().take(TOLD) {
        let why = match &one.retry {
            Retry::NotRun { why } => format!(": {}", plain(why)),
            _ => String::new(),
        };
        let text = format!("{}{why}", one.retry.word());
        screen.say(&format!(
            "  {} {}: {}: {text}, until {}",
            screen.paint(Tone::Wait, "quarantined"),
            plain(&one.target),
            plain(&one.test.to_string()),
            minute(one.expires),
        ));
    }
    let more = all.tests.len().saturating_sub(TOLD) as u64 + all.omitted;
    if more > 0 {
        screen.say(&format!("  … and {more} more in quarantine"));
    }
}

pub(super) fn propose(select: &Select, a: &SuitePropose, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = history::Ask {
        test: a.test.clone(),
        target: a.target.clone(),
        window: asked(&a.window),
    };
    let found = history::propose(&home, &ask)?;
    for one in &found.passed_over {
        for why in &one.why {
            screen.talk(&format!(
                "{}: {}: {}",
                plain(&one.target),
                plain(&one.test.to_string()),
                plain(why)
            ));
        }
    }
    let is_there = !found.entries.is_empty();
    if is_there {
        // What is printed can go into the file as it is: nothing stands around it.
        screen.say(found.toml().trim_end());
        screen.talk("fill in what is empty and add it to quarantine.toml: until then it is refused, and excuses nothing");
    } else {
        // Nothing that a file could be made of.
        screen.talk(match (&a.test, found.passed_over.is_empty()) {
            (Some(_), true) => {
                "nothing to propose: no test of that name is flaky in the recorded runs"
            }
            (Some(_), false) => "nothing to propose for it",
            (None, true) => "nothing to propose: no test is flaky in the recorded runs",
            (None, false) => {
                "nothing to propose: what is flaky is in quarantine.toml, or cannot be there"
            }
        });
    }
    for one in found.unusable.iter().take(TOLD) {
        let text = format!("not used: {}: {}", one.run_id, plain(&one.why));
        screen.talk(&screen.paint(Tone::Wait, &text));
    }
    screen.answer(
        "suite_quarantine_propose",
        json!({
            "result": if is_there { "proposed" } else { "nothing_to_propose" },
            "toml": is_there.then(|| found.toml()),
            "proposals": found,
        }),
    );
    let is_changed = found.unusable.iter().any(|u| !u.is_gone);
    Ok(match (is_changed, is_there, &a.test) {
        (true, _, _) => Exit::Unjudged,
        (false, false, Some(_)) => Exit::Hold,
        _ => Exit::Done,
    })
}
