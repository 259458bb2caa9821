//! `[telemetry]` and `[slo]`: what gonogo tells of itself, and what it is held to.
//!
//! Invariant: objectives that are looser than the contract's are known as such ([`SloFile::is_looser`]), and no file hides it.

use gonogo_core::{Share, Span};

use super::keys::{SLO, TELEMETRY};
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::secret;

/// `[telemetry]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct TelemetryFile {
    pub endpoint: Option<String>,
    pub metrics_open: bool,
}

/// `[slo]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct SloFile {
    pub window: Span,
    pub validate_p95: Span,
    pub plan_p95: Span,
    pub errors: Share,
    pub traces: Share,
    pub min_calls: u64,
}

impl Default for SloFile {
    /// The contract's objectives.
    fn default() -> Self {
        Self {
            window: Span::from_secs(6 * 3600),
            validate_p95: Span::from_secs(2),
            plan_p95: Span::from_secs(5),
            errors: Share::from_percent(1),
            traces: Share::FULL,
            min_calls: 20,
        }
    }
}

/// The longest window: measured calls are not kept for longer.
pub const LONGEST_WINDOW: Span = Span::from_secs(35 * 86_400);

pub(super) fn telemetry(root: &Table<'_, '_>) -> TelemetryFile {
    let Some(table) = root.table("telemetry", &TELEMETRY) else {
        return TelemetryFile::default();
    };
    let endpoint = table.text("endpoint");
    if let Some(found) = &endpoint {
        let url = found.value.as_str();
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            found.refuse(
                table.faults,
                "expected an address like `http://127.0.0.1:4318`",
            );
        } else if secret::is_secret_value(url) || url.contains('@') {
            found.refuse(
                table.faults,
                "the address holds what looks like a secret; use the variable OTEL_EXPORTER_OTLP_HEADERS",
            );
        }
    }
    TelemetryFile {
        endpoint: endpoint.map(|e| e.value),
        metrics_open: table.flag("metrics_open").is_some_and(|f| f.value),
    }
}

pub(super) fn slo(root: &Table<'_, '_>) -> SloFile {
    let Some(table) = root.table("slo", &SLO) else {
        return SloFile::default();
    };
    let span = |name: &str, most: Span| {
        let found: Found<Span> = defaulted(&table, name);
        if found.value == Span::ZERO || found.value > most {
            found.refuse(
                table.faults,
                format!("expected more than 0s, at most {most}"),
            );
        }
        found.value
    };
    let share = |name: &str| {
        let found: Found<Share> = defaulted(&table, name);
        found.value
    };
    let min_calls = table.count("min_calls");
    if let Some(found) = min_calls.as_ref().filter(|f| f.value == 0) {
        found.refuse(table.faults, "expected at least 1: nothing says nothing");
    }
    SloFile {
        window: span("window", LONGEST_WINDOW),
        validate_p95: span("validate_p95", Span::from_secs(100)),
        plan_p95: span("plan_p95", Span::from_secs(100)),
        errors: share("errors"),
        traces: share("traces"),
        min_calls: min_calls.map_or(SloFile::default().min_calls, |f| f.value),
    }
}
