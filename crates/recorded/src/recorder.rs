//! A run of the recorder: ports, variables for the child, and the thread on which everything happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gonogo_core::{Clock, Now};
use http::header::HeaderMap;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use crate::authority::Authority;
use crate::body::{Sent, Tee, Way};
use crate::cassette;
use crate::door::{Door, listen, own, text_body};
use crate::draft::{Held, Log, locked};
use crate::error::Error;
use crate::keep;
use crate::matching::Rules;
use crate::origin::Origin;
use crate::playback::Player;
use crate::redact::{Redactor, Secrets, Tally};
use crate::report::{End, LISTED, Mismatch, Report};
use crate::settings::{Action, Settings};
use crate::spool::Vault;
use crate::upstream::{self, Upstream};

/// What all connections of a run share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started: Now,
    pub(crate) redactor: Redactor,
    pub(crate) rules: Rules,
    pub(crate) log: Arc<Log>,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) authority: Option<Authority>,
    pub(crate) player: Option<Player>,
    pub(crate) secrets: Mutex<Secrets>,
    pub(crate) noted: Mutex<Noted>,
    pub(crate) requests: AtomicU64,
    /// Whether exchanges were still under way when the run ended.
    pub(crate) cut_short: AtomicBool,
}

/// What is said in the report.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    pub(crate) refused: Vec<String>,
    pub(crate) refused_count: u64,
    pub(crate) mismatches: Vec<Mismatch>,
    pub(crate) mismatch_count: u64,
    pub(crate) tally: Tally,
}

impl Shared {
    /// Counts a request and learns its secrets.
    pub(crate) fn learn(&self, url: &str, headers: &HeaderMap) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let mut secrets = locked(&self.secrets);
        self.redactor.learn(url, headers, &mut secrets);
    }

    /// All secrets so far.
    pub(crate) fn known(&self) -> Secrets {
        let mut secrets = locked(&self.secrets);
        *secrets = std::mem::take(&mut *secrets).prepared();
        secrets.clone()
    }

    pub(crate) fn count(&self, tally: &Tally) {
        let mut noted = locked(&self.noted);
        for (kind, n) in tally {
            *noted.tally.entry(*kind).or_default() += n;
        }
    }

    pub(crate) fn note_mismatch(&self, mismatch: Mismatch) {
        let mut noted = locked(&self.noted);
        noted.mismatch_count += 1;
        if noted.mismatches.len() < LISTED {
            noted.mismatches.push(mismatch);
        }
    }

    pub(crate) fn note_refused(&self, text: impl Into<String>) {
        let mut noted = locked(&self.noted);
        noted.refused_count += 1;
        if noted.refused.len() < LISTED {
            noted.refused.push(text.into());
        }
    }

    /// Notes and answers a request that cannot be recorded at all.
    pub(crate) fn refuse(&self, status: StatusCode, text: impl Into<String>) -> Response<Sent> {
        let text = text.into();
        let answer = own(status, &text_body("RECORDING_REFUSED", &text));
        self.note_refused(text);
        answer
    }

    pub(crate) fn tee(self: &Arc<Self>, body: Incoming, held: &Held, way: Way, limit: u64) -> Tee {
        let clock = Arc::clone(&self.clock);
        let idle = self.settings.limits.idle.to_std();
        Tee::new(body, held.clone(), way, limit, idle, move || {
            clock.now().mono_ms
        })
    }
}

/// A recorder that runs. Dropping it without [`Recorder::stop`] saves nothing.
pub struct Recorder {
    action: Action,
    environment: BTreeMap<String, String>,
    services: BTreeMap<String, SocketAddr>,
    forward: Option<SocketAddr>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Removed with its files at the end.
    _certificates: Option<TempDir>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("action", &self.action)
            .field("services", &self.services)
            .field("forward", &self.forward)
            .finish_non_exhaustive()
    }
}

/// Opens the ports on the loopback address and serves them from a thread of its own.
///
/// # Errors
/// [`Error`] for settings that cannot be used, a cassette that is missing, invalid or in the way, and ports or files that cannot be
/// opened. Nothing was changed then.
pub fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Recorder, Error> {
    if settings.upstreams.is_empty() && !settings.forward {
        let why = "neither a named service nor the forward proxy is asked for, so nothing could be recorded";
        return Err(Error::setting("upstreams", why));
    }
    check(&settings)?;
    let services = services(&settings)?;
    let redactor = Redactor::new(&settings.redaction)?;
    let rules = Rules::new(&settings.matching)?;
    let action = settings.action()?;
    let started = clock.now();
    let player = match action {
        Action::Playback => {
            let tape = cassette::read(&settings.cassette, settings.limits.cassette)?;
            Some(Player::new(tape, &rules, &redactor, settings.limits.body)?)
        }
        Action::Record => None,
    };
    let needs_roots = settings.forward || action == Action::Record;
    let roots = if needs_roots {
        upstream::roots(settings.upstream_roots.as_deref())?
    } else {
        Vec::new()
    };
    let upstream = match action {
        Action::Record => Some(upstream::client(&settings, &roots)?),
        Action::Playback => None,
    };
    let authority = if settings.forward {
        Some(Authority::new(started.wall)?)
    } else {
        None
    };
    let certificates = match &authority {
        Some(authority) => Some(authority.write(&roots)?),
        None => None,
    };
    let vault = Vault::new().map_err(Error::io("make a file for bodies on their way"))?;
    let mut doors = Vec::new();
    let mut addresses = BTreeMap::new();
    let mut environment = BTreeMap::new();
    for (name, (variable, origin)) in services {
        let (listener, address) = open()?;
        environment.insert(variable, format!("http://{address}"));
        addresses.insert(name, address);
        doors.push((listener, Door::Service(origin)));
    }
    let mut forward = None;
    if settings.forward {
        let (listener, address) = open()?;
        forward = Some(address);
        doors.push((listener, Door::Forward));
        let dir = certificates.as_ref().map(TempDir::path);
        environment.extend(proxy_environment(address, settings.loopback, dir));
    }
    let shared = Arc::new(Shared {
        secrets: Mutex::new(redactor.known().prepared()),
        settings,
        clock,
        started,
        redactor,
        rules,
        log: Arc::new(Log::new(vault)),
        upstream,
        authority,
        player,
        noted: Mutex::new(Noted::default()),
        requests: AtomicU64::new(0),
        cut_short: AtomicBool::new(false),
    });
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start the proxy's event loop"))?;
    let own = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("recorded".into())
        .spawn(move || {
            runtime.block_on(run(doors, own, stopped));
            // Whatever still goes on ends here, and is written down as it is.
            drop(runtime);
        })
        .map_err(Error::io("start the proxy's thread"))?;
    Ok(Recorder {
        action,
        environment,
        services: addresses,
        forward,
        shared,
        stop: Some(stop),
        thread: Some(thread),
        _certificates: certificates,
    })
}

fn check(settings: &Settings) -> Result<(), Error> {
    // The folder of large bodies has the same name with another ending.
    if settings.cassette.extension().is_none_or(|e| e != "json") {
        let name = settings.cassette.display();
        return Err(Error::setting(
            format!("cassette `{name}`"),
            "expected a name that ends in `.json`",
        ));
    }
    if settings.loopback && !settings.upstreams.is_empty() {
        let why = "requests to a named service would go through both doors and be recorded twice";
        return Err(Error::setting("loopback together with named services", why));
    }
    if settings.limits.connections == 0 || settings.limits.interactions == 0 {
        return Err(Error::setting("limits", "none of them may be 0"));
    }
    Ok(())
}

async fn run(
    doors: Vec<(std::net::TcpListener, Door)>,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(shared.settings.limits.connections));
    for (listener, door) in doors {
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                tokio::spawn(listen(
                    listener,
                    door,
                    Arc::clone(&shared),
                    Arc::clone(&places),
                ));
            }
            Err(e) => shared.note_refused(format!("a port cannot be served: {e}")),
        }
    }
    // A sender that is gone is an end too.
    let _ = stopped.await;
    let drain = shared.settings.limits.drain.to_std();
    if tokio::time::timeout(drain, shared.log.settled())
        .await
        .is_err()
    {
        shared.cut_short.store(true, Ordering::SeqCst);
    }
}

impl Recorder {
    /// What is done.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The variables for the child, to be added to its environment.
    #[must_use]
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The port of each named service.
    #[must_use]
    pub fn services(&self) -> &BTreeMap<String, SocketAddr> {
        &self.services
    }

    /// The forward proxy's port.
    #[must_use]
    pub fn forward(&self) -> Option<SocketAddr> {
        self.forward
    }

    /// Ends the run: waits for what is under way, saves a recording that is whole, and judges.
    ///
    /// # Errors
    /// [`Error::Io`] if the cassette cannot be written, [`Error::Exists`] if one came into being meanwhile. What is wrong with the run
    /// itself is in the report.
    pub fn stop(mut self, end: End) -> Result<Report, Error> {
        self.join();
        keep::conclude(&self.shared, self.action, end)
    }

    fn join(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that is gone needs no word.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.shared.note_refused("the proxy's thread ended badly");
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.join();
    }
}

fn open() -> Result<(std::net::TcpListener, SocketAddr), Error> {
    let open = || {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    open().map_err(Error::io("open a port on the loopback address"))
}

type Services = BTreeMap<String, (String, Origin)>;

fn services(settings: &Settings) -> Result<Services, Error> {
    let (mut found, mut variables) = (Services::new(), BTreeSet::new());
    for (name, url) in &settings.upstreams {
        let good = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 32
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if !good {
            let shown: String = name.chars().take(40).collect();
            let why =
                "expected a lower-case letter and then letters, digits, `-` and `_`, 32 at most";
            return Err(Error::setting(format!("upstream name `{shown}`"), why));
        }
        let variable = format!(
            "GONOGO_RECORDED_{}",
            name.to_ascii_uppercase().replace('-', "_")
        );
        if !variables.insert(variable.clone()) {
            let why = format!("another one has the variable `{variable}` already");
            return Err(Error::setting(format!("upstream name `{name}`"), why));
        }
        found.insert(name.clone(), (variable, Origin::parse(name, url)?));
    }
    Ok(found)
}

/// The variables that clients of many languages take their proxy and their roots from.
fn proxy_environment(
    address: SocketAddr,
    loopback: bool,
    dir: Option<&Path>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut set = |names: &[&str], value: &str| {
        for name in names {
            all.insert((*name).to_owned(), value.to_owned());
        }
    };
    let proxy = format!("http://{address}");
    set(
        &["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"],
        &proxy,
    );
    let direct = if loopback {
        ""
    } else {
        "localhost,127.0.0.1,::1"
    };
    set(&["NO_PROXY", "no_proxy"], direct);
    // Node 24 and 22.21 take their proxy from the environment only then.
    set(&["NODE_USE_ENV_PROXY"], "1");
    if let Some(dir) = dir {
        let bundle = dir.join("bundle.pem").display().to_string();
        set(
            &[
                "SSL_CERT_FILE",
                "REQUESTS_CA_BUNDLE",
                "CURL_CA_BUNDLE",
                "GIT_SSL_CAINFO",
            ],
            &bundle,
        );
        // This one adds to the roots that Node has.
        set(
            &["NODE_EXTRA_CA_CERTS"],
            &dir.join("ca.pem").display().to_string(),
        );
    }
    all
}
