//! Looks at evidence files while the run goes on: is it there, does it grow, how new is what it says.
//!
//! Meets the audit, which reads them whole afterwards; a look reads at most a few hundred KiB of a big file, its beginning and its
//! end. What cannot be read is said, and never stops the capture.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

use gonogo_core::Timestamp;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::{EvidenceFormat, EvidenceSpec};
use serde_json::Value;

/// Files up to this are read whole.
const WHOLE: u64 = 1 << 20;

/// Bytes of the beginning and of the end of a bigger one.
const PART: u64 = 128 << 10;

/// Names of an entry's time, if none is declared.
const TIMES: [&str; 5] = ["recorded_at", "generated_at", "timestamp", "time", "ts"];

/// How deep a value is searched for times.
const DEPTH: u32 = 4;

/// Looks at all declared files.
#[derive(Debug)]
pub(crate) struct Looker {
    specs: Vec<EvidenceSpec>,
    /// What the last full look at a file showed: it is not read again if it did not change.
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    identity: (u64, u64, i64, i64),
    newest_ms: Option<i64>,
    entries: Option<u64>,
    error: Option<String>,
}

impl Looker {
    pub(crate) fn new(specs: &[EvidenceSpec]) -> Self {
        Self {
            specs: specs.to_vec(),
            seen: BTreeMap::new(),
        }
    }

    /// Looks once.
    pub(crate) fn look(&mut self) -> Vec<Event> {
        let specs = std::mem::take(&mut self.specs);
        let events = specs.iter().map(|spec| self.look_at(spec)).collect();
        self.specs = specs;
        events
    }

    fn look_at(&mut self, spec: &EvidenceSpec) -> Event {
        let name = spec.name.clone();
        let none = |error: Option<String>| Event::EvidenceSeen {
            name: spec.name.clone(),
            size: None,
            mtime_ms: None,
            newest_ms: None,
            entries: None,
            error,
        };
        // A pipe or a device would make us wait for ever: opened without waiting, and refused.
        let file = File::options()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(&spec.path);
        let file = match file {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return none(None),
            Err(e) => return none(Some(format!("{}: {e}", spec.path))),
        };
        let meta = match file.metadata() {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return none(Some(format!("{}: it is no regular file", spec.path))),
            Err(e) => return none(Some(format!("{}: {e}", spec.path))),
        };
        let identity = (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
        let seen = match self.seen.get(&name) {
            Some(seen) if seen.identity == identity => seen.clone(),
            _ => {
                let (newest_ms, entries, error) = match read(&file, meta.len(), spec) {
                    Ok((newest, entries)) => (newest, entries, None),
                    Err(reason) => (None, None, Some(format!("{}: {reason}", spec.path))),
                };
                Seen {
                    identity,
                    newest_ms,
                    entries,
                    error,
                }
            }
        };
        self.seen.insert(name.clone(), seen.clone());
        Event::EvidenceSeen {
            name,
            size: Some(meta.len()),
            mtime_ms: Some(
                meta.mtime()
                    .saturating_mul(1000)
                    .saturating_add(meta.mtime_nsec() / 1_000_000),
            ),
            newest_ms: seen.newest_ms,
            entries: seen.entries,
            error: seen.error,
        }
    }
}

type Content = (Option<i64>, Option<u64>);

fn read(file: &File, length: u64, spec: &EvidenceSpec) -> Result<Content, String> {
    if spec.format == EvidenceFormat::Text || length == 0 {
        return Ok((None, None));
    }
    let part = |from: u64, count: u64| {
        let mut bytes = vec![0; count as usize];
        let mut have = 0;
        while have < bytes.len() {
            match file.read_at(&mut bytes[have..], from + have as u64) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.to_string()),
            }
        }
        bytes.truncate(have);
        Ok(bytes)
    };
    let pointer = spec.time_pointer.as_deref();
    if length > WHOLE {
        let mut newest = None;
        for bytes in [part(0, PART)?, part(length - PART, PART)?] {
            newest = newest.max(scan(&bytes, pointer));
        }
        return Ok((newest, None));
    }
    let bytes = part(0, length)?;
    let lines = matches!(spec.format, EvidenceFormat::Jsonl | EvidenceFormat::Diary);
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(value) => {
            let entries = match &value {
                Value::Array(list) => Some(list.len() as u64),
                Value::Object(object) => object
                    .get("entries")
                    .and_then(Value::as_array)
                    .map(|list| list.len() as u64)
                    // One line of JSON lines is an object as well.
                    .or(lines.then_some(1)),
                _ => None,
            };
            Ok((newest(&value, pointer, DEPTH), entries))
        }
        Err(_) if lines => by_line(&bytes, pointer),
        Err(e) => Err(format!("it is no JSON: {e}")),
    }
}

/// One value a line. The last line may be half written.
fn by_line(bytes: &[u8], pointer: Option<&str>) -> Result<Content, String> {
    let (mut latest, mut entries) = (None, 0);
    let whole = bytes.last() == Some(&b'\n');
    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    for (n, line) in lines.iter().enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value>(line) {
            Ok(value) => {
                latest = latest.max(newest(&value, pointer, DEPTH));
                entries += 1;
            }
            Err(_) if !whole && n + 1 == lines.len() => {}
            Err(e) => return Err(format!("line {} is no JSON: {e}", n + 1)),
        }
    }
    Ok((latest, Some(entries)))
}

/// The newest time in a value.
fn newest(value: &Value, pointer: Option<&str>, depth: u32) -> Option<i64> {
    if let Some(pointer) = pointer
        && let Some(found) = value.pointer(pointer).and_then(time)
    {
        return Some(found);
    }
    if depth == 0 {
        return None;
    }
    match value {
        Value::Object(object) => {
            let own = TIMES
                .iter()
                .filter_map(|name| object.get(*name).and_then(time))
                .max();
            let inner = object
                .values()
                .filter(|value| value.is_array() || value.is_object())
                .filter_map(|value| newest(value, pointer, depth - 1))
                .max();
            own.max(inner)
        }
        Value::Array(list) => list
            .iter()
            .filter_map(|value| newest(value, pointer, depth - 1))
            .max(),
        _ => None,
    }
}

/// Times in a part of a file that cannot be parsed: strings and numbers after the names of times.
fn scan(bytes: &[u8], pointer: Option<&str>) -> Option<i64> {
    let declared = pointer.and_then(|pointer| pointer.rsplit('/').next());
    let names: Vec<&str> = declared.map_or_else(|| TIMES.to_vec(), |name| vec![name]);
    let mut latest = None;
    for name in names {
        let key = format!("\"{name}\"");
        for at in memchr::memmem::find_iter(bytes, key.as_bytes()) {
            let rest = bytes[at + key.len()..].trim_ascii_start();
            let Some(rest) = rest.strip_prefix(b":") else {
                continue;
            };
            let rest = &rest[..rest.len().min(80)];
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
            if let Some(Ok(value)) = values.next() {
                latest = latest.max(time(&value));
            }
        }
    }
    latest
}

/// Reads a time: RFC 3339, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size.
fn time(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text
            .parse::<Timestamp>()
            .or_else(|_| format!("{text}Z").parse())
            .or_else(|_| format!("{}Z", text.replacen(' ', "T", 1)).parse())
            .ok()
            .map(Timestamp::as_millis),
        Value::Number(number) => {
            let n = number.as_f64()?;
            let ms = match n.abs() {
                a if a < 1e11 => n * 1e3,
                a if a < 1e14 => n,
                a if a < 1e17 => n / 1e3,
                _ => n / 1e6,
            };
            Some(ms as i64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(format: EvidenceFormat, text: &[u8]) -> (Option<i64>, Option<u64>, Option<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e");
        std::fs::write(&path, text).unwrap();
        let mut looker = Looker::new(&[spec(path.to_str().unwrap(), format)]);
        let Event::EvidenceSeen {
            newest_ms,
            entries,
            error,
            size,
            ..
        } = looker.look().remove(0)
        else {
            panic!("another event");
        };
        assert_eq!(size, Some(text.len() as u64));
        (newest_ms, entries, error)
    }

    fn spec(path: &str, format: EvidenceFormat) -> EvidenceSpec {
        EvidenceSpec {
            name: "diary".to_owned(),
            path: path.to_owned(),
            format,
            required: true,
            stale_warn_seconds: None,
            stale_fail_seconds: None,
            time_pointer: None,
            min_entries: None,
            min_entries_per_day: 0,
            daily_gap_severity: gonogo_dryrun::Status::Warn,
            thresholds: Vec::new(),
        }
    }

    #[test]
    fn times_and_entries_are_found_in_each_shape() {
        let newest = Some(1_767_225_600_500);
        let late = "2026-01-01T00:00:00.500Z";
        let early = "2025-12-31T23:00:00Z";
        let object =
            format!(r#"{{"entries":[{{"recorded_at":"{late}"}},{{"recorded_at":"{early}"}}]}}"#);
        let array = format!(r#"[{{"ts":1767225600.5}},{{"time":"{early}"}}]"#);
        let lines = format!("{{\"timestamp\":1767225600500}}\n\n{{\"ts\":\"{early}\"}}\n{{\"half");
        use EvidenceFormat::{Diary, Json, Jsonl, Text};
        assert_eq!(look(Diary, object.as_bytes()), (newest, Some(2), None));
        assert_eq!(look(Json, array.as_bytes()), (newest, Some(2), None));
        assert_eq!(look(Jsonl, lines.as_bytes()), (newest, Some(2), None));
        assert_eq!(look(Text, b"\xff\x00"), (None, None, None));
        assert_eq!(look(Json, b""), (None, None, None));
        for (format, bad) in [
            (Json, &b"{"[..]),
            (Jsonl, b"{}\nno\n{}\n"),
            (Diary, b"\xff\xfe\n"),
        ] {
            let (_, _, error) = look(format, bad);
            assert!(error.is_some_and(|text| text.contains("no JSON")));
        }
    }

    #[test]
    fn only_the_ends_of_a_big_file_are_read() {
        let mut text = String::new();
        while text.len() < 3 << 20 {
            text.push_str("{\"recorded_at\": \"2025-01-01T00:00:00Z\", \"n\": 1}\n");
        }
        text.push_str("{\"recorded_at\": \"2026-01-01T00:00:00.500Z\"}\n");
        assert_eq!(
            look(EvidenceFormat::Jsonl, text.as_bytes()),
            (Some(1_767_225_600_500), None, None)
        );
    }

    #[test]
    fn what_is_no_file_is_told_and_waited_for_by_nobody() {
        let mut looker = Looker::new(&[
            spec("/dev/zero", EvidenceFormat::Json),
            spec("/tmp", EvidenceFormat::Json),
            spec("/no/such/file", EvidenceFormat::Json),
        ]);
        let errors: Vec<Option<String>> = looker
            .look()
            .into_iter()
            .map(|event| match event {
                Event::EvidenceSeen { error, .. } => error,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(errors[0].as_ref().unwrap().contains("no regular file"));
        assert!(errors[1].as_ref().unwrap().contains("no regular file"));
        assert_eq!(errors[2], None);
    }
}
