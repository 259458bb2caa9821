//! Surefire, Gradle, javac.

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern};
use crate::{FailureKind, Location};

#[derive(Default)]
pub(super) struct Jvm {
    open: Option<Candidate>,
    found: Vec<Candidate>,
}

/// Frames of the libraries that throw for a test.
const LIBRARIES: [&str; 14] = [
    "org.junit.",
    "org.opentest4j.",
    "junit.",
    "org.testng.",
    "org.assertj.",
    "org.hamcrest.",
    "org.mockito.",
    "java.",
    "jdk.",
    "sun.",
    "java.base/",
    "com.google.common.truth.",
    "kotlin.",
    "org.codehaus.groovy.",
];

impl Tracker for Jvm {
    fn line(&mut self, line: &Line<'_>) {
        if self.open.is_some() && !self.gather(line) {
            self.close();
        }
        let text = line.text;
        let bare = text.strip_prefix("[ERROR] ").unwrap_or(text);
        let marked = bare
            .strip_suffix("<<< FAILURE!")
            .or_else(|| bare.strip_suffix("<<< ERROR!"));
        if let Some(head) = marked {
            // The class's own line counts its tests.
            if !head.contains("Tests run:") && head.contains("Time elapsed:") {
                let name = head.split("Time elapsed:").next().unwrap_or(head);
                let name = name.trim().trim_end_matches("--").trim();
                let kind = if bare.ends_with("<<< FAILURE!") {
                    FailureKind::Assertion
                } else {
                    FailureKind::Panic
                };
                self.open =
                    Some(Candidate::new(Runner::Jvm, "surefire.test", line, kind).test(name));
            }
        } else if let Some(head) = text.strip_suffix(" FAILED")
            && head.contains(" > ")
            && !head.starts_with([' ', '>'])
        {
            self.open = Some(
                Candidate::new(Runner::Jvm, "gradle.test", line, FailureKind::Other).test(head),
            );
        } else if let Some(parts) =
            pattern!(r"^\[ERROR\] (/?[^\s:]+\.(?:java|kt|scala)):\[(\d+),(\d+)\] (.+)$")
                .captures(text)
        {
            self.compile(
                line,
                "maven.compile",
                &parts[1],
                (&parts[2], &parts[3]),
                &parts[4],
            );
        } else if let Some(parts) =
            pattern!(r"^e: (?:file://)?(/?[^\s:]+\.kts?):(\d+):(\d+):? (.+)$").captures(text)
        {
            self.compile(
                line,
                "kotlin.compile",
                &parts[1],
                (&parts[2], &parts[3]),
                &parts[4],
            );
        } else if let Some(rest) = text.strip_prefix("[ERROR] Failed to execute goal ") {
            let found = Candidate::new(Runner::Jvm, "maven.goal", line, FailureKind::Other);
            self.keep(found.message(rest).proof(Proof::Mention));
        }
    }

    fn end(&mut self, _verdicts: &Verdicts) -> Vec<Candidate> {
        self.close();
        std::mem::take(&mut self.found)
    }
}

impl Jvm {
    fn keep(&mut self, found: Candidate) {
        if self.found.len() < 50 {
            self.found.push(found);
        }
    }

    fn compile(
        &mut self,
        line: &Line<'_>,
        rule: &'static str,
        file: &str,
        at: (&str, &str),
        message: &str,
    ) {
        let location = Location {
            file: file.chars().take(512).collect(),
            line: at.0.parse().ok(),
            column: at.1.parse().ok(),
        };
        let found = Candidate::new(Runner::Jvm, rule, line, FailureKind::Compile);
        self.keep(found.message(message).at(Some(location)));
    }

    fn close(&mut self) {
        if let Some(mut found) = self.open.take() {
            if found.class.contains("AssertionError")
                || found.class.contains("AssertionFailed")
                || found.class.contains("ComparisonFailure")
            {
                found.kind = FailureKind::Assertion;
            } else if found.class.ends_with("OutOfMemoryError") {
                found.kind = FailureKind::OutOfMemory;
            } else if found.kind == FailureKind::Other {
                found.kind = FailureKind::Panic;
            }
            self.keep(found);
        }
    }

    fn gather(&mut self, line: &Line<'_>) -> bool {
        let Some(found) = &mut self.open else {
            return false;
        };
        let text = line.text;
        let trimmed = text.trim();
        let is_next = text.starts_with("[INFO]")
            || text.starts_with("[ERROR]")
            || text.ends_with(" FAILED")
            || text.ends_with(" PASSED");
        if is_next
            || (trimmed.is_empty() && !found.trace.is_empty())
            || line.number > found.line + 200
        {
            return false;
        }
        if trimmed.is_empty() {
            return true;
        }
        found.show(text);
        if let Some(frame) = trimmed.strip_prefix("at ") {
            if found.location.is_none() {
                found.location = location(frame);
            }
        } else if found.location.is_none()
            && !trimmed.starts_with("...")
            && !trimmed.starts_with("Caused by:")
        {
            if found.message.is_empty() {
                let class = trimmed.split(": ").next().unwrap_or(trimmed);
                if class.contains('.') && !class.contains(' ') {
                    found.class = class.to_owned();
                }
            }
            if found.message.lines().count() < 12 {
                found.say(trimmed);
            }
        }
        true
    }
}

/// `pkg.FooTest.bar(FooTest.java:12)`, or Gradle's `FooTest.java:12`; not in a library.
fn location(frame: &str) -> Option<Location> {
    if LIBRARIES.iter().any(|l| frame.starts_with(l)) {
        return None;
    }
    let at = frame
        .rsplit_once('(')
        .map_or(frame, |(_, at)| at)
        .trim_end_matches(')');
    let (file, line) = at.rsplit_once(':')?;
    let source = file.ends_with(".java")
        || file.ends_with(".kt")
        || file.ends_with(".scala")
        || file.ends_with(".groovy");
    let library = frame == at
        && ["Assert", "AssertionUtils", "AssertionFailureBuilder"]
            .iter()
            .any(|l| file.starts_with(&format!("{l}.")));
    let line = line.parse().ok()?;
    (source && !library).then(|| Location {
        file: file.to_owned(),
        line: Some(line),
        column: None,
    })
}
