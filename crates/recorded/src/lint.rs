//! Looks at a cassette without a run: secrets, age, exchanges that repeat each other, what a report says nobody asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use gonogo_core::{Digest, Reason, Span, Timestamp};

use crate::cassette::{self, Tape, blobs_of};
use crate::error::Error;
use crate::leak;
use crate::redact::{RedactionRules, Redactor, Secrets, Tally, apply};
use crate::report::{Report, too_old};
use crate::settings::Limits;

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The catalogue's reason.
    pub reason: Reason,
    /// A JSON pointer into the cassette, or the name of a file.
    pub place: String,
    /// In words.
    pub text: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lint {
    /// Exchanges in the cassette.
    pub interactions: u64,
    /// In the order of the cassette.
    pub findings: Vec<Finding>,
}

/// Looks through the cassette at `path`. `rules` are those that it is recorded with: what they name and what still stands there is a leak.
/// A report tells what was not asked for; it must be of this very cassette.
///
/// # Errors
/// [`Error`] if the cassette cannot be read at all, or the rules cannot be used.
pub fn lint(
    path: &Path,
    now: Timestamp,
    max_age: Span,
    rules: &RedactionRules,
    report: Option<&Report>,
) -> Result<Lint, Error> {
    let limits = Limits::default();
    let tape = cassette::read(path, limits.cassette)?;
    let mut lint = Lint {
        interactions: tape.cassette.interactions.len() as u64,
        findings: Vec::new(),
    };
    if let Some(text) = too_old(tape.cassette.recorded_at, now, max_age) {
        lint.say(Reason::RecordingStale, "/recorded_at", text);
    }
    leaks(&tape, &limits, rules, &mut lint)?;
    duplicates(&tape, &limits, &mut lint)?;
    orphans(&tape, &mut lint);
    if let Some(report) = report {
        unused(&tape, report, &mut lint);
    }
    Ok(lint)
}

impl Lint {
    fn say(&mut self, reason: Reason, place: impl Into<String>, text: impl Into<String>) {
        self.findings.push(Finding {
            reason,
            place: place.into(),
            text: text.into(),
        });
    }
}

fn leaks(
    tape: &Tape,
    limits: &Limits,
    rules: &RedactionRules,
    lint: &mut Lint,
) -> Result<(), Error> {
    let none = Secrets::default();
    let redactor = Redactor::new(rules)?;
    let secrets = redactor.known().prepared();
    let mut named = Vec::new();
    let read = |e| Error::io(format!("read {}", tape.path.display()))(e);
    for (n, interaction) in tape.cassette.interactions.iter().enumerate() {
        let at = format!("/interactions/{n}");
        let (request, response) = (&interaction.request, &interaction.response);
        let mut look = |place: String, bytes: &[u8]| {
            for text in leak::scan(bytes, &none) {
                lint.say(Reason::RecordingLeak, &place, text);
            }
        };
        look(format!("{at}/request/url"), request.url.as_bytes());
        for (side, fields) in [
            ("request/headers", &request.headers),
            ("request/trailers", &request.trailers),
            ("response/headers", &response.headers),
            ("response/trailers", &response.trailers),
        ] {
            for (m, field) in fields.iter().enumerate() {
                // With its name before it: some shapes are only told by that.
                let line = [field.0.as_bytes(), b": ", &field.bytes()].concat();
                look(format!("{at}/{side}/{m}"), &line);
            }
        }
        for (side, body) in [("request", &request.body), ("response", &response.body)] {
            let bytes = tape.body(body.as_ref(), limits.body).map_err(read)?;
            look(format!("{at}/{side}/body"), &bytes);
        }
        // What the recorder would have taken out by its name.
        let mut tally = Tally::new();
        redactor.url(&request.url, &secrets, &mut tally);
        tell(&mut named, format!("{at}/request/url"), &mut tally);
        for (side, fields) in [
            ("request/headers", &request.headers),
            ("request/trailers", &request.trailers),
            ("response/headers", &response.headers),
            ("response/trailers", &response.trailers),
        ] {
            redactor.fields(&cassette::map_of(fields), &secrets, &mut tally);
            tell(&mut named, format!("{at}/{side}"), &mut tally);
        }
        for (side, body, headers) in [
            ("request", &request.body, &request.headers),
            ("response", &response.body, &response.headers),
        ] {
            let bytes = tape.body(body.as_ref(), limits.body).map_err(read)?;
            let content_type = cassette::value_of(headers, "content-type");
            let edits = redactor.edits(&bytes, content_type, &secrets);
            apply(&bytes, &edits, &mut tally);
            tell(&mut named, format!("{at}/{side}/body"), &mut tally);
        }
    }
    lint.findings.append(&mut named);
    // What stands in the file and in none of these places.
    let found = leak::scan_stream(File::open(&tape.path).map_err(read)?, &none).map_err(read)?;
    let known = lint
        .findings
        .iter()
        .any(|f| f.reason == Reason::RecordingLeak);
    if !known {
        for text in found {
            lint.say(Reason::RecordingLeak, tape.path.display().to_string(), text);
        }
    }
    Ok(())
}

/// Says what redaction took out of a place, and empties the tally.
fn tell(named: &mut Vec<Finding>, place: String, tally: &mut Tally) {
    let found: Vec<String> = std::mem::take(tally)
        .iter()
        .map(|(kind, n)| format!("{n} as {kind}"))
        .collect();
    if !found.is_empty() {
        named.push(Finding {
            reason: Reason::RecordingLeak,
            place,
            text: format!("the recorder would redact {}", found.join(", ")),
        });
    }
}

fn duplicates(tape: &Tape, limits: &Limits, lint: &mut Lint) -> Result<(), Error> {
    let mut seen: BTreeMap<Digest, usize> = BTreeMap::new();
    for (n, interaction) in tape.cassette.interactions.iter().enumerate() {
        let read = |e| Error::io(format!("read {}", tape.path.display()))(e);
        let request = tape
            .body(interaction.request.body.as_ref(), limits.body)
            .map_err(read)?;
        let response = tape
            .body(interaction.response.body.as_ref(), limits.body)
            .map_err(read)?;
        let key = format!(
            "{} {} {} {} {}",
            interaction.request.method,
            interaction.request.url,
            Digest::of(&request),
            interaction.response.status,
            Digest::of(&response)
        );
        let first = *seen.entry(Digest::of(key.as_bytes())).or_insert(n);
        if first != n {
            let text = format!(
                "the same request and answer as /interactions/{first}; one with `repeat` would do"
            );
            lint.say(Reason::RecordingUnused, format!("/interactions/{n}"), text);
        }
    }
    Ok(())
}

fn orphans(tape: &Tape, lint: &mut Lint) {
    let mut named = BTreeSet::new();
    for interaction in &tape.cassette.interactions {
        for body in [&interaction.request.body, &interaction.response.body] {
            let blob = body.as_ref().and_then(|b| b.blob.as_ref());
            named.extend(blob.map(|b| b.digest.hex()));
        }
    }
    let mut others: Vec<String> = std::fs::read_dir(blobs_of(&tape.path))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !named.contains(name))
        .collect();
    others.sort();
    for name in others {
        lint.say(Reason::RecordingUnused, name, "no exchange names this blob");
    }
}

fn unused(tape: &Tape, report: &Report, lint: &mut Lint) {
    if report.digest != Some(tape.digest) {
        let text = "the report is of another cassette, so nothing is said about what was used";
        lint.say(Reason::RecordingInvalid, "report", text);
        return;
    }
    for told in &report.unused {
        let place = format!("/interactions/{}", told.index);
        let text = format!("{} {} was not asked for", told.method, told.url);
        lint.say(Reason::RecordingUnused, place, text);
    }
}
