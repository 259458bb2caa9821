//! What a repository's own files say about how it is tested, as a proposal of suites and profiles.
//!
//! Pure: a listing and the contents of a few files come in through [`Files`], a value and the text of its tables go out. Nothing is guessed:
//! every target says which file it is proposed for, and a repository in which nothing is recognised gets an empty proposal that says so.
//! Reports are written below `.gonogo/reports`, where they change no tree.

mod files;
mod go;
mod make;
mod node;
mod node_script;
mod python;
mod rust;
mod table;

use std::collections::{BTreeMap, BTreeSet};

pub use files::Files;
pub(crate) use files::{join, relative, text};

use crate::run::Class;

/// How deep subdirectories are looked at.
const DEPTH: u8 = 3;

/// Most directories that are looked at.
const DIRS: usize = 2000;

/// Most targets that are proposed.
const TARGETS: usize = 200;

/// Directories that hold no sources of the project.
const FOREIGN: [&str; 16] = [
    "node_modules",
    "target",
    "vendor",
    "third_party",
    "dist",
    "build",
    "out",
    "venv",
    "env",
    "testdata",
    "fixtures",
    "__pycache__",
    "coverage",
    "site-packages",
    "bower_components",
    "Pods",
];

/// A target that is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name: lower case, digits, `-`.
    pub name: String,
    /// What it is for.
    pub class: Class,
    /// What is run.
    pub command: Vec<String>,
    /// Where, relative to the project.
    pub dir: String,
    /// The format of its report; `command` if an exit code is all there is.
    pub format: String,
    /// Variables that it needs.
    pub env: BTreeMap<String, String>,
    /// Where its reports are, relative to its directory; empty if its standard output is the report.
    pub reports: Vec<String>,
    /// The programs that it needs.
    pub tools: Vec<String>,
    /// How long it may take.
    pub timeout: String,
    /// Why it is proposed: which file says so.
    pub why: String,
}

/// Which targets a profile runs: those that are named, and those of the classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// By name.
    pub suites: Vec<String>,
    /// By class.
    pub classes: Vec<Class>,
}

/// What is proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Programs that all of it needs.
    pub tools: Vec<String>,
    /// Targets, in the order of the phases.
    pub targets: Vec<Target>,
    /// `quick`, `focused`, `ci`, `full`; none if there is no target.
    pub profiles: BTreeMap<String, Profile>,
    /// What was seen and not proposed, and what somebody should look at.
    pub notes: Vec<String>,
}

/// Collects what the modules of languages find in one directory.
struct Found<'a> {
    files: &'a dyn Files,
    dir: &'a str,
    /// Directories above it in which the same language was found.
    above: &'a BTreeSet<(&'static str, String)>,
    languages: Vec<&'static str>,
    targets: Vec<Target>,
    notes: Vec<String>,
}

impl Found<'_> {
    fn path(&self, name: &str) -> String {
        match self.dir {
            "" => name.to_owned(),
            dir => format!("{dir}/{name}"),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        text(self.files, &self.path(name))
    }

    fn has(&self, name: &str) -> bool {
        self.files.exists(&self.path(name))
    }

    /// Whether a directory above is of this language.
    fn is_within(&self, language: &'static str) -> bool {
        self.above.iter().any(|(known, dir)| {
            let is_above = dir.is_empty()
                || self
                    .dir
                    .strip_prefix(dir.as_str())
                    .is_some_and(|rest| rest.starts_with('/'));
            *known == language && is_above && dir != self.dir
        })
    }

    fn has_class(&self, class: Class) -> bool {
        self.targets.iter().any(|target| target.class == class)
    }

    fn add(
        &mut self,
        name: &str,
        class: Class,
        command: &[&str],
        format: &str,
        why: &str,
    ) -> &mut Target {
        let slug: String = format!("{} {name}", self.dir)
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    ' '
                }
            })
            .collect();
        let name = slug.split_whitespace().collect::<Vec<_>>().join("-");
        let at = self.targets.len();
        self.targets.push(Target {
            name,
            class,
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            dir: if self.dir.is_empty() {
                ".".to_owned()
            } else {
                self.dir.to_owned()
            },
            format: format.to_owned(),
            env: BTreeMap::new(),
            reports: Vec::new(),
            tools: command
                .first()
                .map(|word| (*word).to_owned())
                .into_iter()
                .collect(),
            timeout: if class == Class::E2e { "60m" } else { "30m" }.to_owned(),
            why: why.to_owned(),
        });
        &mut self.targets[at]
    }

    fn note(&mut self, text: impl Into<String>) {
        let place = if self.dir.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.dir)
        };
        self.notes.push(format!("{place}{}", text.into()));
    }

    /// A report's path, for the command as for the suite: both are relative to this directory.
    fn report(name: &str) -> String {
        format!(".gonogo/reports/{name}")
    }
}

/// Proposes.
pub fn propose(files: &dyn Files) -> Proposal {
    let mut dirs = vec![String::new()];
    let mut proposal = Proposal::default();
    let whole = walk(files, "", 0, &mut dirs);
    if !whole {
        proposal.notes.push(format!(
            "more than {DIRS} directories: the rest was not looked at"
        ));
    }
    let mut above = BTreeSet::new();
    for dir in &dirs {
        let mut found = Found {
            files,
            dir,
            above: &above,
            languages: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
        };
        rust::look(&mut found);
        go::look(&mut found);
        python::look(&mut found);
        node::look(&mut found);
        make::look(&mut found);
        let Found {
            languages,
            targets,
            notes,
            ..
        } = found;
        above.extend(
            languages
                .into_iter()
                .map(|language| (language, dir.clone())),
        );
        proposal.targets.extend(targets);
        proposal.notes.extend(notes);
    }
    finish(&mut proposal);
    proposal
}

fn walk(files: &dyn Files, dir: &str, depth: u8, dirs: &mut Vec<String>) -> bool {
    if depth >= DEPTH {
        return true;
    }
    for name in files.list(dir) {
        if name.starts_with('.') || FOREIGN.contains(&name.as_str()) {
            continue;
        }
        let Some(path) = join(dir, &name) else {
            continue;
        };
        // What has nothing in it is a file or nothing to look at.
        if files.list(&path).is_empty() {
            continue;
        }
        if dirs.len() >= DIRS {
            return false;
        }
        dirs.push(path.clone());
        if !walk(files, &path, depth + 1, dirs) {
            return false;
        }
    }
    true
}

fn finish(proposal: &mut Proposal) {
    if proposal.targets.len() > TARGETS {
        let more = proposal.targets.len() - TARGETS;
        proposal.targets.truncate(TARGETS);
        proposal.notes.push(format!(
            "{more} more targets were found and are not proposed: name them by hand"
        ));
    }
    proposal.targets.sort_by_key(|target| target.class);
    let mut names = BTreeSet::new();
    for target in &mut proposal.targets {
        let mut name = target.name.clone();
        let mut count = 1;
        while !names.insert(name.clone()) {
            count += 1;
            name = format!("{}-{count}", target.name);
        }
        target.name = name;
    }
    let tools: BTreeSet<String> = proposal
        .targets
        .iter()
        .flat_map(|t| t.tools.iter().cloned())
        .collect();
    proposal.tools = tools.into_iter().collect();
    if proposal.targets.is_empty() {
        proposal.notes.push("nothing is recognised: no manifest of Cargo, Go, Python or npm, no Makefile and no justfile with a target that tests".to_owned());
        return;
    }
    if !proposal
        .targets
        .iter()
        .any(|t| matches!(t.class, Class::Unit | Class::Recorded | Class::E2e))
    {
        proposal
            .notes
            .push("no target runs tests: a gate that asks for some will not pass".to_owned());
    }
    use Class::{Build, E2e, Lint, Recorded, Unit};
    for (name, classes) in [
        ("quick", &[Build, Lint, Unit][..]),
        ("focused", &[Build, Lint, Unit]),
        ("ci", &[Build, Lint, Unit, Recorded]),
        ("full", &[Build, Lint, Unit, Recorded, E2e]),
    ] {
        let profile = Profile {
            suites: Vec::new(),
            classes: classes.to_vec(),
        };
        proposal.profiles.insert(name.to_owned(), profile);
    }
}
