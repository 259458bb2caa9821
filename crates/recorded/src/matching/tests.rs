//! When two requests are one, and what is said when they are not.

use super::*;

fn rules(template: bool, volatile: &[&str]) -> Rules {
    Rules::new(&MatchRules {
        template,
        volatile: volatile.iter().map(|v| (*v).to_owned()).collect(),
        headers: vec!["Accept".into()],
        repeat: vec!["GET http://h/ping*".into()],
    })
    .unwrap()
}

fn asked(rules: &Rules, method: &str, url: &str, kind: &str, body: &str) -> Asked {
    let headers = vec![Field::of("content-type", kind.as_bytes())];
    rules.asked(method, url.into(), headers, body.as_bytes())
}

fn same(rules: &Rules, recorded: &str, came: &str) -> bool {
    let one = asked(rules, "POST", "http://h/", "application/json", recorded);
    let two = asked(rules, "POST", "http://h/", "application/json", came);
    rules.differences(&one, &two).is_empty()
}

#[test]
fn json_is_compared_by_what_it_says() {
    let exact = rules(false, &[]);
    assert!(same(
        &exact,
        r#"{"a":1,"b":[true,null]}"#,
        "{ \"b\": [true, null], \"a\": 1.0 }"
    ));
    for (recorded, came) in [
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":null}"#, r#"{"a":1}"#),
        (r#"{"a":1}"#, r#"{"a":"1"}"#),
        ("[1,2]", "[2,1]"),
        ("{}", "[]"),
        (r#"{"a":1}"#, r#"{"a":1} x"#),
        // Readers disagree about duplicates: compared byte by byte.
        (r#"{"a":1,"a":1}"#, r#"{"a":1, "a":1}"#),
        ("", "null"),
    ] {
        assert!(!same(&exact, recorded, came), "{recorded} and {came}");
    }
}

#[test]
fn a_template_ignores_what_was_not_recorded_and_nothing_else() {
    let template = rules(true, &[]);
    assert!(same(
        &template,
        r#"{"a":{"x":1},"n":null}"#,
        r#"{"a":{"x":1,"y":2},"new":3}"#
    ));
    for (recorded, came) in [
        (r#"{"a":1}"#, "{}"),
        (r#"{"a":null}"#, r#"{"a":1}"#),
        (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#),
        (r#"[{"a":1}]"#, r#"[{"a":2}]"#),
    ] {
        assert!(!same(&template, recorded, came), "{recorded} and {came}");
    }
}

#[test]
fn volatile_places_are_left_out_and_others_are_not() {
    let rules = rules(false, &["/id", "/items/*/at", "/list/1", "/a~1b"]);
    assert!(same(
        &rules,
        r#"{"id":1,"items":[{"at":1,"v":1},{"at":2,"v":2}],"list":[1,2],"a/b":1}"#,
        r#"{"items":[{"at":9,"v":1},{"v":2}],"list":[1,[]],"a/b":2}"#,
    ));
    assert!(!same(&rules, r#"{"x":{"id":1}}"#, r#"{"x":{"id":2}}"#));
    assert!(!same(&rules, r#"{"list":[1]}"#, r#"{"list":[2]}"#));
}

#[test]
fn the_boundary_of_a_form_is_not_compared_and_its_parts_are() {
    let rules = rules(false, &[]);
    let form = |boundary: &str, value: &str| {
        let kind = format!("multipart/form-data; boundary=\"{boundary}\"");
        let body = format!("--{boundary}\r\nA: b\r\n\r\n{value}\r\n--{boundary}--\r\n");
        asked(&rules, "POST", "http://h/", &kind, &body)
    };
    assert!(
        rules
            .differences(&form("xxxx", "1"), &form("yyyy", "1"))
            .is_empty()
    );
    assert_eq!(
        rules
            .differences(&form("xxxx", "1"), &form("xxxx", "2"))
            .len(),
        1
    );
}

#[test]
fn each_difference_is_said_and_the_nearest_has_the_smallest_distance() {
    let rules = rules(false, &[]);
    let base = asked(
        &rules,
        "POST",
        "http://h/p?a=1",
        "application/json",
        r#"{"a":{"b":1}}"#,
    );
    let said = |came: &Asked| -> Vec<What> {
        let all = rules.differences(&base, came);
        all.iter().map(|d| d.what).collect()
    };
    let other = |method, url, body| asked(&rules, method, url, "application/json", body);
    let body = other("POST", "http://h/p?a=1", r#"{"a":{"b":2}}"#);
    assert_eq!(said(&body), [What::Body]);
    let text = &rules.differences(&base, &body)[0].text;
    assert!(
        text.starts_with("`/a/b`: recorded 1, came 2 (recorded "),
        "{text}"
    );
    assert_eq!(
        said(&other("POST", "http://h/p?a=2", r#"{"a":{"b":1}}"#)),
        [What::Query]
    );
    assert_eq!(
        said(&other("POST", "http://h/p", r#"{"a":{"b":1}}"#)),
        [What::Query]
    );
    let far = other("GET", "http://x/q?a=1", "");
    assert_eq!(said(&far), [What::Method, What::Url, What::Body]);
    assert!(distance(&rules.differences(&base, &body)) < distance(&rules.differences(&base, &far)));
    let mut header = base.clone();
    header.headers.push(Field::of("accept", b"x"));
    assert_eq!(said(&header), [What::Header]);
}

#[test]
fn repeated_requests_are_named_by_method_and_url() {
    let rules = rules(false, &[]);
    assert!(rules.repeats("GET", "http://h/ping?x=1"));
    assert!(!rules.repeats("POST", "http://h/ping"));
    assert!(!rules.repeats("GET", "http://h/other"));
}

#[test]
fn methods_are_case_sensitive() {
    let own = rules(false, &[]);
    let one = asked(&own, "PATCH", "http://h/", "text/plain", "a");
    let two = asked(&own, "patch", "http://h/", "text/plain", "a");
    let found = own.differences(&one, &two);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, What::Method);
    assert_eq!(
        found[0].text,
        "recorded PATCH, came patch; methods are case-sensitive"
    );
    assert!(own.repeats("GET", "http://h/ping"));
    assert!(!own.repeats("get", "http://h/ping"));
    for (line, why) in [
        ("get http://h/", "write `GET`"),
        ("Patch http://h/", "write `PATCH`"),
        ("G,T http://h/", "no method"),
        (" http://h/", "no method"),
    ] {
        let rules = MatchRules {
            repeat: vec![line.into()],
            ..MatchRules::default()
        };
        let error = Rules::new(&rules).unwrap_err().to_string();
        assert!(error.contains(why), "{line}: {error}");
    }
    let rules = MatchRules {
        repeat: vec!["purge http://h/".into()],
        ..MatchRules::default()
    };
    assert!(Rules::new(&rules).unwrap().repeats("purge", "http://h/"));
}
