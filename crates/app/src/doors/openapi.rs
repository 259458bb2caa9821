//! The OpenAPI 3.1 document of the registry's addresses. Its format: spec.openapis.org/oas/v3.1.1; its schemas are JSON Schema 2020-12.

mod sessions;

use gonogo_core::envelope::{CONTRACT_VERSION, Category, Class, Code, Retry};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::examples;
use super::once::Reads;
use super::operations::Handle;
use super::plans::may_make_nothing;
use super::registry::TOOLS;
use super::schema;
use super::tool::{Method, Route, Tool};

/// Errors that every address can answer with, by status.
const FAILURES: [(u16, &str); 16] = [
    (400, "The input is not what the schema says."),
    (401, "Nobody is shown to be asking."),
    (403, "Who asks may not do this, or an approval is missing."),
    (404, "What is asked for is not there."),
    (405, "The address takes other methods."),
    (406, "The caller accepts no type that can be answered with."),
    (408, "The body did not come in time."),
    (409, "What is asked for does not fit what is."),
    (413, "The body is too large."),
    (414, "The address is too long."),
    (415, "The body is no JSON in UTF-8."),
    (429, "Too much was asked at once."),
    (431, "The headers are too many or too large."),
    (500, "gonogo failed."),
    (503, "What gonogo needs is not there."),
    (504, "The answer did not come in time."),
];

/// Those of them that are told before anybody looks what the address is for: they have the plain envelope everywhere.
const BEFORE: [u16; 3] = [405, 414, 431];

/// The longest that a caller can wait for an end, in seconds: within the time that reads have at most.
pub const LONGEST_WAIT: u64 = 10;

/// The least time that a caller can give an answer, in milliseconds: enough for a good one on a machine that has other work, too.
pub const LEAST_TIMEOUT_MS: u64 = 500;

/// The document; with `anybody` that of a server that asks nobody who they are.
pub fn document(anybody: bool) -> Value {
    let mut paths = Map::new();
    let mut all = schema::of_document();
    for tool in &TOOLS {
        for (n, route) in tool.facts.routes.iter().enumerate() {
            let path = paths.entry(route.path).or_insert_with(|| json!({}));
            let method = route.method.name().to_ascii_lowercase();
            path[method] = operation(tool, *route, n, &mut all);
        }
    }
    paths.insert("/tools/invoke".into(), json!({ "post": invoke() }));
    for (path, about) in [
        ("/livez", "Whether the server answers at all."),
        ("/readyz", "Whether requests can be answered."),
        ("/openapi.json", "This document."),
    ] {
        let id = path.trim_matches('/').replace('.', "_");
        let mut responses = json!({"200": {"description": about, "content": {"application/json": {"schema": {"type": "object"}}}}});
        for (status, about) in FAILURES.iter().filter(|(s, _)| BEFORE.contains(s)) {
            responses[status.to_string()] = json!({"description": about, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GonogoFailure"}}}});
        }
        if path == "/readyz" {
            responses["503"] = json!({"description": "They cannot.", "content": {"application/json": {"schema": {"type": "object"}}}});
        }
        paths.insert(
            path.into(),
            json!({"get": {"operationId": id, "summary": about, "tags": ["server"], "security": [], "responses": responses}}),
        );
    }
    for (path, methods) in sessions::paths(&mut all) {
        paths.insert(path.into(), methods);
    }
    let mut schemas = all.take_definitions(true);
    // Names of types never begin with the product's name.
    let own = [
        ("GonogoFailure", failure()),
        (
            "GonogoWrappedFailure",
            json!({"type": "object", "required": ["envelope"], "properties": {"envelope": {"$ref": "#/components/schemas/GonogoFailure"}}}),
        ),
        ("GonogoHandle", schema::of_output::<Handle>()),
        ("GonogoMetadata", metadata()),
        (
            "GonogoPolicy",
            schema::of_output::<gonogo_core::envelope::Policy>(),
        ),
    ];
    schemas.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    let mut security = vec![json!({"token": []}), json!({"session": []})];
    if anybody {
        security.push(json!({}));
    }
    json!({
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "gonogo",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Plans, approvals, operations and evidence of releases.",
            "description": format!("Every reply is one envelope, contract {CONTRACT_VERSION}. `error.details.reasonCodes` is never empty."),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": security,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`gonogo token create` makes one; an issuer's are taken where `[oidc]` names it."},
                "session": sessions::scheme(),
            },
            "schemas": schemas,
        },
    })
}

/// The name of a use case's address in the document.
fn id(tool: &Tool, n: usize) -> String {
    match n {
        0 => tool.facts.name.to_owned(),
        n => format!("{}_{}", tool.facts.name, n + 1),
    }
}

/// One operation of the document.
fn operation(tool: &Tool, route: Route, n: usize, all: &mut SchemaGenerator) -> Value {
    let facts = &tool.facts;
    let id = id(tool, n);
    let (mut parameters, body) = split(tool, route);
    parameters.push(json!({
        "name": "X-Trace-Id",
        "in": "header",
        "description": "Ties the reply, and what it begins, to the caller's trace; W3C `traceparent` comes first.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
    }));
    match Reads::of(tool) {
        Reads::Nothing => {}
        Reads::Request => parameters.push(key(
            "The same request under the same key has the same answer, for seven days; another one is a conflict.",
        )),
        Reads::Input => parameters.push(key(
            "The `idempotencyKey` of the body, which may stay out then; two different ones are refused.",
        )),
    }
    if facts.waits {
        parameters.push(json!({
            "name": "wait",
            "in": "query",
            "description": "Answer when it has ended, or after so many seconds.",
            "schema": {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT},
        }));
    }
    let mut responses = Map::new();
    if route.method == Method::Get {
        parameters.push(json!({
            "name": "If-None-Match",
            "in": "header",
            "description": "An earlier answer's `ETag`: 304 if nothing has changed since.",
            "schema": {"type": "string"},
        }));
        responses.insert(
            "304".into(),
            json!({"description": "Nothing has changed since."}),
        );
    }
    // `If-Match` is told in words: whoever makes requests up from parameters would make up tags, and every such tag is a wrong one.
    let guarded = super::guarded(tool, &route).map(|(_, of)| of.path);
    if let Some(of) = guarded {
        let failure =
            json!({"application/json": {"schema": {"$ref": "#/components/schemas/GonogoFailure"}}});
        responses.insert(
            "412".into(),
            json!({
                "description": format!("The request had `If-Match`, and what is at `{of}` has another `ETag` by now."),
                "content": failure,
            }),
        );
    }
    let mut good = json!({
        "description": facts.title,
        "content": {"application/json": {"schema": success(tool.described(all))}},
    });
    good["headers"] = json!({ "Gonogo-Exit": exit() });
    if facts.class == Class::Apply {
        good["headers"]["Location"] =
            json!({"description": "The operation, where one began.", "schema": {"type": "string"}});
        good["headers"]["Retry-After"] = seconds();
    }
    let links = links(tool);
    if !links.is_empty() {
        good["links"] = links.into();
    }
    if may_make_nothing(tool) {
        let mut nothing = good.clone();
        nothing["description"] = "There is nothing to make.".into();
        responses.insert("200".into(), nothing);
    }
    responses.insert(route.status.to_string(), good);
    failures(&mut responses, "GonogoFailure");
    let mut operation = json!({
        "operationId": id,
        "summary": facts.title,
        "description": facts.about,
        "tags": [tag(route.path)],
        "parameters": parameters,
        "responses": responses,
        "x-gonogo-class": facts.class,
        "x-gonogo-scope": facts.scope,
    });
    if let Some(of) = guarded {
        let about = format!(
            "{} Takes `If-Match` with the `ETag` of `{of}`.",
            facts.about
        );
        operation["description"] = about.into();
        operation["x-gonogo-if-match"] = of.into();
    }
    if let Some(body) = body {
        let examples = examples::numbered(examples::of_body(tool, route));
        operation["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": body, "examples": examples}}});
    }
    operation
}

/// The header that a caller's key comes in.
fn key(about: &str) -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": about,
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]{1,200}$"},
    })
}

/// Where an answer leads: to every address that takes something which it gives.
fn links(from: &Tool) -> Map<String, Value> {
    let mut links = Map::new();
    for to in &TOOLS {
        for (n, route) in to.facts.routes.iter().enumerate() {
            let in_path: Vec<&str> = route.fields().collect();
            let (mut parameters, mut body) = (Map::new(), Map::new());
            for (field, pointer) in from.facts.gives {
                let place = format!("$response.body#{pointer}");
                if in_path.contains(field) {
                    parameters.insert((*field).into(), place.into());
                } else if to.input()["properties"].get(field).is_some()
                    && route.method == Method::Post
                {
                    body.insert((*field).into(), place.into());
                }
            }
            if parameters.is_empty() && body.is_empty() {
                continue;
            }
            let id = id(to, n);
            let mut link = json!({"operationId": id, "description": to.facts.title});
            if !parameters.is_empty() {
                link["parameters"] = parameters.into();
            }
            if !body.is_empty() {
                link["requestBody"] = body.into();
            }
            links.insert(id, link);
        }
    }
    links
}

fn tag(path: &str) -> &str {
    let mut parts = path.split('/').skip(1);
    match parts.next() {
        Some("v1") => parts.next().unwrap_or("v1"),
        other => other.unwrap_or_default(),
    }
}

/// Parameters of path and query, and the body's schema where there is one.
fn split(tool: &Tool, route: Route) -> (Vec<Value>, Option<Value>) {
    let mut schema = tool.input().clone();
    let required: Vec<String> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let in_path: Vec<&str> = route.fields().collect();
    let parameter = |place: &str, name: &str, schema: &Value| {
        let mut schema = schema.clone();
        // A parameter that is not given is absent; it is never null.
        if let Some(types) = schema["type"].as_array() {
            let own = types.iter().find(|t| *t != "null").cloned();
            schema["type"] = own.unwrap_or_default();
        }
        let about = schema["description"].take();
        if let Some(map) = schema.as_object_mut() {
            map.remove("description");
        }
        let mut told = json!({
            "name": name,
            "in": place,
            "required": place == "path" || required.iter().any(|r| r == name),
            "description": about,
            "schema": schema,
        });
        if let Some(example) = examples::of_parameter(tool, name) {
            told["example"] = example;
        }
        told
    };
    let properties = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let mut parameters: Vec<Value> = in_path
        .iter()
        .map(|name| parameter("path", name, &properties[*name]))
        .collect();
    if route.method == Method::Get {
        let query = properties
            .iter()
            .filter(|(name, _)| !in_path.contains(&name.as_str()));
        parameters.extend(query.map(|(name, schema)| parameter("query", name, schema)));
        return (parameters, None);
    }
    if let Some(map) = schema["properties"].as_object_mut() {
        map.retain(|name, _| !in_path.contains(&name.as_str()));
    }
    let left: Vec<&String> = required
        .iter()
        .filter(|r| !in_path.contains(&r.as_str()))
        .collect();
    schema["required"] = json!(left);
    if let Some(map) = schema.as_object_mut() {
        map.remove("description");
    }
    (parameters, Some(schema))
}

/// The header with the exit code.
fn exit() -> Value {
    json!({"description": "Exit code of the command that would answer so.", "schema": {"type": "integer", "minimum": 0, "maximum": 255}})
}

fn seconds() -> Value {
    json!({"description": "Seconds.", "schema": {"type": "integer"}})
}

fn failures(responses: &mut Map<String, Value>, name: &str) {
    for (status, about) in FAILURES {
        let mut response = json!({
            "description": about,
            "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{}", if BEFORE.contains(&status) { "GonogoFailure" } else { name })}}},
        });
        response["headers"] = json!({ "Gonogo-Exit": exit() });
        if matches!(status, 429 | 503) {
            response["headers"]["Retry-After"] = seconds();
        }
        if status == 401 {
            response["headers"]["WWW-Authenticate"] =
                json!({"description": "How to ask.", "schema": {"type": "string"}});
        }
        responses.insert(status.to_string(), response);
    }
}

/// The envelope around an answer.
fn success(data: Value) -> Value {
    json!({
        "type": "object",
        "required": ["success", "metadata", "policy", "data"],
        "properties": {
            "success": {"const": true},
            "metadata": {"$ref": "#/components/schemas/GonogoMetadata"},
            "policy": {"$ref": "#/components/schemas/GonogoPolicy"},
            "data": data,
            "handle": {"$ref": "#/components/schemas/GonogoHandle"},
        },
        "additionalProperties": false,
    })
}

fn metadata() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["toolId", "toolVersion", "contractVersion", "operationClass", "traceId", "timestamp"],
        "properties": {
            "toolId": text,
            "toolVersion": text,
            "contractVersion": {"const": CONTRACT_VERSION},
            "operationClass": words::<Class>(),
            "traceId": text,
            "timestamp": schema::of_output::<gonogo_core::Timestamp>(),
        },
        "additionalProperties": false,
    })
}

fn failure() -> Value {
    json!({
        "type": "object",
        "required": ["success", "metadata", "policy", "error"],
        "properties": {
            "success": {"const": false},
            "metadata": {"$ref": "#/components/schemas/GonogoMetadata"},
            "policy": {"$ref": "#/components/schemas/GonogoPolicy"},
            "error": {
                "type": "object",
                "required": ["code", "category", "source", "traceId", "message", "retriable", "details"],
                "properties": {
                    "code": words::<Code>(),
                    "category": words::<Category>(),
                    "source": {"type": "string"},
                    "traceId": {"type": "string"},
                    "message": {"type": "string"},
                    "retriable": {"type": "boolean"},
                    "retriableReason": words::<Retry>(),
                    "details": {
                        "type": "object",
                        "required": ["reasonCodes"],
                        "properties": {
                            "reasonCodes": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                            "hints": {"type": "array", "items": {"type": "string"}},
                        },
                    },
                },
                "additionalProperties": false,
            },
        },
        "additionalProperties": false,
    })
}

/// The words of an enumeration.
fn words<T: JsonSchema>() -> Value {
    schema::of_output::<T>()
}

/// `POST /tools/invoke`.
fn invoke() -> Value {
    let tools: Vec<Value> = TOOLS.iter().map(invocation).collect();
    let examples = TOOLS.iter().flat_map(|tool| {
        let name = tool.facts.name;
        let inputs = tool.examples().into_iter();
        inputs.map(move |input| json!({"toolId": name, "input": input}))
    });
    let examples = examples::numbered(examples.collect());
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({
            "description": "The envelope, and a handle where something began.",
            "content": {"application/json": {"schema": {
                "type": "object",
                "required": ["envelope"],
                "properties": {
                    "envelope": success(json!({})),
                    "handle": {"$ref": "#/components/schemas/GonogoHandle"},
                },
                "additionalProperties": false,
            }}},
        }),
    );
    failures(&mut responses, "GonogoWrappedFailure");
    json!({
        "operationId": "tools_invoke",
        "summary": "Call a use case by its name",
        "description": "The restricted path of agents: `{toolId, traceId?, timeoutMs?, input}`, answered with `{envelope, handle?}`.",
        "tags": ["tools"],
        "parameters": [key("As the use case's own address takes it; those that keep nothing do not look at it.")],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"oneOf": tools}, "examples": examples}}},
        "responses": responses,
    })
}

/// What asks for one use case.
fn invocation(tool: &Tool) -> Value {
    let input = tool.input();
    let needed = input["required"].as_array().is_some_and(|r| !r.is_empty());
    let required: &[&str] = if needed {
        &["toolId", "input"]
    } else {
        &["toolId"]
    };
    json!({
        "type": "object",
        "title": tool.facts.name,
        "required": required,
        "properties": {
            "toolId": {"const": tool.facts.name},
            "traceId": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
            "timeoutMs": {
                "type": "integer", "minimum": LEAST_TIMEOUT_MS, "maximum": tool.facts.class.policy().max_timeout_ms,
                "description": "Time for the answer; the class's default if absent.",
            },
            "input": input,
        },
        "additionalProperties": false,
    })
}
