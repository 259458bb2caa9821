//! The list.

use super::tool::{Method, Route, Tool};
use super::{
    ApplyChange, ApprovalDecide, ApprovalList, ApprovalQueue, ApprovalRequest, ApprovalRevoke,
    ApprovalShow, ApprovalSubmit, DelegationGive, DelegationList, DelegationWithdraw, EvidenceGet,
    EvidenceSearch, FreezeDeclare, FreezeEnd, FreezeList, GatesDashboard, GlassBreak,
    IncidentClose, IncidentList, IncidentShow, KnownGoodList, KnownGoodPromote, OperationCancel,
    OperationDispatch, OperationGet, OperationList, OperationResume, OperationShow,
    OperationTriage, PinList, PinRemove, PinSet, PlanChange, PlanDiff, PlanGet, PlanLint, PlanList,
    ReadActivity, ReadEntities, RollbackChange, RollbackPosture, RollbackPostureGet,
    RollbackPreview, SloReport, StatusGet, ValidatePlan, Whoami,
};

/// Every use case that more than one door reaches, by name.
pub static TOOLS: [Tool; 48] = [
    Tool::of::<ApplyChange>(),
    Tool::of::<ApprovalDecide>(),
    Tool::of::<ApprovalList>(),
    Tool::of::<ApprovalQueue>(),
    Tool::of::<ApprovalRequest>(),
    Tool::of::<ApprovalRevoke>(),
    Tool::of::<ApprovalShow>(),
    Tool::of::<ApprovalSubmit>(),
    Tool::of::<GlassBreak>(),
    Tool::of::<DelegationGive>(),
    Tool::of::<DelegationList>(),
    Tool::of::<DelegationWithdraw>(),
    Tool::of::<EvidenceGet>(),
    Tool::of::<EvidenceSearch>(),
    Tool::of::<FreezeDeclare>(),
    Tool::of::<FreezeEnd>(),
    Tool::of::<FreezeList>(),
    Tool::of::<GatesDashboard>(),
    Tool::of::<IncidentClose>(),
    Tool::of::<IncidentList>(),
    Tool::of::<IncidentShow>(),
    Tool::of::<KnownGoodList>(),
    Tool::of::<KnownGoodPromote>(),
    Tool::of::<OperationCancel>(),
    Tool::of::<OperationDispatch>(),
    Tool::of::<OperationGet>(),
    Tool::of::<OperationList>(),
    Tool::of::<OperationResume>(),
    Tool::of::<OperationShow>(),
    Tool::of::<OperationTriage>(),
    Tool::of::<PinList>(),
    Tool::of::<PinRemove>(),
    Tool::of::<PinSet>(),
    Tool::of::<PlanChange>(),
    Tool::of::<PlanDiff>(),
    Tool::of::<PlanGet>(),
    Tool::of::<PlanLint>(),
    Tool::of::<PlanList>(),
    Tool::of::<ReadActivity>(),
    Tool::of::<ReadEntities>(),
    Tool::of::<RollbackChange>(),
    Tool::of::<RollbackPosture>(),
    Tool::of::<RollbackPostureGet>(),
    Tool::of::<RollbackPreview>(),
    Tool::of::<SloReport>(),
    Tool::of::<StatusGet>(),
    Tool::of::<ValidatePlan>(),
    Tool::of::<Whoami>(),
];

/// What `If-Match` of a request to `route` is held against: the resource at the same address, else the one, or the list, that it is part
/// of.
pub fn guarded(tool: &Tool, route: &Route) -> Option<(&'static Tool, Route)> {
    if route.method != Method::Post {
        return None;
    }
    debug_assert!(tool.facts.routes.contains(route));
    let looks = TOOLS.iter().flat_map(|tool| {
        let routes = tool.facts.routes.iter();
        routes.map(move |route| (tool, *route))
    });
    looks
        .filter(|(_, of)| of.method == Method::Get)
        .filter(|(_, of)| {
            let rest = route.path.strip_prefix(of.path);
            rest.is_some_and(|r| r.is_empty() || r.starts_with('/'))
        })
        .max_by_key(|(_, of)| of.path.len())
}

/// The tool of this name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|t| t.facts.name == name)
}
