//! `[workflow]`: where a workflow service is. Nothing of it is part of a plan, so variables may say it, too.
//!
//! Invariant: no secret stands here; a token is named by its variable or its file.

use gonogo_core::Span;
use gonogo_release::remote::{Limits, TokenFrom, Wiring};

use super::keys::WORKFLOW;
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::secret;

/// How an application over the network is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// At once.
    #[default]
    Start,
    /// At its end, or when the time for an answer is over.
    Await,
}

/// `[workflow]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFile {
    /// What a dispatch needs.
    pub wiring: Wiring,
    /// How applications are answered.
    pub mode: Mode,
    /// Where the token is.
    pub token: Option<TokenFrom>,
    /// How long things may take.
    pub limits: Limits,
}

impl Default for WorkflowFile {
    fn default() -> Self {
        Self {
            wiring: Wiring::default(),
            mode: Mode::Start,
            token: None,
            limits: Limits {
                dispatch: Span::from_secs(10),
                status: Span::from_secs(5),
                every: Span::from_secs(10),
                lost_after: Span::from_secs(120),
            },
        }
    }
}

/// Reads the section.
pub(super) fn read(root: &Table<'_, '_>) -> WorkflowFile {
    let Some(t) = root.table("workflow", &WORKFLOW) else {
        return WorkflowFile::default();
    };
    let url = |key: &str| {
        let found = t.text(key)?;
        match url_fault(&found.value) {
            Some(why) => {
                found.refuse(t.faults, why);
                None
            }
            None => Some(found.value),
        }
    };
    let word = |key: &str| {
        let found = t.text(key)?;
        match is_word(&found.value) {
            true => Some(found.value),
            false => {
                found.refuse(t.faults, WORD);
                None
            }
        }
    };
    let span = |key: &str, least: Span, most: Span| {
        let found: Found<Span> = defaulted(&t, key);
        if !(least..=most).contains(&found.value) {
            found.refuse(t.faults, format!("expected {least} to {most}"));
        }
        found.value
    };
    let (env, file) = (t.text("token_env"), t.text("token_file"));
    if let (Some(_), Some(file)) = (&env, &file) {
        file.refuse(t.faults, "`token_env` says it already; keep one");
    }
    if let Some(env) = env.as_ref().filter(|e| !is_variable(&e.value)) {
        env.refuse(
            t.faults,
            "expected the name of a variable, letters, digits and `_`; never the token itself",
        );
    }
    let mode = t.choice("mode", &["start", "await"]);
    WorkflowFile {
        wiring: Wiring {
            workflow_name: word("name"),
            task_queue: word("task_queue"),
            dispatch_url: url("dispatch_url"),
            status_base_url: url("status_base_url"),
        },
        mode: match mode.map(|m| m.value) {
            Some("await") => Mode::Await,
            _ => Mode::Start,
        },
        token: env
            .map(|e| TokenFrom::Env(e.value))
            .or_else(|| file.map(|f| TokenFrom::File(f.value))),
        limits: Limits {
            dispatch: span(
                "dispatch_within",
                Span::from_millis(100),
                Span::from_secs(60),
            ),
            status: span("status_within", Span::from_millis(100), Span::from_secs(15)),
            every: span("status_every", Span::from_millis(250), Span::from_secs(300)),
            lost_after: span("lost_after", Span::from_secs(1), Span::from_secs(3600)),
        },
    }
}

pub(crate) const WORD: &str = "expected 1 to 100 of `A-Z a-z 0-9 . _ -`";

/// Whether a text can name a workflow or a queue; it becomes part of ids.
pub(crate) fn is_word(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=100).contains(&text.len()) && text.bytes().all(inner)
}

fn is_variable(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Why a text is no address of a service; none if it is one.
pub(crate) fn url_fault(url: &str) -> Option<&'static str> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Some("expected an `http://` or `https://` URL");
    };
    if secret::is_secret_value(url) || rest.contains('@') {
        return Some("the URL holds a login; name the token with `token_env` or `token_file`");
    }
    if rest.contains(['?', '#']) {
        return Some("expected a URL without a query and a fragment");
    }
    if rest.starts_with('/') || rest.is_empty() || url.parse::<http::Uri>().is_err() {
        return Some("expected a URL with a host");
    }
    None
}
