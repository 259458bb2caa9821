//! Who owns a path: the rules of a CODEOWNERS file, or of a table `pattern = owner`, and which of them decided.
//!
//! CODEOWNERS is read as GitHub does (docs.github.com, "About code owners") or as GitLab does (docs.gitlab.com, "Code Owners syntax"): of the
//! rules that match, the last one decides, in GitLab once a section. In a table the longest pattern decides. Invariants: a line that cannot
//! be read is an issue with its number and, if it would have decided, the answer is [`State::Broken`], never somebody else; nothing here
//! reads a file.

mod line;
mod pattern;

use serde::{Deserialize, Serialize};

use line::{Line, Owned};
use pattern::Pattern;

/// Most bytes of a file that are read; GitHub does not load a larger one.
pub const MOST_BYTES: usize = 3 << 20;

/// Whose rules of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Patterns of gitignore without negation and ranges; a pattern that names a directory owns what is beneath.
    GitHub,
    /// Sections with default owners; a pattern matches files, and directories only with `/` at its end.
    GitLab,
}

/// Something wrong with the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerIssue {
    /// From 1; 0 for the whole file.
    pub line: u64,
    /// What is there, why it cannot be used, and what to write.
    pub text: String,
}

/// What is known of a path's owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has owners.
    Owned,
    /// A rule says that nobody owns it.
    Nobody,
    /// No rule matches.
    Unmatched,
    /// The rule that decides cannot be read, or none of the file can.
    Broken,
}

/// A rule that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// The file or table, as it was named to us.
    pub source: String,
    /// From 1.
    pub line: u64,
    /// As it is written.
    pub pattern: String,
    /// GitLab's section, if the rule is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Whom it names.
    pub owners: Vec<String>,
}

/// Who owns a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What is known.
    pub state: State,
    /// All owners, in the order of the rules, each once; none unless the state is [`State::Owned`].
    pub owners: Vec<String>,
    /// The rules that decided: one, or one a section.
    pub because: Vec<Because>,
}

struct Rule {
    line: u64,
    text: String,
    pattern: Pattern,
    section: usize,
    owners: Vec<String>,
    is_broken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decides {
    Last,
    Longest,
}

/// Rules of ownership.
pub struct Owners {
    source: String,
    decides: Decides,
    rules: Vec<Rule>,
    sections: Vec<Option<String>>,
    issues: Vec<OwnerIssue>,
    is_unreadable: bool,
}

impl Owners {
    /// Reads a CODEOWNERS file; `source` is how answers name it.
    pub fn codeowners(source: &str, text: &[u8], dialect: Dialect) -> Self {
        let mut owners = Self::empty(source, Decides::Last);
        // GitLab: owners that a section gives to its rules that name none.
        let mut defaults: Vec<Vec<String>> = vec![Vec::new()];
        let mut section = 0;
        for (n, text) in owners.lines(text) {
            match line::read(&text, dialect) {
                Ok(Line::Nothing) => {}
                Ok(Line::Section { name, owners: by }) => {
                    // One name is one section, whatever its letters' case.
                    let same = |known: &Option<String>| {
                        known
                            .as_ref()
                            .is_some_and(|k| k.eq_ignore_ascii_case(&name))
                    };
                    section = owners.sections.iter().position(same).unwrap_or_else(|| {
                        owners.sections.push(Some(name.clone()));
                        defaults.push(Vec::new());
                        owners.sections.len() - 1
                    });
                    if !by.is_empty() {
                        defaults[section] = by;
                    }
                }
                Ok(Line::Rule(Owned {
                    pattern,
                    owners: by,
                    wrong,
                })) => {
                    if let Some(wrong) = &wrong {
                        owners.tell(n, wrong.clone());
                    }
                    let by = if by.is_empty() && wrong.is_none() {
                        defaults[section].clone()
                    } else {
                        by
                    };
                    owners.rule(n, &pattern, dialect, section, by, wrong.is_some());
                }
                Err(wrong) => owners.tell(n, wrong),
            }
        }
        owners
    }

    /// Reads a table: lines of `pattern = owner`, more owners after a space, comments behind `#`. Patterns are GitHub's.
    pub fn table(source: &str, text: &[u8]) -> Self {
        let mut owners = Self::empty(source, Decides::Longest);
        for (n, text) in owners.lines(text) {
            let text = text.split(" #").next().unwrap_or_default().trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            match text.split_once('=') {
                Some((pattern, by)) => owners.entry(n, pattern.trim(), by),
                None => owners.tell(
                    n,
                    format!("`{}` has no `=`: write `pattern = owner`", cut(text)),
                ),
            }
        }
        owners
    }

    /// Takes a table that was read elsewhere: line, pattern, owners separated by spaces.
    pub fn entries<'a>(
        source: &str,
        entries: impl IntoIterator<Item = (u64, &'a str, &'a str)>,
    ) -> Self {
        let mut owners = Self::empty(source, Decides::Longest);
        for (line, pattern, by) in entries {
            owners.entry(line, pattern, by);
        }
        owners
    }

    /// What is wrong with the rules, by line.
    pub fn issues(&self) -> &[OwnerIssue] {
        &self.issues
    }

    /// Who owns `path`, which is relative to the repository's root, with `/` between its parts.
    pub fn of(&self, path: &str) -> Answer {
        let mut answer = Answer {
            state: State::Unmatched,
            owners: Vec::new(),
            because: Vec::new(),
        };
        if self.is_unreadable {
            answer.state = State::Broken;
            return answer;
        }
        let path = path.strip_prefix("./").unwrap_or(path);
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let mut broken = false;
        for section in 0..self.sections.len() {
            let mut matching = self
                .rules
                .iter()
                .filter(|r| r.section == section && r.pattern.matches(&parts));
            let rule = match self.decides {
                Decides::Last => matching.next_back(),
                // Of equals the later; `max_by_key` gives the last of them.
                Decides::Longest => matching.max_by_key(|r| r.text.len()),
            };
            let Some(rule) = rule else { continue };
            broken |= rule.is_broken;
            answer.because.push(Because {
                source: self.source.clone(),
                line: rule.line,
                pattern: rule.text.clone(),
                section: self.sections[section].clone(),
                owners: rule.owners.clone(),
            });
            for owner in &rule.owners {
                if !answer.owners.contains(owner) {
                    answer.owners.push(owner.clone());
                }
            }
        }
        answer.state = match (broken, answer.because.is_empty(), answer.owners.is_empty()) {
            (true, _, _) => State::Broken,
            (false, true, _) => State::Unmatched,
            (false, false, true) => State::Nobody,
            (false, false, false) => State::Owned,
        };
        if answer.state == State::Broken {
            answer.owners.clear();
        }
        answer
    }

    fn empty(source: &str, decides: Decides) -> Self {
        Self {
            source: source.to_owned(),
            decides,
            rules: Vec::new(),
            sections: vec![None],
            issues: Vec::new(),
            is_unreadable: false,
        }
    }

    fn tell(&mut self, line: u64, text: String) {
        self.issues.push(OwnerIssue { line, text });
    }

    /// Lines with their numbers; a file beyond the limit gives none.
    fn lines(&mut self, text: &[u8]) -> Vec<(u64, String)> {
        if text.len() > MOST_BYTES {
            self.is_unreadable = true;
            self.tell(
                0,
                format!(
                    "{} bytes: more than {MOST_BYTES} are not read; join rules",
                    text.len()
                ),
            );
            return Vec::new();
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut lines = Vec::new();
        for (n, line) in (1..).zip(text.split(|b| *b == b'\n')) {
            match std::str::from_utf8(line) {
                Ok(line) => lines.push((n, line.trim().to_owned())),
                Err(_) => {
                    // What it would own is not known, so nothing is.
                    self.is_unreadable = true;
                    self.tell(n, "it is not UTF-8: write the file in UTF-8".to_owned());
                }
            }
        }
        lines
    }

    fn entry(&mut self, line: u64, pattern: &str, by: &str) {
        let by: Vec<String> = by.split_whitespace().map(str::to_owned).collect();
        let mut broken = false;
        if by.is_empty() {
            self.tell(line, format!("`{}` has no owner: name one", cut(pattern)));
            broken = true;
        }
        if let Some(first) = self.rules.iter().find(|r| r.text == pattern) {
            let text = format!(
                "`{}` stands in line {} already: keep one",
                cut(pattern),
                first.line
            );
            self.tell(line, text);
            broken = true;
        }
        self.rule(line, pattern, Dialect::GitHub, 0, by, broken);
    }

    fn rule(
        &mut self,
        line: u64,
        text: &str,
        dialect: Dialect,
        section: usize,
        owners: Vec<String>,
        is_broken: bool,
    ) {
        match Pattern::new(text, dialect) {
            Ok(pattern) => self.rules.push(Rule {
                line,
                text: text.to_owned(),
                pattern,
                section,
                owners,
                is_broken,
            }),
            Err(wrong) => self.tell(line, wrong),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}
