//! A repository with suites, and what tests do with its shards.

use std::path::{Path, PathBuf};
use std::process::Command;

use gonogo_core::Digest;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::project::finish;
use crate::screen::Ran;

/// Four suites of tests, and the build that all of them need.
pub(crate) const CONFIG: &str = r#"service = "shop"

[suite]
min_free = "1MiB"
min_free_temp = "1MiB"
min_free_inodes = "0%"

[suites.compile]
class = "build"
command = ["sh", "-c", "echo built"]

[suites.alpha]
class = "unit"
format = "tap"
command = ["sh", "tests.sh", "alpha"]

[suites.beta]
class = "unit"
format = "tap"
command = ["sh", "tests.sh", "beta"]

[suites.delta]
class = "unit"
format = "tap"
command = ["sh", "tests.sh", "delta"]

[suites.gamma]
class = "recorded"
format = "tap"
command = ["sh", "tests.sh", "gamma"]
"#;

/// A suite's command: two tests, the second of which fails where a file says so.
const TESTS: &str = r#"echo 1..2
echo "ok 1 - $1 first"
if [ -f "broken-$1" ]; then echo "not ok 2 - $1 second"; exit 1; fi
echo "ok 2 - $1 second"
"#;

/// A checkout on a machine of its own.
pub(crate) struct Work {
    pub(crate) lab: Lab,
}

impl Work {
    /// A checkout of one commit.
    pub(crate) fn new() -> Self {
        Self::with(CONFIG)
    }

    /// One with this configuration.
    pub(crate) fn with(config: &str) -> Self {
        Self::of(config, &[])
    }

    /// One with this configuration and these files.
    pub(crate) fn of(config: &str, files: &[(&str, &str)]) -> Self {
        let lab = Lab::with(config);
        lab.write("tests.sh", TESTS);
        for (name, text) in files {
            lab.write(name, text);
        }
        let work = Self { lab };
        work.git(&["init", "--quiet", "--initial-branch=main"]);
        work.commit();
        work
    }

    /// Commits everything that is there.
    #[track_caller]
    pub(crate) fn commit(&self) {
        self.git(&["add", "--all"]);
        let who = ["-c", "user.name=them", "-c", "user.email=them@localhost"];
        let what = ["commit", "--quiet", "--message", "all"];
        self.git(&[&who[..], &what[..]].concat());
    }

    #[track_caller]
    fn git(&self, args: &[&str]) {
        let mut command = Command::new("git");
        self.lab.surround(&mut command);
        let status = command.args(args).status().unwrap();
        assert!(status.success(), "git {args:?}");
    }

    /// `gonogo` with these arguments.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.lab.bare(args), args)
    }

    /// The answer of `gonogo … --json`, which must end with `exit`.
    #[track_caller]
    pub(crate) fn answer(&self, args: &[&str], exit: i32) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        ran.expect(exit);
        ran.envelope()["data"].clone()
    }

    /// Runs a shard of the profile `ci` and gives its directory.
    #[track_caller]
    pub(crate) fn shard(&self, index: u32, total: u32, exit: i32) -> String {
        self.shard_with(index, total, &[], exit)
    }

    /// As [`Self::shard`], with more flags.
    #[track_caller]
    pub(crate) fn shard_with(&self, index: u32, total: u32, more: &[&str], exit: i32) -> String {
        let (index, total) = (index.to_string(), total.to_string());
        let own = ["--shard-index", &index, "--shard-total", &total];
        self.ran(&[&own, more].concat(), exit)
    }

    /// Runs the profile `ci` with these flags and gives the directory.
    #[track_caller]
    pub(crate) fn ran(&self, flags: &[&str], exit: i32) -> String {
        let args = [&["suite", "run", "--profile", "ci"], flags].concat();
        let data = self.answer(&args, exit);
        data["directory"].as_str().unwrap().to_owned()
    }

    /// Merges, and gives the answer.
    #[track_caller]
    pub(crate) fn merge(&self, runs: &[&str], exit: i32) -> Value {
        self.answer(&[&["suite", "merge"], runs].concat(), exit)
    }

    /// Directories of runs here.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(self.lab.path(".gonogo/runs/suite"))
            .into_iter()
            .flatten()
            .map(|e| e.unwrap().path())
            .collect();
        found.sort();
        found
    }

    /// Merges what must be refused: no run is written, and these are the reasons. Gives the texts.
    #[track_caller]
    pub(crate) fn refuses(&self, runs: &[&str], reasons: &[&str]) -> String {
        let before = self.runs();
        let data = self.merge(runs, 3);
        assert_eq!(data["complete"], json!(false));
        let faults = data["proof"]["faults"].as_array().unwrap();
        let mut found: Vec<&str> = faults
            .iter()
            .map(|f| f["reason"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        found.dedup();
        let mut wanted = reasons.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{faults:#?}");
        assert_eq!(self.runs(), before, "a refused merge wrote a run");
        let texts: Vec<String> = faults
            .iter()
            .map(|f| {
                format!(
                    "{} {}",
                    f["item"].as_str().unwrap_or(""),
                    f["text"].as_str().unwrap()
                )
            })
            .collect();
        texts.join("\n")
    }
}

/// A JSON file.
#[track_caller]
pub(crate) fn json_of(dir: &str, name: &str) -> Value {
    let path = Path::new(dir).join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Writes a JSON file of a run and its list anew, as somebody would who forges an artifact.
#[track_caller]
pub(crate) fn forge(dir: &str, name: &str, change: impl FnOnce(&mut Value)) {
    let mut value = json_of(dir, name);
    change(&mut value);
    let bytes = serde_json::to_vec_pretty(&value).unwrap();
    std::fs::write(Path::new(dir).join(name), &bytes).unwrap();
    let mut files = json_of(dir, "files.json");
    let list = files["files"].as_array_mut().unwrap();
    let entry = list.iter_mut().find(|f| f["path"] == json!(name)).unwrap();
    entry["size"] = json!(bytes.len());
    entry["sha256"] = json!(Digest::of(&bytes));
    let bytes = serde_json::to_vec_pretty(&files).unwrap();
    std::fs::write(Path::new(dir).join("files.json"), bytes).unwrap();
}

/// Names of the targets of a list of results.
pub(crate) fn targets(summary: &Value) -> Vec<String> {
    ["build", "lint", "unit_targets", "suites"]
        .iter()
        .flat_map(|list| summary[*list].as_array().unwrap())
        .map(|t| t["target"].as_str().unwrap().to_owned())
        .collect()
}
