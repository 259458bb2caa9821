//! Export to directories and object storage: what arrives, in which order, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use gonogo_tlog::Publication;
use gonogo_tlog::error::Error;
use gonogo_tlog::export::{Destination, Exported, Patience, export};
use gonogo_tlog::publication::Tree;

use crate::fake_s3::{FakeS3, Fault};
use crate::support::{Book, Running, read_all, runtime};

fn quick(at_once: usize) -> Patience {
    Patience {
        attempts: 4,
        pause: Duration::from_millis(2),
        at_once,
    }
}

fn copy(
    book: &Book,
    size: u64,
    destination: &Destination,
    patience: &Patience,
) -> Result<Exported, Error> {
    let dir = tempfile::tempdir().unwrap();
    book.publish(dir.path(), size);
    let publication = Publication::new(dir.path());
    let key = book.key.vkey().clone();
    runtime().block_on(export(&publication, &key, destination, patience))
}

fn environment(endpoint: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("HOME", "/"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into()
}

struct Cloud {
    s3: FakeS3,
    running: Running,
}

impl Cloud {
    fn new() -> Self {
        let s3 = FakeS3::default();
        let running = Running::start(s3.clone());
        Self { s3, running }
    }

    fn at(&self, prefix: &str) -> Destination {
        self.within(prefix, Duration::from_secs(20))
    }

    fn within(&self, prefix: &str, deadline: Duration) -> Destination {
        let url = format!("s3://bucket/{prefix}");
        Destination::s3_within(&url, environment(&self.running.url()), deadline).unwrap()
    }
}

#[test]
fn a_directory_becomes_the_same_publication_at_every_size() {
    for size in [0, 1, 255, 256, 257, 511, 70_000] {
        let book = Book::new(size);
        let out = tempfile::tempdir().unwrap();
        let place = out.path().join("deep/inside");
        let destination = Destination::directory(&place).unwrap();
        let done = copy(&book, size, &destination, &quick(4)).unwrap();
        let files = book.files(size);
        assert_eq!(read_all(&place), files, "{size}");
        let bytes = files.values().map(|b| b.len() as u64).sum();
        let want = Exported {
            size,
            before: None,
            uploaded: files.len() as u64,
            missing: 0,
            compared: 0,
            bytes,
        };
        assert_eq!(done, want);
        // Once more: nothing to do, and nothing done.
        let again = copy(&book, size, &destination, &quick(4)).unwrap();
        assert_eq!((again.uploaded, again.bytes), (0, 0));
        assert_eq!(again.before, Some(size));
        assert_eq!((again.compared, again.missing), (files.len() as u64, 0));
        assert_eq!(read_all(&place), files, "{size}");
    }
}

#[test]
fn a_second_run_brings_only_what_is_missing() {
    let book = Book::new(1000);
    let cloud = Cloud::new();
    let destination = cloud.at("log");
    for (size, before) in [
        (300, None),
        (301, Some(300)),
        (520, Some(301)),
        (1000, Some(520)),
    ] {
        cloud.s3.forget_requests();
        let done = copy(&book, size, &destination, &quick(3)).unwrap();
        assert_eq!(done.before, before);
        let puts = cloud.s3.puts();
        let old = before.map_or_else(BTreeMap::new, |b| book.files(b));
        let fresh = book.files(size);
        let mut expected: Vec<String> = fresh
            .keys()
            .filter(|n| *n == "checkpoint" || !old.contains_key(*n))
            .map(|n| format!("log/{n}"))
            .collect();
        expected.sort();
        let mut sorted = puts.clone();
        sorted.sort();
        assert_eq!(sorted, expected, "{size}");
        assert_eq!(puts.last().unwrap(), "log/checkpoint");
        // Everything that the new checkpoint needs was read, before it moved: it is the last write.
        let mut read = cloud.s3.gets();
        read.sort();
        read.dedup();
        let needed: Vec<String> = fresh.keys().map(|n| format!("log/{n}")).collect();
        assert_eq!(read, needed, "{size}");
        let tiles = fresh.len() as u64 - 1;
        assert_eq!(done.uploaded, expected.len() as u64);
        assert_eq!(done.compared, tiles - (done.uploaded - 1));
        assert_eq!(done.missing, 0);
        for (name, bytes) in &fresh {
            assert_eq!(cloud.s3.objects("log").get(name), Some(bytes), "{name}");
        }
    }
    assert_eq!(cloud.s3.unsigned(), 0);
}

/// Every fault on every single PUT of a first and a later export: the result is the source, and no object had two contents.
#[test]
fn no_fault_of_one_write_forks_or_loses_anything() {
    let book = Book::new(600);
    let cloud = Cloud::new();
    let mut runs = 0;
    for fault in [
        Fault::Conflict,
        Fault::Precondition,
        Fault::Busy,
        Fault::LandedAndFailed,
        Fault::LandedAndSilent,
        Fault::Silent,
        Fault::Lost,
    ] {
        for (at_once, from, to) in [(1, None, 257), (4, None, 257), (1, Some(257), 600)] {
            if at_once > 1 && matches!(fault, Fault::Silent | Fault::LandedAndSilent) {
                // Each costs a deadline; one at a time is enough of that.
                continue;
            }
            for at in 0.. {
                runs += 1;
                let prefix = format!("log{runs}");
                let silent = matches!(fault, Fault::Silent | Fault::LandedAndSilent);
                let deadline = Duration::from_millis(if silent { 150 } else { 20_000 });
                let destination = cloud.within(&prefix, deadline);
                // A busy machine may miss that deadline now and then by itself; the rules are the same.
                let patience = Patience {
                    attempts: 12,
                    ..quick(at_once)
                };
                let mut expected = BTreeMap::new();
                if let Some(from) = from {
                    copy(&book, from, &destination, &patience).unwrap();
                    expected = book.files(from);
                }
                cloud.s3.fail([at], fault);
                let done = copy(&book, to, &destination, &patience).unwrap();
                let what = format!("{fault:?} on put {at} of {to}");
                expected.extend(book.files(to));
                assert_eq!(cloud.s3.objects(&prefix), expected, "{what}");
                assert_eq!(done.size, to, "{what}");
                if cloud.s3.puts().len() <= at {
                    // There is no such PUT any more: all were tried.
                    assert!(at > 3, "{what}");
                    break;
                }
            }
        }
    }
    for (name, contents) in cloud.s3.history() {
        if name.ends_with("/checkpoint") {
            assert!(contents.len() <= 2, "{name}");
        } else {
            assert_eq!(contents.len(), 1, "{name} was written twice");
        }
    }
    assert!(runs > 100, "{runs}");
}

#[test]
fn a_store_that_never_takes_a_write_is_given_up_and_loses_nothing() {
    let book = Book::new(600);
    let cloud = Cloud::new();
    let destination = cloud.at("log");
    copy(&book, 257, &destination, &quick(4)).unwrap();
    let before = cloud.s3.objects("log");
    for fault in [Fault::Busy, Fault::Conflict, Fault::Forbidden] {
        cloud.s3.forget_requests();
        cloud.s3.fail_always(Some(fault));
        let error = copy(&book, 600, &destination, &quick(1)).unwrap_err();
        match fault {
            Fault::Forbidden => {
                assert!(matches!(error, Error::Refused { .. }), "{error}");
                assert_eq!(cloud.s3.puts().len(), 1);
            }
            _ => {
                let Error::Exhausted {
                    attempts: 4, name, ..
                } = &error
                else {
                    panic!("{error}");
                };
                assert!(name.starts_with("tile/"), "{name}");
                assert_eq!(cloud.s3.puts().len(), 4);
            }
        }
        assert_eq!(cloud.s3.objects("log"), before);
    }
    // The checkpoint's own write is given up as well, with every tile in place; the next run only needs that one.
    cloud.s3.fail_always(None);
    let count = cloud.at("count");
    copy(&book, 257, &count, &quick(1)).unwrap();
    cloud.s3.forget_requests();
    copy(&book, 600, &count, &quick(1)).unwrap();
    let last = cloud.s3.puts().len() - 1;
    cloud.s3.fail(last..last + 4, Fault::Conflict);
    let error = copy(&book, 600, &destination, &quick(1)).unwrap_err();
    assert!(
        matches!(&error, Error::Exhausted { name, .. } if name == "checkpoint"),
        "{error}"
    );
    let mut expected = before;
    expected.extend(book.files(600));
    expected.insert("checkpoint".into(), book.checkpoint(257).into_bytes());
    assert_eq!(cloud.s3.objects("log"), expected);
    let done = copy(&book, 600, &destination, &quick(2)).unwrap();
    assert_eq!((done.uploaded, done.before), (1, Some(257)));
}

#[test]
fn an_object_with_other_bytes_is_fatal_and_named() {
    let book = Book::new(600);
    let cloud = Cloud::new();
    cloud.s3.insert("log/tile/0/001", b"somebody else's");
    let out = tempfile::tempdir().unwrap();
    fs::create_dir_all(out.path().join("tile/0")).unwrap();
    fs::write(out.path().join("tile/0/001"), "somebody else's").unwrap();
    let directory = Destination::directory(out.path()).unwrap();
    for destination in [cloud.at("log"), directory] {
        let error = copy(&book, 600, &destination, &quick(2)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Different { .. }), "{text}");
        assert!(text.contains("`tile/0/001`"), "{text}");
    }
    assert!(!cloud.s3.objects("log").contains_key("checkpoint"));
    assert_eq!(cloud.s3.objects("log")["tile/0/001"], b"somebody else's");
    assert!(!out.path().join("checkpoint").exists());
    assert_eq!(
        fs::read(out.path().join("tile/0/001")).unwrap(),
        b"somebody else's"
    );
}

#[test]
fn rollback_fork_and_foreign_logs_are_refused() {
    let (book, other) = Book::forked(600, 280);
    let stranger = Book::new(600);
    let cloud = Cloud::new();
    let out = tempfile::tempdir().unwrap();
    for destination in [cloud.at("log"), Destination::directory(out.path()).unwrap()] {
        copy(&book, 500, &destination, &quick(4)).unwrap();
        let checkpoint = || {
            let here = fs::read(out.path().join("checkpoint")).ok();
            (cloud.s3.objects("log").get("checkpoint").cloned(), here)
        };
        let before = checkpoint();
        let error = copy(&book, 499, &destination, &quick(4)).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Rollback {
                    there: 500,
                    here: 499,
                    ..
                }
            ),
            "{error}"
        );
        let error = copy(&other, 500, &destination, &quick(4)).unwrap_err();
        assert!(matches!(error, Error::Fork { size: 500, .. }), "{error}");
        let error = copy(&other, 600, &destination, &quick(4)).unwrap_err();
        assert!(matches!(error, Error::Fork { size: 500, .. }), "{error}");
        let error = copy(&stranger, 600, &destination, &quick(4)).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
        assert_eq!(checkpoint(), before);
        copy(&book, 501, &destination, &quick(4)).unwrap();
    }
    // Garbage in the place of a checkpoint is not ours to overwrite either.
    cloud.s3.insert("odd/checkpoint", b"\xff");
    let error = copy(&book, 10, &cloud.at("odd"), &quick(4)).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    cloud.s3.insert("big/checkpoint", &vec![b'x'; 100_000]);
    let error = copy(&book, 10, &cloud.at("big"), &quick(4)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

/// Somebody else's checkpoint appears between our look and our compare-and-swap.
#[test]
fn a_checkpoint_that_comes_in_between_is_judged_again() {
    let (book, other) = Book::forked(600, 280);
    let cloud = Cloud::new();
    copy(&book, 600, &cloud.at("count"), &quick(1)).unwrap();
    let last = cloud.s3.puts().len() - 1;
    let meddle = |prefix: &str, book: &Book, size: u64| {
        let note = book.checkpoint(size).into_bytes();
        cloud
            .s3
            .meddle(last, vec![(format!("{prefix}/checkpoint"), note)]);
    };
    meddle("smaller", &book, 300);
    let done = copy(&book, 600, &cloud.at("smaller"), &quick(1)).unwrap();
    assert_eq!(done.size, 600);
    let at = |prefix: &str| cloud.s3.objects(prefix)["checkpoint"].clone();
    assert_eq!(at("smaller"), book.checkpoint(600).into_bytes());
    meddle("same", &book, 600);
    copy(&book, 600, &cloud.at("same"), &quick(1)).unwrap();
    meddle("fork", &other, 300);
    let error = copy(&book, 600, &cloud.at("fork"), &quick(1)).unwrap_err();
    assert!(matches!(error, Error::Fork { size: 300, .. }), "{error}");
    assert_eq!(at("fork"), other.checkpoint(300).into_bytes());
    let smaller = {
        copy(&book, 500, &cloud.at("ahead"), &quick(1)).unwrap();
        cloud.s3.forget_requests();
        copy(&book, 550, &cloud.at("ahead"), &quick(1)).unwrap();
        cloud.s3.puts().len() - 1
    };
    let note = book.checkpoint(600).into_bytes();
    copy(&book, 500, &cloud.at("race"), &quick(1)).unwrap();
    cloud
        .s3
        .meddle(smaller, vec![("race/checkpoint".into(), note.clone())]);
    let error = copy(&book, 550, &cloud.at("race"), &quick(1)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Rollback {
                there: 600,
                here: 550,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(at("race"), note);
}

/// One place after the other: an S3 server's prefix, and a directory.
trait Place {
    fn destination(&self) -> Destination;
    fn read(&self) -> BTreeMap<String, Vec<u8>>;
    fn remove(&self, name: &str);
    fn damage(&self, name: &str);
}

impl Place for Cloud {
    fn destination(&self) -> Destination {
        self.at("log")
    }

    fn read(&self) -> BTreeMap<String, Vec<u8>> {
        self.s3.objects("log")
    }

    fn remove(&self, name: &str) {
        self.s3.remove(&format!("log/{name}"));
    }

    fn damage(&self, name: &str) {
        let mut bytes = self.read()[name].clone();
        bytes[3] ^= 1;
        self.s3.insert(&format!("log/{name}"), &bytes);
    }
}

impl Place for tempfile::TempDir {
    fn destination(&self) -> Destination {
        Destination::directory(self.path()).unwrap()
    }

    fn read(&self) -> BTreeMap<String, Vec<u8>> {
        read_all(self.path())
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    fn damage(&self, name: &str) {
        let mut bytes = self.read()[name].clone();
        bytes[3] ^= 1;
        fs::write(self.path().join(name), bytes).unwrap();
    }
}

#[test]
fn what_the_destination_lost_is_written_again_and_what_it_changed_is_an_error() {
    let book = Book::new(1000);
    let places: [Box<dyn Place>; 2] = [
        Box::new(Cloud::new()),
        Box::new(tempfile::tempdir().unwrap()),
    ];
    for place in places {
        let export = |size| copy(&book, size, &place.destination(), &quick(4));
        export(600).unwrap();
        // Lost: found and written again, whether there is something new or not.
        for (size, uploaded, compared) in [(600, 2, 6), (1000, 2 + 6, 2)] {
            place.remove("tile/entries/001");
            place.remove("tile/0/000");
            let done = export(size).unwrap();
            assert_eq!((done.missing, done.before), (2, Some(600)), "{size}");
            assert_eq!((done.uploaded, done.compared), (uploaded, compared));
            let mut expected = book.files(600);
            expected.extend(book.files(size));
            assert_eq!(place.read(), expected, "{size}");
        }
        // Changed: an error that names it, and nothing moves, whether there is something new or not.
        for name in ["tile/entries/002", "tile/0/001", "tile/1/000.p/3"] {
            let before = place.read();
            place.damage(name);
            let damaged = place.read();
            let error = export(1000).unwrap_err();
            assert!(
                matches!(&error, Error::Different { name: named, .. } if named == name),
                "{error}"
            );
            assert_eq!(place.read(), damaged, "{name}");
            place.remove(name);
            assert_eq!(export(1000).unwrap().missing, 1);
            assert_eq!(place.read(), before);
        }
    }
    // Nor does the checkpoint move onto a damaged tile when the log grew.
    let cloud = Cloud::new();
    copy(&book, 600, &cloud.destination(), &quick(4)).unwrap();
    cloud.damage("tile/entries/000");
    let error = copy(&book, 1000, &cloud.destination(), &quick(4)).unwrap_err();
    assert!(
        matches!(&error, Error::Different { name, .. } if name == "tile/entries/000"),
        "{error}"
    );
    assert_eq!(
        cloud.read()["checkpoint"],
        book.checkpoint(600).into_bytes()
    );
}

/// 200 to a PUT is a claim like any other.
#[test]
fn a_store_that_says_done_is_not_believed() {
    let book = Book::new(600);
    let tiles = book.files(600).len() - 1;
    for at in 0..=tiles {
        let cloud = Cloud::new();
        cloud.s3.fail([at], Fault::Garbled);
        let error = copy(&book, 600, &cloud.at("log"), &quick(1)).unwrap_err();
        if at < tiles {
            assert!(matches!(&error, Error::Different { .. }), "{at}: {error}");
            assert!(!cloud.read().contains_key("checkpoint"), "{at}");
        } else {
            assert!(matches!(&error, Error::Foreign { .. }), "{at}: {error}");
        }
    }
    // Nothing of what it says it took is there, again and again.
    let cloud = Cloud::new();
    cloud.s3.fail_always(Some(Fault::Lost));
    let error = copy(&book, 600, &cloud.at("log"), &quick(4)).unwrap_err();
    assert!(
        matches!(&error, Error::Exhausted { name, text, .. }
            if name.starts_with("tile/") && text.contains("taken, and is not there")),
        "{error}"
    );
    assert!(cloud.read().is_empty());
    // And of the checkpoint alone.
    cloud.s3.fail_always(None);
    cloud.s3.fail(tiles..tiles + 4, Fault::Lost);
    let error = copy(&book, 600, &cloud.at("log"), &quick(1)).unwrap_err();
    assert!(
        matches!(&error, Error::Exhausted { name, .. } if name == "checkpoint"),
        "{error}"
    );
    copy(&book, 600, &cloud.at("log"), &quick(1)).unwrap();
    assert_eq!(cloud.read(), book.files(600));
}

#[test]
fn a_bucket_that_is_served_as_a_site_says_what_our_server_says() {
    let book = Book::new(600);
    let cloud = Cloud::new();
    let destination = cloud.at("");
    copy(&book, 600, &destination, &quick(4)).unwrap();
    assert_eq!(cloud.s3.all(), book.files(600));
    let headers = cloud.s3.headers();
    let of = |name: &str| headers[name].clone();
    assert_eq!(
        of("checkpoint"),
        ("text/plain; charset=utf-8".into(), "no-cache".into())
    );
    assert_eq!(
        of("tile/0/000"),
        (
            "application/octet-stream".into(),
            "public, max-age=31536000, immutable".into()
        )
    );
}

#[test]
fn a_damaged_publication_is_not_exported() {
    let book = Book::new(600);
    let key = book.key.vkey().clone();
    for (name, at) in [
        ("tile/0/000", 5000),
        ("tile/0/002.p/88", 7),
        ("tile/1/000.p/2", 40),
        ("tile/entries/001", 900),
        ("tile/entries/002.p/88", 1),
        ("checkpoint", 20),
    ] {
        let dir = tempfile::tempdir().unwrap();
        book.publish(dir.path(), 600);
        let file = dir.path().join(name);
        let mut bytes = fs::read(&file).unwrap();
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        let cloud = Cloud::new();
        let publication = Publication::new(dir.path());
        let error = runtime()
            .block_on(export(&publication, &key, &cloud.at("log"), &quick(1)))
            .unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{name}: {error}");
        let there = cloud.s3.objects("log");
        assert!(!there.contains_key("checkpoint"), "{name}");
        let right = book.files(600);
        for (copied, bytes) in there {
            assert_eq!(right[&copied], bytes, "{copied} after damage of {name}");
        }
        // A file that is gone is no better.
        fs::remove_file(&file).unwrap();
        let error = runtime()
            .block_on(export(&publication, &key, &cloud.at("log"), &quick(1)))
            .unwrap_err();
        assert!(matches!(error, Error::Missing { .. }), "{name}: {error}");
    }
}

#[test]
fn a_publication_whose_partial_tiles_were_replaced_is_exported_all_the_same() {
    let book = Book::new(600);
    let dir = tempfile::tempdir().unwrap();
    book.publish(dir.path(), 600);
    // The checkpoint is older than the tiles, and its partial tiles are gone.
    fs::write(dir.path().join("checkpoint"), book.checkpoint(300)).unwrap();
    let kept = "tile/1/000.p/1";
    fs::write(dir.path().join(kept), &book.files(300)[kept]).unwrap();
    let cloud = Cloud::new();
    let publication = Publication::new(dir.path());
    let key = book.key.vkey().clone();
    let done = runtime()
        .block_on(export(&publication, &key, &cloud.at("log"), &quick(2)))
        .unwrap();
    assert_eq!(done.size, 300);
    let there = cloud.s3.objects("log");
    for (name, bytes) in book.files(300) {
        assert_eq!(there.get(&name), Some(&bytes), "{name}");
    }
}

#[test]
fn other_stores_and_the_key_of_the_log_come_along() {
    let book = Book::new(300);
    let dir = tempfile::tempdir().unwrap();
    book.publish(dir.path(), 300);
    let vkey = format!("{}\n", book.key.vkey());
    fs::write(dir.path().join("log.vkey"), &vkey).unwrap();
    let memory = Arc::new(object_store::memory::InMemory::new());
    let destination = Destination::store(memory.clone(), "a/b".into(), "memory");
    let publication = Publication::new(dir.path());
    let key = book.key.vkey().clone();
    let run = || runtime().block_on(export(&publication, &key, &destination, &quick(2)));
    assert_eq!(run().unwrap().uploaded, book.files(300).len() as u64 + 1);
    assert_eq!(run().unwrap().uploaded, 0);
    let read = |name: &str| {
        use object_store::ObjectStoreExt as _;
        let path = object_store::path::Path::from(name);
        runtime().block_on(async { memory.get(&path).await.unwrap().bytes().await.unwrap() })
    };
    assert_eq!(read("a/b/log.vkey"), vkey);
    assert_eq!(read("a/b/checkpoint"), book.checkpoint(300));
    // More cosignatures on the same tree replace the note, fewer do not.
    let witness = gonogo_ledger::CosignerKey::generate().unwrap();
    let witness = gonogo_ledger::CosignerKey::load("w.example", &witness).unwrap();
    let note = book.checkpoint(300);
    let text = gonogo_ledger::Note::parse(&note).unwrap().text().to_owned();
    let cosigned = format!("{note}{}", witness.cosign(&text, 7));
    fs::write(dir.path().join("checkpoint"), &cosigned).unwrap();
    assert_eq!(run().unwrap().uploaded, 1);
    assert_eq!(read("a/b/checkpoint"), cosigned);
    fs::write(dir.path().join("checkpoint"), &note).unwrap();
    assert_eq!(run().unwrap().uploaded, 0);
    assert_eq!(read("a/b/checkpoint"), cosigned);
}

#[test]
fn what_cannot_be_a_destination_is_refused_by_name() {
    let none = Vec::<(String, String)>::new;
    for name in [
        "",
        "ftp://x/y",
        "s3://",
        "s3:///prefix",
        "s3://buck et/x",
        "s3://bucket/a//b",
        "file://relative",
        "http://x",
    ] {
        let error = Destination::open(name, none()).unwrap_err();
        assert!(
            matches!(error, Error::Destination { .. }),
            "{name}: {error}"
        );
    }
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("x");
    let held = Destination::open(&format!("file://{}", path.display()), none()).unwrap();
    let second = Destination::open(path.to_str().unwrap(), none()).unwrap_err();
    assert!(matches!(second, Error::Busy { .. }), "{second}");
    drop(held);
    Destination::open(path.to_str().unwrap(), none()).unwrap();
    // A plain-text endpoint must be meant.
    let cloud = Cloud::new();
    let mut plain = environment(&cloud.running.url());
    plain.retain(|(key, _)| key != "AWS_ALLOW_HTTP");
    let destination = Destination::open("s3://bucket/log", plain).unwrap();
    let error = copy(&Book::new(3), 3, &destination, &quick(1)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("AWS_ALLOW_HTTP"), "{error}");
    assert!(cloud.s3.gets().is_empty());
    // Nobody there.
    let mut gone = Cloud::new();
    gone.running.stop();
    let error = copy(&Book::new(3), 3, &gone.at("log"), &quick(1)).unwrap_err();
    assert!(matches!(error, Error::Exhausted { .. }), "{error}");
}

#[test]
fn a_tree_reads_its_proofs_out_of_tiles() {
    let book = Book::new(70_000);
    let dir = tempfile::tempdir().unwrap();
    book.publish(dir.path(), 70_000);
    let note = book.checkpoint(70_000);
    let checkpoint = gonogo_ledger::Checkpoint::open(&note, book.key.vkey()).unwrap();
    let mut tree = Tree::open(&Publication::new(dir.path()), &checkpoint).unwrap();
    for old in [0, 1, 255, 256, 257, 12_345, 65_536, 69_999, 70_000] {
        assert_eq!(
            tree.consistency(old).unwrap(),
            book.proof(old, 70_000),
            "{old}"
        );
        assert_eq!(tree.root(old).unwrap(), book.root(old), "{old}");
    }
}
