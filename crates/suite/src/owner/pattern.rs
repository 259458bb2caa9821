//! Patterns of paths: gitignore's, as far as CODEOWNERS has them.
//!
//! A `*` and a `?` stop at `/`; `**` as a whole part stands for any number of parts. Matching is a table over parts, so no pattern makes it
//! slow: it takes the product of both lengths and no more.

use super::{Dialect, cut};

/// Most bytes of a pattern.
const LONGEST: usize = 4096;

pub(super) struct Pattern {
    parts: Vec<Part>,
    tail: Tail,
}

enum Part {
    /// `**`
    Any,
    One(Vec<Sign>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Star,
    Question,
    Char(char),
}

/// What may follow what the parts matched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Nothing.
    End,
    /// Anything: it may be a directory.
    Open,
    /// Something: it must be a directory.
    Beneath,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What CODEOWNERS does not have: negation, ranges, nothing at all.
    pub(super) fn new(text: &str, dialect: Dialect) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`{}` {why}", cut(text)));
        if text.len() > LONGEST {
            return wrong("is longer than 4096 bytes: shorten it");
        }
        if text.starts_with('!') {
            return wrong(
                "is a negation, which CODEOWNERS does not have: put a rule without owners behind the other one",
            );
        }
        if has_range(text) {
            return wrong(
                "has a range in brackets, which CODEOWNERS does not have: write one rule for each",
            );
        }
        let bare = text.strip_prefix('/').unwrap_or(text);
        let (bare, is_directory) = match bare.strip_suffix('/') {
            Some(bare) => (bare, true),
            None => (bare, false),
        };
        if bare.is_empty() || bare.split('/').any(str::is_empty) {
            return wrong("has an empty part: write `*` for everything, and single slashes");
        }
        let is_rooted = text.starts_with('/') || (dialect == Dialect::GitHub && bare.contains('/'));
        let mut parts: Vec<Part> = bare.split('/').map(part).collect();
        let ends_in_any = matches!(parts.last(), Some(Part::Any));
        let ends_in_star = bare.rsplit('/').next() == Some("*");
        let tail = if is_directory || (ends_in_any && parts.len() > 1) {
            Tail::Beneath
        } else if dialect == Dialect::GitLab || (ends_in_star && is_rooted) {
            // GitHub's `docs/*` owns the files in docs and none in its directories, unlike gitignore's.
            Tail::End
        } else {
            Tail::Open
        };
        if tail == Tail::Beneath && ends_in_any {
            parts.pop();
        }
        if !is_rooted {
            parts.insert(0, Part::Any);
        }
        Ok(Self { parts, tail })
    }

    /// Whether it matches a path, given as its parts.
    pub(super) fn matches(&self, path: &[&str]) -> bool {
        // reach[n]: the parts so far can match the path's first n.
        let mut reach = vec![false; path.len() + 1];
        reach[0] = true;
        for part in &self.parts {
            match part {
                Part::Any => {
                    let first = reach.iter().position(|r| *r).unwrap_or(reach.len());
                    reach[first..].fill(true);
                }
                Part::One(signs) => {
                    for n in (0..path.len()).rev() {
                        reach[n + 1] = reach[n] && fits(signs, path[n]);
                    }
                    reach[0] = false;
                }
            }
        }
        match self.tail {
            Tail::End => !path.is_empty() && reach[path.len()],
            Tail::Open => reach[1..].contains(&true),
            Tail::Beneath => reach[..path.len()].contains(&true),
        }
    }
}

fn has_range(text: &str) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let found = !escaped && matches!(c, '[' | ']');
        escaped = !escaped && c == '\\';
        found
    })
}

fn part(text: &str) -> Part {
    if text == "**" {
        return Part::Any;
    }
    let mut signs = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        signs.push(match c {
            '*' if signs.last() == Some(&Sign::Star) => continue,
            '*' => Sign::Star,
            '?' => Sign::Question,
            '\\' => Sign::Char(chars.next().unwrap_or('\\')),
            c => Sign::Char(c),
        });
    }
    Part::One(signs)
}

/// Two pointers and one place to come back to: the last star's.
fn fits(signs: &[Sign], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut s, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match signs.get(s) {
            Some(Sign::Star) => {
                s += 1;
                back = Some((s, n));
            }
            Some(Sign::Question) => (s, n) = (s + 1, n + 1),
            Some(Sign::Char(c)) if *c == name[n] => (s, n) = (s + 1, n + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (s, n) = (star, from + 1);
                }
                None => return false,
            },
        }
    }
    signs[s..].iter().all(|sign| *sign == Sign::Star)
}
