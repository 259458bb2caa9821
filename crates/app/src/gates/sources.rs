//! Files of the tree under judgement that computed evidence rests on: picked by patterns from the tree's own list, read within bounds.
//!
//! Invariants: what the tree does not have is not read; a file that cannot be read whole, and too many or too large ones, are an error that
//! the evidence says, and never left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gonogo_gate::coverage::{Globs, Modules};
use gonogo_gate::inputs::{FileState, Found};

use super::documents;

/// Most files of one check.
pub const MOST: usize = 20_000;

/// Most bytes of one file.
const LARGEST: usize = 16 << 20;

/// Most bytes of all files of one check.
const ALL: usize = 512 << 20;

/// The files of a tree that patterns mean.
///
/// # Errors
/// One line.
pub fn picked(files: &BTreeSet<String>, globs: &Globs) -> Result<BTreeSet<String>, String> {
    let name = "files".to_owned();
    let modules =
        Modules::new(&BTreeMap::from([(name, globs.clone())])).map_err(|e| e.to_string())?;
    // One that means no file is a slip of the pen, and what it was to find is not looked at. Where nothing is found at all, the judge says so.
    let beside = globs.include.iter().filter(|_| globs.include.len() > 1);
    for pattern in beside {
        let alone = Globs {
            include: vec![pattern.clone()],
            exclude: Vec::new(),
        };
        let alone = Modules::new(&BTreeMap::from([("file".to_owned(), alone)]))
            .map_err(|e| e.to_string())?;
        if !files.iter().any(|file| alone.of(file).next().is_some()) {
            return Err(format!("no file of the tree is `{pattern}`"));
        }
    }
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|f| modules.of(f).next().is_some()) {
        if found.len() >= MOST {
            return Err(format!("the patterns mean more than {MOST} files"));
        }
        found.insert(file.clone());
    }
    Ok(found)
}

/// What a tree has: its plain files, and its links.
#[derive(Debug, Clone, Copy)]
pub struct Tree<'a> {
    /// Where it is.
    pub root: &'a Path,
    /// Plain files.
    pub files: &'a BTreeSet<String>,
    /// Links.
    pub links: &'a BTreeSet<String>,
}

/// The files that patterns mean, and where they are: also those that a link within the tree brings under another name, unless they are
/// picked by their own.
///
/// # Errors
/// One line; a link that leads to what is no file of the tree.
pub fn meant(tree: Tree<'_>, globs: &Globs) -> Result<BTreeMap<String, String>, String> {
    let own = picked(tree.files, globs)?;
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let modules = Modules::new(&BTreeMap::from([("files".to_owned(), globs.clone())]))
        .map_err(|e| e.to_string())?;
    let is_meant = |name: &str| modules.of(name).next().is_some();
    let root = std::fs::canonicalize(tree.root).map_err(|e| e.to_string())?;
    for link in tree.links {
        let to = match std::fs::canonicalize(root.join(link)) {
            Ok(to) => to,
            // Nothing is there to be looked at.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) if is_near(link, globs) => return Err(format!("the link `{link}`: {e}")),
            Err(_) => continue,
        };
        let inside = to.strip_prefix(&root).ok().and_then(Path::to_str);
        let away = || format!("`{link}` is a link, and leads to what is no file of the tree");
        match inside {
            Some(file) if to.is_file() && is_meant(link) => {
                if !tree.files.contains(file) {
                    return Err(away());
                }
                found.insert(link.clone(), file.to_owned());
            }
            Some(dir) if to.is_dir() => {
                let below = format!("{dir}/");
                let below = below.trim_start_matches('/');
                let files = tree
                    .files
                    .iter()
                    .filter_map(|f| Some((f, f.strip_prefix(below)?)));
                for (file, rest) in files {
                    let name = format!("{link}/{rest}");
                    if is_meant(&name) {
                        found.insert(name, file.clone());
                    }
                }
            }
            Some(_) => {}
            // Which files are there, the tree does not say.
            None if is_meant(link) || (to.is_dir() && is_near(link, globs)) => return Err(away()),
            None => {}
        }
        if found.len() > MOST {
            return Err(format!("the patterns mean more than {MOST} files"));
        }
    }
    found.retain(|_, file| !own.contains(file));
    found.extend(own.into_iter().map(|file| (file.clone(), file)));
    Ok(found)
}

/// Whether patterns may mean something behind this name: what stands in them before their first wildcard leads there.
fn is_near(link: &str, globs: &Globs) -> bool {
    let mut heads = globs.include.iter().map(|pattern| {
        let fixed = pattern.split(['*', '?', '[', '{']).next().unwrap_or("");
        fixed.rsplit_once('/').map_or("", |(dir, _)| dir)
    });
    let below = |path: &str, dir: &str| {
        dir.is_empty() || path == dir || path.strip_prefix(dir).is_some_and(|p| p.starts_with('/'))
    };
    heads.any(|head| below(link, head) || below(head, link))
}

/// Their bytes.
///
/// # Errors
/// One line.
pub fn read(
    root: &Path,
    files: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut found = BTreeMap::new();
    let mut sum = 0;
    for (name, file) in files {
        let bytes = one(root, file)?;
        sum += bytes.len();
        if sum > ALL {
            return Err(format!("the files have more than {ALL} bytes together"));
        }
        found.insert(name.clone(), bytes);
    }
    Ok(found)
}

/// The bytes of one.
///
/// # Errors
/// One line.
pub fn one(root: &Path, file: &str) -> Result<Vec<u8>, String> {
    match documents::read(&root.join(file), None) {
        Found::Present { value, .. } if value.len() <= LARGEST => Ok(value),
        Found::Present { .. } => Err(format!("`{file}` has more than {LARGEST} bytes")),
        Found::Absent => Err(format!("`{file}` is gone")),
        Found::Unreadable { why, .. } => Err(format!("`{file}`: {why}")),
    }
}

/// The same as texts.
///
/// # Errors
/// One line: a file that is no UTF-8.
pub fn texts(all: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, &str>, String> {
    let mut texts = BTreeMap::new();
    for (file, bytes) in all {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| format!("`{file}` is no UTF-8 from byte {} on", e.valid_up_to()))?;
        texts.insert(file.clone(), text);
    }
    Ok(texts)
}

/// A file of rules: of the tree, or not there.
pub fn rules(root: &Path, files: &BTreeSet<String>, name: &str) -> FileState {
    match (
        super::gathering::file(&root.join(name)),
        files.contains(name),
    ) {
        (FileState::Text { .. }, false) => FileState::Unreadable {
            why: "it is no file of the tree: it is ignored, or a link leads there".into(),
        },
        (state, _) => state,
    }
}
