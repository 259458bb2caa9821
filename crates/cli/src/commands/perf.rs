//! `perf …`: run, check, rejudge; [`studies`] has the rest.

mod studies;

use std::collections::BTreeMap;
use std::path::Path;

use gonogo_app::perf::checking::{self, Ask as Series};
use gonogo_app::perf::measuring::{self, Ask};
use gonogo_app::perf::{Outcome, PerfRun};
use gonogo_core::Exit;
use gonogo_suite::perf::PerfVerdict;
use serde_json::{Value, json};

use super::Answer;
use super::suite::{home, plain, tone};
use crate::args::Select;
use crate::args::perf::{self as args, PerfArgs, PerfCheck, PerfRejudge, PerfWhat};
use crate::screen::{Screen, Tone};

pub(super) fn perf(select: &Select, args: &PerfArgs, screen: &Screen) -> (&'static str, Answer) {
    match &args.what {
        PerfWhat::Run(a) => ("perf_run", run(select, a, screen)),
        PerfWhat::Check(a) => ("perf_check", check(select, a, screen)),
        PerfWhat::Compare(a) => ("perf_compare", studies::compare(select, a, screen)),
        PerfWhat::History(a) => ("perf_history", studies::history(select, a, screen)),
        PerfWhat::Stress(a) => ("perf_stress", studies::stress(select, a, screen)),
        PerfWhat::Sweep(a) => ("perf_sweep", studies::sweep(select, a, screen)),
        PerfWhat::Rejudge(a) => ("perf_rejudge", rejudge(a, screen)),
    }
}

fn run(select: &Select, a: &args::PerfRun, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = Ask {
        names: a.names.clone(),
        base: a.base.clone(),
    };
    let measured = measuring::run(&home, &ask, &mut |text| screen.talk(text))?;
    let kept = measured.kept;
    tell(&kept.run, &measured.comparisons, &kept.dir, screen);
    screen.frame("next: gonogo gate check");
    screen.answer(
        "perf_run",
        json!({
            "run": kept.run,
            "record": kept.record,
            "directory": kept.dir,
            "stages": stages(&measured.comparisons),
            "budgets": measured.summary,
        }),
    );
    Ok(kept.run.exit())
}

fn check(select: &Select, a: &PerfCheck, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = Series {
        names: a.names.clone(),
        series: a.series.clone(),
        baseline: a.baseline.clone(),
    };
    let (kept, summary) = checking::check(&home, &ask)?;
    tell(&kept.run, &BTreeMap::new(), &kept.dir, screen);
    screen.answer(
        "perf_check",
        json!({
            "run": kept.run,
            "record": kept.record,
            "directory": kept.dir,
            "budgets": summary,
        }),
    );
    Ok(kept.run.exit())
}

fn rejudge(a: &PerfRejudge, screen: &Screen) -> Answer {
    let found = checking::rejudge(&super::here()?.join(&a.dir))?;
    let exit = match (&found.run, &found.why) {
        (Some(run), _) => {
            screen.say("the same verdict, byte by byte");
            for outcome in &run.outcomes {
                screen.say(&line(outcome, screen));
            }
            run.exit()
        }
        (None, why) => {
            let why = why.as_deref().unwrap_or_default();
            let text = format!("INVALID: {}", plain(why));
            screen.say(&screen.paint(Tone::Bad, &text));
            Exit::Unjudged
        }
    };
    screen.answer(
        "perf_rejudge",
        json!({"same": found.run.is_some(), "why": found.why, "run": found.run}),
    );
    Ok(exit)
}

/// Says what each budget came to, with its numbers.
fn tell(run: &PerfRun, comparisons: &BTreeMap<String, PerfVerdict>, dir: &Path, screen: &Screen) {
    screen.say(&format!("{}  {}", plain(&run.tree), plain(&run.host_class)));
    for outcome in &run.outcomes {
        screen.say(&line(outcome, screen));
        screen.say(&format!("      {}", plain(&outcome.detail)));
        let stages = comparisons.get(&outcome.budget).map(|v| (v, &v.stages));
        for (verdict, look) in stages
            .into_iter()
            .flat_map(|(v, s)| s.iter().map(move |l| (v, l)))
        {
            let unit = &verdict.measurement.unit;
            let effect = look.effect.map_or_else(String::new, |e| {
                format!(
                    ", {:+.2} % ({:+.2} to {:+.2})",
                    e.change * 100.0,
                    e.lower * 100.0,
                    e.upper * 100.0
                )
            });
            let noise = look.calibration.map_or_else(String::new, |c| {
                format!(
                    "; each beside itself {:.2} %, {:.2} % is the limit",
                    c.p95 * 100.0,
                    c.limit * 100.0
                )
            });
            screen.say(&format!(
                "      {} blocks: base {:.0} {unit}, head {:.0} {unit}{effect}{noise}",
                look.blocks, look.base_median, look.head_median
            ));
        }
        if let Some(verdict) = comparisons.get(&outcome.budget) {
            let rules = &verdict.demand.protocol;
            screen.say(&format!(
                "      a slowdown that is shown fails from {:.2} % on; a pass excludes more than {:.2} %",
                rules.practical * 100.0,
                rules.budget * 100.0
            ));
        }
        let reasons: Vec<String> = outcome.reasons.iter().map(ToString::to_string).collect();
        screen.say(&format!("      {}", reasons.join(", ")));
    }
    screen.frame(&format!("evidence  {}", dir.display()));
}

fn line(outcome: &Outcome, screen: &Screen) -> String {
    let word = serde_json::to_value(outcome.result).unwrap_or_default();
    format!(
        "  {} {:<24} {}{}",
        screen.paint(
            tone(Some(outcome.verdict)),
            &format!("{:<8}", outcome.verdict.to_string())
        ),
        plain(&outcome.budget),
        word.as_str().unwrap_or_default(),
        if outcome.blocking {
            ""
        } else {
            "  (not blocking)"
        }
    )
}

fn stages(comparisons: &BTreeMap<String, PerfVerdict>) -> Value {
    let all = comparisons.iter();
    all.map(|(name, verdict)| (name.clone(), json!(verdict.stages)))
        .collect::<serde_json::Map<String, Value>>()
        .into()
}
