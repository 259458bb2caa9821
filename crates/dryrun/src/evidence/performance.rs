//! Performance telemetry: what the file claims, what its returns show, and what of that can be believed.

use gonogo_core::Timestamp;
use serde_json::{Map, Value};

use super::strict::Strict;
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
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<Strict>();
    let mut last = None;
    while let Some(next) = stream.next() {
        match next {
            Ok(Strict(value)) => last = Some(value),
            Err(e) => {
                let at = at_line(bytes, e.line()).max(stream.byte_offset());
                return Err(problem(at, e.to_string()));
            }
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

/// The byte at which a line begins.
fn at_line(bytes: &[u8], line: usize) -> usize {
    let breaks = memchr::memchr_iter(b'\n', bytes);
    line.checked_sub(2)
        .and_then(|n| breaks.into_iter().nth(n))
        .map_or(0, |at| at + 1)
}

struct Reading<'a> {
    path: &'a str,
    rules: &'a PerformanceRules,
    fields: &'a Map<String, Value>,
}

impl Reading<'_> {
    /// The first of `names` that is anywhere a field may be.
    fn find(&self, names: &[&str]) -> Option<&Value> {
        self.find_all(names).into_iter().next().map(|(_, v)| v)
    }

    /// Every one of `names` that is where a field may be, with its path, the outermost first.
    fn find_all(&self, names: &[&str]) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        let mut level = vec![(String::new(), self.fields)];
        for _ in 0..3 {
            for (path, map) in &level {
                let here = names.iter().filter_map(|n| {
                    let value = map.get(*n).filter(|v| !v.is_null())?;
                    Some((format!("{path}{n}"), value))
                });
                found.extend(here);
            }
            level = level
                .iter()
                .flat_map(|(path, map)| {
                    PLACES.iter().filter_map(move |place| {
                        Some((format!("{path}{place}."), map.get(*place)?.as_object()?))
                    })
                })
                .collect();
        }
        found
    }

    /// The figure under any of these names. Of several that differ the least counts, and that they differ is told: nobody can
    /// say which of them the file means.
    fn number(&self, names: &[&str], issues: &mut Vec<Finding>) -> Option<f64> {
        self.figure(names, issues, |value| {
            let number = match value {
                Value::Number(number) => number.as_f64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            number.filter(|n: &f64| n.is_finite())
        })
    }

    fn figure(
        &self,
        names: &[&str],
        issues: &mut Vec<Finding>,
        read: impl Fn(&Value) -> Option<f64>,
    ) -> Option<f64> {
        let mut least: Option<(String, f64)> = None;
        let mut differs = None;
        for (path, value) in self.find_all(names) {
            let Some(number) = read(value) else {
                let text = format!(
                    "`{path}` in performance evidence ({}) is no number",
                    self.path
                );
                issues.push(finding(
                    Status::Fail,
                    "evidence_unreadable",
                    self.path,
                    text,
                ));
                continue;
            };
            let Some((first, known)) = least.clone() else {
                least = Some((path, number));
                continue;
            };
            if (known - number).abs() > 1e-9 * known.abs().max(number.abs()) {
                differs = Some(format!("`{first}` is {known}, and `{path}` is {number}"));
            }
            if number < known {
                least = Some((path, number));
            }
        }
        if let Some(differs) = differs {
            let text =
                format!("performance evidence contradicts itself: {differs}; the less counts");
            issues.push(finding(
                Status::Warn,
                "performance_contradicts",
                self.path,
                text,
            ));
        }
        least.map(|(_, number)| number)
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
        let period_end = match self.find(&["period_end"]) {
            Some(_) => time("period_end"),
            None => generated_at,
        };
        let trades = self.figure(&["trades", "total_trades"], &mut issues, |v| match v {
            Value::Array(list) => Some(list.len() as f64),
            other => other.as_u64().map(|n| n as f64),
        });
        let roi = self.number(&["roi"], &mut issues);
        let win_rate = self.number(&["win_rate"], &mut issues);
        let claimed = self.number(&["sharpe_ratio", "sharpe"], &mut issues);
        if let Some(rate) = win_rate.filter(|rate| !(0.0..=1.0).contains(rate)) {
            issues.push(finding(
                Status::Warn,
                "performance_implausible",
                self.path,
                format!("`win_rate` is {rate}, and a rate lies between 0 and 1"),
            ));
        }
        let window_seconds = match (period_start, period_end) {
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
        self.coverage(generated_at, (period_start, period_end), &mut issues);
        let period = Period {
            start: period_start,
            seconds: window_seconds.unwrap_or(0.0),
            inside: self.inside(period_end.min(generated_at), period_start),
        };
        let statistics = self.statistics(claimed, &period, &mut issues);
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
            total_trades: trades.unwrap_or(0.0) as u64,
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
        (start, end): (Option<Timestamp>, Option<Timestamp>),
        issues: &mut Vec<Finding>,
    ) {
        let (Some(generated), Some(start), Some(end)) = (generated, start, end) else {
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
        if end.as_millis() > generated.as_millis().saturating_add(AHEAD) {
            warn(
                "performance_period",
                format!("its period ends ({end}) after it was made ({generated})"),
            );
        }
        if end < start {
            warn(
                "performance_period",
                format!("its period ends ({end}) before it begins ({start})"),
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
        let covered = end.min(generated);
        let early = window.to.as_millis().saturating_sub(covered.as_millis());
        if early > COVERAGE_TOLERANCE {
            warn(
                "coverage_early",
                format!(
                    "what it covers ends {:.1} minutes before the run's end",
                    early as f64 / 60_000.0
                ),
            );
        }
    }

    /// The part of the stated period that lies inside the run: nothing else is about the run, whatever the file says.
    fn inside(
        &self,
        generated: Option<Timestamp>,
        start: Option<Timestamp>,
    ) -> Result<Inside, String> {
        let (Some(to), Some(from)) = (generated, start) else {
            return Err("the period that it is about is not known".to_owned());
        };
        if to <= from {
            return Err(format!("its period, {from} to {to}, is empty"));
        }
        let Some(window) = self.rules.window else {
            return Err("the run that it must be about is not known".to_owned());
        };
        let inside = Inside {
            from: from.max(window.from),
            to: to.min(window.to),
            outside: window
                .from
                .as_millis()
                .saturating_sub(from.as_millis())
                .max(0)
                .saturating_add(to.as_millis().saturating_sub(window.to.as_millis()).max(0)),
        };
        if inside.to <= inside.from {
            return Err(format!(
                "its period, {from} to {to}, lies outside of the run, {} to {}",
                window.from, window.to
            ));
        }
        Ok(inside)
    }

    /// From the returns if there are some; else what the claim could be worth at best, its returns taken as normal. Only what lies
    /// inside the run counts.
    fn statistics(
        &self,
        claimed: Option<f64>,
        stated: &Period,
        issues: &mut Vec<Finding>,
    ) -> Option<SharpeFacts> {
        let floor = self.rules.minimum_sharpe.unwrap_or(0.0);
        let trials = self.figure(&["trials"], issues, |v| {
            v.as_u64().filter(|n| *n > 0).map(|n| n as f64)
        });
        let trials = trials.unwrap_or(1.0) as u64;
        let lists = self.find_all(&["returns", "period_returns"]);
        if let [(first, one), others @ ..] = &lists[..]
            && let Some((other, _)) = others.iter().find(|(_, list)| list != one)
        {
            let text = format!(
                "performance evidence contradicts itself: `{first}` and `{other}` are other returns"
            );
            issues.push(finding(
                Status::Fail,
                "performance_contradicts",
                self.path,
                text,
            ));
            return None;
        }
        let Some(list) = lists.first().map(|(_, list)| *list) else {
            let facts = claimed.map(|claimed| of_claim(claimed, floor, trials, stated));
            return facts.map(|facts| stated.within(facts, stated.claimable()));
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
        let given = returns.len() as u64;
        let told = self
            .number(&["period_seconds", "returns_period_seconds"], issues)
            .filter(|p| *p > 0.0);
        let mean = (given > 0 && stated.seconds > 0.0).then(|| stated.seconds / given as f64);
        let period = told.or(mean);
        let per_year = self
            .number(&["periods_per_year"], issues)
            .filter(|p| *p > 0.0);
        let most = period.map(|p| YEAR / p);
        let mut placed = stated.place(given, period);
        if let (Ok(_), Some(per_year), Some(most)) = (&placed, per_year, most)
            && per_year > most * 1.01
        {
            placed = Err(format!(
                "it says that a year has {per_year} periods, and {most:.0} is the most that there can be"
            ));
        }
        let per_year = per_year.or(most);
        // Of returns that cannot be placed all are described, and nothing is decided by them.
        let counted = placed.clone().unwrap_or(0..returns.len());
        let returns = returns.get(counted).unwrap_or_default();
        let empty = SharpeFacts {
            n: returns.len() as u64,
            trials,
            period_seconds: period.unwrap_or(0.0),
            periods_per_year: per_year.unwrap_or(0.0),
            ..SharpeFacts::default()
        };
        let Some(found) = per_year.and_then(|q| gonogo_stats::sharpe(returns, q)) else {
            let reason = format!(
                "its {} returns inside the run are too few, or one value over and over",
                empty.n
            );
            let facts = SharpeFacts {
                reason: Some(reason),
                ..empty
            };
            return Some(stated.within(facts, placed.map(drop)));
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
        let facts = SharpeFacts {
            sharpe_per_period: found.per_period,
            sharpe_annualised: found.annualised,
            skewness: found.skewness,
            kurtosis: found.kurtosis,
            autocorrelation: found.autocorrelation,
            probabilistic: match judged.probabilistic.is_finite() {
                true => judged.probabilistic,
                false => 0.0,
            },
            minimum_track_record: judged.minimum_track_record,
            decidable: judged.decidable && judged.probabilistic.is_finite(),
            reason: (found.autocorrelation > 0.5 && !judged.decidable).then(|| {
                format!(
                    "its {} returns follow one another (autocorrelation {:.3}), and count as few",
                    empty.n, found.autocorrelation
                )
            }),
            ..empty
        };
        Some(stated.within(facts, placed.map(drop)))
    }
}

/// What of a stated period lies inside the run.
#[derive(Debug, Clone, Copy)]
struct Inside {
    from: Timestamp,
    to: Timestamp,
    /// How much of the stated period is not inside, milliseconds.
    outside: i64,
}

impl Inside {
    fn seconds(&self) -> f64 {
        self.to.as_millis().saturating_sub(self.from.as_millis()) as f64 / 1e3
    }

    /// Whether so little lies outside that the whole is about the run: clocks and starts are never the same to the second.
    fn is_nearly_all(&self) -> bool {
        let slack = (COVERAGE_TOLERANCE as f64 / 1e3).min(self.seconds() / 10.0);
        self.outside as f64 / 1e3 <= slack
    }
}

/// The period that a file says it is about.
struct Period {
    start: Option<Timestamp>,
    seconds: f64,
    inside: Result<Inside, String>,
}

impl Period {
    /// Whether one figure for the whole period can be taken for the run's.
    fn claimable(&self) -> Result<(), String> {
        let inside = self.inside.clone()?;
        if inside.is_nearly_all() {
            return Ok(());
        }
        Err(format!(
            "the ratio is claimed for {:.0} s, of which {:.0} s lie inside the run",
            self.seconds,
            inside.seconds()
        ))
    }

    /// Which of `given` returns, one each `period` seconds from the period's start, lie inside the run.
    fn place(&self, given: u64, period: Option<f64>) -> Result<std::ops::Range<usize>, String> {
        let inside = self.inside.clone()?;
        let (Some(start), Some(period)) = (self.start, period) else {
            return Err("how far apart its returns are is not known".to_owned());
        };
        let spanned = given as f64 * period;
        let slack = period.max(self.seconds / 100.0);
        if spanned > self.seconds + slack {
            return Err(format!(
                "{given} returns of {period} s are {spanned:.0} s, and its period has {:.0} s",
                self.seconds
            ));
        }
        let all = 0..given as usize;
        if inside.outside == 0 {
            return Ok(all);
        }
        if spanned < self.seconds - slack {
            // With pauses between them nobody knows where each one lies.
            if inside.is_nearly_all() {
                return Ok(all);
            }
            return Err(format!(
                "which of its returns lie inside the run is not known: they are {spanned:.0} s of a period of {:.0} s, of which {:.0} s do",
                self.seconds,
                inside.seconds()
            ));
        }
        let offset = |at: Timestamp| at.as_millis().saturating_sub(start.as_millis()) as f64 / 1e3;
        let step = self.seconds / given as f64;
        // A thousandth of a step is rounding.
        let first = (offset(inside.from) / step - 1e-3).ceil().max(0.0) as usize;
        let last = (offset(inside.to) / step + 1e-3).floor().max(0.0) as usize;
        let last = last.min(all.end);
        Ok(first.min(last)..last)
    }

    /// Says how much lay inside, and why nothing can be decided where that is so.
    fn within(&self, mut facts: SharpeFacts, counts: Result<(), String>) -> SharpeFacts {
        facts.window_seconds = self.inside.as_ref().ok().map(Inside::seconds);
        if let Err(reason) = counts {
            facts.decidable = false;
            facts.reason = Some(reason);
        }
        facts
    }
}

/// A claimed annual ratio over what of its period lies inside the run, in minute bars.
fn of_claim(claimed: f64, floor: f64, trials: u64, stated: &Period) -> SharpeFacts {
    const MINUTE: f64 = 60.0;
    let per_year = YEAR / MINUTE;
    let seconds = stated.inside.as_ref().map_or(0.0, Inside::seconds);
    let n = (seconds / MINUTE) as u64;
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
