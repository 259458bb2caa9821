//! Which files a tree has: the list that its identity is made of, so that what is ignored is not looked at.

use std::collections::BTreeSet;

use super::{Tree, git};
use crate::AppError;

/// How a walked file that is a link is noted.
pub(super) const LINK: &str = "link ";

impl Tree {
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
