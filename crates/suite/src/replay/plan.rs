//! The levels of a failure's replay: the test alone, what contains it, its target.

use super::runner::{self, Known, Runner};
use super::{Expects, Level, Origin, Proof, REPLAY, Replay, Sign};
use super::{cargo, dotnet, env, go, is_exact, is_ours, js, jvm, pytest, quote, shells};
use crate::TestVerdict;
use crate::propose::{Files, join};
use crate::redact::PREFIX;
use crate::run::{COMMAND, End, Row, TargetResult};

/// What a runner's module needs to know.
pub(super) struct Context<'a> {
    pub origin: &'a Origin,
    pub files: &'a dyn Files,
    /// The target's command; what it writes into the run's directory is written beside the sources.
    pub command: Vec<String>,
    /// Its directory within the project; empty for the root.
    pub dir: String,
    /// Reports that are written elsewhere than before, relative to the project.
    pub moved: Vec<String>,
}

/// A command that selects a part, and how it does so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub argv: Vec<String>,
    pub why: String,
}

/// What a runner's module finds: each is a command or why there is none.
pub(super) struct Found {
    pub test: Result<Choice, String>,
    pub suite: Result<Choice, String>,
    /// Signs that nothing ran.
    pub signs: Vec<Sign>,
}

impl Found {
    pub(super) fn none(why: &str) -> Self {
        Self {
            test: Err(why.to_owned()),
            suite: Err(why.to_owned()),
            signs: Vec::new(),
        }
    }
}

/// The replays of one failure, from the narrowest that there is to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replays {
    /// The test alone, if its name maps back exactly.
    pub test: Option<Replay>,
    /// What contains it, if that can be selected.
    pub suite: Option<Replay>,
    /// The target's whole command.
    pub target: Replay,
}

impl Replays {
    /// The narrowest.
    pub fn best(&self) -> &Replay {
        self.test
            .as_ref()
            .or(self.suite.as_ref())
            .unwrap_or(&self.target)
    }

    /// All, the narrowest first.
    pub fn all(&self) -> impl Iterator<Item = &Replay> {
        self.test.iter().chain(&self.suite).chain([&self.target])
    }
}

/// The replays of a test's failure. `files` are those of the tree that failed; what they do not show is not guessed.
pub fn replay(origin: &Origin, row: &Row, files: &dyn Files) -> Replays {
    let expects = Expects {
        verdict: Some(row.verdict),
        signature: row.signature.clone(),
        kind: row.failure.as_ref().map(|f| f.kind),
        ..Expects::default()
    };
    let make = |context: &Context<'_>, level, argv, why: &str, found: Option<&Found>, runner| {
        let mut replay = make(
            context,
            level,
            argv,
            why,
            runner,
            found.map_or(&[][..], |f| &f.signs),
        );
        replay.test = Some(row.test.clone());
        replay.expects = expects.clone();
        replay
    };
    let context = match context(origin, files) {
        Ok(context) => context,
        Err(refused) => {
            let (context, why) = *refused;
            let target = make(
                &context,
                Level::Target,
                context.command.clone(),
                &why,
                None,
                Runner::Command,
            );
            return Replays {
                test: None,
                suite: None,
                target,
            };
        }
    };
    let (found, runner) = found(&context, row);
    let of = |level, choice: &Result<Choice, String>, above: Option<&String>| {
        let choice = choice.as_ref().ok()?;
        let why = above.map_or_else(
            || choice.why.clone(),
            |above| format!("{above}; {}", choice.why),
        );
        Some(make(
            &context,
            level,
            choice.argv.clone(),
            &why,
            Some(&found),
            runner,
        ))
    };
    let test = of(Level::Test, &found.test, None);
    let suite = of(Level::Suite, &found.suite, found.test.as_ref().err());
    let why = match (&found.test, &found.suite) {
        (Err(a), Err(b)) if a != b => format!("{a}; {b}"),
        (Err(a), _) => a.clone(),
        (_, Err(b)) => b.clone(),
        _ => "the target as it is declared".to_owned(),
    };
    let command = context.command.clone();
    Replays {
        target: make(&context, Level::Target, command, &why, Some(&found), runner),
        test,
        suite,
    }
}

/// The replay of a target as a whole: of a build, a lint, a plain command, and of what went wrong beside the tests.
pub fn replay_target(origin: &Origin, result: &TargetResult, files: &dyn Files) -> Replay {
    let (context, why) = match context(origin, files) {
        Ok(context) => (context, "the target failed as a whole".to_owned()),
        Err(refused) => *refused,
    };
    let known = runner::recognise(&context);
    let runner = known.map_or(Runner::Command, |known| known.runner);
    let mut replay = make(
        &context,
        Level::Target,
        context.command.clone(),
        &why,
        runner,
        &[],
    );
    let is_end = match &result.end {
        End::Exited { .. } | End::Read { .. } => origin.format == COMMAND,
        _ => true,
    };
    replay.expects = Expects {
        end: is_end.then(|| result.end.clone()),
        reasons: result.problems.iter().map(|p| p.reason).collect(),
        ..Expects::default()
    };
    replay.expects.reasons.sort_unstable();
    replay.expects.reasons.dedup();
    if let [only] = result.bad.as_slice() {
        replay.test = Some(only.test.clone());
        replay.expects.verdict = Some(only.verdict);
        replay.expects.signature.clone_from(&only.signature);
        replay.expects.kind = only.failure.as_ref().map(|f| f.kind);
    } else if let Some(shown) = result
        .first_failure
        .as_ref()
        .filter(|_| result.bad.is_empty())
    {
        replay.expects.signature = Some(shown.signature.clone());
        replay.expects.kind = Some(shown.found.failure.kind);
    }
    replay
}

fn found(context: &Context<'_>, row: &Row) -> (Found, Runner) {
    let known = match runner::recognise(context) {
        Ok(known) => known,
        Err(why) => return (Found::none(&why), Runner::Command),
    };
    let runner = known.runner;
    if context.origin.format == COMMAND {
        return (
            Found::none("the target has no report that names tests"),
            runner,
        );
    }
    let test = &row.test;
    let mut found = of_runner(context, known, row);
    if !is_exact(&test.name)
        || [&test.suite, &test.class]
            .iter()
            .any(|t| !t.is_empty() && !is_exact(t))
    {
        found.test = Err("the report has cut the test's name".to_owned());
        found.suite =
            Err("what contains the test cannot be told from a name that was cut".to_owned());
    } else if [&test.suite, &test.class]
        .iter()
        .any(|t| t.contains(PREFIX))
    {
        let why = "a part of the name of what contains the test was taken out as a secret";
        found.test = Err(why.to_owned());
        found.suite = Err(why.to_owned());
    } else if test.name.contains(PREFIX) {
        let why = "a part of the test's name was taken out as a secret";
        found.test = Err(why.to_owned());
    } else if is_ours(&test.name) {
        found.test = Err(format!("`{}` is no test that can be selected", test.name));
    } else if row.verdict == TestVerdict::Missing && found.test.is_ok() {
        found.test = Err(
            "the test has no result: nobody knows whether its name still selects it".to_owned(),
        );
    }
    (found, runner)
}

fn of_runner(context: &Context<'_>, known: Known, row: &Row) -> Found {
    match known.runner {
        Runner::Cargo => cargo::test(context, &known, row),
        Runner::Nextest => cargo::nextest(context, &known, row),
        Runner::Pytest => pytest::pytest(context, &known, row),
        Runner::Unittest => pytest::unittest(&known, row),
        Runner::Jest | Runner::Vitest => js::javascript(context, &known, row),
        Runner::Go => go::test(context, &known, row),
        Runner::Gotestsum => go::gotestsum(context, &known, row),
        Runner::Maven => jvm::maven(context, &known, row),
        Runner::Gradle => jvm::gradle(context, &known, row),
        Runner::Dotnet => dotnet::dotnet(context, &known, row),
        Runner::Bats => shells::bats(context, &known, row),
        Runner::Prove => shells::prove(context, &known, row),
        Runner::Command => Found::none("no runner is known"),
    }
}

type Refused<'a> = (Context<'a>, String);

fn context<'a>(origin: &'a Origin, files: &'a dyn Files) -> Result<Context<'a>, Box<Refused<'a>>> {
    let mut context = Context {
        origin,
        files,
        command: origin.command.clone(),
        dir: String::new(),
        moved: Vec::new(),
    };
    match join("", &origin.dir) {
        Some(dir) => context.dir = dir,
        None => {
            let why = format!("its directory `{}` is outside of the project", origin.dir);
            return Err(Box::new((context, why)));
        }
    }
    context.settle();
    Ok(context)
}

impl Context<'_> {
    /// Takes the run's own directories out of the command: they are not where it will run.
    fn settle(&mut self) {
        let root = self
            .origin
            .root
            .as_deref()
            .map(|root| root.trim_end_matches('/'))
            .filter(|root| !root.is_empty());
        let home = join("", &self.origin.artifact_dir).filter(|home| !home.is_empty());
        let words = std::mem::take(&mut self.command);
        for (n, word) in words.into_iter().enumerate() {
            let from = match word.split_once('=') {
                Some((name, _)) if name.starts_with('-') => name.len() + 1,
                _ => 0,
            };
            let path = &word[from..];
            // Relative to the project, wherever it was written from.
            let below = |root| match path.strip_prefix(root)? {
                "" => Some(""),
                rest => rest.strip_prefix('/'),
            };
            let inner = match root.and_then(below) {
                Some(inner) => join("", inner).map(|inner| (inner, true)),
                None if path.starts_with('/') => None,
                None => join(&self.dir, path).map(|inner| (inner, false)),
            };
            let settled = match inner {
                Some((inner, _)) if home.as_ref().is_some_and(|home| is_below(&inner, home)) => {
                    let end = inner
                        .rsplit('/')
                        .next()
                        .and_then(|name| name.rsplit_once('.'));
                    let end = end.map_or(String::new(), |(_, end)| format!(".{end}"));
                    let name = format!("gonogo-replay-{n}{end}");
                    self.moved.extend(join(&self.dir, &name));
                    format!("{}{name}", &word[..from])
                }
                Some((inner, true)) => {
                    let path = crate::propose::relative(&self.dir, &inner);
                    format!("{}{path}", &word[..from])
                }
                _ => word,
            };
            self.command.push(settled);
        }
    }

    /// A path that a report or a command names, relative to the project, if it is there.
    pub(super) fn known_file(&self, named: &str) -> Option<String> {
        let named = named.replace('\\', "/");
        let named = named.strip_prefix("file://").unwrap_or(&named);
        if let Some(root) = self.origin.root.as_deref()
            && let Some(inner) = named.strip_prefix(root.trim_end_matches('/'))
            && let Some(inner) = inner.strip_prefix('/')
        {
            return join("", inner).filter(|path| self.files.exists(path));
        }
        if named.starts_with('/') || named.get(1..3) == Some(":/") {
            // Of another machine: the longest end of it that is a file here.
            let parts: Vec<&str> = named.split('/').collect();
            let ends = (1..parts.len()).take(64).map(|n| parts[n..].join("/"));
            let mut ends = ends.filter_map(|end| join("", &end));
            return ends.find(|end| !end.is_empty() && self.files.exists(end));
        }
        // From the target's directory or one above it: runners have roots of their own.
        let mut dir = self.dir.as_str();
        loop {
            if let Some(path) = join(dir, named).filter(|p| !p.is_empty() && self.files.exists(p)) {
                return Some(path);
            }
            if dir.is_empty() {
                return None;
            }
            dir = dir.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    /// Whether a word of the command is a file or a directory.
    pub(super) fn is_file(&self, word: &str) -> bool {
        let path = word.split("::").next().unwrap_or(word);
        join(&self.dir, path).is_some_and(|path| self.files.exists(&path))
    }

    /// A path of the project as it is written where the command runs.
    pub(super) fn here(&self, path: &str) -> String {
        crate::propose::relative(&self.dir, path)
    }
}

fn is_below(path: &str, dir: &str) -> bool {
    path == dir
        || path
            .strip_prefix(dir)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn make(
    context: &Context<'_>,
    level: Level,
    argv: Vec<String>,
    why: &str,
    runner: Runner,
    signs: &[Sign],
) -> Replay {
    let origin = context.origin;
    let (env, withheld) = env::part(&origin.env);
    let dir = match context.dir.as_str() {
        "" => ".".to_owned(),
        dir => dir.to_owned(),
    };
    let mut shell = String::new();
    if dir != "." {
        let to = if dir.starts_with('-') {
            format!("./{dir}")
        } else {
            dir.clone()
        };
        shell = format!("cd {} && ", quote::shell(&[to]));
    }
    // A first word with `=` in it would be an assignment.
    let is_odd = argv.first().is_some_and(|word| word.contains('='));
    if !env.is_empty() || is_odd {
        shell.push_str("env ");
    }
    if !env.is_empty() {
        shell.push_str(&quote::assignments(&env));
        shell.push(' ');
    }
    shell.push_str(&quote::shell(&argv));
    let is_plain = origin.format == COMMAND;
    Replay {
        schema: REPLAY.to_owned(),
        target: origin.target.clone(),
        test: None,
        level,
        why_this_level: why.to_owned(),
        runner,
        argv,
        dir,
        env,
        withheld,
        seed: origin.seed,
        shell,
        expects: Expects::default(),
        proves_selection: Proof {
            format: origin.format.clone(),
            reports: if context.moved.is_empty() {
                origin.reports.clone()
            } else {
                context.moved.clone()
            },
            min_tests: match level {
                _ if is_plain => 0,
                Level::Target => origin.min_tests.max(1),
                _ => 1,
            },
            nothing_ran: signs.to_vec(),
        },
    }
}
