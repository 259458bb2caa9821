//! Suites and gates in figures, one part in each file: readers of reports, runbook, clusters and diffs, verdicts, comparisons of speed.

pub(super) mod cluster;
pub(super) mod gate;
pub(super) mod perf;
pub(super) mod readers;
pub(super) mod runbook;
