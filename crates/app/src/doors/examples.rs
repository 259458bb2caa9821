//! Inputs that are shown: the registry's examples, with samples in the place of what only a project has.
//!
//! They are published in the OpenAPI document, by `gonogo call TOOL --schema` and on the reference page, and not in MCP's list of tools,
//! which agents read with every conversation. Tests hold each against its schema and carry each out against a project.

use serde_json::{Map, Value};

use super::tool::{Route, Tool};

/// What stands in examples for something that only a project has, and a sample of it that the schemas admit.
const SAMPLES: [(&str, &str); 9] = [
    ("{plan}", "pln_0123456789ab"),
    (
        "{fingerprint}",
        "v2:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("{operation}", "op_0123456789ab"),
    ("{approval}", "apr_0123456789ab"),
    ("{delegation}", "dlg_0123456789ab"),
    ("{incident}", "inc_0123456789ab"),
    ("{freeze}", "frz_0123456789ab"),
    ("{tomorrow}", "2027-01-31T12:00:00Z"),
    (
        "\"{signed}\"",
        r#"{"payloadType": "application/vnd.gonogo.approval.v1+json", "payload": "e30=", "signatures": [{"keyid": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "sig": "AA=="}], "publicKey": "AA=="}"#,
    ),
];

impl Tool {
    /// Inputs that are shown; none that is no JSON, which a test would see.
    pub fn examples(&self) -> Vec<Value> {
        let texts = self.facts.examples.iter().map(|text| {
            SAMPLES
                .iter()
                .fold((*text).to_owned(), |text, (name, sample)| {
                    text.replace(name, sample)
                })
        });
        texts
            .filter_map(|text| serde_json::from_str(&text).ok())
            .collect()
    }

    /// The input's schema with its examples.
    pub fn shown_input(&self) -> Value {
        let mut schema = self.input().clone();
        schema["examples"] = self.examples().into();
        schema
    }
}

/// What the examples say for a parameter; none where they leave it out.
pub(super) fn of_parameter(tool: &Tool, name: &str) -> Option<Value> {
    let examples = tool.examples();
    examples.iter().find_map(|e| e.get(name)).cloned()
}

/// Bodies of requests to `route`, each once: what is in the path is not in the body.
pub(super) fn of_body(tool: &Tool, route: Route) -> Vec<Value> {
    let mut bodies: Vec<Value> = Vec::new();
    for mut example in tool.examples() {
        if let Some(map) = example.as_object_mut() {
            map.retain(|name, _| !route.fields().any(|f| f == name));
        }
        if !bodies.contains(&example) {
            bodies.push(example);
        }
    }
    bodies
}

/// Examples as a media type of OpenAPI has them, by number.
pub(super) fn numbered(values: Vec<Value>) -> Map<String, Value> {
    let values = values.into_iter().enumerate();
    values
        .map(|(n, value)| {
            (
                format!("example{}", n + 1),
                serde_json::json!({ "value": value }),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::doors::{TOOLS, openapi};

    #[test]
    fn every_use_case_has_examples_and_its_schema_admits_them() {
        for tool in &TOOLS {
            let name = tool.facts.name;
            let examples = tool.examples();
            assert_eq!(examples.len(), tool.facts.examples.len(), "{name}");
            assert!(!examples.is_empty(), "{name} has no example");
            let validator = jsonschema::draft202012::new(tool.input()).unwrap();
            for example in examples {
                assert!(!example.to_string().contains("\"{"), "{name}: {example}");
                let faults: Vec<String> = validator
                    .iter_errors(&example)
                    .map(|e| e.to_string())
                    .collect();
                assert!(faults.is_empty(), "{name}: {example}: {faults:?}");
            }
        }
    }

    #[test]
    fn the_documents_examples_are_what_their_schemas_say() {
        let document = openapi(false);
        let mut seen = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let Some(example) = parameter.get("example") else {
                        continue;
                    };
                    let schema = jsonschema::draft202012::new(&parameter["schema"]).unwrap();
                    assert!(schema.is_valid(example), "{path}: {parameter:#}");
                    seen += 1;
                }
                let body = &operation["requestBody"]["content"]["application/json"];
                for (name, example) in body["examples"].as_object().into_iter().flatten() {
                    let schema = jsonschema::draft202012::new(&body["schema"]).unwrap();
                    assert!(
                        schema.is_valid(&example["value"]),
                        "{path} {name}: {example:#}"
                    );
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }
}
