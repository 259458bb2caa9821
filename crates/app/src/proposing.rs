//! Suites are proposed for a repository, and written where nothing is lost by it.
//!
//! The proposal is `gonogo_suite::propose`; here are the repository's files and `gonogo.toml`. Invariants: what stands in a file is never changed,
//! only added to; a file is written only if the real reader accepts all of it; a file that has suites is left alone.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gonogo_core::Reason;
use gonogo_suite::propose::{Proposal, propose as proposed};

use crate::AppError;
use crate::config::{Config, FILE, MAX_BYTES};
use crate::suite::analysing::ProjectFiles;
use crate::workspace::STATE_DIR;

/// What git is told not to look at.
const IGNORE: &str = ".gitignore";

/// Most bytes of a `.gitignore`.
const IGNORE_BYTES: u64 = 1 << 20;

/// Directories that tools of a program leave in the tree.
const LEFT: [(&str, &[&str]); 4] = [
    ("cargo", &["target"]),
    ("python3", &["__pycache__", ".pytest_cache"]),
    ("npm", &["node_modules"]),
    ("npx", &["node_modules"]),
];

/// Whether git leaves `.gonogo` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// There is no repository.
    NoRepository,
    /// It does.
    Yes,
    /// It does not: what a run leaves would be offered to be committed.
    No,
}

/// What could be written.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The repository's directory.
    pub dir: PathBuf,
    /// What is proposed.
    pub proposal: Proposal,
    /// Its tables.
    pub toml: String,
    /// Whether there is a `gonogo.toml`.
    pub has_file: bool,
    /// Whether git leaves `.gonogo` alone.
    pub ignored: Ignored,
    /// What else somebody should look at, beside the proposal's own notes.
    pub notes: Vec<String>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The configuration.
    pub file: PathBuf,
    /// Whether it is new; else it was added to.
    pub created: bool,
    /// The `.gitignore`, if a line was added to it.
    pub ignore: Option<PathBuf>,
}

/// Looks at a repository. Changes nothing.
///
/// # Errors
/// There is no such directory.
pub fn propose(dir: &Path) -> Result<Proposed, AppError> {
    let meta = std::fs::metadata(dir).map_err(|e| AppError::io("read", dir, &e))?;
    if !meta.is_dir() {
        let text = format!("`{}` is no directory", dir.display());
        return Err(AppError::new(Reason::InputNotFound, text).hint("name the repository's"));
    }
    let proposal = proposed(&ProjectFiles(dir));
    let toml = proposal.to_toml();
    let mut notes = Vec::new();
    let has_file = std::fs::symlink_metadata(dir.join(FILE)).is_ok();
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let above = absolute.ancestors().skip(1).map(|d| d.join(FILE));
    if let Some(above) = above.into_iter().find(|f| !has_file && f.is_file()) {
        notes.push(format!(
            "`{}` holds here now; a file in this directory holds instead of it",
            above.display()
        ));
    }
    let repository = absolute.ancestors().any(|d| d.join(".git").exists());
    let ignored = match repository {
        false => Ignored::NoRepository,
        true if ignores(dir, STATE_DIR) => Ignored::Yes,
        true => Ignored::No,
    };
    if repository {
        notes.extend(changed(dir, &proposal));
    }
    Ok(Proposed {
        dir: dir.to_owned(),
        proposal,
        toml,
        has_file,
        ignored,
        notes,
    })
}

/// What the proposed commands leave in the tree and git does not ignore.
fn changed(dir: &Path, proposal: &Proposal) -> Vec<String> {
    let mut notes = Vec::new();
    for target in &proposal.targets {
        let left = target.command.first();
        let left = LEFT
            .iter()
            .find(|(program, _)| left.is_some_and(|p| p == program));
        for name in left.into_iter().flat_map(|(_, names)| *names) {
            let path = match target.dir.as_str() {
                "." => (*name).to_owned(),
                below => format!("{below}/{name}"),
            };
            let note = format!(
                "git does not ignore `{path}/`: a run that makes it changes the tree, and proves nothing then"
            );
            if !ignores(dir, &path) && !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// Whether git would ignore a directory of this name. Without git its file is read.
fn ignores(dir: &Path, name: &str) -> bool {
    let asked = Command::new("git")
        .args(["check-ignore", "--quiet", "--no-index", "--"])
        .arg(format!("{name}/x"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match asked.ok().and_then(|status| status.code()) {
        Some(0) => true,
        Some(1) => false,
        _ => {
            let text = bounded(&dir.join(IGNORE), IGNORE_BYTES).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            text.lines()
                .any(|line| line.trim().trim_matches('/') == name)
        }
    }
}

/// Writes what is proposed: a new `gonogo.toml`, or the end of one that has no suites; and a line for `.gonogo/` where git would look at it.
///
/// # Errors
/// Nothing is proposed; a file that has suites, that has faults, or that would have some with the proposal; a file that cannot be written. Nothing
/// was changed then, unless the text says so.
pub fn write(proposed: &Proposed) -> Result<Written, AppError> {
    if proposed.proposal.targets.is_empty() {
        let text = "nothing is proposed, so nothing was written";
        return Err(AppError::new(Reason::SuiteUnknown, text)
            .hint("declare suites by hand: `gonogo help config` shows the keys"));
    }
    let file = proposed.dir.join(FILE);
    let before = match std::fs::symlink_metadata(&file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(AppError::io("read", &file, &e)),
        Ok(_) => {
            crate::workspace::can_be_written(&file)?;
            Some(bounded(&file, MAX_BYTES)?)
        }
    };
    let whole = match &before {
        None => format!(
            "# Suites, as proposed for this repository. `gonogo help config` explains the keys.\n\n{}",
            proposed.toml
        ),
        Some(bytes) => added(&file, bytes, &proposed.toml)?,
    };
    // The real reader has the last word.
    Config::parse(&file, whole.as_bytes()).map_err(|e| {
        let error = AppError::from(e);
        let text = format!("nothing was written, for the file would have faults:\n{error}");
        let mut refused = AppError::new(error.reason, text).and(&error.others);
        refused.hints = error.shown_hints();
        refused
    })?;
    put(&file, whole.as_bytes(), before.as_deref())?;
    let ignore = match proposed.ignored {
        Ignored::No => Some(ignore(&proposed.dir).map_err(|e| {
            let text = format!(
                "`{}` was written; {}, so `.gonogo/` is not ignored yet",
                file.display(),
                e.message
            );
            AppError::new(e.reason, text).hint(format!("add `{STATE_DIR}/` to {IGNORE}"))
        })?),
        Ignored::NoRepository | Ignored::Yes => None,
    };
    Ok(Written {
        file,
        created: before.is_none(),
        ignore,
    })
}

/// The file's text with the tables behind it.
fn added(file: &Path, bytes: &[u8], toml: &str) -> Result<String, AppError> {
    let shown = file.display();
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let text = format!("`{shown}` is not UTF-8: {e}; nothing was written");
        AppError::new(Reason::ConfigUnreadable, text).hint("save it as UTF-8")
    })?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let text = format!(
            "`{shown}` cannot be read, so nothing was written: {}",
            e.message()
        );
        AppError::new(Reason::ConfigSyntax, text)
            .hint("mend it first; `gonogo suite list --profiles` reads it")
    })?;
    if table.contains_key("suites") {
        let text = format!("`{shown}` has `[suites]` already, and what is there is never changed");
        return Err(AppError::new(Reason::OutputFailed, text)
            .hint("`gonogo init --suites` prints the proposal: take from it what is missing"));
    }
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    Ok(format!("{text}{gap}{toml}"))
}

/// Adds a line for the state directory.
fn ignore(dir: &Path) -> Result<PathBuf, AppError> {
    let path = dir.join(IGNORE);
    let before = match std::fs::symlink_metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(AppError::io("read", &path, &e)),
        Ok(_) => {
            crate::workspace::can_be_written(&path)?;
            Some(bounded(&path, IGNORE_BYTES)?)
        }
    };
    let mut whole = before.clone().unwrap_or_default();
    if !whole.is_empty() && !whole.ends_with(b"\n") {
        whole.push(b'\n');
    }
    whole.extend_from_slice(format!("{STATE_DIR}/\n").as_bytes());
    put(&path, &whole, before.as_deref())?;
    Ok(path)
}

/// Puts a file where none is, or in the place of one that still is as it was read. Readers see the old bytes or the new ones; the mode stays.
fn put(path: &Path, bytes: &[u8], before: Option<&[u8]>) -> Result<(), AppError> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let fault = |e: std::io::Error| {
        let text = format!("cannot write `{}`: {e}", path.display());
        AppError::new(Reason::OutputFailed, text)
    };
    let dir = crate::workspace::parent(path);
    let mut file = tempfile::Builder::new()
        .prefix(".gonogo-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(dir)
        .map_err(fault)?;
    file.write_all(bytes).map_err(fault)?;
    if before.is_some() {
        let mode = std::fs::metadata(path).map_err(fault)?.permissions();
        file.as_file().set_permissions(mode).map_err(fault)?;
    }
    file.as_file().sync_all().map_err(fault)?;
    match before {
        None => file.persist_noclobber(path).map_err(|e| fault(e.error))?,
        Some(before) => {
            if bounded(path, MAX_BYTES)? != before {
                let text = format!(
                    "`{}` was changed meanwhile; nothing was written",
                    path.display()
                );
                return Err(AppError::new(Reason::OutputFailed, text).hint("try again"));
            }
            file.persist(path).map_err(|e| fault(e.error))?
        }
    };
    Ok(())
}

/// The bytes of a plain file, if it is not larger than that.
///
/// # Errors
/// It is not there, is no plain file, is larger, or cannot be read.
pub(crate) fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let refused = |why: String| {
        let text = format!("cannot read `{}`: {why}", path.display());
        AppError::new(Reason::InputMalformed, text).hint("is this the right file?")
    };
    if !std::fs::metadata(path).map_err(fault)?.is_file() {
        return Err(refused("it is no plain file".into()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fault)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > most {
        return Err(refused(format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}
