//! The rollback posture through doors.

use gonogo_core::Exit;
use gonogo_core::envelope::{Class, Frame};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use super::words::{EnvironmentName, VersionName, Why};
use crate::AppError;
use crate::access::Scope;
use crate::controls::posture::{self, IsNow, PostureDoc, PostureNow, Stands, Wanted};

/// Input of `rollback_posture`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackPosture {
    /// Environment.
    pub environment: EnvironmentName,
    /// Known-good version to hold to; the pinned one, or the one that a rollback goes to, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<VersionName>,
    /// Whether to open the environment again, once everything before is proven.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reopen: bool,
    /// Why.
    pub why: Why,
}

impl UseCase for RollbackPosture {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ControlWrite,
        people_only: true,
        idempotent: false,
        routes: &[Route::post("/v1/environments/{environment}/posture", 200)],
        not_mcp: "it ends by taking away what holds applications back, which is for people",
        examples: &[r#"{"environment": "local", "why": "2.0.0 loses orders"}"#],
        urgent: true,
        ..Facts::read(
            "rollback_posture",
            "Take the rollback posture",
            "Freezes an environment, pins it to known-good, plans again and, if asked, opens it once the gates pass: each step proven by what it does. It can be interrupted anywhere and goes on where it stands.",
        )
    };
    type Answer = PostureDoc;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<PostureDoc>, AppError> {
        let wanted = Wanted {
            environment: Some(self.environment.0),
            to: self.to.map(|v| v.0),
            why: self.why.0,
            reopen: self.reopen,
        };
        let call = |tool: &'static str, input: Value| envelope(desk, tool, input);
        let data = posture::run(desk.workspace, &wanted, &call)?;
        let unproven = data.steps.iter().any(|s| s.state == Stands::Unproven);
        Ok(Answered {
            exit: match (data.reopened, unproven) {
                (true, _) => Exit::Done,
                (false, true) => Exit::Unjudged,
                (false, false) => Exit::Hold,
            },
            ..data.into()
        })
    }
}

/// Calls a use case as a door does.
fn envelope(desk: &Desk<'_>, name: &'static str, input: Value) -> Value {
    let Some(tool) = super::find(name) else {
        return Value::Null;
    };
    let frame = Frame {
        tool_id: name.into(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
        class: tool.facts.class,
        trace_id: match desk.trace() {
            "" => "posture".into(),
            trace => trace.into(),
        },
        timestamp: desk.workspace.clock.now().wall,
    };
    match tool.call(input, desk) {
        Ok(done) => frame.success(done.data),
        Err(e) => frame.failure(&e.failure()),
    }
}

/// Input of `rollback_posture_get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackPostureGet {
    /// Environment.
    pub environment: EnvironmentName,
}

/// What is so now, and what was proven last.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostureShown {
    /// What is so now.
    pub now: PostureNow,
    /// The last run; none if there was none.
    pub last: Option<PostureDoc>,
}

impl UseCase for RollbackPostureGet {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/environments/{environment}/posture")],
        examples: &[r#"{"environment": "local"}"#],
        ..Facts::read(
            "rollback_posture_get",
            "Show the rollback posture",
            "Says whether an environment is open or closed now, and what the last run of its rollback posture proved. Nothing is tried again.",
        )
    };
    type Answer = PostureShown;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<PostureShown>, AppError> {
        let ws = desk.workspace;
        let environment = ws.config.environment(Some(&self.environment.0))?;
        let last = posture::last(ws, &environment.name)?;
        let now = posture::now(ws, environment);
        Ok(Answered {
            exit: match (now.state, &now.posture) {
                (IsNow::Unknown, _) => Exit::Unjudged,
                // Begun and not ended: somebody has to go on with it.
                (_, Some(_)) => Exit::Hold,
                (IsNow::Open, None) => Exit::Done,
                (IsNow::HalfClosed | IsNow::Closed, None) => Exit::Hold,
            },
            ..PostureShown { now, last }.into()
        })
    }
}
