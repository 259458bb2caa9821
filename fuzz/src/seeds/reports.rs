//! Seeds of test reports: what real tools wrote, from the suite's tests, if it is small; some words of each format.

use std::io;
use std::path::{Path, PathBuf};

use gonogo_suite::read::detect;

use super::put;
use crate::targets::FORMATS;

/// Longer ones slow the fuzzer down and show it little more.
const LONGEST: usize = 24 << 10;

/// Writes them below `seeds`: each to the reader of its format and to `report-detect`.
pub(super) fn write(seeds: &Path) -> io::Result<()> {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/suite/tests/reports");
    let mut files = Vec::new();
    list(&reports, &mut files)?;
    files.sort();
    for (n, path) in files.iter().enumerate() {
        let bytes = std::fs::read(path)?;
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(format) = detect(name, &bytes) else {
            continue;
        };
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        for (target, known) in FORMATS {
            if known == format {
                put(&seeds.join(target), n, bytes)?;
            }
        }
        put(
            &seeds.join("report-detect"),
            n,
            &bytes[..bytes.len().min(2 << 10)],
        )?;
    }
    Ok(())
}

fn list(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
