//! The registry: each use case that more than one door reaches, once, with everything that a door needs to know of it.
//!
//! HTTP routes, MCP tools, the OpenAPI document, the reference page and `gonogo call` are made from [`TOOLS`]; none of them has a list
//! of its own. What comes in is held against the use case's schema first ([`Tool::call`]), so that what is promised and what is refused
//! are one thing. Why: docs/adr/0017-one-registry-of-doors.md.

mod approvals;
mod channel;
mod controls;
mod desk;
mod dispatch;
mod entities;
mod evidence;
mod examples;
mod incidents;
mod observing;
mod once;
mod openapi;
mod operations;
mod page;
mod plans;
mod posture;
mod registry;
mod schema;
mod server;
mod shown;
mod tool;
mod whoami;
mod words;

pub use crate::secrets::is_secret;
pub use approvals::{ApprovalDecide, ApprovalList, Decision};
pub use channel::{
    ApprovalQueue, ApprovalRequest, ApprovalRevoke, ApprovalShow, ApprovalSubmit, DelegationGive,
    DelegationList, DelegationWithdraw,
};
pub use controls::{
    FreezeDeclare, FreezeEnd, FreezeList, Freezes, KnownGoodList, KnownGoodPromote, KnownGoods,
    PinList, PinRemove, PinSet, Pins, RollbackPreview,
};
pub use desk::{Answered, Desk, Done};
pub use dispatch::{DispatchInput, OperationDispatch, Taken};
pub use entities::{EnvironmentStatus, ReadActivity, ReadEntities, ServiceStatus, StatusGet};
pub use evidence::{Code, EvidenceGet, EvidenceSearch, RecordDoc, Records};
pub use incidents::{GlassBreak, IncidentClose, IncidentList, IncidentShow};
pub use observing::{GatesDashboard, SloReport, Window};
pub use once::{Once, Reads};
pub use openapi::{LEAST_TIMEOUT_MS, LONGEST_WAIT, document as openapi};
pub use operations::{
    Accepted, ApplyChange, Handle, Mode, OpenEffect, OperationCancel, OperationDoc, OperationGet,
    OperationList, Operations, RollbackChange, RollbackStatus, RolledBack, Status, Triage, awaited,
    caught_up, operation_doc,
};
pub use page::doors as page;
pub use plans::{
    ChangePlanned, PlanChange, PlanDiff, PlanGet, PlanLint, PlanList, PlanShown, PlanStatus,
    ValidatePlan, made_nothing,
};
pub use posture::{PostureShown, RollbackPosture, RollbackPostureGet};
pub use registry::{TOOLS, find, guarded};
pub use schema::whole;
pub use server::{EXIT, Server, class_of};
pub use shown::{
    Attention, Decided, OperationResume, OperationShow, OperationShown, OperationTriage, Resumed,
    operation_shown,
};
pub(crate) use shown::{answered, effects_of};

pub use tool::{Facts, Method, Route, Tool, UseCase};
pub use whoami::{Whoami, WhoamiDoc};
pub use words::{
    ApprovalRef, BackTo, EnvironmentName, FreezeRef, IncidentRef, Key, Limit, Moment,
    OperationPage, OperationRef, PersonName, PinTarget, PlanRef, RoleName, VersionName, Why,
};
