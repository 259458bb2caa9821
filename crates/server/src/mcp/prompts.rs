//! Prompts: how people begin what agents do here most often. Each names the tools in their order, and where a person decides.

use gonogo_app::AppError;
use gonogo_core::Reason;
use rmcp::model::{
    CacheScope, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResult, ListPromptsResult,
    Prompt, PromptArgument, PromptMessage, Role,
};

use super::handler::{FRESH_MS, Handler};
use super::text::is_token;
use crate::http::short;

/// A prompt: its name, a few words, its one argument with a few words, and its text, where `{}` is the argument.
struct Known {
    name: &'static str,
    about: &'static str,
    argument: Option<(&'static str, &'static str)>,
    text: &'static str,
}

const ALL: [Known; 3] = [
    Known {
        name: "explain_hold",
        about: "Explain why an operation waits, failed or went back",
        argument: Some(("operation", "The operation's id, like op_…")),
        text: "Explain why operation {} stands where it stands. Call operation_show, and evidence_search with stream `operation/{}`. \
               Name each reason code with what it means, the numbers it was decided by, and what is missing. Change nothing.",
    },
    Known {
        name: "prepare_release",
        about: "Plan a release and say what somebody has to approve",
        argument: Some(("version", "The version to bring out")),
        text: "Prepare the release of version {}. Call status_get and read_entities, then validate_plan, then plan_change, then plan_diff. \
               Say in plain words what will happen, what could go wrong and how it goes back. Give the plan's id, its fingerprint and the \
               command with which a person approves it. Then stop: applying it is for after somebody has approved.",
    },
    Known {
        name: "triage",
        about: "List what needs a person, with the next step of each",
        argument: None,
        text: "Call operation_triage and read_activity. For each operation that needs somebody, say what is open, since when, and the \
               next step that its triage names, the oldest open effect first. Change nothing.",
    },
];

/// The prompts.
pub(super) fn list() -> ListPromptsResult {
    let all = ALL.iter().map(|known| {
        let argument = known.argument.map(|(name, about)| {
            let argument = PromptArgument::new(name).with_description(about);
            vec![argument.with_required(true)]
        });
        Prompt::new(known.name, Some(known.about), argument)
    });
    let mut result = ListPromptsResult::with_all_items(all.collect());
    result.ttl_ms = Some(FRESH_MS);
    result.cache_scope = Some(CacheScope::Public);
    result
}

/// A prompt with its argument in it.
pub(super) fn get(
    handler: &Handler,
    asked: &GetPromptRequestParams,
    trace: &str,
) -> Result<GetPromptResult, ErrorData> {
    let refuse = |text: String| {
        let error = AppError::new(Reason::InputMalformed, text);
        handler.protocol_error(ErrorCode::INVALID_PARAMS, &error, trace)
    };
    let known = ALL.iter().find(|known| known.name == asked.name);
    let known =
        known.ok_or_else(|| refuse(format!("no prompt has the name `{}`", short(&asked.name))))?;
    let text = match known.argument {
        None => known.text.to_owned(),
        Some((name, _)) => {
            let given = asked
                .arguments
                .as_ref()
                .and_then(|all| all.get(name)?.as_str());
            // A sentence in its place would be an instruction of somebody else's.
            let given = given.filter(|given| is_token(given));
            let given = given.ok_or_else(|| refuse(format!("`{name}` must be a name or an id")))?;
            known.text.replace("{}", given)
        }
    };
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(known.about))
}
