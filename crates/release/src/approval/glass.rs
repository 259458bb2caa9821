//! Breaking the glass: in an emergency, a person whom a named policy lists does without the approvals that are missing, says why, and
//! opens an incident that somebody else reviews.
//!
//! It replaces missing approvals and nothing else: not the fingerprint, not a gate, not a standing rejection, not the question who asked.

use gonogo_core::id::{IncidentId, OperationId};
use gonogo_core::{Reason, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApprovalPolicy, Approved, Demand, Presented, Refusal, Requester, SKEW, check};

/// What must hold where the glass is broken. Part of the plan, so it is part of the fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// Its name.
    pub name: String,
    /// Who may, and with which key.
    pub who: Vec<Requester>,
    /// How long it holds; the application must begin within that.
    pub lasts: Span,
    /// How often it may be broken within `review_within`. An incident that nobody has reviewed counts for as long as it is open.
    pub uses: u32,
    /// How long the review of the incident may take.
    pub review_within: Span,
    /// Name of the notice that pages somebody.
    pub pages: String,
}

/// A glass that was broken, as stored and signed by who did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Break {
    /// The incident that it opens.
    pub incident_id: String,
    /// By which policy.
    pub policy: String,
    /// Who.
    pub by: String,
    /// Why, in words.
    pub reason: String,
    /// For which environment.
    pub environment: String,
    /// For which plan.
    pub plan_fingerprint: String,
    /// When. RFC 3339.
    pub at: String,
    /// How they showed who they are, where no key of theirs signed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub means: String,
}

/// A glass that was broken, together with what the caller found out about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Broken {
    /// What was said.
    pub said: Break,
    /// Key id of the key whose signature verified; none if no signature did.
    pub key: Option<String>,
    /// Whether a server's own key vouches for the login.
    pub by_server: bool,
    /// The operation that used it, if one did.
    pub used_by: Option<OperationId>,
    /// How many other incidents of the policy counted against its uses when it was broken.
    pub open: u32,
    /// Whether its incident was closed since: what was reviewed is over.
    pub closed: bool,
    /// Whether the plan was superseded afterwards.
    pub superseded: bool,
}

/// As [`check`], and where approvals are missing, with a glass that was broken in their place.
///
/// # Errors
/// [`Refusal`] with every failing rule, those of the broken glasses last.
pub fn check_with(
    presented: &[Presented],
    broken: &[Broken],
    demand: &Demand<'_>,
) -> Result<Approved, Refusal> {
    /// What no broken glass passes.
    const STANDS: [&str; 2] = ["approval.notRejected", "approval.requester.listed"];
    let mut refusal = match check(presented, demand) {
        Ok(approved) => return Ok(approved),
        Err(refusal) => refusal,
    };
    let mut tokens = refusal.missing_fields.iter();
    if tokens.any(|token| STANDS.contains(&token.as_str())) {
        return Err(refusal);
    }
    for one in broken {
        match (check_break(one, demand), one.said.incident_id.parse()) {
            (Ok(()), Ok(incident)) => {
                return Ok(Approved {
                    approvals: Vec::new(),
                    glass: Some(incident),
                    _minted: (),
                });
            }
            (Err(more), _) => {
                for token in more.missing_fields {
                    if !refusal.missing_fields.contains(&token) {
                        refusal.missing_fields.push(token);
                    }
                }
                for reason in more.reasons {
                    if !refusal.reasons.contains(&reason) {
                        refusal.reasons.push(reason);
                    }
                }
            }
            (Ok(()), Err(_)) => {}
        }
    }
    Err(refusal)
}

/// Checks one broken glass by itself, under the plan's policy and under the one before it.
///
/// # Errors
/// [`Refusal`] with every rule that it breaks.
pub fn check_break(broken: &Broken, demand: &Demand<'_>) -> Result<(), Refusal> {
    let mut tokens = Vec::new();
    for policy in std::iter::once(demand.policy).chain(demand.before) {
        for rule in broken_rules(broken, policy, demand) {
            let token = format!("breakGlass.{rule}");
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
    }
    if tokens.is_empty() {
        return Ok(());
    }
    Err(Refusal {
        missing_fields: tokens,
        reasons: vec![Reason::BreakGlassRefused],
    })
}

fn broken_rules(
    broken: &Broken,
    policy: &ApprovalPolicy,
    demand: &Demand<'_>,
) -> Vec<&'static str> {
    let said = &broken.said;
    let mut rules = Vec::new();
    let mut fault = |ok: bool, rule: &'static str| {
        if !ok {
            rules.push(rule);
        }
    };
    fault(said.incident_id.parse::<IncidentId>().is_ok(), "incidentId");
    fault(!said.reason.trim().is_empty(), "reason");
    fault(said.environment == demand.environment, "environment.match");
    let same = said.plan_fingerprint.parse() == Ok(demand.fingerprint);
    fault(same, "planFingerprint.match");
    fault(broken.used_by.is_none(), "singleUse");
    fault(!broken.closed, "incidentOpen");
    fault(!broken.superseded, "notSuperseded");
    let by_login = !said.means.is_empty();
    let vouched = by_login && broken.key.is_none() && broken.by_server;
    fault(
        broken.key.is_some() && !by_login || vouched && policy.login,
        "signature",
    );
    let named = policy.break_glass.iter().find(|g| g.name == said.policy);
    fault(named.is_some(), "policy");
    let Some(named) = named else {
        return rules;
    };
    let key = broken.key.as_deref().unwrap_or_default();
    let may = |p: &Requester| p.id == said.by && (by_login || p.key == key);
    fault(named.who.iter().any(may), "who");
    fault(broken.open < named.uses, "uses");
    let at = said.at.parse::<Timestamp>();
    fault(
        at.is_ok_and(|at| at <= demand.now.after(SKEW) && demand.now < at.after(named.lasts)),
        "inTime",
    );
    rules
}

/// Every token that a refusal of a broken glass can hold, for the reference page.
pub const TOKENS: &[(&str, &str)] = &[
    ("breakGlass.incidentId", "not an incident's id"),
    ("breakGlass.reason", "no reason is given"),
    ("breakGlass.environment.match", "another environment"),
    ("breakGlass.planFingerprint.match", "another plan"),
    ("breakGlass.singleUse", "used by an earlier operation"),
    (
        "breakGlass.incidentOpen",
        "its incident was closed before it was used",
    ),
    (
        "breakGlass.notSuperseded",
        "a newer plan was made after it was broken",
    ),
    (
        "breakGlass.signature",
        "no signature verifies, and the environment takes no login",
    ),
    (
        "breakGlass.policy",
        "the environment has no such policy, or had none when its last operation began",
    ),
    ("breakGlass.who", "the policy does not list who broke it"),
    (
        "breakGlass.uses",
        "as many incidents of the policy are open, or were opened within `review_within`, as it admits",
    ),
    (
        "breakGlass.inTime",
        "its time is over, or it is dated ahead of now",
    ),
];
