//! The addresses of sessions, which are no use cases of the registry: whoever logs in is nobody yet.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{failures, success};
use crate::access::sessions::{COOKIE, SessionDoc};

/// `POST /v1/sessions`, `GET` and `DELETE /v1/sessions/current`.
pub(super) fn paths(all: &mut SchemaGenerator) -> [(&'static str, Value); 2] {
    let doc = all.subschema_for::<SessionDoc>().to_value();
    let answered = |status: &str, about: &str, data: Value, cookie: bool| {
        let mut responses = Map::new();
        let mut good = json!({"description": about, "content": {"application/json": {"schema": success(data)}}});
        if cookie {
            good["headers"] = json!({"Set-Cookie": {"description": "The session.", "schema": {"type": "string"}}});
        }
        responses.insert(status.into(), good);
        failures(&mut responses, "GonogoFailure");
        responses
    };
    let header = |name: &str, about: &str| json!({"name": name, "in": "header", "description": about, "schema": {"type": "string"}});
    let session = json!([{ "session": [] }]);
    let begin = json!({
        "operationId": "session_begin",
        "summary": "Log in with a password",
        "description": "Begins a session: a cookie, and a CSRF token that goes with everything that changes something.",
        "tags": ["sessions"],
        "security": [],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {
            "type": "object",
            "required": ["user", "password"],
            "properties": {
                "user": {"type": "string", "minLength": 1, "maxLength": 64},
                "password": {"type": "string", "format": "password", "minLength": 1, "maxLength": 1024},
            },
            "additionalProperties": false,
        }}}},
        "responses": answered("201", "A session began.", doc.clone(), true),
    });
    let current = json!({
        "operationId": "session_get",
        "summary": "Show the session",
        "description": "Says whose the session is, until when, and its CSRF token.",
        "tags": ["sessions"],
        "security": session,
        "responses": answered("200", "The session.", doc, false),
    });
    let ended = json!({"type": "object", "required": ["ended"], "properties": {"ended": {"const": true}}, "additionalProperties": false});
    let end = json!({
        "operationId": "session_end",
        "summary": "Log out",
        "description": "Ends the session.",
        "tags": ["sessions"],
        "security": session,
        "parameters": [header("X-CSRF-Token", "The session's CSRF token.")],
        "responses": answered("200", "The session has ended.", ended, true),
    });
    [
        ("/v1/sessions", json!({ "post": begin })),
        (
            "/v1/sessions/current",
            json!({"get": current, "delete": end}),
        ),
    ]
}

/// How a session is shown.
pub(super) fn scheme() -> Value {
    json!({"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "`POST /v1/sessions` begins one."})
}
