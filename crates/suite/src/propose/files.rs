//! The little that the rules here ask of a directory tree, so that they stay without IO.

use std::collections::{BTreeMap, BTreeSet};

/// A project's files. Paths are relative to its root, with `/` between parts; the root itself is the empty path.
pub trait Files {
    /// The bytes of a file; `None` if there is none, if it cannot be read, or if it is larger than whoever answers wants to read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// Whether a file or a directory is there.
    fn exists(&self, path: &str) -> bool;
    /// The names in a directory, sorted; empty if there is none.
    fn list(&self, dir: &str) -> Vec<String>;
}

/// Files by their paths: a listing that somebody else made.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.get(path).cloned()
    }

    fn exists(&self, path: &str) -> bool {
        let below = format!("{path}/");
        path.is_empty()
            || self.contains_key(path)
            || self
                .range(below.clone()..)
                .next()
                .is_some_and(|(known, _)| known.starts_with(&below))
    }

    fn list(&self, dir: &str) -> Vec<String> {
        let below = match dir {
            "" => String::new(),
            dir => format!("{dir}/"),
        };
        let names: BTreeSet<&str> = self
            .range(below.clone()..)
            .take_while(|(path, _)| path.starts_with(&below))
            .filter_map(|(path, _)| path[below.len()..].split('/').next())
            .collect();
        names.into_iter().map(str::to_owned).collect()
    }
}

/// A file as text, a byte order mark taken off; `None` if it is not UTF-8.
pub(crate) fn text(files: &dyn Files, path: &str) -> Option<String> {
    let bytes = files.read(path)?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text.trim_start_matches('\u{feff}').to_owned())
}

/// A path below a directory, without `.`, empty parts and what `..` takes back; `None` if it leaves the project or is absolute.
pub(crate) fn join(dir: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A path of the project as it is written from one of its directories.
pub(crate) fn relative(dir: &str, path: &str) -> String {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split('/').filter(|p| !p.is_empty() && *p != ".");
        parts.map(str::to_owned).collect()
    };
    let (dir, path) = (parts(dir), parts(path));
    let shared = dir.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", dir.len() - shared);
    let all: Vec<&str> = up
        .chain(path[shared..].iter().map(String::as_str))
        .collect();
    match all.is_empty() {
        true => ".".to_owned(),
        false => all.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_within_the_project() {
        for (dir, path, expected) in [
            ("", "a/b", Some("a/b")),
            (".", "./a//b/", Some("a/b")),
            ("x/y", "../a", Some("x/a")),
            ("x", "../../a", None),
            ("x", "/a", None),
            ("", "", Some("")),
        ] {
            assert_eq!(join(dir, path).as_deref(), expected, "{dir} {path}");
        }
        for (dir, path, expected) in [
            ("", "a/b", "a/b"),
            ("a", "a/b", "b"),
            ("a/c", "a/b", "../b"),
            ("a", "a", "."),
        ] {
            assert_eq!(relative(dir, path), expected);
        }
    }

    #[test]
    fn a_listing_answers_as_a_directory_does() {
        let files: BTreeMap<String, Vec<u8>> = ["a/b/c.rs", "a/d.rs", "ab"]
            .into_iter()
            .map(|path| (path.to_owned(), Vec::new()))
            .collect();
        assert_eq!(files.list(""), ["a", "ab"]);
        assert_eq!(files.list("a"), ["b", "d.rs"]);
        assert!(files.exists("a/b") && files.exists("ab") && !files.exists("a/b/c"));
    }
}
