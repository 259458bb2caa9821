//! What a run may read that is in no tree, and what a tree lacks that its commit has: told beside the run, so that nobody takes the tree
//! for more than it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::listing::LINK;
use super::{BUILT, Tree, git};
use crate::AppError;

/// Most of one kind that are named.
const TOLD: usize = 5;

impl Tree {
    /// What is to be known of this tree of ours, a line for each kind.
    ///
    /// # Errors
    /// git's faults, files that cannot be read.
    pub fn beyond(&self, tree: &str) -> Result<Vec<String>, AppError> {
        let Some((top, id)) = self.top.as_ref().zip(tree.strip_prefix("git:")) else {
            let walked = self.walked(&BUILT)?;
            let links = walked.iter().filter(|(_, is)| is.starts_with(LINK));
            let links = links.map(|(path, _)| path.as_str());
            return Ok(outside(&self.root, links, |_| true).into_iter().collect());
        };
        let id = id.split('+').next().unwrap_or(id);
        let env = self.objects_env()?;
        let listed = git(top, &env, &["ls-tree", "-r", "-t", "-z", "--full-tree", id])?;
        let entries: Vec<(&str, &str)> = listed
            .split('\0')
            .filter_map(|entry| entry.split_once('\t'))
            .collect();
        let has: BTreeSet<&str> = entries.iter().map(|(_, path)| *path).collect();
        let of = |kind: &'static str| {
            let own = entries
                .iter()
                .filter(move |(what, _)| what.starts_with(kind));
            own.map(|(_, path)| *path)
        };
        let mut told = Vec::new();
        told.extend(outside(top, of("120000 "), |path| {
            path.as_os_str().is_empty() || path.to_str().is_some_and(|path| has.contains(path))
        }));
        let absent: Vec<String> = of("160000 ")
            .filter(|path| !Self::is_top(&top.join(path)))
            .map(|path| format!("`{path}`"))
            .collect();
        if !absent.is_empty() {
            told.push(format!(
                "{} not checked out (`git submodule update --init`): the run is of the tree without what they have, and of no other",
                named(&absent)
            ));
        }
        // All values, the newest last, and ours behind them.
        let sparse = git(top, &[], &["config", "--get-all", "core.sparseCheckout"]);
        let is_sparse = sparse.is_ok_and(|all| all.lines().rev().nth(1) == Some("true"));
        if is_sparse {
            let lacks = ["diff-tree", "-r", "-z", "--name-only", "--diff-filter=D"];
            let lacks = git(top, &env, &[&lacks[..], &["HEAD", id]].concat())?;
            let lacks = lacks.split('\0').filter(|path| !path.is_empty()).count();
            if lacks > 0 {
                told.push(format!(
                    "this checkout is sparse, and {lacks} of the commit's files are not here (`git sparse-checkout disable`): the run is of the tree without them, and of no other"
                ));
            }
        }
        Ok(told)
    }
}

/// What is said of links that lead to what is in no tree; `has` says whether the tree has a path below `top`.
fn outside<'a>(
    top: &Path,
    links: impl Iterator<Item = &'a str>,
    has: impl Fn(&Path) -> bool,
) -> Option<String> {
    let top: PathBuf = top.canonicalize().ok()?;
    let leads_out = |path: &&str| {
        // One that leads nowhere leads to nothing that could be read.
        let to = top.join(path).canonicalize().ok();
        to.is_some_and(|to| !to.strip_prefix(&top).is_ok_and(&has))
    };
    let found: Vec<String> = links
        .filter(leads_out)
        .map(|path| match std::fs::read_link(top.join(path)) {
            Ok(to) => format!("`{path}` (to `{}`)", to.display()),
            Err(_) => format!("`{path}`"),
        })
        .collect();
    (!found.is_empty()).then(|| {
        format!(
            "what these links lead to is in no tree, and may be another at the next run of the same one: {}",
            named(&found)
        )
    })
}

/// The first few, and how many more.
fn named(all: &[String]) -> String {
    let shown = all[..all.len().min(TOLD)].join(", ");
    match all.len().saturating_sub(TOLD) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
