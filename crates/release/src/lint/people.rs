//! Whether the approval policy can be satisfied at all, given who asks.

use std::collections::BTreeSet;

use gonogo_core::Reason;

use super::{Facts, Findings, Severity};
use crate::approval::ApprovalPolicy;
use crate::plan::PlanBody;

pub(super) fn lint(body: &PlanBody, facts: &Facts<'_>, found: &mut Findings) {
    policy(body, &body.approval, "", facts, found);
    if let Some(before) = &body.approval_before {
        found.add(
            Reason::ApprovalWeakened,
            Severity::Warning,
            format!(
                "environment `{}` asks for less approval than its last operation was held to, so both policies must hold",
                body.environment
            ),
            "have those approve who had to before; `gonogo plan show` lists them",
        );
        policy(body, before, BEFORE, facts, found);
    }
}

/// Which policy is meant that the file no longer says.
const BEFORE: &str = ", by the policy that its last operation was held to";

fn policy(
    body: &PlanBody,
    policy: &ApprovalPolicy,
    which: &str,
    facts: &Facts<'_>,
    found: &mut Findings,
) {
    if !facts.requester_key.is_empty() && !policy.may_ask(facts.requester, facts.requester_key) {
        found.add(
            Reason::RequesterUnlisted,
            Severity::Error,
            format!(
                "`{}` asks, and environment `{}` does not know the name with this key{which}",
                facts.requester, body.environment
            ),
            match which {
                "" => "ask under a listed name, or list the name and its key in `requesters`",
                _ => "let somebody ask whom both policies list; the file's counts alone once an operation was held to it",
            },
        );
    }
    let role_counts = |role: &String| policy.roles.is_empty() || policy.roles.contains(role);
    let own_key = |key: &str| !key.is_empty() && key == facts.requester_key;
    let own = |id: &str, key: &str| id == facts.requester || own_key(key);
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    for one in &policy.approvers {
        if role_counts(&one.role) && (policy.own || !own(&one.id, &one.key)) {
            ids.insert(&one.id);
            keys.insert(&one.key);
        }
    }
    if policy.own {
        ids.insert(facts.requester);
        keys.insert(facts.requester_key);
    }
    // One person with two keys, or one key under two names, is one voice: more than this cannot be.
    let voices = ids.len().min(keys.len());
    let required = policy.required.max(1) as usize;
    if voices >= required {
        return;
    }
    let why = if policy.own || !policy.approvers.iter().any(|p| own(&p.id, &p.key)) {
        String::new()
    } else {
        format!(
            ", because `{}` asks and may not approve too",
            facts.requester
        )
    };
    found.error(
        format!(
            "environment `{}` demands {required} approvals, and at most {voices} can be given{why}",
            body.environment
        ),
        "name more `approvers`, or let somebody else ask",
    );
}
