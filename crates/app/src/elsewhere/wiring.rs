//! Which service carries an environment out, from the file and the variables above it.

use std::path::Path;

use gonogo_core::Reason;
use gonogo_release::remote::{Endpoint, TokenFrom};

use crate::config::{Environment, WorkflowFile, WorkflowMode};
use crate::doors::Mode;
use crate::{AppError, Workspace};

/// A variable's value; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().into_owned()).filter(|v| !v.is_empty())
}

/// Whether a workflow service carries the environment out.
///
/// # Errors
/// [`Reason::ArgumentInvalid`] for a variable that says neither.
pub(crate) fn is_elsewhere(environment: &Environment) -> Result<bool, AppError> {
    chosen(environment.by_workflow, variable("GONOGO_APPLY_BY"))
}

fn chosen(file: bool, variable: Option<String>) -> Result<bool, AppError> {
    match variable.as_deref() {
        None => Ok(file),
        Some("workflow") => Ok(true),
        Some("here") => Ok(false),
        Some(_) => Err(AppError::new(
            Reason::ArgumentInvalid,
            "`GONOGO_APPLY_BY` says neither `here` nor `workflow`",
        )),
    }
}

/// How applications over the network are answered where the caller does not say.
pub fn mode(ws: &Workspace, environment: &Environment) -> Result<Mode, AppError> {
    if !is_elsewhere(environment)? {
        return Ok(Mode::Start);
    }
    let said = variable("GONOGO_WORKFLOW_MODE");
    // As the contract has it: whatever is not `await` is `start`.
    Ok(match (said.as_deref(), ws.config.workflow.mode) {
        (Some("await"), _) | (None, WorkflowMode::Await) => Mode::Await,
        _ => Mode::Start,
    })
}

/// The service that carries the environment out; none if gonogo does so itself.
///
/// # Errors
/// [`Reason::WorkflowUnwired`] with everything that is not said, or cannot be used.
pub(crate) fn wired(
    ws: &Workspace,
    environment: &Environment,
) -> Result<Option<Endpoint>, AppError> {
    if !is_elsewhere(environment)? {
        return Ok(None);
    }
    let endpoint = layered(&ws.config.workflow, ws.config.root(), &variable)?;
    // A dispatch without its token would be refused there; it is said here, before anything is begun.
    token(&endpoint)?;
    Ok(Some(endpoint))
}

fn unwired(text: String) -> AppError {
    AppError::new(
        Reason::WorkflowUnwired,
        format!("{text}; nothing was changed"),
    )
}

fn layered(
    file: &WorkflowFile,
    root: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Endpoint, AppError> {
    let mut wiring = file.wiring.clone();
    for (slot, name, is_url) in [
        (&mut wiring.workflow_name, "GONOGO_WORKFLOW_NAME", false),
        (&mut wiring.task_queue, "GONOGO_WORKFLOW_TASK_QUEUE", false),
        (
            &mut wiring.dispatch_url,
            "GONOGO_WORKFLOW_DISPATCH_URL",
            true,
        ),
        (
            &mut wiring.status_base_url,
            "GONOGO_WORKFLOW_STATUS_BASE_URL",
            true,
        ),
    ] {
        let Some(value) = variable(name) else {
            continue;
        };
        let fault = match is_url {
            true => crate::config::url_fault(&value),
            false => (!crate::config::is_word(&value)).then_some(crate::config::WORD),
        };
        if let Some(why) = fault {
            return Err(unwired(format!("`{name}` cannot be used: {why}")));
        }
        *slot = Some(value);
    }
    let env = variable("GONOGO_WORKFLOW_TOKEN_ENV").map(TokenFrom::Env);
    let named = variable("GONOGO_WORKFLOW_TOKEN_FILE").map(TokenFrom::File);
    let token = env.or(named).or_else(|| match &file.token {
        Some(TokenFrom::File(path)) => {
            let path = root.join(path);
            let path = std::path::absolute(&path).unwrap_or(path);
            Some(TokenFrom::File(path.to_string_lossy().into_owned()))
        }
        other => other.clone(),
    });
    wiring.complete(token, file.limits).map_err(|missing| {
        let told: Vec<String> = missing
            .iter()
            .map(|(key, variable)| format!("`workflow.{key}` (`{variable}`)"))
            .collect();
        let names: Vec<&str> = missing.iter().map(|(_, variable)| *variable).collect();
        unwired(format!(
            "the workflow service is not wired: {} not said",
            match told.split_last() {
                Some((last, [])) => format!("{last} is"),
                Some((last, rest)) => format!("{} and {last} are", rest.join(", ")),
                None => "something is".into(),
            }
        ))
        .with("missing", serde_json::json!(names))
    })
}

/// The token of a service; none if it has none.
///
/// # Errors
/// [`Reason::WorkflowUnwired`]; what stands there is not told.
pub(super) fn token(endpoint: &Endpoint) -> Result<Option<String>, AppError> {
    let (what, read) = match &endpoint.token {
        None => return Ok(None),
        Some(TokenFrom::Env(name)) => (
            format!("the variable `{name}`"),
            variable(name).ok_or_else(|| "it is not set".to_owned()),
        ),
        Some(TokenFrom::File(path)) => (
            format!("the file `{path}`"),
            std::fs::read_to_string(path).map_err(|e| e.to_string()),
        ),
    };
    let text = read.map_err(|why| unwired(format!("the token in {what} cannot be read: {why}")))?;
    let text = text.trim();
    let plain = (1..=8_192).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if !plain {
        return Err(unwired(format!("what is in {what} cannot be a token")));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(name: &str) -> Option<String> {
        let value = match name {
            "GONOGO_WORKFLOW_NAME" => "release",
            "GONOGO_WORKFLOW_TASK_QUEUE" => "q",
            "GONOGO_WORKFLOW_DISPATCH_URL" => "http://flow/operations/dispatch",
            "GONOGO_WORKFLOW_STATUS_BASE_URL" => "http://flow",
            _ => return None,
        };
        Some(value.into())
    }

    #[test]
    fn variables_win_over_the_file() {
        let mut file = WorkflowFile::default();
        file.wiring.workflow_name = Some("other".into());
        let root = Path::new("/p");
        let endpoint = layered(&file, root, &all).unwrap();
        assert_eq!(endpoint.workflow_name, "release");
        file.token = Some(TokenFrom::File("t".into()));
        let endpoint = layered(&file, root, &all).unwrap();
        assert_eq!(endpoint.token, Some(TokenFrom::File("/p/t".into())));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let file = WorkflowFile::default();
        let root = Path::new("/p");
        for name in [
            "GONOGO_WORKFLOW_NAME",
            "GONOGO_WORKFLOW_TASK_QUEUE",
            "GONOGO_WORKFLOW_DISPATCH_URL",
            "GONOGO_WORKFLOW_STATUS_BASE_URL",
        ] {
            let but = |asked: &str| all(asked).filter(|_| asked != name);
            let e = layered(&file, root, &but).unwrap_err();
            assert_eq!(e.reason, Reason::WorkflowUnwired);
            assert_eq!(e.details["missing"], serde_json::json!([name]));
            let broken = |asked: &str| match asked == name {
                true => Some("not a name: ada:hunter2@x".into()),
                false => all(asked),
            };
            let e = layered(&file, root, &broken).unwrap_err();
            assert_eq!(e.reason, Reason::WorkflowUnwired);
            assert!(e.message.contains(name) && !e.message.contains("hunter2"));
        }
        let e = layered(&file, root, &|_| None).unwrap_err();
        assert_eq!(e.details["missing"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn who_carries_out_is_said_in_one_of_two_words() {
        for (file, said, is) in [
            (false, None, false),
            (true, None, true),
            (true, Some("here"), false),
            (false, Some("workflow"), true),
        ] {
            assert_eq!(chosen(file, said.map(str::to_owned)).unwrap(), is);
        }
        assert!(chosen(true, Some("Workflow".into())).is_err());
    }
}
