//! What the command of a gate runs, as rules: its files as they are here, beside those of the change's base.
//!
//! Invariants: a file that the tree or the base has is a rule under every name by which the command may reach it, and links are followed
//! here and there; a file that neither has is none. Where a link leads out of what is tracked, the links themselves are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use gonogo_core::Digest;
use gonogo_gate::commands::{self, candidates};
use gonogo_gate::inputs::{self, FileState, PolicyFile};

use super::base::{At, Base};
use super::gathering::{Place, file};
use crate::suite::source::Listed;

/// Most links that lead one to another.
const LINKS: usize = 16;

/// Looks for the files of commands.
pub(super) struct Scripts<'a> {
    place: &'a Place<'a>,
    base: &'a Base,
    listed: &'a Listed,
    /// The repository's top, without links.
    top: PathBuf,
}

impl<'a> Scripts<'a> {
    /// In this tree, beside this base.
    pub(super) fn new(place: &'a Place<'a>, base: &'a Base, listed: &'a Listed) -> Self {
        let top = place.tree.top();
        Self {
            place,
            base,
            listed,
            top: top.canonicalize().unwrap_or_else(|_| top.to_owned()),
        }
    }

    /// The rules that a command names, by their paths from the project's directory.
    pub(super) fn of(&self, argv: &[String]) -> BTreeMap<String, PolicyFile> {
        let root = &self.place.root;
        let real = root.canonicalize().unwrap_or_else(|_| root.clone());
        let is_dir = |path: &str| !path.is_empty() && root.join(path).is_dir();
        let spelled = [root.to_str(), real.to_str()];
        let roots: Vec<&str> = spelled.into_iter().flatten().collect();
        let place = commands::Place {
            roots: &roots,
            above: self.place.tree.below().components().count(),
            is_dir: &is_dir,
        };
        let mut names = BTreeSet::new();
        for name in candidates(argv, place) {
            let path = root.join(&name);
            if !path.is_file() {
                continue;
            }
            // What it leads to is a rule as well, and is not where its words say if they go up behind a link.
            let led = path.canonicalize().ok();
            names.extend(led.and_then(|led| from(&real, &self.top, &led)));
            names.insert(name);
        }
        let rule = |name: String| self.rule(&name).map(|rule| (name, rule));
        names.into_iter().filter_map(rule).collect()
    }

    fn rule(&self, name: &str) -> Option<PolicyFile> {
        let path = self.place.root.join(name);
        let inside = lexical(&self.place.tree.below().join(name))?;
        let real = path.canonicalize().ok()?;
        let real = real
            .strip_prefix(&self.top)
            .ok()
            .and_then(|real| real.to_str());
        let is_tracked = real.is_some_and(|real| self.listed.files.contains(real));
        let mut state = file(&path);
        let base = if is_tracked {
            self.base.followed(&self.place.tree, &inside)
        } else if let Some((within, id)) = real.and_then(|real| self.listed.within(real)) {
            // In a repository within this one: the tree has its commit, and that is compared.
            match self.base.id(&self.place.tree, within) {
                At::Text(was) if was == *id => return None,
                at => at,
            }
        } else if self.listed.link(&inside).is_some() {
            // What stands there may be another tomorrow, so that it leads there is the rule.
            let (to, at) = self.led_out(&inside)?;
            state = FileState::Text {
                text: format!("a link to {to}"),
            };
            at
        } else {
            match self.base.followed(&self.place.tree, &inside) {
                At::Absent => return None,
                at => at,
            }
        };
        let base = match (base, &state) {
            (At::Unknown(why), _) => inputs::Base::Unknown { why },
            (At::Absent, _) => inputs::Base::Absent,
            (At::Text(was), FileState::Text { text }) if was == *text => inputs::Base::Same,
            (At::Text(was), _) => inputs::Base::Other {
                digest: Digest::of(was.as_bytes()),
            },
        };
        // What is a text neither here nor at the base is none, and what was one cannot hide.
        let is_text = matches!(state, FileState::Text { .. });
        let is_known = !matches!(base, inputs::Base::Unknown { .. });
        (is_text || is_known).then_some(PolicyFile { state, base })
    }

    /// Where the first link leads that the base has not or that leads elsewhere there, and what it says there; `None` if all are the same.
    fn led_out(&self, inside: &str) -> Option<(String, At)> {
        let mut at = inside.to_owned();
        for _ in 0..LINKS {
            let link = self.listed.link(&at)?;
            let to = std::fs::read_link(self.top.join(link)).ok();
            let to = to.as_deref().and_then(Path::to_str).unwrap_or_default();
            match self.base.link(&self.place.tree, link) {
                At::Text(was) if was == to => {}
                other => return Some((to.to_owned(), other)),
            }
            let rest = at[link.len()..].trim_start_matches('/').to_owned();
            let beside = Path::new(link).parent().unwrap_or(Path::new(""));
            match lexical(&beside.join(to).join(rest)) {
                Some(next) => at = next,
                None => return None,
            }
        }
        let why = "too many links lead one to another";
        Some((at, At::Unknown(why.into())))
    }
}

/// A path from the top without `.` and `..`; `None` if it leads out, or is no UTF-8.
fn lexical(path: &Path) -> Option<String> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => out.push(part),
            Component::CurDir => {}
            Component::ParentDir if out.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    out.to_str().map(str::to_owned)
}

/// A path below the top as it is from the project's directory.
fn from(root: &Path, top: &Path, path: &Path) -> Option<String> {
    if !path.starts_with(top) {
        return None;
    }
    let mut up = PathBuf::new();
    for dir in root.ancestors() {
        if let Ok(rest) = path.strip_prefix(dir) {
            return up.join(rest).to_str().map(str::to_owned);
        }
        up.push("..");
    }
    None
}
