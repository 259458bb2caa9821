//! `serve`, `token`, `call`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use gonogo_app::access::{Role, Scope, tokens};
use gonogo_app::doors::{self, TOOLS};
use gonogo_app::identity::caller_name;
use gonogo_app::project::Project;
use gonogo_app::{AppError, driving};
use gonogo_core::clock::SystemClock;
use gonogo_core::id::{OperationId, TokenId};
use gonogo_core::{Exit, Reason};
use gonogo_server::Settings;
use serde_json::{Value, json};

use super::{Answer, here, memory, open, overrides, way};
use crate::args::Select;
use crate::args::doors::{CallArgs, ServeArgs, TokenArgs, TokenWhat};
use crate::screen::{Screen, Tone};

/// The most that an input may have, in bytes.
const MOST: u64 = 1 << 20;

pub fn serve(select: &Select, a: &ServeArgs, screen: &Screen) -> Answer {
    let clock = Arc::new(SystemClock::default());
    let project = Project::open(&here()?, &overrides(select), clock, memory())?;
    let tracer = super::telling::tracer(&project.root().config, screen);
    let project = project.telling(tracer);
    for id in driving::pick_up(project.root())? {
        screen.talk(&screen.paint(Tone::Wait, &gone_on(&id)));
    }
    let dev = match a.dev {
        true => Some(caller_name(select.name.as_deref())?),
        false => None,
    };
    let project = Arc::new(project);
    let root = Arc::clone(&project);
    let bound = gonogo_server::bind(
        project,
        Settings {
            listen: a.listen,
            dev,
            allow_apply: a.allow_apply,
            hosts: a.host.clone(),
            metrics: a.metrics_listen,
        },
    )?;
    if let Err(e) = bound.keys() {
        let text = format!(
            "{}: {e}; tokens of the issuer are refused until then",
            e.reason
        );
        screen.talk(&screen.paint(Tone::Wait, &text));
    }
    screen.talk(&format!("listening on http://{}", bound.address));
    if a.dev {
        let text =
            "localhost-dev: everybody who reaches it acts as you; it is for development alone";
        screen.talk(&screen.paint(Tone::Wait, text));
    }
    let (over, until) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let root = &root;
        scope.spawn(move || keep_going(root, &until, screen));
        bound.run();
        drop(over);
    });
    screen.answer("server_run", json!({"status": "ended"}));
    Ok(Exit::Done)
}

/// How often a server looks for operations that nobody drives, and the longest that it waits before it tries one once more.
const LOOK: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(300));

fn gone_on(id: &OperationId) -> String {
    format!("the controller of {id} was gone; a new one goes on with it")
}

/// Gives operations whose controller dies a new one, as long as the server runs. One whose controllers keep dying is tried ever more
/// rarely.
fn keep_going(project: &Project, until: &mpsc::Receiver<()>, screen: &Screen) {
    let (every, longest) = LOOK;
    let mut tried: BTreeMap<OperationId, (Duration, Duration)> = BTreeMap::new();
    let mut passed = Duration::ZERO;
    let mut told = String::new();
    while until.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
        passed += every;
        let due = |id: &OperationId| tried.get(id).is_none_or(|(at, _)| *at <= passed);
        let found = match driving::pick_up_if(project.root(), due) {
            Ok(found) => found,
            Err(e) => {
                let text = format!("{}: {e}; nobody can be picked up until then", e.reason);
                // The same trouble is told once.
                if told != text {
                    screen.talk(&screen.paint(Tone::Wait, &text));
                    told = text;
                }
                continue;
            }
        };
        told.clear();
        for id in found {
            let wait = tried
                .get(&id)
                .map_or(every * 2, |(_, wait)| (*wait * 2).min(longest));
            screen.talk(&screen.paint(Tone::Wait, &gone_on(&id)));
            tried.insert(id, (passed + wait, wait));
        }
    }
}

pub fn token(select: &Select, a: &TokenArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        TokenWhat::Create { .. } => ("token_create", create(select, &a.what, screen)),
        TokenWhat::List => ("token_list", list(select, screen)),
        TokenWhat::Revoke { token, why } => ("token_revoke", revoke(select, token, why, screen)),
    }
}

fn create(select: &Select, what: &TokenWhat, screen: &Screen) -> Answer {
    let TokenWhat::Create {
        name,
        agent_for,
        role,
        scope,
        lives,
        out,
    } = what
    else {
        return Err(AppError::new(Reason::Internal, "another command"));
    };
    let mut scopes: BTreeSet<Scope> = BTreeSet::new();
    for role in role {
        scopes.extend(role.parse::<Role>()?.scopes());
    }
    for scope in scope {
        scopes.insert(scope.parse()?);
    }
    let ws = open(select, screen, false)?;
    // The place first: a token that nobody has must not be one.
    let place = out.as_deref().map(Place::new).transpose()?;
    let issued = tokens::issue(
        &ws,
        &tokens::Wanted {
            name: name.clone(),
            agent: agent_for.is_some(),
            acts_for: agent_for.clone(),
            scopes,
            lives: *lives,
        },
    )?;
    let about = &issued.about;
    screen.talk(&format!(
        "{} for {} until {}: {}",
        about.id,
        about.name,
        about.expires,
        about.scopes.join(", ")
    ));
    match place {
        Some(place) => {
            let path = place.path.clone();
            place.write(&issued.token).map_err(|e| {
                e.hint("the token was made and nobody has it: revoke it, see `gonogo token list`")
            })?;
            screen.answer("token_create", json!({"token": about, "path": path}));
            screen.say(&format!("written to {}", path.display()));
        }
        None => {
            screen.talk("it is shown this once; send it as `Authorization: Bearer …`");
            screen.answer("token_create", json!(issued));
            screen.say(&issued.token);
        }
    }
    Ok(Exit::Done)
}

/// A new file for a secret that only its owner can read; gone again if nothing was written to it.
struct Place {
    path: std::path::PathBuf,
    file: std::fs::File,
    kept: bool,
}

impl Place {
    /// Makes the file; never over something.
    fn new(path: &Path) -> Result<Self, AppError> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| unwritten(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            kept: false,
        })
    }

    fn write(mut self, secret: &str) -> Result<(), AppError> {
        use std::io::Write;
        self.file
            .write_all(format!("{secret}\n").as_bytes())
            .map_err(|e| unwritten(&self.path, &e))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing is in it; where it cannot be removed, it is empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn unwritten(path: &Path, e: &std::io::Error) -> AppError {
    let text = format!("cannot write `{}`: {e}", path.display());
    AppError::new(Reason::OutputFailed, text)
}

/// Writes a secret that only its owner can read; never over something.
pub(super) fn write_secret(path: &Path, secret: &str) -> Result<(), AppError> {
    Place::new(path)?.write(secret)
}

fn list(select: &Select, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let all = tokens::list(&ws)?;
    if all.is_empty() {
        screen.say("no token yet · make one with `gonogo token create --name NAME --role viewer`");
    }
    for t in &all {
        let whose = match &t.acts_for {
            Some(person) => format!("{} (agent for {person})", t.name),
            None => t.name.clone(),
        };
        screen.say(&format!(
            "{}  {:<8} {whose}  until {}  {}",
            t.id,
            t.state,
            t.expires,
            t.scopes.join(" ")
        ));
    }
    screen.answer("token_list", json!({ "tokens": all }));
    Ok(Exit::Done)
}

fn revoke(select: &Select, token: &str, why: &str, screen: &Screen) -> Answer {
    let id: TokenId = token
        .parse()
        .map_err(|e| AppError::new(Reason::ArgumentInvalid, format!("{e}")))?;
    let ws = open(select, screen, false)?;
    let revoked = tokens::revoke(&ws, &id, why)?;
    screen.say(&format!(
        "{id} of {} is worth nothing any more",
        revoked.name
    ));
    screen.answer("token_revoke", json!({ "token": revoked }));
    Ok(Exit::Done)
}

pub fn call(select: &Select, a: &CallArgs, screen: &Screen) -> (&'static str, Answer) {
    let Some(name) = a.tool.as_deref().filter(|_| !a.list) else {
        return ("call", listed(screen));
    };
    match doors::find(name) {
        None => ("call", Err(unknown(name))),
        Some(tool) => (tool.facts.name, called(select, a, tool, screen)),
    }
}

fn unknown(name: &str) -> AppError {
    let name: String = name.escape_debug().take(80).collect();
    let text = format!("no use case has the name `{name}`");
    AppError::new(Reason::ToolUnknown, text).hint("`gonogo call --list` lists them")
}

fn listed(screen: &Screen) -> Answer {
    for tool in &TOOLS {
        let f = &tool.facts;
        screen.say(&format!("{:<18} {}", f.name, f.title));
    }
    let all: Vec<Value> = TOOLS
        .iter()
        .map(|t| json!({"name": t.facts.name, "title": t.facts.title, "class": t.facts.class, "about": t.facts.about}))
        .collect();
    screen.answer("call", json!({ "tools": all }));
    Ok(Exit::Done)
}

fn called(select: &Select, a: &CallArgs, tool: &'static doors::Tool, screen: &Screen) -> Answer {
    let name = tool.facts.name;
    if a.schema {
        let both = json!({"input": tool.shown_input(), "output": tool.output()});
        screen.say(&serde_json::to_string_pretty(&both).unwrap_or_default());
        screen.answer(name, both);
        return Ok(Exit::Done);
    }
    let text = match a.input.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin()
                .take(MOST)
                .read_to_string(&mut text)
                .map_err(|e| AppError::io("read", Path::new("-"), &e))?;
            text
        }
        text => text.to_owned(),
    };
    let input = gonogo_core::canonical::parse(text.as_bytes())
        .map_err(|e| AppError::new(Reason::InputMalformed, format!("input: {e}")))?;
    let done = way(select, screen, false)?.call(name, tool.facts.class, input)?;
    screen.wrapped(name, done.data, done.handle.map(|h| json!(h)));
    Ok(done.exit)
}
