//! Every byte is there, whatever the child prints and however it is kept.

use std::io::Read;
use std::path::Path;

use gonogo_capture::Captured;
use gonogo_dryrun::Stream;
use gonogo_dryrun::index::Member;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::Compression;

use crate::Test;
use crate::child::{counted, hostile};
use crate::kit::{check, child, complete, events, rebuilt, shell, spec};

pub(crate) const TESTS: &[Test] = &[
    ("hostile_bytes_plain", || hostile_bytes(Compression::None)),
    ("hostile_bytes_gzip", || hostile_bytes(Compression::Gzip)),
    ("hostile_bytes_zstd", || hostile_bytes(Compression::Zstd)),
    ("a_line_of_1_mib_and_of_100_mib", long_lines),
    ("nothing_printed", nothing_printed),
    ("no_final_newline", no_final_newline),
    ("a_child_that_closes_its_output_early", closes_early),
    ("rotation_tears_no_line", rotation),
    ("rotation_on_request_and_by_time", rotation_by_time),
    ("a_cut_file_is_read_up_to_the_cut", cut_file),
];

fn hostile_bytes(compression: Compression) {
    let dir = tempfile::tempdir().unwrap();
    for (seed, out, err) in [
        (1, 20_000_000, 3_000_000),
        (2, 1, 5_000_000),
        (3, 9_999_999, 0),
    ] {
        let (a, b) = (out.to_string(), err.to_string());
        let words = ["hostile", &seed.to_string(), &a, &b];
        let mut spec = spec(dir.path(), child(&words));
        spec.slug = format!("{seed}");
        spec.capture.compression = compression;
        if seed == 1 {
            spec.capture.rotate_bytes = Some(3_000_000);
        }
        let directory = complete(&spec, "child_exited");
        assert!(rebuilt(&directory, Stream::Stdout) == hostile(seed, out));
        assert!(rebuilt(&directory, Stream::Stderr) == hostile(seed + 1, err));
        external(&directory, compression);
        assert!(!directory.join("ballast").exists());
    }
}

/// Other people's tools read the segments, and find the same bytes.
fn external(directory: &Path, compression: Compression) {
    let (tool, suffix) = match compression {
        Compression::None => return,
        Compression::Gzip => ("gzip", ".gz"),
        Compression::Zstd => ("zstd", ".zst"),
    };
    if let Some(why) = gonogo_testkit::lacks(tool, &["--version"]) {
        gonogo_testkit::skip("segments read by other tools", &why);
        return;
    }
    let mut segments: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("stdout.") && name.ends_with(suffix)
        })
        .collect();
    segments.sort();
    let mut bytes = Vec::new();
    for segment in segments {
        let out = std::process::Command::new(tool)
            .arg("-dc")
            .arg(&segment)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        bytes.extend_from_slice(&out.stdout);
    }
    assert!(bytes == rebuilt(directory, Stream::Stdout));
}

fn long_lines() {
    let dir = tempfile::tempdir().unwrap();
    for (n, compression) in [Compression::None, Compression::Zstd]
        .into_iter()
        .enumerate()
    {
        for (m, length) in [1_usize << 20, 100 << 20].into_iter().enumerate() {
            let mut spec = spec(dir.path(), child(&["line", &length.to_string()]));
            spec.slug = format!("{n}-{m}");
            spec.capture.compression = compression;
            let directory = complete(&spec, "child_exited");
            let bytes = rebuilt(&directory, Stream::Stdout);
            assert_eq!(bytes.len(), length);
            assert!(bytes.iter().all(|b| *b == b'x'));
            let captured = Captured::open(&directory).unwrap();
            let open = |m: &Member| m.open_end && m.length <= 4 << 20;
            assert!(captured.members(Stream::Stdout).iter().all(open));
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}

fn nothing_printed() {
    let dir = tempfile::tempdir().unwrap();
    for compression in [Compression::None, Compression::Gzip] {
        let mut spec = spec(dir.path(), shell("exit 3"));
        spec.slug = format!("{compression:?}");
        spec.capture.compression = compression;
        let directory = complete(&spec, "child_exited");
        assert_eq!(rebuilt(&directory, Stream::Stdout), b"");
        assert!(events(&directory).iter().any(|event| matches!(
            event,
            Event::ChildExited {
                code: Some(3),
                signal: None,
                ..
            }
        )));
    }
}

fn no_final_newline() {
    let dir = tempfile::tempdir().unwrap();
    let directory = complete(
        &spec(dir.path(), shell("printf 'a\\nb'; printf '\\000\\377' >&2")),
        "child_exited",
    );
    assert_eq!(rebuilt(&directory, Stream::Stdout), b"a\nb");
    assert_eq!(rebuilt(&directory, Stream::Stderr), b"\0\xff");
    let captured = Captured::open(&directory).unwrap();
    assert!(captured.members(Stream::Stdout).last().unwrap().open_end);
}

fn closes_early() {
    let dir = tempfile::tempdir().unwrap();
    let script = "echo first; exec >&-; i=0; while [ $i -lt 50 ]; do echo later $i >&2; i=$((i+1)); done; sleep 0.3; echo last >&2";
    let directory = complete(&spec(dir.path(), shell(script)), "child_exited");
    assert_eq!(rebuilt(&directory, Stream::Stdout), b"first\n");
    assert!(rebuilt(&directory, Stream::Stderr).ends_with(b"later 49\nlast\n"));
}

fn rotation() {
    let dir = tempfile::tempdir().unwrap();
    let lines = 200_000;
    for (n, (compression, bytes)) in [
        (Compression::None, 1 << 16),
        (Compression::None, 1 << 20),
        (Compression::Gzip, 1 << 18),
    ]
    .into_iter()
    .enumerate()
    {
        let mut spec = spec(dir.path(), child(&["count", &lines.to_string(), "0"]));
        spec.slug = format!("{n}");
        spec.capture.compression = compression;
        spec.capture.rotate_bytes = Some(bytes);
        let directory = complete(&spec, "child_exited");
        let all = counted(lines);
        assert!(rebuilt(&directory, Stream::Stdout) == all);
        let captured = Captured::open(&directory).unwrap();
        let members = captured.members(Stream::Stdout);
        let ends: Vec<&Member> = members.iter().filter(|m| m.ends_segment).collect();
        assert!(
            ends.len() as u64 >= all.len() as u64 / (bytes + 200),
            "{}",
            ends.len()
        );
        assert!(ends.iter().all(|m| !m.open_end));
        if compression == Compression::None {
            for segment in 1..=ends.len() {
                let text = std::fs::read(directory.join(format!("stdout.{segment:06}"))).unwrap();
                assert!(text.starts_with(b"line ") && text.ends_with(b"\n"));
                assert!(segment == ends.len() || text.len() as u64 >= bytes);
                assert!(text.len() as u64 <= bytes + 200);
            }
        }
    }
}

fn rotation_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path(), child(&["count", "300", "5"]));
    spec.capture.rotate_seconds = Some(0.4);
    let mut running = crate::kit::start(&spec);
    let directory = running.files().directory().to_owned();
    crate::kit::until("bytes", || {
        Captured::open(&directory)
            .ok()
            .filter(|c| c.indexed(Stream::Stdout) > 0)
    });
    running.rotate();
    let ended = crate::kit::finish(&mut running);
    assert_eq!(ended.reason.as_deref(), Some("child_exited"));
    check(&directory);
    assert!(rebuilt(&directory, Stream::Stdout) == counted(300));
    let rotated = events(&directory)
        .iter()
        .filter(|event| matches!(event, Event::Rotated { .. }))
        .count();
    assert!((3..8).contains(&rotated), "{rotated}");
    let captured = Captured::open(&directory).unwrap();
    assert!(captured.members(Stream::Stdout).iter().all(|m| !m.open_end));
}

fn cut_file() {
    let dir = tempfile::tempdir().unwrap();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut spec = spec(dir.path(), child(&["count", "100000", "0"]));
        spec.slug = format!("{compression:?}");
        spec.capture.compression = compression;
        let directory = complete(&spec, "child_exited");
        let captured = Captured::open(&directory).unwrap();
        let path = captured.files().segment(Stream::Stdout, 1, compression);
        let length = std::fs::metadata(&path).unwrap().len();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(length - 3).unwrap();
        let mut reader = captured.rebuild(Stream::Stdout);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        let missing = reader.missing().unwrap();
        assert_eq!(missing.at, bytes.len() as u64);
        let last = captured.members(Stream::Stdout).last().unwrap();
        assert_eq!(missing.at, last.offset, "all whole members are read");
        assert!(counted(100_000).starts_with(&bytes));
    }
}
