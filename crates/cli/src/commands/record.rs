//! `record …`: a command behind the recorder, and a look at a cassette.
//!
//! The command has standard output to itself; what is said of the recording goes to standard error. With `--json` it is the other way round.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use gonogo_app::AppError;
use gonogo_app::recorded::{self, Asked, Child, ChildEnd, Ran};
use gonogo_core::clock::SystemClock;
use gonogo_core::{Exit, Reason, Verdict};
use serde_json::json;

use super::Answer;
use super::suite::{home, plain, tone};
use crate::args::Select;
use crate::args::record::{RecordArgs, RecordLint, RecordMode, RecordRun, RecordWhat};
use crate::screen::{Screen, Tone};

/// How many mismatches and findings are told on the screen.
const TOLD: usize = 10;

pub(super) fn record(
    select: &Select,
    args: &RecordArgs,
    screen: &Screen,
) -> (&'static str, Answer) {
    match &args.what {
        Some(RecordWhat::Lint(a)) => ("recording_lint", lint(select, a, screen)),
        None => ("recording_run", run(select, &args.run, screen)),
    }
}

fn run(select: &Select, a: &RecordRun, screen: &Screen) -> Answer {
    if a.command.is_empty() {
        let text = "there is no command to run";
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("put it behind `--`: `gonogo record --cassette calls.json --upstream api=https://… -- pytest -q`")
            .hint("`gonogo record lint FILE` looks at a cassette"));
    }
    let asked = Asked {
        name: a.recording.clone(),
        mode: a.mode.map(mode),
        cassette: a.cassette.clone(),
        upstreams: a.upstream.clone(),
        forward: a.forward,
        loopback: a.loopback,
        replace: a.yes,
        allow_unused: a.allow_unused,
        max_age: a.max_age,
        report: a.report.clone(),
        command: a.command.clone(),
        apart: screen.json,
    };
    // Without a name the configuration has no say.
    let home = match &a.recording {
        Some(_) => Some(home(select)?),
        None => None,
    };
    let child = Arc::new(Child::default());
    relay(&child);
    let ran = recorded::run(
        home.as_ref(),
        &super::here()?,
        &asked,
        Arc::new(SystemClock::default()),
        &child,
        &mut |recorder| {
            let doing = match recorder.action() {
                gonogo_app::recorded::Action::Record => "recording",
                gonogo_app::recorded::Action::Playback => "playing",
            };
            let services: Vec<String> = recorder.services().keys().cloned().collect();
            let mut doors = services.join(", ");
            if recorder.forward().is_some() {
                doors.push_str(if doors.is_empty() {
                    "forward proxy"
                } else {
                    ", forward proxy"
                });
            }
            screen.talk(&format!("{doing}: {}", plain(&doors)));
        },
    )?;
    tell(&ran, screen);
    screen.answer(
        "recording_run",
        json!({
            "verdict": ran.verdict,
            "exit": ran.exit.code(),
            "command": ran.child,
            "stopped": ran.stopped,
            "reasons": ran.reasons,
            "report": ran.report,
        }),
    );
    Ok(ran.exit)
}

fn mode(mode: RecordMode) -> gonogo_app::recorded::Mode {
    match mode {
        RecordMode::Record => gonogo_app::recorded::Mode::Record,
        RecordMode::Playback => gonogo_app::recorded::Mode::Playback,
        RecordMode::Auto => gonogo_app::recorded::Mode::Auto,
    }
}

/// Passes signals on to the child from now on.
fn relay(child: &Arc<Child>) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])
    else {
        // Then a signal ends us, and nothing is saved.
        return;
    };
    let child = Arc::clone(child);
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let told = matches!(signal, SIGINT | SIGQUIT) && in_foreground();
            child.signal(signal, told);
        }
    });
}

/// Whether the terminal, if there is one, tells our group, and so the child, of its keys.
fn in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty").ok();
    let group = terminal.and_then(|tty| rustix::termios::tcgetpgrp(tty).ok());
    group == Some(rustix::process::getpgrp())
}

/// Says what a run came to, on standard error. Reasons are said to somebody who wants no talk, too.
fn tell(ran: &Ran, screen: &Screen) {
    let report = &ran.report;
    let word = ran.verdict.to_string().to_uppercase();
    let counted = match report.mode.as_str() {
        "record" => format!("{} exchanges recorded", report.interactions),
        _ => format!(
            "{} of {} recorded exchanges played",
            report.used, report.interactions
        ),
    };
    let command = match ran.child {
        ChildEnd::Code(code) => format!("the command ended with {code}"),
        ChildEnd::Signal(signal) => format!("the command was ended by signal {signal}"),
    };
    let saved = match (report.mode.as_str(), report.saved) {
        ("record", true) => "saved",
        ("record", false) => "not saved",
        _ => "unchanged",
    };
    screen.talk(&format!(
        "{} {counted}, {} requests, {command}; {saved}: {}",
        screen.paint(tone(Some(ran.verdict)), &word),
        report.requests,
        plain(&report.cassette),
    ));
    let redacted: u64 = report.redactions.values().sum();
    if redacted > 0 {
        screen.talk(&format!("  {redacted} places redacted"));
    }
    if ran.verdict <= Verdict::Excused || screen.json {
        return;
    }
    let mut err = std::io::stderr().lock();
    let mut say = |line: String| drop(writeln!(err, "{line}"));
    for because in &ran.reasons {
        say(format!("  {}: {}", because.code, plain(&because.text)));
    }
    for mismatch in report.mismatches.iter().take(TOLD) {
        say(format!(
            "  not recorded: {} {}",
            mismatch.method,
            plain(&mismatch.url)
        ));
        if let Some(nearest) = &mismatch.nearest {
            let (index, method) = (nearest.index, &nearest.method);
            say(format!(
                "    nearest: {index} {method} {}",
                plain(&nearest.url)
            ));
        }
        for difference in mismatch.differences.iter().take(3) {
            say(format!("    {}", plain(difference)));
        }
    }
    for error in report
        .upstream_errors
        .iter()
        .chain(&report.refused)
        .take(TOLD)
    {
        say(format!("  {}", plain(error)));
    }
    let next = ran
        .reasons
        .iter()
        .find_map(|b| b.code.parse::<Reason>().ok());
    if let Some(reason) = next {
        say(format!("  hint: {}", reason.next_action()));
    }
}

fn lint(select: &Select, a: &RecordLint, screen: &Screen) -> Answer {
    let clock = SystemClock::default();
    let report = a.report.as_deref().map(Path::new);
    let found = recorded::lint(&home(select)?, &a.cassette, report, a.max_age, &clock)?;
    for finding in &found.findings {
        screen.say(&format!(
            "{} {}: {}",
            screen.paint(tone(Some(finding.reason.verdict())), finding.reason.code()),
            plain(&finding.place),
            plain(&finding.text)
        ));
    }
    let worst = found.findings.iter().map(|f| f.reason);
    // The first of the worst.
    let worst = worst.reduce(|a, b| if b.verdict() > a.verdict() { b } else { a });
    let verdict = worst.map_or(Verdict::Pass, Reason::verdict);
    let (count, of) = (found.findings.len(), found.interactions);
    match worst {
        None => {
            screen.frame(&screen.paint(Tone::Good, &format!("nothing found in {of} exchanges")))
        }
        Some(reason) => {
            screen.frame(&format!("{count} findings in {of} exchanges"));
            screen.frame(&format!("next: {}", reason.next_action()));
        }
    }
    let findings: Vec<_> = found
        .findings
        .iter()
        .map(|f| json!({"reason": f.reason, "place": f.place, "text": f.text}))
        .collect();
    screen.answer(
        "recording_lint",
        json!({"cassette": a.cassette, "interactions": of, "verdict": verdict, "findings": findings}),
    );
    Ok(worst.map_or(Exit::Done, Reason::exit))
}
