//! Cobertura's XML, as coverage.py, gcovr, istanbul, coverlet and others write it.
//!
//! Nothing is expanded but XML's five entities and numeric references; a document type with declarations of its own is refused.

use gonogo_core::Timestamp;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::tally::{Report, Tally, capped};
use super::{Error, Format, name};
use crate::inputs::Part;

const FORMAT: Format = Format::Cobertura;

/// Deepest nesting.
const DEPTH: usize = 64;

/// Most attributes of an element.
const ATTRIBUTES: usize = 256;

#[derive(Default)]
struct State {
    depth: usize,
    is_begun: bool,
    /// The open class: its file, and what is known of it.
    class: Option<(String, Tally)>,
    /// The open method: its name, first line, and whether it ran.
    method: Option<(String, Option<u64>, bool)>,
    /// Whether it says itself how often it ran: then its lines say that too, and not how often they ran (istanbul's do).
    is_counted: bool,
    /// What such methods say of the lines of the open class, where it says nothing itself.
    beside: Vec<(u64, bool)>,
    source: Option<String>,
    /// Shares of lines and of branches that the open class declares, and the root.
    rates: Rates,
    whole: Rates,
}

/// `line-rate` and `branch-rate`, for lines and branches; what is no number says nothing.
type Rates = [(usize, Option<f64>); 2];

fn rates(tag: &BytesStart<'_>, at: u64) -> Result<Rates, Error> {
    let mut found = [(0, None), (2, None)];
    for ((_, share), key) in found.iter_mut().zip(["line-rate", "branch-rate"]) {
        *share = value(tag, key, at)?.and_then(|text| text.trim().parse().ok());
    }
    Ok(found)
}

fn bad(at: u64, why: impl std::fmt::Display) -> Error {
    Error::Malformed(FORMAT.word(), format!("byte {at}: {why}"))
}

/// Reads a report.
pub(super) fn read(text: &str) -> Result<Report, Error> {
    let mut report = Report::new(FORMAT);
    let mut state = State::default();
    let mut reader = Reader::from_str(text);
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event();
        let event = event.map_err(|e| match e {
            quick_xml::Error::Syntax(e) => Error::Truncated(FORMAT.word(), e.to_string()),
            e => bad(at, e),
        })?;
        match event {
            Event::Start(tag) => start(&mut report, &mut state, &tag, at)?,
            Event::Empty(tag) => {
                start(&mut report, &mut state, &tag, at)?;
                end(&mut report, &mut state, local(tag.name().as_ref()));
            }
            Event::End(tag) => end(&mut report, &mut state, local(tag.name().as_ref())),
            Event::Text(text) => {
                if let Some(source) = &mut state.source
                    && source.len() < super::NAME
                {
                    source.push_str(&text);
                }
            }
            Event::DocType(text) if text.contains('[') => {
                return Err(bad(at, "a document type with declarations is not read"));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if state.depth > 0 {
        let text = format!("{} elements are open", state.depth);
        return Err(Error::Truncated(FORMAT.word(), text));
    }
    if !state.is_begun {
        return Err(bad(0, "there is no element `coverage`"));
    }
    for (which, share) in state.whole {
        if let Some(share) = share {
            report.cap_whole(which, share);
        }
    }
    report.reconcile_whole();
    Ok(report)
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// An attribute.
fn value(tag: &BytesStart<'_>, key: &str, at: u64) -> Result<Option<String>, Error> {
    let mut found = None;
    for (n, attribute) in tag.attributes().enumerate() {
        if n >= ATTRIBUTES {
            return Err(bad(at, "an element has too many attributes"));
        }
        let attribute = attribute.map_err(|e| bad(at, e))?;
        if found.is_none() && attribute.key.as_ref() == key {
            let text = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
            found = Some(text.map_err(|e| bad(at, e))?.into_owned());
        }
    }
    Ok(found)
}

fn number(tag: &BytesStart<'_>, key: &str, at: u64) -> Result<Option<u64>, Error> {
    let Some(text) = value(tag, key, at)? else {
        return Ok(None);
    };
    let parsed = text.trim().parse();
    parsed
        .map(Some)
        .map_err(|_| bad(at, format!("`{key}` is no whole number")))
}

fn start(
    report: &mut Report,
    state: &mut State,
    tag: &BytesStart<'_>,
    at: u64,
) -> Result<(), Error> {
    let raw = tag.name();
    let word = local(raw.as_ref());
    if state.depth == 0 {
        if word != "coverage" || state.is_begun {
            return Err(bad(
                at,
                format!("expected one element `coverage`, found `{word}`"),
            ));
        }
        state.is_begun = true;
        root(report, tag, at)?;
        state.whole = rates(tag, at)?;
    }
    state.depth += 1;
    if state.depth > DEPTH {
        return Err(bad(at, format!("elements are nested deeper than {DEPTH}")));
    }
    match word {
        "source" => state.source = Some(String::new()),
        "class" => {
            if state.class.is_some() {
                return Err(bad(at, "a class stands within another"));
            }
            let file = value(tag, "filename", at)?;
            let file = file.ok_or_else(|| bad(at, "a class without `filename`"))?;
            name(FORMAT, &file, &format!("byte {at}"))?;
            state.class = Some((file, Tally::strict()));
            state.rates = rates(tag, at)?;
        }
        "method" => {
            let method = value(tag, "name", at)?.unwrap_or_default();
            let signature = value(tag, "signature", at)?.unwrap_or_default();
            let hits = number(tag, "hits", at)?;
            state.is_counted = hits.is_some();
            state.method = Some((format!("{method}{signature}"), None, hits > Some(0)));
        }
        "line" => line(state, tag, at)?,
        _ => {}
    }
    Ok(())
}

fn line(state: &mut State, tag: &BytesStart<'_>, at: u64) -> Result<(), Error> {
    let Some((_, tally)) = &mut state.class else {
        return Err(bad(at, "a line belongs to no class"));
    };
    let line = number(tag, "number", at)?.ok_or_else(|| bad(at, "a line without `number`"))?;
    let hits = value(tag, "hits", at)?.ok_or_else(|| bad(at, "a line without `hits`"))?;
    let ran = match hits.trim().parse::<f64>() {
        Ok(n) if n.is_finite() => n > 0.0,
        _ => return Err(bad(at, "`hits` is no count")),
    };
    if state.method.is_some() && state.is_counted {
        state.beside.push((line, ran));
    } else {
        tally.line(line, ran);
    }
    if let Some((_, first, did)) = &mut state.method {
        first.get_or_insert(line);
        *did |= ran;
    }
    if let Some(text) = value(tag, "condition-coverage", at)? {
        let part = conditions(&text)
            .ok_or_else(|| bad(at, "`condition-coverage` is not like `50% (1/2)`"))?;
        // Which of them were taken is not said; the same line of two records keeps the worse count.
        for n in 0..part.total {
            tally.branch(line, 0, &n.to_string(), n < part.covered);
        }
    }
    Ok(())
}

/// `50% (1/2)`.
fn conditions(text: &str) -> Option<Part> {
    let (share, rest) = text.split_once('(')?;
    let (inner, _) = rest.split_once(')')?;
    let (covered, total) = inner.split_once('/')?;
    let (covered, total) = (covered.trim().parse().ok()?, total.trim().parse().ok()?);
    let part = (covered <= total && total <= 10_000).then_some(Part { covered, total })?;
    let share = share.trim().trim_end_matches('%').trim();
    // Rounded to whole percents.
    let most = share
        .parse::<f64>()
        .ok()
        .and_then(|percent| capped(part, percent / 100.0 + 0.005));
    Some(most.unwrap_or(part))
}

fn end(report: &mut Report, state: &mut State, word: &str) {
    state.depth = state.depth.saturating_sub(1);
    match word {
        "source" => {
            let source = state.source.take().unwrap_or_default();
            let source = source.trim();
            if !source.is_empty() && report.sources.len() < 100 {
                report.sources.push(source.to_owned());
            }
        }
        "method" => {
            if let (Some((name, first, ran)), Some((_, tally))) =
                (state.method.take(), &mut state.class)
            {
                tally.function(first.unwrap_or(0), &name, ran);
            }
        }
        "class" => {
            if let Some((file, mut tally)) = state.class.take() {
                for (line, ran) in state.beside.drain(..) {
                    if !tally.lines.contains_key(&line) {
                        tally.line(line, ran);
                    }
                }
                for (which, share) in state.rates {
                    if let Some(share) = share {
                        report.cap(&file, &mut tally, which, share);
                    }
                }
                report.take(&file, tally);
            }
        }
        _ => {}
    }
}

/// What the root says of the whole.
fn root(report: &mut Report, tag: &BytesStart<'_>, at: u64) -> Result<(), Error> {
    let part = |covered: &str, valid: &str| -> Result<Part, Error> {
        let (covered, total) = (number(tag, covered, at)?, number(tag, valid, at)?);
        Ok(Part {
            covered: covered.unwrap_or(0),
            total: if covered.is_some() {
                total.unwrap_or(0)
            } else {
                0
            },
        })
    };
    let lines = part("lines-covered", "lines-valid")?;
    let branches = part("branches-covered", "branches-valid")?;
    let none = Part {
        covered: 0,
        total: 0,
    };
    report.declared = Some([lines, none, branches]);
    // Seconds or milliseconds since 1970, by the tool.
    let time = value(tag, "timestamp", at)?.and_then(|text| text.trim().parse::<i64>().ok());
    report.at = time
        .and_then(|time| match time {
            1_000_000_000..100_000_000_000 => time.checked_mul(1000),
            100_000_000_000..100_000_000_000_000 => Some(time),
            _ => None,
        })
        .map(Timestamp::from_millis);
    report.made = report.at.map(|at| (at, at));
    Ok(())
}
