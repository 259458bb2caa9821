//! The ledger on a simulated disk that loses, tears and reorders what was not synced.

mod run;

#[test]
fn no_power_failure_loses_what_was_acknowledged() {
    let mut records = 0;
    for seed in 0..3 {
        let length = run::length(seed);
        assert!(length > 60, "a life has {length} calls");
        for at in (1..=length).step_by(2) {
            records += run::power_failure(seed, at + seed % 2).records;
        }
    }
    assert!(records > 2_000, "only {records} promises were checked");
}

#[test]
fn no_failed_sync_loses_what_was_acknowledged() {
    for seed in 0..2 {
        for at in 1..=30 {
            run::failed_sync(seed, at, true);
            run::failed_sync(seed, at, false);
        }
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    for seed in 0..2 {
        for step in 0..24 {
            run::full_disk(seed, step * 3_001);
        }
    }
}
