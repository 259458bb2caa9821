//! What a process can do wrong to the machine around it: die, grow, burn, leave children behind.
//!
//! Everything here ends: threads with the run, grandchildren some time after it, however it ended.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit, setsid};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

use crate::{Options, time};

/// What is kept until the run ends.
#[derive(Default)]
pub(crate) struct Faults {
    memory: Vec<Vec<u8>>,
    burners: Vec<(usize, Arc<AtomicBool>)>,
    /// Each holds the writing end of its child's stdin: that it closes tells the child that we ended.
    children: Vec<Child>,
}

impl Faults {
    /// Takes so many MiB more and writes to them, so that they count as resident.
    pub(crate) fn grow(&mut self, mib: u64) {
        for _ in 0..mib {
            self.memory.push(vec![1; 1 << 20]);
        }
    }

    /// Burns `percent` of one core on behalf of the injection `id`, until [`Faults::cool`] is called for it.
    pub(crate) fn burn(&mut self, id: usize, percent: u64) -> io::Result<()> {
        if self.burners.iter().any(|b| b.0 == id) {
            return Ok(());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let threads = percent.div_ceil(100);
        let busy = Duration::from_micros(500 * percent / threads);
        for _ in 0..threads {
            let stop = Arc::clone(&stop);
            thread::Builder::new()
                .name("burner".to_owned())
                .spawn(move || burn(&stop, busy))?;
        }
        self.burners.push((id, stop));
        Ok(())
    }

    /// Stops what `id` burns.
    pub(crate) fn cool(&mut self, id: usize) {
        self.burners.retain(|(of, stop)| {
            if *of == id {
                stop.store(true, Ordering::Relaxed);
            }
            *of != id
        });
    }

    /// Starts a child that keeps stdout and stderr for so much `longer` than this process lives.
    pub(crate) fn leave(
        &mut self,
        options: &Options,
        longer: Duration,
        own_session: bool,
    ) -> io::Result<()> {
        let Some((program, first)) = options.again.split_first() else {
            return Err(io::Error::other(
                "it is not known how this program is started again",
            ));
        };
        let mut command = Command::new(program);
        command
            .args(first)
            .arg("--hold-pipes")
            .arg(longer.as_secs_f64().to_string())
            .stdin(Stdio::piped());
        if own_session {
            command.arg("--own-session");
        }
        self.children.push(command.spawn()?);
        Ok(())
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        for (_, stop) in &self.burners {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Burns `busy` of each 50 ms.
fn burn(stop: &AtomicBool, busy: Duration) {
    let window = Duration::from_millis(50);
    while !stop.load(Ordering::Relaxed) {
        let began = time::now();
        while began.elapsed() < busy {
            std::hint::spin_loop();
        }
        thread::sleep(window.saturating_sub(busy));
    }
}

/// The grandchild: waits for the end of stdin, then so much longer. It has inherited the streams and prints nothing.
pub(crate) fn hold_pipes(longer: Duration, own_session: bool) -> io::Result<()> {
    if own_session {
        // Fails only for the leader of a group, which has what it asks for.
        let _ = setsid();
    }
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ignored))?;
    }
    let mut stdin = io::stdin().lock();
    let mut buffer = [0; 64];
    while stdin.read(&mut buffer)? > 0 {}
    thread::sleep(longer);
    Ok(())
}

/// Ends this process by a signal, as if nothing had ever been done about that signal. Leaves no core file.
pub(crate) fn die_by(signal: i32) -> ! {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    std::process::abort()
}

/// How this program is started again: itself, and what leads to [`crate::main_with`] in it.
pub(crate) fn again(leading: &[&str]) -> Vec<std::ffi::OsString> {
    let program = std::env::current_exe();
    program.map_or_else(
        |_| Vec::new(),
        |program| {
            let leading = leading.iter().map(|a| OsStr::new(a).to_owned());
            std::iter::once(program.into_os_string())
                .chain(leading)
                .collect()
        },
    )
}
