//! `gate bundle`.

use std::path::Path;

use gonogo_app::gates::bundling::{self, Index};
use gonogo_core::{Exit, Verdict as Status};
use gonogo_gate::Verdict;
use gonogo_gate::bundle::{Completeness, Standing};
use serde_json::json;

use super::TOLD;
use crate::args::Select;
use crate::args::gate::GateBundle;
use crate::commands::Answer;
use crate::commands::suite::{home, plain};
use crate::screen::{Screen, Tone};

pub(super) fn bundle(select: &Select, a: &GateBundle, screen: &Screen) -> Answer {
    let here = crate::commands::here()?;
    if let Some(path) = &a.verify {
        return verify(&here.join(path), screen);
    }
    let out = here.join(a.out.as_deref().unwrap_or(Path::new("")));
    let home = home(select)?;
    let written = bundling::write(&home, a.id.as_deref(), &out)?;
    tell(&written.index, screen);
    screen.say(&format!(
        "written: {}  {} bytes  {}",
        out.display(),
        written.size,
        written.sha256
    ));
    screen.frame(&format!(
        "next: gonogo gate bundle --verify {}",
        out.display()
    ));
    screen.answer(
        "gate_bundle",
        json!({"path": out, "bytes": written.size, "sha256": written.sha256, "index": written.index}),
    );
    Ok(bundling::exit(written.index.bundle.verdict))
}

const fn word(verdict: Completeness) -> &'static str {
    match verdict {
        Completeness::Complete => "complete",
        Completeness::Partial => "partial",
        Completeness::Insufficient => "insufficient",
    }
}

fn tell(index: &Index, screen: &Screen) {
    let bundle = &index.bundle;
    let tone = match bundle.verdict {
        Completeness::Complete => Tone::Good,
        Completeness::Partial | Completeness::Insufficient => Tone::Bad,
    };
    screen.say(&format!(
        "{}  verdict {}  {} of {} required sections, {} files",
        screen.paint(tone, word(bundle.verdict)),
        plain(&index.verdict_id),
        bundle.summary.required_present,
        bundle.summary.required_sections,
        index.files.len(),
    ));
    for section in &bundle.sections {
        let word = match section.status {
            Standing::Present => continue,
            Standing::Missing if !section.required => "missing (optional)",
            Standing::Missing => "missing",
            Standing::Invalid => "invalid",
        };
        let why = section.diagnostics.join("; ");
        screen.say(&format!(
            "  {word}: {}  {}",
            plain(&section.id),
            plain(&why)
        ));
    }
    for line in bundle.lineage.iter().filter(|l| !l.ok) {
        screen.say(&format!(
            "  lineage {}: {}",
            plain(&line.id),
            plain(&line.detail)
        ));
    }
}

fn verify(path: &Path, screen: &Screen) -> Answer {
    let found = bundling::verify(path)?;
    if let Some(index) = &found.index {
        tell(index, screen);
    }
    for (word, names) in [
        ("changed", &found.changed),
        ("missing", &found.missing),
        ("added", &found.added),
    ] {
        for name in names.iter().take(TOLD) {
            screen.say(&format!(
                "  {} {}",
                screen.paint(Tone::Bad, word),
                plain(name)
            ));
        }
        if names.len() > TOLD {
            screen.say(&format!("  … and {} more", names.len() - TOLD));
        }
    }
    for problem in found.problems.iter().take(TOLD) {
        screen.say(&format!("  {} {}", problem.reason, plain(&problem.text)));
    }
    let holds = found.holds();
    if let Some(verdict) = &found.verdict {
        let word = verdict.verdict.to_string().to_uppercase();
        let until = verdict
            .expires_at
            .map_or_else(String::new, |at| format!(", until {at}"));
        screen.say(&format!(
            "{} {}  {}, judged at {}{until}",
            screen.paint(crate::commands::suite::tone(Some(verdict.verdict)), &word),
            plain(&verdict.gate_id),
            plain(&verdict.tree),
            verdict.judged_at,
        ));
    }
    screen.say(match holds {
        true => "every file is as it was bundled, and the verdict follows from its inputs; who recorded it, the bundle cannot prove",
        false => "NOT AS IT WAS BUNDLED: do not trust it",
    });
    screen.answer(
        "gate_bundle",
        json!({
            "path": path,
            "holds": holds,
            "changed": found.changed,
            "missing": found.missing,
            "added": found.added,
            "problems": found.problems,
            "verdict": found.verdict.as_ref().map(|v| v.verdict),
            "tree": found.verdict.as_ref().map(|v| &v.tree),
            "judgedAt": found.verdict.as_ref().map(|v| v.judged_at),
            "sha256": found.sha256,
            "index": found.index,
        }),
    );
    if holds {
        let completeness = found
            .index
            .as_ref()
            .map(|i| bundling::exit(i.bundle.verdict));
        return Ok(
            match (found.verdict.as_ref().map(Verdict::exit), completeness) {
                (Some(Exit::Done), Some(completeness)) => completeness,
                (Some(bad), Some(_)) => bad,
                _ => Exit::Unjudged,
            },
        );
    }
    // Bytes that are not those that were bundled cannot be judged; a verdict that does not follow from its inputs is a lie.
    let worst = found.problems.iter().map(|p| p.reason.verdict()).max();
    Ok(match worst {
        Some(Status::Fail) => Exit::Fail,
        _ => Exit::Unjudged,
    })
}
