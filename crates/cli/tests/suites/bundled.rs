//! `gonogo gate bundle`: the same bytes each time, nothing written over, and nothing changed unseen.

use std::path::Path;

use gonogo_app::gates::bundling::{INDEX, Index, SUMS};
use gonogo_core::{Digest, canonical};
use serde_json::Value;

use crate::lab::{GREEN, JUNIT, Lab, writes};

const POLICY: &str = "schema = \"gonogo.gate.policy.v1\"\n[gates.suites]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"full\"]\ncheck = { suite = { profile = \"ci\" } }\n[gates.tracker]\ntitle = \"T\"\nowner = \"o\"\nblocking = false\nlanes = [\"full\"]\ncheck = { tracker = { export = \"run:unit/out/issues.jsonl\" } }\n";

const SECTIONS: &str = "[[bundle.section]]\nid = \"issues\"\npath = \"run:unit/out/issues.jsonl\"\nrequired = true\n[[bundle.section]]\nid = \"finish\"\npath = \"computed:tracker\"\nrequired = true\nschema = \"gonogo.gate.practical-finish-checkpoint.v1\"\n[[bundle.section]]\nid = \"notes\"\npath = \"notes/\"\nrequired = false\n";

fn lab(policy: &str) -> Lab {
    let script = format!(
        "{}echo '{{\"id\":\"1\",\"status\":\"closed\"}}' > out/issues.jsonl\n",
        writes(GREEN)
    );
    let lab = Lab::with(
        &script,
        &format!("{JUNIT}outputs = [\"out/issues.jsonl\"]\n"),
    );
    lab.write("notes/a.md", "a\n");
    lab.write("notes/b.md", "b\n");
    lab.write("gates.toml", policy);
    lab.commit("policy");
    lab
}

fn judged() -> Lab {
    let lab = lab(&format!("{POLICY}{SECTIONS}"));
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab
}

fn verify(lab: &Lab, path: &str, exit: i32) -> Value {
    let ran = lab.gonogo(&["gate", "bundle", "--verify", path, "--json"]);
    ran.expect(exit);
    ran.envelope()["data"].clone()
}

#[test]
fn the_same_bytes_each_time_and_never_over_another() {
    let lab = judged();
    let (first, second) = (lab.beside("a.tar"), lab.beside("b.tar"));
    let ran = lab.gonogo(&["gate", "bundle", "--out", &first]);
    ran.expect(0);
    assert!(ran.out.contains("complete"), "{}", ran.out);
    lab.gonogo(&["gate", "bundle", "--out", &first, "--json"])
        .refusal(73, &["OUTPUT_FAILED"]);
    lab.gonogo(&["gate", "bundle", "--out", &second]).expect(0);
    let bytes = std::fs::read(&first).unwrap();
    assert_eq!(bytes, std::fs::read(&second).unwrap());
    let found = verify(&lab, &first, 0);
    assert_eq!(found["holds"], true, "{found:#}");
    // Other tools read it, and agree about the digests.
    let dir = lab.beside("plain");
    std::fs::create_dir(&dir).unwrap();
    let ran = std::process::Command::new("sh")
        .args([
            "-c",
            "tar -xf \"$1\" -C \"$2\" && cd \"$2\" && sha256sum --check --quiet SHA256SUMS",
        ])
        .args(["sh", &first, &dir])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(verify(&lab, &dir, 0)["holds"], true);
    for more in [
        &["gate", "bundle"][..],
        &["gate", "bundle", "--out", "x.tar", "--verify", "y.tar"],
    ] {
        lab.gonogo(more).expect(64);
    }
    lab.gonogo(&["gate", "bundle", "nope", "--out", "x.tar", "--json"])
        .refusal(66, &["RUN_UNKNOWN"]);
    lab.gonogo(&["gate", "bundle", "--verify", "nope.tar", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
}

#[test]
fn what_was_changed_is_missing_or_was_added_is_named() {
    let lab = judged();
    let dir = lab.beside("bundle");
    lab.gonogo(&["gate", "bundle", "--out", &dir]).expect(0);
    let at = |name: &str| Path::new(&dir).join(name);
    let notes = at("evidence/project/notes/a.md");
    let own = std::fs::read(&notes).unwrap();
    std::fs::write(&notes, "other\n").unwrap();
    let found = verify(&lab, &dir, 3);
    assert_eq!(
        found["changed"],
        serde_json::json!(["evidence/project/notes/a.md"])
    );
    assert_eq!(found["problems"][0]["reason"], "ARTIFACTS_CHANGED");
    std::fs::remove_file(&notes).unwrap();
    let found = verify(&lab, &dir, 3);
    assert_eq!(
        found["missing"],
        serde_json::json!(["evidence/project/notes/a.md"])
    );
    std::fs::write(&notes, own).unwrap();
    std::fs::write(at("evidence/more"), "x").unwrap();
    let found = verify(&lab, &dir, 3);
    assert_eq!(found["added"], serde_json::json!(["evidence/more"]));
    std::fs::remove_file(at("evidence/more")).unwrap();
    assert_eq!(verify(&lab, &dir, 0)["holds"], true);
    // Any changed byte of an archive is seen.
    let tar = lab.beside("x.tar");
    lab.gonogo(&["gate", "bundle", "--out", &tar]).expect(0);
    let bytes = std::fs::read(&tar).unwrap();
    for place in (0..bytes.len()).step_by(bytes.len() / 23) {
        let mut other = bytes.clone();
        other[place] ^= 1;
        std::fs::write(&tar, other).unwrap();
        let ran = lab.gonogo(&["gate", "bundle", "--verify", &tar, "--json"]);
        assert!(matches!(ran.status, 2 | 3 | 65), "{place}: {}", ran.status);
    }
}

/// Writes the index and the sums again over what is there now.
fn rewrite(dir: &str, change: impl Fn(&mut Index)) {
    let path = Path::new(dir).join(INDEX);
    let mut index: Index = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut files = std::collections::BTreeMap::new();
    for part in &mut index.files {
        let bytes = std::fs::read(Path::new(dir).join(&part.member)).unwrap();
        (part.size, part.sha256) = (bytes.len() as u64, Digest::of(&bytes));
        files.insert(part.path.clone(), bytes);
    }
    change(&mut index);
    let slices = files
        .iter()
        .map(|(n, b)| (n.clone(), b.as_slice()))
        .collect();
    let old = &index.bundle;
    index.bundle = gonogo_gate::bundle::bundle(
        &index.contents,
        &slices,
        &old.git_ref,
        &old.run_id,
        old.generated_at,
    );
    let bytes = canonical::to_vec(&serde_json::to_value(&index).unwrap()).unwrap();
    let mut sums: Vec<(String, Digest)> = index
        .files
        .iter()
        .map(|p| (p.member.clone(), p.sha256))
        .chain([(INDEX.to_owned(), Digest::of(&bytes))])
        .collect();
    sums.sort();
    let sums: String = sums
        .iter()
        .map(|(n, d)| format!("{}  {n}\n", d.hex()))
        .collect();
    std::fs::write(path, bytes).unwrap();
    std::fs::write(Path::new(dir).join(SUMS), sums).unwrap();
}

#[test]
fn a_bundle_that_was_forged_whole_does_not_follow_from_its_inputs() {
    let lab = judged();
    let dir = lab.beside("bundle");
    lab.gonogo(&["gate", "bundle", "--out", &dir]).expect(0);
    rewrite(&dir, |_| {});
    assert_eq!(verify(&lab, &dir, 0)["holds"], true);
    let forge = |name: &str, from: &str, to: &str, exit: i32, reason: &str| {
        let path = Path::new(&dir).join(name);
        let own = std::fs::read_to_string(&path).unwrap();
        assert!(own.contains(from), "{name}: {own}");
        std::fs::write(&path, own.replacen(from, to, 1)).unwrap();
        rewrite(&dir, |_| {});
        let found = verify(&lab, &dir, exit);
        assert_eq!(found["changed"], serde_json::json!([]), "{name}");
        assert!(found["problems"].to_string().contains(reason), "{found:#}");
        std::fs::write(&path, own).unwrap();
        rewrite(&dir, |_| {});
        verify(&lab, &dir, 0);
    };
    forge(
        "verdict/verdict.json",
        "\"verdict\":\"pass\"",
        "\"verdict\":\"fail\"",
        3,
        "VERDICT_DIFFERS",
    );
    forge(
        "verdict/remediation_backlog.json",
        "\"omitted\":0",
        "\"omitted\":1",
        3,
        "ARTIFACTS_CHANGED",
    );
    forge(
        "evidence/run/unit/out/issues.jsonl",
        "closed",
        "opened",
        3,
        "ARTIFACTS_CHANGED",
    );
    // An index that asks for less.
    rewrite(&dir, |index| {
        index.contents.sections.retain(|s| s.id != "issues")
    });
    let found = verify(&lab, &dir, 3);
    assert!(
        found["problems"].to_string().contains("other evidence"),
        "{found:#}"
    );
}

#[test]
fn what_is_no_longer_what_was_judged_is_not_bundled() {
    let lab = judged();
    lab.write("notes/a.md", "changed\n");
    let out = lab.beside("x.tar");
    let args = ["gate", "bundle", "--out", &out, "--json"];
    lab.gonogo(&args).refusal(3, &["ARTIFACTS_CHANGED"]);
    lab.write("notes/a.md", "a\n");
    let told = lab.data(&["gate", "check"]);
    let dir = Path::new(told["directory"].as_str().unwrap());
    let backlog = dir.join("remediation_backlog.json");
    let own = std::fs::read(&backlog).unwrap();
    std::fs::write(&backlog, "{}").unwrap();
    lab.gonogo(&args).refusal(3, &["ARTIFACTS_CHANGED"]);
    std::fs::remove_file(&backlog).unwrap();
    lab.gonogo(&args).refusal(3, &["ARTIFACTS_CHANGED"]);
    std::fs::write(&backlog, own).unwrap();
    assert!(!Path::new(&out).exists());
    lab.gonogo(&args).expect(0);
}

#[test]
fn a_bundle_without_what_is_required_says_so() {
    let more = "[[bundle.section]]\nid = \"stress\"\npath = \"run:unit/out/stress.json\"\nrequired = true\n";
    let lab = lab(&format!("{POLICY}{SECTIONS}{more}"));
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    let out = lab.beside("x.tar");
    let ran = lab.gonogo(&["gate", "bundle", "--out", &out]);
    ran.expect(1);
    assert!(
        ran.out.contains("partial") && ran.out.contains("missing: stress"),
        "{}",
        ran.out
    );
    assert_eq!(verify(&lab, &out, 1)["holds"], true);
    let line = "[[bundle.lineage]]\nid = \"one\"\nsections = [\"finish\"]\npointer = \"/schema\"\nexpected = \"other\"\n";
    lab.write("gates.toml", format!("{POLICY}{SECTIONS}{line}"));
    lab.commit("lineage");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    let out = lab.beside("y.tar");
    let ran = lab.gonogo(&["gate", "bundle", "--out", &out]);
    ran.expect(3);
    assert!(ran.out.contains("insufficient"), "{}", ran.out);
}

#[test]
fn a_bundle_of_a_bad_verdict_says_that_it_is_bad() {
    let lab = judged();
    let good = lab.data(&["gate", "check"])["directory"].clone();
    let issues = "echo '{\"id\":\"1\",\"status\":\"closed\"}' > out/issues.jsonl\n";
    lab.script(&format!("{issues}{}", crate::lab::fails()));
    lab.run(2, "fail");
    let ran = lab.gonogo(&["gate", "check", "--json"]);
    ran.expect(2);
    let bad = ran.envelope()["data"]["directory"].clone();
    let out = lab.beside("bad.tar");
    lab.gonogo(&["gate", "bundle", "--out", &out, "--json"]);
    let found = verify(&lab, &out, 2);
    assert_eq!(
        (&found["holds"], &found["verdict"]),
        (&true.into(), &"fail".into())
    );
    let text = lab.gonogo(&["gate", "bundle", "--verify", &out]).out;
    assert!(text.contains("FAIL full  git:"), "{text}");
    // A good verdict's files under the bad one's name follow from each other, and are not what was recorded.
    let rejudge = |dir: &Path| {
        let ran = lab.gonogo(&["gate", "rejudge", dir.to_str().unwrap(), "--json"]);
        (ran.status, ran.envelope()["data"].clone())
    };
    let (good, bad) = (
        Path::new(good.as_str().unwrap()),
        Path::new(bad.as_str().unwrap()),
    );
    let (status, told) = rejudge(bad);
    assert_eq!(
        (status, told["recorded"].as_str()),
        (2, bad.file_name().and_then(|n| n.to_str()))
    );
    for file in ["inputs.json", "verdict.json"] {
        std::fs::copy(good.join(file), bad.join(file)).unwrap();
    }
    let (status, told) = rejudge(bad);
    assert_eq!((status, &told["same"]), (3, &true.into()));
    assert_eq!(lab.gonogo(&["gate", "rejudge"]).status, 3);
    let away = lab.beside("away");
    std::fs::create_dir(&away).unwrap();
    for file in ["inputs.json", "verdict.json"] {
        std::fs::copy(good.join(file), Path::new(&away).join(file)).unwrap();
    }
    assert_eq!(rejudge(Path::new(&away)).0, 0);
}
