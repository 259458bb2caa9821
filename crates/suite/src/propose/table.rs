//! A proposal as tables of `gonogo.toml`.

use super::{Profile, Proposal, Target};

impl Proposal {
    /// The tables, with a comment on each target and all notes at the top.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        for note in &self.notes {
            comment(&mut out, note);
        }
        if !self.notes.is_empty() && !self.targets.is_empty() {
            out.push('\n');
        }
        for target in &self.targets {
            table(&mut out, target);
        }
        // In the order in which people name them.
        let order = ["quick", "focused", "ci", "full"];
        let own = self
            .profiles
            .keys()
            .map(String::as_str)
            .filter(|name| !order.contains(name));
        for name in order.into_iter().chain(own) {
            if let Some(profile) = self.profiles.get(name) {
                self::profile(&mut out, name, profile);
            }
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

/// What a file says may hold a line's end; a comment may not.
fn comment(out: &mut String, text: &str) {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    out.push_str("# ");
    out.push_str(&plain);
    out.push('\n');
}

fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| string(word)).collect();
    format!("[{}]", words.join(", "))
}

fn table(out: &mut String, target: &Target) {
    comment(out, &target.why);
    out.push_str(&format!("[suites.{}]\n", target.name));
    out.push_str(&format!("class = {}\n", string(target.class.word())));
    out.push_str(&format!("command = {}\n", list(&target.command)));
    if target.dir != "." {
        out.push_str(&format!("dir = {}\n", string(&target.dir)));
    }
    out.push_str(&format!("format = {}\n", string(&target.format)));
    if !target.env.is_empty() {
        let pairs: Vec<String> = target
            .env
            .iter()
            .map(|(name, value)| format!("{name} = {}", string(value)))
            .collect();
        out.push_str(&format!("env = {{ {} }}\n", pairs.join(", ")));
    }
    if !target.reports.is_empty() {
        out.push_str(&format!("reports = {}\n", list(&target.reports)));
    }
    out.push_str(&format!("timeout = {}\n", string(&target.timeout)));
    out.push_str(&format!("tools = {}\n\n", list(&target.tools)));
}

fn profile(out: &mut String, name: &str, profile: &Profile) {
    out.push_str(&format!("[profiles.{name}]\n"));
    if !profile.suites.is_empty() {
        out.push_str(&format!("suites = {}\n", list(&profile.suites)));
    }
    if !profile.classes.is_empty() {
        let words: Vec<String> = profile
            .classes
            .iter()
            .map(|c| c.word().to_owned())
            .collect();
        out.push_str(&format!("classes = {}\n", list(&words)));
    }
    out.push('\n');
}
