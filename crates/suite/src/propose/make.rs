//! Makefiles and justfiles: targets as plain commands, where nothing better is known. What a Makefile above runs by `make -C` is its own.

use super::Found;
use crate::run::Class;

/// Names of targets and what they are for.
const NAMES: [(&str, Class); 16] = [
    ("build", Class::Build),
    ("lint", Class::Lint),
    ("fmt-check", Class::Lint),
    ("format-check", Class::Lint),
    ("check-fmt", Class::Lint),
    ("typecheck", Class::Lint),
    ("vet", Class::Lint),
    ("test", Class::Unit),
    ("tests", Class::Unit),
    ("unit", Class::Unit),
    ("unit-test", Class::Unit),
    ("test-unit", Class::Unit),
    ("check", Class::Unit),
    ("integration", Class::E2e),
    ("test-integration", Class::E2e),
    ("e2e", Class::E2e),
];

pub(super) fn look(found: &mut Found<'_>) {
    for (tool, names) in [
        ("make", &["GNUmakefile", "makefile", "Makefile"][..]),
        ("just", &["justfile", "Justfile", ".justfile"]),
    ] {
        let Some((file, said)) = names
            .iter()
            .find_map(|name| Some((*name, found.text(name)?)))
        else {
            continue;
        };
        if tool == "make"
            && let Some(above) = handed_on(found)
        {
            found.note(format!("`{file}` is not looked at: `{above}` runs it"));
            continue;
        }
        let targets = targets(&said);
        let known = NAMES
            .iter()
            .filter(|(name, _)| targets.iter().any(|t| t == name));
        for (name, class) in known.collect::<Vec<_>>() {
            if found.has_class(*class) {
                found.note(format!(
                    "`{tool} {name}` is not proposed: something of the class `{}` is already",
                    class.word()
                ));
                continue;
            }
            let why = format!("the target `{name}` of `{file}`, by its exit code");
            found.add(
                &format!("{tool}-{name}"),
                *class,
                &[tool, name],
                "command",
                &why,
            );
        }
    }
}

/// The Makefile of a directory above that runs make in this one.
fn handed_on(found: &Found<'_>) -> Option<String> {
    let mut above = found.dir;
    while !above.is_empty() {
        above = above.rsplit_once('/').map_or("", |(up, _)| up);
        for name in ["GNUmakefile", "makefile", "Makefile"] {
            let Some(path) = super::join(above, name) else {
                continue;
            };
            let Some(said) = super::text(found.files, &path) else {
                continue;
            };
            let below = super::relative(above, found.dir);
            if runs(&said, &below) {
                return Some(path);
            }
        }
    }
    None
}

/// Whether a Makefile runs make in a directory that it names so: `$(MAKE) -C sub`, or `-C $@` and the like with `sub` in a list.
fn runs(said: &str, dir: &str) -> bool {
    let is_dir = |word: &str| {
        let word = word.trim_matches(['"', '\'', ';', ')']);
        word.trim_start_matches("./").trim_end_matches('/') == dir
    };
    let mut is_any = false;
    for line in said.lines().take(20_000) {
        let mut words = line.split_whitespace().skip_while(|word| {
            let word = word.trim_start_matches(['@', '-', '+', '(']);
            !matches!(word, "make" | "$(MAKE)" | "${MAKE}" | "gmake")
        });
        while let Some(word) = words.next() {
            let named = match word
                .strip_prefix("-C")
                .or_else(|| word.strip_prefix("--directory"))
            {
                Some("") => words.next().unwrap_or_default(),
                Some(rest) => rest.trim_start_matches('='),
                None => continue,
            };
            if is_dir(named) {
                return true;
            }
            is_any |= named.contains('$');
        }
    }
    is_any && said.split_whitespace().any(is_dir)
}

/// Names before a colon at the beginning of a line; no assignments, no recipes.
fn targets(said: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in said.lines().take(20_000) {
        if line.starts_with([' ', '\t', '#', '.', '@']) {
            continue;
        }
        let Some((head, rest)) = line.split_once(':') else {
            continue;
        };
        if rest.starts_with('=') || rest.starts_with(":=") || head.contains('=') {
            continue;
        }
        found.extend(head.split_whitespace().take(50).map(str::to_owned));
    }
    found
}
