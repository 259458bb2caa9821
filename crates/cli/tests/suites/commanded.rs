//! What a gate's command runs is a rule, in whatever spelling it is named and wherever a link leads.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::lab::{GREEN, Lab, writes};

fn policy(commands: &[&[&str]]) -> String {
    let mut text = "schema = \"gonogo.gate.policy.v1\"\n".to_owned();
    for (n, argv) in commands.iter().enumerate() {
        text.push_str(&format!(
            "[gates.g{n}]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"full\"]\ncheck = {{ command = {{ argv = {argv:?} }} }}\n"
        ));
    }
    text
}

/// The rules that the change brings.
fn held(lab: &Lab) -> Vec<String> {
    let data = lab.data(&["gate", "check"]);
    let gates = data["verdict"]["gates"].as_array().unwrap();
    let policy = gates.iter().find(|gate| gate["id"] == "policy").unwrap();
    let all = policy["obligations"].as_array().unwrap().iter();
    let told = all.filter(|own| {
        own["reasons"]
            .to_string()
            .contains("POLICY_CHANGED_BY_SUBJECT")
    });
    let ids = told.map(|own| own["id"].as_str().unwrap());
    ids.map(|id| id.strip_prefix("policy/rules/").unwrap_or(id).to_owned())
        .collect()
}

#[test]
fn a_script_is_a_rule_in_every_spelling() {
    let lab = Lab::new(&writes(GREEN));
    let absolute = lab.path("quality/f.sh");
    let absolute = absolute.to_str().unwrap();
    let commands: [(&[&str], &str); 12] = [
        (&["sh", "q2/a.sh"], "q2/a.sh"),
        (&["sh", "to-b"], "to-b"),
        (&["sh", "quality/../quality/c.sh"], "quality/c.sh"),
        (&["sh", "-c", "sh quality/d.sh"], "quality/d.sh"),
        (&["sh", "-c", "cd quality && . ./e.sh"], "quality/e.sh"),
        (&["sh", absolute], "quality/f.sh"),
        (&["env", "-C", "quality", "sh", "g.sh"], "quality/g.sh"),
        (&["python3", "-m", "quality.h"], "quality/h.py"),
        (&["make", "lint"], "Makefile"),
        (&["make", "--file=i.mk"], "i.mk"),
        (&["make", "-fj.mk"], "j.mk"),
        (&["npm", "run", "lint"], "package.json"),
    ];
    let argvs: Vec<&[&str]> = commands.iter().map(|(argv, _)| *argv).collect();
    lab.write("gates.toml", policy(&argvs));
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        lab.write(&format!("quality/{name}.sh"), "exit 3\n");
    }
    lab.write("quality/h.py", "raise SystemExit(3)\n");
    for name in ["Makefile", "i.mk", "j.mk"] {
        lab.write(name, "lint:\n\texit 3\n");
    }
    lab.write("package.json", "{\"scripts\": {\"lint\": \"exit 3\"}}\n");
    symlink("quality", lab.path("q2")).unwrap();
    symlink("quality/b.sh", lab.path("to-b")).unwrap();
    lab.commit("policy");
    lab.run(0, "pass");
    assert_eq!(held(&lab), [""; 0]);
    lab.git(&["checkout", "-q", "-b", "change"]);
    for name in commands.map(|(_, name)| name) {
        let text = std::fs::read_to_string(lab.path(name)).unwrap();
        lab.write(name, text.replace('3', "0"));
    }
    lab.commit("green");
    let told = held(&lab);
    for (argv, name) in commands {
        assert!(told.contains(&name.to_owned()), "{argv:?}: {told:?}");
    }
    // Where a link leads is one as well.
    assert!(told.contains(&"quality/b.sh".to_owned()), "{told:?}");
}

#[test]
fn where_a_link_leads_is_a_rule() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("gates.toml", policy(&[&["sh", "check"]]));
    lab.write("quality/check.sh", "exit 0 # strict\n");
    lab.write("quality/none.sh", "exit 0\n");
    symlink("quality/check.sh", lab.path("check")).unwrap();
    lab.commit("policy");
    lab.git(&["checkout", "-q", "-b", "change"]);
    let to = |to: &str| {
        std::fs::remove_file(lab.path("check")).unwrap();
        symlink(to, lab.path("check")).unwrap();
        lab.commit(to);
    };
    // To what was there before.
    to("quality/none.sh");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.gonogo(&["gate", "approve", "--policy", "--as", "bo"])
        .expect(0);
    lab.check(&[], 0, "excused");
    // Out of the repository.
    std::fs::write(lab.beside("check.sh"), "exit 0\n").unwrap();
    to("../check.sh");
    lab.check(&[], 1, "hold");
    // Where that stood before, the link is no other.
    lab.git(&["checkout", "-q", "main"]);
    lab.git(&["merge", "-q", "change"]);
    lab.git(&["checkout", "-q", "change"]);
    lab.write("more", "");
    lab.commit("more");
    lab.check(&[], 0, "pass");
}

#[test]
fn a_script_that_is_taken_out_of_the_tree_stays_a_rule() {
    let lab = Lab::new(&writes(GREEN));
    lab.write(
        "gates.toml",
        policy(&[&["sh", "quality/check.sh"], &["sh", "built.sh"]]),
    );
    lab.write("quality/check.sh", "exit 1\n");
    lab.write(".gitignore", "out/\n.gonogo/\nbuilt.sh\n");
    lab.write("built.sh", "exit 0\n");
    lab.commit("policy");
    lab.check(&[], 2, "fail").tells("g0", "CHECK_FAILED");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.git(&["rm", "-q", "--cached", "quality/check.sh"]);
    lab.write("quality/.gitignore", "check.sh\n");
    lab.write("quality/check.sh", "exit 0\n");
    lab.commit("ignored");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    // What never was in a tree is none of its rules.
    let told = held(&lab);
    assert!(!told.iter().any(|told| told.contains("built")), "{told:?}");
}

#[test]
fn a_script_of_a_submodule_is_a_rule_by_its_commit() {
    let lab = Lab::new(&writes(GREEN));
    let other = lab.beside("other");
    std::fs::create_dir(&other).unwrap();
    let within = |args: &[&str]| lab.git(&[&["-C", &other], args].concat());
    let script = |text: &str| {
        std::fs::write(format!("{other}/check.sh"), text).unwrap();
        within(&["add", "-A"]);
        within(&["commit", "-q", "-m", text]);
    };
    within(&["init", "-q", "-b", "main"]);
    script("exit 0 # strict\n");
    let file = ["-c", "protocol.file.allow=always"];
    lab.git(&[&file[..], &["submodule", "-q", "add", &other, "sub"]].concat());
    lab.write("gates.toml", policy(&[&["sh", "sub/check.sh"]]));
    lab.commit("policy");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("more", "");
    lab.commit("more");
    lab.check(&[], 0, "pass");
    script("exit 0\n");
    lab.git(&[&file[..], &["submodule", "-q", "update", "--remote"]].concat());
    lab.commit("newer");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
}

#[test]
fn a_project_below_the_top_names_scripts_above_it() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("tools/check.sh", "exit 0 # strict\n");
    for name in ["gonogo.toml", "unit.sh", ".gitignore"] {
        let text = std::fs::read(lab.path(name)).unwrap();
        lab.write(&format!("shop/{name}"), text);
    }
    lab.write("shop/gates.toml", policy(&[&["sh", "../tools/check.sh"]]));
    lab.commit("policy");
    lab.git(&["checkout", "-q", "-b", "change"]);
    let check = || {
        let mut command = lab.command(&["gate", "check"]);
        command.current_dir(lab.path("shop"));
        let said = command.output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        (said.status.code(), text)
    };
    lab.write("more", "");
    lab.commit("more");
    assert_eq!(check().0, Some(0), "{}", check().1);
    lab.write("tools/check.sh", "exit 0\n");
    lab.commit("less");
    let (status, said) = check();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("another `../tools/check.sh`"), "{said}");
}

/// Runners that end with 0 when they found nothing to run say so in words of their own.
#[test]
fn a_plain_command_that_says_that_no_test_ran_is_no_pass() {
    let empty = "printf 'Ran 0 tests in 0.000s\\n\\nOK\\n' >&2\n";
    let lab = Lab::with(empty, "");
    let run = lab.run(3, "invalid");
    assert_eq!(run.data["reasons"], json!(["ZERO_TESTS"]));
    lab.check(&[], 3, "invalid");
    let again = lab.gonogo(&["suite", "replay", "--json"]);
    let data = &again.envelope()["data"];
    assert_eq!(data["results"][0]["verdict"], "reproduced", "{data:#}");
    // One test that ran settles it; so does who says that nothing need run.
    lab.script(&format!("{empty}echo '1 passed in 0.01s'\n"));
    lab.commit("one runs");
    lab.run(0, "pass");
    lab.script(empty);
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", config + "min_tests = 0\n");
    lab.commit("none need run");
    lab.run(0, "pass");
}

/// An exit code is lost in a pipe; the runner's closing line is not.
#[test]
fn a_plain_command_that_says_that_tests_failed_is_no_pass() {
    let lost = "printf 'F.\\n1 failed, 1 passed in 0.02s\\n' | tee out/log\n";
    let lab = Lab::with(lost, "");
    let run = lab.run(3, "invalid");
    assert_eq!(run.data["reasons"], json!(["EXIT_CODE_CONFLICT"]));
    let problem = &run.summary()["unit_targets"][0]["problems"][0];
    let text = problem["text"].as_str().unwrap();
    assert!(text.contains("`1 failed, 1 passed in 0.02s`"), "{text}");
    lab.check(&[], 3, "invalid");
    let again = lab.gonogo(&["suite", "replay", "--json"]);
    let data = &again.envelope()["data"];
    assert_eq!(data["results"][0]["verdict"], "reproduced", "{data:#}");
    // What a test shows of a runner of its own is no end of the run; nor do other words say that anything failed.
    lab.script(&format!(
        "{lost}echo 'sh: 1: pytestt: command not found'\necho '3 passed in 0.20s'\n"
    ));
    lab.commit("nested");
    lab.run(0, "pass");
    // A build's log is no test's.
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.script(lost);
    lab.write("gonogo.toml", config.replace("\"unit\"", "\"lint\""));
    lab.commit("lint");
    lab.run(0, "pass");
}
