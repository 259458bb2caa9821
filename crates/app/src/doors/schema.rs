//! Schemas of what doors take and give, and holding one against the other.

use gonogo_core::Reason;
use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::AppError;

/// Faults that are listed at once.
const LISTED: usize = 8;

/// The longest value that a fault repeats, in bytes.
const ECHOED: usize = 80;

/// Schema of what a type is read from.
pub(super) fn of_input<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    made::<T>(settings.with(|s| s.inline_subschemas = true))
}

/// Schema of what a type is written as.
pub(super) fn of_output<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    made::<T>(settings.with(|s| s.inline_subschemas = true))
}

/// A generator for answers whose named types become schemas of an OpenAPI document.
pub(super) fn of_document() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with(|s| s.definitions_path = "/components/schemas".into());
    settings.into_generator()
}

fn made<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let mut value = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    if let Some(map) = value.as_object_mut() {
        map.remove("$schema");
        // A title is the type's name, which says nothing to whoever calls.
        map.remove("title");
    }
    value
}

/// Lists where `input` is not what the schema says.
pub(super) fn check(validator: &Validator, input: &Value) -> Result<(), AppError> {
    let mut paths = Vec::new();
    let mut told = Vec::new();
    for fault in validator.iter_errors(input).take(LISTED) {
        let path = dotted(&fault.instance_path().to_string());
        // A foreign value may be long, and what is long is nothing that anybody needs to read again.
        let long = fault.instance().as_str().is_some_and(|t| t.len() > ECHOED);
        let mut text = match long {
            true => fault.masked().to_string(),
            false => fault.to_string(),
        };
        if let Some((at, _)) = text.char_indices().nth(300) {
            text.truncate(at);
            text.push('…');
        }
        told.push(format!("{path}: {text}"));
        paths.push(path);
    }
    let Some(first) = paths.first().cloned() else {
        return Ok(());
    };
    let error = AppError::new(
        Reason::InputMalformed,
        format!("input: {}", told.join("; ")),
    );
    Err(error
        .hint("the schema of each input is in `GET /openapi.json`, and `gonogo call TOOL --schema` prints it")
        .with("path", first)
        .with("faults", json!(told)))
}

/// A JSON pointer (RFC 6901) as the contract writes places: `$.a[2].b`.
fn dotted(pointer: &str) -> String {
    let mut path = String::from("$");
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            path.push_str(&format!(".{part}"));
        }
    }
    path
}

/// The largest whole number that every reader of JSON has (RFC 8259, section 6).
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// Writes whole numbers as such: to JSON Schema `1.0` is an integer, to a reader of integers it is none.
pub fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(real) if number.is_f64() && real.fract() == 0.0 && real.abs() <= LARGEST => {
                json!(real as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(all) => all.into_iter().map(whole).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, whole(value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        let text = r#"{"a": [1.0, 2.5, 1e3, -4.0], "b": 9007199254740993.0}"#;
        let value = whole(serde_json::from_str(text).unwrap());
        assert_eq!(value["a"], json!([1, 2.5, 1000, -4]));
        assert!(value["b"].is_f64(), "it would lose digits");
    }

    #[test]
    fn places_are_written_as_the_contract_writes_them() {
        for (pointer, path) in [("", "$"), ("/a/2/b", "$.a[2].b"), ("/a~1b/~0", "$.a/b.~")] {
            assert_eq!(dotted(pointer), path);
        }
    }
}
