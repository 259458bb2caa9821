//! Canonical JSON (RFC 8785) for fingerprints, and the strict parser that guards it.
//!
//! A text is admitted only if it has one meaning: [`parse`] refuses what parsers disagree about (duplicate keys,
//! integers beyond 2^53, non-finite numbers, invalid UTF-8, trailing bytes). Nothing is hashed before that.

use std::fmt;

use serde::Serialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The largest integer that every JSON reader keeps exactly: 2^53 − 1 (RFC 8259 section 6).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Returns the RFC 8785 form of `value`.
///
/// # Errors
/// [`CanonicalError::Number`] for integers beyond ±(2^53 − 1) and non-finite numbers, [`CanonicalError::Shape`] for what
/// JSON cannot hold.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value).map_err(|e| CanonicalError::Shape(e.to_string()))?;
    check(&value)?;
    serde_json_canonicalizer::to_vec(&value).map_err(|e| CanonicalError::Shape(e.to_string()))
}

/// Parses `bytes` as one JSON value and refuses every text with more than one reading.
///
/// # Errors
/// [`CanonicalError`] naming the key or number at fault.
pub fn parse(bytes: &[u8]) -> Result<Value, CanonicalError> {
    read(bytes, Strict { safe: true })
}

/// As [`parse`], with numbers of any size: for what a schema judges next. What comes of it may have no canonical form.
///
/// # Errors
/// [`CanonicalError::Utf8`], [`CanonicalError::Shape`].
pub fn parse_any(bytes: &[u8]) -> Result<Value, CanonicalError> {
    read(bytes, Strict { safe: false })
}

fn read(bytes: &[u8], how: Strict) -> Result<Value, CanonicalError> {
    let text = std::str::from_utf8(bytes).map_err(|e| CanonicalError::Utf8(e.valid_up_to()))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = how
        .deserialize(&mut reader)
        .map_err(|e| CanonicalError::Shape(e.to_string()))?;
    reader
        .end()
        .map_err(|e| CanonicalError::Shape(e.to_string()))?;
    Ok(value)
}

fn check(value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Number(n) => safe(n),
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(map) => map.values().try_for_each(check),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn safe(n: &Number) -> Result<(), CanonicalError> {
    let ok = match (n.as_u64(), n.as_i64(), n.as_f64()) {
        (Some(u), _, _) => u <= MAX_SAFE_INTEGER,
        (None, Some(i), _) => i.unsigned_abs() <= MAX_SAFE_INTEGER,
        (None, None, Some(f)) => {
            f.is_finite() && (f.fract() != 0.0 || f.abs() <= MAX_SAFE_INTEGER as f64)
        }
        (None, None, None) => false,
    };
    if ok {
        Ok(())
    } else {
        Err(CanonicalError::Number(n.to_string()))
    }
}

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// Not UTF-8 from this byte on.
    #[error("not UTF-8 at byte {0}")]
    Utf8(usize),
    /// A number that readers disagree about.
    #[error("number `{0}` is beyond 2^53 or not finite; write it as a string")]
    Number(String),
    /// Not one JSON value, or a duplicate key.
    #[error("not admissible JSON: {0}")]
    Shape(String),
}

#[derive(Clone, Copy)]
struct Strict {
    /// Whether numbers must be those that every reader has.
    safe: bool,
}

impl Strict {
    fn number<E: de::Error>(self, n: Number) -> Result<Value, E> {
        if self.safe {
            safe(&n).map_err(E::custom)?;
        }
        Ok(Value::Number(n))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Value, E> {
        self.number(Number::from(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        self.number(Number::from(v))
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v)
            .ok_or_else(|| E::custom("non-finite number"))
            .and_then(|n| self.number(n))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(self)?;
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate key `{key}`")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_keys_and_writes_numbers_as_rfc_8785_does() {
        let value =
            parse(br#"{ "b": 1.0, "a": [1e15, 4.50, 2e-3], "\u20ac": "\u000F\n" }"#).unwrap();
        let text = String::from_utf8(to_vec(&value).unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"a\":[1000000000000000,4.5,0.002],\"b\":1,\"€\":\"\\u000f\\n\"}"
        );
    }

    #[test]
    fn refuses_what_readers_disagree_about() {
        for bad in [
            &br#"{"a":1,"a":1}"#[..],
            br#"{"x":{"a":1,"\u0061":2}}"#,
            b"9007199254740993",
            b"-9007199254740993",
            b"1e999",
            b"{} {}",
            b"\xff",
            b"NaN",
            b"",
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
            let number = bad.first().is_some_and(|b| matches!(b, b'-' | b'9'));
            assert_eq!(parse_any(bad).is_ok(), number, "{bad:?}");
        }
        assert!(to_vec(&(1u64 << 60)).is_err());
    }
}
