//! What is printed: JSON lines, bursts of them, lines of any length and bytes of any kind.
//!
//! Everything goes through [`Printer`], which holds a buffer for each stream and is flushed at each tick's end: a line is one
//! write where it fits. Copies get exactly the bytes that the stream took, after it took them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use jiff::SignedDuration;
use serde::Serialize;

use crate::injection::Pipe;
use crate::time;

/// A piece of [`HOSTILE`] and why it is there.
#[derive(Debug, Clone, Copy)]
pub struct Hostile {
    /// What is special about it.
    pub what: &'static str,
    /// The bytes, line end included.
    pub bytes: &'static [u8],
}

/// Lines that careless readers lose, cut or change. All of them are of level info or of none.
pub const HOSTILE: &[Hostile] = &[
    Hostile {
        what: "NUL",
        bytes: b"nul \0 in the middle and at the end \0\n",
    },
    Hostile {
        what: "invalid UTF-8",
        bytes: b"invalid \xff\xfe\xc3\x28\xe2\x82 utf-8\n",
    },
    Hostile {
        what: "surrogate in UTF-8",
        bytes: b"surrogate \xed\xa0\x80\n",
    },
    Hostile {
        what: "CRLF",
        bytes: b"carriage return and line feed\r\n",
    },
    Hostile {
        what: "lone CR",
        bytes: b"progress 10%\rprogress 100%\n",
    },
    Hostile {
        what: "empty lines",
        bytes: b"\n\r\n\n",
    },
    Hostile {
        what: "terminal control",
        bytes: b"\x1b[2J\x1b[31mred\x1b[0m\x07\x08\n",
    },
    Hostile {
        what: "separators of Unicode",
        bytes: "next\u{85}line\u{2028}separator\u{2029}\u{feff}\n".as_bytes(),
    },
    Hostile {
        what: "vertical tab and form feed",
        bytes: b"vertical\x0btab form\x0cfeed\n",
    },
    Hostile {
        what: "spaces at the end",
        bytes: b"spaces  \t \n",
    },
    Hostile {
        what: "JSON that is none",
        bytes: b"{\"level\":\"info\",\"message\":\"cut of\n",
    },
    Hostile {
        what: "NUL in JSON",
        bytes: b"{\"level\":\"info\",\"message\":\"a\\u0000b\",\"seq\":1}\n",
    },
    Hostile {
        what: "lone surrogate in JSON",
        bytes: b"{\"level\":\"info\",\"message\":\"\\ud800\"}\n",
    },
    Hostile {
        what: "number beyond any type",
        bytes: b"{\"level\":\"info\",\"seq\":1e999999,\"timestamp\":1e400}\n",
    },
];

/// A line as the runtime prints it; the order of fields is the order in the line.
#[derive(Serialize)]
struct Record<'a> {
    timestamp: &'a str,
    level: &'a str,
    event: &'a str,
    message: &'a str,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Prints.
pub(crate) struct Printer<O: Write, E: Write> {
    out: BufWriter<O>,
    err: BufWriter<E>,
    words: fastrand::Rng,
    /// How far the timestamps are moved.
    pub(crate) shift: SignedDuration,
}

const BUFFER: usize = 64 << 10;

impl<O: Write, E: Write> Printer<O, E> {
    pub(crate) fn new(out: O, err: E, seed: u64) -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER, out),
            err: BufWriter::with_capacity(BUFFER, err),
            words: fastrand::Rng::with_seed(seed),
            shift: SignedDuration::ZERO,
        }
    }

    /// Hands over what is buffered; in the order in which it was printed only within a stream.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.err.flush()
    }

    fn to(&mut self, pipe: Pipe) -> &mut dyn Write {
        match pipe {
            Pipe::Stdout => &mut self.out,
            Pipe::Stderr => &mut self.err,
        }
    }

    /// One line.
    fn record(
        &mut self,
        pipe: Pipe,
        level: &str,
        event: &str,
        message: &str,
        seq: u64,
    ) -> io::Result<()> {
        let timestamp = &time::stamp(self.shift);
        let record = Record {
            timestamp,
            level,
            event,
            message,
            seq,
            reason: None,
        };
        self.print(pipe, &record, b"\n")
    }

    fn print(&mut self, pipe: Pipe, record: &Record<'_>, end: &[u8]) -> io::Result<()> {
        let to = self.to(pipe);
        serde_json::to_writer(&mut *to, record)?;
        to.write_all(end)
    }

    /// Many lines. They share a timestamp by the hundred: making it takes longer than all the rest of a line.
    fn burst(
        &mut self,
        lines: u64,
        pipe: Pipe,
        (level, event): (&str, &str),
        message: impl Fn(&mut fastrand::Rng, u64) -> String,
    ) -> io::Result<()> {
        let mut timestamp = String::new();
        for seq in 1..=lines {
            if seq % 100 == 1 {
                timestamp = time::stamp(self.shift);
            }
            let message = &message(&mut self.words, seq);
            let record = Record {
                timestamp: &timestamp,
                level,
                event,
                message,
                seq,
                reason: None,
            };
            self.print(pipe, &record, b"\n")?;
        }
        Ok(())
    }

    pub(crate) fn heartbeat(&mut self, n: u64) -> io::Result<()> {
        self.record(
            Pipe::Stdout,
            "info",
            "heartbeat",
            &format!("heartbeat #{n}"),
            n,
        )
    }

    /// The last line.
    pub(crate) fn shutdown(&mut self, n: u64, reason: &str, newline: bool) -> io::Result<()> {
        let end: &[u8] = if newline { b"\n" } else { b"" };
        let timestamp = &time::stamp(self.shift);
        let record = Record {
            timestamp,
            level: "info",
            event: "shutdown",
            message: "shutdown",
            seq: n,
            reason: Some(reason),
        };
        self.print(Pipe::Stdout, &record, end)
    }

    /// A line of level warning about the runtime itself.
    pub(crate) fn trouble(&mut self, n: u64, message: &str) -> io::Result<()> {
        self.record(Pipe::Stdout, "warning", "evidence", message, n)
    }

    /// Plain text on stderr.
    pub(crate) fn complain(&mut self, text: &str) -> io::Result<()> {
        self.err.write_all(text.as_bytes())?;
        self.err.flush()
    }

    pub(crate) fn flood(&mut self, lines: u64) -> io::Result<()> {
        let kind = ("info", "flood");
        self.burst(lines, Pipe::Stdout, kind, |_, _| {
            "one of very many lines".to_owned()
        })
    }

    /// Warnings of which no two have one wording: not even if numbers are blanked, which is how such lines are often grouped.
    pub(crate) fn warnings(&mut self, lines: u64) -> io::Result<()> {
        self.burst(
            lines,
            Pipe::Stdout,
            ("warning", "venue_late"),
            |words, n| {
                format!(
                    "venue {} answers late: {} ms",
                    word(words, n),
                    words.u32(100..9_999)
                )
            },
        )
    }

    pub(crate) fn errors(&mut self, lines: u64) -> io::Result<()> {
        let kind = ("error", "order_lost");
        self.burst(lines, Pipe::Stdout, kind, |_, _| {
            "an order was lost".to_owned()
        })
    }

    pub(crate) fn notes(&mut self, lines: u64) -> io::Result<()> {
        let kind = ("info", "note");
        self.burst(lines, Pipe::Stderr, kind, |_, _| {
            "all is well, on the other stream".to_owned()
        })
    }

    pub(crate) fn trace(&mut self, text: &str, pipe: Pipe) -> io::Result<()> {
        self.to(pipe).write_all(text.as_bytes())?;
        // Some tools end without a line feed; the next line of ours must not grow together with theirs.
        if text.ends_with('\n') {
            Ok(())
        } else {
            self.to(pipe).write_all(b"\n")
        }
    }

    /// One line of level info with exactly so many bytes before its line feed, as far as an empty one has fewer.
    pub(crate) fn long_line(&mut self, n: u64, bytes: u64) -> io::Result<()> {
        let timestamp = time::stamp(self.shift);
        let head = format!(
            r#"{{"timestamp":"{timestamp}","level":"info","event":"long","seq":{n},"message":""#
        );
        let tail = "\"}\n";
        self.out.write_all(head.as_bytes())?;
        let mut left = bytes.saturating_sub((head.len() + tail.len() - 1) as u64);
        let mut block = [0_u8; 8 << 10];
        while left > 0 {
            let part = left.min(block.len() as u64) as usize;
            for byte in &mut block[..part] {
                *byte = self.words.u8(b'a'..=b'z');
            }
            self.out.write_all(&block[..part])?;
            left -= part as u64;
        }
        self.out.write_all(tail.as_bytes())
    }

    pub(crate) fn hostile(&mut self) -> io::Result<()> {
        HOSTILE
            .iter()
            .try_for_each(|line| self.out.write_all(line.bytes))
    }
}

/// A word of letters only, another one for each `n`.
fn word(words: &mut fastrand::Rng, n: u64) -> String {
    let mut word: String = (0..4).map(|_| char::from(words.u8(b'a'..=b'z'))).collect();
    let mut rest = n;
    while rest > 0 {
        word.push(char::from(b"bcdfghjklmnpqrst"[(rest % 16) as usize]));
        rest /= 16;
    }
    word
}

/// A stream and, if wanted, a copy of what it took.
pub(crate) struct Copied<W> {
    stream: W,
    copy: Option<File>,
}

impl<W> Copied<W> {
    /// Copies to `folder/name`, if there is a folder.
    pub(crate) fn new(stream: W, folder: Option<&Path>, name: &str) -> io::Result<Self> {
        let copy = match folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                Some(File::create(folder.join(name))?)
            }
            None => None,
        };
        Ok(Self { stream, copy })
    }
}

impl<W: Write> Write for Copied<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.stream.write(bytes)?;
        if let Some(copy) = &mut self.copy {
            copy.write_all(&bytes[..taken])?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn printed(act: impl Fn(&mut Printer<&mut Vec<u8>, &mut Vec<u8>>)) -> (Vec<u8>, Vec<u8>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printer = Printer::new(&mut out, &mut err, 7);
        act(&mut printer);
        printer.flush().unwrap();
        drop(printer);
        (out, err)
    }

    #[test]
    fn no_two_warnings_are_worded_alike_even_without_their_numbers() {
        let (out, _) = printed(|p| p.warnings(4_000).unwrap());
        let text = String::from_utf8(out).unwrap();
        let wordings: BTreeSet<String> = text
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let message = line["message"].as_str().unwrap();
                message.chars().filter(|c| !c.is_ascii_digit()).collect()
            })
            .collect();
        assert_eq!(wordings.len(), 4_000);
        let again = printed(|p| p.warnings(3).unwrap()).0;
        let cut = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .lines()
                .take(3)
                .map(|l| l[40..].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(cut(text.as_bytes()), cut(&again), "a seed repeats itself");
    }

    #[test]
    fn a_long_line_has_exactly_the_bytes_asked_for() {
        for bytes in [200, 8_192, 65_537, 3 << 20] {
            let (out, _) = printed(|p| p.long_line(1, bytes).unwrap());
            assert_eq!(out.len() as u64, bytes + 1);
            assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
            let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(line["level"], "info");
        }
    }

    #[test]
    fn hostile_bytes_are_what_they_say() {
        for line in HOSTILE {
            assert!(line.bytes.ends_with(b"\n"), "{}", line.what);
        }
        let invalid = HOSTILE
            .iter()
            .filter(|l| std::str::from_utf8(l.bytes).is_err());
        assert_eq!(invalid.count(), 2);
        let (out, err) = printed(|p| p.hostile().unwrap());
        assert!(out.contains(&0) && err.is_empty());
    }

    /// Takes three bytes at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_copy_has_what_was_taken_and_not_what_was_offered() {
        let folder = tempfile::tempdir().unwrap();
        let mut copied = Copied::new(Slow(Vec::new()), Some(folder.path()), "stdout").unwrap();
        copied.write_all(b"ten bytes.").unwrap();
        assert_eq!(copied.stream.0, b"ten bytes.");
        assert_eq!(
            std::fs::read(folder.path().join("stdout")).unwrap(),
            b"ten bytes."
        );
    }
}
