//! What this process costs: memory, open files, time, read when somebody asks.

/// What a look at this process gave; what cannot be read is absent.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// Bytes in memory.
    pub(crate) resident: Option<u64>,
    /// Bytes of address space.
    pub(crate) space: Option<u64>,
    /// Seconds of CPU time.
    pub(crate) cpu: Option<f64>,
    /// Start, in seconds since 1970.
    pub(crate) start: Option<f64>,
    /// Open files.
    pub(crate) files: Option<u64>,
    /// How many may be open.
    pub(crate) files_most: Option<u64>,
}

/// Looks (proc_pid_stat(5)).
pub(crate) fn look() -> Seen {
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let page = rustix::param::page_size() as u64;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may have spaces of its own.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_ascii_whitespace().collect())
        .unwrap_or_default();
    // Fields are numbered from 1, and the first behind the name is the third.
    let field = |n: usize| fields.get(n - 3).and_then(|f| f.parse::<u64>().ok());
    let cpu = field(14).zip(field(15));
    let files = std::fs::read_dir("/proc/self/fd").ok();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Seen {
        resident: field(24).map(|pages| pages * page),
        space: field(23),
        cpu: cpu.map(|(user, system)| (user + system) as f64 / ticks),
        start: field(22)
            .zip(booted())
            .map(|(at, boot)| boot + at as f64 / ticks),
        // One of them is the directory that is being read.
        files: files.map(|all| (all.count() as u64).saturating_sub(1)),
        files_most: limit.current,
    }
}

fn booted() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|l| l.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_a_start() {
        let seen = look();
        assert!(seen.resident.is_some_and(|b| b > 100_000), "{seen:?}");
        assert!(seen.files.is_some_and(|n| n >= 3), "{seen:?}");
        assert!(seen.start.is_some_and(|s| s > 1.5e9), "{seen:?}");
        assert!(seen.cpu.is_some(), "{seen:?}");
    }
}
