//! Errors that do not stand alone on a line of a known make: glued to other records, behind collectors' prefixes, on several lines, in
//! other encodings; and lines beside them that only look like it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use gonogo_dryrun::Status;

#[path = "levels/read.rs"]
mod read;

use read::{all, read, worst};

use Status::{Fail, Pass, Warn};

#[test]
fn records_glued_together_are_read_one_by_one() {
    all(&[
        (
            r#"{"level":"info","msg":"a"}{"level":"error","msg":"b"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"a"} {"level":"warn","msg":"b"}"#,
            Warn,
        ),
        (
            r#"{"level":"error","msg":"a"}{"level":"info","msg":"b"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"a"},{"level":"error","msg":"b"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"a"}{"level":"info","msg":"b"}{"level":50,"msg":"c"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"cut he{"level":"error","msg":"b"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"a"}{"level":"info","msg":"b"}"#,
            Pass,
        ),
        (
            r#"{"level":"info","msg":"got {\"level\":\"error\",\"msg\":\"x\"}"}"#,
            Pass,
        ),
        (
            r#"{"level":"info","msg":"a","data":{"level":"error","msg":"x"}}"#,
            Pass,
        ),
        (
            r#"{"level":"info","msg":"got {\"level\":\"error\",\"msg\":\"x\"}"}{"level":"info","msg":"b"}"#,
            Pass,
        ),
    ]);
}

#[test]
fn a_record_behind_text_is_read() {
    all(&[
        (
            r#"Listening on :8080{"level":"error","msg":"db down"}"#,
            Fail,
        ),
        (r#"starting up {"level":"error","msg":"db down"}"#, Fail),
        (r#"10% done {"ts":1.5,"level":"warn","msg":"slow"}"#, Warn),
        (
            r#"web-5d9c app {"time":"2026-11-21T10:00:00Z","level":"error","msg":"x"}"#,
            Fail,
        ),
        (r#"api  | {"level":"error","msg":"db down"}"#, Fail),
        (r#"one{"level":"error","msg":"db down"}two"#, Fail),
        (r#"unexpected {"level":"error","msg":"x"} in between"#, Pass),
        (
            r#"half a line{"level":"info","msg":"a"}{"level":"error","msg":"b"}"#,
            Fail,
        ),
        (r#"the peer answered {"level":"error","msg":"x"}"#, Pass),
        (r#"sent: {"level":"error","msg":"x"}"#, Pass),
        (r#"body={"level":"error","msg":"x"}"#, Pass),
        (r#"request body: {"level":"error","message":"x"}"#, Pass),
        (r#"INFO forwarding {"level":"error","msg":"x"}"#, Pass),
        (
            r#"2026-11-21 10:00:00 INFO app - record {"level":"error","msg":"x"}"#,
            Pass,
        ),
        (
            r#"level=info msg="got" body={"level":"error","msg":"x"}"#,
            Pass,
        ),
        (r#"logger {"level":"error","format":"json"}"#, Pass),
        (r#"log_messages_total{level="error"} 5"#, Pass),
        (r#"`{"level":"error","msg":"x"}`"#, Pass),
        (r#"f({"level":"error","msg":"x"})"#, Pass),
    ]);
}

#[test]
fn records_of_one_line_s_list_are_read() {
    all(&[
        (
            r#"[{"level":"info","msg":"a"},{"level":"error","msg":"b"}]"#,
            Fail,
        ),
        (
            r#"[ {"level":"info","msg":"a"} , {"level":"warning","msg":"b"} ]"#,
            Warn,
        ),
        (
            r#"[{"level":"info","msg":"a"},{"level":"info","msg":"b"}]"#,
            Pass,
        ),
        (
            r#"[{"level":"error","count":3},{"level":"info","count":9}]"#,
            Pass,
        ),
        (r#"[{"level":"error","msg":"a"}, and so on"#, Pass),
        (r#"[1, 2] {"level":"error"}"#, Pass),
        (r#"[{"level":"info","msg":"a"},"#, Pass),
        (r#"[{"level":"error","msg":"a"},"#, Fail),
        (r#",{"level":"error","msg":"a"}"#, Fail),
        (r#"{"level":"error","msg":"a"},"#, Fail),
        (r#"{"level":"error","msg":"a"}]"#, Fail),
        ("[{}]", Pass),
        ("[{", Pass),
    ]);
}

#[test]
fn consoles_of_loggers_are_read() {
    all(&[
        (
            "2026-11-21T10:00:00.123Z\tERROR\tshop/pay.go:12\tno funds\t{\"order\": 7}",
            Fail,
        ),
        (
            "2026-11-21T10:00:00.123Z\terror\tshop/pay.go:12\tno funds\t{\"order\": 7}",
            Fail,
        ),
        ("2026-11-21T10:00:00.123+0100\twarn\tslow", Warn),
        ("1.7952600001234e+09\terror\tpay.go:12\tno funds", Fail),
        (
            "2026-11-21T10:00:00.123Z\tinfo\tpay.go:12\tERROR seen\t{\"level\": \"error\"}",
            Pass,
        ),
        (
            "2026-11-21T10:00:00.123Z\t\u{1b}[31mERROR\u{1b}[0m\tpay.go:12\tno funds",
            Fail,
        ),
        (
            "2026-11-21T10:00:00.123Z\tERROR\tshop\tpay.go:12\tno funds",
            Fail,
        ),
        ("10:00AM ERR no funds order=7", Fail),
        ("10:00PM WRN slow order=7", Warn),
        (
            "\u{1b}[90m10:00AM\u{1b}[0m \u{1b}[31mERR\u{1b}[0m no funds \u{1b}[36morder=\u{1b}[0m7",
            Fail,
        ),
        (
            "\u{1b}[90m10:00AM\u{1b}[0m \u{1b}[1m\u{1b}[31mERR\u{1b}[0m\u{1b}[0m no funds",
            Fail,
        ),
        (
            "\u{1b}[90m10:00AM\u{1b}[0m \u{1b}[32mINF\u{1b}[0m ERR was seen",
            Pass,
        ),
        ("9:05AM FTL gone", Fail),
        ("10:00AM INF error budget is fine", Pass),
        ("10:00AM errors are rare", Pass),
        ("id\tstate\tcount", Pass),
        ("1\tERROR\t3", Pass),
        ("orders\tERROR\t3", Pass),
        ("2026-11-21\tERROR\t3\t4.5", Pass),
        ("2026-11-21T10:00:00Z\t12\tERROR\t4.5", Pass),
        ("<nil> ERR no funds", Fail),
        ("<nil> INF fine", Pass),
        (
            "2026-11-21T10:00:00.123456+00:00 heroku[router]: at=error code=H10 desc=\"App crashed\"",
            Fail,
        ),
        ("E", Pass),
        ("0 errors", Pass),
        ("error budget is fine", Pass),
    ]);
}

#[test]
fn the_database_s_records_state_their_letter() {
    let mongo = |letter: &str| {
        format!(
            r#"{{"t":{{"$date":"2026-11-21T10:00:00.000+00:00"}},"s":"{letter}",  "c":"STORAGE",  "id":22435,   "ctx":"initandlisten","msg":"WiredTiger error","attr":{{"error":-31802}}}}"#
        )
    };
    for (letter, expected) in [
        ("F", Fail),
        ("E", Fail),
        ("W", Warn),
        ("I", Pass),
        ("D", Pass),
        ("D1", Pass),
        ("D5", Pass),
        ("X", Pass),
    ] {
        all(&[(&mongo(letter), expected)]);
    }
    all(&[
        (r#"{"s":"E","msg":"x","t":12}"#, Pass),
        (r#"{"t":{"a":1},"s":"E","msg":"x"}"#, Pass),
        (r#"{"t":"{\"$date\":1}","s":"E","msg":"x"}"#, Pass),
        (r#"{"$date":1,"s":"E","msg":"x"}"#, Pass),
        (
            r#"{"t":{"$date":1},"s":"E","level":"info","msg":"x"}"#,
            Pass,
        ),
    ]);
}

#[test]
fn what_ends_a_process_for_want_of_memory_is_an_error() {
    all(&[
        ("java.lang.OutOfMemoryError: Java heap space", Fail),
        (
            "Terminating due to java.lang.OutOfMemoryError: GC overhead limit exceeded",
            Fail,
        ),
        (
            "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space",
            Fail,
        ),
        ("web-1  | java.lang.OutOfMemoryError: Metaspace", Fail),
        (
            "Exception in thread \"main\" java.lang.NoClassDefFoundError: shop/Cart",
            Warn,
        ),
        (
            "Out of memory: Killed process 123 (shop) total-vm:1kB, anon-rss:2kB",
            Fail,
        ),
        (
            "[12345.678901] Out of memory: Killed process 123 (shop)",
            Fail,
        ),
        (
            "Nov 21 10:00:00 host kernel: [12345.678901] Out of memory: Kill process 123 (shop) score 9",
            Fail,
        ),
        (
            "Nov 21 10:00:00 host kernel: Memory cgroup out of memory: Killed process 123 (shop)",
            Fail,
        ),
        ("Fatal error: out of memory", Fail),
        ("fatal error: runtime: out of memory", Fail),
        (
            "runtime: out of memory: cannot allocate 4194304-byte block (1 in use)",
            Fail,
        ),
        ("memory allocation of 1024 bytes failed", Warn),
        ("Out of memory!", Fail),
        (
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            Fail,
        ),
        ("out of memory handling is on", Pass),
        ("no out of memory errors", Pass),
        ("Out of memory: 0 kills", Pass),
        ("java.lang.OutOfMemoryError", Pass),
        ("java.lang.OutOfMemoryError handler registered", Pass),
        ("-XX:+ExitOnOutOfMemoryError", Pass),
        ("see java.lang.OutOfMemoryError in the manual", Pass),
        ("INFO caught java.lang.OutOfMemoryError: x", Pass),
        (
            r#"{"level":"info","msg":"java.lang.OutOfMemoryError: Java heap space"}"#,
            Pass,
        ),
    ]);
    // With frames it is one trace.
    let (found, _) = read(b"java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\n", 9);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].severity, Fail);
}

#[test]
fn what_a_record_threw_counts_whatever_its_level() {
    all(&[
        (
            r#"{"level":"info","msg":"x","exception":"java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"x","stack":"TypeError: no\n    at f (/a.js:1:2)"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"x","stack_trace":"java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"x","error.stack_trace":"java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"x","error":{"stack_trace":"java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n"}}"#,
            Fail,
        ),
        (
            r#"{"level":"info","msg":"x","exception":"java.lang.IllegalStateException: no"}"#,
            Warn,
        ),
        (
            r#"{"level":"info","msg":"x","exception":"ValueError"}"#,
            Warn,
        ),
        (
            r#"{"level":"info","msg":"x","exc_info":"ValueError: no"}"#,
            Warn,
        ),
        (
            r#"{"level":"error","msg":"x","exception":"ValueError"}"#,
            Fail,
        ),
        (r#"{"level":"info","msg":"x","exception":"none"}"#, Pass),
        (r#"{"level":"info","msg":"x","exception":""}"#, Pass),
        (r#"{"level":"info","msg":"x","exception":null}"#, Pass),
        (
            r#"{"level":"info","msg":"x","exception":"no Exception was thrown"}"#,
            Pass,
        ),
        (r#"{"level":"info","msg":"x","stack":"production"}"#, Pass),
        (
            r#"{"level":"info","msg":"retrying after ConnectionError: reset"}"#,
            Pass,
        ),
    ]);
    // Also behind the express lane.
    let mut log = r#"{"level":"info","msg":"x","exception":""}"#.to_owned() + "\n";
    log = log.repeat(20);
    log += "{\"level\":\"info\",\"msg\":\"x\",\"exception\":\"ValueError: no\"}\n";
    assert_eq!(worst(log.as_bytes()), Warn);
}

#[test]
fn returns_without_line_feeds_end_what_is_said() {
    all(&[
        ("starting\rERROR no funds\rdone", Fail),
        ("Progress 10%\rProgress 20%\rERROR: no funds", Fail),
        ("10%\r20%\r{\"level\":\"error\",\"msg\":\"no funds\"}", Fail),
        ("a\r2026-11-21 10:00:00 WARN slow\rb", Warn),
        (
            "Traceback (most recent call last):\r  File \"a.py\", line 1, in f\r    g()\rValueError: no",
            Fail,
        ),
        ("Progress 10%\rProgress 20%\r0 errors", Pass),
        ("a\rerror budget is fine\rb", Pass),
        ("\r\r", Pass),
    ]);
}

#[test]
fn a_record_on_several_lines_is_one() {
    let pretty = |level: &str, indent: &str| {
        format!(
            "{indent}{{\n{indent}  \"level\": \"{level}\",\n{indent}  \"message\": \"no funds\",\n{indent}  \"order\": {{\n{indent}    \"id\": 7\n{indent}  }}\n{indent}}}"
        )
    };
    all(&[
        (&pretty("error", ""), Fail),
        (&pretty("warn", ""), Warn),
        (&pretty("info", ""), Pass),
        (
            &format!("[\n{},\n{}\n]", pretty("info", "  "), pretty("error", "  ")),
            Fail,
        ),
        (
            "{\n\t\"severity\": \"ERROR\",\n\n\t\"time\": \"2026-11-21T10:00:00Z\",\n\t\"msg\": \"x\"\n}",
            Fail,
        ),
        // The settings of a logger.
        (
            "{\n  \"name\": \"shop\",\n  \"level\": \"error\",\n  \"format\": \"json\"\n}",
            Pass,
        ),
        (
            "{\n  \"logging\": {\n    \"level\": \"error\",\n    \"message\": \"x\"\n  }\n}",
            Pass,
        ),
        (
            "{\n  \"level\": \"info\",\n  \"message\": \"got\",\n  \"data\": {\n    \"level\": \"error\",\n    \"message\": \"x\"\n  }\n}",
            Pass,
        ),
        ("{\n  \"level\": \"error\",\n  \"message\": \"cut", Pass),
        (
            "if x {\n  \"level\": \"error\",\n  \"message\": \"x\"\n}",
            Pass,
        ),
        ("{", Pass),
        ("{\n{\n{\n}", Pass),
    ]);
    let (found, counts) = read(pretty("error", "").as_bytes(), 3);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].line, 1);
    assert!(found[0].message.contains("no funds") && found[0].sample.lines().count() == 7);
    assert_eq!(counts.errors, 1);
}

#[test]
fn other_widths_of_characters_are_read() {
    let wide = |text: &str, little: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| {
                if little {
                    unit.to_le_bytes()
                } else {
                    unit.to_be_bytes()
                }
            })
            .collect()
    };
    let wider = |text: &str, little: bool| -> Vec<u8> {
        text.chars()
            .flat_map(|c| {
                if little {
                    (c as u32).to_le_bytes()
                } else {
                    (c as u32).to_be_bytes()
                }
            })
            .collect()
    };
    for mark in ["", "\u{feff}"] {
        for (said, expected) in [
            (
                "ERROR недостаточно средств на счёте покупателя для оплаты этого заказа",
                Fail,
            ),
            (
                "ERROR 数据库连接失败请检查网络设置并稍后再试一次如果问题仍然存在请联系管理员",
                Fail,
            ),
            (
                "WARN 数据库连接失败请检查网络设置并稍后再试一次如果问题仍然存在请联系管理员",
                Warn,
            ),
            (
                "{\"level\":\"error\",\"msg\":\"数据库连接失败请检查网络设置并稍后再试一次如果问题仍然存在请联系管理员\"}",
                Fail,
            ),
            ("数据库连接失败 0 errors", Pass),
            ("готово", Pass),
        ] {
            for first in ["готово\n", "数据库连接失败\r\n", ""] {
                for last in ["\n", "", "\nготово\n"] {
                    let text = format!("{mark}{first}{said}{last}");
                    for little in [true, false] {
                        assert_eq!(
                            worst(&wide(&text, little)),
                            expected,
                            "UTF-16, little {little}: {text:?}"
                        );
                        assert_eq!(
                            worst(&wider(&text, little)),
                            expected,
                            "UTF-32, little {little}: {text:?}"
                        );
                    }
                }
            }
        }
    }
    assert_eq!(worst(b"\0\0\0E\0\0\0\nERROR\0\n"), Pass);
}

#[test]
fn a_panic_in_a_message_counts_and_a_setting_does_not() {
    all(&[
        (
            r#"{"level":"info","msg":"panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/main.go:10 +0x1d\n"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","message":"panic: boom\n\ngoroutine 99 [running]:\nmain.main()\n\t/srv/main.go:10 +0x1d\n"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","message":"http: panic serving 1.2.3.4:5: boom\ngoroutine 99 [running]:\nmain.main()\n\t/srv/main.go:10 +0x1d"}"#,
            Fail,
        ),
        (
            r#"{"level":"info","message":"panic: boom\n\ngoroutine 1 [running]:\n"}"#,
            Warn,
        ),
        (
            r#"{"level":"info","message":"panic: boom\n\ngoroutine 99 [running]:\n..."}"#,
            Warn,
        ),
        ("panic: false", Pass),
        ("panic: true", Pass),
        ("  panic: abort", Pass),
        ("panic: 0", Pass),
        ("panic: null", Pass),
        ("panic: \"\"", Pass),
        ("panic:", Pass),
        ("fatal error: none", Pass),
        ("error: false", Pass),
        ("Error: off", Pass),
        ("SIGSEGV: default", Pass),
        ("panic: boom", Warn),
        ("panic: false alarm is raised", Warn),
        (
            "panic: false\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/main.go:10 +0x1d",
            Fail,
        ),
    ]);
}

#[test]
fn collectors_prefixes_are_seen_through() {
    for prefix in [
        "web-5d9c7b8f6d-x2x9z app ",
        "shop-0 shop ",
        "\u{1b}[36mweb-5d9c7b8f6d-x2x9z\u{1b}[0m \u{1b}[36mapp\u{1b}[0m ",
        "0|app  | ",
        "0|app      | 2026-11-21T10:00:00: ",
        "web:dev: ",
        "@shop/web:build: ",
        "\u{1b}[35mweb:dev: \u{1b}[0m",
        "2026-11-21T10:00:00.123456+00:00 app[web.1]: ",
        "2026-11-21T10:00:00.123456+00:00 heroku[router]: ",
        "Nov 21 10:00:00 host shop: ",
        "2026-11-21T10:00:00Z {app=\"web\", pod=\"web-1\"} ",
        "\u{1b}[36mweb-1  |\u{1b}[0m ",
        "web.1.x2x9zabc@node-1    | ",
        "    2026-11-21T10:00:00.000Z ",
        "2026-11-21T10:00:00.000Z ",
    ] {
        for (line, expected) in [
            ("[ERROR] client: no funds", Fail),
            ("ERROR no funds", Fail),
            ("WARN: slow", Warn),
            ("{\"level\":\"error\",\"msg\":\"no funds\"}", Fail),
            ("{\"level\":\"info\",\"msg\":\"ERROR\"}", Pass),
            ("INFO ERROR budget", Pass),
            ("error budget is fine", Pass),
            ("0 errors", Pass),
        ] {
            all(&[(&format!("{prefix}{line}"), expected)]);
        }
    }
    all(&[
        ("11-21 10:00:00.123  1234  5678 E Shop: no funds", Fail),
        ("11-21 10:00:00.123  1234  5678 W Shop: slow", Warn),
        ("11-21 10:00:00.123  1234  5678 I Shop: E Shop", Pass),
        ("E/Shop( 123): no funds", Fail),
        ("E/Shop    ( 123): no funds", Fail),
        ("W/Shop(12345): slow", Warn),
        ("I/Shop( 123): E/Shop", Pass),
        ("11-21 10:00:00.123 E/Shop( 123): no funds", Fail),
        ("E/Commerce: growth", Pass),
        ("I/O: error", Pass),
        ("W/m2 at noon", Pass),
        ("web-1 has ERROR in it", Pass),
        ("job-12 reports ERROR 5", Pass),
        ("the last ERROR was long ago", Pass),
        ("    ERROR in an indented line", Pass),
        ("    2026-11-21 ERROR 12", Pass),
        ("see web:dev: for ERROR", Pass),
        ("level   | ERROR", Pass),
        ("a:b: 3 ERROR", Pass),
    ]);
}

#[test]
fn sources_that_take_turns_have_a_trace_each() {
    let python = [
        "Traceback (most recent call last):",
        "  File \"a.py\", line 1, in f",
        "    g()",
        "ValueError: no",
    ];
    let other = [
        "Traceback (most recent call last):",
        "  File \"b.py\", line 2, in h",
        "    i()",
        "KeyError: 'x'",
    ];
    let mut log = String::new();
    for (a, b) in python.iter().zip(other) {
        let _ = writeln!(log, "2026-11-21T10:00:00.000000001Z stdout F {a}");
        let _ = writeln!(log, "2026-11-21T10:00:00.000000002Z stderr F {b}");
    }
    let (found, _) = read(log.as_bytes(), 11);
    let keys: Vec<_> = found
        .iter()
        .map(|f| (f.severity, f.line, f.message.as_str()))
        .collect();
    assert_eq!(
        keys,
        [(Fail, 1, "ValueError: no"), (Fail, 2, "KeyError: 'x'")]
    );

    let ruby = [
        "plain.rb:2:in 'divide': divided by 0 (ZeroDivisionError)",
        "\tfrom plain.rb:6:in 'pay'",
        "\tfrom plain.rb:9:in '<main>'",
    ];
    let other = [
        "other.rb:3:in 'charge': no funds (ArgumentError)",
        "\tfrom other.rb:7:in 'shop'",
        "\tfrom other.rb:8:in '<main>'",
    ];
    for names in [
        ["[worker-1] ", "[worker-2] "],
        ["[worker-1] ", "[worker-7] "],
    ] {
        let mut log = String::new();
        for (a, b) in ruby.iter().zip(other) {
            let _ = writeln!(log, "{}{a}\n{}{b}", names[0], names[1]);
        }
        let (found, _) = read(log.as_bytes(), 11);
        let told: Vec<_> = found
            .iter()
            .map(|f| {
                (
                    f.severity,
                    f.line,
                    f.sample.lines().count(),
                    f.message.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (Fail, 1, 3, "ZeroDivisionError: divided by 0"),
                (Fail, 2, 3, "ArgumentError: no funds")
            ]
        );
    }
}
