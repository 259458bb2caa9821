//! Spans as a collector reads them: OTLP/HTTP with JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids in hex, 64-bit
//! numbers as text, enums as numbers.

use serde_json::{Value as Json, json};

use super::{Kind, Span, Value};

/// One request's body.
pub(super) fn request(resource: &[(String, String)], spans: &[Span]) -> Json {
    let resource: Vec<Json> = resource
        .iter()
        .map(|(key, text)| json!({"key": key, "value": {"stringValue": text}}))
        .collect();
    let scope = json!({"name": "gonogo", "version": env!("CARGO_PKG_VERSION")});
    let spans: Vec<Json> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
}

fn span(span: &Span) -> Json {
    let attributes: Vec<Json> = span
        .attributes
        .iter()
        .map(|(key, value)| json!({"key": key, "value": any(value)}))
        .collect();
    let kind = match span.kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    };
    let mut told = json!({
        "traceId": span.trace.to_string(),
        "spanId": span.id.to_string(),
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": span.start.to_string(),
        "endTimeUnixNano": span.end.max(span.start).to_string(),
        "attributes": attributes,
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = json!(parent.to_string());
    }
    if let Some(error) = &span.error {
        told["status"] = json!({"code": 2, "message": error});
    }
    told
}

fn any(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!({"stringValue": text}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::Flag(flag) => json!({"boolValue": flag}),
    }
}

/// How many of the spans a collector that answered 2xx did not take; none if what answered is no collector.
pub(super) fn rejected(answer: &[u8]) -> Option<u64> {
    if answer.is_empty() {
        return Some(0);
    }
    let answer: Json = serde_json::from_slice(answer).ok()?;
    let part = &answer.as_object()?.get("partialSuccess");
    let Some(part) = part else {
        return Some(0);
    };
    let rejected = &part["rejectedSpans"];
    let text = rejected.as_str().and_then(|n| n.parse().ok());
    Some(rejected.as_u64().or(text).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::{SpanId, TraceId};
    use super::*;

    #[test]
    fn a_span_has_the_form_of_the_standard() {
        let one = Span {
            trace: TraceId::named("4bf92f3577b34da6a3ce929d0e0e4736"),
            id: SpanId::read("00f067aa0ba902b7").unwrap(),
            parent: SpanId::read("b7ad6b7169203331"),
            name: "apply_change".into(),
            kind: Kind::Server,
            start: 1_700_000_000_000_000_000,
            end: 1_600_000_000_000_000_000,
            attributes: vec![("a", "b".into()), ("n", 3.into()), ("f", true.into())],
            error: Some("APPROVAL_MISSING".into()),
        };
        let body = request(&[("service.name".into(), "gonogo".into())], &[one]);
        let of = &body["resourceSpans"][0];
        assert_eq!(
            of["resource"]["attributes"][0],
            json!({"key": "service.name", "value": {"stringValue": "gonogo"}})
        );
        assert_eq!(
            of["scopeSpans"][0]["spans"][0],
            json!({
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                "spanId": "00f067aa0ba902b7",
                "parentSpanId": "b7ad6b7169203331",
                "name": "apply_change",
                "kind": 2,
                "startTimeUnixNano": "1700000000000000000",
                // No span ends before it begins.
                "endTimeUnixNano": "1700000000000000000",
                "attributes": [
                    {"key": "a", "value": {"stringValue": "b"}},
                    {"key": "n", "value": {"intValue": "3"}},
                    {"key": "f", "value": {"boolValue": true}},
                ],
                "status": {"code": 2, "message": "APPROVAL_MISSING"},
            })
        );
    }

    #[test]
    fn what_a_collector_did_not_take_is_counted_and_garbage_is_no_collector() {
        assert_eq!(rejected(b""), Some(0));
        assert_eq!(rejected(b"{}"), Some(0));
        let part = br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#;
        assert_eq!(rejected(part), Some(3));
        assert_eq!(rejected(b"<html>hello</html>"), None);
        assert_eq!(rejected(b"[]"), None);
    }
}
