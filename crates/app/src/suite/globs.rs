//! Files that a pattern means: `target/**/*.xml`, relative to a directory.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use gonogo_core::Reason;
use rustix::io::Errno;

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
    /// What has such a name below a wildcard and is a link, or is no plain file; and links below a wildcard that lead to more files of such names:
    /// none of it is followed.
    pub odd: Vec<PathBuf>,
    /// Patterns for which there is nothing at all.
    pub lost: Vec<String>,
}

/// Plain files below `dir` that a pattern means, sorted, each once.
///
/// # Errors
/// As [`meant`].
pub fn find(dir: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, AppError> {
    meant(dir, patterns).map(|meant| meant.files)
}

/// All that patterns mean below `dir`. Links that a pattern names before its first wildcard are followed: who wrote it meant what is behind them. Others
/// are not.
///
/// # Errors
/// A pattern that cannot be used, a directory that cannot be read, too many files.
pub fn meant(dir: &Path, patterns: &[String]) -> Result<Meant, AppError> {
    let mut found = Meant::default();
    let mut links = Vec::new();
    for pattern in patterns {
        let refused = |why: String| {
            let text = format!("the pattern `{pattern}` cannot be used: {why}");
            AppError::new(Reason::ArgumentInvalid, text)
        };
        check(pattern).map_err(refused)?;
        let walk = Walk::new(dir, pattern).map_err(refused)?;
        let mut looked = 0;
        let before = found.files.len() + found.odd.len();
        let first = dir.join(fixed(pattern));
        let mut open = vec![first.clone()];
        while let Some(path) = open.pop() {
            looked += 1;
            if looked > LOOKED || found.files.len() > MOST {
                return Err(refused("it means too many files".into()));
            }
            let meta = match path == first {
                true => std::fs::metadata(&path),
                false => std::fs::symlink_metadata(&path),
            };
            let meta = match meta {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                other => other.map_err(|e| AppError::io("read", &path, &e))?,
            };
            if meta.is_dir() {
                if walk.enters(&path) {
                    open.extend(entries(&path).map_err(|e| AppError::io("read", &path, &e))?);
                }
            } else if meta.is_symlink() && !walk.means(&path) {
                links.push((path, walk.clone()));
            } else if walk.means(&path) {
                match meta.is_file() {
                    true => found.files.push(path),
                    false => found.odd.push(path),
                }
            }
        }
        if before == found.files.len() + found.odd.len() {
            found.lost.push(pattern.clone());
        }
    }
    if !links.is_empty() {
        let real = |path: &PathBuf| path.canonicalize().ok();
        let read: HashSet<PathBuf> = found.files.iter().filter_map(real).collect();
        let mut left = LOOKED;
        links.retain(|(link, walk)| walk.hides(link, &read, &mut left));
        let is_other = |pattern: &String| links.iter().all(|(_, walk)| walk.pattern != *pattern);
        found.lost.retain(is_other);
        found.odd.extend(links.into_iter().map(|(link, _)| link));
    }
    for list in [&mut found.files, &mut found.odd] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(found)
}

/// What stands in a pattern before its first wildcard, and where that really is; `None` if no link leads there, or nothing is there.
pub fn behind(dir: &Path, pattern: &str) -> Option<(PathBuf, PathBuf)> {
    let first = dir.join(fixed(pattern));
    let real = through(dir, &first)?;
    Some((first, real))
}

/// Where a path below `dir` really is, if a link is on the way from there.
pub fn through(dir: &Path, path: &Path) -> Option<PathBuf> {
    let below = path.ancestors().take_while(|above| *above != dir);
    let mut kinds = below.map(std::fs::symlink_metadata);
    kinds
        .any(|meta| meta.is_ok_and(|meta| meta.is_symlink()))
        .then(|| path.canonicalize().ok())?
}

/// The way of one pattern through a directory.
#[derive(Debug, Clone)]
struct Walk {
    dir: PathBuf,
    pattern: String,
    matcher: GlobMatcher,
    deep: bool,
    depth: usize,
}

impl Walk {
    fn new(dir: &Path, pattern: &str) -> Result<Self, String> {
        let parts = pattern.trim_start_matches("./").split('/').count();
        Ok(Self {
            dir: dir.to_owned(),
            pattern: pattern.to_owned(),
            matcher: matcher(pattern)?,
            deep: pattern.contains("**"),
            depth: dir.components().count() + parts,
        })
    }

    fn means(&self, path: &Path) -> bool {
        let inner = path.strip_prefix(&self.dir).unwrap_or(path);
        self.matcher.is_match(inner)
    }

    /// Whether the pattern may mean something below a directory.
    fn enters(&self, path: &Path) -> bool {
        self.deep || path.components().count() < self.depth
    }

    /// Whether there is something behind a link that the pattern means and that was not `read` under another name. What cannot be looked at may
    /// be meant, and so may what is left when `left` entries were looked at.
    fn hides(&self, link: &Path, read: &HashSet<PathBuf>, left: &mut usize) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![link.to_owned()];
        while let Some(path) = open.pop() {
            if *left == 0 {
                return true;
            }
            *left -= 1;
            let meta = match std::fs::metadata(&path) {
                Ok(meta) => meta,
                // A link to nothing, or round in a circle, brings nothing.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) if e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => continue,
                Err(_) => return true,
            };
            if meta.is_dir() {
                let name = path.file_name().map(ToOwned::to_owned);
                if !self.enters(&path) || !seen.insert((meta.dev(), meta.ino(), name)) {
                    continue;
                }
                match entries(&path) {
                    Ok(inner) => open.extend(inner),
                    Err(_) => return true,
                }
            } else if self.means(&path)
                && path.canonicalize().is_ok_and(|real| !read.contains(&real))
            {
                return true;
            }
        }
        false
    }
}

/// What a directory has; a repository's own is none of it.
fn entries(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name() != ".git" {
            all.push(entry.path());
        }
    }
    Ok(all)
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

    /// A directory with these files.
    fn tree(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        dir
    }

    fn link(dir: &tempfile::TempDir, to: &Path, name: &str) {
        std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    }

    /// What patterns mean there: files, what is odd, and which patterns are lost.
    fn all(dir: &tempfile::TempDir, patterns: &[&str]) -> [Vec<String>; 3] {
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        let meant = meant(dir.path(), &patterns).unwrap();
        let below = |paths: Vec<PathBuf>| -> Vec<String> {
            let inner = paths.iter().map(|p| p.strip_prefix(dir.path()).unwrap());
            inner.map(|p| p.display().to_string()).collect()
        };
        [below(meant.files), below(meant.odd), meant.lost]
    }

    #[test]
    fn patterns_mean_plain_files_below_their_directory() {
        let dir = tree(&["a.xml", "b/c.xml", "b/d/e.xml", "b/d/f.txt", ".git/x.xml"]);
        let of = |patterns: &[&str]| {
            let [files, odd, lost] = all(&dir, patterns);
            assert_eq!((odd.len(), lost.len()), (0, 0), "{odd:?} {lost:?}");
            files
        };
        assert_eq!(of(&["a.xml"]), ["a.xml"]);
        assert_eq!(of(&["*.xml"]), ["a.xml"]);
        assert_eq!(of(&["./b/*.xml"]), ["b/c.xml"]);
        assert_eq!(of(&["**/*.xml"]), ["a.xml", "b/c.xml", "b/d/e.xml"]);
        assert_eq!(
            of(&["b/**/*.xml", "b/d/*"]),
            ["b/c.xml", "b/d/e.xml", "b/d/f.txt"]
        );
        for bad in ["", "/etc/*", "../x", "a/../b", "[", "{a"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_pattern_is_missed_for_itself() {
        let dir = tree(&["out/a.xml", "out/b/c.txt"]);
        let [files, odd, lost] = all(&dir, &["out/a.xml", "out/b.xml", "out/b/*.xml", "no/*"]);
        assert_eq!(files, ["out/a.xml"]);
        assert_eq!(odd, [""; 0]);
        assert_eq!(lost, ["out/b.xml", "out/b/*.xml", "no/*"]);
    }

    #[test]
    fn a_link_is_followed_if_a_pattern_names_it_and_told_if_it_brings_more() {
        let other = tree(&["a/test.xml", "b/c/test.xml", "b/d.txt"]);
        let dir = tree(&["out/r/test.xml", "out/e/f.txt"]);
        link(&dir, other.path(), "logs");
        link(&dir, &other.path().join("b/c/test.xml"), "one.xml");
        let none: [&str; 0] = [];
        let expects = |pattern: &str, files: &[&str], odd: &[&str]| {
            let [found, told, lost] = all(&dir, &[pattern]);
            assert_eq!(
                (&found[..], &told[..]),
                (files_of(files).as_slice(), files_of(odd).as_slice()),
                "{pattern}"
            );
            assert_eq!(
                lost.is_empty(),
                !(files.is_empty() && odd.is_empty()),
                "{pattern}"
            );
        };
        fn files_of(names: &[&str]) -> Vec<String> {
            names.iter().map(|n| (*n).to_owned()).collect()
        }
        expects(
            "logs/**/test.xml",
            &["logs/a/test.xml", "logs/b/c/test.xml"],
            &none,
        );
        expects("logs/a/test.xml", &["logs/a/test.xml"], &none);
        expects("one.xml", &["one.xml"], &none);
        expects("*.xml", &none, &["one.xml"]);
        // Below a wildcard it is told: where a pattern means something behind it, and only there.
        expects("**/test.xml", &["out/r/test.xml"], &["logs"]);
        expects("*/a/*.xml", &none, &["logs"]);
        expects("*/a/*.txt", &none, &none);
        expects("**/f.txt", &["out/e/f.txt"], &none);
        // What is read under its own name is not missed under another, and a circle has an end.
        link(&dir, &dir.path().join("out/r"), "out/again");
        link(&dir, dir.path(), "out/round");
        link(&dir, &dir.path().join("out/self"), "out/self");
        link(&dir, Path::new("/nonexistent"), "out/nothing");
        expects("out/**/f.txt", &["out/e/f.txt"], &none);
        expects("out/*/test.xml", &["out/r/test.xml"], &none);
        expects("out/**/test.xml", &["out/r/test.xml"], &["out/round"]);
        expects("out/nothing", &none, &none);
    }
}
