//! The registry: each use case that more than one door reaches, once, with everything that a door needs to know of it.
//!
//! HTTP routes, MCP tools, the OpenAPI document, the reference page and `gonogo call` are made from [`TOOLS`]; none of them has a list
//! of its own. What comes in is held against the use case's schema first ([`Tool::call`]), so that what is promised and what is refused
//! are one thing. Why: docs/adr/0017-one-registry-of-doors.md.

mod approvals;
mod desk;
mod entities;
mod evidence;
mod openapi;
mod operations;
mod page;
mod plans;
mod registry;
mod schema;
mod tool;
mod words;

pub use approvals::{ApprovalDecide, ApprovalList};
pub use desk::{Answered, Desk, Done};
pub use entities::{ReadActivity, ReadEntities, StatusGet};
pub use evidence::{EvidenceGet, EvidenceSearch};
pub use openapi::{LONGEST_WAIT, document as openapi};
pub use operations::{
    ApplyChange, Handle, OperationCancel, OperationDoc, OperationGet, OperationList,
    RollbackChange, Triage, operation_doc,
};
pub use page::doors as page;
pub use plans::{PlanChange, PlanDiff, PlanGet, PlanList, ValidatePlan};
pub use registry::{TOOLS, find};
pub use tool::{Facts, Method, Route, Tool, UseCase};
