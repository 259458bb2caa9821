//! `freeze`, `unfreeze`, `pin`, `unpin`, `known-good`, and `rollback --show`.

use gonogo_app::AppError;
use gonogo_app::controls::posture::{PostureDoc, Stands, Step};
use gonogo_app::doors::{
    BackTo, EnvironmentName, FreezeDeclare, FreezeEnd, FreezeList, FreezeRef, KnownGoodList,
    KnownGoodPromote, Moment, PinList, PinRemove, PinSet, PinTarget, ReadEntities, RollbackPosture,
    RollbackPostureGet, RollbackPreview, VersionName, Why,
};
use gonogo_app::planning::Difference;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::{Exit, Reason};
use gonogo_release::freeze::Active;
use gonogo_release::pin::Pin;
use serde_json::json;

use super::{Answer, way};
use crate::args::Select;
use crate::args::controls::{
    FreezeArgs, FreezeWhat, KnownGoodArgs, KnownGoodWhat, PinArgs, PinWhat, PostureArgs,
    UnfreezeArgs, UnpinArgs,
};
use crate::screen::{Screen, Tone};
use crate::way::Way;

pub fn freeze(select: &Select, a: &FreezeArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        Some(FreezeWhat::List { env }) => ("freeze_list", freezes(select, env.as_deref(), screen)),
        None => ("freeze_declare", declare(select, a, screen)),
    }
}

fn declare(select: &Select, a: &FreezeArgs, screen: &Screen) -> Answer {
    // What is under way must not go on because of this command.
    let way = way(select, screen, false)?;
    let lasts = a
        .lasts
        .map(|span| SystemClock::default().now().wall.after(span));
    let declared = way
        .ask(&FreezeDeclare {
            environments: a.env.iter().cloned().map(EnvironmentName).collect(),
            why: Why(a.why.clone().unwrap_or_default()),
            until: a.until.or(lasts).map(Moment::from),
        })?
        .data;
    let until = declared.until.map_or_else(
        || format!("until `gonogo unfreeze {} --why TEXT`", declared.freeze),
        |until| format!("until {until}"),
    );
    screen.say(&format!(
        "frozen    {}  {}  {until}",
        declared.freeze,
        covered(&declared.environments)
    ));
    screen.talk("nothing new is applied; planning, reading and `gonogo rollback` work as ever");
    screen.answer("freeze_declare", json!(declared));
    Ok(Exit::Done)
}

fn covered(environments: &[String]) -> String {
    match environments {
        [] => "every environment".into(),
        some => some.join(", "),
    }
}

fn freezes(select: &Select, env: Option<&str>, screen: &Screen) -> Answer {
    let all = way(select, screen, true)?
        .ask(&FreezeList {
            environment: env.map(|e| EnvironmentName(e.to_owned())),
            limit: None,
        })?
        .data;
    if all.active.is_empty() && all.windows.is_empty() && all.over.is_empty() {
        screen.say("no freeze, and none was declared");
    }
    for one in &all.active {
        screen.say(&active_line(screen, one));
    }
    for window in &all.windows {
        screen.say(&format!(
            "window    {}  {}  not now  {}",
            window.name,
            covered(&window.environments),
            window.reason
        ));
    }
    for over in &all.over {
        let (declared, ended) = (&over.declared, &over.ended);
        let how = match (ended, declared.until) {
            (Some(end), _) => format!("ended by {} at {}: {}", end.by, end.at, end.reason),
            (None, Some(until)) => format!("was over at {until}"),
            (None, None) => String::new(),
        };
        screen.say(&format!(
            "over      {}  {}  by {}{}  {how}",
            declared.freeze,
            covered(&declared.environments),
            declared.by,
            declared
                .on_behalf_of
                .as_ref()
                .map_or(String::new(), |person| format!(" for {person}"))
        ));
    }
    screen.answer("freeze_list", json!(all));
    Ok(Exit::Done)
}

/// A freeze that holds, in one line.
pub fn active_line(screen: &Screen, one: &Active) -> String {
    let words = format!("frozen    {}  {}", covered(&one.environments), one.words());
    screen.paint(Tone::Wait, &words)
}

/// A pin in one line.
pub fn pin_line(pin: &Pin) -> String {
    format!(
        "pinned    {}  {}  by {} since {}: {}",
        pin.version, pin.content, pin.by, pin.since, pin.reason
    )
}

pub fn unfreeze(select: &Select, a: &UnfreezeArgs, screen: &Screen) -> Answer {
    let ended = way(select, screen, true)?
        .ask(&FreezeEnd {
            freeze: FreezeRef(a.freeze.clone()),
            why: Why(a.why.clone()),
            version: a.to.clone().map(VersionName),
        })?
        .data;
    for gate in &ended.gates {
        let version = gate.version.as_deref().unwrap_or("nothing");
        screen.say(&format!(
            "gates     {}  {}  pass for {version}",
            gate.environment, gate.demanded
        ));
    }
    screen.say(&format!("ended     {}", ended.freeze));
    screen.answer("freeze_end", json!(ended));
    Ok(Exit::Done)
}

pub fn pin(select: &Select, a: &PinArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        Some(PinWhat::List { env }) => ("pin_list", pins(select, env.as_deref(), screen)),
        None => ("pin_set", set(select, a, screen)),
    }
}

fn set(select: &Select, a: &PinArgs, screen: &Screen) -> Answer {
    let pin = way(select, screen, true)?
        .ask(&PinSet {
            environment: a.env.clone().map(Into::into),
            to: PinTarget(a.to.clone().unwrap_or_default()),
            why: Why(a.why.clone().unwrap_or_default()),
        })?
        .data;
    screen.say(&format!("{}  in {}", pin_line(&pin), pin.environment));
    screen.answer("pin_set", json!(pin));
    Ok(Exit::Done)
}

fn pins(select: &Select, env: Option<&str>, screen: &Screen) -> Answer {
    let all = way(select, screen, true)?
        .ask(&PinList {
            environment: env.map(|e| EnvironmentName(e.to_owned())),
        })?
        .data;
    if all.pins.is_empty() {
        screen.say("no pin");
    }
    for pin in &all.pins {
        screen.say(&format!("{}  in {}", pin_line(pin), pin.environment));
    }
    screen.answer("pin_list", json!(all));
    Ok(Exit::Done)
}

pub fn unpin(select: &Select, a: &UnpinArgs, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    let removed = way
        .ask(&PinRemove {
            environment: environment(&way, a.env.as_deref())?,
            why: Why(a.why.clone()),
        })?
        .data;
    screen.say(&format!(
        "unpinned  {}  was held to {}",
        removed.environment, removed.version
    ));
    screen.answer("pin_remove", json!(removed));
    Ok(Exit::Done)
}

/// The environment that is meant: the named one, else the only one.
pub fn environment(way: &Way, named: Option<&str>) -> Result<EnvironmentName, AppError> {
    if let Some(name) = named {
        return Ok(EnvironmentName(name.to_owned()));
    }
    if let Some(ws) = way.here() {
        let only = ws.config.environment(None)?;
        return Ok(EnvironmentName(only.name.clone()));
    }
    let mut all = way.ask(&ReadEntities {})?.data.environments;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(EnvironmentName(only.name)),
        _ => Err(AppError::new(
            Reason::EnvironmentUnknown,
            "there are several environments and none was named",
        )
        .hint("name one with --env")),
    }
}

pub fn known_good(select: &Select, a: &KnownGoodArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        KnownGoodWhat::List { env } => ("known_good_list", goods(select, env.as_deref(), screen)),
        KnownGoodWhat::Promote { wanted, env, why } => (
            "known_good_promote",
            promote(select, wanted, env.as_deref(), why.as_deref(), screen),
        ),
    }
}

fn goods(select: &Select, env: Option<&str>, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    let environment = environment(&way, env)?;
    let all = way.ask(&KnownGoodList { environment })?.data;
    if all.versions.is_empty() {
        screen.say(&format!("nothing is known-good in {}", all.environment));
    }
    for good in &all.versions {
        let by = good
            .said_by
            .as_ref()
            .map_or_else(|| "promoted by".into(), |who| format!("says {who}, ran in"));
        let mut notes = Vec::new();
        let facts = [
            (good.serves, "serves"),
            (good.pinned, "pinned"),
            (good.next, "a rollback goes there"),
        ];
        notes.extend(facts.iter().filter(|(is, _)| *is).map(|(_, note)| *note));
        screen.say(&format!(
            "{:<12} {}  {by} {}  {}  {}",
            good.version,
            good.at,
            good.operation,
            good.content,
            notes.join(", ")
        ));
        if !good.present {
            let gone: Vec<&str> = good
                .files
                .iter()
                .filter(|f| !f.kept && !f.in_project)
                .map(|f| f.path.as_str())
                .collect();
            let text = format!("             cannot be run as it was: {}", gone.join(", "));
            screen.say(&screen.paint(Tone::Bad, &text));
        }
    }
    screen.answer("known_good_list", json!(all));
    Ok(Exit::Done)
}

fn promote(
    select: &Select,
    version: &str,
    env: Option<&str>,
    why: Option<&str>,
    screen: &Screen,
) -> Answer {
    let way = way(select, screen, true)?;
    let said = way
        .ask(&KnownGoodPromote {
            environment: environment(&way, env)?,
            version: VersionName(version.to_owned()),
            why: why.map(|w| Why(w.to_owned())),
        })?
        .data;
    screen.say(&format!(
        "known-good {} in {}, says {}; it ran in {} ({})",
        said.version,
        said.environment,
        said.by,
        said.operation,
        said.ended.replace('_', " ")
    ));
    screen.answer("known_good_promote", json!(said));
    Ok(Exit::Done)
}

/// `rollback --show`.
pub fn show_rollback(way: &Way, env: Option<&str>, to: Option<&str>, screen: &Screen) -> Answer {
    let back = way
        .ask(&RollbackPreview {
            environment: environment(way, env)?,
            to: to.map(|t| BackTo(t.to_owned())),
        })?
        .data;
    let from = back.from.as_deref().unwrap_or("nothing");
    screen.say(&format!("{}  {from} → {}", back.environment, back.to));
    let by = match &back.said_by {
        Some(who) => format!("says {who}; it ran in {}", back.evidence),
        None => format!("promoted by {}", back.evidence),
    };
    screen.say(&format!("evidence  {by}"));
    for file in &back.files {
        let there = match (file.kept, file.in_project) {
            (true, _) => "kept",
            (false, true) => "in the project",
            (false, false) => "gone",
        };
        screen.say(&format!(
            "file      {}  {}  {there}",
            file.path, file.sha256
        ));
    }
    for one in &back.differences {
        say_difference(screen, one);
    }
    if let Some(pin) = &back.past_pin {
        screen.say(&format!(
            "pin       goes past the one to {} by {}: {}",
            pin.version, pin.by, pin.reason
        ));
    }
    let approval = if back.preapproved {
        "approved beforehand by the environment's policy"
    } else {
        "to be approved as every plan"
    };
    screen.say(&format!("approval  {approval}"));
    screen.talk(&format!(
        "nothing was changed; to go: `gonogo rollback --env {} --to {} --yes`",
        back.environment, back.to
    ));
    screen.answer("rollback_preview", json!(back));
    Ok(Exit::Done)
}

fn say_difference(screen: &Screen, one: &Difference) {
    let told = |value: &Option<serde_json::Value>| {
        value
            .as_ref()
            .map_or_else(|| "nothing".into(), ToString::to_string)
    };
    screen.say(&format!(
        "differs   {}  {} → {}",
        one.path,
        told(&one.was),
        told(&one.is)
    ));
}

pub fn posture(select: &Select, a: &PostureArgs, screen: &Screen) -> (&'static str, Answer) {
    match a.show {
        true => ("rollback_posture_get", show_posture(select, a, screen)),
        false => ("rollback_posture", run_posture(select, a, screen)),
    }
}

fn run_posture(select: &Select, a: &PostureArgs, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    let answered = way.ask(&RollbackPosture {
        environment: environment(&way, a.env.as_deref())?,
        to: a.to.clone().map(VersionName),
        reopen: a.reopen,
        why: Why(a.why.clone()),
    })?;
    say_posture(screen, &answered.data);
    screen.answer("rollback_posture", json!(answered.data));
    Ok(answered.exit)
}

fn show_posture(select: &Select, a: &PostureArgs, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    let environment = environment(&way, a.env.as_deref())?;
    let answered = way.ask(&RollbackPostureGet { environment })?;
    let shown = &answered.data;
    screen.say(&format!(
        "now {}: {}",
        shown.now.state.word(),
        shown.now.why
    ));
    match &shown.last {
        Some(doc) => {
            screen.say("the last run, which may be long ago:");
            say_posture(screen, doc);
        }
        None => screen.say("no run of a rollback posture is recorded here"),
    }
    screen.answer("rollback_posture_get", json!(shown));
    Ok(answered.exit)
}

fn say_posture(screen: &Screen, doc: &PostureDoc) {
    let state = if doc.reopened { "open again" } else { "closed" };
    screen.say(&format!(
        "{}  held to {}  {state}",
        screen.paint(Tone::Strong, &doc.environment),
        doc.version
    ));
    for (n, step) in doc.steps.iter().enumerate() {
        let (tone, word) = match step.state {
            Stands::Proven => (Tone::Good, "proven"),
            Stands::Unproven => (Tone::Bad, "NOT PROVEN"),
            Stands::Waiting => (Tone::Wait, "waiting"),
        };
        let name = match step.step {
            Step::Freeze => "freeze",
            Step::Pin => "pin",
            Step::Plan => "plan",
            Step::Reopen => "reopen",
        };
        screen.say(&format!(
            "  {} {name:<8} {}  {}",
            n + 1,
            screen.paint(tone, &format!("{word:<10}")),
            step.text
        ));
        if let Some(reason) = step.reason {
            screen.say(&format!("                       {reason}"));
        }
        if let Some(next) = &step.next {
            screen.say(&format!("             next      {next}"));
        }
    }
}
