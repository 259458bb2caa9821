//! Where an operation stands after each thing that can be heard.

use super::super::wiring::Limits;
use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn state() -> State {
    let endpoint = Endpoint {
        workflow_name: "release".into(),
        task_queue: "q".into(),
        dispatch_url: "http://flow/operations/dispatch".into(),
        status_base_url: "http://flow".into(),
        token: None,
        limits: Limits {
            dispatch: Span::from_secs(1),
            status: Span::from_secs(1),
            every: Span::from_secs(2),
            lost_after: Span::from_secs(10),
        },
    };
    State::new(OperationId::mint([7; 8]), endpoint, "k".into(), at(0))
}

fn sending() -> State {
    let mut s = state();
    assert_eq!(s.todo(at(0)), Todo::Send);
    assert_eq!(s.begin(Todo::Send, at(0)).len(), 1);
    s
}

fn trouble(reason: Reason) -> Trouble {
    Trouble {
        reason,
        text: "t".into(),
        after: None,
        told: Vec::new(),
    }
}

fn receipt(id: &str) -> Receipt {
    Receipt {
        operation_id: id.into(),
        workflow_id: "w".into(),
        submitted_at: "t".into(),
        status_url: "u".into(),
        cancel_url: None,
    }
}

fn taken() -> State {
    let mut s = sending();
    s.dispatched(at(1), Dispatched::Accepted(receipt("server-7")));
    s
}

fn says(status: Status) -> Asked {
    Asked::Told(Told {
        status,
        error: None,
        result: None,
        reasons: Vec::new(),
    })
}

#[test]
fn ids_of_the_service_win() {
    let s = taken();
    assert_eq!((s.stage, s.there()), (Stage::Taken, "server-7"));
    assert_eq!(state().there(), state().operation.as_str());
    let text = serde_json::to_string(&s).unwrap();
    assert_eq!(State::read(&text), Some(s));
    assert_eq!(State::read("{}"), None);
}

#[test]
fn what_is_in_doubt_is_never_sent_again_before_it_is_known_to_be_missing() {
    for reason in [
        Reason::WorkflowTimeout,
        Reason::WorkflowFailed,
        Reason::WorkflowUnreachable,
        Reason::WorkflowAnswer,
    ] {
        let mut s = sending();
        s.dispatched(at(1), Dispatched::Unknown(trouble(reason)));
        let mut now = at(1);
        for _ in 0..50 {
            now = now.after(Span::from_secs(1));
            assert!(matches!(s.todo(now), Todo::Ask | Todo::Wait(_)), "{reason}");
            s.asked(now, Asked::Trouble(trouble(Reason::WorkflowTimeout)));
        }
        assert_eq!(s.sent, 1);
        s.asked(now, says(Status::Running));
        assert_eq!((s.stage, s.trouble()), (Stage::Taken, None));
    }
}

#[test]
fn what_may_still_arrive_goes_out_again_when_it_is_asked_for_and_still_missing() {
    let mut s = sending();
    s.dispatched(at(1), Dispatched::Unknown(trouble(Reason::WorkflowTimeout)));
    s.asked(at(2), Asked::Missing);
    assert_eq!(s.stage, Stage::InDoubt);
    assert!(s.is_told());
    assert_eq!(s.trouble().unwrap().0.reason, Reason::WorkflowTimeout);
    assert_eq!(s.sent, 1);
    let (id, workflow) = (s.operation.clone(), s.workflow_id.clone());
    // Asked for again: it is asked about first.
    assert_eq!(s.again(at(10)).len(), 1);
    assert!(!s.is_told());
    assert_eq!(s.todo(at(10)), Todo::Ask);
    let mut there = s.clone();
    there.asked(at(11), says(Status::Running));
    assert_eq!((there.stage, there.sent), (Stage::Taken, 1));
    s.asked(at(11), Asked::Missing);
    assert_eq!(s.todo(at(11)), Todo::Send);
    assert_eq!((s.operation.clone(), s.workflow_id.clone()), (id, workflow));
    // It is in doubt whatever is said to the second one: that may be told of the first.
    s.begin(Todo::Send, at(11));
    for reason in [
        Reason::WorkflowUnreachable,
        Reason::WorkflowBusy,
        Reason::WorkflowRefused,
    ] {
        let mut s = s.clone();
        s.dispatched(at(12), Dispatched::NotAccepted(trouble(reason)));
        assert_eq!(s.stage, Stage::InDoubt, "{reason}");
        s.asked(at(13), says(Status::Running));
        assert_eq!(s.stage, Stage::Taken, "{reason}");
    }
}

#[test]
fn what_is_in_doubt_never_ends_as_cancelled_by_itself() {
    for reason in [
        Reason::WorkflowTimeout,
        Reason::WorkflowFailed,
        Reason::WorkflowUnreachable,
        Reason::WorkflowAnswer,
    ] {
        let mut s = sending();
        s.dispatched(at(1), Dispatched::Unknown(trouble(reason)));
        // Before or after it is said to be missing, and in between.
        for missing_first in [true, false] {
            let mut s = s.clone();
            if missing_first {
                s.asked(at(2), Asked::Missing);
            }
            s.wish(at(3), "ada", "why");
            s.asked(at(4), Asked::Missing);
            assert_eq!((s.stage, s.terminal.clone()), (Stage::InDoubt, None));
            assert_eq!(s.again(at(4)), [], "a wish to end it wins");
            // Stored and read again.
            let text = serde_json::to_string(&s).unwrap();
            assert_eq!(State::read(&text).as_ref(), Some(&s));
            // The service takes it late: it is told at once.
            let mut late = s.clone();
            late.asked(at(5), says(Status::Running));
            assert_eq!(late.todo(at(5)), Todo::Cancel, "{reason}");
            // It never does: nobody knows, and that is the end.
            s.asked(at(20_000), Asked::Missing);
            let end = s.terminal.unwrap();
            assert_eq!(end.result, Ending::NeedsPerson, "{reason}");
            assert_eq!(end.reasons, [Reason::WorkflowLost]);
        }
    }
    // A second sending that was still to begin.
    let mut s = sending();
    s.dispatched(at(1), Dispatched::Unknown(trouble(Reason::WorkflowTimeout)));
    s.again(at(2));
    s.asked(at(3), Asked::Missing);
    assert_eq!(s.stage, Stage::Waiting);
    s.wish(at(4), "ada", "why");
    assert_eq!((s.stage, s.todo(at(4))), (Stage::InDoubt, Todo::Ask));
    // As an earlier version kept it, without the doubt.
    let mut s = sending();
    s.resume(at(2));
    s.asked(at(3), Asked::Missing);
    let mut old = serde_json::to_value(&s).unwrap();
    for field in ["doubt", "doubts"] {
        assert!(old.as_object_mut().unwrap().remove(field).is_some());
    }
    let mut old = State::read(&old.to_string()).unwrap();
    old.wish(at(4), "ada", "why");
    assert_eq!((old.stage, old.terminal), (Stage::InDoubt, None));
}

#[test]
fn a_sender_that_ended_is_no_reason_to_send_blindly() {
    let mut s = sending();
    s.resume(at(5));
    assert_eq!((s.stage, s.todo(at(5))), (Stage::InDoubt, Todo::Ask));
    assert!(!s.is_told());
    // It arrived.
    let mut arrived = s.clone();
    arrived.asked(at(6), says(Status::Running));
    assert_eq!((arrived.stage, arrived.sent), (Stage::Taken, 1));
    // It did not: it goes out again, a bounded number of times.
    for sent in 2..=RESENT {
        s.asked(at(6), Asked::Missing);
        assert_eq!(s.todo(at(6)), Todo::Send);
        s.begin(Todo::Send, at(6));
        assert_eq!(s.sent, sent);
        s.resume(at(7));
    }
    s.asked(at(8), Asked::Missing);
    assert_eq!((s.stage, s.sent), (Stage::InDoubt, RESENT));
}

#[test]
fn a_yes_that_cannot_be_read_is_never_sent_again() {
    let mut s = sending();
    s.dispatched(at(1), Dispatched::Unknown(trouble(Reason::WorkflowAnswer)));
    s.asked(at(2), Asked::Missing);
    assert_eq!(s.stage, Stage::InDoubt);
    // That is not forgotten over other trouble, nor over another driver.
    s.asked(at(3), Asked::Trouble(trouble(Reason::WorkflowTimeout)));
    s.resume(at(4));
    s.asked(at(5), Asked::Missing);
    assert_eq!((s.stage, s.sent), (Stage::InDoubt, 1));
    s.asked(at(20_000), Asked::Missing);
    let end = s.terminal.unwrap();
    assert_eq!(end.result, Ending::NeedsPerson);
    assert_eq!(end.reasons, [Reason::WorkflowLost]);
}

#[test]
fn what_was_not_taken_is_held_or_refused() {
    for (reason, stage) in [
        (Reason::WorkflowUnreachable, Stage::Held),
        (Reason::WorkflowBusy, Stage::Held),
        (Reason::WorkflowRefused, Stage::Ended),
        (Reason::WorkflowDenied, Stage::Ended),
    ] {
        let mut s = sending();
        s.dispatched(at(1), Dispatched::NotAccepted(trouble(reason)));
        assert_eq!(s.stage, stage, "{reason}");
        if let Some(end) = s.terminal {
            assert_eq!((end.result, end.reasons), (Ending::Refused, vec![reason]));
        }
    }
}

#[test]
fn each_word_is_its_end_and_no_other_is_green() {
    for (status, ending) in [
        (Status::Succeeded, Ending::Promoted),
        (Status::Failed, Ending::Failed),
        (Status::Cancelled, Ending::Cancelled),
        (Status::TimedOut, Ending::TimedOut),
    ] {
        let mut s = taken();
        let all = s.asked(at(2), says(status));
        assert_eq!(all.last().unwrap().0, "result");
        let end = s.terminal.clone().unwrap();
        assert_eq!(end.result, ending);
        let green = end
            .reasons
            .iter()
            .all(|r| r.exit() == gonogo_core::Exit::Done);
        assert_eq!(green, ending == Ending::Promoted, "{status:?}");
        // An end stays.
        for other in [Status::Succeeded, Status::Failed, Status::Running] {
            assert_eq!(s.asked(at(3), says(other)), []);
            assert_eq!(s.terminal.as_ref(), Some(&end));
        }
        assert_eq!(s.wish(at(4), "ada", "why"), []);
    }
    for (result, ending) in [
        ("rolled_back", Ending::RolledBack),
        ("refused", Ending::Refused),
        ("needs_person", Ending::NeedsPerson),
        ("promoted", Ending::Failed),
    ] {
        let mut s = taken();
        s.asked(
            at(2),
            Asked::Told(Told {
                status: Status::Failed,
                error: None,
                result: Some(result.into()),
                reasons: vec![Reason::Promoted, Reason::ErrorRateWorse],
            }),
        );
        let end = s.terminal.unwrap();
        assert_eq!(end.result, ending);
        assert!(!end.reasons.contains(&Reason::Promoted));
        assert!(end.reasons.contains(&Reason::ErrorRateWorse));
    }
}

#[test]
fn an_operation_that_is_no_longer_known_needs_a_person() {
    let mut s = taken();
    s.asked(at(1_000), Asked::Missing);
    assert_eq!(s.stage, Stage::Taken);
    // A service that is away for long is no answer.
    s.asked(at(60_000), Asked::Trouble(trouble(Reason::WorkflowTimeout)));
    s.asked(at(61_000), Asked::Missing);
    assert_eq!(s.stage, Stage::Taken);
    s.asked(at(71_000), Asked::Trouble(trouble(Reason::WorkflowAnswer)));
    assert_eq!(s.terminal.unwrap().result, Ending::NeedsPerson);
}

#[test]
fn a_wish_to_end_it_is_told_and_its_outcome_known() {
    // Nothing was sent: it ends here.
    let mut s = state();
    s.wish(at(1), "ada", "why");
    assert_eq!(s.terminal.unwrap().result, Ending::Cancelled);
    // In doubt: first what became of it.
    let mut s = sending();
    s.dispatched(at(1), Dispatched::Unknown(trouble(Reason::WorkflowTimeout)));
    s.wish(at(2), "ada", "why");
    assert_eq!(s.todo(at(2)), Todo::Ask);
    s.asked(at(3), says(Status::Running));
    assert_eq!(s.todo(at(10_000)), Todo::Cancel);
    // Lost: it is told again, and asked meanwhile. Taken: its end is asked for.
    s.cancel_told(at(10_000), Ended::Unknown(trouble(Reason::WorkflowTimeout)));
    assert_eq!(s.todo(at(10_000)), Todo::Ask);
    s.asked(at(10_000), says(Status::Running));
    assert!(matches!(s.todo(at(10_000)), Todo::Wait(_)));
    let mut over = s.clone();
    over.asked(at(10_001), says(Status::Succeeded));
    assert_eq!(over.stage, Stage::Ended);
    assert_eq!(s.todo(at(60_000)), Todo::Cancel);
    s.cancel_told(at(60_000), Ended::Taken);
    assert_eq!(s.todo(at(60_000)), Todo::Ask);
    assert_eq!(s.cancel.as_ref().unwrap().telling, Telling::Taken);
    s.asked(at(60_001), says(Status::Cancelled));
    assert_eq!(s.terminal.unwrap().result, Ending::Cancelled);
    // Refused: it goes on.
    let mut s = taken();
    s.wish(at(2), "ada", "why");
    s.cancel_told(at(3), Ended::Refused(trouble(Reason::WorkflowRefused)));
    assert_eq!(s.todo(at(3)), Todo::Ask);
    assert_eq!(s.stage, Stage::Taken);
}

/// As the store keeps it.
fn stored(state: &State) -> State {
    State::read(&serde_json::to_string(state).unwrap()).unwrap()
}

#[test]
fn what_was_certainly_not_taken_is_certain_however_often_it_is_sent() {
    let mut s = stored(&state());
    for n in 1..=3 {
        s.begin(Todo::Send, at(n));
        s = stored(&s);
        s.dispatched(
            at(n),
            Dispatched::NotAccepted(trouble(Reason::WorkflowUnreachable)),
        );
        s = stored(&s);
        assert_eq!(s.stage, Stage::Held, "{n}");
        assert!(!s.may_be_there());
        s.again(at(n));
        s = stored(&s);
        assert_eq!(s.todo(at(n)), Todo::Send);
    }
    // A refusal that is none of the moment ends it.
    s.begin(Todo::Send, at(9));
    let denied = Dispatched::NotAccepted(trouble(Reason::WorkflowDenied));
    stored(&s).dispatched(at(9), denied.clone());
    s.dispatched(at(9), denied);
    assert_eq!(s.terminal.unwrap().result, Ending::Refused);
    // What an earlier version kept may have arrived.
    let mut old: Value = serde_json::to_value(state()).unwrap();
    old["sent"] = 1.into();
    old.as_object_mut().unwrap().remove("doubts");
    assert!(State::read(&old.to_string()).unwrap().may_be_there());
}

#[test]
fn what_is_forbidden_is_not_sent() {
    let mut s = state();
    s.forbid(at(1), Reason::FreezeActive, "frozen".into());
    let terminal = s.terminal.clone().unwrap();
    assert_eq!(terminal.result, Ending::Refused);
    assert_eq!(terminal.reasons, [Reason::FreezeActive]);
    // What may have arrived is asked about, and goes on not to be sent.
    let mut s = sending();
    s.dispatched(at(1), Dispatched::Unknown(trouble(Reason::WorkflowTimeout)));
    s.again(at(2));
    s.asked(at(3), Asked::Missing);
    assert_eq!(s.todo(at(3)), Todo::Send);
    s.forbid(at(3), Reason::FreezeActive, "frozen".into());
    assert_eq!(s.stage, Stage::InDoubt);
    assert!(s.terminal.is_none() && s.may_be_there());
    assert!(matches!(s.todo(at(4)), Todo::Wait(_)));
    assert_eq!(s.todo(at(60_000)), Todo::Ask);
}

#[test]
fn what_nobody_knows_is_not_what_was_before() {
    let mut s = taken();
    s.asked(at(2), says(Status::TimedOut));
    assert!(is_unknown(&s));
    let mut s = taken();
    s.asked(at(2), says(Status::Succeeded));
    assert!(!is_unknown(&s));
    let mut s = sending();
    s.dispatched(
        at(1),
        Dispatched::NotAccepted(trouble(Reason::WorkflowRefused)),
    );
    assert_eq!(s.terminal.as_ref().unwrap().result, Ending::Refused);
    assert!(!is_unknown(&s));
}

#[test]
fn questions_become_rarer_and_never_stop() {
    let mut s = taken();
    let mut now = at(1);
    let mut waits = Vec::new();
    for _ in 0..20 {
        let Todo::Wait(due) = s.todo(now) else {
            panic!("{:?}", s.todo(now));
        };
        waits.push(due.since(now).as_millis());
        now = due;
        assert_eq!(s.todo(now), Todo::Ask);
        s.asked(now, says(Status::Running));
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert_eq!(waits.last(), Some(&2_000));
}

#[test]
fn a_service_that_wants_no_question_for_long_lets_nobody_wait() {
    let put_off = |after| Trouble {
        after: Some(after),
        ..trouble(Reason::WorkflowFailed)
    };
    let mut s = sending();
    s.dispatched(at(1), Dispatched::Unknown(put_off(3_600)));
    // It may have arrived: it stays in doubt, and is asked later.
    assert_eq!((s.stage, s.is_told()), (Stage::InDoubt, true));
    assert!(matches!(s.todo(at(2)), Todo::Wait(due) if due > at(50_000)));
    assert_eq!(s.trouble().unwrap().0.after, Some(3_600));
    // Whoever asks again has it asked at once, and waits for no other header either.
    s.again(at(10));
    assert_eq!((s.is_told(), s.todo(at(10))), (false, Todo::Ask));
    s.asked(at(11), Asked::Trouble(put_off(3_600)));
    assert_eq!((s.stage, s.is_told()), (Stage::InDoubt, true));
    // Without a time, or with none to wait for, the first question is waited for.
    for trouble in [trouble(Reason::WorkflowFailed), put_off(0)] {
        let mut s = sending();
        s.dispatched(at(1), Dispatched::Unknown(trouble));
        assert!(!s.is_told());
        s.asked(at(2), Asked::Missing);
        assert!(s.is_told());
    }
}
