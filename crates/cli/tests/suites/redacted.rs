//! Patterns of what is taken out are rules too: what they find must be secrets, and not what a report says.

use crate::lab::{GREEN, Lab, writes};

/// One that passed, one that was skipped.
const SKIPS: &str = r#"<testsuite name="s" tests="2"><testcase classname="c" name="a"/><testcase classname="c" name="b"><skipped/></testcase></testsuite>"#;

/// Adds a pattern to `[suite]`.
fn redacts(lab: &Lab, pattern: &str) {
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let text = text.replacen(
        "[suite]\n",
        &format!("[suite]\nredact = ['{pattern}']\n"),
        1,
    );
    lab.write("gonogo.toml", text);
}

#[test]
fn a_pattern_that_a_change_brings_is_a_rule() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.git(&["checkout", "-q", "-b", "change"]);
    redacts(&lab, "passphrase-[0-9]+");
    lab.commit("redact");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.gonogo(&["gate", "approve", "--suites", "--as", "dana"])
        .expect(0);
    lab.check(&[], 0, "excused");
}

#[test]
fn a_pattern_changes_nothing_of_what_a_report_says() {
    let lab = Lab::new(&writes(SKIPS));
    redacts(&lab, "<skipped[^>]*>");
    lab.commit("hides");
    let run = lab.run(3, "invalid");
    assert!(
        run.reasons().contains(&"REDACTION_FAILED".to_owned()),
        "{:?}",
        run.reasons()
    );
    // A name is a text.
    let named = GREEN.replace("name=\"b\"", "name=\"b passphrase-12\"");
    let lab = Lab::new(&writes(&named));
    redacts(&lab, "passphrase-[0-9]+");
    lab.commit("secret");
    lab.run(0, "pass");
}

#[test]
fn what_was_taken_out_of_a_document_passes_no_rule() {
    let lab = Lab::new(&format!("{}cp c.json out/c.json\n", writes(GREEN)));
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", text + "outputs = [\"out/c.json\"]\n");
    lab.write(
        "c.json",
        "{\"status\":\"nonconforming\",\"cases\":[{\"id\":\"1\"},{\"id\":\"2\"}]}",
    );
    let policy = lab.gonogo(&["gate", "policy"]).out;
    let gate = "\n[gates.json]\ntitle = \"It conforms\"\nowner = \"core\"\nblocking = true\nlanes = [\"full\"]\ncheck = { json = { document = \"run:unit/out/c.json\", rules = [{ pointer = \"/status\", op = \"!=\", value = \"nonconforming\" }] } }\n";
    lab.write("gates.toml", policy + gate);
    redacts(&lab, "nonconforming");
    lab.commit("hides");
    lab.run(0, "pass");
    lab.check(&[], 3, "invalid")
        .tells("json", "CHECK_UNDECIDABLE");
    // A pattern that takes more than texts out.
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(
        "gonogo.toml",
        text.replace("nonconforming", "1\"\\},\\{\"id\":\"2"),
    );
    lab.commit("hides more");
    let run = lab.run(3, "invalid");
    assert!(
        run.reasons().contains(&"REDACTION_FAILED".to_owned()),
        "{:?}",
        run.reasons()
    );
}
