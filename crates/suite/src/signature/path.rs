//! What of an absolute path is its own, and what is the machine's, the checkout's and the run's.

use std::ops::Range;

/// What is left of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// What begins here.
    Below(usize),
    /// A name that was made for this run stands here.
    Random(Range<usize>),
    /// Nothing: it is a directory of the machine.
    Whole,
}

/// Directories in which everything is somebody's own.
const OWN: &[&str] = &[
    "home",
    "root",
    "Users",
    "work",
    "workspace",
    "workspaces",
    "builds",
    "runner",
    "github",
    "mnt",
    "media",
    "srv",
    "private",
    "nix",
    "data",
    "opt",
];

/// Directories that every machine has, with the same files.
const SHARED: &[&str] = &[
    "usr", "bin", "sbin", "lib", "lib64", "etc", "dev", "proc", "sys",
];

/// Where temporary files are.
const TEMPORARY: &[&str] = &[
    "/private/tmp/",
    "/tmp/",
    "/private/var/tmp/",
    "/var/tmp/",
    "/dev/shm/",
];

/// What is cut off a path of which the last `parts` are its own; `None` if it stays as it is.
pub(super) fn cut(token: &str, parts: usize) -> Option<Cut> {
    let bytes = token.as_bytes();
    let drive = bytes.len() > 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes[2], b'/' | b'\\');
    if !matches!(bytes.first(), Some(b'/' | b'~')) && !drive {
        return None;
    }
    if let Some(from) = temporary(token) {
        return Some(below(token, from, parts));
    }
    let top = token
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    if bytes[0] == b'/' && SHARED.contains(&top) {
        return None;
    }
    let slashes: Vec<usize> = token
        .bytes()
        .enumerate()
        .filter(|(_, b)| matches!(b, b'/' | b'\\'))
        .map(|(n, _)| n)
        .collect();
    if slashes.len() < 2 {
        return None;
    }
    let name = &token[slashes[slashes.len() - 1] + 1..];
    let own = drive || bytes[0] == b'~' || OWN.contains(&top);
    if !is_file(name) && !own {
        // Of a server, or of a container: `/api/v1/users`.
        return None;
    }
    if !is_file(name) && parts == 1 {
        return Some(Cut::Whole);
    }
    let from = slashes[slashes.len().saturating_sub(parts)];
    Some(Cut::Below(from + 1))
}

/// Whether a path's last part is a file's name, and not a directory's.
fn is_file(name: &str) -> bool {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit_once('.').is_some_and(|(stem, end)| {
        !stem.is_empty()
            && (1..=10).contains(&end.len())
            && end.bytes().all(|b| b.is_ascii_alphanumeric())
            && end.bytes().any(|b| b.is_ascii_alphabetic())
    })
}

/// Where the part below the directory of temporary files begins.
fn temporary(token: &str) -> Option<usize> {
    let folders = token.strip_prefix("/private").unwrap_or(token);
    if folders.starts_with("/var/folders/") {
        let at = token.find("/T/").map(|n| n + 3);
        return Some(at.unwrap_or(token.len()));
    }
    if let Some(n) = token.find("\\AppData\\Local\\Temp\\") {
        return Some(n + 20);
    }
    TEMPORARY
        .iter()
        .find(|root| token.starts_with(*root))
        .map(|root| root.len())
}

/// What is left of a path below the directory of temporary files: what was made there for the run goes.
fn below(token: &str, mut from: usize, parts: usize) -> Cut {
    let separators = ['/', '\\'];
    let next = |from: usize| token[from..].find(separators).map(|n| from + n + 1);
    if token[from..].starts_with("pytest-of-") {
        // `pytest-of-USER/pytest-N/`.
        for _ in 0..2 {
            match next(from) {
                Some(after) => from = after,
                None => return Cut::Whole,
            }
        }
    } else if let Some(after) = next(from) {
        from = after;
    } else {
        let name = &token[from..];
        let stem = match name.strip_prefix("tmp.") {
            Some(rest) => 4 + rest.find(['.', ':']).unwrap_or(rest.len()),
            None => name.find(['.', ':']).unwrap_or(name.len()),
        };
        let random =
            name.starts_with("tmp.") || is_made(&name[..stem]) || changes(&name[..stem]) >= 2;
        return match (name.is_empty(), random) {
            (true, _) => Cut::Whole,
            (_, true) => Cut::Random(from..from + stem),
            (_, false) => Cut::Below(from),
        };
    }
    let starts: Vec<usize> = std::iter::once(from)
        .chain(
            token[from..]
                .match_indices(separators)
                .map(|(n, _)| from + n + 1),
        )
        .collect();
    let name = &token[starts[starts.len() - 1]..];
    if parts == 1 && !is_file(name) {
        return Cut::Whole;
    }
    Cut::Below(starts[starts.len().saturating_sub(parts)])
}

fn changes(word: &str) -> usize {
    word.as_bytes()
        .windows(2)
        .filter(|w| w[0].is_ascii_digit() != w[1].is_ascii_digit())
        .count()
}

/// Names as `mkdtemp` of C, Python, Rust and Go make them: `tmpab_12cd`.
pub(super) fn is_made(word: &str) -> bool {
    let rest = word.strip_prefix("tmp").unwrap_or_default();
    let all = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    all && (6..=12).contains(&rest.len())
        && !rest.starts_with('_')
        && (rest.len() == 8 || rest.bytes().any(|b| b.is_ascii_digit()))
}
