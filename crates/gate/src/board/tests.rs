//! Boards, row by row.

use super::*;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + hours * 3_600_000)
}

fn row() -> Row {
    Row {
        name: "Read/Plan SLO".into(),
        phase: 1,
        owner: "ada".into(),
        pass: "it holds".into(),
        blocker: "callers wait".into(),
        evidence: Wanted::Slo(true),
        max_age: Span::from_secs(24 * 3600),
        sign_off: BTreeSet::new(),
        conditional: None,
    }
}

fn found(said: Said) -> Found {
    Found {
        record: 7,
        stream: "run/slo/reports".into(),
        digest: Digest::of(b"record"),
        at: at(0),
        said,
        ends: None,
    }
}

fn good() -> Looked {
    Looked::Found(found(Said::Good))
}

fn status(row: &Row, looked: &Looked, now: Timestamp) -> Status {
    judge(row, 1, looked, &[], now).status
}

#[test]
fn only_good_current_evidence_passes() {
    let row = row();
    assert_eq!(status(&row, &good(), at(24)), Status::Pass);
    let late = Timestamp::from_millis(at(24).as_millis() + 1);
    assert_eq!(status(&row, &good(), late), Status::Blocked);
    assert_eq!(
        status(&row, &good(), at(-1)),
        Status::Blocked,
        "from the future"
    );
    let bad = Looked::Found(found(Said::Bad("missed".into())));
    assert_eq!(status(&row, &bad, at(1)), Status::Fail);
    let unclear = Looked::Found(found(Said::Unclear("?".into())));
    assert_eq!(status(&row, &unclear, at(1)), Status::Blocked);
    let missing = Looked::Missing("no report".into());
    assert_eq!(status(&row, &missing, at(1)), Status::Blocked);
    let ended = Looked::Found(Found {
        ends: Some(at(1)),
        ..found(Said::Good)
    });
    assert_eq!(status(&row, &ended, at(1)), Status::Blocked);
}

#[test]
fn what_cannot_be_understood_is_neither_shown_nor_refuted() {
    let row = row();
    let decide_one = |looked: &Looked, now| {
        let standing = judge(&row, 1, looked, &[], now);
        decide([&standing].into_iter())
    };
    assert_eq!(decide_one(&good(), at(1)), Decision::Go);
    let unclear = Looked::Found(found(Said::Unclear("?".into())));
    assert_eq!(decide_one(&unclear, at(1)), Decision::Undecided);
    let unusable = Looked::Unusable("damaged".into());
    assert_eq!(decide_one(&unusable, at(1)), Decision::Undecided);
    assert_eq!(decide_one(&good(), at(-1)), Decision::Undecided);
    assert_eq!(decide_one(&good(), at(25)), Decision::NoGo, "stale");
    let missing = Looked::Missing("none".into());
    assert_eq!(decide_one(&missing, at(1)), Decision::NoGo);
    assert_eq!(decide(std::iter::empty()), Decision::Undecided);
    // What is refuted weighs more than what is not known.
    let bad = judge(&row, 1, &missing, &[], at(1));
    let open = judge(&row, 1, &unusable, &[], at(1));
    assert_eq!(decide([&open, &bad].into_iter()), Decision::NoGo);
}

#[test]
fn a_row_that_nobody_answers_for_does_not_pass() {
    let nobody = Row {
        owner: "OWNER".into(),
        ..row()
    };
    let standing = judge(&nobody, 1, &good(), &[], at(1));
    assert_eq!(standing.status, Status::Blocked);
    assert!(standing.why.iter().any(|w| w.contains("answers for it")));
    assert_eq!(decide([&standing].into_iter()), Decision::NoGo);
}

#[test]
fn an_excuse_ends_and_is_no_pass() {
    let mut row = row();
    row.conditional = Some(Conditional {
        owner: "ada".into(),
        expires: at(10),
        mitigation: "by hand".into(),
    });
    let missing = Looked::Missing("none".into());
    let live = judge(&row, 1, &missing, &[], at(9));
    assert_eq!(live.status, Status::AtRisk);
    assert_eq!(decide([&live].into_iter()), Decision::Conditional);
    let over = judge(&row, 1, &missing, &[], at(10));
    assert_eq!(over.status, Status::Blocked);
    assert_eq!(decide([&over].into_iter()), Decision::NoGo);
    assert!(over.why.iter().any(|w| w.contains("excuse")), "{over:?}");
    // Where there is nothing to excuse, it is a pass.
    assert_eq!(status(&row, &good(), at(1)), Status::Pass);
}

#[test]
fn a_later_phase_is_not_due_unless_it_is_refuted() {
    let mut row = row();
    row.phase = 2;
    let missing = Looked::Missing("none".into());
    let early = judge(&row, 1, &missing, &[], at(1));
    assert_eq!(early.status, Status::OnTrack);
    assert_eq!(
        decide([&early].into_iter()),
        Decision::Undecided,
        "nothing is due"
    );
    assert_eq!(judge(&row, 2, &missing, &[], at(1)).status, Status::Blocked);
    let bad = Looked::Found(found(Said::Bad("no".into())));
    assert_eq!(judge(&row, 1, &bad, &[], at(1)).status, Status::Fail);
}

#[test]
fn a_sign_off_is_over_exactly_what_was_looked_at() {
    let mut row = row();
    row.sign_off = ["vera".to_owned()].into();
    let unsigned = judge(&row, 1, &good(), &[], at(1));
    assert_eq!(unsigned.status, Status::Blocked);
    let mine = SignOff {
        by: "vera".into(),
        over: unsigned.over.unwrap(),
        at: at(1),
    };
    let judged = |row: &Row, looked: &Looked, sign: &SignOff| {
        judge(row, 1, looked, std::slice::from_ref(sign), at(2)).status
    };
    assert_eq!(judged(&row, &good(), &mine), Status::Pass);
    // Evidence that changed since.
    let newer = Looked::Found(Found {
        digest: Digest::of(b"another record"),
        ..found(Said::Good)
    });
    assert_eq!(judged(&row, &newer, &mine), Status::Blocked);
    // Somebody else's name.
    let other = SignOff {
        by: "ben".into(),
        ..mine.clone()
    };
    assert_eq!(judged(&row, &good(), &other), Status::Blocked);
    // A condition that was loosened since.
    let looser = Row {
        max_age: Span::from_secs(99 * 3600),
        ..row.clone()
    };
    assert_eq!(judged(&looser, &good(), &mine), Status::Blocked);
    // A signature from before there was anything to look at.
    let early = SignOff { at: at(-5), ..mine };
    assert_eq!(judged(&row, &good(), &early), Status::Blocked);
}

#[test]
fn the_template_is_a_board() {
    let board = read(TEMPLATE).unwrap();
    assert_eq!(board.rows.len(), 8);
    assert_eq!(board.rows[0].evidence, Wanted::Suite("ci".into()));
    let standings: Vec<Standing> = board
        .rows
        .iter()
        .map(|r| judge(r, board.phase, &Looked::Missing("none".into()), &[], at(0)))
        .collect();
    assert_eq!(decide(standings.iter()), Decision::NoGo);
}

#[test]
fn a_file_that_types_a_status_or_lacks_an_owner_is_no_board() {
    let good = TEMPLATE.split("\n[[gate]]").take(2).collect::<Vec<_>>();
    let good = good.join("\n[[gate]]");
    assert!(read(&good).is_ok());
    for (find, put) in [
        ("phase = 1\nowner", "phase = 1\nstatus = \"pass\"\nowner"),
        ("owner = \"OWNER\"", "owner = \" \""),
        ("owner = \"OWNER\"\n", ""),
        ("pass = ", "passes = "),
        ("max_age = \"7d\"", "max_age = \"0s\""),
        ("suite = \"ci\"", "hope = \"ci\""),
        ("suite = \"ci\"", "slo = false"),
        ("gonogo.release-gates.v1", "gonogo.release-gates.v2"),
        (
            "max_age = \"7d\"",
            "max_age = \"7d\"\nconditional = { owner = \"ada\" }",
        ),
        (
            "max_age = \"7d\"",
            "max_age = \"7d\"\nconditional = { owner = \"ada\", expires = \"2030-01-31T00:00:00Z\", mitigation = \"\" }",
        ),
    ] {
        assert!(good.contains(find), "{find}");
        let text = good.replacen(find, put, 1);
        assert!(read(&text).is_err(), "{put}");
    }
    let twice = format!("{good}\n[[gate]]{}", good.split("[[gate]]").nth(1).unwrap());
    assert!(read(&twice).is_err());
    assert!(read("schema = \"gonogo.release-gates.v1\"\nphase = 1\n").is_err());
}

#[test]
fn slugs_are_plain() {
    assert_eq!(slug("Canary + Rollback Pin"), "canary-rollback-pin");
    assert_eq!(slug("++").len(), 16);
}
