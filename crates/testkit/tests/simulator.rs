//! The design survives the simulated faults, and the simulator would notice if it did not.

use gonogo_testkit::sim::{Mutant, sweep};

/// Seeds in every test run.
const SEEDS: u64 = 20_000;

#[test]
fn no_seed_ends_wrong() {
    let (wrong, first) = sweep(0..SEEDS, None);
    assert_eq!(wrong, 0, "first wrong run: {first:?}");
}

#[test]
fn every_mutant_dies() {
    for mutant in Mutant::ALL {
        let killed = (0..SEEDS).find(|seed| {
            !gonogo_testkit::sim::run(*seed, Some(mutant))
                .wrong
                .is_empty()
        });
        assert!(killed.is_some(), "{mutant:?} survived {SEEDS} seeds");
    }
}
