//! What gonogo is held to, and the gates of a release as they stand.

use gonogo_core::{Reason, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use crate::slo::{self, SloReported};
use crate::{AppError, boards};

/// A span of time, like `6h`: at most 35 days, because nothing is kept for longer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Window(
    #[schemars(regex(pattern = r"^([1-9][0-9]{0,2}(s|m|h)|([1-9]|[12][0-9]|3[0-5])d)$"))] pub String,
);

/// Input of `slo_report`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SloReport {
    /// How far back; as the configuration says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

impl UseCase for SloReport {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/slo")],
        examples: &["{}", r#"{"window": "6h"}"#],
        ..Facts::read(
            "slo_report",
            "Report on objectives",
            "Compares measured times, errors and traces of the last hours with what is promised: met, missed, or no data. Too little data is never met.",
        )
    };
    type Answer = SloReported;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<SloReported>, AppError> {
        let window = self.window.map(|w| w.0.parse::<Span>()).transpose();
        let window =
            window.map_err(|e| AppError::new(Reason::InputMalformed, format!("window: {e}")))?;
        let data = slo::report(desk.workspace, window)?;
        Ok(Answered {
            exit: data.result.exit(),
            ..data.into()
        })
    }
}

/// Input of `gates_dashboard`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatesDashboard {}

impl UseCase for GatesDashboard {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/gates")],
        examples: &["{}"],
        ..Facts::read(
            "gates_dashboard",
            "Show the gates of a release",
            "Shows each gate of release-gates.toml with owner, status, evidence and age, and the decision: go, conditional, no-go or undecided. Statuses come from evidence that is looked at; nobody types them.",
        )
    };
    type Answer = boards::Dashboard;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<boards::Dashboard>, AppError> {
        let data = boards::dashboard(desk.workspace)?;
        Ok(Answered {
            exit: data.decision.exit(),
            ..data.into()
        })
    }
}
