//! Environments: where a service runs, which gates it demands and who must approve.
//!
//! Invariant: silence about gates or approval is a fault; no default opens either.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use gonogo_core::{Digest, Reason, Share, Span, near};
use gonogo_release::approval::{ApprovalPolicy, Approver, Requester};
use gonogo_release::plan::{
    Binding, Checks, DryRunGate, Gates, Lane, Strategy, TargetSpec, VerdictGate,
};

use super::keys::{APPROVAL, APPROVER, DRY_RUN_GATE, GATES, REQUESTER, VERDICT_GATE};
use super::name;
use super::policy::defaulted;
use super::reader::{Found, Table};

/// An environment, with its strategy and checks looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Where versions run.
    pub target: TargetSpec,
    /// Which gates must pass first.
    pub gates: Gates,
    /// Who must approve.
    pub approval: ApprovalPolicy,
    /// Whether evidence counts only once witnesses have cosigned it.
    pub witnessed: bool,
    /// Whether the workflow service carries out what is applied, says the file.
    pub by_workflow: bool,
    /// How traffic moves.
    pub strategy: Strategy,
    /// What is judged.
    pub checks: Checks,
}

/// Reads `[environments.NAME]`. `None` after faults that leave nothing to build on.
pub(super) fn read(
    name: &str,
    table: &Table<'_, '_>,
    strategies: &BTreeMap<String, Strategy>,
    checks: &BTreeMap<String, Checks>,
    has_policy: bool,
) -> Option<Environment> {
    table.require("target");
    table.choice("target", &["host"]);
    let listen = read_listen(table);
    let sticky_cookie = table.text("sticky_cookie").map(|cookie| {
        if !is_token(&cookie.value) {
            cookie.refuse(
                table.faults,
                "expected a cookie's name: 1 to 64 letters, digits or any of `!#$%&'*+-.^_`|~`",
            );
        }
        cookie.value
    });
    let gates = read_gates(table);
    let approval = read_approval(table);
    let witnessed = table
        .choice("evidence", &["durable", "witnessed"])
        .is_some_and(|found| {
            let wanted = found.value == "witnessed";
            if wanted && !has_policy {
                found.refuse_with(
                    table.faults,
                    "witnesses are asked for, and none are named",
                    vec!["name them: `policy = \"FILE\"` under `[ledger]`".into()],
                );
            }
            wanted
        });
    let by_workflow = table
        .choice("apply_by", &["here", "workflow"])
        .is_some_and(|found| found.value == "workflow");
    let strategy = look_up(table, "strategy", strategies);
    let checks = look_up(table, "checks", checks);
    Some(Environment {
        name: name.to_owned(),
        target: TargetSpec::Host {
            listen: listen?,
            sticky_cookie,
        },
        gates: gates?,
        approval: approval?,
        witnessed,
        by_workflow,
        strategy: strategy?,
        checks: checks?,
    })
}

fn look_up<T: Clone>(table: &Table<'_, '_>, key: &str, known: &BTreeMap<String, T>) -> Option<T> {
    let Some(named) = table.text(key) else {
        return known.get("default").cloned();
    };
    let value = known.get(&named.value).cloned();
    if value.is_none() {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        named.refuse_with(
            table.faults,
            format!("`{}` names no {key}", named.value),
            near_and_list(&named.value, &names),
        );
    }
    value
}

/// Returns hints that name the nearest of `known`, and all of them.
pub(super) fn near_and_list(word: &str, known: &[&str]) -> Vec<String> {
    let mut hints: Vec<String> = near::nearest(word, known.iter().copied())
        .map(|n| format!("did you mean `{n}`?"))
        .into_iter()
        .collect();
    hints.push(if known.is_empty() {
        "the file names none".into()
    } else {
        format!("known: {}", known.join(", "))
    });
    hints
}

fn read_listen(table: &Table<'_, '_>) -> Option<String> {
    table.require("listen");
    let listen = table.text("listen")?;
    let form = "an IP address and a port, such as `127.0.0.1:8080` or `[::1]:8080`";
    match listen.value.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => {
            listen.refuse(
                table.faults,
                "expected a fixed port; port 0 would be another one at each start",
            );
        }
        // One spelling, so that the plan's fingerprint does not depend on how an address was written.
        Ok(address) => return Some(address.to_string()),
        Err(_) => {
            let hints = listen
                .value
                .strip_prefix("localhost:")
                .map(|port| format!("for this machine only: `127.0.0.1:{port}`"));
            listen.refuse_with(
                table.faults,
                format!("expected {form}"),
                hints.into_iter().collect(),
            );
        }
    }
    None
}

fn read_gates(table: &Table<'_, '_>) -> Option<Gates> {
    if !table.has("gates") {
        table.missing(
            "gates",
            Reason::GatesUnstated,
            vec!["write `gates = \"none\"` to demand none, or `gates = { dry_run = { max_age = \"7d\" } }`".into()],
        );
        return None;
    }
    if let Some(table) = table.table_if("gates", &GATES) {
        if table.has("verdict") {
            return read_verdict(&table);
        }
        table.require("dry_run");
        let gate = table.table("dry_run", &DRY_RUN_GATE)?;
        gate.require("max_age");
        let max_age: Found<Span> = gate.parsed("max_age", "a duration")?;
        if max_age.value == Span::ZERO {
            max_age.refuse(gate.faults, "must be longer than nothing");
        }
        let min_duration: Option<Found<Span>> = gate.parsed("min_duration", "a duration");
        if let Some(least) = min_duration.as_ref().filter(|l| l.value == Span::ZERO) {
            least.refuse(gate.faults, "must be longer than nothing");
        }
        let min_uptime: Option<Found<Share>> = gate.parsed("min_uptime", "a share");
        let binding = gate.choice("binding", &["executed", "mentioned"]);
        return Some(Gates::DryRun(DryRunGate {
            max_age: max_age.value,
            min_duration: min_duration.map(|f| f.value),
            min_uptime: min_uptime.map(|f| f.value),
            allow_warnings: gate.flag("allow_warnings").is_some_and(|f| f.value),
            binding: match binding.map(|f| f.value) {
                Some("mentioned") => Binding::Mentioned,
                _ => Binding::Executed,
            },
            // What the file declares of dry runs is known when a plan is made.
            declared: None,
        }));
    }
    let stated = if table.is_text("gates") {
        table.text("gates")
    } else {
        None
    };
    if stated.is_some_and(|s| s.value == "none") {
        return Some(Gates::None);
    }
    table.faults.add(
        Reason::GateUnknown,
        &table.place("gates"),
        &table.path("gates"),
        "the environment names a gate that this version of gonogo does not know",
        vec!["write `gates = \"none\"` to demand none, or `gates = { dry_run = { max_age = \"7d\" } }`".into()],
    );
    None
}

fn read_verdict(table: &Table<'_, '_>) -> Option<Gates> {
    if table.has("dry_run") {
        table.faults.add(
            Reason::ConfigValue,
            &table.place("dry_run"),
            &table.path("dry_run"),
            "`verdict` and `dry_run` cannot both be demanded here",
            vec![
                "let a gate of gates.toml check the dry run: `check = { dry_run = { … } }`".into(),
            ],
        );
    }
    let gate = table.table("verdict", &VERDICT_GATE)?;
    gate.require("max_age");
    let max_age: Found<Span> = gate.parsed("max_age", "a duration")?;
    if max_age.value == Span::ZERO {
        max_age.refuse(gate.faults, "must be longer than nothing");
    }
    let lane = gate.choice("lane", &["full", "certification"]);
    Some(Gates::Verdict(VerdictGate {
        lane: match lane.map(|f| f.value) {
            Some("certification") => Lane::Certification,
            _ => Lane::Full,
        },
        max_age: max_age.value,
        allow_excused: gate.flag("allow_excused").is_some_and(|f| f.value),
    }))
}

fn read_approval(table: &Table<'_, '_>) -> Option<ApprovalPolicy> {
    if !table.require("approval") {
        return None;
    }
    if table.is_text("approval") {
        table.choice("approval", &["self"])?;
        return Some(ApprovalPolicy {
            own: true,
            required: 1,
            roles: Vec::new(),
            approvers: Vec::new(),
            requesters: Vec::new(),
            max_sla: Span::from_secs(3600),
            ..ApprovalPolicy::default()
        });
    }
    let table = table.table("approval", &APPROVAL)?;
    let own = table.flag("self").is_some_and(|f| f.value);
    let max_sla: Found<Span> = defaulted(&table, "max_sla");
    if !(Span::from_secs(60)..=Span::from_secs(7 * 86_400)).contains(&max_sla.value) {
        max_sla.refuse(table.faults, "expected 1m to 7d");
    }
    let roles = read_roles(&table);
    let approvers = table.tables("approvers", &APPROVER);
    let whole = approvers
        .as_ref()
        .is_none_or(|a| table.is_whole_list("approvers", a.value.len()));
    let people = approvers.map_or_else(Vec::new, |a| read_approvers(&a.value, &roles));
    let askers = table.tables("requesters", &REQUESTER);
    let requesters = askers
        .as_ref()
        .map_or_else(Vec::new, |r| read_requesters(&r.value, &people));
    let askers_known = match &askers {
        Some(all) => all.value.len() == requesters.len(),
        None => !table.has("requesters"),
    };
    if !own {
        for role in roles
            .iter()
            .filter(|r| whole && people.iter().all(|p| p.role != r.value))
        {
            role.refuse(
                table.faults,
                format!("no approver has the role `{}`", role.value),
            );
        }
    }
    let mut voices = people.iter().map(|p| &p.id).collect::<BTreeSet<_>>().len() + usize::from(own);
    let outsider = requesters
        .iter()
        .any(|r| people.iter().all(|p| p.id != r.id));
    if !own && !outsider && askers_known {
        // Whoever asks is one of the approvers, listed among the requesters too or not.
        voices = voices.saturating_sub(1);
    }
    let required = table.count("required");
    if let Some(n) = required.as_ref().filter(|n| n.value == 0) {
        n.refuse(
            table.faults,
            "expected at least 1; to let the requester decide alone, write `approval = \"self\"`",
        );
    } else if let Some(n) = required
        .as_ref()
        .filter(|n| whole && n.value > voices as u64)
    {
        let who = if own {
            "the requester included"
        } else if outsider {
            "the requester left out"
        } else {
            "one of them asks, as there are no other `requesters`"
        };
        n.refuse(
            table.faults,
            format!(
                "{} must approve, and at most {voices} can ({who}); name more `approvers`",
                n.value
            ),
        );
    } else if required.is_none() && voices == 0 && whole {
        let (text, hint) = if people.is_empty() {
            (
                "nobody could approve: there are no `approvers`, and `self` is not allowed",
                "name `approvers`, or write `approval = \"self\"`",
            )
        } else {
            (
                "nobody could approve: the only approver is the only one who may ask, and `self` is not allowed",
                "name who asks in `requesters`, or a second approver",
            )
        };
        table.faults.add(
            Reason::ConfigValue,
            &table.span,
            &table.key,
            text,
            vec![hint.into()],
        );
    }
    Some(ApprovalPolicy {
        own,
        required: required.map_or(1, |n| u32::try_from(n.value).unwrap_or(u32::MAX)),
        roles: roles.into_iter().map(|r| r.value).collect(),
        approvers: people,
        requesters,
        max_sla: max_sla.value,
        login: table.flag("login").is_some_and(|f| f.value),
        delegation: read_delegation(&table),
        break_glass: Vec::new(),
        rollback_preapproved: table
            .choice("rollback", &["approved", "preapproved"])
            .is_some_and(|f| f.value == "preapproved"),
    })
}

fn read_delegation(table: &Table<'_, '_>) -> Option<Span> {
    let most: Found<Span> = table.parsed("delegation", "a duration such as `\"8h\"`")?;
    if !(Span::from_secs(60)..=Span::from_secs(31 * 86_400)).contains(&most.value) {
        most.refuse(table.faults, "expected 1m to 31d");
    }
    Some(most.value)
}

fn read_roles(table: &Table<'_, '_>) -> Vec<Found<String>> {
    let roles = table.texts("roles").map_or_else(Vec::new, |r| r.value);
    for (i, role) in roles.iter().enumerate() {
        name::check(table.faults, "a role", role);
        if roles[..i].iter().any(|r| r.value == role.value) {
            role.refuse(
                table.faults,
                format!("`{}` stands twice; keep one", role.value),
            );
        }
    }
    roles
}

fn read_approvers(tables: &[Table<'_, '_>], roles: &[Found<String>]) -> Vec<Approver> {
    let mut people: Vec<Approver> = Vec::new();
    for table in tables {
        let [id, role, key] = ["id", "role", "key"].map(|name| {
            table.require(name);
            table.text(name)
        });
        if let Some(id) = &id {
            check_id(table, id);
        }
        if let Some(role) = &role {
            name::check(table.faults, "a role", role);
            if !roles.is_empty() && roles.iter().all(|r| r.value != role.value) {
                let names: Vec<&str> = roles.iter().map(|r| r.value.as_str()).collect();
                let message = format!(
                    "`{}` is not one of this environment's `roles`, so this approver could never approve",
                    role.value
                );
                role.refuse_with(table.faults, message, near_and_list(&role.value, &names));
            }
        }
        if let Some(key) = &key {
            check_key(table, key);
        }
        let (Some(id), Some(role), Some(key)) = (id, role, key) else {
            continue;
        };
        // One key under two names would look like two people and count as one.
        if let Some(other) = people
            .iter()
            .find(|p| p.key == key.value && p.id != id.value)
        {
            key.refuse(
                table.faults,
                format!("this key belongs to `{}` already", other.id),
            );
        }
        let one = Approver {
            id: id.value.clone(),
            role: role.value,
            key: key.value,
        };
        if people.contains(&one) {
            id.refuse(table.faults, "this approver stands twice; keep one");
        }
        people.push(one);
    }
    people
}

/// Reads `requesters`. Somebody who approves, too, stands among the approvers and need not be repeated here.
fn read_requesters(tables: &[Table<'_, '_>], approvers: &[Approver]) -> Vec<Requester> {
    let mut people: Vec<Requester> = Vec::new();
    for table in tables {
        let [id, key] = ["id", "key"].map(|name| {
            table.require(name);
            table.text(name)
        });
        let (Some(id), Some(key)) = (id, key) else {
            continue;
        };
        check_id(table, &id);
        check_key(table, &key);
        let approver = approvers.iter().map(|a| (&a.id, &a.key));
        let mut known = people.iter().map(|r| (&r.id, &r.key)).chain(approver);
        if let Some((other, _)) =
            known.find(|(other, held)| **held == key.value && **other != id.value)
        {
            key.refuse(
                table.faults,
                format!("this key belongs to `{other}` already"),
            );
        }
        let one = Requester {
            id: id.value.clone(),
            key: key.value,
        };
        if people.contains(&one) {
            id.refuse(table.faults, "this requester stands twice; keep one");
        }
        people.push(one);
    }
    people
}

fn check_id(table: &Table<'_, '_>, id: &Found<String>) {
    if !name::is_person_name(&id.value) {
        id.refuse(
            table.faults,
            "expected a person's name or address: 1 to 64 of `A-Z a-z 0-9 . _ + - @`, a letter, digit or `_` first",
        );
    }
}

fn check_key(table: &Table<'_, '_>, key: &Found<String>) {
    if Digest::from_hex(&key.value).is_err() {
        key.refuse(table.faults, "expected a key id: 64 lower-case hex digits");
    }
}

/// A token of RFC 9110 section 5.6.2, at most 64 bytes: what a cookie's name is made of.
fn is_token(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
