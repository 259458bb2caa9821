//! Time-stamps by a real authority: OpenSSL's, behind a small HTTP server of this test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use gonogo_testkit::{lacks, skip};

use crate::project::Project;

const CONFIG: &str = "[tsa]\ndefault_tsa = t\n[t]\nserial = DIR/serial\ncrypto_device = builtin\nsigner_cert = DIR/tsa.pem\n\
certs = DIR/ca.pem\nsigner_key = DIR/tsa.key\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n\
accuracy = secs:1\nordering = yes\ntsa_name = no\ness_cert_id_chain = no\n";

fn openssl(dir: &Path, args: &str) -> bool {
    let args = args.replace("DIR", dir.to_str().unwrap());
    let out = Command::new("openssl")
        .args(args.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "openssl {args}: {said}");
    true
}

/// An authority with its root in `DIR/ca.pem`.
fn authority(dir: &Path) -> String {
    std::fs::create_dir_all(dir).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(dir.join(name), text.replace("DIR", dir.to_str().unwrap())).unwrap();
    };
    write("tsa.cnf", CONFIG);
    write("ext", "extendedKeyUsage=critical,timeStamping\n");
    write("serial", "01\n");
    openssl(
        dir,
        "req -x509 -newkey rsa:2048 -nodes -keyout DIR/ca.key -out DIR/ca.pem -subj /CN=ca -days 2",
    );
    openssl(
        dir,
        "req -newkey rsa:2048 -nodes -keyout DIR/tsa.key -out DIR/tsa.csr -subj /CN=tsa",
    );
    openssl(
        dir,
        "x509 -req -in DIR/tsa.csr -CA DIR/ca.pem -CAkey DIR/ca.key -CAcreateserial -out DIR/tsa.pem -days 2 -extfile DIR/ext",
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tsa", listener.local_addr().unwrap());
    let dir = dir.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let (mut length, mut line) = (0, String::new());
            while stream.read_line(&mut line).is_ok() && line.trim() != "" {
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut query = vec![0; length];
            stream.read_exact(&mut query).unwrap();
            std::fs::write(dir.join("query"), query).unwrap();
            openssl(
                &dir,
                "ts -reply -config DIR/tsa.cnf -queryfile DIR/query -out DIR/reply",
            );
            let reply = std::fs::read(dir.join("reply")).unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                reply.len()
            );
            let out = stream.get_mut();
            out.write_all(head.as_bytes()).unwrap();
            out.write_all(&reply).unwrap();
        }
    });
    url
}

#[test]
fn a_time_stamp_is_asked_for_checked_and_carried() {
    if let Some(why) = lacks("openssl", &["version"]) {
        return skip("a time stamp of a real authority", &why);
    }
    let project = Project::new();
    let dir: PathBuf = project.path("authority");
    let url = authority(&dir);
    let load = project.load(300.0);
    let done = project.data(&["release", "--to", "1.0.0"]);
    load.stop();
    load.join();
    let id = done["operationId"].as_str().unwrap();
    let (root, tsa) = (dir.join("ca.pem"), dir.join("tsa.pem"));
    let (root, tsa) = (root.to_str().unwrap(), tsa.to_str().unwrap());
    let out = project.path("stamped.tar");
    let out = out.to_str().unwrap();
    // Under another root the answer does not hold, and nothing is written.
    let wrong = project.run(&[
        "packet",
        id,
        "--out",
        out,
        "--timestamp",
        &url,
        "--tsa-root",
        tsa,
        "--json",
    ]);
    assert_ne!(wrong.status, 0, "{}", wrong.out);
    assert!(!Path::new(out).exists());
    let packed = project.data(&[
        "packet",
        id,
        "--out",
        out,
        "--timestamp",
        &url,
        "--tsa-root",
        root,
    ]);
    let key = packed["logKey"].as_str().unwrap();
    let state = |told: &serde_json::Value| {
        told["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["name"] == "timestamp")
            .unwrap()["state"]
            .clone()
    };
    let told = project.data(&["verify", out, "--log-key", key, "--tsa-root", root]);
    assert_eq!(state(&told), "passed", "{told:#}");
    let told = project.data(&["verify", out, "--log-key", key]);
    assert_eq!(state(&told), "skipped", "not looked at is not passed");
    // OpenSSL itself agrees, over the bytes of the checkpoint in the packet.
    let unpacked = project.path("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    assert!(
        Command::new("tar")
            .args(["-xf", out, "-C", unpacked.to_str().unwrap()])
            .status()
            .unwrap()
            .success()
    );
    openssl(
        &unpacked,
        &format!("ts -verify -data DIR/checkpoint -in DIR/checkpoint.tsr -CAfile {root}"),
    );
}
