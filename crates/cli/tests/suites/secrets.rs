//! Secrets that a runner prints are nowhere in what is kept: neither as they are, nor as a report's format writes them, nor where a reader
//! undoes that.

use gonogo_testkit::{lacks, skip};

use crate::lab::{GREEN, Lab, writes};
use crate::project::finish;

/// A value with everything that formats escape.
const SECRET: &str = "s3&cr<e>t\"v'a\\l/ue-0815";

/// One without.
const PLAIN: &str = "plain-value-of-a-secret-4711";

/// A line of a key.
const KEY: &str = "MIIEpAIBAAKCAQEA0815";

const BEARER: &str = "abcdefghijklmnop4711";

/// Writes all of them everywhere, as JUnit or as libtest's JSON.
const RUNNER: &str = r#"
import json, os, sys
from xml.sax.saxutils import escape, quoteattr
s, p = os.environ["SHOP_TOKEN"], os.environ["SHOP_PASSWORD"]
key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0815\nMIIEpAIBAAKCAQEA0815\n-----END RSA PRIVATE KEY-----"
bearer = "Authorization: Bearer abcdefghijklmnop4711"
all = "\n".join([s, p, key, bearer])
if sys.argv[1] == "junit":
    os.makedirs("out", exist_ok=True)
    print(all); print(json.dumps({"k": all})); print(all, file=sys.stderr)
    open("out/%s.xml" % p, "w").write(
        '<testsuite name="s" tests="2"><testcase classname="c" name="a"><system-out>%s</system-out></testcase>'
        '<testcase classname=%s name=%s><failure type=%s message=%s>%s</failure></testcase></testsuite>'
        % (escape(all), quoteattr(s), quoteattr(p), quoteattr(p), quoteattr("boom " + s + bearer), escape(all)))
    open("out/%s.txt" % p, "w").write(all)
else:
    for line in [{"type": "suite", "event": "started", "test_count": 1},
                 {"type": "test", "event": "started", "name": "a"},
                 {"type": "test", "name": "a", "event": "failed", "stdout": all},
                 {"type": "suite", "event": "failed", "passed": 0, "failed": 1, "ignored": 0, "measured": 0, "filtered_out": 0}]:
        print(json.dumps(line))
sys.exit(1)
"#;

#[track_caller]
fn nowhere(lab: &Lab) {
    let escaped = SECRET
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let json = serde_json::to_string(SECRET).unwrap();
    let twice = serde_json::to_string(&json).unwrap();
    let short = |text: &str| text.trim_matches(['"', '\\']).to_owned();
    for form in [
        SECRET,
        PLAIN,
        KEY,
        BEARER,
        &escaped,
        &short(&json),
        &short(&twice),
    ] {
        let found = lab.holding(".gonogo", form.as_bytes());
        assert!(found.is_empty(), "{form}: {found:?}");
    }
}

#[test]
fn nothing_of_a_secret_is_kept() {
    if let Some(why) = lacks("python3", &["--version"]) {
        return skip("secrets in reports", &why);
    }
    let junit = format!("{}outputs = [\"out/*.txt\"]\n", crate::lab::JUNIT);
    for (form, keys) in [
        ("junit", junit.as_str()),
        ("json", "format = \"libtest-json\"\n"),
    ] {
        let lab = Lab::with(&format!("python3 runner.py {form}"), keys);
        lab.write("runner.py", RUNNER);
        lab.commit("runner");
        let with = |args: &[&str]| {
            let mut command = lab.command(args);
            command
                .env("SHOP_TOKEN", SECRET)
                .env("SHOP_PASSWORD", PLAIN);
            finish(command, args)
        };
        let ran = with(&["suite", "run", "--profile", "ci", "--json"]);
        ran.expect(2);
        assert!(
            !ran.out.contains(PLAIN) && !ran.out.contains(KEY),
            "{form}: {}",
            ran.out
        );
        let run = crate::lab::Run::of(&ran);
        // Something is there: it was taken out, and not lost.
        let rows = std::fs::read_to_string(run.dir.join("unit/unit/tests.jsonl")).unwrap();
        assert!(rows.contains("[REDACTED"), "{form}: {rows}");
        assert_eq!(run.summary()["tests"]["failed"], 1);
        nowhere(&lab);
        with(&["gate", "check"]).expect(2);
        with(&["suite", "replay"]);
        for report in ["html", "markdown", "junit", "ctrf", "github"] {
            let said = with(&["suite", "report", "--form", report]);
            said.expect(0);
            assert!(
                !said.out.contains(PLAIN) && !said.out.contains(KEY),
                "{report}"
            );
        }
        nowhere(&lab);
        if form == "junit" {
            let report = format!("out/{PLAIN}.xml");
            with(&["suite", "read", &report, "--exit-code", "1", "--keep"]).expect(2);
            nowhere(&lab);
        }
    }
}

#[test]
fn a_key_in_a_report_does_not_take_the_report_with_it() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0815\n-----END PRIVATE KEY-----";
    let report = format!(
        "<testsuite name=\"s\" tests=\"2\"><testcase classname=\"c\" name=\"a\"><system-out>{key}</system-out></testcase><testcase classname=\"c\" name=\"b\"/></testsuite>"
    );
    let lab = Lab::new(&writes(&report));
    let run = lab.run(0, "pass");
    assert_eq!(run.summary()["tests"]["passed"], 2);
    let kept = lab.holding(".gonogo", KEY.as_bytes());
    assert!(kept.is_empty(), "{kept:?}");
    // Nor does the repository's own text of it: the tree is what it is.
    lab.script(&writes(GREEN));
    lab.run(0, "pass");
}
