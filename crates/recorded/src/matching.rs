//! When an incoming request is a recorded one, and how to say why it is none.
//!
//! Method (as it is written), URL, the chosen headers and the body are compared, all of them redacted. JSON bodies are compared by what they say; other
//! bodies byte by byte, those of multipart forms without the boundary, which clients draw anew each time.

use gonogo_core::{Digest, canonical};
use http::Method;
use http::header::HeaderName;
use serde_json::Value;

use crate::cassette::Field;
use crate::error::Error;
use crate::redact::boundary_of;
use crate::settings::MatchRules;

/// The rules, read.
#[derive(Debug)]
pub(crate) struct Rules {
    template: bool,
    volatile: Vec<Vec<String>>,
    headers: Vec<String>,
    repeat: Vec<(String, String)>,
}

/// A body as it is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    /// JSON without what is volatile.
    Json(Value),
    /// Anything else.
    Bytes(Digest),
}

/// A request as it is compared.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<Field>,
    pub(crate) form: Form,
    /// 12 hex digits of the digest of the redacted body.
    pub(crate) hash: String,
}

impl Rules {
    pub(crate) fn new(rules: &MatchRules) -> Result<Self, Error> {
        let mut volatile = Vec::new();
        for pointer in &rules.volatile {
            let Some(path) = pointer.strip_prefix('/') else {
                let why = "expected a JSON pointer to a part of the body, like `/metadata/id`";
                return Err(Error::setting(format!("volatile `{pointer}`"), why));
            };
            let unescape = |s: &str| s.replace("~1", "/").replace("~0", "~");
            volatile.push(path.split('/').map(unescape).collect());
        }
        for name in &rules.headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(Error::setting(
                    format!("matched header `{name}`"),
                    "no header name",
                ));
            }
        }
        let mut repeat = Vec::new();
        for line in &rules.repeat {
            let Some((method, url)) = line.split_once(' ') else {
                let why = "expected `METHOD URL`, where the URL may end in `*`";
                return Err(Error::setting(format!("repeat `{line}`"), why));
            };
            repeat.push((known_method(line, method)?, url.trim().to_owned()));
        }
        Ok(Self {
            template: rules.template,
            volatile,
            headers: rules
                .headers
                .iter()
                .map(|h| h.to_ascii_lowercase())
                .collect(),
            repeat,
        })
    }

    /// Whether a recorded request may come any number of times.
    pub(crate) fn repeats(&self, method: &str, url: &str) -> bool {
        self.repeat.iter().any(|(m, pattern)| {
            m == method
                && match pattern.strip_suffix('*') {
                    Some(start) => url.starts_with(start),
                    None => url == pattern,
                }
        })
    }

    /// Prepares a request for comparison. `body` is decoded and redacted.
    pub(crate) fn asked(
        &self,
        method: &str,
        url: String,
        headers: Vec<Field>,
        body: &[u8],
    ) -> Asked {
        let content_type = crate::cassette::value_of(&headers, "content-type");
        let form = self.form(content_type, body);
        Asked {
            method: method.to_owned(),
            url,
            form,
            hash: Digest::of(body).hex()[..12].to_owned(),
            headers,
        }
    }

    fn form(&self, content_type: Option<&str>, body: &[u8]) -> Form {
        let declared = content_type.is_some_and(crate::redact::is_json);
        let looks = body
            .trim_ascii_start()
            .first()
            .is_some_and(|b| b"{[".contains(b));
        // What JSON readers disagree about is compared byte by byte.
        if (declared || looks)
            && let Ok(mut value) = canonical::parse(body)
        {
            for path in &self.volatile {
                remove(&mut value, path);
            }
            return Form::Json(value);
        }
        let Some(boundary) = content_type.and_then(boundary_of) else {
            return Form::Bytes(Digest::of(body));
        };
        let dashed = format!("--{boundary}");
        let plain = aho_corasick::AhoCorasick::new([dashed.as_bytes()])
            .map(|search| search.replace_all_bytes(body, &[b"--boundary"]));
        Form::Bytes(Digest::of(plain.as_deref().unwrap_or(body)))
    }

    /// What differs between a recorded request and the one that came; nothing if they are the same.
    pub(crate) fn differences(&self, recorded: &Asked, came: &Asked) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut note = |what, text: String| all.push(Difference { what, text });
        if recorded.method != came.method {
            let mut text = format!("recorded {}, came {}", recorded.method, came.method);
            if recorded.method.eq_ignore_ascii_case(&came.method) {
                text.push_str("; methods are case-sensitive");
            }
            note(What::Method, text);
        }
        let ((base, query), (own, own_query)) = (halves(&recorded.url), halves(&came.url));
        if base != own {
            note(
                What::Url,
                format!("recorded `{}`, came `{}`", short(base), short(own)),
            );
        } else if query != own_query {
            let text = |q: Option<&str>| q.map_or("none".into(), |q| format!("`{}`", short(q)));
            note(
                What::Query,
                format!("recorded {}, came {}", text(query), text(own_query)),
            );
        }
        for name in &self.headers {
            let of = |asked: &Asked| -> Vec<Vec<u8>> {
                let own = asked.headers.iter().filter(|f| f.0 == *name);
                own.map(Field::bytes).collect()
            };
            if of(recorded) != of(came) {
                note(What::Header, format!("`{name}` differs"));
            }
        }
        let body = match (&recorded.form, &came.form) {
            (Form::Json(a), Form::Json(b)) => compare(a, b, self.template, &mut String::new()),
            (a, b) if a == b => None,
            _ => Some("the bytes differ".into()),
        };
        if let Some(why) = body {
            let hashes = format!("recorded {}, came {}", recorded.hash, came.hash);
            note(What::Body, format!("{why} ({hashes})"));
        }
        all
    }
}

/// The method of a `repeat`, as it is written (RFC 9110 section 9.1: methods are case-sensitive). `get` for `GET` would match nothing,
/// without a word.
fn known_method(line: &str, method: &str) -> Result<String, Error> {
    const KNOWN: [Method; 8] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
    ];
    let refused = |why: String| Err(Error::setting(format!("repeat `{line}`"), why));
    if Method::from_bytes(method.as_bytes()).is_err() {
        return refused(format!("`{method}` is no method"));
    }
    let meant = KNOWN
        .iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(method));
    match meant {
        Some(meant) if meant != method => {
            refused(format!("methods are case-sensitive: write `{meant}`"))
        }
        _ => Ok(method.to_owned()),
    }
}

/// What of a request differs, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Url,
    Method,
    Query,
    Header,
    Body,
}

/// A difference, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) what: What,
    pub(crate) text: String,
}

/// How far a request is from a recorded one; smaller is nearer.
pub(crate) fn distance(differences: &[Difference]) -> u32 {
    let weight = |d: &Difference| match d.what {
        What::Url => 16,
        What::Method => 8,
        What::Query => 4,
        What::Header => 1,
        What::Body => 2,
    };
    differences.iter().map(weight).sum()
}

fn halves(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (url, None),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= 160 {
        return text.to_owned();
    }
    text.chars().take(160).chain(['…']).collect()
}

fn remove(value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        *value = Value::Null;
        return;
    };
    match value {
        Value::Object(map) if rest.is_empty() && first == "*" => map.clear(),
        // An item keeps its place, so that the others keep theirs.
        Value::Object(map) if rest.is_empty() => {
            map.remove(first);
        }
        Value::Object(map) if first == "*" => map.values_mut().for_each(|v| remove(v, rest)),
        Value::Object(map) => {
            if let Some(v) = map.get_mut(first) {
                remove(v, rest);
            }
        }
        Value::Array(items) if first == "*" => items.iter_mut().for_each(|v| remove(v, rest)),
        Value::Array(items) => {
            let item = first.parse::<usize>().ok().and_then(|n| items.get_mut(n));
            if let Some(v) = item {
                remove(v, rest);
            }
        }
        _ => {}
    }
}

/// The first difference, with its place. As a template `recorded` may have fewer keys, and `null` where the other has none.
fn compare(recorded: &Value, came: &Value, template: bool, at: &mut String) -> Option<String> {
    let place = |at: &str| {
        if at.is_empty() {
            "the whole".to_owned()
        } else {
            format!("`{at}`")
        }
    };
    match (recorded, came) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let length = at.len();
                at.push('/');
                at.push_str(&key.replace('~', "~0").replace('/', "~1"));
                let found = match b.get(key) {
                    Some(own) => compare(value, own, template, at),
                    None if template && value.is_null() => None,
                    None => Some(format!("{} did not come", place(at))),
                };
                if found.is_some() {
                    return found;
                }
                at.truncate(length);
            }
            let extra = b.keys().find(|key| !template && !a.contains_key(*key))?;
            Some(format!("`{at}/{}` was not recorded", short(extra)))
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                let lengths = format!("recorded {} items, came {}", a.len(), b.len());
                return Some(format!("{}: {lengths}", place(at)));
            }
            for (n, (value, own)) in a.iter().zip(b).enumerate() {
                let length = at.len();
                at.push_str(&format!("/{n}"));
                let found = compare(value, own, template, at);
                if found.is_some() {
                    return found;
                }
                at.truncate(length);
            }
            None
        }
        (Value::Number(a), Value::Number(b)) if a != b => {
            // 1 and 1.0 are one number, and two ways to write it.
            let same = canonical::to_vec(recorded).ok() == canonical::to_vec(came).ok();
            (!same).then(|| format!("{}: recorded {a}, came {b}", place(at)))
        }
        (a, b) if a == b => None,
        (a, b) => {
            let text = |v: &Value| short(&v.to_string());
            Some(format!(
                "{}: recorded {}, came {}",
                place(at),
                text(a),
                text(b)
            ))
        }
    }
}

#[cfg(test)]
mod tests;
