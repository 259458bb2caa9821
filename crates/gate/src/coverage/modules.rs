//! A report's files by the modules that the project declares.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use gonogo_core::Reason;
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

use super::tally::{Parts, Report, Tally, add, covered, worse};
use crate::inputs::{Coverage, Part};

/// The module of everything.
pub const WHOLE: &str = "*";

/// Most modules, and most patterns of one.
const MOST: usize = 1_000;

/// In how many functions, one within another, a line may be counted.
const NESTED: u64 = 8;

/// Which files belong to a module: patterns of paths from the tree's root, `*` within a name and `**` over directories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Globs {
    /// These.
    pub include: Vec<String>,
    /// But not these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// Modules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("module `{module}`: {text}")]
pub struct ModuleError {
    module: String,
    text: String,
}

/// The modules of a project.
#[derive(Debug, Clone, Default)]
pub struct Modules(BTreeMap<String, (GlobSet, GlobSet)>);

impl Modules {
    /// Takes their patterns.
    ///
    /// # Errors
    /// [`ModuleError`]: a pattern that is none, a module without one, a module named `*`.
    pub fn new(globs: &BTreeMap<String, Globs>) -> Result<Self, ModuleError> {
        let mut modules = BTreeMap::new();
        for (module, globs) in globs {
            let bad = |text: String| ModuleError {
                module: module.clone(),
                text,
            };
            if module == WHOLE || module.trim().is_empty() {
                return Err(bad("`*` stands for everything; choose a name".to_owned()));
            }
            if globs.include.is_empty() {
                return Err(bad("`include` is empty, so it has no file".to_owned()));
            }
            if modules.len() >= MOST || globs.include.len() + globs.exclude.len() > MOST {
                return Err(bad(format!("there are more than {MOST}")));
            }
            let set = |patterns: &[String]| {
                let mut set = GlobSetBuilder::new();
                for pattern in patterns {
                    let glob = GlobBuilder::new(pattern)
                        .literal_separator(true)
                        .build()
                        .map_err(|e| bad(e.to_string()))?;
                    set.add(glob);
                }
                set.build().map_err(|e| bad(e.to_string()))
            };
            let sets = (set(&globs.include)?, set(&globs.exclude)?);
            modules.insert(module.clone(), sets);
        }
        Ok(Self(modules))
    }

    /// The modules that a file belongs to.
    pub fn of<'m>(&'m self, file: &'m str) -> impl Iterator<Item = &'m str> {
        self.0
            .iter()
            .filter(move |(_, (include, exclude))| {
                include.is_match(file) && !exclude.is_match(file)
            })
            .map(|(module, _)| module.as_str())
    }
}

/// How names in a report become paths in the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// What is taken off their beginning: the directory of the tree, a Go module's path.
    pub strip: Vec<String>,
    /// Where relative names may begin: directories in the tree.
    pub bases: Vec<String>,
}

/// What a report comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// By module, and `*` for the whole.
    pub coverage: Coverage,
    /// Files with code that a module declares and the report does not have. Their lines count as not covered, and functions and branches
    /// of such a module are not known.
    pub absent: BTreeMap<String, Vec<String>>,
    /// Files of the report that are not in the tree; they do not count.
    pub foreign: Vec<String>,
    /// What is told beside, [`Report::notes`] among it.
    pub notes: Vec<Problem>,
}

/// `./a\b` as `a/b`.
fn plain(path: &str) -> String {
    let path = path.replace('\\', "/");
    let is_rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if is_rooted {
        format!("/{joined}")
    } else {
        joined
    }
}

fn under<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let directory = plain(directory);
    path.strip_prefix(directory.as_str())?.strip_prefix('/')
}

/// All paths that a name may mean, the likeliest first.
fn candidates(name: &str, report: &Report, paths: &Paths) -> Vec<String> {
    let name = plain(name);
    let mut all = Vec::new();
    let mut whole = |path: &str| {
        let stripped = paths.strip.iter().find_map(|root| under(path, root));
        all.push(stripped.unwrap_or(path).to_owned());
    };
    whole(&name);
    if !name.starts_with('/') {
        for source in &report.sources {
            whole(&plain(&format!("{source}/{name}")));
        }
        for base in &paths.bases {
            whole(&plain(&format!("{base}/{name}")));
        }
    }
    all
}

/// Sums a report up. `listing` has every source file of the tree with its number of lines that a report should know ([`code_lines`]); with
/// an empty one nobody can say what is absent, and that is told.
pub fn measure(
    report: &Report,
    modules: &Modules,
    listing: &BTreeMap<String, u64>,
    paths: &Paths,
) -> Measured {
    let mut measured = Measured {
        notes: report.notes.clone(),
        ..Measured::default()
    };
    let mut files: BTreeMap<String, Tally> = BTreeMap::new();
    for (name, tally) in &report.files {
        let found = candidates(name, report, paths);
        let path = found.iter().find(|path| listing.contains_key(*path));
        let path = match path {
            Some(path) => path.clone(),
            None if listing.is_empty() => found.first().cloned().unwrap_or_default(),
            None => {
                measured.foreign.push(name.clone());
                continue;
            }
        };
        match files.get_mut(&path) {
            Some(known) => known.join(tally.clone()),
            None => {
                files.insert(path, tally.clone());
            }
        }
    }
    let mut sums: BTreeMap<&str, Parts> = BTreeMap::new();
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, tally) in &files {
        let parts = tally.parts();
        for module in modules.of(path).chain([WHOLE]) {
            *sizes.entry(module).or_default() += 1;
            let none = [Part {
                covered: 0,
                total: 0,
            }; 3];
            add(sums.entry(module).or_insert(none), parts);
        }
    }
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut incomplete: BTreeSet<&str> = BTreeSet::new();
    for (path, lines) in listing {
        let owners: Vec<&str> = modules.of(path).collect();
        known.extend(&owners);
        if files.contains_key(path) || owners.is_empty() || *lines == 0 {
            continue;
        }
        for module in owners.into_iter().chain([WHOLE]) {
            incomplete.insert(module);
            if let Some(parts) = sums.get_mut(module) {
                parts[0].total = parts[0].total.saturating_add(*lines);
            }
            let absent = measured.absent.entry(module.to_owned()).or_default();
            absent.push(path.clone());
        }
    }
    // What is declared of the whole is so of a module that has every file of it. Of what no file measures nothing is known all the same.
    if let (Some(declared), true) = (report.declared, measured.foreign.is_empty()) {
        let is_whole = |module: &str| sizes.get(module) == Some(&files.len());
        for (_, whole) in sums.iter_mut().filter(|(module, _)| is_whole(module)) {
            *whole = [0, 1, 2].map(|i| match whole[i].total {
                0 => whole[i],
                _ => worse(whole[i], declared[i]),
            });
        }
    }
    for (module, mut parts) in sums {
        if incomplete.contains(module) {
            for part in &mut parts[1..] {
                *part = Part {
                    covered: 0,
                    total: 0,
                };
            }
        }
        let parts = covered(parts);
        measured.coverage.modules.insert(module.to_owned(), parts);
    }
    tell(&mut measured, modules, listing, &known);
    measured
}

/// Says which file of the tree ends before a line that the report speaks of, if one does: the report is of other files then. `lengths` are
/// the files' lines by path; the one behind the last may be spoken of, as some tools do.
pub fn beyond(report: &Report, lengths: &BTreeMap<String, u64>, paths: &Paths) -> Option<String> {
    report.files.iter().find_map(|(name, tally)| {
        let found = candidates(name, report, paths);
        let (path, lines) = found.iter().find_map(|path| lengths.get_key_value(path))?;
        let last = tally.last_line();
        if last > lines.saturating_add(1) {
            return Some(format!(
                "it speaks of line {last} of `{path}`, which has {lines}: it is of other files"
            ));
        }
        // A line counts once for each function that it belongs to.
        let count = tally.fixed.map_or(0, |parts| parts[0].total);
        let most = (*lines).max(1).saturating_mul(NESTED);
        (count > most).then(|| {
            format!("it counts {count} lines of `{path}`, which has {lines}: it is of other files")
        })
    })
}

fn tell(
    measured: &mut Measured,
    modules: &Modules,
    listing: &BTreeMap<String, u64>,
    known: &BTreeSet<&str>,
) {
    let mut note = |reason, text: String| measured.notes.push(Problem::new(reason, text));
    if listing.is_empty() {
        let text = "no listing of the tree is given, so nobody can say which files are absent";
        note(Reason::EvidenceMissing, text.to_owned());
    } else {
        for module in modules.0.keys().filter(|m| !known.contains(m.as_str())) {
            let text = format!("module `{module}`: no file of the tree belongs to it");
            note(Reason::PolicyUndefined, text);
        }
    }
    for (module, files) in &measured.absent {
        let shown: Vec<&str> = files.iter().take(5).map(String::as_str).collect();
        let more = files.len().saturating_sub(shown.len());
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let text = format!(
            "module `{module}`: the report has nothing of {}{more}; measure them, or exclude them",
            shown.join(", ")
        );
        note(Reason::EvidenceMissing, text);
    }
    if let Some(first) = measured.foreign.first() {
        let text = format!(
            "{} files of the report are not in the tree and do not count, `{first}` among them",
            measured.foreign.len()
        );
        note(Reason::EvidenceCountMismatch, text);
    }
}

/// About how many lines of a file a tool would measure: neither blank, nor comments, nor imports, nor brackets alone. It is used only for
/// files that a report does not have, where more is worse.
pub fn code_lines(text: &str) -> u64 {
    let mut in_comment = false;
    let mut count = 0;
    for line in text.lines() {
        let line = line.trim();
        if in_comment {
            in_comment = !line.contains("*/");
            continue;
        }
        if line.starts_with("/*") {
            in_comment = !line.contains("*/");
            continue;
        }
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        let is_declared = [
            "//",
            "#",
            "use ",
            "mod ",
            "import ",
            "from ",
            "package ",
            "export * ",
        ]
        .iter()
        .any(|word| line.starts_with(word));
        // `mod a { … }` holds code, and so may what follows an import on its line.
        let is_whole = !line.contains('{') && !line.trim_end_matches(';').contains(';');
        let is_code = line.chars().any(char::is_alphanumeric);
        if is_code
            && !(is_declared
                && (is_whole
                    || line.starts_with("//")
                    || line.starts_with('#')
                    || line.starts_with("use ")
                    || line.starts_with("import ")))
        {
            count += 1;
        }
    }
    count
}
