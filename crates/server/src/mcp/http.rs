//! MCP over HTTP: who is let in, what they lack, and the rest by `rmcp` (Streamable HTTP without sessions).
//!
//! Invariants: a caller is let in as at every other address, by the same guard; whoever lacks a token is told where its rules are (RFC
//! 9728), and whoever lacks a scope which one (RFC 6750, section 3.1); what never was a message is answered with the envelope.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use gonogo_app::AppError;
use gonogo_app::access::{Principal, Scope};
use gonogo_core::Reason;
use gonogo_core::envelope::Class;
use http_body_util::BodyExt;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};

use super::answer::{Answer, envelop};
use super::handler::Handler;
use super::listing;
use super::way::Way;
use crate::http::{Door, MOST, Reply, body_of, enter, host, trace_said};

/// Where messages are taken.
const PATH: &str = "/mcp";

/// Where the rules of the resource at [`PATH`] are: RFC 9728, section 3.1, puts its path behind the well-known one.
const RULES: &str = "/.well-known/oauth-protected-resource";

/// The addresses of MCP.
pub(crate) fn routes(router: Router<Arc<Door>>) -> Router<Arc<Door>> {
    router
        .route(PATH, on(MethodFilter::POST, mcp))
        .route(RULES, on(MethodFilter::GET, rules))
        .route(&format!("{RULES}{PATH}"), on(MethodFilter::GET, rules))
}

/// `POST /mcp`: one message, one answer.
async fn mcp(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reply = Reply::to(&parts.headers, "mcp", Class::Read);
    let let_in = enter(&door, &parts).and_then(|principal| {
        trace_said(&parts.headers)?;
        acceptable(&parts.headers)?;
        Ok(principal)
    });
    let principal = match let_in {
        Ok(principal) => principal,
        Err(e) => return challenged(reply.fail(&e), &parts, &e),
    };
    let mut message = match body_of(&parts.headers, body).await {
        Ok(message) => message,
        Err(e) if e.reason == Reason::InputMalformed => {
            // What is JSON and no object was read, and is no request.
            let code = match e.details["path"].is_string() {
                true => INVALID_REQUEST,
                false => PARSE_ERROR,
            };
            return unread(400, Value::Null, code, &e, &reply.trace);
        }
        Err(e) => return reply.fail(&e),
    };
    if let Err(e) = reaches(&principal, &message) {
        return challenged(reply.fail(&e), &parts, &e);
    }
    let handler = Handler {
        way: Way::Here(door),
        principal,
        trace: Some(reply.trace.clone()),
    };
    if let Some(params) = asks_for_tasks(&parts.headers, &mut message) {
        params["_meta"][CAPABILITIES] = json!({"extensions": {TASKS: {}}});
    }
    let id = message["id"].clone();
    let mut asked = http::Request::from_parts(parts, Body::from(message.to_string()));
    asked
        .headers_mut()
        .remove(axum::http::header::CONTENT_LENGTH);
    let config = StreamableHttpServerConfig::default()
        // Hosts and origins were held against ours already; theirs knows no ports.
        .disable_allowed_hosts()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(2 * MOST);
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    let answer = service.handle(asked).await.map(Body::new);
    told(answer, id, &reply.trace).await
}

/// Where a request says what its client can do, since 2026-07-28.
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The extension under which clients say that they understand tasks.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// The parameters of a request about tasks by a client of a revision with a handshake. Nothing of a handshake is kept over HTTP, so there
/// is no other place where such a client could say that it understands tasks than by asking for one. Later revisions say it each time.
fn asks_for_tasks<'a>(headers: &HeaderMap, message: &'a mut Value) -> Option<&'a mut Value> {
    let about = message["method"].as_str()?.starts_with("tasks/");
    let revision = headers.get("mcp-protocol-version");
    let revision = revision.map_or(Ok(""), |v| v.to_str()).ok()?;
    // Revisions are dates and compare as texts.
    let shakes_hands = revision < "2026-07-28";
    let params = &mut message["params"];
    let plain = match params.get("_meta") {
        None => params.is_object() || params.is_null(),
        Some(meta) => {
            meta.is_object()
                && meta
                    .get("io.modelcontextprotocol/protocolVersion")
                    .is_none()
        }
    };
    (about && shakes_hands && plain).then_some(params)
}

/// JSON-RPC 2.0, section 5.1: what came is no JSON.
const PARSE_ERROR: i32 = -32_700;

/// JSON-RPC 2.0, section 5.1: what came is no request.
const INVALID_REQUEST: i32 = -32_600;

/// An error of the protocol to what could not be read as a message.
fn unread(status: u16, id: Value, code: i32, error: &AppError, trace: &str) -> Response {
    let answer = Answer {
        tool: "mcp",
        class: Class::Read,
        trace,
        base: "",
    };
    let body = json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": {
            "code": code,
            "message": error.message,
            "data": {"envelope": answer.failure(error)},
        },
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status.try_into().unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The transport's own refusals, which are bare texts, as errors of the protocol.
async fn told(answer: Response, id: Value, trace: &str) -> Response {
    let kind = answer.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|k| k.as_bytes().starts_with(b"application/json")) {
        return enveloped(answer, trace).await;
    }
    if answer.status().is_success() {
        return answer;
    }
    // 415 is what it calls a message that it cannot read.
    let status = match answer.status().as_u16() {
        415 => 400,
        status => status,
    };
    let text = answer.into_body().collect().await;
    let text = text.map(|all| all.to_bytes()).unwrap_or_default();
    let text = crate::http::short(&String::from_utf8_lossy(&text));
    let error = AppError::new(Reason::InputMalformed, format!("no message of MCP: {text}"));
    unread(status, id, INVALID_REQUEST, &error, trace)
}

/// An answer in JSON: an error of the protocol's own has the envelope, too.
async fn enveloped(answer: Response, trace: &str) -> Response {
    let (mut head, body) = answer.into_parts();
    let Ok(all) = body.collect().await.map(|all| all.to_bytes()) else {
        return Response::from_parts(head, Body::empty());
    };
    let message = serde_json::from_slice::<Value>(&all);
    let body = match message.map(|m| envelop(m, trace)) {
        Ok(Some(message)) => Body::from(message.to_string()),
        _ => Body::from(all),
    };
    head.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(head, body)
}

/// Refuses who cannot read what the protocol may answer with.
fn acceptable(headers: &HeaderMap) -> Result<(), AppError> {
    let all = headers.get_all(ACCEPT).iter();
    let all = all.flat_map(|v| v.to_str().unwrap_or_default().split(','));
    let kinds: Vec<String> = all
        .filter_map(|kind| kind.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase())
        .collect();
    let takes = |kind: &str| kinds.iter().any(|k| k == kind);
    if takes("application/json") && takes("text/event-stream") {
        return Ok(());
    }
    let text = "a client of MCP accepts `application/json, text/event-stream`";
    Err(AppError::new(Reason::NotAcceptable, text)
        .hint("send `Accept: application/json, text/event-stream`: both, each by its name"))
}

/// Refuses a tool's call that the caller's scopes do not admit, before the protocol has answered with 200.
fn reaches(principal: &Principal, message: &Value) -> Result<(), AppError> {
    // Tasks and resources are use cases by other names.
    let name = match message["method"].as_str().unwrap_or_default() {
        "tools/call" => message["params"]["name"].as_str().unwrap_or_default(),
        "tasks/cancel" => "operation_cancel",
        "tasks/list" => "operation_list",
        "tasks/get" | "tasks/result" | "tasks/update" => "operation_get",
        "resources/read" => "read_entities",
        _ => return Ok(()),
    };
    match listing::offered(name) {
        Some(tool) => principal.must_have(tool.facts.scope),
        None => Ok(()),
    }
}

/// A refusal with what is needed instead, where a token or a scope is missing.
fn challenged(mut response: Response, parts: &Parts, error: &AppError) -> Response {
    let rules = format!("{}{RULES}{PATH}", origin(parts));
    let challenge = match error.reason {
        Reason::Unauthenticated => {
            format!(
                r#"Bearer resource_metadata="{rules}", scope="{}""#,
                Scope::Read
            )
        }
        Reason::ScopeMissing => {
            let scope = error.details["scope"].as_str().unwrap_or_default();
            format!(
                r#"Bearer error="insufficient_scope", scope="{scope}", resource_metadata="{rules}", error_description="this tool needs the scope {scope}""#
            )
        }
        _ => return response,
    };
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// What this server is called by whoever asks; the guard has held the name against ours. A proxy that ends TLS says so.
fn origin(parts: &Parts) -> String {
    let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
    let host = text("host").or_else(|| parts.uri.authority().map(|a| a.as_str()));
    let scheme = match text("x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    format!("{scheme}://{}", host.unwrap_or_default())
}

/// `GET /.well-known/oauth-protected-resource`: the rules of the resource, for whoever has no token yet (RFC 9728).
async fn rules(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reply = Reply::to(&parts.headers, "mcp", Class::Read);
    if let Err(e) = host(&door, &parts) {
        return reply.fail(&e);
    }
    // Scopes that no token of an agent can have are not told.
    let scopes: Vec<&str> = Scope::ALL
        .iter()
        .filter(|s| !matches!(s, Scope::ApprovalDecide | Scope::Admin))
        .map(|s| s.name())
        .collect();
    let mut body = json!({
        "resource": format!("{}{PATH}", origin(&parts)),
        "resource_name": "gonogo",
        "bearer_methods_supported": ["header"],
        "scopes_supported": scopes,
    });
    // Without an issuer tokens come from `gonogo token create`, and there is no server to name.
    if let Some(issuer) = &door.admission.issuer {
        body["authorization_servers"] = json!([issuer.name()]);
    }
    let mut response = Response::new(Body::from(body.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(text));
        acceptable(&headers).is_ok()
    }

    #[test]
    fn a_client_says_that_it_takes_both_forms_of_answers() {
        assert!(accept("application/json, text/event-stream"));
        assert!(accept("text/event-stream;q=0.5,APPLICATION/JSON"));
        assert!(!accept("application/json"));
        assert!(!accept("text/html"));
        assert!(acceptable(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_call_reaches_what_its_scopes_admit() {
        let mut vera = Principal::local("vera".into());
        vera.scopes = [Scope::Read].into();
        let call = |name: &str| json!({"method": "tools/call", "params": {"name": name}});
        assert!(reaches(&vera, &call("status_get")).is_ok());
        assert!(
            reaches(&vera, &call("nothing")).is_ok(),
            "the protocol answers that"
        );
        assert!(reaches(&vera, &json!({"method": "tools/list"})).is_ok());
        let cancel = json!({"method": "tasks/cancel", "params": {"taskId": "op_0"}});
        for beyond in [call("apply_change"), cancel] {
            let refused = reaches(&vera, &beyond).unwrap_err();
            assert_eq!(refused.details["scope"], "plan:apply");
        }
        assert!(reaches(&vera, &json!({"method": "tasks/list"})).is_ok());
    }
}
