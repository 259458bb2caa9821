//! `user`, `whoami`.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::Path;

use gonogo_app::AppError;
use gonogo_app::access::passwords::{LONGEST, Password};
use gonogo_app::access::{Role, users};
use gonogo_app::doors::{Whoami, WhoamiDoc};
use gonogo_core::{Exit, Reason};
use serde_json::json;

use super::{Answer, open, way};
use crate::args::Select;
use crate::args::people::{NewPassword, UserArgs, UserWhat};
use crate::screen::Screen;

pub fn user(select: &Select, a: &UserArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        UserWhat::Add {
            user: name,
            role,
            password,
        } => ("user_add", add(select, name, role, password, screen)),
        UserWhat::List => ("user_list", list(select, screen)),
        UserWhat::Passwd {
            user: name,
            password,
        } => ("user_passwd", passwd(select, name, password, screen)),
        UserWhat::Disable { user: name, why } => {
            ("user_disable", disable(select, name, why, screen))
        }
        UserWhat::Enable { user: name, why } => ("user_enable", enable(select, name, why, screen)),
        UserWhat::Remove {
            user: name,
            why,
            yes,
        } => ("user_remove", remove(select, name, why, *yes, screen)),
    }
}

fn add(
    select: &Select,
    name: &str,
    role: &[String],
    password: &NewPassword,
    screen: &Screen,
) -> Answer {
    let mut roles: BTreeSet<Role> = BTreeSet::new();
    for role in role {
        roles.insert(role.parse()?);
    }
    let ws = open(select, screen, false)?;
    let password = read(password, name)?;
    let user = users::add(&ws, name, &roles, &password)?;
    screen.say(&format!("{name} logs in as {}", user.roles.join(", ")));
    screen.answer("user_add", json!({ "user": user }));
    Ok(Exit::Done)
}

fn list(select: &Select, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let all = users::list(&ws)?;
    if all.is_empty() {
        screen.say("no user yet · make one with `gonogo user add NAME --role viewer`");
    }
    for user in &all {
        let state = match user.disabled {
            Some(since) => format!("disabled since {since}"),
            None => "let in".to_owned(),
        };
        screen.say(&format!(
            "{}  {}  {state}  password of {}",
            user.name,
            user.roles.join(" "),
            user.changed
        ));
    }
    screen.answer("user_list", json!({ "users": all }));
    Ok(Exit::Done)
}

fn passwd(select: &Select, name: &str, password: &NewPassword, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let password = read(password, name)?;
    let ended = users::set_password(&ws, name, &password)?;
    screen.say(&format!(
        "{name} has another password; {} ended",
        sessions(ended)
    ));
    screen.answer("user_passwd", json!({"user": name, "sessionsEnded": ended}));
    Ok(Exit::Done)
}

fn disable(select: &Select, name: &str, why: &str, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let ended = users::disable(&ws, name, why)?;
    screen.say(&format!(
        "{name} is let in no more; {} ended",
        sessions(ended)
    ));
    screen.answer(
        "user_disable",
        json!({"user": name, "sessionsEnded": ended}),
    );
    Ok(Exit::Done)
}

fn enable(select: &Select, name: &str, why: &str, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    users::enable(&ws, name, why)?;
    screen.say(&format!("{name} is let in again"));
    screen.answer("user_enable", json!({ "user": name }));
    Ok(Exit::Done)
}

fn remove(select: &Select, name: &str, why: &str, yes: bool, screen: &Screen) -> Answer {
    if !yes {
        let text = format!("`{name}` would be removed");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("confirm it with `--yes`; `gonogo user disable` can be taken back"));
    }
    let ws = open(select, screen, false)?;
    let ended = users::remove(&ws, name, why)?;
    screen.say(&format!("{name} is removed; {} ended", sessions(ended)));
    screen.answer("user_remove", json!({"user": name, "sessionsEnded": ended}));
    Ok(Exit::Done)
}

fn sessions(n: usize) -> String {
    match n {
        1 => "1 session".to_owned(),
        n => format!("{n} sessions"),
    }
}

/// The password: from a file, from standard input, or from a person who types it twice.
fn read(from: &NewPassword, name: &str) -> Result<Password, AppError> {
    let bounded =
        |text: &mut String, from: &mut dyn Read| from.take(LONGEST as u64 + 2).read_to_string(text);
    let mut text = String::new();
    match from.password_file.as_deref() {
        Some(path) if path == Path::new("-") => {
            bounded(&mut text, &mut std::io::stdin()).map_err(|e| AppError::io("read", path, &e))?
        }
        Some(path) => std::fs::File::open(path)
            .and_then(|mut f| bounded(&mut text, &mut f))
            .map_err(|e| AppError::io("read", path, &e))?,
        None => return asked(name),
    };
    // Editors end a file with a line's end, which nobody types.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Password::new(text.strip_suffix('\r').unwrap_or(text)))
}

fn asked(name: &str) -> Result<Password, AppError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let text = "nobody is there to type a password";
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("give it in a file: `--password-file FILE`, or `-` for standard input"));
    }
    let ask = |what: String| {
        rpassword::prompt_password(what).map_err(|e| AppError::io("read", Path::new("tty"), &e))
    };
    let first = ask(format!("New password of {name}: "))?;
    let second = ask("Once more: ".to_owned())?;
    if first != second {
        let text = "the two passwords are not the same";
        return Err(AppError::new(Reason::ArgumentInvalid, text).hint("begin again"));
    }
    Ok(Password::new(&first))
}

pub fn whoami(select: &Select, screen: &Screen) -> Answer {
    let answered = way(select, screen, false)?.ask(&Whoami {})?;
    let doc: WhoamiDoc = answered.data;
    screen.say(&match &doc.acts_for {
        Some(person) => format!("{} (agent for {person})", doc.name),
        None => doc.name.clone(),
    });
    let words: Vec<&str> = doc.scopes.iter().map(|s| s.name()).collect();
    let roles = match doc.roles.is_empty() {
        true => "no role".to_owned(),
        false => doc.roles.join(", "),
    };
    screen.say(&format!("{roles}: {}", words.join(" ")));
    let until = match &doc.until {
        Some(until) => format!("until {until}"),
        None => "without an end".to_owned(),
    };
    let by = match &doc.id {
        Some(id) => format!("{} {id}", doc.by),
        None => doc.by.clone(),
    };
    screen.say(&format!("by {by}, {until}"));
    screen.answer("whoami", json!(doc));
    Ok(answered.exit)
}
