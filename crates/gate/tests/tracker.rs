//! The practical-finish checkpoint from exports of several trackers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use gonogo_core::{Timestamp, Verdict};
use gonogo_gate::artifact::{Artifact, ArtifactError};
use gonogo_gate::tracker::{Checkpoint, Fields, Form, Scope, Terms, checkpoint};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn made(export: &str) -> Checkpoint {
    let terms = Terms {
        docs_labels: ["documentation".to_owned()].into(),
        ..Terms::default()
    };
    let made = checkpoint(export.as_bytes(), &Fields::default(), &terms, None, now());
    assert_eq!(made.check(), [], "{made:?}");
    let again = Checkpoint::read(&made.to_bytes().unwrap()).unwrap();
    assert_eq!(again, made);
    made
}

fn open(made: &Checkpoint) -> (Vec<&str>, Vec<&str>) {
    let ids = |list: &'_ [gonogo_gate::tracker::Issue]| list.len();
    assert_eq!(
        made.open_count as usize,
        ids(&made.technical_open_issues) + ids(&made.docs_or_report_open_issues)
    );
    (
        made.technical_open_issues
            .iter()
            .map(|i| i.id.as_str())
            .collect(),
        made.docs_or_report_open_issues
            .iter()
            .map(|i| i.id.as_str())
            .collect(),
    )
}

#[test]
fn github_jira_linear_and_json_lines_are_read() {
    let github = r#"[
      {"number":7,"title":"Crash","state":"OPEN","labels":[{"id":"x","name":"bug"}],"updatedAt":"2026-11-20T10:00:00Z"},
      {"number":8,"title":"Docs","state":"OPEN","labels":[{"name":"Documentation"}],"updatedAt":"2026-11-21T10:00:00Z"},
      {"number":9,"title":"Old","state":"CLOSED","labels":[],"updatedAt":"2026-11-01T10:00:00Z"}]"#;
    let found = made(github);
    assert_eq!(open(&found), (vec!["7"], vec!["8"]));
    assert_eq!(found.source.form, Some(Form::JsonList));
    assert_eq!(
        found.evidence_at().unwrap().to_string(),
        "2026-11-21T10:00:00.000Z"
    );
    assert_eq!(
        (found.status, found.residual_open_scope),
        (Verdict::Fail, Scope::TechnicalRemaining)
    );

    let jira = "Summary,Issue key,Issue id,Issue Type,Status,Labels,Labels,Parent\n\
        \"A, with \"\"quotes\"\"\nand lines\",SHOP-1,100,Bug,In Progress,x,,\n\
        Guide,SHOP-2,101,Task,To Do,,documentation,\nOld,SHOP-3,102,Bug,Done,,,SHOP-1\n";
    let found = made(jira);
    assert_eq!(open(&found), (vec!["SHOP-1"], vec!["SHOP-2"]));
    assert_eq!(
        found.technical_open_issues[0].title,
        "A, with \"quotes\" and lines"
    );

    let linear = "ID,Team,Title,Status,Labels,Parent issue\nENG-1,Eng,A,Backlog,\"bug, x\",\nENG-2,Eng,B,Canceled,,\n";
    assert_eq!(open(&made(linear)), (vec!["ENG-1"], vec![]));

    let lines = r#"{"id":"a-1","title":"Old word","status":"open","issue_type":"task","labels":["x"]}
{"id":"a-2","title":"Guide","status":"in_progress","issue_type":"docs"}
{"id":"a-3","title":"Gone","status":"tombstone"}

{"id":"a-1","title":"Old word","status":"closed","issue_type":"task","labels":["x"]}
"#;
    let found = made(lines);
    assert_eq!(open(&found), (vec![], vec!["a-2"]));
    assert_eq!((found.source.rows, found.source.issues), (4, 3));
    assert_eq!(
        (found.status, found.residual_open_scope),
        (Verdict::Pass, Scope::DocsOrReportOnly)
    );
    assert!(found.technical_completion_reached);
    let strict = Terms {
        docs_may_remain: false,
        ..Terms::default()
    };
    let found = checkpoint(lines.as_bytes(), &Fields::default(), &strict, None, now());
    assert_eq!((found.status, found.check().len()), (Verdict::Fail, 0));
    // Reopened later in the file: open.
    let back = format!("{lines}{}\n", r#"{"id":"a-3","status":"review"}"#);
    assert_eq!(open(&made(&back)).0, ["a-3"]);
}

#[test]
fn a_state_that_nobody_knows_is_open() {
    for state in [
        "open",
        "blocked",
        "Ready for QA",
        "clsoed",
        "",
        "not done",
        "reopened",
    ] {
        let found = made(&format!(r#"[{{"id":"a","status":"{state}"}}]"#));
        assert_eq!(found.open_count, 1, "{state}");
    }
    for state in ["closed", "Done", " CANCELLED ", "tombstone"] {
        let found = made(&format!(r#"[{{"id":"a","status":"{state}"}}]"#));
        assert_eq!(found.status, Verdict::Pass, "{state}");
    }
    assert_eq!(made(r#"[{"id":"a","status":null}]"#).open_count, 1);
}

#[test]
fn of_several_states_the_open_one_counts() {
    let cases = [
        (r#"[{"id":"a","status":"Done","state":"OPEN"}]"#, 1),
        (r#"[{"id":"a","status":"open","state":"closed"}]"#, 1),
        (r#"[{"id":"a","status":"Done","state":"CLOSED"}]"#, 0),
        (r#"[{"id":"a","status":null,"state":"CLOSED"}]"#, 0),
        (r#"[{"id":"a","status":"","state":"OPEN"}]"#, 1),
        ("Issue key,Status,Status Category\nA-1,Done,To Do\n", 1),
        ("Issue key,Status,Status Category\nA-1,Done,Done\n", 0),
        ("Issue key,Status,Status Category\nA-1,Done,\n", 0),
        (
            r#"[{"key":"A-1","fields":{"status":{"name":"Done","statusCategory":{"name":"In Progress","key":"indeterminate"}}}}]"#,
            1,
        ),
        (
            r#"[{"key":"A-1","fields":{"status":{"name":"Done","statusCategory":{"name":"Done","key":"done"}}}}]"#,
            0,
        ),
        (
            r#"[{"key":"a","status":"Done","fields":{"status":{"name":"In Review"}}}]"#,
            1,
        ),
        ("id,status,status\n1,closed,open\n", 1),
        ("id,Status,State\n1,Done,closed\n", 0),
        ("id,Status,State\n1,,closed\n", 0),
        ("id,Status,State\n1,,\n", 1),
        (r#"[{"id":1,"state":"closed","column":"Doing"}]"#, 1),
        (
            r#"[{"id":1,"state":"closed","column":{"name":"Review"}}]"#,
            1,
        ),
        (r#"[{"id":1,"state":"closed","column":"Done"}]"#, 0),
        (r#"[{"id":1,"state":"closed","column":""}]"#, 0),
        (r#"[{"id":1,"state":"closed","line":3,"column":5}]"#, 0),
        (r#"[{"id":1,"state":null,"column":"Done"}]"#, 1),
        (r#"[{"id":1,"state":null,"column":"Tombstone"}]"#, 1),
        (
            r#"[{"id":1,"fields":{"System.State":"x","state":"Closed","System.BoardColumn":"Active"}}]"#,
            1,
        ),
        ("id,State,Board Column\n1,Closed,Doing\n", 1),
        ("id,State,Board Column\n1,Closed,Closed\n", 0),
    ];
    for (export, count) in cases {
        let found = made(export);
        assert_eq!(found.open_count, count, "{export}: {}", found.detail);
    }
    let shown = made(r#"[{"id":"a","status":"Done","state":"OPEN"}]"#);
    assert_eq!(shown.technical_open_issues[0].status, "OPEN");
}

#[test]
fn an_epic_counts_only_by_what_is_beneath_it_and_circles_count_whole() {
    let epic = |child: &str| {
        format!(r#"[{{"id":"e","status":"open"}},{{"id":"c","status":"{child}","parent":"e"}}]"#)
    };
    let found = made(&epic("open"));
    assert_eq!(open(&found).0, ["c"]);
    assert_eq!(found.parents_left_out, ["e"]);
    assert_eq!(open(&made(&epic("closed"))).0, ["e"]);
    let circle = r#"[{"id":"a","status":"open","parent":"b"},{"id":"b","status":"open","parent":"a"},{"id":"s","status":"open","parent":"s"},
        {"id":"x","status":"open","parent":"a"}]"#;
    assert_eq!(open(&made(circle)).0, ["a", "b", "s", "x"]);
    let beads = r#"{"id":"e","status":"open"}
{"id":"c","status":"open","dependencies":[{"issue_id":"c","depends_on_id":"e","type":"parent-child"}]}"#;
    assert_eq!(open(&made(beads)).0, ["c"]);
}

#[test]
fn what_cannot_be_read_is_invalid_and_never_done() {
    for export in [
        "",
        "  \n",
        "[]",
        r#"{"issues":[]}"#,
        "ID,Status\n",
        "<html>sign in</html>",
        "[{\"id\":\"a\",\"status\":\"closed\"}",
        "{\"id\":\"a\",\"status\":\"closed\"}\n{\"id\":\"b\",",
        r#"[{"id":"a"}]"#,
        r#"[{"status":"closed"}]"#,
        r#"[{"id":"a","id":"b","status":"closed"}]"#,
        r#"[{"id":"a","status":"closed"},{"id":"a","status":"open"}]"#,
        "[1]",
        "Title,Status\na,Done\n",
        "ID,Title\na,b\n",
        "ID,Status\na\n",
        "ID,Status\n\"a,Done\n",
        "ID,Status\n\"a\"b,Done\n",
        "ID,Status\na,Done\na,Open\n",
        r#"[{"id":"a","status":"closed","updated_at":"2027-01-01T00:00:00Z"}]"#,
    ] {
        let found = made(export);
        assert_eq!(found.status, Verdict::Invalid, "{export}");
        assert_eq!(found.residual_open_scope, Scope::Unknown);
        assert!(!found.technical_completion_reached && !found.detail.is_empty());
    }
    let bytes = checkpoint(
        b"\xff\xfe",
        &Fields::default(),
        &Terms::default(),
        None,
        now(),
    );
    assert_eq!(bytes.status, Verdict::Invalid);
}

#[test]
fn a_checkpoint_that_was_changed_is_noticed() {
    let good = made(r#"[{"id":"a","status":"open"},{"id":"b","status":"done"}]"#);
    let text = String::from_utf8(good.to_bytes().unwrap()).unwrap();
    for (from, to) in [
        (r#""status":"fail""#, r#""status":"pass""#),
        (r#""open_count":1"#, r#""open_count":0"#),
        (r#""technical_open_count":1"#, r#""technical_open_count":0"#),
        (
            r#""technical_completion_reached":false"#,
            r#""technical_completion_reached":true"#,
        ),
        (
            r#""residual_open_scope":"technical_remaining""#,
            r#""residual_open_scope":"none""#,
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let read = Checkpoint::read(changed.as_bytes()).unwrap();
        assert!(!read.check().is_empty(), "{from}");
    }
    let more = text.replacen('{', "{\"more\":1,", 1);
    assert!(matches!(
        Checkpoint::read(more.as_bytes()),
        Err(ArtifactError::Shape { .. })
    ));
    let other = text.replace(".v1", ".v2");
    assert!(matches!(
        Checkpoint::read(other.as_bytes()),
        Err(ArtifactError::Schema { .. })
    ));
    let twice = text.replacen('{', "{\"detail\":\"x\",", 1);
    assert!(Checkpoint::read(twice.as_bytes()).is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_end_in_a_consistent_checkpoint(bytes: Vec<u8>) {
        let found = checkpoint(&bytes, &Fields::default(), &Terms::default(), None, now());
        proptest::prop_assert!(found.check().is_empty());
        proptest::prop_assert!(found.status != Verdict::Pass || found.source.issues > 0);
    }
}

#[test]
fn a_page_of_an_export_is_no_export() {
    let of = |more: &str| {
        made(&format!(
            r#"{{"issues":[{{"id":"a","status":"closed"}},{{"id":"b","status":"done"}}]{more}}}"#
        ))
    };
    for whole in [
        "",
        r#","total":2,"startAt":0,"maxResults":50,"isLast":true"#,
        r#","pageInfo":{"hasNextPage":false},"next":null"#,
        r#","nextPageToken":"","total_count":2"#,
    ] {
        assert_eq!(of(whole).status, Verdict::Pass, "{whole}");
    }
    for (part, why) in [
        (r#","total":51"#, "`total` is 51, and 2 are there"),
        (r#","total":"many""#, "`total`"),
        (r#","startAt":50,"total":2"#, "`startAt` is 50"),
        (r#","isLast":false"#, "`isLast`"),
        (r#","nextPageToken":"x""#, "another page"),
        (r#","pageInfo":{"hasNextPage":true}"#, "`hasNextPage`"),
        (r#","meta":{"total":3}"#, "`total` is 3"),
        (r#","incomplete_results":true"#, "`incomplete_results`"),
    ] {
        let found = of(part);
        assert_eq!(found.status, Verdict::Invalid, "{part}");
        assert!(found.detail.contains(why), "{part}: {}", found.detail);
    }
}

#[test]
fn an_export_has_one_list_of_rows() {
    let of = |more: &str| {
        made(&format!(
            r#"{{"issues":[{{"id":"a","status":"closed"}}],{more}}}"#
        ))
    };
    for one in [
        r#""items":[]"#,
        r#""open":[2,3]"#,
        r#""expand":"names,schema","names":{"summary":"Summary"},"schema":{"summary":{"type":"string"}},"warningMessages":["w"]"#,
        r#""labels":[{"id":1,"name":"bug"}],"users":[{"id":7,"state":"active"}]"#,
        r#""custom_fields":[{"id":1,"name":"x"}],"issueTypes":[{"id":1,"name":"Bug"}]"#,
        r#""included":[{"type":"people","id":"9","attributes":{}}],"links":{"self":"x"}"#,
        r#""project":{"id":1,"state":"active","members":[{"id":7,"state":"active"}],"owners":[{"id":7}]}"#,
        r#""pageInfo":{"hasNextPage":false}"#,
    ] {
        let found = of(one);
        assert_eq!(found.status, Verdict::Pass, "{one}: {}", found.detail);
    }
    for (two, key) in [
        (r#""items":[{"id":2,"state":"open"}]"#, "items"),
        (r#""open":[{"id":2,"state":"open"}]"#, "open"),
        (r#""Issues":[{"id":2,"state":"open"}]"#, "Issues"),
        (r#""items":["x",{"id":2}]"#, "items"),
        (r#""epics":[{"id":2,"state":"closed"}]"#, "epics"),
        (
            r#""data":{"items":[{"id":2,"state":"open"}]}"#,
            "data.items",
        ),
        (
            r#""data":{"board":{"cards":[{"key":"A-2","fields":{"status":"x"}}]}}"#,
            "data.board.cards",
        ),
    ] {
        let found = of(two);
        assert_eq!(found.status, Verdict::Invalid, "{two}");
        let why = format!("two lists of rows, `issues` and `{key}`,");
        assert!(found.detail.contains(&why), "{two}: {}", found.detail);
    }
}

#[test]
fn the_cover_of_an_export_is_no_row() {
    let of = |text: &str| {
        checkpoint(
            text.as_bytes(),
            &Fields::default(),
            &Terms::default(),
            Some(now()),
            now(),
        )
    };
    for (inside, list) in [
        (r#""items":[{"id":2,"state":"open"}]"#, "items"),
        (
            r#""data":{"cards":[{"id":2,"state":"open"}]}"#,
            "data.cards",
        ),
    ] {
        let cover = of(&format!(r#"{{"id":"x","status":"done",{inside}}}"#));
        assert_eq!(cover.status, Verdict::Invalid, "{inside}");
        let why = format!("a list of rows, `{list}`;");
        assert!(cover.detail.contains(&why), "{}", cover.detail);
    }
    // Rows may have lists of their own, and a single one links.
    let rows = "{\"id\":1,\"status\":\"done\",\"tasks\":[{\"id\":3,\"status\":\"done\"}]}\n{\"id\":3,\"status\":\"done\"}";
    assert_eq!(of(rows).status, Verdict::Pass);
    let linked = r#"{"id":1,"status":"done","links":[{"id":3,"status":"open"}]}"#;
    assert_eq!(of(linked).status, Verdict::Pass);
}

#[test]
fn an_export_is_as_old_as_it_says() {
    let of = |taken: &str, changed: &str| {
        let text = format!(
            r#"{{"exported_at":{taken},"issues":[{{"id":"a","status":"closed","updated_at":"{changed}"}}]}}"#
        );
        // Kept by a run just now.
        checkpoint(
            text.as_bytes(),
            &Fields::default(),
            &Terms::default(),
            Some(now()),
            now(),
        )
    };
    let old = of("\"2025-01-02T00:00:00Z\"", "2025-01-01T00:00:00Z");
    assert_eq!(old.status, Verdict::Pass);
    let at = old.evidence_at().unwrap().to_string();
    assert_eq!(at, "2025-01-02T00:00:00.000Z");
    for (taken, changed, why) in [
        (
            "\"2025-01-02T00:00:00Z\"",
            "2025-01-03T00:00:00Z",
            "after the export",
        ),
        (
            "\"2026-11-22T11:00:00Z\"",
            "2027-01-03T00:00:00Z",
            "in the future",
        ),
        ("\"yesterday\"", "2025-01-01T00:00:00Z", "is no time"),
        ("7", "2025-01-01T00:00:00Z", "is no time"),
    ] {
        let found = of(taken, changed);
        assert_eq!(found.status, Verdict::Invalid, "{taken} {changed}");
        assert!(found.detail.contains(why), "{}", found.detail);
    }
}
