//! Sends notices to webhooks while the server runs: each webhook on a thread of its own, so that one that hangs keeps no other waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gonogo_app::notices;
use gonogo_app::project::Project;
use gonogo_app::workspace::Caller;
use tokio::sync::watch;

/// How often it is looked whether anything is due.
const LOOK: Duration = Duration::from_millis(500);

/// Sends until the server ends. What a thread is in the middle of then is sent again by the next server, with the same id.
pub(crate) async fn send(project: Arc<Project>, mut ended: watch::Receiver<bool>) {
    let mut under_way = BTreeMap::new();
    while !*ended.borrow_and_update() {
        let project = Arc::clone(&project);
        let looked = tokio::task::spawn_blocking(move || {
            look(&project, &mut under_way);
            under_way
        });
        match looked.await {
            Ok(back) => under_way = back,
            // It panicked: what was under way goes on, and is not begun twice, because it is locked.
            Err(_) => under_way = BTreeMap::new(),
        }
        tokio::select! {
            _ = ended.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Begins what is due and not under way. What cannot be looked at now is looked at again.
fn look(project: &Arc<Project>, under_way: &mut BTreeMap<String, JoinHandle<()>>) {
    under_way.retain(|_, thread| !thread.is_finished());
    let Ok(ws) = project.workspace(Caller::default(), None) else {
        return;
    };
    for name in ws.config.webhooks.keys() {
        if under_way.contains_key(name) || !notices::is_due(&ws, name).unwrap_or(false) {
            continue;
        }
        let (project, one) = (Arc::clone(project), name.clone());
        let begun = std::thread::Builder::new()
            .name("webhook".into())
            .spawn(move || {
                if let Ok(ws) = project.workspace(Caller::default(), None) {
                    // What went wrong is kept with the webhook: `gonogo webhook list` shows it.
                    let _ = notices::pass_one(&ws, &one);
                }
            });
        if let Ok(thread) = begun {
            under_way.insert(name.clone(), thread);
        }
    }
}
