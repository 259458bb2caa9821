//! One module a group of commands. Each calls use cases, renders what comes back and returns an exit code.

mod approval;
mod controls;
mod demo;
mod doors;
mod dry_run;
mod evidence;
mod gate;
mod gates;
mod hosting;
mod init;
mod ledger;
mod live;
mod looking;
mod mcp;
mod ops;
mod people;
mod perf;
mod planning;
mod record;
mod releasing;
mod runbook;
mod suite;
mod telling;
mod topics;
mod webhook;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use gonogo_app::access::Principal;
use gonogo_app::config::Overrides;
use gonogo_app::doors::Server;
use gonogo_app::identity::caller_name;
use gonogo_app::memory::Memory;
use gonogo_app::workspace::Caller;
use gonogo_app::{AppError, Workspace, driving};
use gonogo_core::clock::SystemClock;
use gonogo_core::{Exit, Reason};

use crate::args::{Args, Command, Select};
use crate::screen::{Screen, Tone};
use crate::way::Way;

type Answer = Result<Exit, AppError>;

/// Whether a command is about files and processes of this machine, which no server answers for.
fn is_of_this_machine(command: &Command) -> bool {
    !matches!(
        command,
        Command::Plan(_)
            | Command::Approve(_)
            | Command::Approval(_)
            | Command::BreakGlass(_)
            | Command::Incident(_)
            | Command::Apply(_)
            | Command::Release(_)
            | Command::Status(_)
            | Command::Watch(_)
            | Command::Cancel(_)
            | Command::Rollback(_)
            | Command::Freeze(_)
            | Command::Unfreeze(_)
            | Command::Pin(_)
            | Command::Unpin(_)
            | Command::KnownGood(_)
            | Command::RollbackPosture(_)
            | Command::History(_)
            | Command::Ops(_)
            | Command::Evidence(_)
            | Command::Whoami
            | Command::Gates(_)
            | Command::Slo(_)
            | Command::Call(_)
            | Command::Mcp(_)
    )
}

/// The server that a command asks, if one was named and the command is none of this machine.
pub fn server_of(args: &Args) -> Option<&str> {
    let named = args.select.server.as_deref();
    named.filter(|_| !is_of_this_machine(&args.command))
}

/// Runs a command; what it records belongs to its trace.
pub fn run(args: &Args, screen: &Screen) -> Exit {
    gonogo_store::ledger::trace::within(Some(&screen.trace()), || run_in_trace(args, screen))
}

fn run_in_trace(args: &Args, screen: &Screen) -> Exit {
    let select = &args.select;
    if is_of_this_machine(&args.command)
        && let Err(e) = of_this_machine(select)
    {
        return screen.ended(screen.fail("server", &e));
    }
    let (name, answer) = match &args.command {
        Command::Plan(a) => planning::plan(select, a, screen),
        Command::Approve(a) => ("approval_decide", planning::approve(select, a, screen)),
        Command::Approval(a) => approval::approval(select, a, screen),
        Command::BreakGlass(a) => ("break_glass", approval::break_glass(select, a, screen)),
        Command::Incident(a) => approval::incident(select, a, screen),
        Command::Apply(a) => ("apply_change", releasing::apply(select, a, screen)),
        Command::Release(a) => ("release", releasing::release(select, a, screen)),
        Command::Status(a) => ("operation_get", looking::status(select, a, screen)),
        Command::Watch(a) => ("operation_watch", releasing::watch(select, a, screen)),
        Command::Cancel(a) => ("operation_cancel", releasing::cancel(select, a, screen)),
        Command::Rollback(a) => ("rollback_change", releasing::rollback(select, a, screen)),
        Command::Freeze(a) => controls::freeze(select, a, screen),
        Command::Unfreeze(a) => ("freeze_end", controls::unfreeze(select, a, screen)),
        Command::Pin(a) => controls::pin(select, a, screen),
        Command::Unpin(a) => ("pin_remove", controls::unpin(select, a, screen)),
        Command::KnownGood(a) => controls::known_good(select, a, screen),
        Command::RollbackPosture(a) => controls::posture(select, a, screen),
        Command::History(a) => ("operation_list", looking::history(select, a, screen)),
        Command::Ops(a) => ops::ops(select, a, screen),
        Command::DryRun(a) => dry_run::dry_run(select, a, screen),
        Command::Suite(a) => suite::suite(select, a, screen),
        Command::Perf(a) => perf::perf(select, a, screen),
        Command::Gate(a) => gate::gate(select, a, screen),
        Command::Gates(a) => gates::gates(select, a, screen),
        Command::Slo(a) => gates::slo(select, a, screen),
        Command::Record(a) => record::record(select, a, screen),
        Command::Runbook(a) => runbook::runbook(select, a, screen),
        Command::Init(a) => ("project_init", init::init(a, screen)),
        Command::Evidence(a) => evidence::evidence(select, a, screen),
        Command::Packet(a) => ("packet_write", evidence::packet(select, a, screen)),
        Command::Verify(a) => ("packet_verify", evidence::verify(a, screen)),
        Command::Ledger(a) => ledger::ledger(select, a, screen),
        Command::Witness(a) => ledger::witness(a, screen),
        Command::Explain(a) => ("reason_explain", topics::explain(a, screen)),
        Command::Serve(a) => ("server_run", doors::serve(select, a, screen)),
        Command::Mcp(a) => ("mcp_run", mcp::mcp(select, a, screen)),
        Command::Token(a) => doors::token(select, a, screen),
        Command::Webhook(a) => webhook::webhook(select, a, screen),
        Command::User(a) => people::user(select, a, screen),
        Command::Whoami => ("whoami", people::whoami(select, screen)),
        Command::Call(a) => doors::call(select, a, screen),
        Command::Agent(a) => ("agent_run", hosting::agent(select, a, screen)),
        Command::Demo(a) => ("demo_run", demo::demo(a, screen)),
        Command::Key(a) => hosting::key(select, a, screen),
        Command::Help(a) => ("help", topics::help(a, screen)),
        Command::Man(a) => ("man", topics::man(a, screen)),
        Command::Completions(a) => ("completions", topics::completions(a, screen)),
        Command::Controller(a) => ("controller_run", hosting::controller(select, a, screen)),
        Command::Reference(a) => ("reference", topics::reference(a, screen)),
    };
    let exit = answer.unwrap_or_else(|mut e| {
        let meant = select.server.is_some() && is_of_this_machine(&args.command);
        if meant {
            // Where somebody thought that the server would answer.
            e.hints = e.shown_hints();
            e = e.hint(
                "`GONOGO_SERVER` was not asked: this is done on this machine, in the project here",
            );
        }
        match &args.command {
            Command::Call(_) => screen.wrapped_fail(name, &e),
            _ => screen.fail(name, &e),
        }
    });
    telling::farewell();
    screen.ended(exit)
}

/// Refuses a server that was named for something that is done on this machine.
fn of_this_machine(select: &Select) -> Result<(), AppError> {
    if !select.server_said {
        return Ok(());
    }
    let text = "this is done on this machine, and no server answers it";
    Err(AppError::new(Reason::ArgumentInvalid, text)
        .hint("leave `--server` out; which commands take it: `gonogo help server`"))
}

/// Where this command's use cases are carried out: by the server that was named, else in the project here.
fn way(select: &Select, screen: &Screen, pick_up: bool) -> Result<Way, AppError> {
    way_with(select, screen, pick_up, false)
}

/// As [`way`], for a command that goes back. That must be possible on any ledger that opens: what this user remembers of it is said, and
/// stops nothing.
fn way_back(select: &Select, screen: &Screen) -> Result<Way, AppError> {
    way_with(select, screen, false, true)
}

fn way_with(
    select: &Select,
    screen: &Screen,
    pick_up: bool,
    retreats: bool,
) -> Result<Way, AppError> {
    if let Some(server) = server(select, false)? {
        return Ok(Way::There(server, screen.trace()));
    }
    let mut ws = open_with(select, screen, pick_up, retreats)?;
    ws.trace = Some(screen.trace());
    let principal = Principal::local(caller_name(select.name.as_deref())?);
    let context = screen.context();
    ws.within = context.parent.map(|span| context.within(span));
    Ok(Way::Here(Arc::new(ws), Box::new(principal), context))
}

/// The way for what may be signed here and brought to a server: with a server, `--key` and `--as` say with what and as whom.
fn way_to_sign(select: &Select, screen: &Screen) -> Result<Way, AppError> {
    match server(select, select.key_said)? {
        Some(server) => Ok(Way::There(server, screen.trace())),
        None => way(select, screen, true),
    }
}

/// The server that was named; `signs` says that something is signed here for it.
fn server(select: &Select, signs: bool) -> Result<Option<Server>, AppError> {
    let Some(base) = &select.server else {
        return Ok(None);
    };
    let of_here = [("--as", select.name_said), ("--key", select.key_said)];
    if let Some((flag, _)) = of_here.iter().find(|(_, said)| *said && !signs) {
        let text =
            format!("`{flag}` is of the project here; with a server, its token says who asks");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint(format!("leave `{flag}` out, and show the token of who is meant: `GONOGO_TOKEN` or `--token-file`"))
            .hint("or leave the server out: then this is done in the project here"));
    }
    Ok(Some(Server::at(base, token(select)?)?))
}

/// The token for a server: from a file or from the environment. Never an argument: those are for everybody to see.
fn token(select: &Select) -> Result<Option<String>, AppError> {
    /// The most that a file with a token may have, in bytes.
    const MOST: u64 = 16 << 10;
    let set = std::env::var("GONOGO_TOKEN").ok().filter(|t| !t.is_empty());
    let text = match &select.token_file {
        Some(_) if set.is_some() => {
            let text = "`GONOGO_TOKEN` holds a token, and `--token-file` (`GONOGO_TOKEN_FILE`) names a file with one";
            return Err(AppError::new(Reason::ArgumentInvalid, text)
                .hint("say one of them: `unset GONOGO_TOKEN`, or leave the file out"));
        }
        Some(path) => {
            let mut text = String::new();
            std::fs::File::open(path)
                .and_then(|f| f.take(MOST).read_to_string(&mut text))
                .map_err(|e| AppError::io("read", path, &e))?;
            Some(text)
        }
        None => set,
    };
    Ok(text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()))
}

/// Opens the project and picks up what a dead controller left, unless this command is about to drive it itself.
fn open(select: &Select, screen: &Screen, pick_up: bool) -> Result<Workspace, AppError> {
    open_with(select, screen, pick_up, false)
}

fn open_with(
    select: &Select,
    screen: &Screen,
    pick_up: bool,
    retreats: bool,
) -> Result<Workspace, AppError> {
    let mut ws = open_quietly(select)?;
    match ws.compare_with(memory()) {
        Err(e) if retreats => screen.talk(&screen.paint(Tone::Wait, &format!("{}: {e}", e.reason))),
        other => other?,
    }
    ws.retreats = retreats;
    ws.tracer = telling::tracer(&ws.config, screen);
    for notice in ws.ledger.notices() {
        screen.talk(&screen.paint(Tone::Wait, &format!("{}: {}", notice.reason, notice.text)));
    }
    // A webhook that is new hears of whatever this command records.
    if let Err(e) = gonogo_app::notices::begin(&ws) {
        screen.talk(&screen.paint(Tone::Wait, &format!("{}: {e}", e.reason)));
    }
    if pick_up {
        let picked = driving::pick_up(&ws)?;
        for id in &picked {
            screen.talk(&screen.paint(
                Tone::Wait,
                &format!("the controller of {id} was gone; a new one goes on with it"),
            ));
        }
        driving::taken_up(&ws, &picked)?;
    }
    Ok(ws)
}

/// What this user has seen of logs.
fn memory() -> Memory {
    Memory::of_user(|name| std::env::var_os(name))
}

/// Which project is meant.
fn overrides(select: &Select) -> Overrides {
    Overrides {
        config: select.config.clone(),
        environment: None,
    }
    .over(Overrides::from_env(|name| std::env::var_os(name)))
}

fn here() -> Result<std::path::PathBuf, AppError> {
    std::env::current_dir().map_err(|e| AppError::io("find", Path::new("."), &e))
}

fn open_quietly(select: &Select) -> Result<Workspace, AppError> {
    let (overrides, here) = (overrides(select), here()?);
    let caller = Caller {
        name: select.name.clone(),
        key: select.key.clone(),
        ..Caller::default()
    };
    let mut ws = Workspace::open(&here, &overrides, caller, Arc::new(SystemClock::default()))?;
    ws.memory = memory();
    Ok(ws)
}
