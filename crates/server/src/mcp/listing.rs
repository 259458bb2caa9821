//! The tools that a caller is told of, made from the registry.
//!
//! Invariants: the order is the registry's; what is told depends on the caller's scopes and on nothing that was said before.

use std::sync::{Arc, LazyLock};

use gonogo_app::access::Principal;
use gonogo_app::doors::{self, TOOLS};
use gonogo_core::envelope::Class;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::way::Way;

/// So deep an answer's schema is told. What lies deeper is in `gonogo call TOOL --schema` and in the OpenAPI document: agents read these
/// schemas with every conversation, and clients only check with them.
const DEPTH: usize = 2;

/// The tool of this name, if agents have it.
pub(super) fn offered(name: &str) -> Option<&'static doors::Tool> {
    doors::find(name).filter(|tool| is_offered(tool))
}

fn is_offered(tool: &doors::Tool) -> bool {
    tool.facts.not_mcp.is_empty() && !tool.facts.people_only
}

/// What this caller can call.
pub(super) fn tools(way: &Way, principal: &Principal) -> Vec<Tool> {
    static ALL: LazyLock<Vec<(&'static doors::Tool, Tool)>> = LazyLock::new(|| {
        let offered = TOOLS.iter().filter(|tool| is_offered(tool));
        offered.map(|tool| (tool, described(tool))).collect()
    });
    let may = |tool: &doors::Tool| {
        let known = !way.knows_scopes() || principal.scopes.contains(&tool.facts.scope);
        known && way.allows(tool.facts.class)
    };
    let theirs = ALL.iter().filter(|(tool, _)| may(tool));
    theirs.map(|(_, told)| told.clone()).collect()
}

/// A tool as it is told.
pub(super) fn described(tool: &'static doors::Tool) -> Tool {
    let f = &tool.facts;
    let mut told = Tool::new(f.name, f.about, object(portable(tool.input().clone())));
    told.title = Some(f.title.into());
    told.output_schema = Some(object(output(tool)));
    told.annotations = Some(ToolAnnotations::from_raw(
        None,
        Some(f.class == Class::Read || f.keeps_nothing),
        Some(f.destructive),
        Some(f.idempotent),
        Some(f.open_world),
    ));
    told
}

/// An input's schema without `null` for what may be left out, which is the same to us: schemas of some model providers have no types in
/// lists.
fn portable(mut schema: Value) -> Value {
    // Some of them want to be told that there are none.
    if schema.get("properties").is_none() {
        schema["properties"] = json!({});
    }
    let Some(Value::Object(fields)) = schema.get_mut("properties") else {
        return schema;
    };
    for of in fields.values_mut() {
        if let Some(Value::Array(types)) = of.get_mut("type") {
            types.retain(|one| one != "null");
            if let [one] = types.as_slice() {
                of["type"] = one.clone();
            }
        }
        if let Some(Value::Array(all)) = of.get_mut("anyOf") {
            all.retain(|one| one["type"] != "null");
        }
        if let Some(Value::Array(all)) = of.get_mut("enum") {
            all.retain(|one| !one.is_null());
        }
    }
    schema
}

/// The schema of what is answered: the envelope, with this use case's data in it or with an error.
fn output(tool: &doors::Tool) -> Value {
    let any = || json!({"type": "object"});
    json!({
        "type": "object",
        "required": ["success", "metadata", "policy"],
        "properties": {
            "success": {"type": "boolean"},
            "metadata": any(),
            "policy": any(),
            "data": shallow(tool.output(), DEPTH),
            "error": any(),
            "handle": any(),
        },
    })
}

/// Keys of a schema that say something of a value whose parts are not told.
const SHORT: [&str; 3] = ["type", "enum", "const"];

/// A schema that admits what `schema` admits, told so deep and no deeper. Nothing is required: a task's answer has less.
fn shallow(schema: &Value, depth: usize) -> Value {
    let Value::Object(schema) = schema else {
        return json!({});
    };
    // A schema that refers to itself is told by its name alone.
    if schema.contains_key("$ref") {
        return json!({});
    }
    let mut told: Map<String, Value> = SHORT
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), schema.get(*key)?.clone())))
        .collect();
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(all)) = schema.get(key) {
            let all = all.iter().map(|one| shallow(one, depth));
            // Alternatives that differ only in what is not told are one for whoever checks.
            told.insert("anyOf".into(), all.collect());
        }
    }
    let Some(depth) = depth.checked_sub(1) else {
        return told.into();
    };
    if let Some(Value::Object(fields)) = schema.get("properties") {
        let fields = fields.iter();
        let fields: Map<String, Value> = fields
            .map(|(name, of)| (name.clone(), shallow(of, depth)))
            .collect();
        told.insert("properties".into(), fields.into());
    }
    if let Some(items) = schema.get("items") {
        // A list of things is as deep as the things.
        told.insert("items".into(), shallow(items, depth));
    }
    told.into()
}

fn object(value: Value) -> Arc<JsonObject> {
    match value {
        Value::Object(map) => Arc::new(map),
        _ => Arc::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_list_is_small() {
        let all: Vec<Tool> = TOOLS
            .iter()
            .filter(|t| is_offered(t))
            .map(described)
            .collect();
        let size = serde_json::to_vec(&all).unwrap().len();
        assert!(
            size < 1_400 * all.len(),
            "{size} bytes for {} tools",
            all.len()
        );
    }

    #[test]
    fn the_page_says_of_each_scope_which_tools_it_brings() {
        let page = include_str!("../../../../docs/mcp.md");
        let (_, table) = page.split_once("| scope | tools that it brings |").unwrap();
        let rows = table.lines().skip(2).take_while(|l| l.starts_with('|'));
        let told: Vec<(Vec<&str>, bool)> = rows
            .map(|row| {
                let words = row.split('`').skip(1).step_by(2).collect();
                (words, row.contains("everything that looks"))
            })
            .collect();
        for tool in TOOLS.iter().filter(|t| is_offered(t)) {
            let (scope, name) = (tool.facts.scope.name(), tool.facts.name);
            let row = told.iter().find(|(words, _)| words.first() == Some(&scope));
            let (words, all) = row.unwrap_or_else(|| panic!("no row has `{scope}`"));
            assert!(*all || words.contains(&name), "`{scope}` brings `{name}`");
        }
        for name in told.iter().flat_map(|(words, _)| &words[1..]) {
            assert!(offered(name).is_some(), "`{name}` is no tool of agents");
        }
    }

    #[test]
    fn every_tool_has_a_schema_of_its_answer_and_all_four_annotations() {
        for tool in TOOLS.iter().filter(|t| is_offered(t)) {
            let told = serde_json::to_value(described(tool)).unwrap();
            for hint in [
                "readOnlyHint",
                "destructiveHint",
                "idempotentHint",
                "openWorldHint",
            ] {
                assert!(told["annotations"][hint].is_boolean(), "{told:#}");
            }
            assert_eq!(told["inputSchema"]["type"], "object", "{told:#}");
            assert_eq!(told["outputSchema"]["type"], "object", "{told:#}");
            let read_only = told["annotations"]["readOnlyHint"] == true;
            let destructive = told["annotations"]["destructiveHint"] == true;
            assert!(!(read_only && destructive), "{told:#}");
        }
    }

    #[test]
    fn no_inputs_schema_has_types_in_lists() {
        for tool in TOOLS.iter().filter(|t| is_offered(t)) {
            let input = described(tool).input_schema;
            for (name, of) in input["properties"].as_object().into_iter().flatten() {
                let plain =
                    of["type"].is_string() || of["anyOf"].is_array() || of["enum"].is_array();
                assert!(plain, "{} {name}: {of:#}", tool.facts.name);
            }
        }
    }

    #[test]
    fn nobody_is_offered_to_decide() {
        assert!(doors::find("approval_decide").is_some());
        assert!(offered("approval_decide").is_none());
    }

    #[test]
    fn what_is_told_of_a_schema_admits_what_the_schema_admits() {
        let schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": {"type": "string", "pattern": "^x$", "description": "an a"},
                "b": {"type": ["array", "null"], "items": {"type": "object", "properties": {"c": {"type": "object", "properties": {"d": {"type": "string"}}}}}},
            },
        });
        assert_eq!(
            shallow(&schema, 2),
            json!({
                "type": "object",
                "properties": {
                    "a": {"type": "string"},
                    "b": {"type": ["array", "null"], "items": {"type": "object"}},
                },
            })
        );
    }
}
