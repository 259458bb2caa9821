//! What a Go test said of its failure: the blocks that `t.Error` and `t.Log` print, and what an example got.
//!
//! Nothing in the output tells an error from a log. The last block comes first, since a test mostly ends with what it failed by, and those before
//! it follow, so that a log behind the failure, as a clean-up prints it, does not hide the failure: two failures that differ are never one.

use super::super::gather;
use crate::Location;

/// Most bytes of all blocks that are kept.
const MOST: usize = 4 << 10;

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The latest last.
    blocks: Vec<(Location, String)>,
    size: usize,
    /// Whether lines belong to the last block if they are indented.
    is_open: bool,
    /// Behind the line of its end: what an example got and wanted.
    has_ended: bool,
    behind: String,
}

impl Said {
    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        self.size + self.behind.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The test's own line with its outcome was printed.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
        self.is_open = false;
    }

    /// Another line begins that is no text of the test.
    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    /// Takes a line.
    pub(super) fn line(&mut self, line: &str) {
        // `cmp.Diff` puts in spaces that do not break, now and then.
        let line = &*line.replace('\u{a0}', " ");
        if let Some((location, text)) = begins(line) {
            self.is_open = true;
            self.size += text.len();
            self.blocks.push((location, text.to_owned()));
            while self.size > MOST && self.blocks.len() > 1 {
                self.size -= self.blocks.remove(0).1.len();
            }
        } else if self.is_open && line.starts_with("        ") {
            self.more(&line[8..]);
        } else {
            self.is_open = false;
            if self.has_ended && self.behind.len() < MOST {
                self.behind.push_str(line);
                self.behind.push('\n');
            }
        }
    }

    fn more(&mut self, line: &str) {
        if let Some((_, last)) = self.blocks.last_mut()
            && self.size < MOST
        {
            last.push('\n');
            last.push_str(line.trim_end());
            self.size += line.len() + 1;
        }
    }

    /// The last block's place and text.
    pub(super) fn last(&self) -> Option<(&Location, &str)> {
        let (location, text) = self.blocks.last()?;
        Some((location, text.trim()))
    }

    /// All that was said, the last first; where there is no block, what an example got. Empty if there is nothing.
    pub(super) fn message(&self) -> String {
        if self.blocks.is_empty() {
            return match self.behind.starts_with("got:\n") {
                true => self.behind.trim().to_owned(),
                false => String::new(),
            };
        }
        let all = self.blocks.iter().rev().map(|(_, text)| testify(text));
        let all: Vec<String> = all.filter(|text| !text.is_empty()).collect();
        all.join("\n")
    }
}

/// `    calc_test.go:12: message`; what the program printed without ending its line may stand before it.
fn begins(line: &str) -> Option<(Location, &str)> {
    let block = |from: &str| -> Option<(Location, usize)> {
        let location = gather::location(from).filter(|place| place.file.ends_with(".go"))?;
        let text = from[location.file.len() + 1..].split_once(':')?.1;
        Some((location, text.len()))
    };
    let found = match line.starts_with("    ") {
        true => block(line.trim_start()),
        false => {
            let rests = line
                .match_indices("    ")
                .map(|(at, _)| line[at..].trim_start());
            let mut found = rests.filter_map(block);
            // `testing` prints a file's bare name.
            found.find(|(place, _)| !place.file.contains(['/', ' ']))
        }
    };
    let (location, rest) = found?;
    Some((location, line[line.len() - rest..].trim()))
}

/// The text of a block without what testify puts around it: where it stands, and the test's name.
fn testify(text: &str) -> String {
    let is_it = text
        .lines()
        .any(|line| line.trim().starts_with("Error Trace:"));
    if !is_it {
        return text.trim().to_owned();
    }
    let mut lines = Vec::new();
    let mut skips = false;
    for line in text.lines().map(str::trim) {
        if let Some(start) = ["Error Trace:", "Error:", "Test:", "Messages:"]
            .iter()
            .find(|start| line.starts_with(**start))
        {
            skips = matches!(*start, "Error Trace:" | "Test:");
            let rest = line[start.len()..].trim();
            if !skips && !rest.is_empty() {
                lines.push(rest);
            }
        } else if !skips && !line.is_empty() {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// What a text that `go test -v` printed says: the message and its place. `None` if nothing.
pub(in super::super) fn of(text: &str) -> Option<(String, Option<Location>)> {
    let mut said = Said::default();
    for line in text.lines() {
        if line.trim_start().starts_with("--- FAIL: ") {
            said.end();
        } else if line.starts_with("=== ") {
            said.close();
        } else {
            said.line(line);
        }
    }
    let message = said.message();
    let location = said.last().map(|(location, _)| location.clone());
    (!message.is_empty()).then_some((message, location))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_comes_first_with_all_its_lines() {
        let of = |text: &str| of(text).map(|(m, l)| (m, l.and_then(|l| l.line)));
        let got = of(
            "=== RUN   T\n    a_test.go:5: starting the shop\nprinted\n    a_test.go:9: mismatch (-want +got):\n          {\n        -\u{a0}\tid: 1,\n        + \tid: 2,\n          }\n--- FAIL: T (0.00s)\n",
        );
        let text = "mismatch (-want +got):\n  {\n- \tid: 1,\n+ \tid: 2,\n  }\nstarting the shop";
        assert_eq!(got, Some((text.to_owned(), Some(9))));
        // A log of the clean-up does not hide it.
        let (message, _) =
            of("    a_test.go:9: charged twice\n    a_test.go:3: stopped\n").unwrap();
        assert_eq!(message, "stopped\ncharged twice");
        // An example.
        let got = of("=== RUN   ExampleX\n--- FAIL: ExampleX (0.00s)\ngot:\n3\nwant:\n4\n");
        assert_eq!(got, Some(("got:\n3\nwant:\n4".to_owned(), None)));
        assert_eq!(of("=== RUN   T\nprinted\n--- FAIL: T (0.00s)\n"), None);
        let long = format!("    a_test.go:1: x\n{}", "        more\n".repeat(1 << 14));
        assert!(of(&long).unwrap().0.len() <= MOST + 16);
    }

    #[test]
    fn a_line_that_the_program_did_not_end_hides_nothing() {
        let place =
            |text: &str| of(text).map(|(m, l)| (m, l.map(|l| (l.file.to_string(), l.line))));
        let expected = Some((
            "total is 3".to_owned(),
            Some(("a_test.go".to_owned(), Some(3))),
        ));
        assert_eq!(
            place("loading shop.json: 3 of 4    a_test.go:3: total is 3\n"),
            expected
        );
        assert_eq!(place("a    table    a_test.go:3: total is 3\n"), expected);
        for text in [
            "see a_test.go:3: for it\n",
            "no    file.txt:3: x\n",
            "x    y\n",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn testify_says_it_below_its_trace() {
        let text = "    a_test.go:7: \n        \tError Trace:\t/w/p/a_test.go:7\n        \t            \t\t\t\t/w/p/b.go:9\n        \tError:      \tNot equal: \n        \t            \texpected: 1\n        \t            \tactual  : 2\n        \tTest:       \tTestPay\n        \tMessages:   \tthe card was charged twice\n";
        let (message, place) = of(text).unwrap();
        assert_eq!(
            message,
            "Not equal:\nexpected: 1\nactual  : 2\nthe card was charged twice"
        );
        assert_eq!(place.unwrap().line, Some(7));
    }
}
