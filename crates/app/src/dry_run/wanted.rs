//! Which reports a run is to leave, kept beside the run so that `finalize` writes them too.

use std::path::{Path, PathBuf};

use gonogo_core::Reason;
use gonogo_dryrun::Status;
use serde::{Deserialize, Serialize};

use crate::AppError;
use crate::workspace::write_atomic;

/// The file's name in the capture directory.
pub const FILE: &str = "reports.json";

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// For people.
    Markdown,
    /// For machines.
    Json,
    /// For people, with charts.
    Html,
}

/// What people add to a review brief.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brief {
    /// Names the run.
    pub label: Option<String>,
    /// Who takes part.
    pub attendees: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
    /// `NAME=STATUS[:NOTE]`.
    pub objectives: Vec<String>,
    /// Leave the summary out.
    pub skip_summary: bool,
    /// Leave the sign-off out.
    pub skip_sign_off: bool,
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// The directory for people.
    pub directory: Option<PathBuf>,
    /// The archive; in the directory if absent.
    pub archive: Option<PathBuf>,
    /// Leave the raw bytes out.
    pub skip_raw: bool,
}

/// The minutes of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WrapUp {
    /// As JSON.
    pub json: Option<PathBuf>,
    /// As Markdown.
    pub markdown: Option<PathBuf>,
    /// By how much the run may be shorter, seconds.
    pub tolerance: f64,
    /// A warning counts as a failure.
    pub treat_warn_as_failure: bool,
}

/// The reports of a run. All paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// The run's directory, for `summary.json`; of an orchestrated run.
    pub run_dir: Option<PathBuf>,
    /// The report as JSON.
    pub json_report: Option<PathBuf>,
    /// The report as Markdown.
    pub markdown_report: Option<PathBuf>,
    /// The brief as Markdown.
    pub review_markdown: Option<PathBuf>,
    /// The brief as JSON.
    pub review_json: Option<PathBuf>,
    /// The brief as a page.
    pub review_html: Option<PathBuf>,
    /// What people add to it.
    pub brief: Brief,
    /// The minutes.
    pub wrap_up: Option<WrapUp>,
    /// The packet.
    pub packet: Option<Packet>,
    /// Where the ledger lies if there is no project.
    pub beside: PathBuf,
}

impl Wanted {
    /// Keeps it beside the run.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, dir: &Path) -> Result<(), AppError> {
        write_atomic(&dir.join(FILE), &self.to_bytes())
    }

    /// Its one spelling.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Whether a packet with the raw bytes is wanted.
    pub fn packs_raw(&self) -> bool {
        self.packet.as_ref().is_some_and(|packet| !packet.skip_raw)
    }

    /// Reads what was kept; nothing but a verdict is wanted of a run that kept nothing.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(dir: &Path) -> Result<Self, AppError> {
        let path = dir.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                AppError::new(Reason::InputMalformed, format!("`{}`: {e}", path.display()))
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self {
                beside: dir.parent().unwrap_or(dir).to_owned(),
                ..Self::default()
            }),
            Err(e) => Err(AppError::io("read", &path, &e)),
        }
    }

    /// Every file that will be written, to be checked before anything is started.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let wrap_up = self.wrap_up.as_ref();
        let packet = self.packet.as_ref();
        [
            self.json_report.as_deref(),
            self.markdown_report.as_deref(),
            self.review_markdown.as_deref(),
            self.review_json.as_deref(),
            self.review_html.as_deref(),
            wrap_up.and_then(|w| w.json.as_deref()),
            wrap_up.and_then(|w| w.markdown.as_deref()),
            packet.and_then(|p| p.archive.as_deref()),
        ]
        .into_iter()
        .flatten()
    }
}

/// How a command ends: its status, unless a warning is to count as a failure.
pub fn exit(status: Status, treat_warn_as_error: bool) -> gonogo_core::Exit {
    match status {
        Status::Warn if treat_warn_as_error => Status::Fail.exit(),
        other => other.exit(),
    }
}
