//! What a decision that was recorded comes to.

use gonogo_core::{Span, Timestamp};
use gonogo_release::approval::{self, Approval, Demand};
use gonogo_release::plan::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KIND, Recorded, demand, presented, read_record};
use crate::{AppError, Workspace, planning};

/// An approval just given.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    /// The approval.
    pub approval: Approval,
    /// Key id of the signer; empty where a login decided.
    pub key: String,
    /// When it stops counting.
    pub expires: Timestamp,
    /// Whether the approver is also the requester.
    pub own: bool,
    /// Whose rejections stand against the plan now; while there is one it cannot be applied.
    pub rejected_by: Vec<String>,
    /// Why the plan could not be applied now though it is approved; none if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
}

/// The decision that this request has recorded before it was cut off, if it did.
pub(super) fn left(
    ws: &Workspace,
    plan: &Plan,
    recorded: &Recorded,
    now: Timestamp,
) -> Result<Option<Given>, AppError> {
    let Some(record) = ws.left(KIND)? else {
        return Ok(None);
    };
    let (approval, key) = read_record(&record.body);
    let key = key.unwrap_or_default();
    let own = recorded.asked(plan, &approval.approver_id, &key);
    told(ws, plan, approval, key, own, &demand(plan, recorded, now)).map(Some)
}

/// What a decision that was just recorded comes to.
pub(super) fn told(
    ws: &Workspace,
    plan: &Plan,
    approval: Approval,
    key: String,
    own: bool,
    demanded: &Demand<'_>,
) -> Result<Given, AppError> {
    let all = presented(ws, plan)?;
    let vetoes = approval::vetoes(&all, demanded);
    let mut rejected_by: Vec<String> = vetoes
        .iter()
        .map(|v| v.approval.approver_id.clone())
        .collect();
    rejected_by.dedup();
    // It holds since it was decided, whenever it was brought.
    let decided = approval.decided_at.parse().unwrap_or(demanded.now);
    Ok(Given {
        expires: decided.after(Span::from_secs(approval.sla_minutes.saturating_mul(60))),
        own,
        key,
        rejected_by,
        stale: planning::standing(ws, plan).err().map(|e| e.message),
        approval,
    })
}
