//! The list.

use super::tool::Tool;
use super::{
    ApplyChange, ApprovalDecide, ApprovalList, EvidenceGet, EvidenceSearch, OperationCancel,
    OperationGet, OperationList, PlanChange, PlanDiff, PlanGet, PlanList, ReadActivity,
    ReadEntities, RollbackChange, StatusGet, ValidatePlan,
};

/// Every use case that more than one door reaches, by name.
pub static TOOLS: [Tool; 17] = [
    Tool::of::<ApplyChange>(),
    Tool::of::<ApprovalDecide>(),
    Tool::of::<ApprovalList>(),
    Tool::of::<EvidenceGet>(),
    Tool::of::<EvidenceSearch>(),
    Tool::of::<OperationCancel>(),
    Tool::of::<OperationGet>(),
    Tool::of::<OperationList>(),
    Tool::of::<PlanChange>(),
    Tool::of::<PlanDiff>(),
    Tool::of::<PlanGet>(),
    Tool::of::<PlanList>(),
    Tool::of::<ReadActivity>(),
    Tool::of::<ReadEntities>(),
    Tool::of::<RollbackChange>(),
    Tool::of::<StatusGet>(),
    Tool::of::<ValidatePlan>(),
];

/// The tool of this name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|t| t.facts.name == name)
}
