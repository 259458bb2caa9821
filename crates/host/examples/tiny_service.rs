//! A version for the agent's tests: a small HTTP service whose behaviour is set by its environment.
//!
//! `PORT` is where it listens, `NAME` what it answers. `READY_AFTER_MS` delays readiness, `NEVER_READY` withholds it, `EXIT_AT_START` ends
//! with that status, `IGNORE_TERM` takes SIGTERM and goes on, `FORK` starts a child that sleeps. Paths: `/ready`, `/pid`, `/exit`,
//! `/hold/MS`, `/unready`, `/reready`; any other answers the name.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn main() -> std::io::Result<()> {
    let name = std::env::var("NAME").unwrap_or_default();
    let mut out = std::io::stdout();
    writeln!(out, "{name} begins")?;
    if let Some(code) = number("EXIT_AT_START") {
        writeln!(out, "{name} cannot go on")?;
        std::process::exit(code as i32);
    }
    if number("IGNORE_TERM").is_some() {
        signal_hook::flag::register(
            signal_hook::consts::SIGTERM,
            Arc::new(AtomicBool::new(false)),
        )?;
    }
    if number("FORK").is_some() {
        std::process::Command::new("/bin/sleep")
            .arg("600")
            .spawn()?;
    }
    let ready = Arc::new(AtomicBool::new(false));
    let port = number("PORT")
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let later = Arc::clone(&ready);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(number("READY_AFTER_MS").unwrap_or(0)));
        later.store(number("NEVER_READY").is_none(), Ordering::SeqCst);
    });
    for stream in listener.incoming() {
        let (stream, name, ready) = (stream?, name.clone(), Arc::clone(&ready));
        thread::spawn(move || serve(stream, &name, &ready));
    }
    Ok(())
}

fn serve(mut stream: TcpStream, name: &str, ready: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
    }
    let mut status = "200 OK";
    let mut body = name.to_owned();
    match path.as_str() {
        "/ready" if !ready.load(Ordering::SeqCst) => status = "503 Service Unavailable",
        "/pid" => body = std::process::id().to_string(),
        "/exit" => std::process::exit(9),
        "/unready" => ready.store(false, Ordering::SeqCst),
        "/reready" => ready.store(true, Ordering::SeqCst),
        _ => {}
    }
    if let Some(ms) = path.strip_prefix("/hold/").and_then(|ms| ms.parse().ok()) {
        thread::sleep(Duration::from_millis(ms));
    }
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
