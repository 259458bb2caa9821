//! Evidence and approvals of something else: of another configuration, another change, another time.

use crate::lab::{GREEN, JUNIT, Lab, RED, fails, writes};

const HEAD: &str = "schema = \"gonogo.gate.policy.v1\"\n";

fn gate(id: &str, check: &str) -> String {
    format!(
        "[gates.{id}]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"full\"]\ncheck = {{ {check} }}\n"
    )
}

const SUITES: &str = "suite = { profile = \"ci\" }";

/// A configuration that is in no tree.
fn beside(lab: &Lab, change: impl Fn(&str) -> String) {
    let own = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let other = change(&own);
    assert_ne!(own, other);
    lab.write(".git/info/exclude", "x.toml\nx.sh\n");
    lab.write("x.toml", other);
}

fn run_beside(lab: &Lab) {
    lab.gonogo(&["--config", "x.toml", "suite", "run", "--profile", "ci"])
        .expect(0);
}

#[test]
fn an_output_of_another_configuration_is_none_of_the_tree() {
    let says = |n: u32| format!("{}echo '{{\"failed\":{n}}}' > out/d.json\n", writes(GREEN));
    let lab = Lab::with(&says(7), &format!("{JUNIT}outputs = [\"out/d.json\"]\n"));
    let check = "json = { document = \"run:unit/out/d.json\", rules = [ { pointer = \"/failed\", op = \"==\", value = 0 } ] }";
    lab.write("gates.toml", format!("{HEAD}{}", gate("doc", check)));
    lab.commit("policy");
    lab.run(0, "pass");
    lab.check(&[], 2, "fail").tells("doc", "CHECK_FAILED");
    lab.write("x.sh", format!("mkdir -p out\n{}", says(0)));
    beside(&lab, |own| own.replace("unit.sh", "x.sh"));
    run_beside(&lab);
    lab.check(&[], 2, "fail").tells("doc", "CHECK_FAILED");
}

#[test]
fn a_baseline_is_the_base_as_it_declares_itself_and_the_most_that_ran_of_it() {
    let one = r#"<testsuite name="s" tests="1"><testcase classname="c" name="a"/></testsuite>"#;
    let lab = Lab::new(&format!(
        "if [ -e out/part ]; then {} else {} fi\n",
        writes(one),
        writes(GREEN)
    ));
    lab.write("gates.toml", format!("{HEAD}{}", gate("suites", SUITES)));
    lab.commit("policy");
    lab.run(0, "pass");
    // Green as well, and less: by another configuration, and in another surrounding.
    lab.write("x.sh", format!("mkdir -p out\n{}", writes(one)));
    beside(&lab, |own| own.replace("unit.sh", "x.sh"));
    run_beside(&lab);
    lab.write("out/part", "");
    lab.run(0, "pass");
    std::fs::remove_file(lab.path("out/part")).unwrap();
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.script(&writes(one));
    lab.commit("a test less");
    lab.run(0, "pass");
    let told = lab.data(&["gate", "check"]);
    assert!(told.to_string().contains("TEST_REMOVED"), "{told:#}");
}

#[test]
fn what_is_approved_is_named() {
    let lab = Lab::new(&writes(GREEN));
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.declare("env = { GREEN = \"1\" }\n");
    lab.commit("in another environment");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold");
    let approve = |more: &[&str], base: Option<&str>| {
        let args = [&["gate", "approve", "--as", "bo"], more].concat();
        let mut command = lab.command(&args);
        command.envs(base.map(|base| ("GONOGO_BASE", base)));
        command.output().unwrap().status.code()
    };
    for (more, base) in [
        (&[][..], None),
        (&[][..], Some("main")),
        (&["--note", "not this"][..], None),
        (&["--base", "main"][..], None),
        (&["--suites", "--policy"][..], None),
    ] {
        assert_eq!(approve(more, base), Some(64), "{more:?} {base:?}");
    }
    lab.check(&[], 1, "hold");
    assert_eq!(
        approve(&["--suites", "--note", "yes"], Some("main")),
        Some(0)
    );
    assert_eq!(
        approve(&["--suites", "--note", "again", "--base", "main"], None),
        Some(0)
    );
    lab.check(&[], 0, "excused");
}

#[test]
fn an_approval_of_the_rules_is_for_one_change() {
    let lab = Lab::new(&writes(GREEN));
    let weak = |lab: &Lab, name: &str| {
        lab.git(&["checkout", "-q", "-b", name, "main"]);
        let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
        lab.write("gonogo.toml", text + "env = { GREEN = \"1\" }\n");
        lab.commit("weak");
        lab.run(0, "pass");
    };
    weak(&lab, "first");
    lab.gonogo(&["gate", "approve", "--suites", "--as", "bo"])
        .expect(0);
    lab.check(&[], 0, "excused");
    // It goes in, and is taken back.
    lab.git(&["checkout", "-q", "main"]);
    lab.git(&["merge", "-q", "first"]);
    lab.git(&["revert", "--no-edit", "HEAD"]);
    weak(&lab, "second");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
}

#[test]
fn who_was_taken_off_the_list_is_off_it_for_older_branches_too() {
    let lab = Lab::new(&writes(GREEN));
    let key = |name: &str| {
        let file = lab.beside(&format!("{name}.pem"));
        let id = lab.data(&["key", "new", "--out", &file])["key"].clone();
        (file, id.as_str().unwrap().to_owned())
    };
    let ((erik, erik_id), (dana, dana_id)) = (key("erik"), key("dana"));
    let policy = |both: bool, max: u32| {
        let erik = if both {
            format!("erik = [\"{erik_id}\"]\n")
        } else {
            String::new()
        };
        format!(
            "{HEAD}{}[defaults]\nmax_age = \"{max}h\"\n[approvers]\ndana = [\"{dana_id}\"]\n{erik}",
            gate("suites", SUITES)
        )
    };
    lab.write("gates.toml", policy(true, 24));
    lab.commit("both");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("gates.toml", policy(true, 30));
    lab.commit("longer");
    lab.git(&["checkout", "-q", "main"]);
    lab.write("gates.toml", policy(false, 24));
    lab.commit("erik's key was stolen");
    lab.git(&["checkout", "-q", "change"]);
    lab.run(0, "pass");
    let approve = |name: &str, key: &str| {
        let args = ["gate", "approve", "--policy", "--as", name, "--key", key];
        lab.gonogo(&args).status
    };
    assert_eq!(approve("erik", &erik), 77);
    lab.check(&[], 1, "hold");
    assert_eq!(approve("dana", &dana), 0);
    lab.check(&[], 0, "excused");
}

#[test]
fn a_script_that_a_gate_runs_is_a_rule() {
    let lab = Lab::new(&writes(GREEN));
    let check = "command = { argv = [\"sh\", \"./quality/check.sh\"] }";
    lab.write(
        "gates.toml",
        format!(
            "{HEAD}{}{}",
            gate("suites", SUITES),
            gate("licences", check)
        ),
    );
    lab.write("quality/check.sh", "exit 1\n");
    lab.commit("policy");
    lab.run(0, "pass");
    lab.check(&[], 2, "fail").tells("licences", "CHECK_FAILED");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("quality/check.sh", "exit 0\n");
    lab.commit("green");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.gonogo(&["gate", "approve", "--policy", "--as", "bo"])
        .expect(0);
    lab.check(&[], 0, "excused");
    // Too large to be read is no way around it.
    lab.write("quality/check.sh", "#".repeat(2 << 20) + "\nexit 0\n");
    lab.commit("large");
    lab.run(0, "pass");
    lab.check(&[], 3, "invalid").tells("policy", "POLICY_ERROR");
}

#[test]
fn a_configuration_that_cannot_be_read_hides_no_ledger() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    let dir = lab.data(&["gate", "check"])["directory"].clone();
    let dir = dir.as_str().unwrap();
    lab.gonogo(&["gate", "rejudge", dir]).expect(0);
    lab.write("gonogo.toml", "[[[");
    assert_ne!(lab.gonogo(&["gate", "rejudge", dir]).status, 0);
}

#[test]
fn a_history_that_is_cut_off_tells_no_writer() {
    let lab = Lab::new(&fails());
    lab.write("waivers.toml", crate::gated::waiver(-1, 5));
    lab.commit("waived");
    lab.run(2, "fail");
    lab.check(&[], 0, "excused");
    lab.commit("more");
    // As a shallow clone has it.
    let head = lab.git(&["rev-parse", "HEAD~1"]);
    lab.write(".git/shallow", head);
    lab.run(2, "fail");
    lab.check(&[], 2, "fail")
        .tells("waiver_lifecycle", "EXCUSE_UNAPPROVED");
}

#[test]
fn a_repository_that_lies_elsewhere_is_told() {
    let lab = Lab::new(&writes(RED));
    let other = lab.beside("other");
    std::fs::create_dir(&other).unwrap();
    lab.git(&["config", "core.worktree", &other]);
    let ran = lab.gonogo(&["suite", "run", "--profile", "ci", "--json"]);
    ran.refusal(69, &["GIT_FAILED"]);
}
