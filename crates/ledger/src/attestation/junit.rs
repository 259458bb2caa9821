//! Counts out of JUnit XML. No DTD and no entities beyond XML's own five, bounded depth, one root, UTF-8.
//!
//! What the suites declare and what the report shows are both counted, because tools disagree with themselves; a record
//! carries the two side by side and whether they agree. Nothing here is ever signed.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Value, json};

use super::Error;

/// How deep elements may stand in each other.
const MAX_DEPTH: usize = 64;

/// The most attributes of one element.
const MAX_ATTRIBUTES: usize = 64;

/// The largest count that a report may declare.
const MAX_COUNT: u64 = 1 << 40;

/// Declared counts; none if a suite does not say.
#[derive(Clone, Copy, Default)]
struct Counts {
    tests: Option<u64>,
    failures: Option<u64>,
    errors: Option<u64>,
    skipped: Option<u64>,
}

impl Counts {
    /// Adds up; a number that one side does not say is not known for both.
    fn plus(self, other: Self) -> Self {
        let add = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        Self {
            tests: add(self.tests, other.tests),
            failures: add(self.failures, other.failures),
            errors: add(self.errors, other.errors),
            skipped: add(self.skipped, other.skipped),
        }
    }

    fn to_json(self) -> Value {
        json!({
            "tests": self.tests,
            "failures": self.failures,
            "errors": self.errors,
            "skipped": self.skipped,
        })
    }
}

#[derive(Default)]
struct Report {
    root: Option<&'static str>,
    declared: Counts,
    /// The sum over the suites right below a root that says nothing itself.
    suites_below: Option<Counts>,
    suites: u64,
    seen: [u64; 4],
    path: Vec<String>,
    /// What the innermost open test case has shown: failure, error, skipped.
    case: [bool; 3],
}

/// Reads a report.
pub(super) fn read(text: &str) -> Result<Value, Error> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_comments = true;
    config.check_end_names = true;
    let mut report = Report::default();
    loop {
        let offset = reader.buffer_position();
        let bad = |why: String| Error::Xml { offset, why };
        let event = reader.read_event().map_err(|e| bad(e.to_string()))?;
        match event {
            Event::Start(start) => {
                report.open(&start).map_err(bad)?;
            }
            Event::Empty(start) => {
                report.open(&start).map_err(bad)?;
                report.close();
            }
            Event::End(_) => report.close(),
            Event::DocType(_) => return Err(bad("a document type definition".into())),
            Event::GeneralRef(name) => {
                let known = matches!(&*name, "lt" | "gt" | "amp" | "apos" | "quot");
                let character = name.resolve_char_ref().map_err(|e| bad(e.to_string()))?;
                if !known && character.is_none() {
                    return Err(bad("an entity that XML itself does not define".into()));
                }
            }
            Event::Decl(declaration) => match declaration.encoding() {
                None => {}
                Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => {}
                Some(_) => return Err(bad("an encoding other than UTF-8".into())),
            },
            Event::Text(text) if report.path.is_empty() => {
                if !text.trim_ascii().is_empty() {
                    return Err(bad("text outside the root element".into()));
                }
            }
            Event::CData(_) if report.path.is_empty() => {
                return Err(bad("text outside the root element".into()));
            }
            Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    report.finish(text.len() as u64)
}

impl Report {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        let name = start.name().0;
        let attributes = attributes(start)?;
        match self.path.len() {
            0 if self.root.is_some() => return Err("a second root element".into()),
            0 => {
                self.root = Some(match name {
                    "testsuites" => "testsuites",
                    "testsuite" => "testsuite",
                    _ => return Err("the root is neither `testsuites` nor `testsuite`".into()),
                });
                self.declared = attributes;
            }
            MAX_DEPTH.. => return Err(format!("more than {MAX_DEPTH} elements in each other")),
            _ => {}
        }
        match name {
            "testsuite" => {
                self.suites += 1;
                if self.path.len() == 1 && self.root == Some("testsuites") {
                    self.suites_below = Some(match self.suites_below {
                        None => attributes,
                        Some(sum) => sum.plus(attributes),
                    });
                }
            }
            "testcase" => {
                self.seen[0] += 1;
                self.case = [false; 3];
            }
            "failure" | "error" | "skipped"
                if self.path.last().is_some_and(|p| p == "testcase") =>
            {
                let which = match name {
                    "failure" => 0,
                    "error" => 1,
                    _ => 2,
                };
                // A case that fails twice is one failed case.
                if !std::mem::replace(&mut self.case[which], true) {
                    self.seen[1 + which] += 1;
                }
            }
            _ => {}
        }
        self.path.push(name.to_owned());
        Ok(())
    }

    fn close(&mut self) {
        self.path.pop();
    }

    fn finish(self, end: u64) -> Result<Value, Error> {
        let bad = |why: &str| Error::Xml {
            offset: end,
            why: why.into(),
        };
        let root = self.root.ok_or_else(|| bad("no element at all"))?;
        if !self.path.is_empty() {
            return Err(bad("the file ends inside an element"));
        }
        let below = self.suites_below.unwrap_or_default();
        let declared = Counts {
            tests: self.declared.tests.or(below.tests),
            failures: self.declared.failures.or(below.failures),
            errors: self.declared.errors.or(below.errors),
            skipped: self.declared.skipped.or(below.skipped),
        };
        let [tests, failures, errors, skipped] = self.seen;
        let agrees = |declared: Option<u64>, seen: u64| declared.is_none_or(|d| d == seen);
        let agree = agrees(declared.tests, tests)
            && agrees(declared.failures, failures)
            && agrees(declared.errors, errors)
            && agrees(declared.skipped, skipped);
        Ok(json!({
            "root": root,
            "suites": self.suites,
            "declared": declared.to_json(),
            "seen": {"tests": tests, "failures": failures, "errors": errors, "skipped": skipped},
            "agree": agree,
        }))
    }
}

/// Reads all attributes, which checks their form, and returns the counts among them.
fn attributes(start: &BytesStart<'_>) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let counted = matches!(start.name().0, "testsuites" | "testsuite");
    for (number, attribute) in start.attributes().enumerate() {
        if number == MAX_ATTRIBUTES {
            return Err(format!("more than {MAX_ATTRIBUTES} attributes"));
        }
        let attribute = attribute.map_err(|e| e.to_string())?;
        if attribute.value.contains('<') {
            return Err("`<` in an attribute".into());
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|e| e.to_string())?;
        let place = match attribute.key.0 {
            "tests" => &mut counts.tests,
            "failures" => &mut counts.failures,
            "errors" => &mut counts.errors,
            "skipped" => &mut counts.skipped,
            _ => continue,
        };
        if counted {
            let digits = value.bytes().all(|b| b.is_ascii_digit());
            let number = value.parse().ok().filter(|n| digits && *n <= MAX_COUNT);
            *place = Some(number.ok_or_else(|| {
                let name = attribute.key.0;
                format!("`{name}` of a suite is not a whole number")
            })?);
        }
    }
    Ok(counts)
}
