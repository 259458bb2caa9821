//! `gonogo.toml`: found, read, checked, and turned into the plan's own types.
//!
//! Layers: defaults < file < `GONOGO_*` variables < flags. Only what is not part of a plan can be overridden from outside
//! the file ([`Overrides`]): which file, and which environment. What is released, where and how it is judged stands in the
//! file alone, because its bytes are part of what is approved.
//!
//! Use cases call [`Config::discover`], then [`Config::environment`] and [`Config::version`], hash the artifacts and build
//! a plan. Invariants: reading changes nothing and asks no network; a file with any fault yields no [`Config`]; every
//! fault has a stable reason, a place and a next step ([`ConfigError`]); silence about gates or approval is a fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason, Span};
use gonogo_release::freeze::Window;
use gonogo_release::plan::{Checks, Strategy};
use toml::de::DeTable;

mod break_glass;
mod dry_run;
mod environment;
mod error;
mod file;
mod freeze;
mod identity;
mod keys;
mod name;
mod observing;
mod overrides;
mod perf;
mod policy;
mod reader;
mod record;
mod reference;
pub(crate) mod secret;
mod stress;
mod suites;
mod sweep;
mod version;
mod webhooks;
mod workflow;

pub use dry_run::{
    AllowFile, DryRunFile, EvidenceFile, HeartbeatFile, ResourcesFile, ThresholdFile,
};
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors};
pub use file::{FILE, MAX_BYTES, find};
pub use identity::{OidcFile, ServerFile};
pub use keys::FORMATS;
pub use name::{is_person_name, is_plain_name};
pub use observing::{LONGEST_WINDOW, SloFile, TelemetryFile};
pub use overrides::Overrides;
pub use perf::{CompareFile, Figure, PerfFile};
pub use policy::{default_checks, default_strategy};
pub use record::RecordFile;
pub use reference::{key_table, page, schema, template};
pub use stress::StressFile;
pub use suites::{OwnerEntry, SuiteFile, SuitesFile};
pub use sweep::{OpportunityFile, StageFile, SweepFile};
pub use version::VersionTemplate;
pub use webhooks::{SecretAt, WebhookFile};
pub use workflow::{Mode as WorkflowMode, WorkflowFile};
pub(crate) use workflow::{WORD, is_word, url_fault};

use environment::near_and_list;
use error::Source;
use reader::{Faults, Found, Table};
use version::Described;

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file, as it was found or named.
    pub path: PathBuf,
    /// Digest of the file's bytes.
    pub digest: Digest,
    /// Name of the service.
    pub service: String,
    /// Environments by name; at least one.
    pub environments: BTreeMap<String, Environment>,
    /// Strategies by name; `default` is among them.
    pub strategies: BTreeMap<String, Strategy>,
    /// Checks by name; `default` is among them.
    pub checks: BTreeMap<String, Checks>,
    /// Times in which nothing new is applied.
    pub freezes: Vec<Window>,
    /// How the ledger is watched from outside.
    pub ledger: Watched,
    /// How often callers of the server may ask, and under which names.
    pub server: ServerFile,
    /// An issuer whose tokens the server accepts.
    pub oidc: Option<OidcFile>,
    /// What the file says of dry runs.
    pub dry_run: DryRunFile,
    /// What the file says of suites.
    pub suites: SuitesFile,
    /// Recordings by name.
    pub records: BTreeMap<String, RecordFile>,
    /// What gonogo is held to.
    pub slo: SloFile,
    /// What it tells of itself.
    pub telemetry: TelemetryFile,
    /// Performance budgets by name.
    pub perf: BTreeMap<String, PerfFile>,
    /// Load tests by name; none has the name of a budget.
    pub stress: BTreeMap<String, StressFile>,
    /// Sweeps of parameters by name.
    pub sweeps: BTreeMap<String, SweepFile>,
    /// Matrices of opportunities by name.
    pub opportunities: BTreeMap<String, OpportunityFile>,
    /// Who is told what happens, by name.
    pub webhooks: BTreeMap<String, WebhookFile>,
    /// What the file says of the workflow service.
    pub workflow: WorkflowFile,
    template: Option<Described>,
    versions: BTreeMap<String, Described>,
}

/// How the ledger is watched from outside: `[ledger]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// File with the witnesses and their quorum, as the file names it.
    pub policy: Option<PathBuf>,
    /// Time for all witnesses together.
    pub within: Span,
}

impl Config {
    /// Finds the file as `overrides` say, or upwards from `start` (absolute), and reads it.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every fault of the file.
    pub fn discover(start: &Path, overrides: &Overrides) -> Result<Self, ConfigErrors> {
        match &overrides.config {
            Some(path) => Self::read(path),
            None => Self::read(&find(start)?),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every fault of the file.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        Self::parse(path, &file::read_bytes(path)?)
    }

    /// Checks the bytes of a file; `path` is for messages and for [`Config::root`].
    ///
    /// # Errors
    /// [`ConfigErrors`] with every fault, or with the syntax faults alone, or with an unmet `requires` alone.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ConfigErrors> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let line = bytes[..e.valid_up_to()]
                .iter()
                .filter(|b| **b == b'\n')
                .count()
                + 1;
            let message = format!(
                "the file is not UTF-8 at byte {} in line {line}",
                e.valid_up_to()
            );
            ConfigError::of_file(Reason::ConfigUnreadable, path, message, "save it as UTF-8")
        })?;
        let source = Source { path, text };
        let (document, broken) = DeTable::parse_recoverable(text);
        if let Some(errors) = ConfigErrors::collect(file::syntax(&source, &broken)) {
            return Err(errors);
        }
        let faults = Faults::new(source);
        let root = Table::open(
            &faults,
            String::new(),
            0..0,
            document.get_ref(),
            &keys::ROOT,
        );
        if let Some(unmet) = check_requires(&root, &source) {
            return Err(unmet.into());
        }
        let read = read_root(&root);
        drop(root);
        if let Some(errors) = ConfigErrors::collect(faults.into_errors()) {
            return Err(errors);
        }
        Ok(Self {
            path: path.to_owned(),
            digest: Digest::of(bytes),
            ..read
        })
    }

    /// Returns the directory that relative paths of the file start from; empty if the file was named without one.
    pub fn root(&self) -> &Path {
        let parent = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        // A name without a directory is in this one.
        parent.unwrap_or(Path::new("."))
    }

    /// Returns the environment called `name`, or the only one if none is named.
    ///
    /// # Errors
    /// [`Reason::EnvironmentUnknown`] with the nearest name and the list.
    pub fn environment(&self, name: Option<&str>) -> Result<&Environment, ConfigErrors> {
        let names: Vec<&str> = self.environments.keys().map(String::as_str).collect();
        let fault = |message: String, hints| {
            self.unknown(Reason::EnvironmentUnknown, "environments", message, hints)
        };
        match name {
            Some(name) => self.environments.get(name).ok_or_else(|| {
                fault(
                    format!("no environment has the name `{}`", clip(name)),
                    near_and_list(name, &names),
                )
            }),
            None => {
                let mut all = self.environments.values();
                match (all.next(), all.next()) {
                    (Some(only), None) => Ok(only),
                    (None, _) => Err(fault(
                        "the file has no environment".into(),
                        vec!["begin one with `[environments.local]`; `gonogo help config` shows an example".into()],
                    )),
                    _ => Err(fault(
                        "the file has several environments and none was named".into(),
                        vec![format!(
                            "name one with --env or GONOGO_ENV: {}",
                            names.join(", ")
                        )],
                    )),
                }
            }
        }
    }

    /// Everybody whom an environment lists, with the key it lists for them.
    pub fn people(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environments.values().flat_map(|e| {
            let approvers = e.approval.approvers.iter().map(|a| (&a.id, &a.key));
            let requesters = e.approval.requesters.iter().map(|r| (&r.id, &r.key));
            approvers
                .chain(requesters)
                .map(|(id, key)| (id.as_str(), key.as_str()))
        })
    }

    /// Returns the version called `name`, with every `{version}` replaced.
    ///
    /// # Errors
    /// [`Reason::VersionUnknown`] if `name` is not plain, or neither described nor covered by a `[version]` template; with
    /// the nearest name and the list.
    pub fn version(&self, name: &str) -> Result<VersionTemplate, ConfigErrors> {
        let fault = |message: String, hints| {
            self.unknown(Reason::VersionUnknown, "versions", message, hints)
        };
        if !is_plain_name(name) {
            return Err(fault(
                format!("`{}` cannot be a version's name", clip(name)),
                vec!["1 to 64 of `A-Z a-z 0-9 . _ + -`, a letter, digit or `_` first".into()],
            ));
        }
        let described = self.versions.get(name).or(self.template.as_ref());
        described.and_then(|d| d.named(name)).ok_or_else(|| {
            let names: Vec<&str> = self.version_names().collect();
            fault(
                format!("no version has the name `{name}`"),
                near_and_list(name, &names),
            )
        })
    }

    fn unknown(
        &self,
        reason: Reason,
        key: &str,
        message: String,
        hints: Vec<String>,
    ) -> ConfigErrors {
        let key = key.to_owned();
        ConfigErrors::from(ConfigError {
            key,
            hints,
            ..ConfigError::of_file(reason, &self.path, message, "")
        })
    }

    /// Returns the names of the versions that have a section of their own.
    pub fn version_names(&self) -> impl Iterator<Item = &str> {
        self.versions.keys().map(String::as_str)
    }

    /// Whether a `[version]` template makes every well-formed name a version.
    pub fn has_template(&self) -> bool {
        self.template
            .as_ref()
            .is_some_and(|t| t.named("").is_some())
    }
}

/// Checks `requires` before everything else: a file for another version may hold keys that this one cannot know.
fn check_requires(root: &Table<'_, '_>, source: &Source<'_>) -> Option<ConfigError> {
    let wanted = root.text("requires")?;
    let this = env!("CARGO_PKG_VERSION");
    match (
        semver::VersionReq::parse(&wanted.value),
        semver::Version::parse(this),
    ) {
        (Ok(wanted), Ok(version)) if wanted.matches(&version) => None,
        (Ok(_), _) => {
            let message = format!(
                "the file asks for gonogo {}, and this is {this}",
                wanted.value
            );
            let hints = vec!["install that version, or change `requires`".into()];
            Some(source.error(
                Reason::ConfigRequires,
                &wanted.span,
                wanted.key,
                message,
                hints,
            ))
        }
        (Err(e), _) => {
            wanted.refuse(
                root.faults,
                format!("expected versions such as `>=0.1` or `>=0.1, <0.3`: {e}"),
            );
            None
        }
    }
}

/// Reads all sections; [`Config::path`] and [`Config::digest`] are the caller's.
fn read_root(root: &Table<'_, '_>) -> Config {
    // A file may be about dry runs alone, or about suites or budgets without releases; whatever needs an environment then says that there is none.
    let releases = ["environments", "version", "versions"]
        .iter()
        .any(|key| root.has(key));
    let suites = ["suites", "record", "perf"].iter().any(|key| root.has(key));
    let alone = !releases && (suites || (root.has("dry_run") && !root.has("service")));
    if !alone {
        root.require("service");
    }
    let unnamed = match (alone, suites) {
        (false, _) => "",
        (true, true) => "project",
        (true, false) => "dry-run",
    };
    let service = root.text("service").map_or_else(
        || unnamed.to_owned(),
        |service| {
            name::check(root.faults, "the service's name", &service);
            service.value
        },
    );
    let (template, versions) = if alone {
        (None, BTreeMap::new())
    } else {
        read_versions(root)
    };
    let mut strategies = BTreeMap::from([("default".to_owned(), default_strategy())]);
    for (name, table) in named(root, "strategies", "a strategy's name", &keys::STRATEGY) {
        strategies.insert(name.clone(), policy::read_strategy(&name, &table));
    }
    let mut checks = BTreeMap::from([("default".to_owned(), default_checks())]);
    for (name, table) in named(root, "checks", "a name of checks", &keys::CHECKS) {
        checks.insert(name.clone(), policy::read_checks(&name, &table));
    }
    let tables = named(
        root,
        "environments",
        "an environment's name",
        &keys::ENVIRONMENT,
    );
    if !alone && tables.is_empty() && root.is_absent_or_empty("environments") {
        let hint = "begin one with `[environments.local]`".into();
        root.missing("environments", Reason::ConfigMissingKey, vec![hint]);
    }
    let ledger = read_ledger(root);
    let names: Vec<String> = tables.iter().map(|(name, _)| name.clone()).collect();
    let freezes = freeze::read(root, &names);
    let mut environments: BTreeMap<String, Environment> = tables
        .into_iter()
        .filter_map(|(name, table)| {
            let witnesses = root.table_has("ledger", "policy");
            environment::read(&name, &table, &strategies, &checks, witnesses).map(|e| (name, e))
        })
        .collect();
    let webhooks = webhooks::read(root);
    break_glass::read(root, &mut environments, &webhooks);
    let budgets = perf::read(root);
    let sweeps = sweep::sweeps(root, &budgets);
    Config {
        path: PathBuf::new(),
        digest: Digest::of(b""),
        service,
        environments,
        strategies,
        checks,
        freezes,
        ledger,
        server: identity::server(root),
        oidc: identity::oidc(root),
        dry_run: dry_run::read(root),
        suites: suites::read(root),
        records: record::read(root),
        slo: observing::slo(root),
        telemetry: observing::telemetry(root),
        stress: stress::read(root),
        opportunities: sweep::opportunities(root, &budgets, &sweeps),
        sweeps,
        perf: budgets,
        webhooks,
        workflow: workflow::read(root),
        template,
        versions,
    }
}

fn read_ledger(root: &Table<'_, '_>) -> Watched {
    let default = Watched {
        policy: None,
        within: Span::from_secs(1),
    };
    root.table("ledger", &keys::LEDGER)
        .map_or(default, |table| {
            let within: Found<Span> = policy::defaulted(&table, "witness_within");
            if !(Span::from_millis(100)..=Span::from_secs(60)).contains(&within.value) {
                within.refuse(table.faults, "expected 100ms to 60s");
            }
            let named = table.text("policy").map(|policy| {
                if policy.value.is_empty() {
                    policy.refuse(table.faults, "expected a file's path");
                }
                PathBuf::from(policy.value)
            });
            Watched {
                policy: named,
                within: within.value,
            }
        })
}

fn read_versions(root: &Table<'_, '_>) -> (Option<Described>, BTreeMap<String, Described>) {
    let template = root
        .table("version", &keys::VERSION)
        .map(|table| (Described::read(&table), table));
    let tables = named(root, "versions", "a version's name", &keys::VERSION);
    match &template {
        // A template without `run` is of use to versions that bring their own.
        Some((described, table)) if tables.is_empty() => {
            described.check_run(table);
            described.check_variables(table);
        }
        Some((described, table)) => described.check_variables(table),
        None if tables.is_empty()
            && !root.has("version")
            && root.is_absent_or_empty("versions") =>
        {
            let hint =
                "describe any version with `[version]`, or one with `[versions.\"1.0.0\"]`".into();
            root.missing("version", Reason::ConfigMissingKey, vec![hint]);
        }
        _ => {}
    }
    let template = template.map(|(described, _)| described);
    let mut versions = BTreeMap::new();
    for (name, table) in tables {
        let whole = Described::read(&table).over(template.as_ref());
        // A broken template was reported at its own place; do not blame each version for it.
        if !root.table_has("version", "run") {
            whole.check_run(&table);
        }
        if ["env", "env_from", "port_env"]
            .into_iter()
            .any(|key| table.has(key))
        {
            whole.check_variables(&table);
        }
        versions.insert(name, whole);
    }
    (template, versions)
}

/// Opens the sections under `key` and checks their names.
fn named<'a, 'i>(
    root: &Table<'a, 'i>,
    key: &str,
    what: &str,
    section: &'static keys::Section,
) -> Vec<(String, Table<'a, 'i>)> {
    let tables = root.map(key, section);
    check_names(root, what, &tables);
    tables
}

/// Checks the names of sections.
fn check_names(root: &Table<'_, '_>, what: &str, tables: &[(String, Table<'_, '_>)]) {
    for (name, table) in tables {
        let found = Found {
            value: name.clone(),
            span: table.span.clone(),
            key: table.key.clone(),
        };
        name::check(root.faults, what, &found);
    }
}

/// A foreign word, short enough to print.
fn clip(word: &str) -> String {
    word.chars()
        .take(80)
        .collect::<String>()
        .escape_debug()
        .to_string()
}
