//! `ops list|show|cancel|resume|triage`.

use gonogo_app::AppError;
use gonogo_app::doors::{
    OperationDoc, OperationList, OperationPage, OperationRef, OperationResume, OperationShow,
    OperationShown, OperationTriage, Status,
};
use gonogo_app::elsewhere::Elsewhere;
use gonogo_core::id::OperationId;
use gonogo_core::{Exit, Timestamp};
use gonogo_release::effect::Action;
use gonogo_release::effects::{EffectSeen, Standing};
use gonogo_release::plan::PlanKind;
use gonogo_release::remote::Telling;
use serde_json::json;

use super::{Answer, looking, releasing, way};
use crate::args::ops::{OpsArgs, OpsWhat, Stands};
use crate::args::{self, Select};
use crate::screen::{Screen, Tone};
use crate::way::Way;

pub fn ops(select: &Select, a: &OpsArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        OpsWhat::List {
            env,
            status,
            limit,
            after,
        } => {
            let wanted = OperationList {
                environment: env.clone().map(Into::into),
                limit: None,
                status: status.map(|s| match s {
                    Stands::Running => Status::Running,
                    Stands::Succeeded => Status::Succeeded,
                    Stands::Failed => Status::Failed,
                    Stands::Cancelled => Status::Cancelled,
                    Stands::TimedOut => Status::TimedOut,
                }),
                page_token: after.clone().map(OperationPage),
            };
            ("operation_list", list(select, &wanted, *limit, screen))
        }
        OpsWhat::Show { operation } => ("operation_show", show(select, operation, screen)),
        OpsWhat::Cancel {
            operation,
            why,
            yes,
            waiting,
        } => {
            let a = args::Cancel {
                operation: operation.clone(),
                why: why.clone(),
                yes: *yes,
                waiting: waiting.clone(),
            };
            ("operation_cancel", releasing::cancel(select, &a, screen))
        }
        OpsWhat::Resume { operation } => ("operation_resume", resume(select, operation, screen)),
        OpsWhat::Triage {
            operation: Some(operation),
            ..
        } => ("operation_show", triage_one(select, operation, screen)),
        OpsWhat::Triage { env, .. } => ("operation_triage", triage(select, env, screen)),
    }
}

fn list(select: &Select, wanted: &OperationList, limit: u32, screen: &Screen) -> Answer {
    let (operations, next) = pages(&way(select, screen, true)?, wanted, limit)?;
    say_list(screen, &operations, wanted);
    if let Some(next) = &next {
        screen.talk(&format!("more with --after {next}"));
    }
    screen.answer(
        "operation_list",
        json!({"operations": operations, "nextPageToken": next}),
    );
    Ok(Exit::Done)
}

/// Asks for operations page by page, until there are `limit`; and where to go on, where there are more.
pub fn pages(
    way: &Way,
    wanted: &OperationList,
    limit: u32,
) -> Result<(Vec<OperationDoc>, Option<OperationId>), AppError> {
    /// The most that one page has.
    const PAGE: u32 = 200;
    let mut wanted = wanted.clone();
    let mut all = Vec::new();
    let mut left = limit;
    loop {
        wanted.limit = Some(left.min(PAGE).into());
        let page = way.ask(&wanted)?.data;
        left = left.saturating_sub(u32::try_from(page.operations.len()).unwrap_or(left));
        all.extend(page.operations);
        match page.next_page_token {
            Some(next) if left > 0 => wanted.page_token = Some(OperationPage(next.to_string())),
            next => return Ok((all, next)),
        }
    }
}

pub fn say_list(screen: &Screen, operations: &[OperationDoc], wanted: &OperationList) {
    if operations.is_empty() {
        let narrowed = wanted.environment.is_some() || wanted.status.is_some();
        screen.say(match (narrowed, &wanted.page_token) {
            (_, Some(_)) => "no operation behind that one",
            (true, None) => "no operation like that",
            (false, None) => "no operation yet · begin with `gonogo release --to VERSION`",
        });
    }
    for doc in operations {
        screen.say(&line(doc));
    }
}

/// An operation in one line.
fn line(doc: &OperationDoc) -> String {
    let from = doc.from.as_deref().unwrap_or("nothing");
    let result = match &doc.result {
        None => format!("running ({})", doc.phase.name()),
        Some(result) => result.replace('_', " "),
    };
    let back = match doc.kind {
        PlanKind::Rollback => " (rollback)",
        PlanKind::Release => "",
    };
    let took = doc.updated_at.since(doc.started_at).seconds_text();
    let codes: Vec<&str> = doc.reasons.iter().map(|r| r.code()).collect();
    format!(
        "{}  {}  {:<12} {from} → {}{back}  {result} in {took}  by {}  {}",
        doc.started_at,
        doc.operation_id,
        doc.environment,
        doc.to,
        doc.requester,
        codes.join(", ")
    )
}

fn show(select: &Select, operation: &str, screen: &Screen) -> Answer {
    let wanted = OperationShow {
        operation: OperationRef(operation.to_owned()),
    };
    let answered = way(select, screen, true)?.ask(&wanted)?;
    looking::say_operation(screen, &answered.data);
    match &answered.data.operation.elsewhere {
        Some(there) => say_elsewhere(screen, there),
        None => say_effects(screen, &answered.data.effects),
    }
    say_triage(screen, &answered.data.operation);
    screen.answer("operation_show", json!(answered.data));
    Ok(answered.exit)
}

fn say_effects(screen: &Screen, effects: &[EffectSeen]) {
    if effects.is_empty() {
        screen.say("effects   none: nothing on the target was touched");
        return;
    }
    for (n, effect) in effects.iter().enumerate() {
        let (tone, word) = match effect.standing {
            Standing::Applied => (Tone::Good, "done"),
            Standing::NotApplied => (Tone::Strong, "not done"),
            Standing::Refused => (Tone::Wait, "refused"),
            Standing::Partial => (Tone::Bad, "done in part"),
            Standing::Open => (Tone::Bad, "NOT KNOWN"),
        };
        let label = if n == 0 { "effects" } else { "" };
        let text = effect.text.as_deref().unwrap_or_default();
        screen.say(&format!(
            "{label:<9} {}  {:<44} {}  {text}",
            effect.since,
            what(&effect.action),
            screen.paint(tone, word)
        ));
    }
}

/// What the workflow service has of an operation.
fn say_elsewhere(screen: &Screen, there: &Elsewhere) {
    screen.say(&format!(
        "elsewhere `{}`, queue `{}`, sent {} times",
        there.workflow_name, there.task_queue, there.sent
    ));
    if let Some(receipt) = &there.receipt {
        screen.say(&format!(
            "          taken as operation {}, workflow {}",
            receipt.operation_id, receipt.workflow_id
        ));
    }
    screen.say(&format!("          status at {}", there.status_url));
    if let Some(seen) = there.last_seen {
        screen.say(&format!("          last heard of {seen}"));
    }
    if let Some(t) = &there.trouble {
        let text = format!("          {} since {}: {}", t.reason, t.since, t.message);
        screen.say(&screen.paint(Tone::Bad, &text));
    }
    if let Some(cancel) = &there.cancel {
        let told = match cancel.telling {
            Telling::Wanted => "the service is to be told",
            Telling::Taken => "the service took that",
            Telling::Refused => "the service does not end it",
        };
        let said = cancel.text.as_ref().map(|text| format!(": {text}"));
        screen.say(&format!(
            "cancel    asked for by {}: {} · {told}{}",
            cancel.by,
            cancel.why,
            said.unwrap_or_default()
        ));
    }
}

/// An action in words.
fn what(action: &Action) -> String {
    match action {
        Action::Observe => "look".into(),
        Action::Start { slot, version, .. } => format!("start {version} in slot {slot}"),
        Action::Weigh { weights, .. } => {
            let shares = weights
                .iter()
                .map(|(slot, w)| format!("{slot} {}.{:02} %", w / 100, w % 100));
            format!("weigh {}", shares.collect::<Vec<_>>().join(", "))
        }
        Action::Drain { slot } => format!("drain slot {slot}"),
        Action::Stop { slot } => format!("stop slot {slot}"),
        Action::Probe { key } => format!("ask about {key}"),
    }
}

/// What an operation's state means and what to do.
fn say_triage(screen: &Screen, doc: &OperationDoc) {
    let triage = &doc.triage;
    screen.say(&format!("means     {}", triage.meaning));
    for (n, effect) in triage.open_effects.iter().enumerate() {
        let label = if n == 0 { "open" } else { "" };
        let text = format!("{label:<9} {} since {}", effect.key, effect.since);
        screen.say(&screen.paint(Tone::Bad, &text));
    }
    if triage.overtaken {
        screen
            .say("          a later operation ended well here: what this one left open is settled");
    }
    for (n, next) in triage.next.iter().enumerate() {
        let label = if n == 0 { "next" } else { "" };
        screen.say(&format!("{label:<9} {next}"));
    }
}

fn triage_one(select: &Select, operation: &str, screen: &Screen) -> Answer {
    let wanted = OperationShow {
        operation: OperationRef(operation.to_owned()),
    };
    let answered = way(select, screen, true)?.ask(&wanted)?;
    let OperationShown { operation, .. } = &answered.data;
    screen.say(&line(operation));
    say_triage(screen, operation);
    screen.answer("operation_show", json!(answered.data));
    Ok(answered.exit)
}

fn triage(select: &Select, environment: &Option<String>, screen: &Screen) -> Answer {
    let wanted = OperationTriage {
        environment: environment.clone().map(Into::into),
    };
    let answered = way(select, screen, true)?.ask(&wanted)?;
    let all = &answered.data.operations;
    if all.is_empty() {
        screen.say("nothing runs, and nothing is left open");
    }
    for doc in all {
        screen.say(&line(doc));
        say_triage(screen, doc);
    }
    screen.answer("operation_triage", json!(answered.data));
    let open = |doc: &OperationDoc| -> Option<Timestamp> {
        doc.triage.open_effects.iter().map(|e| e.since).min()
    };
    let needs_person = all
        .iter()
        .any(|doc| doc.result.is_some() && open(doc).is_some());
    Ok(if needs_person {
        Exit::Hold
    } else {
        answered.exit
    })
}

fn resume(select: &Select, operation: &str, screen: &Screen) -> Answer {
    let wanted = OperationResume {
        operation: OperationRef(operation.to_owned()),
    };
    // Opening the project must not pick it up first: then this would have nothing to start.
    let answered = way(select, screen, false)?.ask(&wanted)?;
    let id = &answered.data.operation_id;
    screen.say(&if answered.data.started {
        format!("running   {id} · a controller goes on with it · `gonogo watch {id}`")
    } else {
        format!("running   {id} · a live controller drives it already · `gonogo watch {id}`")
    });
    screen.answer("operation_resume", json!(answered.data));
    Ok(answered.exit)
}
