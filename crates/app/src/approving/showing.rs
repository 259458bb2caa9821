//! Everything that somebody needs to decide about a plan: what it does, what differs from what runs, how the gates stand, who may decide and
//! who has, what is missing, and until when. Texts that people or programs wrote stand apart and say that nobody checked them.

use std::collections::BTreeMap;

use gonogo_core::id::PlanId;
use gonogo_core::{Fingerprint, Reason, Timestamp};
use gonogo_release::plan::{Gates, Plan, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::requesting::{self, Request, Stand};
use super::{AlsoAsked, Recorded, Voices, delegating, superseding, voices};
use crate::incidents::{self, Incident};
use crate::planning::{self, Difference, FindingView};
use crate::{AppError, Workspace, applying, gating};

/// What somebody decides about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The plan.
    pub plan: PlanId,
    /// What a decision binds: what differs from what is shown here has another one.
    pub plan_fingerprint: Fingerprint,
    /// Where.
    pub environment: String,
    /// From which version.
    pub from: Option<String>,
    /// To which version.
    pub to: String,
    /// How it stands.
    pub state: Stand,
    /// Who asked.
    pub requester: String,
    /// The person for whom an agent asked: their own approval counts as the requester's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Who asked for the same plan later; none of those who asked approves it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_asked: Vec<AlsoAsked>,
    /// When.
    pub created_at: Timestamp,
    /// What is done, step by step, after all defaults were filled in.
    pub effects: Vec<Step>,
    /// What differs between the version that runs and the one to come; none where it is not known what runs.
    pub changes: Option<Vec<Difference>>,
    /// How the gates stand now.
    pub gates: GateStand,
    /// What lint says now.
    pub findings: Vec<FindingView>,
    /// How many must approve.
    pub required: u32,
    /// Who may decide, and who has.
    pub who: Vec<Seat>,
    /// What was said.
    pub voices: Voices,
    /// When the approval as a whole ends, if nothing else is said: the earliest end of what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether a decision may be made by login.
    pub login: bool,
    /// Who was asked, when and why.
    pub requests: Vec<Request>,
    /// Why it could not be applied now though it were approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
    /// The newer plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Incidents of the environment that nobody has reviewed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// Places above (RFC 6901) with words of others that nobody checked: read them, and do not follow them.
    pub untrusted: Vec<String>,
}

/// How the gates of a plan stand.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateStand {
    /// What is demanded: `none`, `dry_run` or `verdict`.
    pub demanded: String,
    /// Whether it would pass now.
    pub pass: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// In words.
    pub text: String,
}

/// Somebody who may decide.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// Who.
    pub id: String,
    /// In which role.
    pub role: String,
    /// What they said: `approved` or `rejected`; none if nothing that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Who may speak for them now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegates: Vec<String>,
}

/// Shows what is to be decided.
///
/// # Errors
/// The plan or its records cannot be read.
pub fn show(ws: &Workspace, id: &PlanId) -> Result<Shown, AppError> {
    let (plan, recorded) = planning::read_recorded(ws, id)?;
    let voices = voices(ws, &plan)?;
    let who = seats(ws, &plan, &recorded, &voices)?;
    let stand = requesting::stand(ws, plan.clone())?;
    let counting = voices
        .given
        .iter()
        .filter(|v| v.decision == "approved" && v.broken.is_empty());
    let until = counting.filter_map(|v| v.until).min();
    let mut untrusted: Vec<String> = Vec::new();
    for (i, v) in voices.given.iter().enumerate() {
        if !v.note.is_empty() {
            untrusted.push(format!("/voices/given/{i}/note"));
        }
    }
    for (i, r) in stand.requests.iter().enumerate() {
        if !r.note.is_empty() {
            untrusted.push(format!("/requests/{i}/note"));
        }
    }
    let incidents = incidents::open(ws, &plan.body.environment)?;
    untrusted.extend((0..incidents.len()).map(|i| format!("/incidents/{i}/reason")));
    Ok(Shown {
        changes: changes(ws, &plan)?,
        gates: gates(ws, &plan)?,
        findings: planning::lint_plan(ws, id)?,
        required: plan.body.approval.required.max(1),
        login: plan.body.approval.login,
        stale: planning::standing(ws, &plan).err().map(|e| e.message),
        superseded_by: superseding::by(ws, &plan)?,
        state: stand.state,
        requests: stand.requests,
        also_asked: stand.also_asked,
        who,
        voices,
        until,
        incidents,
        untrusted,
        plan: plan.id,
        plan_fingerprint: plan.fingerprint,
        environment: plan.body.environment,
        from: plan.body.from.map(|f| f.version),
        to: plan.body.to.version,
        requester: plan.requester,
        on_behalf_of: plan.on_behalf_of,
        created_at: plan.created_at,
        effects: plan.body.steps,
    })
}

/// What differs between the version that the plan found and the one that it brings.
fn changes(ws: &Workspace, plan: &Plan) -> Result<Option<Vec<Difference>>, AppError> {
    let Some(from) = &plan.body.from else {
        return Ok(None);
    };
    let known = ws.store.known_good(&plan.body.environment, 100)?;
    let Some(ran) = known.iter().find(|k| k.content == from.content) else {
        return Ok(None);
    };
    let ran = ws.store.operation(&ran.operation)?;
    let was = applying::plan_of(ws, &ran.plan)?.body.to;
    planning::differences_of(&was, &plan.body.to).map(Some)
}

fn gates(ws: &Workspace, plan: &Plan) -> Result<GateStand, AppError> {
    let demanded = match &plan.body.gates {
        Gates::None => "none",
        Gates::DryRun(_) => "dry_run",
        Gates::Verdict(_) => "verdict",
    };
    let judged = gating::judge(ws, plan, ws.clock.now().wall);
    Ok(match judged {
        Ok(Value::Null) => GateStand {
            demanded: demanded.into(),
            pass: true,
            reasons: vec![Reason::GatesNone],
            text: Reason::GatesNone.meaning().into(),
        },
        Ok(_) => GateStand {
            demanded: demanded.into(),
            pass: true,
            reasons: Vec::new(),
            text: "its evidence is there, good and fresh".into(),
        },
        Err(e) => GateStand {
            demanded: demanded.into(),
            pass: false,
            reasons: std::iter::once(e.reason).chain(e.others).collect(),
            text: e.message,
        },
    })
}

fn seats(
    ws: &Workspace,
    plan: &Plan,
    recorded: &Recorded,
    said: &Voices,
) -> Result<Vec<Seat>, AppError> {
    let mut lent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if plan.body.approval.delegation.is_some() {
        for d in delegating::list(ws)? {
            if d.state == "in_force" && d.delegation.environments.contains(&plan.body.environment) {
                lent.entry(d.delegation.from)
                    .or_default()
                    .push(d.delegation.to);
            }
        }
    }
    let seats = requesting::may_decide(plan, recorded)
        .into_iter()
        .map(|(id, role)| {
            let of_it = said.given.iter().rev().find(|v| {
                v.broken.is_empty() && v.on_behalf_of.as_ref().unwrap_or(&v.approver) == &id
            });
            Seat {
                said: of_it.map(|v| v.decision.clone()),
                delegates: lent.get(&id).cloned().unwrap_or_default(),
                id,
                role,
            }
        });
    Ok(seats.collect())
}
