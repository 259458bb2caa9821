//! What was read of parts before, by the digest of all that it depends on.

use gonogo_core::Digest;
use serde::{Deserialize, Serialize};

use super::logs::{Done, times};
use super::reader::{Kind, Paused, Reader, Rules};
use super::source::{ReadAt, fill_at};
use super::tally::Tally;
use super::unpack::{Part, Unpacked, covered};
use super::{Cache, LogRules};
use crate::classify::{self, LINE_LIMIT};

/// Version of what is stored.
const FORMAT: &str = "gonogo.audit.part.v1";

/// A cache, and the digest of the rules.
pub(super) struct Kept<'a> {
    cache: &'a dyn Cache,
    rules: Digest,
}

#[derive(Serialize)]
struct StoredRef<'a> {
    unpacked: &'a Unpacked,
    head: &'a [u8],
    head_tally: &'a Tally,
    looks_back: bool,
    rest: &'a Tally,
    end: Paused,
}

#[derive(Deserialize)]
struct Stored {
    unpacked: Unpacked,
    head: Vec<u8>,
    head_tally: Tally,
    looks_back: bool,
    rest: Tally,
    end: Paused,
}

impl<'a> Kept<'a> {
    pub(super) fn new(cache: &'a dyn Cache, rules: &LogRules) -> Self {
        let year = rules.reading().year;
        let beat = rules
            .heartbeat
            .as_ref()
            .map(|h| (h.period_seconds, h.tolerance, h.event.as_deref()));
        let parts = (
            FORMAT,
            classify::VERSION,
            &rules.lines,
            beat,
            rules.gaps.warn_seconds,
            year,
        );
        let text = serde_json::to_vec(&parts).unwrap_or_default();
        Self {
            cache,
            rules: Digest::of(&text),
        }
    }

    /// Returns what is known of a part, or reads it and keeps that.
    pub(super) fn part<'r>(
        &self,
        rules: &'r Rules,
        source: &dyn ReadAt,
        kind: Kind,
        part: Part,
        read: impl FnOnce() -> Done<'r>,
    ) -> Done<'r> {
        let Some(key) = self.key(source, kind, part) else {
            return read();
        };
        if let Some(done) = self
            .cache
            .load(&key)
            .and_then(|bytes| load(rules, kind, &bytes))
        {
            return done;
        }
        let done = read();
        let depends = done.unpacked.to <= covered(part) && done.unpacked.trouble.is_none();
        if depends && !done.again && done.tail.len() <= LINE_LIMIT {
            let stored = StoredRef {
                unpacked: &done.unpacked,
                head: &done.head,
                head_tally: &done.head_tally,
                looks_back: done.looks_back,
                rest: &done.rest,
                end: done.end.pause(&done.tail),
            };
            if let Ok(bytes) = serde_json::to_vec(&stored) {
                self.cache.store(&key, &bytes);
            }
        }
        done
    }

    fn key(&self, source: &dyn ReadAt, kind: Kind, part: Part) -> Option<Digest> {
        let end = covered(part);
        let about =
            serde_json::to_vec(&(self.rules.hex(), kind, part.from, part.to, end == part.size))
                .ok()?;
        let mut hasher = gonogo_core::digest::Hasher::default();
        hasher.update(&about);
        let mut buffer = vec![0; 256 << 10];
        let mut at = part.from;
        while at < end {
            let room = (end - at).min(buffer.len() as u64) as usize;
            let count = fill_at(source, at, &mut buffer[..room])
                .ok()
                .filter(|c| *c > 0)?;
            hasher.update(&buffer[..count]);
            at += count as u64;
        }
        Some(hasher.finish())
    }
}

fn load<'r>(rules: &'r Rules, kind: Kind, bytes: &[u8]) -> Option<Done<'r>> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    let end = Reader::resume(rules, kind, times(kind), stored.end).ok()?;
    Some(Done {
        unpacked: stored.unpacked,
        head: stored.head,
        head_tally: stored.head_tally,
        looks_back: stored.looks_back,
        rest: stored.rest,
        end,
        tail: Vec::new(),
        again: false,
    })
}
