//! Redaction by names, shapes and what was seen; borders; any text.

use http::header::{HeaderName, HeaderValue};

use super::*;

fn redactor(rules: RedactionRules) -> Redactor {
    Redactor::new(&rules).unwrap()
}

fn body(kind: &str, text: &str) -> String {
    let redactor = redactor(RedactionRules::default());
    let edits = redactor.edits(text.as_bytes(), Some(kind), &Secrets::default());
    let once = apply(text.as_bytes(), &edits, &mut Tally::new());
    let again = redactor.edits(&once, Some(kind), &Secrets::default());
    let mut tally = Tally::new();
    assert_eq!(apply(&once, &again, &mut tally), once, "redacted twice");
    assert_eq!(tally, Tally::new(), "counted twice");
    String::from_utf8(once).unwrap()
}

#[test]
fn json_values_go_and_every_other_byte_stays() {
    for (text, redacted) in [
        (
            r#"{"api_key":"x", "n": 1}"#,
            r#"{"api_key":"[REDACTED]", "n": 1}"#,
        ),
        (r#"{ "apiKey" : "a\"b" }"#, r#"{ "apiKey" : "[REDACTED]" }"#),
        (
            r#"{"x-Api-Key":"k","max_tokens":5}"#,
            r#"{"x-Api-Key":"[REDACTED]","max_tokens":5}"#,
        ),
        (
            r#"{"tokens":[1],"token":"t"}"#,
            r#"{"tokens":[1],"token":"[REDACTED]"}"#,
        ),
        (
            r#"{"pin_token":1234,"ok":true}"#,
            r#"{"pin_token":0,"ok":true}"#,
        ),
        (
            r#"{"secret":null,"is_secret":true}"#,
            r#"{"secret":null,"is_secret":true}"#,
        ),
        (
            r#"{"secrets":{"a":"x","b":[1,"y",{"c":"z"}]},"d":"kept"}"#,
            r#"{"secrets":{"a":"[REDACTED]","b":[0,"[REDACTED]",{"c":"[REDACTED]"}]},"d":"kept"}"#,
        ),
        (
            r#"{"api\u005fkey":"x"}"#,
            r#"{"api\u005fkey":"[REDACTED]"}"#,
        ),
        (
            "data: {\"token\":\"a\"}\n\ndata: {\"token\":\"b\"}\n\n",
            "data: {\"token\":\"[REDACTED]\"}\n\ndata: {\"token\":\"[REDACTED]\"}\n\n",
        ),
        // Prose with a lone quote before it, and a body that was cut off.
        (
            r#"he said "no {"password":"p"}"#,
            r#"he said "no {"password":"[REDACTED]"}"#,
        ),
        (r#"{"password":"abc"#, r#"{"password":"[REDACTED]"#),
        // JSON as a string inside JSON, once and twice.
        (
            r#"{"args":"{\"password\":\"p\\\"q\",\"n\":1}"}"#,
            r#"{"args":"{\"password\":\"[REDACTED]\",\"n\":1}"}"#,
        ),
        (
            r#"{"a":"{\"b\":\"{\\\"token\\\":\\\"t\\\"}\"}"}"#,
            r#"{"a":"{\"b\":\"{\\\"token\\\":\\\"[REDACTED]\\\"}\"}"}"#,
        ),
        (r#"{"password":""}"#, r#"{"password":""}"#),
        (r#"["password","kept"]"#, r#"["password","kept"]"#),
        (
            "plain text, token and password",
            "plain text, token and password",
        ),
    ] {
        assert_eq!(body("application/json", text), redacted, "{text}");
    }
}

#[test]
fn forms_queries_and_user_info_are_redacted() {
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    assert_eq!(
        body(form, "user=me&pass%77ord=a%26b&client_secret=&x=1"),
        "user=me&pass%77ord=[REDACTED]&client_secret=&x=1"
    );
    assert_eq!(body("text/plain", "password=kept"), "password=kept");
    let multipart = "--B\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\nabc\r\n--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nkept\r\n--B--\r\n";
    let redacted = body("multipart/form-data; boundary=B", multipart);
    assert_eq!(redacted, multipart.replace("abc", MARK));
    assert_eq!(
        body(
            "text/html",
            "<a href=\"https://u:pw@h/?a=1&access_token=abc#f\">"
        ),
        "<a href=\"https://[REDACTED]@h/?a=1&access_token=[REDACTED]#f\">"
    );
    assert_eq!(
        body("text/plain", "https://h/?X-Amz-Signature=ab&sig=c"),
        "https://h/?X-Amz-Signature=[REDACTED]&sig=[REDACTED]"
    );
    assert_eq!(
        body("text/plain", "mail me@example.com, see https://h/@user"),
        "mail me@example.com, see https://h/@user"
    );
}

#[test]
fn parameters_of_fragments_and_of_escaped_urls_are_redacted() {
    for (text, redacted) in [
        (
            "https://h/cb#access_token=one&id_token=two&token_type=bearer&refresh_token=three",
            "https://h/cb#access_token=[REDACTED]&id_token=[REDACTED]&token_type=bearer&refresh_token=[REDACTED]",
        ),
        (
            r#"{"next":"https:\/\/h\/cb#access_token=ab\/cd&x=1"}"#,
            r#"{"next":"https:\/\/h\/cb#access_token=[REDACTED]&x=1"}"#,
        ),
        // As encoders write it that make JSON fit for HTML.
        (
            r#"{"u":"https://h/?a=1\u0026access_token=one\u0026b\u003d2\u0023id_token\u003dtwo"}"#,
            r#"{"u":"https://h/?a=1\u0026access_token=[REDACTED]\u0026b\u003d2\u0023id_token\u003d[REDACTED]"}"#,
        ),
        (
            "https://h/login?next=https%3A%2F%2Fapp%2Fcb%23access_token%3Done%2Ftwo%26x%3D1&b=2",
            "https://h/login?next=https%3A%2F%2Fapp%2Fcb%23access_token%3D[REDACTED]%26x%3D1&b=2",
        ),
        (
            "https://h/cb?code=1#section&state=2#token_type=bearer",
            "https://h/cb?code=1#section&state=2#token_type=bearer",
        ),
        ("# token = how to get one", "# token = how to get one"),
    ] {
        assert_eq!(body("text/plain", text), redacted, "{text}");
        assert_eq!(
            redactor(RedactionRules::default()).url(text, &Secrets::default(), &mut Tally::new()),
            redacted
        );
    }
    let keys = r#"{"token_type":"bearer","tokenType":"mac","my_type_token":"gone"}"#;
    assert_eq!(
        body("application/json", keys),
        keys.replace("gone", "[REDACTED]")
    );
    let own = redactor(RedactionRules {
        words: vec!["ssn".into()],
        ..RedactionRules::default()
    });
    let edits = own.edits(br#"{"ssn_type":"x"}"#, None, &Secrets::default());
    assert_eq!(edits.len(), 1, "the user's own words have the last say");
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    map
}

#[test]
fn headers_that_carry_secrets_are_redacted_and_sorted() {
    let redactor = redactor(RedactionRules {
        headers: vec!["X-Mine".into()],
        ..RedactionRules::default()
    });
    let map = headers(&[
        ("x-mine", "abc"),
        ("authorization", "Bearer abc"),
        ("cookie", "a=1; b=two"),
        ("set-cookie", "sid=abc; Path=/; Secure"),
        ("set-cookie", "x=y"),
        ("x-auth-token", "abc"),
        ("proxy-authorization", "abc"),
        ("x-ratelimit-remaining-tokens", "17"),
        ("location", "/next?access_token=abc"),
        ("accept", "*/*"),
    ]);
    let mut tally = Tally::new();
    let fields = redactor.fields(&map, &Secrets::default(), &mut tally);
    let lines: Vec<String> = fields
        .iter()
        .map(|f| format!("{}: {}", f.0, String::from_utf8(f.bytes()).unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            "accept: */*",
            "authorization: [REDACTED]",
            "cookie: a=[REDACTED]; b=[REDACTED]",
            "location: /next?access_token=[REDACTED]",
            "proxy-authorization: [REDACTED]",
            "set-cookie: sid=[REDACTED]; Path=/; Secure",
            "set-cookie: x=[REDACTED]",
            "x-auth-token: [REDACTED]",
            "x-mine: [REDACTED]",
            "x-ratelimit-remaining-tokens: 17",
        ]
    );
    assert_eq!(tally[&Kind::Header], 8);
    assert_eq!(tally[&Kind::QueryParameter], 1);
}

#[test]
fn what_a_header_gave_away_is_found_in_every_form() {
    let redactor = redactor(RedactionRules::default());
    let mut secrets = redactor.known();
    let map = headers(&[
        ("authorization", "Basic dXNlcjpodW50ZXIyLWh1bnRlcjI="),
        ("x-api-key", "key/with+odd=chars"),
        ("cookie", "sid=session-12345; short=abc"),
    ]);
    redactor.learn(
        "http://u:url-password@h/?token=in%2Fthe%2Furl",
        &map,
        &mut secrets,
    );
    let secrets = secrets.prepared();
    let gone = |text: &str| {
        let edits = redactor.edits(text.as_bytes(), None, &secrets);
        String::from_utf8(apply(text.as_bytes(), &edits, &mut Tally::new())).unwrap()
    };
    for text in [
        "hunter2-hunter2",
        "user:hunter2-hunter2",
        "dXNlcjpodW50ZXIyLWh1bnRlcjI=",
        "key/with+odd=chars",
        "key%2Fwith%2Bodd%3Dchars",
        "key%2fwith%2bodd%3dchars",
        "session-12345",
        "url-password",
        "in/the/url",
        "a2V5L3dpdGgrb2RkPWNoYXJz",
    ] {
        assert_eq!(gone(&format!("<{text}>")), "<[REDACTED]>", "{text}");
    }
    assert_eq!(gone("abc stays, it is short"), "abc stays, it is short");
    let mut tally = Tally::new();
    let url = redactor.url(
        "http://h/bot/session-12345/x?id=%5BREDACTED%5D",
        &secrets,
        &mut tally,
    );
    assert_eq!(url, "http://h/bot/[REDACTED]/x?id=[REDACTED]");
}

#[test]
fn users_add_words_names_and_patterns() {
    let redactor = redactor(RedactionRules {
        words: vec!["ssn".into()],
        plain: vec!["nextPageToken".into()],
        patterns: vec![r"acct-(\d+)".into()],
        literals: vec!["known-before".into()],
        headers: Vec::new(),
    });
    let text = r#"{"SSN":"1","next_page_token":"kept","a":"acct-123","b":"known-before"}"#;
    let edits = redactor.edits(text.as_bytes(), None, &redactor.known());
    let out = apply(text.as_bytes(), &edits, &mut Tally::new());
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"SSN":"[REDACTED]","next_page_token":"kept","a":"acct-[REDACTED]","b":"[REDACTED]"}"#
    );
    for bad in ["(", "", "a*", "REDACTED", r"\[.*\]"] {
        let rules = RedactionRules {
            patterns: vec![bad.into()],
            ..RedactionRules::default()
        };
        assert!(Redactor::new(&rules).is_err(), "{bad}");
    }
}

#[test]
fn borders_follow_what_was_replaced() {
    let text = br#"{"token":"abcdefghijklmnop","n":1}"#;
    let redactor = redactor(RedactionRules::default());
    let edits = redactor.edits(text, None, &Secrets::default());
    let out = apply(text, &edits, &mut Tally::new());
    // Before, at the beginning of, inside, at the end of, and behind the secret.
    let places = borders([5, 10, 15, 26, 28, text.len()], &edits);
    assert_eq!(places, [5, 10, 20, 20, 22, out.len()]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    /// Whatever comes: no panic, and redacting twice is redacting once.
    #[test]
    fn any_text_is_redacted_once(text in r#"([{}\[\]:,"\\ &=?@/0-9a]|token|"password":|://|\\"secret\\":){0,40}"#) {
        let redactor = redactor(RedactionRules::default());
        let mut secrets = Secrets::default();
        secrets.add(b"0a0a0a0a");
        let secrets = secrets.prepared();
        let once = apply(text.as_bytes(), &redactor.edits(text.as_bytes(), Some("multipart/x; boundary=a"), &secrets), &mut Tally::new());
        let edits = redactor.edits(text.as_bytes(), None, &secrets);
        let out = apply(text.as_bytes(), &edits, &mut Tally::new());
        let all = borders(0..=text.len(), &edits);
        proptest::prop_assert!(all.is_sorted() && all.last() == Some(&out.len()));
        let edits = redactor.edits(&once, Some("multipart/x; boundary=a"), &secrets);
        let twice = apply(&once, &edits, &mut Tally::new());
        proptest::prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
    }
}
