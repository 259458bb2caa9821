//! Values of documents: compared, counted, divided, dated.
//!
//! Nothing is coerced: a number in quotes is a text, and a rule that cannot be applied is invalid, whichever way it would have gone.

use gonogo_core::{Reason, Timestamp};
use serde_json::Value;

use super::short;
use crate::policy::{Floor, Op, Operand, Rule, number};

/// Why a rule does not hold.
pub(crate) type Broken = (Reason, String);

fn undecidable(text: String) -> Broken {
    (Reason::CheckUndecidable, text)
}

fn shown(value: &Value) -> String {
    short(&value.to_string()).chars().take(120).collect()
}

/// The value at a pointer. Of what was taken out of it nobody knows what it said.
pub(crate) fn at<'a>(document: &'a Value, pointer: &str) -> Result<&'a Value, Broken> {
    let found = there(document, pointer)?;
    if is_redacted(found) {
        return Err(undecidable(format!(
            "of what stands at `{pointer}` something was taken out as a secret"
        )));
    }
    Ok(found)
}

fn there<'a>(document: &'a Value, pointer: &str) -> Result<&'a Value, Broken> {
    let missing = || undecidable(format!("there is nothing at `{pointer}`"));
    document.pointer(pointer).ok_or_else(missing)
}

/// A list is compared by its texts.
fn is_redacted(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(gonogo_suite::redact::PREFIX),
        Value::Array(items) => items.iter().any(is_redacted),
        _ => false,
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Applies a rule.
pub(crate) fn rule(document: &Value, rule: &Rule) -> Result<(), Broken> {
    let found = match rule.op {
        Op::Exists => there(document, &rule.pointer)?,
        _ => at(document, &rule.pointer)?,
    };
    let place = &rule.pointer;
    let holds = match (&rule.op, &rule.value) {
        (Op::Exists, _) => {
            if found.is_null() {
                return Err(undecidable(format!("`{place}` is null")));
            }
            true
        }
        (Op::Matches(regex), _) => match found {
            Value::String(text) => regex.is_match(text),
            other => {
                let text = format!("`{place}` is {}, and a pattern needs a text", kind(other));
                return Err(undecidable(text));
            }
        },
        (Op::Contains, Operand::Value(value)) => contains(found, value).ok_or_else(|| {
            undecidable(format!(
                "`{place}` is {}, which cannot contain {}",
                kind(found),
                kind(value)
            ))
        })?,
        (op, Operand::Value(value)) => compare(op, found, value).ok_or_else(|| {
            undecidable(format!(
                "`{place}` is {}, and is compared with {}",
                kind(found),
                kind(value)
            ))
        })?,
        (_, Operand::None) => {
            return Err(undecidable(format!("`{place}` is compared with nothing")));
        }
    };
    if holds {
        return Ok(());
    }
    let with = match &rule.value {
        Operand::Value(value) => shown(value),
        Operand::None => String::new(),
    };
    let text = format!(
        "`{place}` is {}; the rule is {} {with}",
        shown(found),
        rule.op.word()
    );
    Err((Reason::CheckFailed, text))
}

fn contains(found: &Value, value: &Value) -> Option<bool> {
    match (found, value) {
        (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
        (Value::Array(items), value) => {
            // An empty list contains nothing, and says so.
            Some(items.iter().any(|item| is_same(item, value) == Some(true)))
        }
        (Value::Object(map), Value::String(key)) => Some(map.contains_key(key)),
        _ => None,
    }
}

/// `None` for values of different types.
fn is_same(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            if let (Some(x), Some(y)) = (x.as_i64(), y.as_i64()) {
                return Some(x == y);
            }
            Some(number(a)?.total_cmp(&number(b)?).is_eq())
        }
        (Value::Bool(x), Value::Bool(y)) => Some(x == y),
        (Value::String(x), Value::String(y)) => Some(x == y),
        _ => None,
    }
}

fn compare(op: &Op, found: &Value, value: &Value) -> Option<bool> {
    match op {
        Op::Eq => is_same(found, value),
        Op::Ne => is_same(found, value).map(|same| !same),
        op => {
            if !found.is_number() || !value.is_number() {
                return None;
            }
            let order = match (found.as_i64(), value.as_i64()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => number(found)?.partial_cmp(&number(value)?)?,
            };
            match op {
                Op::Lt => Some(order.is_lt()),
                Op::Le => Some(order.is_le()),
                Op::Gt => Some(order.is_gt()),
                Op::Ge => Some(order.is_ge()),
                _ => None,
            }
        }
    }
}

/// A count: a whole number from 0 on, or the length of a list.
pub(crate) fn count(document: &Value, pointer: &str) -> Result<u64, Broken> {
    match at(document, pointer)? {
        Value::Array(items) => Ok(items.len() as u64),
        Value::Number(n) if n.as_u64().is_some() => Ok(n.as_u64().unwrap_or_default()),
        other => Err(undecidable(format!(
            "`{pointer}` is {}, and no count",
            shown(other)
        ))),
    }
}

/// Counts that must add up.
pub(crate) fn counts(document: &Value, total: &str, parts: &[String]) -> Result<(), Broken> {
    let whole = count(document, total)?;
    let mut sum: u64 = 0;
    for part in parts {
        sum = sum
            .checked_add(count(document, part)?)
            .ok_or_else(|| undecidable("the counts are too large to be added".into()))?;
    }
    if sum == 0 && whole == 0 {
        return Err(undecidable(format!("`{total}` is 0: nothing was counted")));
    }
    if sum == whole {
        return Ok(());
    }
    let text = format!("`{total}` is {whole}, and its parts are {sum} together");
    Err((Reason::EvidenceCountMismatch, text))
}

/// A share that must not be below its floor.
pub(crate) fn percentage(
    document: &Value,
    numerator: &str,
    denominator: Option<&str>,
    floor: &Floor,
) -> Result<(), Broken> {
    let least = floor.at_least;
    let Some(denominator) = denominator else {
        let value = at(document, numerator)?;
        let percent = number(value).filter(|n| (0.0..=100.0).contains(n));
        let Some(percent) = percent else {
            return Err(undecidable(format!(
                "`{numerator}` is {}, and no per cent from 0 to 100",
                shown(value)
            )));
        };
        // Per cent times 10,000 are parts per million.
        if percent * 10_000.0 >= f64::from(least.ppm()) {
            return Ok(());
        }
        let text = format!("`{numerator}` is {percent} per cent; at least {least} is asked");
        return Err((Reason::CheckFailed, text));
    };
    let (part, whole) = (count(document, numerator)?, count(document, denominator)?);
    share(part, whole, least, floor.min_denominator)
}

/// Whether a part of a whole is large enough.
pub(crate) fn share(
    part: u64,
    whole: u64,
    least: gonogo_core::Share,
    min_whole: u64,
) -> Result<(), Broken> {
    if whole == 0 {
        return Err(undecidable(
            "the whole is 0, and nothing is a share of it".into(),
        ));
    }
    if part > whole {
        return Err(undecidable(format!(
            "{part} is more than the whole, {whole}"
        )));
    }
    if whole < min_whole {
        let text = format!("the whole is {whole}, and at least {min_whole} is asked");
        return Err((Reason::EvidenceCountMismatch, text));
    }
    if u128::from(part) * 1_000_000 >= u128::from(least.ppm()) * u128::from(whole) {
        return Ok(());
    }
    let percent = part as f64 * 100.0 / whole as f64;
    let text = format!("{part} of {whole} are {percent:.2} per cent; at least {least} is asked");
    Err((Reason::CheckFailed, text))
}

/// A time in a document.
pub(crate) fn time(document: &Value, pointer: &str) -> Result<Timestamp, Broken> {
    let value = at(document, pointer)?;
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| {
        undecidable(format!(
            "`{pointer}` is {}, and no time with its zone",
            shown(value)
        ))
    })
}

/// A text with something in it.
pub(crate) fn text<'a>(document: &'a Value, pointer: &str) -> Result<&'a str, Broken> {
    match at(document, pointer)? {
        Value::String(text) if !crate::strict::is_blank(text) => Ok(text),
        other => Err(undecidable(format!(
            "`{pointer}` is {}, and no text",
            shown(other)
        ))),
    }
}
