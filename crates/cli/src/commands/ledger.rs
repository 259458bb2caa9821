//! `ledger …` and `witness …`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gonogo_app::log::{self, Older, WitnessHome};
use gonogo_app::{AppError, keys, witnessing};
use gonogo_core::clock::SystemClock;
use gonogo_core::{Exit, Reason};
use gonogo_store::ledger::{Ledger, Progress, RecordView};
use serde_json::json;

use super::evidence::{record_json, record_line};
use super::{Answer, here, memory, open, overrides};
use crate::args::{self, KeysWhat, LedgerWhat, Select, WitnessWhat};
use crate::screen::{Screen, Tone};

pub fn ledger(select: &Select, a: &args::LedgerArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        LedgerWhat::Status => ("ledger_status", status(select, screen)),
        LedgerWhat::Fsck => ("ledger_fsck", fsck(select, screen)),
        LedgerWhat::Tail { count, follow } => {
            ("ledger_tail", tail(select, *count, *follow, screen))
        }
        LedgerWhat::Consistency { from } => {
            ("ledger_consistency", consistency(select, from, screen))
        }
        LedgerWhat::Export { to } => ("ledger_export", export(select, to, screen)),
        LedgerWhat::Serve { listen } => ("ledger_serve", serve(select, *listen, screen)),
        LedgerWhat::Reindex => ("ledger_reindex", reindex(select, screen)),
        LedgerWhat::Relock { from, yes } => {
            let what = "this directory alone cannot show that it is not an older copy";
            let answer =
                confirmed(*yes, what).and_then(|()| relock(select, from.as_deref(), screen));
            ("ledger_relock", answer)
        }
        LedgerWhat::Cosign => ("ledger_cosign", cosign(select, screen)),
        LedgerWhat::Keys { what } => key_command(select, what, screen),
        LedgerWhat::Erase { blob, why, yes } => {
            ("ledger_erase", erase(select, blob, why, *yes, screen))
        }
    }
}

fn state(select: &Select) -> Result<PathBuf, AppError> {
    log::state_dir(&here()?, &overrides(select))
}

/// Opens the ledger to read, if it is the one that this user has seen before.
fn opened(select: &Select) -> Result<Ledger, AppError> {
    let ledger = log::open(&state(select)?)?;
    memory().compare(&ledger)?;
    Ok(ledger)
}

fn status(select: &Select, screen: &Screen) -> Answer {
    let found = log::standing(&opened(select)?, &here()?, &overrides(select))?;
    screen.say(&format!("log         {}", found.origin));
    screen.say(&format!("key         {}", found.log_key));
    screen.say(&format!("records     {}", found.size));
    screen.say(&format!("root        {}", found.root));
    let up_to = |size: Option<u64>| size.map_or("nothing yet".into(), |n| format!("{n} records"));
    screen.say(&format!(
        "published   {}  in {}",
        up_to(found.published),
        found.publication.display()
    ));
    match &found.unwitnessed {
        None => screen.say(&format!("witnessed   {}", up_to(found.witnessed))),
        Some(why) => {
            screen.say(&screen.paint(Tone::Bad, &format!("witnessed   nothing: {why}")));
        }
    }
    screen.answer("ledger_status", json!(found));
    Ok(Exit::Done)
}

fn fsck(select: &Select, screen: &Screen) -> Answer {
    let mut told = 0;
    let mut see = |p: Progress| {
        let tenth = (p.records * 10).checked_div(p.of).unwrap_or(10);
        if tenth > told && p.of > 100_000 {
            told = tenth;
            screen.talk(&format!("{} of {} records", p.records, p.of));
        }
    };
    let found = opened(select)?.fsck(&mut see)?;
    screen.say(&screen.paint(Tone::Good, "the ledger is whole"));
    screen.say(&format!(
        "records     {}, {} bytes: every frame, signature, signer and link",
        found.records, found.bytes
    ));
    if found.unacknowledged > 0 {
        screen.say(&format!(
            "tail        {} records that nobody was told of; the next writer takes them up",
            found.unacknowledged
        ));
    }
    screen.say(&format!("root        {}", found.root));
    screen.say(&format!(
        "published   {} records: {} tiles and bundles are what the records give",
        found.published, found.tiles
    ));
    let index = match found.indexed {
        Some(records) => format!("{records} records in it are what the journal says"),
        None => "absent; the next writer makes it".to_owned(),
    };
    screen.say(&format!("index       {index}"));
    screen.say(&format!(
        "blobs       {} have the digests of their names: all that records name, and none that was erased",
        found.blobs
    ));
    screen.answer(
        "ledger_fsck",
        json!({
            "records": found.records, "unacknowledged": found.unacknowledged, "bytes": found.bytes,
            "root": found.root, "published": found.published, "tiles": found.tiles, "indexed": found.indexed,
            "blobs": found.blobs,
        }),
    );
    Ok(Exit::Done)
}

fn tail(select: &Select, count: u64, follow: bool, screen: &Screen) -> Answer {
    const PAUSE: Duration = Duration::from_millis(200);
    let state = state(select)?;
    let ledger = opened(select)?;
    let mut records = log::last(&ledger, count)?;
    let mut next = ledger.size()?;
    if !follow {
        if records.is_empty() {
            screen.say("no records");
        }
        records.iter().for_each(|r| screen.say(&record_line(r)));
        let told: Vec<_> = records.iter().map(record_json).collect();
        screen.answer("ledger_tail", json!({"records": told}));
        return Ok(Exit::Done);
    }
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without a handler the signal ends the process, which is as good.
        let _ = signal_hook::flag::register(signal, Arc::clone(&ended));
    }
    let show = |r: &RecordView| screen.row(&record_line(r), || record_json(r));
    let mut ledger = ledger;
    loop {
        records.iter().for_each(show);
        while !ended.load(Ordering::SeqCst) && ledger.size()? <= next {
            std::thread::sleep(PAUSE);
            if ledger.is_detached() {
                // Its index was not the one on disk; writers do not bring that one up to date.
                ledger = log::open(&state)?;
            }
        }
        if ended.load(Ordering::SeqCst) {
            return Ok(Exit::Done);
        }
        let size = ledger.size()?;
        records = log::after(&ledger, next.checked_sub(1), size)?;
        next = size;
    }
}

fn consistency(select: &Select, from: &str, screen: &Screen) -> Answer {
    let older = match from.parse() {
        Ok(size) => Older::Size(size),
        Err(_) => Older::Note(from.into()),
    };
    let link = log::consistency(&opened(select)?, &older)?;
    let what = if link.compared {
        "the ledger extends that checkpoint"
    } else {
        "the proof; whoever knows the older root can check it"
    };
    screen.talk(&format!("{} records of {}: {what}", link.from, link.to));
    screen.say(link.proof.trim_end());
    screen.say("");
    screen.say(link.checkpoint.trim_end());
    screen.answer("ledger_consistency", json!(link));
    Ok(Exit::Done)
}

fn export(select: &Select, to: &str, screen: &Screen) -> Answer {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let done = log::copy_to(&opened(select)?, to, environment)?;
    let lost = match done.missing {
        0 => String::new(),
        n => format!(", {n} of them were missing"),
    };
    screen.say(&format!(
        "{to} holds {} records: {} files written ({} bytes) and read back{lost}; {} were there, read and compared",
        done.size, done.uploaded, done.bytes, done.compared
    ));
    screen.answer(
        "ledger_export",
        json!({
            "place": to, "size": done.size, "before": done.before, "uploaded": done.uploaded,
            "missing": done.missing, "compared": done.compared, "bytes": done.bytes,
        }),
    );
    Ok(Exit::Done)
}

fn serve(select: &Select, listen: std::net::SocketAddr, screen: &Screen) -> Answer {
    let ledger = opened(select)?;
    let origin = ledger.log_vkey().name().to_owned();
    log::serve(
        &ledger,
        listen,
        &|address| {
            screen.talk(&format!(
                "log `{origin}` on http://{address}/checkpoint · end it with Ctrl-C"
            ));
        },
        &|text| screen.talk(&screen.paint(Tone::Wait, &format!("not published: {text}"))),
    )?;
    screen.answer("ledger_serve", json!({"status": "stopped"}));
    Ok(Exit::Done)
}

fn reindex(select: &Select, screen: &Screen) -> Answer {
    let records = log::reindex(&here()?, &overrides(select), &SystemClock::default())?;
    screen.say(&format!("the index was built again: {records} records"));
    screen.answer("ledger_reindex", json!({"records": records}));
    Ok(Exit::Done)
}

fn relock(select: &Select, from: Option<&std::path::Path>, screen: &Screen) -> Answer {
    let clock = SystemClock::default();
    let size = log::relock(&here()?, &overrides(select), from, &memory(), &clock)?;
    screen.say(&format!(
        "the lock was made anew: it acknowledged {size} records, and a record says so"
    ));
    screen.talk("compare with a witness or with a kept checkpoint now: `gonogo ledger cosign`, `gonogo ledger consistency --from FILE`");
    screen.answer("ledger_relock", json!({"acknowledged": size}));
    Ok(Exit::Done)
}

fn cosign(select: &Select, screen: &Screen) -> Answer {
    let ws = open(select, screen, false)?;
    let asked = log::cosign(&ws)?;
    let mut told = Vec::new();
    for (name, outcome) in &asked.witnesses {
        let words = witnessing::words(outcome);
        screen.say(&format!("{name:<32} {words}"));
        told.push(json!({"witness": name, "outcome": words}));
    }
    let met = asked.quorum.met;
    let (tone, text) = if met {
        (Tone::Good, "enough")
    } else {
        (Tone::Bad, "not enough")
    };
    screen.say(&screen.paint(tone, &format!("{text}; needed: {}", asked.quorum.needed)));
    screen.answer(
        "ledger_cosign",
        json!({"quorum": met, "needed": asked.quorum.needed, "witnesses": told, "checkpoint": asked.note}),
    );
    if met {
        return Ok(Exit::Done);
    }
    let reason = Reason::QuorumUnmet;
    screen.talk(&format!("  {reason}: {}", reason.meaning()));
    Ok(Exit::Unjudged)
}

fn key_command(select: &Select, what: &KeysWhat, screen: &Screen) -> (&'static str, Answer) {
    match what {
        KeysWhat::List => ("ledger_keys_list", list_keys(select, screen)),
        KeysWhat::Enrol { public, who, role } => (
            "ledger_keys_enrol",
            open(select, screen, false).and_then(|ws| {
                let id = keys::enrol(&ws, public, who, role)?;
                changed(screen, "ledger_keys_enrol", &id, "counts from now on")
            }),
        ),
        KeysWhat::Rotate { why } => (
            "ledger_keys_rotate",
            open(select, screen, false).and_then(|ws| {
                let id = keys::rotate(&ws, why)?;
                let text = "is the controller's key from now on; the one before is revoked";
                changed(screen, "ledger_keys_rotate", &id, text)
            }),
        ),
        KeysWhat::Revoke { key, why, yes } => (
            "ledger_keys_revoke",
            confirmed(*yes, "a revoked key is never enrolled again")
                .and_then(|()| open(select, screen, false))
                .and_then(|ws| {
                    let id = keys::revoke(&ws, key, why)?;
                    let text = "does not count from now on; what it signed before does";
                    changed(screen, "ledger_keys_revoke", &id, text)
                }),
        ),
    }
}

fn changed(screen: &Screen, use_case: &str, id: &str, text: &str) -> Answer {
    screen.say(&format!("key {id} {text}"));
    screen.answer(use_case, json!({"key": id}));
    Ok(Exit::Done)
}

fn list_keys(select: &Select, screen: &Screen) -> Answer {
    let all = opened(select)?.enrolled_keys()?;
    let mut told = Vec::new();
    for k in &all {
        let state = match k.revoked {
            Some(index) => format!("{} to {index}", k.since),
            None => format!("from {}", k.since),
        };
        let id = k.key.id().to_string();
        screen.say(&format!(
            "{}  {:<12} {:<24} {state}",
            &id[..16],
            k.role,
            k.who
        ));
        told.push(json!({
            "key": id, "who": k.who, "role": k.role, "since": k.since, "revoked": k.revoked, "pem": k.key.pem(),
        }));
    }
    screen.answer("ledger_keys_list", json!({"keys": told}));
    Ok(Exit::Done)
}

fn erase(select: &Select, blob: &str, why: &str, yes: bool, screen: &Screen) -> Answer {
    confirmed(yes, "the bytes cannot be brought back")?;
    let ws = open(select, screen, false)?;
    let erased = keys::erase(&ws, blob, why)?;
    screen.say(&format!(
        "{blob} is erased; record {} says by whom and why",
        erased.record
    ));
    for path in &erased.packets {
        screen.say(&format!("removed   {}, which held it", path.display()));
    }
    for path in &erased.unread {
        let text = format!(
            "{} cannot be read as a packet, and may hold it",
            path.display()
        );
        screen.say(&screen.paint(Tone::Wait, &text));
    }
    screen.talk(
        "packets that were copied elsewhere, and backups, still hold it: remove them yourself",
    );
    screen.answer(
        "ledger_erase",
        json!({"blob": blob, "record": erased.record, "packetsRemoved": erased.packets, "unread": erased.unread}),
    );
    Ok(Exit::Done)
}

fn confirmed(yes: bool, what: &str) -> Result<(), AppError> {
    if yes {
        return Ok(());
    }
    let text = format!("{what}; this was not confirmed, and nothing was changed");
    Err(AppError::new(Reason::NotConfirmed, text))
}

pub fn witness(a: &args::WitnessArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        WitnessWhat::Init(home) => ("witness_init", init(home, screen)),
        WitnessWhat::Serve {
            home,
            logs,
            list,
            listen,
        } => {
            let logs = log::read_logs(logs, list.as_deref());
            let answer = logs.and_then(|logs| {
                if logs.is_empty() {
                    let text = "a witness without a log has nothing to cosign";
                    return Err(AppError::new(Reason::ArgumentInvalid, text)
                        .hint("name one: --log VKEY, as `gonogo ledger status` prints it"));
                }
                witness_serve(home, logs, *listen, screen)
            });
            ("witness_serve", answer)
        }
    }
}

fn home(a: &args::WitnessHome, logs: Vec<log::Vkey>) -> WitnessHome {
    WitnessHome {
        dir: a.dir.clone(),
        name: a.name.clone(),
        logs,
    }
}

fn init(a: &args::WitnessHome, screen: &Screen) -> Answer {
    let clock = Arc::new(SystemClock::default());
    let vkey = log::witness_key(&home(a, Vec::new()), clock)?;
    screen.say(&vkey.to_string());
    screen.talk(&format!(
        "in a policy: witness {} {vkey} http://ADDRESS",
        a.name
    ));
    screen.answer(
        "witness_init",
        json!({"name": a.name, "key": vkey.to_string(), "dir": a.dir}),
    );
    Ok(Exit::Done)
}

fn witness_serve(
    a: &args::WitnessHome,
    logs: Vec<log::Vkey>,
    listen: std::net::SocketAddr,
    screen: &Screen,
) -> Answer {
    let clock = Arc::new(SystemClock::default());
    log::serve_witness(&home(a, logs), listen, clock, &|address, vkey| {
        screen.talk(&format!(
            "witness {vkey} on http://{address}/add-checkpoint · end it with Ctrl-C"
        ));
    })?;
    screen.answer("witness_serve", json!({"status": "stopped"}));
    Ok(Exit::Done)
}
