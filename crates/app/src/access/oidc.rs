//! Bearer tokens of an issuer that the configuration names (OpenID Connect, RFC 9068): signed by one of its keys, made for this server,
//! valid now; its words for groups mapped to roles.
//!
//! The signature is checked first, so that whoever has no token of the issuer learns nothing of claims. Invariants: only the listed
//! algorithms, each with its own type of key, and never one that both sides share a secret of; a token without a person behind it is
//! nobody's; an agent's token has neither the scope to approve nor to administer; without keys that are fresh enough no token is accepted.
//! Time is an argument. Why not a library: docs/adr/0021-who-is-asking.md.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use gonogo_core::clock::Now;
use gonogo_core::{Reason, Span, Timestamp};
use serde_json::Value;

use super::{Means, Principal, Scope, refused};
use crate::AppError;
use crate::config::{OidcFile, is_person_name};

mod jws;
mod keys;
mod source;

use jws::Signed;
use keys::KeySet;
pub use source::Wants;
use source::{Place, Source};

/// An issuer whose tokens are accepted.
pub struct Issuer {
    file: OidcFile,
    source: Source,
}

/// A token that was checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// In whose name it is.
    pub principal: Principal,
    /// Which reading of the keys it was checked with.
    pub keys: u64,
}

impl Issuer {
    /// The issuer that `file` describes; paths in it begin at `root`. Nothing is read yet.
    pub fn new(file: &OidcFile, root: &Path) -> Self {
        let place = match file.jwks.contains("://") {
            true => Place::Url(file.jwks.clone()),
            false => Place::File(root.join(&file.jwks)),
        };
        Self {
            source: Source::new(place, file.refresh, file.keep),
            file: file.clone(),
        }
    }

    /// The issuer's name, a URL, as its tokens spell it.
    pub fn name(&self) -> &str {
        &self.file.issuer
    }

    /// Whether a bearer text can be a token of an issuer: ours have no dots.
    pub fn may_be(text: &str) -> bool {
        text.matches('.').count() == 2
    }

    /// Whether keys should be read before this token is checked, or some time.
    pub fn wants(&self, text: &str, now: Now) -> Wants {
        let known = |set: &KeySet| {
            Signed::read(text).map_or(true, |signed| set.fitting(&signed).next().is_some())
        };
        self.source.wants(known, now.mono_ms)
    }

    /// Reads the keys; blocks for a few seconds at most. What cannot be read leaves the old keys in place.
    ///
    /// # Errors
    /// [`Reason::IssuerKeysStale`] with why.
    pub fn refresh(&self, now: Now) -> Result<(), AppError> {
        let read = self.source.refresh(now.mono_ms);
        read.map_err(|why| {
            let text = format!("the keys of `{}` cannot be read: {why}", self.file.issuer);
            AppError::new(Reason::IssuerKeysStale, text)
        })
    }

    /// Which reading of the keys counts now.
    ///
    /// # Errors
    /// [`Reason::IssuerKeysStale`].
    pub fn version(&self, now: Now) -> Result<u64, AppError> {
        Ok(self.keys(now)?.1)
    }

    fn keys(&self, now: Now) -> Result<(Arc<KeySet>, u64), AppError> {
        self.source.keys(now.mono_ms).ok_or_else(|| {
            let text = format!(
                "the keys of `{}` could not be read within the last {}",
                self.file.issuer, self.file.keep
            );
            AppError::new(Reason::IssuerKeysStale, text)
        })
    }

    /// Who holds the token `text`.
    ///
    /// # Errors
    /// [`Reason::Unauthenticated`] with why; [`Reason::TokenAudience`]; [`Reason::IssuerKeysStale`].
    pub fn principal(&self, text: &str, now: Now) -> Result<Checked, AppError> {
        let signed = Signed::read(text).map_err(refused)?;
        if !self.file.algorithms.contains(&signed.algorithm) {
            return Err(refused(
                "the token is signed with an algorithm that is not accepted here",
            ));
        }
        let (set, version) = self.keys(now)?;
        if !set.fitting(&signed).any(|key| key.signed(&signed)) {
            return Err(refused("the token is not signed by the issuer"));
        }
        let claims = signed.claims().map_err(refused)?;
        let principal = self.claimed(&claims, now.wall)?;
        Ok(Checked {
            principal,
            keys: version,
        })
    }

    /// What the claims of a token that the issuer signed are worth.
    fn claimed(&self, claims: &Value, now: Timestamp) -> Result<Principal, AppError> {
        let text = |name: &str| claims[name].as_str();
        if text("iss") != Some(&self.file.issuer) {
            return Err(refused("the token is of another issuer"));
        }
        let ours = match &claims["aud"] {
            Value::String(one) => *one == self.file.audience,
            Value::Array(several) => several.iter().any(|one| *one == *self.file.audience),
            _ => false,
        };
        if !ours {
            let text = format!("the token is not made for `{}`", self.file.audience);
            return Err(AppError::new(Reason::TokenAudience, text).with("error", "invalid_token"));
        }
        let until = self.lives(claims, now)?;
        let (name, person) = self.people(claims)?;
        let mut scopes: BTreeSet<Scope> = self
            .words(claims)
            .filter_map(|word| self.file.roles.get(word))
            .flat_map(|role| role.scopes().iter().copied())
            .collect();
        if person.is_some() {
            scopes.retain(|s| !matches!(s, Scope::ApprovalDecide | Scope::Admin));
        }
        Ok(Principal {
            name,
            agent: person.is_some(),
            acts_for: person,
            scopes,
            means: Means::Issuer(text("jti").filter(|id| is_id(id)).map(str::to_owned)),
            until: Some(until),
        })
    }

    /// Until when the token is valid (RFC 7519, section 4.1). A token says from when on, by `nbf` or `iat`.
    fn lives(&self, claims: &Value, now: Timestamp) -> Result<Timestamp, AppError> {
        let date = |name: &str| match &claims[name] {
            Value::Null => Ok(None),
            value => jws::date(value)
                .map(Some)
                .ok_or_else(|| refused(format!("the token's `{name}` is no date"))),
        };
        let (expires, from, issued) = (date("exp")?, date("nbf")?, date("iat")?);
        let expires = expires.ok_or_else(|| refused("the token has no end: no `exp`"))?;
        let until = expires.after(self.file.leeway);
        if until <= now {
            return Err(refused(format!("the token has expired at {expires}")));
        }
        let Some(begin) = from.max(issued) else {
            return Err(refused(
                "the token does not say from when on it holds: neither `nbf` nor `iat`",
            ));
        };
        if begin > now.after(self.file.leeway) {
            return Err(refused(format!("the token holds from {begin} on")));
        }
        Ok(until)
    }

    /// Who acts, and the person for whom, where a program acts.
    fn people(&self, claims: &Value) -> Result<(String, Option<String>), AppError> {
        let named = |claim: &str, value: &Value| {
            let name = value.as_str().filter(|name| is_person_name(name));
            name.map(str::to_owned).ok_or_else(|| {
                refused(format!(
                    "the token's `{claim}` is no name that records can carry"
                ))
            })
        };
        let subject = named("sub", &claims["sub"]);
        // A program that shows a token of its own has its own id for a subject (RFC 9068, section 2.2).
        let alone = claims["sub"].as_str().is_some_and(|sub| {
            let of = |claim: &str| claims[claim].as_str() == Some(sub);
            of("client_id") || of("azp") || self.file.agents.contains_key(sub)
        });
        let actor = &claims[self.file.agent_claim.as_str()];
        if alone {
            let program = subject?;
            let person = self.file.agents.get(&program).cloned();
            let person = person.ok_or_else(|| {
                refused("the token is a program's, with no person that it acts for")
            })?;
            return Ok((program, Some(person)));
        }
        let person = named(
            &self.file.name_claim,
            &claims[self.file.name_claim.as_str()],
        )?;
        let claim = self.file.agent_claim.as_str();
        let agent = match actor {
            Value::Null => return Ok((person, None)),
            Value::Object(fields) => fields.get("sub").unwrap_or(&Value::Null),
            other => other,
        };
        let agent = named(claim, agent)?;
        if agent.eq_ignore_ascii_case(&person) {
            let text = format!("the token's `{claim}` names the person that it acts for");
            return Err(refused(text));
        }
        Ok((agent, Some(person)))
    }

    /// The issuer's words for what the person is.
    fn words<'c>(&self, claims: &'c Value) -> impl Iterator<Item = &'c str> + use<'c> {
        // A claim's name may have dots of its own, as names that are URLs have.
        let whole = claims.get(&self.file.roles_claim);
        let found = whole.or_else(|| {
            let mut steps = self.file.roles_claim.split('.');
            steps.try_fold(claims, |at, step| at.get(step))
        });
        let (one, several) = match found {
            Some(Value::String(words)) => (words.as_str(), &[][..]),
            Some(Value::Array(several)) => ("", several.as_slice()),
            _ => ("", &[][..]),
        };
        let several = several.iter().filter_map(Value::as_str);
        one.split_whitespace().chain(several)
    }

    /// How far the issuer's clock may differ.
    pub fn leeway(&self) -> Span {
        self.file.leeway
    }
}

fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
