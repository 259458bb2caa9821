//! The language of scenarios.
//!
//! ```text
//! plan from 1.0.0 to 2.0.0 stages 5 25 soak 2s     or: plan from nothing to 2.0.0 soak 2s
//! at 0s start              any line may begin with `at SPAN` (since the begin) or `after SPAN`
//! applied                  the open act was carried out
//! unknown | unknown done   no answer to it; it was (not) carried out
//! refused CODE TEXT | not-applied CODE TEXT | partial TEXT
//! probe                    the probe is answered truthfully
//! probe unknown | probe partial | probe unreachable
//! done ID applied N        an answer for any act
//! due | due ID             the next timer, at its time; or any timer, now
//! sample [xN] [now] canary REQUESTS/ERRORS/SLOW stable … [exit] [unready] [unrouted N] [in-flight N] [boot NAME]
//!        [repeated] [down] [gone] [contradicts] [old] [huge] [version NAME]      one sample period later
//! missed TEXT | cancel by WHO: WHY | freeze by WHO | unfreeze by WHO
//! foreign a=5000 b=5000    somebody else sets weights
//! ```

use std::collections::BTreeMap;

use gonogo_core::{Reason, Span};
use gonogo_release::effect::{Input, Outcome};
use gonogo_release::plan::{Budget, PlanBody, resolve};

use super::ScenarioError;
use super::model::{Did, Look};
use crate::fixture;

pub(super) struct Script {
    pub(super) plan: PlanBody,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) verb: Verb,
}

pub(super) enum Verb {
    At(Span),
    Advance(Span),
    Foreign(BTreeMap<String, u32>),
    Input(Input),
    Answer(Answer),
    Done(u64, Outcome),
    Due(Option<u64>),
    Sample {
        look: Box<Look>,
        times: u32,
        at_once: bool,
    },
}

pub(super) enum Answer {
    Applied,
    Unanswered { done: bool },
    Says(Outcome),
    Probe,
    Probed(Outcome),
}

/// Reads a script.
pub(super) fn parse(text: &str) -> Result<Script, ScenarioError> {
    let mut plan = None;
    let mut lines = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let bad = |why: String| ScenarioError::Line {
            line: number,
            text: text.into(),
            why,
        };
        let mut words = Words(text);
        if plan.is_none() {
            words.expect("plan").map_err(bad)?;
            plan = Some(plan_of(&mut words).map_err(bad)?);
            continue;
        }
        let mut shown = text;
        for prefix in ["at ", "after "] {
            if let Some(rest) = text.strip_prefix(prefix) {
                words = Words(rest);
                let span = words.parse().map_err(bad)?;
                let verb = if prefix == "at " {
                    Verb::At(span)
                } else {
                    Verb::Advance(span)
                };
                let text = format!("{prefix}{span}");
                lines.push(Line { number, text, verb });
                shown = words.0;
            }
        }
        if shown.is_empty() {
            continue;
        }
        let verb = verb_of(&mut words).map_err(bad)?;
        if !words.0.is_empty() {
            return Err(bad(format!("`{}` is not understood", words.0)));
        }
        let text = shown.to_owned();
        lines.push(Line { number, text, verb });
    }
    let plan = plan.ok_or_else(|| ScenarioError::Line {
        line: 0,
        text: String::new(),
        why: "a script begins with a plan".into(),
    })?;
    Ok(Script { plan, lines })
}

fn plan_of(words: &mut Words<'_>) -> Result<PlanBody, String> {
    words.expect("from")?;
    let from = words.next();
    words.expect("to")?;
    let to = words.next();
    let mut weights = Vec::new();
    let mut spans = BTreeMap::new();
    let mut odd = Vec::new();
    while !words.0.is_empty() {
        match words.next() {
            "stages" => {
                while words.0.starts_with(|c: char| c.is_ascii_digit()) {
                    weights.push(words.parse()?);
                }
            }
            name @ ("soak" | "bake" | "within" | "every") => {
                spans.insert(name, words.parse::<Span>()?);
            }
            name @ ("no-steps" | "limitless") => odd.push(name),
            other => return Err(format!("`{other}` is not part of a plan")),
        }
    }
    let mut plan = fixture::plan((from != "nothing").then_some(from), to, &weights);
    let strategy = &mut plan.strategy;
    for stage in &mut strategy.stages {
        stage.bake = spans.get("bake").copied().unwrap_or(stage.bake);
        stage.within = spans.get("within").copied().unwrap_or(stage.within);
    }
    strategy.soak = spans.get("soak").copied().unwrap_or(strategy.soak);
    strategy.sample_every = spans.get("every").copied().unwrap_or(strategy.sample_every);
    plan.budget = Budget::of(strategy.sample_every);
    plan.steps = resolve(plan.from.as_ref(), &plan.to, &plan.slot, &plan.strategy);
    if odd.contains(&"no-steps") {
        plan.steps.clear();
    }
    if odd.contains(&"limitless") {
        plan.checks.errors.limit = gonogo_core::Share::FULL;
    }
    Ok(plan)
}

fn verb_of(words: &mut Words<'_>) -> Result<Verb, String> {
    let verb = match words.next() {
        "start" => Verb::Input(Input::Start),
        "applied" => Verb::Answer(Answer::Applied),
        "unknown" => Verb::Answer(Answer::Unanswered {
            done: words.skip("done"),
        }),
        "refused" => Verb::Answer(Answer::Says(Outcome::Refused {
            reason: words.parse::<Reason>()?,
            text: words.rest(),
        })),
        "not-applied" => Verb::Answer(Answer::Says(Outcome::NotApplied {
            reason: words.parse::<Reason>()?,
            text: words.rest(),
        })),
        "partial" => Verb::Answer(Answer::Says(Outcome::Partial { text: words.rest() })),
        "probe" => Verb::Answer(probe_of(words)?),
        "done" => {
            let id = words.parse()?;
            words.expect("applied")?;
            let generation = words.parse()?;
            let observed = None;
            Verb::Done(
                id,
                Outcome::Applied {
                    generation,
                    observed,
                    cut: 0,
                },
            )
        }
        "due" if words.0.is_empty() => Verb::Due(None),
        "due" => Verb::Due(Some(words.parse()?)),
        "sample" => sample_of(words)?,
        "missed" => Verb::Input(Input::SampleMissed { text: words.rest() }),
        "cancel" => {
            words.expect("by")?;
            let rest = words.rest();
            let (by, why) = rest.split_once(": ").ok_or("`cancel by WHO: WHY`")?;
            Verb::Input(Input::Cancel {
                by: by.into(),
                why: why.into(),
            })
        }
        "refuse" => {
            let rest = words.rest();
            let (code, text) = rest.split_once(": ").ok_or("`refuse CODE: WHY`")?;
            Verb::Input(Input::Refuse {
                reason: code.parse().map_err(|_| "a reason code")?,
                text: text.into(),
            })
        }
        verb @ ("freeze" | "unfreeze") => {
            words.expect("by")?;
            Verb::Input(Input::Freeze {
                on: verb == "freeze",
                by: words.next().into(),
            })
        }
        "foreign" => {
            let mut weights = BTreeMap::new();
            while !words.0.is_empty() {
                let (slot, weight) = words.next().split_once('=').ok_or("`SLOT=WEIGHT`")?;
                weights.insert(slot.into(), weight.parse().map_err(|_| "a weight")?);
            }
            Verb::Foreign(weights)
        }
        other => return Err(format!("`{other}` is no verb")),
    };
    Ok(verb)
}

fn probe_of(words: &mut Words<'_>) -> Result<Answer, String> {
    let text = String::from("as scripted");
    Ok(match words.next() {
        "" => Answer::Probe,
        "unknown" => Answer::Probed(Outcome::Unknown { text }),
        "partial" => Answer::Probed(Outcome::Partial { text }),
        "unreachable" => Answer::Probed(Outcome::NotApplied {
            reason: Reason::AgentUnreachable,
            text,
        }),
        other => return Err(format!("`{other}` is no answer to a probe")),
    })
}

fn sample_of(words: &mut Words<'_>) -> Result<Verb, String> {
    let mut look = Look::default();
    let (mut times, mut at_once) = (1, false);
    while !words.0.is_empty() {
        match words.next() {
            "now" => at_once = true,
            "canary" => look.canary = did_of(words)?,
            "stable" => look.stable = did_of(words)?,
            "exit" => look.exits = 1,
            "unready" => look.unready = true,
            "unrouted" => look.unrouted = words.parse()?,
            "in-flight" => look.in_flight = words.parse()?,
            "boot" => look.boot = Some(words.next().into()),
            "repeated" => look.repeated = true,
            "down" => look.down = true,
            "gone" => look.gone = true,
            "contradicts" => look.contradicts = true,
            "old" => look.old = true,
            "huge" => look.huge = true,
            "version" => look.version = Some(words.next().into()),
            word => match word.strip_prefix('x').map(str::parse) {
                Some(Ok(n)) => times = n,
                _ => return Err(format!("`{word}` is not part of a sample")),
            },
        }
    }
    Ok(Verb::Sample {
        look: Box::new(look),
        times,
        at_once,
    })
}

fn did_of(words: &mut Words<'_>) -> Result<Did, String> {
    let mut numbers = words.next().split('/').map(str::parse::<u64>);
    let mut next = || numbers.next().unwrap_or(Ok(0)).map_err(|e| e.to_string());
    Ok(Did {
        requests: next()?,
        errors: next()?,
        slow: next()?,
    })
}

/// The words of a line that are left.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> &'a str {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        word
    }

    fn rest(&mut self) -> String {
        std::mem::take(&mut self.0).to_owned()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        match self.next() {
            found if found == word => Ok(()),
            found => Err(format!("`{word}` expected, not `{found}`")),
        }
    }

    fn skip(&mut self, word: &str) -> bool {
        let here = self.0.split(' ').next() == Some(word);
        if here {
            self.next();
        }
        here
    }

    fn parse<T: std::str::FromStr>(&mut self) -> Result<T, String>
    where
        T::Err: std::fmt::Display,
    {
        let word = self.next();
        word.parse().map_err(|e: T::Err| format!("`{word}`: {e}"))
    }
}
