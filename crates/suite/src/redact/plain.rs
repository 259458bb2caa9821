//! What stands behind a secret's name and is no secret: words that are said of it, placeholders, code, places.

use super::assigned::Joint;
use super::name::is_place;

/// Longest value that is looked at as such; a longer one is a secret.
const LONGEST: usize = 512;

/// Of which name a value is, and how it is joined to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) name: &'a [u8],
    /// Whether the name means a secret and nothing else.
    pub(super) strong: bool,
    pub(super) joint: Joint,
}

/// Values that are said of a secret and are none: emptiness, types, states.
const WORDS: &[&str] = &[
    "none",
    "null",
    "nil",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "string",
    "str",
    "&str",
    "text",
    "varchar",
    "char",
    "bytes",
    "number",
    "int",
    "integer",
    "bool",
    "boolean",
    "any",
    "object",
    "array",
    "option",
    "optional",
    "undefined",
    "unknown",
    "required",
    "missing",
    "invalid",
    "valid",
    "empty",
    "some",
    "expected",
    "unexpected",
    "default",
    "changed",
    "unchanged",
    "changeme",
    "example",
    "redacted",
    "hidden",
    "masked",
    "secret",
    "password",
    "token",
    "passed",
    "failed",
    "pass",
    "fail",
    "skipped",
    "error",
    "errors",
    "ok",
    "found",
    "not",
    "set",
    "unset",
    "set,",
    "basic",
    "digest",
    "bearer",
    "oauth",
    "oauth2",
    "anonymous",
    "ldap",
    "auto",
    "inherit",
    "sensitive",
    "(sensitive",
    "secretstr",
    "mismatch",
    "expired",
    "revoked",
    "incorrect",
    "wrong",
    "denied",
    "identifier",
    "keyword",
    "punctuation",
    "literal",
    "eof",
    "self",
    "write",
    "read",
    "interactive",
    "prompt",
    "enabled",
    "disabled",
    "stdin",
    "env",
];

/// How sentences go on behind a name.
const PROSE: &[&str] = &[
    "is",
    "was",
    "were",
    "be",
    "been",
    "are",
    "must",
    "should",
    "shall",
    "can",
    "cannot",
    "can't",
    "could",
    "may",
    "might",
    "will",
    "would",
    "has",
    "have",
    "had",
    "does",
    "doesn't",
    "did",
    "didn't",
    "do",
    "don't",
    "not",
    "to",
    "too",
    "of",
    "for",
    "from",
    "in",
    "on",
    "at",
    "by",
    "with",
    "without",
    "and",
    "or",
    "but",
    "if",
    "when",
    "while",
    "after",
    "before",
    "because",
    "as",
    "the",
    "a",
    "an",
    "this",
    "that",
    "these",
    "those",
    "it",
    "its",
    "your",
    "our",
    "their",
    "my",
    "no",
    "field",
    "flag",
    "option",
    "argument",
    "value",
    "needed",
    "given",
    "provided",
    "supplied",
    "rejected",
    "accepted",
    "rotated",
    "refreshed",
    "stored",
    "loaded",
    "loading",
    "reading",
    "using",
    "checking",
    "generated",
    "created",
    "updated",
    "deleted",
    "got",
    "please",
    "enter",
    "use",
    "see",
    "try",
    "only",
    "contains",
    "length",
    "exchange",
    "authentication",
    "authorization",
];

/// First names of what code reads a secret from.
const OWNERS: &[&str] = &[
    "self", "this", "args", "config", "cfg", "conf", "settings", "os", "process", "env", "environ",
    "ctx", "context", "request", "req", "opts", "options", "params", "user", "data", "props",
    "state", "secrets", "vault", "var", "local",
];

/// Whether what stands in quotes is no secret.
pub(super) fn quoted(value: &[u8], seen: Seen<'_>) -> bool {
    if value.len() > LONGEST {
        return false;
    }
    let text = String::from_utf8_lossy(value);
    let text = text.trim();
    if !text.contains(|c: char| c.is_alphanumeric()) && text.len() < 6 {
        return true;
    }
    let first = text.split(' ').next().unwrap_or_default();
    let said = matches!(seen.joint, Joint::Colon | Joint::Element);
    let sentence =
        said && first.len() < text.len() && (is_one(PROSE, first) || is_one(WORDS, first));
    sentence || hollow(text, seen) || (!seen.strong && weak(text, seen, true))
}

/// Whether a bare value is no secret; `rest` is what follows it.
pub(super) fn bare(value: &[u8], rest: &[u8], seen: Seen<'_>) -> bool {
    if value.len() > LONGEST {
        return false;
    }
    let text = String::from_utf8_lossy(value);
    let trimmed = text.trim_end_matches([',', ';', '.', ':', '!', '?']);
    let opened = matches!(value.first(), Some(b'{' | b'[' | b'('))
        && (value.len() < 3
            || !value[1].is_ascii_alphanumeric()
            || value.ends_with(b"}")
            || value.ends_with(b"]")
            || value.ends_with(b")"));
    if opened || !trimmed.contains(|c: char| c.is_alphanumeric()) || is_one(PROSE, trimmed) {
        return true;
    }
    let digits = value.iter().all(u8::is_ascii_digit);
    if digits && value.len() < 3 {
        return true;
    }
    // A sentence that goes on.
    let small = |word: &[u8]| {
        !word.is_empty() && word.iter().all(|b| b.is_ascii_lowercase() || *b == b'\'')
    };
    let next = rest.strip_prefix(b" ").unwrap_or_default();
    let next: Vec<u8> = next
        .iter()
        .take(24)
        .take_while(|b| !b.is_ascii_whitespace())
        .copied()
        .collect();
    let next = next.strip_suffix(b",").unwrap_or(&next);
    let capitals = !seen.name.iter().any(u8::is_ascii_lowercase);
    let phrase = seen.name.to_ascii_lowercase().ends_with(b"phrase")
        || seen.name.eq_ignore_ascii_case(b"mnemonic");
    let spoken = matches!(seen.joint, Joint::Colon | Joint::Blank) && !capitals && !phrase;
    if spoken && small(value) && value.len() < 16 && small(next) {
        return true;
    }
    hollow(trimmed, seen) || is_code(trimmed, seen) || (!seen.strong && weak(trimmed, seen, false))
}

/// Nothing, a word, a placeholder, the name itself, a path.
fn hollow(text: &str, seen: Seen<'_>) -> bool {
    let name = String::from_utf8_lossy(seen.name);
    let text = text.trim_start_matches('&');
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next().unwrap_or(' ');
    let same = (text.len() > 2 || !first.is_alphanumeric())
        && matches!(first, '*' | 'x' | 'X' | '.' | '-' | '•' | '#' | '_' | '?')
        && chars.all(|c| c == first);
    let variable = text.strip_prefix('$').is_some_and(|rest| {
        let word = |s: &str| {
            !s.is_empty()
                && s.bytes()
                    .all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit())
        };
        rest.starts_with(['{', '(']) || word(rest) || super::name::kind(rest.as_bytes()).is_some()
    });
    let windows = text.len() > 2 && text.starts_with('%') && text.ends_with('%');
    let angled = text.starts_with('<') && text.ends_with('>');
    let braced = text.starts_with("{{")
        || text.starts_with("{%")
        || (text.starts_with('{') && text.ends_with('}'));
    text.is_empty()
        || same
        || variable
        || windows
        || angled
        || braced
        || is_one(WORDS, text.trim_end_matches(['.', ',', ';', ':']))
        || text.eq_ignore_ascii_case(&name)
        || text.eq_ignore_ascii_case(last)
        || is_place(text.as_bytes())
}

/// Code that reads or makes a secret: `get_token()`, `args.password`, `Option<String>`.
fn is_code(text: &str, seen: Seen<'_>) -> bool {
    if !matches!(seen.joint, Joint::Colon | Joint::Equals { .. }) {
        return false;
    }
    let word = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    let called = text
        .split_once(['(', '[', '<'])
        .is_some_and(|(function, rest)| {
            let function = function.trim_end_matches('!');
            let plain = function
                .trim_start_matches('&')
                .split(['.', ':'])
                .all(|part| part.is_empty() || word(part));
            plain
                && !function.is_empty()
                && (!seen.strong
                    || rest.ends_with([')', ']', '>', '(', '?'])
                    || rest.is_empty()
                    || rest.contains(['(', '"', '\'']))
        });
    let read = text
        .trim_start_matches('&')
        .split_once('.')
        .is_some_and(|(owner, rest)| {
            (OWNERS.contains(&owner) || seen.name.eq_ignore_ascii_case(owner.as_bytes()))
                && rest.split('.').all(word)
        });
    called || read
}

/// What a word with other meanings stands for: a parser's token, a count of passes, a directory.
fn weak(text: &str, seen: Seen<'_>, quoted: bool) -> bool {
    let bytes = text.as_bytes();
    let letters = bytes.iter().all(u8::is_ascii_alphabetic);
    let word = letters && bytes.len() < 16 && bytes[1..].iter().all(u8::is_ascii_lowercase);
    let digits = bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    let spoken = match seen.joint {
        Joint::Colon => true,
        Joint::Equals { spaced } => spaced && !quoted,
        Joint::Blank | Joint::Element => false,
    };
    bytes.len() < 4
        || (digits && bytes.len() < 6)
        || (spoken && word)
        || matches!(bytes[0], b'/' | b'~')
        || (bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\'))
}

fn is_one(words: &[&str], text: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}
