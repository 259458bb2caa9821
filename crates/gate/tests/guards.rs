//! Guards over sources and texts: classification, doubles, the rubric, and claims.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use gonogo_core::{Digest, Timestamp, Verdict as Status};
use gonogo_gate::artifact::Artifact;
use gonogo_gate::classification::{CLASSES, Class, Classes, Classification, Fault, classify};
use gonogo_gate::coverage::Modules;
use gonogo_gate::doubles::{AllowList, DoubleType, Inventory, LIST, Risk, inventory};
use gonogo_gate::inputs::{Coverage, Covered, Part};
use gonogo_gate::rubric::{Compliance, RUBRIC, Report, Rubric, comply};
use gonogo_gate::wording::{DEFAULT, Guard, RULES, Rules, Shown, guard};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn classes(unit: &[&str], recorded: &[&str]) -> Classes {
    let text = format!(
        "schema = \"{CLASSES}\"\n[suite.unit]\nfiles = {unit:?}\nforbidden = [\"VcrRecorder\", \"fixtures/vcr\"]\n[suite.recorded]\nfiles = {recorded:?}\n"
    );
    Classes::parse(&text).unwrap()
}

#[test]
fn a_word_that_nothing_has_is_refused() {
    for word in ["", " ", "\u{200b}"] {
        let text = format!(
            "schema = \"{CLASSES}\"\n[suite.unit]\nfiles = []\nforbidden = [\"a\", \"{word}\"]\n"
        );
        let error = Classes::parse(&text).unwrap_err().to_string();
        assert!(error.contains("`suite.unit.forbidden`"), "{error}");
    }
}

#[test]
fn classes_that_forbid_nothing_and_divide_nothing_judge_nothing() {
    let head = format!("schema = \"{CLASSES}\"\n[suite.unit]\nfiles = [\"tests/a.rs\"]\n");
    let empty = Classes::parse(&format!("{head}forbidden = []\n"));
    let error = empty.unwrap_err().to_string();
    assert!(error.contains("`forbidden` is empty"), "{error}");
    let of = |more: &str| {
        let classes = Classes::parse(&format!("{head}{more}")).unwrap();
        classified(&classes, &["tests/a.rs"], "fn a() {}")
    };
    let none = of("");
    assert_eq!(
        (none.status, faults(&none)),
        (Status::Fail, vec![Fault::Nothing])
    );
    assert!(none.findings[0].text.contains("forbids no word"));
    // Another class without files divides nothing either.
    assert_eq!(of("[suite.e2e]\nfiles = []\n").status, Status::Fail);
    assert_eq!(of("forbidden = [\"Mock\"]\n").status, Status::Pass);
    let two = Classes::parse(&format!("{head}[suite.e2e]\nfiles = [\"tests/b.rs\"]\n")).unwrap();
    let two = classified(&two, &["tests/a.rs", "tests/b.rs"], "fn a() {}");
    assert_eq!(two.status, Status::Pass);
}

fn classified(classes: &Classes, files: &[&str], source: &str) -> Classification {
    let listing: BTreeSet<String> = files.iter().map(|f| (*f).to_owned()).collect();
    let sources = files.iter().map(|f| ((*f).to_owned(), source)).collect();
    let made = classify(classes, &listing, &sources, now());
    assert_eq!(made.check(), [], "{made:?}");
    assert_eq!(
        Classification::read(&made.to_bytes().unwrap()).unwrap(),
        made
    );
    made
}

fn faults(made: &Classification) -> Vec<Fault> {
    made.findings.iter().map(|f| f.fault).collect()
}

#[test]
fn each_test_file_has_exactly_one_class() {
    let both = ["tests/a.rs", "tests/b.rs"];
    let good = classified(
        &classes(&["tests/a.rs"], &["tests/b.rs"]),
        &both,
        "fn a() {}",
    );
    assert_eq!((good.status, good.classified), (Status::Pass, 2));
    assert_eq!(good.by_class[&Class::Unit], 1);
    for (unit, recorded, files, fault) in [
        (&["tests/a.rs"][..], &[][..], &both[..], Fault::Unclassified),
        (&both, &["tests/a.rs"], &both, Fault::Twice),
        (
            &["tests/a.rs", "tests/a.rs", "tests/b.rs"],
            &[],
            &both,
            Fault::Twice,
        ),
        (
            &["tests/a.rs", "tests/b.rs", "tests/c.rs"],
            &[],
            &both,
            Fault::NoFile,
        ),
        (&["tests/b.rs", "tests/a.rs"], &[], &both, Fault::Unsorted),
        (
            &["tests/a.sh", "tests/b.rs"],
            &[],
            &["tests/a.sh", "tests/b.rs"],
            Fault::Unread,
        ),
    ] {
        let made = classified(&classes(unit, recorded), files, "fn a() {}");
        assert_eq!((made.status, faults(&made)), (Status::Fail, vec![fault]));
    }
    let none = classified(&classes(&[], &[]), &[], "");
    assert_eq!(
        (none.status, faults(&none)),
        (Status::Invalid, vec![Fault::Nothing])
    );
    let listing = BTreeSet::from(["tests/a.rs".to_owned()]);
    let unread = classify(
        &classes(&["tests/a.rs"], &[]),
        &listing,
        &BTreeMap::new(),
        now(),
    );
    assert_eq!(
        (unread.status, faults(&unread)),
        (Status::Fail, vec![Fault::Unread])
    );
    let mut lie = unread;
    lie.status = Status::Pass;
    assert!(!lie.check().is_empty());
}

#[test]
fn leaks_are_identifiers_and_texts_and_not_parts_or_comments() {
    let unit = classes(&["tests/a.rs"], &[]);
    let one = |source: &str| classified(&unit, &["tests/a.rs"], source).findings;
    let found = one("fn a() {\n    let r = VcrRecorder::new();\n}\n");
    assert_eq!(
        (found.len(), found[0].line, found[0].fault),
        (1, 2, Fault::Leak)
    );
    assert_eq!(one("let p = \"tests/fixtures/vcr/a.json\";").len(), 1);
    for clean in [
        "struct MyVcrRecorderless;",
        "// VcrRecorder\n/* fixtures/vcr */",
        "let a = \"VcrRecorder\";",
    ] {
        assert_eq!(one(clean), [], "{clean}");
    }
    for bad in [
        "",
        "schema = \"x\"\n[suite.unit]\nfiles=[]",
        &format!("schema = \"{CLASSES}\"\n[suite.other]\nfiles=[]"),
        &format!("schema = \"{CLASSES}\"\nmore=1\n[suite]"),
    ] {
        assert!(Classes::parse(bad).is_err(), "{bad}");
    }
}

const SOURCES: [(&str, &str); 5] = [
    (
        "tests/a.rs",
        "use mockall::automock;\n// MockNothing\n#[test]\nfn pays() {\n    let bank = FakeBank::new(\"MockText\");\n    smocking(hammock);\n}\n",
    ),
    (
        "tests/test_b.py",
        "from unittest.mock import MagicMock, patch\n\ndef test_pay():\n    with patch('bank'):\n        stub_clock = 1\n",
    ),
    (
        "tests/c.test.ts",
        "jest.mock('./bank');\ntest('pays', () => { const f = jest.fn(); sinon.stub(x); vi.spyOn(a, 'b'); });\n",
    ),
    (
        "tests/d_test.go",
        "import \"github.com/golang/mock/gomock\"\nfunc (s *S) TestPay(t *testing.T) {\n\tctrl := gomock.NewController(t)\n}\n",
    ),
    (
        "tests/ETest.java",
        "import static org.mockito.Mockito.when;\nclass ETest { @Mock Bank bank;\n @Test void pays() { when(bank.pay()).thenReturn(1); Bank spy = Mockito.spy(b); } }\n",
    ),
];

fn made(classes: Option<&Classes>, allowed: &AllowList) -> Inventory {
    let sources = SOURCES.iter().map(|(f, s)| ((*f).to_owned(), *s)).collect();
    let made = inventory(&sources, classes, allowed, now());
    assert_eq!(made.check(), [], "{made:?}");
    assert_eq!(Inventory::read(&made.to_bytes().unwrap()).unwrap(), made);
    made
}

#[test]
fn doubles_of_five_languages_are_found_where_they_stand() {
    let made = made(None, &AllowList::default());
    let found: Vec<(&str, u64, &str, DoubleType, &str)> = made
        .entries
        .iter()
        .map(|e| {
            (
                e.file.as_str(),
                e.line,
                e.double_identifier.as_str(),
                e.double_type,
                e.test_case.as_str(),
            )
        })
        .collect();
    for wanted in [
        ("tests/a.rs", 1, "mockall", DoubleType::Mock, ""),
        ("tests/a.rs", 1, "automock", DoubleType::Mock, ""),
        ("tests/a.rs", 5, "FakeBank", DoubleType::Fake, "pays"),
        ("tests/test_b.py", 1, "mock", DoubleType::Mock, ""),
        ("tests/test_b.py", 1, "MagicMock", DoubleType::Mock, ""),
        ("tests/test_b.py", 4, "patch", DoubleType::Mock, "test_pay"),
        (
            "tests/test_b.py",
            5,
            "stub_clock",
            DoubleType::Stub,
            "test_pay",
        ),
        ("tests/c.test.ts", 1, "mock", DoubleType::Mock, ""),
        ("tests/c.test.ts", 2, "jest", DoubleType::Mock, "pays"),
        ("tests/c.test.ts", 2, "sinon", DoubleType::Mock, "pays"),
        ("tests/c.test.ts", 2, "spyOn", DoubleType::Spy, "pays"),
        ("tests/d_test.go", 3, "gomock", DoubleType::Mock, "TestPay"),
        ("tests/ETest.java", 2, "Mock", DoubleType::Mock, ""),
        ("tests/ETest.java", 3, "Mockito", DoubleType::Mock, "pays"),
        ("tests/ETest.java", 3, "spy", DoubleType::Spy, "pays"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} in {found:#?}");
    }
    let names: Vec<&str> = found.iter().map(|f| f.2).collect();
    for clean in ["MockNothing", "MockText", "smocking", "hammock"] {
        assert!(!names.contains(&clean), "{clean}");
    }
    assert_eq!(made.summary.total, made.entries.len() as u64);
    assert_eq!((made.status, made.summary.by_risk.len()), (Status::Pass, 1));
    let nothing = inventory(&BTreeMap::new(), None, &AllowList::default(), now());
    assert_eq!(nothing.status, Status::Invalid);
    let mut lie = made;
    lie.entries.pop();
    assert!(!lie.check().is_empty());
}

fn exception(expires: &str, more: &str) -> String {
    format!(
        "schema = \"{LIST}\"\n[[exception]]\nissue = \"SHOP-1\"\nowner = \"ana\"\nexpires_at = \"{expires}\"\nreplacement_plan = \"a real bank\"\n\
         scope = [\"tests/a.rs\"]\ndouble_identifier = \"FakeBank\"\ndouble_type = \"fake\"\nrationale = \"none for rent\"\n{more}"
    )
}

#[test]
fn an_exception_covers_one_double_for_at_most_90_days() {
    let unit = classes(&["tests/a.rs"], &[]);
    let bare = made(Some(&unit), &AllowList::default());
    assert_eq!(
        (bare.status, bare.summary.high_not_allowed),
        (Status::Fail, 3)
    );
    assert!(
        bare.entries
            .iter()
            .any(|e| e.risk == Risk::High && e.suite == "unit")
    );
    let read = |expires: &str| {
        AllowList::parse(&exception(expires, "verification = \"weekly\"\n")).unwrap()
    };
    let covered = made(Some(&unit), &read("2027-01-01T00:00:00Z"));
    assert_eq!(
        (covered.summary.high_not_allowed, covered.summary.allowed),
        (2, 1)
    );
    for expires in [
        "2026-11-22T12:00:00Z",
        "2020-01-01T00:00:00Z",
        "2027-02-21T00:00:00Z",
    ] {
        let refused = made(Some(&unit), &read(expires));
        assert_eq!(
            (refused.status, refused.summary.allowed),
            (Status::Invalid, 0),
            "{expires}"
        );
    }
    // A field is absent, empty, or not known.
    assert!(AllowList::parse(&exception("2027-01-01T00:00:00Z", "")).is_err());
    assert!(
        AllowList::parse(&exception(
            "2027-01-01T00:00:00Z",
            "verification = \"x\"\nmore = 1\n"
        ))
        .is_err()
    );
    let blank =
        AllowList::parse(&exception("2027-01-01T00:00:00Z", "verification = \" \"\n")).unwrap();
    assert_eq!(made(Some(&unit), &blank).status, Status::Invalid);
}

fn rubric(criticality: &str, floor: &str, target: &str) -> Rubric {
    Rubric::parse(&format!(
        "schema = \"{RUBRIC}\"\n[[module]]\nname = \"core\"\npaths = [\"src/core/**\"]\ncriticality = \"{criticality}\"\nfloor = {{ line = \"{floor}\" }}\ntarget = {{ line = \"{target}\" }}\nmin_lines = 10\nrationale = \"money\"\n"
    ))
    .unwrap()
}

#[test]
fn floors_are_really_compared() {
    let of = |covered, total| {
        let lines = (total > 0).then_some(Part { covered, total });
        let covered = Covered {
            lines,
            ..Covered::default()
        };
        Coverage {
            modules: BTreeMap::from([("core".to_owned(), covered)]),
            ..Coverage::default()
        }
    };
    let digest = Digest::of(b"report");
    let judged = |rubric: &Rubric, coverage: &Coverage| {
        let made = comply(rubric, digest, Some((coverage, digest)), now());
        assert_eq!(made.check(), [], "{made:?}");
        assert_eq!(Report::read(&made.to_bytes().unwrap()).unwrap(), made);
        (made.rows[0].status, made.status)
    };
    let high = rubric("critical", "75%", "85%");
    let low = rubric("low", "75%", "85%");
    assert_eq!(
        judged(&high, &of(85, 100)),
        (Compliance::Pass, Status::Pass)
    );
    assert_eq!(
        judged(&high, &of(75, 100)),
        (Compliance::Partial, Status::Pass)
    );
    assert_eq!(
        judged(&high, &of(749_999, 1_000_000)),
        (Compliance::Fail, Status::Fail)
    );
    assert_eq!(judged(&low, &of(74, 100)), (Compliance::Warn, Status::Hold));
    assert_eq!(judged(&high, &of(0, 0)), (Compliance::NoData, Status::Hold));
    assert_eq!(judged(&high, &Coverage::default()).0, Compliance::NoData);
    // A module that shrank to what is covered.
    assert_eq!(judged(&high, &of(5, 5)).0, Compliance::Fail);
    let none = comply(&high, digest, None, now());
    assert_eq!((none.status, none.check().len()), (Status::Hold, 0));
    let mut lie = none;
    lie.rows[0].status = Compliance::Pass;
    assert!(!lie.check().is_empty());
    let mut lie = comply(&high, digest, Some((&of(10, 100), digest)), now());
    lie.rows[0].covered.lines = Some(Part {
        covered: 90,
        total: 100,
    });
    assert!(!lie.check().is_empty());
    assert!(Modules::new(&high.globs()).is_ok());
    for bad in [
        format!("schema = \"{RUBRIC}\"\nmodule = []"),
        format!(
            "schema = \"{RUBRIC}\"\n[[module]]\nname=\"a\"\npaths=[\"a\"]\ncriticality=\"low\"\nfloor={{}}\nrationale=\"x\""
        ),
        format!(
            "schema = \"{RUBRIC}\"\n[[module]]\nname=\"a\"\npaths=[\"a\"]\ncriticality=\"low\"\nfloor={{line=\"0%\"}}\nrationale=\"x\""
        ),
        format!(
            "schema = \"{RUBRIC}\"\n[[module]]\nname=\"a\"\npaths=[]\ncriticality=\"low\"\nfloor={{line=\"1%\"}}\nrationale=\"x\""
        ),
        format!(
            "schema = \"{RUBRIC}\"\n[[module]]\nname=\"a\"\npaths=[\"a\"]\ncriticality=\"low\"\nfloor={{line=\"5%\"}}\ntarget={{line=\"4%\"}}\nrationale=\"x\""
        ),
    ] {
        assert!(Rubric::parse(&bad).is_err(), "{bad}");
    }
}

/// Read once: it has many patterns.
static PLAIN: LazyLock<Rules> = LazyLock::new(|| Rules::parse(DEFAULT).unwrap());

fn claims(text: &str, shown: &Shown) -> Guard {
    let texts = BTreeMap::from([("README.md".to_owned(), text.as_bytes())]);
    let made = guard(&PLAIN, &texts, shown, now());
    assert_eq!(made.check(), [], "{made:?}");
    assert_eq!(Guard::read(&made.to_bytes().unwrap()).unwrap(), made);
    made
}

fn certified() -> Shown {
    Shown {
        is_certified: true,
        gates: BTreeSet::new(),
        digest: Some(Digest::of(b"certificate")),
    }
}

#[test]
fn claims_are_found_with_their_place() {
    for (text, line, rule) in [
        ("# Shop\n\nA drop-in replacement.\n", 3, "drop-in"),
        ("It is **production\nready**.", 1, "production"),
        ("> production\n> ready", 1, "production"),
        ("It is 10x faster than the old one.", 1, "figures"),
        ("99.9 % uptime", 1, "figures"),
        ("Fully CERTIFIED.", 1, "certified"),
        ("cert\u{ad}ified", 1, "certified"),
        ("battle\u{2011}tested", 1, "production"),
        ("Not slow, production ready.", 1, "production"),
        ("It does not crash. It is certified.", 1, "certified"),
        ("Not only fast but certified", 1, "certified"),
        ("No doubt it is certified", 1, "certified"),
        ("- not this\n- certified", 2, "certified"),
        ("not\n\ncertified", 3, "certified"),
        ("```\ncode\n```\ncertified", 4, "certified"),
        ("`a ` certified", 1, "certified"),
        ("``` not a fence ``` certified", 1, "certified"),
        ("__production-ready__", 1, "production"),
        ("feature parity", 1, "parity"),
        ("a\n\nproduction&#45;ready", 3, "production"),
        (
            "production&#x2D;ready, production&nbsp;ready",
            1,
            "production",
        ),
        ("production<b>-ready</b>", 1, "production"),
        ("production<br/>ready", 1, "production"),
        (
            "pro<span class=\"a > b\">duction</span> ready",
            1,
            "production",
        ),
        (
            "\u{ff50}\u{ff52}\u{ff4f}\u{ff44}\u{ff55}\u{ff43}\u{ff54}\u{ff49}\u{ff4f}\u{ff4e}\u{ff0d}\u{ff52}\u{ff45}\u{ff41}\u{ff44}\u{ff59}",
            1,
            "production",
        ),
        ("It is pr\u{43e}ducti\u{43e}n ready.", 1, "production"),
        ("production\u{2013}ready", 1, "production"),
        ("production\\-ready", 1, "production"),
        ("[production](x.md)-ready", 1, "production"),
        ("`production-ready`", 1, "production"),
        ("`production`-ready", 1, "production"),
        ("It is `certified`.", 1, "certified"),
        ("`not this` certified", 1, "certified"),
    ] {
        let made = claims(text, &Shown::default());
        assert_eq!(
            (made.status, made.violations > 0),
            (Status::Fail, true),
            "{text}"
        );
        assert_eq!(
            (made.rows[0].line, made.rows[0].rule.as_str()),
            (line, rule),
            "{text}"
        );
        assert_eq!(claims(text, &certified()).status, Status::Pass, "{text}");
    }
}

#[test]
fn denials_and_code_are_no_claims() {
    for text in [
        "It is not certified.",
        "It isn't yet production ready.",
        "Not a drop-in replacement.",
        "This was never certified, and no longer certified.",
        "It is not\nproduction ready.",
        "Run `certified --all`.",
        "`certified = true`, `target/certified.json`, `\"certified\": true`, `gate::certified`",
        "It is not `certified`.",
        "[the report](certified.md)",
        "<a href=\"certified.html\">the report</a>",
        "if a <b && certifi&eacute;d",
        "It is not certified \u{2013} but fast.",
        "```sh\ncertified\n```\n",
        "~~~\ncertified\n```\ncertified\n~~~\n",
        "<!-- certified -->",
        "uncertified certifiedly",
        "Nothing here.",
    ] {
        let made = claims(text, &Shown::default());
        assert_eq!(
            (made.status, made.violations),
            (Status::Pass, 0),
            "{text} {:?}",
            made.rows
        );
    }
}

#[test]
fn nothing_to_look_at_is_no_pass() {
    let rules = Rules::parse(DEFAULT).unwrap();
    let none = guard(&rules, &BTreeMap::new(), &certified(), now());
    assert_eq!(none.status, Status::Invalid);
    let texts = BTreeMap::from([("a.md".to_owned(), b"\xff".as_slice())]);
    assert_eq!(
        guard(&rules, &texts, &certified(), now()).status,
        Status::Invalid
    );
    // A certificate without a digest shows nothing.
    let mut bare = certified();
    bare.digest = None;
    assert_eq!(claims("certified", &bare).status, Status::Fail);
    let mut lie = claims("certified", &Shown::default());
    lie.rows[0].allowed = true;
    lie.violations = 0;
    lie.status = Status::Pass;
    assert!(!lie.check().is_empty());
}

#[test]
fn rules_are_read_strictly_and_may_hang_on_one_gate() {
    let rule = |more: &str| {
        format!("schema = \"{RULES}\"\n[[rule]]\nid = \"a\"\nrationale = \"r\"\n{more}\n")
    };
    let rules = Rules::parse(&rule("phrases = [\"as fast\"]\nneeds = \"gate:G09\"")).unwrap();
    let texts = BTreeMap::from([("a.txt".to_owned(), b"`as fast`".as_slice())]);
    let mut shown = certified();
    assert_eq!(guard(&rules, &texts, &shown, now()).status, Status::Fail);
    shown.gates.insert("G09".to_owned());
    assert_eq!(guard(&rules, &texts, &shown, now()).status, Status::Pass);
    let never = Rules::parse(&rule("patterns = [\"bug.free\"]\nneeds = \"never\"")).unwrap();
    let texts = BTreeMap::from([("a.txt".to_owned(), b"Bug-free".as_slice())]);
    assert_eq!(guard(&never, &texts, &shown, now()).status, Status::Fail);
    for bad in [
        "needs = \"certified\"",
        "phrases = [\"a\"]\nneeds = \"maybe\"",
        "phrases = [\"a\"]\nneeds = \"gate:\"",
        "phrases = [\" \"]\nneeds = \"never\"",
        "patterns = [\"a*\"]\nneeds = \"never\"",
        "patterns = [\"(\"]\nneeds = \"never\"",
        "phrases = [\"a\"]\nneeds = \"never\"\nmore = 1",
    ] {
        assert!(Rules::parse(&rule(bad)).is_err(), "{bad}");
    }
    assert!(Rules::parse(&format!("schema = \"{RULES}\"\nrule = []")).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_ends_in_a_consistent_guard(text in "[certifd noty`~<!>*_\n.-]{0,300}") {
        let made = claims(&text, &Shown::default());
        let says = text.chars().any(char::is_alphanumeric);
        proptest::prop_assert!((made.status != Status::Invalid) == says);
    }

    #[test]
    fn any_source_ends_in_a_consistent_inventory(source in "[mockMSpyfn(){}'\"`#/*\\\\\n ]{0,300}") {
        for file in ["a.rs", "a.py", "a.ts", "a.go", "a.java"] {
            let sources = BTreeMap::from([(file.to_owned(), source.as_str())]);
            let made = inventory(&sources, None, &AllowList::default(), now());
            proptest::prop_assert!(made.check().is_empty());
        }
    }
}
