//! The end of a run: redacts and saves what was recorded, or says why not; judges what was played.

use std::sync::atomic::Ordering;

use gonogo_core::Reason;

use crate::cassette::{self, Draft as Writer, Interaction, Request, Response};
use crate::coding::{Coding, decode};
use crate::draft::{Draft, Ended, Side, locked};
use crate::error::Error;
use crate::playback::Player;
use crate::recorder::Shared;
use crate::redact::{Secrets, Tally, apply, borders};
use crate::report::{self, End, LISTED, Report};
use crate::settings::Action;

/// Ends a run.
pub(crate) fn conclude(shared: &Shared, action: Action, end: End) -> Result<Report, Error> {
    let mut report = begin(shared, action);
    match &shared.player {
        Some(player) => judge(shared, player, end, &mut report),
        None => save(shared, end, &mut report)?,
    }
    report.redactions = locked(&shared.noted).tally.clone();
    Ok(report)
}

fn begin(shared: &Shared, action: Action) -> Report {
    let noted = locked(&shared.noted);
    Report {
        schema: report::SCHEMA.to_owned(),
        mode: action.to_string(),
        cassette: shared.settings.cassette.display().to_string(),
        digest: None,
        recorded_at: None,
        age_days: None,
        started_at: shared.started.wall,
        ended_at: shared.clock.now().wall,
        interactions: 0,
        requests: shared.requests.load(Ordering::SeqCst),
        used: 0,
        unused_count: 0,
        unused: Vec::new(),
        mismatch_count: noted.mismatch_count,
        mismatches: noted.mismatches.clone(),
        refused: noted.refused.clone(),
        upstream_errors: Vec::new(),
        client_left: 0,
        redactions: Tally::new(),
        saved: false,
        verdict: gonogo_core::Verdict::Pass,
        reasons: Vec::new(),
    }
}

fn judge(shared: &Shared, player: &Player, end: End, report: &mut Report) {
    let used = player.used();
    report.digest = Some(player.tape.digest);
    report.recorded_at = Some(player.tape.cassette.recorded_at);
    report.interactions = used.len() as u64;
    report.used = used.iter().filter(|n| **n > 0).count() as u64;
    report.unused_count = report.interactions - report.used;
    let unused = used.iter().enumerate().filter(|(_, n)| **n == 0);
    report.unused = unused.take(LISTED).map(|(n, _)| player.told(n)).collect();
    if report.mismatch_count > 0 {
        let first = report.mismatches.first();
        let first = first.map_or(String::new(), |m| {
            format!(", the first {} {}", m.method, m.url)
        });
        let text = format!(
            "{} requests were not in the recording{first}",
            report.mismatch_count
        );
        report.because(Reason::RecordingMismatch, text);
    }
    let refused = locked(&shared.noted).refused_count;
    if refused > 0 {
        let first = report.refused.first().cloned().unwrap_or_default();
        let text = format!("{refused} requests were refused, the first: {first}");
        report.because(Reason::RecordingMismatch, text);
    }
    if end == End::Interrupted {
        report.because(Reason::RunIncomplete, "the run was stopped before its end");
    }
    if report.requests == 0 {
        let text = "no request came, so nothing was tried against the recording";
        report.because(Reason::RecordingEmpty, text);
    } else if report.unused_count > 0 && !shared.settings.allow_unused {
        let first = report.unused.first();
        let first = first.map_or(String::new(), |t| {
            format!(", the first {} {}", t.method, t.url)
        });
        let text = format!(
            "{} of {} recorded exchanges were not asked for{first}",
            report.unused_count, report.interactions
        );
        report.because(Reason::RecordingUnused, text);
    }
    report.judge_age(shared.started.wall, shared.settings.max_age);
}

fn save(shared: &Shared, end: End, report: &mut Report) -> Result<(), Error> {
    let drafts = shared.log.take();
    report.interactions = drafts.len() as u64;
    report.recorded_at = Some(shared.started.wall);
    report.client_left = drafts.iter().filter(|d| cut(d)).count() as u64;
    let mut lost: Vec<String> = Vec::new();
    for draft in &drafts {
        if let Some(why) = broken(draft) {
            let url = quiet(shared, &draft.url);
            lost.push(format!("{} {url}: {why}", draft.method));
        }
    }
    report.upstream_errors = lost.iter().take(LISTED).cloned().collect();
    let refused = locked(&shared.noted).refused_count;
    let interrupted = end == End::Interrupted || shared.cut_short.load(Ordering::SeqCst);
    if interrupted {
        let text = "the recording was stopped before its end; nothing was saved";
        report.because(Reason::RecordingPartial, text);
    }
    if let Some(first) = lost.first() {
        let text = format!(
            "{} exchanges did not come to their end, the first: {first}; nothing was saved",
            lost.len()
        );
        report.because(Reason::RecordingPartial, text);
    }
    if refused > 0 {
        let first = report.refused.first().cloned().unwrap_or_default();
        let text =
            format!("{refused} requests were refused, the first: {first}; nothing was saved");
        report.because(Reason::RecordingPartial, text);
    }
    if locked(&shared.secrets).overflowed() {
        let text = "more secrets were seen than can be searched for; nothing was saved";
        report.because(Reason::RecordingPartial, text);
    }
    if drafts.is_empty() {
        report.because(Reason::RecordingEmpty, "no request came; nothing was saved");
    }
    if !report.reasons.is_empty() {
        return Ok(());
    }
    write(shared, &drafts, report)
}

fn write(shared: &Shared, drafts: &[Draft], report: &mut Report) -> Result<(), Error> {
    let settings = &shared.settings;
    let secrets = shared.known();
    let mut writer = Writer::new(&settings.cassette, shared.started.wall, &settings.limits)?;
    let mut tally = Tally::new();
    for draft in drafts {
        match interaction(shared, draft, &secrets, &mut tally, &mut writer)? {
            Ok(interaction) => writer.add(&interaction)?,
            Err(why) => {
                let url = quiet(shared, &draft.url);
                let text = format!("{} {url}: {why}; nothing was saved", draft.method);
                report.because(Reason::RecordingPartial, text);
                return Ok(());
            }
        }
    }
    shared.count(&tally);
    match cassette::write(writer, settings.replace, &secrets)? {
        Ok(digest) => {
            report.digest = Some(digest);
            report.saved = true;
        }
        Err(found) => {
            let text = format!("it would hold {}; nothing was saved", found.join(", "));
            report.because(Reason::RecordingLeak, text);
        }
    }
    Ok(())
}

/// An URL for a message.
fn quiet(shared: &Shared, url: &str) -> String {
    let secrets = shared.known();
    let url = shared.redactor.url(url, &secrets, &mut Tally::new());
    url.chars().take(300).collect()
}

/// Whether the client left before the answer's end.
fn cut(draft: &Draft) -> bool {
    draft.failed.is_none() && draft.status.is_some() && draft.response.ended == Ended::Left
}

fn broken(draft: &Draft) -> Option<String> {
    if let Some(why) = &draft.failed {
        return Some(why.clone());
    }
    match &draft.request.ended {
        Ended::Broken(why) => return Some(format!("the request's body: {why}")),
        Ended::Left => {
            return Some("the upstream did not read the request's body to its end".into());
        }
        Ended::Whole => {}
    }
    if draft.status.is_none() {
        return Some("the client left before there was an answer".into());
    }
    match &draft.response.ended {
        Ended::Broken(why) => Some(format!("the answer's body: {why}")),
        Ended::Left | Ended::Whole => None,
    }
}

type Told<T> = Result<T, String>;

fn interaction(
    shared: &Shared,
    draft: &Draft,
    secrets: &Secrets,
    tally: &mut Tally,
    writer: &mut Writer,
) -> Result<Told<Interaction>, Error> {
    let url = shared.redactor.url(&draft.url, secrets, tally);
    let method = draft.method.clone();
    let request = match side(shared, &draft.request, secrets, tally, writer)? {
        Ok(side) => side,
        Err(why) => return Ok(Err(format!("the request: {why}"))),
    };
    let response = match side(shared, &draft.response, secrets, tally, writer)? {
        Ok(side) => side,
        Err(why) => return Ok(Err(format!("the answer: {why}"))),
    };
    Ok(Ok(Interaction {
        repeat: shared.rules.repeats(&method, &url),
        request: Request {
            method,
            url,
            headers: request.headers,
            body: request.body,
            trailers: request.trailers,
            decoded: request.decoded,
        },
        response: Response {
            status: draft.status.map_or(0, |s| s.as_u16()),
            headers: response.headers,
            body: response.body,
            trailers: response.trailers,
            decoded: response.decoded,
            cut: cut(draft),
        },
    }))
}

struct Kept {
    headers: Vec<cassette::Field>,
    body: Option<cassette::Body>,
    trailers: Vec<cassette::Field>,
    decoded: Option<String>,
}

fn side(
    shared: &Shared,
    side: &Side,
    secrets: &Secrets,
    tally: &mut Tally,
    writer: &mut Writer,
) -> Result<Told<Kept>, Error> {
    let coding = Coding::of(&side.headers);
    let content_type = side
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok());
    let wide = content_type.is_some_and(|t| {
        let text = t.to_ascii_lowercase();
        text.contains("utf-16") || text.contains("utf-32")
    });
    let read = side.body.read(&shared.log.vault);
    let decoded =
        read.and_then(|(bytes, ends)| decode(&coding, bytes, ends, shared.settings.limits.body));
    let (bytes, ends) = match decoded {
        Ok(_) if wide => return Ok(Err("its character set cannot be looked into".into())),
        Ok(pieces) => pieces,
        Err(e) => return Ok(Err(format!("its body: {e}"))),
    };
    let mut headers = side.headers.clone();
    let mut name = None;
    if coding != Coding::Identity && !bytes.is_empty() {
        headers.remove("content-encoding");
        name = coding.name();
    }
    let edits = shared.redactor.edits(&bytes, content_type, secrets);
    let plain = apply(&bytes, &edits, tally);
    let moved = borders(ends.iter().map(|(end, _)| *end), &edits);
    let pauses = ends.iter().map(|(_, after_ms)| *after_ms);
    let ends: Vec<(usize, u64)> = moved.into_iter().zip(pauses).collect();
    drop(bytes);
    Ok(Ok(Kept {
        headers: shared.redactor.fields(&headers, secrets, tally),
        body: writer.body(&plain, &ends, secrets)?,
        trailers: shared.redactor.fields(&side.trailers, secrets, tally),
        decoded: name,
    }))
}
