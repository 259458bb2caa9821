//! Where workers run. Read from `/proc`, not from the code under test.

use std::collections::BTreeSet;
use std::fs;

use gonogo_host::proxy::{Config, Proxy, Routes};

/// The cores that each worker of this process may use, by the thread's name; `main` is the caller's own.
fn allowed(path: &str) -> String {
    let status = fs::read_to_string(path).unwrap();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("Cpus_allowed_list:"));
    line.unwrap().trim().to_owned()
}

/// Threads of a proxy with `workers` that are new since `before`, with their cores.
fn workers(before: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let path = entry.path();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let is_worker = name
            .trim()
            .strip_prefix("proxy-")
            .is_some_and(|n| n.parse::<u32>().is_ok());
        if is_worker && !before.contains(&path.display().to_string()) {
            found.push(allowed(&path.join("status").display().to_string()));
        }
    }
    found.sort();
    found
}

fn tasks() -> BTreeSet<String> {
    let all = fs::read_dir("/proc/self/task").unwrap().flatten();
    all.map(|e| e.path().display().to_string()).collect()
}

/// Numbers of a list like `0-2,5`.
fn numbers(list: &str) -> Vec<String> {
    let mut all = Vec::new();
    for part in list.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high): (u32, u32) = (low.parse().unwrap(), high.parse().unwrap());
        all.extend((low..=high).map(|n| n.to_string()));
    }
    all.sort();
    all
}

#[test]
fn as_many_workers_as_cores_have_one_each_and_others_are_free() {
    // A process of its own: the workers of other tests have the same names.
    let Ok(count) = std::env::var("GONOGO_TEST_WORKERS") else {
        let free = numbers(&allowed("/proc/self/status"));
        for count in [free.len(), free.len() + 1] {
            let out = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture"])
                .arg("cores::as_many_workers_as_cores_have_one_each_and_others_are_free")
                .env("GONOGO_TEST_WORKERS", count.to_string())
                .output()
                .unwrap();
            assert!(
                out.status.success(),
                "{count} workers: {}",
                String::from_utf8_lossy(&out.stderr)
            );
        }
        return;
    };
    let count: usize = count.parse().unwrap();
    let main = allowed("/proc/thread-self/status");
    let free = numbers(&main);
    let before = tasks();
    let config = Config {
        workers: count,
        ..Config::new("127.0.0.1:0".parse().unwrap())
    };
    let proxy = Proxy::start(config, Routes::default()).unwrap();
    let seen = workers(&before);
    if count == free.len() {
        assert_eq!(seen, free, "each core once");
    } else {
        assert_eq!(seen, vec![main.clone(); count], "free to move");
    }
    assert_eq!(
        allowed("/proc/thread-self/status"),
        main,
        "only workers are bound"
    );
    drop(proxy);
}
