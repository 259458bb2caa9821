//! What `rmcp` asks of a server: who we are, which tools there are, a tool's call, tasks, resources.

use gonogo_app::AppError;
use gonogo_app::access::Principal;
use gonogo_app::identity::nonce;
use gonogo_core::envelope::Class;
use gonogo_core::{Exit, Reason};
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, ClientCapabilities,
    CustomRequest, CustomResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, RequestMetaObject, ServerCapabilities, ServerConfig, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use super::answer::Answer;
use super::way::Way;
use super::{INSTRUCTIONS, listing, prompts, resources, tasks};
use crate::http::short;

/// How long a list may be kept by whoever it was told, in milliseconds.
pub(super) const FRESH_MS: u64 = 60_000;

type Context = RequestContext<RoleServer>;

/// A caller's server: nothing of it outlives the caller, and over HTTP nothing outlives the request.
#[derive(Clone)]
pub(super) struct Handler {
    /// Where calls are carried out.
    pub(super) way: Way,
    /// In whose name.
    pub(super) principal: Principal,
    /// The trace of the request around the message, where there is one.
    pub(super) trace: Option<String>,
}

impl Handler {
    /// The trace that a message belongs to: its own (`_meta.traceparent`, W3C Trace Context), else the request's, else a new one.
    pub(super) fn trace(&self, meta: &RequestMetaObject) -> String {
        let said = serde_json::to_value(meta).unwrap_or_default();
        let parent = said["traceparent"].as_str().map(str::to_owned);
        let own = parent.as_deref().and_then(crate::http::traced);
        own.map(str::to_owned)
            .or_else(|| self.trace.clone())
            .unwrap_or_else(|| format!("trace-{}", nonce()))
    }

    /// Carries out the tool `name`, which the registry has.
    pub(super) async fn carry_out(
        &self,
        name: &str,
        input: Value,
        trace: &str,
    ) -> Result<gonogo_app::doors::Done, AppError> {
        let tool = listing::offered(name).ok_or_else(|| unknown(name))?;
        self.way.call(tool, input, &self.principal, trace).await
    }

    /// An error of the protocol, with the contract's envelope beside it.
    pub(super) fn protocol_error(
        &self,
        code: ErrorCode,
        error: &AppError,
        trace: &str,
    ) -> ErrorData {
        let answer = Answer {
            tool: "mcp",
            class: Class::Read,
            trace,
            base: self.way.base(),
        };
        let envelope = answer.failure(error);
        ErrorData::new(
            code,
            error.message.clone(),
            Some(json!({"envelope": envelope})),
        )
    }
}

/// There is no such tool, or none for agents.
fn unknown(name: &str) -> AppError {
    let text = format!("no tool has the name `{}`", short(name));
    AppError::new(Reason::ToolUnknown, text).hint("tools/list names the tools")
}

/// Whether whoever asks has declared that it understands tasks.
fn understands_tasks(context: &Context) -> bool {
    let declared = context.client_capabilities();
    declared.is_some_and(|c: ClientCapabilities| c.supports_tasks())
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_prompts()
            .enable_tools()
            .enable_resources()
            .enable_tasks()
            .build();
        let mut about = Implementation::new("gonogo", env!("CARGO_PKG_VERSION"));
        about.title = Some("gonogo".into());
        ServerConfig::new(capabilities)
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result =
            ListToolsResult::with_all_items(listing::tools(&self.way, &self.principal));
        result.ttl_ms = Some(FRESH_MS);
        // What is told depends on who asks.
        result.cache_scope = Some(CacheScope::Private);
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let trace = self.trace(&context.meta);
        let Some(tool) = listing::offered(&request.name) else {
            let error = unknown(&request.name);
            return Err(self.protocol_error(ErrorCode::INVALID_PARAMS, &error, &trace));
        };
        let input = Value::Object(request.arguments.unwrap_or_default());
        let answered = self.way.call(tool, input, &self.principal, &trace).await;
        // A registry's fact decides, not a name: what gives an operation has begun one.
        let begins = tool
            .facts
            .gives
            .iter()
            .any(|(field, _)| *field == "operation");
        if begins
            && understands_tasks(&context)
            && let Ok(done) = &answered
            && done.exit == Exit::Running
            && let Some(handle) = &done.handle
        {
            return Ok(CallToolResponse::Task(tasks::begun(handle)));
        }
        let answer = Answer::of(tool, &trace, self.way.base());
        Ok(answer.result(answered).into())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        let trace = self.trace(&context.meta);
        let task = tasks::now(self, &request.task_id, &trace).await?;
        Ok(GetTaskResult::new(task))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        // No task asks for anything; who answers one that is not there is told so.
        let trace = self.trace(&context.meta);
        tasks::now(self, &request.task_id, &trace).await.map(drop)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        let trace = self.trace(&context.meta);
        tasks::cancel(self, &request.task_id, &trace).await
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult {
            ttl_ms: Some(FRESH_MS),
            cache_scope: Some(CacheScope::Private),
            ..ListResourcesResult::default()
        })
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let trace = self.trace(&context.meta);
        Ok(resources::read(self, &request.uri, &trace).await?.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(prompts::list())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let trace = self.trace(&context.meta);
        Ok(prompts::get(self, &request, &trace)?.into())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Context,
    ) -> Result<CustomResult, ErrorData> {
        let trace = self.trace(&context.meta);
        let params = request.params.unwrap_or_default();
        let version = context.protocol_version();
        let legacy = version.is_none_or(|v| v.has_initialize());
        match request.method.as_str() {
            // They went with the revision that made tasks an extension.
            "tasks/list" | "tasks/result" if legacy && !understands_tasks(&context) => {
                let needed = ClientCapabilities::builder().enable_tasks().build();
                Err(ErrorData::missing_required_client_capability(needed))
            }
            "tasks/list" if legacy => tasks::list(self, &params, &trace).await,
            "tasks/result" if legacy => tasks::result(self, &params, &trace).await,
            // What is well known came in another form than the protocol has for it.
            method @ ("server/discover" | "tools/call" | "tools/list" | "prompts/get"
            | "tasks/get" | "tasks/cancel" | "tasks/update" | "resources/read") => {
                let text = format!("the parameters of `{method}` are not what the protocol says");
                let error = AppError::new(Reason::InputMalformed, text).with("path", "$.params");
                Err(self.protocol_error(ErrorCode::INVALID_PARAMS, &error, &trace))
            }
            method => {
                let text = format!("nobody answers `{}` here", short(method));
                let error = AppError::new(Reason::MethodUnknown, text);
                Err(self.protocol_error(ErrorCode::METHOD_NOT_FOUND, &error, &trace))
            }
        }
    }
}
