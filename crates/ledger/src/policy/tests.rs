//! Policies by tables: who meets a quorum, and which lines are refused.

use super::*;
use crate::cosignature::CosignerKey;
use crate::key::LogKey;
use crate::note::KeyKind;

struct World {
    log: LogKey,
    witnesses: Vec<CosignerKey>,
}

impl World {
    fn new(witnesses: usize) -> Self {
        let log = LogKey::load("example.com/log", &LogKey::generate().unwrap()).unwrap();
        let witness = |at| {
            let name = format!("witness.example/w{at}");
            CosignerKey::load(&name, &CosignerKey::generate().unwrap()).unwrap()
        };
        Self {
            log,
            witnesses: (0..witnesses).map(witness).collect(),
        }
    }

    /// Replaces `{log}` and `{w0}`, `{w1}`, … by keys.
    fn text(&self, template: &str) -> String {
        let mut text = template.replace("{log}", &self.log.vkey().to_string());
        for (at, witness) in self.witnesses.iter().enumerate() {
            text = text.replace(&format!("{{w{at}}}"), &witness.vkey().to_string());
        }
        text
    }

    fn policy(&self, template: &str) -> Policy {
        Policy::parse(&self.text(template)).unwrap()
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: "example.com/log".into(),
            size: 7,
            root: gonogo_core::Digest::of(b"root"),
        }
    }

    fn note(&self, by: &[usize]) -> Note {
        let mut note = Note::parse(&self.checkpoint().sign(&self.log)).unwrap();
        for at in by {
            let line = self.witnesses[*at].cosign(note.text(), 100 + *at as u64);
            note = note.with_line(&line).unwrap();
        }
        note
    }
}

/// The example of the specification, with a member less.
const EXAMPLE: &str = "# two organisations
log {log} https://log.example/

witness X1 {w0}\t https://w0.example/
  witness X2 {w1}
witness X3 {w2}
group X-witnesses 2 X1 X2 X3
\t# indented
witness Y1 {w3}
witness Y2 {w4}
group Y-witnesses any Y1 Y2
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
";

#[test]
fn the_published_example_asks_for_two_and_one() {
    let world = World::new(5);
    let policy = world.policy(EXAMPLE);
    for by in 0..1_u32 << 5 {
        let by: Vec<usize> = (0..5).filter(|at| by >> at & 1 == 1).collect();
        let x = by.iter().filter(|at| **at < 3).count();
        let expected = x >= 2 && by.len() > x;
        let quorum = policy.judge(&world.note(&by));
        assert_eq!(quorum.met, expected, "{by:?}");
        assert_eq!(quorum.cosigned.len(), by.len());
        assert_eq!(quorum.missing.len(), 5 - by.len());
        assert_eq!(
            quorum.needed,
            "2 of 2 (2 of 3 (X1, X2, X3), 1 of 2 (Y1, Y2))"
        );
    }
    let quorum = policy.judge(&world.note(&[1, 4]));
    assert_eq!(
        quorum.cosigned,
        [("X2".to_owned(), 101), ("Y2".to_owned(), 104)]
    );
    assert_eq!(quorum.missing, ["X1", "X3", "Y1"]);
    assert_eq!(
        policy.logs()[0].url.as_deref(),
        Some("https://log.example/")
    );
    assert_eq!(
        policy.witnesses()[0].url.as_deref(),
        Some("https://w0.example/")
    );
    assert_eq!(policy.log("example.com/log"), Some(world.log.vkey()));
    assert_eq!(policy.log("example.com/lug"), None);
    assert_eq!(Policy::parse(&policy.to_text()), Ok(policy));
}

#[test]
fn single_witnesses_none_and_nothing() {
    let world = World::new(2);
    let one = world.policy("log {log}\nwitness A {w0}\nwitness B {w1}\nquorum A\n");
    assert!(one.judge(&world.note(&[0])).met);
    assert!(
        !one.judge(&world.note(&[1])).met,
        "B is known, not asked for"
    );
    let none = world.policy("quorum none\n");
    assert!(none.judge(&world.note(&[])).met && !none.asks_for_witnesses());
    assert!(
        none.open(&world.note(&[]).to_text()).is_err(),
        "no log is believed"
    );
    let only = Policy::log_only(world.log.vkey().clone());
    let (checkpoint, key, quorum) = only.open(&world.note(&[]).to_text()).unwrap();
    assert_eq!((checkpoint, key), (world.checkpoint(), world.log.vkey()));
    assert!(quorum.met && quorum.cosigned.is_empty());
    assert_eq!(Policy::parse(&only.to_text()), Ok(only));
}

#[test]
fn a_bad_cosignature_by_a_known_witness_refuses_the_note() {
    let world = World::new(3);
    let policy =
        world.policy("log {log}\nwitness A {w0}\nwitness B {w1}\ngroup g any A B\nquorum g\n");
    let wrong = world.witnesses[1].cosign("example.com/log\n8\nx\n", 5);
    let spoilt = world.note(&[0]).with_line(&wrong).unwrap();
    let quorum = policy.judge(&spoilt);
    assert!(!quorum.met);
    assert_eq!(quorum.invalid, ["B"]);
    assert!(
        quorum.needed.contains("cosignature by B is bad"),
        "{}",
        quorum.needed
    );
    // Nobody the policy knows: ignored, good or bad.
    let unknown = world.witnesses[2].cosign("another text\n", 5);
    assert!(
        policy
            .judge(&world.note(&[0]).with_line(&unknown).unwrap())
            .met
    );
}

#[test]
fn one_key_of_several_for_the_same_origin_opens() {
    let (world, next) = (World::new(0), World::new(0));
    let both = format!(
        "log {}\nlog {}\nquorum none\n",
        next.log.vkey(),
        world.log.vkey()
    );
    let policy = Policy::parse(&both).unwrap();
    let note = world.checkpoint().sign(&world.log);
    assert_eq!(policy.open(&note).unwrap().1, world.log.vkey());
    let stranger = World::new(0);
    assert!(matches!(
        policy.open(&world.checkpoint().sign(&stranger.log)),
        Err(Error::Signature(_))
    ));
    // A known key that signed badly spoils the note, whoever else signed it.
    let line = next.checkpoint().sign(&next.log);
    let line = line.lines().last().unwrap();
    let other = Checkpoint {
        size: 8,
        ..world.checkpoint()
    }
    .sign(&world.log);
    let spoilt = Note::parse(&other).unwrap().with_line(line).unwrap();
    assert!(policy.open(&spoilt.to_text()).is_err());
}

#[test]
fn refused_lines_are_named_by_their_number() {
    let world = World::new(3);
    let twin = Vkey::of(
        KeyKind::Cosigner,
        "another.name",
        world.witnesses[0].vkey().public(),
    );
    let twin = format!("witness A {{w0}}\nwitness B {}\nquorum A\n", twin.unwrap());
    let own = Vkey::of(KeyKind::Cosigner, "another.name", world.log.vkey().public());
    let own = own.unwrap().to_string();
    let own = |template: &str| template.replace("{own}", &own);
    let head = "witness A {w0}\nwitness B {w1}\nwitness C {w2}\n";
    let group = |lines: &str| format!("{head}{lines}");
    for (template, line, what) in [
        ("quorum none".to_owned(), 1, "cut off"),
        (
            "log {log}\nlog {log} https://other/\nquorum none\n".to_owned(),
            2,
            "same key",
        ),
        (twin, 2, "same key as witness `A`"),
        (
            "witness A {w0}\nwitness A {w1}\nquorum A\n".to_owned(),
            2,
            "defined already",
        ),
        (own("log {log}\nwitness A {own}\nquorum A\n"), 2, "itself"),
        (own("witness A {own}\nlog {log}\nquorum A\n"), 2, "itself"),
        (
            own("witness A {w0}\nlog {log}\nwitness B {own}\nquorum A\n"),
            3,
            "itself",
        ),
        ("witness none {w0}\nquorum none\n".to_owned(), 1, "reserved"),
        ("witness A {log}\nquorum A\n".to_owned(), 1, "cosigns"),
        ("log {w0}\nquorum none\n".to_owned(), 1, "log's key"),
        (
            "log {log} a b\nquorum none\n".to_owned(),
            1,
            "expected `log",
        ),
        (
            "witness A\nquorum none\n".to_owned(),
            1,
            "expected `witness",
        ),
        (
            "witness A x+00000000+AAAA\nquorum none\n".to_owned(),
            1,
            "verifier key",
        ),
        ("quorum none\nquorum none\n".to_owned(), 2, "second"),
        ("quorum A\nwitness A {w0}\n".to_owned(), 1, "earlier line"),
        ("quorum none extra\n".to_owned(), 1, "expected `quorum"),
        ("Quorum none\n".to_owned(), 1, "none of"),
        ("quorum none\r\n".to_owned(), 1, "control"),
        ("\n#\u{0}\nquorum none\n".to_owned(), 2, "control"),
        (group("group g 0 A B\nquorum g\n"), 4, "from 1 to 2"),
        (group("group g 3 A B\nquorum g\n"), 4, "from 1 to 2"),
        (group("group g 01 A B\nquorum g\n"), 4, "from 1 to 2"),
        (group("group g some A B\nquorum g\n"), 4, "from 1 to 2"),
        (group("group g all\nquorum g\n"), 4, "no members"),
        (group("group g\nquorum g\n"), 4, "expected `group"),
        (
            group("group g all A A\nquorum g\n"),
            4,
            "in a group already",
        ),
        (
            group("group g all A\ngroup h all A B\nquorum h\n"),
            5,
            "in a group already",
        ),
        (group("group g all g\nquorum g\n"), 4, "earlier line"),
        (
            group("group g all h\ngroup h all A\nquorum g\n"),
            4,
            "earlier line",
        ),
        (group("group g all none\nquorum g\n"), 4, "earlier line"),
        (group("group A all B\nquorum A\n"), 4, "defined already"),
        (group("group none all B\nquorum none\n"), 4, "reserved"),
    ] {
        let error = Policy::parse(&world.text(&template))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("not a policy: line {line}: ")),
            "{template}: {error}"
        );
        assert!(!error.contains("checkpoint"), "{template}: {error}");
        assert!(error.contains(what), "{template}: {error}");
    }
    for empty in ["", "\n", "# quorum none\n", "log {log}\n"] {
        let error = Policy::parse(&world.text(empty)).unwrap_err().to_string();
        assert!(error.contains("no `quorum` line"), "{error}");
    }
}

#[test]
fn the_recommended_size_fits_and_a_longer_one_is_refused() {
    let witness = |at: usize| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&at.to_be_bytes());
        format!("witness w{at} {}\n", Vkey::cosigner("w", key).unwrap())
    };
    let mut text: String = (0..MAX_PARTIES).map(witness).collect();
    for at in 0..MAX_PARTIES {
        let below = if at == 0 {
            String::new()
        } else {
            format!(" g{}", at - 1)
        };
        text.push_str(&format!("group g{at} any w{at}{below}\n"));
    }
    let quorum = format!("quorum g{}\n", MAX_PARTIES - 1);
    let policy = Policy::parse(&format!("{text}{quorum}")).unwrap();
    assert_eq!(policy.witnesses().len(), MAX_PARTIES);
    assert!(!policy.judge(&World::new(0).note(&[])).met);
    let more = format!("{text}{}{quorum}", witness(MAX_PARTIES));
    assert!(
        Policy::parse(&more)
            .unwrap_err()
            .to_string()
            .contains("more than")
    );
    assert!(Policy::parse(&"#\n".repeat(MAX_POLICY)).is_err());
}

#[cfg(feature = "ml-dsa")]
#[test]
fn post_quantum_witnesses_count_like_any_other() {
    use crate::cosignature::MlDsaCosignerKey;
    let world = World::new(1);
    let pq = MlDsaCosignerKey::load("pq", &MlDsaCosignerKey::generate().unwrap()).unwrap();
    let text = format!(
        "log {{log}}\nwitness A {{w0}}\nwitness Q {}\ngroup g all A Q\nquorum g\n",
        pq.vkey()
    );
    let policy = world.policy(&text);
    let half = world.note(&[0]);
    assert!(!policy.judge(&half).met);
    let line = pq.cosign(&world.checkpoint(), 9).unwrap();
    let quorum = policy.judge(&half.with_line(&line).unwrap());
    assert!(quorum.met && quorum.cosigned.contains(&("Q".to_owned(), 9)));
}

#[cfg(not(feature = "ml-dsa"))]
#[test]
fn post_quantum_witnesses_are_refused_with_the_reason() {
    let key = Vkey::of(KeyKind::MlDsa44, "pq", &[7; 1312]).unwrap();
    let text = format!("witness Q {key}\nquorum Q\n");
    let error = Policy::parse(&text).unwrap_err().to_string();
    assert!(
        error.contains("line 1: ") && error.contains("`ml-dsa`"),
        "{error}"
    );
}
