//! The files that a runtime leaves as evidence of what it did: the decision diary and performance figures.
//!
//! A tick costs the same however long the run: an entry of the diary is one write at the end of the entries, in each of the
//! three formats. Performance figures are replaced atomically, so no reader sees half of them. Writing fails without
//! leaving a cut-off diary behind: the next entry goes where the failed one began.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde_json::json;

use crate::injection::{Kind, Which};
use crate::{Options, time};

/// How the diary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiaryFormat {
    /// One entry a line.
    Jsonl,
    /// One object: `entries`, `probe_registry`, `generated_at`.
    Object,
    /// One array of entries.
    Array,
}

impl DiaryFormat {
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "jsonl" => Some(Self::Jsonl),
            "object" => Some(Self::Object),
            "array" => Some(Self::Array),
            _ => None,
        }
    }

    /// What stands before the entries, between two of them, and after them.
    fn frame(self) -> (&'static str, &'static str, String) {
        match self {
            Self::Jsonl => ("", "\n", "\n".to_owned()),
            Self::Array => ("[\n", ",\n", "\n]\n".to_owned()),
            Self::Object => {
                let made = json!(time::stamp(SignedDuration::ZERO));
                let tail = format!("\n],\"probe_registry\":{{}},\"generated_at\":{made}}}\n");
                ("{\"entries\":[\n", ",\n", tail)
            }
        }
    }
}

/// What is done about a piece of evidence at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Write,
    Break,
    Touch,
    Nothing,
}

/// Both files, as far as they are written.
pub(crate) struct Evidence {
    diary: Option<Diary>,
    performance: Option<Performance>,
    future: SignedDuration,
}

impl Evidence {
    pub(crate) fn new(options: &Options) -> Self {
        let diary = options.diary.clone().map(|path| Diary {
            path,
            format: options.diary_format,
            file: None,
            end: 0,
            entries: 0,
        });
        let performance = options.performance.clone().map(|path| Performance {
            path,
            sharpe: options.sharpe,
        });
        Self {
            diary,
            performance,
            future: SignedDuration::ZERO,
        }
    }

    /// Writes what tick `n` leaves behind, with `active` going wrong.
    ///
    /// # Errors
    /// What cannot be written, with its path. Both are tried.
    pub(crate) fn tick<'a>(
        &mut self,
        n: u64,
        active: impl Iterator<Item = &'a Kind>,
    ) -> Result<(), String> {
        let mut deeds = (Deed::Write, Deed::Write);
        self.future = SignedDuration::ZERO;
        for kind in active {
            let (which, deed) = match kind {
                Kind::Stale(which) => (*which, Deed::Nothing),
                Kind::Touched(which) => (*which, Deed::Touch),
                Kind::Broken(which) => (*which, Deed::Break),
                Kind::Future(ahead) => {
                    self.future = SignedDuration::try_from(*ahead).unwrap_or(SignedDuration::MAX);
                    continue;
                }
                _ => continue,
            };
            deeds = chosen(deeds, which, deed);
        }
        let diary = self.diary.as_mut().map_or(Ok(()), |d| {
            d.tick(n, deeds.0, self.future)
                .map_err(|e| format!("the diary {} cannot be written: {e}", d.path.display()))
        });
        let performance = self.performance.as_ref().map_or(Ok(()), |p| {
            p.tick(n, deeds.1, self.future).map_err(|e| {
                format!(
                    "performance figures {} cannot be written: {e}",
                    p.path.display()
                )
            })
        });
        diary.and(performance)
    }
}

fn chosen(deeds: (Deed, Deed), which: Which, deed: Deed) -> (Deed, Deed) {
    (
        if which.diary() { deed } else { deeds.0 },
        if which.performance() { deed } else { deeds.1 },
    )
}

fn touch(path: &Path) -> io::Result<()> {
    let now = time::wall();
    let file = File::options().append(true).create(true).open(path)?;
    file.set_times(FileTimes::new().set_accessed(now).set_modified(now))
}

fn parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::create_dir_all(parent),
        _ => Ok(()),
    }
}

struct Diary {
    path: PathBuf,
    format: DiaryFormat,
    file: Option<File>,
    /// Where the last good entry ends.
    end: u64,
    entries: u64,
}

impl Diary {
    fn tick(&mut self, n: u64, deed: Deed, future: SignedDuration) -> io::Result<()> {
        match deed {
            Deed::Nothing => Ok(()),
            Deed::Touch => touch(&self.path),
            Deed::Write => self.append(&entry(n, future), true).map(drop),
            Deed::Break => {
                let entry = entry(n, future);
                self.append(&entry[..entry.len() / 2], false).map(drop)
            }
        }
    }

    /// Appends an entry; one that is not `whole` is left as a writer's death would leave it. Returns the bytes written.
    fn append(&mut self, entry: &str, whole: bool) -> io::Result<u64> {
        let (head, between, tail) = self.format.frame();
        if self.file.is_none() {
            parent(&self.path)?;
            self.file = Some(File::create(&self.path)?);
        }
        let Some(file) = &self.file else {
            return Ok(0);
        };
        let before = if self.entries == 0 { head } else { between };
        let line = format!("{before}{entry}");
        let mut bytes = line.clone().into_bytes();
        // A cut-off line of JSONL stays among good ones; a document that was cut off has no end.
        if whole || self.format == DiaryFormat::Jsonl {
            bytes.extend_from_slice(tail.as_bytes());
        }
        if let Err(e) = file.write_all_at(&bytes, self.end) {
            // No torn entry: as it was before. If even that cannot be done, the next entry overwrites it.
            let _ = file.set_len(self.end);
            if self.entries > 0 {
                let _ = file.write_all_at(tail.as_bytes(), self.end);
            }
            return Err(e);
        }
        if whole || self.format == DiaryFormat::Jsonl {
            self.end += line.len() as u64;
            self.entries += 1;
        } else {
            // The next whole entry begins here again.
            file.set_len(self.end + bytes.len() as u64)?;
        }
        Ok(bytes.len() as u64)
    }
}

/// The diary's entry of tick `n`, one line of JSON.
fn entry(n: u64, future: SignedDuration) -> String {
    json!({
        "entry_id": format!("smoke-{n:05}"),
        "recorded_at": time::stamp(future),
        "policy_id": "smoke",
        "decision": {"action": "hold", "confidence": 0.75},
        "regime_state": {"regime": "calm"},
        "outcomes": {"executed": true},
        "metadata": {"seq": n},
        "notes": [format!("tick {n}")],
    })
    .to_string()
}

struct Performance {
    path: PathBuf,
    sharpe: f64,
}

/// What the figures cover, ending now.
const PERIOD: SignedDuration = SignedDuration::from_mins(5);

impl Performance {
    fn tick(&self, n: u64, deed: Deed, future: SignedDuration) -> io::Result<()> {
        let figures = json!({
            "generated_at": time::stamp(future),
            "period_start": time::stamp(future.saturating_sub(PERIOD)),
            "trades": n,
            "roi": 0.015 * n as f64,
            "win_rate": 0.58,
            "sharpe_ratio": self.sharpe,
            "metadata": {"source": "simulated"},
        });
        let text = format!("{figures:#}\n");
        match deed {
            Deed::Nothing => Ok(()),
            Deed::Touch => touch(&self.path),
            Deed::Write => self.replace(text.as_bytes()),
            Deed::Break => self.replace(&text.as_bytes()[..text.len() / 2]),
        }
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        parent(&self.path)?;
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = self.path.with_file_name(name);
        let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

#[cfg(test)]
mod tests;
