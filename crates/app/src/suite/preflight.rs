//! What must be there before anything runs: space, inodes, programs.

use std::path::{Path, PathBuf};

use gonogo_core::{Bytes, Reason};
use gonogo_suite::run::Problem;
use serde::Serialize;

use crate::config::{SuiteFile, SuitesFile};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What: `space`, `inodes`, `tool`, `dir`.
    pub what: &'static str,
    /// Of which directory or program.
    pub of: String,
    /// What was found.
    pub found: String,
    /// What is needed.
    pub needed: String,
    /// Whether that is enough.
    pub ok: bool,
}

/// Looks. `root` is the project, `artifacts` where runs go.
pub fn look(
    file: &SuitesFile,
    suites: &[(&str, &SuiteFile)],
    root: &Path,
    artifacts: &Path,
) -> Vec<Check> {
    let temp = std::env::temp_dir();
    let mut checks = Vec::new();
    let mut devices = Vec::new();
    for (dir, least) in [
        (root, file.min_free),
        (artifacts, file.min_free),
        (temp.as_path(), file.min_free_temp),
    ] {
        let dir = existing(dir);
        // One volume is looked at once for each demand.
        let device = std::fs::metadata(&dir).map(|m| std::os::unix::fs::MetadataExt::dev(&m));
        let key = (device.ok(), least);
        if devices.contains(&key) {
            continue;
        }
        devices.push(key);
        checks.extend(volume(&dir, least, file));
    }
    for (name, suite) in suites {
        let dir = root.join(&suite.dir);
        checks.push(Check {
            what: "dir",
            of: format!("{name}: {}", suite.dir),
            found: if dir.is_dir() { "there" } else { "not there" }.into(),
            needed: "there".into(),
            ok: dir.is_dir(),
        });
    }
    let mut tools: Vec<(&str, PathBuf)> = Vec::new();
    for tool in &file.tools {
        tools.push((tool, root.to_owned()));
    }
    for (_, suite) in suites {
        let dir = root.join(&suite.dir);
        for tool in suite.tools.iter().chain(suite.command.first()) {
            tools.push((tool, dir.clone()));
        }
    }
    tools.sort();
    tools.dedup();
    let mut seen: Vec<&str> = Vec::new();
    for (tool, dir) in tools {
        let found = program(tool, &dir);
        if seen.contains(&tool) && found.is_some() {
            continue;
        }
        seen.push(tool);
        checks.push(Check {
            what: "tool",
            of: tool.to_owned(),
            found: found
                .as_ref()
                .map_or_else(|| "not found".into(), |p| p.display().to_string()),
            needed: "in PATH".into(),
            ok: found.is_some(),
        });
    }
    checks
}

/// The problems that failed checks are.
pub fn problems(checks: &[Check]) -> Vec<Problem> {
    let failed = checks.iter().filter(|check| !check.ok);
    failed
        .map(|check| {
            let text = format!(
                "{} {}: {}, needed: {}",
                check.what, check.of, check.found, check.needed
            );
            Problem::new(Reason::PreflightFailed, text)
        })
        .collect()
}

fn volume(dir: &Path, least: u64, file: &SuitesFile) -> Vec<Check> {
    let of = dir.display().to_string();
    let stat = match rustix::fs::statvfs(dir) {
        Ok(stat) => stat,
        Err(e) => {
            return vec![Check {
                what: "space",
                of,
                found: format!("unknown: {e}"),
                needed: Bytes::new(least).to_string(),
                ok: false,
            }];
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let mut checks = vec![Check {
        what: "space",
        of: of.clone(),
        found: format!("{} MiB free", free >> 20),
        needed: Bytes::new(least).to_string(),
        ok: free >= least,
    }];
    // File systems that make inodes as they need them say 0.
    if stat.f_files > 0 {
        let needed = u128::from(file.min_free_inodes.ppm());
        let ok = u128::from(stat.f_favail) * 1_000_000 >= u128::from(stat.f_files) * needed;
        checks.push(Check {
            what: "inodes",
            of,
            found: format!("{} of {} free", stat.f_favail, stat.f_files),
            needed: file.min_free_inodes.to_string(),
            ok,
        });
    }
    checks
}

/// The nearest directory above that is there.
fn existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|p| p.is_dir());
    found.unwrap_or(Path::new(".")).to_owned()
}

/// Where a program is found, as the system looks for it.
pub fn program(name: &str, dir: &Path) -> Option<PathBuf> {
    let runs = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        let meta = std::fs::metadata(path).ok()?;
        (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then(|| path.to_owned())
    };
    if name.contains('/') {
        return runs(&dir.join(name));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|place| runs(&dir.join(place).join(name)))
}
