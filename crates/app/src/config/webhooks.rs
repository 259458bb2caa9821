//! `[webhooks.NAME]`: who is told what happens.
//!
//! Invariant: no secret stands here; it is named by a variable or a file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gonogo_core::Span;
use gonogo_outbound::Reach;

use super::environment::near_and_list;
use super::keys::WEBHOOK;
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::{named, secret};
use crate::notices::{EVENTS, EVERYTHING};

/// `[webhooks.NAME]`.
#[derive(Debug, Clone)]
pub struct WebhookFile {
    /// Where notices are sent.
    pub url: http::Uri,
    /// Where the secret is.
    pub secret: SecretAt,
    /// What is told; [`EVERYTHING`] is all.
    pub events: Vec<String>,
    /// Only what is about these environments; all if empty.
    pub environments: Vec<String>,
    /// Which addresses may be reached.
    pub reach: Reach,
    /// Where people find the server, without a slash at its end.
    pub link: Option<String>,
    /// Time for one delivery.
    pub timeout: Span,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretAt {
    /// In this variable.
    Variable(String),
    /// In this file, as the configuration names it.
    File(PathBuf),
}

/// Reads the sections, by name.
pub(super) fn read(root: &Table<'_, '_>) -> BTreeMap<String, WebhookFile> {
    let tables = named(root, "webhooks", "a webhook's name", &WEBHOOK);
    tables
        .into_iter()
        .filter_map(|(name, table)| Some((name, read_one(&table)?)))
        .collect()
}

fn read_one(t: &Table<'_, '_>) -> Option<WebhookFile> {
    let url = t.require("url").then(|| t.text("url"))?;
    let allow: Vec<String> = words(t, "allow");
    let reach = match Reach::public_and(&allow) {
        Ok(reach) => Some(reach),
        Err(e) => {
            if let Some(found) = t.texts("allow") {
                found.refuse(t.faults, e);
            }
            None
        }
    };
    let url = url.and_then(|found| address(t, &found, !allow.is_empty()));
    let variable = t.text("secret_env");
    let file = t.text("secret_file");
    let secret = match (variable, file) {
        (Some(name), None) => {
            if !super::name::is_variable(&name.value) {
                name.refuse(
                    t.faults,
                    "expected the name of a variable, such as `HOOK_KEY`",
                );
            }
            Some(SecretAt::Variable(name.value))
        }
        (None, Some(file)) => Some(SecretAt::File(file.value.into())),
        (Some(_), Some(file)) => {
            file.refuse(t.faults, "not together with `secret_env`");
            None
        }
        (None, None) => {
            if !t.has("secret_env") && !t.has("secret_file") {
                let hint = "notices are signed: name the variable or the file that holds the secret; `gonogo webhook secret` makes one";
                let reason = gonogo_core::Reason::ConfigMissingKey;
                t.missing("secret_env", reason, vec![hint.into()]);
            }
            None
        }
    };
    let events = t.texts("events");
    for word in events.iter().flat_map(|found| &found.value) {
        let known = word.value == EVERYTHING || EVENTS.iter().any(|e| e.name == word.value);
        if !known {
            let names: Vec<&str> = EVENTS.iter().map(|e| e.name).collect();
            let text = format!("no event has the name `{}`", super::clip(&word.value));
            word.refuse_with(t.faults, text, near_and_list(&word.value, &names));
        }
    }
    if let Some(found) = events.as_ref().filter(|found| found.value.is_empty()) {
        found.refuse(t.faults, "tells nothing; leave it out, or name an event");
    }
    let events = match events {
        Some(found) => found.value.into_iter().map(|w| w.value).collect(),
        None => crate::notices::USUAL.map(str::to_owned).to_vec(),
    };
    let link = t.text("link").map(|found| {
        let web = found.value.starts_with("https://") || found.value.starts_with("http://");
        if !web || secret::is_secret_value(&found.value) {
            found.refuse(t.faults, "expected an `http://` or `https://` address");
        }
        found.value.trim_end_matches('/').to_owned()
    });
    let timeout: Found<Span> = defaulted(t, "timeout");
    if !(1_000..=30_000).contains(&timeout.value.as_millis()) {
        timeout.refuse(t.faults, "expected 1s to 30s");
    }
    Some(WebhookFile {
        url: url?,
        secret: secret?,
        events,
        environments: words(t, "environments"),
        reach: reach?,
        link,
        timeout: timeout.value,
    })
}

fn address(t: &Table<'_, '_>, found: &Found<String>, near: bool) -> Option<http::Uri> {
    let refuse = |text: &str| {
        found.refuse(t.faults, text);
        None
    };
    if secret::is_secret_value(&found.value) || found.value.contains('@') {
        return refuse("the address holds a login; notices are signed instead");
    }
    let Ok(url) = found.value.parse::<http::Uri>() else {
        return refuse("this is no address");
    };
    match url.scheme_str() {
        Some("https") => {}
        Some("http") if near => {}
        Some("http") => {
            return refuse(
                "`http://` is for the networks that `allow` names alone; use `https://`",
            );
        }
        _ => return refuse("expected an `https://` address"),
    }
    if url.host().is_none_or(str::is_empty) {
        return refuse("the address names no host");
    }
    Some(url)
}

fn words(t: &Table<'_, '_>, key: &str) -> Vec<String> {
    let found = t.texts(key).into_iter().flat_map(|f| f.value);
    found.map(|word| word.value).collect()
}
