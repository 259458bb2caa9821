//! Which values of an allow-list may be written down.

use std::collections::BTreeMap;

/// Parts of names whose values are secrets.
const NAMES: [&str; 12] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "PRIVATE",
    "APIKEY",
    "COOKIE",
    "AUTH",
    "BEARER",
    "SIGNATURE",
];

/// Beginnings of values that are secrets whatever their name is.
const VALUES: [&str; 12] = [
    "sk-",
    "key-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "eyJ",
    "-----BEGIN",
    "npm_",
];

/// Names and values that may be written down, and the names of those that may not.
pub(super) fn part(env: &BTreeMap<String, String>) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut shown, mut withheld) = (BTreeMap::new(), Vec::new());
    for (name, value) in env {
        // What is no name cannot be set, and a line of a shell must not be made of it.
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if is_name && !is_secret(name, value) {
            shown.insert(name.clone(), value.clone());
        } else {
            withheld.push(name.clone());
        }
    }
    (shown, withheld)
}

fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let in_name = NAMES.iter().any(|part| name.contains(part))
        || name.split('_').any(|part| part == "KEY" || part == "PAT");
    let lower = value.to_ascii_lowercase();
    // `https://user:word@host`.
    let in_address = value.split_once("://").is_some_and(|(_, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        host.contains('@')
    });
    in_name
        || in_address
        || value.contains('\0')
        || VALUES
            .iter()
            .any(|start| value.trim_start().starts_with(start))
        || lower.contains("bearer ")
        || lower.contains("password=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_and_not_shown() {
        let env: BTreeMap<String, String> = [
            ("RUST_LOG", "info"),
            ("MONKEY", "yes"),
            ("TZ", "UTC"),
            ("API_KEY", "x"),
            ("GITHUB_TOKEN", "x"),
            ("db_password", "x"),
            ("PLAIN", "sk-0123456789"),
            ("DATABASE_URL", "postgres://me:pw@host/db"),
            ("HOME_URL", "http://host/a@b"),
            ("A B", "x"),
            ("X;rm", "x"),
        ]
        .into_iter()
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
        let (shown, withheld) = part(&env);
        assert_eq!(
            shown.keys().collect::<Vec<_>>(),
            ["HOME_URL", "MONKEY", "RUST_LOG", "TZ"]
        );
        assert_eq!(
            withheld,
            [
                "A B",
                "API_KEY",
                "DATABASE_URL",
                "GITHUB_TOKEN",
                "PLAIN",
                "X;rm",
                "db_password"
            ]
        );
    }
}
