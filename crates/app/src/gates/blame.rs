//! Who wrote the lines of a file of excuses, by the repository's history.
//!
//! Lines that are in no commit are left out; those from before a history that was cut off, and all of a history that cannot be read, are
//! nobody's by name.

use std::collections::BTreeMap;
use std::path::Path;

use gonogo_gate::inputs::Writer;

use crate::suite::source::{Tree, git};

/// The writers of a file of the project; none where there is no history.
pub(super) fn writers(tree: &Tree, path: &Path) -> Vec<Writer> {
    if !tree.has_repository() {
        return Vec::new();
    }
    let below = tree.below().join(path);
    let Some(below) = below.to_str() else {
        return Vec::new();
    };
    let top = tree.top();
    let cut = git(top, &[], &["rev-parse", "--is-shallow-repository"]);
    let is_cut = !cut.is_ok_and(|word| word == "false");
    let listed = git(top, &[], &["ls-tree", "--full-tree", "HEAD", "--", below]);
    match git(top, &[], &["blame", "--porcelain", "--", below]) {
        Ok(told) => of(&told, is_cut),
        // A file that is in no commit has no history.
        Err(_) if listed.is_ok_and(|listed| listed.is_empty()) => Vec::new(),
        Err(_) => vec![Writer {
            from: 1,
            to: LINES,
            names: Vec::new(),
        }],
    }
}

/// More lines than such a file may have.
const LINES: u64 = 1 << 20;

/// Reads `git blame --porcelain` (git-blame(1)): a line `ID FROM TO [COUNT]` for each line of the file, headers once for each commit, and the
/// line itself behind a tab.
fn of(told: &str, is_cut: bool) -> Vec<Writer> {
    #[derive(Default)]
    struct Commit {
        names: Vec<String>,
        is_first: bool,
    }
    let mut commits: BTreeMap<&str, Commit> = BTreeMap::new();
    let mut lines: Vec<(u64, &str)> = Vec::new();
    let mut at = None;
    for line in told.lines() {
        if line.starts_with('\t') {
            at = None;
            continue;
        }
        let mut words = line.splitn(2, ' ');
        let (key, value) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match at {
            None => {
                let number = value.split(' ').nth(1).and_then(|n| n.parse().ok());
                if let Some(number) = number {
                    lines.push((number, key));
                }
                at = Some(key);
            }
            Some(id) => {
                let commit = commits.entry(id).or_default();
                match key {
                    "author" => commit.names.push(value.to_owned()),
                    "author-mail" => {
                        commit.names.push(value.trim_matches(['<', '>']).to_owned());
                    }
                    "boundary" => commit.is_first = true,
                    _ => {}
                }
            }
        }
    }
    let mut found: Vec<Writer> = Vec::new();
    for (line, id) in lines {
        let Some(commit) = commits.get(id) else {
            continue;
        };
        let is_committed = id.bytes().any(|b| b != b'0');
        if !is_committed {
            continue;
        }
        let names = match is_cut && commit.is_first {
            true => Vec::new(),
            false => commit.names.clone(),
        };
        match found.last_mut() {
            Some(last) if last.to + 1 == line && last.names == names => last.to = line,
            _ => found.push(Writer {
                from: line,
                to: line,
                names,
            }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "aaaa 1 1 2\nauthor Ana B\nauthor-mail <ana@x.org>\nauthor-time 1\nsummary one\nboundary\nfilename w\n\t[waiver.a]\naaaa 2 2\n\towner = \"o\"\n0000 3 3 1\nauthor Not Committed Yet\nauthor-mail <not.committed.yet>\n\tx = 1\nbbbb 9 4 1\nauthor Bo\nauthor-mail <bo@x.org>\nprevious aaaa w\n\tauthor Eve\n";

    #[test]
    fn lines_have_the_authors_of_their_commits() {
        let shown = |is_cut| -> Vec<(u64, u64, String)> {
            let all = of(TOLD, is_cut).into_iter();
            all.map(|w| (w.from, w.to, w.names.join(" "))).collect()
        };
        let bo = (4, 4, "Bo bo@x.org".to_owned());
        assert_eq!(shown(true), [(1, 2, String::new()), bo.clone()]);
        assert_eq!(shown(false), [(1, 2, "Ana B ana@x.org".to_owned()), bo]);
        assert_eq!(of("", false), []);
    }
}
