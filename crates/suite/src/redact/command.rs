//! Words of commands and files in which a place alone tells a secret: `curl -u user:password`, `mysql -pPASSWORD`, `.netrc`.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use regex::bytes::Regex;

/// What a line must have, and where the secret stands: the group `v`.
const FORMS: [(&[&str], &str); 10] = [
    (
        &["curl", "wget", "http"],
        r#"(?-u)(?:^|[\s"',\[])(?:-u|--user|--proxy-user|-U)(?:\s+|=|["'],\s*)["']?[^\s:"'@/]*[^\s:"'@/0-9][^\s:"'@/]*:(?P<v>[^\s"']+)"#,
    ),
    (
        &["curl", "wget", "http"],
        r#"(?-u)(?:^|[\s"',\[])(?:-u|--user|--proxy-user|-U)(?:\s+|=|["'],\s*)["'][^\s:"'@/]*:(?P<v>[^"']+)["']"#,
    ),
    (
        &["-u "],
        r#"(?-u)(?:^|\s)-u\s+[a-z][a-z0-9_.-]*:(?P<v>[^\s"':]{6,})"#,
    ),
    (
        &["mysql", "mariadb"],
        r#"(?-u)(?:mysql|mariadb)\S*\s(?:.*\s)?-p(?P<v>[^\s"'\-][^\s"']*)"#,
    ),
    (&["sshpass"], r#"(?-u)sshpass\s+-p\s*["']?(?P<v>[^\s"']+)"#),
    (
        &["login"],
        r#"(?-u)(?:docker|podman|helm|oras|crane|nerdctl|buildah|skopeo|az|oc)\b.*\blogin\s(?:.*\s)?-p\s*["']?(?P<v>[^\s"'\-][^\s"']*)"#,
    ),
    (
        &["redis-cli"],
        r#"(?-u)redis-cli\s(?:.*\s)?-a\s+["']?(?P<v>[^\s"']+)"#,
    ),
    (
        &["login"],
        r#"(?-u)\blogin\s+\S+\s+password\s+(?P<v>[^\s"'<]+)"#,
    ),
    (
        &["machine"],
        r#"(?-u)\bmachine\s+\S+(?:\s+login\s+\S+)?\s+password\s+(?P<v>[^\s"'<]+)"#,
    ),
    (
        &["jdbc:oracle", "sqlplus", "sqlldr", "expdp", "impdp"],
        r#"(?-u)(?:\bjdbc:oracle:[a-z0-9]+:|\b(?:sqlplus|sqlldr|expdp|impdp)\s(?:-\S+\s+)*)[^\s/:@"']+/(?P<v>[^\s@"'/]+)@"#,
    ),
];

/// A line of a `.netrc` that is written over several.
const ALONE: &str = r"(?-u)^\s*password\s+(?P<v>[^\s:=]\S*)\s*$";

/// What stands alone behind the word `password` and is none.
const SAID: [&[u8]; 20] = [
    b"is",
    b"required",
    b"incorrect",
    b"expired",
    b"changed",
    b"reset",
    b"missing",
    b"mismatch",
    b"invalid",
    b"prompt",
    b"protected",
    b"authentication",
    b"hashing",
    b"tests",
    b"test",
    b"field",
    b"policy",
    b"strength",
    b"ok",
    b"updated",
];

static ALL: LazyLock<Vec<(Vec<Finder<'static>>, Regex)>> = LazyLock::new(|| {
    let all = FORMS.into_iter().chain([(&["password "][..], ALONE)]);
    let compile = |(words, form): (&'static [&'static str], &str)| {
        let words = words.iter().map(|word| Finder::new(*word)).collect();
        (
            words,
            Regex::new(form).expect("invariant: constant patterns"),
        )
    };
    all.map(compile).collect()
});

/// Adds where secrets stand in a line.
pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    for (words, form) in ALL.iter() {
        if !words.iter().any(|word| word.find(text).is_some()) {
            continue;
        }
        for parts in form.captures_iter(text) {
            let Some(value) = parts.name("v") else {
                continue;
            };
            let whole = super::value::before_escape(value.as_bytes(), &text[value.end()..]);
            let bytes = &value.as_bytes()[..whole];
            let said = SAID.contains(&bytes.trim_ascii_end().strip_suffix(b":").unwrap_or(bytes))
                || bytes.starts_with(b"$")
                || !bytes.iter().any(u8::is_ascii_alphanumeric);
            if !said {
                found.push(value.start()..value.start() + whole);
            }
        }
    }
}
