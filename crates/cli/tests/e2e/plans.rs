//! Plans: what cannot be planned, what a plan pins, and that an edited or outdated one is refused.

use serde_json::Value;

use crate::project::{CONFIG, Project, files};

#[test]
fn what_cannot_be_planned_is_refused_and_leaves_no_plan() {
    let project = Project::new();
    let two = CONFIG.replace("[strategies.quick]", "[environments.staging]\ntarget = \"host\"\nlisten = \"127.0.0.1:9\"\ngates = \"none\"\napproval = \"self\"\n\n[strategies.quick]");

    let error = project.refuses(&["plan", "--to", "9.9.9"], 66, &["ARTIFACT_MISSING"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("versions/9.9.9.toml"),
        "{error}"
    );

    std::fs::create_dir(project.path("versions/dir.toml")).unwrap();
    let error = project.refuses(&["plan", "--to", "dir"], 65, &["ARTIFACT_UNREADABLE"]);
    assert!(
        error["message"].as_str().unwrap().contains("not a file"),
        "{error}"
    );

    project.configure(&two);
    let error = project.refuses(
        &["plan", "--env", "lcoal", "--to", "1.0.0"],
        64,
        &["ENVIRONMENT_UNKNOWN"],
    );
    assert!(
        error["details"]["hints"]
            .to_string()
            .contains("did you mean `local`"),
        "{error}"
    );
    let error = project.refuses(&["plan", "--to", "1.0.0"], 64, &["ENVIRONMENT_UNKNOWN"]);
    assert!(
        error.to_string().contains("local") && error.to_string().contains("staging"),
        "{error}"
    );

    let listed = CONFIG.replace("[version]", "[versions.\"1.4.0\"]");
    project.configure(&listed);
    let error = project.refuses(&["plan", "--to", "1.4.1"], 64, &["VERSION_UNKNOWN"]);
    assert!(
        error["details"]["hints"]
            .to_string()
            .contains("did you mean `1.4.0`"),
        "{error}"
    );
    project.refuses(&["plan", "--to", "../1.4.0"], 64, &["ARGUMENT_INVALID"]);

    assert!(files(&project.path(".gonogo/plans")).is_empty());
}

#[test]
fn the_same_intent_over_the_same_content_is_the_same_plan() {
    let project = Project::new();
    let first = project.data(&["plan", "--to", "1.0.0"]);
    let again = project.data(&["plan", "--to", "1.0.0"]);
    assert_eq!(first["plan"], again["plan"]);
    assert_eq!(
        (&first["fresh"], &again["fresh"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(
        project.records("plan").len(),
        1,
        "the second request is no second plan"
    );

    project.behave("1.0.0", "version = \"1.0.0\"\np50_ms = 2\n");
    let other = project.data(&["plan", "--to", "1.0.0"]);
    assert_ne!(
        first["plan"]["fingerprint"], other["plan"]["fingerprint"],
        "one artifact's bytes are another plan"
    );
    assert_ne!(first["plan"]["id"], other["plan"]["id"]);

    let id = first["plan"]["id"].as_str().unwrap();
    project
        .run(&["plan", "show", id])
        .expect(0)
        .matches("plan-show");
    // A prefix of the id is enough, with or without its kind.
    for name in [&id[..9], &id[4..10]] {
        assert_eq!(project.data(&["plan", "show", name])["plan"], first["plan"]);
    }
    project.refuses(&["plan", "show", "pln_zzzz"], 66, &["PLAN_NOT_FOUND"]);
    project.refuses(&["plan", "show", ""], 64, &["ARGUMENT_INVALID"]);

    let diff = project.data(&["plan", "diff", id]);
    let paths: Vec<&str> = diff["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["to.artifacts.0.bytes", "to.artifacts.0.sha256"]);
    project.run(&["plan", "diff", id]).expect(0);
    project
        .run(&["plan", "diff", id, "--exit-code"])
        .expect(1)
        .matches("plan-diff");
    let other = other["plan"]["id"].as_str().unwrap();
    project
        .run(&["plan", "diff", other, "--exit-code"])
        .expect(0);
    project
        .run(&["plan", "diff", id, "--against", other, "--exit-code"])
        .expect(1);
}

#[test]
fn lint_says_what_cannot_work_before_anybody_approves() {
    let project = Project::new();
    let id = project.plan("1.0.0");
    project
        .run(&["plan", "lint", &id])
        .expect(1)
        .matches("plan-lint");

    // The program is not an artifact and is not there; and the soak cannot be proven at any rate that a machine reaches.
    project.configure(
        &CONFIG
            .replace("PROGRAM", "no-such-program")
            .replace("min_requests = 30", "min_requests = 900000000"),
    );
    let error = project.refuses(&["plan", "--to", "1.0.0"], 78, &["PLAN_LINT"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("no-such-program"),
        "{error}"
    );
    assert!(
        error["details"]["findings"].as_array().unwrap().len() >= 2,
        "{error:#}"
    );
    project
        .run(&["plan", "--to", "1.0.0"])
        .matches("plan-lint-error");

    // A plan that only its requester could approve, where the requester may not.
    let key = project.data(&["key", "show", ".gonogo/keys/you.p256.pem"])["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let alone = format!(
        "approval = {{ required = 1, approvers = [{{ id = \"you\", role = \"owner\", key = \"{key}\" }}], \
         requesters = [{{ id = \"rita\", key = \"{}\" }}] }}",
        "0".repeat(64)
    );
    project.configure(&CONFIG.replace("approval = \"self\"", &alone));
    let error = project.refuses(&["plan", "--to", "1.0.0"], 78, &["PLAN_LINT"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("may not approve too"),
        "{error}"
    );
}

#[test]
fn a_version_that_serves_already_is_nothing_to_do() {
    let project = Project::serving();
    let before = project.world();
    for args in [["plan", "--to", "1.0.0"], ["release", "--to", "1.0.0"]] {
        let data = project.data(&args);
        assert_eq!(data["status"], "nothing_to_do", "{data}");
        let told = project.run(&args);
        told.expect(0);
        assert!(told.out.starts_with("nothing to do: "), "{}", told.out);
    }
    assert_eq!(project.world(), before);
}

/// One edit of a plan's file, by name.
type Edit = (&'static str, fn(String) -> String);

#[test]
fn a_plan_edited_by_hand_is_refused() {
    let project = Project::new();
    let id = project.approved("1.0.0");
    let path = project.path(&format!(".gonogo/plans/{id}.json"));
    let good = std::fs::read_to_string(&path).unwrap();
    fn swap(text: &str, from: &str, to: &str) -> String {
        assert!(text.contains(from), "{from} in {text}");
        text.replacen(from, to, 1)
    }
    let edits: [Edit; 10] = [
        ("a byte of the body", |t| {
            swap(&t, "\"service\": \"shop\"", "\"service\": \"shoq\"")
        }),
        ("the fingerprint", |t| {
            let at = t.find("v2:sha256:").unwrap() + 10;
            let digit = if &t[at..=at] == "0" { "1" } else { "0" };
            format!("{}{digit}{}", &t[..at], &t[at + 1..])
        }),
        ("the requester", |t| {
            swap(&t, "\"requester\": \"you\"", "\"requester\": \"eve\"")
        }),
        ("the time", |t| {
            let at = t.find("\"created_at\": \"2").unwrap() + 15;
            format!("{}1{}", &t[..at], &t[at + 1..])
        }),
        ("its id", |t| swap(&t, "\"id\": \"pln_", "\"id\": \"pln_0")),
        ("its end", |t| t[..t.len() / 2].to_owned()),
        ("everything", |_| String::new()),
        ("a byte that says nothing", |t| format!("{t} ")),
        ("an extra key", |t| swap(&t, "{", "{\n  \"force\": true,")),
        ("a repeated key", |t| {
            swap(
                &t,
                "\"requester\": \"you\"",
                "\"requester\": \"you\", \"requester\": \"you\"",
            )
        }),
    ];
    for (what, edit) in edits {
        let bad = edit(good.clone());
        assert_ne!(bad, good, "{what}");
        std::fs::write(&path, bad).unwrap();
        let error = project.refuses(&["apply", &id], 2, &["PLAN_EDITED"]);
        assert_eq!(error["code"], "CONFLICT", "{what}: {error}");
        project.refuses(&["approve", &id], 2, &["PLAN_EDITED"]);
        // Whoever only looks is not shown it either.
        for look in ["show", "lint", "diff"] {
            project.refuses(&["plan", look, &id], 2, &["PLAN_EDITED"]);
        }
    }
    assert!(
        project.serves().is_empty(),
        "an edited plan started something"
    );

    std::fs::remove_file(&path).unwrap();
    project.refuses(&["apply", &id], 66, &["PLAN_NOT_FOUND"]);
}

#[test]
fn what_changed_after_planning_is_named_and_refused() {
    let project = Project::new();
    let id = project.approved("1.0.0");
    let config = project.text("gonogo.toml");

    let artifact = project.text("versions/1.0.0.toml");
    project.behave("1.0.0", &format!("{artifact}\n"));
    let error = project.refuses(&["apply", &id], 2, &["ARTIFACT_CHANGED"]);
    assert_eq!(error["code"], "CONFLICT");
    assert!(error.to_string().contains("plan diff"), "{error}");

    std::fs::write(
        project.path("gonogo.toml"),
        format!("{config}\n# a comment\n"),
    )
    .unwrap();
    project.refuses(&["apply", &id], 2, &["ARTIFACT_CHANGED", "CONFIG_CHANGED"]);
    project.behave("1.0.0", &artifact);
    project.refuses(&["apply", &id], 2, &["CONFIG_CHANGED"]);

    // A policy that asks for less is another plan like every other change.
    std::fs::write(
        project.path("gonogo.toml"),
        config.replace("limit = \"15%\"", "limit = \"90%\""),
    )
    .unwrap();
    let error = project.refuses(&["apply", &id], 2, &["CONFIG_CHANGED"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("checks.errors.limit"),
        "{error}"
    );

    std::fs::write(project.path("gonogo.toml"), &config).unwrap();
    std::fs::remove_file(project.path("versions/1.0.0.toml")).unwrap();
    project.refuses(&["apply", &id], 66, &["ARTIFACT_MISSING"]);
    assert!(project.serves().is_empty());
    project.run(&["apply", &id]).matches("apply-artifact-gone");

    // Every refusal is evidence.
    let refusals = project.records("refusal");
    assert_eq!(refusals.len(), 6);
    assert!(
        refusals.iter().all(|r| r["stream"] == format!("plan/{id}")),
        "{refusals:?}"
    );
}

#[test]
fn a_plan_that_was_only_copied_in_is_refused() {
    let (here, there) = (Project::new(), Project::new());
    let id = there.plan("1.0.0");
    here.plan("1.0.0");
    let file = format!(".gonogo/plans/{id}.json");
    std::fs::copy(there.path(&file), here.path(&file)).unwrap();
    for command in [
        ["apply", &id].as_slice(),
        &["approve", &id],
        &["plan", "show", &id],
    ] {
        here.refuses(command, 2, &["PLAN_UNRECORDED"]);
    }
    assert!(here.serves().is_empty());
}

#[test]
fn a_target_that_moved_since_planning_is_refused() {
    let project = Project::serving();
    let load = project.load(300.0);
    project.behave("1.1.0", "version = \"1.1.0\"\n");
    project.run(&["release", "--to", "1.1.0"]).expect(0);
    let early = project.approved("2.0.0");
    // Going back makes no plan that would replace it.
    project.run(&["rollback", "--yes"]).expect(0);
    load.stop();
    load.join();
    let error = project.refuses(&["apply", &early], 2, &["BASE_STATE_MOVED"]);
    assert_eq!(error["code"], "CONFLICT");
    project.run(&["apply", &early]).matches("base-moved");
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // Nobody's yes is asked before that is told, and no yes at all is told first.
    let never = project.plan("2.0.0");
    project.refuses(&["apply", &early], 2, &["PLAN_SUPERSEDED"]);
    project.refuses(&["apply", &never], 77, &["APPROVAL_MISSING"]);
}
