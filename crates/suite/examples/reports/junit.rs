//! JUnit reports as several writers shape them. What is in a test, and how long its names are, is after real files of each.

use std::io::{self, Write};

use super::{Counted, EACH};

const LINE: &str = "2024-01-01 12:00:00,123 DEBUG worker-3 state=ready queue=0\n";

/// `surefire`, `failing`, `pytest`, `vitest` or `dense`.
pub(super) fn write(shape: &str, out: &mut Counted, bytes: u64) -> io::Result<()> {
    match shape {
        "surefire" => surefire(out, bytes, 30),
        "failing" => surefire(out, bytes, 1),
        "pytest" => pytest(out, bytes),
        "vitest" => vitest(out, bytes),
        "dense" => dense(out, bytes),
        _ => Err(io::Error::other(format!("{shape} is no shape"))),
    }
}

/// Milliseconds of a test.
const fn ms(test: u64) -> u64 {
    test.wrapping_mul(2_654_435_761) % 1000
}

/// Suites of 400 tests; one in `every` failed with a trace of 18 frames, one in ten has output.
fn surefire(out: &mut Counted, bytes: u64, every: u64) -> io::Result<()> {
    let trace: String = (0..18)
        .map(|i| {
            format!(
                "\tat com.example.service.Handler{i}.handle(Handler{i}.java:{})\n",
                i * 7 + 3
            )
        })
        .collect();
    let (mut suite, mut test) = (0, 0_u64);
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>"
    )?;
    while out.written < bytes {
        let class = format!("com.example.service.module{}.Suite{suite}Test", suite % 50);
        let (mut cases, mut failed) = (String::new(), 0);
        for i in 0..EACH {
            test += 1;
            let (param, ms) = (test % 17, ms(test));
            cases += &format!(
                "    <testcase name=\"handles_request_{i}[param={param}]\" classname=\"{class}\" time=\"0.{ms:03}\""
            );
            if test.is_multiple_of(every) {
                failed += 1;
                cases += ">\n      <failure message=\"expected: &lt;one&gt; but was: &lt;two&gt;\" type=\"org.opentest4j.AssertionFailedError\"><![CDATA[org.opentest4j.AssertionFailedError: expected: <one> but was: <two>\n";
                cases += &trace;
                cases += "]]></failure>\n";
                if every > 1 {
                    let text = LINE.repeat(20);
                    cases += &format!("      <system-out><![CDATA[{text}]]></system-out>\n");
                }
                cases += "    </testcase>\n";
            } else if test.is_multiple_of(10) {
                cases += &format!(
                    ">\n      <system-out><![CDATA[{}]]></system-out>\n    </testcase>\n",
                    LINE.repeat(10)
                );
            } else {
                cases += "/>\n";
            }
        }
        writeln!(
            out,
            "  <testsuite name=\"{class}\" time=\"12.345\" tests=\"{EACH}\" errors=\"0\" skipped=\"0\" failures=\"{failed}\">\n{cases}  </testsuite>"
        )?;
        suite += 1;
    }
    writeln!(out, "</testsuites>")
}

/// One suite and one line, modules of 40 tests, one test in fifty failed with its source.
fn pytest(out: &mut Counted, bytes: u64) -> io::Result<()> {
    // Its head says how many tests there are: they are made first.
    let (mut cases, mut test, mut failed) = (String::new(), 0_u64, 0_u64);
    while (cases.len() as u64) < bytes {
        test += 1;
        let (module, ms) = (test / 40, ms(test));
        cases += &format!(
            "<testcase classname=\"tests.unit.test_module_{module}.TestThing\" name=\"test_handles_case[{}-{}]\" time=\"0.{ms:03}\"",
            test % 40,
            test % 7
        );
        if test.is_multiple_of(50) {
            failed += 1;
            cases += "><failure message=\"assert {&apos;a&apos;: 1} == {&apos;a&apos;: 2}&#10;  &#10;  Differing items:&#10;  {&apos;a&apos;: 1} != {&apos;a&apos;: 2}&#10;  Use -v to get more diff\">def test_handles_case():\n&gt;       assert {&apos;a&apos;: 1} == {&apos;a&apos;: 2}\nE       AssertionError: assert {&apos;a&apos;: 1} == {&apos;a&apos;: 2}\nE         Differing items:\nE         {&apos;a&apos;: 1} != {&apos;a&apos;: 2}\n\ntests/unit/test_module.py:12: AssertionError</failure></testcase>";
        } else {
            cases += " />";
        }
    }
    write!(
        out,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><testsuites name=\"pytest tests\"><testsuite name=\"pytest\" errors=\"0\" failures=\"{failed}\" skipped=\"0\" tests=\"{test}\" time=\"12.319\" timestamp=\"2026-11-21T23:06:26.812496+00:00\" hostname=\"host\">{cases}</testsuite></testsuites>"
    )
}

/// Suites of 20 tests, indented, each test with an end of its own, one in forty failed.
fn vitest(out: &mut Counted, bytes: u64) -> io::Result<()> {
    let (mut suite, mut test) = (0_u64, 0_u64);
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<testsuites name=\"vitest tests\">"
    )?;
    while out.written < bytes {
        suite += 1;
        let (mut cases, mut failed) = (String::new(), 0);
        for i in 0..20 {
            test += 1;
            cases += &format!(
                "        <testcase classname=\"src/part{}/module{suite}.test.ts\" name=\"module {suite} &gt; handles requests &gt; case {i}\" time=\"0.{:09}\">\n",
                suite % 30,
                test * 7_919 % 1_000_000_000
            );
            if test.is_multiple_of(40) {
                failed += 1;
                cases += "            <failure message=\"expected { a: 1 } to deeply equal { a: 2 }\" type=\"AssertionError\">\nAssertionError: expected { a: 1 } to deeply equal { a: 2 }\n\n- Expected\n+ Received\n\n  {\n-   &quot;a&quot;: 2,\n+   &quot;a&quot;: 1,\n  }\n\n \u{276f} src/module.test.ts:4:40\n            </failure>\n";
            }
            cases += "        </testcase>\n";
        }
        writeln!(
            out,
            "    <testsuite name=\"src/part{}/module{suite}.test.ts\" timestamp=\"2026-11-21T23:06:33.424Z\" hostname=\"host\" tests=\"20\" failures=\"{failed}\" errors=\"0\" skipped=\"0\" time=\"0.115115014\">\n{cases}    </testsuite>",
            suite % 30
        )?;
    }
    writeln!(out, "</testsuites>")
}

/// Nothing but names and times: the most tests that a byte can hold.
fn dense(out: &mut Counted, bytes: u64) -> io::Result<()> {
    let mut suite = 0_u64;
    writeln!(out, "<testsuites>")?;
    while out.written < bytes {
        suite += 1;
        let cases: String = (0..EACH)
            .map(|i| {
                let ms = ms(suite * EACH + i);
                format!("<testcase name=\"t{i}\" classname=\"c{suite}\" time=\"0.{ms:03}\"/>\n")
            })
            .collect();
        writeln!(
            out,
            "<testsuite name=\"s{suite}\" tests=\"{EACH}\" failures=\"0\">\n{cases}</testsuite>"
        )?;
    }
    writeln!(out, "</testsuites>")
}
