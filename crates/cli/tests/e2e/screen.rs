//! What a command said: exit code, stdout and stderr; the one place that compares them with what is kept in `snapshots/`.

use std::path::Path;

use serde_json::Value;

/// A command that ended.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// The arguments.
    pub(crate) what: String,
    /// Exit code; -1 if a signal ended it.
    pub(crate) status: i32,
    /// What it answered.
    pub(crate) out: String,
    /// What it said beside.
    pub(crate) err: String,
}

impl Ran {
    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn expect(&self, status: i32) -> &Self {
        assert_eq!(
            self.status, status,
            "`gonogo {}`\n{}\n{}",
            self.what, self.out, self.err
        );
        self
    }

    /// The one envelope on stdout. Anything beside it fails.
    #[track_caller]
    pub(crate) fn envelope(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("`gonogo {}`: {e}\n{}\n{}", self.what, self.out, self.err));
        for block in ["metadata", "policy", "success"] {
            assert!(
                value.get(block).is_some(),
                "`{block}` is missing: {value:#}"
            );
        }
        let success = value["success"].as_bool().unwrap();
        assert_eq!(
            (value.get("data").is_some(), value.get("error").is_some()),
            (success, !success),
            "{value:#}"
        );
        value
    }

    /// Checks a refusal under `--json`: exit code and exactly these reasons, in any order but with the first one first;
    /// something to do next; returns the error block.
    #[track_caller]
    pub(crate) fn refusal(&self, status: i32, reasons: &[&str]) -> Value {
        let envelope = self.envelope();
        self.expect(status);
        let error = &envelope["error"];
        let texts = |v: &Value| -> Vec<String> {
            v.as_array()
                .into_iter()
                .flatten()
                .filter_map(|t| t.as_str().map(str::to_owned))
                .collect()
        };
        let codes = texts(&error["details"]["reasonCodes"]);
        assert_eq!(
            codes.first().map(String::as_str),
            reasons.first().copied(),
            "{error:#}"
        );
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        let wanted = reasons.iter().map(|r| (*r).to_owned()).collect();
        assert_eq!(sorted(codes), sorted(wanted), "{error:#}");
        assert!(
            !texts(&error["details"]["hints"]).is_empty(),
            "it does not say what to do: {error:#}"
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|m| !m.trim().is_empty()),
            "{error:#}"
        );
        assert!(
            error["code"].is_string() && error["category"].is_string(),
            "{error:#}"
        );
        error.clone()
    }

    /// Compares all of it with `snapshots/NAME.txt`. Set `GONOGO_BLESS` to write that file anew, then read the difference.
    #[track_caller]
    pub(crate) fn matches(&self, name: &str) {
        let got = format!(
            "$ gonogo {}\nexit {}\n--- stdout\n{}--- stderr\n{}",
            redact(&self.what),
            self.status,
            redact(&self.out),
            redact(&self.err)
        );
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/e2e/snapshots/{name}.txt"));
        if std::env::var_os("GONOGO_BLESS").is_some() {
            std::fs::write(&path, &got).unwrap();
        }
        let want = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(got, want, "{} differs", path.display());
    }
}

/// How many of these there are depends on how often was sampled.
const COUNTED: [&str; 6] = [
    "members",
    "leaves",
    "records",
    "signatures",
    "inputs",
    "answers",
];

/// Replaces what differs from run to run: directories, ids, digests, times, ports, sizes.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        // A word is what stands between characters that no id, number or path contains.
        while !rest.is_empty() {
            let inside = |c: char| c.is_ascii_alphanumeric() || "_:/.+-…".contains(c);
            let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
            let (word, tail) = rest.split_at(end);
            let counted = tail
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .trim_end_matches(',');
            if COUNTED.contains(&counted) && word.bytes().all(|b| b.is_ascii_digit()) {
                out.push('N');
            } else {
                out.push_str(&redact_word(word));
            }
            let gap = tail.find(inside).unwrap_or(tail.len());
            out.push_str(&tail[..gap]);
            rest = &tail[gap..];
        }
    }
    out
}

fn redact_word(word: &str) -> String {
    if let Some(at) = word.find("/gonogo-e2e-") {
        let head = &word[..word[..at].rfind(":/").map_or(0, |i| i + 1)];
        let tail = word[at + 1..].split_once('/').map_or("", |(_, tail)| tail);
        return format!("{head}DIR/{}", redact_word(tail))
            .trim_end_matches('/')
            .to_owned();
    }
    if word.contains(crate::project::PROGRAM) {
        return word.replace(crate::project::PROGRAM, "PROGRAM");
    }
    for prefix in ["pln_", "op_", "apr_"] {
        if let Some(at) = word.find(prefix) {
            let id = &word[at + prefix.len()..];
            let length = id
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(id.len());
            if length == 12 {
                return format!("{}{prefix}ID{}", &word[..at], &id[length..]);
            }
        }
    }
    if let Some((head, port)) = word.split_once("127.0.0.1:") {
        let digits = port
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(port.len());
        return format!("{head}127.0.0.1:PORT{}", &port[digits..]);
    }
    if word.starts_with("ledger.") && word.contains('+') {
        return "LOG-KEY".into();
    }
    let hex = |t: &str| {
        t.len() >= 4
            && t.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if let Some((head, digest)) = word.rsplit_once("sha256:") {
        let dots = if digest.ends_with('…') { "…" } else { "" };
        return format!("{head}sha256:HEX{dots}");
    }
    if hex(word) && (word.len() == 64 || word.len() == 12)
        || word.strip_suffix('…').is_some_and(hex)
    {
        return "HEX".into();
    }
    let shape: String = word
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    if shape == "00:00" || shape == "00:00:00" || shape == "0000-00-00T00:00:00.000Z" {
        return "TIME".into();
    }
    word.to_owned()
}

#[test]
fn redaction_hides_what_changes_and_nothing_else() {
    for (text, want) in [
        (
            "plan pln_ckyfxnrr5nsc  v2:sha256:64fcfed7… 5 steps",
            "plan pln_ID  v2:sha256:HEX… 5 steps",
        ),
        ("`gonogo watch op_twsdggjnddgq`", "`gonogo watch op_ID`"),
        (
            "at /tmp/gonogo-e2e-aZ1/versions/9.toml: gone",
            "at DIR/versions/9.toml: gone",
        ),
        (
            "http://127.0.0.1:8080 · until 05:10 UTC",
            "http://127.0.0.1:PORT · until TIME UTC",
        ),
        ("12 leaves, 3 keys", "N leaves, 3 keys"),
        ("1.0.0 → 2.0.0 in 20 s", "1.0.0 → 2.0.0 in 20 s"),
    ] {
        assert_eq!(redact(text), want);
    }
}
