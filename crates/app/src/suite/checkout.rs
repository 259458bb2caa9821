//! A run's tree made again in a directory of its own, so that a replay runs exactly what failed.
//!
//! Whoever made it holds a lock beside it as long as it is in use: what lies under a lock that nobody holds was left by one that was ended
//! and is taken away by the next. What is kept has no lock.

use std::fs::File;
use std::path::{Path, PathBuf};

use gonogo_core::Reason;
use gonogo_suite::run::Source;

use super::lending;
use super::source::{Tree, git};
use crate::AppError;
use crate::workspace::make_dir;

/// A directory that holds a tree. It goes when this is dropped, unless it is kept.
#[derive(Debug)]
pub struct Checkout {
    dir: PathBuf,
    project: PathBuf,
    kept: bool,
    /// Held while this is in use.
    _lock: File,
}

const LOCK: &str = "lock";

fn lock_of(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".");
    name.push(LOCK);
    PathBuf::from(name)
}

/// Takes a lock that nobody has taken for left behind in between.
fn hold(dir: &Path) -> Result<File, AppError> {
    let path = lock_of(dir);
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    let fault = |e: std::io::Error| AppError::io("lock", &path, &e);
    loop {
        let file = File::create(&path).map_err(fault)?;
        file.lock().map_err(fault)?;
        if path.exists() {
            return Ok(file);
        }
    }
}

/// Takes trees away whose makers were ended before they could. Gives how many.
///
/// # Errors
/// A directory that cannot be read or removed.
pub(super) fn sweep(parent: &Path) -> Result<usize, AppError> {
    let entries = match std::fs::read_dir(parent) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(|e| AppError::io("list", parent, &e))?,
    };
    let mut swept = 0;
    for entry in entries {
        let path = entry.map_err(|e| AppError::io("list", parent, &e))?.path();
        if path.extension().is_none_or(|end| end != LOCK) {
            continue;
        }
        // One that has just gone is somebody else's business.
        let Ok(file) = File::open(&path) else {
            continue;
        };
        if file.try_lock().is_err() {
            continue;
        }
        let dir = path.with_extension("");
        for gone in [std::fs::remove_dir_all(&dir), std::fs::remove_file(&path)] {
            match gone {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(AppError::io("remove", &dir, &e));
                }
                _ => {}
            }
        }
        swept += 1;
    }
    Ok(swept)
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if !self.kept {
            // What is left of it is told by the next one that wants the same name; names are never used twice.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
        let _ = std::fs::remove_file(lock_of(&self.dir));
    }
}

impl Checkout {
    /// Makes the tree in `dir`, which must not be there.
    ///
    /// # Errors
    /// No repository, a tree whose objects are gone, git's and the disk's faults.
    pub fn make(tree: &Tree, source: &Source, dir: &Path) -> Result<Self, AppError> {
        let Some(id) = source.tree.strip_prefix("git:") else {
            let text = "the run was not of a git repository, so its tree cannot be made again";
            return Err(AppError::new(Reason::GitFailed, text)
                .hint("run the command that the report shows, in the directory as it is"));
        };
        if id.contains('+') {
            let text = "something of the run's tree is in no commit, so it cannot be made again: a repository within this one was changed or not checked out, or a file is not what git would check out";
            return Err(AppError::new(Reason::GitFailed, text).hint(
                "commit it there, or fetch it (`git submodule update --init`), and run again",
            ));
        }
        if dir.exists() {
            let text = format!("`{}` is there already", dir.display());
            return Err(AppError::new(Reason::OutputFailed, text));
        }
        let lock = hold(dir)?;
        make_dir(dir)?;
        let made = Self {
            dir: dir.to_owned(),
            project: dir.join(tree.below()),
            kept: false,
            _lock: lock,
        };
        git(dir, &[], &["init", "--quiet", "--initial-branch=replay"])?;
        // The objects stay where they are.
        let own = git(tree.top(), &[], &["rev-parse", "--git-path", "objects"])?;
        let listed = format!(
            "{}\n{}\n",
            tree.top().join(own).display(),
            tree.objects.display()
        );
        let alternates = dir.join(".git/objects/info/alternates");
        std::fs::write(&alternates, listed).map_err(|e| AppError::io("write", &alternates, &e))?;
        let commit = match (&source.commit, source.dirty) {
            (Some(commit), false) => commit.clone(),
            (parent, _) => {
                let mut args = vec![
                    "-c",
                    "user.name=gonogo",
                    "-c",
                    "user.email=gonogo@localhost",
                    "commit-tree",
                    id,
                    "-m",
                    "the tree of a run",
                ];
                if let Some(parent) = parent {
                    args.extend(["-p", parent]);
                }
                git(dir, &[], &args)?
            }
        };
        git(dir, &[], &["checkout", "--quiet", "--detach", &commit])?;
        let now = git(dir, &[], &["rev-parse", "HEAD^{tree}"])?;
        if now != id {
            let text = format!("the tree is `{now}`, and `{id}` was tested");
            return Err(AppError::new(Reason::EvidenceWrongTree, text));
        }
        lending::lend(tree.top(), dir)?;
        Ok(made)
    }

    /// The project within it.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// Lets it stay.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}
