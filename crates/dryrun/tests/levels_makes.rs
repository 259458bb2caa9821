//! Errors as programs, frameworks, kernels and container runtimes write them, each beside lines that only look like it.

#![allow(clippy::unwrap_used, reason = "tests")]

use gonogo_dryrun::Status;

#[path = "levels/read.rs"]
mod read;

use Status::{Fail, Pass, Warn};
use read::{all, read, worst};

#[test]
fn what_container_runtimes_and_shippers_wrap_is_read() {
    all(&[
        (
            r#"{"log":"2026-11-21 10:00:01 ERROR app: boom\n","stream":"stdout","time":"2026-11-21T10:00:01.1Z"}"#,
            Fail,
        ),
        (
            r#"{"log":"{\"level\":\"error\",\"msg\":\"boom\"}\n","stream":"stderr","time":"2026-11-21T10:00:01.1Z"}"#,
            Fail,
        ),
        (
            r#"{"log":"{\"level\":\"info\",\"msg\":\"fine\"}\n","stream":"stderr","time":"2026-11-21T10:00:01.1Z"}"#,
            Pass,
        ),
        (
            r#"{"log":"2026-11-21 10:00:01 WARN app: slow\n","stream":"stderr","time":"2026-11-21T10:00:01.1Z"}"#,
            Warn,
        ),
        // What states no level has the policy of its stream, as it would if it was captured.
        (
            r#"{"log":"cannot open\n","stream":"stderr","time":"2026-11-21T10:00:01.1Z"}"#,
            Fail,
        ),
        (
            r#"{"log":"\n","stream":"stderr","time":"2026-11-21T10:00:01.1Z"}"#,
            Pass,
        ),
        (
            r#"{"log":"listening\n","stream":"stdout","time":"2026-11-21T10:00:01.1Z"}"#,
            Pass,
        ),
        (r#"{"stream":"stderr","rate":3}"#, Pass),
        (
            r#"{"date":1795260001.5,"log":"2026-11-21 10:00:01 ERROR app: boom","kubernetes":{"pod_name":"web-1"}}"#,
            Fail,
        ),
        (
            r#"{"date":1795260001.5,"log":"2026-11-21 10:00:01 INFO app: no ERROR","kubernetes":{"pod_name":"web-1"}}"#,
            Pass,
        ),
        (
            r#"{"__REALTIME_TIMESTAMP":"1","PRIORITY":"6","MESSAGE":"ERROR boom"}"#,
            Fail,
        ),
        (r#"{"PRIORITY":"3","MESSAGE":"boom"}"#, Fail),
        (r#"{"PRIORITY":"3","MESSAGE":"INFO boom"}"#, Fail),
        (r#"{"PRIORITY":"6","MESSAGE":"error budget is fine"}"#, Pass),
        (
            r#"{"PRIORITY":"6","MESSAGE":"got {\"level\":\"error\",\"msg\":\"x\"} from: x"}"#,
            Pass,
        ),
        (
            r#"{"@timestamp":"2026-11-21T10:00:01Z","stream":"stdout","message":"ERROR boom","host":{"name":"a"}}"#,
            Fail,
        ),
        (r#"{"level":"info","log":"ERROR boom"}"#, Pass),
        (r#"{"log":{"offset":1},"msg":"0 errors"}"#, Pass),
        (r#"{"log":"errors: 0","n":1}"#, Pass),
        (r#"{"log":"error","n":1}"#, Pass),
        (
            r#"{"log":"{\"log\":\"ERROR boom\\n\",\"stream\":\"stdout\"}\n","stream":"stdout"}"#,
            Fail,
        ),
    ]);
    // Also behind the express lane.
    let plain = r#"{"date":1,"log":"listening on 12","kubernetes":{"pod":"a"}}"#;
    for log in [
        plain.to_owned() + "\n",
        plain.replace(r#"{"pod":"a"}"#, "1") + "\n",
        r#"{"PRIORITY":"6","MESSAGE":"listening on 12","N":1}"#.to_owned() + "\n",
        r#"{"time":"2026","stream":"stdout","message":"listening on 12"}"#.to_owned() + "\n",
    ] {
        let mut many = (0..40)
            // Their beginnings differ, so that the mould leaves all of it open.
            .map(|n| {
                log.replace(
                    "listening on 12",
                    &format!("{} on {n}", ["listening", "ready", "12"][n % 3]),
                )
            })
            .collect::<String>();
        assert_eq!(worst(many.as_bytes()), Pass, "{log}");
        many += &log.replace("listening on 12", "ERROR boom");
        assert_eq!(worst(many.as_bytes()), Fail, "{log}");
    }
    // A traceback whose lines are wrapped is one failure.
    let log: String = [
        "Traceback (most recent call last):",
        "  File \\\"a.py\\\", line 1, in f",
        "    g()",
        "ValueError: no",
    ]
    .iter()
    .map(|line| {
        format!(
            "{{\"log\":\"{line}\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T10:00:01Z\"}}\n"
        )
    })
    .collect();
    let (found, _) = read(log.as_bytes(), 9);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].severity, Fail);
}

#[test]
fn consoles_of_frameworks_are_read() {
    all(&[
        (
            "[2026-11-21 10:00:01,123: ERROR/MainProcess] Task handler raised",
            Fail,
        ),
        (
            "[2026-11-21 10:00:01,123: WARNING/ForkPoolWorker-1] slow",
            Warn,
        ),
        (
            "[2026-11-21 10:00:01,123: INFO/MainProcess] ERROR/MainProcess",
            Pass,
        ),
        ("[2026-11-21 10:00:01,123: ERROR/s] 3", Pass),
        ("[2026-11-21 10:00:01] app.ERROR: boom {\"a\":1} []", Fail),
        ("[2026-11-21 10:00:01] production.CRITICAL: boom", Fail),
        (
            "[2026-11-21T10:00:01.123456+00:00] shop.WARNING: slow [] []",
            Warn,
        ),
        ("[2026-11-21 10:00:01] app.INFO: app.ERROR: 0", Pass),
        ("see app.ERROR: 3", Pass),
        ("ERRO[0003] failed                  code=3", Fail),
        ("\u{1b}[31mERRO\u{1b}[0m[0003] failed", Fail),
        ("FATA[0003] gone", Fail),
        ("PANI[0003] gone", Fail),
        ("WARN[0003] slow", Warn),
        ("INFO[0003] ERRO", Pass),
        ("FATA MORGANA is a mirage", Pass),
        ("10:00AM ERRO no funds order=7", Fail),
        ("2026/11/21 10:00:01 ERRO no funds order=7", Fail),
        ("E20261121 10:00:01.123456  1234 file.cc:12] boom", Fail),
        ("F20261121 10:00:01.123456  1234 file.cc:12] boom", Fail),
        ("W20261121 10:00:01.123456  1234 file.cc:12] slow", Warn),
        (
            "I20261121 10:00:01.123456  1234 file.cc:12] E20261121",
            Pass,
        ),
        (
            "E261121 10:00:01.123456 1 server/node.go:12 ⋮ [n1] boom",
            Fail,
        ),
        (
            "I261121 10:00:01.123456 1 server/node.go:12 ⋮ [n1] fine",
            Pass,
        ),
        ("E20261121 is an order", Pass),
        ("E261121 10 pieces", Pass),
        (
            r#"{"time":"2026-11-21T10:00:01Z","level":"ERROR+4","msg":"boom"}"#,
            Fail,
        ),
        (
            r#"{"time":"2026-11-21T10:00:01Z","level":"WARN+2","msg":"slow"}"#,
            Warn,
        ),
        (
            r#"{"time":"2026-11-21T10:00:01Z","level":"INFO+2","msg":"ERROR+2"}"#,
            Pass,
        ),
        ("time=2026-11-21T10:00:01Z level=ERROR+2 msg=boom", Fail),
        ("time=2026-11-21T10:00:01Z level=INFO+1 msg=ERROR+2", Pass),
        ("ERROR+2 of 3", Pass),
        (
            "2026-11-21T10:00:01.123Z\tc6af9ac6-7b61-11e6-9a41-93e8deadbeef\tERROR\tInvoke Error \t{\"errorType\":\"Error\"}",
            Fail,
        ),
        (
            "2026-11-21T10:00:01.123Z\tc6af9ac6-7b61-11e6-9a41-93e8deadbeef\tINFO\tERROR",
            Pass,
        ),
        (
            "2026-11-21T10:00:01.123Z c6af9ac6-7b61-11e6-9a41-93e8deadbeef Task timed out after 3.00 seconds",
            Fail,
        ),
        ("the Task timed out after 3.00 seconds", Pass),
        ("2026-11-21T10:00:01.123+0000 E NETWORK  [conn1] boom", Fail),
        (
            "2026-11-21T10:00:01.123+0000 F -        [conn1] Got signal: 11",
            Fail,
        ),
        (
            "2026-11-21T10:00:01.123+0000 W STORAGE  [initandlisten] slow",
            Warn,
        ),
        (
            "2026-11-21T10:00:01.123+0000 I NETWORK  [conn1] E NETWORK  [conn1]",
            Pass,
        ),
        ("2026-11-21T10:00:01.123+0000 E minor [x]", Pass),
        ("2026-11-21 10:00:01 E 12 [3]", Pass),
        (
            r#"{"text":"x\n","record":{"elapsed":{"seconds":1},"exception":null,"level":{"icon":"x","name":"ERROR","no":40},"message":"boom","name":"__main__"}}"#,
            Fail,
        ),
        (
            r#"{"text":"x\n","record":{"exception":null,"level":{"icon":"x","name":"INFO","no":20},"message":"ERROR","name":"error"}}"#,
            Pass,
        ),
        ("[1795260001] unbound[1:0] error: boom", Fail),
        ("[1795260001] unbound[1:0] warning: slow", Warn),
        ("[1795260001] unbound[1:0] info: error: 3", Pass),
        (
            "<Nov 21, 2026 10:00:01 AM UTC> <Error> <HTTP> <BEA-101017> <boom>",
            Fail,
        ),
        (
            "####<Nov 21, 2026 10:00:01,123 AM UTC> <Warning> <HTTP> <host> <slow>",
            Warn,
        ),
        (
            "<Nov 21, 2026 10:00:01 AM UTC> <Notice> <Error> <BEA-101017> <boom>",
            Pass,
        ),
        ("<div class=\"10:00\"> <Error> in a page", Pass),
        ("<Error> is a tag", Pass),
        ("2026/11/21 10:00:01 kid1| FATAL: no ports", Fail),
        ("2026/11/21 10:00:01 kid1| WARNING: slow", Warn),
        ("2026/11/21 10:00:01 kid1| Accepting ERROR: pages", Pass),
        (
            "2026-11-21T10:00:01.123Z pid=12 tid=abc class=Pay jid=ab WARN: {\"context\":\"Job raised exception\",\"job\":{}}",
            Warn,
        ),
        (
            "2026-11-21T10:00:01.123Z 12 TID-abc WARN: {\"context\":\"Job raised exception\"}",
            Warn,
        ),
        (
            "2026-11-21T10:00:01.123Z pid=12 tid=abc INFO: ERROR: start",
            Pass,
        ),
        ("2026-11-21T10:00:01.123Z pid=12 errors ERROR", Pass),
    ]);
}

#[test]
fn consoles_of_native_programs_are_read() {
    all(&[
        ("[1:1:1121/100001.123456:ERROR:gpu_init.cc(440)] boom", Fail),
        ("[1:1:1121/100001.123456:FATAL:gpu_init.cc:440] boom", Fail),
        ("[1121/100001.123456:WARNING:gpu_init.cc(440)] slow", Warn),
        (
            "[1:1:1121/100001.123456:INFO:gpu_init.cc(440)] :ERROR:x",
            Pass,
        ),
        ("[1:ERROR:2]", Pass),
        ("[shop:ERROR:list] of codes", Pass),
        ("GLib-CRITICAL **: boom", Fail),
        (
            "(shop:12): GLib-GObject-CRITICAL **: 10:00:01.123: boom",
            Fail,
        ),
        ("(shop:12): Gtk-WARNING **: 10:00:01.123: slow", Warn),
        ("** (process:12): CRITICAL **: 10:00:01.123: boom", Fail),
        ("** (process:12): WARNING **: slow", Warn),
        ("** Message: fine", Pass),
        (
            "(shop:12): Gtk-Message: 10:00:01.123: GLib-CRITICAL **: x",
            Pass,
        ),
        ("**CRITICAL** is written so", Pass),
        ("the GLib-CRITICAL **: lines", Pass),
        (
            "0:00:01.123456789 123 0x5581aa ERROR v4l2 v4l2.c:12:open:<src> boom",
            Fail,
        ),
        (
            "0:00:01.123456789 123 0x5581aa WARN  v4l2 v4l2.c:12:open:<src> slow",
            Warn,
        ),
        (
            "0:00:01.123456789 123 0x5581aa INFO  v4l2 v4l2.c:12:open:<src> ERROR",
            Pass,
        ),
        ("QFATAL : tst_Shop::pay() boom", Fail),
        ("QWARN  : tst_Shop::pay() slow", Warn),
        ("QDEBUG : tst_Shop::pay() QFATAL", Pass),
        (
            "FAIL!  : tst_Shop::pay() Compared values are not the same",
            Fail,
        ),
        ("PASS   : tst_Shop::pay()", Pass),
        ("QFATAL is a word", Pass),
        (
            "2026-11-21 10:00:01.123456: E tensorflow/stream_executor/cuda.cc:12] boom",
            Fail,
        ),
        (
            "2026-11-21 10:00:01.123456: W tensorflow/stream_executor/cuda.cc:12] slow",
            Warn,
        ),
        (
            "2026-11-21 10:00:01.123456: I tensorflow/stream_executor/cuda.cc:12] E x",
            Pass,
        ),
        ("2026-11-21 10:00:01.123456: E minor", Pass),
        ("2026-11-21 10:00:01: E coli [12]", Pass),
        ("│ Error: Invalid reference", Fail),
        (
            "\u{1b}[31m│\u{1b}[0m \u{1b}[0m\u{1b}[1m\u{1b}[31mError: \u{1b}[0m\u{1b}[0m\u{1b}[1mInvalid reference\u{1b}[0m",
            Fail,
        ),
        ("│ Warning: Deprecated attribute", Warn),
        ("│ Error: none │ 3 │", Pass),
        ("│ Error │ 3 │", Pass),
        ("│ Error: 0", Pass),
        ("src/x.ts(3,1): error TS2304: Cannot find name 'y'.", Fail),
        ("src/x.ts:3:1 - error TS2304: Cannot find name 'y'.", Fail),
        ("Shop.cs(3,1): warning CS0168: unused", Warn),
        (
            "C:\\src\\x.c(3): fatal error C1083: Cannot open include file",
            Fail,
        ),
        ("f(3,1): error handling", Pass),
        ("see x.ts(3,1): no error", Pass),
        ("error[E0382]: borrow of moved value: `x`", Fail),
        ("error[0]: none", Pass),
        ("errors[3]: x", Pass),
        ("warning[E0382] is old", Pass),
        (
            "1:M 21 Nov 2026 10:00:00.000 # Can't save in background: fork: Cannot allocate memory",
            Warn,
        ),
        (
            "1:M 21 Nov 2026 10:00:00.000 * Ready to accept connections # 3",
            Pass,
        ),
        (
            "1:C 21 Nov 2026 10:00:00.000 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
            Pass,
        ),
        (
            "1:M 21 Nov 2026 10:00:00.000 # Redis 7.2.4 crashed by signal: 11, si_code: 1",
            Fail,
        ),
        ("1:M 21 Nov # is a heading", Pass),
        (
            "=== REDIS BUG REPORT START: Cut & paste starting from here ===",
            Fail,
        ),
        ("a REDIS BUG REPORT START was printed", Pass),
    ]);
}

#[test]
fn what_ends_processes_is_read() {
    all(&[
        ("app.service: Failed with result 'signal'.", Fail),
        (
            "Nov 21 10:00:01 host systemd[1]: app.service: Failed with result 'exit-code'.",
            Fail,
        ),
        ("app.service: Failed with result handling", Pass),
        ("the unit says Failed with result 'signal'.", Pass),
        ("run.sh: line 3:  1234 Killed                  ./x", Fail),
        (
            "run.sh: line 3:  1234 Segmentation fault      (core dumped) ./x",
            Fail,
        ),
        ("/srv/run.sh: line 13: 1234 Aborted ./x", Fail),
        ("run.sh: line 3: 1234 Terminated ./x", Pass),
        ("line 3: 1234 Killed", Pass),
        ("Segmentation fault (core dumped)", Fail),
        ("The Segmentation fault (core dumped) of last week", Pass),
        (
            "Nov 21 10:00:01 host kernel: app[12]: segfault at 0 ip 00007f1 sp 00007ff error 4 in libc.so.6[7f+1]",
            Fail,
        ),
        (
            "[12345.678901] app[12]: segfault at 0 ip 00007f1 sp 00007ff error 4 in libc.so.6[7f+1]",
            Fail,
        ),
        ("app[12]: segfault at 0 ip 00007f1 sp 00007ff error 4", Fail),
        ("a segfault at 0 in the release notes", Pass),
        ("Task exception was never retrieved", Fail),
        ("Future exception was never retrieved", Fail),
        ("why a Task exception was never retrieved", Pass),
        ("RuntimeError: CUDA error: out of memory", Fail),
        (
            "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            Fail,
        ),
        ("INFO caught RuntimeError: CUDA error: out of memory", Pass),
        ("see RuntimeError: CUDA error: out of memory", Pass),
    ]);
}

#[test]
fn traces_in_boxes_and_of_rarer_languages_fail() {
    all(&[
        (
            "╭───── Traceback (most recent call last) ─────╮\n│ /srv/app.py:9 in main                        │\n│                                              │\n│ ❱ 9     pay()                                │\n╰──────────────────────────────────────────────╯\nValueError: no funds",
            Fail,
        ),
        (
            "thread 12 panic: index out of bounds: index 9, len 3\n/srv/main.zig:5:10: 0x1034f7a in pay (main)\n    const x = a[9];\n         ^\n/srv/main.zig:9:8: 0x1034f00 in main (main)",
            Fail,
        ),
        (
            "error: OutOfFunds\n/srv/main.zig:5:10: 0x1034f7a in pay (main)\n    return error.OutOfFunds;\n    ^\n/srv/main.zig:9:5: 0x1034f00 in main (main)",
            Fail,
        ),
        (
            "At line 5 of file pay.f90\nFortran runtime error: Index '11' of dimension 1 of array 'a' above upper bound of 10\n\nError termination. Backtrace:\n#0  0x7f0e in ???\n#1  0x55e1 in MAIN__\n\tat /srv/pay.f90:5",
            Fail,
        ),
        (
            "Program received signal SIGSEGV: Segmentation fault - invalid memory reference.\n\nBacktrace for this error:\n#0  0x7f0e21 in ???\n#1  0x55e1 in pay_\n\tat /srv/pay.f90:5",
            Fail,
        ),
        (
            "Get-Item : Cannot find path 'C:\\nope' because it does not exist.\nAt C:\\x.ps1:3 char:5\n+     Get-Item C:\\nope\n+     ~~~~~~~~~~~~~~~~\n    + CategoryInfo          : ObjectNotFound: (C:\\nope:String) [Get-Item], ItemNotFoundException\n    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
            Fail,
        ),
        (
            "Unhandled exception: boom (Exception)\n  from x.cr:1:1 in '__crystal_main'\n  from /usr/share/crystal/src/crystal/main.cr:129:5 in 'main'",
            Fail,
        ),
        (
            "Get-Item: /srv/x.ps1:3\nLine |\n   3 |      Get-Item C:\\nope\n     |      ~~~~~~~~~~~~~~~~\n     | Cannot find path 'C:\\nope' because it does not exist.",
            Fail,
        ),
        (
            "web-1  | Unhandled exception: boom (Exception)\nweb-1  |   from x.cr:1:1 in '__crystal_main'",
            Fail,
        ),
        (
            "[worker-1] thread 12 panic: boom\n[worker-1] /srv/main.zig:5:10: 0x1034f7a in pay (main)",
            Fail,
        ),
        ("thread 12 panic: boom", Warn),
        ("Unhandled exception: boom (Exception)", Warn),
        ("│ /srv/app.py:9 in main │", Pass),
        ("╭─ Traceback ─╮\n│ is a word   │\n╰─────────────╯", Pass),
        ("At noon:3 char:5 is fine", Pass),
        ("    + CategoryInfo          : is a heading", Pass),
        ("  from x.cr:1:1 in 'main'", Pass),
        ("see /srv/main.zig:5:10: 0x1034f7a in pay", Pass),
        ("Backtrace for this error: none", Pass),
    ]);
}
