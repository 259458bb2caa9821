//! `[server]` and `[oidc]`: who is let in, and how often they may ask.
//!
//! Invariant: no secret stands here; whoever issues tokens keeps the secret keys, and passwords are hashed in the store.

use std::collections::BTreeMap;

use gonogo_core::Span;

use super::keys::{ALGORITHMS, OIDC, SERVER};
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::{name, secret};
use crate::access::Role;
use crate::access::limits::Rate;
use crate::access::sessions::Lives;

/// `[server]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFile {
    /// Names under which the server may be asked for.
    pub hosts: Vec<String>,
    /// Requests in one name.
    pub requests: Rate,
    /// Requests from one address that show nobody who is let in.
    pub failures: Rate,
    /// Failed logins with one name.
    pub logins: Rate,
    /// How long sessions live.
    pub sessions: Lives,
}

impl Default for ServerFile {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            requests: Rate {
                burst: 4000,
                each_minute: 60_000,
            },
            failures: Rate {
                burst: 600,
                each_minute: 600,
            },
            logins: Rate {
                burst: 10,
                each_minute: 4,
            },
            sessions: Lives {
                idle: Span::from_secs(30 * 60),
                most: Span::from_secs(12 * 3600),
            },
        }
    }
}

/// `[oidc]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct OidcFile {
    pub issuer: String,
    pub audience: String,
    pub jwks: String,
    pub algorithms: Vec<String>,
    pub leeway: Span,
    pub name_claim: String,
    pub roles_claim: String,
    pub roles: BTreeMap<String, Role>,
    pub agent_claim: String,
    pub agents: BTreeMap<String, String>,
    pub refresh: Span,
    pub keep: Span,
}

/// Reads `[server]`.
pub(super) fn server(root: &Table<'_, '_>) -> ServerFile {
    let default = ServerFile::default();
    let Some(t) = root.table("server", &SERVER) else {
        return default;
    };
    let hosts = t.texts("hosts").map(|f| f.value).unwrap_or_default();
    for host in &hosts {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
        if host.value.is_empty() || !host.value.bytes().all(fits) {
            host.refuse(
                t.faults,
                "expected a host such as `gonogo.example.org` or `10.0.0.7:8627`, without a scheme",
            );
        }
    }
    ServerFile {
        hosts: hosts.into_iter().map(|h| h.value).collect(),
        requests: rate(&t, "requests", default.requests),
        failures: rate(&t, "failures", default.failures),
        logins: rate(&t, "logins", default.logins),
        sessions: Lives {
            idle: between(&t, "session_idle", (1, 86_400)),
            most: between(&t, "session_lives", (1, 30 * 86_400)),
        },
    }
}

fn rate(t: &Table<'_, '_>, what: &str, default: Rate) -> Rate {
    let read = |name: String, default: u32| {
        let Some(found) = t.count(&name) else {
            return default;
        };
        match u32::try_from(found.value).ok().filter(|n| *n > 0) {
            Some(n) => n,
            None => {
                found.refuse(t.faults, "expected 1 to 4294967295");
                default
            }
        }
    };
    Rate {
        burst: read(format!("{what}_burst"), default.burst),
        each_minute: read(format!("{what}_each_minute"), default.each_minute),
    }
}

fn between(t: &Table<'_, '_>, name: &str, (least, most): (u64, u64)) -> Span {
    let found: Found<Span> = defaulted(t, name);
    let (least, most) = (Span::from_secs(least), Span::from_secs(most));
    if !(least..=most).contains(&found.value) {
        found.refuse(t.faults, format!("expected {least} to {most}"));
    }
    found.value
}

/// Reads `[oidc]`.
pub(super) fn oidc(root: &Table<'_, '_>) -> Option<OidcFile> {
    let t = root.table("oidc", &OIDC)?;
    let needed = |name: &str| {
        let found = t.require(name).then(|| t.text(name)).flatten()?;
        if found.value.is_empty() {
            found.refuse(t.faults, "expected more than nothing");
        }
        Some(found)
    };
    let (issuer, audience, jwks) = (needed("issuer"), needed("audience"), needed("jwks"));
    if let Some(jwks) = &jwks {
        place(&t, jwks);
    }
    let algorithms = match t.texts("algorithms") {
        None => ALGORITHMS.iter().map(|a| (*a).to_owned()).collect(),
        Some(found) => {
            if found.value.is_empty() {
                found.refuse(t.faults, "expected at least one");
            }
            for one in &found.value {
                if !ALGORITHMS.contains(&one.value.as_str()) {
                    let text = format!("expected some of {}", ALGORITHMS.join(", "));
                    one.refuse(t.faults, text);
                }
            }
            found.value.into_iter().map(|f| f.value).collect()
        }
    };
    let mut roles = BTreeMap::new();
    for (word, found) in t.text_map("roles").unwrap_or_default() {
        match found.value.parse::<Role>() {
            Ok(role) => drop(roles.insert(word, role)),
            Err(e) => found.refuse_with(t.faults, e.message, e.hints),
        }
    }
    let mut agents = BTreeMap::new();
    for (agent, person) in t.text_map("agents").unwrap_or_default() {
        if !name::is_person_name(&person.value) || agent == person.value {
            person.refuse(
                t.faults,
                "expected the name of the person that the program acts for",
            );
        }
        agents.insert(agent, person.value);
    }
    t.require("roles");
    let claim = |name: &str, default: &str| match t.text(name) {
        None => default.to_owned(),
        Some(found) => {
            if found.value.is_empty() {
                found.refuse(t.faults, "expected a claim's name");
            }
            found.value
        }
    };
    let refresh = between(&t, "refresh", (10, 86_400));
    let keep: Found<Span> = defaulted(&t, "keep");
    if keep.value < refresh || keep.value > Span::from_secs(30 * 86_400) {
        keep.refuse(t.faults, format!("expected {refresh} (`refresh`) to 30d"));
    }
    Some(OidcFile {
        issuer: issuer?.value,
        audience: audience?.value,
        jwks: jwks?.value,
        algorithms,
        leeway: between(&t, "leeway", (0, 300)),
        name_claim: claim("name_claim", "sub"),
        roles_claim: claim("roles_claim", "roles"),
        roles,
        agent_claim: claim("agent_claim", "act"),
        agents,
        refresh,
        keep: keep.value,
    })
}

/// Refuses a place of keys that somebody on the way could answer for.
fn place(t: &Table<'_, '_>, jwks: &Found<String>) {
    if secret::is_secret_value(&jwks.value) {
        jwks.refuse(t.faults, "the URL holds what looks like a secret");
    }
    let Some((scheme, rest)) = jwks.value.split_once("://") else {
        return;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    match scheme {
        "https" if !host.is_empty() => {}
        "http" if matches!(host, "127.0.0.1" | "localhost" | "[::1]") => {}
        "http" => jwks.refuse(
            t.faults,
            "keys that come over `http` are anybody's: use `https`",
        ),
        _ => jwks.refuse(t.faults, "expected an `https` URL or a file"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    const BASE: &str = "service = \"shop\"\n[version]\nrun = [\"a\"]\n[environments.local]\ntarget = \"host\"\nlisten = \"127.0.0.1:1\"\ngates = \"none\"\napproval = \"self\"\n";

    fn read(more: &str) -> Result<Config, String> {
        let text = format!("{BASE}{more}");
        Config::parse(Path::new("gonogo.toml"), text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn without_sections_there_are_limits_and_no_issuer() {
        let config = read("").unwrap();
        assert_eq!(config.server, ServerFile::default());
        assert_eq!(config.oidc, None);
        // What the reference page says is what is read.
        assert_eq!(read("[server]\n").unwrap().server, ServerFile::default());
    }

    #[test]
    fn an_issuer_is_read_with_what_its_words_mean() {
        let oidc = read("[oidc]\nissuer = \"https://id.example\"\naudience = \"gonogo\"\njwks = \"keys.json\"\nroles = { ops = \"operator\" }\n")
            .unwrap()
            .oidc
            .unwrap();
        assert_eq!(oidc.roles, [("ops".to_owned(), Role::Operator)].into());
        assert_eq!(oidc.algorithms, ALGORITHMS);
        assert_eq!(
            (oidc.name_claim.as_str(), oidc.agent_claim.as_str()),
            ("sub", "act")
        );
        assert_eq!(oidc.keep, Span::from_secs(86_400));
    }

    #[test]
    fn what_would_let_others_in_is_refused() {
        let oidc = |more: &str| {
            read(&format!(
                "[oidc]\nissuer = \"https://id.example\"\naudience = \"gonogo\"\n{more}"
            ))
        };
        let roles = "roles = { ops = \"operator\" }\n";
        for bad in [
            format!("jwks = \"http://id.example/keys\"\n{roles}"),
            format!("jwks = \"http://127.0.0.1.evil.example/keys\"\n{roles}"),
            format!("jwks = \"ftp://id.example/keys\"\n{roles}"),
            format!("jwks = \"https://ada:secret@id.example/keys\"\n{roles}"),
            format!("jwks = \"\"\n{roles}"),
            roles.to_owned(),
            "jwks = \"keys.json\"\n".to_owned(),
            "jwks = \"keys.json\"\nroles = { ops = \"king\" }\n".to_owned(),
            format!("jwks = \"keys.json\"\nalgorithms = [\"none\"]\n{roles}"),
            format!("jwks = \"keys.json\"\nalgorithms = [\"HS256\"]\n{roles}"),
            format!("jwks = \"keys.json\"\nalgorithms = []\n{roles}"),
            format!("jwks = \"keys.json\"\nleeway = \"1h\"\n{roles}"),
            format!("jwks = \"keys.json\"\nkeep = \"1m\"\n{roles}"),
            format!("jwks = \"keys.json\"\nagents = {{ ci = \"ci\" }}\n{roles}"),
        ] {
            assert!(oidc(&bad).is_err(), "{bad}");
        }
        for good in [
            "jwks = \"https://id.example/keys\"\n",
            "jwks = \"http://127.0.0.1:8080/keys\"\n",
            "jwks = \"http://localhost/keys\"\n",
        ] {
            assert!(oidc(&format!("{good}{roles}")).is_ok(), "{good}");
        }
        assert!(read("[server]\nrequests_burst = 0\n").is_err());
        assert!(read("[server]\nsession_idle = \"2d\"\n").is_err());
        assert!(read("[server]\nhosts = [\"https://gonogo.example\"]\n").is_err());
    }
}
