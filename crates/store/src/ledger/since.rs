//! What a thread has seen of the ledger before it decides: nobody may have recorded anything since, in whatever process.
//!
//! Whoever looks first and decides on that ([`unmoved`]) decides in one step: the decision's record is refused if the ledger has grown
//! since the look, whoever made it grow. The condition is held against the first record that decides; records of keys and of refusals
//! decide nothing, and do not use it up.

use std::cell::RefCell;

use super::error::LedgerError;
use super::queue::Outcome;
use super::record::Draft;

/// Kinds of records that decide nothing.
const IDLE: [&str; 2] = [gonogo_ledger::key_event::KIND, "refusal"];

/// What a thread holds its decision against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// The ledger must have so many records.
    At(u64),
    /// It had others.
    Moved,
}

thread_local! {
    static CURRENT: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Does `work`, whose first decision is recorded only if the ledger has `size` records then. Says beside what `work` gave whether the
/// ledger had others: then nothing was decided, and it is worth to look again.
pub fn unmoved<T>(size: u64, work: impl FnOnce() -> T) -> (T, bool) {
    struct Back(Option<Held>);
    impl Drop for Back {
        fn drop(&mut self) {
            CURRENT.with(|c| *c.borrow_mut() = self.0.take());
        }
    }
    let _back = Back(CURRENT.with(|c| c.replace(Some(Held::At(size)))));
    let done = work();
    (done, CURRENT.with(|c| *c.borrow() == Some(Held::Moved)))
}

fn decides(drafts: &[Draft]) -> bool {
    drafts.iter().any(|d| !IDLE.contains(&d.kind.as_str()))
}

/// How many records the ledger must have for these drafts; none where it may have any number.
///
/// # Errors
/// [`LedgerError::Moved`]: it had others already when this thread first asked.
pub(super) fn expected(drafts: &[Draft]) -> Result<Option<u64>, LedgerError> {
    match CURRENT.with(|c| *c.borrow()) {
        Some(Held::At(size)) if decides(drafts) => Ok(Some(size)),
        Some(Held::Moved) if decides(drafts) => Err(LedgerError::Moved {
            stream: drafts[0].stream.clone(),
            text: "other records came in before".into(),
        }),
        _ => Ok(None),
    }
}

/// Takes note of what became of drafts.
pub(super) fn told(decided: bool, outcome: &Outcome) {
    CURRENT.with(|c| {
        let mut held = c.borrow_mut();
        let Some(Held::At(size)) = *held else {
            return;
        };
        *held = match outcome {
            Err(LedgerError::Moved { .. }) if decided => Some(Held::Moved),
            Ok(_) if decided => None,
            // What this thread has added itself is nothing that came in between.
            Ok(receipts) => {
                let own = receipts.iter().filter(|r| r.fresh);
                let grown = own.fold(size, |at, r| at + u64::from(r.index == at));
                Some(Held::At(grown))
            }
            Err(_) => Some(Held::At(size)),
        };
    });
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gonogo_core::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::ledger::{Founding, Ledger};

    fn open(root: &Path) -> Ledger {
        let founding = Founding {
            origin: "ledger.test",
            actor: "controller@test",
            time: Timestamp::from_millis(1_795_000_000_000),
        };
        Ledger::open(root, founding).unwrap()
    }

    fn draft(kind: &str, key: &str) -> Draft {
        Draft {
            stream: "plan/pln_1".into(),
            key: key.into(),
            kind: kind.into(),
            subject: Vec::new(),
            time: Timestamp::from_millis(1_795_000_000_000),
            actor: "test".into(),
            body: json!({"key": key}),
            signer: None,
        }
    }

    /// Records by another thread, which holds its decisions against nothing.
    fn elsewhere(ledger: &Ledger, draft: Draft) {
        std::thread::scope(|scope| {
            scope.spawn(|| ledger.append(vec![draft]).unwrap());
        });
    }

    #[test]
    fn who_decides_on_what_was_seen_is_refused_where_another_handle_came_before() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (open(dir.path()), open(dir.path()));
        let seen = mine.size().unwrap();
        other.append(vec![draft("note", "theirs")]).unwrap();
        let (refused, moved) = unmoved(seen, || mine.append(vec![draft("note", "mine")]));
        assert!(moved && matches!(refused, Err(LedgerError::Moved { .. })));
        // Nor later in the same work, whatever became of it meanwhile.
        let (refused, moved) = unmoved(seen, || {
            drop(mine.append(vec![draft("note", "mine")]));
            mine.append(vec![draft("note", "again")])
        });
        assert!(moved && refused.is_err());
        assert_eq!(mine.size().unwrap(), seen + 1);
        // Having looked again, it decides once, and goes on as it likes.
        let (done, moved) = unmoved(seen + 1, || {
            mine.append(vec![draft("note", "mine")]).unwrap();
            elsewhere(&other, draft("note", "more"));
            mine.append(vec![draft("note", "rest")])
        });
        assert!(done.is_ok() && !moved);
    }

    #[test]
    fn refusals_decide_nothing_and_own_ones_are_nothing_that_came_between() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (open(dir.path()), open(dir.path()));
        let seen = mine.size().unwrap();
        let (done, moved) = unmoved(seen, || {
            mine.append(vec![draft("refusal", "no")]).unwrap();
            mine.append(vec![draft("note", "yes")])
        });
        assert!(done.is_ok() && !moved);
        let (done, moved) = unmoved(seen + 2, || {
            elsewhere(&other, draft("note", "theirs"));
            mine.append(vec![draft("refusal", "no more")]).unwrap();
            mine.append(vec![draft("note", "mine")])
        });
        assert!(done.is_err() && moved);
    }

    #[test]
    fn of_many_who_decide_on_the_same_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path());
        let seen = ledger.size().unwrap();
        let won = std::thread::scope(|scope| {
            let all: Vec<_> = (0..32)
                .map(|n| {
                    let ledger = &ledger;
                    scope.spawn(move || {
                        let wanted = vec![draft("note", &format!("n{n}"))];
                        unmoved(seen, || ledger.append(wanted)).0.is_ok()
                    })
                })
                .collect();
            all.into_iter()
                .map(|t| t.join().unwrap())
                .filter(|won| *won)
                .count()
        });
        assert_eq!((won, ledger.size().unwrap()), (1, seen + 1));
    }
}
