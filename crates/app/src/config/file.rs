//! The file itself: where it is, its bytes, and what is wrong with them before any key has a meaning.
//!
//! Invariants: reading is bounded by [`MAX_BYTES`] and never waits (pipes and devices are refused unopened).

use std::io::Read;
use std::path::{Path, PathBuf};

use gonogo_core::Reason;

use super::error::{ConfigError, ConfigErrors, Source};

/// Name of the file.
pub const FILE: &str = "gonogo.toml";

/// Largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// Finds [`FILE`] in `start` (absolute) or the nearest directory above it.
///
/// # Errors
/// [`Reason::ConfigNotFound`], or [`Reason::ConfigUnreadable`] where a directory on the way cannot be searched.
pub fn find(start: &Path) -> Result<PathBuf, ConfigErrors> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    for directory in start.ancestors() {
        let path = directory.join(FILE);
        // A link that points nowhere is found too, so that reading it says what is wrong.
        match path.symlink_metadata() {
            Ok(_) => return Ok(path),
            Err(e) if matches!(e.kind(), NotFound | NotADirectory) => {}
            Err(e) => {
                let message = format!("the directory cannot be searched: {e}");
                let hint = "check its permissions, or name the file with --config";
                return Err(ConfigErrors::of_file(
                    Reason::ConfigUnreadable,
                    &path,
                    message,
                    hint,
                ));
            }
        }
    }
    Err(ConfigErrors::of_file(
        Reason::ConfigNotFound,
        start,
        format!("no {FILE} in this directory or above it"),
        "create one (`gonogo help config` shows an example), or name it with --config",
    ))
}

pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, ConfigErrors> {
    let fault = |message: String, hint: &str| {
        ConfigErrors::of_file(Reason::ConfigUnreadable, path, message, hint)
    };
    let io = |e: std::io::Error| {
        if e.kind() == std::io::ErrorKind::NotFound && path.symlink_metadata().is_err() {
            let hint = "correct the path; `gonogo help config` shows an example of the file";
            ConfigErrors::of_file(Reason::ConfigNotFound, path, "there is no such file", hint)
        } else {
            fault(
                format!("the file cannot be read: {e}"),
                "check its path and permissions",
            )
        }
    };
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let kind = path.metadata().map_err(io)?;
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "a directory"
        } else {
            "not a regular file"
        };
        return Err(fault(format!("this is {what}"), "name the file itself"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fault(
            format!("the file is larger than {MAX_BYTES} bytes"),
            "is this the right file?",
        ));
    }
    Ok(bytes)
}

/// Turns the parser's faults into ours: every duplicate key, and the first other one (later ones may only follow from it).
pub(super) fn syntax(source: &Source<'_>, broken: &[toml::de::Error]) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut other = false;
    for e in broken {
        let span = e.span().unwrap_or(source.text.len()..source.text.len());
        if e.message().starts_with("duplicate key") {
            let key = duplicate(source.text, &span);
            let message = format!("`{key}` stands twice in one table");
            let hints = vec!["keep one of the two".into()];
            errors.push(source.error(Reason::ConfigDuplicateKey, &span, key, message, hints));
        } else if !other {
            other = true;
            let message = format!("this is not TOML: {}", e.message());
            errors.push(source.error(Reason::ConfigSyntax, &span, "", message, Vec::new()));
        }
    }
    errors
}

/// Returns the dotted path of the key at `span`, as far as the last header tells it.
fn duplicate(text: &str, span: &std::ops::Range<usize>) -> String {
    let key = text.get(span.clone()).unwrap_or_default().trim();
    let before = text.get(..span.start).unwrap_or_default();
    let (above, here) = before.rsplit_once('\n').unwrap_or(("", before));
    if let Some(parents) = here.trim_start().strip_prefix('[') {
        return format!("{}{key}", parents.trim_start_matches('['));
    }
    let header = above.lines().rev().find_map(|line| {
        let inner = line.trim_start().trim_start_matches('[').split(']').next();
        inner.filter(|_| line.trim_start().starts_with('['))
    });
    header.map_or_else(|| key.to_owned(), |header| format!("{header}.{key}"))
}
