//! Studies: what value of a parameter is best, and what would be worth making better.
//!
//! A sweep runs a budget's command with each value of each parameter in its environment, all of them in turn, the other parameters left
//! alone; a matrix is made from what is recorded of this very tree. Invariants: the series that a study follows from are kept and recorded
//! beside it; what failed, is missing or too old blocks the study, and what is blocked chooses and ranks nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Exit, Reason, Span, Timestamp, Verdict};
use gonogo_exec::measure::{Subject, in_turn};
use gonogo_suite::perf::budget::{Series, SeriesFile};
use gonogo_suite::perf::study::{
    Named, OpportunityMatrix, ParameterSweep, Source, Stage, StudyDemand, StudyVerdict, candidate,
    judge_matrix, judge_sweep,
};
use gonogo_suite::perf::{Direction, Statistic};
use gonogo_suite::run::Source as TreeSource;
use serde::Serialize;
use serde_json::json;

use super::trees::{Trees, Way};
use super::{Begun, evidence, measuring, stream};
use crate::AppError;
use crate::config::{Config, OpportunityFile, PerfFile, SweepFile};
use crate::home::{Book, Home};
use crate::workspace::{make_dir, write_atomic};

/// The record of studies.
pub const RECORD: &str = "perf-study";

/// A sweep, in the directory of its name.
pub const SWEEP: &str = "parameter_sweeps.json";

/// A matrix, in the directory of its name.
pub const MATRIX: &str = "opportunity_matrix.json";

/// What a study follows from, beside it.
const SERIES: &str = "series.json";

/// How old a study may be when it is judged, which is when it was made.
const FRESH: Span = Span::from_secs(3600);

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// These sweeps and matrices; all that are declared if empty.
    pub names: Vec<String>,
    /// What ties it to other runs.
    pub correlation_id: Option<String>,
    /// Whether one study is wanted, for one file.
    pub one: bool,
}

/// A study with its verdict.
#[derive(Debug, Serialize)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// What it is worth.
    #[serde(flatten)]
    pub verdict: StudyVerdict,
    /// The sweep, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<ParameterSweep>,
    /// The matrix, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<OpportunityMatrix>,
    /// The bytes that are kept.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// Studies that were kept.
#[derive(Debug)]
pub struct Studied {
    /// By name.
    pub studies: Vec<Study>,
    /// Their directory.
    pub dir: PathBuf,
    /// Their record.
    pub record: u64,
}

impl Studied {
    /// How a command ends with them: as the worst does.
    pub fn exit(&self) -> Exit {
        let worst = self.studies.iter().max_by_key(|s| s.verdict.verdict);
        match worst {
            Some(s) if s.verdict.verdict == Verdict::Pass => Exit::Done,
            Some(s) => s.verdict.reason.exit(),
            None => Exit::Unjudged,
        }
    }
}

/// Everything of one call.
struct Call<'a> {
    home: &'a Home,
    config: &'a Config,
    run_id: String,
    correlation_id: String,
    now: Timestamp,
    host: String,
    head: TreeSource,
    dir: PathBuf,
}

/// Sweeps and ranks. `tell` is told what is done now.
///
/// # Errors
/// Configuration, an unknown name, files that cannot be written; the ledger's and git's faults.
pub fn study(home: &Home, ask: &Ask, tell: &mut dyn FnMut(&str)) -> Result<Studied, AppError> {
    let config = super::configured(home)?;
    let known: Vec<&String> = config
        .sweeps
        .keys()
        .chain(config.opportunities.keys())
        .collect();
    if known.is_empty() {
        let text = format!(
            "`{}` declares no sweep and no opportunity",
            config.path.display()
        );
        return Err(AppError::new(Reason::PolicyUndefined, text).hint(
            "begin one with `[perf.sweep.NAME]` or `[perf.opportunity.NAME]`; `gonogo help config` shows the keys",
        ));
    }
    if let Some(name) = ask.names.iter().find(|n| !known.contains(n)) {
        let known: Vec<&str> = known.iter().map(|n| n.as_str()).collect();
        let text = format!("no sweep and no opportunity has the name `{name}`");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint(format!("known: {}", known.join(", "))));
    }
    let wanted = |name: &&String| ask.names.is_empty() || ask.names.contains(name);
    if ask.one && known.iter().filter(|n| wanted(n)).count() > 1 {
        let text = "one file cannot hold several studies";
        return Err(AppError::new(Reason::ArgumentInvalid, text).hint("name one of them"));
    }
    let now = home.clock.now().wall;
    let usual = || format!("{}-sweep", crate::dry_run::running::slug(now));
    let correlation_id = crate::suite::running::correlation_id(ask.correlation_id.clone(), usual)?;
    let Begun {
        tree,
        head,
        host,
        run_id,
        dir,
    } = super::begin(home, config)?;
    let mut trees = Trees::new(config, &tree, &dir);
    let mut call = Call {
        home,
        config,
        run_id,
        correlation_id,
        now,
        host,
        head,
        dir,
    };
    let mut studies = Vec::new();
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for (name, file) in config.sweeps.iter().filter(|(n, _)| wanted(n)) {
        let values: usize = file
            .dimensions
            .iter()
            .map(|d| d.candidate_values.len())
            .sum();
        tell(&format!(
            "{name}: {} runs of {values} values in turn",
            file.runs
        ));
        let (study, series) = sweep(&mut call, name, file, &mut trees)?;
        parts.extend([study.bytes.clone(), series]);
        studies.push(study);
    }
    drop(trees);
    let book = home.open(&home.here)?;
    for (name, file) in config.opportunities.iter().filter(|(n, _)| wanted(n)) {
        let (study, series) = matrix(&call, name, file, &book)?;
        parts.extend([study.bytes.clone(), series]);
        studies.push(study);
    }
    for bytes in &parts {
        book.ledger.put_blob(bytes)?;
    }
    let told: BTreeMap<&str, serde_json::Value> = studies
        .iter()
        .map(|s| {
            let study = Digest::of(&s.bytes);
            let told =
                json!({"study": study, "verdict": s.verdict.verdict, "reason": s.verdict.reason});
            (s.name.as_str(), told)
        })
        .collect();
    let root = home.root();
    let body = json!({
        "run": call.run_id,
        "tree": call.head.tree,
        "commit": call.head.commit,
        "studies": told,
        "directory": call.dir.strip_prefix(&root).unwrap_or(&call.dir),
    });
    let subject = studies
        .iter()
        .map(|s| (s.name.clone(), Digest::of(&s.bytes)))
        .collect();
    let actor = home.actor()?;
    let at = home.clock.now().wall;
    let receipt = book.append(&stream(&call.run_id), RECORD, at, &actor, subject, body)?;
    Ok(Studied {
        studies,
        dir: call.dir,
        record: receipt.index,
    })
}

impl Call<'_> {
    /// Keeps the series of a study, and says what it is named by.
    fn keep(&self, name: &str, series: &[Series]) -> Result<(Named, PathBuf, Vec<u8>), AppError> {
        let at = self.dir.join(name);
        make_dir(&at)?;
        let file = SeriesFile {
            schema: SeriesFile::SCHEMA.into(),
            series: series.to_vec(),
        };
        let bytes = super::bytes_of("the series", &file)?;
        write_atomic(&at.join(SERIES), &bytes)?;
        let named = Named {
            run_id: self.run_id.clone(),
            correlation_id: self.correlation_id.clone(),
            at: self.now,
            source: Source {
                artifact: SeriesFile::SCHEMA.into(),
                path: format!("{name}/{SERIES}"),
                digest: Digest::of(&bytes),
            },
        };
        Ok((named, at, bytes))
    }

    fn demand(&self, named: &Named) -> StudyDemand {
        StudyDemand {
            source: named.source.digest,
            freshness: FRESH,
            judged_at: self.now,
        }
    }
}

fn budget<'a>(config: &'a Config, name: &str) -> Result<&'a PerfFile, AppError> {
    config.perf.get(name).ok_or_else(|| {
        let text = format!("no budget has the name `{name}`");
        AppError::new(Reason::ConfigValue, text)
    })
}

fn sweep(
    call: &mut Call<'_>,
    name: &str,
    file: &SweepFile,
    trees: &mut Trees<'_>,
) -> Result<(Study, Vec<u8>), AppError> {
    let own = budget(call.config, &file.budget)?;
    let mut blocked = Vec::new();
    let series = match trees.ready(&Way::of(own), "head", &call.head)? {
        Ok(subject) => match tried(call, file, own, &subject) {
            Ok(series) => series,
            Err(why) => {
                blocked.push(why);
                Vec::new()
            }
        },
        Err(why) => {
            blocked.push(why);
            Vec::new()
        }
    };
    call.now = call.home.clock.now().wall;
    let (named, at, kept) = call.keep(name, &series)?;
    let demand = call.demand(&named);
    let objective = format!(
        "{} of `{}` in {}, the {} the better",
        Statistic::P50.word(),
        own.metric,
        own.unit,
        match own.direction {
            Direction::AtMost => "less",
            Direction::AtLeast => "more",
        }
    );
    let by = (own.direction, Statistic::P50);
    let found = ParameterSweep::derive(named, &objective, &file.dimensions, &series, by, blocked);
    let bytes = write(&at.join(SWEEP), &found)?;
    let study = Study {
        name: name.to_owned(),
        verdict: judge_sweep(&found, &demand),
        sweep: Some(found),
        matrix: None,
        bytes,
    };
    Ok((study, kept))
}

fn write<T: Serialize>(path: &Path, study: &T) -> Result<Vec<u8>, AppError> {
    let bytes = super::bytes_of("the study", study)?;
    write_atomic(path, &bytes)?;
    Ok(bytes)
}

/// Runs every value of every parameter in turn, round after round; each round begins with another.
fn tried(
    call: &Call<'_>,
    file: &SweepFile,
    own: &PerfFile,
    subject: &Subject,
) -> Result<Vec<Series>, String> {
    let mut names = Vec::new();
    let mut subjects = Vec::new();
    for dimension in &file.dimensions {
        for value in &dimension.candidate_values {
            let mut with = subject.clone();
            with.env.insert(dimension.name.clone(), value.to_string());
            names.push(candidate(&dimension.name, *value));
            subjects.push(with);
        }
    }
    let many = subjects.len();
    let order: Vec<usize> = (0..file.runs)
        .flat_map(|round| (0..many).map(move |at| (round + at) % many))
        .collect();
    let subjects: Vec<&Subject> = subjects.iter().collect();
    let taken = in_turn(&subjects, &order, &measuring::terms(own)).map_err(|e| e.to_string())?;
    let mut samples = vec![Vec::new(); many];
    for (at, taken) in order.into_iter().zip(taken) {
        let figure = measuring::figure(own.figure, &taken).ok_or(measuring::NO_FIGURE)?;
        samples[at].push(figure);
    }
    let measured_at = call.home.clock.now().wall;
    let all = names.into_iter().zip(samples);
    Ok(all
        .map(|(metric, samples)| Series {
            metric,
            unit: own.unit.clone(),
            tree: call.head.tree.clone(),
            host_class: call.host.clone(),
            measured_at,
            source: format!("{}/{}", call.run_id, file.budget),
            samples,
        })
        .collect())
}

fn matrix(
    call: &Call<'_>,
    name: &str,
    file: &OpportunityFile,
    book: &Book,
) -> Result<(Study, Vec<u8>), AppError> {
    let mut blocked = Vec::new();
    let mut series: Vec<Series> = Vec::new();
    let stage = |stage: &str, name: &str, effort: f64| -> Result<Stage, AppError> {
        Ok(Stage {
            name: stage.to_owned(),
            metric: name.to_owned(),
            statistic: budget(call.config, name)?.statistic,
            effort,
        })
    };
    let whole = stage("whole", &file.whole, 1.0)?;
    let mut stages = Vec::new();
    for (word, own) in &file.stages {
        stages.push(stage(word, &own.budget, own.effort)?);
    }
    let mut names: Vec<&str> = stages.iter().map(|s| s.metric.as_str()).collect();
    names.push(&whole.metric);
    names.sort_unstable();
    names.dedup();
    for name in names {
        match recorded(call, name, book)? {
            Ok(found) => series.push(found),
            Err(why) => blocked.push(why),
        }
    }
    let (named, at, kept) = call.keep(name, &series)?;
    let demand = call.demand(&named);
    let found = OpportunityMatrix::derive(named, &whole, &stages, &series, blocked);
    let bytes = write(&at.join(MATRIX), &found)?;
    let study = Study {
        name: name.to_owned(),
        verdict: judge_matrix(&found, &demand),
        sweep: None,
        matrix: Some(found),
        bytes,
    };
    Ok((study, kept))
}

/// The newest recorded series of a budget on this tree, under the budget's name; or why there is none that counts.
fn recorded(call: &Call<'_>, name: &str, book: &Book) -> Result<Result<Series, String>, AppError> {
    let file = budget(call.config, name)?;
    let declared = super::declared(name, file);
    for record in evidence::records(book)?.iter().rev() {
        let tree = record.body.get("tree").and_then(serde_json::Value::as_str);
        let is_of = evidence::names(record).iter().any(|n| n == name);
        let counts = file.command.is_empty() || evidence::is_measured(record);
        if tree != Some(&call.head.tree) || !is_of || !counts {
            continue;
        }
        let read = match evidence::read(book, record) {
            Ok(read) => read,
            Err((why, _)) => return Ok(Err(format!("record {} of `{name}`: {why}", record.index))),
        };
        let run = &read.derived.run;
        if !run
            .outcomes
            .iter()
            .any(|o| o.budget == name && o.declared == declared)
        {
            continue;
        }
        let mut all = read.derived.series().into_iter();
        let own = all.find(|s| s.metric == file.metric && s.unit == file.unit);
        let Some(own) = own.filter(|s| s.tree == call.head.tree) else {
            return Ok(Err(format!("the newest run of `{name}` has no samples")));
        };
        if call.now.since(own.measured_at) > file.freshness {
            let text = format!("`{name}` was measured at {}", own.measured_at);
            return Ok(Err(text));
        }
        return Ok(Ok(Series {
            metric: name.to_owned(),
            ..own
        }));
    }
    Ok(Err(format!(
        "`{name}` was not measured on this tree: gonogo perf run {name}"
    )))
}
