//! CPU, memory, processes, threads and open files of the child's whole tree.

use std::collections::BTreeMap;
use std::fs;

use gonogo_dryrun::Moment;
use gonogo_dryrun::journal::Event;

use crate::clock::SECOND;
use crate::tree::{Cgroup, Process, descendants, open_files};

/// Takes samples.
#[derive(Debug)]
pub(crate) struct Sampler {
    keeper: u32,
    last: Option<Last>,
    told_why_not: bool,
}

#[derive(Debug)]
struct Last {
    /// Real time: CPU time is real as well.
    boot: u64,
    /// Microseconds, of the cgroup.
    group: Option<u64>,
    /// Ticks by process (number, start).
    ticks: BTreeMap<(u32, u64), u64>,
}

impl Sampler {
    /// Samples what descends from the keeper, without this process.
    pub(crate) const fn new(keeper: u32) -> Self {
        Self {
            keeper,
            last: None,
            told_why_not: false,
        }
    }

    /// Takes a sample. The first one only remembers the CPU time: percentages need two looks; its CPU is 0.
    pub(crate) fn sample(&mut self, _at: Moment, cgroup: Option<&Cgroup>) -> Option<Event> {
        let Some(total) = total_memory() else {
            let told = std::mem::replace(&mut self.told_why_not, true);
            return (!told).then(|| Event::ResourcesUnavailable {
                reason: "/proc/meminfo cannot be read".to_owned(),
            });
        };
        let processes = descendants(self.keeper, &[std::process::id()]);
        let now = Last {
            boot: crate::clock::boot(),
            group: cgroup.and_then(Cgroup::cpu_micros),
            ticks: processes
                .iter()
                .map(|p| ((p.pid, p.started), p.ticks))
                .collect(),
        };
        let cpu_percent = self.last.as_ref().map_or(0.0, |last| last.percent(&now));
        self.last = Some(now);
        if processes.is_empty() {
            return None;
        }
        let page = rustix::param::page_size() as f64;
        let pages: u64 = processes.iter().map(|p| p.pages).sum();
        let memory = pages as f64 * page;
        Some(Event::Resources {
            cpu_percent,
            memory_mb: memory / f64::from(1 << 20),
            memory_percent: 100.0 * memory / total,
            processes: processes.len() as u32,
            open_files: open_files(&processes),
            threads: threads(&processes),
        })
    }
}

impl Last {
    fn percent(&self, now: &Self) -> f64 {
        let seconds = now.boot.saturating_sub(self.boot) as f64 / SECOND as f64;
        if seconds <= 0.0 {
            return 0.0;
        }
        let used = match (self.group, now.group) {
            (Some(before), Some(after)) => after.saturating_sub(before) as f64 / 1e6,
            // What ended between two looks is not seen.
            _ => {
                let ticks: u64 = now
                    .ticks
                    .iter()
                    .map(|(key, ticks)| {
                        ticks.saturating_sub(self.ticks.get(key).copied().unwrap_or(0))
                    })
                    .sum();
                ticks as f64 / rustix::param::clock_ticks_per_second() as f64
            }
        };
        100.0 * used / seconds
    }
}

fn threads(processes: &[Process]) -> u32 {
    processes.iter().map(|p| p.threads).sum()
}

/// The machine's memory, bytes.
fn total_memory() -> Option<f64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    (kib > 0.0).then_some(kib * 1024.0)
}
