//! Reading a policy, line by line.

use std::collections::{HashMap, HashSet};

use super::{Group, MAX_PARTIES, MAX_POLICY, Member, NONE, Policy, PolicyLog, PolicyWitness};
use crate::cosignature;
use crate::error::Error;
use crate::note::{KeyKind, Vkey, parse_decimal};

pub(super) fn policy(text: &str) -> Result<Policy, Error> {
    if text.len() > MAX_POLICY {
        return Err(Error::Policy(format!("longer than {MAX_POLICY} bytes")));
    }
    let mut reader = Reader::default();
    let mut rest = text;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let at = |what: String| Error::Policy(format!("line {number}: {what}"));
        // A cut-off last line could name another, weaker quorum.
        let (line, tail) = rest
            .split_once('\n')
            .ok_or_else(|| at("not ended by a newline; the file may be cut off".into()))?;
        reader.line(line).map_err(at)?;
        rest = tail;
    }
    let quorum = reader.quorum.ok_or_else(|| {
        Error::Policy("no `quorum` line; write `quorum none` to ask for no witness".into())
    })?;
    Ok(Policy {
        logs: reader.logs,
        witnesses: reader.witnesses,
        groups: reader.groups,
        quorum,
    })
}

/// Says why `vkey` is not a log's key.
pub(super) fn check_log_key(vkey: &Vkey) -> Result<(), String> {
    if vkey.kind() == KeyKind::Ed25519 {
        return Ok(());
    }
    Err(format!(
        "key {} is of kind {}; a log's key is of kind {}",
        vkey.label(),
        vkey.kind(),
        KeyKind::Ed25519
    ))
}

#[derive(Default)]
struct Reader {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    names: HashMap<String, Member>,
    // Names that are in a group already.
    taken: HashSet<String>,
    quorum: Option<Option<Member>>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let control = |b: u8| (b < 0x20 && b != b'\t') || b == 0x7f;
        if line.bytes().any(control) {
            return Err("control characters other than tab and newline".into());
        }
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(keyword) = words.next().filter(|word| !word.starts_with('#')) else {
            return Ok(());
        };
        let words: Vec<&str> = words.collect();
        match (keyword, words.as_slice()) {
            ("log", [vkey]) => self.log(vkey, None),
            ("log", [vkey, url]) => self.log(vkey, Some(url)),
            ("witness", [name, vkey]) => self.witness(name, vkey, None),
            ("witness", [name, vkey, url]) => self.witness(name, vkey, Some(url)),
            ("group", [name, threshold, members @ ..]) => self.group(name, threshold, members),
            ("quorum", [name]) => self.quorum(name),
            ("log", _) => Err("expected `log <vkey> [<url>]`".into()),
            ("witness", _) => Err("expected `witness <name> <vkey> [<url>]`".into()),
            ("group", _) => Err("expected `group <name> all|any|<k> <name>...`".into()),
            ("quorum", _) => Err("expected `quorum <name>|none`".into()),
            (other, _) => Err(format!(
                "`{}` is none of `log`, `witness`, `group` and `quorum`",
                other.escape_debug()
            )),
        }
    }

    fn log(&mut self, vkey: &str, url: Option<&str>) -> Result<(), String> {
        let vkey = read_vkey(vkey)?;
        check_log_key(&vkey)?;
        check_count(self.logs.len(), "logs")?;
        if let Some(twin) = self.logs.iter().find(|l| l.vkey.public() == vkey.public()) {
            return Err(format!("the same key as log `{}`", twin.vkey.name()));
        }
        let witness = |w: &&PolicyWitness| w.vkey.public() == vkey.public();
        if let Some(witness) = self.witnesses.iter().find(witness) {
            return Err(own_witness(&witness.name, vkey.name()));
        }
        let url = url.map(str::to_owned);
        self.logs.push(PolicyLog { vkey, url });
        Ok(())
    }

    fn witness(&mut self, name: &str, vkey: &str, url: Option<&str>) -> Result<(), String> {
        let vkey = read_vkey(vkey)?;
        if !vkey.kind().cosigns() {
            return Err(format!(
                "key {} is of kind {}; a witness's key cosigns, as those of kind {} do",
                vkey.label(),
                vkey.kind(),
                KeyKind::Cosigner
            ));
        }
        cosignature::check_supported(&vkey).map_err(|e| e.to_string())?;
        check_count(self.witnesses.len(), "witnesses")?;
        // A type 04 cosignature does not bind the cosigner's name, so one key under two names would count twice.
        let twin = |w: &&PolicyWitness| w.vkey.public() == vkey.public();
        if let Some(twin) = self.witnesses.iter().find(twin) {
            return Err(format!("the same key as witness `{}`", twin.name));
        }
        let log = |l: &&PolicyLog| l.vkey.public() == vkey.public();
        if let Some(log) = self.logs.iter().find(log) {
            return Err(own_witness(name, log.vkey.name()));
        }
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(PolicyWitness {
            name: name.to_owned(),
            vkey,
            url: url.map(str::to_owned),
        });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), String> {
        check_count(self.groups.len(), "groups")?;
        if names.is_empty() {
            return Err(format!("group `{name}` has no members"));
        }
        let threshold = match threshold {
            "all" => names.len(),
            "any" => 1,
            k => parse_decimal(k)
                .and_then(|k| usize::try_from(k).ok())
                .filter(|k| (1..=names.len()).contains(k))
                .ok_or_else(|| {
                    format!(
                        "`{}` is none of `all`, `any` and a number from 1 to {}",
                        k.escape_debug(),
                        names.len()
                    )
                })?,
        };
        let mut members = Vec::with_capacity(names.len());
        for member in names {
            members.push(self.find(member)?);
            if !self.taken.insert((*member).to_owned()) {
                return Err(format!("`{member}` is in a group already"));
            }
        }
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group {
            name: name.to_owned(),
            threshold,
            members,
        });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("a second `quorum` line".into());
        }
        self.quorum = Some(match name {
            NONE => None,
            name => Some(self.find(name)?),
        });
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Member, String> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| {
            format!(
                "`{}` is no witness or group of an earlier line",
                name.escape_debug()
            )
        })
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), String> {
        if name == NONE {
            return Err("`none` is reserved for the quorum".into());
        }
        match self.names.insert(name.to_owned(), member) {
            None => Ok(()),
            Some(_) => Err(format!("`{name}` is defined already")),
        }
    }
}

/// A log that cosigns its own checkpoints tells nobody anything, and would meet a quorum that readers rely on.
fn own_witness(witness: &str, log: &str) -> String {
    format!(
        "witness `{}` has the key of log `{log}`, and a log is no witness of itself",
        witness.escape_debug()
    )
}

fn read_vkey(text: &str) -> Result<Vkey, String> {
    text.parse().map_err(|e: Error| e.to_string())
}

fn check_count(count: usize, what: &str) -> Result<(), String> {
    if count < MAX_PARTIES {
        return Ok(());
    }
    Err(format!("more than {MAX_PARTIES} {what}"))
}
