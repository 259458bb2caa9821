use std::path::Path;

#[test]
fn passes() {}

/// Fails once in a directory.
#[test]
fn flaky() {
    let mark = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mark");
    if !mark.exists() {
        std::fs::write(mark, "").unwrap();
        panic!("not yet");
    }
}

#[test]
fn aborts() {
    std::process::abort();
}

#[test]
fn takes_long() {
    std::thread::sleep(std::time::Duration::from_secs(60));
}
