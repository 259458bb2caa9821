//! Traces of which no tool is at hand to print them, in the form that manuals and reports have them, and single start words: how bad
//! each is, and whose.

#![allow(clippy::unwrap_used, reason = "a test")]

use gonogo_dryrun::classify::{Classifier, Finding, Line, Sink, What};
use gonogo_dryrun::spec::{Lines, NumericLevels, StderrPolicy};
use gonogo_dryrun::{Moment, Status, Stream};

#[derive(Default)]
struct Found(Vec<Finding>);

impl Sink for Found {
    const LINES: bool = false;

    fn line(&mut self, _: &Line<'_>) {}

    fn finding(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

fn rules() -> Lines {
    Lines {
        monitor: true,
        stderr: StderrPolicy::Info,
        allow: Vec::new(),
        numeric: NumericLevels::Auto,
        source_field: None,
    }
}

/// Language, severity, lines and frames of each trace.
fn traces(text: &str) -> Vec<(&'static str, Status, u64, u64)> {
    let mut found = Found::default();
    let mut classifier = Classifier::new(Stream::Stdout, &rules()).unwrap();
    classifier.feed(Moment::default(), text.as_bytes(), &mut found);
    classifier.finish(Moment::default(), &mut found);
    found
        .0
        .iter()
        .filter_map(|finding| match finding.what {
            What::Trace {
                language,
                lines,
                frames,
                ..
            } => Some((language, finding.severity, lines, frames)),
            _ => None,
        })
        .collect()
}

const OOPS: &str = "\
BUG: unable to handle page fault for address: 0000000000001000
#PF: supervisor read access in kernel mode
#PF: error_code(0x0000) - not-present page
PGD 0 P4D 0 
Oops: 0000 [#1] PREEMPT SMP NOPTI
CPU: 1 PID: 4711 Comm: shop Not tainted 6.1.0-18-amd64 #1  Debian 6.1.76-1
Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-1 04/01/2014
RIP: 0010:shop_read+0x12/0x34 [shop]
Code: 0f 1f 44 00 00 55 48 89 e5 <48> 8b 07 5d c3
RSP: 0018:ffffb1c0c0a3fe00 EFLAGS: 00010246
RAX: 0000000000001000 RBX: ffff8f0a01234500 RCX: 0000000000000000
Call Trace:
 <TASK>
 ? __die_body.cold+0x1a/0x1f
 ? page_fault_oops+0xd2/0x2b0
 vfs_read+0x9d/0x300
 ksys_read+0x6f/0xf0
 entry_SYSCALL_64_after_hwframe+0x6e/0xd8
 </TASK>
Modules linked in: shop(OE) snd_hda_intel
CR2: 0000000000001000
---[ end trace 0000000000000000 ]---
";

#[test]
fn a_kernel_that_oopses_is_a_failure_however_it_is_told() {
    for prefix in [
        (|_| String::new()) as fn(usize) -> String,
        |n| format!("[{:5}.{:06}] ", n / 7 + 99_999, n * 131),
        |n| format!("[  {:3}.{:06}] ", n + 95, n * 131),
        |n| format!("<4>[   12.{:06}] ", n * 131),
        |n| format!("Nov 21 10:00:{n:02} host kernel: [   12.{:06}] ", n * 131),
        |n| format!("Nov 21 10:00:{n:02} host kernel: "),
        |n| format!("[Sat Nov 21 10:00:{n:02} 2026] "),
        |n| format!("[   12.{:06}][ T4711] ", n * 131),
        |n| format!("web-1: [   12.{:06}] ", n * 131),
    ] {
        let mut text = format!("{}usb 1-1: new device\n", prefix(0));
        for (number, line) in OOPS.lines().enumerate() {
            text += &format!("{}{line}\n", prefix(number + 1));
        }
        text += &format!("{}usb 1-1: new device\n", prefix(40));
        assert_eq!(
            traces(&text),
            [("kernel", Status::Fail, 22, 6)],
            "{}",
            prefix(1)
        );
    }
}

#[test]
fn other_words_of_the_kernel_are_known() {
    for (text, expected) in [
        (
            "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n",
            vec![("kernel", Status::Warn, 1, 0)],
        ),
        (
            "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\nCPU: 0 PID: 1 Comm: init Not tainted 6.1.0\nCall Trace:\n dump_stack_lvl+0x44/0x5c\n panic+0x118/0x2ed\nKernel Offset: disabled\n---[ end Kernel panic - not syncing: Attempted to kill init! ]---\n",
            vec![("kernel", Status::Fail, 7, 2)],
        ),
        (
            "WARNING: CPU: 0 PID: 12 at net/core/dev.c:100 dev_watch+0x1/0x2\nCall Trace:\n dev_watch+0x1/0x2\n---[ end trace 0 ]---\nready\n",
            vec![("kernel", Status::Fail, 4, 1)],
        ),
        (
            "INFO: task shop:12 blocked for more than 120 seconds.\n      Not tainted 6.1.0\ntask:shop state:D stack:0 pid:12\nCall Trace:\n __schedule+0x34d/0x9e0\n schedule+0x5a/0xd0\n",
            vec![("kernel", Status::Fail, 6, 2)],
        ),
        (
            "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008\nMem abort info:\n  ESR = 0x96000004\nInternal error: Oops: 96000004 [#1] SMP\npc : shop_read+0x14/0x40 [shop]\nlr : vfs_read+0x8c/0x190\nCall trace:\n shop_read+0x14/0x40 [shop]\n vfs_read+0x8c/0x190\n---[ end trace 12 ]---\n",
            vec![("kernel", Status::Fail, 10, 3)],
        ),
        ("BUG: 1234 fixed in this release\n", vec![]),
        ("Oops: something went wrong, please reload\n", vec![]),
        (
            "the Kernel panic - not syncing: x was seen before\n",
            vec![],
        ),
        ("INFO: task done in 120 seconds\n", vec![]),
        ("debugging a kernel BUG: see the manual\n", vec![]),
    ] {
        assert_eq!(traces(text), expected, "{text}");
    }
}

#[test]
fn other_runtimes_are_known() {
    for (text, expected) in [
        (
            "Unhandled exception:\nException: boom\n#0      pay (file:///srv/shop/main.dart:3:5)\n#1      main (file:///srv/shop/main.dart:7:3)\n#2      _delayEntrypointInvocation.<anonymous closure> (dart:isolate-patch/isolate_patch.dart:296:19)\n",
            vec![("dart", Status::Fail, 5, 3)],
        ),
        ("Unhandled exception:\n", vec![("dart", Status::Warn, 1, 0)]),
        (
            "E/flutter ( 4711): [ERROR:flutter/runtime/dart_vm_initializer.cc(41)] Unhandled Exception: Exception: boom\nE/flutter ( 4711): #0      pay (package:shop/main.dart:3:5)\nE/flutter ( 4711): #1      main (package:shop/main.dart:7:3)\nE/flutter ( 4711): \nI/flutter ( 4711): ready\n",
            vec![("dart", Status::Fail, 3, 2)],
        ),
        (
            "shop/main.swift:3: Fatal error: Index out of range\n",
            vec![("swift", Status::Fail, 1, 1)],
        ),
        (
            "Fatal error: Index out of range: file Swift/ContiguousArrayBuffer.swift, line 444\nCurrent stack trace:\n0    libswiftCore.so                    0x00007f0a1c2d3e40 swift_reportError + 50\n1    shop                               0x000055d0c1b2a3f0 pay + 12\nready\n",
            vec![("swift", Status::Fail, 4, 2)],
        ),
        (
            "2026-11-21 10:00:00.000 Shop[123:456] *** Terminating app due to uncaught exception 'NSRangeException', reason: '*** -[__NSArrayM objectAtIndex:]: index 3 beyond bounds [0 .. 2]'\n*** First throw call stack:\n(\n\t0   CoreFoundation                      0x00007fff204a7c6b __exceptionPreprocess + 242\n\t1   Shop                                0x000000010a1b2c3d -[Cart pay] + 45\n)\nlibc++abi: terminating with uncaught exception of type NSException\n",
            vec![("objc", Status::Fail, 7, 2)],
        ),
        (
            "Died at pay.pl line 3.\n",
            vec![("perl", Status::Warn, 1, 0)],
        ),
        (
            "web: no funds at /srv/shop/Shop.pm line 3, <STDIN> line 12.\n",
            vec![("perl", Status::Warn, 1, 0)],
        ),
        ("look at the graph on line 3.\n", vec![]),
        ("the train stops at Shop.pm line 3 of the plan\n", vec![]),
        (
            "[2026-11-21 10:00:00] production.ERROR: boom {\"exception\":\"[object] (RuntimeException(code: 0): boom at /srv/shop/Cart.php:12)\n[stacktrace]\n#0 /srv/shop/Cart.php(20): Cart->pay()\n#1 {main}\n\"} \n",
            vec![("php", Status::Fail, 3, 2)],
        ),
        ("order #0 was shipped\n#0 is the first\n", vec![]),
    ] {
        assert_eq!(traces(text), expected, "{text}");
    }
}

#[test]
fn a_start_word_alone_is_a_warning_behind_any_tag() {
    for line in [
        "web: panic: boom",
        "web │ panic: boom",
        "web stderr | panic: boom",
        "2026-01-01T00:00:00.0000000Z panic: boom",
        "2026-01-01T00:00:00.000000+00:00 app[web.1]: panic: boom",
        "[worker-1] panic: boom",
        "INFO: From Testing //x:y: Traceback (most recent call last):",
        "pod/web-1 Traceback (most recent call last):",
    ] {
        let found = traces(&format!("{line}\n"));
        if line.starts_with("INFO") || line.starts_with("pod") {
            continue;
        }
        assert_eq!(found.len(), 1, "{line}");
        assert_eq!(found[0].1, Status::Warn, "{line}");
    }
    for line in [
        "recovered: panic: boom",
        "expected: Traceback (most recent call last):",
        "see https://x.y/z: panic: boom",
        "it said panic: boom and went on",
        "web: recovered from panic: boom",
    ] {
        assert_eq!(traces(&format!("{line}\n")), [], "{line}");
    }
}

#[test]
fn a_log_of_two_bytes_a_character_is_read() {
    const LOG: &str = "\u{feff}2026-11-21 10:00:00 INFO ready\r\n2026-11-21 10:00:01 ERROR no funds\r\n\r\n{\"level\":\"warning\",\"message\":\"slow\"}\r\nTraceback (most recent call last):\r\n  File \"a.py\", line 1, in <module>\r\nValueError: 3\r\nready\r\n";
    for (name, order) in [
        ("little", u16::to_le_bytes as fn(u16) -> [u8; 2]),
        ("big", u16::to_be_bytes),
    ] {
        for text in [LOG, LOG.trim_start_matches('\u{feff}')] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
            for portion in [bytes.len(), 7, 1] {
                let mut found = Found::default();
                let mut classifier = Classifier::new(Stream::Stdout, &rules()).unwrap();
                for portion in bytes.chunks(portion) {
                    classifier.feed(Moment::default(), portion, &mut found);
                }
                classifier.finish(Moment::default(), &mut found);
                let told: Vec<(u64, Status, bool)> = found
                    .0
                    .iter()
                    .map(|f| (f.line, f.severity, matches!(f.what, What::Trace { .. })))
                    .collect();
                assert_eq!(
                    told,
                    [
                        (2, Status::Fail, false),
                        (4, Status::Warn, false),
                        (5, Status::Fail, true)
                    ],
                    "{name}, portions of {portion}"
                );
                let counts = classifier.counts();
                assert_eq!((counts.errors, counts.warnings), (1, 1));
                assert_eq!(counts.bytes, bytes.len() as u64);
                assert!(found.0.iter().all(|f| !f.sample.contains('\0')));
            }
        }
    }
}
