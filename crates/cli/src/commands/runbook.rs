//! `runbook …`: list, show, match, lint.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::CommandFactory;
use clap::error::ErrorKind;
use gonogo_app::runbook::{self, Outcome};
use gonogo_core::Exit;
use gonogo_suite::runbook::{Entry, Level, Match, Refusal, RefusalKind};
use serde_json::{Value, json};

use super::Answer;
use super::suite::{home, plain};
use crate::args::runbook::{RunbookArgs, RunbookMatch, RunbookShow, RunbookWhat};
use crate::args::{Args, Select};
use crate::screen::{Screen, Tone};

pub(super) fn runbook(
    select: &Select,
    args: &RunbookArgs,
    screen: &Screen,
) -> (&'static str, Answer) {
    match &args.what {
        RunbookWhat::List => ("runbook_list", list(select, screen)),
        RunbookWhat::Show(a) => ("runbook_show", show(select, a, screen)),
        RunbookWhat::Match(a) => ("runbook_match", find(select, a, screen)),
        RunbookWhat::Lint => ("runbook_lint", lint(select, screen)),
    }
}

fn list(select: &Select, screen: &Screen) -> Answer {
    let laid = runbook::load(&home(select)?)?;
    let from = |entry: &Entry| match laid.is_own(&entry.id) {
        true => "project",
        false => "gonogo",
    };
    for entry in &laid.runbook.entries {
        screen.say(&format!(
            "{}  {:<24} {:<8} {}",
            entry.severity.word(),
            entry.id,
            from(entry),
            plain(&entry.title)
        ));
    }
    screen.frame("next: gonogo runbook show ID, gonogo runbook match FILE");
    let entries: Vec<Value> = laid
        .runbook
        .entries
        .iter()
        .map(|e| {
            json!({"id": e.id, "title": e.title, "severity": e.severity, "from": from(e), "owner": e.owner})
        })
        .collect();
    screen.answer(
        "runbook_list",
        json!({"path": laid.path, "entries": entries}),
    );
    Ok(Exit::Done)
}

fn show(select: &Select, a: &RunbookShow, screen: &Screen) -> Answer {
    let laid = runbook::load(&home(select)?)?;
    let entry = runbook::entry(&laid, &a.id)?;
    screen.say(&format!(
        "{}  {}",
        screen.paint(Tone::Strong, &entry.id),
        entry.severity.word()
    ));
    screen.say(&format!("  {}", plain(&entry.title)));
    screen.say(&format!("  means     {}", plain(&entry.means)));
    let cause = entry.cause.as_ref().map(|c| c.word().to_owned());
    if let Some(cause) = &cause {
        screen.say(&format!("  cause     {}", plain(cause)));
    }
    for pattern in &entry.patterns {
        let mut parts: Vec<String> = pattern
            .all
            .iter()
            .map(|t| format!("`{}`", plain(t)))
            .collect();
        if !pattern.any.is_empty() {
            let any: Vec<String> = pattern
                .any
                .iter()
                .map(|t| format!("`{}`", plain(t)))
                .collect();
            parts.push(any.join(" or "));
        }
        parts.extend(pattern.regex.iter().map(|r| format!("/{}/", plain(r))));
        screen.say(&format!("  a line    {}", parts.join(" and ")));
    }
    for signature in &entry.signatures {
        screen.say(&format!("  signature {}", plain(signature)));
    }
    told(
        &entry.artifacts,
        &entry.replay,
        &entry.remediation,
        &entry.links,
        screen,
    );
    if !entry.owner.is_empty() {
        screen.say(&format!("  owner     {}", plain(&entry.owner)));
    }
    let patterns: Vec<Value> = entry
        .patterns
        .iter()
        .map(
            |p| json!({"all": p.all, "any": p.any, "regex": p.regex, "ignore_case": p.ignore_case}),
        )
        .collect();
    screen.answer(
        "runbook_show",
        json!({
            "id": entry.id,
            "title": entry.title,
            "means": entry.means,
            "severity": entry.severity,
            "cause": cause,
            "match": patterns,
            "signatures": entry.signatures,
            "artifacts": entry.artifacts,
            "replay": entry.replay,
            "remediation": entry.remediation,
            "links": entry.links,
            "owner": entry.owner,
            "own": laid.is_own(&entry.id),
        }),
    );
    Ok(Exit::Done)
}

/// Where to look and what to do, of an entry or of what matched it.
fn told(
    artifacts: &[String],
    replay: &[String],
    remediation: &str,
    links: &[String],
    screen: &Screen,
) {
    for artifact in artifacts {
        screen.say(&format!("  look at   {}", plain(artifact)));
    }
    if !replay.is_empty() {
        // Placeholders stay as they are, so it is for people and no shell.
        screen.say(&format!("  replay    {}", plain(&replay.join(" "))));
    }
    screen.say(&format!("  to do     {}", plain(remediation)));
    for link in links {
        screen.say(&format!("  more      {}", plain(link)));
    }
}

fn find(select: &Select, a: &RunbookMatch, screen: &Screen) -> Answer {
    let home = home(select)?;
    let found = match a.log == Path::new("-") {
        true => runbook::search(&home, "standard input", &mut std::io::stdin().lock())?,
        false => runbook::search_file(&home, &a.log)?,
    };
    for entry in &found.entries {
        matched(entry, screen);
    }
    for issue in &found.issues {
        screen.talk(&screen.paint(Tone::Wait, &plain(issue)));
    }
    let outcome = Outcome::of(&found);
    let looked = format!("{} lines, {} bytes", found.lines, found.bytes);
    match outcome {
        Outcome::Matched => screen.frame(&format!("{} entries in {looked}", found.entries.len())),
        Outcome::Nothing => screen.say(&format!("no entry matches in {looked}")),
        Outcome::Undecided => screen.say(&format!(
            "no entry matches, but not all could be looked at: {looked}"
        )),
    }
    let exit = match outcome {
        Outcome::Matched => Exit::Done,
        Outcome::Nothing => Exit::Hold,
        Outcome::Undecided => Exit::Unjudged,
    };
    screen.answer(
        "runbook_match",
        json!({"outcome": outcome, "matches": found}),
    );
    Ok(exit)
}

fn matched(entry: &Match, screen: &Screen) {
    screen.say(&format!(
        "{}  {}  {}",
        entry.severity.word(),
        screen.paint(Tone::Strong, &entry.entry),
        plain(&entry.title)
    ));
    let first = &entry.first;
    screen.say(&format!("  line {:<5} {}", first.line, plain(&first.text)));
    if entry.hits > 1 {
        let (last, more) = (&entry.last, entry.hits - 1);
        screen.say(&format!(
            "  and {more} more, the last in line {}",
            last.line
        ));
    }
    told(
        &entry.artifacts,
        &entry.replay,
        &entry.remediation,
        &entry.links,
        screen,
    );
}

fn lint(select: &Select, screen: &Screen) -> Answer {
    let checked = runbook::lint(&home(select)?, commands(), parse)?;
    let mut clean = true;
    for one in &checked {
        let name = one.path.as_ref().map_or_else(
            || "the runbook that comes with gonogo".to_owned(),
            |path| path.display().to_string(),
        );
        for finding in &one.lint.findings {
            let tone = match finding.level {
                Level::Error => Tone::Bad,
                Level::Warning => Tone::Wait,
            };
            screen.say(&format!(
                "{name}: {}",
                screen.paint(tone, &plain(&finding.to_string()))
            ));
        }
        clean &= one.lint.is_clean();
        let (entries, errors) = (one.lint.entries, one.lint.errors);
        screen.frame(&format!("{name}: {entries} entries, {errors} errors"));
    }
    let all: Vec<Value> = checked
        .iter()
        .map(|c| json!({"path": c.path, "lint": c.lint}))
        .collect();
    screen.answer("runbook_lint", json!({"clean": clean, "runbooks": all}));
    Ok(if clean { Exit::Done } else { Exit::Fail })
}

/// Whether gonogo takes the words behind its name.
fn parse(words: &[String]) -> Result<(), Refusal> {
    let argv = std::iter::once("gonogo").chain(words.iter().map(String::as_str));
    let Err(error) = Args::command().try_get_matches_from(argv) else {
        return Ok(());
    };
    let kind = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(()),
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::TooFewValues => RefusalKind::Missing,
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8 => {
            RefusalKind::Value
        }
        _ => RefusalKind::Unknown,
    };
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let text = first.trim_start_matches("error: ").to_owned();
    Err(Refusal { text, kind })
}

/// gonogo's own commands that can be called as they are, each with its flags.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let mut root = Args::command();
    root.build();
    let mut all = BTreeMap::new();
    gather(&root, "", &mut all);
    all
}

fn gather(command: &clap::Command, path: &str, all: &mut BTreeMap<String, BTreeSet<String>>) {
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        let name = match path {
            "" => sub.get_name().to_owned(),
            path => format!("{path} {}", sub.get_name()),
        };
        // A group is no command: what follows it must be one.
        if !sub.is_subcommand_required_set() {
            let flags = sub
                .get_arguments()
                .filter(|a| !a.is_hide_set())
                .flat_map(|a| {
                    let long = a.get_long().map(|l| format!("--{l}"));
                    long.into_iter()
                        .chain(a.get_short().map(|s| format!("-{s}")))
                });
            all.insert(name.clone(), flags.collect());
        }
        gather(sub, &name, all);
    }
}
