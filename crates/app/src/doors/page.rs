//! The reference page of doors: which use case has which door, and why not.

use std::fmt::Write;

use gonogo_core::envelope::Class;

use super::registry::TOOLS;
use crate::access::{Role, Scope};
use crate::catalogue;

/// The page.
pub fn doors() -> String {
    let mut page = format!(
        "# Doors\n\n{}Every use case of the registry has one name, one input schema and one answer, whichever door it is called through. \
         `gonogo call NAME --schema` prints both schemas; `GET /openapi.json` has all of them.\n\n",
        crate::reference::MADE
    );
    page.push_str(
        "| use case | class | scope | command line | HTTP | MCP |\n|---|---|---|---|---|---|\n",
    );
    for tool in &TOOLS {
        let f = &tool.facts;
        let own = catalogue::find(f.name).map(|u| u.command);
        let command = own.map_or_else(
            || format!("`gonogo call {}`", f.name),
            |c| format!("`gonogo {c}`"),
        );
        let routes: Vec<String> = f
            .routes
            .iter()
            .map(|r| format!("`{} {}`", r.method.name(), r.path))
            .collect();
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {command} | {} | {} |",
            f.name,
            word(f.class),
            f.scope,
            routes.join(", "),
            if f.not_mcp.is_empty() { "yes" } else { "no" }
        );
    }
    page.push_str(
        "\n## Examples\n\nWith samples in the place of ids.\n\n| use case | input |\n|---|---|\n",
    );
    for tool in &TOOLS {
        for example in tool.examples() {
            let _ = writeln!(page, "| `{}` | `{example}` |", tool.facts.name);
        }
    }
    page.push_str("\n## Not over MCP\n\n| use case | why |\n|---|---|\n");
    for f in TOOLS
        .iter()
        .map(|t| &t.facts)
        .filter(|f| !f.not_mcp.is_empty())
    {
        let _ = writeln!(page, "| `{}` | {} |", f.name, f.not_mcp);
    }
    page.push_str("\n## Scopes\n\n| scope | allows | viewer | operator | approver | admin |\n|---|---|---|---|---|---|\n");
    for scope in Scope::ALL {
        let roles = Role::ALL.map(|r| {
            if r.scopes().contains(&scope) {
                "yes"
            } else {
                ""
            }
        });
        let _ = writeln!(
            page,
            "| `{scope}` | {} | {} |",
            scope.meaning(),
            roles.join(" | ")
        );
    }
    page.push_str("\n## On the command line alone\n\n| command | why |\n|---|---|\n");
    for case in catalogue::ALL {
        if super::find(case.name).is_none() {
            let _ = writeln!(
                page,
                "| `gonogo {}` | {} |",
                case.command,
                catalogue::why_local(case.command)
            );
        }
    }
    page
}

const fn word(class: Class) -> &'static str {
    match class {
        Class::Read => "read",
        Class::Plan => "plan",
        Class::Apply => "apply",
    }
}
