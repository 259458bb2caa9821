//! Performance telemetry: what the file claims, what its returns show, and what of that can be believed.

use gonogo_core::Timestamp;
use serde_json::{Map, Value};

use super::{AHEAD, COVERAGE_TOLERANCE, Input, Window, finding, scan, time_of, unreadable};
use crate::Status;
use crate::sign_off::Finding;
use crate::summary::{Performance, SharpeFacts};

/// Most bytes of the file.
const BYTES: u64 = 64 << 20;

/// Probability at which a ratio counts as told from the floor.
const CONFIDENCE: f64 = 0.95;

const YEAR: f64 = 365.25 * 86_400.0;

/// Where fields may be, in the order in which they are looked for.
const PLACES: [&str; 3] = ["snapshot", "aggregates", "metadata"];

/// What is demanded of it.
#[derive(Debug, Clone, Default)]
pub struct PerformanceRules {
    /// What it must cover.
    pub window: Option<Window>,
    /// The least Sharpe ratio, annualised.
    pub minimum_sharpe: Option<f64>,
    /// When it is judged.
    pub judged_at: Option<Timestamp>,
}

/// Judges performance evidence. The second part is what could not be read. None if there is no file.
pub fn performance(
    input: Input<'_>,
    rules: &PerformanceRules,
) -> Option<(Performance, Vec<Finding>)> {
    let source = input.source?;
    let path = input.path;
    let label = "performance evidence";
    let fail = |problem: &scan::Problem| {
        let mut found = Performance {
            status: Status::Fail,
            ..Performance::default()
        };
        let finding = unreadable(label, path, problem);
        found.issues.push(finding.clone());
        (found, vec![finding])
    };
    let bytes = match scan::whole(source, BYTES) {
        Ok(bytes) => bytes,
        Err(problem) => return Some(fail(&problem)),
    };
    let object = match last_object(&bytes) {
        Ok(object) => object,
        Err(problem) => return Some(fail(&problem)),
    };
    Some((
        Reading {
            path,
            rules,
            fields: &object,
        }
        .judge(),
        Vec::new(),
    ))
}

/// One object; or several, or an array of them, of which the last counts.
fn last_object(bytes: &[u8]) -> Result<Map<String, Value>, scan::Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let problem = |at: usize, reason: String| {
        let line = bytes[..at.min(bytes.len())]
            .iter()
            .filter(|b| **b == b'\n')
            .count() as u64
            + 1;
        scan::Problem {
            at: at as u64,
            line,
            reason,
        }
    };
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let mut last = None;
    while let Some(next) = stream.next() {
        match next {
            Ok(value) => last = Some(value),
            Err(e) => return Err(problem(stream.byte_offset(), e.to_string())),
        }
    }
    let last = match last {
        Some(Value::Array(mut list)) => list.pop(),
        other => other,
    };
    match last {
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(problem(0, "it is no JSON object".to_owned())),
        None => Err(problem(0, "it is empty".to_owned())),
    }
}

struct Reading<'a> {
    path: &'a str,
    rules: &'a PerformanceRules,
    fields: &'a Map<String, Value>,
}

impl Reading<'_> {
    /// The first of `names` that is anywhere a field may be.
    fn find(&self, names: &[&str]) -> Option<&Value> {
        let mut level = vec![self.fields];
        for _ in 0..3 {
            for map in &level {
                if let Some(value) = names
                    .iter()
                    .find_map(|n| map.get(*n).filter(|v| !v.is_null()))
                {
                    return Some(value);
                }
            }
            level = level
                .iter()
                .flat_map(|map| PLACES.iter().filter_map(|p| map.get(*p)?.as_object()))
                .collect();
        }
        None
    }

    fn number(&self, names: &[&str], issues: &mut Vec<Finding>) -> Option<f64> {
        let value = self.find(names)?;
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|n: &f64| n.is_finite());
        if number.is_none() {
            let text = format!(
                "`{}` in performance evidence ({}) is no number",
                names[0], self.path
            );
            issues.push(finding(
                Status::Fail,
                "evidence_unreadable",
                self.path,
                text,
            ));
        }
        number
    }

    fn judge(&self) -> Performance {
        let mut issues = Vec::new();
        let mut time = |name: &str| {
            let found = self.find(&[name]).and_then(time_of);
            if found.is_none() {
                let text = format!(
                    "performance evidence ({}) has no `{name}` that can be read",
                    self.path
                );
                issues.push(finding(
                    Status::Fail,
                    "evidence_unreadable",
                    self.path,
                    text,
                ));
            }
            found
        };
        let (generated_at, period_start) = (time("generated_at"), time("period_start"));
        let trades = self.find(&["trades", "total_trades"]).map(|v| match v {
            Value::Array(list) => Some(list.len() as u64),
            other => other.as_u64(),
        });
        if trades == Some(None) {
            let text = format!(
                "`trades` in performance evidence ({}) is no count",
                self.path
            );
            issues.push(finding(
                Status::Fail,
                "evidence_unreadable",
                self.path,
                text,
            ));
        }
        let roi = self.number(&["roi"], &mut issues);
        let win_rate = self.number(&["win_rate"], &mut issues);
        let claimed = self.number(&["sharpe_ratio", "sharpe"], &mut issues);
        let window_seconds = match (period_start, generated_at) {
            (Some(a), Some(b)) => Some((b.as_millis().saturating_sub(a.as_millis())) as f64 / 1e3),
            _ => None,
        };
        if let Some(roi) = roi.filter(|roi| *roi < 0.0) {
            issues.push(finding(
                Status::Warn,
                "roi_negative",
                self.path,
                format!("the return on investment is {roi}"),
            ));
        }
        self.coverage(generated_at, period_start, &mut issues);
        let statistics = self.statistics(claimed, window_seconds, &mut issues);
        let metadata = match self.find(&["metadata"]) {
            Some(Value::Object(map)) => map
                .iter()
                .take(200)
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            _ => std::collections::BTreeMap::new(),
        };
        let status = issues.iter().map(|i| i.severity).max().unwrap_or_default();
        Performance {
            generated_at,
            period_start,
            total_trades: trades.flatten().unwrap_or(0),
            roi,
            win_rate,
            sharpe_ratio: claimed,
            window_duration_seconds: window_seconds,
            metadata,
            statistics,
            issues,
            status,
        }
    }

    fn coverage(
        &self,
        generated: Option<Timestamp>,
        start: Option<Timestamp>,
        issues: &mut Vec<Finding>,
    ) {
        let (Some(generated), Some(start)) = (generated, start) else {
            return;
        };
        let mut warn =
            |code: &str, text: String| issues.push(finding(Status::Warn, code, self.path, text));
        if start > generated {
            warn(
                "performance_period",
                format!("its period begins ({start}) after it was made ({generated})"),
            );
        }
        if let Some(now) = self.rules.judged_at
            && generated.as_millis() > now.as_millis().saturating_add(AHEAD)
        {
            warn(
                "future_dated",
                format!("it says that it was made at {generated}, which is in the future"),
            );
        }
        let Some(window) = self.rules.window else {
            warn(
                "window_unknown",
                "what it must cover is not known: there is no run and no log".to_owned(),
            );
            return;
        };
        let late = start.as_millis().saturating_sub(window.from.as_millis());
        if late > COVERAGE_TOLERANCE {
            warn(
                "coverage_late",
                format!(
                    "its period begins {:.1} minutes after the run",
                    late as f64 / 60_000.0
                ),
            );
        }
        let early = window.to.as_millis().saturating_sub(generated.as_millis());
        if early > COVERAGE_TOLERANCE {
            warn(
                "coverage_early",
                format!(
                    "it was made {:.1} minutes before the run's end",
                    early as f64 / 60_000.0
                ),
            );
        }
    }

    /// From the returns if there are some; else what the claim could be worth at best, its returns taken as normal.
    fn statistics(
        &self,
        claimed: Option<f64>,
        window: Option<f64>,
        issues: &mut Vec<Finding>,
    ) -> Option<SharpeFacts> {
        let floor = self.rules.minimum_sharpe.unwrap_or(0.0);
        let trials = self
            .find(&["trials"])
            .and_then(Value::as_u64)
            .unwrap_or(1)
            .max(1);
        let Some(list) = self.find(&["returns", "period_returns"]) else {
            return claimed.map(|claimed| of_claim(claimed, floor, trials, window));
        };
        let returns: Option<Vec<f64>> = list
            .as_array()
            .and_then(|l| l.iter().map(Value::as_f64).collect());
        let Some(returns) = returns else {
            let text = format!(
                "`returns` in performance evidence ({}) is no list of numbers",
                self.path
            );
            issues.push(finding(
                Status::Fail,
                "evidence_unreadable",
                self.path,
                text,
            ));
            return None;
        };
        let n = returns.len() as u64;
        let stated = self
            .number(&["period_seconds", "returns_period_seconds"], issues)
            .filter(|p| *p > 0.0);
        let period = stated.or_else(|| window.filter(|w| n > 0 && *w > 0.0).map(|w| w / n as f64));
        let per_year = self
            .number(&["periods_per_year"], issues)
            .filter(|p| *p > 0.0);
        let per_year = per_year.or_else(|| period.map(|p| YEAR / p));
        let empty = SharpeFacts {
            n,
            trials,
            period_seconds: period.unwrap_or(0.0),
            periods_per_year: per_year.unwrap_or(0.0),
            ..SharpeFacts::default()
        };
        let Some(found) = per_year.and_then(|q| gonogo_stats::sharpe(&returns, q)) else {
            return Some(empty);
        };
        let judged = gonogo_stats::judge_sharpe(&found, floor, trials, CONFIDENCE);
        if let Some(claimed) = claimed
            && (claimed - found.annualised).abs() > 0.1 * claimed.abs().max(found.annualised.abs())
            && (claimed - found.annualised_naive).abs() > 0.1 * claimed.abs().max(1.0)
        {
            let text = format!(
                "it claims a Sharpe ratio of {claimed:.3}, and its returns show {:.3}",
                found.annualised
            );
            issues.push(finding(
                Status::Warn,
                "sharpe_claim_differs",
                self.path,
                text,
            ));
        }
        Some(SharpeFacts {
            sharpe_per_period: found.per_period,
            sharpe_annualised: found.annualised,
            skewness: found.skewness,
            kurtosis: found.kurtosis,
            autocorrelation: found.autocorrelation,
            probabilistic: judged.probabilistic,
            minimum_track_record: judged.minimum_track_record,
            decidable: judged.decidable,
            ..empty
        })
    }
}

/// A claimed annual ratio over a window of `seconds`, in minute bars.
fn of_claim(claimed: f64, floor: f64, trials: u64, seconds: Option<f64>) -> SharpeFacts {
    const MINUTE: f64 = 60.0;
    let per_year = YEAR / MINUTE;
    let n = seconds.map_or(0, |s| (s / MINUTE).max(0.0) as u64);
    let scale = per_year.sqrt();
    let claim = gonogo_stats::Sharpe {
        n,
        mean: 0.0,
        sd: 0.0,
        per_period: claimed / scale,
        annualised: claimed,
        annualised_naive: if claimed == 0.0 { scale } else { claimed },
        skewness: 0.0,
        kurtosis: 3.0,
        autocorrelation: 0.0,
    };
    let judged = gonogo_stats::judge_sharpe(&claim, floor, trials, CONFIDENCE);
    let finite = judged.probabilistic.is_finite();
    SharpeFacts {
        n,
        period_seconds: MINUTE,
        periods_per_year: per_year,
        sharpe_per_period: claim.per_period,
        sharpe_annualised: claimed,
        kurtosis: 3.0,
        probabilistic: if finite { judged.probabilistic } else { 0.0 },
        minimum_track_record: judged.minimum_track_record,
        trials,
        decidable: judged.decidable && finite,
        ..SharpeFacts::default()
    }
}
