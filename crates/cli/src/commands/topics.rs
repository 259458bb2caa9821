//! `explain`, `help`, `completions` and the reference pages.

use std::io::Write;

use clap::CommandFactory;
use gonogo_app::{AppError, config, reference};
use gonogo_core::{Exit, Reason};
use serde_json::json;

use super::Answer;
use crate::args::{self, Args};
use crate::screen::{Screen, Tone};

pub fn explain(a: &args::Explain, screen: &Screen) -> Answer {
    let Some(code) = &a.code else {
        for r in Reason::ALL {
            screen.say(&format!(
                "{:<28} {:<8} {}",
                r.code(),
                r.verdict(),
                r.meaning()
            ));
        }
        let all: Vec<_> = Reason::ALL.iter().map(|r| entry(*r)).collect();
        screen.answer("reason_explain", json!({ "reasons": all }));
        return Ok(Exit::Done);
    };
    let reason: Reason = code.to_uppercase().parse().map_err(|_| {
        let near = gonogo_core::near::nearest(code, Reason::ALL.iter().map(|r| r.code()));
        let error = AppError::new(
            Reason::ReasonUnknown,
            format!("no reason has the code `{code}`"),
        );
        match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })?;
    screen.say(&screen.paint(Tone::Strong, reason.code()));
    screen.say(&format!("  {}", reason.meaning()));
    screen.say(&format!(
        "  verdict {} · exit {} ({})",
        reason.verdict(),
        reason.exit().code(),
        reason.exit().meaning()
    ));
    screen.say(&format!("  next: {}", reason.next_action()));
    screen.answer("reason_explain", entry(reason));
    Ok(Exit::Done)
}

fn entry(r: Reason) -> serde_json::Value {
    json!({"code": r, "meaning": r.meaning(), "next": r.next_action(), "verdict": r.verdict(), "exit": r.exit().code()})
}

/// Topics of `help` that are no commands.
const TOPICS: [&str; 4] = ["config", "exit-codes", "approval", "server"];

/// The page of the server, as it is in the documentation.
const SERVER: &str = include_str!("../../../../docs/server.md");

pub fn help(a: &args::Help, screen: &Screen) -> Answer {
    let topic = a.topic.as_deref().unwrap_or_default();
    let text = match topic {
        "" => Args::command().render_long_help().to_string(),
        "exit-codes" => reference::exit_codes(),
        "config" => config::template().to_owned(),
        "approval" => reference::approval_tokens(),
        "server" => SERVER.to_owned(),
        other => match built().find_subcommand_mut(other) {
            Some(command) => command.render_long_help().to_string(),
            None => {
                let text = format!(
                    "no topic `{other}`; topics: config, exit-codes, approval, server, and every command"
                );
                let commands = Args::command();
                let names = commands.get_subcommands().map(clap::Command::get_name);
                let error = AppError::new(Reason::ArgumentInvalid, text);
                let near = gonogo_core::near::nearest(other, TOPICS.into_iter().chain(names));
                return Err(match near {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint("see `gonogo help`"),
                });
            }
        },
    };
    screen.say(text.trim_end());
    screen.answer("help", json!({"topic": topic, "text": text}));
    Ok(Exit::Done)
}

/// The command tree with every command's whole name.
fn built() -> clap::Command {
    let mut command = Args::command();
    command.build();
    command
}

pub fn completions(a: &args::Completions, screen: &Screen) -> Answer {
    let mut bytes = Vec::new();
    clap_complete::generate(a.shell, &mut Args::command(), "gonogo", &mut bytes);
    let script = String::from_utf8_lossy(&bytes);
    screen.say(script.trim_end());
    screen.answer(
        "completions",
        json!({"shell": a.shell.to_string(), "script": script}),
    );
    Ok(Exit::Done)
}

/// Writes one man page for each command.
pub fn man(a: &args::Reference, screen: &Screen) -> Answer {
    std::fs::create_dir_all(&a.out)
        .and_then(|()| clap_mangen::generate_to(Args::command(), &a.out))
        .map_err(|e| AppError::io("write", &a.out, &e))?;
    screen.say(&format!("man pages in {}", a.out.display()));
    screen.answer("man", json!({"directory": a.out}));
    Ok(Exit::Done)
}

/// Writes every page that is made from code.
pub fn reference(a: &args::Reference, screen: &Screen) -> Answer {
    let schema = serde_json::to_string_pretty(&config::schema()).unwrap_or_default();
    let openapi =
        serde_json::to_string_pretty(&gonogo_app::doors::openapi(false)).unwrap_or_default();
    let pages = [
        ("reason-codes.md", reference::reason_codes()),
        ("exit-codes.md", reference::exit_codes()),
        ("approval-rules.md", reference::approval_tokens()),
        ("doors.md", gonogo_app::doors::page()),
        ("openapi.json", format!("{openapi}\n")),
        ("config.md", config::page()),
        ("gonogo.schema.json", format!("{schema}\n")),
        ("cli.md", commands_page()),
    ];
    for (name, text) in &pages {
        let path = a.out.join(name);
        std::fs::create_dir_all(&a.out)
            .and_then(|()| std::fs::File::create(&path))
            .and_then(|mut f| f.write_all(text.as_bytes()))
            .map_err(|e| AppError::io("write", &path, &e))?;
        screen.say(&path.display().to_string());
    }
    screen.answer("reference", json!({"directory": a.out}));
    Ok(Exit::Done)
}

/// The command reference: every command's long help.
fn commands_page() -> String {
    let mut page = String::from(
        "# Commands\n\n<!-- Made by `cargo xtask drift --write`; edit the code instead. -->\n\n\
         Options that every command takes are told once, with `gonogo` itself.\n",
    );
    let mut root = Args::command().term_width(100);
    root.build();
    add(&mut page, &root, false);
    page
}

fn add(page: &mut String, command: &clap::Command, under: bool) {
    if command.is_hide_set() {
        return;
    }
    let name = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let everywhere = |arg: &clap::Arg| {
        arg.is_global_set() || ["help", "version"].contains(&arg.get_id().as_str())
    };
    let mut shown = command.clone().mut_args(|arg| {
        let hidden = under && everywhere(&arg);
        if hidden { arg.hide(true) } else { arg }
    });
    page.push_str(&format!(
        "\n## `{name}`\n\n```text\n{}\n```\n",
        shown.render_long_help().to_string().trim_end()
    ));
    for sub in command.get_subcommands() {
        add(page, sub, true);
    }
}
