//! The trees of a run, each made anew and prepared once, and how a command is run in one.
//!
//! Invariants: paths of trees are of one length; nothing that a preparation left running is there when something is measured; the trees
//! are gone behind the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gonogo_exec::measure::{Subject, environment};
use gonogo_exec::{Exit as Ended, Ladder, Launch};
use gonogo_suite::run::Source;

use crate::AppError;
use crate::config::{Config, PerfFile, StressFile};
use crate::identity;
use crate::suite::checkout::Checkout;
use crate::suite::source::Tree;
use crate::workspace::make_dir;

/// How long a preparation may take.
const PREPARATION: Duration = Duration::from_secs(1800);

/// How a command is run in a tree.
pub(super) struct Way<'a> {
    command: &'a [String],
    dir: &'a str,
    prepare: &'a [String],
    env_from: &'a [String],
}

impl<'a> Way<'a> {
    /// That of a budget.
    pub(super) fn of(file: &'a PerfFile) -> Self {
        Self {
            command: &file.command,
            dir: &file.dir,
            prepare: &file.prepare,
            env_from: &file.env_from,
        }
    }

    /// That of a load.
    pub(super) fn of_load(file: &'a StressFile) -> Self {
        Self {
            command: &file.command,
            dir: &file.dir,
            prepare: &file.prepare,
            env_from: &file.env_from,
        }
    }
}

/// The trees of a run. What is left of them is removed when dropped.
pub(super) struct Trees<'a> {
    config: &'a Config,
    tree: &'a Tree,
    /// Where they are made.
    dir: PathBuf,
    made: BTreeMap<String, (String, Checkout)>,
    /// Preparations that were run, and how they failed.
    prepared: BTreeMap<(String, Vec<String>, String), Result<(), String>>,
}

impl Drop for Trees<'_> {
    fn drop(&mut self) {
        self.made.clear();
        // What is left is an empty directory; one that cannot be removed harms nobody.
        let _ = std::fs::remove_dir(&self.dir);
    }
}

impl<'a> Trees<'a> {
    /// None yet; they are made below `dir`.
    pub(super) fn new(config: &'a Config, tree: &'a Tree, dir: &Path) -> Self {
        Self {
            config,
            tree,
            dir: dir.join("trees"),
            made: BTreeMap::new(),
            prepared: BTreeMap::new(),
        }
    }

    /// The command in a tree that is made and prepared, or why it cannot be prepared.
    pub(super) fn ready(
        &mut self,
        way: &Way<'_>,
        side: &str,
        source: &Source,
    ) -> Result<Result<Subject, String>, AppError> {
        let project = self.make(side, source)?;
        let dir = project.join(way.dir);
        if let Err(why) = self.prepare(way, side, source, &dir)? {
            return Ok(Err(why));
        }
        let mut allowed = vec!["PATH", "HOME"];
        allowed.extend(way.env_from.iter().map(String::as_str));
        Ok(Ok(Subject {
            argv: way.command.to_vec(),
            env: environment(&allowed),
            dir,
            output: None,
        }))
    }

    /// The project in a tree of its own. Two bases have two directories of one length, and head's is as long.
    fn make(&mut self, side: &str, source: &Source) -> Result<PathBuf, AppError> {
        if !self.tree.has_repository() {
            // Without a repository there is no base either; head is what is here.
            return Ok(self.tree.top().to_owned());
        }
        let key = format!("{side} {}", source.tree);
        if let Some((_, made)) = self.made.get(&key) {
            return Ok(made.project().to_owned());
        }
        let name = match side {
            "head" => "head".to_owned(),
            _ => format!("b{:03}", self.made.len() % 1000),
        };
        make_dir(&self.dir)?;
        let made = Checkout::make(self.tree, source, &self.dir.join(&name))?;
        let project = made.project().to_owned();
        self.made.insert(key, (name, made));
        Ok(project)
    }

    fn prepare(
        &mut self,
        way: &Way<'_>,
        side: &str,
        source: &Source,
        dir: &Path,
    ) -> Result<Result<(), String>, AppError> {
        if way.prepare.is_empty() {
            return Ok(Ok(()));
        }
        let key = (
            format!("{side} {}", source.tree),
            way.prepare.to_vec(),
            way.dir.to_owned(),
        );
        if let Some(known) = self.prepared.get(&key) {
            return Ok(known.clone());
        }
        let logs = self.dir.parent().unwrap_or(&self.dir);
        let name = format!("prepare-{}-{side}.log", self.prepared.len());
        let log = logs.join(&name);
        let ended = prepare(way.prepare, dir, &log);
        super::redact(self.config, logs, &name)?;
        let ended = ended.map_err(|why| {
            format!(
                "the preparation of {side} {why}; `{}` says more",
                log.display()
            )
        });
        self.prepared.insert(key, ended.clone());
        Ok(ended)
    }
}

fn prepare(argv: &[String], dir: &Path, log: &Path) -> Result<(), String> {
    let launch = Launch {
        argv: argv.to_vec(),
        env: crate::suite::inherited::variables(),
        dir: dir.to_owned(),
        log: log.to_owned(),
        errors: None,
        mark: format!("perf/{}", identity::nonce()),
    };
    let process = launch
        .start()
        .map_err(|e| format!("could not be started: {e}"))?;
    let waited = process.wait(PREPARATION);
    // What it left running would be measured with what comes next.
    gonogo_exec::end(&process, Ladder::KILL).map_err(|e| format!("could not be ended: {e}"))?;
    match waited {
        Ok(Some(Ended::Status(0))) => Ok(()),
        Ok(Some(Ended::Status(code))) => Err(format!("ended with {code}")),
        Ok(Some(Ended::Signal(signal))) => Err(format!("was ended by signal {signal}")),
        Ok(Some(Ended::Gone)) => Err("is gone, and nobody knows how it ended".into()),
        Ok(None) => Err(format!("was ended after {} s", PREPARATION.as_secs())),
        Err(e) => Err(format!("could not be waited for: {e}")),
    }
}
