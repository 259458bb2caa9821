//! What goes and what stays; marks, keys, values.

use super::*;

fn redactor() -> Redactor {
    Redactor::new(&["CUST-[0-9]{6}".into()], &["hunter2hunter2".into()]).unwrap()
}

#[test]
fn secrets_go_and_the_rest_stays() {
    let redactor = redactor();
    for (text, expected) in [
        (
            "token sk-abcdefghijklmnopqrstu end",
            "token sk-[REDACTED] end",
        ),
        (
            "Authorization: Bearer abcdefghijkl0123",
            "Authorization: [REDACTED] abcdefghijkl0123",
        ),
        ("got bearer abcdefghijkl0123=", "got bearer [REDACTED]"),
        (
            "\"password\": \"s3cr3t!\",",
            "\"password\": \"[REDACTED]\",",
        ),
        (
            "{\\\"api_key\\\":\\\"abcd1234\\\"}",
            "{\\\"api_key\\\":\\\"[REDACTED]\\\"}",
        ),
        ("MY_SECRET=abcdef rest", "MY_SECRET=[REDACTED] rest"),
        ("get https://u:pw@host/x", "get https://u:[REDACTED]@host/x"),
        ("AKIAIOSFODNN7EXAMPLE", "[REDACTED]"),
        ("for CUST-123456 we", "for [REDACTED] we"),
        ("pw hunter2hunter2!", "pw [REDACTED]!"),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "[REDACTED]",
        ),
    ] {
        let found = redactor.text(text);
        if text.starts_with("Authorization") {
            assert!(!found.contains("abcdefghijkl0123"), "{found}");
        } else {
            assert_eq!(found, expected);
        }
    }
    for text in [
        "test password_is_checked ... ok",
        "expected token, found `}`",
        "password: null",
        "secret = None",
        "test config::secret::tests::names_are_judged ... ok",
        "assert secret == other",
        "assertion failed: cookie.is_some()",
        "http://localhost:8080/a:b@c",
        "sk-short",
    ] {
        assert_eq!(redactor.text(text), text);
    }
}

#[test]
fn a_private_key_goes_whole_and_its_surroundings_stay() {
    let key = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb\n";
    let found = redactor().text(key);
    assert!(!found.contains("MIIE") && !found.contains("abc"), "{found}");
    assert!(found.starts_with("a\n[REDACTED]\n") && found.ends_with("b\n"));
    assert_eq!(found.lines().count(), key.lines().count());
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n";
    assert_eq!(redactor().text(certificate), certificate);
    // Twice is once.
    assert_eq!(redactor().text(&found), found);
}

#[test]
fn a_value_goes_however_it_is_written() {
    let secret = "s3&cr<e>t\"v'a\\l/ü";
    let redactor = Redactor::new(&[], &[secret.into()]).unwrap();
    let json = serde_json::to_string(secret).unwrap();
    for text in [
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        "s3&amp;cr&lt;e&gt;t&quot;v&apos;a\\l/ü".to_owned(),
        "s3&#38;cr&#x3C;e>t&#34;v&#039;a\\l/&#xfc;".to_owned(),
        r#"s3\u0026cr\u003ce\u003Et\"v'a\\l\/\u00fc"#.to_owned(),
    ] {
        assert_eq!(redactor.text(&format!("a {text} b")), "a [REDACTED] b");
    }
    let lines = Redactor::new(&[], &["first line of a secret\nsecond line of it\n".into()]);
    let found = lines.unwrap().text("x second line of it y");
    assert_eq!(found, "x [REDACTED] y");
}

#[test]
fn colours_hide_no_secret() {
    let redactor = redactor();
    for text in [
        "\u{1b}[36mpassword\u{1b}[0m=\u{1b}[35mhunter2hunter\u{1b}[0m",
        "password=\u{1b}[35mhunter2hunter\u{1b}[0m",
        "\u{1b}[36mpassword\u{1b}[0m: hunter2hunter",
        "\u{1b}[34;1m\"password\"\u{1b}[39;49;00m: \u{1b}[33m\"hunter2hunter\"\u{1b}[39;49;00m",
        "\u{1b}[1mAuthorization\u{1b}[0m: \u{1b}[32mBearer hunter2hunter-abcdefghijkl\u{1b}[0m",
        "postgres://u:\u{1b}[31mhunter2hunter\u{1b}[0m@db/x",
        "DB_PASS\u{1b}[0m=hunter2hunter",
        "pass\u{1b}[0mword=hunter2\u{1b}[1mhunter",
        "{\"log\": \"\\u001b[36mpassword\\u001b[0m=\\u001b[35mhunter2hunter\\u001b[0m\"}",
        "<failure message=\"&#27;[36mpassword&#27;[0m=&#27;[35mhunter2hunter&#27;[0m\"/>",
    ] {
        let out = redactor.text(text);
        assert!(!out.contains("hunter"), "{out:?}");
        // What else stands in the line stays.
        assert!(
            out.contains(text.split(['p', 'D', 'A']).next().unwrap()),
            "{out:?}"
        );
    }
    let plain = "\u{1b}[32mok\u{1b}[0m 12 tests";
    assert_eq!(redactor.text(plain), plain);
}

#[test]
fn what_stands_behind_a_key_stays() {
    let key = "<o>-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----</o><n>pw hunter2hunter2</n>\n<z/>\n";
    let expected = "<o>[REDACTED]\n\n</o><n>pw [REDACTED]</n>\n<z/>\n";
    assert_eq!(redactor().text(key), expected);
}

#[test]
fn patterns_that_cannot_be_used_are_refused() {
    for bad in ["(", "", "a*"] {
        assert!(Redactor::new(&[bad.into()], &[]).is_err(), "{bad}");
    }
}

#[test]
fn names_that_differ_by_a_secret_stay_two() {
    let report = |key: u8, text: &str| {
        let redactor = redactor().keyed([key; 32]);
        let found = redactor.line(text.as_bytes(), &mut Within::report());
        String::from_utf8(found.into_owned()).unwrap()
    };
    let (a, b) = ("n=\"t[password=abcd]\"", "n=\"t[password=defg]\"");
    let first = report(1, a);
    assert!(first.starts_with("n=\"t[password=[REDACTED:"), "{first}");
    assert!(!first.contains("abcd"), "{first}");
    assert_ne!(first, report(1, b));
    // One name in every run of the project, and another for who does not have its key.
    assert_eq!(first, report(1, a));
    assert_ne!(first, report(2, a));
    // Own patterns and values too; logs tell nothing apart.
    assert_ne!(report(1, "CUST-123456"), report(1, "CUST-123457"));
    assert!(report(1, "hunter2hunter2").starts_with(PREFIX));
    let keyed = redactor().keyed([1; 32]);
    assert_eq!(keyed.text(a), "n=\"t[password=[REDACTED]]\"");
    // Without a key nothing is told apart.
    let plain = redactor();
    let found = plain.line(a.as_bytes(), &mut Within::report());
    assert_eq!(found.as_ref(), b"n=\"t[password=[REDACTED]]\"");
}

#[test]
fn marks_are_left_alone() {
    let own = ["[A-Z]{8}".into(), "[0-9a-f]{12}".into()];
    let redactor = Redactor::new(&own, &[]).unwrap().keyed([7; 32]);
    for text in [
        "a ABCDEFGH b",
        "x 0123456789ab y",
        "t[password=abcd] https://u:pw@h/x",
        "[REDACTED] [REDACTED:x] [REDACTED:0123456789ab] ABCDEFGHIJ",
    ] {
        let mut within = Within::report();
        let once = redactor.line(text.as_bytes(), &mut within).into_owned();
        assert!(within.taken > 0, "{text}");
        let mut again = Within::report();
        let twice = redactor.line(&once, &mut again).into_owned();
        assert_eq!(once, twice, "{text}");
        let shown = String::from_utf8(once.clone()).unwrap();
        assert_eq!((again.taken, redactor.text(&shown)), (0, shown), "{text}");
    }
    // A mark that somebody prints hides nothing.
    let found = redactor.text("[REDACTED] password=abcd");
    assert_eq!(found, "[REDACTED] password=[REDACTED]");
}

#[test]
fn the_digest_is_that_of_the_standard() {
    // RFC 4231, case 1 has 20 bytes of 0x0b; a key is filled up with zeros.
    let mut key = [0; 32];
    key[..20].fill(0x0b);
    let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
    assert_eq!(hmac(&key, b"Hi There"), expected);
}

#[test]
fn tokens_of_bots_databases_and_attributes_go() {
    let redactor = redactor();
    for text in [
        "GET https://api.telegram.org/bot123456789:AAhunter2hunter2hunter2hunter2abcde12/getMe",
        "bot 123456789:AAhunter2hunter2hunter2hunter2abcde12 is up",
        "mailgun key-deadbeef0123456789ab",
        "jdbc:oracle:thin:scott/hunter2@//db:1521/x",
        "sqlplus scott/hunter2@db",
        "<failure message=\"{&quot;password&quot;: &quot;hunter2&quot;}\">",
        "<failure message=\"{&quot;auth&quot;: {&quot;api_key&quot;:&quot;hunter2abc&quot;}}\">",
        "<property name=&quot;db.password&quot; value=&quot;hunter2x&quot;/>",
        "<failure message=\"&lt;password&gt;hunter2&lt;/password&gt;\">",
        "{&#34;password&#34;:&#34;hunter2&#34;}",
        "name=&quot;password&quot; value=&quot;hunter2&quot;",
    ] {
        let out = redactor.text(text);
        assert!(!out.contains("hunter") && !out.contains("beef"), "{out:?}");
    }
    for text in [
        "12:AAb is a place",
        "std::path:AAbcdefghijklmnopqrstuvwxyzabcdefgh",
        "jdbc:oracle:thin:@//db:1521/x",
        "cache key-value store",
        "image docker.io/library/x@sha256:0123",
    ] {
        assert_eq!(redactor.text(text), text);
    }
}

#[test]
fn json_is_json_afterwards() {
    let redactor = redactor();
    for text in [
        r#"{"password": 12345678, "n": 1}"#,
        r#"{"password":-1234.5e6}"#,
        "{\n  \"api_key\" : 1234567890123\n}",
        r#"{"log": "{\"password\": 12345678}"}"#,
        r#"{"id": 1, "card": 424242}"#,
    ] {
        let own = Redactor::new(&["42[0-9]{4}".into()], &[]).unwrap();
        for redactor in [&redactor, &own] {
            let out = redactor.text(text);
            let value: serde_json::Value = serde_json::from_str(&out).expect(&out);
            if let Some(inner) = value["log"].as_str() {
                serde_json::from_str::<serde_json::Value>(inner).expect(inner);
            }
        }
        assert!(
            [&redactor, &own]
                .iter()
                .any(|r| r.text(text).contains(MARK)),
            "{text}"
        );
    }
    // Elsewhere a number is a word like others.
    assert_eq!(redactor.text("password: 12345678"), "password: [REDACTED]");
    assert_eq!(
        redactor.text("&quot;password&quot;: 12345678,"),
        "&quot;password&quot;: &quot;[REDACTED]&quot;,"
    );
}
