//! Every use case, once. Each door is compared with this list; what a door lacks on purpose is listed with its reason.

use gonogo_core::envelope::Class;

/// A use case.
#[derive(Debug, Clone, Copy)]
pub struct UseCase {
    /// Stable name: the envelope's `toolId`.
    pub name: &'static str,
    /// The command that reaches it.
    pub command: &'static str,
    /// What it may do.
    pub class: Class,
}

const fn case(name: &'static str, command: &'static str, class: Class) -> UseCase {
    UseCase {
        name,
        command,
        class,
    }
}

/// Every use case, by name.
pub const ALL: &[UseCase] = &[
    case("agent_run", "agent", Class::Apply),
    case("apply_change", "apply", Class::Apply),
    case("approval_decide", "approve", Class::Plan),
    case("approval_queue", "approval list", Class::Read),
    case("approval_request", "approval request", Class::Plan),
    case("approval_revoke", "approval revoke", Class::Plan),
    case("approval_show", "approval show", Class::Read),
    case("approval_submit", "approval submit", Class::Plan),
    case("break_glass", "break-glass", Class::Plan),
    case("call", "call", Class::Apply),
    case("controller_run", "controller", Class::Apply),
    case("delegation_give", "approval delegate", Class::Plan),
    case("delegation_list", "approval delegations", Class::Read),
    case("delegation_withdraw", "approval undelegate", Class::Plan),
    case("demo_run", "demo", Class::Apply),
    case("dry_run_audit", "dry-run audit", Class::Read),
    case("dry_run_backlog", "dry-run backlog", Class::Read),
    case("dry_run_finalize", "dry-run finalize", Class::Apply),
    case("dry_run_orchestrate", "dry-run orchestrate", Class::Apply),
    case("dry_run_review", "dry-run review", Class::Read),
    case("dry_run_run", "dry-run run", Class::Apply),
    case("dry_run_simulate", "dry-run simulate", Class::Apply),
    case("dry_run_smoke", "dry-run smoke", Class::Apply),
    case("dry_run_watch", "dry-run watch", Class::Read),
    case("dry_run_wrap_up", "dry-run wrap-up", Class::Read),
    case("evidence_get", "evidence show", Class::Read),
    case("evidence_search", "evidence list", Class::Read),
    case("evidence_submit", "evidence submit", Class::Apply),
    case("freeze_declare", "freeze", Class::Plan),
    case("freeze_end", "unfreeze", Class::Plan),
    case("freeze_list", "freeze list", Class::Read),
    case("gate_approve", "gate approve", Class::Apply),
    case("gate_bundle", "gate bundle", Class::Plan),
    case("gate_check", "gate check", Class::Apply),
    case("gate_excuses", "gate excuses", Class::Read),
    case("gate_explain", "gate explain", Class::Read),
    case("gate_policy", "gate policy", Class::Read),
    case("gate_rejudge", "gate rejudge", Class::Read),
    case("gate_selftest", "gate selftest", Class::Read),
    case("gate_simulate", "gate simulate", Class::Read),
    case("gates_check", "gates check", Class::Read),
    case("gates_dashboard", "gates dashboard", Class::Read),
    case("gates_init", "gates init", Class::Apply),
    case("gates_sign_off", "gates sign-off", Class::Apply),
    case("incident_close", "incident close", Class::Plan),
    case("incident_list", "incident list", Class::Read),
    case("incident_show", "incident show", Class::Read),
    case("key_create", "key new", Class::Plan),
    case("key_show", "key show", Class::Read),
    case("known_good_list", "known-good list", Class::Read),
    case("known_good_promote", "known-good promote", Class::Plan),
    case("ledger_consistency", "ledger consistency", Class::Read),
    case("ledger_cosign", "ledger cosign", Class::Apply),
    case("ledger_erase", "ledger erase", Class::Apply),
    case("ledger_export", "ledger export", Class::Apply),
    case("ledger_fsck", "ledger fsck", Class::Read),
    case("ledger_keys_enrol", "ledger keys enrol", Class::Apply),
    case("ledger_keys_list", "ledger keys list", Class::Read),
    case("ledger_keys_revoke", "ledger keys revoke", Class::Apply),
    case("ledger_keys_rotate", "ledger keys rotate", Class::Apply),
    case("ledger_reindex", "ledger reindex", Class::Apply),
    case("ledger_relock", "ledger relock", Class::Apply),
    case("ledger_serve", "ledger serve", Class::Read),
    case("ledger_status", "ledger status", Class::Read),
    case("ledger_tail", "ledger tail", Class::Read),
    case("mcp_run", "mcp", Class::Apply),
    case("operation_cancel", "cancel", Class::Apply),
    case("operation_get", "status", Class::Read),
    case("operation_list", "history", Class::Read),
    case("operation_resume", "ops resume", Class::Apply),
    case("operation_show", "ops show", Class::Read),
    case("operation_triage", "ops triage", Class::Read),
    case("operation_watch", "watch", Class::Read),
    case("packet_verify", "verify", Class::Read),
    case("packet_write", "packet", Class::Read),
    case("perf_check", "perf check", Class::Apply),
    case("perf_compare", "perf compare", Class::Apply),
    case("perf_history", "perf history", Class::Read),
    case("perf_rejudge", "perf rejudge", Class::Read),
    case("perf_run", "perf run", Class::Apply),
    case("perf_stress", "perf stress", Class::Apply),
    case("perf_sweep", "perf sweep", Class::Apply),
    case("pin_list", "pin list", Class::Read),
    case("pin_remove", "unpin", Class::Plan),
    case("pin_set", "pin", Class::Plan),
    case("plan_change", "plan", Class::Plan),
    case("plan_diff", "plan diff", Class::Read),
    case("plan_get", "plan show", Class::Read),
    case("plan_lint", "plan lint", Class::Read),
    case("project_init", "init", Class::Apply),
    case("reason_explain", "explain", Class::Read),
    case("recording_lint", "record lint", Class::Read),
    case("recording_run", "record", Class::Apply),
    case("release", "release", Class::Apply),
    case("rollback_change", "rollback", Class::Apply),
    case("rollback_posture", "rollback-posture", Class::Plan),
    case("runbook_lint", "runbook lint", Class::Read),
    case("runbook_list", "runbook list", Class::Read),
    case("runbook_match", "runbook match", Class::Read),
    case("runbook_show", "runbook show", Class::Read),
    case("server_run", "serve", Class::Apply),
    case("slo_report", "slo report", Class::Read),
    case("suite_clusters", "suite clusters", Class::Read),
    case("suite_diff", "suite diff", Class::Read),
    case("suite_flakes", "suite flakes", Class::Read),
    case("suite_list", "suite list", Class::Read),
    case("suite_merge", "suite merge", Class::Apply),
    case("suite_owner", "suite owner", Class::Read),
    case("suite_plan", "suite plan", Class::Read),
    case(
        "suite_quarantine_propose",
        "suite quarantine propose",
        Class::Read,
    ),
    case("suite_read", "suite read", Class::Apply),
    case("suite_replay", "suite replay", Class::Apply),
    case("suite_report", "suite report", Class::Read),
    case("suite_rerun", "suite rerun", Class::Apply),
    case("suite_run", "suite run", Class::Apply),
    case("suite_show", "suite show", Class::Read),
    case("token_create", "token create", Class::Apply),
    case("token_list", "token list", Class::Read),
    case("token_revoke", "token revoke", Class::Apply),
    case("user_add", "user add", Class::Apply),
    case("user_disable", "user disable", Class::Apply),
    case("user_enable", "user enable", Class::Apply),
    case("user_list", "user list", Class::Read),
    case("user_passwd", "user passwd", Class::Apply),
    case("user_remove", "user remove", Class::Apply),
    case("webhook_deliver", "webhook deliver", Class::Apply),
    case("webhook_events", "webhook events", Class::Read),
    case("webhook_list", "webhook list", Class::Read),
    case("webhook_resend", "webhook resend", Class::Apply),
    case("webhook_secret", "webhook secret", Class::Plan),
    case("webhook_test", "webhook test", Class::Apply),
    case("whoami", "whoami", Class::Read),
    case("witness_init", "witness init", Class::Plan),
    case("witness_serve", "witness serve", Class::Apply),
];

/// Further commands of a use case.
pub const ALSO: &[(&str, &str)] = &[
    ("approval_decide", "approval approve"),
    ("approval_decide", "approval reject"),
    ("operation_cancel", "ops cancel"),
    ("operation_list", "ops list"),
];

/// Why a command has no door in the network, by what its name begins with: the longest fitting one decides.
const LOCAL: &[(&str, &str)] = &[
    ("agent", "is a process of this machine"),
    ("call", "is itself a door to the registry"),
    ("controller", "is a process of this machine"),
    ("demo", "starts processes of this machine"),
    (
        "dry-run",
        "starts, follows or reads a process and files of this machine",
    ),
    ("evidence", "reads files of this machine"),
    (
        "explain",
        "is in the program; the reference page has it all",
    ),
    ("gate", "looks at the working tree of this machine"),
    (
        "gates",
        "writes a file of this machine, or signs with a key of its user",
    ),
    (
        "gates check",
        "is `gates_dashboard`, with its decision for an exit code",
    ),
    ("init", "writes files of this machine"),
    ("key", "makes keys, which do not travel"),
    ("ledger", "works on the ledger's own files and keys"),
    ("mcp", "is itself a door to the registry"),
    ("packet", "writes a file of this machine"),
    ("perf", "measures this machine"),
    ("record", "starts processes of this machine"),
    (
        "release",
        "is plan, approval and application in one, for somebody who may approve alone",
    ),
    ("runbook", "reads files of this machine"),
    ("serve", "is itself a server"),
    (
        "suite",
        "starts processes in the working tree of this machine, or reads their files",
    ),
    ("token", "makes what the network's doors ask for"),
    (
        "user",
        "makes whom the network's doors let in; passwords do not travel",
    ),
    ("verify", "trusts nothing but what it is given"),
    (
        "webhook",
        "sends what happens elsewhere, with secrets of this machine",
    ),
    ("watch", "follows; `operation_get` looks"),
    ("witness", "is itself a server, or makes its keys"),
];

/// Why a command has no door in the network; empty if nobody says.
pub fn why_local(command: &str) -> &'static str {
    let fitting = LOCAL.iter().filter(|(begin, _)| command.starts_with(begin));
    fitting
        .max_by_key(|(begin, _)| begin.len())
        .map_or("", |(_, why)| why)
}

/// Returns the use case of this name.
pub fn find(name: &str) -> Option<&'static UseCase> {
    ALL.iter().find(|u| u.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_commands_are_unique_and_sorted() {
        assert!(ALL.windows(2).all(|w| w[0].name < w[1].name));
        let commands: std::collections::BTreeSet<_> = ALL.iter().map(|u| u.command).collect();
        assert_eq!(commands.len(), ALL.len());
    }

    #[test]
    fn what_has_no_door_in_the_network_says_why() {
        for case in ALL {
            let has = crate::doors::find(case.name).is_some();
            let why = why_local(case.command);
            assert!(has || !why.is_empty(), "{}", case.command);
        }
    }
}
