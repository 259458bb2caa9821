//! The recent past for charts and rates, in at most 720 points however long the run is.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::progress::Point;

/// Most points.
pub(crate) const POINTS: usize = 720;

/// Seconds that the rate is taken over.
const RATE_SECONDS: u64 = 60;

const SECOND: u64 = 1_000_000_000;

/// Points of equal width since the start; when there are too many, neighbours are joined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    start: Option<Moment>,
    /// Seconds of a point.
    width: u64,
    points: Vec<Point>,
    /// Lines by second of the boot clock.
    recent: VecDeque<(u64, u64)>,
}

impl History {
    /// Begins; `target` seconds are expected.
    pub(crate) fn begin(&mut self, at: Moment, target: f64) {
        if self.start.is_none() {
            self.start = Some(at);
            self.width = (target / POINTS as f64).ceil().clamp(1.0, 1e6) as u64;
        }
    }

    fn point(&mut self, at: Moment) -> Option<&mut Point> {
        let start = self.start?;
        loop {
            let index = (at.since(start) / SECOND / self.width.max(1)) as usize;
            if index < POINTS {
                while self.points.len() <= index {
                    let (count, last) = (self.points.len() as i64, self.points.last());
                    let point = Point {
                        at: start.timestamp().as_millis() + count * self.width as i64 * 1000,
                        seconds: self.width as f64,
                        // What nobody sampled again is as it was.
                        memory_mb: last.map_or(0.0, |p| p.memory_mb),
                        cpu_percent: last.map_or(0.0, |p| p.cpu_percent),
                        ..Point::default()
                    };
                    self.points.push(point);
                }
                return self.points.get_mut(index);
            }
            self.join();
        }
    }

    fn join(&mut self) {
        self.width = self.width.max(1).saturating_mul(2);
        let width = self.width as f64;
        self.points = self
            .points
            .chunks(2)
            .map(|pair| {
                let mut one = pair[0].clone();
                one.seconds = width;
                if let Some(two) = pair.get(1) {
                    one.lines += two.lines;
                    one.warnings += two.warnings;
                    one.errors += two.errors;
                    one.gap_seconds = one.gap_seconds.max(two.gap_seconds);
                    one.memory_mb = one.memory_mb.max(two.memory_mb);
                    one.cpu_percent = one.cpu_percent.max(two.cpu_percent);
                }
                one
            })
            .collect();
    }

    /// Counts lines, warnings, errors, after a silence of `gap` seconds.
    pub(crate) fn lines(&mut self, at: Moment, [lines, warnings, errors]: [u64; 3], gap: f64) {
        if let Some(point) = self.point(at) {
            point.lines += lines;
            point.warnings += warnings;
            point.errors += errors;
            point.gap_seconds = point.gap_seconds.max(gap);
        }
        let second = at.boot / SECOND;
        match self.recent.back_mut() {
            Some((last, count)) if *last >= second => *count += lines,
            _ => self.recent.push_back((second, lines)),
        }
        while self.recent.len() as u64 > RATE_SECONDS + 1 {
            self.recent.pop_front();
        }
    }

    /// Notes a sample of memory and CPU.
    pub(crate) fn usage(&mut self, at: Moment, memory_mb: f64, cpu_percent: f64) {
        if let Some(point) = self.point(at) {
            point.memory_mb = memory_mb;
            point.cpu_percent = cpu_percent;
        }
    }

    /// Returns lines a second over the last minute.
    pub(crate) fn rate(&self, at: Moment) -> f64 {
        let Some(start) = self.start else { return 0.0 };
        let now = at.boot / SECOND;
        let from = now.saturating_sub(RATE_SECONDS);
        let lines: u64 = self
            .recent
            .iter()
            .filter(|(s, _)| *s > from)
            .map(|(_, c)| c)
            .sum();
        let seconds = (at.since(start) as f64 / 1e9).clamp(1.0, RATE_SECONDS as f64);
        lines as f64 / seconds
    }

    /// Returns the points up to `at`.
    pub(crate) fn points(&self, at: Moment) -> Vec<Point> {
        let mut until = self.clone();
        until.point(at);
        until.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn stays_within_its_bound_and_loses_no_line() {
        let mut history = History::default();
        history.begin(at(0.0), 60.0);
        for i in 0..20_000u32 {
            history.lines(at(f64::from(i)), [2, 1, 0], 1.0);
        }
        let points = history.points(at(20_000.0));
        assert!(points.len() <= POINTS, "{}", points.len());
        assert_eq!(points.iter().map(|p| p.lines).sum::<u64>(), 40_000);
        assert_eq!(
            points[1].at - points[0].at,
            (points[0].seconds * 1000.0) as i64
        );
        assert!((history.rate(at(19_999.0)) - 2.0).abs() < 0.1);
        assert_eq!(history.rate(at(30_000.0)), 0.0);
    }
}
