//! One delivery: the request, and what the answer means.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use gonogo_core::{Reason, Span, Timestamp};
use http::{Request, StatusCode};

use super::event::Notice;
use super::sign::{self, Secret};
use crate::config::{SecretAt, WebhookFile};
use crate::{AppError, Workspace};

/// The most that a receiver may ask to be left alone for.
const LONGEST_PAUSE: u64 = 24 * 3_600;

/// The largest file with secrets, in bytes.
const LARGEST: u64 = 4 << 10;

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Any 2xx.
    Taken,
    /// 410: it is never to be sent to again.
    Gone(String),
    /// Anything else.
    Failed {
        /// What.
        text: String,
        /// How long the receiver asked to be left alone.
        not_before: Option<Span>,
    },
}

/// The secrets to sign with, newest first.
///
/// # Errors
/// [`Reason::ConfigValue`]: there is none, or one is not well formed. No text repeats any part of it.
pub(super) fn secrets(ws: &Workspace, webhook: &WebhookFile) -> Result<Vec<Secret>, AppError> {
    let bad = |what: String| {
        AppError::new(Reason::ConfigValue, what)
            .hint("`gonogo webhook secret` makes one; give the same to the receiver")
    };
    let (place, text) = match &webhook.secret {
        SecretAt::Variable(name) => {
            let text = std::env::var(name)
                .map_err(|_| bad(format!("the variable `{name}` does not hold a secret")))?;
            (format!("the variable `{name}`"), text)
        }
        SecretAt::File(path) => {
            let path = ws.config.root().join(path);
            let mut text = String::new();
            std::fs::File::open(&path)
                .and_then(|f| f.take(LARGEST).read_to_string(&mut text))
                .map_err(|e| AppError::io("read", &path, &e))?;
            (format!("`{}`", path.display()), text)
        }
    };
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() || lines.len() > 2 {
        let text = format!(
            "{place} holds {} secrets, and one or two are wanted",
            lines.len()
        );
        return Err(bad(text));
    }
    lines
        .into_iter()
        .map(|line| Secret::parse(line).map_err(|why| bad(format!("{place}: {why}"))))
        .collect()
}

/// Sends one notice.
pub(super) fn deliver(
    webhook: &WebhookFile,
    secrets: &[Secret],
    notice: &Notice,
    now: Timestamp,
) -> Said {
    let seconds = now.as_millis().div_euclid(1_000);
    let failed = |text: String| Said::Failed {
        text,
        not_before: None,
    };
    let request = Request::post(webhook.url.clone())
        .header("content-type", "application/json")
        .header("user-agent", concat!("gonogo/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &notice.id)
        .header("webhook-timestamp", seconds)
        .header(
            "webhook-signature",
            sign::header(secrets, &notice.id, seconds, &notice.body),
        )
        .body(Bytes::from(notice.body.clone()));
    let request = match request {
        Ok(request) => request,
        Err(e) => return failed(e.to_string()),
    };
    // What was taken is taken by its status: the rest of the answer says nothing, and may never end.
    let deadline = Duration::from_millis(webhook.timeout.as_millis());
    match gonogo_outbound::head_within(webhook.reach.clone(), request, deadline) {
        Ok(answer) if answer.status().is_success() => Said::Taken,
        Ok(answer) if answer.status() == StatusCode::GONE => {
            Said::Gone("the receiver answered 410: it wants no more".into())
        }
        Ok(answer) => {
            let asked = answer
                .headers()
                .get("retry-after")
                .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
            Said::Failed {
                text: format!("the receiver answered {}", answer.status().as_u16()),
                not_before: asked.map(|s| Span::from_secs(s.min(LONGEST_PAUSE))),
            }
        }
        Err(e) => failed(e.to_string()),
    }
}
