//! What was installed beside the sources is lent to a tree that is made again: `node_modules` and virtual environments, which no commit has and
//! without which nothing of them runs.
//!
//! Invariants: only what is not in the tree is lent, and only where the tree has what it was installed for; a directory of packages is a
//! directory of links, so that caches that a tool puts there stay in the new tree.

use std::path::{Path, PathBuf};

use crate::AppError;

/// How deep below the top is looked.
const DEPTH: usize = 6;

/// Most directories that are looked at.
const MOST: usize = 20_000;

/// Directories of packages, and the file that says what is installed there.
const PACKAGES: &str = "node_modules";
const MANIFEST: &str = "package.json";

/// Virtual environments are told by this file (PEP 405).
const ENVIRONMENT: &str = "pyvenv.cfg";

/// Lends what lies in `from` to the tree in `to`.
///
/// # Errors
/// A link that cannot be made.
pub(super) fn lend(from: &Path, to: &Path) -> Result<(), AppError> {
    let mut open: Vec<(PathBuf, usize)> = vec![(PathBuf::new(), 0)];
    let mut looked = 0;
    while let Some((inside, depth)) = open.pop() {
        looked += 1;
        if looked > MOST {
            return Ok(());
        }
        let (source, target) = (from.join(&inside), to.join(&inside));
        let packages = source.join(PACKAGES);
        if target.join(MANIFEST).is_file() && packages.is_dir() {
            each(&packages, &target.join(PACKAGES))?;
        }
        // What is beside it is found in the project, what is below it in the tree.
        for name in names(&source) {
            let is_there = target.join(&name).symlink_metadata().is_ok();
            if !is_there && source.join(&name).join(ENVIRONMENT).is_file() {
                link(&source.join(&name), &target.join(&name))?;
            }
        }
        if depth < DEPTH {
            let below = names(&target).into_iter().filter(|name| name != ".git");
            let dirs = below.filter(|name| {
                let meta = target.join(name).symlink_metadata();
                name != PACKAGES && meta.is_ok_and(|m| m.is_dir())
            });
            open.extend(dirs.map(|name| (inside.join(name), depth + 1)));
        }
    }
    Ok(())
}

/// Links to every package, and to what package managers keep beside them; caches are not lent.
fn each(packages: &Path, to: &Path) -> Result<(), AppError> {
    if to.symlink_metadata().is_ok() {
        return Ok(());
    }
    std::fs::create_dir(to).map_err(|e| AppError::io("create", to, &e))?;
    for name in names(packages) {
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_kept = [
            ".bin",
            ".pnpm",
            ".modules.yaml",
            ".package-lock.json",
            ".yarn-state.yml",
        ]
        .iter()
        .any(|kept| name == *kept);
        if !is_hidden || is_kept {
            link(&packages.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> Result<(), AppError> {
    std::os::unix::fs::symlink(from, to).map_err(|e| AppError::io("link", to, &e))
}

/// What is in a directory; nothing if it cannot be read, as nothing could be run there either.
fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_environments_are_lent_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        let write = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        for root in [&from, &to] {
            write(root.join("web/app/package.json"));
            write(root.join("api/main.py"));
        }
        for file in [
            "web/app/node_modules/left-pad/index.js",
            "web/app/node_modules/.bin/tool",
            "web/app/node_modules/.vite/cache",
            "web/node_modules/orphan/index.js",
            "api/.venv/pyvenv.cfg",
            "api/.venv/bin/python",
            "api/build/out",
            "gone/node_modules/a/index.js",
        ] {
            write(from.join(file));
        }
        lend(&from, &to).unwrap();
        let is_there = |file: &str| to.join(file).exists();
        assert!(is_there("web/app/node_modules/left-pad/index.js"));
        assert!(is_there("web/app/node_modules/.bin/tool"));
        assert!(is_there("api/.venv/bin/python"));
        for absent in [
            "web/app/node_modules/.vite",
            "web/node_modules",
            "api/build",
            "gone",
        ] {
            assert!(!is_there(absent), "{absent}");
        }
        // What a tool writes beside the packages stays there.
        write(to.join("web/app/node_modules/.vite/new"));
        assert!(!from.join("web/app/node_modules/.vite/new").exists());
        // Once more changes nothing.
        lend(&from, &to).unwrap();
        // Taking the tree away takes no package away.
        std::fs::remove_dir_all(&to).unwrap();
        assert!(from.join("web/app/node_modules/left-pad/index.js").exists());
        assert!(from.join("api/.venv/bin/python").exists());
    }
}
