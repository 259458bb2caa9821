//! Asking for an approval, and seeing what waits. A request decides nothing: it names who is asked, why, and until when it matters.

use std::collections::BTreeSet;

use gonogo_core::id::PlanId;
use gonogo_core::{Fingerprint, Reason, Span, Timestamp};
use gonogo_release::plan::{Plan, PlanKind};
use gonogo_store::ledger::Draft;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AlsoAsked, Recorded, delegating, superseding, voices};
use crate::identity::random;
use crate::{AppError, Workspace, notices, planning};

/// Kind of the record that holds a request.
pub const KIND: &str = "approval-request";

/// The longest that a request may wait.
const LONGEST: Span = Span::from_secs(31 * 86_400);

/// How long a request waits if nothing is said.
const USUAL: Span = Span::from_secs(86_400);

/// How many plans are looked through for what waits.
const LOOKED_AT: u32 = 200;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// These people.
    pub people: Vec<String>,
    /// Everybody in these roles.
    pub roles: Vec<String>,
    /// Why, in the words of who asks.
    pub note: String,
    /// Until when; a day from now if absent.
    pub until: Option<Timestamp>,
}

/// A request, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The plan.
    pub plan: PlanId,
    /// Who asks.
    pub by: String,
    /// The person for whom they ask, where they are an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Who is asked by name.
    pub people: Vec<String>,
    /// Who is asked by role.
    pub roles: Vec<String>,
    /// Why: words of who asks, which nobody checked.
    pub note: String,
    /// When.
    pub at: Timestamp,
    /// Until when it matters.
    pub until: Timestamp,
}

/// Asks people, or roles, to decide about a plan; everybody who may if nobody is named.
///
/// # Errors
/// The plan does not stand any more; somebody who is named could not approve it; a time that is over or too far away.
pub fn request(ws: &Workspace, id: &PlanId, ask: &Ask) -> Result<Request, AppError> {
    if let Some(request) = ws.left_as(KIND, "/request")? {
        return Ok(request);
    }
    let now = ws.now()?;
    let (plan, recorded) = planning::read_recorded(ws, id)?;
    superseding::check(ws, &plan)?;
    let me = ws.identity()?;
    let refuse = |reason, text: String| Err(AppError::new(reason, text));
    let nobody = Reason::InputNotFound;
    let until = ask.until.unwrap_or_else(|| now.after(USUAL));
    if until <= now || until > now.after(LONGEST) {
        return refuse(
            Reason::TimeRefused,
            format!("a request waits until a time from now on, at most {LONGEST} ahead"),
        );
    }
    let may = may_decide(&plan, &recorded);
    if let Some(one) = ask
        .people
        .iter()
        .find(|p| may.iter().all(|(id, _)| id != *p))
    {
        let names: Vec<&str> = may.iter().map(|(id, _)| id.as_str()).collect();
        return refuse(
            nobody,
            format!(
                "`{}` could not approve this plan; these could: {}",
                one.escape_debug(),
                names.join(", ")
            ),
        );
    }
    if let Some(role) = ask
        .roles
        .iter()
        .find(|r| may.iter().all(|(_, role)| role != *r))
    {
        return refuse(
            nobody,
            format!(
                "nobody in the role `{}` could approve this plan",
                role.escape_debug()
            ),
        );
    }
    let mut people = ask.people.clone();
    if people.is_empty() && ask.roles.is_empty() {
        let all: BTreeSet<String> = may.into_iter().map(|(id, _)| id).collect();
        people = all.into_iter().collect();
    }
    let request = Request {
        plan: id.clone(),
        by: me.name.clone(),
        on_behalf_of: ws.caller.acts_for.clone(),
        people,
        roles: ask.roles.clone(),
        note: ask.note.clone(),
        at: now,
        until,
    };
    // A webhook that was not known before hears of this.
    notices::begin(ws)?;
    ws.append(me.vouched(vec![Draft {
        stream: planning::stream(id),
        key: format!("request/{}", gonogo_core::id::ApprovalId::mint(random())),
        kind: KIND.into(),
        subject: vec![gonogo_ledger::Subject {
            name: id.to_string(),
            digest: plan.fingerprint.digest(),
        }],
        time: now,
        actor: me.name.clone(),
        body: json!({ "request": request }),
        signer: me.key.clone(),
    }]))?;
    Ok(request)
}

/// Who may decide about a plan, in which role. Where a stricter policy must hold, too, those whom it lists are among them.
pub(crate) fn may_decide(plan: &Plan, recorded: &Recorded) -> Vec<(String, String)> {
    let policies = std::iter::once(&plan.body.approval).chain(&plan.body.approval_before);
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |one: (String, String)| {
        if !all.contains(&one) {
            all.push(one);
        }
    };
    for policy in policies {
        for one in &policy.approvers {
            let own = recorded.asked(plan, &one.id, &one.key);
            let role = policy.roles.is_empty() || policy.roles.contains(&one.role);
            if role && (policy.own || !own) {
                add((one.id.clone(), one.role.clone()));
            }
        }
        if policy.own {
            // Where an agent asked it is the person for whom it did, who asks for it first.
            let person = |of: &Option<String>, id: &str| of.clone().unwrap_or(id.to_owned());
            add((person(&plan.on_behalf_of, &plan.requester), "owner".into()));
            for asker in &recorded.also {
                add((person(&asker.on_behalf_of, &asker.id), "owner".into()));
            }
        }
    }
    all
}

/// The requests that were made for a plan, oldest first.
pub(crate) fn of_plan(ws: &Workspace, plan: &Plan) -> Result<Vec<Request>, AppError> {
    let records = ws.every(planning::stream(&plan.id), KIND)?;
    let read = records
        .iter()
        .filter_map(|r| serde_json::from_value(r.body.get("request")?.clone()).ok());
    Ok(read.collect())
}

/// How a plan stands with those who decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// Something is missing.
    Waiting,
    /// It may be applied, as far as approval goes.
    Approved,
    /// Somebody said no.
    Rejected,
    /// A newer plan was made.
    Superseded,
    /// It was applied.
    Applied,
}

/// A plan in the list of those that people decide about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The plan.
    pub plan: PlanId,
    /// What an approval of it binds.
    pub plan_fingerprint: Fingerprint,
    /// Where.
    pub environment: String,
    /// Forward, or back to known-good.
    pub kind: PlanKind,
    /// From which version.
    pub from: Option<String>,
    /// To which version.
    pub to: String,
    /// Who made the plan.
    pub requester: String,
    /// The person for whom an agent made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Who asked for the same plan later; none of those who asked approves it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_asked: Vec<AlsoAsked>,
    /// When.
    pub created_at: Timestamp,
    /// How it stands.
    pub state: Stand,
    /// What is missing, as `approval.…` tokens.
    pub missing: Vec<String>,
    /// Who may decide and has not said yes.
    pub waits_for: Vec<String>,
    /// Who was asked, and until when; empty if nobody was.
    pub requests: Vec<Request>,
}

impl Waiting {
    /// Whether somebody asked for the plan, first or later, or an agent did for them.
    fn asked_by(&self, name: &str) -> bool {
        let later = |a: &AlsoAsked| a.requester == name || a.on_behalf_of.as_deref() == Some(name);
        self.requester == name
            || self.on_behalf_of.as_deref() == Some(name)
            || self.also_asked.iter().any(later)
    }
}

/// Which plans are listed.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Only of this environment.
    pub environment: Option<String>,
    /// Only those that wait for this person.
    pub mine: Option<String>,
    /// Also those that wait for nobody any more.
    pub decided: bool,
    /// At most so many.
    pub limit: usize,
}

/// Lists plans that wait for a decision, newest first.
///
/// # Errors
/// The ledger or the store cannot be read.
pub fn waiting(ws: &Workspace, which: &Which) -> Result<Vec<Waiting>, AppError> {
    let lent: Vec<String> = match &which.mine {
        None => Vec::new(),
        Some(me) => delegating::list(ws)?
            .into_iter()
            .filter(|d| d.state == "in_force" && d.delegation.to == *me)
            .map(|d| d.delegation.from)
            .collect(),
    };
    let mut out = Vec::new();
    let plans = ws
        .store
        .plans(which.environment.as_deref(), None, LOOKED_AT)?;
    for plan in plans {
        if out.len() >= which.limit {
            break;
        }
        let one = stand(ws, plan)?;
        let waits = matches!(one.state, Stand::Waiting);
        let for_me = which.mine.as_ref().is_none_or(|me| {
            let mut of_it = one.waits_for.iter();
            of_it.any(|w| (w == me || lent.contains(w)) && !one.asked_by(me))
        });
        if (waits && for_me) || (which.decided && which.mine.is_none()) {
            out.push(one);
        }
    }
    Ok(out)
}

/// How one plan stands.
pub(crate) fn stand(ws: &Workspace, plan: Plan) -> Result<Waiting, AppError> {
    let said = voices(ws, &plan)?;
    let recorded = super::recorded(ws, &plan)?;
    let applied = ws
        .store
        .by_key(&plan.body.environment, plan.id.as_str())?
        .is_some()
        || said.given.iter().any(|v| v.used_by.is_some());
    let state = if applied {
        Stand::Applied
    } else if superseding::by(ws, &plan)?.is_some() {
        Stand::Superseded
    } else if said.missing.is_empty() {
        Stand::Approved
    } else if said.missing.iter().any(|t| t == "approval.notRejected") {
        Stand::Rejected
    } else {
        Stand::Waiting
    };
    let yes = |id: &String| {
        let mut given = said.given.iter();
        given.any(|v| {
            v.decision == "approved"
                && v.broken.is_empty()
                && v.on_behalf_of.as_ref().unwrap_or(&v.approver) == id
        })
    };
    let mut waits_for: Vec<String> = Vec::new();
    if state == Stand::Waiting {
        for (id, _) in may_decide(&plan, &recorded) {
            if !yes(&id) && !waits_for.contains(&id) {
                waits_for.push(id);
            }
        }
    }
    Ok(Waiting {
        requests: of_plan(ws, &plan)?,
        also_asked: AlsoAsked::of(&recorded),
        plan_fingerprint: plan.fingerprint,
        environment: plan.body.environment,
        kind: plan.body.kind,
        from: plan.body.from.map(|f| f.version),
        to: plan.body.to.version,
        requester: plan.requester,
        on_behalf_of: plan.on_behalf_of,
        created_at: plan.created_at,
        missing: said.missing,
        waits_for,
        state,
        plan: plan.id,
    })
}
