//! A collector of OpenTelemetry for tests: it listens, reads OTLP over HTTP with JSON strictly, and keeps the spans.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// How a collector answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As the standard says.
    Well,
    /// Not at all.
    Hangs,
    /// With this status and something that is no answer.
    Garbage(u16),
}

/// A collector; its threads end with the test's process or at the next connection after it was dropped.
pub(crate) struct Collector {
    pub(crate) port: u16,
    spans: Arc<Mutex<Vec<Value>>>,
    faults: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl Collector {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = Self {
            port,
            spans: Arc::default(),
            faults: Arc::default(),
            ended: Arc::default(),
        };
        let (spans, faults) = (collector.spans.clone(), collector.faults.clone());
        let ended = collector.ended.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (spans, faults) = (spans.clone(), faults.clone());
                std::thread::spawn(move || serve(stream, manner, &spans, &faults));
            }
        });
        collector
    }

    /// Every span that came; panics if anything came that the standard does not have.
    #[track_caller]
    pub(crate) fn spans(&self) -> Vec<Value> {
        let faults = self.faults.lock().unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        self.spans.lock().unwrap().clone()
    }

    /// The lines of a configuration that name it.
    pub(crate) fn configured(&self) -> String {
        format!(
            "\n[telemetry]\nendpoint = \"http://127.0.0.1:{}\"\n",
            self.port
        )
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(
    stream: TcpStream,
    manner: Manner,
    spans: &Mutex<Vec<Value>>,
    faults: &Mutex<Vec<String>>,
) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let Some((head, body)) = request(&mut reader) else {
            return;
        };
        match read(&head, &body) {
            Ok(read) => spans.lock().unwrap().extend(read),
            Err(text) => faults.lock().unwrap().push(text),
        }
        let (status, answer) = match manner {
            Manner::Well => (200, "{}"),
            Manner::Garbage(status) => (status, "<html>who are you?"),
            Manner::Hangs => {
                // Until the other side gives up.
                let mut rest = Vec::new();
                drop(reader.read_to_end(&mut rest));
                return;
            }
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            text => head.push(text.to_owned()),
        }
    }
    let length = head.iter().find_map(|l| {
        let (name, value) = l.split_once(':')?;
        let is = name.eq_ignore_ascii_case("content-length");
        is.then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// The spans of a request, or what is wrong with it.
fn read(head: &[String], body: &[u8]) -> Result<Vec<Value>, String> {
    let fault = |text: &str| Err(format!("{text}: {head:?}"));
    if head.first().map(String::as_str) != Some("POST /v1/traces HTTP/1.1") {
        return fault("not the address of traces");
    }
    let json = |l: &String| l.eq_ignore_ascii_case("content-type: application/json");
    if !head.iter().any(json) {
        return fault("no JSON");
    }
    let body: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let mut all = Vec::new();
    for resource in body["resourceSpans"].as_array().ok_or("no resourceSpans")? {
        let attributes = resource["resource"]["attributes"].as_array();
        let named = |a: &Value| a["key"] == "service.name";
        if !attributes.is_some_and(|a| a.iter().any(named)) {
            return fault("no service.name");
        }
        for scope in resource["scopeSpans"].as_array().ok_or("no scopeSpans")? {
            for span in scope["spans"].as_array().ok_or("no spans")? {
                check(span)?;
                all.push(span.clone());
            }
        }
    }
    Ok(all)
}

/// Holds a span against the standard's JSON encoding.
fn check(span: &Value) -> Result<(), String> {
    let hex = |key: &str, n: usize| {
        let text = span[key].as_str().unwrap_or_default();
        let digits = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let zero = text.bytes().all(|b| b == b'0');
        (text.len() == n && digits && !zero)
            .then_some(())
            .ok_or(format!("{key}: {span}"))
    };
    hex("traceId", 32)?;
    hex("spanId", 16)?;
    if span.get("parentSpanId").is_some() {
        hex("parentSpanId", 16)?;
    }
    let time = |key: &str| {
        let text = span[key].as_str().ok_or(format!("{key}: {span}"))?;
        text.parse::<u64>()
            .map_err(|e| format!("{key}: {e}: {span}"))
    };
    let (start, end) = (time("startTimeUnixNano")?, time("endTimeUnixNano")?);
    if end < start || start < 1_500_000_000_000_000_000 {
        return Err(format!("ends before it begins, or is no time: {span}"));
    }
    let name = span["name"].as_str().is_some_and(|n| !n.is_empty());
    let kind = span["kind"].as_u64().is_some_and(|k| (1..=5).contains(&k));
    for attribute in span["attributes"].as_array().ok_or("no attributes")? {
        let value = attribute["value"].as_object().ok_or("no value")?;
        let key = attribute["key"].as_str().is_some_and(|k| !k.is_empty());
        let one = value.len() == 1
            && ["stringValue", "intValue", "boolValue"]
                .contains(&value.keys().next().unwrap().as_str());
        if !(key && one) {
            return Err(format!("an attribute: {span}"));
        }
    }
    match name && kind {
        true => Ok(()),
        false => Err(format!("name or kind: {span}")),
    }
}

/// An attribute's text.
pub(crate) fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let all = span["attributes"].as_array()?;
    all.iter().find(|a| a["key"] == key)?["value"]["stringValue"].as_str()
}
