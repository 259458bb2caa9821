//! Where a tool's call is carried out: in the project behind this process, or by another server.

use std::sync::Arc;

use gonogo_app::AppError;
use gonogo_app::access::Principal;
use gonogo_app::doors::{Done, Server, Tool};
use gonogo_core::Reason;
use gonogo_core::envelope::Class;
use gonogo_telemetry::Context;
use serde_json::Value;

use crate::http::{Door, carry_out};

/// Where calls are carried out.
#[derive(Clone)]
pub(super) enum Way {
    /// In the project that this process has open, as HTTP's calls are.
    Here(Arc<Door>),
    /// By a server, in the name of whoever its token says.
    There(Arc<Server>),
}

impl Way {
    /// Carries a call out: the one place that every call of MCP passes.
    pub(super) async fn call(
        &self,
        tool: &'static Tool,
        input: Value,
        principal: &Principal,
        trace: &str,
    ) -> Result<Done, AppError> {
        match self {
            Self::Here(door) => {
                let context = Context::of(trace);
                carry_out(door, tool, input, principal.clone(), &context).await
            }
            Self::There(server) => {
                let (server, trace) = (Arc::clone(server), trace.to_owned());
                let facts = &tool.facts;
                let work = move || server.call(facts.name, facts.class, input, &trace);
                let joined = tokio::task::spawn_blocking(work).await;
                joined.map_err(|e| AppError::new(Reason::Internal, e.to_string()))?
            }
        }
    }

    /// Whether calls of this class can come to anything here; a server refuses for itself.
    pub(super) fn allows(&self, class: Class) -> bool {
        match self {
            Self::Here(door) => class != Class::Apply || door.allow_apply,
            Self::There(_) => true,
        }
    }

    /// Whether the principal is known here, and with them what they may do.
    pub(super) fn knows_scopes(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    /// Where people look at what agents ask for; empty if nowhere.
    pub(super) fn base(&self) -> &str {
        match self {
            Self::Here(door) => door.lanes.base(),
            Self::There(server) => server.base(),
        }
    }
}
