//! Holds the committed reference page and JSON schema to the key table, and the schema to the reader.
//!
//! Set `GONOGO_BLESS` to write both files anew.

use std::path::{Path, PathBuf};

use gonogo_app::config::{self, Config};
use serde_json::Value;

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference")
        .join(name)
}

fn fixtures(kind: &str) -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/config")
        .join(kind);
    let mut found: Vec<(String, String)> = std::fs::read_dir(dir)
        .expect("fixtures are there")
        .map(|entry| entry.expect("fixtures can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("fixtures are text");
            (
                path.file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                text,
            )
        })
        .collect();
    found.sort();
    found
}

fn committed(name: &str, want: &str) {
    if std::env::var_os("GONOGO_BLESS").is_some() {
        std::fs::write(docs(name), want).expect("the page can be written");
    }
    let found = std::fs::read_to_string(docs(name)).unwrap_or_default();
    assert!(
        found == want,
        "docs/reference/{name} is stale: run this test with GONOGO_BLESS=1"
    );
}

#[test]
fn the_page_is_what_the_key_table_says() {
    committed("config.md", &config::page());
}

#[test]
fn the_committed_schema_is_what_the_key_table_says() {
    let text = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    committed("gonogo.schema.json", &text);
}

#[test]
fn the_pages_examples_read() {
    let page = config::page();
    let blocks: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(blocks.len(), 2);
    let smallest = blocks[0];
    Config::parse(Path::new("g"), smallest.as_bytes()).unwrap();
    let approval = blocks[1]
        .replace("<64 hex digits>", &"0".repeat(64))
        .replace("<64 other hex digits>", &"1".repeat(64));
    let prod = smallest
        .replace("environments.local", "environments.prod")
        .replace("approval = \"self\"\n", "");
    Config::parse(Path::new("g"), format!("{prod}{approval}").as_bytes()).unwrap();
}

#[test]
fn the_schema_agrees_with_the_reader() {
    let schema = config::schema();
    let json = |text: &str| {
        let table: toml::Table = toml::from_str(text).ok()?;
        serde_json::to_value(table).ok()
    };
    for (name, text) in fixtures("valid") {
        let found = faults(&schema, &json(&text).unwrap(), "");
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    let found = faults(&schema, &json(config::template()).unwrap(), "");
    assert!(found.is_empty(), "{found:?}");
    // What a schema can see: keys, types, words. The rest of the invalid files is for the reader alone.
    for (name, at) in [
        ("unknown_keys", ".a b"),
        ("unknown_nested", ".strategies.x.stages.0.bak"),
        ("empty", ".service"),
        ("missing_inner", ".environments.local.target"),
        ("gates_unstated", ".environments.local.gates"),
        ("gate_unknown", ".environments.local.gates"),
        ("approval_unstated", ".environments.local.approval"),
        ("types", ".service"),
        ("units", ".strategies.default.stages.0.weight"),
    ] {
        let (_, text) = fixtures("invalid")
            .into_iter()
            .find(|(n, _)| n == name)
            .unwrap();
        let found = faults(&schema, &json(&text).unwrap(), "");
        assert!(found.iter().any(|f| f == at), "{name}: {found:?}");
    }
}

/// Whether a condition of the schema holds: `required`, `not`, `anyOf`.
fn holds(condition: &Value, value: &Value) -> bool {
    let names = condition["required"].as_array().into_iter().flatten();
    let required = names
        .map(|n| n.as_str().unwrap_or_default())
        .all(|name| value.get(name).is_some());
    let not = condition.get("not").is_none_or(|not| !holds(not, value));
    let any = condition["anyOf"]
        .as_array()
        .is_none_or(|all| all.iter().any(|one| holds(one, value)));
    required && not && any
}

/// The part of JSON Schema that our schema uses, patterns left out. Returns the paths at fault.
fn faults(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(options) = schema["anyOf"].as_array() {
        let fits = |option: &Value| faults(option, value, at).is_empty();
        if !options.iter().any(fits) {
            found.push(at.to_owned());
        }
        return found;
    }
    if let Some(words) = schema["enum"].as_array() {
        if !words.contains(value) {
            found.push(at.to_owned());
        }
        return found;
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        other => panic!("the schema has the type {other:?} at {at}"),
    };
    if !fits {
        found.push(at.to_owned());
        return found;
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(faults(&schema["items"], item, &format!("{at}.{i}")));
    }
    let excused = !schema["if"].is_object() || !holds(&schema["if"], value);
    let needed = match schema["if"].is_object() {
        true if excused => &Value::Null,
        true => &schema["then"]["required"],
        false => &schema["required"],
    };
    for name in needed.as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if value.get(name).is_none() {
            found.push(format!("{at}.{name}"));
        }
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let path = format!("{at}.{key}");
        let inner = &schema["properties"][key];
        let other = &schema["additionalProperties"];
        match (inner.is_object(), other.is_object()) {
            (true, _) => found.extend(faults(inner, item, &path)),
            (false, true) => found.extend(faults(other, item, &path)),
            (false, false) => found.push(path),
        }
    }
    found
}
