//! Real clients through both doors: curl, Python, Node and Go.

use std::path::Path;
use std::process::{Command, Output};

use gonogo_core::Verdict;
use gonogo_recorded::{Mode, Recorder};
use gonogo_testkit::{lacks, skip};

use crate::support::{Stage, tls_upstream, upstream};

/// Runs a client with the recorder's environment and nothing of ours that would change where it goes.
fn client(recorder: &Recorder, program: &str, args: &[&str]) -> String {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    command.envs(recorder.environment());
    command.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off");
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let told = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{program} {args:?}: {told}");
    String::from_utf8(stdout).unwrap().trim().to_owned()
}

/// Records with a client, takes the upstream away, plays with the same client.
fn twice(stage: &Stage, call: impl Fn(&Recorder) -> String) -> String {
    let (live, report) = stage.run(Mode::Record, &call);
    assert!(report.saved, "{report:?}");
    let (played, report) = stage.run(Mode::Playback, &call);
    assert_eq!(played, live);
    assert_eq!(report.verdict, Verdict::Pass, "{report:?}");
    live
}

/// A stage with a forward proxy before `https://api.test`.
fn forward() -> (Stage, crate::support::Upstream) {
    let real = tls_upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.upstreams.clear();
    stage.settings.forward = true;
    stage.settings.upstream_roots.clone_from(&real.root);
    stage
        .settings
        .resolve
        .insert("api.test".into(), real.address);
    (stage, real)
}

fn url(recorder: &Recorder) -> &str {
    &recorder.environment()["GONOGO_RECORDED_API"]
}

fn write(stage: &Stage, name: &str, text: &str) -> String {
    // Beside the cassette's folder: that one is looked through by other tests.
    let path = stage.dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn curl_through_both_doors() {
    if let Some(why) = lacks("curl", &["--version"]) {
        return skip("curl", &why);
    }
    let real = upstream();
    let stage = Stage::new(real.address);
    let upload = "x".repeat(2 << 20);
    let file = write(&stage, "upload", &upload);
    let text = twice(&stage, |r| {
        let data = format!("@{file}");
        // Over a megabyte: curl waits for `100 Continue`.
        client(
            r,
            "curl",
            &[
                "-sS",
                "-m",
                "60",
                "--data-binary",
                &data,
                &format!("{}/up", url(r)),
            ],
        )
    });
    assert!(text.contains("\"length\":2097152"), "{text}");
    let (stage, _real) = forward();
    let text = twice(&stage, |r| {
        let http = |version| {
            client(
                r,
                "curl",
                &[
                    "-sS",
                    "-m",
                    "60",
                    version,
                    "-w",
                    "%{http_version}",
                    "https://api.test/x?y=1",
                ],
            )
        };
        format!("{}\n{}", http("--http2"), http("--http1.1"))
    });
    // HTTP/2 on both sides of the proxy, and HTTP/1.1 before it with HTTP/2 behind it.
    assert!(text.contains("\"version\":\"HTTP/2.0\""), "{text}");
    assert!(text.contains("}2\n") && text.ends_with("}1.1"), "{text}");
}

#[test]
fn curl_takes_a_plain_proxy_for_http() {
    if let Some(why) = lacks("curl", &["--version"]) {
        return skip("curl", &why);
    }
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.upstreams.clear();
    stage.settings.forward = true;
    stage
        .settings
        .resolve
        .insert("plain.test".into(), real.address);
    let text = twice(&stage, |r| {
        client(r, "curl", &["-sS", "-m", "60", "http://plain.test/a?b"])
    });
    assert!(text.contains("\"path\":\"/a\""), "{text}");
    // Not recorded: curl gets 599, the run fails.
    let (status, report) = stage.run(Mode::Playback, |r| {
        client(r, "curl", &["-sS", "-m", "60", "http://plain.test/a?b"]);
        client(
            r,
            "curl",
            &[
                "-sS",
                "-m",
                "60",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "-p",
                "http://plain.test/c",
            ],
        )
    });
    // `-p` tunnels plain HTTP.
    assert_eq!((status.as_str(), report.verdict), ("599", Verdict::Fail));
}

#[test]
fn python_through_both_doors() {
    if let Some(why) = lacks("python3", &["--version"]) {
        return skip("Python's urllib", &why);
    }
    let real = upstream();
    let stage = Stage::new(real.address);
    let get =
        "import sys,urllib.request as u;print(u.urlopen(sys.argv[1],timeout=60).read().decode())";
    let text = twice(&stage, |r| {
        client(r, "python3", &["-c", get, &format!("{}/sse", url(r))])
    });
    assert!(text.ends_with("data: [DONE]"), "{text}");
    let (stage, _real) = forward();
    let text = twice(&stage, |r| {
        client(r, "python3", &["-c", get, "https://api.test/x"])
    });
    assert!(text.contains("\"path\":\"/x\""), "{text}");
    let found = Command::new("python3")
        .args(["-c", "import requests"])
        .output()
        .unwrap();
    if !found.status.success() {
        return skip("Python's requests", "it is not installed");
    }
    let (stage, _real) = forward();
    let post = "import requests;print(requests.post('https://api.test/p',json={'a':1},headers={'Authorization':'Bearer abcdefgh12345'},timeout=60).text)";
    let text = {
        let (live, report) = stage.run(Mode::Record, |r| client(r, "python3", &["-c", post]));
        assert!(report.saved, "{report:?}");
        let (played, _) = stage.run(Mode::Playback, |r| client(r, "python3", &["-c", post]));
        assert!(live.contains("Bearer abcdefgh12345"));
        played
    };
    assert!(
        text.contains("\"authorization\":\"Bearer [REDACTED]\"")
            || text.contains("\"authorization\":\"[REDACTED]\""),
        "{text}"
    );
}

#[test]
fn node_through_both_doors() {
    if let Some(why) = lacks("node", &["--version"]) {
        return skip("Node", &why);
    }
    let real = upstream();
    let stage = Stage::new(real.address);
    let fetch = "fetch(process.argv[1],{method:'POST',body:JSON.stringify({a:1}),headers:{'content-type':'application/json'}}).then(r=>r.text()).then(console.log)";
    let text = twice(&stage, |r| {
        client(r, "node", &["-e", fetch, &format!("{}/f", url(r))])
    });
    assert!(text.contains("\"length\":7"), "{text}");
    // Before version 22.21 `fetch` takes no proxy from the environment, so the tunnel is asked for by hand.
    let tunnel = r"
const http=require('http'),https=require('https');
const p=new URL(process.env.HTTPS_PROXY);
http.request({host:p.hostname,port:p.port,method:'CONNECT',path:'api.test:443'}).on('connect',(res,socket)=>{
  https.get({host:'api.test',path:'/n',socket,agent:false,createConnection:()=>require('tls').connect({socket,servername:'api.test'})},r=>{
    let t='';r.on('data',d=>t+=d).on('end',()=>{console.log(t);socket.destroy()});
  });
}).end();";
    let (stage, _real) = forward();
    let text = twice(&stage, |r| client(r, "node", &["-e", tunnel]));
    assert!(text.contains("\"path\":\"/n\""), "{text}");
}

#[test]
fn go_through_both_doors() {
    if let Some(why) = lacks("go", &["version"]) {
        return skip("Go's net/http", &why);
    }
    let real = upstream();
    let stage = Stage::new(real.address);
    let program = r#"package main

import ("fmt"; "io"; "net/http"; "os"; "time")

func main() {
	c := http.Client{Timeout: time.Minute}
	r, err := c.Get(os.Args[1])
	if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
	b, err := io.ReadAll(r.Body)
	if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
	fmt.Print(string(b))
}
"#;
    let source = write(&stage, "main.go", program);
    let binary = Path::new(&source)
        .with_file_name("get")
        .display()
        .to_string();
    let built = Command::new("go")
        .args(["build", "-o", &binary, &source])
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let text = twice(&stage, |r| {
        client(r, &binary, &[&format!("{}/packed", url(r))])
    });
    assert!(text.contains("\"text\":\"plain\""), "{text}");
    let (stage, _real) = forward();
    let text = twice(&stage, |r| client(r, &binary, &["https://api.test/g"]));
    assert!(text.contains("\"version\":\"HTTP/2.0\""), "{text}");
}
