//! Takes the terminal out of a log: colours and other escape sequences, and a byte-order mark.
//!
//! A sequence that moves the cursor to another place becomes a carriage return, which ends a piece of text as a progress bar's own does;
//! one that moves it to the right becomes a space. A sequence may be cut anywhere by the borders of what is fed. Places in the clean text
//! are told as places in what was fed.

/// Most bytes of an escape sequence that are taken out; a longer one was none, or a broken one, and what follows is text again.
const LONGEST: usize = 4_096;

const ESC: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Cleans what it is fed.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    state: State,
    /// Bytes of the sequence so far.
    length: usize,
    /// Bytes that were fed.
    fed: u64,
    /// From which byte of the clean text on (counted from the last [`Self::forget`]) a byte was which one of those fed.
    steps: Vec<(usize, u64)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Behind ESC.
    Escape,
    /// Behind ESC and a byte that announces one more.
    Charset,
    /// Within `ESC [ … final`.
    Control,
    /// Within a text for the terminal: a title, a link. `ESC ] … BEL`, or up to `ESC \`.
    Command,
    /// Within that, behind ESC.
    CommandEscape,
}

impl Cleaner {
    /// Appends `bytes` to `clean`, without what is not text.
    pub(super) fn feed(&mut self, bytes: &[u8], clean: &mut Vec<u8>) {
        let mut at = 0;
        while at < bytes.len() {
            if self.state != State::Text {
                self.sequence(bytes[at], self.fed + at as u64, clean);
                at += 1;
                continue;
            }
            let end = memchr::memchr(ESC, &bytes[at..]).map_or(bytes.len(), |n| at + n);
            if end > at {
                self.step(clean.len(), self.fed + at as u64);
                clean.extend_from_slice(&bytes[at..end]);
            }
            if end < bytes.len() {
                (self.state, self.length) = (State::Escape, 0);
            }
            at = end + 1;
        }
        self.fed += bytes.len() as u64;
    }

    fn step(&mut self, clean: usize, fed: u64) {
        let goes_on = self
            .steps
            .last()
            .is_some_and(|&(c, f)| f + (clean - c) as u64 == fed);
        if !goes_on {
            self.steps.push((clean, fed));
        }
    }

    fn sequence(&mut self, byte: u8, at: u64, clean: &mut Vec<u8>) {
        self.length += 1;
        let before = clean.len();
        // A line's end ends a sequence that has none: a cut one must not hide what follows.
        if byte == b'\n' || self.length > LONGEST {
            self.state = State::Text;
            self.step(before, at);
            clean.push(byte);
            return;
        }
        self.state = match (self.state, byte) {
            (State::Escape, b'[') => State::Control,
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::Command,
            (State::Escape, b' '..=b'/') => State::Charset,
            (State::Escape | State::Control | State::Charset, ESC) => State::Escape,
            (State::Escape | State::Charset, _) => State::Text,
            (State::Control, b' '..=b'?') => State::Control,
            (State::Control, b'A'..=b'~') => {
                match byte {
                    b'C' => clean.push(b' '),
                    b'A' | b'B' | b'D'..=b'H' | b'J' | b'd' | b'f' => clean.push(b'\r'),
                    _ => {}
                }
                State::Text
            }
            // Not of a sequence: it was cut.
            (State::Control, _) => {
                clean.push(byte);
                State::Text
            }
            (State::Command | State::CommandEscape, BELL) | (State::CommandEscape, b'\\') => {
                State::Text
            }
            (State::Command, ESC) => State::CommandEscape,
            (State::Command | State::CommandEscape, _) => State::Command,
            (State::Text, _) => State::Text,
        };
        if clean.len() > before {
            self.step(before, at);
        }
    }

    /// Which of the fed bytes the byte `at` of the clean text was.
    pub(super) fn fed_at(&self, at: usize) -> u64 {
        let next = self.steps.partition_point(|&(clean, _)| clean <= at);
        match next.checked_sub(1).map(|n| self.steps[n]) {
            Some((clean, fed)) => fed + (at - clean) as u64,
            None => 0,
        }
    }

    /// Forgets the first `count` bytes of the clean text: counting begins behind them.
    pub(super) fn forget(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let fed = self.fed_at(count);
        let rest = self.steps.partition_point(|&(clean, _)| clean <= count);
        let later = self.steps.drain(..).skip(rest);
        let later: Vec<(usize, u64)> = later.map(|(clean, fed)| (clean - count, fed)).collect();
        self.steps.push((0, fed));
        self.steps.extend(later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(pieces: &[&[u8]]) -> (String, Cleaner) {
        let (mut cleaner, mut clean) = (Cleaner::default(), Vec::new());
        for piece in pieces {
            cleaner.feed(piece, &mut clean);
        }
        (String::from_utf8_lossy(&clean).into_owned(), cleaner)
    }

    #[test]
    fn sequences_go_and_text_stays_wherever_it_is_cut() {
        for (fed, expected) in [
            ("a\x1b[1;31mb\x1b[0m\x1b[Kc", "abc"),
            ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", "xy"),
            ("10 %\x1b[1Gdone", "10 %\rdone"),
            ("a\x1b[3Cb", "a b"),
            ("\x1b(Ba\x1b7b\x1b", "ab"),
            ("a\x1b[31\nb", "a\nb"),
            ("a\x1b]never ended\nb", "a\nb"),
            ("a\x1b\x1b[1mb", "ab"),
            ("ä\x1b[1mö", "äö"),
        ] {
            assert_eq!(clean(&[fed.as_bytes()]).0, expected, "{fed:?}");
            for cut in 0..fed.len() {
                let (a, b) = fed.as_bytes().split_at(cut);
                assert_eq!(clean(&[a, b]).0, expected, "{fed:?} cut at {cut}");
            }
        }
        let endless = format!("\x1b]{}x", "y".repeat(LONGEST));
        assert!(clean(&[endless.as_bytes()]).0.ends_with('x'));
    }

    #[test]
    fn places_are_those_of_what_was_fed() {
        let (text, mut cleaner) = clean(&[b"ab\x1b[1mcd", b"e\x1b[Gf"]);
        assert_eq!(text, "abcde\rf");
        let places = |c: &Cleaner, n: usize| (0..n).map(|at| c.fed_at(at)).collect::<Vec<_>>();
        assert_eq!(places(&cleaner, 7), [0, 1, 6, 7, 8, 11, 12]);
        cleaner.forget(1);
        assert_eq!(places(&cleaner, 6), [1, 6, 7, 8, 11, 12]);
        cleaner.forget(3);
        assert_eq!(places(&cleaner, 3), [8, 11, 12]);
    }
}
