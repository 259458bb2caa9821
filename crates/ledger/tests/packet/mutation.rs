//! Random changes of packets, by a seed: the same number gives the same change everywhere.

/// A small generator (PCG's multiplier), so that the tests need none of a library.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed ^ 0x9e37_79b9_7f4a_7c15);
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 29)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// What the changes are called.
pub(crate) const KINDS: [&str; 9] = [
    "flip a bit",
    "change a byte",
    "change a digit or letter",
    "delete bytes",
    "insert bytes",
    "repeat a block",
    "exchange blocks",
    "go on as another packet",
    "cut the end",
];

/// Changes `packet`; `other` is a good packet of the same log. Returns the kind of the change too. The result differs from
/// both packets.
pub(crate) fn mutate(packet: &[u8], other: &[u8], random: &mut Random) -> (&'static str, Vec<u8>) {
    loop {
        let kind = random.below(KINDS.len());
        let mut bytes = packet.to_vec();
        let at = random.below(bytes.len());
        let block = |n: usize, count: usize| n % (count / 512) * 512;
        match kind {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => {
                // Text stays text, so that more than the outermost parser is met.
                let Some(at) = (at..bytes.len()).find(|n| bytes[*n].is_ascii_alphanumeric()) else {
                    continue;
                };
                bytes[at] = b"09afAZ+x7"[random.below(9)];
            }
            3 => {
                let end = (at + 1 + random.below(600)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let more: Vec<u8> = (0..=random.below(600))
                    .map(|_| random.next() as u8)
                    .collect();
                bytes.splice(at..at, more);
            }
            5 => {
                let from = block(at, packet.len());
                let length = 512 * (1 + random.below(8));
                let end = (from + length).min(packet.len());
                bytes.splice(end..end, packet[from..end].to_vec());
            }
            6 => {
                let (a, b) = (
                    block(at, packet.len()),
                    block(random.below(packet.len()), packet.len()),
                );
                for n in 0..512 {
                    bytes.swap(a + n, b + n);
                }
            }
            7 => {
                let from = block(at, packet.len());
                bytes.truncate(from);
                bytes.extend_from_slice(&other[from.min(other.len())..]);
            }
            _ => bytes.truncate(at),
        }
        if bytes != packet && bytes != other {
            return (KINDS[kind], bytes);
        }
    }
}
