//! Following a run in the terminal that started it: signals go to the run, its progress is shown as it is written.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gonogo_app::dry_run::running::{Asked, Follower};
use gonogo_app::dry_run::serving::LiveServer;
use gonogo_capture::Ask;
use gonogo_core::Reason;
use gonogo_dryrun::progress::Progress;
use gonogo_dryrun::spec::RunSpec;
use gonogo_dryrun::watch;

use crate::screen::{Screen, Tone};

/// A run in the foreground.
pub(super) struct Foreground<'a> {
    screen: &'a Screen,
    signals: Vec<(Ask, Arc<AtomicUsize>, usize)>,
    rotate: Arc<AtomicBool>,
    progress: Option<PathBuf>,
    seen: u64,
    watcher: watch::Watcher,
    serve: Option<SocketAddr>,
    server: Option<LiveServer>,
    looks: u32,
    /// Whether the frame is drawn over itself.
    live: bool,
    drawn: usize,
}

impl<'a> Foreground<'a> {
    /// From now on SIGINT, SIGTERM and SIGHUP end the run, not the harness; SIGALRM begins a new log segment.
    pub(super) fn new(screen: &'a Screen, serve: Option<SocketAddr>) -> Self {
        use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM};
        let mut signals = Vec::new();
        let asks = [
            (Ask::Interrupt, SIGINT),
            (Ask::Terminate, SIGTERM),
            (Ask::HangUp, SIGHUP),
        ];
        for (ask, number) in asks {
            let count = Arc::new(AtomicUsize::new(0));
            let seen = Arc::clone(&count);
            // Without the handler the signal ends the harness, and the keeper then ends the run.
            let _ = counted(number, seen);
            signals.push((ask, count, 0));
        }
        let rotate = Arc::new(AtomicBool::new(false));
        let _ = signal_hook::flag::register(SIGALRM, Arc::clone(&rotate));
        Self {
            screen,
            signals,
            rotate,
            progress: None,
            seen: 0,
            watcher: watch::Watcher::default(),
            serve,
            server: None,
            looks: 0,
            live: std::io::stderr().is_terminal() && !screen.quiet && !screen.json,
            drawn: 0,
        }
    }

    fn show(&mut self, progress: &Progress) {
        let options = watch::Options {
            width: width(),
            colour: self.screen.paints(),
            ..watch::Options::default()
        };
        if self.live {
            let Some(text) = self.watcher.frame(progress, &options) else {
                return;
            };
            let mut err = std::io::stderr().lock();
            if self.drawn > 0 {
                let _ = write!(err, "\x1b[{}A\x1b[J", self.drawn);
            }
            self.drawn = text.lines().count();
            let _ = write!(err, "{text}");
            let _ = err.flush();
        } else if let Some(text) = self.watcher.plain(progress, &options) {
            self.screen.talk(text.trim_end());
        }
    }
}

/// Counts a signal: the second one of a kind means more than the first.
fn counted(number: i32, count: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([number])?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for _ in signals.forever() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        })?;
    Ok(())
}

/// Serves a progress file as a live page until what comes back is dropped.
pub(super) fn serve(
    path: &Path,
    address: SocketAddr,
    screen: &Screen,
) -> Result<LiveServer, gonogo_app::AppError> {
    let server = LiveServer::start(address, path.to_owned(), &[])
        .map_err(|e| gonogo_app::AppError::new(Reason::ArgumentInvalid, e.to_string()))?;
    screen.talk(&format!("  live page  {}", server.url()));
    if server.is_public() {
        screen.talk(
            "  whoever reaches this address can read the run's incidents, with what they quote",
        );
    }
    Ok(server)
}

/// Columns of the terminal, as it says; 80 if it does not.
pub(super) fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns >= 20)
        .unwrap_or(80)
}

/// Reads a progress file. Writers replace it whole, so what is there is whole.
pub(super) fn read_progress(path: &Path) -> Result<Progress, String> {
    let file = gonogo_app::dry_run::keeping::open_file(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    use std::io::Read;
    file.take(256 << 20)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map_err(|e| e.to_string())
}

impl Follower for Foreground<'_> {
    fn begun(&mut self, spec: &RunSpec, dir: &Path) {
        self.progress = spec.progress_path.as_ref().map(PathBuf::from);
        let command = gonogo_dryrun::review::escape::visible(&spec.command.join(" "));
        self.screen.talk(&format!(
            "{} runs `{command}` for {}",
            self.screen.paint(Tone::Strong, &spec.run_id),
            watch::duration::humanised(spec.target_seconds),
        ));
        self.screen.talk(&format!("  raw bytes  {}", dir.display()));
        if let Some(path) = &spec.progress_path {
            self.screen.talk(&format!("  progress   {path}"));
        }
        let target = gonogo_core::Span::from_millis((spec.target_seconds * 1000.0) as u64);
        for rule in &spec.lines.allow {
            if rule.expires <= spec.created_at.after(target) {
                let text = format!(
                    "  the rule `{}` of {} accepts nothing from {} on",
                    rule.name, rule.owner, rule.expires
                );
                self.screen.talk(&self.screen.paint(Tone::Wait, &text));
            }
        }
        if let (Some(address), Some(path)) = (self.serve, &self.progress) {
            match serve(path, address, self.screen) {
                Ok(server) => self.server = Some(server),
                // The run goes on: a page is not worth three days.
                Err(e) => self.screen.talk(&format!("no live page: {e}")),
            }
        }
        self.screen
            .talk("  Ctrl-C ends the run and gives the verdict; a second one hurries");
    }

    fn look(&mut self, _: &RunSpec) -> Asked {
        for (ask, count, told) in &mut self.signals {
            let now = count.load(Ordering::SeqCst);
            if now > *told {
                *told += 1;
                return Asked::End(*ask);
            }
        }
        if self.rotate.swap(false, Ordering::SeqCst) {
            return Asked::Rotate;
        }
        self.looks += 1;
        // Twice a second is enough for eyes.
        if self.looks.is_multiple_of(10)
            && let Some(path) = &self.progress
            && let Ok(progress) = read_progress(path)
            && progress.sequence > self.seen
        {
            self.seen = progress.sequence;
            self.show(&progress);
        }
        Asked::Nothing
    }

    fn told(&mut self, news: &str) {
        self.drawn = 0;
        self.screen.talk(&self.screen.paint(Tone::Wait, news));
    }

    fn judging(&mut self, _: &RunSpec) {
        self.drawn = 0;
        self.screen.talk("the child has ended; judging");
    }
}
