//! What the recorder is told: the file's section, then the flags over it.

use std::path::Path;

use gonogo_core::{Reason, near};
use gonogo_recorded::{RedactionRules, Settings, truthy};

use super::Asked;
use crate::AppError;
use crate::config::RecordFile;
use crate::home::Home;

/// Puts the flags over the section.
pub(super) fn of(home: Option<&Home>, here: &Path, asked: &Asked) -> Result<Settings, AppError> {
    let mut settings = match (&asked.name, home) {
        (Some(name), Some(home)) => of_file(home, section(home, name)?)?,
        _ => match &asked.cassette {
            Some(path) => Settings::new(path),
            None => {
                let text = "no cassette is named";
                return Err(AppError::new(Reason::ArgumentInvalid, text)
                    .hint("name one with `--cassette FILE.json`")
                    .hint("or a `[record.NAME]` of gonogo.toml with `--name NAME`"));
            }
        },
    };
    if let Some(path) = &asked.cassette {
        settings.cassette = if path.is_absolute() || here == Path::new("") {
            path.clone()
        } else {
            here.join(path)
        };
    }
    settings.upstreams.extend(asked.upstreams.iter().cloned());
    settings.forward |= asked.forward || asked.loopback;
    settings.loopback |= asked.loopback;
    settings.allow_unused |= asked.allow_unused;
    settings.mode = asked.mode.unwrap_or(settings.mode);
    settings.max_age = asked.max_age.unwrap_or(settings.max_age);
    settings.replace = asked.replace;
    settings.ci = std::env::var("CI").is_ok_and(|text| truthy(&text));
    Ok(settings)
}

/// How a cassette is redacted: as the section says that names it, and by the built-in names alone if none does.
pub(super) fn redaction_of(home: &Home, cassette: &Path) -> Result<RedactionRules, AppError> {
    let Some(config) = &home.config else {
        return Ok(RedactionRules::default());
    };
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let own = real(cassette);
    let section = config
        .records
        .values()
        .find(|file| own.is_some() && real(&home.root().join(&file.cassette)) == own);
    match section {
        Some(file) => Ok(of_file(home, file)?.redaction),
        None => Ok(RedactionRules::default()),
    }
}

fn section<'a>(home: &'a Home, name: &str) -> Result<&'a RecordFile, AppError> {
    let Some(config) = &home.config else {
        let text =
            format!("there is no gonogo.toml here or above, so there is no `[record.{name}]`");
        return Err(AppError::new(Reason::ConfigNotFound, text)
            .hint("describe the recording there, or with `--cassette` and `--upstream`"));
    };
    config.records.get(name).ok_or_else(|| {
        let names: Vec<&str> = config.records.keys().map(String::as_str).collect();
        let path = config.path.display();
        let error = AppError::new(
            Reason::ArgumentInvalid,
            format!("`{path}` has no `[record.{name}]`"),
        );
        let error = match near::nearest(name, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        match names.is_empty() {
            true => error.hint("the file has none; `gonogo help config` shows the keys"),
            false => error.hint(format!("there are: {}", names.join(", "))),
        }
    })
}

fn of_file(home: &Home, file: &RecordFile) -> Result<Settings, AppError> {
    let root = home.root();
    let mut settings = Settings::new(root.join(&file.cassette));
    settings.mode = file.mode;
    settings.upstreams = file.upstreams.clone();
    settings.upstream_roots = file.upstream_roots.as_ref().map(|path| root.join(path));
    settings.forward = file.forward;
    settings.loopback = file.loopback;
    settings.timing = file.timing;
    settings.allow_unused = file.allow_unused;
    settings.max_age = file.max_age;
    settings.matching = file.matching.clone();
    settings.redaction = file.redaction.clone();
    for name in &file.values_of {
        match std::env::var(name) {
            Ok(value) if !value.is_empty() => settings.redaction.literals.push(value),
            Ok(_) | Err(std::env::VarError::NotPresent) => {}
            Err(e) => {
                let text = format!("the variable `{name}` of `values_of` cannot be read: {e}");
                return Err(AppError::new(Reason::ConfigValue, text)
                    .hint("its value could not be kept out of the recording"));
            }
        }
    }
    Ok(settings)
}
