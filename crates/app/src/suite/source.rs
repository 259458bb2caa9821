//! The tree that is tested: its identity before and after a run.
//!
//! In a repository it is the id of the git tree that all files make that git would track, changed and new ones included. Every file's bytes
//! are hashed each time: neither the index's memory of times nor a flag that says "take it as unchanged" is believed, and a file that git
//! would check out with other bytes is marked. What is not here is not part of it, whether it was removed or never checked out: a sparse
//! checkout is another tree, and so is one without its submodules. The objects go to a directory of ours, so that a replay can make the very tree again, and the repository is not touched. Elsewhere it is a digest over the
//! files.

mod beyond;
mod filtered;
mod listing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gonogo_core::{Digest, Reason};
use gonogo_suite::run::Source;

pub use listing::Listed;

use crate::AppError;
use crate::workspace::make_dir;

/// Directories that are no source where there is no repository that says so.
const BUILT: [&str; 8] = [
    ".git",
    OWN,
    "target",
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    ".pytest_cache",
];

/// Our own directory.
const OWN: &str = ".gonogo";

/// The mark of a repository within this one that is not checked out.
const ABSENT: &str = "absent";

/// A project's tree.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
    /// The repository's top, if there is one.
    top: Option<PathBuf>,
    /// Where objects of trees that are not committed go.
    pub objects: PathBuf,
    /// Relative to `root`, left out of the tree.
    apart: Vec<String>,
}

impl Tree {
    /// Looks for the repository. `apart` are paths below `root` that may change.
    ///
    /// # Errors
    /// A repository that git cannot read.
    pub fn find(root: &Path, state: &Path, apart: &[String]) -> Result<Self, AppError> {
        let root = root
            .canonicalize()
            .map_err(|e| AppError::io("find", root, &e))?;
        let inside = root.ancestors().any(|dir| dir.join(".git").exists());
        let top = match inside {
            true => Some(PathBuf::from(git(
                &root,
                &[],
                &["rev-parse", "--show-toplevel"],
            )?)),
            false => None,
        };
        if let Some(top) = top.as_ref().filter(|top| !root.starts_with(top)) {
            let text = format!(
                "the repository's files lie in `{}`, and not here (`core.worktree`)",
                top.display()
            );
            return Err(AppError::new(Reason::GitFailed, text)
                .hint("take `core.worktree` out of its configuration"));
        }
        let objects = state.join("objects");
        make_dir(&objects)?;
        Ok(Self {
            root,
            top,
            objects: objects
                .canonicalize()
                .map_err(|e| AppError::io("find", &objects, &e))?,
            apart: apart.to_vec(),
        })
    }

    /// Whether there is a repository.
    pub fn has_repository(&self) -> bool {
        self.top.is_some()
    }

    /// The repository's top, or the project's directory.
    pub fn top(&self) -> &Path {
        self.top.as_deref().unwrap_or(&self.root)
    }

    /// Where the project lies below the top.
    pub fn below(&self) -> &Path {
        self.root.strip_prefix(self.top()).unwrap_or(Path::new(""))
    }

    /// What it is of now.
    ///
    /// # Errors
    /// A file that cannot be read; git's faults.
    pub fn now(&self) -> Result<Source, AppError> {
        let Some(top) = &self.top else {
            return Ok(Source {
                tree: format!("files:{}", self.digest()?.hex()),
                ..Source::default()
            });
        };
        let commit = git(top, &[], &["rev-parse", "--verify", "--quiet", "HEAD"]).ok();
        let (tree, filtered) = self.write_tree(top, commit.is_some())?;
        let committed = match &commit {
            Some(_) => git(top, &[], &["rev-parse", "HEAD^{tree}"]).ok(),
            None => None,
        };
        let branch = git(top, &[], &["symbolic-ref", "--quiet", "--short", "HEAD"]).ok();
        let mut beside = self.within(top, &tree)?;
        beside.extend(filtered);
        let within = filtered::mark(&beside);
        Ok(Source {
            dirty: committed.as_deref() != Some(tree.as_str()) || !within.is_empty(),
            tree: format!("git:{tree}{within}"),
            tree_after: None,
            commit,
            branch,
        })
    }

    /// Whom git would name as the author of a commit made here, name and address; empty where it would refuse to make one.
    pub fn commits_as(&self) -> Vec<String> {
        let Some(top) = &self.top else {
            return Vec::new();
        };
        let ident = git(top, &[], &["var", "GIT_AUTHOR_IDENT"]).unwrap_or_default();
        let (name, rest) = ident.split_once('<').unwrap_or_default();
        let address = rest.split('>').next().unwrap_or_default();
        let names = [name, address].map(|n| n.trim().to_owned());
        names.into_iter().filter(|n| !n.is_empty()).collect()
    }

    /// The variables under which git sees our objects beside the repository's.
    pub fn objects_env(&self) -> Result<Vec<(&'static str, PathBuf)>, AppError> {
        let own = git(self.top(), &[], &["rev-parse", "--git-path", "objects"])?;
        Ok(vec![
            ("GIT_OBJECT_DIRECTORY", self.objects.clone()),
            ("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.top().join(own)),
        ])
    }

    /// Which paths differ between two trees of ours, the first few; empty where that cannot be told.
    pub fn changed(&self, before: &str, after: &str) -> Vec<String> {
        const TOLD: usize = 8;
        let (Some(top), Some(a), Some(b)) = (
            &self.top,
            before.strip_prefix("git:"),
            after.strip_prefix("git:"),
        ) else {
            return Vec::new();
        };
        let Ok(env) = self.objects_env() else {
            return Vec::new();
        };
        let listed = git(top, &env, &["diff-tree", "-r", "--name-only", a, b]);
        let listed = listed.unwrap_or_default();
        listed.lines().take(TOLD).map(str::to_owned).collect()
    }

    fn write_tree(
        &self,
        top: &Path,
        has_head: bool,
    ) -> Result<(String, BTreeMap<String, String>), AppError> {
        let dir = tempfile::Builder::new()
            .prefix(".index-")
            .tempdir_in(&self.objects)
            .map_err(|e| AppError::io("write", &self.objects, &e))?;
        let mut env = self.objects_env()?;
        env.push(("GIT_INDEX_FILE", dir.path().join("index")));
        if has_head {
            // What is tracked and ignored belongs to the tree too.
            git(top, &env, &["read-tree", "HEAD"])?;
        }
        // What is left out is taken out of what is tracked, and ignored where it is not: a pathspec that leaves out what is ignored
        // anyway is an error to git. What somebody tracks in our own directory is a file like any other.
        let mut ignored = ignored_by_user(top)?;
        for own in self.below_top(&[OWN.to_owned()]) {
            ignored.push_str(&format!("\n/{}", escaped(&own)));
        }
        for path in self.below_top(&self.apart) {
            ignored.push_str(&format!("\n/{}", escaped(&path)));
            let spec = format!(":(top,literal){path}");
            git(
                top,
                &env,
                &[
                    "rm",
                    "-r",
                    "-q",
                    "--cached",
                    "--ignore-unmatch",
                    "--",
                    &spec,
                ],
            )?;
        }
        ignored.push('\n');
        let file = dir.path().join("excludes");
        std::fs::write(&file, ignored).map_err(|e| AppError::io("write", &file, &e))?;
        let excludes = format!("core.excludesFile={}", file.display());
        git(top, &env, &["-c", &excludes, "add", "--all", "--", ":/"])?;
        let tree = git(top, &env, &["write-tree"])?;
        Ok((tree, Self::filtered(top, &env, dir.path())?))
    }

    /// What repositories within this one have that is not the commit that the tree names, by path: changes, or all of it where they are not
    /// checked out.
    ///
    /// git's tree names their commits alone. What stands behind `+` is no git id, so such a tree can be told from others and not made again.
    fn within(&self, top: &Path, tree: &str) -> Result<BTreeMap<String, String>, AppError> {
        let env = self.objects_env()?;
        let listed = git(top, &env, &["ls-tree", "-r", "-z", "--full-tree", tree])?;
        let mut changed = BTreeMap::new();
        for entry in listed.split('\0').filter(|e| e.starts_with("160000 ")) {
            let Some((what, path)) = entry.split_once('\t') else {
                continue;
            };
            let named = what.split(' ').nth(2).unwrap_or_default();
            let root = top.join(path);
            let is_here = Self::is_top(&root);
            let own = Self {
                top: is_here.then(|| root.clone()),
                root,
                objects: self.objects.clone(),
                apart: Vec::new(),
            };
            // One that was not fetched is no repository, and what lies in its place is not what the commit has.
            if !is_here {
                let files = own.walked(&[])?;
                let text = serde_json::to_vec(&files).unwrap_or_default();
                let text = format!("{ABSENT} {}", Digest::of(&text).hex());
                changed.insert(path.to_owned(), text);
                continue;
            }
            let now = own.now()?;
            if now.dirty || now.commit.as_deref() != Some(named) {
                changed.insert(path.to_owned(), now.tree);
            }
        }
        Ok(changed)
    }

    /// Whether a directory is the top of a repository of its own.
    pub(super) fn is_top(dir: &Path) -> bool {
        let own = dir.canonicalize().ok();
        let top = git(dir, &[], &["rev-parse", "--show-toplevel"]).ok();
        own.is_some() && own == top.map(PathBuf::from)
    }

    /// Paths below the project, from the top.
    fn below_top(&self, paths: &[String]) -> Vec<String> {
        let below = self.below();
        let whole = paths.iter().filter_map(|path| {
            let path = below.join(path.trim_matches('/'));
            path.to_str().map(str::to_owned)
        });
        whole.collect()
    }

    fn digest(&self) -> Result<Digest, AppError> {
        let text = serde_json::to_vec(&self.walked(&BUILT)?).unwrap_or_default();
        Ok(Digest::of(&text))
    }

    /// What every file of a tree without a repository is, by its path; directories of the names `built` are left out.
    fn walked(&self, built: &[&str]) -> Result<BTreeMap<String, String>, AppError> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        let mut open = vec![self.root.clone()];
        while let Some(path) = open.pop() {
            let fault = |e| AppError::io("read", &path, &e);
            let relative = path.strip_prefix(&self.root).unwrap_or(&path);
            let name = spelled(relative);
            if self.apart.iter().any(|a| a.trim_matches('/') == name) {
                continue;
            }
            let meta = std::fs::symlink_metadata(&path).map_err(fault)?;
            if meta.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(fault)? {
                    let entry = entry.map_err(fault)?;
                    if !built.iter().any(|b| entry.file_name() == *b) {
                        open.push(entry.path());
                    }
                }
            } else if meta.is_symlink() {
                let to = std::fs::read_link(&path).map_err(fault)?;
                files.insert(name, format!("link {}", spelled(&to)));
            } else if meta.is_file() {
                use std::os::unix::fs::PermissionsExt;
                let (_, digest) = crate::dry_run::keeping::digest(&path)?;
                let executable = meta.permissions().mode() & 0o111 != 0;
                files.insert(name, format!("{executable} {digest}"));
            }
        }
        Ok(files)
    }
}

/// A path as text; two paths are never one text. Bytes that are no UTF-8 stand behind a NUL, which no path has.
fn spelled(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let of_bytes = || {
        path.as_os_str()
            .as_bytes()
            .iter()
            .fold("\0".to_owned(), |text, b| text + &format!("{b:02x}"))
    };
    path.to_str().map_or_else(of_bytes, str::to_owned)
}

/// What the user has git ignore everywhere.
fn ignored_by_user(top: &Path) -> Result<String, AppError> {
    let named = git(top, &[], &["config", "--type=path", "core.excludesFile"]).ok();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let config = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or(home);
    let path = named
        .map(|named| top.join(named))
        .or(config.map(|config| config.join("git/ignore")));
    let Some(path) = path else {
        return Ok(String::new());
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(AppError::io("read", &path, &e)),
    }
}

/// A path as a pattern that means it alone.
fn escaped(path: &str) -> String {
    let mut out = String::new();
    for c in path.chars() {
        if matches!(c, '\\' | '*' | '?' | '[' | ' ' | '!' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// git, away from whatever repository the caller's environment names.
fn command(dir: &Path, env: &[(&str, PathBuf)], args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "advice.addEmbeddedRepo=false",
            "-c",
            "core.quotePath=false",
            // What stands in the files counts, whatever this repository is told to overlook: their modes, that a link became a file,
            // and that a part of the tree was not checked out.
            "-c",
            "core.fileMode=true",
            "-c",
            "core.symlinks=true",
            "-c",
            "core.sparseCheckout=false",
            // Two names that differ in case, or in how their letters are composed, are two files.
            "-c",
            "core.ignoreCase=false",
            "-c",
            "core.precomposeUnicode=false",
            // What is there is looked at, and not what something remembers of it.
            "-c",
            "core.untrackedCache=false",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "advice.graftFileDeprecated=false",
            // Parents are those of the commits, and not those of a table beside them.
            "-c",
            "core.commitGraph=false",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        // History is what the commits say, and no file beside them.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        // A path is that path, and attributes are those of the files.
        .env_remove("GIT_ATTR_SOURCE")
        .env_remove("GIT_ICASE_PATHSPECS")
        .env_remove("GIT_LITERAL_PATHSPECS")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .envs(env.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs git and gives what it says, without the line's end.
///
/// # Errors
/// [`Reason::GitFailed`] with its own words.
pub fn git(dir: &Path, env: &[(&str, PathBuf)], args: &[&str]) -> Result<String, AppError> {
    let output = git_bytes(dir, env, args)?;
    Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
}

/// Runs git and gives what it says, byte by byte.
///
/// # Errors
/// As [`git()`].
pub fn git_bytes(dir: &Path, env: &[(&str, PathBuf)], args: &[&str]) -> Result<Vec<u8>, AppError> {
    told(dir, args, command(dir, env, args).stdin(Stdio::null()))
}

/// Runs git with this as its input and gives what it says, byte by byte.
///
/// # Errors
/// As [`git()`].
pub fn git_asked(dir: &Path, args: &[&str], input: std::fs::File) -> Result<Vec<u8>, AppError> {
    told(dir, args, command(dir, &[], args).stdin(input))
}

fn told(dir: &Path, args: &[&str], command: &mut Command) -> Result<Vec<u8>, AppError> {
    let failed = |why: String| {
        let text = format!("git {} in `{}`: {why}", args.join(" "), dir.display());
        AppError::new(Reason::GitFailed, text)
    };
    let output = command.output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(400).collect();
        return Err(failed(match said.is_empty() {
            true => output.status.to_string(),
            false => said,
        }));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_two() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree {
            top: None,
            root: dir.path().to_owned(),
            objects: dir.path().join("objects"),
            apart: Vec::new(),
        };
        let path = |name: &[u8]| dir.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path(b"a\xff"), "bug").unwrap();
        std::fs::write(path(b"a\xfe"), "").unwrap();
        std::fs::write(path(b"plain"), "").unwrap();
        let before = tree.digest().unwrap();
        assert_eq!(tree.walked(&[]).unwrap().len(), 3);
        std::fs::write(path(b"a\xff"), "").unwrap();
        assert_ne!(tree.digest().unwrap(), before);
        std::fs::write(path(b"a\xfe"), "bug").unwrap();
        assert_ne!(tree.digest().unwrap(), before);
    }
}
