//! A tree of which something is not here, and a history that is told otherwise than the commits have it: neither stands for the whole.

use crate::lab::{GREEN, Lab, Run, fails, writes};

/// A suite that fails where the file `bug` is.
fn hunting(bug: &str) -> String {
    format!("if [ -e {bug} ]; then {} fi\n{}", fails(), writes(GREEN))
}

fn tree(run: &Run) -> String {
    run.summary()["source"]["tree"].as_str().unwrap().to_owned()
}

/// Whether the run tells this beside its result.
fn told(run: &Run, what: &str) -> bool {
    let warnings = run.json("evidence_contract.json")["warnings"].to_string();
    warnings.contains(what)
}

#[test]
fn a_sparse_checkout_is_another_tree() {
    let lab = Lab::new(&hunting("tests/bug"));
    lab.write("tests/bug", "");
    lab.write("docs/page", "");
    lab.commit("bug");
    for sparse in [
        &["--no-cone", "/*", "!/tests/"][..],
        &["--cone", "docs"],
        &["--cone", "--sparse-index", "docs"],
    ] {
        lab.git(&[&["sparse-checkout", "set"], sparse].concat());
        assert!(!lab.path("tests").exists());
        assert_eq!(lab.git(&["status", "--porcelain"]), "");
        let part = lab.run(0, "pass");
        assert!(
            told(&part, "sparse, and 1 of"),
            "{part:?}",
            part = part.data
        );
        assert_eq!(part.summary()["source"]["dirty"], true);
        lab.git(&["sparse-checkout", "disable"]);
        assert!(lab.path("tests/bug").exists());
        lab.check(&[], 3, "hold")
            .tells("suites", "EVIDENCE_WRONG_TREE");
    }
    let whole = lab.run(2, "fail");
    assert_eq!(
        tree(&whole),
        format!("git:{}", lab.git(&["rev-parse", "HEAD^{tree}"]).trim())
    );
    assert!(!told(&whole, "sparse"));
}

#[test]
fn what_was_run_in_a_sparse_checkout_is_shown_again_there() {
    let lab = Lab::new(&fails());
    lab.write("docs/page", "");
    lab.write("tests/page", "");
    lab.commit("more");
    lab.git(&["sparse-checkout", "set", "--cone", "docs"]);
    lab.run(2, "fail");
    let ran = lab.gonogo(&["suite", "replay", "--json"]);
    ran.expect(2);
    let results = ran.envelope()["data"]["results"].clone();
    assert_eq!(results[0]["verdict"], "reproduced", "{results:#}");
}

#[test]
fn a_submodule_that_is_not_checked_out_is_another_tree() {
    let lab = Lab::new(&hunting("sub/bug"));
    let other = lab.beside("other");
    std::fs::create_dir(&other).unwrap();
    let within = |args: &[&str]| lab.git(&[&["-C", &other], args].concat());
    within(&["init", "-q", "-b", "main"]);
    std::fs::write(format!("{other}/bug"), "").unwrap();
    within(&["add", "-A"]);
    within(&["commit", "-q", "-m", "one"]);
    let fetch = |args: &[&str]| {
        lab.git(
            &[
                &["-c", "protocol.file.allow=always", "submodule", "-q"],
                args,
            ]
            .concat(),
        )
    };
    fetch(&["add", &other, "sub"]);
    lab.commit("submodule");
    let whole = tree(&lab.run(2, "fail"));
    assert!(!whole.contains('+'), "{whole}");
    // As a clone has it: an empty directory, or one with something else in it, a repository without a commit among them.
    for also in ["", "file", "init", "target/file"] {
        fetch(&["deinit", "-f", "sub"]);
        match also {
            "" => {}
            "init" => {
                lab.git(&["-C", "sub", "init", "-q"]);
            }
            file => lab.write(&format!("sub/{file}"), "x"),
        }
        let part = lab.run(0, "pass");
        assert_ne!(tree(&part), whole, "{also}");
        assert!(
            also == "init" || told(&part, "`sub` not checked out"),
            "{also}"
        );
        std::fs::remove_dir_all(lab.path("sub")).unwrap();
        std::fs::create_dir(lab.path("sub")).unwrap();
        std::fs::remove_dir_all(lab.path(".git/modules/sub")).unwrap();
        fetch(&["update", "--init"]);
        assert!(lab.path("sub/bug").exists());
        // The red run is the newest of the whole tree, whatever ran in part.
        lab.check(&[], 2, "fail").tells("suites", "TEST_FAILED");
    }
    assert_eq!(tree(&lab.run(2, "fail")), whole);
}

#[test]
fn a_link_that_is_here_as_a_file_is_another_tree() {
    let lab = Lab::new(&hunting("now/bug"));
    lab.write("later/bug", "");
    std::os::unix::fs::symlink("later", lab.path("now")).unwrap();
    lab.commit("link");
    let whole = tree(&lab.run(2, "fail"));
    lab.git(&["config", "core.symlinks", "false"]);
    std::fs::remove_file(lab.path("now")).unwrap();
    lab.git(&["checkout", "-q", "--", "now"]);
    assert!(lab.path("now").is_file());
    assert_eq!(lab.git(&["status", "--porcelain"]), "");
    assert_ne!(tree(&lab.run(0, "pass")), whole);
    lab.git(&["config", "core.symlinks", "true"]);
    std::fs::remove_file(lab.path("now")).unwrap();
    lab.git(&["checkout", "-q", "--", "now"]);
    lab.check(&[], 2, "fail").tells("suites", "TEST_FAILED");
}

#[test]
fn links_that_lead_out_of_the_tree_are_told() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("own", "");
    for (link, to) in [("in", "own"), ("dir", "."), ("nowhere", "none")] {
        std::os::unix::fs::symlink(to, lab.path(link)).unwrap();
    }
    lab.commit("links");
    assert!(!told(&lab.run(0, "pass"), "links lead to"));
    std::fs::write(lab.beside("beside"), "").unwrap();
    std::os::unix::fs::symlink("../beside", lab.path("lib")).unwrap();
    std::os::unix::fs::symlink("out/r.xml", lab.path("old")).unwrap();
    lab.commit("out");
    let run = lab.run(0, "pass");
    assert!(told(&run, "`lib` (to `../beside`), `old` (to `out/r.xml`)"));
    let said = lab.gonogo(&["suite", "run", "--profile", "ci"]);
    assert!(said.err.contains("`lib` (to `../beside`)"), "{}", said.err);
}

/// A branch with a weaker declaration, its own bug, and grafts or merges to come.
fn weaker(lab: &Lab) {
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.declare("env = { GREEN = \"1\" }\n");
    lab.commit("weaker");
}

#[test]
fn grafts_are_no_history() {
    let lab = Lab::new(&writes(GREEN));
    weaker(&lab);
    lab.git(&["checkout", "-q", "main"]);
    lab.commit("main goes on");
    lab.git(&["checkout", "-q", "change"]);
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    let id = |name: &str| lab.git(&["rev-parse", name]).trim().to_owned();
    // Main comes after the change, they say.
    let graft = format!("{} {}\n", id("main"), id("change"));
    lab.write(".git/info/grafts", graft);
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    // Whoever wrote the change did not, they say.
    lab.git(&[
        "-c",
        "user.name=bo",
        "commit",
        "-q",
        "--allow-empty",
        "--author",
        "bo <bo@example.org>",
        "-m",
        "more",
    ]);
    let graft = format!("{} {}\n", id("change"), id("main"));
    lab.write(".git/info/grafts", graft);
    lab.gonogo(&["gate", "approve", "--suites", "--as", "ana"])
        .expect(77);
}

/// Writes git's table of commits, in which `child` has `parent` for its parent (gitformat-commit-graph: the chunk `CDAT` has the tree, the
/// places of two parents, and 30 bits of generation before 34 of time; the order is that of `OIDL`).
fn forge_commit_graph(lab: &Lab, child: &str, parent: &str) {
    lab.git(&[
        "-c",
        "commitGraph.generationVersion=1",
        "commit-graph",
        "write",
        "--reachable",
    ]);
    let path = lab.path(".git/objects/info/commit-graph");
    let mut table = std::fs::read(&path).unwrap();
    let number = |at: usize| u64::from_be_bytes(table[at..at + 8].try_into().unwrap()) as usize;
    let chunk = |name: &[u8]| {
        let entry = (8..).step_by(12).find(|at| table[*at..].starts_with(name));
        number(entry.unwrap() + 4)
    };
    let (ids, data) = (chunk(b"OIDL"), chunk(b"CDAT"));
    let place = |id: &str| {
        let id: Vec<u8> = (0..40)
            .step_by(2)
            .map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap())
            .collect();
        (0..)
            .find(|n| table[ids + n * 20..].starts_with(&id))
            .unwrap()
    };
    let (child, parent) = (data + place(child) * 36, place(parent));
    table[child + 20..child + 24].copy_from_slice(&u32::try_from(parent).unwrap().to_be_bytes());
    // It is one generation later than it was.
    table[child + 31] += 4;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, table).unwrap();
}

#[test]
fn a_table_of_commits_is_no_history() {
    let lab = Lab::new(&writes(GREEN));
    weaker(&lab);
    lab.git(&["checkout", "-q", "main"]);
    // The commits that are named are read whole; the table is asked for those behind them.
    lab.commit("main goes on");
    lab.commit("and on");
    lab.git(&["checkout", "-q", "change"]);
    lab.run(0, "pass");
    let id = |name: &str| lab.git(&["rev-parse", name]).trim().to_owned();
    forge_commit_graph(&lab, &id("main~1"), &id("change"));
    let said = lab.git(&[
        "-c",
        "core.commitGraph=true",
        "merge-base",
        "main",
        "change",
    ]);
    assert_eq!(said.trim(), id("change"), "git itself believes it");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
}

#[test]
fn of_several_commits_in_common_none_is_believed_alone() {
    for newer in ["main", "change"] {
        let lab = Lab::new(&writes(GREEN));
        let id = |name: &str| lab.git(&["rev-parse", name]).trim().to_owned();
        weaker(&lab);
        let base = id("main");
        // Two commits as near as each other; git names the newer one first.
        let dated = |at: &str, parent: &str, tree: &str| {
            let tree = format!("{tree}^{{tree}}");
            let mut command = lab.git_command(&["commit-tree", &tree, "-p", parent, "-m", at]);
            let date = format!("2026-01-0{at}T00:00:00Z");
            command.env("GIT_COMMITTER_DATE", date);
            let said = command.output().unwrap();
            String::from_utf8(said.stdout).unwrap().trim().to_owned()
        };
        let (own, theirs) = match newer {
            "main" => (dated("1", &base, "change"), dated("2", &base, "main")),
            _ => (dated("2", &base, "change"), dated("1", &base, "main")),
        };
        let merged = |of: &str, with: &str, tree: &str| {
            let tree = format!("{tree}^{{tree}}");
            let args = ["commit-tree", &tree, "-p", of, "-p", with, "-m", "merged"];
            lab.git(&args).trim().to_owned()
        };
        // Main took the branch in without what it declares, the branch took main in without what that does.
        let main = merged(&theirs, &own, "main");
        let change = merged(&own, &theirs, "change");
        lab.git(&["update-ref", "refs/heads/main", &main]);
        lab.git(&["reset", "-q", "--hard", &change]);
        assert_eq!(
            lab.git(&["merge-base", "--all", "main", "HEAD"])
                .lines()
                .count(),
            2
        );
        lab.write("more", "");
        lab.commit("more");
        lab.run(0, "pass");
        lab.check(&[], 1, "hold")
            .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
        lab.gonogo(&["gate", "approve", "--suites", "--as", "ana"])
            .expect(77);
        // As main has it is not as both have it.
        lab.git(&["checkout", "-q", "main", "--", "gonogo.toml"]);
        lab.commit("as main has it");
        lab.run(0, "pass");
        let held = lab.data(&["gate", "check"]);
        assert!(
            held.to_string().contains("several commits in common"),
            "{held:#}"
        );
        // Merged once more, there is one.
        lab.git(&["merge", "-q", "--no-edit", "main"]);
        lab.run(0, "pass");
        lab.check(&[], 0, "pass");
    }
}
