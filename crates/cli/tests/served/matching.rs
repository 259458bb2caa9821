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
