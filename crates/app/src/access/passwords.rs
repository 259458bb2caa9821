//! Passwords: what one must be, and what is kept of it.
//!
//! Argon2id, version 19, with 19 MiB, two passes and one lane: the first of OWASP's equivalent settings (Password Storage Cheat Sheet),
//! below RFC 9106's second recommendation so that a server of 40 MB can check one. Salt of 16 bytes, tag of 32, kept as a PHC string with
//! its parameters, so that they can be raised. A password is 15 to 1024 bytes after Unicode's NFKC, without further rules
//! (NIST SP 800-63B-4, section 3.1.1). Invariant: whether a user exists cannot be told from the time that a check takes.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use gonogo_core::Reason;
use unicode_normalization::UnicodeNormalization;

use crate::AppError;
use crate::identity::random;

/// Fewest characters of a password that stands alone.
pub const SHORTEST: usize = 15;

/// Most bytes.
pub const LONGEST: usize = 1024;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const TAG: usize = 32;

/// A hash that no password has, of the same cost as all others.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password as somebody typed it. Its text never shows in messages.
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// The password that `text` is, in Unicode's form NFKC: the same keys mean the same on every keyboard.
    pub fn new(text: &str) -> Self {
        Self(text.nfkc().collect())
    }

    /// Refuses a new password that is too easily guessed.
    ///
    /// # Errors
    /// [`Reason::PasswordRefused`].
    pub fn must_be_good(&self, user: &str) -> Result<(), AppError> {
        let refuse = |text: String| {
            Err(AppError::new(Reason::PasswordRefused, text)
                .hint("four or five words that have nothing to do with each other are easy to keep in mind"))
        };
        let characters = self.0.chars().count();
        if characters < SHORTEST {
            return refuse(format!(
                "the password has {characters} characters, and {SHORTEST} are the least"
            ));
        }
        if self.0.len() > LONGEST {
            return refuse(format!("the password has more than {LONGEST} bytes"));
        }
        let first = self.0.chars().next();
        if self.0.chars().all(|c| Some(c) == first) {
            return refuse("the password is one character again and again".into());
        }
        let lower = self.0.to_lowercase();
        if lower.replace(&user.to_lowercase(), "").chars().count() < SHORTEST / 2 {
            return refuse("the password is little more than the user's name".into());
        }
        Ok(())
    }

    /// What is kept of it, as a PHC string.
    ///
    /// # Errors
    /// [`Reason::Internal`] if it cannot be made.
    pub fn hash(&self) -> Result<String, AppError> {
        let salt = [random(), random()].concat();
        let params = params().map_err(|e| internal(&e))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let kept: PasswordHash = argon2
            .hash_password_with_salt(self.0.as_bytes(), &salt)
            .map_err(|e| internal(&e))?;
        Ok(kept.to_string())
    }

    /// Whether this is the password of which `kept` was kept. Without one, as much is computed, and the answer is no.
    pub fn is(&self, kept: Option<&str>) -> bool {
        #[cfg(test)]
        tests::COUNTED.with(|n| n.set(n.get() + 1));
        // A text beyond what a password can be is no password, and costs no more than one.
        let (text, fits) = match self.0.len() <= LONGEST {
            true => (self.0.as_bytes(), true),
            false => (&b""[..], false),
        };
        let same = |phc: &str| {
            let parsed = PasswordHash::new(phc);
            parsed.is_ok_and(|hash| Argon2::default().verify_password(text, &hash).is_ok())
        };
        let readable = kept.filter(|phc| PasswordHash::new(phc).is_ok());
        let same = same(readable.unwrap_or(NOBODY));
        same && fits && readable.is_some()
    }
}

fn params() -> Result<Params, argon2::Error> {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(TAG))
}

fn internal(e: &dyn fmt::Display) -> AppError {
    AppError::new(
        Reason::Internal,
        format!("the password cannot be hashed: {e}"),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Passwords that this thread has checked: each costs the same.
        pub(in crate::access) static COUNTED: Cell<u32> = const { Cell::new(0) };
    }

    #[test]
    fn what_the_reference_implementation_kept_is_known() {
        // test.c of github.com/P-H-C/phc-winner-argon2: version 19, t=2, m=2^16, p=1, "password", "somesalt", Argon2id.
        let kept = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(Password::new("password").is(Some(kept)));
        assert!(!Password::new("passwort").is(Some(kept)));
    }

    #[test]
    fn what_is_kept_has_its_parameters_and_a_salt_of_its_own() {
        let password = Password::new("four words beside each other");
        let (one, two) = (password.hash().unwrap(), password.hash().unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(password.is(Some(&one)) && password.is(Some(&two)));
        assert!(!Password::new("four words beside each othe").is(Some(&one)));
        assert!(!password.is(Some("$argon2id$v=19$m=19456,t=2,p=1$broken")));
        assert!(!password.is(None));
        // What nobody has costs as much as what somebody has.
        let parts = |phc: &str| phc.split('$').take(4).collect::<String>();
        assert_eq!(parts(NOBODY), parts(&one));
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert!(!format!("{password:?}").contains("words"));
    }

    #[test]
    fn the_same_keys_are_the_same_password_on_every_keyboard() {
        let kept = Password::new("ein sch\u{f6}nes Passwort").hash().unwrap();
        assert!(Password::new("ein scho\u{308}nes Passwort").is(Some(&kept)));
    }

    #[test]
    fn a_new_password_is_long_and_not_the_name() {
        for bad in [
            "",
            "short",
            "fourteen chars",
            "aaaaaaaaaaaaaaaaaaaa",
            "ada@example.org1",
            "x".repeat(LONGEST + 1).as_str(),
        ] {
            let refused = Password::new(bad).must_be_good("ada@example.org");
            assert_eq!(
                refused.unwrap_err().reason,
                Reason::PasswordRefused,
                "{bad}"
            );
        }
        assert!(Password::new("fifteen chars!!").must_be_good("ada").is_ok());
        // Too long a text is no password, and is not worked on.
        let kept = Password::new("").hash().unwrap();
        assert!(!Password::new(&"x".repeat(LONGEST + 1)).is(Some(&kept)));
    }
}
