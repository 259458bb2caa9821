//! Tokens that are known by their own form, whatever stands around them.
//!
//! Forms are those that their issuers document: a beginning that nothing else has, an alphabet and a least length. Where a beginning is also one
//! of words (`sk-`, `hf_`), what follows must be none of words ([`is_made`]).

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// The bytes of which a token goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// `A-Z a-z 0-9`.
    Alnum,
    /// And `_ -`.
    Word,
    /// And `.`.
    Dotted,
    /// And `/ + = % ~ @ :`.
    Loose,
    /// And `! ^ *`: what a URL's path has.
    Path,
    /// `A-Z 0-9`.
    Upper,
    /// `0-9 a-f`.
    Hex,
}

impl Of {
    const fn has(self, b: u8) -> bool {
        match self {
            Self::Alnum => b.is_ascii_alphanumeric(),
            Self::Word => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
            Self::Dotted => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'),
            Self::Loose => {
                b.is_ascii_alphanumeric()
                    || matches!(
                        b,
                        b'_' | b'-' | b'.' | b'/' | b'+' | b'=' | b'%' | b'~' | b'@' | b':'
                    )
            }
            Self::Path => Self::Loose.has(b) || matches!(b, b'!' | b'^' | b'*'),
            Self::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Self::Hex => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        }
    }
}

/// A form: how it begins, of what it goes on, how many bytes at least, and whether these must be none of words.
type Form = (&'static str, Of, usize, bool);

const FORMS: [Form; 84] = [
    ("sk-", Of::Word, 16, true),
    ("rk-", Of::Word, 16, true),
    ("key-", Of::Hex, 20, false),
    ("sk_live_", Of::Word, 8, false),
    ("sk_test_", Of::Word, 8, false),
    ("rk_live_", Of::Word, 8, false),
    ("rk_test_", Of::Word, 8, false),
    ("whsec_", Of::Loose, 8, false),
    ("SG.", Of::Dotted, 20, true),
    ("ya29.", Of::Dotted, 16, false),
    ("GOCSPX-", Of::Word, 16, false),
    ("1//0", Of::Word, 30, true),
    ("xoxa-", Of::Dotted, 8, false),
    ("xoxb-", Of::Dotted, 8, false),
    ("xoxc-", Of::Dotted, 8, false),
    ("xoxd-", Of::Loose, 8, false),
    ("xoxe-", Of::Dotted, 8, false),
    ("xoxe.", Of::Dotted, 8, false),
    ("xoxo-", Of::Dotted, 8, false),
    ("xoxp-", Of::Dotted, 8, false),
    ("xoxr-", Of::Dotted, 8, false),
    ("xoxs-", Of::Dotted, 8, false),
    ("xapp-", Of::Dotted, 8, false),
    ("hooks.slack.com/services/", Of::Path, 8, false),
    ("hooks.slack.com/workflows/", Of::Path, 8, false),
    ("hooks.slack.com/triggers/", Of::Path, 8, false),
    ("discord.com/api/webhooks/", Of::Path, 8, false),
    ("discordapp.com/api/webhooks/", Of::Path, 8, false),
    ("webhook.office.com/webhookb2/", Of::Path, 8, false),
    ("AGE-SECRET-KEY-", Of::Word, 8, false),
    ("ghp_", Of::Word, 16, false),
    ("gho_", Of::Word, 16, false),
    ("ghu_", Of::Word, 16, false),
    ("ghs_", Of::Word, 16, false),
    ("ghr_", Of::Word, 16, false),
    ("github_pat_", Of::Word, 16, false),
    ("glpat-", Of::Dotted, 16, false),
    ("gldt-", Of::Dotted, 16, false),
    ("glrt-", Of::Dotted, 16, false),
    ("glcbt-", Of::Dotted, 16, false),
    ("glptt-", Of::Dotted, 16, false),
    ("npm_", Of::Alnum, 30, true),
    ("pypi-", Of::Word, 32, true),
    ("rubygems_", Of::Hex, 32, false),
    ("dop_v1_", Of::Word, 16, false),
    ("doo_v1_", Of::Word, 16, false),
    ("dor_v1_", Of::Word, 16, false),
    ("hf_", Of::Word, 16, true),
    ("dckr_pat_", Of::Word, 16, false),
    ("dckr_oat_", Of::Word, 16, false),
    ("shpat_", Of::Word, 16, false),
    ("shpss_", Of::Word, 16, false),
    ("shpca_", Of::Word, 16, false),
    ("shppa_", Of::Word, 16, false),
    ("sq0atp-", Of::Word, 16, false),
    ("sq0csp-", Of::Word, 16, false),
    ("ATATT3", Of::Loose, 20, true),
    ("ATCTT3", Of::Loose, 20, true),
    ("ATBB", Of::Alnum, 24, true),
    ("hvs.", Of::Dotted, 16, true),
    ("hvb.", Of::Dotted, 16, true),
    ("hvr.", Of::Dotted, 16, true),
    ("PMAK-", Of::Word, 20, false),
    ("NRAK-", Of::Word, 20, false),
    ("lin_api_", Of::Word, 16, false),
    ("sbp_", Of::Hex, 30, false),
    ("figd_", Of::Word, 20, true),
    ("sntrys_", Of::Loose, 20, true),
    ("sntryu_", Of::Loose, 20, true),
    ("dp.pt.", Of::Dotted, 16, true),
    ("fm2_", Of::Loose, 20, true),
    ("pul-", Of::Hex, 40, false),
    ("xkeysib-", Of::Word, 20, false),
    ("gsk_", Of::Alnum, 40, true),
    ("nvapi-", Of::Word, 20, true),
    ("CCIPAT_", Of::Word, 16, true),
    ("CFPAT-", Of::Word, 20, true),
    ("LTAI", Of::Alnum, 12, true),
    // Those that go whole: the beginning is part of an id.
    ("AKIA", Of::Upper, 16, false),
    ("ASIA", Of::Upper, 16, false),
    ("ABIA", Of::Upper, 16, false),
    ("ACCA", Of::Upper, 16, false),
    ("AIza", Of::Word, 35, false),
    ("eyJ", Of::Word, 8, false),
];

/// The first of those that go whole.
const WHOLE: usize = FORMS.len() - 6;
/// A JSON web token.
const JWT: usize = FORMS.len() - 1;

static BEGINNINGS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let texts = FORMS[..=JWT].iter().map(|form| form.0);
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(texts)
        .expect("invariant: constant patterns")
});

/// Adds where tokens stand.
pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    for hit in BEGINNINGS.find_iter(text) {
        let n = hit.pattern().as_usize();
        let (_, of, least, random) = FORMS[n];
        // Within a word it is part of the word; what begins with an address may stand anywhere.
        let inside = hit.start() > 0 && Of::Word.has(text[hit.start() - 1]);
        if inside && !text[hit.start()..hit.end()].contains(&b'/') {
            continue;
        }
        let run = |from: usize, of: Of| {
            let tail = text[from..].iter().take_while(|b| of.has(**b)).count();
            from + tail
        };
        let mut end = run(hit.end(), of);
        if end - hit.end() < least || (random && !is_made(&text[hit.end()..end])) {
            continue;
        }
        if n == JWT {
            // Header, payload, signature, which may be empty; five parts where it is encrypted.
            if text.get(end) != Some(&b'.') || run(end + 1, Of::Word) < end + 5 {
                continue;
            }
            end = run(end, Of::Dotted);
        } else if of == Of::Upper && end - hit.end() != least {
            continue;
        }
        let start = if n >= WHOLE { hit.start() } else { hit.end() };
        found.push(start..end);
    }
}

/// Whether the rest of a token is none of words that somebody joined.
fn is_made(text: &[u8]) -> bool {
    is_random(text) || text.iter().all(u8::is_ascii_alphanumeric)
}

/// Whether a text looks as if nobody had thought it up: letters with digits, or of both cases within.
pub(super) fn is_random(text: &[u8]) -> bool {
    let letters = text.iter().any(u8::is_ascii_alphabetic);
    let digits = text.iter().any(u8::is_ascii_digit);
    let lower = text.iter().any(u8::is_ascii_lowercase);
    let upper = text.iter().skip(1).any(u8::is_ascii_uppercase);
    (letters && digits) || (lower && upper)
}
