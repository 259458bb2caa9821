//! Our log as a client of witnesses: honest ones, and *lying* ones of this suite.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gonogo_core::Digest;
use gonogo_ledger::policy::Policy;
use gonogo_ledger::witness::AddCheckpoint;
use gonogo_ledger::{CosignerKey, Note, Vkey};
use gonogo_tlog::cosign::{Cosigned, Outcome, Recall, Sizes, Terms, cosign};
use gonogo_tlog::error::Error;
use gonogo_tlog::server::{Handler, RequestBody};
use gonogo_tlog::witness::{Notice, Witness, WitnessSite};
use gonogo_tlog::{Body, Client};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};

use crate::support::{Book, Hand, ORIGIN, Running, runtime};

const NOW: u64 = 1_790_000_000;

/// An honest witness.
struct Honest {
    _dir: tempfile::TempDir,
    server: Running,
    vkey: Vkey,
}

fn honest(name: &str, book: &Book) -> Honest {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hand(AtomicI64::new(NOW as i64)));
    let notice: Notice = Arc::new(|_| {});
    let logs = [book.key.vkey().clone()];
    let witness = Witness::open(&dir.path().join("w"), name, &logs, clock, notice).unwrap();
    let vkey = witness.vkey().clone();
    Honest {
        _dir: dir,
        server: Running::start(WitnessSite::new(witness, "")),
        vkey,
    }
}

/// What a lying witness answers.
#[derive(Clone)]
enum Lie {
    /// A status, a content type and a body.
    Says(u16, &'static str, String),
    /// A body made of the request, with status 200.
    Signs(Arc<dyn Fn(&AddCheckpoint) -> String + Send + Sync>),
    /// Nothing, ever.
    Hangs,
    /// A body that never ends.
    Endless,
    /// A 409 with another size each time.
    Drifts,
    /// A 409 with this size, and this checkpoint on request.
    Knows(u64, String),
}

#[derive(Clone)]
struct Liar {
    lie: Lie,
    key: Arc<CosignerKey>,
    posts: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<u64>>>,
}

impl Liar {
    fn new(name: &str, lie: Lie) -> Self {
        let key = CosignerKey::load(name, &CosignerKey::generate().unwrap()).unwrap();
        Self {
            lie,
            key: Arc::new(key),
            posts: Arc::default(),
            asked: Arc::default(),
        }
    }
}

fn response(status: u16, kind: &str, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {});
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body.boxed())
        .unwrap()
}

impl Handler for Liar {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        if request.method() == Method::GET {
            return match &self.lie {
                Lie::Knows(_, note) => response(200, "text/plain", note.clone()),
                _ => response(404, "text/plain", "no\n"),
            };
        }
        self.posts.fetch_add(1, Ordering::SeqCst);
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let request = AddCheckpoint::parse(&body).unwrap();
        self.asked.lock().unwrap().push(request.old);
        match &self.lie {
            Lie::Says(status, kind, body) => response(*status, kind, body.clone()),
            Lie::Signs(line) => response(200, "text/plain", line(&request)),
            Lie::Hangs => std::future::pending().await,
            Lie::Endless => {
                let chunk = bytes::Bytes::from(vec![b'\n'; 1 << 20]);
                response(200, "text/plain", vec![chunk; 64].concat())
            }
            Lie::Drifts => response(409, "text/x.tlog.size", format!("{}\n", request.old + 1)),
            Lie::Knows(size, _) => response(409, "text/x.tlog.size", format!("{size}\n")),
        }
    }
}

fn text_of(note: &str) -> String {
    Note::parse(note).unwrap().text().to_owned()
}

/// The policy of one log and these witnesses, `k` of which make the quorum.
fn policy(book: &Book, k: usize, witnesses: &[(&str, &Vkey, Option<String>)]) -> Policy {
    let mut text = format!("log {}\n", book.key.vkey());
    for (name, vkey, url) in witnesses {
        let url = url.as_ref().map_or(String::new(), |url| format!(" {url}"));
        text += &format!("witness {name} {vkey}{url}\n");
    }
    let names: Vec<&str> = witnesses.iter().map(|(name, ..)| *name).collect();
    text += &format!("group all {k} {}\nquorum all\n", names.join(" "));
    Policy::parse(&text).unwrap()
}

fn patient() -> Terms {
    Terms {
        deadline: Duration::from_secs(20),
        linger: Duration::from_secs(20),
        ..Terms::default()
    }
}

fn run(
    book: &Book,
    size: u64,
    policy: &Policy,
    recall: &mut dyn Recall,
    terms: &Terms,
) -> Result<Cosigned, Error> {
    runtime().block_on(cosign(
        &Client::new(),
        policy,
        &book.checkpoint(size),
        |old| Ok::<Vec<Digest>, String>(book.proof(old, size)),
        recall,
        NOW,
        terms,
    ))
}

/// Asks one liar about the checkpoint of 300 leaves.
fn against(book: &Book, lie: Lie, terms: &Terms) -> (Cosigned, Liar) {
    let liar = Liar::new("liar.example", lie);
    let server = Running::start(liar.clone());
    let policy = policy(book, 1, &[("liar", liar.key.vkey(), Some(server.url()))]);
    let done = run(book, 300, &policy, &mut Sizes::in_memory(), terms).unwrap();
    (done, liar)
}

#[test]
fn honest_witnesses_make_the_quorum_in_the_policy_s_order() {
    let book = Book::new(1000);
    let all: Vec<Honest> = ["a.example", "b.example", "c.example"]
        .iter()
        .map(|name| honest(name, &book))
        .collect();
    let url = |n: usize| Some(all[n].server.url());
    let policy = policy(
        &book,
        3,
        &[
            ("third", &all[2].vkey, url(2)),
            ("first", &all[0].vkey, url(0).map(|u| format!("{u}/"))),
            ("second", &all[1].vkey, url(1)),
        ],
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("witnesses.json");
    for size in [0, 1, 256, 257, 1000, 1000] {
        let mut recall = Sizes::open(&path).unwrap();
        let done = run(&book, size, &policy, &mut recall, &patient()).unwrap();
        assert!(done.quorum.met, "{size}: {done:?}");
        recall.save().unwrap();
        let names: Vec<&str> = done.witnesses.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["third", "first", "second"]);
        let signers: Vec<String> = Note::parse(&done.note)
            .unwrap()
            .signatures()
            .iter()
            .map(|s| s.name.clone())
            .collect();
        assert_eq!(signers, [ORIGIN, "c.example", "a.example", "b.example"]);
        assert!(done.note.starts_with(&book.checkpoint(size)));
        for (name, outcome) in &done.witnesses {
            let want = Outcome::Cosigned {
                time: NOW,
                forgot: None,
            };
            assert_eq!(*outcome, want, "{name}");
        }
        let (checkpoint, _, quorum) = policy.open(&done.note).unwrap();
        assert_eq!((checkpoint.size, quorum.met), (size, true));
    }
    let again = Sizes::open(&path).unwrap();
    assert_eq!(again.last(ORIGIN, &all[1].vkey), 1000);
    assert_eq!(again.last("other.example", &all[1].vkey), 0);
    // A lost memory costs a round trip, nothing else.
    std::fs::remove_file(&path).unwrap();
    let mut recall = Sizes::open(&path).unwrap();
    assert!(
        run(&book, 1000, &policy, &mut recall, &patient())
            .unwrap()
            .quorum
            .met
    );
    std::fs::write(&path, "{\"x\": 1}").unwrap();
    assert!(matches!(Sizes::open(&path), Err(Error::Setting { .. })));
}

#[test]
fn a_witness_that_signed_already_is_not_asked_and_one_without_address_is_named() {
    let book = Book::new(300);
    let liar = Liar::new("liar.example", Lie::Hangs);
    let server = Running::start(liar.clone());
    let quiet = Liar::new("quiet.example", Lie::Hangs);
    let policy = policy(
        &book,
        1,
        &[
            ("liar", liar.key.vkey(), Some(server.url())),
            ("quiet", quiet.key.vkey(), None),
        ],
    );
    let note = book.checkpoint(300);
    let signed = format!("{note}{}", liar.key.cosign(&text_of(&note), NOW - 9));
    let done = runtime()
        .block_on(cosign(
            &Client::new(),
            &policy,
            &signed,
            |_| Err::<Vec<Digest>, _>("not asked"),
            &mut Sizes::in_memory(),
            NOW,
            &patient(),
        ))
        .unwrap();
    assert_eq!(done.note, signed);
    assert!(done.quorum.met);
    assert_eq!(done.witnesses[0].1, Outcome::Already { time: NOW - 9 });
    assert_eq!(done.witnesses[1].1, Outcome::NoAddress);
    assert_eq!(liar.posts.load(Ordering::SeqCst), 0);
    // A note that is not ours, or not signed, is not sent anywhere.
    let stranger = Book::new(300);
    assert!(run(&stranger, 300, &policy, &mut Sizes::in_memory(), &patient()).is_err());
    assert_eq!(liar.posts.load(Ordering::SeqCst), 0);
}

#[test]
fn nothing_that_does_not_verify_counts() {
    let book = Book::new(600);
    let other = Arc::new(Liar::new("liar.example", Lie::Hangs));
    let says = |status, kind, body: &str| Lie::Says(status, kind, body.to_owned());
    let signs = |line: Arc<dyn Fn(&AddCheckpoint) -> String + Send + Sync>| Lie::Signs(line);
    let another = Arc::clone(&other);
    for (what, lie) in [
        ("another key of the same name", {
            signs(Arc::new(move |r| {
                another.key.cosign(&text_of(&r.note), NOW)
            }))
        }),
        ("empty", says(200, "text/plain", "")),
        ("html", says(200, "text/html", "<html>hello</html>\n")),
        ("the note itself", signs(Arc::new(|r| r.note.clone()))),
        ("garbage signature", {
            says(
                200,
                "text/plain",
                "— liar.example AAAAAAAAAAAAAAAAAAAAAA==\n",
            )
        }),
        ("huge", Lie::Endless),
        (
            "not UTF-8 would be huge too",
            says(200, "text/plain", &"\u{1}".repeat(70_000)),
        ),
    ] {
        let (done, liar) = against(&book, lie, &patient());
        assert!(!done.quorum.met, "{what}");
        assert_eq!(done.note, book.checkpoint(300), "{what}");
        let outcome = &done.witnesses[0].1;
        assert!(
            matches!(outcome, Outcome::Unusable(_)),
            "{what}: {outcome:?}"
        );
        assert_eq!(liar.posts.load(Ordering::SeqCst), 1, "{what}");
    }
    for status in [201, 204, 301, 400, 403, 404, 409, 422, 500, 503] {
        let (done, liar) = against(&book, says(status, "text/plain", "n\u{1b}o"), &patient());
        let words = if status == 204 { "" } else { "n\\u{1b}o" };
        let want = Outcome::Refused {
            status,
            text: words.into(),
        };
        assert_eq!(done.witnesses[0].1, want);
        assert_eq!(liar.posts.load(Ordering::SeqCst), 1, "{status}");
    }
}

/// A liar with the right key still cannot choose the text or the time.
#[test]
fn the_right_key_over_the_wrong_thing_does_not_count() {
    let (book, other) = Book::forked(600, 280);
    let forked = text_of(&other.checkpoint(300));
    let smaller = text_of(&book.checkpoint(299));
    let plain = |r: &AddCheckpoint| text_of(&r.note);
    type Text = Box<dyn Fn(&AddCheckpoint) -> String + Send + Sync>;
    let cases: Vec<(&str, Text, u64, bool)> = vec![
        ("ours, now", Box::new(plain), NOW, true),
        ("an hour old", Box::new(plain), NOW - 3600, true),
        ("five minutes ahead", Box::new(plain), NOW + 300, true),
        ("too old", Box::new(plain), NOW - 3601, false),
        ("of 1970", Box::new(plain), 0, false),
        ("too new", Box::new(plain), NOW + 301, false),
        ("of the end of time", Box::new(plain), u64::MAX, false),
        (
            "another root",
            Box::new(move |_| forked.clone()),
            NOW,
            false,
        ),
        (
            "another size",
            Box::new(move |_| smaller.clone()),
            NOW,
            false,
        ),
    ];
    for (what, text, time, counts) in cases {
        let pkcs8 = CosignerKey::generate().unwrap();
        let key = || CosignerKey::load("liar.example", &pkcs8).unwrap();
        let signer = key();
        let mut liar = Liar::new(
            "liar.example",
            Lie::Signs(Arc::new(move |r| signer.cosign(&text(r), time))),
        );
        liar.key = Arc::new(key());
        let server = Running::start(liar.clone());
        let policy = policy(&book, 1, &[("liar", liar.key.vkey(), Some(server.url()))]);
        let mut recall = Sizes::in_memory();
        let done = run(&book, 300, &policy, &mut recall, &patient()).unwrap();
        assert_eq!(done.quorum.met, counts, "{what}: {done:?}");
        let lines = Note::parse(&done.note).unwrap().signature_count();
        assert_eq!(lines, 1 + usize::from(counts), "{what}");
        assert_eq!(
            recall.last(ORIGIN, liar.key.vkey()),
            if counts { 300 } else { 0 }
        );
        if !counts {
            assert!(
                matches!(done.witnesses[0].1, Outcome::Unusable(_)),
                "{what}"
            );
        }
    }
}

#[test]
fn a_witness_ahead_is_a_hard_stop_only_with_our_own_signature() {
    let (book, other) = Book::forked(600, 280);
    let stranger = Book::new(600);
    let forged = stranger.checkpoint(600);
    for (what, lie, stop) in [
        ("proof", Lie::Knows(600, book.checkpoint(600)), true),
        ("no proof", Lie::Knows(600, String::new()), false),
        ("another log's proof", Lie::Knows(600, forged), false),
        (
            "a proof of less",
            Lie::Knows(600, book.checkpoint(299)),
            false,
        ),
        (
            "the largest size",
            Lie::Knows(u64::MAX, book.checkpoint(300)),
            false,
        ),
    ] {
        let size = match &lie {
            Lie::Knows(size, _) => *size,
            _ => 0,
        };
        let (done, liar) = against(&book, lie, &patient());
        let outcome = &done.witnesses[0].1;
        assert!(
            matches!(outcome, Outcome::Ahead { size: s, .. } if *s == size),
            "{what}: {outcome:?}"
        );
        assert_eq!(outcome.is_hard_stop(), stop, "{what}");
        assert_eq!(liar.posts.load(Ordering::SeqCst), 1, "{what}");
        assert!(!done.quorum.met);
    }
    // An honest one, and a log that was set back.
    let witness = honest("a.example", &book);
    let policy = policy(
        &book,
        1,
        &[("a", &witness.vkey, Some(witness.server.url()))],
    );
    let mut recall = Sizes::in_memory();
    assert!(
        run(&book, 400, &policy, &mut recall, &patient())
            .unwrap()
            .quorum
            .met
    );
    for mut recall in [recall, Sizes::in_memory()] {
        let done = run(&book, 300, &policy, &mut recall, &patient()).unwrap();
        let Outcome::Ahead {
            size: 400,
            proof: Some(proof),
        } = &done.witnesses[0].1
        else {
            panic!("{done:?}");
        };
        assert!(proof.starts_with(&book.checkpoint(400)));
        assert!(!done.quorum.met);
    }
    // And a fork of the same size.
    let mut recall = Sizes::in_memory();
    recall.cosigned(ORIGIN, &witness.vkey, 400);
    let done = run(&other, 400, &policy, &mut recall, &patient()).unwrap();
    let outcome = &done.witnesses[0].1;
    assert!(
        matches!(outcome, Outcome::Fork { size: 400, proof: Some(p) } if p.starts_with(&book.checkpoint(400))),
        "{outcome:?}"
    );
    assert!(outcome.is_hard_stop());
    let done = run(&other, 400, &policy, &mut Sizes::in_memory(), &patient()).unwrap();
    assert!(
        matches!(done.witnesses[0].1, Outcome::Fork { .. }),
        "{done:?}"
    );
    // One that has grown since: no proof leads from the one tree to the other.
    let done = run(&other, 600, &policy, &mut Sizes::in_memory(), &patient()).unwrap();
    let outcome = &done.witnesses[0].1;
    assert!(
        matches!(outcome, Outcome::Fork { size: 400, .. }),
        "{outcome:?}"
    );
    assert!(outcome.is_hard_stop());
}

#[test]
fn a_lying_size_is_followed_once_and_a_witness_that_forgot_is_named() {
    let book = Book::new(600);
    let (done, liar) = against(&book, Lie::Knows(17, String::new()), &patient());
    assert!(matches!(
        done.witnesses[0].1,
        Outcome::Refused { status: 409, .. }
    ));
    assert_eq!(*liar.asked.lock().unwrap(), [0, 17]);
    let (done, liar) = against(&book, Lie::Drifts, &patient());
    assert!(matches!(
        done.witnesses[0].1,
        Outcome::Refused { status: 409, .. }
    ));
    assert_eq!(*liar.asked.lock().unwrap(), [0, 1]);
    for odd in [
        "",
        "x\n",
        "017\n",
        "-1\n",
        "17\n\n",
        "1e3\n",
        "99999999999999999999\n",
    ] {
        let lie = Lie::Says(409, "text/x.tlog.size", odd.into());
        let (done, liar) = against(&book, lie, &patient());
        let outcome = &done.witnesses[0].1;
        assert!(
            matches!(outcome, Outcome::Refused { status: 409, .. }),
            "{odd:?}: {outcome:?}"
        );
        assert_eq!(liar.posts.load(Ordering::SeqCst), 1, "{odd:?}");
    }
    let witness = honest("a.example", &book);
    let policy = policy(
        &book,
        1,
        &[("a", &witness.vkey, Some(witness.server.url()))],
    );
    assert!(
        run(&book, 200, &policy, &mut Sizes::in_memory(), &patient())
            .unwrap()
            .quorum
            .met
    );
    let mut recall = Sizes::in_memory();
    recall.cosigned(ORIGIN, &witness.vkey, 250);
    let done = run(&book, 300, &policy, &mut recall, &patient()).unwrap();
    let want = Outcome::Cosigned {
        time: NOW,
        forgot: Some(250),
    };
    assert_eq!(done.witnesses[0].1, want);
    assert_eq!(recall.last(ORIGIN, &witness.vkey), 300);
}

#[test]
fn the_quorum_does_not_wait_for_silent_witnesses() {
    let book = Book::new(300);
    let good = honest("a.example", &book);
    let silent = Liar::new("silent.example", Lie::Hangs);
    let server = Running::start(silent.clone());
    let mut gone = Running::start(silent.clone());
    gone.stop();
    let nobody = Liar::new("nobody.example", Lie::Hangs);
    let witnesses = [
        ("silent", silent.key.vkey(), Some(server.url())),
        ("nobody", nobody.key.vkey(), Some(gone.url())),
        ("a", &good.vkey, Some(good.server.url())),
    ];
    let terms = Terms {
        deadline: Duration::from_secs(15),
        linger: Duration::from_millis(50),
        ..Terms::default()
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "how long it takes is what is tested"
    )]
    let begin = Instant::now();
    let one = policy(&book, 1, &witnesses);
    let done = run(&book, 300, &one, &mut Sizes::in_memory(), &terms).unwrap();
    assert!(done.quorum.met);
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert!(matches!(done.witnesses[0].1, Outcome::Silent(_)));
    assert!(
        matches!(&done.witnesses[1].1, Outcome::Silent(text) if text.contains("no connection"))
    );
    assert!(matches!(done.witnesses[2].1, Outcome::Cosigned { .. }));
    // Not met: everything that came by the deadline, and an honest "not met".
    let two = policy(&book, 2, &witnesses);
    let short = Terms {
        deadline: Duration::from_millis(500),
        ..terms
    };
    let done = run(&book, 300, &two, &mut Sizes::in_memory(), &short).unwrap();
    assert!(!done.quorum.met);
    assert_eq!(done.quorum.cosigned, [("a".to_owned(), NOW)]);
    assert!(matches!(done.witnesses[0].1, Outcome::Silent(_)));
}

#[test]
fn addresses_that_cannot_be_asked_are_said_so() {
    let book = Book::new(300);
    let liar = Liar::new("liar.example", Lie::Hangs);
    let server = Running::start(liar.clone());
    // TLS to a port that speaks none.
    let https = format!("https://{}", server.addr);
    for (url, silent) in [
        ("ftp://x.example".to_owned(), false),
        (https, cfg!(feature = "tls")),
    ] {
        let text = format!(
            "log {}\nwitness liar {} {url}\nquorum liar\n",
            book.key.vkey(),
            liar.key.vkey()
        );
        let Ok(policy) = Policy::parse(&text) else {
            continue;
        };
        let done = run(&book, 300, &policy, &mut Sizes::in_memory(), &patient()).unwrap();
        let outcome = &done.witnesses[0].1;
        if silent {
            assert!(
                matches!(outcome, Outcome::Silent(_) | Outcome::Unusable(_)),
                "{outcome:?}"
            );
        } else {
            assert!(matches!(outcome, Outcome::Unusable(_)), "{outcome:?}");
        }
    }
    assert_eq!(liar.posts.load(Ordering::SeqCst), 0);
}
