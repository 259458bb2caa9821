//! The evidence files of a run, each judged by its kind.

use super::Judgement;
use crate::Status;
use crate::audit;
use crate::audit::captured::RunFiles;
use crate::evidence::{self, DiaryRules, Input, PerformanceRules, Window, finding};
use crate::spec::{EvidenceFormat, EvidenceSpec, RunSpec};
use crate::summary::Summary;

/// Judges one file, or says why it could not be read; a file that could not be kept is not the same as one that was never written.
pub(super) fn evidence_of(
    spec: &RunSpec,
    declared: &EvidenceSpec,
    files: &dyn RunFiles,
    how: &Judgement,
    (window, grown): (Option<Window>, Option<f64>),
    summary: &mut Summary,
) {
    let path = declared.path.as_str();
    let opened =
        files
            .open(&format!("evidence/{}", declared.name))
            .and_then(|source| match source {
                None => Ok(None),
                Some(source) => source.size().map(|size| Some((source, size))),
            });
    let opened = match opened {
        Ok(None) => match unreadable(files, &declared.name) {
            None => Ok(None),
            Some(why) => Err(why),
        },
        Ok(opened) => Ok(opened),
        Err(e) => Err(e.to_string()),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(e) => {
            let name = match declared.format {
                EvidenceFormat::Diary => "the decision diary".to_owned(),
                EvidenceFormat::Performance => "performance evidence".to_owned(),
                _ => format!("evidence `{}`", declared.name),
            };
            let text = format!("{name} ({path}) cannot be read: {e}");
            summary
                .unreadable
                .push(finding(Status::Fail, "evidence_unreadable", path, text));
            return;
        }
    };
    let input = Input {
        path,
        source: opened.as_ref().map(|(source, size)| {
            Box::new(audit::reader_of(source.as_ref(), *size)) as Box<dyn std::io::Read>
        }),
    };
    match (declared.format, declared.name.as_str()) {
        (EvidenceFormat::Diary, "diary") => {
            let rules = DiaryRules {
                window,
                min_entries: declared.min_entries,
                min_entries_per_day: declared.min_entries_per_day,
                daily_severity: declared.daily_gap_severity,
                time_pointer: declared.time_pointer.clone(),
                judged_at: Some(how.evaluated_at),
            };
            if let Some((diary, bad)) = evidence::diary(input, &rules) {
                summary.diary = Some(diary);
                summary.unreadable.extend(bad);
            } else if declared.required && !spec.criteria.require_diary {
                summary.unreadable.push(finding(
                    Status::Fail,
                    "diary_missing",
                    path,
                    format!("the decision diary ({path}) is missing"),
                ));
            }
        }
        (EvidenceFormat::Performance, "performance") => {
            let rules = PerformanceRules {
                window,
                minimum_sharpe: spec.criteria.minimum_sharpe_ratio,
                judged_at: Some(how.evaluated_at),
            };
            if let Some((performance, bad)) = evidence::performance(input, &rules) {
                summary.performance = Some(performance);
                summary.unreadable.extend(bad);
            } else if declared.required && !spec.criteria.require_performance {
                summary.unreadable.push(finding(
                    Status::Fail,
                    "performance_missing",
                    path,
                    format!("performance evidence ({path}) is missing"),
                ));
            }
        }
        _ => summary.evidence.push(evidence::declared(
            input,
            declared,
            window,
            Some(how.evaluated_at),
            grown,
        )),
    }
}

/// Why a file that was there could not be kept, if that was so: it is not the same as a file that was never written.
fn unreadable(files: &dyn RunFiles, name: &str) -> Option<String> {
    const MOST: u64 = 4096;
    let source = match files.open(&format!("evidence/{name}.unreadable")) {
        Ok(source) => source?,
        Err(e) => return Some(e.to_string()),
    };
    let mut bytes = Vec::new();
    let size = source.size().map_or(MOST, |size| size.min(MOST));
    let mut reader = audit::reader_of(source.as_ref(), size);
    if let Err(e) = std::io::Read::read_to_end(&mut reader, &mut bytes) {
        return Some(e.to_string());
    }
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Some(if text.is_empty() {
        "why is not known".to_owned()
    } else {
        text
    })
}
