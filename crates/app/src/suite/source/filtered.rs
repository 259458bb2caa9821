//! Files that are not what their blob says: git keeps some in another form than they have here (`ident`, `filter`, `eol`,
//! `working-tree-encoding`, `core.autocrlf`), so that two files of different bytes can be one blob.
//!
//! Invariant: a file's bytes are its blob's, or those that a clean checkout of the tree would have wherever it is made, or they are marked.
//! What this repository, this user or this machine says of line ends and encodings (`core.autocrlf`, `core.eol`, `info/attributes`,
//! `core.attributesFile`, a `.gitattributes` that no tree has) is therefore not asked; which program a filter is, only they know.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gonogo_core::{Digest, Reason};

use super::{Tree, git};
use crate::AppError;

impl Tree {
    /// What files are whose bytes no checkout of the index in `env` would have, by path; `dir` is there for what is written meanwhile.
    pub(super) fn filtered(
        top: &Path,
        env: &[(&str, PathBuf)],
        dir: &Path,
    ) -> Result<BTreeMap<String, String>, AppError> {
        let run = |args: &[&str], input: &[u8]| fed(top, env, dir, args, input);
        let listed = run(&["ls-files", "-s", "-z"], b"")?;
        let mut files: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        for entry in split(&listed).filter(|e| e.starts_with(b"100")) {
            let mut parts = entry.splitn(2, |b| *b == b'\t');
            let (Some(what), Some(path)) = (parts.next(), parts.next()) else {
                continue;
            };
            if let Some(id) = what.split(|b| *b == b' ').nth(1) {
                files.insert(path, id);
            }
        }
        let converts = git(top, &[], &["config", "core.autocrlf"]).unwrap_or_default();
        if matches!(converts.as_str(), "" | "false") {
            let mut names = Vec::new();
            for path in files.keys() {
                names.extend_from_slice(path);
                names.push(0);
            }
            let told = run(&["check-attr", "-z", "--stdin", "--all"], &names)?;
            let all: Vec<&[u8]> = split(&told).collect();
            let is_converted = |name: &[u8], value: &[u8]| match name {
                b"text" | b"crlf" => value != b"unset",
                b"filter" | b"ident" | b"eol" | b"working-tree-encoding" => value != b"unset",
                _ => false,
            };
            let converted: std::collections::BTreeSet<&[u8]> = all
                .chunks_exact(3)
                .filter(|told| is_converted(told[1], told[2]))
                .map(|told| told[0])
                .collect();
            files.retain(|path, _| converted.contains(path));
        }
        // Those whose bytes are their blob's need no other look.
        let mut names = Vec::new();
        for path in files.keys() {
            names.extend(quoted(path));
            names.push(b'\n');
        }
        let hashed = run(&["hash-object", "--no-filters", "--stdin-paths"], &names)?;
        let ids: Vec<&[u8]> = hashed
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .collect();
        if ids.len() != files.len() {
            let text = format!("git hash-object told {} of {}", ids.len(), files.len());
            return Err(AppError::new(Reason::GitFailed, text));
        }
        let other: Vec<&[u8]> = files
            .iter()
            .zip(&ids)
            .filter(|((_, blob), is)| **blob != **is)
            .map(|((path, _), _)| *path)
            .collect();
        if other.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut names = Vec::new();
        for path in &other {
            names.extend_from_slice(path);
            names.push(0);
        }
        let clean = dir.join("clean");
        let (places, says) = Self::apart_from_here(top, dir, &clean)?;
        let env: Vec<(&str, PathBuf)> = env.iter().cloned().chain(places).collect();
        let args = [&says[..], &["checkout-index", "-q", "-z", "--stdin"]].concat();
        fed(&clean, &env, dir, &args, &names)?;
        let mut marked = BTreeMap::new();
        for path in other {
            let inside = Path::new(OsStr::from_bytes(path));
            let (_, is) = crate::dry_run::keeping::digest(&top.join(inside))?;
            // What git cannot check out is not what is here.
            let would_be = crate::dry_run::keeping::digest(&clean.join(inside)).ok();
            if would_be.is_none_or(|(_, digest)| digest != is) {
                marked.insert(inside.to_string_lossy().into_owned(), is.to_string());
            }
        }
        Ok(marked)
    }
}

/// Variables that say to git where things are.
type Places = [(&'static str, PathBuf); 3];

impl Tree {
    /// The variables and options under which git checks out into the directory `clean` what a tree says, and nothing of how it is
    /// checked out here: a repository that has this one's configuration alone.
    fn apart_from_here(
        top: &Path,
        dir: &Path,
        clean: &Path,
    ) -> Result<(Places, [&'static str; 6]), AppError> {
        let own = dir.join("repository");
        for made in [clean, &own.join("objects"), &own.join("refs")] {
            crate::workspace::make_dir(made)?;
        }
        let head = own.join("HEAD");
        std::fs::write(&head, "ref: refs/heads/none\n")
            .map_err(|e| AppError::io("write", &head, &e))?;
        for name in ["config", "config.worktree"] {
            let here = top.join(git(top, &[], &["rev-parse", "--git-path", name])?);
            if here.exists() {
                std::fs::copy(&here, own.join(name))
                    .map_err(|e| AppError::io("copy", &here, &e))?;
            }
        }
        let places = [
            ("GIT_DIR", own),
            ("GIT_WORK_TREE", clean.to_owned()),
            ("GIT_ATTR_NOSYSTEM", PathBuf::from("1")),
        ];
        let says = [
            "-c",
            "core.autocrlf=false",
            "-c",
            "core.eol=lf",
            "-c",
            "core.attributesFile=/dev/null",
        ];
        Ok((places, says))
    }
}

/// A mark of what stands beside a tree's id.
pub(super) fn mark(what: &BTreeMap<String, String>) -> String {
    if what.is_empty() {
        return String::new();
    }
    let text = serde_json::to_vec(what).unwrap_or_default();
    format!("+{}", Digest::of(&text).hex())
}

fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == 0).filter(|part| !part.is_empty())
}

/// A path on a line of its own, as git quotes one.
fn quoted(path: &[u8]) -> Vec<u8> {
    let is_plain = |b: &u8| !matches!(b, b'"' | b'\\' | b'\n' | b'\r');
    if path.iter().all(is_plain) {
        return path.to_vec();
    }
    let mut out = vec![b'"'];
    for b in path {
        match b {
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'"' | b'\\' => out.extend([b'\\', *b]),
            b => out.push(*b),
        }
    }
    out.push(b'"');
    out
}

/// Runs git with this input and gives its output, byte by byte.
fn fed(
    top: &Path,
    env: &[(&str, PathBuf)],
    dir: &Path,
    args: &[&str],
    input: &[u8],
) -> Result<Vec<u8>, AppError> {
    let file = dir.join("input");
    let fault = |e| AppError::io("write", &file, &e);
    std::fs::write(&file, input).map_err(fault)?;
    let input = std::fs::File::open(&file).map_err(fault)?;
    let failed = |why: String| {
        let text = format!("git {} in `{}`: {why}", args.join(" "), top.display());
        AppError::new(Reason::GitFailed, text)
    };
    let output = super::command(top, env, args)
        .stdin(Stdio::from(input))
        .output()
        .map_err(|e| failed(e.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.trim().chars().take(400).collect()))
}
