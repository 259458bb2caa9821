//! Reports to be read for comparisons, the same each time: of some bytes at least, with the shape that real writers give them.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use gonogo_suite::read::Format;

#[path = "junit.rs"]
mod junit;

/// Tests of one suite, package or file.
const EACH: u64 = 400;

/// Writes a report of at least that many bytes; a shape is of JUnit, and whose file it is like.
pub(crate) fn write(format: Format, shape: &str, path: &str, bytes: u64) -> io::Result<()> {
    let mut file = Counted {
        file: BufWriter::new(File::create(path)?),
        written: 0,
    };
    let out = &mut file;
    match format {
        Format::Junit => junit::write(shape, out, bytes),
        Format::Trx => trx(out, bytes),
        Format::Libtest => libtest(out, bytes),
        Format::LibtestJson => libtest_json(out, bytes),
        Format::Go => go(out, bytes),
        Format::PytestLog => pytest_log(out, bytes),
        Format::Jest => jest(out, bytes),
        Format::Ctrf => ctrf(out, bytes),
        Format::Tap => tap(out, bytes),
    }?;
    file.file.flush()
}

struct Counted {
    file: BufWriter<File>,
    written: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn trx(out: &mut Counted, bytes: u64) -> io::Result<()> {
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<TestRun id=\"r\" xmlns=\"http://microsoft.com/schemas/VisualStudio/TeamTest/2010\">\n  <Results>"
    )?;
    let mut tests = 0_u64;
    while out.written < bytes / 3 * 2 {
        tests += 1;
        writeln!(
            out,
            "    <UnitTestResult executionId=\"e{tests}\" testId=\"t{tests}\" testName=\"Handles{tests}\" duration=\"00:00:00.0120000\" outcome=\"Passed\" testListId=\"l1\" />"
        )?;
    }
    writeln!(out, "  </Results>\n  <TestDefinitions>")?;
    for test in 1..=tests {
        let class = test / EACH;
        writeln!(
            out,
            "    <UnitTest name=\"Handles{test}\" storage=\"/src/s.dll\" id=\"t{test}\"><TestMethod codeBase=\"/src/s.dll\" className=\"S.C{class}\" name=\"Handles{test}\" /></UnitTest>"
        )?;
    }
    writeln!(
        out,
        "  </TestDefinitions>\n  <ResultSummary outcome=\"Completed\"><Counters total=\"{tests}\" executed=\"{tests}\" passed=\"{tests}\" failed=\"0\" /></ResultSummary>\n</TestRun>"
    )
}

fn libtest(out: &mut Counted, bytes: u64) -> io::Result<()> {
    let mut suite = 0;
    while out.written < bytes {
        suite += 1;
        writeln!(
            out,
            "     Running unittests src/lib.rs (target/debug/deps/part{suite}-0123456789abcdef)\n\nrunning {EACH} tests"
        )?;
        for test in 0..EACH {
            writeln!(out, "test module::handles_request_{test} ... ok")?;
        }
        writeln!(
            out,
            "\ntest result: ok. {EACH} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n"
        )?;
    }
    Ok(())
}

fn libtest_json(out: &mut Counted, bytes: u64) -> io::Result<()> {
    let mut suite = 0;
    while out.written < bytes {
        suite += 1;
        writeln!(
            out,
            "{{\"type\":\"suite\",\"event\":\"started\",\"test_count\":{EACH}}}"
        )?;
        for test in 0..EACH {
            let name = format!("part{suite}::part$module::handles_request_{test}");
            writeln!(
                out,
                "{{\"type\":\"test\",\"event\":\"started\",\"name\":\"{name}\"}}\n{{\"type\":\"test\",\"name\":\"{name}\",\"event\":\"ok\",\"exec_time\":0.012}}"
            )?;
        }
        writeln!(
            out,
            "{{\"type\":\"suite\",\"event\":\"ok\",\"passed\":{EACH},\"failed\":0,\"ignored\":0,\"measured\":0,\"filtered_out\":0,\"exec_time\":0.1}}"
        )?;
    }
    Ok(())
}

fn go(out: &mut Counted, bytes: u64) -> io::Result<()> {
    let mut package = 0;
    while out.written < bytes {
        package += 1;
        let head = format!(
            "{{\"Time\":\"2026-11-21T22:48:45.824714064Z\",\"Package\":\"example.com/m/part{package}\","
        );
        writeln!(out, "{head}\"Action\":\"start\"}}")?;
        for test in 0..EACH {
            let head = format!("{head}\"Test\":\"TestHandles{test}\",");
            writeln!(
                out,
                "{head}\"Action\":\"run\"}}\n{head}\"Action\":\"output\",\"Output\":\"=== RUN   TestHandles{test}\\n\"}}\n{head}\"Action\":\"output\",\"Output\":\"--- PASS: TestHandles{test} (0.00s)\\n\"}}\n{head}\"Action\":\"pass\",\"Elapsed\":0.01}}"
            )?;
        }
        writeln!(out, "{head}\"Action\":\"pass\",\"Elapsed\":0.4}}")?;
    }
    Ok(())
}

fn pytest_log(out: &mut Counted, bytes: u64) -> io::Result<()> {
    writeln!(
        out,
        "{{\"pytest_version\":\"9.2.0\",\"$report_type\":\"SessionStart\"}}"
    )?;
    let mut test = 0_u64;
    while out.written < bytes {
        test += 1;
        for when in ["setup", "call", "teardown"] {
            writeln!(
                out,
                "{{\"nodeid\":\"tests/test_part{}.py::test_handles[{test}]\",\"location\":[\"tests/test_part.py\",3,\"test_handles\"],\"keywords\":{{}},\"outcome\":\"passed\",\"longrepr\":null,\"when\":\"{when}\",\"user_properties\":[],\"sections\":[],\"duration\":0.001,\"start\":1795301410.4,\"stop\":1795301410.5,\"$report_type\":\"TestReport\"}}",
                test / EACH
            )?;
        }
    }
    writeln!(
        out,
        "{{\"exitstatus\":0,\"$report_type\":\"SessionFinish\"}}"
    )
}

fn jest(out: &mut Counted, bytes: u64) -> io::Result<()> {
    write!(
        out,
        "{{\"success\":true,\"wasInterrupted\":false,\"testResults\":["
    )?;
    let mut files = 0_u64;
    while out.written < bytes {
        let comma = if files == 0 { "" } else { "," };
        files += 1;
        write!(out, "{comma}{{\"assertionResults\":[")?;
        for test in 0..EACH {
            let comma = if test == 0 { "" } else { "," };
            write!(
                out,
                "{comma}{{\"ancestorTitles\":[\"module\"],\"duration\":1,\"failureDetails\":[],\"failureMessages\":[],\"fullName\":\"module handles {test}\",\"invocations\":1,\"location\":null,\"numPassingAsserts\":1,\"retryReasons\":[],\"status\":\"passed\",\"title\":\"handles {test}\"}}"
            )?;
        }
        write!(
            out,
            "],\"message\":\"\",\"name\":\"/src/part{files}.test.js\",\"status\":\"passed\",\"startTime\":1795301410442,\"endTime\":1795301410662}}"
        )?;
    }
    let tests = files * EACH;
    writeln!(
        out,
        "],\"numFailedTests\":0,\"numPassedTests\":{tests},\"numPendingTests\":0,\"numTodoTests\":0,\"numRuntimeErrorTestSuites\":0,\"numTotalTests\":{tests},\"numTotalTestSuites\":{files},\"startTime\":1795301410403}}"
    )
}

fn ctrf(out: &mut Counted, bytes: u64) -> io::Result<()> {
    write!(
        out,
        "{{\"reportFormat\":\"CTRF\",\"specVersion\":\"0.0.0\",\"results\":{{\"tool\":{{\"name\":\"jest\"}},\"tests\":["
    )?;
    let mut tests = 0_u64;
    while out.written < bytes {
        let comma = if tests == 0 { "" } else { "," };
        tests += 1;
        write!(
            out,
            "{comma}\n{{\"name\":\"handles {tests}\",\"duration\":2,\"status\":\"passed\",\"rawStatus\":\"passed\",\"type\":\"unit\",\"filePath\":\"/src/part.test.js\",\"retries\":0,\"flaky\":false,\"suite\":\"part{}.test.js > module\"}}",
            tests / EACH
        )?;
    }
    writeln!(
        out,
        "],\"summary\":{{\"tests\":{tests},\"passed\":{tests},\"failed\":0,\"pending\":0,\"skipped\":0,\"other\":0,\"start\":1795301408326,\"stop\":1795301409196}}}}}}"
    )
}

fn tap(out: &mut Counted, bytes: u64) -> io::Result<()> {
    writeln!(out, "TAP version 14")?;
    let mut tests = 0_u64;
    while out.written < bytes {
        tests += 1;
        writeln!(
            out,
            "ok {tests} - module handles request {tests}\n  ---\n  duration_ms: 0.12\n  ..."
        )?;
    }
    writeln!(out, "1..{tests}")
}
