//! What real commands cost: CPU time, memory, order; and what is no figure.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gonogo_exec::measure::{
    Callgrind, MOST_RUNS, MeasureError, Subject, Terms, environment, host_class, in_turn, measure,
};
use gonogo_exec::{ExecError, Exit};

fn shell(dir: &Path, script: &str) -> Subject {
    Subject {
        argv: vec!["/bin/sh".into(), "-c".into(), script.into()],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        dir: dir.to_owned(),
        output: None,
    }
}

/// Counts in a shell, about a microsecond of user time each.
fn count_to(n: u32) -> String {
    format!("i=0; while [ $i -lt {n} ]; do i=$((i+1)); done")
}

#[test]
fn cpu_time_is_that_of_the_work_and_not_of_the_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let work = shell(dir.path(), &count_to(60_000));
    let wait = shell(dir.path(), "sleep 0.2");
    let taken = in_turn(&[&work, &wait], &[0, 1, 1, 0], &Terms::default()).unwrap();
    for i in [1, 2] {
        assert!(taken[i].wall >= Duration::from_millis(200), "{taken:?}");
        assert!(taken[i].cpu() < Duration::from_millis(100), "{taken:?}");
        assert!(taken[i - 1].cpu() > taken[i].cpu() || taken[3].cpu() > taken[i].cpu());
    }
    assert!(taken.iter().all(|t| t.instructions.is_none()));
}

#[test]
fn the_sum_is_finer_than_a_tick() {
    let dir = tempfile::tempdir().unwrap();
    let taken = measure(&shell(dir.path(), &count_to(5_000)), 10, &Terms::default()).unwrap();
    // Were it counted in ticks, each would be a multiple of 1, 4 or 10 ms.
    let fine = taken.iter().filter(|t| t.cpu().as_micros() % 1_000 != 0);
    assert!(fine.count() >= 8, "{taken:?}");
}

#[test]
fn what_waited_for_children_cost_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let alone = shell(dir.path(), ":");
    let inner = count_to(40_000);
    let through = shell(dir.path(), &format!("/bin/sh -c '{inner}'; :"));
    let taken = in_turn(&[&alone, &through], &[0, 1], &Terms::default()).unwrap();
    assert!(
        taken[1].cpu() > taken[0].cpu() + Duration::from_millis(5),
        "{taken:?}"
    );
}

#[test]
fn the_order_is_the_one_asked_for_and_warm_up_comes_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let a = shell(dir.path(), "echo a >>log");
    let b = shell(dir.path(), "echo b >>log");
    let terms = Terms {
        warm_up: 2,
        ..Terms::default()
    };
    let taken = in_turn(&[&a, &b], &[0, 1, 1, 0, 1], &terms).unwrap();
    assert_eq!(taken.len(), 5);
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert_eq!(
        log.split_whitespace().collect::<String>(),
        "ababab".to_owned() + "bab"
    );
}

#[test]
fn a_failed_run_is_no_figure() {
    let dir = tempfile::tempdir().unwrap();
    let good = shell(dir.path(), "exit 0");
    for (script, exit) in [
        ("exit 3", Exit::Status(3)),
        ("kill -SEGV $$", Exit::Signal(11)),
    ] {
        let bad = shell(dir.path(), script);
        match in_turn(
            &[&good, &bad],
            &[0, 0, 1, 0],
            &Terms {
                warm_up: 0,
                ..Terms::default()
            },
        ) {
            Err(MeasureError::Failed {
                run: 3,
                exit: found,
                ..
            }) => assert_eq!(found, exit),
            other => panic!("{script}: {other:?}"),
        }
    }
    // The second run fails only: the series is no less wrong.
    let second = shell(dir.path(), "test ! -e there && touch there");
    assert!(
        measure(
            &second,
            2,
            &Terms {
                warm_up: 0,
                ..Terms::default()
            }
        )
        .is_err()
    );
    let missing = Subject {
        argv: vec!["no-such-program-here".into()],
        ..good.clone()
    };
    assert!(matches!(
        measure(&missing, 1, &Terms::default()),
        Err(MeasureError::Exec(ExecError::NotFound { .. }))
    ));
    let nothing = Subject {
        argv: vec![],
        ..good
    };
    assert!(matches!(
        measure(&nothing, 1, &Terms::default()),
        Err(MeasureError::Exec(ExecError::NoProgram))
    ));
}

#[test]
fn a_run_that_takes_too_long_is_killed_with_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let slow = shell(dir.path(), "sleep 4321 & echo $! >child; sleep 4321");
    let terms = Terms {
        timeout: Duration::from_millis(400),
        warm_up: 0,
        ..Terms::default()
    };
    let found = measure(&slow, 1, &terms);
    assert!(
        matches!(found, Err(MeasureError::TimedOut { run: 1, .. })),
        "{found:?}"
    );
    let child = std::fs::read_to_string(dir.path().join("child")).unwrap();
    gone(child.trim());
}

/// Waits until `pid` no longer runs; the kernel needs a moment after a kill.
fn gone(pid: &str) {
    for _ in 0..2_000 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ") {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("{pid} still runs");
}

#[test]
fn what_is_left_behind_is_not_measured_and_so_refused() {
    let dir = tempfile::tempdir().unwrap();
    let leaves = shell(dir.path(), "sleep 4321 & echo $! >child");
    let found = measure(
        &leaves,
        1,
        &Terms {
            warm_up: 0,
            ..Terms::default()
        },
    );
    assert!(
        matches!(found, Err(MeasureError::LeftBehind { run: 1, .. })),
        "{found:?}"
    );
    let child = std::fs::read_to_string(dir.path().join("child")).unwrap();
    gone(child.trim());
}

#[test]
fn memory_is_told_only_where_it_is_the_commands_own() {
    let dir = tempfile::tempdir().unwrap();
    // A shell is far smaller than a megabyte-hungry parent.
    let ballast = vec![1_u8; 64 << 20];
    assert_eq!(ballast.iter().map(|b| u64::from(*b)).sum::<u64>(), 64 << 20);
    let small = measure(&shell(dir.path(), ":"), 1, &Terms::default()).unwrap();
    assert_eq!(
        small[0].max_rss, None,
        "the parent's memory was taken for the child's"
    );
    // `head -c` of one line keeps the whole line in no tool; `tail -c` of a pipe keeps what it prints.
    let hungry = "head -c 200000000 /dev/zero | tail -c 180000000 >/dev/null";
    let large = measure(&shell(dir.path(), hungry), 1, &Terms::default()).unwrap();
    let rss = large[0].max_rss.unwrap();
    assert!((170 << 20..400 << 20).contains(&rss), "{rss}");
    drop(ballast);
}

#[test]
fn nothing_is_inherited_and_output_goes_where_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out");
    let subject = Subject {
        output: Some(output.clone()),
        ..shell(
            dir.path(),
            "env; echo oops >&2; cut -d' ' -f5 /proc/$$/stat; echo $$; wc -c",
        )
    };
    measure(&subject, 2, &Terms::default()).unwrap();
    let text = std::fs::read_to_string(&output).unwrap();
    assert!(!text.contains("CARGO") && !text.contains("HOME="), "{text}");
    assert_eq!(
        text.matches("oops").count(),
        1,
        "each run replaces it: {text}"
    );
    let lines: Vec<&str> = text.lines().rev().collect();
    assert_eq!(lines[1], lines[2], "leads its own group: {text}");
    assert_eq!(lines[0].trim(), "0", "standard input is empty: {text}");
    assert!(
        environment(&["PATH", "NO_SUCH_VARIABLE_HERE"])
            .keys()
            .eq(["PATH"])
    );
}

#[test]
fn a_series_has_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let subject = shell(dir.path(), ":");
    for order in [vec![], vec![1], vec![0; MOST_RUNS + 1]] {
        let found = in_turn(&[&subject], &order, &Terms::default());
        assert!(matches!(found, Err(MeasureError::Series(_))), "{found:?}");
    }
}

#[test]
fn the_cpu_can_be_chosen_and_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let allowed = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("Cpus_allowed_list:"));
        line.unwrap().to_owned()
    };
    let before = allowed();
    let first: usize = before
        .split(|c: char| !c.is_ascii_digit())
        .find_map(|n| n.parse().ok())
        .unwrap();
    let output = dir.path().join("out");
    let subject = Subject {
        output: Some(output.clone()),
        ..shell(dir.path(), "grep Cpus_allowed_list /proc/self/status")
    };
    let terms = Terms {
        cpu: Some(first),
        ..Terms::default()
    };
    measure(&subject, 1, &terms).unwrap();
    let seen = std::fs::read_to_string(&output).unwrap();
    assert_eq!(seen.trim(), format!("Cpus_allowed_list:\t{first}"));
    assert_eq!(allowed(), before);
    for cpu in [1_000, 1_000_000] {
        let found = measure(
            &subject,
            1,
            &Terms {
                cpu: Some(cpu),
                ..Terms::default()
            },
        );
        assert!(matches!(found, Err(MeasureError::Cpu { .. })), "{found:?}");
        assert_eq!(allowed(), before);
    }
}

#[test]
fn a_counter_that_counts_nothing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    // Stands in for the counter: runs the command, and writes what the test says.
    let fake = dir.path().join("counter");
    let write = |body: &str| {
        let script = format!(
            "#!/bin/sh\nfor a; do case $a in --callgrind-out-file=*) f=${{a#*=}};; esac; done\n{body}\n"
        );
        std::fs::write(&fake, script).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let terms = Terms {
        instructions: Some(Callgrind {
            program: fake.display().to_string(),
            scratch: scratch.clone(),
        }),
        ..Terms::default()
    };
    let subject = shell(dir.path(), ":");
    write(
        r#"d=${f%/*}; echo "totals: 1200" >$d/callgrind.1; printf 'fl=x\ntotals: 34\n' >$d/callgrind.2"#,
    );
    let taken = measure(&subject, 2, &terms).unwrap();
    assert_eq!(taken[1].instructions, Some(1234));
    for body in [
        "",
        r#": >${f%/*}/callgrind.1"#,
        r#"echo "totals: x" >${f%/*}/callgrind.1"#,
        r#"echo "totals: 0" >${f%/*}/callgrind.1"#,
    ] {
        write(body);
        let found = measure(&subject, 1, &terms);
        assert!(
            matches!(found, Err(MeasureError::Counter { .. })),
            "{body}: {found:?}"
        );
    }
}

#[test]
fn the_host_has_a_class() {
    let class = host_class().unwrap();
    assert!(
        class.starts_with(std::env::consts::ARCH) && class.ends_with("GiB"),
        "{class}"
    );
    assert_eq!(class, host_class().unwrap());
}
