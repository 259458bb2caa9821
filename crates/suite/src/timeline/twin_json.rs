//! Twins of JSON lines: what a key means decides for its value, and [`twin`] for all other texts.

use serde_json::Value;

use super::twin;

/// Fewest bytes of a name that is looked for within texts: shorter ones stand everywhere.
const SHORTEST: usize = 6;

/// The line with placeholders. `names` are texts that are of one run only, each with what stands for it; the longest should come first. A line that
/// is no JSON is a text.
pub fn twin_json(line: &str, names: &[(&str, &str)]) -> Value {
    match serde_json::from_str::<Value>(line) {
        Ok(value) => of_value("", value, names),
        Err(_) => Value::String(of_text(line, names)),
    }
}

fn of_value(key: &str, value: Value, names: &[(&str, &str)]) -> Value {
    let is_unit = |end: &str| key == end.trim_start_matches('_') || key.ends_with(end);
    let placeholder = match (&value, key) {
        (Value::Null, _) => None,
        (_, "ts" | "timestamp") => Some("<time>"),
        (_, "correlation_id" | "ci_correlation_id") => Some("<correlation>"),
        (_, "trace_id" | "run_id") => Some("<run>"),
        (_, "span_id" | "parent_span_id") => Some("<id>"),
        (_, "sha256") => Some("<digest>"),
        (Value::Number(_), "bytes" | "size") => Some("<size>"),
        (Value::Number(_), "seed") => Some("<seed>"),
        (Value::Number(_), _) if is_unit("_ms") => Some("<duration>"),
        (Value::String(_), _) if is_unit("_at") => Some("<time>"),
        _ => None,
    };
    if let Some(placeholder) = placeholder {
        return placeholder.into();
    }
    match value {
        // Names of formats stand for themselves.
        Value::String(text) if key == "schema" => Value::String(text),
        Value::String(text) => Value::String(of_text(&text, names)),
        Value::Array(items) => {
            let items = items.into_iter().map(|item| of_value("", item, names));
            items.collect()
        }
        Value::Object(map) => {
            let twins = map.into_iter().map(|(key, value)| {
                let value = of_value(&key, value, names);
                (key, value)
            });
            twins.collect()
        }
        other => other,
    }
}

fn of_text(text: &str, names: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (name, placeholder) in names.iter().filter(|(name, _)| name.len() >= SHORTEST) {
        if text.contains(name) {
            text = text.replace(name, placeholder);
        }
    }
    let lines: Vec<String> = text.split('\n').map(twin).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, &str); 2] = [("run_0123456789", "<run>"), ("/home/ana/shop", "<root>")];

    #[test]
    fn what_is_of_one_run_is_named_by_key_and_by_text() {
        let line = r#"{"schema":"gonogo.test.log.v2","ts":"2026-11-22T05:00:00.000Z","t_ms":12,"seq":3,"trace_id":"run_0123456789","message":"3 failed in 1.2s at /home/ana/shop/a.py:7","data":{"end":{"how":"exited","code":1},"duration_ms":900},"ci_correlation_id":"c"}"#;
        let value = twin_json(line, &NAMES);
        for (key, expected) in [
            ("ts", "<time>"),
            ("trace_id", "<run>"),
            ("ci_correlation_id", "<correlation>"),
            ("message", "3 failed in <duration> at <root>/a.py:7"),
            ("schema", "gonogo.test.log.v2"),
            ("t_ms", "<duration>"),
        ] {
            assert_eq!(value[key], expected, "{key}");
        }
        assert_eq!(value["seq"], 3);
        assert_eq!(value["data"]["end"]["code"], 1);
        assert_eq!(value["data"]["duration_ms"], "<duration>");
        // A twin of a twin is the same, and what differs in what matters stays different.
        assert_eq!(twin_json(&value.to_string(), &NAMES), value);
        let more = line.replace("3 failed", "4 failed");
        assert_ne!(twin_json(&more, &NAMES), value);
        let other = line.replace("12,", "99,").replace("1.2s", "3.4s");
        assert_eq!(twin_json(&other, &NAMES), value);
    }

    #[test]
    fn a_line_that_is_no_json_is_text() {
        let found = twin_json("{cut off at 2026-11-22T05:00:00Z", &NAMES);
        assert_eq!(found, "{cut off at <time>");
    }
}
