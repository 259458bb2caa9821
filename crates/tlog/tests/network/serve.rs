//! The static server: bytes, headers, paths, and what slow or greedy clients get.

use std::fs;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use gonogo_tlog::serve::Site;
use gonogo_tlog::{Limits, Publication};

use crate::support::{Book, Running, ask, connect, exchange, get};

const SIZE: u64 = 70_000;

fn published(size: u64) -> (Book, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::new(size);
    book.publish(dir.path(), size);
    (book, dir)
}

fn site(dir: &tempfile::TempDir, prefix: &str) -> Site {
    Site::new(Publication::new(dir.path()), prefix)
}

#[test]
fn every_file_is_served_as_it_is_with_the_headers_of_its_kind() {
    let (book, dir) = published(SIZE);
    let server = Running::start(site(&dir, "/log"));
    let files = book.files(SIZE);
    // The census of the format's own example: 273 full and one partial tile of level 0, 1 and 1 of level 1, one partial of level 2.
    let count = |prefix: &str| files.keys().filter(|n| n.starts_with(prefix)).count();
    assert_eq!(count("tile/0/"), 274);
    assert_eq!((count("tile/1/"), count("tile/2/")), (2, 1));
    assert_eq!(files["tile/0/273.p/112"].len(), 112 * 32);
    for (name, bytes) in &files {
        let answer = get(server.addr, &format!("/log/{name}"));
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(&answer.body, bytes, "{name}");
        let length = bytes.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let (kind, cache) = if name == "checkpoint" {
            ("text/plain; charset=utf-8", "no-cache")
        } else {
            (
                "application/octet-stream",
                "public, max-age=31536000, immutable",
            )
        };
        assert_eq!(answer.header("content-type"), Some(kind), "{name}");
        assert_eq!(answer.header("cache-control"), Some(cache), "{name}");
    }
    for name in ["checkpoint", "tile/0/000"] {
        let head = ask(server.addr, "HEAD", &format!("/log/{name}"), "");
        let length = files[name].len().to_string();
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), Some(length.as_str()));
    }
}

#[test]
fn a_checkpoint_that_the_client_has_is_not_sent_again() {
    let (book, dir) = published(300);
    let server = Running::start(site(&dir, ""));
    let first = get(server.addr, "/checkpoint");
    let tag = first.header("etag").unwrap().to_owned();
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".into(),
    ] {
        let header = format!("if-none-match: {known}\r\n");
        let again = ask(server.addr, "GET", "/checkpoint", &header);
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    fs::write(dir.path().join("checkpoint"), book.checkpoint(299)).unwrap();
    let header = format!("if-none-match: {tag}\r\n");
    let changed = ask(server.addr, "GET", "/checkpoint", &header);
    assert_eq!(changed.status, 200);
    assert_eq!(changed.text(), book.checkpoint(299));
}

#[test]
fn only_canonical_paths_exist_and_only_reading() {
    let (_, dir) = published(300);
    fs::write(dir.path().join("secret"), "s").unwrap();
    fs::write(dir.path().join("log.vkey"), "v\n").unwrap();
    // A publication that is not there yet is no error of the server's.
    let empty = tempfile::tempdir().unwrap();
    let server = Running::start(site(&dir, "/log"));
    let bare = Running::start(site(&empty, ""));
    assert_eq!(get(bare.addr, "/checkpoint").status, 404);
    assert_eq!(get(server.addr, "/log/log.vkey").text(), "v\n");
    assert_eq!(get(server.addr, "/log/tile/0/001.p/44").status, 200);
    for path in [
        "/",
        "/log",
        "/log/",
        "/checkpoint",
        "/tile/0/000",
        "/logs/checkpoint",
        "/log/secret",
        "/log/tile",
        "/log/tile/0",
        "/log/tile/0/",
        "/log//checkpoint",
        "/log/checkpoint/",
        "/log/./checkpoint",
        "/log/../log/checkpoint",
        "/log/tile/0/../../secret",
        "/log/%2e%2e/secret",
        "/log/tile/0/0",
        "/log/tile/0/0000",
        "/log/tile/00/000",
        "/log/tile/+0/000",
        "/log/tile/-1/000",
        "/log/tile/64/000",
        "/log/tile/0/x000/000",
        "/log/tile/0/000.p/256",
        "/log/tile/0/000.p/0",
        "/log/tile/0/000.p/01",
        "/log/tile/0/001.p/43.p/1",
        "/log/tile/0/000/",
        "/log/tile/0/002",
        "/log/tile/0/001",
        "/log/tile/3/000",
        "/log/tile/entries/000%20",
        "/log/tile/data/000",
        "/log/tile/entries/002",
    ] {
        assert_eq!(get(server.addr, path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let answer = ask(server.addr, method, "/log/checkpoint", "");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn a_partial_tile_is_the_beginning_of_the_full_one_that_took_its_place() {
    let (book, dir) = published(600);
    let server = Running::start(site(&dir, ""));
    let grown = |width: u64| book.files(256 + width);
    for width in [1, 2, 100, 255] {
        let files = grown(width);
        for kind in ["0", "entries"] {
            let name = format!("tile/{kind}/001.p/{width}");
            assert!(!dir.path().join(&name).exists());
            let answer = get(server.addr, &format!("/{name}"));
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.body, files[&name], "{name}");
        }
    }
    // The last tile is partial itself: nothing takes the place of a narrower one.
    assert_eq!(get(server.addr, "/tile/0/002.p/87").status, 404);
    assert_eq!(get(server.addr, "/tile/0/002.p/88").status, 200);
}

#[test]
fn damaged_files_are_not_handed_out() {
    let (_, dir) = published(600);
    let server = Running::start(site(&dir, ""));
    fs::write(dir.path().join("tile/0/000"), [0; 8191]).unwrap();
    fs::write(dir.path().join("tile/entries/001"), [255; 512]).unwrap();
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    fs::create_dir(dir.path().join("checkpoint")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(dir.path().join("log.vkey"))
        .status();
    assert!(fifo.unwrap().success());
    for (path, status) in [
        ("/tile/0/000", 500),
        ("/tile/0/000.p/3", 500),
        ("/tile/entries/001.p/9", 500),
        ("/checkpoint", 404),
        ("/log.vkey", 404),
    ] {
        let answer = get(server.addr, path);
        assert_eq!(answer.status, status, "{path}");
        let text = answer.text();
        assert!(!text.contains(dir.path().to_str().unwrap()), "{text}");
    }
}

#[test]
fn a_connection_serves_many_requests_and_a_large_bundle_arrives_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut bundle = Vec::new();
    for n in 0..256_u32 {
        bundle.extend([255, 255]);
        bundle.extend(std::iter::repeat_n(n as u8, 65_535));
    }
    assert_eq!(bundle.len(), 16_777_472);
    fs::create_dir_all(dir.path().join("tile/entries")).unwrap();
    fs::write(dir.path().join("tile/entries/000"), &bundle).unwrap();
    let server = Running::start(site(&dir, ""));
    let request = |close: &str, name: &str| {
        format!("GET /{name} HTTP/1.1\r\nhost: x\r\n{close}\r\n").into_bytes()
    };
    let mut two = request("", "missing");
    two.extend(request("connection: close\r\n", "tile/entries/000"));
    let answer = exchange(server.addr, &two);
    assert_eq!(answer.status, 404);
    assert!(answer.body.ends_with(&bundle[bundle.len() - 100_000..]));
    let prefix = get(server.addr, "/tile/entries/000.p/255");
    assert!(prefix.body == bundle[..255 * 65_537]);
}

#[test]
fn slow_and_greedy_clients_are_bounded() {
    let (_, dir) = published(300);
    let limits = Limits {
        connections: 2,
        head: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Running::with(site(&dir, ""), limits);
    // Two that say nothing hold both places. The third gets its turn when they are cut off for it.
    let mut silent: Vec<_> = (0..2).map(|_| connect(server.addr)).collect();
    silent[0].write_all(b"GET /checkpoint HTT").unwrap();
    assert_eq!(get(server.addr, "/checkpoint").status, 200);
    for stream in &mut silent {
        let mut rest = Vec::new();
        // Closed, with or without a word (408); a reset is as good.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    // So is one that asked once and then says nothing more.
    let mut idle = connect(server.addr);
    idle.write_all(b"GET /checkpoint HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    idle.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    let long = format!("/{}", "a".repeat(40_000));
    let answer = get(server.addr, &long);
    assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = vec![0; 16_000_000];
    fs::create_dir_all(dir.path().join("tile/entries")).unwrap();
    fs::write(dir.path().join("tile/entries/000"), &bundle).unwrap();
    let limits = Limits {
        connections: 1,
        stall: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Running::with(site(&dir, ""), limits);
    let mut stream = connect(server.addr);
    stream
        .write_all(b"GET /tile/entries/000 HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    // The only place is free again although the first client neither reads nor goes.
    assert_eq!(get(server.addr, "/checkpoint").status, 404);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < bundle.len());
}

#[test]
fn the_server_ends_when_asked_and_finishes_what_it_began() {
    let (book, dir) = published(300);
    let mut server = Running::start(site(&dir, ""));
    let mut stream = connect(server.addr);
    let request = b"GET /checkpoint HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut first = [0; 8];
    stream.read_exact(&mut first).unwrap();
    server.stop();
    let note = book.checkpoint(300);
    let mut rest = first.to_vec();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(note.as_bytes()));
    assert!(std::net::TcpStream::connect(server.addr).is_err());
    let taken = std::net::TcpListener::bind(server.addr);
    assert!(taken.is_ok(), "the port is free again");
}
