//! When the disk will be full, if it goes on as in the recent minutes.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gonogo_dryrun::Moment;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::RunSpec;

use crate::clock::SECOND;

/// Samples that are kept.
const KEPT: usize = 32;

/// Fewest samples for a forecast.
const ENOUGH: usize = 4;

/// How much space the end of the run needs as it stands: a copy of each evidence file, and, for a packet with the raw bytes, at most
/// what is captured once more (it is compressed on its way; bytes that do not compress need all of it).
pub(crate) fn end_needs(directory: &Path, spec: &RunSpec) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let evidence: u64 = spec
        .evidence
        .iter()
        .map(|evidence| size(Path::new(&evidence.path)))
        .sum();
    if !spec.capture.packs_raw {
        return evidence;
    }
    let reserved = ["ballast", "reserve", "state.json"];
    let captured: u64 = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| !reserved.iter().any(|name| entry.file_name() == *name))
        // Blocks: what is in members already is a hole in its tail.
        .filter_map(|entry| Some(entry.metadata().ok()?.blocks() * 512))
        .sum();
    captured + 2 * evidence
}

/// The recent past of the free space.
#[derive(Debug, Default)]
pub(crate) struct Forecast {
    samples: VecDeque<(u64, u64)>,
}

impl Forecast {
    /// Adds a sample; tells the space and when it will be gone, by the line of least squares through the kept samples. What the end
    /// needs grows with what is captured, and counts as used.
    pub(crate) fn push(&mut self, at: Moment, free: u64, needs: u64) -> Event {
        let left = free.saturating_sub(needs);
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back((at.boot, left));
        Event::Disk {
            free_bytes: free,
            full_in_seconds: match left {
                0 => Some(0.0),
                left => self.full_in(left),
            },
            end_bytes: needs,
        }
    }

    fn full_in(&self, free: u64) -> Option<f64> {
        if self.samples.len() < ENOUGH {
            return None;
        }
        let (first, _) = *self.samples.front()?;
        let n = self.samples.len() as f64;
        let points = self.samples.iter().map(|(at, free)| {
            (
                at.saturating_sub(first) as f64 / SECOND as f64,
                *free as f64,
            )
        });
        let (sum_x, sum_y) = points
            .clone()
            .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (mean_x, mean_y) = (sum_x / n, sum_y / n);
        let (mut over, mut under) = (0.0, 0.0);
        for (x, y) in points {
            over += (x - mean_x) * (y - mean_y);
            under += (x - mean_x) * (x - mean_x);
        }
        let slope = over / under;
        // A file system's own small movements are no trend: less than a KiB a second.
        (slope.is_finite() && slope < -1024.0).then(|| free as f64 / -slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(samples: &[(u64, u64)]) -> Option<f64> {
        let mut forecast = Forecast::default();
        let mut last = None;
        for (second, free) in samples {
            let at = Moment {
                boot: second * SECOND,
                wall: 0,
            };
            let Event::Disk {
                full_in_seconds, ..
            } = forecast.push(at, *free, 0)
            else {
                panic!("no disk event");
            };
            last = full_in_seconds;
        }
        last
    }

    #[test]
    fn a_falling_line_is_followed_to_its_end() {
        let falling: Vec<_> = (0..50)
            .map(|n| (n * 10, (1 << 30) - n * (10 << 20)))
            .collect();
        let left = forecast(&falling).unwrap();
        let right = ((1 << 30) - 49 * (10 << 20)) as f64 / (1 << 20) as f64;
        assert!((left - right).abs() < 0.01, "{left} {right}");
        assert_eq!(forecast(&falling[..3]), None);
        let flat: Vec<_> = (0..50).map(|n| (n, 1 << 30)).collect();
        assert_eq!(forecast(&flat), None);
        let rising: Vec<_> = (0..50).map(|n| (n, n << 20)).collect();
        assert_eq!(forecast(&rising), None);
        assert_eq!(forecast(&[(5, 9), (5, 8), (5, 7), (5, 6)]), None);
    }
}
