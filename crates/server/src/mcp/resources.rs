//! Resources: what has an address of its own, by that address. Each is read through the use case that shows it.

use gonogo_app::AppError;
use gonogo_core::{Exit, Reason};
use rmcp::model::{
    CacheScope, ErrorCode, ErrorData, ListResourceTemplatesResult, ReadResourceResult,
    ResourceContents, ResourceTemplate,
};
use serde_json::json;

use super::answer::Answer;
use super::handler::{FRESH_MS, Handler};
use super::listing;
use crate::http::short;

/// What an address begins with, the tool that reads it, the field that its end is, and a few words.
const KINDS: [(&str, &str, &str, &str); 3] = [
    (
        "gonogo://evidence/",
        "evidence_get",
        "record",
        "A record of the ledger",
    ),
    (
        "gonogo://operations/",
        "operation_get",
        "operation",
        "An operation, and what to do about it",
    ),
    (
        "gonogo://plans/",
        "plan_get",
        "plan",
        "A plan, its effects and its approvals",
    ),
];

/// The kinds of addresses.
pub(super) fn templates() -> ListResourceTemplatesResult {
    let all = KINDS.iter().map(|(begin, _, field, about)| {
        ResourceTemplate::new(format!("{begin}{{{field}}}"), *field)
            .with_description(*about)
            .with_mime_type("application/json")
    });
    let mut result = ListResourceTemplatesResult::with_all_items(all.collect());
    result.ttl_ms = Some(FRESH_MS);
    result.cache_scope = Some(CacheScope::Private);
    result
}

/// What is at an address: the envelope of the use case that shows it.
pub(super) async fn read(
    handler: &Handler,
    uri: &str,
    trace: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let kind = KINDS
        .iter()
        .find_map(|kind| Some((kind, uri.strip_prefix(kind.0)?)));
    let Some(((_, name, field, _), id)) = kind else {
        let text = format!("nothing is at `{}`", short(uri));
        let error = AppError::new(Reason::InputNotFound, text);
        return Err(missing(handler, &error, uri, trace));
    };
    let done = match handler.carry_out(name, json!({*field: id}), trace).await {
        Ok(done) => done,
        Err(e) if matches!(e.exit(), Exit::NotFound | Exit::Input | Exit::Usage) => {
            return Err(missing(handler, &e, uri, trace));
        }
        Err(e) => return Err(handler.protocol_error(ErrorCode::INTERNAL_ERROR, &e, trace)),
    };
    let Some(tool) = listing::offered(name) else {
        return Err(ErrorData::internal_error("the registry changed", None));
    };
    let envelope = Answer::of(tool, trace, handler.way.base()).envelope(done);
    let contents = ResourceContents::text(envelope.to_string(), uri);
    let mut result = ReadResourceResult::new(vec![contents.with_mime_type("application/json")]);
    result.ttl_ms = Some(0);
    result.cache_scope = Some(CacheScope::Private);
    Ok(result)
}

fn missing(handler: &Handler, error: &AppError, uri: &str, trace: &str) -> ErrorData {
    let mut told = handler.protocol_error(ErrorCode::RESOURCE_NOT_FOUND, error, trace);
    if let Some(data) = &mut told.data {
        data["uri"] = uri.into();
    }
    told
}
