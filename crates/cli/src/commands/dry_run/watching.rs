//! `dry-run watch`: a frame that is drawn over itself in a terminal, one line for each change elsewhere, a page for browsers.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gonogo_app::AppError;
use gonogo_core::{Exit, Reason};
use gonogo_dryrun::Status;
use gonogo_dryrun::progress::{Phase, Progress};
use gonogo_dryrun::watch;

use super::super::Answer;
use super::follow::{read_progress, width};
use crate::args::dry_run::WatchRun;
use crate::screen::Screen;

/// How often signals are looked at while waiting.
const LOOK: Duration = Duration::from_millis(50);

/// How long something that is no progress may lie where progress is expected.
const ODD: Duration = Duration::from_secs(10);

/// The exit code of a command that Ctrl-C ended, as shells have it.
const INTERRUPTED: u8 = 130;

pub(super) fn watch(a: &WatchRun, screen: &Screen) -> Answer {
    if !a.interval.is_finite() || a.interval <= 0.0 || a.interval > 86_400.0 {
        let text = "--interval must be more than 0 and at most a day";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let path = find(&super::super::here()?.join(&a.progress));
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    let _server = a
        .serve
        .map(|address| super::follow::serve(&path, address, screen))
        .transpose()?;
    let mut watcher = watch::Watcher::default();
    let mut drawn = 0;
    let mut missing = false;
    let mut odd_for = Duration::ZERO;
    loop {
        match read_progress(&path) {
            Ok(progress) => {
                (missing, odd_for) = (false, Duration::ZERO);
                show(a, screen, &path, &progress, &mut watcher, &mut drawn);
                let complete = progress.phase == Phase::Complete;
                if a.once || (complete && a.exit_when_complete) {
                    screen.answer(
                        "dry_run_watch",
                        serde_json::to_value(&progress).unwrap_or_default(),
                    );
                    return Ok(match complete && a.exit_when_complete {
                        true => super::exit(
                            watch::verdict(&progress).unwrap_or(Status::Invalid),
                            a.treat_warn_as_error,
                        ),
                        false => Exit::Done,
                    });
                }
            }
            Err(e) if a.once => {
                let text = format!("`{}` holds no progress: {e}", path.display());
                return Err(AppError::new(Reason::InputNotFound, text)
                    .hint("give the progress file, or the directory of the run"));
            }
            // Writers replace the file whole, so what is no progress for so long will not become any.
            Err(e) if odd_for >= ODD => {
                let text = format!("`{}` holds no progress: {e}", path.display());
                return Err(AppError::new(Reason::InputMalformed, text)
                    .hint("give the progress file, or the directory of the run"));
            }
            Err(e) => {
                if !missing {
                    screen.talk(&format!("no progress yet in {}: {e}", path.display()));
                }
                missing = true;
            }
        }
        let mut left = Duration::from_secs_f64(a.interval);
        if missing && path.symlink_metadata().is_ok() {
            odd_for += left;
        }
        while !left.is_zero() {
            if stop.load(Ordering::SeqCst) {
                std::process::exit(i32::from(INTERRUPTED));
            }
            let now = left.min(LOOK);
            std::thread::sleep(now);
            left -= now;
        }
    }
}

/// The progress file, or the one in a directory.
fn find(given: &Path) -> PathBuf {
    if !given.is_dir() {
        return given.to_owned();
    }
    let plain = given.join("progress.json");
    if plain.is_file() {
        return plain;
    }
    let entries = std::fs::read_dir(given).into_iter().flatten();
    let mut named: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.to_string_lossy().ends_with("_progress.json"))
        .collect();
    // Names carry the time of the run: the last one is the newest.
    named.sort();
    named.pop().unwrap_or(plain)
}

/// How old a file is, seconds.
fn age(path: &Path) -> Option<f64> {
    let changed = path.metadata().and_then(|m| m.modified()).ok()?;
    Some(changed.elapsed().ok()?.as_secs_f64())
}

fn show(
    a: &WatchRun,
    screen: &Screen,
    path: &Path,
    progress: &Progress,
    watcher: &mut watch::Watcher,
    drawn: &mut usize,
) {
    if screen.json {
        return;
    }
    let terminal = std::io::stdout().is_terminal() && !a.once;
    let options = watch::Options {
        width: width(),
        colour: screen.paints(),
        max_incidents: if a.no_incidents { 0 } else { a.max_incidents },
        summary: !a.skip_summary,
        sign_off: !a.skip_sign_off,
        age_seconds: age(path),
        ..watch::Options::default()
    };
    let text = if terminal || a.once {
        watcher.frame(progress, &options)
    } else {
        watcher.plain(progress, &options)
    };
    let Some(text) = text else { return };
    if terminal {
        let mut out = std::io::stdout().lock();
        if *drawn > 0 {
            let _ = write!(out, "\x1b[{drawn}A\x1b[J");
        }
        *drawn = text.lines().count();
        let _ = write!(out, "{text}");
        let _ = out.flush();
    } else {
        screen.say(text.trim_end());
    }
}
