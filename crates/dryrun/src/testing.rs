//! What several tests need: a specification with nothing in it, moments.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;

use crate::sign_off::Criteria;
use crate::spec::{
    Capture, Compression, EvidenceFormat, EvidenceSpec, Gaps, Grace, Lines, NumericLevels,
    ResourceSpec, RunSpec, SCHEMA, StderrPolicy,
};
use crate::{Moment, Status};

/// 2026-11-01T00:00:00Z in nanoseconds.
pub(crate) const BASE: i64 = 1_793_491_200_000_000_000;

/// A moment, seconds after the run's beginning.
pub(crate) fn at(seconds: f64) -> Moment {
    Moment {
        boot: 1_000_000_000_000 + (seconds * 1e9) as u64,
        wall: BASE + (seconds * 1e9) as i64,
    }
}

pub(crate) fn lines() -> Lines {
    Lines {
        monitor: true,
        stderr: StderrPolicy::Error,
        allow: Vec::new(),
        numeric: NumericLevels::Auto,
        source_field: None,
    }
}

pub(crate) fn evidence(name: &str, format: EvidenceFormat) -> EvidenceSpec {
    EvidenceSpec {
        name: name.to_owned(),
        path: format!("/evidence/{name}"),
        format,
        required: true,
        stale_warn_seconds: None,
        stale_fail_seconds: None,
        time_pointer: None,
        min_entries: None,
        min_entries_per_day: 0,
        daily_gap_severity: Status::Warn,
        thresholds: Vec::new(),
    }
}

/// An hour, an hour and six of silence, nothing required.
pub(crate) fn spec() -> RunSpec {
    RunSpec {
        artifacts: Vec::new(),
        schema: SCHEMA.to_owned(),
        run_id: "run-1".to_owned(),
        slug: "slug".to_owned(),
        created_at: Timestamp::from_millis(BASE / 1_000_000),
        command: vec!["child".to_owned()],
        directory: "/".to_owned(),
        environment: BTreeMap::new(),
        log_dir: "/logs".to_owned(),
        progress_path: None,
        timeline_dir: None,
        target_seconds: 3600.0,
        criteria: Criteria {
            minimum_duration_seconds: Some(3600.0),
            duration_tolerance_seconds: 1.0,
            minimum_uptime_ratio: Some(0.98),
            require_diary: false,
            require_performance: false,
            allow_warnings: false,
            minimum_sharpe_ratio: None,
        },
        grace_seconds: Grace {
            interrupt: 60.0,
            terminate: 10.0,
        },
        drain_seconds: 10.0,
        capture: Capture {
            compression: Compression::None,
            views: true,
            rotate_seconds: None,
            rotate_bytes: None,
            ballast_bytes: 0,
            packs_raw: false,
            member_bytes: 1 << 20,
        },
        lines: lines(),
        gaps: Gaps {
            startup_seconds: 0.0,
            warn_seconds: 3600.0,
            fail_seconds: 21_600.0,
            live_seconds: None,
            live_severity: Status::Warn,
        },
        heartbeat: None,
        evidence: Vec::new(),
        evidence_grace_seconds: 0.0,
        evidence_interval_seconds: Some(1.0),
        resources: ResourceSpec {
            interval_seconds: Some(60.0),
            max_cpu_percent: None,
            max_memory_mb: None,
            max_memory_percent: None,
            severity: Status::Fail,
            sustained_seconds: 0.0,
        },
        progress_interval_seconds: Some(300.0),
        explained: BTreeMap::new(),
        metadata: BTreeMap::new(),
        clock_scale: 1.0,
    }
}
