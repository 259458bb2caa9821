//! Why the recorder could not be started, or a cassette not be read or written.

use std::io;
use std::path::PathBuf;

use gonogo_core::Reason;

/// What went wrong before or after a run. What goes wrong during it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("{what}: {why}")]
    Setting {
        /// Which one.
        what: String,
        /// What is wrong with it, and what is expected.
        why: String,
    },
    /// Playback without a cassette.
    #[error("there is no cassette at {path}; record one where the real services can be reached")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The automatic mode would record in CI.
    #[error(
        "there is no cassette at {path}, and CI does not record by itself; record it on a workstation and commit it, or ask for mode `record`"
    )]
    MissingInCi {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A cassette is there already.
    #[error("{path} is there already; confirm that it may be replaced, or name another file")]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The cassette cannot be used.
    #[error("cassette {path}: {why}; record it again, or take it from a good commit")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// The place and what is wrong there.
        why: String,
    },
    /// The cassette is of another schema or version.
    #[error(
        "cassette {path} has schema `{found}`, this version reads `{}`; use the version that wrote it, or record it again",
        crate::cassette::SCHEMA
    )]
    Schema {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// A file or socket failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was to be done, with the object.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A certificate could not be made or read.
    #[error("cannot {what}: {why}")]
    Tls {
        /// What was to be done.
        what: String,
        /// Why not.
        why: String,
    },
}

impl Error {
    pub(crate) fn setting(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Setting {
            what: what.into(),
            why: why.into(),
        }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn tls(what: &str) -> impl FnOnce(String) -> Self {
        let what = what.to_owned();
        move |why| Self::Tls { what, why }
    }

    /// The catalogue's reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Setting { .. } => Reason::ConfigValue,
            Self::Missing { .. } | Self::MissingInCi { .. } => Reason::RecordingMissing,
            Self::Exists { .. } => Reason::RecordingExists,
            Self::Invalid { .. } => Reason::RecordingInvalid,
            Self::Schema { .. } => Reason::SchemaUnknown,
            Self::Io { .. } | Self::Tls { .. } => Reason::OutputFailed,
        }
    }
}
