//! Proves that what a runbook names exists, and that its patterns find what they should and not everything.
//!
//! Pure: what exists is an argument. Invariant: what is not known to exist does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use gonogo_core::near;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Pattern, Runbook};
use super::matcher::{Matcher, MatcherError};
use super::places::{self, PLACEHOLDERS};
use super::prove::{self, Parse, RefusalKind, Said, Tree};
use super::required::{Expression, LEAST};

/// The schema of [`Lint`].
pub const LINT_SCHEMA: &str = "gonogo.suite.runbook-lint.v1";

/// Texts of fewer bytes stand in every log.
const SHORT: usize = 4;

/// Words that stand in logs in which nothing went wrong.
const COMMON: [&str; 16] = [
    "error",
    "errors",
    "failed",
    "failure",
    "fail",
    "warning",
    "panic",
    "test",
    "tests",
    "timeout",
    "exception",
    "fatal",
    "info",
    "debug",
    "assert",
    "killed",
];

/// Values for placeholders, of the form that gonogo's own flags want.
const SAMPLES: [(&str, &str); 4] = [
    ("lane", "full"),
    ("profile", "ci"),
    ("shard", "1"),
    ("commit", "2f1a9c0d4e6b8a7c5d3e1f0a9b8c7d6e5f4a3b2c"),
];

/// What exists, as far as the caller knows.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// Files that a run may leave, relative to its directory; `*` stands for any part of a name.
    pub artifacts: BTreeSet<String>,
    /// Files of the repository, relative to its root: programs that are named with a slash.
    pub paths: BTreeSet<String>,
    /// Programs that can be called by their name alone.
    pub programs: BTreeSet<String>,
    /// gonogo's own commands (`suite replay`), each with its flags (`--run`).
    pub commands: BTreeMap<String, BTreeSet<String>>,
    /// Reads the words behind `gonogo` as gonogo does; without it only commands and flags are compared.
    pub parse: Option<Parse>,
    /// What lies around; without it no script, target or file is known.
    pub tree: Option<Arc<dyn Tree>>,
}

impl Existing {
    /// Whether a run leaves a file of this name; placeholders stand for any part of one.
    pub(super) fn artifact(&self, path: &str) -> bool {
        let wanted = places::starred(path);
        self.artifacts
            .iter()
            .any(|known| fits(known, &wanted) || fits(&wanted, known))
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The entry is wrong.
    Error,
    /// It may be meant so.
    Warning,
}

/// Something that is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// The entry's id; empty if it is about the runbook as a whole.
    pub entry: String,
    /// Where in the file, from 1.
    pub line: u32,
    /// What is wrong.
    pub text: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let (line, entry, text) = (self.line, &self.entry, &self.text);
        write!(f, "line {line}: {level}: ")?;
        if !entry.is_empty() {
            write!(f, "entry `{entry}`: ")?;
        }
        f.write_str(text)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// What a runbook's check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lint {
    /// [`LINT_SCHEMA`].
    pub schema: String,
    /// How many entries were looked at.
    pub entries: usize,
    /// How many findings are errors.
    pub errors: usize,
    /// By line, errors first.
    pub findings: Vec<Finding>,
}

impl Lint {
    /// Whether there is at least one entry, and none of them is wrong.
    pub const fn is_clean(&self) -> bool {
        self.entries > 0 && self.errors == 0
    }
}

/// Checks a runbook against what exists.
pub fn lint(runbook: &Runbook, existing: &Existing) -> Lint {
    let mut linter = Linter {
        existing,
        entry: None,
        findings: Vec::new(),
    };
    if runbook.entries.is_empty() {
        linter.error(1, "the runbook has no entry, so nothing was proved", None);
    }
    for entry in &runbook.entries {
        linter.entry = Some(entry);
        linter.recognised(entry);
        linter.artifacts(entry);
        linter.replay(entry);
        linter.placeholders(entry, &entry.remediation);
        linter.remediation(entry);
        if entry.artifacts.is_empty() && entry.replay.is_empty() {
            let text = "it has neither artifacts nor a replay";
            linter.warn(
                entry.line,
                text,
                Some("say where to look, or what to run".into()),
            );
        }
    }
    linter.twins(runbook);
    // A broken pattern was told above, with its line.
    if let Err(e @ (MatcherError::Unanchored(_) | MatcherError::Texts(_))) =
        Matcher::new(runbook.clone())
    {
        linter.entry = None;
        linter.error(1, e.to_string(), None);
    }
    let mut findings = linter.findings;
    findings.sort_by(|a, b| (a.line, a.level, &a.text).cmp(&(b.line, b.level, &b.text)));
    Lint {
        schema: LINT_SCHEMA.to_owned(),
        entries: runbook.entries.len(),
        errors: findings.iter().filter(|f| f.level == Level::Error).count(),
        findings,
    }
}

struct Linter<'a> {
    existing: &'a Existing,
    entry: Option<&'a Entry>,
    findings: Vec<Finding>,
}

impl<'a> Linter<'a> {
    fn error(&mut self, line: u32, text: impl Into<String>, hint: Option<String>) {
        self.tell(Level::Error, line, text.into(), hint);
    }

    fn warn(&mut self, line: u32, text: impl Into<String>, hint: Option<String>) {
        self.tell(Level::Warning, line, text.into(), hint);
    }

    fn tell(&mut self, level: Level, line: u32, text: String, hint: Option<String>) {
        self.findings.push(Finding {
            level,
            entry: self.entry.map(|entry| entry.id.clone()).unwrap_or_default(),
            line,
            text,
            hint,
        });
    }

    fn recognised(&mut self, entry: &Entry) {
        if entry.patterns.is_empty() && entry.signatures.is_empty() && entry.cause.is_none() {
            self.error(entry.line, "nothing tells when it applies", None);
        }
        for pattern in &entry.patterns {
            self.pattern(pattern);
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        let line = pattern.line;
        let mut drawn = 0;
        if let Some(text) = &pattern.regex {
            match Expression::read(text, pattern.ignore_case) {
                Err(why) => self.error(line, format!("its expression is broken: {why}"), None),
                Ok(expression) => {
                    drawn = expression.texts.iter().map(Vec::len).min().unwrap_or(0);
                    if expression.compile().is_err() {
                        self.error(line, "its expression is too large to be compiled", None);
                    }
                }
            }
        }
        let texts = || pattern.all.iter().chain(&pattern.any);
        for text in texts() {
            if text.is_empty() || text.contains(['\n', '\r', '\u{1b}']) {
                let text = "a text is empty or has a line's end or an escape character: no line has it, or each has";
                self.error(line, text, None);
            }
        }
        let all = pattern.all.iter().map(String::len).max().unwrap_or(0);
        let any = pattern.any.iter().map(String::len).min().unwrap_or(0);
        let best = all.max(any).max(drawn);
        match (&pattern.regex, best) {
            (None, 0) => {
                self.error(
                    line,
                    "a pattern asks for nothing, so every line is it",
                    None,
                );
            }
            (Some(_), 0) => {
                let text = format!(
                    "its expression has no text of {LEAST} bytes that a line must have, so it is tried on every line"
                );
                self.warn(line, text, Some("give it such a text in `all`".into()));
            }
            (None, 1..SHORT) => {
                let text = format!("its texts are shorter than {SHORT} bytes: every log has them");
                self.error(line, text, Some("take more of the line".into()));
            }
            (Some(_), 1..SHORT) => {
                let text = format!("its texts are shorter than {SHORT} bytes");
                self.warn(line, text, Some("take more of the line".into()));
            }
            _ => {}
        }
        let alone = |text: &str| {
            let bare = text.trim().trim_end_matches(':').to_ascii_lowercase();
            pattern.regex.is_none() && COMMON.contains(&bare.as_str())
        };
        let one = pattern.all.len() == 1 && pattern.any.is_empty() && alone(&pattern.all[0]);
        if one || (pattern.all.is_empty() && pattern.any.iter().any(|text| alone(text))) {
            let text = "a single word stands for it that is in logs of runs that passed, too";
            self.error(line, text, Some("take more of the line".into()));
        }
        for (n, text) in pattern.any.iter().enumerate() {
            let others = pattern.any.iter().enumerate().filter(|(m, _)| *m != n);
            if let Some((_, other)) = others
                .into_iter()
                .find(|(m, other)| text.contains(other.as_str()) && (text != *other || *m < n))
            {
                let text = format!("`{text}` adds nothing: what has it has `{other}`, too");
                self.warn(line, text, None);
            }
        }
    }

    fn artifacts(&mut self, entry: &Entry) {
        for path in &entry.artifacts {
            self.placeholders(entry, path);
            if let Some(why) = places::not_relative(path) {
                self.error(entry.line, format!("the artifact `{path}` {why}"), None);
                continue;
            }
            let wanted = places::starred(path);
            let named = wanted.split('/').any(|part| part.chars().any(|c| c != '*'));
            let known = &self.existing.artifacts;
            let found = self.existing.artifact(path);
            if !named {
                let text = format!("the artifact `{path}` is all placeholders and names no file");
                self.error(entry.line, text, None);
            } else if !found {
                let near = near::nearest(&wanted, known.iter().map(String::as_str));
                let hint = near.map(|near| format!("did you mean `{near}`?"));
                let text = format!("no run leaves an artifact `{path}`");
                self.error(entry.line, text, hint);
            }
        }
    }

    fn replay(&mut self, entry: &Entry) {
        let Some((program, rest)) = entry.replay.split_first() else {
            return;
        };
        for word in &entry.replay {
            self.placeholders(entry, word);
            if matches!(
                word.as_str(),
                "&&" | "||" | "|" | ";" | "&" | ">" | ">>" | "<" | "2>&1"
            ) {
                let text = format!("the replay has `{word}`, but no shell reads it");
                let hint = "a command is its words; put more than one into a script".to_owned();
                self.error(entry.line, text, Some(hint));
            }
        }
        let existing = self.existing;
        if places::is_open(program) {
            let text =
                format!("the program `{program}` is a placeholder: nobody can tell that it exists");
            self.error(entry.line, text, None);
        } else if program == "gonogo" {
            self.command(entry, rest, true);
        } else if program.contains('/') {
            let path = program.strip_prefix("./").unwrap_or(program);
            if !existing.paths.contains(path) {
                let near = near::nearest(path, existing.paths.iter().map(String::as_str));
                let hint = near.map(|near| format!("did you mean `{near}`?"));
                self.error(entry.line, format!("there is no program `{program}`"), hint);
            } else {
                self.say(entry, prove::command(&entry.replay, existing));
            }
        } else if !existing.programs.contains(program) {
            let near = near::nearest(program, existing.programs.iter().map(String::as_str));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            self.error(entry.line, format!("there is no program `{program}`"), hint);
        } else {
            self.say(entry, prove::command(&entry.replay, existing));
        }
    }

    /// Commands and paths between backticks, and scripts anywhere.
    fn remediation(&mut self, entry: &Entry) {
        let existing = self.existing;
        let (commands, paths) = prove::named(&entry.remediation);
        for path in paths {
            self.say(entry, prove::path(&path, existing).into_iter().collect());
        }
        for words in commands {
            let (program, rest) = (&words[0], &words[1..]);
            if program == "gonogo" {
                // The program alone is a name.
                if !rest.is_empty() {
                    self.command(entry, rest, false);
                }
                continue;
            }
            let is_program = existing
                .tree
                .as_ref()
                .is_some_and(|t| t.is_program(program));
            if program.contains('/') {
                self.say(entry, prove::path(program, existing).into_iter().collect());
            } else if !is_program {
                let what = format!("that there is a program `{program}`");
                self.say(entry, vec![Said::open(what)]);
            }
            self.say(entry, prove::command(&words, existing));
        }
    }

    fn say(&mut self, entry: &Entry, all: Vec<Said>) {
        for said in all {
            self.tell(said.level, entry.line, said.text, said.hint);
        }
    }

    /// A command of gonogo's own: the most words that are one, then its flags, then all of it as gonogo reads it. Of one that is
    /// only named in a text something may be missing.
    fn command(&mut self, entry: &Entry, words: &[String], is_whole: bool) {
        let before = self.findings.len();
        self.flags(entry, words);
        let Some(parse) = self
            .existing
            .parse
            .filter(|_| self.findings.len() == before)
        else {
            return;
        };
        let sample = |name: &str| {
            let found = SAMPLES.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let (filled, open): (Vec<_>, Vec<_>) =
            words.iter().map(|word| places::fill(word, sample)).unzip();
        let Err(refusal) = parse(&filled) else { return };
        let shown = words.join(" ");
        match refusal.kind {
            RefusalKind::Missing if !is_whole => {}
            RefusalKind::Value if open.iter().any(|names| !names.is_empty()) => {
                let what = format!("whether `gonogo {shown}` has good values");
                self.say(entry, vec![Said::open(what)]);
            }
            _ => {
                let text = format!("gonogo does not take `gonogo {shown}`: {}", refusal.text);
                self.error(entry.line, text, None);
            }
        }
    }

    fn flags(&mut self, entry: &Entry, words: &[String]) {
        let plain = |word: &&String| !word.starts_with('-') && !places::is_open(word);
        let names: Vec<&str> = words.iter().take_while(plain).map(String::as_str).collect();
        let existing = self.existing;
        let found = (1..=names.len())
            .rev()
            .find_map(|n| existing.commands.get_key_value(&names[..n].join(" ")));
        let Some((command, flags)) = found else {
            let wanted = names.join(" ");
            let near = near::nearest(&wanted, existing.commands.keys().map(String::as_str));
            let hint = near.map(|near| format!("did you mean `gonogo {near}`?"));
            let text = format!("gonogo has no command `{wanted}`");
            self.error(entry.line, text, hint);
            return;
        };
        for word in words.iter().take_while(|word| *word != "--") {
            let flag = word.split('=').next().unwrap_or(word);
            if flag.starts_with('-') && flag.len() > 1 && !flags.contains(flag) {
                let near = near::nearest(flag, flags.iter().map(String::as_str));
                let hint = near.map(|near| format!("did you mean `{near}`?"));
                let text = format!("`gonogo {command}` has no flag `{flag}`");
                self.error(entry.line, text, hint);
            }
        }
    }

    fn placeholders(&mut self, entry: &Entry, text: &str) {
        for name in places::faults(text) {
            let known = PLACEHOLDERS.iter().map(|(name, _)| *name);
            let hint =
                near::nearest(&name, known).map(|near| format!("did you mean `{{{near}}}`?"));
            let text = format!("`{{{name}}}` is no placeholder");
            self.error(entry.line, text, hint);
        }
    }

    /// Ids, patterns and signatures that stand twice.
    fn twins(&mut self, runbook: &'a Runbook) {
        let mut ids: BTreeMap<&str, &Entry> = BTreeMap::new();
        let mut patterns: BTreeMap<_, &Entry> = BTreeMap::new();
        let mut signatures: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in &runbook.entries {
            self.entry = Some(entry);
            if let Some(first) = ids.insert(&entry.id, entry) {
                let text = format!("its id stands in line {}, too", first.line);
                self.error(entry.line, text, Some("ids are unique".into()));
            }
            for pattern in &entry.patterns {
                let sorted = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<String>>();
                let key = (
                    sorted(&pattern.all),
                    sorted(&pattern.any),
                    pattern.regex.clone(),
                    pattern.ignore_case,
                );
                if let Some(first) = patterns.insert(key, entry) {
                    let text = format!("entry `{}` has the same pattern", first.id);
                    let hint = "one line would be told twice: keep one of the two".to_owned();
                    self.error(pattern.line, text, Some(hint));
                }
            }
            for signature in &entry.signatures {
                if let Some(first) = signatures.insert(signature, entry) {
                    let text = format!(
                        "entry `{}` names the signature `{signature}`, too",
                        first.id
                    );
                    self.error(entry.line, text, None);
                }
            }
        }
    }
}

/// Whether `name` fits `pattern`, in which a `*` stands for any text without a slash.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p) == Some(&name[n]) {
            p += 1;
            n += 1;
        } else {
            match star {
                Some((at, from)) if name[from] != b'/' => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                _ => return false,
            }
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_stand_for_parts_of_names() {
        for (pattern, name, expected) in [
            ("a/*/c.log", "a/b/c.log", true),
            ("a/*/c.log", "a/*/c.log", true),
            ("a/*.log", "a/b.log", true),
            ("a/*.log", "a/b/c.log", false),
            ("*", "a", true),
            ("*", "a/b", false),
            ("a*", "a", true),
            ("*a*b", "xaybab", true),
            ("*a*b", "xaybac", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
