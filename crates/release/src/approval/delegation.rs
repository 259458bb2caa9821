//! Delegation: an approver lets somebody else speak for them, for named environments and a bounded time. It is not transitive: who
//! delegates must be listed, and a delegate is listed nowhere.

use gonogo_core::{Reason, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Demand, Presented, SKEW};

/// A delegation as stored and signed by who gives it. Times are text, as an approval's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Delegation {
    /// Its id.
    pub delegation_id: String,
    /// Who lets somebody speak for them.
    pub from: String,
    /// Who may.
    pub to: String,
    /// Their key's id; empty lets them speak by login alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to_key: String,
    /// Where.
    pub environments: Vec<String>,
    /// Since when. RFC 3339.
    pub given_at: String,
    /// Until when. RFC 3339.
    pub until: String,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// How the giver showed who they are, where no key of theirs signed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub means: String,
}

/// A delegation together with what the caller found out about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delegated {
    /// What was said.
    pub delegation: Delegation,
    /// Key id of the key whose signature verified; none if no signature did.
    pub key: Option<String>,
    /// Whether a server's own key vouches for the giver's login.
    pub by_server: bool,
    /// Who withdrew it, if somebody did.
    pub withdrawn_by: Option<String>,
}

impl Delegation {
    /// For how long it was given; nothing if its times cannot be read or are the wrong way round.
    pub fn lasts(&self) -> Option<Span> {
        let (from, until) = self.times()?;
        (from < until).then(|| until.since(from))
    }

    fn times(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.given_at.parse().ok()?, self.until.parse().ok()?))
    }

    /// Whether it holds at `at`.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.times()
            .is_some_and(|(from, until)| from <= at.after(SKEW) && at < until)
    }
}

/// The rules that an approval on somebody's behalf breaks, beside those of every approval.
pub(super) fn broken_rules(presented: &Presented, demand: &Demand<'_>) -> Vec<(String, Reason)> {
    let (a, policy) = (&presented.approval, demand.policy);
    let mut broken = Vec::new();
    let mut fault = |ok: bool, token: &str| {
        if !ok {
            let token = format!("approval.delegation.{token}");
            broken.push((token, Reason::DelegationInvalid));
        }
    };
    fault(policy.delegation.is_some(), "allowed");
    let known = presented.delegation.as_ref().filter(|d| {
        let said = &d.delegation;
        !a.delegation.is_empty()
            && said.delegation_id == a.delegation
            && said.from == a.delegated_by
    });
    fault(known.is_some(), "known");
    let Some(known) = known else {
        return broken;
    };
    let said = &known.delegation;
    let by_login = !said.means.is_empty();
    let vouched = by_login && known.by_server && known.key.is_none() && policy.login;
    let listed = policy.approvers.iter().any(|p| {
        let signed = !by_login && known.key.as_deref() == Some(p.key.as_str());
        p.id == said.from && p.role == a.approver_role && (signed || vouched)
    });
    fault(listed, "from.listed");
    let same_key = presented.is_by_login()
        || !said.to_key.is_empty() && presented.key.as_deref() == Some(said.to_key.as_str());
    fault(said.to == a.approver_id && same_key, "to.match");
    let named = said.environments.iter().any(|e| e == demand.environment);
    fault(named, "environment");
    let decided = a.decided_at.parse::<Timestamp>();
    let short = said
        .lasts()
        .is_some_and(|lasts| policy.delegation.is_none_or(|most| lasts <= most));
    let in_force = decided.is_ok_and(|at| said.holds(at)) && said.holds(demand.now);
    fault(short && in_force, "inForce");
    fault(known.withdrawn_by.is_none(), "notWithdrawn");
    broken
}
