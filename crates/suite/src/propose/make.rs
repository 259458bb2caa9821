//! Makefiles and justfiles: targets as plain commands, where nothing better is known.

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
