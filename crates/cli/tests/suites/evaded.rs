//! Ways around the rules that were found by trying: evidence that is old, elsewhere or of something else, and a change that names its own judge.

use crate::lab::{GREEN, JUNIT, Lab, RED, fails, writes};

/// What is not new is told, and nothing of it passes.
fn refuses(lab: &Lab, reason: &str) {
    let is_old = matches!(reason, "EVIDENCE_STALE" | "EVIDENCE_CACHED_ONLY");
    let run = lab.run(3, if is_old { "hold" } else { "invalid" });
    assert!(
        run.reasons().contains(&reason.to_owned()),
        "{:?}",
        run.reasons()
    );
    let told = lab.data(&["gate", "check"]);
    assert_ne!(told["verdict"]["verdict"], "pass", "{told:#}");
}

#[test]
fn a_report_that_was_there_is_old_under_any_name() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    lab.script("mv out/r.xml out/again.xml");
    refuses(&lab, "EVIDENCE_STALE");
    // Written long before the suite began, by whatever keeps times.
    lab.script(&format!(
        "rm -f out/*.xml; {}touch -d 2020-01-01 out/r.xml",
        writes(GREEN)
    ));
    refuses(&lab, "EVIDENCE_STALE");
}

#[test]
fn an_output_that_was_put_in_place_is_old() {
    let keys = format!("{JUNIT}outputs = [\"out/*.json\"]\n");
    let with = |how: &str| format!("{}{how}\n", writes(GREEN));
    let lab = Lab::with(&with("echo 1 > out/c.json"), &keys);
    let old = lab.beside("old.json");
    std::fs::write(&old, "1").unwrap();
    let long_ago =
        std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let file = std::fs::File::options().append(true).open(&old).unwrap();
    file.set_modified(long_ago).unwrap();
    lab.run(0, "pass");
    for how in [
        "rm -f out/*.json; cp -p ../old.json out/c.json",
        "rm -f out/*.json; ln ../old.json out/c.json",
        "mv out/c.json out/d.json",
        ":",
    ] {
        lab.script(&with(how));
        refuses(&lab, "EVIDENCE_STALE");
    }
    lab.script(&with("rm -f out/*.json; cp ../old.json out/c.json"));
    lab.run(0, "pass");
}

#[test]
fn a_report_whose_own_times_are_before_the_run_is_from_a_cache() {
    let suite = |time: &str| {
        format!(
            r#"<testsuite name="s" tests="2"{time}><testcase classname="c" name="a"/><testcase classname="c" name="b"/></testsuite>"#
        )
    };
    let lab = Lab::new(&writes(&suite(r#" timestamp="2026-01-01T00:00:00Z""#)));
    refuses(&lab, "EVIDENCE_CACHED_ONLY");
    lab.script(&writes(&suite(r#" timestamp="2026-01-01T00:00:00""#)));
    refuses(&lab, "EVIDENCE_CACHED_ONLY");
    // A suite of now beside one that is old makes it no younger. A time of now in any zone, a clock that nobody set, and no time.
    let now = r#" timestamp="'"$(date -u +%Y-%m-%dT%H:%M:%S)"'""#;
    let behind = r#" timestamp="'"$(TZ=XXX11 date +%Y-%m-%dT%H:%M:%S)"'""#;
    let both = format!(
        "<testsuites>{}{}</testsuites>",
        suite(r#" timestamp="2026-01-01T00:00:00Z""#).replace("name=\"s\"", "name=\"r\""),
        suite(now)
    );
    lab.script(&writes(&both));
    refuses(&lab, "EVIDENCE_CACHED_ONLY");
    for good in [
        suite(now),
        suite(behind),
        suite(r#" timestamp="1970-01-01T00:00:00Z""#),
        suite(""),
    ] {
        lab.script(&writes(&good));
        lab.run(0, "pass");
    }
}

#[test]
fn a_report_of_the_future_is_none() {
    let lab = Lab::new("");
    lab.script(&writes(
        r#"<testsuite name="s" tests="2" timestamp="2099-01-01T00:00:00Z"><testcase classname="c" name="a"/><testcase classname="c" name="b"/></testsuite>"#,
    ));
    refuses(&lab, "CLOCK_SKEW");
    // Of one that is ahead of UTC, it is of now.
    let ahead = r#"<testsuite name="s" tests="2" timestamp="'"$(TZ=XXX-14 date +%Y-%m-%dT%H:%M:%S)"'"><testcase classname="c" name="a"/><testcase classname="c" name="b"/></testsuite>"#;
    lab.script(&writes(ahead));
    lab.run(0, "pass");
}

#[test]
fn what_is_no_plain_file_is_not_left_out_in_silence() {
    let lab = Lab::new(&format!(
        "mkdir -p build; rm -f out/*; printf '%s' '{RED}' > build/b.xml; ln -s ../build/b.xml out/b.xml; {}",
        writes(GREEN)
    ));
    lab.write(".gitignore", "out/\nbuild/\n.gonogo/\n");
    lab.commit("build");
    refuses(&lab, "EVIDENCE_UNPARSABLE");
}

#[test]
fn an_outer_shard_is_not_this_runs() {
    let lab = Lab::with(
        "test -z \"$GONOGO_SHARD_INDEX$GONOGO_SHARD_TOTAL$GONOGO_SHARD_PLAN\" || exit 1",
        "",
    );
    let mut command = lab.command(&["suite", "run", "--profile", "ci"]);
    command
        .env("GONOGO_SHARD_INDEX", "0")
        .env("GONOGO_SHARD_TOTAL", "3");
    assert!(command.status().unwrap().success());
}

#[test]
fn a_run_of_other_commands_is_none_of_what_is_declared() {
    let lab = Lab::new(&fails());
    let declared = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(".gitignore", "out/\n.gonogo/\nx.toml\n");
    lab.commit("ignored");
    lab.write("green.sh", format!("mkdir -p out\n{}", writes(GREEN)));
    lab.commit("green");
    lab.write("x.toml", declared.replace("\"unit.sh\"", "\"green.sh\""));
    lab.gonogo(&["suite", "run", "--profile", "ci", "--config", "x.toml"])
        .expect(0);
    lab.check(&[], 3, "invalid")
        .tells("suites", "EVIDENCE_UNPARSABLE");
}

#[test]
fn a_change_does_not_name_its_own_base() {
    let lab = Lab::new(&writes(GREEN));
    lab.declare("[suites.more]\nclass = \"unit\"\ncommand = [\"false\"]\n");
    lab.commit("more");
    lab.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    lab.git(&["checkout", "-q", "-b", "trunk"]);
    let path = lab.path("gonogo.toml");
    let less = std::fs::read_to_string(&path).unwrap();
    let less = less.split("[suites.more]").next().unwrap().to_owned();
    lab.write("gonogo.toml", less);
    lab.commit("less");
    lab.run(0, "pass");
    let holds = || {
        lab.check(&[], 1, "hold")
            .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    };
    holds();
    // Tags and own branches of such names are no base.
    lab.git(&["tag", "origin/HEAD"]);
    lab.git(&["tag", "main"]);
    lab.git(&["branch", "-q", "-f", "master"]);
    holds();
    // One without common history is odd, and the next one is no better.
    lab.git(&["update-ref", "-d", "refs/remotes/origin/main"]);
    holds();
    let tree = lab.git(&["write-tree"]);
    let alone = lab.git(&["commit-tree", "-m", "alone", tree.trim()]);
    lab.git(&["update-ref", "refs/remotes/origin/main", alone.trim()]);
    holds();
}

#[test]
fn a_configuration_of_another_name_takes_nothing_away() {
    let lab = Lab::new(&writes(GREEN));
    lab.declare("[suites.more]\nclass = \"unit\"\ncommand = [\"false\"]\n");
    lab.commit("more");
    lab.git(&["checkout", "-q", "-b", "change"]);
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("ci.toml", text.split("[suites.more]").next().unwrap());
    lab.commit("less");
    let with = ["--config", "ci.toml"];
    lab.gonogo(&[&["suite", "run", "--profile", "ci"], with.as_slice()].concat())
        .expect(0);
    lab.check(&with, 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
}

#[test]
fn documents_of_an_invalid_run_are_none() {
    let keys = format!("{JUNIT}outputs = [\"out/*.json\"]\n");
    let lab = Lab::with(
        &format!(
            "{}echo '{{\"ok\": true}}' > out/d.json\nexit 1\n",
            writes(GREEN)
        ),
        &keys,
    );
    let gate = "schema = \"gonogo.gate.policy.v1\"\n[gates.d]\ntitle = \"d\"\nowner = \"core\"\nseverity = \"high\"\nblocking = true\nlanes = [\"full\"]\ncheck = { json = { document = \"run:unit/out/d.json\", rules = [ { pointer = \"/ok\", op = \"==\", value = true } ] } }\nremediation = \"Mend it.\"\n";
    lab.write("gates.toml", gate);
    lab.commit("gate");
    let run = lab.run(3, "invalid");
    assert!(run.reasons().contains(&"EXIT_CODE_CONFLICT".to_owned()));
    lab.check(&[], 3, "invalid")
        .tells("d", "EVIDENCE_UNPARSABLE");
}

#[test]
fn a_document_that_held_only_the_second_time_holds() {
    let keys = format!("{JUNIT}outputs = [\"out/*.json\"]\n");
    let script = format!("{}cp ../d.json out/d.json\n", writes(GREEN));
    let lab = Lab::with(&script, &keys);
    let gate = "schema = \"gonogo.gate.policy.v1\"\n[gates.d]\ntitle = \"d\"\nowner = \"core\"\nseverity = \"high\"\nblocking = true\nlanes = [\"full\"]\ncheck = { json = { document = \"run:unit/out/d.json\", rules = [ { pointer = \"/ok\", op = \"==\", value = true } ] } }\nremediation = \"Mend it.\"\n";
    lab.write("gates.toml", gate);
    lab.commit("gate");
    let document = lab.beside("d.json");
    let runs = |text: &str| {
        std::fs::write(&document, text).unwrap();
        lab.run(0, "pass");
    };
    runs("{\"ok\": true}");
    lab.check(&[], 0, "pass");
    runs("{\"ok\": true, \"again\": 1}");
    lab.check(&[], 0, "pass");
    runs("{\"ok\": false}");
    lab.check(&[], 2, "fail").tells("d", "CHECK_FAILED");
    runs("{\"ok\": true}");
    lab.check(&[], 1, "hold").tells("d", "FLAKY_BLOCKING");
}

#[test]
fn a_plain_command_is_reproduced() {
    let lab = Lab::with("echo 'a.c:3:5: error: no such thing' >&2; exit 1", "");
    lab.run(2, "fail");
    let ran = lab.gonogo(&["suite", "replay", "--json"]);
    ran.expect(2);
    let results = ran.envelope()["data"]["results"].clone();
    assert_eq!(results[0]["verdict"], "reproduced", "{results:#}");
}

#[test]
fn who_may_say_yes_stands_in_the_base() {
    let lab = Lab::new(&writes(GREEN));
    let key = |name: &str| {
        let file = lab.beside(&format!("{name}.pem"));
        let id = lab.data(&["key", "new", "--out", &file])["key"].clone();
        (file, id.as_str().unwrap().to_owned())
    };
    let ((dana, id), (own, own_id)) = (key("dana"), key("eve"));
    let policy = |max: &str, who: &str, id: &str| {
        let default = include_str!("../../../gate/src/policy/default.toml");
        let max = format!("max_age = \"{max}\"");
        let text = default.replace("max_age = \"24h\"", &max);
        assert!(text.contains(&max));
        format!("{text}\n[approvers]\n{who} = [\"{id}\"]\n")
    };
    lab.write("gates.toml", policy("23h", "dana", &id));
    lab.commit("policy");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("gates.toml", policy("30h", "eve", &own_id));
    lab.commit("longer, and somebody else approves");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    let approve = |more: &[&str]| {
        let args = [&["gate", "approve", "--policy"], more].concat();
        let ran = lab.gonogo(&args);
        (ran.status, ran.err)
    };
    for more in [
        &[][..],
        &["--as", "dana"],
        &["--as", "bo"],
        &["--as", "eve", "--key", &own],
        &["--as", "bo", "--key", &own],
    ] {
        let (status, said) = approve(more);
        assert_eq!(status, 77, "{more:?}: {said}");
        assert!(said.contains("does not list"), "{more:?}: {said}");
    }
    lab.check(&[], 1, "hold");
    let (status, said) = approve(&["--as", "erik", "--key", &dana]);
    assert_eq!(status, 77, "{said}");
    // What was refused left nothing behind: the key is still nobody else's.
    assert_eq!(approve(&["--as", "dana", "--key", &dana]).0, 0);
    lab.check(&[], 0, "excused")
        .tells("policy", "POLICY_CHANGE_APPROVED");
}

#[test]
fn the_author_under_the_systems_name_is_the_author() {
    let lab = Lab::new(&writes(GREEN));
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.declare("blocking = false\n");
    lab.commit("no longer blocks");
    lab.run(0, "pass");
    let approve = |name: &str| {
        let mut command = lab.command(&["gate", "approve", "--suites"]);
        command.env_remove("GONOGO_ACTOR").env("USER", name);
        let said = command.output().unwrap();
        (
            said.status.code(),
            String::from_utf8_lossy(&said.stderr).into_owned(),
        )
    };
    let (status, said) = approve("root");
    assert_eq!(status, Some(77), "{said}");
    assert!(said.contains("`ana`, who commits there"), "{said}");
    lab.gonogo(&["gate", "approve", "--suites", "--as", "bo"])
        .expect(0);
}

#[test]
fn what_git_keeps_in_another_form_is_told_from_what_it_would_check_out() {
    let lab = Lab::new(&writes(GREEN));
    lab.write(
        ".gitattributes",
        "*.id ident\n*.txt text eol=lf\n*.f filter=blank\n",
    );
    lab.git(&["config", "filter.blank.clean", "echo same"]);
    lab.git(&["config", "filter.blank.smudge", "cat"]);
    for (file, text) in [
        ("a.id", "$Id$\n"),
        ("b.txt", "one\n"),
        ("c.f", "same\n"),
        ("with \"quotes\" and\nlines.f", "same\n"),
        ("plain", "p\n"),
    ] {
        lab.write(file, text);
    }
    lab.commit("attributes");
    // As a clean checkout has it.
    std::fs::remove_file(lab.path("a.id")).unwrap();
    lab.git(&["checkout", "-q", "--", "a.id"]);
    let tree = |lab: &Lab| lab.run(0, "pass").summary()["source"]["tree"].to_string();
    let clean = tree(&lab);
    assert!(!clean.contains('+'), "{clean}");
    for (file, text) in [
        ("a.id", "$Id: a bug $\n"),
        ("b.txt", "one\r\n"),
        ("c.f", "another\n"),
        ("with \"quotes\" and\nlines.f", "another\n"),
    ] {
        let before = std::fs::read(lab.path(file)).unwrap();
        lab.write(file, text);
        assert_eq!(lab.git(&["diff", "HEAD", "--name-only"]), "", "{file}");
        let changed = tree(&lab);
        assert_ne!(changed, clean, "{file}");
        lab.write(file, before);
        assert_eq!(tree(&lab), clean, "{file}");
    }
}

#[test]
fn what_a_suite_writes_among_the_runs_files_is_told() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    for (does, told) in [
        (
            "echo '{}' > $d/environment.json",
            "`environment.json` was changed",
        ),
        ("echo >> $d/preflight.json", "`preflight.json` was changed"),
        (
            "rm $d/environment.json",
            "`environment.json` was taken away",
        ),
        (
            "echo x > $d/flake_events.jsonl",
            "`flake_events.jsonl` was put there",
        ),
        (
            "mkdir -p $d/e2e/x; echo '{}' > $d/e2e/x/result.json",
            "`e2e/x/result.json` was put there",
        ),
    ] {
        lab.script(&format!(
            "{}for d in .gonogo/runs/suite/*/; do [ -e $d/summary.json ] || {{ {does}; }}; done\n",
            writes(GREEN)
        ));
        let run = lab.run(3, "invalid");
        let told_of = run.reasons().contains(&"ARTIFACTS_CHANGED".to_owned());
        assert!(told_of, "{does}: {:?}", run.reasons());
        let text = run.summary()["problems"].to_string();
        assert!(text.contains(told), "{does}: {text}");
    }
}

#[test]
fn a_run_of_another_configuration_is_none_of_this_one() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    // The same tree, commands and names, and another environment.
    let own = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let other = own.replace(
        "owner = \"ana\"",
        "env = { GREEN = \"1\" }\nowner = \"ana\"",
    );
    assert_ne!(own, other);
    lab.write(".git/info/exclude", "x.toml\n");
    lab.write("x.toml", other);
    lab.gonogo(&["--config", "x.toml", "suite", "run", "--profile", "ci"])
        .expect(0);
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_OTHER_DECLARATION");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
}
