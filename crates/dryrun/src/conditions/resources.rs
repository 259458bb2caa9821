//! CPU and memory of the whole tree: limits with a sustained-breach option, peaks, and the slope of memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Cause, Engine};
use crate::journal::Event;
use crate::progress::Point;
use crate::spec::ResourceSpec;
use crate::summary::Resources;
use crate::{IncidentKind, Moment, Status};

/// Most points that the slope is computed from; every second one is left out when there are more.
const POINTS: usize = 1440;

/// Fewest points after warm-up that a slope is told from.
const FEWEST: usize = 10;

/// Most points of the chart; two are joined into one when there are more.
const CHARTED: usize = 720;

/// What was sampled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    samples: u64,
    unavailable: Option<String>,
    /// By limit: greatest value and when.
    peaks: BTreeMap<String, (f64, Moment)>,
    /// By limit: above it since.
    above: BTreeMap<String, Moment>,
    last: Option<(Moment, [f64; 3])>,
    counts: BTreeMap<String, u64>,
    first: Option<Moment>,
    stride: u64,
    points: Vec<(f64, f64)>,
    /// For the chart: begin (wall clock, milliseconds), greatest memory (MiB) and CPU (percent of one core) of so many samples.
    chart: Vec<(i64, f64, f64)>,
    /// How many samples a point of the chart has, and how many the last has.
    joined: [u64; 2],
}

const NAMES: [&str; 3] = ["cpu_percent", "memory_mb", "memory_percent"];

impl Usage {
    pub(super) fn event(
        &mut self,
        spec: &ResourceSpec,
        engine: &mut Engine,
        at: Moment,
        event: &Event,
    ) {
        match event {
            Event::ResourcesUnavailable { reason } => self.unavailable = Some(reason.clone()),
            Event::Resources {
                cpu_percent,
                memory_mb,
                memory_percent,
                processes,
                open_files,
                threads,
            } => {
                let values = [*cpu_percent, *memory_mb, *memory_percent];
                self.counts = BTreeMap::from([
                    ("processes".to_owned(), u64::from(*processes)),
                    ("threads".to_owned(), u64::from(*threads)),
                ]);
                if let Some(files) = open_files {
                    self.counts.insert("open_files".to_owned(), *files);
                }
                self.sample(at, values);
                let limits = [
                    spec.max_cpu_percent,
                    spec.max_memory_mb,
                    spec.max_memory_percent,
                ];
                for ((name, value), limit) in NAMES.into_iter().zip(values).zip(limits) {
                    if let Some(limit) = limit {
                        self.hold(spec, engine, at, (name, value, limit));
                    }
                }
            }
            _ => {}
        }
    }

    fn sample(&mut self, at: Moment, values: [f64; 3]) {
        let first = *self.first.get_or_insert(at);
        self.stride = self.stride.max(1);
        if self.samples.is_multiple_of(self.stride) {
            self.points.push((at.since(first) as f64 / 1e9, values[1]));
            if self.points.len() > POINTS {
                let mut index = 0;
                self.points.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
        }
        self.charted(at, values);
        self.samples += 1;
        self.last = Some((at, values));
        for (name, value) in NAMES.into_iter().zip(values) {
            let peak = self.peaks.entry(name.to_owned()).or_insert((value, at));
            if value > peak.0 {
                *peak = (value, at);
            }
        }
    }

    fn charted(&mut self, at: Moment, [cpu, memory, _]: [f64; 3]) {
        let known = |value: f64| if value.is_finite() { value } else { 0.0 };
        let (memory, cpu) = (known(memory), known(cpu));
        let [most, last] = &mut self.joined;
        *most = (*most).max(1);
        match self.chart.last_mut() {
            Some(point) if *last < *most => {
                (point.1, point.2) = (point.1.max(memory), point.2.max(cpu));
                *last += 1;
            }
            _ => {
                self.chart.push((at.timestamp().as_millis(), memory, cpu));
                *last = 1;
            }
        }
        if self.chart.len() > CHARTED {
            let pairs = self.chart.chunks(2);
            self.chart = pairs
                .map(|pair| {
                    let greatest = |value: fn(&(i64, f64, f64)) -> f64| {
                        pair.iter().map(value).fold(0.0, f64::max)
                    };
                    (pair[0].0, greatest(|p| p.1), greatest(|p| p.2))
                })
                .collect();
            // The last of an odd number has no partner yet.
            *most *= 2;
        }
    }

    /// The points of the chart; each lasts until the next, the last one as long as a sample counts.
    fn history(&self, interval: f64) -> Vec<Point> {
        let next = self.chart.iter().skip(1).map(|p| Some(p.0));
        let ends = next.chain(std::iter::once(None));
        self.chart
            .iter()
            .zip(ends)
            .map(|(&(at, memory_mb, cpu_percent), end)| Point {
                at,
                seconds: end.map_or(interval, |end| end.saturating_sub(at).max(0) as f64 / 1e3),
                memory_mb,
                cpu_percent,
                ..Point::default()
            })
            .collect()
    }

    fn hold(
        &mut self,
        spec: &ResourceSpec,
        engine: &mut Engine,
        at: Moment,
        (name, value, limit): (&str, f64, f64),
    ) {
        let key = format!("resource/{name}");
        // What is not a number is not below a limit.
        if value <= limit {
            self.above.remove(name);
            engine.recovered(&key, at);
            return;
        }
        let since = *self.above.entry(name.to_owned()).or_insert(at);
        if (at.since(since) as f64) < spec.sustained_seconds * 1e9 {
            return;
        }
        if engine.is_open(&key) {
            engine.update(&key, |c| {
                c.last = at;
                let peak = c
                    .metadata
                    .get("observed")
                    .and_then(serde_json::Value::as_f64);
                c.metadata.insert(
                    "observed".to_owned(),
                    peak.unwrap_or(value).max(value).into(),
                );
            });
            return;
        }
        let what = match name {
            "cpu_percent" => format!(
                "CPU of the whole tree is {value:.1} % of one core, and {limit} % is the limit"
            ),
            "memory_mb" => format!(
                "resident memory of the whole tree is {value:.1} MiB, and {limit} MiB is the limit"
            ),
            _ => format!(
                "memory of the whole tree is {value:.1} % of the machine's, and {limit} % is the limit"
            ),
        };
        let mut cause = Cause::new(IncidentKind::Resource, spec.severity, key, since, what)
            .with("limit", limit)
            .with("observed", value)
            .with("resource", name);
        cause.last = at;
        cause.open = true;
        engine.sighting(cause);
    }

    /// Returns memory (MiB) and CPU (percent of one core), as last sampled.
    pub fn now(&self) -> Option<(f64, f64)> {
        self.last.map(|(_, [cpu, memory, _])| (memory, cpu))
    }

    /// Returns processes, threads, open files, as last sampled.
    pub const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// Returns the growth of memory after warm-up (a tenth of the time), MiB an hour.
    pub fn slope(&self) -> Option<f64> {
        let end = self.points.last()?.0;
        let warm: Vec<(f64, f64)> = self
            .points
            .iter()
            .copied()
            .filter(|p| p.0 >= end / 10.0)
            .collect();
        if warm.len() < FEWEST {
            return None;
        }
        gonogo_stats::theil_sen(&warm).map(|slope| slope * 3600.0)
    }

    /// Returns it as the summary shows it.
    pub fn report(&self, spec: &ResourceSpec) -> Resources {
        let limits = [
            ("max_cpu_percent", spec.max_cpu_percent),
            ("max_memory_mb", spec.max_memory_mb),
            ("max_memory_percent", spec.max_memory_percent),
        ];
        let peak = |name: &str| self.peaks.get(name).map(|p| p.0);
        let when = |name: &str| self.peaks.get(name).map(|p| p.1.timestamp());
        let enabled = spec.interval_seconds.is_some();
        let reason = if !enabled {
            Some("disabled_by_config".to_owned())
        } else if self.samples == 0 && self.unavailable.is_some() {
            Some("monitor_unavailable".to_owned())
        } else {
            None
        };
        let mut last_sample = BTreeMap::new();
        if let Some((at, values)) = self.last {
            last_sample.insert("timestamp".to_owned(), at.timestamp().to_string().into());
            for (name, value) in NAMES.into_iter().zip(values) {
                last_sample.insert(name.to_owned(), value.into());
            }
            for (name, count) in &self.counts {
                last_sample.insert(name.clone(), (*count).into());
            }
        }
        Resources {
            enabled: enabled && reason.is_none(),
            reason,
            interval_seconds: spec.interval_seconds.unwrap_or(0.0),
            violation_severity: Some(spec.severity),
            thresholds: limits
                .into_iter()
                .filter_map(|(n, l)| Some((n.to_owned(), l?)))
                .collect(),
            samples: self.samples,
            peak_cpu_percent: peak("cpu_percent"),
            peak_cpu_percent_timestamp: when("cpu_percent"),
            peak_memory_mb: peak("memory_mb"),
            peak_memory_mb_timestamp: when("memory_mb"),
            peak_memory_percent: peak("memory_percent"),
            peak_memory_percent_timestamp: when("memory_percent"),
            last_sample,
            memory_slope_mb_per_hour: self.slope(),
            history: self.history(spec.interval_seconds.unwrap_or(0.0)),
        }
    }

    /// Returns whether limits were declared that nothing was sampled for.
    pub fn unchecked(&self, spec: &ResourceSpec) -> Option<(Status, String)> {
        let limits = [
            spec.max_cpu_percent,
            spec.max_memory_mb,
            spec.max_memory_percent,
        ];
        if self.samples > 0 || limits.iter().all(Option::is_none) {
            return None;
        }
        let reason = match (&self.unavailable, spec.interval_seconds) {
            (Some(reason), _) => reason.as_str(),
            (None, None) => "they were not to be watched",
            (None, Some(_)) => "the run ended before the first sample",
        };
        Some((
            Status::Warn,
            format!("limits on resources are declared and nothing was sampled: {reason}"),
        ))
    }
}
