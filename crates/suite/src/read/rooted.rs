//! Names without the directory that a run was in, so that two runs in two directories name the same tests.
//!
//! Jest, Vitest, node and others write absolute paths of their files, and their reports do not say which directory was the project's.
//! Whoever ran them knows. Invariant: only whole directories are taken off, and only at the beginning; a name that lies elsewhere
//! stays as it is.

use super::Sink;
use crate::{Attempt, Name};

/// A [`Sink`] that takes a directory off the names of tests and files before it hands an attempt on.
pub struct Rooted<'a> {
    /// Without a slash at their ends, the longest first.
    roots: Vec<String>,
    sink: &'a mut dyn Sink,
    /// The suite that came last, and what it is called without the root.
    last: (Name, Name),
}

impl<'a> Rooted<'a> {
    /// Takes `root` off, an absolute directory of either system.
    pub fn new(root: &str, sink: &'a mut dyn Sink) -> Self {
        Self::any(&[root], sink)
    }

    /// Takes any of `roots` off: one directory may have several names.
    pub fn any(roots: &[&str], sink: &'a mut dyn Sink) -> Self {
        let mut roots: Vec<String> = roots
            .iter()
            .map(|root| root.trim_end_matches(['/', '\\']).to_owned())
            .filter(|root| !root.is_empty())
            .collect();
        roots.sort_by_key(|root| std::cmp::Reverse(root.len()));
        Self {
            roots,
            sink,
            last: (Name::default(), Name::default()),
        }
    }

    /// What of `path` is below a root; `None` if it is below none.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let path = path.strip_prefix("file://").unwrap_or(path);
        self.roots.iter().find_map(|root| {
            let below = path.strip_prefix(root.as_str())?;
            let below = below.strip_prefix(['/', '\\'])?;
            (!below.is_empty()).then_some(below)
        })
    }
}

impl Sink for Rooted<'_> {
    fn attempt(&mut self, mut attempt: Attempt) {
        if attempt.test.suite != self.last.0 {
            let whole = attempt.test.suite.clone();
            let below = self.below(&whole).map(Name::from);
            self.last = (whole.clone(), below.unwrap_or(whole));
        }
        attempt.test.suite = self.last.1.clone();
        if let Some(below) = self.below(&attempt.test.class).map(Name::from) {
            attempt.test.class = below;
        }
        // A file that stands for its tests.
        if let Some(below) = self.below(&attempt.test.name).map(str::to_owned) {
            attempt.test.name = below;
        }
        if let Some(file) = &mut attempt.file
            && let Some(below) = self.below(file)
        {
            *file = below.to_owned();
        }
        for failure in &mut attempt.failures {
            if let Some(location) = &mut failure.location
                && let Some(below) = self.below(&location.file)
            {
                location.file = below.to_owned();
            }
        }
        self.sink.attempt(attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Format, Limits, read};

    fn suites(root: &str, files: &[&str]) -> Vec<String> {
        let results: Vec<_> = files
            .iter()
            .map(|file| {
                serde_json::json!({
                    "name": file, "status": "passed", "message": "",
                    "assertionResults": [{"ancestorTitles": [], "title": "t", "fullName": "t", "status": "passed"}],
                })
            })
            .collect();
        let report = serde_json::json!({"testResults": results}).to_string();
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut rooted = Rooted::new(root, &mut attempts);
        read(
            Format::Jest,
            &mut report.as_bytes(),
            &Limits::default(),
            &mut rooted,
        );
        assert_eq!(attempts.len(), files.len());
        attempts.iter().map(|a| a.test.suite.to_string()).collect()
    }

    #[test]
    fn runs_in_two_directories_name_the_same_tests() {
        let one = suites(
            "/home/a/p/",
            &["/home/a/p/x.test.js", "/home/a/p/d/y.test.js"],
        );
        let two = suites("/ci/7", &["/ci/7/x.test.js", "/ci/7/d/y.test.js"]);
        assert_eq!(one, ["x.test.js", "d/y.test.js"]);
        assert_eq!(one, two);
        let windows = suites(r"C:\w\p", &[r"C:\w\p\x.test.js"]);
        assert_eq!(windows, ["x.test.js"]);
    }

    #[test]
    fn classes_names_and_places_are_below_it_too() {
        let report = "<testsuite name='file:///p/a.js'><testcase classname='/p/a.js' name='/p/a.js' file='/q/a.js'>\
            <failure file='/p/a.js' line='3'/></testcase></testsuite>";
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut rooted = Rooted::any(&["/p", "/q/"], &mut attempts);
        let limits = Limits::default();
        read(Format::Junit, &mut report.as_bytes(), &limits, &mut rooted);
        let one = &attempts[0];
        assert_eq!(one.test, crate::TestId::new("a.js", "a.js", "a.js"));
        assert_eq!(one.file.as_deref(), Some("a.js"));
        let location = one.failures[0].location.as_ref().unwrap();
        assert_eq!((location.file.as_str(), location.line), ("a.js", Some(3)));
    }

    #[test]
    fn what_lies_elsewhere_keeps_its_name() {
        let files = ["/home/a/p2/x.test.js", "/home/a/p", "x.test.js"];
        assert_eq!(suites("/home/a/p", &files), files);
        assert_eq!(suites("", &["/x.test.js"]), ["/x.test.js"]);
        assert_eq!(suites("/", &["/x.test.js"]), ["/x.test.js"]);
    }
}
