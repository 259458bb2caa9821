//! Small sums over figures, and figures as people read them.

use anyhow::{Context, Result};
use serde_json::Value;

/// The middle of `values`; the mean of the middle two of an even number; NaN of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (n, half) if n % 2 == 1 => sorted[half],
        (_, half) => (sorted[half - 1] + sorted[half]) / 2.0,
    }
}

/// `1234567` as `1,234,567`, rounded.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The number at `path` (a JSON pointer).
pub(super) fn number(value: &Value, path: &str) -> Result<f64> {
    let found = value.pointer(path).and_then(Value::as_f64);
    found.with_context(|| format!("its output has no number at `{path}`"))
}

/// The last JSON object in `text` that begins at the begin of a line; talk may stand around it.
pub(super) fn last_json(text: &str) -> Result<Value> {
    let (_, rest) = format!("\n{text}")
        .rsplit_once("\n{")
        .map(|(talk, rest)| (talk.to_owned(), format!("{{{rest}")))
        .context("it printed no JSON")?;
    let mut values = serde_json::Deserializer::from_str(&rest).into_iter();
    let first = values.next().context("it printed no JSON")?;
    first.context("what it printed is not JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(999.4), "999");
        assert_eq!(grouped(1_000.0), "1,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
    }

    #[test]
    fn the_last_json_counts() {
        let text = "talk\n{\"a\":1}\n{\"a\":2}\nbye";
        assert_eq!(last_json(text).unwrap()["a"], 2);
        assert_eq!(
            last_json("{\n  \"a\": {\n    \"b\": 3\n  }\n}\nbye").unwrap()["a"]["b"],
            3
        );
        assert!(last_json("no").is_err() && last_json("{").is_err());
    }

    #[test]
    fn a_missing_number_is_an_error() {
        let value = serde_json::json!({"a": {"b": 1.5}, "c": "1"});
        assert_eq!(number(&value, "/a/b").unwrap(), 1.5);
        assert!(number(&value, "/c").is_err());
        assert!(number(&value, "/d").is_err());
    }
}
