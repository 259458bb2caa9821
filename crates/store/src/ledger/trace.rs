//! The trace that a thread works for: what it appends meanwhile carries it.
//!
//! Every door and every controller says it once ([`within`]); nobody who appends a record has to. A record's content is the same in any
//! trace: the same deed again, in another trace, is the record that is there.

use std::cell::RefCell;
use std::sync::Arc;

use gonogo_ledger::statement::trace_is_well_formed;

thread_local! {
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The trace that this thread works for.
pub(super) fn current() -> Option<Arc<str>> {
    CURRENT.with(|c| c.borrow().clone())
}

/// Does `work` for `trace`, and goes back to what was before. A text that can be no trace is none.
pub fn within<T>(trace: Option<&str>, work: impl FnOnce() -> T) -> T {
    struct Back(Option<Arc<str>>);
    impl Drop for Back {
        fn drop(&mut self) {
            CURRENT.with(|c| *c.borrow_mut() = self.0.take());
        }
    }
    let trace = trace.filter(|t| trace_is_well_formed(t)).map(Arc::from);
    let _back = Back(CURRENT.with(|c| c.replace(trace)));
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_the_thread_s_own_and_ends_with_its_work() {
        assert_eq!(current(), None);
        within(Some("outer"), || {
            within(Some("inner"), || {
                assert_eq!(current().as_deref(), Some("inner"))
            });
            assert_eq!(current().as_deref(), Some("outer"));
            within(Some("not one"), || assert_eq!(current(), None));
            let there = std::thread::spawn(current).join().unwrap();
            assert_eq!(there, None);
        });
        let panicked = std::panic::catch_unwind(|| within(Some("t"), || panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(current(), None);
    }
}
