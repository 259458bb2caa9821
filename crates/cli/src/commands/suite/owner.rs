//! `suite owner`: whose files are.

use gonogo_app::suite::owning::Ownership;
use gonogo_core::Exit;
use gonogo_suite::owner::State;
use serde_json::json;

use super::super::Answer;
use super::{home, plain};
use crate::args::Select;
use crate::args::suite::SuiteOwner;
use crate::screen::{Screen, Tone};

pub(super) fn owner(select: &Select, a: &SuiteOwner, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ownership = Ownership::load(&home)?;
    let here = super::super::here()?;
    let mut all = Vec::new();
    for path in &a.paths {
        all.push(ownership.of(&here.join(path))?);
    }
    for whose in &all {
        let (tone, said) = match whose.state {
            State::Owned => (Tone::Good, whose.owners.join(" ")),
            State::Nobody => (Tone::Wait, "nobody, as a rule says".to_owned()),
            State::Unmatched => (Tone::Wait, "nobody: no rule matches".to_owned()),
            State::Broken => (Tone::Bad, "the rule cannot be read".to_owned()),
        };
        let path = plain(&whose.path);
        screen.say(&format!("{path}  {}", screen.paint(tone, &plain(&said))));
        for rule in &whose.because {
            let section = rule.section.as_ref();
            let section = section.map_or_else(String::new, |s| format!(" in [{s}]"));
            screen.say(&format!(
                "    {}:{}{}  {}",
                plain(&rule.source),
                rule.line,
                plain(&section),
                plain(&rule.pattern)
            ));
        }
    }
    let wrong = ownership.wrong();
    for wrong in &wrong {
        let text = format!("{}:{}: {}", wrong.source, wrong.line, wrong.text);
        screen.talk(&screen.paint(Tone::Wait, &plain(&text)));
    }
    screen.answer(
        "suite_owner",
        json!({"paths": all, "source": ownership.source(), "issues": wrong}),
    );
    Ok(match all.iter().map(|whose| whose.state).max() {
        Some(State::Broken) => Exit::Unjudged,
        Some(State::Unmatched | State::Nobody) => Exit::Hold,
        _ => Exit::Done,
    })
}
