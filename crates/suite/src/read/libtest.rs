//! What `cargo test` prints: the binaries one after another, each with its tests, its failures and its counts.
//!
//! The text is for people: lines of other threads stand between and in the middle, what a test captured may look like results, and
//! a binary that dies says nothing. So the counts of each binary are held against what was read of it, a result line that does not
//! fit them is output, and a binary without a result line has tests that did not end. Passes are handed on as they come; failures
//! when their binary has ended, as what they printed stands there. Meets `line` (what a line is) and `block` (one binary).

mod block;
mod line;

use std::io::BufRead;

use block::Block;
use line::{Header, Line};

use super::gather::{self, Gather};
use super::lines;
use super::{Format, Limits, Parse, Reading, Sink, text};
use crate::{Failure, FailureKind, IssueKind, Location, Outcome, Place, TestId};

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut log = Log {
        gather: Gather::new(Format::Libtest, limits, sink),
        binary: None,
        runs: std::collections::HashMap::new(),
        block: None,
        build: Build::default(),
        any: false,
    };
    let ended = lines::each(source, limits, &mut log);
    log.end(ended.at, ended.is_whole, &ended.head)
}

impl<'a> lines::Log<'a> for Log<'a> {
    const TOKENS: usize = 32;

    fn gather(&mut self) -> &mut Gather<'a> {
        &mut self.gather
    }

    fn line(&mut self, line: &lines::Line<'_>) {
        if line.is_cut && self.block.is_some() {
            let most = self.gather.limits.token.saturating_mul(Self::TOKENS);
            let text = format!("a line is longer than {most} bytes");
            self.gather.tell(IssueKind::Limit, line.place.from, text);
        }
        // A lone carriage return became a line feed: progress of some tool, or of the terminal.
        for part in text::plain(line.bytes).split('\n') {
            self.part(part, line.place);
        }
    }
}

/// The binary whose tests come next.
struct Binary {
    header: Header,
    /// Which run of a binary of this name.
    run: u32,
    /// Whether it printed anything that is known.
    spoke: bool,
    failed: bool,
    at: u64,
}

/// What the compiler says, until cargo says what could not be compiled.
#[derive(Default)]
struct Build {
    message: String,
    location: Option<Location>,
    trace: String,
    on: bool,
    at: u64,
}

struct Log<'a> {
    gather: Gather<'a>,
    binary: Option<Binary>,
    /// For each binary's name: the file that ran last and how often.
    runs: std::collections::HashMap<String, (String, u32)>,
    block: Option<Block>,
    build: Build,
    /// Whether any line is of this format.
    any: bool,
}

impl Log<'_> {
    fn part(&mut self, raw: &str, place: Place) {
        let stripped = line::strip(raw);
        let line = Line::of(stripped);
        if let Some(block) = &mut self.block
            && block.take(&mut self.gather, &line, stripped, place)
        {
            if block.is_done() {
                let block = self.block.take();
                self.close(block, place.from);
            }
            return;
        }
        match line {
            Line::Header(header) => self.header(header, place),
            Line::Running(declared) => self.running(declared, place),
            Line::Result(_) => {
                self.any = true;
                self.gather.tell(
                    IssueKind::CountMismatch,
                    place.from,
                    "a result line without the tests that it counts",
                );
            }
            Line::Test {
                name,
                word,
                before: "",
                ..
            } if self.block.is_none() => {
                // The beginning is missing: the tests of a log that was cut at its front.
                if let Some(ending) = word.and_then(line::outcome) {
                    self.any = true;
                    self.gather.tell(
                        IssueKind::Incomplete,
                        place.from,
                        "a test before any `running N tests`: the beginning is missing",
                    );
                    let mut block = Block::new(self.suite(), self.run(), None, place);
                    block.record(&mut self.gather, name, ending, place);
                    self.block = Some(block);
                }
            }
            Line::NotCompiled(what) => self.not_compiled(what, place),
            Line::Died { how, signal } => self.died(how, signal, place),
            Line::TestFailed => {
                if let Some(binary) = &mut self.binary
                    && !binary.spoke
                {
                    binary.spoke = true;
                    let suite = binary.header.suite.clone();
                    let run = binary.run;
                    self.process_error(&suite, run, FailureKind::Other, stripped, place);
                }
            }
            _ => self.compiler(stripped, place),
        }
    }

    fn suite(&self) -> String {
        self.binary
            .as_ref()
            .map_or_else(String::new, |binary| binary.header.suite.clone())
    }

    fn run(&self) -> u32 {
        self.binary.as_ref().map_or(1, |binary| binary.run)
    }

    /// A binary begins; the one before has ended.
    fn header(&mut self, header: Header, place: Place) {
        self.any = true;
        let block = self.block.take();
        self.close(block, place.from);
        self.silent(place.from);
        let (file, run) =
            self.runs
                .get(&header.suite)
                .map_or((header.file.clone(), 1), |(file, run)| {
                    // The very same file once more is a further attempt; another file of that name is another binary.
                    let further = u32::from(*file == header.file);
                    (header.file.clone(), run + further)
                });
        if self.runs.len() < 100_000 {
            self.runs.insert(header.suite.clone(), (file, run));
        }
        self.binary = Some(Binary {
            header,
            run,
            spoke: false,
            failed: false,
            at: place.from,
        });
    }

    /// `running N tests`.
    fn running(&mut self, declared: u64, place: Place) {
        self.any = true;
        let block = self.block.take();
        self.close(block, place.from);
        if let Some(binary) = &mut self.binary {
            // Documentation tests come in several blocks; a binary has one, and what follows it is of a binary without a name.
            if binary.spoke && !binary.header.is_doc {
                self.binary = None;
            } else {
                binary.spoke = true;
            }
        }
        self.gather.reading.declared = Some(
            self.gather
                .reading
                .declared
                .unwrap_or(0)
                .saturating_add(declared),
        );
        self.block = Some(Block::new(self.suite(), self.run(), Some(declared), place));
    }

    /// Ends a block, wherever it is.
    fn close(&mut self, block: Option<Block>, at: u64) {
        if let Some(block) = block {
            let bad = block.finish(&mut self.gather, at);
            if let Some(binary) = &mut self.binary {
                binary.failed |= bad;
            }
        }
    }

    /// A binary that was started and printed nothing of this format cannot be counted.
    fn silent(&mut self, at: u64) {
        if let Some(binary) = self.binary.take().filter(|binary| !binary.spoke) {
            let _ = at;
            let text = format!(
                "`{}` was run and printed no test: what it tested is not known",
                binary.header.suite
            );
            self.gather.tell(IssueKind::Incomplete, binary.at, text);
        }
    }

    fn process_error(
        &mut self,
        suite: &str,
        run: u32,
        kind: FailureKind,
        message: &str,
        place: Place,
    ) {
        let test = TestId::new(suite, "", "(process)");
        let mut attempt = gather::attempt(test, Outcome::Error, "", place);
        attempt.number = run.max(self.gather.next_number(&attempt.test));
        attempt.failures.push(Failure {
            kind,
            ..gather::failure(self.gather.limits, kind, message, "")
        });
        self.gather.add(attempt);
    }

    /// `process didn't exit successfully`.
    fn died(&mut self, how: &str, signal: bool, place: Place) {
        let Some(binary) = &mut self.binary else {
            // A build script or a tool, then: `could not compile` tells of it.
            if signal && self.any {
                self.process_error("", 1, FailureKind::Crash, how, place);
            }
            return;
        };
        // A process that ends in 101 has had failures, and said so.
        let told = binary.failed && !signal;
        if !told {
            binary.spoke = true;
            binary.failed = true;
            let (suite, run) = (binary.header.suite.clone(), binary.run);
            let kind = if signal {
                FailureKind::Crash
            } else {
                FailureKind::Other
            };
            self.process_error(&suite, run, kind, how, place);
        }
    }

    fn compiler(&mut self, line: &str, place: Place) {
        let build = &mut self.build;
        if line::is_compiler_error(line) {
            if build.message.is_empty() {
                build.message = text::head(line.as_bytes(), self.gather.limits.message).0;
                build.at = place.from;
                build.on = true;
            }
        } else if build.on
            && build.location.is_none()
            && let Some(at) = line.trim_start().strip_prefix("--> ")
        {
            build.location = gather::location(at);
        }
        if build.on && build.trace.len() < self.gather.limits.trace {
            build.trace.push_str(line);
            build.trace.push('\n');
        }
    }

    /// `error: could not compile`.
    fn not_compiled(&mut self, what: &str, place: Place) {
        self.any = true;
        let build = std::mem::take(&mut self.build);
        let (crate_name, target) = line::compiled(what);
        let name = if target.is_empty() {
            "(build)".to_owned()
        } else {
            format!("(build of {target})")
        };
        let mut attempt = gather::attempt(
            TestId::new(crate_name, "", &name),
            Outcome::Fail,
            "could not compile",
            Place {
                from: if build.on { build.at } else { place.from },
                to: place.to,
            },
        );
        let message = if build.message.is_empty() {
            what
        } else {
            &build.message
        };
        let kind = FailureKind::Compile;
        attempt.failures.push(Failure {
            location: build.location,
            ..gather::failure(self.gather.limits, kind, message, &build.trace)
        });
        attempt.number = self.gather.next_number(&attempt.test);
        self.gather.add(attempt);
    }

    fn end(mut self, at: u64, whole: bool, head: &[u8]) -> Reading {
        let block = self.block.take();
        self.close(block, at);
        self.silent(at);
        if !self.any {
            let found = gather::found(head);
            let text = format!("no line of a `cargo test` log is in it: it is {found}");
            self.gather.tell(IssueKind::Unparsable, 0, text);
            self.gather.reading.parse = Parse::Rejected;
        } else if !whole {
            // The programs end their last line.
            self.gather
                .tell(IssueKind::Truncated, at, "its last line has no end");
        }
        self.gather.finish(at)
    }
}

/// Whether a line is one that only libtest and cargo write, and whether it is a test's: what tells such a log from other text.
pub(super) fn shape(text: &str) -> (bool, bool) {
    match Line::of(line::strip(text)) {
        Line::Running(_) | Line::Result(_) => (true, false),
        Line::Header(header) => (header.is_doc || header.file.contains("deps"), false),
        Line::Test {
            word: Some(_),
            before: "",
            ..
        } => (false, true),
        _ => (false, false),
    }
}
