//! What is kept, what is refused, and what is too large.

use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;

fn why(result: Result<(), Copying>) -> String {
    match result {
        Err(Copying::Reading(e)) => e.to_string(),
        Err(Copying::Writing(e)) => panic!("writing: {e}"),
        Ok(()) => "copied".to_owned(),
    }
}

#[test]
fn a_pipe_in_a_run_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (send, receive) = channel();
    for place in ["stdout.000001", "evidence/diary"] {
        let run = dir.path().join(place.replace('/', "-"));
        let pipe = run.join(place);
        fs::create_dir_all(pipe.parent().unwrap()).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let send = send.clone();
        std::thread::spawn(move || send.send(plain(&run)));
        // Whoever opened it would wait for a writer that never comes.
        let refused = receive
            .recv_timeout(Duration::from_secs(20))
            .expect("a pipe is waited for")
            .unwrap_err();
        assert_eq!(refused.reason, Reason::InputMalformed);
        assert!(refused.to_string().contains(place), "{refused}");
    }
}

#[test]
fn evidence_that_is_too_large_is_told_and_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("diary"), dir.path().join("kept"));
    let file = File::create(&from).unwrap();
    // A hole: it takes no space, its copy would.
    file.set_len(LARGEST_EVIDENCE + 1).unwrap();
    assert!(why(copy(&from, &to, 0)).contains("more than can be kept"));
    assert!(!to.exists());
    // What is kept back for the verdict is not there for evidence.
    file.set_len(1 << 20).unwrap();
    assert!(why(copy(&from, &to, u64::MAX)).contains("more than can be kept"));
    assert!(!to.exists());
    assert_eq!(why(copy(&from, &to, 0)), "copied");
    assert_eq!(fs::metadata(&to).unwrap().len(), 1 << 20);
}
