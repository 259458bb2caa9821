//! Names without the directory that a run was in, so that two runs in two directories name the same tests.
//!
//! Jest, Vitest, node and others write absolute paths of their files, and their reports do not say which directory was the project's.
//! Whoever ran them knows. A report of another machine is of a directory that nobody here knows: the first file of it whose path ends
//! like that of a file here says which it was. Invariant: only whole directories are taken off, and only at the beginning; a name that
//! lies elsewhere stays as it is.

use super::Sink;
use crate::{Attempt, Name};

/// Names that are looked up to find out where a report was written.
const LOOKS: u32 = 100;

/// A [`Sink`] that takes a directory off the names of tests and files before it hands an attempt on.
pub struct Rooted<'a> {
    /// Without a slash at their ends, the longest first.
    roots: Vec<String>,
    sink: &'a mut dyn Sink,
    /// Whether a path of the project is a file, where that may be asked.
    is_there: Option<&'a dyn Fn(&str) -> bool>,
    /// How many names may still be looked up.
    looks: u32,
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
            is_there: None,
            looks: LOOKS,
            last: (Name::default(), Name::default()),
        }
    }

    /// Asks of files that are below no root whether their paths end like those of files of the project: the directory before is a root
    /// then, that of another machine or container.
    #[must_use]
    pub fn or_wherever(mut self, is_there: &'a dyn Fn(&str) -> bool) -> Self {
        self.is_there = Some(is_there);
        self
    }

    /// Looks for the directory of a report that was written elsewhere.
    fn look(&mut self, path: &str) {
        let path = path.strip_prefix("file://").unwrap_or(path);
        let Some(is_there) = self.is_there.filter(|_| self.looks > 0) else {
            return;
        };
        if !path.starts_with('/') || path.contains("/../") || self.below(path).is_some() {
            return;
        }
        self.looks -= 1;
        // The longest end first: it says most. One that is all of the path would make a root of the whole machine.
        let ends = path.match_indices('/').map(|(at, _)| at).take(64);
        let found = ends.into_iter().find(|at| is_there(&path[at + 1..]));
        if let Some(at) = found.filter(|at| *at > 0) {
            self.roots.push(path[..at].to_owned());
            self.looks = 0;
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
        if self.looks > 0 {
            self.look(&attempt.test.suite);
            attempt.file.iter().for_each(|file| self.look(file));
        }
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
    fn a_report_of_another_machine_names_the_same_tests() {
        let of = |files: &[&str]| {
            let cases = files
                .iter()
                .map(|f| format!("<testsuite name='{f}'><testcase name='t'/></testsuite>"));
            let report = format!("<testsuites>{}</testsuites>", cases.collect::<String>());
            let mut attempts: Vec<Attempt> = Vec::new();
            let is_there = |path: &str| ["web/a.js", "a.js", "web/b.js"].contains(&path);
            let mut rooted = Rooted::new("/here", &mut attempts).or_wherever(&is_there);
            read(
                Format::Junit,
                &mut report.as_bytes(),
                &Limits::default(),
                &mut rooted,
            );
            attempts
                .iter()
                .map(|a| a.test.suite.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(&["/ci/p/gone.js", "/ci/p/web/a.js", "/ci/p/c.js", "/x/a.js"]),
            ["/ci/p/gone.js", "web/a.js", "c.js", "/x/a.js"]
        );
        assert_eq!(
            of(&["/here/web/a.js", "/ci/p/b.js", "a/web/b.js"]),
            ["web/a.js", "/ci/p/b.js", "a/web/b.js"]
        );
        assert_eq!(
            of(&["/web/a.js", "/ci/../web/a.js"]),
            ["/web/a.js", "/ci/../web/a.js"]
        );
    }

    #[test]
    fn what_lies_elsewhere_keeps_its_name() {
        let files = ["/home/a/p2/x.test.js", "/home/a/p", "x.test.js"];
        assert_eq!(suites("/home/a/p", &files), files);
        assert_eq!(suites("", &["/x.test.js"]), ["/x.test.js"]);
        assert_eq!(suites("/", &["/x.test.js"]), ["/x.test.js"]);
    }
}
