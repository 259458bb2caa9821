//! Names without the directory that a run was in, so that two runs in two directories name the same tests.
//!
//! Jest and Vitest write absolute paths of their files, and their reports do not say which directory was the project's. Whoever ran
//! them knows. Invariant: only whole directories are taken off, and only at the beginning; a name that lies elsewhere stays as it is.

use super::Sink;
use crate::{Attempt, Name};

/// A [`Sink`] that takes a directory off the names of suites and files before it hands an attempt on.
pub struct Rooted<'a> {
    root: String,
    sink: &'a mut dyn Sink,
    /// The suite that came last, and what it is called without the root.
    last: (Name, Name),
}

impl<'a> Rooted<'a> {
    /// Takes `root` off, an absolute directory of either system.
    pub fn new(root: &str, sink: &'a mut dyn Sink) -> Self {
        Self {
            root: root.trim_end_matches(['/', '\\']).to_owned(),
            sink,
            last: (Name::default(), Name::default()),
        }
    }

    /// What of `path` is below the root; `None` if it is not below it.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.root.is_empty() {
            return None;
        }
        let below = path.strip_prefix(self.root.as_str())?;
        let below = below.strip_prefix(['/', '\\'])?;
        (!below.is_empty()).then_some(below)
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
    fn what_lies_elsewhere_keeps_its_name() {
        let files = ["/home/a/p2/x.test.js", "/home/a/p", "x.test.js"];
        assert_eq!(suites("/home/a/p", &files), files);
        assert_eq!(suites("", &["/x.test.js"]), ["/x.test.js"]);
        assert_eq!(suites("/", &["/x.test.js"]), ["/x.test.js"]);
    }
}
