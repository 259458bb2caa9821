//! `evidence list|show`, `packet`, `verify`.

use gonogo_app::doors::{Code, EvidenceGet, EvidenceSearch, RecordDoc};
use gonogo_app::dry_run::deriving;
use gonogo_app::evidence::{self, Look, Packing, Stands, State};
use gonogo_app::memory::Seen;
use gonogo_app::submitting::{self, Submission};
use gonogo_core::clock::{Clock as _, SystemClock};
use gonogo_core::{Digest, Exit, Timestamp};
use gonogo_store::ledger::{Filter, RecordView};
use serde_json::json;

use super::{Answer, memory, of_this_machine, open, way};
use crate::args::{self, EvidenceWhat, Select};
use crate::screen::{Screen, Tone};

/// Records that are asked for at once.
const PAGE: usize = 200;

pub fn evidence(select: &Select, a: &args::Evidence, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        EvidenceWhat::List {
            stream,
            kind,
            subject,
            actor,
            reason,
            since,
            until,
            after,
            limit,
        } => {
            let listed = subject
                .as_deref()
                .map(evidence::subject)
                .transpose()
                .and_then(|subject| {
                    let filter = Filter {
                        stream: stream.as_deref().map(stream_name),
                        kind: kind.clone(),
                        actor: actor.clone(),
                        subject,
                        reason: reason.clone(),
                        since: *since,
                        until: *until,
                        after: *after,
                        limit: *limit as usize,
                    };
                    list(select, &filter, screen)
                });
            ("evidence_search", listed)
        }
        EvidenceWhat::Submit {
            file,
            signer,
            threshold,
            about,
        } => {
            let about = about.as_deref().map(evidence::subject).transpose();
            let submitted = about.and_then(|about| {
                let submission = Submission {
                    file: file.clone(),
                    signers: signer.clone(),
                    threshold: *threshold,
                    about,
                };
                submit(select, &submission, screen)
            });
            ("evidence_submit", submitted)
        }
        EvidenceWhat::Show { record } => ("evidence_get", show(select, record, screen)),
    }
}

/// An operation's or plan's id names its stream.
fn stream_name(text: &str) -> String {
    match text.split_once('_') {
        Some(("op", _)) => format!("operation/{text}"),
        Some(("pln", _)) => format!("plan/{text}"),
        _ => text.to_owned(),
    }
}

fn submit(select: &Select, submission: &Submission, screen: &Screen) -> Answer {
    of_this_machine(select)?;
    let ws = open(select, screen, true)?;
    let all = submitting::submit(&ws, submission)?;
    for s in &all {
        let (tone, said) = if s.verified {
            (Tone::Good, format!("signed by {}", s.signers.join(", ")))
        } else {
            (
                Tone::Wait,
                format!("NOT verified: {}", s.why.unwrap_or_default()),
            )
        };
        let again = if s.fresh {
            ""
        } else {
            " (was recorded before)"
        };
        screen.say(&format!(
            "record {}{again}  {}  {}",
            s.index,
            s.kind,
            screen.paint(tone, &said)
        ));
        if let Some(outcome) = &s.outcome {
            let tone = if s.good == Some(true) {
                Tone::Good
            } else {
                Tone::Bad
            };
            screen.say(&format!("  says {}", screen.paint(tone, &plain(outcome))));
        }
        for subject in &s.subjects {
            screen.say(&format!("  about {subject}"));
        }
    }
    screen.answer("evidence_submit", json!({"claims": all}));
    Ok(Exit::Done)
}

/// Lists records page by page, until there are as many as were asked for.
fn list(select: &Select, filter: &Filter, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    let mut told: Vec<RecordDoc> = Vec::new();
    let mut after = filter.after;
    let goes_on = loop {
        let left = filter.limit - told.len();
        let page = way
            .ask(&EvidenceSearch {
                stream: filter.stream.clone(),
                kind: filter.kind.clone(),
                actor: filter.actor.clone(),
                subject: filter.subject,
                reason: filter.reason.clone().map(Code),
                since: filter.since.map(Into::into),
                until: filter.until.map(Into::into),
                after,
                limit: Some(u32::try_from(left.min(PAGE)).unwrap_or(1).into()),
            })?
            .data;
        for record in &page.records {
            screen.say(&doc_line(record));
        }
        told.extend(page.records);
        match page.next_after {
            Some(next) if told.len() < filter.limit => after = Some(next),
            next => break next,
        }
    };
    if told.is_empty() {
        screen.say("no record matches");
    }
    if let Some(last) = goes_on {
        screen.talk(&format!("more with --after {last}"));
    }
    screen.answer(
        "evidence_search",
        json!({"records": told, "moreAfter": goes_on}),
    );
    Ok(Exit::Done)
}

fn show(select: &Select, name: &str, screen: &Screen) -> Answer {
    let wanted = EvidenceGet {
        record: name.to_owned(),
    };
    let record = way(select, screen, true)?.ask(&wanted)?.data;
    screen.say(&format!("record  {}  {}", record.index, record.digest));
    screen.say(&format!("stream  {} #{}", record.stream, record.seq));
    screen.say(&format!(
        "kind    {}  at {} by {}  signed by {}",
        record.kind, record.time, record.actor, record.signer
    ));
    screen.say(&serde_json::to_string_pretty(&record.body).unwrap_or_default());
    let mut data = json!(record);
    // Where it stood before the registry's schema.
    data["record"] = json!(record);
    screen.answer("evidence_get", data);
    Ok(Exit::Done)
}

fn doc_line(r: &RecordDoc) -> String {
    line_of(
        r.index, r.time, &r.kind, &r.stream, r.seq, &r.digest, &r.actor,
    )
}

fn line_of(
    index: u64,
    time: Timestamp,
    kind: &str,
    stream: &str,
    seq: u64,
    digest: &Digest,
    actor: &str,
) -> String {
    format!(
        "{index:>6}  {time}  {kind:<12} {stream:<28} {seq:>5}  {}  {actor}",
        &digest.hex()[..12]
    )
}

/// One record in one line.
pub(super) fn record_line(r: &RecordView) -> String {
    line_of(
        r.index, r.time, &r.kind, &r.stream, r.seq, &r.digest, &r.actor,
    )
}

/// The record as every door tells it.
pub(super) fn record_json(r: &RecordView) -> serde_json::Value {
    json!(RecordDoc::from(r.clone()))
}

pub fn packet(select: &Select, a: &args::Packet, screen: &Screen) -> Answer {
    let ws = open(select, screen, true)?;
    let how = Packing {
        out: a.out.clone(),
        since: a.since.clone(),
        timestamp: a.timestamp.clone().zip(a.tsa_root.clone()),
    };
    let packed = evidence::packet(&ws, &a.operation, &how)?;
    let path = packed.path.display();
    screen.say(&format!(
        "packet    {path}  {} records, {} bytes",
        packed.records, packed.bytes
    ));
    if let Some(why) = &packed.unwitnessed {
        screen.talk(&screen.paint(Tone::Wait, &format!("not cosigned: {why}")));
    }
    if packed.omitted > 0 {
        screen.talk(&screen.paint(
            Tone::Wait,
            &format!(
                "{} blobs are left out; its readers will be told why",
                packed.omitted
            ),
        ));
    }
    screen.say(&format!(
        "next      gonogo verify {path} --replay --log-key '{}'",
        packed.log_key
    ));
    screen.answer("packet_write", json!(packed));
    Ok(Exit::Done)
}

/// A text without what moves a cursor, ends a line or hides what follows.
fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let hidden = c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            let escaped: Box<dyn Iterator<Item = char>> = if hidden {
                Box::new(c.escape_unicode())
            } else {
                Box::new(std::iter::once(c))
            };
            escaped
        })
        .collect()
}

const GOOD: (Tone, &str) = (Tone::Good, "ok  ");
const BAD: (Tone, &str) = (Tone::Bad, "FAIL");
/// Nothing was looked at, which is never shown like a pass.
const SKIPPED: (Tone, &str) = (Tone::Wait, "skip");

fn state_name(state: State) -> &'static str {
    match state {
        State::Passed => "passed",
        State::Failed => "failed",
        State::Skipped => "skipped",
    }
}

type Mark = (Tone, &'static str);

/// How the packet stands to what this reader has seen before, in words and for programs.
fn remembered(seen: Option<&Seen>) -> (Mark, String, serde_json::Value) {
    const HOLD: Mark = (Tone::Wait, "hold");
    let told = |state: &str, size: Option<u64>| json!({"state": state, "size": size});
    match seen {
        None => (
            SKIPPED,
            "not looked at: no trust was given, or a check failed".into(),
            serde_json::Value::Null,
        ),
        Some(Seen::Off) => (
            SKIPPED,
            "nothing is remembered of any log".into(),
            told("off", None),
        ),
        Some(Seen::First) => (
            SKIPPED,
            "the first packet of this log here; it is remembered".into(),
            told("first", None),
        ),
        Some(Seen::Unkept { why }) => (
            SKIPPED,
            format!("it cannot be remembered: {why}"),
            told("unkept", None),
        ),
        Some(Seen::Continues { size }) => (
            GOOD,
            format!("one past with the checkpoint over {size} records that was seen before"),
            told("continues", Some(*size)),
        ),
        Some(Seen::Unproven { size }) => (
            HOLD,
            format!(
                "nothing links it to the checkpoint over {size} records that was seen before; ask for a packet with `--since {size}`"
            ),
            told("unproven", Some(*size)),
        ),
        Some(Seen::Conflict { size, kept }) => {
            let kept = kept.as_ref().map_or_else(String::new, |dir| {
                format!("; both are kept in `{}`", dir.display())
            });
            (
                BAD,
                format!(
                    "another past than the checkpoint over {size} records that was seen before{kept}"
                ),
                told("conflict", Some(*size)),
            )
        }
    }
}

pub fn verify(a: &args::Verify, screen: &Screen) -> Answer {
    let look = Look {
        log_key: a.log_key.clone(),
        policy: a.policy.clone(),
        trusted_root: a.trusted_root.clone(),
        trust_packet: a.trust_packet,
        since: a.since.clone(),
        tsa_root: a.tsa_root.clone(),
        memory: memory(),
        artifact: a.artifact.clone(),
        replay: a.replay,
        now: Some(SystemClock::default().now().wall),
    };
    let seen = evidence::verify(&a.packet, &look)?;
    let line = |(tone, word): (Tone, &str), name: &str, text: &str| {
        // What a packet brings may hold anything, and must not be able to write a line of its own.
        let text = plain(text);
        screen.say(&format!("{}  {name:<12} {text}", screen.paint(tone, word)));
    };
    let mut checks = Vec::new();
    for check in &seen.report.checks {
        let mark = match (check.state, check.reason.exit()) {
            (State::Passed, _) => GOOD,
            (State::Skipped, _) => SKIPPED,
            (State::Failed, Exit::Hold | Exit::Unjudged) => (Tone::Wait, "hold"),
            (State::Failed, _) => BAD,
        };
        line(mark, check.name, &check.text);
        checks.push(json!({"name": check.name, "state": state_name(check.state), "ok": check.state == State::Passed,
            "reasonCode": (check.state != State::Skipped).then_some(check.reason), "text": check.text}));
    }
    let (mark, text, remembered) = remembered(seen.seen.as_ref());
    line(mark, "memory", &text);
    let mut claims = Vec::new();
    for claim in &seen.outside {
        let (mark, said) = match &claim.standing {
            Stands::Signed(names) => (GOOD, format!("signed by {}", names.join(", "))),
            Stands::Unsigned(why) => (SKIPPED, format!("an unsigned claim: {why}")),
            Stands::Elsewhere => (SKIPPED, "about nothing that this plan releases".into()),
            Stands::Absent => (SKIPPED, "its bytes are not in the packet".into()),
            Stands::Broken(why) => (BAD, why.clone()),
        };
        let (index, kind, by) = (claim.index, &claim.kind, &claim.submitted_by);
        let text = format!("record {index}, {kind}, submitted by {by}: {said}");
        line(mark, "outside", &text);
        claims.push(json!({"record": index, "kind": kind, "submittedBy": by, "signed": mark == GOOD, "text": said}));
    }
    let derived = match &seen.derived {
        Some(Ok(d)) => {
            let text = format!(
                "`{}`, derived again from {} files with {} bytes",
                d.status, d.files, d.bytes
            );
            line(GOOD, "verdict", &text);
            json!({"ok": true, "run": d.run_id, "status": d.status, "files": d.files, "bytes": d.bytes})
        }
        Some(Err(why)) => {
            let mark = match seen.exit {
                Exit::Hold | Exit::Unjudged => (Tone::Wait, "hold"),
                _ => BAD,
            };
            line(mark, "verdict", why);
            json!({"ok": false, "text": why})
        }
        None => serde_json::Value::Null,
    };
    let is_run = seen.derived.is_some();
    if let Some(incident) = &seen.glass {
        let text = format!("the glass was broken: {incident} stands in the place of approvals");
        screen.say(&screen.paint(Tone::Wait, &format!("note      {text}")));
    }
    for incident in &seen.incidents {
        super::approval::say_incident(screen, incident);
    }
    let approvals = match &seen.approvals {
        Some(Ok(n)) => {
            let text = format!("{n} bind this plan and held when it began");
            line(GOOD, "approvals", &text);
            json!({"ok": true, "counted": n})
        }
        Some(Err(why)) => {
            line(BAD, "approvals", why);
            json!({"ok": false, "text": why})
        }
        None if is_run => serde_json::Value::Null,
        None => {
            line(
                SKIPPED,
                "approvals",
                "not looked at, because a check failed",
            );
            serde_json::Value::Null
        }
    };
    let controls = match &seen.controls {
        Some(Ok(held)) => {
            for one in held {
                line(GOOD, "control", &plain(one));
            }
            json!({"ok": true, "held": held})
        }
        Some(Err(why)) => {
            line(BAD, "control", &plain(why));
            json!({"ok": false, "text": why})
        }
        None => serde_json::Value::Null,
    };
    let replayed = match &seen.replayed {
        Some(Ok(r)) => {
            let text = format!(
                "{} inputs fed again, {} answers equal byte for byte",
                r.inputs, r.answers
            );
            line(GOOD, "replay", &text);
            json!({"ok": true, "inputs": r.inputs, "answers": r.answers, "ended": r.ended})
        }
        Some(Err(why)) => {
            line(BAD, "replay", why);
            json!({"ok": false, "text": why})
        }
        None if is_run => serde_json::Value::Null,
        None => {
            let why = if a.replay {
                "not looked at, because a check failed"
            } else {
                "not asked for; --replay decides again from the recorded samples"
            };
            line(SKIPPED, "replay", why);
            serde_json::Value::Null
        }
    };
    let result = match &seen.result {
        Some(result) => plain(result),
        None if seen.looked => "not recorded".into(),
        None => "not looked at".into(),
    };
    // A genuine packet of a run that did not pass: the packet is to be believed, the run is not to be signed off.
    let genuine =
        matches!(&seen.derived, Some(Ok(d)) if seen.reasons == [deriving::reason(d.status)]);
    let result = match &seen.derived {
        Some(Ok(d)) => d.status.word().to_owned(),
        _ => result,
    };
    let (word, tone) = match seen.exit {
        _ if genuine => ("genuine; the run may not be signed off", Tone::Wait),
        Exit::Done => ("verified", Tone::Good),
        Exit::Hold => ("agrees with itself, but nobody vouches for it", Tone::Wait),
        Exit::Unjudged => ("could not be judged", Tone::Wait),
        _ => ("NOT verified: do not trust it", Tone::Bad),
    };
    screen.say(&format!(
        "{} · {} · recorded result: {result}",
        screen.paint(tone, word),
        a.packet.display()
    ));
    if seen.exit != Exit::Done {
        for reason in &seen.reasons {
            screen.talk(&format!(
                "  {reason}: {} {}",
                reason.meaning(),
                reason.next_action()
            ));
        }
    }
    let log = seen.report.log.as_ref().map(|log| {
        json!({"key": log.log.to_string(), "size": log.checkpoint.size, "root": log.checkpoint.root, "checkpoint": log.note})
    });
    let conflict = seen.report.conflict.as_ref();
    let conflict = conflict.map(|c| json!({"remembered": c.remembered, "packet": c.packet}));
    screen.answer(
        "packet_verify",
        json!({"verified": seen.exit == Exit::Done || genuine, "reasonCodes": seen.reasons, "checks": checks,
            "approvals": approvals, "controls": controls, "log": log, "conflict": conflict, "memory": remembered, "outside": claims, "claim": seen.report.claim, "replay": replayed, "recordedResult": seen.result, "breakGlass": seen.glass, "incidents": seen.incidents, "dryRun": derived}),
    );
    Ok(seen.exit)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_packet_brings_cannot_write_a_line_of_its_own() {
        assert_eq!(plain("größer – 10 %"), "größer – 10 %");
        assert_eq!(
            plain("a\n\u{1b}[2J\u{202e}b\u{9b}\u{feff}\r"),
            r"a\u{a}\u{1b}[2J\u{202e}b\u{9b}\u{feff}\u{d}"
        );
    }
}
