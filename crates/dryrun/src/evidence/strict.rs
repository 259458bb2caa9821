//! JSON in which no object has a key twice.
//!
//! Of two values under one key most readers take the last one and say nothing: a file could show one figure to its reader and another
//! to its judge. RFC 8259, section 4, calls the outcome unpredictable; here it is an error, at every depth.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A value of which each object has each key once.
#[derive(Debug)]
pub(super) struct Strict(pub(super) Value);

/// What is said of a key that is there twice.
pub(super) fn twice(key: &str) -> String {
    let shown: String = key.chars().take(80).collect();
    format!("duplicate key `{}`", shown.escape_debug())
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading).map(Self)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = from.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            // Before its value is read: the error then names the place of the key.
            if map.contains_key(&key) {
                return Err(A::Error::custom(twice(&key)));
            }
            let Strict(value) = from.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            "null",
            "[true,false,-1,18446744073709551615,1.5e300,\"\\u0061\"]",
            "{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]},\"b\":\"x\"}",
        ] {
            let Strict(value) = serde_json::from_str(text).unwrap();
            assert_eq!(
                value,
                serde_json::from_str::<Value>(text).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_key_twice_is_an_error_at_every_depth_and_in_every_spelling() {
        for text in [
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"b\":2,\"\\u0061\":3}",
            "[0,{\"x\":[[{\"a\":{},\"a\":null}]]}]",
        ] {
            let e = serde_json::from_str::<Strict>(text).unwrap_err();
            assert!(e.to_string().contains("duplicate key `a`"), "{text}: {e}");
        }
    }
}
