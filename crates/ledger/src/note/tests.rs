//! Notes, keys and checkpoints against published examples and by what must be refused.

use gonogo_core::Digest;

use super::*;
use crate::key::LogKey;

// The example of Go's golang.org/x/mod/sumdb/note.
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = concat!(
    "If you think cryptography is the answer to your problem,\n",
    "then you don't know what your problem is.\n",
    "\n",
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
);

fn log(name: &str) -> LogKey {
    LogKey::load(name, &LogKey::generate().unwrap()).unwrap()
}

#[test]
fn verifies_the_published_note() {
    let key: Vkey = VKEY.parse().unwrap();
    assert_eq!(key.to_string(), VKEY);
    let note = Note::parse(NOTE).unwrap();
    assert!(note.verify(&key).unwrap().ends_with("your problem is.\n"));
    let changed = Note::parse(&NOTE.replace("answer", "Answer")).unwrap();
    assert!(changed.verify(&key).is_err());
}

#[test]
fn checkpoints_open_with_their_own_key_only() {
    let (ours, other) = (log("ledger.example"), log("ledger.example"));
    let checkpoint = Checkpoint {
        origin: "ledger.example".into(),
        size: 7,
        root: Digest::of(b"root"),
    };
    let note = checkpoint.sign(&ours);
    assert_eq!(Checkpoint::open(&note, ours.vkey()).unwrap(), checkpoint);
    assert!(Checkpoint::open(&note, other.vkey()).is_err());
    let foreign = Checkpoint {
        origin: "ledger.other".into(),
        ..checkpoint
    };
    assert!(Checkpoint::open(&foreign.sign(&ours), ours.vkey()).is_err());
}

#[test]
fn unknown_signers_are_ignored_and_a_second_bad_one_spoils() {
    let key = log("ledger.example");
    let checkpoint = Checkpoint {
        origin: "ledger.example".into(),
        size: 0,
        root: Digest::of(b""),
    };
    let note = checkpoint.sign(&key);
    let witness = format!("{note}— witness.example AAAAAAAA\n");
    assert!(Checkpoint::open(&witness, key.vkey()).is_ok());
    let line = note.lines().last().unwrap();
    let (head, blob) = line.rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(blob).unwrap();
    bytes[10] ^= 1;
    let spoilt = format!("{note}{head} {}\n", STANDARD.encode(bytes));
    assert!(Checkpoint::open(&spoilt, key.vkey()).is_err());
}

#[test]
fn refuses_malformed_notes_and_keys() {
    for bad in [
        "",
        "a\n1\nb\n",
        "a\n\n",
        "a\n\nno dash\n",
        "a\n\n— x AAAA",
        "a\r\n\n— x AAAAAAAA\n",
    ] {
        assert!(Note::parse(bad).is_err(), "{bad:?}");
    }
    for bad in [
        "",
        "a+b",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert!(bad.parse::<Vkey>().is_err(), "{bad}");
    }
    for bad in ["", "01", "+1", "-1", "1 ", "18446744073709551616"] {
        assert_eq!(parse_decimal(bad), None, "{bad}");
    }
}
