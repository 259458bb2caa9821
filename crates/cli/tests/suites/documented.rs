//! The examples of `docs/gates.md`, as they stand there, against a project that has what they name.

use std::collections::BTreeMap;

use crate::lab::{GREEN, JUNIT, Lab, writes};

const PAGE: &str = include_str!("../../../../docs/gates.md");

/// The TOML blocks of the section about checks.
fn blocks() -> Vec<String> {
    let from = PAGE.find("## Every check").unwrap();
    let to = PAGE.find("## What a verdict leaves").unwrap();
    let parts = PAGE[from..to].split("```toml\n").skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().to_owned())
        .collect()
}

const CONFORMANCE: &str = r#"{"schema":"shop.conformance.v1","run_id":"r1","status":"pass","total":210,"passed":210,"failed":0,"generated_at":"NOW"}"#;

fn project() -> Lab {
    let now = "$(date -u +%Y-%m-%dT%H:%M:%SZ)";
    let conformance = CONFORMANCE.replace("NOW", "'\"$now\"'");
    let script = format!(
        "{}now={now}\nprintf '%s' '{conformance}' > out/conformance.json\nprintf '%s' '{{\"run_id\":\"r1\",\"generated_at\":\"'\"$now\"'\"}}' > out/stress.json\nprintf 'TN:\\nSF:src/pay/a.py\\nDA:1,1\\nDA:2,1\\nend_of_record\\n' > out/lcov.info\necho '[{{\"id\":1,\"status\":\"done\"}}]' > out/issues.json\n",
        writes(GREEN)
    );
    let lab = Lab::with(
        &script,
        &format!("{JUNIT}outputs = [\"out/*.json\", \"out/*.info\"]\n"),
    );
    let path = lab.path("gonogo.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        path,
        text.replacen("[suite]\n", "[suite]\nvariant = { os = \"linux\" }\n", 1),
    )
    .unwrap();
    lab.write("src/pay/a.py", "a = 1\nb = 2\n");
    lab.write("src/vendored/v.py", "v = 1\n");
    lab.write("quality/licences.sh", "exit 0\n");
    // The double that the exception is for.
    let double = "class FakeBank:\n    pass\n\n\ndef test_pay():\n    assert FakeBank()\n";
    lab.write("tests/test_pay.py", double);
    lab.write("README.md", "It takes money.\n");
    lab.write("docs/how.md", "It asks the bank.\n");
    lab
}

#[test]
fn every_example_holds_as_it_is_written() {
    let lab = project();
    let mut policy = "schema = \"gonogo.gate.policy.v1\"\n".to_owned();
    for block in blocks() {
        match block.strip_prefix("# ") {
            Some(rest) => {
                // The page cannot know what day it is.
                let soon = format!("{}T00:00:00Z", crate::gated::day(30));
                let block = block.replace("2030-01-15T00:00:00Z", &soon);
                lab.write(rest.lines().next().unwrap(), &block);
            }
            None => policy.push_str(&block),
        }
    }
    lab.write("gates.toml", &policy);
    lab.commit("as documented");
    lab.run(0, "pass");
    let judged = lab.check(&[], 0, "pass");
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for gate in judged.0["verdict"]["gates"].as_array().unwrap() {
        let word = |key: &str| gate[key].as_str().unwrap().to_owned();
        // Nothing can be shown of these with what is here.
        let expected = match word("kind").as_str() {
            "dry_run" | "readiness" | "drill" => "hold",
            _ => "pass",
        };
        assert_eq!(
            word("status"),
            expected,
            "{}: {:#}",
            gate["id"],
            gate["reasons"]
        );
        seen.insert(word("kind"), word("id"));
    }
    let certified = lab.check(&["--lane", "certification"], 0, "pass");
    assert_eq!(certified.0["certification"]["overall_verdict"], "CERTIFIED");
    let gates = certified.0["verdict"]["gates"].as_array().unwrap();
    seen.extend(
        gates
            .iter()
            .map(|g| (g["kind"].as_str().unwrap().to_owned(), String::new())),
    );
    // Every kind that the reader of policies knows has an example.
    let refused = gonogo_gate::Policy::read(
        "schema = \"gonogo.gate.policy.v1\"\n[gates.g]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"full\"]\ncheck = { nonsense = {} }\n",
    )
    .unwrap_err();
    let text = refused.iter().map(ToString::to_string).collect::<String>();
    let known = text
        .split("known here: ")
        .nth(1)
        .unwrap_or_else(|| panic!("{text}"));
    let mut count = 0;
    for kind in known
        .split(", ")
        .map(|k| k.trim_matches(|c: char| !c.is_alphanumeric()))
    {
        assert!(seen.contains_key(kind), "no example of `{kind}`");
        count += 1;
    }
    assert_eq!(count, 20, "{known}");
    let out = lab.beside("release.tar");
    lab.gonogo(&["gate", "bundle", "--out", &out]).expect(0);
    lab.gonogo(&["gate", "bundle", "--verify", &out]).expect(0);
}
