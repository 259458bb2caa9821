//! A command's words told apart: flags that stay, flags that go, and what is selected.
//!
//! Each runner has a [`Grammar`]. A word behind a flag that no grammar knows is its value, unless it is a file of the project; so what is
//! not known stays together and in its order.

/// Which flags a runner has, as far as it matters here. Names are written with their dashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grammar {
    /// Take a value, behind `=` or as the next word.
    pub valued: &'static [&'static str],
    /// Take none.
    pub bare: &'static [&'static str],
    /// Are left out, with their value.
    pub dropped: &'static [&'static str],
    /// Whether long flags have one dash or two, as in Go: names are written with one.
    pub single_dash: bool,
}

/// A command's words, told apart.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// Flags that stay, with their values, in their order.
    pub kept: Vec<String>,
    /// Words that are no flags: files, filters, packages.
    pub operands: Vec<String>,
    /// Flags that were left out, as names.
    pub dropped: Vec<(String, Option<String>)>,
    /// What stands behind `--`, if there is one.
    pub rest: Option<Vec<String>>,
}

impl Split {
    /// The values of flags that were left out.
    pub(super) fn values<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.dropped
            .iter()
            .filter(move |(name, _)| names.contains(&name.as_str()))
            .filter_map(|(_, value)| value.as_deref())
    }

    /// Whether one of these flags was left out.
    pub(super) fn had(&self, names: &[&str]) -> bool {
        self.dropped
            .iter()
            .any(|(name, _)| names.contains(&name.as_str()))
    }
}

/// A name that ends in `*` stands for all that begin so.
fn has(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => *known == name,
    })
}

/// Tells words apart. `is_operand` says of a word behind a flag that nobody knows whether it stands for itself.
pub(super) fn split(
    args: &[String],
    grammar: &Grammar,
    is_operand: &dyn Fn(&str) -> bool,
) -> Split {
    let mut out = Split::default();
    let mut at = 0;
    while at < args.len() {
        let word = &args[at];
        at += 1;
        if word == "--" {
            out.rest = Some(args[at..].to_vec());
            break;
        }
        if !word.starts_with('-') || word == "-" {
            out.operands.push(word.clone());
            continue;
        }
        let (written, joined) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.clone(), None),
        };
        let name = match written.strip_prefix("--") {
            Some(name) if grammar.single_dash => format!("-{name}"),
            _ => written,
        };
        let is_short = !grammar.single_dash && !name.starts_with("--");
        let known =
            |n: &str| has(grammar.valued, n) || has(grammar.bare, n) || has(grammar.dropped, n);
        let second = name.char_indices().nth(2).map(|(index, _)| index);
        if is_short
            && let Some(index) = second
            && !known(&name)
        {
            let (first, value) = (&name[..index], &word[index..]);
            if has(grammar.valued, first) {
                // `-n4`, `-kfoo`.
                take(&mut out, grammar, first, Some(value.to_owned()), word, None);
                continue;
            }
            // `-xvs`: one by one, as far as all are known.
            let each: Vec<String> = name.chars().skip(1).map(|c| format!("-{c}")).collect();
            if joined.is_none() && each.iter().all(|n| known(n) && !has(grammar.valued, n)) {
                for n in &each {
                    take(&mut out, grammar, n, None, n, None);
                }
            } else {
                out.kept.push(word.clone());
            }
            continue;
        }
        let wants = has(grammar.valued, &name);
        let next = args.get(at).filter(|next| match (wants, known(&name)) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => !next.starts_with('-') && !is_operand(next),
        });
        let next = next.filter(|_| joined.is_none()).cloned();
        at += usize::from(next.is_some());
        take(&mut out, grammar, &name, joined, word, next);
    }
    out
}

fn take(
    out: &mut Split,
    grammar: &Grammar,
    name: &str,
    joined: Option<String>,
    word: &str,
    next: Option<String>,
) {
    if has(grammar.dropped, name) {
        out.dropped.push((name.to_owned(), joined.or(next)));
        return;
    }
    out.kept.push(word.to_owned());
    out.kept.extend(next);
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar = Grammar {
        valued: &["-k", "--out", "-n", "--sel", "--xml"],
        bare: &["-x", "-v", "-s", "--all"],
        dropped: &["-x", "-k", "--sel", "--cov*"],
        single_dash: false,
    };

    fn of(words: &[&str]) -> Split {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        split(&words, &GRAMMAR, &|word| word == "file")
    }

    #[test]
    fn words_are_told_apart() {
        let found = of(&[
            "a",
            "--out",
            "b",
            "-xvs",
            "-kfoo",
            "-n4",
            "--xml=r.xml",
            "--xml",
            "q.xml",
            "--sel",
            "z",
            "--cov-report",
            "file",
            "--who",
            "knows",
            "--who",
            "file",
            "--",
            "rest",
            "-x",
        ]);
        assert_eq!(
            found.kept,
            [
                "--out",
                "b",
                "-v",
                "-s",
                "-n4",
                "--xml=r.xml",
                "--xml",
                "q.xml",
                "--who",
                "knows",
                "--who"
            ]
        );
        assert_eq!(found.operands, ["a", "file", "file"]);
        assert_eq!(
            found.rest.as_deref(),
            Some(&["rest".to_owned(), "-x".to_owned()][..])
        );
        assert_eq!(
            found.values(&["-k", "--sel"]).collect::<Vec<_>>(),
            ["foo", "z"]
        );
        assert!(found.had(&["-x"]));
    }

    #[test]
    fn odd_words_do_not_end_it() {
        for words in [
            &["-"][..],
            &["--out"],
            &["--xml"],
            &["-ü"],
            &["-üx"],
            &["--="],
            &["-k"],
            &[""],
        ] {
            let found = of(words);
            assert!(found.rest.is_none(), "{words:?}");
        }
    }
}
