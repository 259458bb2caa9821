//! Was everything done exactly once, and does everybody agree? Compares the ledger, the agent's memory, the versions' logs
//! and the target after an operation.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::id::OperationId;
use gonogo_release::machine::Ending;
use gonogo_store::ledger::{Filter, Ledger, RecordView};
use serde_json::Value;

use super::lab::Lab;

/// The world before an operation.
pub struct Before {
    generation: u64,
    slots: BTreeSet<String>,
    starts: u64,
    agent: Option<u32>,
}

impl Before {
    pub fn of(lab: &Lab) -> Self {
        let observed = lab.observed().ok();
        Self {
            generation: observed.as_ref().map_or(0, |o| o.generation),
            slots: observed
                .iter()
                .flat_map(|o| &o.slots)
                .map(|s| s.slot.clone())
                .collect(),
            starts: lab.starts(),
            agent: lab.agent(),
        }
    }
}

/// What an operation should have come to.
pub struct Expected<'a> {
    pub ending: Ending,
    pub serves: &'a str,
}

/// Everything that is wrong after an operation whose agent lived all the time. Empty is right.
pub fn wrong(lab: &Lab, id: &OperationId, before: &Before, expected: &Expected<'_>) -> Vec<String> {
    let mut wrong = agreed(lab, id, expected);
    let mut say = |text: String| wrong.push(text);
    let (keys, events) = match in_ledger(lab, id, &mut say) {
        Ok(read) => read,
        Err(e) => {
            wrong.push(e);
            return wrong;
        }
    };
    let state = lab.agent_state();
    let prefix = format!("{id}/");
    let mut seen: Vec<(u64, &String, &Value)> = state["calls"]["seen"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(key, call)| (call["n"].as_u64().unwrap_or(0), key, call))
        .collect();
    seen.sort_by_key(|(n, ..)| *n);
    let told: BTreeSet<&String> = seen.iter().map(|(_, key, _)| *key).collect();
    for (key, outcome) in &keys {
        match state["calls"]["seen"].get(key) {
            None => say(format!(
                "the ledger has an outcome of `{key}` ({outcome}), the agent never saw it"
            )),
            Some(call) if call["outcome"]["outcome"] != outcome.as_str() => {
                say(format!(
                    "`{key}`: the ledger says {outcome}, the agent {}",
                    call["outcome"]
                ));
            }
            Some(_) => {}
        }
    }
    for key in told.iter().filter(|key| !keys.contains_key(**key)) {
        say(format!(
            "the agent did `{key}`, the ledger has no outcome of it"
        ));
    }
    // Replays the calls on the slots: each applied change moves the generation by one, so a repeated effect shows.
    let (mut slots, mut generation, mut starts) = (before.slots.clone(), before.generation, 0);
    for (_, _, call) in &seen {
        if call["outcome"]["outcome"] != "applied" {
            continue;
        }
        let slot = call["action"]["slot"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match call["action"]["do"].as_str() {
            Some("start") => {
                starts += 1;
                generation += 1;
                slots.insert(slot);
            }
            Some("weigh") => generation += 1,
            Some("stop") => generation += u64::from(slots.remove(&slot)),
            _ => {}
        }
    }
    if state["generation"] != generation {
        say(format!(
            "the calls lead to generation {generation}, the agent is at {}",
            state["generation"]
        ));
    }
    if lab.starts() - before.starts != starts {
        say(format!(
            "{starts} starts were applied, versions began to listen {} times",
            lab.starts() - before.starts
        ));
    }
    if before.agent.is_some() && lab.agent() != before.agent {
        say(format!(
            "the agent was {:?} and is {:?}",
            before.agent,
            lab.agent()
        ));
    }
    if events == 0 {
        say("the ledger holds nothing of the operation".into());
    }
    wrong
}

/// What must hold after any operation: its result, the target, the packet.
pub fn agreed(lab: &Lab, id: &OperationId, expected: &Expected<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |text: String| wrong.push(text);
    let known = lab.store().operation(id).unwrap();
    match &known.terminal {
        Some(t) if t.result == expected.ending => {}
        other => say(format!(
            "ended as {other:?}, expected {:?}",
            expected.ending
        )),
    }
    match lab.observed() {
        Ok(observed) => {
            let seen: Vec<_> = observed
                .slots
                .iter()
                .map(|s| (s.version.as_str(), s.weight, s.ready))
                .collect();
            if seen != [(expected.serves, 10_000, true)] {
                say(format!(
                    "the target has {seen:?}, expected {} alone",
                    expected.serves
                ));
            }
        }
        Err(e) => say(e),
    }
    let verified = lab.verify(id);
    if verified.code != Some(0) {
        say(format!("the packet does not verify: {verified:?}"));
    }
    let pending = lab.store().pending(id, 10).unwrap();
    if !pending.is_empty() {
        say(format!("evidence is not in the ledger: {pending:?}"));
    }
    wrong
}

/// Outcome of each key that changes something, and how many events there were. Says what is not once.
fn in_ledger(
    lab: &Lab,
    id: &OperationId,
    say: &mut dyn FnMut(String),
) -> Result<(BTreeMap<String, String>, u64), String> {
    let ledger = Ledger::open_read(&lab.path(".gonogo")).map_err(|e| e.to_string())?;
    let records = every(&ledger, &format!("operation/{id}"))?;
    let mut acts: BTreeMap<u64, Value> = BTreeMap::new();
    let mut outcomes: BTreeMap<String, String> = BTreeMap::new();
    let mut events = 0;
    let mut answered = BTreeSet::new();
    for record in &records {
        let step = record.body["step"].as_u64();
        if matches!(record.kind.as_str(), "input" | "outcome" | "sample") {
            events += 1;
            if step != Some(events) {
                say(format!(
                    "record {} is of step {step:?}, expected {events}",
                    record.index
                ));
            }
        }
        if record.kind == "intent" {
            let act = record.body["intent"].clone();
            let number = act["id"].as_u64().unwrap_or(0);
            if acts.insert(number, act).is_some() {
                say(format!("act {number} was intended twice"));
            }
        }
        if record.kind == "outcome" {
            let input = &record.body["input"];
            let number = input["id"].as_u64().unwrap_or(0);
            if !answered.insert(number) {
                say(format!("act {number} has two outcomes"));
            }
            let Some(act) = acts.get(&number) else {
                say(format!(
                    "act {number} has an outcome and no intent before it"
                ));
                continue;
            };
            let about = match act["action"]["do"].as_str() {
                Some("probe") => act["action"]["key"].as_str(),
                Some("observe") => None,
                _ => act["key"].as_str(),
            };
            let outcome = input["result"]["outcome"].as_str().unwrap_or_default();
            if let (Some(key), "applied" | "not-applied" | "refused") = (about, outcome) {
                let never = act["action"]["do"] == "probe" && outcome == "not-applied"
                    || unreachable(&input["result"]);
                let stale = input["result"]["reason"] == "STALE_EPOCH";
                match outcomes.get(key).map(String::as_str) {
                    Some("applied") if outcome != "applied" => {
                        say(format!("`{key}` was applied and then {outcome}"))
                    }
                    _ if never || stale => {}
                    _ => drop(outcomes.insert(key.to_owned(), outcome.to_owned())),
                }
            }
        }
    }
    let results = records.iter().filter(|r| r.kind == "result").count();
    if results != 1 {
        say(format!("{results} results are recorded"));
    }
    for number in acts.keys().filter(|n| !answered.contains(n)) {
        say(format!("act {number} has no outcome: {}", acts[number]));
    }
    Ok((outcomes, events))
}

fn unreachable(result: &Value) -> bool {
    result["reason"] == "AGENT_UNREACHABLE"
}

fn every(ledger: &Ledger, stream: &str) -> Result<Vec<RecordView>, String> {
    let mut filter = Filter {
        stream: Some(stream.to_owned()),
        limit: 1000,
        ..Filter::default()
    };
    let mut all = Vec::new();
    loop {
        let page = ledger.records(&filter).map_err(|e| e.to_string())?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        filter.after = Some(last.index);
        all.extend(page);
    }
}
