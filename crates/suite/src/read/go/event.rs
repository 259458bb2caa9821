//! One line of `go test -json`.

use super::super::Limits;
use super::super::json::{Broken, Json, Kind, Value};
use super::super::xml::times;

/// An event, as `go doc test2json` has it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Event {
    pub(super) action: String,
    pub(super) package: String,
    pub(super) test: String,
    pub(super) import: String,
    pub(super) failed_build: String,
    pub(super) output: String,
    pub(super) elapsed: Option<f64>,
    pub(super) time_ms: Option<i64>,
    pub(super) is_odd: bool,
    /// Its time cannot be read.
    pub(super) is_undated: bool,
}

/// Reads one; `None` if it is JSON and no event.
pub(super) fn parse(line: &[u8], limits: &Limits) -> Result<Option<Event>, Broken> {
    let mut source = line;
    let mut json = Json::new(&mut source);
    let mut event = Event::default();
    if !json.enter(Kind::Object)? {
        return Ok(None);
    }
    while let Some(key) = json.key()? {
        let most = if key == "Output" { limits.token } else { 4096 };
        let value = json.value(most)?;
        match key.as_str() {
            "Action" => event.action = value.text().unwrap_or_default(),
            "Package" => event.package = value.text().unwrap_or_default(),
            "Test" => event.test = value.text().unwrap_or_default(),
            "ImportPath" => event.import = value.text().unwrap_or_default(),
            "FailedBuild" => event.failed_build = value.text().unwrap_or_default(),
            "Output" => event.output = value.text().unwrap_or_default(),
            "Elapsed" => match value.number() {
                Some(seconds) if seconds >= 0.0 && seconds.is_finite() => {
                    event.elapsed = Some(seconds);
                }
                _ => event.is_odd = true,
            },
            "Time" => {
                event.time_ms = match value {
                    Value::Text(text, _) => time(&text),
                    _ => None,
                };
                event.is_undated = event.time_ms.is_none();
            }
            _ => {}
        }
    }
    Ok((!event.action.is_empty()).then_some(event))
}

/// RFC 3339 with a zone to milliseconds since 1970.
fn time(text: &str) -> Option<i64> {
    let moment = times::moment(text).filter(|moment| moment.is_absolute);
    moment.map(|moment| moment.ms)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times() {
        assert_eq!(time("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            time("2026-11-21T22:48:42.193128266Z"),
            Some(1_795_301_322_193)
        );
        assert_eq!(time("2026-11-21T23:48:42.1+01:00"), Some(1_795_301_322_100));
        for no in [
            "",
            "2026-11-21",
            "2026-11-21T22:48:42",
            "2026-13-21T22:48:42Z",
            "äöüäöüäöüäöüäöüäöüä",
        ] {
            assert_eq!(time(no), None, "{no}");
        }
    }
}
