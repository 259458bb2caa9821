//! What became of an operation's effects, told from its records alone: which calls changed the target, which did not, which nobody knows.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::{Act, Action, Input, Outcome};

/// What is known of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Begun, and its outcome is not known.
    Open,
    /// Done, as read back.
    Applied,
    /// Certainly not done.
    NotApplied,
    /// Refused by the target.
    Refused,
    /// Done in part.
    Partial,
}

/// An effect of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectSeen {
    /// Its key.
    pub key: String,
    /// What the target was asked to do.
    pub action: Action,
    /// What is known of it.
    pub standing: Standing,
    /// When it was begun.
    pub since: Timestamp,
    /// When its outcome was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Timestamp>,
    /// What was seen, where it was not simply done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Lists the effects that could change the target, in the order in which they were begun; `records` are kind and body of the
/// operation's records in their order. A body that cannot be read changes nothing: an effect stays open until something says otherwise.
pub fn seen<'a>(records: impl Iterator<Item = (&'a str, &'a Value)>) -> Vec<EffectSeen> {
    let mut all: Vec<EffectSeen> = Vec::new();
    // Which effect an act's outcome is about: its own, or a probe's question.
    let mut about: BTreeMap<u64, String> = BTreeMap::new();
    for (kind, body) in records {
        let Some(at) = read::<Timestamp>(body, "at") else {
            continue;
        };
        match kind {
            "intent" => {
                let Some(act) = read::<Act>(body, "intent") else {
                    continue;
                };
                begun(act, at, &mut all, &mut about);
            }
            "outcome" => {
                let Some(Input::Done { id, result }) = read::<Input>(body, "input") else {
                    continue;
                };
                let effect = about.get(&id).cloned();
                let effect = effect.and_then(|key| all.iter_mut().rfind(|e| e.key == key));
                if let Some(effect) = effect {
                    settle(effect, result, at);
                }
            }
            _ => {}
        }
    }
    all
}

/// Whether a version was ready, and was given a share of requests afterwards; whether any came, [`counted`] says. What is not known to have happened has not.
pub fn served(all: &[EffectSeen], content: Digest) -> bool {
    let mut ready: Option<&str> = None;
    for effect in all.iter().filter(|e| e.standing == Standing::Applied) {
        match &effect.action {
            Action::Start {
                slot, content: is, ..
            } if *is == content => ready = Some(slot),
            Action::Stop { slot } if ready == Some(slot) => ready = None,
            Action::Weigh { weights, .. }
                if ready.is_some_and(|slot| weights.get(slot).is_some_and(|w| *w > 0)) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// How many requests the new version answered, as the way back counted them when it measured that nothing serves it any more; `records`
/// are kind and body of the operation's records. 0 if nobody counted.
pub fn counted<'a>(records: impl Iterator<Item = (&'a str, &'a Value)>) -> u64 {
    let decided = records.filter(|(kind, _)| *kind == "decision");
    let counts = decided.filter_map(|(_, body)| body.pointer("/decision/numbers/served")?.as_u64());
    counts.max().unwrap_or(0)
}

fn read<T: for<'de> Deserialize<'de>>(body: &Value, key: &str) -> Option<T> {
    T::deserialize(body.get(key)?).ok()
}

fn begun(act: Act, at: Timestamp, all: &mut Vec<EffectSeen>, about: &mut BTreeMap<u64, String>) {
    match act.action {
        Action::Observe => {}
        Action::Probe { key } => {
            about.insert(act.id, key);
        }
        action => {
            about.insert(act.id, act.key.clone());
            // Sent again under its key: still one effect, and open again.
            if let Some(known) = all.iter_mut().find(|e| e.key == act.key) {
                known.standing = Standing::Open;
                known.settled = None;
                return;
            }
            all.push(EffectSeen {
                key: act.key,
                action,
                standing: Standing::Open,
                since: at,
                settled: None,
                text: None,
            });
        }
    }
}

fn settle(effect: &mut EffectSeen, result: Outcome, at: Timestamp) {
    // What is settled stays so: a late answer of an attempt in doubt says nothing new.
    if effect.standing == Standing::Applied {
        return;
    }
    let (standing, text) = match result {
        Outcome::Applied { cut, .. } => (
            Standing::Applied,
            (cut > 0).then(|| format!("{cut} requests were cut")),
        ),
        Outcome::NotApplied { text, .. } => (Standing::NotApplied, Some(text)),
        Outcome::Refused { text, .. } => (Standing::Refused, Some(text)),
        Outcome::Partial { text } => (Standing::Partial, Some(text)),
        Outcome::Unknown { text } => (Standing::Open, Some(text)),
    };
    effect.standing = standing;
    effect.settled = (standing != Standing::Open).then_some(at);
    effect.text = text;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Kind and body of a record.
    type Record = (&'static str, Value);

    fn intent(id: u64, key: &str, action: Value) -> Record {
        let act = json!({"id": id, "key": key, "class": "probe-able", "deadline": "5s", "action": action});
        (
            "intent",
            json!({"step": id, "at": "2026-01-01T00:00:00.000Z", "intent": act}),
        )
    }

    fn outcome(id: u64, result: Value) -> Record {
        (
            "outcome",
            json!({"step": id, "at": "2026-01-01T00:00:01.000Z", "input": {"input": "done", "id": id, "result": result}}),
        )
    }

    fn told(records: &[Record]) -> Vec<(String, Standing)> {
        let seen = seen(records.iter().map(|(k, b)| (*k, b)));
        seen.into_iter().map(|e| (e.key, e.standing)).collect()
    }

    fn stop() -> Value {
        json!({"do": "stop", "slot": "a"})
    }

    #[test]
    fn an_effect_is_open_until_something_says_what_became_of_it() {
        let applied = json!({"outcome": "applied", "generation": 3});
        let unknown = json!({"outcome": "unknown", "text": "no answer"});
        let not =
            json!({"outcome": "not-applied", "reason": "AGENT_UNREACHABLE", "text": "nobody"});
        let probe = json!({"do": "probe", "key": "op/1"});
        let cases: [(&str, Vec<Record>, Standing); 6] = [
            ("begun", vec![intent(1, "op/1", stop())], Standing::Open),
            (
                "done",
                vec![intent(1, "op/1", stop()), outcome(1, applied.clone())],
                Standing::Applied,
            ),
            (
                "no answer",
                vec![intent(1, "op/1", stop()), outcome(1, unknown.clone())],
                Standing::Open,
            ),
            (
                "a probe found it",
                vec![
                    intent(1, "op/1", stop()),
                    outcome(1, unknown.clone()),
                    intent(2, "op/1/probe/1", probe.clone()),
                    outcome(2, applied.clone()),
                ],
                Standing::Applied,
            ),
            (
                "a probe found nothing",
                vec![
                    intent(1, "op/1", stop()),
                    outcome(1, unknown.clone()),
                    intent(2, "op/1/probe/1", probe),
                    outcome(2, not),
                ],
                Standing::NotApplied,
            ),
            (
                "a late answer takes nothing back",
                vec![
                    intent(1, "op/1", stop()),
                    outcome(1, applied),
                    outcome(1, unknown),
                ],
                Standing::Applied,
            ),
        ];
        for (name, records, standing) in cases {
            assert_eq!(told(&records), [("op/1".to_owned(), standing)], "{name}");
        }
    }

    #[test]
    fn a_version_served_if_it_was_ready_and_then_got_a_weight() {
        let content = Digest::of(b"5.0.0");
        let start = |content: Digest| json!({"do": "start", "slot": "b", "version": "5.0.0", "content": content});
        let weigh =
            |b: u32| json!({"do": "weigh", "weights": {"a": 10_000 - b, "b": b}, "expect": 1});
        let applied = || json!({"outcome": "applied", "generation": 1});
        let lost = json!({"outcome": "unknown", "text": "no answer"});
        let stop = json!({"do": "stop", "slot": "b"});
        type Acts = Vec<(Value, Value)>;
        let cases: [(&str, Acts, bool); 6] = [
            ("nothing", vec![], false),
            (
                "ready",
                vec![(start(content), applied()), (weigh(0), applied())],
                false,
            ),
            (
                "served",
                vec![(start(content), applied()), (weigh(1), applied())],
                true,
            ),
            (
                "not known",
                vec![(start(content), applied()), (weigh(1), lost)],
                false,
            ),
            (
                "another one",
                vec![(start(Digest::of(b"x")), applied()), (weigh(1), applied())],
                false,
            ),
            (
                "stopped before",
                vec![
                    (start(content), applied()),
                    (stop, applied()),
                    (weigh(1), applied()),
                ],
                false,
            ),
        ];
        for (what, acts, wanted) in cases {
            let acts = acts.into_iter().enumerate();
            let records: Vec<Record> = acts
                .flat_map(|(n, (action, result))| {
                    let id = n as u64 + 1;
                    [intent(id, &format!("op/{id}"), action), outcome(id, result)]
                })
                .collect();
            let all = seen(records.iter().map(|(k, b)| (*k, b)));
            assert_eq!(served(&all, content), wanted, "{what}");
        }
    }

    #[test]
    fn looking_is_no_effect_and_what_cannot_be_read_settles_nothing() {
        let records = [
            intent(1, "op/look", json!({"do": "observe"})),
            intent(2, "op/1", stop()),
            ("outcome", json!({"at": "yesterday", "input": {}})),
            outcome(7, json!({"outcome": "applied", "generation": 1})),
        ];
        assert_eq!(told(&records), [("op/1".to_owned(), Standing::Open)]);
    }
}
