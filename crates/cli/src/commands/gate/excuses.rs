//! `gate excuses`: waivers and quarantines as they stand.

use gonogo_app::gates::excuses;
use gonogo_core::Verdict as Status;
use gonogo_gate::policy::{POLICY, QUARANTINES, WAIVERS};
use gonogo_gate::verdict::ExcuseStatus;
use gonogo_gate::view;
use serde_json::json;

use super::super::Answer;
use super::{home, plain, reason, tone};
use crate::args::Select;
use crate::args::gate::GateExcuses;
use crate::screen::{Screen, Tone};

const fn tone_of(status: ExcuseStatus) -> Tone {
    match status {
        ExcuseStatus::Active => Tone::Good,
        ExcuseStatus::ExpiringSoon => Tone::Wait,
        _ => Tone::Bad,
    }
}

fn days(days: Option<i64>) -> String {
    match days {
        None => String::new(),
        Some(0) => "less than a day left".to_owned(),
        Some(1) => "1 day left".to_owned(),
        Some(n) if n > 1 => format!("{n} days left"),
        Some(n) => format!("ended {} days ago", n.unsigned_abs()),
    }
}

pub(super) fn excuses(select: &Select, a: &GateExcuses, screen: &Screen) -> Answer {
    let home = home(select)?;
    let found = excuses::look(&home, a.base.as_deref())?;
    let verdict = &found.verdict;
    let waivers = verdict.waivers.iter().map(|w| {
        (
            "waiver",
            &w.gate_id,
            w.status,
            &w.detail,
            w.days_remaining,
            w.fields.get("owner"),
        )
    });
    let quarantines = verdict.quarantines.iter().map(|q| {
        (
            "quarantine",
            &q.id,
            q.status,
            &q.detail,
            q.days_remaining,
            q.fields.get("owner"),
        )
    });
    let mut none = true;
    for (kind, id, status, detail, left, owner) in waivers.chain(quarantines) {
        none = false;
        let word = status.word().replace('_', " ");
        let owner = owner.map_or(String::new(), |o| format!(", owner {}", plain(o)));
        let left = match days(left).as_str() {
            "" => String::new(),
            left => format!("{left}; "),
        };
        screen.say(&format!(
            "  {} {kind} {}: {left}{}{owner}",
            screen.paint(tone_of(status), &format!("{word:<13}")),
            plain(id),
            plain(detail),
        ));
    }
    if none {
        screen.say("no excuses");
    }
    for id in [POLICY, WAIVERS, QUARANTINES] {
        let Some(gate) = verdict.gate(id) else {
            continue;
        };
        // What the policy's gate says of the tree is no matter of the excuses, unless it cannot be read.
        let is_bad =
            gate.status > Status::Excused && (id != POLICY || found.status == Status::Invalid);
        if is_bad {
            screen.say(&format!(
                "  {} {id}",
                screen.paint(tone(Some(gate.status)), &gate.status.to_string())
            ));
            for told in gate.reasons.iter().take(super::TOLD) {
                screen.say(&reason(told));
            }
        }
        for note in &gate.notes {
            if id == QUARANTINES {
                screen.say(&format!("  note: {}", plain(note)));
            }
        }
    }
    if let Some(dir) = &a.out {
        let dir = super::super::here()?.join(dir);
        excuses::write(&found, &dir)?;
        screen.talk(&format!("written: {}", dir.display()));
    }
    screen.answer(
        "gate_excuses",
        json!({
            "status": found.status,
            "waivers": view::waiver_audit(verdict),
            "quarantines": view::quarantine_report(verdict),
            "audit": found.audit,
            "out": a.out,
        }),
    );
    Ok(found.exit())
}
