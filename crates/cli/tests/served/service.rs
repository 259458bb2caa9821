//! The server as a service of systemd: a socket that was opened for it, and who is told that it is ready.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::client::Server;
use crate::project::{Project, Running, free_port};

/// Runs `serve` as a service manager does: the socket is file 3, and the variables name the process itself.
fn activated(project: &Project, sockets: u32, notify: &str) -> (Running, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Another address than the socket's: what was given counts.
    let elsewhere = format!("127.0.0.1:{}", free_port());
    let wanted = project.command(&["serve", "--dev", "--listen", &elsewhere]);
    let script = format!(
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS={sockets} NOTIFY_SOCKET={notify} exec \"$0\" \"$@\""
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .arg(wanted.get_program())
        .args(wanted.get_args())
        .current_dir(wanted.get_current_dir().unwrap())
        // A shell copies files with one digit only, and this one is the socket.
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in wanted.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    (Running::of(command.spawn().unwrap()), port)
}

#[test]
fn a_given_socket_is_listened_on_and_the_manager_is_told() {
    let project = Project::new();
    let path = project.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let (running, port) = activated(&project, 1, path.to_str().unwrap());
    let mut said = [0; 256];
    let n = manager.recv(&mut said).unwrap();
    assert_eq!(said[..n].trim_ascii(), b"READY=1");
    let server = Server {
        project: &project,
        port,
        running: Some(running),
    };
    // The address of the socket is a name of the server.
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.get("/v1/status").status, 200);
    let running = server.running.as_ref().unwrap();
    running.signal(rustix::process::Signal::TERM);
    let n = manager.recv(&mut said).unwrap();
    assert_eq!(said[..n].trim_ascii(), b"STOPPING=1");
}

#[test]
fn several_given_sockets_are_not_chosen_from() {
    let project = Project::new();
    let (running, _) = activated(&project, 2, "");
    let ran = running.join();
    ran.expect(64);
    for told in [
        "error[ARGUMENT_INVALID]",
        "2 sockets were given",
        "`.socket` unit",
        "one `ListenStream=`",
    ] {
        assert!(ran.err.contains(told), "{told}: {}", ran.err);
    }
}
