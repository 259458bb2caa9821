//! The store over real files, with as many connections as there are controllers.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Barrier;

use gonogo_core::id::{ApprovalId, OperationId, PlanId};
use gonogo_core::{Digest, Fingerprint, Span, Timestamp};
use gonogo_release::machine::Ending;
use gonogo_release::{Act, Action, Class, Input, Outcome, Phase, Terminal};
use gonogo_store::{
    Draft, Lease, Liveness, OutboxState, Owner, Store, StoreError, Subject, Submission, Transition,
};

fn fingerprint(n: u8) -> Fingerprint {
    Fingerprint::of(&n).unwrap()
}

fn submission(n: u8) -> Submission {
    Submission {
        operation: OperationId::mint([n; 8]),
        plan: PlanId::mint([9; 8]),
        fingerprint: fingerprint(1),
        environment: "prod".into(),
        key: format!("key-{n}"),
        requester: "ada".into(),
        at: Timestamp::from_millis(1_000),
        approvals: vec![ApprovalId::mint([n; 8])],
        trace: None,
        records: vec![draft("0/0")],
    }
}

fn draft(key: &str) -> Draft {
    Draft {
        stream: "operation/x".into(),
        key: key.into(),
        kind: "input".into(),
        time: Timestamp::from_millis(1_000),
        actor: "ada".into(),
        subject: Subject {
            name: "plan".into(),
            digest: Digest::of(b""),
        },
        body: serde_json::json!({ "n": 1 }),
    }
}

fn act(id: u64) -> Act {
    Act {
        id,
        key: format!("k/{id}"),
        class: Class::Read,
        deadline: Span::from_secs(1),
        action: Action::Observe,
    }
}

fn transition<'a>(
    operation: &'a OperationId,
    seq: u64,
    input: &'a Input,
    acts: Vec<&'a Act>,
) -> Transition<'a> {
    Transition {
        operation,
        seq,
        at: Timestamp::from_millis(1_000 + seq as i64),
        input,
        snapshot: "{}".into(),
        digest: Digest::of(&seq.to_be_bytes()),
        phase: Phase::Deploy,
        terminal: None,
        known_good: None,
        acts,
        timers: vec![(seq, Timestamp::from_millis(5_000))],
        posted: None,
        records: &[],
        delivered: None,
    }
}

fn begun() -> (Store, OperationId, Lease) {
    let store = Store::in_memory().unwrap();
    let id = store.submit(&submission(1)).unwrap().operation;
    let lease = store
        .take_lease("prod", &Owner::new(), Span::from_secs(60))
        .unwrap();
    (store, id, lease)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_are_for_the_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("a/.gonogo");
    let store = Store::open(&dir).unwrap();
    store.submit(&submission(1)).unwrap();
    assert_eq!(mode(&dir), 0o700);
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    drop(store);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(dir.join("state.db"), open).unwrap();
    Store::open(&dir).unwrap();
    assert_eq!(mode(&dir.join("state.db")), 0o600);
}

#[test]
fn strange_files_are_refused_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let path = dir.join("state.db");
    std::fs::write(
        &path,
        "no database at all, but long enough to be read as a header".repeat(40),
    )
    .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let refused = Store::open(dir).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    std::fs::remove_file(&path).unwrap();
    drop(Store::open(dir).unwrap());
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let refused = Store::open(dir).unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::Newer {
                found: 99,
                known: 3,
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn many_first_openers_and_submitters_make_one_operation() {
    let home = tempfile::tempdir().unwrap();
    let dir = &home.path().join(".gonogo");
    let barrier = &Barrier::new(8);
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8u8)
            .map(|n| {
                scope.spawn(move || {
                    barrier.wait();
                    let store = Store::open(dir).unwrap();
                    let mut one = submission(n);
                    one.key = "same".into();
                    store.submit(&one).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|r| r.fresh).count(), 1);
    assert!(results.iter().all(|r| r.operation == results[0].operation));
    let store = Store::open(dir).unwrap();
    assert_eq!(store.operations("", None, 10).unwrap().len(), 1);
    let used = (1..=8u8).filter(|n| {
        let approval = ApprovalId::mint([*n; 8]);
        store.approval_user(&approval).unwrap().is_some()
    });
    assert_eq!(
        used.count(),
        1,
        "only the operation that began used its approval"
    );
}

#[test]
fn a_key_names_one_request() {
    let store = Store::in_memory().unwrap();
    let first = store.submit(&submission(1)).unwrap();
    assert!(first.fresh);
    let again = store
        .submit(&Submission {
            operation: OperationId::mint([2; 8]),
            ..submission(1)
        })
        .unwrap();
    assert_eq!((again.fresh, &again.operation), (false, &first.operation));
    let other = store.submit(&Submission {
        fingerprint: fingerprint(2),
        ..submission(1)
    });
    assert!(matches!(
        other,
        Err(StoreError::IdempotencyConflict { operation, .. }) if operation == first.operation
    ));
    let elsewhere = store.submit(&Submission {
        environment: "staging".into(),
        operation: OperationId::mint([3; 8]),
        fingerprint: fingerprint(2),
        approvals: Vec::new(),
        ..submission(1)
    });
    assert!(elsewhere.unwrap().fresh, "keys belong to an environment");
}

#[test]
fn one_operation_at_a_time_and_one_use_of_an_approval() {
    let (store, id, lease) = begun();
    let second = Submission {
        approvals: vec![ApprovalId::mint([7; 8])],
        ..submission(2)
    };
    assert!(matches!(
        store.submit(&second),
        Err(StoreError::OperationOpen { operation, .. }) if operation == id
    ));
    assert_eq!(
        store.approval_user(&ApprovalId::mint([7; 8])).unwrap(),
        None
    );
    let terminal = Terminal {
        result: Ending::Refused,
        reasons: vec![],
        text: "no".into(),
    };
    store
        .commit(
            &lease,
            &Transition {
                terminal: Some(&terminal),
                ..transition(&id, 1, &Input::Start, vec![])
            },
        )
        .unwrap();
    assert_eq!(store.operation(&id).unwrap().terminal, Some(terminal));
    assert_eq!(store.inbox(&id).unwrap(), []);
    assert_eq!(store.timers(&id).unwrap(), []);
    let reused = Submission {
        approvals: vec![ApprovalId::mint([7; 8]), ApprovalId::mint([1; 8])],
        ..submission(2)
    };
    assert!(matches!(
        store.submit(&reused),
        Err(StoreError::ApprovalReused { approval, operation })
            if approval == ApprovalId::mint([1; 8]) && operation == id
    ));
    assert_eq!(
        store.approval_user(&ApprovalId::mint([7; 8])).unwrap(),
        None
    );
    assert!(store.submit(&second).unwrap().fresh);
    let late = store.commit(&lease, &transition(&id, 2, &Input::Start, vec![]));
    assert!(matches!(late, Err(StoreError::OperationEnded(op)) if op == id));
}

#[test]
fn a_transition_needs_its_place_and_the_lease() {
    let (store, id, lease) = begun();
    let first = act(1);
    let ahead = store.commit(&lease, &transition(&id, 2, &Input::Start, vec![&first]));
    assert!(matches!(
        ahead,
        Err(StoreError::SeqMoved {
            expected: 1,
            found: 0,
            ..
        })
    ));
    assert_eq!(store.outbox(&id).unwrap(), []);
    store
        .commit(&lease, &transition(&id, 1, &Input::Start, vec![&first]))
        .unwrap();
    let twice = store.commit(&lease, &transition(&id, 1, &Input::Start, vec![]));
    assert!(matches!(
        twice,
        Err(StoreError::SeqMoved {
            expected: 0,
            found: 1,
            ..
        })
    ));
    store.release_lease(&lease).unwrap();
    let next = store
        .take_lease("prod", &Owner::new(), Span::from_secs(60))
        .unwrap();
    let second = act(2);
    let old = store.commit(&lease, &transition(&id, 2, &Input::Start, vec![&second]));
    assert!(matches!(old, Err(StoreError::LeaseLost { epoch: 1, .. })));
    let claimed = store.claim(&lease, &id, &[1], Timestamp::from_millis(0));
    assert!(matches!(
        claimed,
        Err(StoreError::LeaseLost { epoch: 1, .. })
    ));
    assert_eq!(store.events(&id, 0, 10).unwrap().len(), 1);
    assert_eq!(store.outbox(&id).unwrap()[0].state, OutboxState::Ready);
    assert_eq!(next.epoch, 2);
}

#[test]
fn an_act_is_claimed_once_and_settled_by_its_outcome() {
    let (store, id, lease) = begun();
    let (a, b) = (act(1), act(2));
    store
        .commit(&lease, &transition(&id, 1, &Input::Start, vec![&a, &b]))
        .unwrap();
    let at = Timestamp::from_millis(2_000);
    let claims = store.claim(&lease, &id, &[2, 3], at).unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].act(), claims[0].epoch()), (&b, 1));
    assert_eq!(store.claim(&lease, &id, &[2], at).unwrap(), []);
    let states: Vec<_> = store
        .outbox(&id)
        .unwrap()
        .into_iter()
        .map(|r| (r.act.id, r.state, r.epoch))
        .collect();
    assert_eq!(
        states,
        [
            (1, OutboxState::Ready, None),
            (2, OutboxState::Started, Some(1))
        ]
    );
    let done = Input::Done {
        id: 2,
        result: Outcome::Unknown { text: "?".into() },
    };
    store
        .commit(&lease, &transition(&id, 2, &done, vec![]))
        .unwrap();
    let left = store.outbox(&id).unwrap();
    assert_eq!((left.len(), left[0].act.id), (1, 1));
    let due = Input::Due { id: 1 };
    store
        .commit(&lease, &transition(&id, 3, &due, vec![]))
        .unwrap();
    let timers: Vec<_> = store
        .timers(&id)
        .unwrap()
        .into_iter()
        .map(|t| t.0)
        .collect();
    assert_eq!(timers, [2, 3]);
}

#[test]
fn pending_evidence_survives_until_it_is_delivered() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let id = store.submit(&submission(1)).unwrap().operation;
    let lease = store
        .take_lease("prod", &Owner::new(), Span::from_secs(60))
        .unwrap();
    let records = [draft("1/0"), draft("1/1")];
    store
        .commit(
            &lease,
            &Transition {
                records: &records,
                ..transition(&id, 1, &Input::Start, vec![])
            },
        )
        .unwrap();
    drop(store);
    let store = Store::open(home.path()).unwrap();
    let keys = |store: &Store| -> Vec<String> {
        let pending = store.pending(&id, 10).unwrap();
        pending.into_iter().map(|p| p.draft.key).collect()
    };
    assert_eq!(keys(&store), ["0/0", "1/0", "1/1"]);
    store
        .commit(
            &lease,
            &Transition {
                delivered: Some(0),
                ..transition(&id, 2, &Input::Start, vec![])
            },
        )
        .unwrap();
    assert_eq!(keys(&store), ["1/0", "1/1"]);
    store.delivered(&id, 2).unwrap();
    assert!(keys(&store).is_empty());
}

#[test]
fn an_orphan_is_seen_by_every_process() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let id = store.submit(&submission(1)).unwrap().operation;
    let seen = |store: &Store| {
        let open = store.open_operations().unwrap();
        assert_eq!((open.len(), &open[0].operation.id), (1, &id));
        open[0].holder.as_ref().map(|h| h.liveness)
    };
    let other = Store::open(home.path()).unwrap();
    assert_eq!(seen(&other), None);
    let lease = store
        .take_lease("prod", &Owner::new(), Span::from_secs(60))
        .unwrap();
    assert_eq!(seen(&other), Some(Liveness::Live));
    store.release_lease(&lease).unwrap();
    assert_eq!(seen(&other), Some(Liveness::Expired));
    let prefix = &id.as_str()[..6];
    assert_eq!(other.operations(prefix, None, 2).unwrap()[0].id, id);
    assert_eq!(other.operations("op_zzz", None, 2).unwrap(), []);
    let unknown = OperationId::mint([42; 8]);
    assert!(matches!(
        other.operation(&unknown),
        Err(StoreError::Unknown { .. })
    ));
}
