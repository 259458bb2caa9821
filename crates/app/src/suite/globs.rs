//! Files that a pattern means: `target/**/*.xml`, relative to a directory.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use gonogo_core::Reason;

use crate::AppError;

/// Most files that the patterns of one target may mean.
const MOST: usize = 10_000;

/// Most entries that are looked at for one pattern.
const LOOKED: usize = 1_000_000;

/// Says why a pattern cannot be used.
///
/// # Errors
/// One line.
pub fn check(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("a pattern must not be empty".into());
    }
    if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        return Err("a pattern must stay below its directory".into());
    }
    matcher(pattern).map(drop)
}

fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    let pattern = pattern.trim_start_matches("./");
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|e| format!("it is no pattern: {e}"))
}

/// What patterns mean.
#[derive(Debug, Default)]
pub struct Meant {
    /// Plain files, sorted, each once.
    pub files: Vec<PathBuf>,
    /// What has such a name and is a link, or no plain file, and where a pattern leads through a link: none of it is followed.
    pub odd: Vec<PathBuf>,
}

/// Plain files below `dir` that a pattern means, sorted, each once. Links are not followed.
///
/// # Errors
/// A pattern that cannot be used, a directory that cannot be read, too many files.
pub fn find(dir: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, AppError> {
    meant(dir, patterns).map(|meant| meant.files)
}

/// All that patterns mean below `dir`. Directories that are links are odd only where a pattern names them without wildcards.
///
/// # Errors
/// As [`find`].
pub fn meant(dir: &Path, patterns: &[String]) -> Result<Meant, AppError> {
    let mut found = Vec::new();
    let mut odd = Vec::new();
    for pattern in patterns {
        let refused = |why: String| {
            let text = format!("the pattern `{pattern}` cannot be used: {why}");
            AppError::new(Reason::ArgumentInvalid, text)
        };
        check(pattern).map_err(refused)?;
        let matcher = matcher(pattern).map_err(refused)?;
        let mut looked = 0;
        let first = dir.join(fixed(pattern));
        let is_link = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
        if first != dir && (is_link(&first) || passes_link(dir, &first)) {
            odd.push(first);
            continue;
        }
        let mut open = vec![first];
        let deep = pattern.contains("**");
        let depth = dir.components().count() + pattern.trim_start_matches("./").split('/').count();
        while let Some(path) = open.pop() {
            looked += 1;
            if looked > LOOKED || found.len() > MOST {
                return Err(refused("it means too many files".into()));
            }
            let meta = match std::fs::symlink_metadata(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                other => other.map_err(|e| AppError::io("read", &path, &e))?,
            };
            let is_meant = || matcher.is_match(path.strip_prefix(dir).unwrap_or(&path));
            if meta.is_file() {
                if is_meant() {
                    found.push(path);
                }
            } else if !meta.is_dir() {
                if is_meant() {
                    odd.push(path);
                }
            } else if meta.is_dir() && (deep || path.components().count() < depth) {
                let entries =
                    std::fs::read_dir(&path).map_err(|e| AppError::io("read", &path, &e))?;
                for entry in entries {
                    let entry = entry.map_err(|e| AppError::io("read", &path, &e))?;
                    if entry.file_name() != ".git" {
                        open.push(entry.path());
                    }
                }
            }
        }
    }
    for list in [&mut found, &mut odd] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(Meant { files: found, odd })
}

/// Whether a directory between is a link: a pattern without wildcards names a path at once, and nothing outside is meant.
fn passes_link(dir: &Path, path: &Path) -> bool {
    let between = path.ancestors().skip(1).take_while(|above| *above != dir);
    let mut kinds = between.map(std::fs::symlink_metadata);
    kinds.any(|meta| meta.is_ok_and(|meta| meta.is_symlink()))
}

/// The part of a pattern before its first wildcard, whole directories of it; the pattern itself if it has none.
fn fixed(pattern: &str) -> &str {
    let pattern = pattern.trim_start_matches("./");
    match pattern.find(['*', '?', '[', '{', '\\']) {
        None => pattern,
        Some(at) => pattern[..at]
            .rfind('/')
            .map_or("", |slash| &pattern[..slash]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_plain_files_below_their_directory() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.xml", "b/c.xml", "b/d/e.xml", "b/d/f.txt", ".git/x.xml"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc", dir.path().join("b/link")).unwrap();
        let of = |patterns: &[&str]| -> Vec<String> {
            let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
            let found = find(dir.path(), &patterns).unwrap();
            found
                .iter()
                .map(|p| p.strip_prefix(dir.path()).unwrap().display().to_string())
                .collect()
        };
        assert_eq!(of(&["a.xml"]), ["a.xml"]);
        assert_eq!(of(&["*.xml"]), ["a.xml"]);
        assert_eq!(of(&["./b/*.xml"]), ["b/c.xml"]);
        assert_eq!(of(&["**/*.xml"]), ["a.xml", "b/c.xml", "b/d/e.xml"]);
        assert_eq!(
            of(&["b/**/*.xml", "b/d/*"]),
            ["b/c.xml", "b/d/e.xml", "b/d/f.txt"]
        );
        assert_eq!(of(&["no/*.xml", "b/link/passwd"]), Vec::<String>::new());
        std::os::unix::fs::symlink("a.xml", dir.path().join("l.xml")).unwrap();
        let odd = |pattern: &str| meant(dir.path(), &[pattern.to_owned()]).unwrap().odd;
        assert_eq!(odd("*.xml"), [dir.path().join("l.xml")]);
        assert_eq!(odd("l.xml"), [dir.path().join("l.xml")]);
        assert_eq!(odd("b/link/*.xml"), [dir.path().join("b/link")]);
        assert_eq!(odd("b/*.xml"), Vec::<PathBuf>::new());
        for bad in ["", "/etc/*", "../x", "a/../b", "[", "{a"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
