//! `webhook deliver|events|list|resend|secret|test`.

use gonogo_app::AppError;
use gonogo_app::notices::{self, EVENTS, Passed, Standing};
use gonogo_core::{Exit, Timestamp};
use serde_json::json;

use super::{Answer, open};
use crate::args::Select;
use crate::args::webhook::{WebhookArgs, WebhookWhat};
use crate::screen::{Screen, Tone};
use crate::way::Way;

pub fn webhook(select: &Select, a: &WebhookArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        WebhookWhat::Deliver => ("webhook_deliver", deliver(select, screen)),
        WebhookWhat::Events => ("webhook_events", events(screen)),
        WebhookWhat::List => ("webhook_list", list(select, screen)),
        WebhookWhat::Resend { webhook } => ("webhook_resend", resend(select, webhook, screen)),
        WebhookWhat::Secret { out } => ("webhook_secret", secret(out.as_deref(), screen)),
        WebhookWhat::Test { webhook } => ("webhook_test", test(select, webhook, screen)),
    }
}

fn deliver(select: &Select, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let mut passed = notices::pass(&ws)?;
    // A pass sends so many to each; what is due is sent before this ends.
    let due = |next: Option<Timestamp>| next.is_some_and(|at| at <= ws.clock.now().wall);
    while passed.troubles.is_empty() && due(passed.next) {
        let more = notices::pass(&ws)?;
        if more.delivered == 0 {
            break;
        }
        passed = Passed {
            delivered: passed.delivered + more.delivered,
            ..more
        };
    }
    if ws.config.webhooks.is_empty() {
        screen.say("the configuration names no webhook");
    } else {
        screen.say(&format!(
            "{} delivered, {} waiting{}",
            passed.delivered,
            passed.waiting,
            until(passed.next)
        ));
    }
    if passed.busy {
        screen.talk("somebody else is sending now");
    }
    for trouble in &passed.troubles {
        screen.talk(&screen.paint(Tone::Wait, trouble));
    }
    say_stopped(&passed, screen);
    // What could not be delivered now, or is not known to be, is not done.
    let done = passed.troubles.is_empty() && passed.waiting == 0 && !passed.busy;
    let exit = match done {
        true => Exit::Done,
        false => Exit::Unavailable,
    };
    screen.answer("webhook_deliver", json!(passed));
    Ok(exit)
}

/// What waits for a webhook that is stopped is sent by nobody until somebody lets it go on.
fn say_stopped(passed: &Passed, screen: &Screen) {
    for name in &passed.stopped {
        let text = format!(
            "`{name}` is stopped, and nothing is sent to it; once its receiver takes notices again: gonogo webhook resend {name}"
        );
        screen.talk(&screen.paint(Tone::Wait, &text));
    }
}

fn until(next: Option<Timestamp>) -> String {
    next.map_or_else(String::new, |at| format!(", the next one due {at}"))
}

fn events(screen: &Screen) -> Answer {
    for event in EVENTS {
        screen.say(&format!("{:<20} {}", event.name, event.meaning));
    }
    let all: Vec<_> = EVENTS
        .iter()
        .map(|e| json!({"type": e.name, "record": e.kind, "meaning": e.meaning}))
        .collect();
    screen.answer("webhook_events", json!({ "events": all }));
    Ok(Exit::Done)
}

fn list(select: &Select, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let all = notices::list(&ws)?;
    if all.is_empty() {
        screen.say("no webhook · describe one in gonogo.toml: `[webhooks.NAME]`");
    }
    for one in &all {
        say(one, screen);
    }
    screen.answer("webhook_list", json!({ "webhooks": all }));
    Ok(Exit::Done)
}

fn say(one: &Standing, screen: &Screen) {
    let last = one
        .last
        .map_or_else(String::new, |at| format!(", the last one {at}"));
    screen.say(&format!(
        "{}  {}  {} delivered{last}",
        one.name, one.host, one.delivered
    ));
    screen.say(&format!("  tells {}", one.events.join(", ")));
    if let Some(stopped) = &one.stopped {
        let text = format!(
            "  stopped {}: {}; nothing is sent until: gonogo webhook resend {}",
            stopped.at, stopped.why, one.name
        );
        screen.say(&screen.paint(Tone::Bad, &text));
    }
    if let Some(next) = one.waiting.first() {
        let said = next.said.as_deref().unwrap_or("not sent yet");
        let text = format!("  {} waiting; {said}", one.waiting.len());
        screen.say(&screen.paint(Tone::Wait, &text));
    }
    if let Some(last) = one.given_up.last() {
        let text = format!(
            "  {} given up; {}; send again: gonogo webhook resend {}",
            one.given_up.len(),
            last.said,
            one.name
        );
        screen.say(&screen.paint(Tone::Bad, &text));
    }
}

fn resend(select: &Select, name: &str, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let due = notices::resend(&ws, name)?;
    screen.say(&format!(
        "{due} due now; `gonogo serve` sends them, or `gonogo webhook deliver`"
    ));
    screen.answer("webhook_resend", json!({"webhook": name, "due": due}));
    Ok(Exit::Done)
}

fn secret(out: Option<&std::path::Path>, screen: &Screen) -> Answer {
    let secret = notices::new_secret();
    match out {
        Some(path) => {
            super::doors::write_secret(path, &secret)?;
            screen.say(&format!("written to {}", path.display()));
            screen.answer("webhook_secret", json!({"file": path}));
        }
        None => {
            screen.say(&secret);
            screen.answer("webhook_secret", json!({"secret": secret}));
        }
    }
    Ok(Exit::Done)
}

fn test(select: &Select, name: &str, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    notices::test(&ws, name).map_err(|e: AppError| {
        e.hint("`gonogo webhook list` shows what waits; nothing was changed")
    })?;
    screen.say(&format!("`{name}` took it"));
    screen.answer("webhook_test", json!({"webhook": name}));
    Ok(Exit::Done)
}

/// Tells the webhooks at once what a command did in the project here; at a server, the server does. What could not be told waits.
pub fn tell(way: &Way, screen: &Screen) {
    let Some(ws) = way.here().filter(|ws| !ws.config.webhooks.is_empty()) else {
        return;
    };
    match notices::pass(ws) {
        Ok(passed) => {
            if passed.delivered > 0 {
                screen.talk(&format!("told      {} notices", passed.delivered));
            }
            for trouble in &passed.troubles {
                screen.talk(&screen.paint(Tone::Wait, &format!("not told  {trouble}")));
            }
            say_stopped(&passed, screen);
            if passed.next.is_some() {
                let text = "what waits is sent by `gonogo serve`, or `gonogo webhook deliver`";
                screen.talk(text);
            }
        }
        Err(e) => screen.talk(&screen.paint(Tone::Wait, &format!("not told  {}", e.message))),
    }
}
