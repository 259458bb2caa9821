//! Controllers and commands that are killed at each point: the operation is picked up, and the service takes it once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gonogo_core::Span;
use gonogo_store::{Owner, Store};
use serde_json::{Value, json};

use crate::project::{Project, wait};
use crate::service::{
    Flow, Say, controllers, good, kill_controllers, operation_when, receipt, record, wired,
};

/// The only operation, which ended well, and the service took it once.
#[track_caller]
fn ended_well(project: &Project, flow: &Flow, dispatches: usize) {
    // Whoever looks picks up what nobody drives.
    let doc = operation_when(project, "its end", |o| o["status"] != "running");
    assert_eq!(doc["status"], "succeeded", "{doc:#}");
    let sent = flow.dispatches();
    assert_eq!(sent.len(), dispatches);
    assert!(
        sent.iter()
            .all(|s| s.body["operationId"] == doc["operationId"])
    );
    assert!(
        sent.iter()
            .all(|s| s.body["submittedAt"] == sent[0].body["submittedAt"])
    );
    let all = project.data(&["history"])["operations"].clone();
    assert_eq!(all.as_array().unwrap().len(), 1);
    let intents = project.records("remote-intent");
    assert_eq!(intents.len(), dispatches, "{intents:#?}");
}

#[test]
fn killed_between_submission_and_dispatch_it_is_sent_once() {
    let flow = Flow::start(good("succeeded"));
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    // As long as somebody else holds the environment nothing is sent.
    let store = Store::open(&project.path(".gonogo")).unwrap();
    let lease = store
        .take_lease("local", &Owner::new(), Span::from_secs(60))
        .unwrap();
    let apply = project.start(&["apply", &plan]);
    wait("the submission", Duration::from_secs(20), || {
        let open = store.open_operations().unwrap();
        (!open.is_empty()).then_some(())
    });
    apply.signal(rustix::process::Signal::KILL);
    drop(apply);
    kill_controllers(&project);
    assert_eq!(flow.asked().len(), 0);
    store.release_lease(&lease).unwrap();
    ended_well(&project, &flow, 1);
}

/// Begins an application that gets no answer, and kills everything that waits for it.
fn killed_while_it_is_sent(project: &Project, flow: &Flow) {
    let plan = project.approved("1.0.0");
    let apply = project.start(&["apply", &plan]);
    wait("the dispatch", Duration::from_secs(20), || {
        (!flow.dispatches().is_empty()).then_some(())
    });
    assert_eq!(kill_controllers(project), 1);
    apply.signal(rustix::process::Signal::KILL);
    drop(apply);
    kill_controllers(project);
}

#[test]
fn killed_while_it_is_sent_it_is_asked_about_and_not_sent_again() {
    let taken: Arc<Mutex<Option<String>>> = Arc::default();
    let took = Arc::clone(&taken);
    let flow = Flow::start(move |asked| {
        if asked.is_dispatch() {
            // It takes it, and the answer is lost.
            let id = asked.body["operationId"].as_str().unwrap();
            *took.lock().unwrap() = Some(id.to_owned());
            return Say::Hang;
        }
        Say::Json(404, json!({}))
    });
    let project = wired_slowly(flow.port);
    killed_while_it_is_sent(&project, &flow);
    flow.now(move |asked| match &*taken.lock().unwrap() {
        Some(id) if asked.path == format!("/operations/{id}") => {
            Say::Json(200, record("succeeded"))
        }
        _ => Say::Json(500, Value::Null),
    });
    ended_well(&project, &flow, 1);
}

#[test]
fn killed_while_it_is_sent_and_never_taken_it_is_sent_again_under_the_same_ids() {
    let flow = Flow::start(|_| Say::Hang);
    let project = wired_slowly(flow.port);
    killed_while_it_is_sent(&project, &flow);
    flow.now(good("succeeded"));
    ended_well(&project, &flow, 2);
    let asked = flow.asked();
    let first = asked.iter().skip(1).position(|a| !a.is_dispatch());
    let again = asked
        .iter()
        .skip(1)
        .position(crate::service::Asked::is_dispatch);
    assert!(first < again, "it is asked about before it is sent again");
}

/// As [`wired`], with so much time for a dispatch that whoever sends it is killed first.
fn wired_slowly(port: u16) -> Project {
    let config = crate::service::config(port, "");
    Project::with(&config.replace("dispatch_within = \"1s\"", "dispatch_within = \"40s\""))
}

#[test]
fn killed_while_it_is_asked_about_it_is_picked_up() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let flow = Flow::start(move |asked| match asked.is_dispatch() {
        true => Say::Json(202, receipt("w-1")),
        false => {
            count.fetch_add(1, Ordering::Relaxed);
            Say::Json(200, record("running"))
        }
    });
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    let apply = project.start(&["apply", &plan]);
    wait("a question", Duration::from_secs(30), || {
        (asked.load(Ordering::Relaxed) > 0).then_some(())
    });
    // It would go on with it in its own process.
    apply.signal(rustix::process::Signal::KILL);
    drop(apply);
    for round in 1..=3 {
        let before = asked.load(Ordering::Relaxed);
        // Any look picks it up.
        wait("a question", Duration::from_secs(30), || {
            project.run(&["status", "--json"]).expect(0);
            (asked.load(Ordering::Relaxed) > before + 1).then_some(())
        });
        assert!(!controllers(&project).is_empty(), "round {round}");
        kill_controllers(&project);
    }
    flow.now(|_| Say::Json(200, record("succeeded")));
    ended_well(&project, &flow, 1);
}

#[test]
fn killed_at_any_time_it_is_taken_once() {
    for after in [0, 40, 80, 120, 160, 200, 260, 320] {
        let flow = Flow::start(good("succeeded"));
        let project = wired(flow.port);
        let plan = project.approved("1.0.0");
        let apply = project.start(&["apply", &plan]);
        std::thread::sleep(Duration::from_millis(after));
        apply.signal(rustix::process::Signal::KILL);
        drop(apply);
        kill_controllers(&project);
        let all = project.data(&["history"])["operations"].clone();
        if all.as_array().unwrap().is_empty() {
            // It was not even submitted; nothing was sent, and the same request begins it.
            assert_eq!(flow.asked().len(), 0, "after {after} ms");
            project.run(&["apply", &plan]).expect(0);
        }
        let doc = operation_when(&project, "its end", |o| o["status"] != "running");
        assert_eq!(doc["status"], "succeeded", "after {after} ms: {doc:#}");
        let mut ids: Vec<String> = flow
            .dispatches()
            .iter()
            .map(|d| d.body["operationId"].to_string())
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "after {after} ms");
        assert_eq!(flow.dispatches().len(), 1, "after {after} ms");
    }
}
