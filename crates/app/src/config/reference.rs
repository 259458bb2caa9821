//! The key table as people and editors want it: an example file, a table of keys, a JSON schema.
//!
//! All three say what [`super::keys`] says; tests hold them to the reader.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::keys::{Key, Kind, Need, ROOT, Section};

/// Returns an example file that reads without faults, with every key that people usually touch.
pub const fn template() -> &'static str {
    include_str!("template.toml")
}

/// Returns the reference page of the file: an introduction and the table of keys.
pub fn page() -> String {
    format!("{}{}", include_str!("intro.md"), key_table())
}

/// Returns every key as a Markdown table: dotted path, form, default, meaning.
pub fn key_table() -> String {
    let mut out = String::from("| key | form | default | meaning |\n|---|---|---|---|\n");
    rows(&mut out, "", &ROOT);
    out
}

fn rows(out: &mut String, at: &str, section: &'static Section) {
    for key in section.keys {
        let path = format!("{at}{}", key.name);
        let default = match key.need {
            Need::Required => "needed".into(),
            Need::Optional => "—".into(),
            Need::Default(toml) => format!("`{toml}`"),
        };
        let (form, inner) = form(&key.kind);
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| `{path}` | {form} | {default} | {} |",
            key.doc.replace('|', "\\|")
        );
        // `[versions."…"]` takes the keys of `[version]`; listing them twice would hide that.
        if let Some((suffix, section)) = inner
            && path != "versions"
        {
            rows(out, &format!("{path}{suffix}"), section);
        }
        if let Kind::MapBeside(_, kinds) = key.kind {
            rows(out, &format!("{path}."), kinds);
        }
    }
}

fn form(kind: &Kind) -> (String, Option<(&'static str, &'static Section)>) {
    let words = |words: &[&str]| {
        let quoted: Vec<String> = words.iter().map(|w| format!("`\"{w}\"`")).collect();
        quoted.join(", ")
    };
    match *kind {
        Kind::Text => ("text".into(), None),
        Kind::Texts => ("list of texts".into(), None),
        Kind::TextMap => ("table of texts".into(), None),
        Kind::Span => ("duration".into(), None),
        Kind::Share => ("share".into(), None),
        Kind::Count => ("whole number".into(), None),
        Kind::Number => ("number".into(), None),
        Kind::Size => ("size".into(), None),
        Kind::Flag => ("`true`, `false`".into(), None),
        Kind::Choice(list) => (words(list), None),
        Kind::Table(section) => ("table".into(), Some((".", section))),
        Kind::Map(section) | Kind::MapBeside(section, _) => {
            ("tables by name".into(), Some((".NAME.", section)))
        }
        Kind::List(section) => ("list of tables".into(), Some(("[].", section))),
        Kind::Either(list, section) => (format!("{} or table", words(list)), Some((".", section))),
    }
}

/// Returns the JSON schema (draft 2020-12) of the file, for editors.
///
/// It knows keys, forms and words; relations between values (growing weights, names that must exist) are the reader's.
pub fn schema() -> Value {
    let mut root = object(&ROOT);
    if let Some(map) = root.as_object_mut() {
        map.insert(
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        map.insert("title".into(), "gonogo.toml".into());
        // A file may be about dry runs alone, or about suites, recordings or budgets without releases.
        let required = map.remove("required").unwrap_or_default();
        let about = |key: &str| json!({ "required": [key] });
        let named = ["service", "environments", "version", "versions"].map(about);
        let releases = ["environments", "version", "versions"].map(about);
        let tested = ["suites", "record", "perf"].map(about);
        let alone = json!({ "anyOf": [
            { "required": ["dry_run"], "not": { "anyOf": named } },
            { "anyOf": tested, "not": { "anyOf": releases } },
        ] });
        map.insert("if".into(), json!({ "not": alone }));
        map.insert("then".into(), json!({ "required": required }));
    }
    root
}

fn object(section: &'static Section) -> Value {
    let property = |k: &Key| {
        let mut value = shape(&k.kind);
        if let Some(map) = value.as_object_mut() {
            map.insert("description".into(), k.doc.into());
        }
        (k.name.to_owned(), value)
    };
    let properties: Map<String, Value> = section.keys.iter().map(property).collect();
    let needed = |k: &&Key| matches!(k.need, Need::Required) && k.name != "run";
    let required: Vec<&str> = section.keys.iter().filter(needed).map(|k| k.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn shape(kind: &Kind) -> Value {
    match *kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::TextMap => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Span => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        Kind::Share => json!({ "type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,4})?%$" }),
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Number => json!({ "type": "number" }),
        Kind::Size => json!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB|TiB)$" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Table(section) => object(section),
        Kind::Map(section) => json!({ "type": "object", "additionalProperties": object(section) }),
        Kind::MapBeside(section, kinds) => {
            let mut value = object(kinds);
            if let Some(map) = value.as_object_mut() {
                map.insert("additionalProperties".into(), object(section));
            }
            value
        }
        Kind::List(section) => json!({ "type": "array", "items": object(section) }),
        Kind::Either(words, section) => json!({ "anyOf": [{ "enum": words }, object(section)] }),
    }
}

#[cfg(test)]
mod tests {
    use gonogo_core::{Bytes, Share, Span};

    use super::*;

    fn visit(section: &'static Section, check: &mut impl FnMut(&Key)) {
        for key in section.keys {
            check(key);
            if let (_, Some((_, inner))) = form(&key.kind) {
                visit(inner, check);
            }
            if let Kind::MapBeside(_, kinds) = key.kind {
                visit(kinds, check);
            }
        }
    }

    #[test]
    fn every_documented_default_has_the_form_of_its_key() {
        visit(&ROOT, &mut |key| {
            assert!(key.doc.ends_with('.'), "{}", key.name);
            let Need::Default(toml) = key.need else {
                return;
            };
            let parsed: toml::Table = toml::from_str(&format!("k = {toml}")).unwrap();
            let text = parsed["k"].as_str();
            let fits = match key.kind {
                Kind::Span => text.is_some_and(|t| t.parse::<Span>().is_ok()),
                Kind::Share => text.is_some_and(|t| t.parse::<Share>().is_ok()),
                Kind::Text => text.is_some(),
                Kind::Choice(words) => text.is_some_and(|t| words.contains(&t)),
                Kind::Count => parsed["k"].is_integer(),
                Kind::Number => parsed["k"].is_integer() || parsed["k"].is_float(),
                Kind::Size => text.is_some_and(|t| t.parse::<Bytes>().is_ok()),
                Kind::Flag => parsed["k"].is_bool(),
                Kind::Texts | Kind::List(_) => parsed["k"].is_array(),
                Kind::TextMap | Kind::Table(_) => parsed["k"].is_table(),
                Kind::Map(_) | Kind::MapBeside(..) | Kind::Either(..) => false,
            };
            assert!(fits, "{} = {toml}", key.name);
        });
    }

    #[test]
    fn the_schema_and_the_table_name_every_key() {
        let schema = schema().to_string();
        let table = key_table();
        visit(&ROOT, &mut |key| {
            assert!(
                schema.contains(&format!("\"{}\":", key.name)),
                "{}",
                key.name
            );
            assert!(table.contains(key.name), "{}", key.name);
        });
        assert!(
            table.contains("| `strategies.NAME.stages[].weight` | share | needed |"),
            "{table}"
        );
    }
}
