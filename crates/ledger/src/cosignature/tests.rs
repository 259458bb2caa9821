//! Cosignatures.

use super::*;

const TEXT: &str = "example.com/log\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

pub(super) fn cosigner(name: &str) -> CosignerKey {
    CosignerKey::load(name, &CosignerKey::generate().unwrap()).unwrap()
}

fn note(lines: &[String]) -> Note {
    Note::parse(&format!("{TEXT}\n{}", lines.concat())).unwrap()
}

#[test]
fn what_is_cosigned_verifies_and_says_when() {
    let (w1, w2) = (
        cosigner("witness.example/w1"),
        cosigner("witness.example/w2"),
    );
    let one = note(&[w1.cosign(TEXT, 1_679_315_147)]);
    assert_eq!(verify(&one, w1.vkey()), Ok(1_679_315_147));
    assert_eq!(find(&one, w2.vkey()), Ok(None));
    assert_eq!(
        verify(&one, w2.vkey()),
        Err(Error::Signature(w2.vkey().label()))
    );
    let both = one.with_line(&w2.cosign(TEXT, 5)).unwrap();
    assert_eq!(find(&both, w1.vkey()), Ok(Some(1_679_315_147)));
    assert_eq!(find(&both, w2.vkey()), Ok(Some(5)));
    assert!(both.with_line(&w2.cosign(TEXT, 6)).is_err());
}

#[test]
fn the_blob_is_the_time_and_a_signature_over_the_published_bytes() {
    let key = cosigner("witness.example/w1");
    let note = note(&[key.cosign(TEXT, 1_679_315_147)]);
    let line = &note.signatures()[0];
    assert_eq!((line.bytes.len(), line.id), (72, key.vkey().id()));
    assert_eq!(line.bytes[..8], 1_679_315_147_u64.to_be_bytes());
    let signed = format!("cosignature/v1\ntime 1679315147\n{TEXT}");
    let public = UnparsedPublicKey::new(&ED25519, key.vkey().public());
    assert!(public.verify(signed.as_bytes(), &line.bytes[8..]).is_ok());
}

#[test]
fn one_bad_cosignature_spoils_the_note() {
    let key = cosigner("witness.example/w1");
    let good = key.cosign(TEXT, 10);
    let other_text = key.cosign("example.com/log\n8\nx\n", 10);
    let bad = note(&[good.clone(), other_text]);
    assert_eq!(
        find(&bad, key.vkey()),
        Err(Error::Signature(key.vkey().label()))
    );
    let twice = note(&[key.cosign(TEXT, 12), good]);
    assert_eq!(
        find(&twice, key.vkey()),
        Ok(Some(10)),
        "the earliest counts"
    );
}

#[test]
fn times_beyond_the_format_are_neither_written_nor_read() {
    let key = cosigner("witness.example/w1");
    assert_eq!(
        verify(&note(&[key.cosign(TEXT, u64::MAX)]), key.vkey()),
        Ok(MAX_TIME)
    );
    let time = MAX_TIME + 1;
    let mut blob = time.to_be_bytes().to_vec();
    blob.extend_from_slice(&key.pair.sign(&signed_bytes(TEXT, time)));
    let late = note(&[signature_line(key.vkey(), &blob)]);
    assert!(find(&late, key.vkey()).is_err());
}

#[test]
fn a_key_signs_in_its_own_way_only() {
    let pkcs8 = LogKey::generate().unwrap();
    let log = LogKey::load("example.com/log", &pkcs8).unwrap();
    let cosigner = CosignerKey::load("example.com/log", &pkcs8).unwrap();
    assert_ne!(log.vkey().id(), cosigner.vkey().id());
    let cosigned = note(&[cosigner.cosign(TEXT, 10)]);
    assert!(cosigned.verify(log.vkey()).is_err());
    assert!(matches!(find(&cosigned, log.vkey()), Err(Error::Note(_))));
    assert!(matches!(
        cosigned.verify(cosigner.vkey()),
        Err(Error::Note(_))
    ));
    let signed = note(&[signature_line(cosigner.vkey(), &log.sign(TEXT.as_bytes()))]);
    assert!(find(&signed, cosigner.vkey()).is_err());
}

#[cfg(not(feature = "ml-dsa"))]
#[test]
fn a_kind_that_this_build_cannot_verify_is_an_error() {
    let key = Vkey::of(KeyKind::MlDsa44, "w", &[7; 1312]).unwrap();
    let read: Vkey = key.to_string().parse().unwrap();
    assert_eq!(read, key);
    let line = signature_line(&key, &[0; 2428]);
    let error = find(&note(&[line]), &key).unwrap_err().to_string();
    assert!(error.contains("`ml-dsa`"), "{error}");
}
