//! `suite plan` and `suite merge`: a profile cut into shards, and their runs put together again.

use gonogo_app::suite::merging::{self, Ask, Merging};
use gonogo_app::suite::running::Request;
use gonogo_app::suite::sharding::{self, Part};
use gonogo_app::workspace::write_report;
use gonogo_app::{AppError, suite::merging::word};
use gonogo_core::{Exit, Reason};
use gonogo_suite::shard::Cut;
use serde_json::json;

use super::super::Answer;
use super::{brief, home, plain, tell, tone};
use crate::args::Select;
use crate::args::suite::{PlanBy, ShardBy, SuiteMerge, SuitePlan, SuiteRun};
use crate::screen::{Screen, Tone};

/// How many faults are told on the screen; all that are kept are in the answer.
const TOLD: usize = 40;

/// Which shard a run is asked to be.
pub(super) fn part(a: &SuiteRun) -> Option<Part> {
    let index = a.shard_index?;
    if let Some(plan) = &a.shard_plan {
        return Some(Part::By {
            index,
            plan: plan.clone(),
        });
    }
    Some(Part::Of {
        index,
        total: a.shard_total?,
        cut: match a.shard_by {
            ShardBy::Index => Cut::Index,
            ShardBy::Hash => Cut::Hash,
        },
    })
}

pub(super) fn plan(select: &Select, a: &SuitePlan, screen: &Screen) -> Answer {
    let home = home(select)?;
    let cut = match a.by {
        PlanBy::Index => Cut::Index,
        PlanBy::Hash => Cut::Hash,
        PlanBy::Durations => Cut::Durations,
    };
    let request = Request {
        profile: a.profile.clone(),
        suites: a.suite.clone(),
        ..Request::default()
    };
    let made = sharding::plan(&home, &request, cut, a.shards)?;
    let plan = &made.plan;
    if let Some(path) = &a.out {
        let text = serde_json::to_string_pretty(plan)
            .map_err(|e| AppError::new(Reason::Internal, format!("the plan: {e}")))?;
        write_report(&super::super::here()?.join(path), (text + "\n").as_bytes())?;
    }
    let expected = plan.expected();
    screen.say(&format!(
        "{}  {} suites of `{}` in {} shards by {}",
        plan.hash,
        plan.items.len(),
        made.profile,
        plan.total,
        word(plan.cut)
    ));
    let mut shards = Vec::new();
    for (index, millis) in (0..plan.total).zip(expected) {
        let names: Vec<&str> = plan.of_shard(index).collect();
        let time = match made.measured {
            0 => String::new(),
            _ => format!("  about {:.1} s", millis as f64 / 1000.0),
        };
        let listed = match names.is_empty() {
            true => screen.paint(Tone::Wait, "empty"),
            false => names.join(", "),
        };
        screen.say(&format!("  {index:>3} {listed}{time}"));
        shards.push(json!({
            "index": index,
            "suites": names,
            "expected_ms": (made.measured > 0).then_some(millis),
        }));
    }
    if !made.common.is_empty() {
        screen.say(&format!(
            "  in every shard that needs it: {}",
            made.common.join(", ")
        ));
    }
    if cut == Cut::Durations && made.measured < plan.items.len() {
        screen.say(&screen.paint(
            Tone::Wait,
            &format!(
                "  {} of {} suites have no green run on record and count as the median",
                plan.items.len() - made.measured,
                plan.items.len()
            ),
        ));
    }
    if let Some(path) = &a.out {
        screen.frame(&format!(
            "next: gonogo suite run --profile {} --shard-plan {} --shard-index 0",
            made.profile,
            path.display()
        ));
    }
    screen.answer(
        "suite_plan",
        json!({
            "profile": made.profile,
            "plan": plan,
            "shards": shards,
            "common": made.common,
            "measured": made.measured,
            "written": a.out,
        }),
    );
    Ok(Exit::Done)
}

pub(super) fn merge(select: &Select, a: &SuiteMerge, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = Ask {
        runs: a.runs.clone(),
        plan: a.plan.clone(),
        out: a.out.clone(),
    };
    let Merging {
        proof,
        shards,
        whole,
    } = merging::merge(&home, &ask)?;
    for shard in &shards {
        let index = shard.index.map_or_else(|| "?".into(), |i| i.to_string());
        screen.say(&format!(
            "  shard {index:>3} {:<8} {:>8.1} s  {}  {}",
            screen.paint(tone(Some(shard.status)), &shard.status.to_string()),
            shard.duration_ms as f64 / 1000.0,
            plain(&shard.run_id),
            match shard.targets.is_empty() {
                true => "nothing was planned for it".to_owned(),
                false => plain(&shard.targets.join(", ")),
            }
        ));
        screen.frame(&format!("            vouched for by {}", shard.vouched_by));
    }
    let Some(whole) = whole else {
        screen.say(&screen.paint(
            Tone::Bad,
            "REFUSED: these runs are not the whole of their plan; nothing was written",
        ));
        for fault in proof.faults.iter().take(TOLD) {
            let item = fault
                .item
                .as_deref()
                .map_or_else(String::new, |i| format!("`{}`: ", plain(i)));
            screen.say(&format!("  {} {item}{}", fault.reason, plain(&fault.text)));
        }
        let more = proof.faults.len().saturating_sub(TOLD) as u64 + proof.faults_omitted;
        if more > 0 {
            screen.say(&format!("  … and {more} more"));
        }
        if let Some(first) = proof.faults.first() {
            screen.frame(&format!("next: gonogo explain {}", first.reason));
        }
        screen.answer(
            "suite_merge",
            json!({"complete": false, "proof": proof, "shards": shards}),
        );
        return Ok(Exit::Unjudged);
    };
    let balance = &whole.shard_summary["balance"]["suite"];
    let runtime = &whole.shard_summary["runtime"];
    if let (Some(slow), Some(fast)) = (
        runtime["slowest"]["shard"].as_u64(),
        runtime["fastest"]["shard"].as_u64(),
    ) {
        screen.say(&format!(
            "  slowest shard {slow} ({:.1} s), idlest shard {fast} ({:.1} s), {:.1} s apart",
            balance["max"].as_f64().unwrap_or(0.0),
            balance["min"].as_f64().unwrap_or(0.0),
            balance["spread"].as_f64().unwrap_or(0.0)
        ));
    }
    if !proof.idle.is_empty() {
        let idle: Vec<String> = proof.idle.iter().map(u32::to_string).collect();
        screen.say(&format!("  empty shards: {}", idle.join(", ")));
    }
    tell(&whole.summary, Some(&whole.dir), screen);
    screen.frame("next: gonogo gate check");
    screen.answer(
        "suite_merge",
        json!({
            "complete": true,
            "run": whole.summary.run_id,
            "status": whole.summary.status,
            "reasons": whole.summary.reasons,
            "directory": whole.dir,
            "files": whole.files,
            "proof": proof,
            "shards": shards,
            "shard_summary": whole.shard_summary,
            "summary": brief(&whole.summary),
        }),
    );
    Ok(whole.summary.exit())
}
