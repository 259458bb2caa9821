//! Which names mean that their value is a secret: of variables, fields, options, headers, elements.
//!
//! A name is judged by its words (`dbPassword`, `DB_PASSWORD` and `db-password` are one). Its last word may say that it names something
//! about a secret and not the secret: `PASSWORD_FILE`, `token_count`.

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A secret, whatever it looks like.
    Strong,
    /// A word that has other meanings too (`token`, `pass`, `pwd`, `auth`): the value must not look like those.
    Weak,
    /// `Authorization`: a scheme, then credentials.
    Authorization,
    /// `Cookie`, `Set-Cookie`: pairs.
    Cookie,
    /// A secret as a parameter of a URL, and nothing elsewhere.
    Parameter,
}

/// Longest name; of a longer one only its end counts.
pub(super) const LONGEST: usize = 128;

/// Last words that say that the value is a place, a measure or a question.
const ABOUT: &[&str] = &[
    "file",
    "files",
    "path",
    "paths",
    "dir",
    "directory",
    "url",
    "uri",
    "endpoint",
    "host",
    "port",
    "len",
    "length",
    "size",
    "count",
    "total",
    "limit",
    "max",
    "min",
    "bytes",
    "name",
    "names",
    "type",
    "kind",
    "id",
    "ids",
    "index",
    "hint",
    "policy",
    "rule",
    "rules",
    "strength",
    "ttl",
    "timeout",
    "age",
    "expiry",
    "expires",
    "expiration",
    "expired",
    "created",
    "updated",
    "valid",
    "invalid",
    "required",
    "enabled",
    "disabled",
    "checked",
    "changed",
    "exists",
    "missing",
    "error",
    "errors",
    "test",
    "tests",
    "spec",
    "version",
    "format",
    "regex",
    "pattern",
    "prompt",
    "manager",
    "field",
];

/// Texts that mean a secret wherever they stand in a name.
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "accountkey",
    "authkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "bearertoken",
    "sessiontoken",
    "idtoken",
    "apitoken",
];

/// Words that only look like them.
const NOT: &[&str] = &[
    "secretary",
    "passwordless",
    "secretariat",
    "nonsecret",
    "libsecret",
    "secretless",
];

/// What makes a `key` one that opens something.
const KEYS: &[&str] = &[
    "api",
    "access",
    "secret",
    "private",
    "priv",
    "signing",
    "sign",
    "account",
    "auth",
    "encryption",
    "encrypt",
    "decryption",
    "master",
    "ssh",
    "deploy",
    "service",
    "shared",
    "storage",
    "license",
    "session",
    "subscription",
    "admin",
    "webhook",
    "stripe",
    "hmac",
    "jwt",
    "aes",
    "rsa",
    "ecdsa",
    "ed25519",
    "gpg",
    "pgp",
    "tls",
    "ssl",
    "app",
    "consumer",
    "functions",
];

/// What makes a `key` in capitals one that opens nothing.
const OPEN_KEYS: &[&str] = &[
    "public",
    "pub",
    "primary",
    "foreign",
    "cache",
    "sort",
    "partition",
    "unique",
    "registry",
    "hash",
    "range",
    "row",
    "group",
    "lookup",
    "map",
    "shift",
    "hot",
    "arrow",
    "idempotency",
    "press",
    "object",
    "s3",
];

/// What makes a `pass` a password.
const PASSES: &[&str] = &[
    "db",
    "database",
    "user",
    "mysql",
    "pg",
    "postgres",
    "redis",
    "smtp",
    "mail",
    "email",
    "imap",
    "ftp",
    "sftp",
    "admin",
    "root",
    "login",
    "proxy",
    "http",
    "ssh",
    "key",
    "auth",
    "basic",
    "rabbitmq",
    "mongo",
    "keystore",
    "truststore",
    "store",
];

/// What a name says; `None` if nothing of a secret.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    let name = &name[name.len().saturating_sub(LONGEST)..];
    let name = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let words = words(name);
    let last = words.last()?.as_str();
    let flat = words.concat();
    match flat.as_str() {
        "authorization" | "proxyauthorization" | "xauthorization" => {
            return Some(Kind::Authorization);
        }
        "cookie" | "setcookie" => return Some(Kind::Cookie),
        "sig" | "signature" | "xamzsignature" | "xgoogsignature" | "key" => {
            return Some(Kind::Parameter);
        }
        "token" | "pass" | "pwd" | "auth" | "jwt" | "bearer" => return Some(Kind::Weak),
        _ => {}
    }
    if ABOUT.contains(&last) || NOT.iter().any(|not| flat.contains(not)) {
        return None;
    }
    if PARTS.iter().any(|part| flat.contains(part)) {
        return Some(Kind::Strong);
    }
    let has = |word: &str| words.iter().any(|w| w == word);
    let before = &words[..words.len() - 1];
    let any = |of: &[&str]| before.iter().any(|word| of.contains(&word.as_str()));
    let capitals = !name.iter().any(u8::is_ascii_lowercase);
    let strong = has("token")
        || has("authorization")
        || (last == "tokens" && any(&["api", "access", "auth", "refresh", "session"]))
        || (last == "key" && (any(KEYS) || (capitals && !any(OPEN_KEYS))))
        || (last == "keys" && any(&["api", "private", "ssh", "signing"]))
        || (last == "base" && has("key"))
        || (last == "pass" && (capitals || any(PASSES)))
        || (last == "pwd" && !any(&["old"]))
        || (last == "auth"
            && (capitals
                || any(&["basic", "http", "proxy", "npm", "docker"])
                || name.first() == Some(&b'_')))
        || (last == "pat" && (capitals || any(&["github", "gitlab", "azure", "ado", "gh"])))
        || (last == "cookie" && any(&["session", "auth"]))
        || (last == "mnemonic" || flat.ends_with("seedphrase"));
    strong.then_some(Kind::Strong)
}

/// The words of a name in small letters, without the numbers behind them.
fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (n, b) in name.iter().enumerate() {
        let next = name.get(n + 1).is_some_and(u8::is_ascii_lowercase);
        let before = n.checked_sub(1).map_or(b'_', |m| name[m]);
        let hump = b.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && next));
        if hump || !b.is_ascii_alphanumeric() {
            words.push(std::mem::take(&mut word));
        }
        if b.is_ascii_alphanumeric() {
            word.push(char::from(b.to_ascii_lowercase()));
        }
    }
    words.push(word);
    for word in &mut words {
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        if bare > 0 && word != "s3" && word != "ed25519" {
            word.truncate(bare);
        }
    }
    words.retain(|word| !word.is_empty());
    while words.len() > 1
        && words
            .last()
            .is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()))
    {
        words.pop();
    }
    words
}

/// Whether a variable's name means that its value is a secret.
pub fn is_secret_name(name: &str) -> bool {
    match kind(name.as_bytes()) {
        Some(Kind::Strong | Kind::Authorization | Kind::Cookie) => true,
        // The directory that a shell is in.
        Some(Kind::Weak) => !name.eq_ignore_ascii_case("pwd"),
        Some(Kind::Parameter) | None => false,
    }
}

/// Whether a variable's value is a secret: its name says so, and it is no place, and no plain word behind a name that only ends in `KEY`.
pub fn is_secret_variable(name: &str, value: &str) -> bool {
    let plain = || {
        value
            .bytes()
            .all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b'.'))
    };
    let only_key = || {
        let upper = name.to_ascii_uppercase();
        upper.ends_with("_KEY") && kind(name.to_ascii_lowercase().as_bytes()).is_none()
    };
    is_secret_name(name) && !is_place(value.as_bytes()) && !(only_key() && plain())
}

/// Whether a value is the path of a file, which is no secret.
pub(super) fn is_place(value: &[u8]) -> bool {
    const TOPS: &[&str] = &[
        "home",
        "root",
        "etc",
        "var",
        "tmp",
        "usr",
        "opt",
        "run",
        "Users",
        "mnt",
        "srv",
        "workspace",
        "builds",
        "github",
        "secrets",
        "app",
        "data",
        "private",
        "proc",
        "dev",
        "keys",
        "certs",
        "work",
        "nix",
    ];
    let Ok(text) = std::str::from_utf8(value) else {
        return false;
    };
    let text = text.strip_prefix("file://").unwrap_or(text);
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '\\' | ':' | ' ' | '~')
    };
    let drive = text.get(1..3).is_some_and(|s| s == ":\\" || s == ":/");
    let relative = ["~/", "./", "../"]
        .iter()
        .any(|start| text.starts_with(start));
    let top = text
        .strip_prefix('/')
        .and_then(|rest| rest.split('/').next());
    let is_top = top.is_some_and(|top| TOPS.contains(&top) && text.len() > top.len() + 1);
    text.chars().all(plain) && (drive || relative || is_top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables() {
        for yes in [
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "api_key",
            "DB_PASSWORD",
            "DB_PASS",
            "SSH_KEY",
            "NPM_TOKEN",
            "STRIPE_SECRET",
            "SECRET_KEY_BASE",
            "AZURE_DEVOPS_EXT_PAT",
            "GCP_CREDENTIALS",
            "MYSQL_PWD",
            "TOKEN",
            "PASSWORD",
            "DEPLOY_KEY_2",
            "clientSecret",
            "APIKey",
            "NPM_AUTH",
            "SENDGRID_API_KEY",
            "PGPASSWORD",
            "DJANGO_KEY",
        ] {
            assert!(is_secret_name(yes), "{yes}");
        }
        for no in [
            "TOKENIZER",
            "TOKEN_FILE",
            "PATH",
            "KEYBOARD",
            "SSH_KEY_PATH",
            "HOME",
            "PWD",
            "OLDPWD",
            "KEY",
            "PUBLIC_KEY",
            "CACHE_KEY",
            "SSH_AUTH_SOCK",
            "GIT_ASKPASS",
            "BYPASS_CACHE",
            "MONKEY",
            "MAX_TOKENS",
            "SECRET_NAME",
            "cache_key",
            "COMPASS",
            "XAUTHORITY",
            "CREDENTIALS_DIRECTORY",
        ] {
            assert!(!is_secret_name(no), "{no}");
        }
    }

    #[test]
    fn places_and_plain_words_are_no_secrets() {
        for (name, value, expected) in [
            ("SSH_KEY", "/home/me/.ssh/id_rsa", false),
            ("GOOGLE_APPLICATION_CREDENTIALS", "./key.json", false),
            ("SORTING_KEY", "created_at", false),
            ("SORTING_KEY", "Kj3hd82hsk2", true),
            ("API_KEY", "abcdefgh", true),
            ("DB_PASSWORD", "production", true),
            ("AWS_SECRET_ACCESS_KEY", "/ab/cdEFgh+12=", true),
        ] {
            assert_eq!(is_secret_variable(name, value), expected, "{name} {value}");
        }
    }
}
