//! Versions as the file describes them: a template for any version, and versions that replace some of its keys.
//!
//! Meets [`gonogo_release::plan::VersionSpec`], which also holds the artifacts' digests: hashing files is the caller's
//! work, so a [`VersionTemplate`] holds their paths only. Invariant: no value that looks like a secret gets through.

use std::collections::BTreeMap;
use std::ops::Range;

use gonogo_core::{Reason, Span, near};
use gonogo_release::plan::{Artifact, Drain, Protocol, Ready, ReadyProbe, VersionSpec};

use super::keys::{DRAIN, READY, SIGNALS};
use super::name::is_variable;
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::secret;

/// The variable that carries the port unless the file names another.
const PORT_ENV: &str = "PORT";

/// A version with every `{version}` replaced, before its artifacts are hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionTemplate {
    /// Its name.
    pub version: String,
    /// Program and arguments; `{port}` still stands in them.
    pub run: Vec<String>,
    /// Environment, by value.
    pub env: BTreeMap<String, String>,
    /// Environment taken over by name.
    pub env_from: Vec<String>,
    /// The variable that carries the port.
    pub port_env: String,
    /// Paths of the files that make up the version: relative to the configuration's directory, or absolute.
    pub artifacts: Vec<String>,
    /// How it says that it is ready.
    pub ready: Ready,
    /// How it drains.
    pub drain: Drain,
    /// HTTP version spoken to it.
    pub protocol: Protocol,
}

impl VersionTemplate {
    /// Completes the description with hashed artifacts, one for each of [`VersionTemplate::artifacts`], in that order.
    pub fn with_artifacts(self, artifacts: Vec<Artifact>) -> VersionSpec {
        VersionSpec {
            version: self.version,
            run: self.run,
            env: self.env,
            env_from: self.env_from,
            port_env: self.port_env,
            artifacts,
            ready: self.ready,
            drain: self.drain,
            protocol: self.protocol,
        }
    }
}

/// What one section says; absent keys come from the template or the defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct Described {
    run: Option<Vec<String>>,
    env: Option<BTreeMap<String, String>>,
    env_from: Option<Vec<String>>,
    port_env: Option<String>,
    artifacts: Option<Vec<String>>,
    ready: Option<Ready>,
    drain: Option<Drain>,
    protocol: Option<Protocol>,
}

impl Described {
    /// Reads `[version]` or `[versions.NAME]`.
    pub(super) fn read(table: &Table<'_, '_>) -> Self {
        Self {
            run: table.texts("run").map(|run| read_run(table, &run)),
            env: table.text_map("env").map(|env| read_env(table, &env)),
            env_from: table.texts("env_from").map(|names| {
                let valid = |n: &str| is_variable(n);
                distinct(
                    table,
                    &names.value,
                    "a variable's name such as `DATABASE_URL`",
                    valid,
                )
            }),
            port_env: table.text("port_env").map(|name| {
                if !is_variable(&name.value) {
                    name.refuse(table.faults, "expected a variable's name such as `PORT`");
                }
                name.value
            }),
            artifacts: table.texts("artifacts").map(|paths| {
                let valid = |p: &str| !p.is_empty() && !p.contains('\0') && !p.ends_with('/');
                let paths = distinct(table, &paths.value, "the path of a file", valid);
                for path in &paths {
                    placeholders(
                        table,
                        path,
                        &table.place("artifacts"),
                        &table.path("artifacts"),
                        &["version"],
                    );
                }
                paths
            }),
            ready: table.table("ready", &READY).map(|t| read_ready(&t)),
            drain: table.table("drain", &DRAIN).map(|t| read_drain(&t)),
            protocol: table.choice("protocol", &["http1", "h2c"]).map(|p| {
                if p.value == "h2c" {
                    Protocol::H2c
                } else {
                    Protocol::Http1
                }
            }),
        }
    }

    /// Notes a variable with two sources.
    pub(super) fn check_variables(&self, table: &Table<'_, '_>) {
        let env = self.env.iter().flatten().map(|(name, _)| name);
        let from = self.env_from.iter().flatten();
        for name in env
            .clone()
            .filter(|n| self.env_from.iter().flatten().any(|f| f == *n))
        {
            clash(
                table,
                "env_from",
                &format!("`{name}` stands in `env` and in `env_from`; keep one"),
            );
        }
        let port = self.port_env.as_deref().unwrap_or(PORT_ENV);
        if env.chain(from).any(|n| n == port) {
            clash(
                table,
                "port_env",
                &format!("`{port}` carries the port, so it may not stand in `env` or `env_from`"),
            );
        }
    }

    /// Lets the keys given here replace those of `template`.
    pub(super) fn over(self, template: Option<&Self>) -> Self {
        let base = template.cloned().unwrap_or_default();
        Self {
            run: self.run.or(base.run),
            env: self.env.or(base.env),
            env_from: self.env_from.or(base.env_from),
            port_env: self.port_env.or(base.port_env),
            artifacts: self.artifacts.or(base.artifacts),
            ready: self.ready.or(base.ready),
            drain: self.drain.or(base.drain),
            protocol: self.protocol.or(base.protocol),
        }
    }

    /// Notes that `run` is absent.
    pub(super) fn check_run(&self, table: &Table<'_, '_>) {
        if self.run.is_none() && !table.has("run") {
            table.missing("run", Reason::ConfigMissingKey, Vec::new());
        }
    }

    /// Names the version and fills in the defaults. `None` if `run` is absent, which a file without faults excludes.
    pub(super) fn named(&self, version: &str) -> Option<VersionTemplate> {
        let fill = |text: &String| text.replace("{version}", version);
        let all = |texts: &Option<Vec<String>>| texts.iter().flatten().map(fill).collect();
        let env = self.env.iter().flatten();
        Some(VersionTemplate {
            version: version.to_owned(),
            run: self.run.as_ref()?.iter().map(fill).collect(),
            env: env.map(|(k, v)| (k.clone(), fill(v))).collect(),
            env_from: self.env_from.clone().unwrap_or_default(),
            port_env: self.port_env.as_deref().unwrap_or(PORT_ENV).to_owned(),
            artifacts: all(&self.artifacts),
            ready: self.ready.clone().unwrap_or_else(|| Ready {
                probe: ReadyProbe::Tcp,
                interval: Span::from_millis(100),
                timeout: Span::from_secs(1),
                within: Span::from_secs(15),
            }),
            drain: self.drain.clone().unwrap_or_else(|| Drain {
                signal: "TERM".into(),
                within: Span::from_secs(10),
            }),
            protocol: self.protocol.unwrap_or(Protocol::Http1),
        })
    }
}

fn read_run(table: &Table<'_, '_>, run: &Found<Vec<Found<String>>>) -> Vec<String> {
    let program = run
        .value
        .first()
        .is_some_and(|p| !p.value.trim().is_empty());
    if !program && table.is_whole_list("run", run.value.len()) {
        run.refuse(
            table.faults,
            "expected a program and its arguments, such as `[\"./bin/storefront\"]`",
        );
    }
    for argument in &run.value {
        if argument.value.contains('\0') {
            argument.refuse(table.faults, "an argument cannot hold a NUL character");
        }
        placeholders(
            table,
            &argument.value,
            &argument.span,
            &argument.key,
            &["version", "port"],
        );
    }
    let texts = || run.value.iter().map(|a| a.value.as_str());
    if let Some(i) = secret::in_arguments(texts()) {
        leak(table, &run.value[i].key, &run.value[i].span);
    }
    texts().map(str::to_owned).collect()
}

fn read_env(table: &Table<'_, '_>, env: &[(String, Found<String>)]) -> BTreeMap<String, String> {
    for (name, value) in env {
        if !is_variable(name) {
            value.refuse(
                table.faults,
                "a variable's name is letters, digits and `_`, and no digit first",
            );
        }
        if value.value.contains('\0') {
            value.refuse(table.faults, "a variable cannot hold a NUL character");
        }
        let named = secret::is_secret_name(name) && !value.value.is_empty();
        if named || secret::is_secret_value(&value.value) {
            leak(table, &value.key, &value.span);
        }
        placeholders(table, &value.value, &value.span, &value.key, &["version"]);
    }
    env.iter()
        .map(|(k, v)| (k.clone(), v.value.clone()))
        .collect()
}

fn leak(table: &Table<'_, '_>, key: &str, span: &Range<usize>) {
    table.faults.add(
        Reason::SecretInConfig,
        span,
        key,
        "the value looks like a secret; it would be stored in every plan and shown to every approver",
        vec![
            "pass it by name: `env_from = [\"NAME\"]`, set where the agent runs".into(),
            "or pass the path of a file that holds it, in a variable such as `TOKEN_FILE`".into(),
        ],
    );
}

fn read_ready(table: &Table<'_, '_>) -> Ready {
    let http = table.text("http");
    let tcp = table.flag("tcp");
    let at = |message: &str| {
        table.faults.add(
            Reason::ConfigValue,
            &table.span,
            &table.key,
            message,
            Vec::new(),
        );
    };
    match (&http, &tcp) {
        (Some(_), Some(tcp)) if tcp.value => at("`http` and `tcp` stand together; keep one"),
        (None, Some(tcp)) if !tcp.value => tcp.refuse(
            table.faults,
            "write `tcp = true`, or name a path with `http`",
        ),
        (None, None) if !table.has("http") && !table.has("tcp") => {
            at("say what to ask: `http = \"/path\"` or `tcp = true`");
        }
        _ => {}
    }
    if let Some(path) = &http
        && !is_path(&path.value)
    {
        path.refuse(
            table.faults,
            "expected a path that begins with `/` and holds no spaces, such as `/readyz`",
        );
    }
    let interval = defaulted(table, "interval");
    let timeout = defaulted(table, "timeout");
    let within = defaulted(table, "within");
    if interval.value < Span::from_millis(10) {
        interval.refuse(table.faults, "expected at least 10ms");
    }
    if timeout.value == Span::ZERO {
        timeout.refuse(table.faults, "expected more than 0s");
    }
    if within.value < interval.value {
        within.refuse(
            table.faults,
            format!("expected at least one `interval` ({})", interval.value),
        );
    }
    Ready {
        probe: http.map_or(ReadyProbe::Tcp, |p| ReadyProbe::Http(p.value)),
        interval: interval.value,
        timeout: timeout.value,
        within: within.value,
    }
}

fn read_drain(table: &Table<'_, '_>) -> Drain {
    Drain {
        signal: table
            .choice("signal", &SIGNALS)
            .map_or("TERM", |s| s.value)
            .into(),
        within: defaulted(table, "within").value,
    }
}

/// A path of a request as it may stand in a request line (RFC 3986 section 3.3 and 3.4; no fragment).
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}

fn distinct(
    table: &Table<'_, '_>,
    items: &[Found<String>],
    what: &str,
    valid: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for item in items {
        if !valid(&item.value) {
            item.refuse(table.faults, format!("expected {what}"));
        } else if kept.contains(&item.value) {
            item.refuse(
                table.faults,
                format!("`{}` stands twice; keep one", item.value),
            );
        }
        kept.push(item.value.clone());
    }
    kept
}

/// Notes placeholders that are slips of known ones; other braces are the program's own business.
fn placeholders(table: &Table<'_, '_>, text: &str, span: &Range<usize>, key: &str, known: &[&str]) {
    for piece in text.split('{').skip(1) {
        let Some((word, _)) = piece.split_once('}') else {
            continue;
        };
        if known.contains(&word) || !word.bytes().all(|b| b.is_ascii_alphabetic()) {
            continue;
        }
        if let Some(near) = near::nearest(word, known.iter().copied()) {
            let message = format!("`{{{word}}}` is not a placeholder");
            let hint = format!("did you mean `{{{near}}}`?");
            table
                .faults
                .add(Reason::ConfigValue, span, key, message, vec![hint]);
        }
    }
}

fn clash(table: &Table<'_, '_>, name: &str, message: &str) {
    table.faults.add(
        Reason::ConfigValue,
        &table.place(name),
        &table.path(name),
        message,
        Vec::new(),
    );
}
