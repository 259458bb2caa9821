//! Tokens of an issuer: signatures against the RFCs' own, claims by a table, keys that change and go stale.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;
use crate::access::Role;

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Now {
    Now {
        wall: Timestamp::from_millis(seconds * 1000),
        mono_ms: (seconds - NOW + 1_000_000) as u64 * 1000,
    }
}

/// An issuer of the test's own, with keys in a file.
struct Lab {
    home: tempfile::TempDir,
    key: Ed25519KeyPair,
    issuer: Issuer,
}

fn ed25519() -> Ed25519KeyPair {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn jwk(key: &Ed25519KeyPair, id: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "use": "sig", "x": b64(key.public_key())})
}

fn signed(key: &Ed25519KeyPair, header: &Value, claims: &str) -> String {
    let text = format!("{}.{}", b64(header.to_string()), b64(claims));
    let signature = key.sign(text.as_bytes());
    format!("{text}.{}", b64(signature))
}

impl Lab {
    fn new() -> Self {
        let key = ed25519();
        let home = tempfile::tempdir().unwrap();
        let roles = [
            ("ops", Role::Operator),
            ("leads", Role::Approver),
            ("root", Role::Admin),
        ];
        let file = OidcFile {
            issuer: "https://id.example".into(),
            audience: "gonogo".into(),
            jwks: "keys.json".into(),
            algorithms: vec!["RS256".into(), "ES256".into(), "EdDSA".into()],
            leeway: Span::from_secs(30),
            name_claim: "sub".into(),
            roles_claim: "realm.roles".into(),
            roles: roles.map(|(w, r)| (w.to_owned(), r)).into(),
            agent_claim: "act".into(),
            agents: [("ci".to_owned(), "rita".to_owned())].into(),
            refresh: Span::from_secs(600),
            keep: Span::from_secs(3600),
        };
        let issuer = Issuer::new(&file, home.path());
        let lab = Self { home, key, issuer };
        lab.publish(&[jwk(&lab.key, "k1")]);
        lab.issuer.refresh(at(NOW)).unwrap();
        lab
    }

    fn publish(&self, keys: &[Value]) {
        let path = self.home.path().join("keys.json");
        std::fs::write(path, json!({ "keys": keys }).to_string()).unwrap();
    }

    fn claims() -> Value {
        json!({
            "iss": "https://id.example", "aud": "gonogo", "sub": "ada", "exp": NOW + 300, "nbf": NOW - 5, "iat": NOW - 5,
            "jti": "t-1", "realm": {"roles": ["ops", "unheard-of"]},
        })
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"});
        signed(&self.key, &header, &claims.to_string())
    }

    /// What a token with these claims changed is worth.
    fn with(&self, changed: &[(&str, Value)]) -> Result<Principal, AppError> {
        let mut claims = Self::claims();
        for (name, value) in changed {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
                value => claims[*name] = value.clone(),
            }
        }
        let checked = self.issuer.principal(&self.token(&claims), at(NOW));
        checked.map(|c| c.principal)
    }
}

/// Whether the set of this one key says that it signed this text.
fn verifies(key: Value, token: &str) -> bool {
    let set = KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
    let signed = Signed::read(token).unwrap();
    set.fitting(&signed).any(|key| key.signed(&signed))
}

#[test]
fn the_examples_of_the_rfcs_verify() {
    // RFC 7515, appendix A.2.
    let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let rs256 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{claims}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    assert!(verifies(rsa, &rs256));
    // RFC 7515, appendix A.3.
    let p256 = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    assert!(verifies(p256, &es256));
    // RFC 8037, appendix A.4.
    let okp =
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(verifies(okp.clone(), eddsa));
    let other = eddsa.replace(".hgyY", ".hgyZ");
    assert!(!verifies(okp, &other));
}

#[test]
fn a_person_is_who_the_token_says_with_the_roles_that_are_mapped() {
    let lab = Lab::new();
    let ada = lab.with(&[]).unwrap();
    assert_eq!(
        (ada.name.as_str(), ada.agent, &ada.acts_for),
        ("ada", false, &None)
    );
    assert_eq!(
        ada.scopes,
        Role::Operator.scopes().iter().copied().collect()
    );
    assert_eq!(ada.means, Means::Issuer(Some("t-1".into())));
    assert_eq!(ada.until, Some(Timestamp::from_millis((NOW + 330) * 1000)));
    let none = lab
        .with(&[("realm", json!({"roles": ["unheard-of"]}))])
        .unwrap();
    assert_eq!(
        none.scopes,
        BTreeSet::new(),
        "a word that is not mapped means nothing"
    );
    let words = lab
        .with(&[("realm.roles", json!("leads unheard-of"))])
        .unwrap();
    assert_eq!(
        words.scopes,
        Role::Approver.scopes().iter().copied().collect()
    );
    let several = lab.with(&[("aud", json!(["other", "gonogo"]))]);
    assert!(several.is_ok());
}

#[test]
fn claims_that_are_not_as_they_must_be_let_nobody_in() {
    let lab = Lab::new();
    let who = Reason::Unauthenticated;
    let null = Value::Null;
    let cases: &[(&str, Value, Reason)] = &[
        ("iss", json!("https://id.example/"), who),
        ("iss", null.clone(), who),
        ("aud", json!("another"), Reason::TokenAudience),
        ("aud", json!(["another"]), Reason::TokenAudience),
        ("aud", json!([]), Reason::TokenAudience),
        ("aud", null.clone(), Reason::TokenAudience),
        ("exp", null.clone(), who),
        ("exp", json!(NOW - 30), who),
        ("exp", json!("soon"), who),
        ("exp", json!(-1), who),
        ("nbf", json!(NOW + 31), who),
        ("nbf", json!("now"), who),
        ("iat", json!(NOW + 31), who),
        ("sub", null.clone(), who),
        ("sub", json!("a b"), who),
        ("sub", json!("x".repeat(65)), who),
        ("sub", json!(7), who),
        ("client_id", json!("ada"), who),
        ("azp", json!("ada"), who),
        ("act", json!({}), who),
        ("act", json!(7), who),
        ("act", json!({"sub": "ada"}), who),
        ("act", json!({"sub": "a b"}), who),
    ];
    for (name, value, reason) in cases {
        let refused = lab.with(&[(name, value.clone())]);
        let refused = refused.expect_err(&format!("{name} = {value}"));
        assert_eq!(refused.reason, *reason, "{name} = {value}");
    }
    // At the edges of the leeway it holds.
    assert!(lab.with(&[("exp", json!(NOW - 29))]).is_ok());
    assert!(lab.with(&[("nbf", json!(NOW + 30))]).is_ok());
    assert!(
        lab.with(&[("nbf", null.clone())]).is_ok(),
        "`iat` says from when on"
    );
    let neither = lab.with(&[("nbf", null.clone()), ("iat", null)]);
    assert_eq!(neither.unwrap_err().reason, who);
}

#[test]
fn an_agent_acts_for_somebody_and_never_decides() {
    let lab = Lab::new();
    let all = ("realm", json!({"roles": ["ops", "leads", "root"]}));
    for act in [json!({"sub": "bot"}), json!("bot")] {
        let bot = lab.with(&[("act", act), all.clone()]).unwrap();
        assert_eq!((bot.name.as_str(), bot.agent), ("bot", true));
        assert_eq!(bot.acts_for.as_deref(), Some("ada"));
        assert!(!bot.scopes.contains(&Scope::ApprovalDecide));
        assert!(!bot.scopes.contains(&Scope::Admin));
        assert!(bot.scopes.contains(&Scope::PlanApply));
        assert!(bot.must_be_a_person().is_err());
    }
    let ci = lab.with(&[("sub", json!("ci")), ("client_id", json!("ci")), all]);
    let ci = ci.unwrap();
    assert_eq!(
        (ci.name.as_str(), ci.acts_for.as_deref()),
        ("ci", Some("rita"))
    );
    assert!(ci.agent && !ci.scopes.contains(&Scope::ApprovalDecide));
}

#[test]
fn a_signature_counts_with_its_own_algorithm_and_key_alone() {
    let lab = Lab::new();
    let claims = Lab::claims().to_string();
    let refused = |token: &str| lab.issuer.principal(token, at(NOW)).unwrap_err().reason;
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None", "kid": "k1"}),
        json!({"alg": "HS256", "kid": "k1"}),
        json!({"alg": "RS256", "kid": "k1"}),
        json!({"alg": "ES256", "kid": "k1"}),
        json!({"alg": "EdDSA", "kid": "k2"}),
        json!({"alg": "EdDSA", "kid": 1}),
        json!({"alg": "EdDSA", "kid": "k1", "crit": ["exp"]}),
        json!({"alg": "EdDSA", "kid": "k1", "typ": "logout+jwt"}),
        json!({"kid": "k1"}),
    ] {
        let token = signed(&lab.key, &header, &claims);
        assert_eq!(refused(&token), Reason::Unauthenticated, "{header}");
    }
    let good = lab.token(&Lab::claims());
    assert!(lab.issuer.principal(&good, at(NOW)).is_ok());
    let (text, _) = good.rsplit_once('.').unwrap();
    let at_ten = good.len() - 10;
    let other_letter = if &good[at_ten..=at_ten] == "A" {
        "B"
    } else {
        "A"
    };
    let damaged = format!("{}{other_letter}{}", &good[..at_ten], &good[at_ten + 1..]);
    let other = signed(&ed25519(), &json!({"alg": "EdDSA", "kid": "k1"}), &claims);
    let twice = claims.replacen('{', "{\"aud\":\"other\",", 1);
    let twice = signed(&lab.key, &json!({"alg": "EdDSA", "kid": "k1"}), &twice);
    let long = format!("{good}{}", "A".repeat(20_000));
    for bad in [
        other.as_str(),
        &twice,
        &long,
        &format!("{text}."),
        &format!("{good}="),
        &damaged,
        &format!("x{good}"),
        "..",
        "a.b",
        "",
    ] {
        assert_eq!(refused(bad), Reason::Unauthenticated, "{bad:.80}");
    }
    // Without a name any key that fits may have signed.
    let unnamed = signed(&lab.key, &json!({"alg": "EdDSA"}), &claims);
    assert!(lab.issuer.principal(&unnamed, at(NOW)).is_ok());
}

#[test]
fn p256_signs_too_and_what_is_not_listed_does_not() {
    let lab = Lab::new();
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
    let point = key.public_key().as_ref();
    let p256 = json!({"kty": "EC", "crv": "P-256", "kid": "p", "alg": "ES256", "x": b64(&point[1..33]), "y": b64(&point[33..])});
    lab.publish(&[p256]);
    lab.issuer.refresh(at(NOW)).unwrap();
    let text = format!(
        "{}.{}",
        b64(r#"{"alg":"ES256","kid":"p"}"#),
        b64(Lab::claims().to_string())
    );
    let token = format!(
        "{text}.{}",
        b64(key.sign(&random, text.as_bytes()).unwrap())
    );
    assert!(lab.issuer.principal(&token, at(NOW)).is_ok());
    let file = OidcFile {
        algorithms: vec!["EdDSA".into()],
        ..lab.issuer.file.clone()
    };
    let narrow = Issuer::new(&file, lab.home.path());
    narrow.refresh(at(NOW)).unwrap();
    assert!(narrow.principal(&token, at(NOW)).is_err());
}

#[test]
fn sets_without_a_key_that_signs_are_none() {
    let key = jwk(&ed25519(), "k1");
    let with = |name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        json!({ "keys": [key] }).to_string()
    };
    for bad in [
        "{}".to_owned(),
        "[]".to_owned(),
        "no json".to_owned(),
        r#"{"keys":[]}"#.to_owned(),
        r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#.to_owned(),
        r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#.to_owned(),
        with("use", json!("enc")),
        with("alg", json!("RS256")),
        with("key_ops", json!(["sign"])),
        with("x", json!("AAAA")),
        with("crv", json!("X25519")),
        json!({"keys": vec![key.clone(); 65]}).to_string(),
    ] {
        assert!(KeySet::read(bad.as_bytes()).is_err(), "{bad:.80}");
    }
    assert!(KeySet::read(with("use", json!("sig")).as_bytes()).is_ok());
}

#[test]
fn new_keys_are_looked_for_at_once_and_not_for_everybody_who_makes_names_up() {
    let lab = Lab::new();
    let old = lab.token(&Lab::claims());
    let next = ed25519();
    let new = signed(
        &next,
        &json!({"alg": "EdDSA", "kid": "k2"}),
        &Lab::claims().to_string(),
    );
    assert_eq!(lab.issuer.wants(&old, at(NOW)), Wants::Nothing);
    assert_eq!(lab.issuer.wants("no.token.", at(NOW)), Wants::Nothing);
    assert_eq!(lab.issuer.wants(&new, at(NOW)), Wants::Now);
    assert!(lab.issuer.principal(&new, at(NOW)).is_err());
    lab.publish(&[jwk(&next, "k2")]);
    let before = lab.issuer.version(at(NOW)).unwrap();
    lab.issuer.refresh(at(NOW)).unwrap();
    assert_ne!(lab.issuer.version(at(NOW)).unwrap(), before);
    assert!(lab.issuer.principal(&new, at(NOW)).is_ok());
    assert!(
        lab.issuer.principal(&old, at(NOW)).is_err(),
        "a key that was taken away"
    );
    // Somebody makes up names of keys: some readings, then none for a while.
    let made_up = signed(&next, &json!({"alg": "EdDSA", "kid": "k3"}), "{}");
    let mut read = 0;
    while lab.issuer.wants(&made_up, at(NOW)) == Wants::Now {
        lab.issuer.refresh(at(NOW)).unwrap();
        read += 1;
        assert!(read < 10, "without an end");
    }
    assert_eq!(read, 3);
    assert_eq!(lab.issuer.wants(&made_up, at(NOW + 31)), Wants::Now);
}

#[test]
fn old_keys_hold_for_the_stated_time_and_then_nobody_is_let_in() {
    let lab = Lab::new();
    let claims = |exp: i64| {
        let mut claims = Lab::claims();
        claims["exp"] = json!(exp);
        claims
    };
    let token = lab.token(&claims(NOW + 100_000));
    std::fs::remove_file(lab.home.path().join("keys.json")).unwrap();
    assert_eq!(lab.issuer.wants(&token, at(NOW + 601)), Wants::Soon);
    let why = lab.issuer.refresh(at(NOW + 601)).unwrap_err();
    assert_eq!(why.reason, Reason::IssuerKeysStale);
    assert_eq!(
        lab.issuer.wants(&token, at(NOW + 602)),
        Wants::Nothing,
        "not again at once"
    );
    assert!(lab.issuer.principal(&token, at(NOW + 3600)).is_ok());
    let late = at(NOW + 3601);
    assert_eq!(lab.issuer.wants(&token, late), Wants::Now);
    let refused = lab.issuer.principal(&token, late).unwrap_err();
    assert_eq!(refused.reason, Reason::IssuerKeysStale);
    assert_eq!(
        lab.issuer.version(late).unwrap_err().reason,
        Reason::IssuerKeysStale
    );
    lab.publish(&[jwk(&lab.key, "k1")]);
    lab.issuer.refresh(late).unwrap();
    assert!(lab.issuer.principal(&token, late).is_ok());
    // A set that is damaged leaves the one before in place.
    lab.publish(&[]);
    assert!(lab.issuer.refresh(at(NOW + 3700)).is_err());
    assert!(lab.issuer.principal(&token, at(NOW + 3700)).is_ok());
}
