//! Where a failure is, as a file of the project: what a report names from a directory of its own, and what only its trace names.
//!
//! Runners name files from where they ran, from a package, or not at all. Invariants: a place that is set here is a file that is there,
//! relative to the project; what could be two files is neither; what was not found stays as the report has it.

mod frame;

use std::collections::HashMap;

use frame::Frame;

use crate::propose::{Files, join};
use crate::{Location, Row};

/// Directories whose files are not the project's own.
const FOREIGN: [&str; 8] = [
    "node_modules",
    "site-packages",
    "dist-packages",
    "vendor",
    ".venv",
    "venv",
    ".tox",
    ".gonogo",
];

/// Places that are remembered.
const KNOWN: usize = 100_000;

/// Finds the places of a target's failures.
pub struct Locator<'a> {
    /// Where the target ran, relative to the project.
    dir: String,
    /// Names of the project's directory, absolute.
    roots: Vec<String>,
    files: &'a dyn Files,
    known: HashMap<(String, String), Option<String>>,
    /// The Go module of the target: where it lies, and its path.
    module: Option<(String, String)>,
}

impl<'a> Locator<'a> {
    /// For a target that ran in `dir`, relative to the project, whose absolute directory is any of `roots`.
    pub fn new(dir: &str, roots: &[&str], files: &'a dyn Files) -> Self {
        let dir = join("", dir).unwrap_or_default();
        let module = module(&dir, files);
        let roots = roots.iter().map(|root| root.trim_end_matches('/'));
        Self {
            module,
            roots: roots.filter(|r| !r.is_empty()).map(str::to_owned).collect(),
            dir,
            files,
            known: HashMap::new(),
        }
    }

    /// Sets the place of a row's failure.
    pub fn locate(&mut self, row: &mut Row) {
        let Some(mut failure) = row.failure.take() else {
            return;
        };
        let named = failure.location.as_ref().map(|place| place.file.clone());
        let found = named.as_ref().and_then(|named| self.file(named, row));
        match (&mut failure.location, found) {
            (Some(place), Some(file)) => place.file = file,
            (place, _) => {
                // What was raised in a library is mended where the project called it.
                let is_foreign = named.as_deref().is_none_or(is_foreign);
                let frames = frame::of(&failure.message).chain(frame::of(&failure.trace));
                let own = is_foreign.then(|| self.own(frames, row)).flatten();
                if own.is_some() || named.as_deref().is_some_and(is_library) {
                    *place = own;
                }
            }
        }
        row.failure = Some(failure);
    }

    /// The frame that is told first of those in the project; Python tells the innermost last.
    fn own<'t>(&mut self, frames: impl Iterator<Item = Frame<'t>>, row: &Row) -> Option<Location> {
        let mut found = None;
        for frame in frames.take(400) {
            if found.is_some() && !frame.is_later_better {
                continue;
            }
            let file = match frame.class {
                Some(class) => self.jvm(class, frame.file),
                None => self.file(frame.file, row),
            };
            let place = file.map(|file| Location {
                file,
                line: Some(frame.line),
                column: frame.column,
            });
            found = place.or(found);
        }
        found
    }

    /// A file that a report or a trace names.
    fn file(&mut self, named: &str, row: &Row) -> Option<String> {
        // The package matters for what it alone can tell apart.
        let is_bare = named.ends_with(".go") && !named.contains(['/', '\\']);
        let package = match is_bare && row.test.name != "(build)" {
            true => row.test.suite.to_string(),
            false => String::new(),
        };
        let key = (named.to_owned(), package);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = match key.1.is_empty() {
            true => self.plain(named),
            false => {
                let mut of = [&*row.test.suite, &*row.test.class].into_iter();
                of.find_map(|package| self.go(package, named))
            }
        };
        if self.known.len() < KNOWN {
            self.known.insert(key, found.clone());
        }
        found
    }

    fn plain(&self, named: &str) -> Option<String> {
        let named = named.strip_prefix("file://").unwrap_or(named);
        let below = self.roots.iter().find_map(|root| {
            let below = named.strip_prefix(root.as_str())?;
            below.strip_prefix('/')
        });
        if let Some(below) = below {
            return self.there(join("", below)?);
        }
        [self.dir.as_str(), ""]
            .iter()
            .find_map(|base| self.there(join(base, named)?))
    }

    /// The path, if it is a file of the project's own.
    fn there(&self, path: String) -> Option<String> {
        let is_own = !path.split('/').any(|part| FOREIGN.contains(&part));
        let is_file = path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.contains('.'));
        (is_own && is_file && self.files.exists(&path)).then_some(path)
    }

    /// A file of a Go package: a test names it without its directory.
    fn go(&self, package: &str, file: &str) -> Option<String> {
        // What `go vet` and test variants put behind a package's path.
        let package = package.split(' ').next().unwrap_or(package);
        if let Some((dir, module)) = &self.module
            && let Some(below) = package.strip_prefix(module.as_str())
            && (below.is_empty() || below.starts_with('/'))
        {
            return self.there(join(
                dir,
                format!("{below}/{file}").trim_start_matches('/'),
            )?);
        }
        // Of another module: the end of its path that is a directory here, if there is but one.
        let parts: Vec<&str> = package.split('/').collect();
        let ends = (0..parts.len()).map(|n| parts[n..].join("/"));
        let mut found =
            ends.filter_map(|end| self.there(join(&self.dir, &format!("{end}/{file}"))?));
        let one = found.next()?;
        found.next().is_none().then_some(one)
    }

    /// The source of a class: below the roots of sources that Maven and Gradle have, in the target's directory or a module right in it.
    fn jvm(&self, class: &str, file: &str) -> Option<String> {
        let package = class.rsplit_once('.').map_or("", |(package, _)| package);
        let package = package.replace('.', "/");
        let mut found: Vec<String> = Vec::new();
        let modules = self.files.list(&self.dir);
        let modules = modules.iter().filter(|name| !name.contains('.')).take(500);
        for module in std::iter::once("").chain(modules.map(String::as_str)) {
            for kind in ["test", "main", "integrationTest", "it"] {
                for language in ["java", "kotlin", "scala", "groovy"] {
                    let path = format!("{module}/src/{kind}/{language}/{package}/{file}");
                    found.extend(
                        join(&self.dir, path.trim_start_matches('/')).and_then(|p| self.there(p)),
                    );
                }
            }
            if module.is_empty() && !found.is_empty() {
                break;
            }
        }
        (found.len() == 1).then(|| found.remove(0))
    }
}

/// Whether a file that a report names, and that is none of the project's, may be a library's: an absolute one.
fn is_foreign(file: &str) -> bool {
    file.starts_with('/') || is_library(file)
}

/// Whether a file is one of Python's or of a package that was installed: nothing is mended there.
pub(crate) fn is_library(file: &str) -> bool {
    let file = file.replace('\\', "/");
    let is_digit = |at: usize| {
        let rest = &file[at + "/lib/python".len()..];
        rest.starts_with(|c: char| c.is_ascii_digit())
    };
    file.starts_with('<')
        || file
            .split('/')
            .any(|part| matches!(part, "site-packages" | "dist-packages"))
        || file
            .match_indices("/lib/python")
            .any(|(at, _)| is_digit(at))
        || file.contains("/Python") && file.contains("/Lib/")
}

/// The Go module that a directory is in: where it lies, and the path that its packages begin with.
fn module(dir: &str, files: &dyn Files) -> Option<(String, String)> {
    let mut at = dir;
    loop {
        let path = join(at, "go.mod")?;
        if let Some(text) = crate::propose::text(files, &path) {
            let line = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("module "))?;
            let path = line
                .split("//")
                .next()
                .unwrap_or(line)
                .trim()
                .trim_matches('"');
            return (!path.is_empty()).then(|| (at.to_owned(), path.to_owned()));
        }
        if at.is_empty() {
            return None;
        }
        at = at.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::run::Tally;
    use crate::{Attempt, Failure, Outcome, Sink, TestId};

    fn row(test: TestId, failure: Failure) -> Row {
        let mut tally = Tally::default();
        tally.attempt(Attempt {
            test,
            file: None,
            number: 1,
            outcome: Outcome::Fail,
            raw: String::new(),
            started_ms: None,
            seconds: None,
            cached: false,
            failures: vec![failure],
            skipped: None,
            output: String::new(),
            place: crate::Place::default(),
        });
        tally.into_rows("unit", &[]).remove(0)
    }

    fn files(paths: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let mut files: BTreeMap<String, Vec<u8>> = paths
            .iter()
            .map(|p| ((*p).to_owned(), Vec::new()))
            .collect();
        for (path, bytes) in &mut files {
            if path.ends_with("go.mod") {
                *bytes = b"// ours\nmodule example.com/m // v2\n\ngo 1.26\n".to_vec();
            }
        }
        files
    }

    /// The place of a failure with this text and this place.
    fn found(
        dir: &str,
        paths: &[&str],
        test: (&str, &str),
        said: &str,
        place: Option<&str>,
    ) -> String {
        let files = files(paths);
        let location = place.map(|file| Location {
            file: file.to_owned(),
            line: Some(1),
            column: None,
        });
        let failure = Failure {
            trace: said.to_owned(),
            location,
            ..Failure::default()
        };
        let mut row = row(TestId::new(test.0, "", test.1), failure);
        Locator::new(dir, &["/home/p"], &files).locate(&mut row);
        let place = row.failure.and_then(|f| f.location);
        place.map_or_else(String::new, |l| {
            format!("{}:{}", l.file, l.line.unwrap_or(0))
        })
    }

    #[test]
    fn files_of_go_are_those_of_their_package() {
        let paths = ["go.mod", "x_test.go", "calc/x_test.go", "calc/y.go"];
        for (dir, paths, package, name, file, expected) in [
            (
                ".",
                &paths[..],
                "example.com/m/calc",
                "T",
                "x_test.go",
                "calc/x_test.go:1",
            ),
            (
                ".",
                &paths,
                "example.com/m",
                "T",
                "x_test.go",
                "x_test.go:1",
            ),
            // What its own package has not, it is not elsewhere.
            (
                ".",
                &paths,
                "example.com/m/other",
                "T",
                "x_test.go",
                "x_test.go:1 (as told)",
            ),
            // The compiler names files from where it ran.
            (
                ".",
                &paths,
                "example.com/m/calc",
                "(build)",
                "x_test.go",
                "x_test.go:1",
            ),
            (
                ".",
                &paths,
                "example.com/m/calc",
                "(build)",
                "calc/y.go",
                "calc/y.go:1",
            ),
            (
                "calc",
                &paths,
                "example.com/m/calc",
                "T",
                "x_test.go",
                "calc/x_test.go:1",
            ),
            (
                "svc",
                &["svc/go.mod", "svc/a/x_test.go", "a/x_test.go"],
                "example.com/m/a",
                "T",
                "x_test.go",
                "svc/a/x_test.go:1",
            ),
            // A workspace of several modules.
            (
                ".",
                &["one/a/x_test.go"],
                "example.com/one/a",
                "T",
                "x_test.go",
                "one/a/x_test.go:1",
            ),
            (
                ".",
                &["one/a/x_test.go", "a/x_test.go"],
                "example.com/one/a",
                "T",
                "x_test.go",
                "x_test.go:1 (as told)",
            ),
        ] {
            let seen = found(dir, paths, (package, name), "", Some(file));
            assert_eq!(
                seen,
                expected.trim_end_matches(" (as told)"),
                "{dir} {package} {name}"
            );
        }
        let seen = found(
            ".",
            &paths,
            ("example.com/m/calc", "T"),
            "=== RUN T\n    x_test.go:12: no\n",
            None,
        );
        assert_eq!(seen, "calc/x_test.go:12");
    }

    #[test]
    fn traces_of_many_runners() {
        let paths = [
            "web/tests/test_a.py",
            "web/app/core.py",
            "web/.venv/lib/x.py",
            "tests/CartTest.php",
            "web/spec/cart_spec.rb",
            "web/src/test/java/s/ATest.java",
            "web/src/main/java/s/B.java",
            "web/src/a.test.js",
            "web/node_modules/x/i.js",
            "web/T.cs",
            "web/x.cc",
        ];
        for (said, expected) in [
            (
                "def test():\n>  f()\n\ntests/test_a.py:7: \n_ _ _\napp/core.py:3: ValueError\n",
                "web/app/core.py:3",
            ),
            (
                "tests/test_a.py:7: in test\n    f()\n.venv/lib/x.py:3: ValueError\n",
                "web/tests/test_a.py:7",
            ),
            (
                "Traceback (most recent call last):\n  File \"/home/p/web/tests/test_a.py\", line 9, in t\n  File \"/usr/lib/python3/x.py\", line 1, in f\n",
                "web/tests/test_a.py:9",
            ),
            (
                "app/core.py:1: in <module>\nE     File \"/home/p/web/tests/test_a.py\", line 4\nE       def f(:\nE   SyntaxError: x\n",
                "web/tests/test_a.py:4",
            ),
            ("nowhere/test_z.py:7: AssertionError", ""),
            (
                "java.lang.AssertionError: x\n\tat org.junit.Assert.fail(Assert.java:89)\n\tat s.B.deep(B.java:5)\n\tat s.ATest.t(ATest.java:12)\n",
                "web/src/main/java/s/B.java:5",
            ),
            (
                "x\n\tat app//s.ATest$Inner.t(ATest.java:12)\n",
                "web/src/test/java/s/ATest.java:12",
            ),
            ("x\n\tat other.ATest.t(ATest.java:12)\n", ""),
            (
                "Error: x\n    at f (/home/p/web/node_modules/x/i.js:1:1)\n    at Object.<anonymous> (/home/p/web/src/a.test.js:3:9)\n",
                "web/src/a.test.js:3",
            ),
            (
                "Error: x\n    at async file:///home/p/web/src/a.test.js:3:9\n",
                "web/src/a.test.js:3",
            ),
            (
                "Failed asserting that 2 matches expected 3.\n\n/home/p/tests/CartTest.php:12\n",
                "tests/CartTest.php:12",
            ),
            (
                "Failure/Error: x\n# ./spec/cart_spec.rb:7:in `block'\n",
                "web/spec/cart_spec.rb:7",
            ),
            ("   at N.T.M() in /home/p/web/T.cs:line 12\n", "web/T.cs:12"),
            ("x.cc:4\nExpected equality of these values:\n", "web/x.cc:4"),
            ("it said 12:30 at noon, see https://x.cc:4/", ""),
            (
                "E  fixture 'x' not found\n\n/home/p/web/tests/test_a.py:7",
                "web/tests/test_a.py:7",
            ),
            ("/elsewhere/tests/test_a.py:7: AssertionError", ""),
            ("../../tests/test_a.py:7: AssertionError", ""),
        ] {
            assert_eq!(
                found("web", &paths, ("s", "t"), said, None),
                expected,
                "{said}"
            );
        }
    }

    #[test]
    fn a_place_that_is_told_is_that_of_the_project_if_it_is_there() {
        let paths = ["web/a.py", "a.py", "b.py"];
        for (told, expected) in [
            ("a.py", "web/a.py:1"),
            ("./a.py", "web/a.py:1"),
            ("../a.py", "a.py:1"),
            ("b.py", "b.py:1"),
            ("/home/p/b.py", "b.py:1"),
            ("/home/p2/b.py", "/home/p2/b.py:1"),
            ("c.py", "c.py:1"),
        ] {
            assert_eq!(found("web", &paths, ("s", "t"), "", Some(told)), expected);
        }
    }

    #[test]
    fn what_a_library_raised_is_where_the_project_called_it() {
        let paths = ["web/a.py", "web/lib/b.py"];
        let trace = "  File \"/home/p/web/a.py\", line 3, in test_a\n    self.assertEqual(1, 2)\n  File \"/usr/lib/python3.11/unittest/case.py\", line 873, in assertEqual\n    raise\n";
        let by = |place: &str, trace: &str| found("web", &paths, ("s", "t"), trace, Some(place));
        for library in [
            "/usr/lib/python3.11/unittest/case.py",
            "/home/p/.venv/lib/python3.12/site-packages/requests/api.py",
            "venv/lib/python3.12/site-packages/requests/api.py",
            "/usr/lib/python3/dist-packages/x.py",
            "<string>",
        ] {
            assert_eq!(by(library, trace), "web/a.py:3", "{library}");
            // Where the project had no part, no place is told.
            assert_eq!(by(library, ""), "", "{library}");
        }
        // Another checkout is no library: what the report says stays, unless the trace knows better.
        assert_eq!(by("/elsewhere/a.py", ""), "/elsewhere/a.py:1");
        assert_eq!(by("/elsewhere/a.py", trace), "web/a.py:3");
        assert_eq!(by("lib/b.py", trace), "web/lib/b.py:1");
    }
}
