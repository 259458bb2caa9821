//! Which files a tree has: the list that its identity is made of, so that what is ignored is not looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tree, git};
use crate::AppError;

/// How a walked file that is a link is noted.
pub(super) const LINK: &str = "link ";

/// What a tree has, by paths from the top.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// Plain files.
    pub files: BTreeSet<String>,
    /// Symbolic links.
    pub links: BTreeSet<String>,
    /// The commits of repositories within.
    pub commits: BTreeMap<String, String>,
}

impl Listed {
    /// The link on the way to a path, or the path itself if it is one.
    pub fn link<'a>(&self, path: &'a str) -> Option<&'a str> {
        upto(path).find(|part| self.links.contains(*part))
    }

    /// The repository that a path lies in within this one, and its commit.
    pub fn within<'a>(&self, path: &'a str) -> Option<(&'a str, &String)> {
        upto(path).find_map(|part| self.commits.get_key_value(part).map(|(_, id)| (part, id)))
    }
}

/// The directories that a path lies in, from the top, and itself.
fn upto(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end])
}

impl Tree {
    /// What a tree of ours has.
    ///
    /// # Errors
    /// git's faults, files that cannot be read.
    pub fn listed(&self, tree: &str) -> Result<Listed, AppError> {
        let mut all = Listed::default();
        let (Some(top), Some(id)) = (&self.top, tree.strip_prefix("git:")) else {
            for (path, is) in self.walked(&super::BUILT)? {
                match is.starts_with(LINK) {
                    true => all.links.insert(path),
                    false => all.files.insert(path),
                };
            }
            return Ok(all);
        };
        let id = id.split('+').next().unwrap_or(id);
        let env = self.objects_env()?;
        let listed = git(top, &env, &["ls-tree", "-r", "-z", "--full-tree", id])?;
        for (what, path) in listed.split('\0').filter_map(|e| e.split_once('\t')) {
            let path = path.to_owned();
            let mut words = what.split(' ');
            match (words.next(), words.nth(1)) {
                (Some("120000"), _) => {
                    all.links.insert(path);
                }
                (Some("160000"), Some(id)) => {
                    all.commits.insert(path, id.to_owned());
                }
                _ => {
                    all.files.insert(path);
                }
            }
        }
        Ok(all)
    }

    /// The links of a tree of ours below the project's directory, by their paths from there.
    ///
    /// # Errors
    /// git's faults, files that cannot be read.
    pub fn links(&self, tree: &str) -> Result<BTreeSet<String>, AppError> {
        let below = self.below();
        let all = self.listed(tree)?.links.into_iter();
        let inside = all.filter_map(|link| {
            let link = std::path::Path::new(&link).strip_prefix(below).ok()?;
            link.to_str().map(str::to_owned)
        });
        Ok(inside.collect())
    }

    /// The plain files of a tree of ours below the project's directory, by their paths from there. Links and what lies in repositories
    /// within are left out.
    ///
    /// # Errors
    /// git's faults, files that cannot be read.
    pub fn files(&self, tree: &str) -> Result<BTreeSet<String>, AppError> {
        let (Some(top), Some(id)) = (&self.top, tree.strip_prefix("git:")) else {
            let walked = self.walked(&super::BUILT)?.into_iter();
            let plain = walked.filter(|(_, is)| !is.starts_with(LINK));
            return Ok(plain.map(|(path, _)| path).collect());
        };
        let id = id.split('+').next().unwrap_or(id);
        let env = self.objects_env()?;
        let listed = git(top, &env, &["ls-tree", "-r", "-z", "--full-tree", id])?;
        let below = self.below();
        let mut files = BTreeSet::new();
        for entry in listed.split('\0').filter(|e| e.starts_with("100")) {
            let path = entry.split_once('\t').map(|(_, path)| path);
            let inside = path.and_then(|p| std::path::Path::new(p).strip_prefix(below).ok());
            files.extend(inside.and_then(|p| p.to_str()).map(str::to_owned));
        }
        Ok(files)
    }
}
