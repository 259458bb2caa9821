//! Who is let in and how often: with a store on disk, and time that the test says.

use gonogo_core::Span;
use gonogo_core::id::TokenId;
use gonogo_store::{Session, Token, TokenKind, User};

use super::*;
use crate::access::Role;
use crate::access::passwords::Password;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn at(ms: i64) -> Now {
    Now {
        wall: Timestamp::from_millis(1_800_000_000_000 + ms),
        mono_ms: ms as u64,
    }
}

struct Lab {
    _home: tempfile::TempDir,
    store: Store,
    admission: Admission,
}

fn rate(burst: u32) -> Rate {
    Rate {
        burst,
        each_minute: 60,
    }
}

impl Lab {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let file = ServerFile {
            requests: rate(3),
            failures: rate(4),
            logins: rate(2),
            sessions: Lives {
                idle: Span::from_secs(600),
                most: Span::from_secs(3600),
            },
            ..ServerFile::default()
        };
        Self {
            store: Store::open(home.path()).unwrap(),
            admission: Admission::new(&file, None, home.path()),
            _home: home,
        }
    }

    fn token(&self) -> (TokenId, String) {
        let id = TokenId::mint(*b"a token!");
        let token = Token {
            id: id.clone(),
            name: "ada".into(),
            kind: TokenKind::Person,
            acts_for: None,
            scopes: vec!["read".into()],
            secret: Digest::of(SECRET.as_bytes()),
            issuer: "you".into(),
            created: at(0).wall,
            expires: at(100_000_000).wall,
            revoked: None,
        };
        self.store.put_token(&token).unwrap();
        let text = format!("gng_{}_{SECRET}", id.as_str().trim_start_matches("tok_"));
        (id, text)
    }

    fn session(&self) -> (SessionId, String) {
        let kept = "$argon2id$v=19$m=19456,t=2,p=1$x$y";
        let user = User {
            name: "rita".into(),
            roles: vec!["approver".into()],
            password: kept.into(),
            issuer: "you".into(),
            created: at(0).wall,
            changed: at(0).wall,
            disabled: None,
        };
        assert!(self.store.put_user(&user).unwrap());
        let id = SessionId::mint(*b"session!");
        let session = Session {
            id: id.clone(),
            user: "rita".into(),
            secret: Digest::of(SECRET.as_bytes()),
            created: at(0).wall,
            seen: at(0).wall,
            expires: at(3_600_000).wall,
        };
        assert!(!self.store.begin_session(&session, "another hash").unwrap());
        assert!(self.store.begin_session(&session, kept).unwrap());
        let text = format!("{}_{SECRET}", id.as_str().trim_start_matches("ses_"));
        (id, text)
    }

    fn admit(&self, shown: Shown<'_>, from: &str, now: Now) -> Result<Admitted, Reason> {
        let from = from.parse().unwrap();
        let admitted = self.admission.admit(&self.store, shown, None, from, now);
        admitted.map_err(|e| e.reason)
    }
}

const fn look(value: &str) -> Shown<'_> {
    Shown::Cookie {
        value,
        changes: false,
        csrf: None,
    }
}

const HERE: &str = "192.0.2.1";

#[test]
fn what_is_remembered_is_forgotten_with_the_store() {
    let lab = Lab::new();
    let (id, text) = lab.token();
    let shown = Shown::Bearer(&text);
    for _ in 0..3 {
        assert_eq!(lab.admit(shown, HERE, at(1)).unwrap().principal.name, "ada");
    }
    assert_eq!(lab.admission.known.lock().unwrap().len(), 1);
    // Another process takes it back: nothing was told here.
    let other = Store::open(lab._home.path()).unwrap();
    other.revoke_token(&id, at(2).wall).unwrap();
    assert_eq!(
        lab.admit(shown, HERE, at(2)).unwrap_err(),
        Reason::Unauthenticated
    );
}

#[test]
fn what_is_remembered_ends_with_its_time() {
    let lab = Lab::new();
    let (_, text) = lab.token();
    let shown = Shown::Bearer(&text);
    assert!(lab.admit(shown, HERE, at(99_999_999)).is_ok());
    let ended = lab.admit(shown, HERE, at(100_000_000));
    assert_eq!(ended.unwrap_err(), Reason::Unauthenticated);
}

#[test]
fn a_session_ends_when_nobody_uses_it_and_when_its_time_is_over() {
    let lab = Lab::new();
    let (id, text) = lab.session();
    let minute = 60_000;
    let first = lab.admit(look(&text), HERE, at(minute)).unwrap();
    assert_eq!(first.principal.name, "rita");
    assert_eq!(first.note, Some(id.clone()), "it should be noted as used");
    let again = lab.admit(look(&text), HERE, at(minute)).unwrap();
    assert_eq!(again.note, None, "once");
    assert_eq!(
        lab.admit(look(&text), HERE, at(10 * minute)).unwrap_err(),
        Reason::Unauthenticated
    );
    // Used every nine minutes it goes on, and ends after an hour all the same.
    for n in 1..7 {
        lab.store
            .touch_session(&id, at(n * 9 * minute).wall)
            .unwrap();
        let now = at((n + 1) * 9 * minute - 1);
        assert_eq!(lab.admit(look(&text), HERE, now).is_ok(), n < 6, "{n}");
    }
}

#[test]
fn a_changed_password_and_a_disabled_user_end_sessions() {
    for end in [
        (|s: &Store| s.set_password("rita", "new", at(5).wall)) as fn(&Store) -> _,
        |s| s.set_disabled("rita", Some(at(5).wall)),
        |s| s.remove_user("rita"),
    ] {
        let lab = Lab::new();
        let (_, text) = lab.session();
        assert!(lab.admit(look(&text), HERE, at(1)).is_ok());
        assert_eq!(end(&lab.store).unwrap(), 1);
        assert_eq!(
            lab.admit(look(&text), HERE, at(6)).unwrap_err(),
            Reason::Unauthenticated
        );
        // Nor does it come back with the user.
        lab.store.set_disabled("rita", None).ok();
        assert_eq!(
            lab.admit(look(&text), HERE, at(7)).unwrap_err(),
            Reason::Unauthenticated
        );
    }
}

#[test]
fn a_cookie_changes_nothing_without_its_csrf_token() {
    let lab = Lab::new();
    let (_, text) = lab.session();
    let lives = lab.admission.lives;
    let csrf = sessions::current(&lab.store, &text, at(1).wall, lives)
        .unwrap()
        .csrf_token;
    let change = |csrf| Shown::Cookie {
        value: &text,
        changes: true,
        csrf,
    };
    let wrong = format!("{}x", &csrf[..csrf.len() - 1]);
    for given in [
        None,
        Some(""),
        Some("x"),
        Some(wrong.as_str()),
        Some(SECRET),
    ] {
        // Also when the session is remembered.
        for _ in 0..2 {
            assert_eq!(
                lab.admit(change(given), HERE, at(1)).unwrap_err(),
                Reason::CsrfMissing
            );
        }
    }
    assert!(lab.admit(change(Some(&csrf)), HERE, at(1)).is_ok());
    assert!(!csrf.contains(SECRET));
}

#[test]
fn an_address_that_shows_nothing_good_waits_and_others_do_not() {
    let lab = Lab::new();
    let (_, text) = lab.token();
    assert!(lab.admit(Shown::Bearer(&text), HERE, at(0)).is_ok());
    for n in 0..4 {
        let shown = [
            Shown::Nothing,
            Shown::Bearer("gng_x"),
            look("x"),
            look("x_y"),
        ][n];
        assert_eq!(
            lab.admit(shown, HERE, at(0)).unwrap_err(),
            Reason::Unauthenticated
        );
    }
    for shown in [Shown::Nothing, Shown::Bearer("gng_y")] {
        assert_eq!(
            lab.admit(shown, HERE, at(0)).unwrap_err(),
            Reason::RateLimited
        );
    }
    assert!(
        lab.admit(Shown::Bearer(&text), HERE, at(0)).is_ok(),
        "known here"
    );
    assert!(lab.admit(Shown::Bearer(&text), "192.0.2.2", at(0)).is_ok());
    assert_eq!(
        lab.admit(Shown::Nothing, HERE, at(1000)).unwrap_err(),
        Reason::Unauthenticated
    );
}

#[test]
fn a_name_asks_so_often_and_the_user_of_this_machine_as_they_like() {
    let lab = Lab::new();
    let (_, text) = lab.token();
    let ada = lab
        .admit(Shown::Bearer(&text), HERE, at(0))
        .unwrap()
        .principal;
    let local = Principal::local("ada".into());
    for n in 0..5 {
        assert_eq!(lab.admission.count(&ada, at(0)).is_ok(), n < 3, "{n}");
        assert!(lab.admission.count(&local, at(0)).is_ok());
    }
    let e = lab.admission.count(&ada, at(0)).unwrap_err();
    assert_eq!(e.details["retryAfterSeconds"], 1);
    let failure = serde_json::to_value(e.code()).unwrap();
    assert_eq!(failure, "RATE_LIMIT");
    assert!(lab.admission.count(&ada, at(1000)).is_ok());
}

#[test]
fn logins_are_counted_by_name_and_by_address() {
    let lab = Lab::new();
    let (one, two) = (HERE.parse().unwrap(), "192.0.2.2".parse().unwrap());
    let try_ = |user: &str, from| lab.admission.may_try(user, from, at(0)).is_ok();
    // Right ones are not counted.
    for _ in 0..20 {
        assert!(try_("rita", one));
        lab.admission.was_right("rita", one, at(0));
    }
    assert!(try_("rita", one) && try_("rita", one));
    assert!(!try_("rita", one), "that name is tried too often");
    assert!(!try_("rita", two), "from anywhere");
    assert!(try_("ada", one), "others are others");
    // Names that nobody can have share a bucket.
    assert!(try_("a b", two) && try_("c d", two) && !try_("e f", two));
    // An address with many names comes to its end as well.
    let passed = (0..100).filter(|n| try_(&format!("user{n}"), one)).count();
    assert_eq!(passed, 8 - 4);
}

#[test]
fn a_name_that_nobody_has_costs_as_much() {
    use crate::access::passwords::tests::COUNTED;
    let kept = Password::new("four words beside each other")
        .hash()
        .unwrap();
    let counted = |f: &dyn Fn() -> bool| {
        COUNTED.with(|n| n.set(0));
        assert!(!f());
        COUNTED.with(std::cell::Cell::get)
    };
    let wrong = Password::new("other words beside each other");
    assert_eq!(counted(&|| wrong.is(Some(&kept))), 1);
    assert_eq!(counted(&|| wrong.is(None)), 1);
}

#[test]
fn roles_are_the_users_as_they_are_now() {
    let lab = Lab::new();
    let (_, text) = lab.session();
    let rita = lab.admit(look(&text), HERE, at(1)).unwrap().principal;
    assert_eq!(
        rita.scopes,
        Role::Approver.scopes().iter().copied().collect()
    );
    assert!(!rita.agent);
    assert!(matches!(rita.means, Means::Session(_)));
}
