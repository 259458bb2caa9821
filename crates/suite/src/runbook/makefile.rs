//! Whether a Makefile has a target.
//!
//! What a makefile says is read as far as it stands there (GNU make's manual, "Writing Rules"): what it includes, computes or matches by a
//! pattern cannot be known without running it.

use std::collections::BTreeSet;

use super::places;
use super::prove::{Said, Tree, within};

/// In the order in which GNU make looks.
const NAMES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

/// Flags whose value is the next word.
const VALUED: [&str; 8] = [
    "-I",
    "-o",
    "-W",
    "-l",
    "-E",
    "--include-dir",
    "--eval",
    "-O",
];

/// Looks at the words behind `make`.
pub(super) fn check(rest: &[&str], tree: Option<&dyn Tree>) -> Vec<Said> {
    let (mut dir, mut file, mut targets) = (String::new(), None, Vec::new());
    let mut words = rest.iter().copied().peekable();
    while let Some(word) = words.next() {
        match word {
            "-C" | "--directory" => dir = words.next().unwrap_or_default().to_owned(),
            "-f" | "--file" | "--makefile" => file = words.next().map(str::to_owned),
            "-j" => {
                words.next_if(|next| next.bytes().all(|b| b.is_ascii_digit()));
            }
            word if VALUED.contains(&word) => {
                words.next();
            }
            word if word.starts_with("--directory=") => word[12..].clone_into(&mut dir),
            word if word.starts_with("--file=") => file = Some(word[7..].to_owned()),
            word if word.starts_with('-') || word.contains('=') => {}
            word => targets.push(word),
        }
    }
    let prefix = match dir.as_str() {
        "" | "." | "./" => String::new(),
        dir => format!("{}/", dir.trim_end_matches('/')),
    };
    let names: Vec<String> = match &file {
        Some(file) => vec![format!("{prefix}{file}")],
        None => NAMES.iter().map(|name| format!("{prefix}{name}")).collect(),
    };
    let odd = |name: &String| places::is_open(name) || within(name).is_none();
    if names.iter().any(odd) {
        return vec![Said::open("what the Makefile of another place has")];
    }
    let text = names
        .iter()
        .find_map(|name| Some((name, tree?.text(within(name)?)?)));
    let Some((name, text)) = text else {
        let name = names.last().map_or("Makefile", String::as_str);
        return vec![Said::error(format!("there is no `{name}`"))];
    };
    let rules = Rules::of(&text);
    if targets.is_empty() && rules.targets.is_empty() && !rules.is_open {
        return vec![Said::error(format!("`{name}` has no target"))];
    }
    targets
        .into_iter()
        .filter_map(|target| rules.says(name, target))
        .collect()
}

/// What a makefile has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rules {
    targets: BTreeSet<String>,
    /// Whether there may be more: files that it includes, patterns, names that it computes.
    is_open: bool,
}

impl Rules {
    fn says(&self, file: &str, target: &str) -> Option<Said> {
        if self.targets.contains(target) {
            return None;
        }
        let text = format!("`{file}` has no target `{target}`");
        Some(if places::is_open(target) {
            Said::open(format!("that `{file}` has a target `{target}`"))
        } else if self.is_open {
            Said::open(format!("whether `{file}` has a target `{target}`"))
                .hint("it includes others, or has patterns or computed names")
        } else {
            Said::error(text).near(target, self.targets.iter().map(String::as_str))
        })
    }

    fn of(text: &str) -> Self {
        let mut rules = Self::default();
        let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
        let mut in_define = false;
        for line in joined.lines() {
            let bare = line.split('#').next().unwrap_or_default();
            let first = bare.split_whitespace().next().unwrap_or_default();
            if in_define || first == "define" {
                in_define = first != "endef";
                continue;
            }
            // A recipe.
            if line.starts_with('\t') {
                continue;
            }
            if matches!(first, "include" | "-include" | "sinclude" | "load") {
                rules.is_open = true;
                continue;
            }
            rules.line(bare);
        }
        rules
    }

    fn line(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("$(") || line.starts_with("${") {
            self.is_open = true;
        }
        let Some(colon) = outside(line, ':') else {
            return;
        };
        // `a := b`, `a ::= b`, `a = b : c`.
        let is_assigned = line[colon..].trim_start_matches(':').starts_with('=');
        if is_assigned || outside(line, '=').is_some_and(|at| at < colon) {
            return;
        }
        let body = line[colon..].trim_start_matches(':');
        let prerequisites = body.split(';').next().unwrap_or_default();
        // `target: NAME = value` sets a variable and is no rule.
        if outside(prerequisites, '=').is_some() {
            return;
        }
        for target in line[..colon].split_whitespace() {
            if target.contains(['%', '$', '*']) {
                self.is_open = true;
            } else if !target.starts_with('.') || target.contains('/') {
                self.targets.insert(target.trim_end_matches('&').to_owned());
            }
        }
    }
}

/// Where a sign stands first that is in no `$(…)`.
fn outside(line: &str, sign: char) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, c) in line.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            c if c == sign && depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> (Vec<String>, bool) {
        let rules = Rules::of(text);
        (rules.targets.into_iter().collect(), rules.is_open)
    }

    #[test]
    fn targets_are_those_of_rules() {
        let text = "CC := gcc # a:b\nX = a:b\nY ::= z\n.PHONY: all ghost\nall: one two ; echo a=b\none two::\n\techo not: this\n\
            export A := b\nlong \\\n  name: x\nall: CFLAGS = -O2\ndefine D\nin_define:\nendef\nifdef Z\nunder: all\nendif\n";
        let (found, open) = targets(text);
        assert_eq!(found, ["all", "long", "name", "one", "two", "under"]);
        assert!(!open);
    }

    #[test]
    fn what_is_computed_included_or_matched_leaves_it_open() {
        for text in [
            "include rules.mk\n",
            "-include $(DEPS)\n",
            "%.o: %.c\n",
            "$(BINS): x\n",
            "$(eval $(call rule,x))\n",
        ] {
            assert!(targets(text).1, "{text}");
        }
        // A recipe computes nothing.
        assert!(!targets("a:\n\t$(CC) %.o: x\n").1);
    }
}
