//! `go test -json`: events of packages and tests, in lines, with other lines between them.
//!
//! A test that began and has no last event is an error, whatever its package came to; a package that failed without a failed test
//! is a failure of its own; a package without a last event is incomplete. Tests are kept until their package has ended, because
//! only its last lines say that nothing ran and the results are from the cache. Meets `event` (what a line says) and `said` (what a
//! test said of its failure).

mod event;
mod package;
pub(super) mod said;

use std::collections::HashMap;
use std::io::BufRead;

use event::Event;
use package::Package;

use super::gather::{self, Gather};
use super::lines::{self, Line, Log};
use super::{Format, Limits, Parse, Reading, Sink, text};
use crate::{FailureKind, IssueKind, Outcome, Place, TestId};

/// Packages that run at one time, and builds that failed, at most.
const OPEN: usize = 4096;
/// Bytes that are kept of all tests whose packages have not ended.
const KEPT: usize = 64 << 20;

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut stream = Stream {
        gather: Gather::new(Format::Go, limits, sink),
        packages: HashMap::new(),
        builds: HashMap::new(),
        plain: String::new(),
        kept: 0,
        any: false,
        is_undated: false,
    };
    let ended = lines::each(source, limits, &mut stream);
    stream.end(ended.at, &ended.head)
}

struct Stream<'a> {
    gather: Gather<'a>,
    packages: HashMap<String, Package>,
    /// What the compiler said, for each package that it said it of.
    builds: HashMap<String, String>,
    /// Lines that are no events, the last of them: compilers of old versions speak there.
    plain: String,
    kept: usize,
    any: bool,
    /// Whether a time that cannot be read was told.
    is_undated: bool,
}

impl<'a> Log<'a> for Stream<'a> {
    fn gather(&mut self) -> &mut Gather<'a> {
        &mut self.gather
    }

    fn line(&mut self, line: &Line<'_>) {
        let (bytes, place) = (line.bytes, line.place);
        // An event may stand behind a time, or behind what a test printed without ending its line.
        let from = [b"{\"Time\"".as_slice(), b"{\"Action\"", b"{\"ImportPath\""]
            .iter()
            .filter_map(|start| memchr::memmem::find(bytes, start))
            .min()
            .or_else(|| memchr::memchr(b'{', bytes));
        let Some(from) = from else {
            self.other(bytes, place);
            return;
        };
        match event::parse(&bytes[from..], self.gather.limits) {
            Ok(Some(event)) => {
                self.any = true;
                if event.is_odd {
                    let text = format!(
                        "a time of `{} {}` cannot be read",
                        event.package, event.test
                    );
                    self.gather.tell(IssueKind::OddValue, place.from, text);
                }
                if event.is_undated && !self.is_undated {
                    self.is_undated = true;
                    let text = format!(
                        "the time of `{} {}` is none that can be read",
                        event.package, event.test
                    );
                    self.gather.tell(IssueKind::OddTime, place.from, text);
                }
                self.event(event, place);
            }
            Ok(None) => self.other(bytes, place),
            Err(broken) => {
                if !line.broken(&mut self.gather, &["\"Action\""], &broken) {
                    self.other(bytes, place);
                }
            }
        }
    }
}

impl Stream<'_> {
    /// A line that is no event: other programs, and go itself where it could not build.
    fn other(&mut self, line: &[u8], place: Place) {
        let plain = text::plain(line);
        if let Some(rest) = plain.strip_prefix("FAIL\t") {
            let name = rest
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned();
            if rest.contains("[build failed]") || rest.contains("[setup failed]") {
                self.any = true;
                let said = std::mem::take(&mut self.plain);
                self.not_built(&name, &said, rest, place);
                return;
            }
            // As go prints of a package where it writes no events.
            let is_time = rest.split_whitespace().nth(1).is_some_and(|word| {
                word.strip_suffix('s')
                    .is_some_and(|n| n.parse::<f64>().is_ok())
            });
            if is_time {
                self.not_shown(&name, rest, place);
                return;
            }
        }
        if self.plain.len() > 8192 {
            let keep = text::tail(self.plain.as_bytes(), 4096);
            self.plain = keep;
        }
        self.plain.push_str(&text::head(line, 1024).0);
        self.plain.push('\n');
    }

    fn event(&mut self, event: Event, place: Place) {
        if event.action == "build-output" {
            if self.builds.len() < OPEN || self.builds.contains_key(&event.import) {
                let said = self.builds.entry(event.import).or_default();
                if said.len() < self.gather.limits.trace {
                    said.push_str(gather::short(&event.output, self.gather.limits.trace));
                }
            }
            return;
        }
        if event.action == "build-fail" {
            // The package that needed it fails, and says so; if it does not, this is told at the end.
            self.builds.entry(event.import).or_default().push('\u{0}');
            return;
        }
        if event.package.is_empty() {
            if !matches!(event.action.as_str(), "output" | "start") {
                let text = format!("an event `{}` of no package", event.action);
                self.gather.tell(IssueKind::Incomplete, place.from, text);
            }
            return;
        }
        if self.packages.len() >= OPEN && !self.packages.contains_key(&event.package) {
            let text = format!("more than {OPEN} packages are open at one time");
            self.gather.tell(IssueKind::Limit, place.from, text);
            return;
        }
        let package = self
            .packages
            .entry(event.package.clone())
            .or_insert_with(|| Package::new(&event.package, place.from));
        let before = package.size();
        let ended = package.take(&mut self.gather, &event, place);
        self.kept = (self.kept + package.size()).saturating_sub(before);
        if ended {
            if let Some(package) = self.packages.remove(&event.package) {
                self.kept = self.kept.saturating_sub(package.size());
                self.ended(package, &event, place);
            }
        } else if self.kept > KEPT {
            self.kept = 0;
            let at = place.from;
            let text = format!(
                "more than {KEPT} bytes of tests wait for their packages: whether they come from the cache is not known"
            );
            self.gather.tell(IssueKind::Limit, place.from, text);
            for package in self.packages.values_mut() {
                package.flush(&mut self.gather, false);
                self.kept += package.size();
            }
            if self.kept > KEPT / 2 {
                // Tests that began and do not end, without number.
                for (_, package) in std::mem::take(&mut self.packages) {
                    package.abandon(&mut self.gather, at);
                }
                self.kept = 0;
            }
        }
    }

    fn ended(&mut self, package: Package, event: &Event, place: Place) {
        if !event.failed_build.is_empty() {
            let said = self
                .builds
                .get_mut(&event.failed_build)
                .map(std::mem::take)
                .unwrap_or_default();
            self.not_built(&package.name.clone(), &said, "", place);
        } else {
            self.builds.remove(&package.name);
        }
        let built = event.failed_build.is_empty();
        package.finish(&mut self.gather, &event.action, event.elapsed, built, place);
    }

    fn not_built(&mut self, package: &str, said: &str, fallback: &str, place: Place) {
        let said = said.replace('\u{0}', "");
        let first = said
            .lines()
            .find(|line| !line.starts_with('#') && !line.trim().is_empty())
            .unwrap_or(fallback)
            .to_owned();
        let mut attempt = gather::attempt(
            TestId::new(package, "", "(build)"),
            Outcome::Fail,
            "build-fail",
            place,
        );
        attempt.number = self.gather.next_number(&attempt.test);
        let mut failure = gather::failure(self.gather.limits, FailureKind::Compile, &first, &said);
        failure.location = gather::location(&first);
        attempt.failures.push(failure);
        self.gather.add(attempt);
    }

    /// A package that failed, and whose events are not here.
    fn not_shown(&mut self, package: &str, said: &str, place: Place) {
        let test = TestId::new(package, "", "(package)");
        let mut attempt = gather::attempt(test, Outcome::Fail, "FAIL", place);
        attempt.number = self.gather.next_number(&attempt.test);
        let text = format!("it failed, and its events are not in the report: {said}");
        let failure = gather::failure(self.gather.limits, FailureKind::Other, &text, "");
        attempt.failures.push(failure);
        self.gather.add(attempt);
    }

    fn end(mut self, at: u64, head: &[u8]) -> Reading {
        let mut open: Vec<Package> = std::mem::take(&mut self.packages).into_values().collect();
        open.sort_by(|a, b| a.name.cmp(&b.name));
        for package in open {
            let text = format!("the package `{}` has no end", package.name);
            self.gather.tell(IssueKind::Incomplete, at, text);
            package.abandon(&mut self.gather, at);
        }
        let mut builds: Vec<(String, String)> = std::mem::take(&mut self.builds)
            .into_iter()
            .filter(|(_, said)| said.contains('\u{0}'))
            .collect();
        builds.sort();
        for (name, said) in builds {
            let name = name.split(' ').next().unwrap_or_default();
            let text =
                format!("the build of `{name}` failed, and no package that needed it is there");
            self.gather.tell(IssueKind::Incomplete, at, text);
            let place = Place { from: at, to: at };
            self.not_built(name, &said, "the build failed", place);
        }
        if !self.any {
            let found = gather::found(head);
            let text = format!("no event of `go test -json` is in it: it is {found}");
            self.gather.tell(IssueKind::Unparsable, 0, text);
            self.gather.reading.parse = Parse::Rejected;
        }
        self.gather.finish(at)
    }
}
