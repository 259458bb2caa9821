//! `init`: what gonogo.toml could say of a repository.

use gonogo_app::AppError;
use gonogo_app::proposing::{self, Ignored, Proposed, Written};
use gonogo_core::{Exit, Reason};
use serde_json::{Value, json};

use super::Answer;
use super::suite::plain;
use crate::args::init::InitArgs;
use crate::screen::{Screen, Tone};

pub(super) fn init(a: &InitArgs, screen: &Screen) -> Answer {
    if !a.suites {
        let text = "nothing is asked for: init can propose suites";
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("`gonogo init --suites` prints what gonogo.toml could say of this repository's tests")
            .hint("`gonogo init --suites --write` writes it")
            .hint("`gonogo help config` shows all that the file can say, releases and dry runs included"));
    }
    let here = super::here()?;
    let dir = a
        .dir
        .as_ref()
        .map_or_else(|| here.clone(), |dir| here.join(dir));
    let proposed = proposing::propose(&dir)?;
    let found = !proposed.proposal.targets.is_empty();
    screen.say(proposed.toml.trim_end());
    // On standard error: what is on standard output can be kept as it is.
    for note in &proposed.notes {
        screen.talk(&screen.paint(Tone::Wait, &plain(note)));
    }
    if proposed.ignored == Ignored::No && !(a.write && found) {
        let text = "git does not ignore `.gonogo/`, where runs are kept: add it to .gitignore";
        screen.talk(&screen.paint(Tone::Wait, text));
    }
    let written = match a.write {
        true => Some(proposing::write(&proposed)?),
        false => None,
    };
    match &written {
        Some(written) => {
            let did = match written.created {
                true => "written",
                false => "added to",
            };
            screen.talk(&format!("{did}: {}", written.file.display()));
            if let Some(ignore) = &written.ignore {
                screen.talk(&format!("added `.gonogo/` to {}", ignore.display()));
            }
            screen.talk("next: gonogo suite run");
        }
        None if found => screen.talk("next: gonogo init --suites --write"),
        None => {}
    }
    screen.answer("project_init", answer(&proposed, written.as_ref()));
    Ok(if found { Exit::Done } else { Exit::Hold })
}

fn answer(proposed: &Proposed, written: Option<&Written>) -> Value {
    let proposal = &proposed.proposal;
    let targets: Vec<Value> = proposal
        .targets
        .iter()
        .map(|t| {
            json!({
                "name": t.name,
                "class": t.class.word(),
                "command": t.command,
                "dir": t.dir,
                "env": t.env,
                "format": t.format,
                "reports": t.reports,
                "tools": t.tools,
                "timeout": t.timeout,
                "why": t.why,
            })
        })
        .collect();
    let profiles: serde_json::Map<String, Value> = proposal
        .profiles
        .iter()
        .map(|(name, p)| {
            let classes: Vec<&str> = p.classes.iter().map(|c| c.word()).collect();
            (
                name.clone(),
                json!({"suites": p.suites, "classes": classes}),
            )
        })
        .collect();
    let notes: Vec<&String> = proposal.notes.iter().chain(&proposed.notes).collect();
    let ignored = match proposed.ignored {
        Ignored::NoRepository => "no_repository",
        Ignored::Yes => "yes",
        Ignored::No => "no",
    };
    json!({
        "directory": proposed.dir,
        "toml": proposed.toml,
        "suites": targets,
        "profiles": profiles,
        "notes": notes,
        "state_ignored": ignored,
        "has_file": proposed.has_file,
        "written": written.map(|w| json!({"file": w.file, "created": w.created, "ignore": w.ignore})),
    })
}
