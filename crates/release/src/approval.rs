//! Approval: who may say yes to exactly which plan, for how long, how often. Pure rules; signatures are checked by the
//! caller and arrive here as facts.
//!
//! A voice is a person's: by their own key, by their login at a server, or by somebody to whom they delegated it (`delegation`). Which
//! voices count together is `voices`'s; what may stand in their place in an emergency is `glass`'s.

mod delegation;
mod glass;
mod voices;

use std::collections::BTreeSet;

use gonogo_core::id::{ApprovalId, IncidentId, OperationId};
use gonogo_core::{Fingerprint, Reason, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an environment demands. Part of the plan, so it is part of the fingerprint.
///
/// The default lets nobody approve.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// Whether the requester may approve.
    pub own: bool,
    /// How many different approvers.
    pub required: u32,
    /// Roles that may approve; empty means that `approvers` decides alone.
    pub roles: Vec<String>,
    /// Known approvers. Empty only where `own` is set: then the requester's own key approves.
    pub approvers: Vec<Approver>,
    /// Who may ask besides the approvers. Empty leaves it to the approvers alone; where `own` is set, to everybody.
    pub requesters: Vec<Requester>,
    /// The longest time that an approval may hold.
    pub max_sla: Span,
    /// Whether a login at a server speaks for an approver, without their own key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub login: bool,
    /// The longest time for which an approver may let somebody else speak for them; none lets nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Span>,
    /// How missing approvals may be done without in an emergency; empty lets nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub break_glass: Vec<BreakGlass>,
    /// Whether every way back to known-good is approved beforehand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollback_preapproved: bool,
}

/// Somebody who may approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Who.
    pub id: String,
    /// In which role.
    pub role: String,
    /// Key id: lower-case hex SHA-256 of the P-256 public key's SPKI DER.
    pub key: String,
}

/// Somebody who may ask for a plan and not approve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// Who.
    pub id: String,
    /// Key id, as an approver's.
    pub key: String,
}

impl ApprovalPolicy {
    /// Whether somebody of this name may ask for a plan at all. A name that anybody can take on the spot would let an
    /// approver ask under it and then approve.
    pub fn knows(&self, id: &str) -> bool {
        self.asks_all()
            || self.requesters.iter().any(|r| r.id == id)
            || self.approvers.iter().any(|a| a.id == id)
    }

    /// Whether the holder of `key` may ask for a plan under the name `id`.
    pub fn may_ask(&self, id: &str, key: &str) -> bool {
        self.asks_all()
            || self.requesters.iter().any(|r| r.id == id && r.key == key)
            || self.approvers.iter().any(|a| a.id == id && a.key == key)
    }

    /// The key that is listed for a name, where one is: whoever may only ask counts before whoever approves.
    pub fn key_of(&self, id: &str) -> &str {
        let asks = self.requesters.iter().map(|r| (&r.id, &r.key));
        let all = asks.chain(self.approvers.iter().map(|a| (&a.id, &a.key)));
        let mut named = all.filter(|(name, _)| *name == id);
        named.next().map_or("", |(_, key)| key.as_str())
    }

    /// Whether this asks for less than `before` did: fewer people, other people, the requester's own word, a longer time. Where the
    /// requester's word was enough before, nothing asks for less.
    pub fn weakens(&self, before: &Self) -> bool {
        let alone = before.own && before.required <= 1;
        let new_role = self.roles.iter().any(|r| !before.roles.contains(r));
        !alone
            && (self.own && !before.own
                || self.asks_all() && !before.asks_all()
                || self.required < before.required
                || self.max_sla > before.max_sla
                || self.login && !before.login
                || self.delegation > before.delegation
                || self
                    .break_glass
                    .iter()
                    .any(|g| !before.break_glass.contains(g))
                || self.rollback_preapproved && !before.rollback_preapproved
                || !before.roles.is_empty() && (self.roles.is_empty() || new_role)
                || self.approvers.iter().any(|a| !before.approvers.contains(a))
                || self
                    .requesters
                    .iter()
                    .any(|r| !before.may_ask(&r.id, &r.key)))
    }

    fn asks_all(&self) -> bool {
        self.own && self.requesters.is_empty()
    }
}

pub use delegation::{Delegated, Delegation};
pub use glass::{Break, BreakGlass, Broken, TOKENS as GLASS_TOKENS, check_break, check_with};

/// An approval as stored and signed. Field names follow the operator contract; everything is text here so that a broken
/// field is reported by name instead of making the whole unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Approval {
    /// The approval's id.
    pub approval_id: String,
    /// Who decided.
    pub approver_id: String,
    /// In which role.
    pub approver_role: String,
    /// `approved` or `rejected`.
    pub decision: String,
    /// RFC 3339.
    pub decided_at: String,
    /// How long it holds.
    pub sla_minutes: u64,
    /// For which environment.
    pub environment: String,
    /// For which plan.
    pub plan_fingerprint: String,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// How the approver showed who they are, where no key of theirs signed: `token:…` and the like. A server's word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub means: String,
    /// The delegation by which the approver speaks for somebody else.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub delegation: String,
    /// For whom they speak then.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub delegated_by: String,
}

/// An approval together with what the caller found out about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presented {
    /// The approval.
    pub approval: Approval,
    /// Key id of the key whose signature verified; none if no signature did.
    pub key: Option<String>,
    /// The operation that used the approval, if one did.
    pub used_by: Option<OperationId>,
    /// Whether a server's own key vouches for the approver's login.
    pub by_server: bool,
    /// Who took the approval back, if somebody did.
    pub revoked_by: Option<String>,
    /// Whether the plan did not stand any more after the approval was given, or did not stand yet again.
    pub superseded: bool,
    /// The delegation that the approval names, if it is known.
    pub delegation: Option<Delegated>,
}

impl Presented {
    /// Whose voice it is: the approver's own, or that of who delegated it.
    pub fn voice_of(&self) -> &str {
        if self.approval.delegated_by.is_empty() {
            &self.approval.approver_id
        } else {
            &self.approval.delegated_by
        }
    }

    /// Whether a login gave it, and no key.
    pub fn is_by_login(&self) -> bool {
        !self.approval.means.is_empty()
    }

    fn is_delegated(&self) -> bool {
        !self.approval.delegation.is_empty() || !self.approval.delegated_by.is_empty()
    }
}

/// What an approval is checked against.
#[derive(Debug, Clone)]
pub struct Demand<'a> {
    /// The plan's fingerprint, recomputed.
    pub fingerprint: Fingerprint,
    /// The plan's environment.
    pub environment: &'a str,
    /// The plan's policy.
    pub policy: &'a ApprovalPolicy,
    /// The policy before it, where the plan's asks for less: then both must hold.
    pub before: Option<&'a ApprovalPolicy>,
    /// Who asked for the plan.
    pub requester: &'a str,
    /// Key id of the requester.
    pub requester_key: &'a str,
    /// The person whom the requester, an agent, acts for.
    pub on_behalf_of: Option<&'a str>,
    /// Everybody who asked for the same plan later. They are barred from approving it as the requester is.
    pub also: &'a [Asker],
    /// Whether the plan goes back to known-good.
    pub back: bool,
    /// Now.
    pub now: Timestamp,
}

/// Somebody who asked for a plan that was there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub id: String,
    /// Key id of the key that signed that; empty if none is known.
    pub key: String,
    /// The person whom they, an agent, acted for.
    pub on_behalf_of: Option<String>,
}

impl Demand<'_> {
    /// Whether a name is that of somebody who asked for the plan, or of somebody for whom an agent did.
    fn asked(&self, id: &str) -> bool {
        id == self.requester
            || self.on_behalf_of == Some(id)
            || self
                .also
                .iter()
                .any(|a| a.id == id || a.on_behalf_of.as_deref() == Some(id))
    }

    /// Whether a key is that of somebody who asked for the plan.
    fn asked_with(&self, key: &str) -> bool {
        let later = |a: &Asker| !key.is_empty() && a.key == key;
        key == self.requester_key || self.also.iter().any(later)
    }

    /// Whether somebody asked for the plan under this name, with this key; a login has none.
    fn asked_as(&self, id: &str, key: &str, by_login: bool) -> bool {
        let first = std::iter::once((self.requester, self.requester_key));
        let later = self.also.iter().map(|a| (a.id.as_str(), a.key.as_str()));
        let mut all = first.chain(later);
        all.any(|(asker, with)| asker == id && (by_login || !key.is_empty() && with == key))
    }
}

/// How far ahead of now a decision may be dated: skew between two machines' clocks.
pub const SKEW: Span = Span::from_secs(5);

/// Proof that a plan is approved. Only [`check`] makes one.
#[expect(
    clippy::manual_non_exhaustive,
    reason = "the private field keeps this crate's other modules from making one too"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The approvals that count.
    pub approvals: Vec<ApprovalId>,
    /// The incident that was opened instead, where they were done without.
    pub glass: Option<IncidentId>,
    _minted: (),
}

/// Why a plan is not approved: every broken rule has its own token, all are listed together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("approval required: {}", .missing_fields.join(", "))]
pub struct Refusal {
    /// Broken rules, in a fixed order, without repeats.
    pub missing_fields: Vec<String>,
    /// Reasons that go with them.
    pub reasons: Vec<Reason>,
}

/// Checks the presented approvals against what the plan demands.
///
/// A rejection by somebody who may approve, or by the requester, is a veto: no quorum outvotes it, no time ends it, and only
/// a later approval by the same key takes it back.
///
/// # Errors
/// [`Refusal`] with every failing rule. Rules are listed for each approval that falls; a single good quorum is enough even
/// if other approvals fall.
pub fn check(presented: &[Presented], demand: &Demand<'_>) -> Result<Approved, Refusal> {
    let now = check_under(demand.policy, presented, demand);
    let Some(before) = demand.before else {
        return now;
    };
    let earlier = check_under(before, presented, demand);
    match (now, earlier) {
        (Ok(mut now), Ok(earlier)) => {
            for id in earlier.approvals {
                if !now.approvals.contains(&id) {
                    now.approvals.push(id);
                }
            }
            Ok(now)
        }
        (Err(now), Ok(_)) => Err(now),
        (now, Err(earlier)) => {
            let mut all = now.err().unwrap_or(Refusal {
                missing_fields: Vec::new(),
                reasons: Vec::new(),
            });
            for token in earlier.missing_fields {
                if !all.missing_fields.contains(&token) {
                    all.missing_fields.push(token);
                }
            }
            all.missing_fields.push("approval.policyBefore".into());
            let reasons: BTreeSet<Reason> = all
                .reasons
                .into_iter()
                .chain(earlier.reasons)
                .chain([Reason::ApprovalWeakened])
                .collect();
            all.reasons = reasons.into_iter().collect();
            Err(all)
        }
    }
}

/// Checks one approval by itself, whatever others say: it must hold under the plan's policy, or under the one before it.
///
/// # Errors
/// [`Refusal`] with every rule of the plan's policy that it breaks.
pub fn check_alone(presented: &Presented, demand: &Demand<'_>) -> Result<(), Refusal> {
    let one = std::slice::from_ref(presented);
    // A word that is given must be a good one, though none is needed.
    let demand = &Demand {
        back: false,
        ..demand.clone()
    };
    let single = |policy: &ApprovalPolicy| ApprovalPolicy {
        required: 1,
        ..policy.clone()
    };
    let now = check_under(&single(demand.policy), one, demand).map(drop);
    match demand.before {
        Some(before) if check_under(&single(before), one, demand).is_ok() => Ok(()),
        _ => now,
    }
}

fn check_under(
    policy: &ApprovalPolicy,
    presented: &[Presented],
    demand: &Demand<'_>,
) -> Result<Approved, Refusal> {
    let demand = &Demand {
        policy,
        before: None,
        ..demand.clone()
    };
    let mut tokens = Vec::new();
    let mut reasons = BTreeSet::new();
    let mut good: Vec<(&Presented, ApprovalId)> = Vec::new();
    let unlisted = !demand
        .policy
        .may_ask(demand.requester, demand.requester_key);
    let vetoed = !vetoes(presented, demand).is_empty();
    let at = |p: &Presented| p.approval.decided_at.parse::<Timestamp>().ok();
    for one in presented {
        // A yes that its giver took back by a no is none again by a later yes: that one is another.
        let taken_back = presented.iter().any(|no| {
            no.approval.decision == "rejected"
                && one.approval.decision == "approved"
                && no.approval.plan_fingerprint == one.approval.plan_fingerprint
                && check_rejection(no, demand).is_ok()
                && is_same_voice(one, no, demand)
                && at(no) > at(one)
        });
        if taken_back {
            continue;
        }
        let broken = broken_rules(one, demand);
        if let ([], Ok(id)) = (
            broken.as_slice(),
            one.approval.approval_id.parse::<ApprovalId>(),
        ) {
            good.push((one, id));
        } else {
            for (token, reason) in broken {
                if !tokens.contains(&token) {
                    tokens.push(token);
                }
                reasons.insert(reason);
            }
        }
    }
    let required = demand.policy.required.max(1) as usize;
    let good = voices::counting(policy, good, required);
    if good.len() >= required {
        if !vetoed && !unlisted {
            return Ok(Approved {
                approvals: good,
                glass: None,
                _minted: (),
            });
        }
        // What fell beside a quorum is not why the plan is refused.
        tokens.clear();
        reasons.clear();
    } else if demand.back && policy.rollback_preapproved && !vetoed && !unlisted {
        // Approved beforehand, by those who approved the policy. Somebody's rejection of exactly this plan still stands in its way.
        return Ok(Approved {
            approvals: good,
            glass: None,
            _minted: (),
        });
    } else if presented.is_empty() {
        tokens.insert(0, "approval".into());
        reasons.insert(Reason::ApprovalMissing);
    } else if tokens.is_empty() || required > 1 {
        tokens.push("approval.quorum".into());
        reasons.insert(Reason::ApprovalQuorum);
    }
    if vetoed {
        tokens.push("approval.notRejected".into());
        reasons.insert(Reason::ApprovalRejected);
    }
    if unlisted {
        tokens.push("approval.requester.listed".into());
        reasons.insert(Reason::RequesterUnlisted);
    }
    Err(Refusal {
        missing_fields: tokens,
        reasons: reasons.into_iter().collect(),
    })
}

/// The standing rejections of exactly this plan, oldest first as presented.
pub fn vetoes<'a>(presented: &'a [Presented], demand: &Demand<'_>) -> Vec<&'a Presented> {
    let at = |p: &Presented| p.approval.decided_at.parse::<Timestamp>().ok();
    presented
        .iter()
        .filter(|no| no.approval.decision == "rejected" && check_rejection(no, demand).is_ok())
        .filter(|no| {
            !presented.iter().any(|yes| {
                yes.approval.decision == "approved"
                    && yes.revoked_by.is_none()
                    && is_same_voice(yes, no, demand)
                    && yes.approval.plan_fingerprint == no.approval.plan_fingerprint
                    && at(yes) > at(no)
            })
        })
        .collect()
}

/// Whether the one who says yes may take back that no: the same key, or the same person's voice by another proven way.
fn is_same_voice(yes: &Presented, no: &Presented, demand: &Demand<'_>) -> bool {
    (yes.key.is_some() && yes.key == no.key)
        || yes.voice_of() == no.voice_of() && check_rejection(yes, demand).is_ok()
}

/// Checks that a rejection would be a veto.
///
/// # Errors
/// [`Refusal`] with every failing rule.
pub fn check_rejection(presented: &Presented, demand: &Demand<'_>) -> Result<(), Refusal> {
    let broken = broken_veto(presented, demand);
    let earlier = demand.before.map(|policy| Demand {
        policy,
        before: None,
        ..demand.clone()
    });
    let held = earlier.is_some_and(|d| broken_veto(presented, &d).is_empty());
    if broken.is_empty() || held {
        return Ok(());
    }
    let reasons: BTreeSet<Reason> = broken.iter().map(|(_, reason)| *reason).collect();
    Err(Refusal {
        missing_fields: broken.into_iter().map(|(token, _)| token).collect(),
        reasons: reasons.into_iter().collect(),
    })
}

/// The rules that a rejection must keep: those of an approval but for what only a yes needs. It may be the requester's own,
/// may be in any role of a known approver, and does not end.
fn broken_veto(presented: &Presented, demand: &Demand<'_>) -> Vec<(String, Reason)> {
    const ONLY_YES: [&str; 9] = [
        "notRevoked",
        "notSuperseded",
        "decision.approved",
        "notExpired",
        "slaMinutes",
        "slaMinutes.withinThreshold",
        "singleUse",
        "approverId.notRequester",
        "approverRole.allowed",
    ];
    let a = &presented.approval;
    let key = presented.key.as_deref().unwrap_or_default();
    let own = demand.asked_as(&a.approver_id, key, presented.is_by_login());
    broken_rules(presented, demand)
        .into_iter()
        .filter(|(token, _)| {
            let rule = token.strip_prefix("approval.").unwrap_or(token);
            let excused = ONLY_YES.contains(&rule) || own && rule == "approverId.listed";
            !excused
        })
        .collect()
}

fn broken_rules(presented: &Presented, demand: &Demand<'_>) -> Vec<(String, Reason)> {
    let a = &presented.approval;
    let mut broken: Vec<(String, Reason)> = Vec::new();
    let mut fault = |ok: bool, token: &str, reason: Reason| {
        if !ok {
            broken.push((format!("approval.{token}"), reason));
        }
    };
    let invalid = Reason::ApprovalInvalid;
    fault(!a.approval_id.trim().is_empty(), "approvalId", invalid);
    fault(
        a.approval_id.trim().is_empty() || a.approval_id.parse::<ApprovalId>().is_ok(),
        "approvalId.format",
        invalid,
    );
    fault(!a.approver_role.trim().is_empty(), "approverRole", invalid);
    fault(!a.approver_id.trim().is_empty(), "approverId", invalid);
    fault(!a.decision.is_empty(), "decision", invalid);
    fault(
        a.decision.is_empty() || a.decision == "approved",
        "decision.approved",
        invalid,
    );
    fault(!a.decided_at.is_empty(), "decidedAt", invalid);
    let decided = a.decided_at.parse::<Timestamp>();
    fault(
        a.decided_at.is_empty() || decided.is_ok(),
        "decidedAt.format",
        invalid,
    );
    fault(a.sla_minutes > 0, "slaMinutes", invalid);
    let sla = Span::from_secs(a.sla_minutes.saturating_mul(60));
    fault(
        sla <= demand.policy.max_sla,
        "slaMinutes.withinThreshold",
        invalid,
    );
    if let Ok(decided) = decided {
        fault(
            decided <= demand.now.after(SKEW),
            "decidedAt.notInFuture",
            invalid,
        );
        // Exactly at the end it is over.
        fault(
            demand.now < decided.after(sla),
            "notExpired",
            Reason::ApprovalExpired,
        );
    }
    fault(!a.environment.is_empty(), "environment", invalid);
    fault(
        a.environment.is_empty() || a.environment == demand.environment,
        "environment.match",
        invalid,
    );
    fault(!a.plan_fingerprint.is_empty(), "planFingerprint", invalid);
    let same = a.plan_fingerprint.parse() == Ok(demand.fingerprint);
    fault(
        a.plan_fingerprint.is_empty() || same,
        "planFingerprint.match",
        invalid,
    );
    fault(
        presented.used_by.is_none(),
        "singleUse",
        Reason::ApprovalReused,
    );
    fault(
        presented.revoked_by.is_none(),
        "notRevoked",
        Reason::ApprovalRevoked,
    );
    fault(
        !presented.superseded,
        "notSuperseded",
        Reason::PlanSuperseded,
    );
    let by_login = presented.is_by_login();
    let vouched = by_login && presented.key.is_none() && presented.by_server;
    fault(
        presented.key.is_some() && !by_login || vouched,
        "signature",
        invalid,
    );

    let policy = demand.policy;
    fault(
        !by_login || policy.login,
        "login.allowed",
        Reason::ApprovalKeyRequired,
    );
    if !policy.roles.is_empty() {
        fault(
            policy.roles.contains(&a.approver_role),
            "approverRole.allowed",
            invalid,
        );
    }
    let key = presented.key.as_deref().unwrap_or_default();
    let own_delegation = presented
        .delegation
        .as_ref()
        .is_some_and(|d| d.key.as_deref().is_some_and(|k| demand.asked_with(k)));
    let own = [a.approver_id.as_str(), presented.voice_of()]
        .iter()
        .any(|id| demand.asked(id))
        || demand.asked_with(key)
        || own_delegation;
    fault(
        policy.own || !own,
        "approverId.notRequester",
        Reason::ApprovalSelfGiven,
    );
    if presented.is_delegated() {
        broken.extend(delegation::broken_rules(presented, demand));
        return broken;
    }
    let listed = policy
        .approvers
        .iter()
        .any(|p| p.id == a.approver_id && p.role == a.approver_role && (by_login || p.key == key));
    // Where self-approval is allowed, the requester's own signature is enough; nobody else's unlisted key is.
    let own_key = policy.own && demand.asked_as(&a.approver_id, key, by_login);
    let mut fault = |ok: bool, token: &str, reason: Reason| {
        if !ok {
            broken.push((format!("approval.{token}"), reason));
        }
    };
    fault(listed || own_key, "approverId.listed", invalid);
    broken
}

/// Returns every token that a refusal can hold, for the reference page.
pub const TOKENS: &[(&str, &str)] = &[
    ("approval", "no approval names the plan"),
    ("approval.approvalId", "empty"),
    ("approval.approvalId.format", "not an approval id"),
    ("approval.approverRole", "empty"),
    ("approval.approverId", "empty"),
    ("approval.decision", "empty"),
    ("approval.decision.approved", "not exactly `approved`"),
    ("approval.decidedAt", "empty"),
    ("approval.decidedAt.format", "not RFC 3339"),
    ("approval.slaMinutes", "zero"),
    (
        "approval.slaMinutes.withinThreshold",
        "longer than the environment's `max_sla`",
    ),
    (
        "approval.decidedAt.notInFuture",
        "more than 5 s ahead of now",
    ),
    ("approval.notExpired", "decidedAt + slaMinutes is over"),
    ("approval.environment", "empty"),
    ("approval.environment.match", "another environment"),
    ("approval.planFingerprint", "empty"),
    ("approval.planFingerprint.match", "another plan"),
    ("approval.singleUse", "used by an earlier operation"),
    (
        "approval.notRevoked",
        "taken back by its giver, or by an admin",
    ),
    (
        "approval.notSuperseded",
        "a newer plan was made after it was given, or it was given before the plan was made again",
    ),
    (
        "approval.signature",
        "no signature verifies, and no server vouches for a login",
    ),
    (
        "approval.login.allowed",
        "given by login, and the environment does not say `login = true`",
    ),
    (
        "approval.approverRole.allowed",
        "role not in the environment's `roles`",
    ),
    (
        "approval.approverId.notRequester",
        "somebody approved who asked for the plan, first or later, or for whom an agent asked, and `self` is not allowed",
    ),
    (
        "approval.delegation.allowed",
        "given for somebody else, and the environment says no `delegation`",
    ),
    (
        "approval.delegation.known",
        "no such delegation by the person for whom it was given",
    ),
    (
        "approval.delegation.from.listed",
        "who delegated is no listed approver of that role, or did not sign with the listed key",
    ),
    (
        "approval.delegation.to.match",
        "delegated to somebody else, or to another key",
    ),
    (
        "approval.delegation.environment",
        "delegated for other environments",
    ),
    (
        "approval.delegation.inForce",
        "not delegated yet, not any more, or for longer than the environment's `delegation`",
    ),
    (
        "approval.delegation.notWithdrawn",
        "the delegation was withdrawn",
    ),
    (
        "approval.approverId.listed",
        "id, role and key are not together in the environment's `approvers`",
    ),
    (
        "approval.quorum",
        "fewer different approvers than `required`",
    ),
    (
        "approval.notRejected",
        "an approver, or the requester, rejected the plan; only their own later approval takes that back",
    ),
    (
        "approval.policyBefore",
        "the policy asks for less than the last operation's did, and that one does not hold, too",
    ),
    (
        "approval.requester.listed",
        "the requester's id and key are not together in `requesters` or `approvers`",
    ),
];

#[cfg(test)]
mod tests;
