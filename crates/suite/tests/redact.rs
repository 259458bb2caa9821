//! Secrets go, in whatever form they are written; what is none stays, byte by byte.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use gonogo_suite::redact::{MARK, Redactor};
use proptest::prelude::*;

fn redactor() -> Redactor {
    Redactor::new(&[], &[]).unwrap()
}

/// Lines with a secret, which is what stands between `«` and `»`.
const SECRET: &[&str] = &[
    // Names of variables.
    "AWS_SECRET_ACCESS_KEY=«wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzKEYzzz12»",
    "aws_secret_access_key = «wJalrXUtnFEMIK7MDENGbPxRfiCYzzKEYzzz1234»",
    "GITHUB_TOKEN: «abcdef123456»",
    "export TOKEN='«a b c»'",
    "+ SECRET_KEY=«x9y8z7»",
    "passphrase: «correct horse battery staple»",
    "passphrase=«abc»",
    "MYSQL_PWD=«hunter2»",
    "pwd=«hunter2x»",
    "DB_PASS=«hunter»",
    "SSH_KEY=«b3BlbnNzaC1rZXktdjEAAAAA»",
    "NPM_PAT=«abcd1234»",
    "GCP_CREDENTIALS=«abcd1234»",
    "SECRET_KEY_BASE=«0123456789abcdef0123456789abcdef»",
    "spring.datasource.password=«s3cr3t»",
    "docker run -e API_TOKEN=«abc123xyz» image",
    "$env:API_TOKEN = \"«abc123xyz»\"",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=«Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zg==»;EndpointSuffix=core.windows.net",
    "Server=db;User Id=sa;Password=«p;w&d!1»;Encrypt=true",
    "//registry.npmjs.org/:_authToken=«abcd-1234-efgh»",
    "DB_PASSWORD=«a$b%c^d&e*f(g)h»",
    "password=«1234»",
    "**Password:** «hunter2x»",
    // Fields.
    "{\"password\": \"«s3cr3t!»\", \"n\": 1}",
    "{\"password\":\"«s\\\"3 cr3t»\",\"n\":1}",
    "{\\\"api_key\\\":\\\"«ab cd\\\\\\\"1234»\\\"}",
    "{'password': '«correct horse»'}",
    "\"password\" => \"«X»\"",
    ":password => '«X1»', :user => 'u'",
    "Config { password: Some(\"«hunter2»\"), user: \"a\" }",
    "Config{password=«hunter2», user=ana}",
    "password: b'«hunter2»'",
    "password = \"\"\"«hunter2»\"\"\"",
    "\"token\": \"«abc123»\"",
    "db.password=&quot;«a&amp;b c»&quot; x",
    "{\\u0022password\\u0022:\\u0022«abc12»\\u0022}",
    "os.environ[\"API_TOKEN\"] = \"«abc123»\"",
    "clientSecret: «abc123»",
    "  auth: \"«dXNlcjpwYXNzd29yZA==»\"",
    "{\"name\":\"DB_PASSWORD\",\"value\":\"«hunter2»\"}",
    "<property name=\"api_key\" value=\"«hunter2»\"/>",
    "<add key='Password' value='«hunter2»' />",
    // Elements.
    "<password>«hunter2»</password>",
    "<x:password>«hunter 2»</x:password>",
    "&lt;password&gt;«hunter2»&lt;/password&gt;",
    "\\u003cpassword\\u003e«hunter2»\\u003c/password\\u003e",
    "<secret><![CDATA[«hunter2»]]></secret>",
    "<password>«hunter2»</password><token>«hunter3»</token>",
    // Options and commands.
    "mysql -u root --password «CliPassw0rdX» -h x",
    "tool --token=«abc123» --verbose",
    "tool --api-key '«abc 123»'",
    "[\"tool\", \"--password\", \"«abc123»\"]",
    "['tool', '--client-secret', '«abc123»', '-v']",
    "curl -sS -u user:«s3cr3t» https://example.org",
    "curl --user 'user:«s3 cr3t»' https://example.org",
    "[\"curl\",\"-u\",\"user:«s3cr3t»\"]",
    "mysqldump -uroot -p«S3cret» db",
    "sshpass -p «S3cret» ssh host",
    "docker login -u me -p «S3cret» registry.example.org",
    "machine example.org login me password «S3cret»",
    "  password «S3cret»",
    // Headers.
    "Authorization: Bearer «abcDEF1234567890ghiJKL»",
    "Authorization: Basic «dXNlcjpwYXNz»",
    "Authorization: Digest «username=\"u\", realm=\"r\", nonce=\"n1\", response=\"6629fae49393a05397450978507c4ef1\"»",
    "{\"Output\":\"Authorization: Digest «username=\\\"u\\\", response=\\\"6629fae\\\"»\\n\"}",
    "authorization: AWS4-HMAC-SHA256 «Credential=AKID/2026/us-east-1, SignedHeaders=host, Signature=fe5f80»",
    "Authorization: «rawtoken123»",
    "curl -H \"Authorization: Token «abc123»\" https://example.org",
    "curl -H 'X-Api-Key: «0123456789abcdef»' https://example.org",
    "{'Authorization': 'Bearer «abc123def»'}",
    "map[Authorization:[Bearer «abc123def»] Accept:[*/*]]",
    "(\"Authorization\", \"Basic «dXNlcjpwYXNz»\")",
    "> proxy-authorization: Basic «dXNlcjpwYXNz»",
    "Cookie: «a=1; session=deadbeef; b=2»",
    "Set-Cookie: «session=abc; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly»",
    "password :«𐺰»",
    "got bearer «abcdefghijkl0123=»",
    // URLs.
    "https://user:«p@ss@word»@host/x",
    "postgres://app:«pgS3/cr3t»@db:5432/x",
    "redis://:«abc»@cache:6379",
    "https://«ghx0123456789abcdef»@github.com/x/y",
    "https://«0123456789abcdef0123456789abcdef»@o1.ingest.example.org/2",
    "GET https://x.blob.core.windows.net/a?sv=2020&sig=«a%2Bb1234567»&se=1",
    "https://«Letmein35»@github.com/x/y",
    "SharedAccessSignature sig=«abc12345%2Fabc»",
    "    -u admin:«Letmein37»",
    "GET /cb?access_token=«abc»&state=1",
    "Location: https://h/cb#access_token=«abc123»&id_token=«def456»&token_type=bearer",
    "{\"next\":\"https:\\/\\/h\\/cb#refresh_token=«abc123»\"}",
    "https://maps?key=«SyD1abcdEFGH1234ijkl»&z=1",
    "x?next=%2Fa%26token%3D«abc123»%26b",
    "X-Amz-Signature=1&X-Amz-Security-Token=«IQoJb3JpZ2lu» z",
    // Names of tests.
    "tests/test_x.py::test_a[token=«abc123»] PASSED",
    "n=\"t[token=«abc123»]\" time=\"1\"",
    "test_t[https://u:«pw123»@h/]",
    // Escapes before a name.
    "{\"Output\":\"a\\ntoken=«abc123»\\n\"}",
    "\u{1b}[31mtoken=«abc123»",
    "a\\u0026token=«abc123»\\u0026b=1",
    // Forms.
    "sk_live_«51HabcdEFGH1234»",
    "rk_live_«51HabcdEFGH1234»",
    "whsec_«abcdEFGH1234+/=»",
    "SG.«abcdefghijklmnopqrstuv.wxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg»",
    "ya29.«a0AfH6SMBx-abc_def123»",
    "xoxb-«123456789012-1234567890123-AbCdEfGh»",
    "https://hooks.slack.com/services/«T000/B000/abcdEFGH1234»",
    "https://hooks.slack.com/services/«aaaAA00!0Aaa»",
    "AGE-SECRET-KEY-«1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L»",
    "«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U»",
    "hf_«abcdEFGHIJKLmnopQRSTuvwxYZabcdEFGH»",
    "npm_«abcdEFGH1234ijklMNOP5678qrstUVWX90ab»",
    "glpat-«abcdEFGH1234ijklMNOP»",
    "ASIA: «ASIAQ3EGPZ7XW2MNBV5C»",
];

/// Lines without one.
const PLAIN: &[&str] = &[
    "the token was expired",
    "password is required",
    "error: password: must not be empty",
    "error: password: is required",
    "{\"password\": \"must not be empty\"}",
    "{\"error\": \"token\", \"message\": \"the token was expired\"}",
    "key=value colour=red size=12",
    "cache_key=items:12 sort_key=created_at partition_key: a1b2c3",
    "primary_key: id, foreign_key=user_id",
    "commit 9493be9aa1b2c3d4e5f60718293a4b5c6d7e8f90",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "id 6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    "/home/me/src/token/secret.rs:12:5: error",
    "/run/secrets/db_password: No such file or directory",
    "tests/test_password.py:33: AssertionError",
    "tests/test_token.py::test_reset PASSED [ 12%]",
    "test auth::token::is_checked ... ok",
    "INFO app::token: refreshed 3 of them",
    "--- PASS: TestStore/token (0.00s)",
    "PASS: 12",
    "pass=5 fail=0",
    "# pass 12",
    "SyntaxError: Unexpected token: identifier",
    "unexpected token: `}`",
    "expected token, found `}`",
    "max_tokens: 4096, prompt_tokens=17",
    "TOKEN_FILE=/run/secrets/token",
    "SSH_KEY=/home/me/.ssh/id_ed25519",
    "PWD=/home/me/project",
    "OLDPWD=/home/me",
    "password_file: /etc/x",
    "password_length=12 password_count=3",
    "token=$GITHUB_TOKEN",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "password=${DB_PASSWORD}",
    "curl -H \"Authorization: Bearer $TOKEN\" https://example.org",
    "password=********",
    "password: null, secret = None, token=false",
    "--password <PASSWORD>  the password",
    "--token TOKEN          what to log in with",
    "--password string   password of the user",
    "use --token to log in; --password is read from a file",
    "    token = self.token",
    "    password = get_password()",
    "    secret: Option<String>,",
    "    password: &str,",
    "login(user=user, password=password)",
    "assert secret == other",
    "assert password != other",
    "assertion failed: cookie.is_some()",
    "Authorization: required",
    "Basic authentication is off; bearer authentication is on",
    "http://localhost:8080/a:b@c",
    "https://ana@example.org/x ssh://git@example.org/y git@github.com:x/y.git",
    "mail me@example.com, see https://example.org/@ana",
    "sk-short task-management-of-everything sk-estimator-doc-link",
    "npm_config_cache_max npm_package_dependencies_serde",
    "keyboard: us, monkey=chimp, tokenizer=bpe, passing: yes",
    "Vec<Token> and Option<Secret> and HashMap<Key, Password>",
    "-----BEGIN CERTIFICATE-----",
    "docker run -u 1000:1000 image",
    "curl https://example.org -u 1000:1000",
    "password required",
    "  password incorrect",
    "compass: north, bypass=1, passed: 12, key: a",
    "signature: fn(u32) -> u32",
    "test config::secret::tests::names_are_judged ... ok",
    "secret/data: read; secrets: inherit",
    "Setting up libsecret-1-0:amd64 (0.20.5-3) ...",
    "        Status::Pass => Reason::RunPassed,",
    "    let token = token.strip_suffix(b\":\");",
    "fn f(secrets: &Secrets, token: &String) {}",
    ":root{--pass:#17683a;--fail:#b3261e}",
    "[REDACTED]",
    "",
];

fn split(line: &str) -> (String, String, Vec<String>) {
    let plain = line.replace(['«', '»'], "");
    let mut expected = String::new();
    let mut secrets = Vec::new();
    let mut rest = line;
    while let Some((before, more)) = rest.split_once('«') {
        let (secret, after) = more.split_once('»').unwrap();
        expected.push_str(before);
        expected.push_str(MARK);
        secrets.push(secret.to_owned());
        rest = after;
    }
    expected.push_str(rest);
    (plain, expected, secrets)
}

#[test]
fn secrets_go_and_nothing_else() {
    let redactor = redactor();
    let mut wrong = Vec::new();
    for line in SECRET {
        let (plain, expected, _) = split(line);
        let found = redactor.text(&plain);
        if found != expected {
            wrong.push(format!(
                "of       {plain}\nexpected {expected}\nfound    {found}\n"
            ));
        }
        let again = redactor.text(&found);
        if again != found {
            wrong.push(format!(
                "twice of {plain}\nonce     {found}\ntwice    {again}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_secret_stays() {
    let redactor = redactor();
    let found: Vec<String> = PLAIN
        .iter()
        .map(|line| redactor.text(line))
        .zip(PLAIN)
        .filter(|(found, line)| found != *line)
        .map(|(found, line)| format!("of    {line}\nfound {found}\n"))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A secret that nobody says: at least a digit, a capital and a sign, so that it is no word of a sentence and no path.
fn secrets() -> impl Strategy<Value = String> {
    (
        "[a-z0-9]{3,12}",
        "[A-Z]{2,4}[0-9]{2,4}",
        "[!^*~+_.-]",
        "[a-zA-Z0-9]{4,12}",
    )
        .prop_map(|(a, b, sign, c)| format!("{a}{b}{sign}{c}"))
}

/// Forms that hold any secret; `{}` is its place.
const FORMS: &[&str] = &[
    "AWS_SECRET_ACCESS_KEY={}",
    "GITHUB_TOKEN: {}",
    "token={} x",
    "api_token: '{}'",
    "SECRET_KEY=\"{}\"",
    "passphrase: {}",
    "pwd={};",
    "AccountKey={};x=1",
    "GET /?sig={}&x=1",
    "tool --password {} -v",
    "<password>{}</password>",
    "\"password\" => \"{}\"",
    "machine h login u password {}",
    "curl -u user:{} https://h",
    "https://u:{}@host/x",
    "Authorization: Digest username=\"u\", response=\"{}\"",
    "Authorization: Basic {}",
    "Authorization: Bearer {}",
    "Cookie: a=b; c={}; d=e",
    "Set-Cookie: a={}; Path=/",
    "t[token={}]",
    "{\"client_secret\":\"{}\"}",
    "{\\\"client_secret\\\":\\\"{}\\\"}",
    "<property name=\"DB_PASS\" value=\"{}\"/>",
    "DEPLOY_KEY={}",
    "X_PAT={}",
    "X_CREDENTIALS={}",
    "https://hooks.slack.com/services/{}",
];

#[test]
fn what_joins_marks_is_left_alone() {
    for text in ["Cookie:\\Cookie =", "Cookie: a=b; Cookie ="] {
        let once = redactor().text(text);
        assert!(once.contains(MARK), "{once}");
        assert_eq!(redactor().text(&once), once);
    }
    // A secret beside a mark is one.
    let found = redactor().text("Cookie: [REDACTED]; sid=hunter2hunter2");
    assert!(!found.contains("hunter2"), "{found}");
}

proptest! {
    #[test]
    fn a_secret_never_survives(secret in secrets(), form in 0..FORMS.len(), before in "[ -~]{0,20}", behind in "( [ -~]{0,20})?") {
        // What stands before it on its line may be anything but an open quote or a longer name.
        let line = format!("{before} | {}{behind}", FORMS[form].replace("{}", &secret));
        let found = redactor().text(&line);
        prop_assert!(!found.contains(&secret), "{line}\n{found}");
        prop_assert!(found.contains(MARK));
        prop_assert_eq!(redactor().text(&found), found);
    }

    #[test]
    fn any_text_passes_once_and_keeps_its_lines(text in "(?s)([ -~]|\\PC|\n|(password|token|Cookie|://|eyJ|sk-|-----BEGIN PRIVATE KEY-----)[=:\"'@ ]?){0,60}") {
        let redactor = redactor();
        let once = redactor.text(&text);
        prop_assert_eq!(once.matches('\n').count(), text.matches('\n').count(), "{}", once);
        prop_assert_eq!(redactor.text(&once), once.clone());
    }

    #[test]
    fn json_stays_json(text in "(?s)([ -~]|\\n|\\PC|(password|token|Cookie|https://u|curl -u a|sk-|<secret>|api_key)[=:\"'@> ]?){0,40}") {
        let line = serde_json::json!({"a": text, "b": [text]}).to_string();
        let twice = serde_json::json!({"c": line}).to_string();
        for line in [line, twice] {
            let found = redactor().text(&line);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&found).is_ok(), "{line}\n{found}");
        }
    }

    #[test]
    fn a_known_value_goes_however_it_is_encoded(secret in "[A-Za-z0-9/&+ ]{9,30}", before in "[a-z]{0,5}") {
        use base64::Engine as _;
        let redactor = Redactor::new(&[], std::slice::from_ref(&secret)).unwrap();
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let percent: String = secret.bytes().map(|b| match b {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b' ' => "+".into(),
            b => format!("%{b:02x}"),
        }).collect();
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        // Of what is encoded with other text the inner part is known.
        let with = encode(&format!("{before}{secret}"));
        let inner = &with[(before.len() * 4).div_ceil(3) + 1..with.len() - 4];
        for text in [&secret, &encode(&secret), &percent, &hex, &hex.to_uppercase()] {
            let found = redactor.text(&format!("x {text} y"));
            prop_assert_eq!(found, format!("x {MARK} y"), "{}", text);
        }
        let found = redactor.text(&format!("x {with} y"));
        prop_assert!(!found.contains(inner), "{with} {found}");
    }
}

#[test]
fn a_key_of_many_lines_goes_and_what_follows_stays() {
    let redactor = redactor();
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    for before in ["", "E       ", "2026-11-22T08:00:00Z | "] {
        let lines = [
            "-----BEGIN RSA PRIVATE KEY-----",
            "Proc-Type: 4,ENCRYPTED",
            "",
            body,
            "Zm8=",
            "-----END RSA PRIVATE KEY-----",
        ];
        let text: String = lines
            .iter()
            .map(|line| format!("{before}{line}\n"))
            .collect();
        let found = redactor.text(&format!("{text}test a ... ok\n"));
        assert!(!found.contains("MIIE") && !found.contains("Zm8"), "{found}");
        assert!(found.ends_with("\ntest a ... ok\n"), "{found}");
        assert_eq!(found.lines().count(), 7);
        // A key that was cut off takes nothing else with it.
        let cut: String = text
            .lines()
            .take(4)
            .map(|line| format!("{line}\n"))
            .collect();
        let found = redactor.text(&format!("{cut}test a ... ok\n</testcase>\n"));
        assert!(
            found.ends_with("\ntest a ... ok\n</testcase>\n") && !found.contains("MIIE"),
            "{found}"
        );
    }
    // On one line, as JSON, code and the environment write it, and twice.
    let one = format!(
        "{{\"key\":\"-----BEGIN PRIVATE KEY-----\\n{body}\\nZm8=\\n-----END PRIVATE KEY-----\\n\",\"n\":1}} "
    );
    let found = redactor.text(&one.repeat(2));
    assert_eq!(found.matches(MARK).count(), 2, "{found}");
    assert!(
        !found.contains("MIIE") && !found.contains("Zm8") && found.matches("\"n\":1}").count() == 2,
        "{found}"
    );
    let block = format!(
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{body}\n-----END PGP PRIVATE KEY BLOCK-----\nx\n"
    );
    assert_eq!(redactor.text(&block), format!("{MARK}\n\n\n\nx\n"));
    // Who only says how a key begins has said no key.
    let said = "assert key.startswith(\"-----BEGIN PRIVATE KEY-----\")\nE  no\n";
    assert!(redactor.text(said).ends_with("\")\nE  no\n"));
}

#[test]
fn time_grows_with_the_text_alone() {
    // A thousand times as long takes no million times as long: each of these would take hours.
    let redactor = redactor();
    for piece in [
        "password=\"",
        "<password>",
        "token='\\\"",
        "://a:b",
        "secret:",
        "Cookie: a=",
        "-----BEGIN PRIVATE KEY",
        "eyJ",
        "token=$",
        "login x -p",
        "--password ",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let found = redactor.text(&text);
        assert!(found.len() <= text.len() * 2, "{piece}");
    }
}
