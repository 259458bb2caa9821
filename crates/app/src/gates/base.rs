//! What a change is a change of: the base commit, and files as they are there.

use std::path::Path;

use gonogo_core::Reason;

use crate::AppError;
use crate::suite::source::{Tree, git, git_asked, git_bytes};

/// Branches that a change is usually made for, in the order in which they are looked for: whole names, which no tag and no other branch has.
const REMOTE: [&str; 4] = [
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "refs/remotes/origin/trunk",
];

/// The same where nothing was ever fetched. Beside branches that were, one's own may be the change itself.
const LOCAL: [&str; 3] = ["refs/heads/main", "refs/heads/master", "refs/heads/trunk"];

/// Most bytes of a file of the base.
const LARGEST: usize = 4 << 20;

/// The base of a change.
#[derive(Debug, Clone)]
pub enum Base {
    /// This commit.
    Commit {
        /// Its id.
        commit: String,
        /// The branch or commit that the change is for: its own newest may be later.
        tip: String,
        /// The others, where branches were merged crosswise: each of them is as near (git-merge-base(1)), and none is believed alone.
        also: Vec<String>,
    },
    /// Nobody knows.
    Unknown(String),
}

/// A file at the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Its text.
    Text(String),
    /// There is none.
    Absent,
    /// Nobody knows.
    Unknown(String),
}

impl Base {
    /// The base of what is checked out: the newest commit that it has in common with `given`, or with the usual branch.
    ///
    /// # Errors
    /// `given` is no commit.
    pub fn find(tree: &Tree, given: Option<&str>) -> Result<Self, AppError> {
        if !tree.has_repository() {
            return Ok(Self::Unknown("there is no repository".into()));
        }
        let top = tree.top();
        let common = |other: &str| -> Result<Self, AppError> {
            let all = git(top, &[], &["merge-base", "--all", "HEAD", other])?;
            let mut all = all.lines().map(str::to_owned);
            let none = || AppError::new(Reason::GitFailed, "no commit is common");
            Ok(Self::Commit {
                commit: all.next().ok_or_else(none)?,
                tip: other.to_owned(),
                also: all.collect(),
            })
        };
        if let Some(given) = given {
            if given.starts_with('-') {
                let text = format!("`{given}` is no commit");
                return Err(AppError::new(Reason::ArgumentInvalid, text));
            }
            return common(given).map_err(|e| {
                let text = format!("there is no base `{given}`: {e}");
                AppError::new(Reason::ArgumentInvalid, text)
            });
        }
        let fetched = [
            "for-each-ref",
            "--count=1",
            "--format=%(refname)",
            "refs/remotes",
        ];
        let usual = match git(top, &[], &fetched)?.is_empty() {
            true => &LOCAL[..],
            false => &REMOTE[..],
        };
        let is_there = |name: &&&str| {
            let commit = format!("{name}^{{commit}}");
            git(top, &[], &["rev-parse", "--verify", "--quiet", &commit]).is_ok()
        };
        // The first that there is, and no other: one without common history says that something is odd.
        let Some(branch) = usual.iter().find(is_there) else {
            return Ok(Self::Unknown(format!(
                "none of {} is there; name a base",
                usual.join(", ")
            )));
        };
        Ok(common(branch).unwrap_or_else(|_| {
            Self::Unknown(format!(
                "nothing is known to be common with {branch}; name a base"
            ))
        }))
    }

    /// The base of a change under judgement, and what is said of it.
    ///
    /// A change cannot choose what it is held against: `given` counts if all of it is in the branch that is usual here, or if nobody knows
    /// which that is. Else the usual base counts, from which everything that is in that branch already is no part of the change.
    ///
    /// # Errors
    /// `given` is no commit.
    pub fn judged(tree: &Tree, given: Option<&str>) -> Result<(Self, Option<String>), AppError> {
        let Some(name) = given else {
            return Ok((Self::find(tree, None)?, None));
        };
        let named = Self::find(tree, given)?;
        let usual = Self::find(tree, None)?;
        let Self::Commit { tip, .. } = &usual else {
            return Ok((named, None));
        };
        let has = |commit: &&str| {
            let args = ["merge-base", "--is-ancestor", commit, tip.as_str()];
            git(tree.top(), &[], &args).is_ok()
        };
        if named.commits().iter().all(has) {
            return Ok((named, None));
        }
        let note = format!(
            "the base `{name}` is not in {tip}, so this is judged as a change of {}, the newest commit of that branch that it has",
            usual.commit().unwrap_or_default()
        );
        Ok((usual, Some(note)))
    }

    /// One commit, and what it is for.
    pub fn of(commit: String, tip: String) -> Self {
        Self::Commit {
            commit,
            tip,
            also: Vec::new(),
        }
    }

    /// Every commit that is a base.
    fn commits(&self) -> Vec<&str> {
        match self {
            Self::Commit { commit, also, .. } => std::iter::once(commit)
                .chain(also)
                .map(String::as_str)
                .collect(),
            Self::Unknown(_) => Vec::new(),
        }
    }

    /// The commit, if it is known.
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Commit { commit, .. } => Some(commit),
            Self::Unknown(_) => None,
        }
    }

    /// A file of the project as the base has it; nobody knows where there are several and they have not the same.
    pub fn file(&self, tree: &Tree, path: &Path) -> At {
        if let Self::Unknown(why) = self {
            return At::Unknown(why.clone());
        }
        self.agreed(|commit| Self::file_at(tree, commit, path))
    }

    /// What all commits of the base have alike.
    fn agreed(&self, at: impl Fn(&str) -> At) -> At {
        let commits = self.commits();
        let mut found: Option<At> = None;
        for commit in &commits {
            let own = at(commit);
            match &found {
                Some(first) if *first != own => {
                    return At::Unknown(format!(
                        "the change has several commits in common with what it is for, and they are not alike there: {}; merge once more, or name one as the base",
                        commits.join(", ")
                    ));
                }
                _ => found = Some(own),
            }
        }
        found.unwrap_or_else(|| At::Unknown("nobody knows the base".into()))
    }

    fn file_at(tree: &Tree, commit: &str, path: &Path) -> At {
        let below = tree.below().join(path);
        let Some(below) = below.to_str() else {
            return At::Unknown("its path is no UTF-8".into());
        };
        let name = format!("{commit}:{below}");
        let listed = git(
            tree.top(),
            &[],
            &["ls-tree", "--full-tree", "--name-only", commit, "--", below],
        );
        match listed {
            Ok(listed) if listed.is_empty() => return At::Absent,
            Ok(_) => {}
            Err(e) => return At::Unknown(e.to_string()),
        }
        match git_bytes(tree.top(), &[], &["cat-file", "blob", &name]) {
            Ok(bytes) => text(bytes),
            Err(e) => At::Unknown(e.to_string()),
        }
    }

    /// A file at a path from the top as the base has it, behind the links that lead to it there.
    pub(super) fn followed(&self, tree: &Tree, path: &str) -> At {
        self.asked(|commit| {
            let dir = tree.objects.as_path();
            let fault = |e| AppError::io("write", dir, &e);
            let mut asked = tempfile::tempfile_in(dir).map_err(fault)?;
            std::io::Write::write_all(&mut asked, format!("{commit}:{path}\n").as_bytes())
                .and_then(|()| std::io::Seek::rewind(&mut asked))
                .map_err(fault)?;
            let said = git_asked(
                tree.top(),
                &["cat-file", "--batch", "--follow-symlinks"],
                asked,
            )?;
            Ok(behind(&said))
        })
    }

    /// What a link at a path from the top says at the base; absent where there is none, or something else.
    pub(super) fn link(&self, tree: &Tree, path: &str) -> At {
        self.entry(tree, path, "120000", |name| {
            git_bytes(tree.top(), &[], &["cat-file", "blob", name]).map(text)
        })
    }

    /// The commit of a repository at a path from the top at the base; absent where there is none.
    pub(super) fn id(&self, tree: &Tree, path: &str) -> At {
        self.entry(tree, path, "160000", |name| {
            let args = ["rev-parse", "--verify", "--end-of-options", name];
            git(tree.top(), &[], &args).map(At::Text)
        })
    }

    fn entry(
        &self,
        tree: &Tree,
        path: &str,
        mode: &str,
        read: impl Fn(&str) -> Result<At, AppError>,
    ) -> At {
        self.asked(|commit| {
            let spec = format!(":(literal){path}");
            let args = ["ls-tree", "--full-tree", commit, "--", &spec];
            let listed = git(tree.top(), &[], &args)?;
            match listed.split(' ').next() == Some(mode) {
                true => read(&format!("{commit}:{path}")),
                false => Ok(At::Absent),
            }
        })
    }

    fn asked(&self, at: impl Fn(&str) -> Result<At, AppError>) -> At {
        if let Self::Unknown(why) = self {
            return At::Unknown(why.clone());
        }
        self.agreed(|commit| at(commit).unwrap_or_else(|e| At::Unknown(e.to_string())))
    }

    /// A file of the project as the branch has it now that the change is for; `None` where nobody knows the base.
    pub fn tip(&self, tree: &Tree, path: &Path) -> Option<At> {
        let Self::Commit { tip, .. } = self else {
            return None;
        };
        let commit = format!("{tip}^{{commit}}");
        let found = git(
            tree.top(),
            &[],
            &["rev-parse", "--verify", "--end-of-options", &commit],
        );
        Some(match found {
            Ok(commit) => Self::file_at(tree, &commit, path),
            Err(e) => At::Unknown(e.to_string()),
        })
    }

    /// Paths of the base with this name, at most ten of each of its commits.
    ///
    /// # Errors
    /// git's faults; nobody knows the base.
    pub fn named(&self, tree: &Tree, name: &str) -> Result<Vec<String>, AppError> {
        if let Self::Unknown(why) = self {
            return Err(AppError::new(Reason::GitFailed, why.clone()));
        }
        let mut found = Vec::new();
        for commit in self.commits() {
            let args = ["ls-tree", "-r", "-z", "--full-tree", "--name-only", commit];
            let listed = git(tree.top(), &[], &args)?;
            let is_named = |path: &&str| path.rsplit('/').next() == Some(name);
            let own = listed.split('\0').filter(is_named).take(10);
            found.extend(own.map(str::to_owned));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Whether a commit went in before the change: it is the base, or the base comes after it.
    pub fn has(&self, tree: &Tree, commit: &str) -> bool {
        let is_name = !commit.is_empty() && commit.bytes().all(|b| b.is_ascii_hexdigit());
        let is_before = |base: &&str| {
            let args = ["merge-base", "--is-ancestor", commit, base];
            git(tree.top(), &[], &args).is_ok()
        };
        is_name && self.commits().iter().any(is_before)
    }

    /// Every commit that went in before the change, the base among them; none where nobody knows the base.
    ///
    /// # Errors
    /// git's faults.
    pub fn ancestors(&self, tree: &Tree) -> Result<std::collections::HashSet<String>, AppError> {
        let commits = self.commits();
        if commits.is_empty() {
            return Ok(std::collections::HashSet::new());
        }
        let args = [&["rev-list"], &commits[..]].concat();
        let text = git(tree.top(), &[], &args)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Everybody who made the change: names and addresses of its commits, and who asks if there are changes that are not committed.
    ///
    /// # Errors
    /// git's faults.
    pub fn authors(&self, tree: &Tree) -> Result<Vec<String>, AppError> {
        let format = "--format=%an%n%ae%n%cn%n%ce%n%(trailers:key=Co-authored-by,valueonly)";
        let mut text = String::new();
        // Where there are several, whoever is between any of them and here may have brought what the others lack.
        for base in self.commits() {
            let range = format!("{base}..HEAD");
            text += &git(tree.top(), &[], &["log", format, &range])?;
            text.push('\n');
        }
        let mut authors: Vec<String> = text
            .lines()
            .flat_map(|line| line.split(['<', '>']))
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        authors.sort_unstable();
        authors.dedup();
        Ok(authors)
    }
}

fn text(bytes: Vec<u8>) -> At {
    if bytes.len() > LARGEST {
        return At::Unknown(format!("it has more than {LARGEST} bytes"));
    }
    String::from_utf8(bytes).map_or_else(|_| At::Unknown("it is no UTF-8".into()), At::Text)
}

/// What `git cat-file --batch --follow-symlinks` (git-cat-file(1)) says of one name.
fn behind(said: &[u8]) -> At {
    let end = said.iter().position(|b| *b == b'\n').unwrap_or(said.len());
    let head = String::from_utf8_lossy(&said[..end]).into_owned();
    let words: Vec<&str> = head.split(' ').collect();
    match words.as_slice() {
        [_, "blob", size] => {
            let body = said.get(end + 1..).unwrap_or_default();
            let whole = size.parse().ok().and_then(|size: usize| body.get(..size));
            whole.map_or_else(
                || At::Unknown("git ended before its end".into()),
                |bytes| text(bytes.to_vec()),
            )
        }
        ["symlink", _] => At::Unknown("there it is behind a link that leads out".into()),
        ["dangling" | "loop" | "notdir", _] => At::Absent,
        words if words.last() == Some(&"missing") => At::Absent,
        _ => At::Unknown("there it is no file".into()),
    }
}
