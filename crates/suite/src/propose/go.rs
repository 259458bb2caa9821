//! Go.

use super::Found;
use crate::run::Class;

pub(super) fn look(found: &mut Found<'_>) {
    if !found.has("go.mod") {
        return;
    }
    found.languages.push("go");
    let why = |what: &str| format!("`go.mod`: {what}");
    found.add(
        "go-build",
        Class::Build,
        &["go", "build", "./..."],
        "command",
        &why("all packages are built"),
    );
    found.add(
        "go-vet",
        Class::Lint,
        &["go", "vet", "./..."],
        "command",
        &why("vet"),
    );
    // Results of the cache are no run.
    found.add(
        "go-test",
        Class::Unit,
        &["go", "test", "-json", "-count=1", "./..."],
        "go",
        &why("all tests, none from the cache"),
    );
}
