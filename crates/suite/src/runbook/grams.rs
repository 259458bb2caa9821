//! Finds thousands of literal texts in bytes at more than a gigabyte a second.
//!
//! Every text is known by a few *grams*: pieces of eight (or four) neighbouring bytes. The bytes are probed only at every fourth place;
//! wherever a text lies, one of four neighbouring places in it is probed, and the grams of those four are in a table of bits. A probe is
//! a load, a multiplication and a look at one bit, and none waits for the one before. Where the bit is set, the gram is looked up, and
//! the texts that have it are compared byte by byte. Which four places stand for a text is chosen so that few other texts share them.
//! Grams are taken of bytes with bit 5 set, which makes letters small, so that texts that ignore case cost nothing more.
//!
//! Texts that are too short for that, and crowds that share their grams, are left to Aho–Corasick. Invariant: what is told is there (every hit is compared), and every text
//! that is there is told.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Distance between two probes.
const STRIDE: usize = 4;
/// Bytes of a gram of a long text, and of a middling one.
const WIDE: usize = 8;
const NARROW: usize = 4;
/// Least bytes of a long text, and of a middling one: a gram at each of four places.
const LONG: usize = WIDE + STRIDE - 1;
const MIDDLING: usize = NARROW + STRIDE - 1;

/// Most bytes of texts for Aho–Corasick that get a DFA.
const DFA: usize = 32 << 10;

/// Most texts that one gram stands for.
const CROWD: usize = 32;

/// Bit 5 of every byte.
const SMALL: u64 = 0x2020_2020_2020_2020;

/// A literal text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    /// Whether ASCII letters may be of the other case.
    pub(super) ignore_case: bool,
}

impl Text {
    fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        match bytes
            .get(at..)
            .and_then(|rest| rest.get(..self.bytes.len()))
        {
            Some(found) if self.ignore_case => found.eq_ignore_ascii_case(&self.bytes),
            Some(found) => found == self.bytes,
            None => false,
        }
    }

    /// Where in `bytes` it stands first.
    pub(super) fn find_in(&self, bytes: &[u8]) -> Option<usize> {
        if !self.ignore_case {
            return memchr::memmem::find(bytes, &self.bytes);
        }
        let first = *self.bytes.first()?;
        let (small, large) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
        memchr::memchr2_iter(small, large, bytes).find(|&at| self.is_at(bytes, at))
    }
}

/// Texts to look for; each is known by its number, its index in the list that was given.
#[derive(Debug)]
pub(super) struct Texts {
    texts: Vec<Text>,
    wide: Grams<WIDE>,
    narrow: Grams<NARROW>,
    short: [Option<Short>; 2],
}

impl Texts {
    /// # Errors
    /// The short ones are too many for an automaton.
    pub(super) fn new(texts: Vec<Text>) -> Result<Self, aho_corasick::BuildError> {
        let of = |from: usize, to: usize| -> Vec<u32> {
            let fits = |text: &Text| (from..to).contains(&text.bytes.len());
            let numbered = texts.iter().enumerate();
            let fitting = numbered.filter(|(_, text)| fits(text));
            fitting.map(|(n, _)| n as u32).collect()
        };
        let mut rest = of(1, MIDDLING);
        let wide = Grams::new(&texts, &of(LONG, usize::MAX), &mut rest);
        let narrow = Grams::new(&texts, &of(MIDDLING, LONG), &mut rest);
        let short = [
            Short::new(&texts, &rest, false)?,
            Short::new(&texts, &rest, true)?,
        ];
        Ok(Self {
            texts,
            wide,
            narrow,
            short,
        })
    }

    /// Bytes of the longest.
    pub(super) fn longest(&self) -> usize {
        self.texts.iter().map(|t| t.bytes.len()).max().unwrap_or(0)
    }

    /// A search through `bytes` from their begin.
    pub(super) fn scan<'a>(&'a self, bytes: &'a [u8]) -> Scan<'a> {
        Scan {
            texts: self,
            bytes,
            gram: Some(0),
            short: self.short.each_ref().map(|s| s.as_ref().map(|_| 0)),
        }
    }

    /// Tells the numbers of all texts that `bytes` have, each at least once.
    pub(super) fn all(&self, bytes: &[u8], mut tell: impl FnMut(u32)) {
        let mut from = 0;
        while let Some(at) = self.probe(bytes, from) {
            self.told(bytes, at, |n| {
                tell(n);
                false
            });
            from = at + STRIDE;
        }
        for short in self.short.iter().flatten() {
            for found in short.automaton.find_overlapping_iter(bytes) {
                tell(short.numbers[found.pattern().as_usize()]);
            }
        }
    }

    /// The next probe, from `from` in strides, at which a gram may be.
    fn probe(&self, bytes: &[u8], from: usize) -> Option<usize> {
        match (self.wide.is_empty(), self.narrow.is_empty()) {
            (true, true) => None,
            (false, true) => self.probe_of::<true, false>(bytes, from),
            (true, false) => self.probe_of::<false, true>(bytes, from),
            (false, false) => self.probe_of::<true, true>(bytes, from),
        }
    }

    fn probe_of<const W: bool, const N: bool>(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let (wide, narrow) = (&*self.wide.bits, &*self.narrow.bits);
        let (wide_shift, narrow_shift) = (self.wide.shift, self.narrow.shift);
        let maybe = |word: u64| {
            let word = word | SMALL;
            (W && has(wide, place(word, wide_shift)))
                || (N && has(narrow, place(cut::<NARROW>(word), narrow_shift)))
        };
        let mut at = from;
        // Four probes at once: one branch for all of them.
        while let Some(window) = bytes.get(at..at + 3 * STRIDE + WIDE) {
            let [a, b, c, d] = [0, STRIDE, 2 * STRIDE, 3 * STRIDE].map(|n| maybe(load(window, n)));
            if a | b | c | d {
                let first = [a, b, c, d].iter().position(|&hit| hit).unwrap_or(0);
                return Some(at + first * STRIDE);
            }
            at += 4 * STRIDE;
        }
        while let Some(window) = bytes.get(at..at + WIDE) {
            if maybe(load(window, 0)) {
                return Some(at);
            }
            at += STRIDE;
        }
        // The last bytes have room for narrow grams only.
        while let Some(window) = bytes.get(at..).filter(|rest| N && rest.len() >= NARROW) {
            let mut word = [0; WIDE];
            word[..window.len()].copy_from_slice(window);
            let word = u64::from_le_bytes(word) | SMALL;
            if has(narrow, place(cut::<NARROW>(word), narrow_shift)) {
                return Some(at);
            }
            at += STRIDE;
        }
        None
    }

    /// Tells the texts that are there and have a gram at `at`, until `done` says so.
    fn told(&self, bytes: &[u8], at: usize, mut done: impl FnMut(u32) -> bool) -> bool {
        let window = &bytes[at..bytes.len().min(at + WIDE)];
        let mut word = [0; WIDE];
        word[..window.len()].copy_from_slice(window);
        let word = u64::from_le_bytes(word) | SMALL;
        let wide: &[Home] = if window.len() == WIDE {
            self.wide.homes(word)
        } else {
            &[]
        };
        let narrow = self.narrow.homes(word);
        wide.iter().chain(narrow).any(|home| {
            let begin = at.checked_sub(home.offset as usize);
            let text = &self.texts[home.text as usize];
            begin.is_some_and(|begin| text.is_at(bytes, begin)) && done(home.text)
        })
    }
}

/// A search that tells places where a text is, in no text's favour, and may be told to go on further ahead.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    texts: &'a Texts,
    bytes: &'a [u8],
    /// Where the last hit was, of the grams and of each automaton. `None` at the end.
    gram: Option<usize>,
    short: [Option<usize>; 2],
}

impl Scan<'_> {
    /// A place within a text that stands behind `from`, in a line before which no line has a text. `from` never goes back.
    pub(super) fn next(&mut self, from: usize) -> Option<usize> {
        if let Some(at) = self.gram {
            self.gram = self.next_gram(at.max(from));
        }
        for (at, short) in self.short.iter_mut().zip(&self.texts.short) {
            *at = match (*at, short) {
                (Some(at), Some(short)) => short.next(self.bytes, at.max(from)),
                _ => None,
            };
        }
        [self.gram, self.short[0], self.short[1]]
            .into_iter()
            .flatten()
            .min()
    }

    fn next_gram(&self, from: usize) -> Option<usize> {
        let mut from = from;
        loop {
            let at = self.texts.probe(self.bytes, from)?;
            if self.texts.told(self.bytes, at, |_| true) {
                return Some(at);
            }
            from = at + STRIDE;
        }
    }
}

/// Texts without grams: those whose case counts, or those whose case does not.
#[derive(Debug)]
struct Short {
    automaton: AhoCorasick,
    numbers: Vec<u32>,
}

impl Short {
    fn new(
        texts: &[Text],
        numbers: &[u32],
        ignore_case: bool,
    ) -> Result<Option<Self>, aho_corasick::BuildError> {
        let numbers = numbers.iter().copied();
        let numbers: Vec<u32> = numbers
            .filter(|&n| texts[n as usize].ignore_case == ignore_case)
            .collect();
        if numbers.is_empty() {
            return Ok(None);
        }
        // A DFA of more texts has more states than a cache has room for.
        let bytes: usize = numbers.iter().map(|&n| texts[n as usize].bytes.len()).sum();
        let kind = (bytes <= DFA).then_some(AhoCorasickKind::DFA);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(ignore_case)
            .kind(kind)
            .build(numbers.iter().map(|&n| &texts[n as usize].bytes))?;
        Ok(Some(Self { automaton, numbers }))
    }

    /// Where one begins, at or behind `from`: the one that ends first.
    fn next(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let found = self.automaton.find(bytes.get(from..)?)?;
        Some(from + found.start())
    }
}

/// Where in a text a gram is.
#[derive(Debug, Clone, Copy)]
struct Home {
    text: u32,
    offset: u32,
}

/// The grams of `W` bytes that stand for texts.
#[derive(Debug)]
struct Grams<const W: usize> {
    /// A bit for what the hash of a gram may be.
    bits: Box<[u64; WORDS]>,
    shift: u32,
    /// Open addressing; a gram of zero is an empty slot, and no gram is zero.
    slots: Vec<(u64, u32, u32)>,
    homes: Vec<Home>,
}

const LOG_BITS: u32 = 20;
const WORDS: usize = 1 << (LOG_BITS - 6);

impl<const W: usize> Grams<W> {
    /// Grams for the texts of `numbers`. Those whose grams are a crowd's, who would all be compared wherever a log has what they
    /// share, go to `rest`.
    fn new(texts: &[Text], numbers: &[u32], rest: &mut Vec<u32>) -> Self {
        // How many texts have a gram, about: grams of one hash are counted together.
        let mut shared = vec![0_u32; 1 << 16];
        let counted = |gram: u64| (hash(gram) >> 48) as usize;
        for &n in numbers {
            let bytes = &texts[n as usize].bytes;
            for at in 0..=bytes.len() - W {
                shared[counted(gram::<W>(bytes, at))] += 1;
            }
        }
        let mut found: Vec<(u64, Home)> = Vec::with_capacity(numbers.len() * STRIDE);
        for &n in numbers {
            let bytes = &texts[n as usize].bytes;
            let prices: Vec<u64> = (0..=bytes.len() - W)
                .map(|at| {
                    let gram = gram::<W>(bytes, at);
                    u64::from(shared[counted(gram)]) * 64 + u64::from(commonness(gram, W))
                })
                .collect();
            let first = prices
                .windows(STRIDE)
                .enumerate()
                .min_by_key(|(_, prices)| prices.iter().max())
                .map_or(0, |(at, _)| at);
            for at in first..first + STRIDE {
                let home = Home {
                    text: n,
                    offset: at as u32,
                };
                found.push((gram::<W>(bytes, at), home));
            }
        }
        found.sort_unstable_by_key(|(gram, home)| (*gram, home.text, home.offset));
        let runs = found.chunk_by(|a, b| a.0 == b.0);
        let mut crowd: Vec<u32> = runs
            .filter(|run| run.len() > CROWD)
            .flatten()
            .map(|(_, home)| home.text)
            .collect();
        crowd.sort_unstable();
        crowd.dedup();
        found.retain(|(_, home)| crowd.binary_search(&home.text).is_err());
        rest.extend(crowd);
        let room = (found.len() * 2).next_power_of_two().max(2);
        let log = (found.len() as u64 * 64).next_power_of_two().ilog2();
        let mut this = Self {
            bits: vec![0; WORDS]
                .try_into()
                .unwrap_or_else(|_| Box::new([0; WORDS])),
            shift: 64 - log.clamp(10, LOG_BITS),
            slots: vec![(0, 0, 0); room],
            homes: found.iter().map(|(_, home)| *home).collect(),
        };
        let mut from = 0;
        for run in found.chunk_by(|a, b| a.0 == b.0) {
            let gram = run[0].0;
            let bit = place(gram, this.shift);
            this.bits[bit / 64] |= 1 << (bit % 64);
            let mut slot = this.slot(gram);
            while this.slots[slot].0 != 0 {
                slot = (slot + 1) & (room - 1);
            }
            let to = from + run.len() as u32;
            this.slots[slot] = (gram, from, to);
            from = to;
        }
        this
    }

    const fn is_empty(&self) -> bool {
        self.homes.is_empty()
    }

    const fn slot(&self, gram: u64) -> usize {
        (hash(gram) >> 32) as usize & (self.slots.len() - 1)
    }

    /// Where the gram of the word is at home. `word` has bit 5 of every byte set.
    fn homes(&self, word: u64) -> &[Home] {
        let gram = cut::<W>(word);
        let mut slot = self.slot(gram);
        loop {
            match self.slots[slot] {
                (0, ..) => return &[],
                (there, from, to) if there == gram => {
                    return &self.homes[from as usize..to as usize];
                }
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
    }
}

#[inline]
fn load(window: &[u8], at: usize) -> u64 {
    let mut word = [0; WIDE];
    word.copy_from_slice(&window[at..at + WIDE]);
    u64::from_le_bytes(word)
}

fn gram<const W: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; WIDE];
    word[..W].copy_from_slice(&bytes[at..at + W]);
    cut::<W>(u64::from_le_bytes(word) | SMALL)
}

/// The first `W` bytes of a word.
#[inline]
const fn cut<const W: usize>(word: u64) -> u64 {
    if W == WIDE {
        word
    } else {
        word << (64 - 8 * W)
    }
}

#[inline]
const fn hash(gram: u64) -> u64 {
    gram.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The bit of a gram.
#[inline]
const fn place(gram: u64, shift: u32) -> usize {
    (hash(gram) >> shift) as usize & ((1 << LOG_BITS) - 1)
}

#[inline]
const fn has(bits: &[u64; WORDS], place: usize) -> bool {
    bits[place / 64] >> (place % 64) & 1 != 0
}

/// How common the bytes of a gram are in logs, roughly: 0 to 63.
fn commonness(gram: u64, width: usize) -> u32 {
    let common: u32 = gram
        .to_le_bytes()
        .iter()
        .skip(WIDE - width)
        .map(|byte| match byte {
            b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'0' | b'1' => 3,
            b'2'..=b'9' | b'-' | b':' | b'.' | b'/' | b'd' | b'c' | b'l' | b'p' | b'u' | b'm' => 2,
            b'f' | b'g' | b'h' | b'b' | b'y' | b'w' | b'v' | b'=' | b'"' | b'_' => 1,
            _ => 0,
        })
        .sum();
    common * 2
}
