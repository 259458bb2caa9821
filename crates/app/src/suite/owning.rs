//! Who owns what failed: the project's table `[owners]`, a CODEOWNERS file, and last of all the suite's own `owner`.
//!
//! The rules are in `gonogo_suite::owner`; here are the files and what path a test has. Invariants: which rule decided is always told; a rule
//! that cannot be read and would have decided gives nobody, and never the next best; a file that the configuration names must be there.

use std::path::{Component, Path, PathBuf};

use gonogo_core::Reason;
use gonogo_suite::owner::{Because, Dialect, MOST_BYTES, OwnerIssue, Owners, State};
use gonogo_suite::{Row, TargetResult};
use serde::Serialize;

use crate::AppError;
use crate::config::{FILE, SuitesFile};
use crate::home::Home;

/// Where forges look for the file, in the order in which we do.
const PLACES: [&str; 4] = [
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitlab/CODEOWNERS",
];

/// The rules of a project.
pub struct Ownership {
    /// The project, absolute.
    root: PathBuf,
    /// The repository's top, or the project.
    top: PathBuf,
    table: Owners,
    file: Option<(String, Owners)>,
}

/// Whose a path is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whose {
    /// Relative to the repository's top.
    pub path: String,
    /// What is known.
    pub state: State,
    /// The owners; none unless the state is `owned`.
    pub owners: Vec<String>,
    /// The rules that decided.
    pub because: Vec<Because>,
    /// Where no file of a test is known: the suite that names the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
}

impl Whose {
    /// The owners as one text.
    pub fn text(&self) -> Option<String> {
        (!self.owners.is_empty()).then(|| self.owners.join(" "))
    }
}

/// What is wrong with the rules of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The file.
    pub source: String,
    /// From 1; 0 for the whole file.
    pub line: u64,
    /// What, and what to write.
    pub text: String,
}

impl Ownership {
    /// Reads the rules that hold here.
    ///
    /// # Errors
    /// A file that is named and not there; one that cannot be read.
    pub fn load(home: &Home) -> Result<Self, AppError> {
        let empty = SuitesFile::default();
        let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
        Self::read(&home.root(), file)
    }

    fn read(root: &Path, file: &SuitesFile) -> Result<Self, AppError> {
        let root = root
            .canonicalize()
            .map_err(|e| AppError::io("find", root, &e))?;
        let top = root.ancestors().find(|dir| dir.join(".git").exists());
        let top = top.unwrap_or(&root).to_owned();
        let entries = file
            .owned
            .iter()
            .map(|e| (e.line, e.pattern.as_str(), e.owners.as_str()));
        let table = Owners::entries(FILE, entries);
        let found = match &file.owners {
            Some(named) => Some(root.join(named)),
            None => PLACES
                .iter()
                .map(|place| top.join(place))
                .find(|path| std::fs::symlink_metadata(path).is_ok()),
        };
        let file = found
            .map(|path| -> Result<(String, Owners), AppError> {
                let text = crate::proposing::bounded(&path, MOST_BYTES as u64)?;
                let name = path.strip_prefix(&top).unwrap_or(&path);
                let name = name.display().to_string();
                let owners = Owners::codeowners(&name, &text, dialect(&name, &top));
                Ok((name, owners))
            })
            .transpose()?;
        Ok(Self {
            root,
            top,
            table,
            file,
        })
    }

    /// What is wrong with the file's rules; the table's are faults of the configuration.
    pub fn wrong(&self) -> Vec<Wrong> {
        let Some((name, owners)) = &self.file else {
            return Vec::new();
        };
        let of = |issue: &OwnerIssue| Wrong {
            source: name.clone(),
            line: issue.line,
            text: issue.text.clone(),
        };
        owners.issues().iter().map(of).collect()
    }

    /// The CODEOWNERS file that is read, relative to the repository's top.
    pub fn source(&self) -> Option<&str> {
        self.file.as_ref().map(|(name, _)| name.as_str())
    }

    /// Whose a path is: absolute, or relative to the project. It need not be there.
    ///
    /// # Errors
    /// It lies outside of the repository.
    pub fn of(&self, path: &Path) -> Result<Whose, AppError> {
        let full = self.root.join(path);
        // Whoever names it may have come through a link.
        let real = || {
            let (dir, name) = (full.parent()?.canonicalize().ok()?, full.file_name()?);
            self.inside(&dir.join(name))
        };
        let inside = self.inside(&full).or_else(real).ok_or_else(|| {
            let text = format!("`{}` is not in the repository", path.display());
            AppError::new(Reason::ArgumentInvalid, text)
                .hint(format!("name a path below `{}`", self.top.display()))
        })?;
        Ok(self.decide(inside))
    }

    fn decide(&self, path: String) -> Whose {
        let mut answer = self.table.of(&path);
        if answer.state == State::Unmatched
            && let Some((_, file)) = &self.file
        {
            answer = file.of(&path);
        }
        Whose {
            path,
            state: answer.state,
            owners: answer.owners,
            because: answer.because,
            suite: None,
        }
    }

    /// The path relative to the repository's top, with `.` and `..` resolved by their letters.
    fn inside(&self, path: &Path) -> Option<String> {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    plain.pop();
                }
                other => plain.push(other),
            }
        }
        let inside = plain.strip_prefix(&self.top).ok()?;
        let parts: Option<Vec<&str>> = inside.iter().map(|p| p.to_str()).collect();
        Some(parts?.join("/"))
    }

    /// Whose a target is: its suite's owner, or else that of whatever lies in its directory.
    pub fn target(&self, target: &TargetResult) -> Option<Whose> {
        if let Some(owner) = &target.owner {
            return Some(Whose {
                path: target.dir.clone(),
                state: State::Owned,
                owners: vec![owner.clone()],
                because: Vec::new(),
                suite: Some(target.target.clone()),
            });
        }
        let path = self.inside(&self.root.join(&target.dir).join("*"))?;
        let whose = self.decide(path);
        (whose.state != State::Unmatched).then_some(whose)
    }

    /// Whose a test is: of the file that its report or its failure names, or else of its target.
    pub fn row(&self, target: &TargetResult, row: &Row) -> Option<Whose> {
        let location = row.failure.as_ref().and_then(|f| f.location.as_ref());
        let named = row.file.as_deref().into_iter();
        let named = named.chain(location.map(|l| l.file.as_str()));
        let found = named
            .filter_map(|file| self.file(target, file))
            .map(|path| self.decide(path))
            .find(|whose| whose.state != State::Unmatched);
        match found {
            Some(found) if found.state != State::Nobody => Some(found),
            _ => self.target(target),
        }
    }

    /// A file as a report names it: relative to where the suite ran, to the project or to the repository.
    fn file(&self, target: &TargetResult, file: &str) -> Option<String> {
        let bases = [
            self.root.join(&target.dir),
            self.root.clone(),
            self.top.clone(),
        ];
        let there = bases.iter().find(|base| base.join(file).exists());
        self.inside(&there.unwrap_or(&bases[0]).join(file))
    }
}

/// GitLab's file is read as GitLab does; one that both read, by what else lies in the repository.
fn dialect(name: &str, top: &Path) -> Dialect {
    let gitlab = name.starts_with(".gitlab/") || top.join(".gitlab-ci.yml").exists();
    match gitlab && !name.starts_with(".github/") {
        true => Dialect::GitLab,
        false => Dialect::GitHub,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OwnerEntry;

    fn project(files: &[(&str, &str)], table: &[(&str, &str)]) -> (tempfile::TempDir, Ownership) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join(".git")).unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let owned = (1..)
            .zip(table)
            .map(|(line, (pattern, owners))| OwnerEntry {
                line,
                pattern: (*pattern).into(),
                owners: (*owners).into(),
            })
            .collect();
        let file = SuitesFile {
            owned,
            ..SuitesFile::default()
        };
        let owners = Ownership::read(dir.path(), &file).unwrap();
        (dir, owners)
    }

    #[test]
    fn the_table_comes_before_the_file_and_the_first_place_counts() {
        let files = [
            (".github/CODEOWNERS", "* @all\nsrc/ @src\n"),
            ("CODEOWNERS", "* @never\n"),
        ];
        let (_dir, owners) = project(&files, &[("src/a/", "@a"), ("src/a/b.rs", "@b @c")]);
        for (path, expected, line, source) in [
            ("src/x.rs", "@src", 2, ".github/CODEOWNERS"),
            ("README.md", "@all", 1, ".github/CODEOWNERS"),
            ("src/a/x.rs", "@a", 1, "gonogo.toml"),
            ("src/a/../a/b.rs", "@b @c", 2, "gonogo.toml"),
        ] {
            let whose = owners.of(Path::new(path)).unwrap();
            assert_eq!(whose.text().as_deref(), Some(expected), "{path}");
            let because = &whose.because[0];
            assert_eq!(
                (because.line, because.source.as_str()),
                (line, source),
                "{path}"
            );
        }
        assert!(owners.of(Path::new("../x")).is_err());
    }

    #[test]
    fn a_rule_that_cannot_be_read_gives_nobody() {
        let (_dir, owners) = project(&[("CODEOWNERS", "* @all\nsrc/ nobody-at-all\n")], &[]);
        assert_eq!(owners.wrong()[0].line, 2);
        let whose = owners.of(Path::new("src/x.rs")).unwrap();
        assert_eq!((whose.state, whose.text()), (State::Broken, None));
        assert_eq!(
            owners.of(Path::new("x")).unwrap().text().as_deref(),
            Some("@all")
        );
    }

    #[test]
    fn gitlabs_file_has_sections() {
        let text = "[Docs] @writers\ndocs/\n[Code]\n*.rs @coders\n";
        let (_dir, owners) = project(&[(".gitlab/CODEOWNERS", text)], &[]);
        let whose = owners.of(Path::new("docs/a.rs")).unwrap();
        assert_eq!(whose.owners, ["@writers", "@coders"]);
        assert_eq!(whose.because[0].section.as_deref(), Some("Docs"));
    }

    #[test]
    fn a_test_is_owned_by_its_file_and_a_target_by_its_suite() {
        let (_dir, owners) = project(
            &[
                ("CODEOWNERS", "* @all\nsub/src/ @src\nsub/free/\n"),
                ("sub/src/a.rs", ""),
            ],
            &[],
        );
        let mut target = target("sub");
        let mut row = row("src/a.rs");
        let text = |target: &TargetResult, row: &Row| owners.row(target, row).unwrap().text();
        assert_eq!(text(&target, &row).as_deref(), Some("@src"));
        // The report says nothing, and the failure names a place by the repository's top.
        row.file = None;
        row.failure = Some(gonogo_suite::Failure {
            location: Some(gonogo_suite::Location {
                file: "sub/src/a.rs".into(),
                ..Default::default()
            }),
            ..Default::default()
        });
        assert_eq!(text(&target, &row).as_deref(), Some("@src"));
        // Nobody owns the file: its suite does, and without one whoever owns the directory.
        row.file = Some("free/x.rs".into());
        row.failure = None;
        assert_eq!(text(&target, &row).as_deref(), Some("@all"));
        target.owner = Some("ana".into());
        let whose = owners.row(&target, &row).unwrap();
        assert_eq!(
            (whose.text().as_deref(), whose.suite.as_deref()),
            (Some("ana"), Some("unit"))
        );
    }

    fn target(dir: &str) -> TargetResult {
        use gonogo_suite::run::{Attempted, Class, Collisions, End, judge};
        let attempted = Attempted {
            target: "unit".into(),
            class: Class::Unit,
            correlation_id: "c".into(),
            blocking: true,
            owner: None,
            command: Vec::new(),
            dir: dir.into(),
            format: "junit".into(),
            min_tests: 1,
            min_duration_ms: None,
            end: End::Exited { code: 1 },
            duration_ms: 1,
            ended_at: gonogo_core::Timestamp::from_millis(0),
            inputs: Vec::new(),
            problems: Vec::new(),
            home: "unit/unit".into(),
        };
        judge(attempted, &Collisions::default(), &[])
    }

    fn row(file: &str) -> Row {
        serde_json::from_value(serde_json::json!({
            "target": "unit",
            "test": gonogo_suite::TestId::new("s", "c", "n"),
            "verdict": "failed",
            "attempts": 1,
            "file": file,
        }))
        .unwrap()
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = SuitesFile {
            owners: Some("owners".into()),
            ..SuitesFile::default()
        };
        let error = Ownership::read(dir.path(), &file).err().unwrap();
        assert_eq!(error.reason, Reason::InputNotFound);
    }
}
