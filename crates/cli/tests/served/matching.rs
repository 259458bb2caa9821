//! Deciding on what was seen: of all who saw the same, one decides.

use serde_json::json;

use crate::client::{Answer, Server};
use crate::project::Project;

/// Writers at each of two servers.
const WRITERS: usize = 12;

#[test]
fn of_many_who_saw_the_same_one_decides_also_where_two_servers_are_asked() {
    let project = Project::new();
    let one = Server::start(&project, &["--dev", "--allow-apply"]);
    let other = Server::start(&project, &["--dev", "--allow-apply"]);
    let plan = project.plan("1.0.0");
    let path = format!("/v1/plans/{plan}/approvals");
    let fingerprint = one.get(&format!("/v1/plans/{plan}")).data()["plan"]["fingerprint"].clone();
    let yes = json!({"planFingerprint": fingerprint, "decision": "approved"}).to_string();
    for round in 1..=3 {
        let tag = one.get(&path).header("etag").unwrap().to_owned();
        let headers = [("content-type", "application/json"), ("if-match", &*tag)];
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..2 * WRITERS)
                .map(|n| {
                    let server = if n % 2 == 0 { &one } else { &other };
                    scope.spawn(|| server.say("POST", &path, &headers, &yes).unwrap())
                })
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 201);
        assert_eq!(won.len(), 1, "round {round}: {answers:#?}");
        for answer in lost {
            answer.refuses(412, "CONFLICT", "RESOURCE_CHANGED");
        }
        assert_eq!(project.records("approval").len(), round);
    }
}

#[test]
fn a_list_is_decided_on_as_it_was_seen() {
    let project = Project::serving();
    project.behave("2.0.0", "version = \"2.0.0\"\n");
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let tag = server.get("/v1/pins").header("etag").unwrap().to_owned();
    let headers = [("content-type", "application/json"), ("if-match", &*tag)];
    let pin = |n: usize| {
        let to = ["1.0.0", "2.0.0"][n % 2];
        let body = json!({"to": to, "why": "x"}).to_string();
        server.say("POST", "/v1/pins", &headers, &body).unwrap()
    };
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|n| scope.spawn(move || pin(n))).collect();
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 201);
    assert_eq!(won.len(), 1, "{answers:#?}");
    for answer in lost {
        answer.refuses(412, "CONFLICT", "RESOURCE_CHANGED");
    }
    // What cannot be held against anything is not passed over.
    for (path, body) in [
        ("/v1/freezes", json!({"why": "x"})),
        ("/v1/pins/local/remove", json!({"why": "x"})),
        (
            "/tools/invoke",
            json!({"toolId": "freeze_declare", "input": {"why": "x"}}),
        ),
    ] {
        let headers = [
            ("content-type", "application/json"),
            ("if-match", "\"nope\""),
        ];
        let answer = server
            .say("POST", path, &headers, &body.to_string())
            .unwrap();
        answer.refuses(412, "CONFLICT", "RESOURCE_CHANGED");
    }
    assert!(project.records("freeze").is_empty());
    assert_eq!(project.records("pin").len(), 1);
    assert!(project.records("pin-end").is_empty());
}

/// Who ask the same in the same millisecond have made one request, and have its answer.
#[track_caller]
fn is_one(won: &[&Answer]) {
    let first = won.first().expect("nobody won");
    assert!(won.iter().all(|a| a.data() == first.data()), "{won:#?}");
}

#[test]
fn of_many_who_end_the_same_one_does() {
    let project = Project::serving();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let many = |path: &str| -> Vec<Answer> {
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..10)
                .map(|_| scope.spawn(|| server.post(path, &json!({"why": "done"}))))
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        })
    };
    for round in 1..=2 {
        let freeze = server.post("/v1/freezes", &json!({"why": "x"})).data()["freeze"].clone();
        let ended = many(&format!("/v1/freezes/{}/end", freeze.as_str().unwrap()));
        let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|a| a.status == 200);
        is_one(&won);
        for answer in lost {
            answer.refuses(404, "INPUT_VALIDATION_FAILED", "FREEZE_UNKNOWN");
        }
        assert_eq!(project.records("freeze-end").len(), round);
        server.post("/v1/pins", &json!({"to": "1.0.0", "why": "x"}));
        let removed = many("/v1/pins/local/remove");
        let (won, lost): (Vec<_>, Vec<_>) = removed.iter().partition(|a| a.status == 200);
        is_one(&won);
        for answer in lost {
            answer.refuses(404, "INPUT_VALIDATION_FAILED", "PIN_UNKNOWN");
        }
        assert_eq!(project.records("pin-end").len(), round);
    }
}
