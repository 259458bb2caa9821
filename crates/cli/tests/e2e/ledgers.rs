//! The ledger as a whole: looked at, checked, published, witnessed and kept.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::project::{CONFIG, Project, Running, finish, free_port, wait};

/// A running witness: its name, its line in a policy, and the process.
pub(crate) struct Seer {
    line: String,
    port: u16,
    dir: PathBuf,
    running: Option<Running>,
}

/// Makes a witness and starts it for the project's log.
pub(crate) fn witness(project: &Project, name: &str) -> Seer {
    let dir = project.path(&format!("witness-{name}"));
    let dir_text = dir.to_str().unwrap().to_owned();
    let made = project.data(&["witness", "init", "--dir", &dir_text, "--name", name]);
    let port = free_port();
    let key = made["key"].as_str().unwrap();
    let mut seer = Seer {
        line: format!("witness {name} {key} http://127.0.0.1:{port}\n"),
        port,
        dir,
        running: None,
    };
    start(project, name, &mut seer);
    seer
}

fn start(project: &Project, name: &str, seer: &mut Seer) {
    let log = project.data(&["ledger", "status"])["logKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let listen = format!("127.0.0.1:{}", seer.port);
    let dir = seer.dir.to_str().unwrap();
    seer.running = Some(project.start(&[
        "witness", "serve", "--dir", dir, "--name", name, "--log", &log, "--listen", &listen,
    ]));
    wait("the witness", Duration::from_secs(20), || {
        TcpStream::connect(("127.0.0.1", seer.port)).ok()
    });
}

/// A configuration in which evidence must be witnessed, and the policy for it.
pub(crate) fn demand(project: &Project, seers: &[&Seer], quorum: &str) {
    let log = project.data(&["ledger", "status"])["logKey"].clone();
    let mut policy = format!("log {}\n", log.as_str().unwrap());
    for seer in seers {
        policy += &seer.line;
    }
    policy += quorum;
    std::fs::write(project.path("policy"), policy).unwrap();
    project.configure(
        &CONFIG
            .replace(
                "service = \"shop\"\n",
                "service = \"shop\"\n\n[ledger]\npolicy = \"policy\"\nwitness_within = \"2s\"\n",
            )
            .replace(
                "gates = \"none\"\n",
                "gates = \"none\"\nevidence = \"witnessed\"\n",
            ),
    );
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copied(&from, &to);
        } else if from.is_file() {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

/// A public key that openssl could have made.
fn public_key(project: &Project, name: &str) -> String {
    let secret = project.path(&format!("{name}.key"));
    project.data(&["key", "new", "--out", secret.to_str().unwrap()]);
    let key = gonogo_app::identity::read_key(&secret).unwrap();
    let path = project.path(&format!("{name}.pem"));
    std::fs::write(&path, key.public().pem()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn keys(project: &Project) -> Vec<Value> {
    project.data(&["ledger", "keys", "list"])["keys"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn without_a_ledger_there_is_nothing_to_look_at() {
    let project = Project::new();
    for args in [
        &["ledger", "status"][..],
        &["ledger", "fsck"],
        &["ledger", "tail"],
        &["ledger", "reindex"],
        &["ledger", "consistency", "--from", "1"],
        &["ledger", "export", "there"],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        project.run(&args).refusal(66, &["INPUT_NOT_FOUND"]);
    }
    assert!(!project.path(".gonogo/ledger").exists(), "looking made one");
}

#[test]
fn keys_come_change_and_go_each_by_a_record() {
    let project = Project::new();
    let dana = public_key(&project, "dana");
    project.data(&["ledger", "keys", "enrol", &dana, "--who", "dana"]);
    project
        .run(&["ledger", "keys", "enrol", &dana, "--who", "eve", "--json"])
        .refusal(2, &["IDEMPOTENCY_CONFLICT"]);
    project
        .run(&[
            "ledger",
            "keys",
            "enrol",
            &dana,
            "--who",
            "dana",
            "--role",
            "controller",
            "--json",
        ])
        .refusal(64, &["ARGUMENT_INVALID"]);
    let before = keys(&project);
    let controller = before[0]["key"].as_str().unwrap();
    let fresh = project.data(&["ledger", "keys", "rotate", "--why", "yearly"]);
    assert_ne!(fresh["key"], controller);
    let after = keys(&project);
    assert_eq!(after[0]["key"], controller);
    assert!(after[0]["revoked"].is_u64(), "{:#}", after[0]);
    let id = after
        .iter()
        .find(|k| k["who"] == "dana")
        .and_then(|k| k["key"].as_str())
        .unwrap()
        .to_owned();
    project
        .run(&[
            "ledger",
            "keys",
            "revoke",
            &id[..12],
            "--why",
            "left",
            "--json",
        ])
        .refusal(64, &["NOT_CONFIRMED"]);
    project.data(&[
        "ledger",
        "keys",
        "revoke",
        &id[..12],
        "--why",
        "left",
        "--yes",
    ]);
    // Gone is gone: neither again nor back.
    for args in [
        &[
            "ledger",
            "keys",
            "revoke",
            &id[..12],
            "--why",
            "left again",
            "--yes",
            "--json",
        ][..],
        &["ledger", "keys", "enrol", &dana, "--who", "dana", "--json"],
    ] {
        let refused = project.run(args);
        refused.refusal(64, &["ARGUMENT_INVALID"]);
        assert!(refused.out.contains("revoked"), "{}", refused.out);
    }
    let found = project.data(&["ledger", "fsck"]);
    assert_eq!(found["records"], project.records("key-event").len());
    // The new key signs: what is recorded now is good.
    project.plan("1.0.0");
    project.data(&["ledger", "fsck"]);
}

#[test]
fn what_is_damaged_is_found_and_what_is_derived_is_made_again() {
    let project = Project::new();
    project.plan("1.0.0");
    let status = project.data(&["ledger", "status"]);
    let size = status["size"].as_u64().unwrap();
    assert_eq!(status["published"], size);

    let tile = project.path(&format!(".gonogo/ledger/tile/0/000.p/{size}"));
    let bytes = std::fs::read(&tile).unwrap();
    let mut changed = bytes.clone();
    changed[5] ^= 1;
    std::fs::write(&tile, changed).unwrap();
    let error = project
        .run(&["ledger", "fsck", "--json"])
        .refusal(3, &["LEDGER_CORRUPT"]);
    assert!(error.to_string().contains("tile/0"), "{error:#}");
    std::fs::write(&tile, bytes).unwrap();
    project.data(&["ledger", "fsck"]);

    std::fs::write(project.path(".gonogo/ledger/index.db"), b"no index").unwrap();
    assert_eq!(project.data(&["ledger", "reindex"])["records"], size);
    project.data(&["ledger", "fsck"]);

    let journal = project.path(".gonogo/ledger/journal/0000.seg");
    let whole = std::fs::read(&journal).unwrap();
    for at in [9, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(&journal, changed).unwrap();
        project
            .run(&["ledger", "fsck", "--json"])
            .refusal(3, &["LEDGER_CORRUPT"]);
    }
    std::fs::write(&journal, whole).unwrap();
    project.data(&["ledger", "fsck"]);
}

#[test]
fn a_lost_lock_is_made_anew_and_a_lost_key_put_back() {
    let project = Project::new();
    let (one, two) = (public_key(&project, "one"), public_key(&project, "two"));
    project.data(&["ledger", "keys", "enrol", &one, "--who", "one"]);
    let kept = project.path("kept");
    std::fs::copy(project.path(".gonogo/ledger/checkpoint"), &kept).unwrap();
    project.data(&["ledger", "keys", "enrol", &two, "--who", "two"]);
    project
        .run(&["ledger", "relock", "--yes", "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
    let vkey = project.path(".gonogo/ledger/log.vkey");
    let text = std::fs::read(&vkey).unwrap();
    std::fs::remove_file(&vkey).unwrap();
    project
        .run(&["ledger", "status", "--json"])
        .refusal(3, &["LEDGER_CORRUPT"]);
    project.run(&["history"]).expect(0);
    assert_eq!(std::fs::read(&vkey).unwrap(), text);

    let lock = |suffix: &str| project.path(&format!(".gonogo/ledger/lock.db{suffix}"));
    for garbage in [false, true] {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(lock(suffix));
        }
        if garbage {
            std::fs::write(lock(""), vec![0x5a; 9000]).unwrap();
        }
        project
            .run(&["plan", "--to", "1.0.0", "--json"])
            .refusal(3, &["LEDGER_CORRUPT"]);
        project
            .run(&["ledger", "relock", "--json"])
            .refusal(64, &["NOT_CONFIRMED"]);
        project.data(&[
            "ledger",
            "relock",
            "--yes",
            "--from",
            kept.to_str().unwrap(),
        ]);
        project.data(&["ledger", "fsck"]);
    }
    // A lock that is lost in an older copy: this user remembers more than that copy has.
    let older = project.path("older");
    let state = project.path(".gonogo");
    for path in crate::project::files(&state).into_keys() {
        let to = older.join(path.strip_prefix(&state).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&path, to).unwrap();
    }
    project.plan("1.0.0");
    let newer = project.path("newer");
    std::fs::rename(project.path(".gonogo"), &newer).unwrap();
    std::fs::rename(&older, project.path(".gonogo")).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(lock(suffix));
    }
    project
        .run(&["ledger", "relock", "--yes", "--json"])
        .refusal(3, &["LEDGER_ROLLED_BACK"]);
    std::fs::remove_dir_all(project.path(".gonogo")).unwrap();
    std::fs::rename(&newer, project.path(".gonogo")).unwrap();
    assert!(lock(".damaged-0").exists());
    assert_eq!(project.records("relock").len(), 2);
    project.plan("1.0.0");
}

#[test]
fn older_states_are_linked_to_and_others_are_refused() {
    let project = Project::new();
    project.plan("1.0.0");
    let old = project.data(&["ledger", "status"]);
    let kept = project.path("kept");
    std::fs::copy(project.path(".gonogo/ledger/checkpoint"), &kept).unwrap();
    project.data(&["plan", "--to", "2.0.0"]);
    let link = project.data(&["ledger", "consistency", "--from", kept.to_str().unwrap()]);
    assert_eq!(
        (link["from"].clone(), link["compared"].clone()),
        (old["size"].clone(), true.into())
    );
    project
        .run(&["ledger", "consistency", "--from", "999", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);

    // An export can be told from another log's, and goes on where it ended.
    let first = project.data(&["ledger", "export", "there"]);
    assert!(first["uploaded"].as_u64().unwrap() > 2, "{first:#}");
    let again = project.data(&["ledger", "export", "there"]);
    assert_eq!(
        (&again["uploaded"], &again["before"]),
        (&0.into(), &again["size"])
    );
    let other = Project::new();
    other.plan("1.0.0");
    let there = project.path("there");
    other
        .run(&["ledger", "export", there.to_str().unwrap(), "--json"])
        .refusal(2, &["EXPORT_CONFLICT"]);
    let foreign = other.path(".gonogo/ledger/checkpoint");
    project
        .run(&[
            "ledger",
            "consistency",
            "--from",
            foreign.to_str().unwrap(),
            "--json",
        ])
        .refusal(65, &["INPUT_MALFORMED"]);
}

#[test]
fn records_are_found_by_what_they_are_about() {
    let project = Project::new();
    let id = project.plan("1.0.0");
    project.refuses(&["apply", &id], 77, &["APPROVAL_MISSING"]);
    let count = |args: &[&str]| {
        let args: Vec<&str> = ["evidence", "list"].iter().chain(args).copied().collect();
        project.data(&args)["records"].as_array().unwrap().len()
    };
    assert_eq!(count(&["--reason", "APPROVAL_MISSING"]), 1);
    assert_eq!(count(&["--reason", "APPROVAL_QUORUM"]), 0);
    assert_eq!(count(&["--actor", "you", "--kind", "plan"]), 1);
    assert_eq!(count(&["--actor", "nobody"]), 0);
    assert_eq!(count(&["--subject", "versions/1.0.0.toml"]), 1);
    assert_eq!(count(&["--subject", "versions/2.0.0.toml"]), 0);
    assert_eq!(count(&["--until", "2020-01-01T00:00:00Z"]), 0);
    assert!(count(&["--since", "2020-01-01T00:00:00Z"]) > 2);
    project
        .run(&["evidence", "list", "--subject", "nowhere", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
}

const JUNIT: &str = r#"<?xml version="1.0"?>
<testsuites><testsuite name="s" tests="2" failures="1" errors="0" skipped="0"><testcase name="a"/>
<testcase name="b"><failure message="no"/></testcase></testsuite></testsuites>"#;

#[test]
fn what_others_attest_comes_in_checked_and_goes_along() {
    let project = Project::new();
    std::fs::write(project.path("report.xml"), JUNIT).unwrap();
    let artifact = "versions/1.0.0.toml";
    let submit = ["evidence", "submit", "report.xml", "--about", artifact];
    let told = project.data(&submit);
    let claim = &told["claims"][0];
    assert_eq!(claim["verified"], false, "{claim:#}");
    assert!(project.data(&submit)["claims"][0]["fresh"] == false);
    let shown = project.run(&submit);
    assert!(shown.out.contains("NOT verified"), "{}", shown.out);
    // Bad news is recorded as well, and told as what it is.
    for (tests, good) in [
        ("<testcase name=\"a\"/>", true),
        ("<testcase name=\"a\"><failure/></testcase>", false),
        ("<testcase name=\"a\"><skipped/></testcase>", false),
        ("", false),
    ] {
        let count = usize::from(!tests.is_empty());
        let report = format!(
            "<testsuite name=\"s\" tests=\"{count}\" failures=\"{}\">{tests}</testsuite>",
            tests.matches("<failure").count()
        );
        std::fs::write(project.path("news.xml"), report).unwrap();
        let told = project.data(&["evidence", "submit", "news.xml"]);
        assert_eq!(told["claims"][0]["good"], good, "{tests}: {told:#}");
    }
    // A key cannot have signed what has no signature.
    let dana = public_key(&project, "dana");
    project
        .run(&[
            "evidence",
            "submit",
            "report.xml",
            "--signer",
            &dana,
            "--json",
        ])
        .refusal(64, &["ARGUMENT_INVALID"]);
    std::fs::write(project.path("noise"), b"\x00\x01 nothing").unwrap();
    project
        .run(&["evidence", "submit", "noise", "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);

    let load = project.load(300.0);
    let done = project.data(&["release", "--to", "1.0.0"]);
    load.stop();
    load.join();
    let id = done["operationId"].as_str().unwrap().to_owned();
    let out = project.path("packet.tar");
    let packed = project.data(&["packet", &id, "--out", out.to_str().unwrap()]);
    let key = packed["logKey"].as_str().unwrap();
    let verified = project.data(&["verify", out.to_str().unwrap(), "--log-key", key]);
    assert_eq!(verified["verified"], true, "{verified:#}");
    let outside = verified["outside"].as_array().unwrap();
    assert_eq!(outside.len(), 1, "{verified:#}");
    assert_eq!(outside[0]["signed"], false);
    let blob = claim["blob"].as_str().unwrap().to_owned();
    let bytes = std::fs::read(&out).unwrap();
    let hex = blob.strip_prefix("sha256:").unwrap();
    let holds = |bytes: &[u8]| {
        let name = format!("blobs/sha256/{hex}");
        bytes.windows(name.len()).any(|w| w == name.as_bytes())
    };
    assert!(holds(&bytes), "the report does not go along");

    // Erased for good: the packet says so, and is no longer complete.
    project
        .run(&["ledger", "erase", &blob, "--why", "names people", "--json"])
        .refusal(64, &["NOT_CONFIRMED"]);
    // The packet that the release left, and one that an interrupted command cut short.
    let packets = project.path(".gonogo/packets");
    let own = packets.join(format!("{id}.tar"));
    assert!(holds(&std::fs::read(&own).unwrap()));
    std::fs::write(packets.join("cut.tar"), &bytes[..700]).unwrap();
    let erased = project.data(&["ledger", "erase", &blob, "--why", "names people", "--yes"]);
    assert_eq!(
        erased["packetsRemoved"][0],
        own.to_str().unwrap(),
        "{erased:#}"
    );
    assert_eq!(erased["unread"].as_array().unwrap().len(), 1, "{erased:#}");
    assert!(!own.exists());
    // No packet replaces what the project keeps.
    for part in ["ledger/log.vkey", "keys/x.tar", "packets/../plans/x.tar"] {
        let part = project.path(".gonogo").join(part);
        let before = std::fs::read(&part).ok();
        project
            .run(&["packet", &id, "--out", part.to_str().unwrap(), "--json"])
            .refusal(73, &["OUTPUT_FAILED"]);
        assert_eq!(std::fs::read(&part).ok(), before);
    }
    project.data(&["packet", &id, "--out", out.to_str().unwrap()]);
    let ran = project.run(&["verify", out.to_str().unwrap(), "--log-key", key, "--json"]);
    ran.expect(3);
    assert!(ran.out.contains("names people"), "{}", ran.out);
    project
        .run(&["evidence", "submit", "report.xml", "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
    project.data(&["ledger", "fsck"]);
}

#[test]
fn traffic_moves_only_over_witnessed_evidence_and_back_without() {
    let project = Project::new();
    project.behave("1.1.0", "version = \"1.1.0\"\n");
    let load = project.load(300.0);
    project.data(&["release", "--to", "1.0.0"]);
    let (mut one, mut two) = (
        witness(&project, "one.example"),
        witness(&project, "two.example"),
    );
    demand(
        &project,
        &[&one, &two],
        "group both all one.example two.example\nquorum both\n",
    );
    let done = project.data(&["release", "--to", "1.1.0"]);
    let id = done["operationId"].as_str().unwrap().to_owned();
    let out = project.path("witnessed.tar");
    let packed = project.data(&["packet", &id, "--out", out.to_str().unwrap()]);
    assert_eq!(packed["cosigned"], true, "{packed:#}");
    let verified = project.data(&["verify", out.to_str().unwrap(), "--policy", "policy"]);
    assert_eq!(verified["verified"], true, "{verified:#}");

    // With one of them gone, nothing moves forward, and the way back is open.
    two.running.take();
    wait("the witness's end", Duration::from_secs(20), || {
        TcpStream::connect(("127.0.0.1", two.port))
            .is_err()
            .then_some(())
    });
    let plan = project.approved("2.0.0");
    let refused = project.run(&["apply", &plan, "--json"]);
    refused.refusal(3, &["QUORUM_UNMET"]);
    assert_eq!(project.serves(), ["1.1.0:10000"]);
    let back = project.data(&["rollback", "--yes"])["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // A packet without the second cosignature does not satisfy who asks for both.
    let packed = project.data(&["packet", &back, "--out", out.to_str().unwrap()]);
    assert_eq!(packed["cosigned"], false, "{packed:#}");
    assert!(packed["unwitnessed"].is_string());
    let ran = project.run(&[
        "verify",
        out.to_str().unwrap(),
        "--policy",
        "policy",
        "--json",
    ]);
    ran.expect(3);
    assert!(ran.out.contains("QUORUM_UNMET"), "{}", ran.out);

    // It comes back with what it knew, and the waiting plan goes on.
    start(&project, "two.example", &mut two);
    let plan = project.approved("2.0.0");
    project.run(&["apply", &plan]).expect(0);
    load.stop();
    load.join();
    drop((one.running.take(), two.running.take()));
}

#[test]
fn a_second_past_is_refused_by_memory_and_by_witnesses() {
    let project = Project::new();
    let (one, two) = (public_key(&project, "one"), public_key(&project, "two"));
    project.plan("1.0.0");
    let seer = witness(&project, "seer.example");
    demand(&project, &[&seer], "quorum seer.example\n");
    let fork = project.path("fork");
    copied(&project.path(".gonogo"), &fork);
    project.data(&["ledger", "keys", "enrol", &one, "--who", "one"]);
    assert_eq!(project.data(&["ledger", "cosign"])["quorum"], true);

    // The copy grows otherwise: as large, and with another root.
    let real = project.path("real");
    std::fs::rename(project.path(".gonogo"), &real).unwrap();
    copied(&fork, &project.path(".gonogo"));
    let forgetful = |args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let mut command = project.command(&args);
        command.env("GONOGO_MEMORY", "none");
        finish(command, &args)
    };
    forgetful(&["ledger", "keys", "enrol", &two, "--who", "two"]).expect(0);
    // Who remembers is not fooled, and keeps both signed checkpoints.
    for args in [
        &["ledger", "status"][..],
        &["ledger", "fsck"],
        &["ledger", "export", "there"],
        &["status"],
        &["evidence", "list"],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        project.run(&args).refusal(2, &["SPLIT_VIEW"]);
    }
    let error = project
        .run(&["plan", "--to", "2.0.0", "--json"])
        .refusal(2, &["SPLIT_VIEW"]);
    let hint = error["details"]["hints"][0].as_str().unwrap();
    let dir = hint.split('`').nth(1).unwrap();
    for name in ["seen-before", "seen-now", "log.vkey"] {
        assert!(Path::new(dir).join(name).exists(), "{name} in {dir}");
    }
    // Nor is the witness, even if nobody remembers here.
    forgetful(&["ledger", "cosign"]).refusal(2, &["SPLIT_VIEW"]);
    let kept: Vec<_> = walk(&seer.dir.join("conflicts"));
    assert!(!kept.is_empty(), "the witness keeps no proof");

    // The real one is still good.
    std::fs::remove_dir_all(project.path(".gonogo")).unwrap();
    std::fs::rename(&real, project.path(".gonogo")).unwrap();
    project.data(&["ledger", "cosign"]);
    project.data(&["ledger", "fsck"]);
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_published_log_is_served_and_followed() {
    let project = Project::new();
    project.plan("1.0.0");
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let serving = project.start(&["ledger", "serve", "--listen", &listen]);
    let get = |path: &str| {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    let first = wait("the server", Duration::from_secs(20), || get("/checkpoint"));
    assert!(
        first.contains("200 OK") && first.contains("ledger.shop\n"),
        "{first}"
    );
    assert!(get("/../keys/log.key").unwrap().contains("404"));
    assert!(get("/journal/0000.seg").unwrap().contains("404"));
    // What is appended meanwhile is published without anybody's doing.
    project.plan("2.0.0");
    let size = project.data(&["ledger", "status"])["size"].to_string();
    wait("the newer checkpoint", Duration::from_secs(20), || {
        get("/checkpoint").filter(|text| text.contains(&format!("ledger.shop\n{size}\n")))
    });
    let tile = get(&format!("/tile/0/000.p/{size}")).unwrap();
    assert!(tile.contains("immutable"), "{tile}");
    drop(serving);
    let tail = project.data(&["ledger", "tail", "-n", "2"]);
    assert_eq!(tail["records"].as_array().unwrap().len(), 2);
}

#[test]
fn a_list_says_when_it_is_not_all() {
    use gonogo_store::ledger::{Draft, Founding, Ledger};
    let project = Project::new();
    project.plan("1.0.0");
    let time = gonogo_core::Timestamp::from_millis(1_795_000_000_000);
    let founding = Founding {
        origin: "ledger.shop",
        actor: "gonogo",
        time,
    };
    let ledger = Ledger::open(&project.path(".gonogo"), founding).unwrap();
    let draft = |n: usize| Draft {
        stream: "run/fill".into(),
        key: n.to_string(),
        kind: "note".into(),
        subject: Vec::new(),
        time,
        actor: "test".into(),
        body: serde_json::json!({"n": n}),
        signer: None,
    };
    for n in 0..3 {
        let part = n * 700..(n + 1) * 700;
        ledger.append(part.map(draft).collect()).unwrap();
    }
    drop(ledger);
    let list =
        |limit: &str| project.data(&["evidence", "list", "--kind", "note", "--limit", limit]);
    for (limit, count, goes_on) in [
        ("5", 5, true),
        ("2099", 2099, true),
        ("2100", 2100, false),
        ("9000", 2100, false),
    ] {
        let listed = list(limit);
        let records = listed["records"].as_array().unwrap();
        assert_eq!(records.len(), count, "{limit}");
        let last = &records.last().unwrap()["index"];
        let expected = if goes_on { last } else { &Value::Null };
        assert_eq!(&listed["moreAfter"], expected, "{limit}");
    }
}
