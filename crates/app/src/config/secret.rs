//! Tells what looks like a secret, by name and by shape. It guards against slips, not against intent.
//!
//! A name is judged by its words, so that `TOKENIZER` and `PASSWORD_FILE` (a place, not a value) are left alone.

/// Words that make a name a secret's name, wherever they stand in it.
const PARTS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "apikey",
    "api_key",
    "private_key",
    "access_key",
];
/// Words that make a name a secret's name only as whole words.
const WORDS: [&str; 3] = ["token", "pwd", "pass"];
/// Last words that say that the value is a place or a measure instead.
const HARMLESS_ENDS: [&str; 14] = [
    "file", "path", "dir", "ttl", "timeout", "length", "name", "url", "uri", "endpoint", "count",
    "size", "limit", "bytes",
];

/// Whether a value under this name is likely to be a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace(['-', '.'], "_");
    let words: Vec<&str> = name.split('_').filter(|w| !w.is_empty()).collect();
    if words.last().is_some_and(|w| HARMLESS_ENDS.contains(w)) {
        return false;
    }
    PARTS.iter().any(|p| name.contains(p)) || words.iter().any(|w| WORDS.contains(w))
}

/// Whether a value is a secret by its shape: a private key, a URL with a password, a key id of a cloud.
pub(crate) fn is_secret_value(value: &str) -> bool {
    let private = value.contains("-----BEGIN ") && value.contains("PRIVATE KEY");
    let login = value.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty() && !password.starts_with('$'))
    });
    let cloud = value.len() == 20
        && (value.starts_with("AKIA") || value.starts_with("ASIA"))
        && value
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    private || login || cloud
}

/// Index of the first argument of `run` that carries a secret: `--token=x`, `--token x`, or a value by its shape.
pub(super) fn in_arguments<'a>(run: impl IntoIterator<Item = &'a str>) -> Option<usize> {
    let mut named = false;
    for (i, argument) in run.into_iter().enumerate() {
        let flag = argument.starts_with('-');
        if is_secret_value(argument) || (named && !flag && !argument.is_empty()) {
            return Some(i);
        }
        let (name, value) = match argument.trim_start_matches('-').split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument, None),
        };
        let secret = is_secret_name(name);
        if secret && value.is_some_and(|v| !v.is_empty()) {
            return Some(i);
        }
        named = flag && secret && value.is_none();
    }
    None
}

/// Whether a line mentions anything that may be a secret, so that it must not be quoted.
pub(super) fn mentions(line: &str) -> bool {
    let words = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
    words.into_iter().any(is_secret_name) || line.split(['"', '\'']).any(is_secret_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_words() {
        for name in [
            "PASSWORD",
            "DB_PASSWORD",
            "dbpassword",
            "API_KEY",
            "STRIPE_APIKEY",
            "GITHUB_TOKEN",
            "client-secret",
            "AWS_SECRET_ACCESS_KEY",
            "PGPASSWD",
            "DB_PASS",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "LOG",
            "TOKENIZER",
            "PASSWORD_FILE",
            "TOKEN_TTL",
            "COMPASS",
            "BYPASS_CACHE",
            "SECRET_NAME",
            "OAUTH_TOKEN_URL",
            "PORT",
            "KEY",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_are_judged_by_their_shape() {
        for value in [
            "postgres://shop:hunter2@db/shop",
            "-----BEGIN EC PRIVATE KEY-----",
            "AKIAIOSFODNN7EXAMPLE",
        ] {
            assert!(is_secret_value(value), "{value}");
        }
        for value in [
            "postgres://db/shop",
            "https://u@host/a:b@c",
            "postgres://shop:$PW@db",
            "http://[::1]:80/",
            "info",
        ] {
            assert!(!is_secret_value(value), "{value}");
        }
    }

    #[test]
    fn a_line_with_a_secret_is_known_by_name_or_by_a_quoted_value() {
        for line in [
            "TOKEN = 1",
            "A = \"AKIAIOSFODNN7EXAMPLE\" x",
            "run = ['pg://u:p@h']",
        ] {
            assert!(mentions(line), "{line}");
        }
        for line in [
            "",
            "listen = \"127.0.0.1:80\"",
            "TOKEN_FILE = \"/run/token-file\"",
        ] {
            assert!(!mentions(line), "{line}");
        }
    }

    #[test]
    fn arguments_carry_secrets_after_or_inside_a_flag() {
        for (run, at) in [
            (&["a", "--token=x"][..], Some(1)),
            (&["a", "--token", "x"], Some(2)),
            (&["a", "--db", "pg://u:p@h"], Some(2)),
            (&["a", "--token-file", "x"], None),
            (&["a", "--token", "--verbose"], None),
            (&["token", "x"], None),
            (&["a", "--token="], None),
        ] {
            assert_eq!(in_arguments(run.iter().copied()), at, "{run:?}");
        }
    }
}
