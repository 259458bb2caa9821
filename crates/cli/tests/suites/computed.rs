//! What gates compute from files: real sources in a real tree, good ones and poisoned ones, each by a gate of its own.

use gonogo_core::clock::{Clock, SystemClock};

use crate::lab::{GREEN, JUNIT, Judged, Lab, writes};

/// The gate over the suites, which alone blocks.
const SUITES: &str = "schema = \"gonogo.gate.policy.v1\"\n[gates.suites]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"full\", \"certification\"]\ncheck = { suite = { profile = \"ci\" } }\n";

/// A gate beside it.
fn gate(id: &str, blocking: bool, lanes: &str, check: &str) -> String {
    format!(
        "[gates.{id}]\ntitle = \"T\"\nowner = \"o\"\nblocking = {blocking}\nlanes = [{lanes}]\ncheck = {{ {check} }}\n"
    )
}

fn policy(lab: &Lab, gates: &[(&str, &str)]) {
    let gates: String = gates
        .iter()
        .map(|(id, check)| gate(id, false, "\"full\"", check))
        .collect();
    lab.write("gates.toml", format!("{SUITES}{gates}"));
}

/// One whose suite leaves these files.
fn leaving(outputs: &[(&str, &str)]) -> Lab {
    let mut script = writes(GREEN);
    for (name, text) in outputs {
        script.push_str(&format!("cat > out/{name} <<'END'\n{text}\nEND\n"));
    }
    Lab::with(&script, &format!("{JUNIT}outputs = [\"out/*.*\"]\n"))
}

impl Judged {
    /// A gate's status and the codes of its reasons.
    #[track_caller]
    fn gate(&self, id: &str) -> (String, Vec<String>) {
        let gates = self.0["verdict"]["gates"].as_array().unwrap();
        let gate = gates.iter().find(|g| g["id"] == id);
        let gate = gate.unwrap_or_else(|| panic!("no gate {id}"));
        let codes = self.told().into_iter().filter(|(own, _)| own == id);
        let mut codes: Vec<String> = codes.map(|(_, code)| code).collect();
        codes.sort();
        codes.dedup();
        (gate["status"].as_str().unwrap().to_owned(), codes)
    }

    #[track_caller]
    fn comes_to(&self, id: &str, status: &str, code: &str) {
        let (found, codes) = self.gate(id);
        let has = code.is_empty() == codes.is_empty()
            && (code.is_empty() || codes.iter().any(|c| c == code));
        assert!(
            found == status && has,
            "{id}: {found} {codes:?}, expected {status} {code}"
        );
    }

    #[track_caller]
    fn file(&self, name: &str) -> serde_json::Value {
        let dir = self.0["directory"].as_str().unwrap();
        let bytes = std::fs::read(std::path::Path::new(dir).join(name));
        serde_json::from_slice(&bytes.unwrap_or_else(|e| panic!("{name}: {e}"))).unwrap()
    }
}

const LCOV: &str = "TN:\nSF:src/a.py\nDA:1,1\nDA:2,0\nend_of_record";

#[test]
fn coverage_counts_as_a_run_of_this_tree_kept_it() {
    let lab = leaving(&[
        ("lcov.info", LCOV),
        ("zero.info", "TN:\nSF:src/a.py\nend_of_record"),
        ("cut.info", "TN:\nSF:src/a.py\nDA:1,1"),
        ("odd.info", "all is well"),
        (
            "foreign.info",
            "TN:\nSF:lib/other.py\nDA:1,1\nend_of_record",
        ),
    ]);
    lab.write("src/a.py", "a = 1\nb = 2\n");
    lab.write("more/b.py", "c = 1\nd = 2\n");
    let check = |report: &str, floor: &str| {
        format!(
            "coverage = {{ report = \"{report}\", floors = {{ \"src/*.py\" = {{ line = \"{floor}\" }} }} }}"
        )
    };
    let all = "coverage = { report = \"run:unit/out/lcov.info\", modules = { all = [\"src/*.py\", \"more/*.py\"] }, floors = { all = { line = \"30%\" } }, targets = { all = { line = \"90%\" } } }";
    policy(
        &lab,
        &[
            ("good", &check("run:unit/out/lcov.info", "50%")),
            ("floor", &check("run:unit/out/lcov.info", "51%")),
            ("missing", &check("run:unit/out/none.info", "50%")),
            ("nobody", &check("run:other/out/lcov.info", "50%")),
            ("zero", &check("run:unit/out/zero.info", "50%")),
            ("cut", &check("run:unit/out/cut.info", "50%")),
            ("odd", &check("run:unit/out/odd.info", "50%")),
            ("foreign", &check("run:unit/out/foreign.info", "50%")),
            ("lying", &check("out/lcov.info", "50%")),
            ("absent", all),
        ],
    );
    lab.commit("policy");
    lab.run(0, "pass");
    let judged = lab.check(&[], 0, "pass");
    judged.comes_to("good", "pass", "");
    judged.comes_to("floor", "fail", "CHECK_FAILED");
    judged.comes_to("missing", "hold", "EVIDENCE_MISSING");
    judged.comes_to("nobody", "hold", "EVIDENCE_MISSING");
    judged.comes_to("zero", "invalid", "CHECK_UNDECIDABLE");
    judged.comes_to("cut", "invalid", "EVIDENCE_UNPARSABLE");
    judged.comes_to("odd", "invalid", "EVIDENCE_UNPARSABLE");
    judged.comes_to("foreign", "invalid", "CHECK_UNDECIDABLE");
    // It lies in the project, is fresh, and nobody says of which tree it is.
    judged.comes_to("lying", "hold", "EVIDENCE_WRONG_TREE");
    // A file that the report does not have makes its module worse: 1 of 4.
    judged.comes_to("absent", "fail", "CHECK_FAILED");
    lab.gonogo(&["gate", "rejudge"]).expect(0);
    // Another tree: what the run kept is no evidence for it.
    lab.write("src/a.py", "a = 1\nb = 2\nc = 3\n");
    let judged = lab.check(&[], 3, "hold");
    judged.comes_to("good", "hold", "EVIDENCE_MISSING");
}

#[test]
fn coverage_of_before_or_behind_its_run_is_none_of_it() {
    let mut script = writes(GREEN);
    for (name, time) in [
        ("now", "$(date +%s)"),
        ("millis", "$(date +%s)123"),
        ("none", "0"),
        ("old", "$(($(date +%s) - 3600))"),
        ("ahead", "$(($(date +%s) + 3600))"),
    ] {
        script.push_str(&format!(
            "cat > out/{name}.xml.cov <<END\n<coverage timestamp=\"{time}\"><class filename=\"src/a.py\"><lines><line number=\"1\" hits=\"1\"/></lines></class></coverage>\nEND\n"
        ));
    }
    let lab = Lab::with(&script, &format!("{JUNIT}outputs = [\"out/*.cov\"]\n"));
    lab.write("src/a.py", "a = 1\n");
    let check = |name: &str| {
        format!(
            "coverage = {{ report = \"run:unit/out/{name}.xml.cov\", floors = {{ \"src/*.py\" = {{ line = \"50%\" }} }} }}"
        )
    };
    let names = ["now", "millis", "none", "old", "ahead"];
    let checks = names.map(|name| (name, check(name)));
    let checks: Vec<(&str, &str)> = checks.iter().map(|(n, c)| (*n, c.as_str())).collect();
    policy(&lab, &checks);
    lab.commit("policy");
    lab.run(0, "pass");
    let judged = lab.check(&[], 0, "pass");
    judged.comes_to("now", "pass", "");
    judged.comes_to("millis", "pass", "");
    // A clock that nobody set says nothing; the run's own time counts.
    judged.comes_to("none", "pass", "");
    judged.comes_to("old", "hold", "EVIDENCE_CACHED_ONLY");
    judged.comes_to("ahead", "invalid", "CLOCK_SKEW");
    lab.gonogo(&["gate", "rejudge"]).expect(0);
}

#[test]
fn a_document_that_is_ignored_is_of_no_tree() {
    let now = SystemClock::default().now().wall;
    let text = format!("{{\"generated_at\": \"{now}\", \"n\": 1}}");
    let lab = leaving(&[("own.json", &text)]);
    let check = |document: &str| {
        format!(
            "json = {{ document = \"{document}\", rules = [ {{ pointer = \"/n\", op = \"==\", value = 1 }} ] }}"
        )
    };
    lab.write("kept.json", &text);
    policy(
        &lab,
        &[
            ("ignored", &check("out/own.json")),
            ("own", &check("kept.json")),
            ("run", &check("run:unit/out/own.json")),
        ],
    );
    lab.commit("policy");
    lab.run(0, "pass");
    let judged = lab.check(&[], 0, "pass");
    judged.comes_to("ignored", "hold", "EVIDENCE_WRONG_TREE");
    judged.comes_to("own", "pass", "");
    judged.comes_to("run", "pass", "");
}

#[test]
fn a_tracker_is_done_when_nothing_technical_is_open() {
    let lab = leaving(&[
        (
            "done.jsonl",
            "{\"id\":\"1\",\"status\":\"closed\"}\n{\"id\":\"2\",\"status\":\"open\",\"issue_type\":\"docs\"}",
        ),
        (
            "open.jsonl",
            "{\"id\":\"1\",\"status\":\"closed\"}\n{\"id\":\"1\",\"status\":\"waiting\",\"title\":\"crash\"}",
        ),
        ("none.json", "[]"),
        ("page.json", "<html>log in</html>"),
    ]);
    lab.write(
        "old.jsonl",
        "{\"id\":\"1\",\"status\":\"closed\",\"updated_at\":\"2020-01-01T00:00:00Z\"}",
    );
    let check = |export: &str| format!("tracker = {{ export = \"{export}\" }}");
    policy(
        &lab,
        &[
            ("done", &check("run:unit/out/done.jsonl")),
            (
                "strict",
                "tracker = { export = \"run:unit/out/done.jsonl\", docs_may_remain = false }",
            ),
            ("open", &check("run:unit/out/open.jsonl")),
            ("none", &check("run:unit/out/none.json")),
            ("page", &check("run:unit/out/page.json")),
            ("gone", &check("run:unit/out/gone.json")),
            ("old", &check("old.jsonl")),
            ("undated", &check("out/done.jsonl")),
        ],
    );
    lab.commit("policy");
    lab.run(0, "pass");
    let judged = lab.check(&[], 0, "pass");
    judged.comes_to("done", "pass", "");
    judged.comes_to("strict", "fail", "CHECK_FAILED");
    judged.comes_to("open", "fail", "CHECK_FAILED");
    judged.comes_to("none", "invalid", "CHECK_UNDECIDABLE");
    judged.comes_to("page", "invalid", "CHECK_UNDECIDABLE");
    judged.comes_to("gone", "hold", "EVIDENCE_MISSING");
    judged.comes_to("old", "hold", "EVIDENCE_STALE");
    judged.comes_to("undated", "hold", "EVIDENCE_STALE");
    let open = judged.file("practical_finish_checkpoint.open.json");
    assert_eq!(open["residual_open_scope"], "technical_remaining");
    assert_eq!(open["technical_open_issues"][0]["id"], "1");
    // What was not exported has no file, and it is said.
    assert!(judged.0["missing"]["practical_finish_checkpoint.gone.json"].is_string());
    lab.gonogo(&["gate", "rejudge"]).expect(0);
}

const TESTS: &str = "def test_pay():\n    assert pay(1) == 1\n";

#[test]
fn texts_classes_and_doubles_are_those_of_the_tree() {
    let lab = leaving(&[]);
    lab.write("README.md", "It runs tests.\n");
    lab.write(
        "docs/sales.md",
        "This release is certified and a drop-in replacement.\n",
    );
    lab.write("docs/empty.md", "\n");
    lab.write("docs/odd.md", b"\xff\xfe".as_slice());
    // Ignored by the repository: not looked at.
    lab.write("out/deep/draft.md", "production ready\n");
    lab.write("tests/test_a.py", TESTS);
    lab.write("tests/test_b.py", "from unittest.mock import MagicMock\n");
    let head = "schema = \"gonogo.gate.suite-classes.v1\"\n";
    lab.write("good.toml", format!("{head}[suite.unit]\nfiles = [\"tests/test_a.py\"]\nforbidden = [\"MagicMock\"]\n[suite.recorded]\nfiles = [\"tests/test_b.py\"]\n"));
    lab.write("leak.toml", format!("{head}[suite.unit]\nfiles = [\"tests/test_a.py\", \"tests/test_b.py\"]\nforbidden = [\"MagicMock\"]\n"));
    lab.write(
        "half.toml",
        format!("{head}[suite.unit]\nfiles = [\"tests/test_a.py\"]\n"),
    );
    lab.write("bad.toml", "nonsense");
    lab.write(
        "exceptions.toml",
        "schema = \"gonogo.gate.test-double-exceptions.v1\"\n[[exception]]\nissue = \"X-1\"\n",
    );
    let classes = |files: &str, classes: &str| {
        format!("classification = {{ files = [\"{files}\"], classes = \"{classes}\" }}")
    };
    let doubles = |more: &str| format!("doubles = {{ files = [\"tests/*.py\"]{more} }}");
    policy(
        &lab,
        &[
            (
                "drafts",
                "wording = { texts = [\"README.md\", \"**/draft.md\"] }",
            ),
            ("texts", "wording = { texts = [\"README.md\"] }"),
            ("empty", "wording = { texts = [\"docs/empty.md\"] }"),
            (
                "claims",
                "wording = { texts = [\"README.md\", \"docs/sales.md\"] }",
            ),
            ("unread", "wording = { texts = [\"**/*.md\"] }"),
            ("nothing", "wording = { texts = [\"none/*.md\"] }"),
            ("classes", &classes("tests/*.py", "good.toml")),
            ("leak", &classes("tests/*.py", "leak.toml")),
            ("half", &classes("tests/*.py", "half.toml")),
            ("untested", &classes("none/*.py", "good.toml")),
            ("doubles", &doubles(", classes = \"good.toml\"")),
            ("risky", &doubles(", classes = \"leak.toml\"")),
            ("nodoubles", "doubles = { files = [\"none/*.py\"] }"),
        ],
    );
    lab.commit("policy");
    lab.run(0, "pass");
    let judged = lab.check(&[], 0, "pass");
    judged.comes_to("texts", "pass", "");
    judged.comes_to("drafts", "invalid", "EVIDENCE_UNPARSABLE");
    judged.comes_to("empty", "invalid", "CHECK_UNDECIDABLE");
    judged.comes_to("claims", "fail", "CHECK_FAILED");
    judged.comes_to("unread", "invalid", "CHECK_UNDECIDABLE");
    judged.comes_to("nothing", "invalid", "CHECK_UNDECIDABLE");
    judged.comes_to("classes", "pass", "");
    judged.comes_to("leak", "fail", "CHECK_FAILED");
    judged.comes_to("half", "fail", "CHECK_FAILED");
    judged.comes_to("untested", "invalid", "CHECK_UNDECIDABLE");
    judged.comes_to("doubles", "pass", "");
    judged.comes_to("risky", "fail", "CHECK_FAILED");
    judged.comes_to("nodoubles", "invalid", "CHECK_UNDECIDABLE");
    let guard = judged.file("claim_wording.claims.json");
    assert_eq!(guard["texts"].as_object().unwrap().len(), 2, "{guard:#}");
    let inventory = judged.file("test_double_inventory.risky.json");
    assert_eq!(inventory["entries"][0]["line"], 1);
    lab.gonogo(&["gate", "rejudge"]).expect(0);
    // Rule files that cannot be read make the policy unusable, whatever blocks.
    for (check, file) in [
        (classes("tests/*.py", "bad.toml"), "bad.toml"),
        (
            doubles(", exceptions = \"exceptions.toml\""),
            "exceptions.toml",
        ),
        (classes("tests/*.py", "gone.toml"), "gone.toml"),
        (
            "wording = { texts = [\"README.md\"], rules = \"bad.toml\" }".to_owned(),
            "bad.toml",
        ),
    ] {
        policy(&lab, &[("g", &check)]);
        lab.commit("poisoned");
        lab.run(0, "pass");
        let ran = lab.gonogo(&["gate", "check", "--json"]);
        let judged = Judged(ran.envelope()["data"].clone());
        let (status, codes) = judged.gate("g");
        assert_eq!(status, "invalid", "{file}: {codes:?}");
    }
}

/// A runner follows links, and so do the guards.
#[test]
fn what_links_bring_is_looked_at() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("tests/test_a.py", TESTS);
    lab.write("tests/own.py", TESTS);
    lab.write("other/b.py", "from unittest.mock import MagicMock\n");
    lab.write("other/claims.txt", "This release is certified.\n");
    lab.write(
        "classes.toml",
        "schema = \"gonogo.gate.suite-classes.v1\"\n[suite.unit]\nfiles = [\"tests/own.py\", \"tests/test_a.py\"]\nforbidden = [\"MagicMock\"]\n",
    );
    let files = "files = [\"tests/**/*.py\"], classes = \"classes.toml\"";
    policy(
        &lab,
        &[
            ("claims", "wording = { texts = [\"tests/*\"] }"),
            ("classes", &format!("classification = {{ {files} }}")),
            ("doubles", &format!("doubles = {{ {files} }}")),
        ],
    );
    lab.commit("policy");
    let judged = |expected: [(&str, &str); 2], doubles: Option<usize>| {
        lab.run(0, "pass");
        let judged = lab.check(&[], 0, "pass");
        for (gate, (status, code)) in ["claims", "classes"].into_iter().zip(expected) {
            judged.comes_to(gate, status, code);
        }
        match doubles {
            Some(count) => {
                let found = judged.file("test_double_inventory.json");
                let found = found["entries"].as_array().unwrap().len();
                assert_eq!(found, count);
            }
            None => judged.comes_to("doubles", "invalid", "EVIDENCE_UNPARSABLE"),
        }
    };
    let pass = ("pass", "");
    let fail = ("fail", "CHECK_FAILED");
    let unread = ("invalid", "EVIDENCE_UNPARSABLE");
    judged([pass; 2], Some(0));
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, lab.path(name)).unwrap();
        lab.commit(name);
    };
    let unlink = |name: &str| {
        std::fs::remove_file(lab.path(name)).unwrap();
        lab.commit("gone");
    };
    // What stands there under its own name is looked at under that, and a link to nothing brings nothing.
    link("own.py", "tests/test_own.py");
    link("gone.py", "tests/test_gone.py");
    judged([pass; 2], Some(0));
    // One that leads nowhere but to itself is refused where the patterns may mean what it brings.
    link("around", "around");
    judged([pass; 2], Some(0));
    link("around", "tests/around");
    judged([unread; 2], None);
    unlink("tests/around");
    link("../other/b.py", "tests/test_b.py");
    judged([pass, fail], Some(2));
    unlink("tests/test_b.py");
    link("../other", "tests/more");
    judged([pass, fail], Some(2));
    unlink("tests/more");
    link("../other/claims.txt", "tests/claims");
    judged([fail, pass], Some(0));
    unlink("tests/claims");
    // What is ignored, and what lies elsewhere, is of no tree.
    lab.write("out/b.py", "");
    link("../out/b.py", "tests/test_b.py");
    judged([unread; 2], None);
    unlink("tests/test_b.py");
    link("/usr", "tests/usr");
    judged([unread; 2], None);
}

#[test]
fn a_change_does_not_loosen_its_own_rules() {
    let lab = leaving(&[("lcov.info", LCOV)]);
    lab.write("src/a.py", "a = 1\nb = 2\n");
    let rubric = |floor: &str| {
        format!(
            "schema = \"gonogo.gate.non-mock-rubric.v1\"\n[[module]]\nname = \"core\"\npaths = [\"src/*.py\"]\ncriticality = \"critical\"\nfloor = {{ line = \"{floor}\" }}\nrationale = \"r\"\n"
        )
    };
    lab.write("rubric.toml", rubric("80%"));
    lab.write("tests/test_a.py", TESTS);
    let classes = |files: &str, words: &str| {
        format!(
            "schema = \"gonogo.gate.suite-classes.v1\"\n[suite.unit]\nfiles = [{files}]\nforbidden = [{words}]\n"
        )
    };
    lab.write(
        "classes.toml",
        classes("\"tests/test_a.py\"", "\"MagicMock\""),
    );
    policy(
        &lab,
        &[
            (
                "rubric",
                "rubric = { rubric = \"rubric.toml\", report = \"run:unit/out/lcov.info\" }",
            ),
            (
                "classes",
                "classification = { files = [\"tests/*.py\"], classes = \"classes.toml\" }",
            ),
        ],
    );
    lab.commit("policy");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass")
        .comes_to("rubric", "fail", "CHECK_FAILED");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("rubric.toml", rubric("10%"));
    lab.commit("lower");
    lab.run(0, "pass");
    let judged = lab.check(&[], 1, "hold");
    judged.tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    judged.comes_to("rubric", "pass", "");
    assert_eq!(judged.file("non_mock_compliance.json")["status"], "pass");
    // Somebody else says yes to the rules as they are now, and to no others.
    let ran = lab.gonogo(&["gate", "approve", "--policy", "--as", "dana"]);
    ran.expect(0);
    assert!(ran.out.contains("a file of rules"), "{}", ran.out);
    lab.check(&[], 0, "excused")
        .tells("policy", "POLICY_CHANGE_APPROVED");
    lab.write("rubric.toml", rubric("9%"));
    lab.commit("lower still");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.git(&["checkout", "-q", "main"]);
    lab.git(&["checkout", "-q", "-b", "more"]);
    // A test more is no change of the rules; a word less is.
    lab.write("tests/test_b.py", TESTS);
    let both = "\"tests/test_a.py\", \"tests/test_b.py\"";
    lab.write("classes.toml", classes(both, "\"MagicMock\""));
    lab.commit("a test");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass").comes_to("classes", "pass", "");
    lab.write("classes.toml", classes(both, "\"Other\""));
    lab.commit("a word");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
}

#[test]
fn a_certificate_is_of_a_commit_and_frees_its_claims() {
    let lab = leaving(&[]);
    lab.write("README.md", "This release is certified.\n");
    lab.write(
        "certification.toml",
        "schema = \"gonogo.gate.certification-contract.v1\"\nlane = \"certification\"\n[[hard_gates]]\ngate_id = \"G01\"\ndomain = \"tests\"\nblocking = true\nowner = \"ana\"\npass_criteria = [\"suites\"]\n",
    );
    let wording = gate(
        "wording",
        true,
        "\"full\"",
        "wording = { texts = [\"README.md\"] }",
    );
    let contract = gate(
        "contract",
        true,
        "\"certification\"",
        "contract = { file = \"certification.toml\" }",
    );
    lab.write("gates.toml", format!("{SUITES}{wording}{contract}"));
    lab.commit("policy");
    lab.run(0, "pass");
    lab.check(&[], 2, "fail")
        .comes_to("wording", "fail", "CHECK_FAILED");
    let judged = lab.check(&["--lane", "certification"], 0, "pass");
    assert_eq!(judged.0["certification"]["overall_verdict"], "CERTIFIED");
    assert_eq!(
        judged.file("certification_verdict.json"),
        judged.0["certification"]
    );
    assert_eq!(judged.file("certification_dossier.json")["verdict"], "pass");
    assert_eq!(
        judged.file("remediation_backlog.json")["summary"]["total_non_pass"],
        0
    );
    lab.check(&[], 0, "pass").comes_to("wording", "pass", "");
    lab.gonogo(&["gate", "rejudge"]).expect(0);
    // Of this very tree, and of a commit.
    lab.write("other", "x");
    lab.run(0, "pass");
    lab.check(&[], 2, "fail")
        .comes_to("wording", "fail", "CHECK_FAILED");
    let judged = lab.check(&["--lane", "certification"], 3, "hold");
    judged.comes_to("contract", "hold", "EVIDENCE_WRONG_TREE");
    assert_ne!(judged.0["certification"]["overall_verdict"], "CERTIFIED");
    let ran = lab.gonogo(&["gate", "check", "--lane", "certification"]);
    ran.expect(3);
    assert!(ran.out.contains("NOT_CERTIFIED"), "{}", ran.out);
}
