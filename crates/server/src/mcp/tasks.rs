//! Tasks: operations, as clients that understand tasks see them (extension `io.modelcontextprotocol/tasks`).
//!
//! A task's id is the operation's id, so a task lives as long as the ledger: it is found by another process, after a restart, and by
//! whoever may read operations. Nothing is kept here.

use gonogo_app::AppError;
use gonogo_app::doors::{Done, Handle};
use gonogo_core::{Exit, Reason};
use rmcp::model::{
    CreateTaskResult, CustomResult, DetailedTask, ErrorCode, ErrorData, JsonObject, Task,
    TaskPayload, TaskStatus,
};
use serde_json::{Value, json};

use super::answer::Answer;
use super::handler::Handler;
use super::listing;

/// How often to ask, in milliseconds.
const POLL_MS: u64 = 1_000;

/// A task that has just begun.
pub(super) fn begun(handle: &Handle) -> CreateTaskResult {
    let at = handle.submitted_at.to_string();
    let id = handle.operation_id.to_string();
    let task = Task::new(id, TaskStatus::Working, at.clone(), at);
    CreateTaskResult::new(task.with_poll_interval_ms(POLL_MS))
}

/// A task as it stands now.
pub(super) async fn now(
    handler: &Handler,
    id: &str,
    trace: &str,
) -> Result<DetailedTask, ErrorData> {
    let doc = look(handler, id, trace).await?;
    let payload = match doc["status"].as_str() {
        Some("running") => TaskPayload::Working,
        Some("cancelled") => TaskPayload::Cancelled,
        _ => TaskPayload::Completed {
            result: finished(handler, &doc, trace),
        },
    };
    Ok(DetailedTask::new(task(&doc), payload))
}

/// The operation with this id: a whole one, since a task's id is no search.
async fn look(handler: &Handler, id: &str, trace: &str) -> Result<Value, ErrorData> {
    let found = handler
        .carry_out("operation_get", json!({"operation": id}), trace)
        .await;
    match found {
        Ok(done) if done.data["operationId"] == id => Ok(done.data),
        Ok(_) => {
            let text = format!("no task has the id `{}`", crate::http::short(id));
            let error = AppError::new(Reason::OperationNotFound, text);
            Err(handler.protocol_error(ErrorCode::INVALID_PARAMS, &error, trace))
        }
        Err(e) => Err(refused(handler, &e, trace)),
    }
}

/// A refusal as an error of the protocol: by whether it is about what was asked for or about us.
fn refused(handler: &Handler, error: &AppError, trace: &str) -> ErrorData {
    let code = match error.exit() {
        Exit::Usage | Exit::Input | Exit::NotFound => ErrorCode::INVALID_PARAMS,
        Exit::Permission => ErrorCode::INVALID_REQUEST,
        _ => ErrorCode::INTERNAL_ERROR,
    };
    handler.protocol_error(code, error, trace)
}

fn task(doc: &Value) -> Task {
    let text = |name: &str| doc[name].as_str().unwrap_or_default().to_owned();
    let status = match doc["status"].as_str() {
        Some("running") => TaskStatus::Working,
        Some("cancelled") => TaskStatus::Cancelled,
        _ => TaskStatus::Completed,
    };
    let told = match (doc["result"].as_str(), doc["phase"].as_str()) {
        (Some(result), _) => result,
        (None, Some(phase)) => phase,
        (None, None) => "unknown",
    };
    Task::new(
        text("operationId"),
        status,
        text("startedAt"),
        text("updatedAt"),
    )
    .with_status_message(told)
    .with_poll_interval_ms(POLL_MS)
}

/// What the call that began the operation would have answered, had it waited.
fn finished(handler: &Handler, doc: &Value, trace: &str) -> JsonObject {
    let name = doc["toolId"].as_str().unwrap_or("apply_change");
    let Some(tool) = listing::offered(name) else {
        return JsonObject::new();
    };
    let good = doc["status"] == "succeeded";
    let data = json!({
        "accepted": true,
        "planFingerprint": doc["planFingerprint"],
        "operation": doc,
    });
    let done = Done {
        data,
        handle: None,
        exit: if good { Exit::Done } else { Exit::Fail },
    };
    let answer = Answer::of(tool, trace, handler.way.base());
    let mut result = answer.result(Ok(done));
    result.is_error = Some(!good);
    match serde_json::to_value(result) {
        Ok(Value::Object(map)) => map,
        _ => JsonObject::new(),
    }
}

/// Asks an operation to end. It is a wish: the task says itself when it has ended.
pub(super) async fn cancel(handler: &Handler, id: &str, trace: &str) -> Result<(), ErrorData> {
    // What has ended stays as it is, and that is no fault of whoever asks.
    let doc = look(handler, id, trace).await?;
    if doc["status"] != "running" {
        return Ok(());
    }
    let input = json!({"operation": id, "why": "the client cancelled its task"});
    let asked = handler.carry_out("operation_cancel", input, trace).await;
    asked.map(drop).map_err(|e| refused(handler, &e, trace))
}

/// Operations as a page of tasks, newest first.
pub(super) async fn list(
    handler: &Handler,
    params: &Value,
    trace: &str,
) -> Result<CustomResult, ErrorData> {
    let mut input = json!({});
    if let Some(cursor) = params.get("cursor") {
        input["pageToken"] = cursor.clone();
    }
    let page = handler.carry_out("operation_list", input, trace).await;
    let page = page.map_err(|e| refused(handler, &e, trace))?.data;
    let all = page["operations"].as_array();
    let tasks: Vec<Task> = all.into_iter().flatten().map(task).collect();
    let mut result = json!({"resultType": "complete", "tasks": tasks});
    if let Some(next) = page.get("nextPageToken").filter(|next| !next.is_null()) {
        result["nextCursor"] = next.clone();
    }
    Ok(CustomResult::new(result))
}

/// The result of a task that has ended; who asks too early is told to come again.
pub(super) async fn result(
    handler: &Handler,
    params: &Value,
    trace: &str,
) -> Result<CustomResult, ErrorData> {
    let id = params["taskId"].as_str().unwrap_or_default();
    let doc = look(handler, id, trace).await?;
    if doc["status"] == "running" {
        let text = format!("task `{}` goes on", crate::http::short(id));
        let error =
            AppError::new(Reason::OperationOpen, text).hint("ask tasks/get until it has ended");
        return Err(handler.protocol_error(ErrorCode::INVALID_REQUEST, &error, trace));
    }
    Ok(CustomResult::new(finished(handler, &doc, trace).into()))
}
