//! Secrets that were seen: searched for everywhere, in every form in which they are usually written.

use std::collections::BTreeSet;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{Edit, Kind, MARK};

/// Shorter ones would be found in words that are no secrets.
pub(super) const SHORTEST: usize = 8;
/// More are not kept, and the set says so.
const MOST: usize = 200_000;
/// Forms that are searched for apart, until they are worth building the large search anew.
const FRESH: usize = 512;
/// Longer ones are searched for by their beginning.
const LONGEST: usize = 4096;

/// A set of secrets. Clones are cheap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    forms: Arc<BTreeSet<Vec<u8>>>,
    /// Those that `search` does not know.
    fresh: Vec<Vec<u8>>,
    search: Option<Arc<AhoCorasick>>,
    fresh_search: Option<Arc<AhoCorasick>>,
    overflowed: bool,
}

impl Secrets {
    /// Adds a secret in all its forms.
    pub(crate) fn add(&mut self, secret: &[u8]) {
        let secret = &secret[..secret.len().min(LONGEST)];
        let marked = secret.windows(MARK.len()).any(|w| w == MARK.as_bytes());
        if secret.len() < SHORTEST || marked || self.forms.contains(secret) {
            return;
        }
        if self.forms.len() >= MOST {
            self.overflowed = true;
            return;
        }
        let mut forms = vec![
            secret.to_vec(),
            percent(secret, true),
            percent(secret, false),
            STANDARD.encode(secret).into_bytes(),
            STANDARD_NO_PAD.encode(secret).into_bytes(),
            URL_SAFE_NO_PAD.encode(secret).into_bytes(),
        ];
        if let Ok(text) = std::str::from_utf8(secret)
            && let Ok(quoted) = serde_json::to_string(text)
        {
            forms.push(quoted.as_bytes()[1..quoted.len() - 1].to_vec());
        }
        let all = Arc::make_mut(&mut self.forms);
        for form in forms {
            if all.insert(form.clone()) {
                self.fresh.push(form);
            }
        }
        self.fresh_search = None;
    }

    /// Adds what an authorization header holds: the value, what follows the scheme, and the parts of a `Basic` one.
    pub(super) fn add_credential(&mut self, value: &[u8]) {
        self.add(value);
        let Some(at) = value.iter().position(|b| *b == b' ') else {
            return;
        };
        let (scheme, rest) = (&value[..at], value[at..].trim_ascii());
        self.add(rest);
        if scheme.eq_ignore_ascii_case(b"basic")
            && let Ok(pair) = STANDARD.decode(rest)
        {
            self.add(&pair);
            if let Some(colon) = pair.iter().position(|b| *b == b':') {
                self.add(&pair[colon + 1..]);
            }
        }
    }

    /// Whether some are not searched for.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Builds what [`Self::find`] searches with; without it each search would build it anew.
    pub(crate) fn prepared(mut self) -> Self {
        if self.fresh.len() > FRESH {
            self.search = build(self.forms.iter()).map(Arc::new);
            self.fresh.clear();
        }
        if self.fresh_search.is_none() && !self.fresh.is_empty() {
            self.fresh_search = build(self.fresh.iter()).map(Arc::new);
        }
        self
    }

    /// Finds all secrets in `bytes`.
    pub(super) fn find(&self, bytes: &[u8], edits: &mut Vec<Edit>) {
        for (start, end) in self.places(bytes) {
            edits.push(Edit::mark(start..end, Kind::Literal));
        }
    }

    /// Where secrets stand in `bytes`.
    pub(crate) fn places(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        let mut look = |search: &AhoCorasick| {
            all.extend(search.find_iter(bytes).map(|m| (m.start(), m.end())));
        };
        if let Some(search) = &self.search {
            look(search);
        }
        if self.fresh.is_empty() {
            return all;
        }
        match &self.fresh_search {
            Some(search) => look(search),
            None => match build(self.fresh.iter()) {
                Some(search) => look(&search),
                // Their number and length are bounded, so this cannot be. If it were, all is secret.
                None => all.push((0, bytes.len())),
            },
        }
        all
    }
}

fn build<'a>(forms: impl Iterator<Item = &'a Vec<u8>>) -> Option<AhoCorasick> {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(forms)
        .ok()
}

fn percent(bytes: &[u8], upper: bool) -> Vec<u8> {
    let digits: &[u8; 16] = if upper {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(*byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend([b'%', digits[high], digits[low]]);
        }
    }
    out
}
