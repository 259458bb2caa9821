//! What others hold of the ledger, and what it may be called for that: exports that lost something, policies that ask nobody, and
//! cosignatures that are none.

use std::path::Path;

use gonogo_app::log::Vkey;
use serde_json::Value;

use crate::ledgers::{demand, witness};
use crate::project::{CONFIG, Project, files};

/// The only file below `dir`.
fn only(dir: &Path) -> std::path::PathBuf {
    let all: Vec<_> = files(dir).into_keys().collect();
    let [one] = all.as_slice() else {
        panic!("{all:?}");
    };
    one.clone()
}

#[test]
fn an_export_is_read_back_whole_and_mended_or_refused() {
    let project = Project::new();
    project.plan("1.0.0");
    let there = project.path("there");
    let export = ["ledger", "export", "there"];
    let first = project.data(&export);
    assert_eq!(
        (&first["missing"], &first["before"]),
        (&0.into(), &Value::Null)
    );
    let whole = first["uploaded"].as_u64().unwrap();
    let again = project.data(&export);
    assert_eq!(again["uploaded"], 0);
    assert_eq!(again["compared"], whole, "{again:#}");

    // Lost there: written again, and said.
    std::fs::remove_file(only(&there.join("tile/entries"))).unwrap();
    std::fs::remove_file(only(&there.join("tile/0"))).unwrap();
    let ran = project.run(&export);
    ran.expect(0);
    assert!(ran.out.contains(" 2 files written ("), "{}", ran.out);
    assert!(
        ran.out.contains(", 2 of them were missing; "),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("read and compared"), "{}", ran.out);
    std::fs::remove_file(only(&there.join("tile/0"))).unwrap();
    let mended = project.data(&export);
    assert_eq!(
        (&mended["uploaded"], &mended["missing"]),
        (&1.into(), &1.into())
    );
    assert_eq!(mended["compared"], whole - 1);

    // Changed there: named and left alone, and the checkpoint does not move, also not when there is something new. What the new
    // checkpoint needs no more is not looked at.
    let bundle = only(&there.join("tile/entries"));
    let bytes = std::fs::read(&bundle).unwrap();
    let mut other = bytes.clone();
    other[20] ^= 1;
    std::fs::write(&bundle, &other).unwrap();
    let before = files(&there);
    let refused = ["ledger", "export", "there", "--json"];
    let error = project.run(&refused).refusal(2, &["EXPORT_CONFLICT"]);
    let name = bundle.strip_prefix(&there).unwrap().to_str().unwrap();
    let text = error["message"].as_str().unwrap();
    assert!(text.contains(&format!("`{name}`")), "{text}");
    assert_eq!(files(&there), before);
    std::fs::write(&bundle, &bytes).unwrap();
    project.plan("2.0.0");
    assert_eq!(project.data(&export)["missing"], 0);
}

/// Everything that speaks of witnesses refuses the policy, with `what` in its words; nothing is promoted, and the way back is open.
fn refuses_policy(project: &Project, waiting: &str, what: &str) {
    for args in [
        &["plan", "--to", "2.0.0"][..],
        &["release", "--to", "2.0.0"],
        &["apply", waiting],
        &["ledger", "cosign"],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let error = project.run(&args).refusal(78, &["CONFIG_VALUE"]);
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(what), "{args:?}: {text}");
    }
    let status = project.data(&["ledger", "status"]);
    assert_eq!(status["witnessed"], Value::Null, "{status:#}");
    let why = status["unwitnessed"].as_str().unwrap();
    assert!(why.contains(what), "{why}");
    assert_eq!(project.serves(), ["1.1.0:10000"]);
}

#[test]
fn a_policy_that_asks_nobody_or_the_log_itself_witnesses_nothing() {
    let project = Project::new();
    project.behave("1.1.0", "version = \"1.1.0\"\n");
    let load = project.load(300.0);
    project.data(&["release", "--to", "1.0.0"]);
    project.data(&["release", "--to", "1.1.0"]);
    let seer = witness(&project, "seer.example");
    demand(&project, &[&seer], "quorum seer.example\n");
    let waiting = project.approved("2.0.0");
    assert_eq!(project.data(&["ledger", "cosign"])["quorum"], true);
    let good = project.data(&["ledger", "status"]);
    assert_eq!(good["witnessed"], good["size"], "{good:#}");
    assert_eq!(good["unwitnessed"], Value::Null);

    // Now it asks nobody; then the log's own key, as a witness of another name.
    demand(&project, &[&seer], "quorum none\n");
    refuses_policy(&project, &waiting, "`quorum none`");
    let log: Vkey = good["logKey"].as_str().unwrap().parse().unwrap();
    let own = Vkey::cosigner("seer.example", log.public().try_into().unwrap()).unwrap();
    let policy = format!("log {log}\nwitness seer.example {own}\nquorum seer.example\n");
    std::fs::write(project.path("policy"), policy).unwrap();
    refuses_policy(&project, &waiting, "no witness of itself");

    project.data(&["rollback", "--yes"]);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    load.stop();
    load.join();
}

#[test]
fn only_what_a_quorum_cosigned_is_called_witnessed() {
    let project = Project::new();
    project.plan("1.0.0");
    let seer = witness(&project, "seer.example");
    demand(&project, &[&seer], "quorum seer.example\n");
    let kept = project.path(".gonogo/ledger/witnessed");
    let status = || project.data(&["ledger", "status"]);
    assert_eq!(status()["witnessed"], Value::Null);
    assert_eq!(status()["unwitnessed"], Value::Null);
    let void = |what: &str| {
        let found = status();
        assert_eq!(found["witnessed"], Value::Null, "{found:#}");
        let why = found["unwitnessed"].as_str().unwrap();
        assert!(why.contains(what), "{why}");
        let ran = project.run(&["ledger", "status"]);
        ran.expect(0);
        assert!(ran.out.contains("witnessed   nothing: "), "{}", ran.out);
        assert!(ran.out.contains(what), "{}", ran.out);
    };
    // A checkpoint that only the log has signed.
    std::fs::copy(project.path(".gonogo/ledger/checkpoint"), &kept).unwrap();
    void("needed: seer.example");
    std::fs::write(&kept, "nonsense\n").unwrap();
    void("witnessed");
    std::fs::remove_file(&kept).unwrap();
    project.data(&["ledger", "cosign"]);
    let found = status();
    assert_eq!(found["witnessed"], found["size"], "{found:#}");

    // The policy of now decides, not the one that it was cosigned under.
    let other = witness(&project, "other.example");
    demand(&project, &[&other], "quorum other.example\n");
    void("needed: other.example");
    std::fs::write(project.path("policy"), "quorum\n").unwrap();
    void("not a policy: line 1: ");
    project.configure(CONFIG);
    void("no policy");
}
