//! `approval …`, `break-glass` and `incident …`.

use gonogo_app::AppError;
use gonogo_app::approving::delegating::DelegationView;
use gonogo_app::approving::requesting::{Stand, Waiting};
use gonogo_app::approving::showing::Shown;
use gonogo_app::approving::{AlsoAsked, read_file};
use gonogo_app::doors::{
    ApprovalQueue, ApprovalRef, ApprovalRequest, ApprovalRevoke, ApprovalShow, ApprovalSubmit,
    DelegationGive, DelegationList, DelegationWithdraw, GlassBreak, IncidentClose, IncidentList,
    IncidentRef, IncidentShow, PersonName, PlanGet, PlanRef, RoleName, Why,
};
use gonogo_app::incidents::Incident;
use gonogo_core::{Exit, Reason};
use gonogo_release::plan::{Step, StepKind};
use serde_json::json;

use super::{Answer, planning, releasing, way};
use crate::args::approval::{
    ApprovalArgs, ApprovalWhat, BreakGlassArgs, IncidentArgs, IncidentWhat,
};
use crate::args::{Approve, Select};
use crate::screen::{Screen, Tone};

pub fn approval(select: &Select, a: &ApprovalArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        ApprovalWhat::Request {
            plan,
            people,
            roles,
            note,
            until,
        } => {
            let wanted = ApprovalRequest {
                plan: PlanRef(plan.clone()),
                people: people.iter().cloned().map(PersonName).collect(),
                roles: roles.iter().cloned().map(RoleName).collect(),
                note: note.clone().map(Why),
                until: until.map(Into::into),
            };
            ("approval_request", request(select, &wanted, screen))
        }
        ApprovalWhat::List { mine, all, env } => {
            let wanted = ApprovalQueue {
                environment: env.clone().map(Into::into),
                mine: *mine,
                decided: *all,
                limit: None,
            };
            ("approval_queue", list(select, &wanted, screen))
        }
        ApprovalWhat::Show { plan } => ("approval_show", show(select, plan, screen)),
        ApprovalWhat::Approve(a) => ("approval_decide", planning::approve(select, a, screen)),
        ApprovalWhat::Reject(a) => {
            let no = Approve {
                reject: true,
                ..a.clone()
            };
            ("approval_decide", planning::approve(select, &no, screen))
        }
        ApprovalWhat::Submit { file } => ("approval_submit", submit(select, file, screen)),
        ApprovalWhat::Revoke {
            approval,
            why,
            as_admin,
        } => {
            let wanted = ApprovalRevoke {
                approval: ApprovalRef(approval.clone()),
                why: Why(why.clone()),
                as_admin: *as_admin,
            };
            ("approval_revoke", revoke(select, &wanted, screen))
        }
        ApprovalWhat::Delegate {
            to,
            to_key,
            environments,
            until,
            note,
        } => {
            let wanted = DelegationGive {
                to: PersonName(to.clone()),
                to_key: to_key.clone(),
                environments: environments.iter().cloned().map(Into::into).collect(),
                until: (*until).into(),
                note: note.clone().map(Why),
            };
            ("delegation_give", delegate(select, &wanted, screen))
        }
        ApprovalWhat::Delegations => ("delegation_list", delegations(select, screen)),
        ApprovalWhat::Undelegate {
            delegation,
            why,
            as_admin,
        } => (
            "delegation_withdraw",
            undelegate(select, delegation, why, *as_admin, screen),
        ),
    }
}

fn request(select: &Select, wanted: &ApprovalRequest, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    let asked = way.ask(wanted)?.data;
    let roles = asked.roles.iter().map(|r| format!("role {r}"));
    let whom: Vec<String> = asked.people.iter().cloned().chain(roles).collect();
    screen.say(&format!(
        "asked     {} · until {}",
        whom.join(", "),
        asked.until
    ));
    screen.frame(&format!("next      gonogo approval show {}", asked.plan));
    super::webhook::tell(&way, screen);
    screen.answer("approval_request", json!(asked));
    Ok(Exit::Done)
}

fn list(select: &Select, wanted: &ApprovalQueue, screen: &Screen) -> Answer {
    let queue = way(select, screen, true)?.ask(wanted)?.data;
    if queue.plans.is_empty() {
        screen.say(match (wanted.mine, wanted.decided) {
            (true, _) => "nothing waits for you",
            (false, true) => "no plan yet",
            (false, false) => "nothing waits for a decision",
        });
    }
    for one in &queue.plans {
        say_waiting(screen, one);
    }
    screen.answer("approval_queue", json!(queue));
    Ok(Exit::Done)
}

fn say_waiting(screen: &Screen, one: &Waiting) {
    let from = one.from.as_deref().unwrap_or("nothing");
    let behalf = one.on_behalf_of.as_ref();
    let behalf = behalf.map_or(String::new(), |p| format!(" for {p}"));
    screen.say(&format!(
        "{}  {}  {from} → {}  {}  asked by {}{behalf}",
        one.plan,
        one.environment,
        one.to,
        word(one.state),
        one.requester
    ));
    if !one.also_asked.is_empty() {
        screen.say(&format!(
            "          later also by {}",
            also(&one.also_asked)
        ));
    }
    if !one.waits_for.is_empty() {
        screen.say(&format!("          waits for {}", one.waits_for.join(", ")));
    }
    if let Some(last) = one.requests.last() {
        screen.say(&format!(
            "          requested until {}{}",
            last.until,
            quoted(&last.note)
        ));
    }
}

/// Who asked for a plan later.
fn also(asked: &[AlsoAsked]) -> String {
    let told = asked.iter().map(|a| match &a.on_behalf_of {
        Some(person) => format!("{} for {person}", a.requester),
        None => a.requester.clone(),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Words of others, so that nobody takes them for gonogo's.
fn quoted(text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => format!(" · they write: “{}”", text.escape_debug()),
    }
}

const fn word(state: Stand) -> &'static str {
    match state {
        Stand::Waiting => "waits",
        Stand::Approved => "approved",
        Stand::Rejected => "rejected",
        Stand::Superseded => "superseded",
        Stand::Applied => "applied",
    }
}

fn show(select: &Select, plan: &str, screen: &Screen) -> Answer {
    let shown = way(select, screen, true)?.ask(&ApprovalShow {
        plan: PlanRef(plan.to_owned()),
    })?;
    say_shown(screen, &shown.data);
    screen.answer("approval_show", json!(shown.data));
    Ok(shown.exit)
}

fn say_shown(screen: &Screen, shown: &Shown) {
    let from = shown.from.as_deref().unwrap_or("nothing");
    let head = format!(
        "{} · {} · {from} → {}",
        shown.plan, shown.environment, shown.to
    );
    screen.say(&screen.paint(Tone::Strong, &head));
    let behalf = shown.on_behalf_of.as_ref();
    let behalf = behalf.map_or(String::new(), |p| {
        format!(" for {p}, whose own approval counts as theirs")
    });
    screen.say(&format!(
        "asked     {}{behalf} at {}",
        shown.requester, shown.created_at
    ));
    if !shown.also_asked.is_empty() {
        let also = also(&shown.also_asked);
        screen.say(&format!(
            "          later also {also}; none of them approves it"
        ));
    }
    screen.say(&format!("print     {}", shown.plan_fingerprint));
    screen.say(&format!("state     {}", word(shown.state)));
    if let Some(newer) = &shown.superseded_by {
        screen.say(&screen.paint(Tone::Bad, &format!("          superseded by {newer}")));
    } else if let Some(stale) = &shown.stale {
        screen.say(&screen.paint(Tone::Bad, &format!("stale     {stale}")));
    }
    for step in &shown.effects {
        screen.say(&format!(
            "  {:>2}      {:<10} {}, within {}",
            step.n,
            step.kind.name(),
            done(step, shown),
            step.within
        ));
    }
    match &shown.changes {
        None => screen.say("changes   what runs now is not known here"),
        Some(all) if all.is_empty() => screen.say("changes   none"),
        Some(all) => {
            for d in all {
                let side = |v: &Option<serde_json::Value>| {
                    v.as_ref().map_or("—".to_owned(), ToString::to_string)
                };
                screen.say(&format!(
                    "changes   {}: {} → {}",
                    d.path,
                    side(&d.was),
                    side(&d.is)
                ));
            }
        }
    }
    let tone = if shown.gates.pass {
        Tone::Good
    } else {
        Tone::Bad
    };
    let gates = format!("{}: {}", shown.gates.demanded, shown.gates.text);
    screen.say(&format!("gates     {}", screen.paint(tone, &gates)));
    screen.say(&format!("required  {} of these", shown.required));
    for seat in &shown.who {
        let said = seat.said.as_deref().unwrap_or("has not decided");
        let lent = match seat.delegates.is_empty() {
            true => String::new(),
            false => format!(" · may speak for them: {}", seat.delegates.join(", ")),
        };
        screen.say(&format!(
            "          {} ({}) {said}{lent}",
            seat.id, seat.role
        ));
    }
    for voice in &shown.voices.given {
        let behalf = voice.on_behalf_of.as_ref();
        let behalf = behalf.map_or(String::new(), |p| format!(" for {p}"));
        let means = voice
            .means
            .as_ref()
            .map_or(String::new(), |m| format!(" by login ({m})"));
        let until = voice
            .until
            .map_or(String::new(), |u| format!(" · until {u}"));
        let back = voice.revoked_by.as_ref();
        let back = back.map_or(String::new(), |by| format!(" · taken back by {by}"));
        screen.say(&format!(
            "said      {}  {} by {}{behalf}{means}{until}{back}{}",
            voice.approval,
            voice.decision,
            voice.approver,
            quoted(&voice.note)
        ));
    }
    match (shown.voices.missing.is_empty(), shown.until) {
        (true, Some(until)) => screen.say(&format!("missing   nothing, until {until}")),
        (true, None) => screen.say("missing   nothing"),
        (false, _) => screen.say(&format!("missing   {}", shown.voices.missing.join(", "))),
    }
    for request in &shown.requests {
        screen.say(&format!(
            "request   by {} at {}, until {}{}",
            request.by,
            request.at,
            request.until,
            quoted(&request.note)
        ));
    }
    for incident in &shown.incidents {
        say_incident(screen, incident);
    }
    if shown.state == Stand::Waiting {
        screen.frame(&format!("next      gonogo approve {}", shown.plan));
    }
}

/// What a step does to which version, as the answer has it.
fn done(step: &Step, shown: &Shown) -> String {
    let old = shown.from.as_deref().unwrap_or("nothing");
    match &step.kind {
        StepKind::Preflight => "the target is as it was planned".into(),
        StepKind::Gates => shown.gates.demanded.clone(),
        StepKind::Deploy { slot } => format!("{} in slot {slot}", shown.to),
        StepKind::Stage { weight, bake } => {
            format!("{weight} of new requests to {}, at least {bake}", shown.to)
        }
        StepKind::Promote => format!("all new requests to {}", shown.to),
        StepKind::Soak { bake } => format!("watch {} for {bake}", shown.to),
        StepKind::Drain { slot } | StepKind::Stop { slot } => format!("{old} in slot {slot}"),
    }
}

fn submit(select: &Select, file: &std::path::Path, screen: &Screen) -> Answer {
    let signed = read_file(file)?;
    let plan = signed.plan().ok_or_else(|| {
        let text = format!("approval file `{}` names no plan", file.display());
        AppError::new(Reason::InputMalformed, text)
    })?;
    let way = way(select, screen, true)?;
    let plan = way.ask(&PlanGet {
        plan: PlanRef(plan.to_string()),
    })?;
    let plan = plan.data.plan;
    let given = way.ask(&ApprovalSubmit {
        plan: PlanRef(plan.id.to_string()),
        approval: signed,
    })?;
    releasing::say_given(screen, &plan, &given.data);
    screen.answer("approval_submit", json!(given.data));
    Ok(given.exit)
}

fn revoke(select: &Select, wanted: &ApprovalRevoke, screen: &Screen) -> Answer {
    let back = way(select, screen, true)?.ask(wanted)?.data;
    screen.say(&format!(
        "taken back {} of plan {} by {} (as {})",
        back.approval, back.plan, back.by, back.right
    ));
    screen.answer("approval_revoke", json!(back));
    Ok(Exit::Done)
}

fn delegate(select: &Select, wanted: &DelegationGive, screen: &Screen) -> Answer {
    let given = way(select, screen, true)?.ask(wanted)?.data;
    say_delegation(screen, &given);
    let id = &given.delegation.delegation_id;
    screen.frame(&format!(
        "back      gonogo approval undelegate {id} --why TEXT"
    ));
    screen.answer("delegation_give", json!(given));
    Ok(Exit::Done)
}

fn delegations(select: &Select, screen: &Screen) -> Answer {
    let all = way(select, screen, true)?.ask(&DelegationList {})?.data;
    if all.delegations.is_empty() {
        screen.say("nobody has delegated their voice");
    }
    for one in &all.delegations {
        say_delegation(screen, one);
    }
    screen.answer("delegation_list", json!(all));
    Ok(Exit::Done)
}

fn say_delegation(screen: &Screen, one: &DelegationView) {
    let said = &one.delegation;
    screen.say(&format!(
        "{}  {} → {}  in {}  until {}  {}{}",
        said.delegation_id,
        said.from,
        said.to,
        said.environments.join(", "),
        said.until,
        one.state.replace('_', " "),
        quoted(&said.note)
    ));
}

fn undelegate(
    select: &Select,
    delegation: &str,
    why: &str,
    as_admin: bool,
    screen: &Screen,
) -> Answer {
    let delegation = delegation
        .parse()
        .map_err(|e| AppError::new(Reason::ArgumentInvalid, format!("{e}")))?;
    let ended = way(select, screen, true)?.ask(&DelegationWithdraw {
        delegation,
        why: Why(why.to_owned()),
        as_admin,
    })?;
    say_delegation(screen, &ended.data);
    for id in &ended.data.revoked {
        screen.say(&format!("          taken back with it: {id}"));
    }
    screen.answer("delegation_withdraw", json!(ended.data));
    Ok(Exit::Done)
}

pub fn break_glass(select: &Select, a: &BreakGlassArgs, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    let plan = way
        .ask(&PlanGet {
            plan: PlanRef(a.plan.clone()),
        })?
        .data
        .plan;
    let mut glass = way
        .ask(&GlassBreak {
            plan: PlanRef(plan.id.to_string()),
            plan_fingerprint: plan.fingerprint,
            policy: a.policy.clone(),
            reason: Why(a.reason.clone()),
        })?
        .data;
    let id = glass.incident.incident.clone();
    screen.say(&screen.paint(
        Tone::Wait,
        &format!(
            "broken    {} may be applied without what it lacks, until {}",
            glass.plan, glass.until
        ),
    ));
    super::webhook::tell(&way, screen);
    // Whether somebody was paged is known only now.
    let told = way.ask(&IncidentShow {
        incident: IncidentRef(id.to_string()),
    });
    if let Ok(told) = told {
        glass.incident = told.data;
    }
    say_incident(screen, &glass.incident);
    screen.frame(&format!("next      gonogo apply {}", glass.plan));
    screen.frame(&format!(
        "then      somebody else: gonogo incident close {} --review TEXT",
        glass.incident.incident
    ));
    screen.answer("break_glass", json!(glass));
    Ok(Exit::Done)
}

/// Says an incident in a few lines.
pub fn say_incident(screen: &Screen, one: &Incident) {
    let open = match &one.closed {
        None => screen.paint(Tone::Bad, "open"),
        Some(_) => "closed".into(),
    };
    screen.say(&format!(
        "incident  {}  {open}  {}  {}  glass broken by {} at {} for {} ({}){}",
        one.incident,
        one.severity,
        one.environment,
        one.opened_by,
        one.opened_at,
        one.plan,
        one.policy,
        quoted(&one.reason)
    ));
    match &one.paged {
        Some(paged) if paged.taken => screen.say(&format!(
            "          paged by {} at {}",
            paged.webhook, paged.at
        )),
        Some(paged) => {
            let said = paged.said.as_deref().unwrap_or("not taken");
            let text = format!(
                "          NOBODY WAS PAGED: {}: {said}; tell somebody yourself",
                paged.webhook
            );
            screen.say(&screen.paint(Tone::Bad, &text));
        }
        None => {
            let text = format!(
                "          nobody is known to have been paged: {} is not recorded as taken",
                one.pages
            );
            screen.say(&screen.paint(Tone::Wait, &text));
        }
    }
    match &one.closed {
        None => screen.say(&format!(
            "          to be reviewed by somebody else until {}",
            one.review_by
        )),
        Some(closed) => screen.say(&format!(
            "          reviewed by {} at {}{}",
            closed.by,
            closed.at,
            quoted(&closed.review)
        )),
    }
}

pub fn incident(select: &Select, a: &IncidentArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        IncidentWhat::List { closed } => ("incident_list", incidents(select, *closed, screen)),
        IncidentWhat::Show { incident } => {
            let wanted = IncidentShow {
                incident: IncidentRef(incident.clone()),
            };
            let answer = way(select, screen, true)
                .and_then(|way| way.ask(&wanted))
                .map(|shown| {
                    say_incident(screen, &shown.data);
                    screen.answer("incident_show", json!(shown.data));
                    Exit::Done
                });
            ("incident_show", answer)
        }
        IncidentWhat::Close { incident, review } => {
            let wanted = IncidentClose {
                incident: IncidentRef(incident.clone()),
                review: Why(review.clone()),
            };
            let answer = way(select, screen, true)
                .and_then(|way| way.ask(&wanted))
                .map(|closed| {
                    say_incident(screen, &closed.data);
                    screen.answer("incident_close", json!(closed.data));
                    Exit::Done
                });
            ("incident_close", answer)
        }
    }
}

fn incidents(select: &Select, closed: bool, screen: &Screen) -> Answer {
    let all = way(select, screen, true)?
        .ask(&IncidentList { closed })?
        .data;
    if all.incidents.is_empty() {
        screen.say(match closed {
            true => "no incident yet",
            false => "no incident is open",
        });
    }
    for one in &all.incidents {
        say_incident(screen, one);
    }
    screen.answer("incident_list", json!(all));
    Ok(Exit::Done)
}
