//! HTTP: addresses from the registry, and the contract's own two.

mod challenge;
mod events;
mod guard;
mod observed;
mod reply;
mod request;
mod sessions;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, Method};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use gonogo_app::AppError;
use gonogo_app::access::admission::Admission;
use gonogo_app::access::{Principal, Scope};
use gonogo_app::config::ServerFile;
use gonogo_app::doors::{self, Done, Once, Route, TOOLS, Tool};
use gonogo_core::envelope::Class;
use gonogo_core::{Exit, Reason};
use gonogo_telemetry::Context;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::lanes::{Call, Lanes, Sight};
use crate::seen::{Kept, Seen};
pub(crate) use events::{Feed, look};
use gonogo_app::project::{FAULT, Generation};
pub(crate) use guard::{enter, host};
pub(crate) use observed::Looking;
pub(crate) use reply::{Reply, short, traced};
pub(crate) use request::{MOST, json as body_of, trace as trace_said};

/// The fields that stand in a path, or that they cannot be read.
type Fields = Result<RawPathParams, RawPathParamsRejection>;

/// How often it is looked whether what somebody waits for has ended.
const LOOK: Duration = Duration::from_millis(100);

/// How often it is looked again for a decision that others' records come before.
const LOOKS: usize = 50;

/// What every request is answered with.
pub(crate) struct Door {
    pub(crate) lanes: Lanes,
    /// Everybody's name, where the server was started for development.
    pub(crate) dev: Option<Principal>,
    /// Who is let in, and how often.
    pub(crate) admission: Admission,
    /// Held by whoever reads an issuer's keys: others wait for the same ones.
    pub(crate) reading_keys: tokio::sync::Mutex<()>,
    /// Places for passwords that are being checked, which takes memory and time.
    pub(crate) logins: tokio::sync::Semaphore,
    pub(crate) allow_apply: bool,
    pub(crate) feed: Feed,
    pub(crate) seen: Seen,
    /// Names under which it may be asked for.
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) looking: Looking,
}

impl Door {
    /// A door that nobody comes to from outside: for a caller on standard input.
    pub(crate) fn alone(project: Arc<gonogo_app::project::Project>, allow_apply: bool) -> Self {
        let (_, ended) = tokio::sync::watch::channel(true);
        Self {
            lanes: Lanes::new(project, String::new()),
            dev: None,
            allow_apply,
            feed: Feed::new(ended),
            seen: Seen::default(),
            hosts: BTreeSet::new(),
            looking: Looking::default(),
            admission: Admission::new(&ServerFile::default(), None, Path::new(".")),
            reading_keys: tokio::sync::Mutex::new(()),
            logins: tokio::sync::Semaphore::new(1),
        }
    }
}

/// Names under which a server may be asked for: its address, loopback's names where it is loopback, and `more`.
pub(crate) fn hosts(address: SocketAddr, more: Vec<String>) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = more.into_iter().map(|h| h.to_ascii_lowercase()).collect();
    let port = address.port();
    all.insert(address.to_string());
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            all.insert(format!("{name}:{port}"));
        }
    }
    // Nobody says the port that the scheme has anyway.
    if port == 80 {
        let bare: Vec<String> = all
            .iter()
            .filter_map(|h| h.strip_suffix(":80").map(str::to_owned))
            .collect();
        all.extend(bare);
    }
    all
}

/// The addresses.
pub(crate) fn router(door: Arc<Door>) -> Router {
    let mut router = Router::new()
        .route("/livez", on(MethodFilter::GET, livez))
        .route("/readyz", on(MethodFilter::GET, readyz))
        .route("/openapi.json", on(MethodFilter::GET, openapi))
        .route("/tools/invoke", on(MethodFilter::POST, invoke))
        .route("/v1/events", on(MethodFilter::GET, events::events))
        .route("/v1/sessions", on(MethodFilter::POST, sessions::begin))
        .route(
            "/v1/sessions/current",
            on(MethodFilter::GET, sessions::current).on(MethodFilter::DELETE, sessions::end),
        )
        .route("/metrics", on(MethodFilter::GET, observed::metrics));
    for tool in &TOOLS {
        for route in tool.facts.routes {
            let filter = match route.method {
                doors::Method::Get => MethodFilter::GET,
                doors::Method::Post => MethodFilter::POST,
            };
            let answer = move |State(door): State<Arc<Door>>, path: Fields, request: Request| {
                resource(door, tool, *route, path, request)
            };
            router = router.route(route.path, on(filter, answer));
        }
    }
    router = crate::mcp::routes(router)
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise);
    if door.admission.issuer.is_some() {
        router = router.layer(from_fn_with_state(Arc::clone(&door), guard::prepared));
    }
    let watch = from_fn_with_state(Arc::clone(&door), observed::watch);
    // What is too large is counted, too, and nothing else looks at it.
    let bounded = axum::middleware::from_fn(request::bounded);
    router.layer(bounded).layer(watch).with_state(door)
}

/// The one address of the listener that is for metrics alone.
pub(crate) fn metrics_router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/metrics", on(MethodFilter::GET, observed::open))
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise)
        .with_state(door)
}

async fn livez() -> Response {
    reply::plain(200, &json!({"status": "ok"}))
}

async fn openapi(State(door): State<Arc<Door>>) -> Response {
    // Anybody may ask, so it is made once.
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let anybody = door.dev.is_some();
    reply::plain(200, DOCUMENT.get_or_init(|| doors::openapi(anybody)))
}

/// Whether requests can be answered: the configuration can be read, and the store. Why not is told with its words to whoever may look, and
/// to everybody else by its reason: the words name files.
async fn readyz(State(door): State<Arc<Door>>, request: Request) -> Response {
    let project = door.lanes.project();
    let ready = project.config().map(drop).and_then(|()| {
        let open = project.root().store.open_operations();
        Ok(open.map(drop)?)
    });
    let mode = match door.dev {
        // Everybody who reaches it acts as its user: that must not go unnoticed.
        Some(_) => "localhost-dev",
        None => "authenticated",
    };
    let Err(e) = ready else {
        return reply::plain(200, &json!({"status": "ok", "mode": mode}));
    };
    door.lanes.warn(&e);
    let reason = e.others.first().unwrap_or(&e.reason);
    let mut told = json!({"status": "not ready", "mode": mode, "reason": reason});
    let (parts, _) = request.into_parts();
    let may = guard::who(&door, &parts).and_then(|who| who.must_have(Scope::Read));
    if may.is_ok() {
        let words = e.details[FAULT].as_str().unwrap_or(&e.message);
        told["text"] = json!(words);
    }
    reply::plain(503, &told)
}

async fn nowhere(request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let text = format!("nothing is at `{}`", reply::short(parts.uri.path()));
    let error = AppError::new(Reason::RouteUnknown, text);
    Reply::to(&parts.headers, "http", Class::Read).fail(&error)
}

async fn otherwise(request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let text = format!(
        "`{}` does not take {}",
        reply::short(parts.uri.path()),
        parts.method
    );
    let error = AppError::new(Reason::MethodRefused, text);
    Reply::to(&parts.headers, "http", Class::Read).fail(&error)
}

/// `POST /tools/invoke`: `{toolId, traceId?, input?}`.
async fn invoke(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut reply = Reply::to(&parts.headers, "tools_invoke", Class::Read);
    let principal = match guard::enter(&door, &parts) {
        Ok(principal) => principal,
        Err(e) => return reply.wrapped_fail(&e),
    };
    let sound = request::trace(&parts.headers)
        .and_then(|()| request::acceptable(&parts.headers, "application/json"));
    if let Err(e) = sound {
        return reply.wrapped_fail(&e);
    }
    let asked = match request::json(&parts.headers, body).await {
        Ok(asked) => asked,
        Err(e) => return reply.wrapped_fail(&e),
    };
    let asked = match request::invocation(asked) {
        Ok(asked) => asked,
        Err(e) => return reply.wrapped_fail(&e),
    };
    let request::Invocation {
        id,
        trace,
        input,
        timeout_ms,
    } = asked;
    if let Some(trace) = trace {
        reply.trace = trace;
    }
    let Some(tool) = doors::find(&id) else {
        let text = format!("no use case has the name `{}`", reply::short(&id));
        return reply.wrapped_fail(&AppError::new(Reason::ToolUnknown, text));
    };
    reply.of(tool);
    let within = match request::within(tool.facts.class, timeout_ms) {
        Ok(within) => within,
        Err(e) => return reply.wrapped_fail(&e),
    };
    let context = observed::context(&parts, &reply.trace);
    let answered = async {
        let mut input = input;
        request::with_key(tool, &mut input, &parts.headers)?;
        if parts.headers.contains_key(IF_MATCH) {
            return Err(untagged());
        }
        let once = once(&door, tool, &input, &principal, &parts.headers).await?;
        let once = match once {
            Before::Answered(done) => return Ok(done),
            Before::Not(once) => once,
        };
        let call = Call {
            tool,
            input,
            principal,
            trace: context.trace.clone(),
            within,
            seen: None,
            once,
        };
        carried_out(&door, call, &context).await
    };
    match answered.await {
        Ok(done) => reply.wrapped(200, done),
        Err(e) => reply.wrapped_fail(&e),
    }
}

/// What came of the same request before.
enum Before {
    /// This.
    Answered(Done),
    /// Nothing: what is done now is kept under the key, if there is one.
    Not(Option<Once>),
}

/// Whether the request was answered before, under the key of its header.
async fn once(
    door: &Door,
    tool: &Tool,
    input: &Value,
    principal: &Principal,
    headers: &HeaderMap,
) -> Result<Before, AppError> {
    let once = match request::key(headers)? {
        Some(key) => Once::of(tool, principal, key, input)?,
        None => None,
    };
    if let Some(once) = &once {
        // What would be refused anyway is told as that.
        tool.admit(input, principal)?;
        if let Some(done) = door.lanes.answered(once).await? {
            return Ok(Before::Answered(done));
        }
    }
    Ok(Before::Not(once))
}

/// Whether something of the request is recorded already.
async fn begun(door: &Door, once: &Option<Once>) -> Result<bool, AppError> {
    match once {
        Some(once) => door.lanes.is_begun(once).await,
        None => Ok(false),
    }
}

async fn resource(
    door: Arc<Door>,
    tool: &'static Tool,
    route: Route,
    path: Fields,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut reply = Reply::to(&parts.headers, tool.facts.name, tool.facts.class);
    reply.of(tool);
    let Ok(path) = path else {
        let text = "the path is not UTF-8 once its `%` are read";
        let error = AppError::new(Reason::InputMalformed, text).with("path", "$");
        return reply.fail(&error);
    };
    let context = observed::context(&parts, &reply.trace);
    let known = known(&door, tool, &parts);
    if let Known::Answered(kept) = &known {
        door.lanes.meter().begin(tool, context).end(None);
        return reply.kept(&parts.headers, kept);
    }
    let answered = async {
        let principal = guard::enter(&door, &parts)?;
        request::trace(&parts.headers)?;
        request::acceptable(&parts.headers, "application/json")?;
        let mut input = input(tool, &path, &parts, body).await?;
        let unless = Unless::of(tool, &route, &parts)?;
        if unless.is_some() {
            tool.admit(&input, &principal)?;
        }
        // What the request itself has changed since is no reason to refuse it now.
        let once = match once(&door, tool, &input, &principal, &parts.headers).await? {
            Before::Answered(done) => return Ok(done),
            Before::Not(once) => once,
        };
        let until = request::wait(tool, &mut input)?.map(|wait| Instant::now() + wait);
        let call = || Call {
            tool,
            input: input.clone(),
            principal: principal.clone(),
            trace: context.trace.clone(),
            within: None,
            seen: None,
            once: once.clone(),
        };
        let mut done = match unless {
            Some(unless) => match unless.carry_out(&door, &path, &context, &call).await {
                // Nor is what it changed before it was cut off.
                Err(e) if e.reason == Reason::ResourceChanged && begun(&door, &once).await? => {
                    carried_out(&door, call(), &context).await?
                }
                done => done?,
            },
            None => carried_out(&door, call(), &context).await?,
        };
        while done.exit == Exit::Running && until.is_some_and(|until| Instant::now() < until) {
            // Who waits takes nobody's place meanwhile, and has asked once.
            tokio::time::sleep(LOOK).await;
            done = door.lanes.once_more(call()).await?;
        }
        Ok(done)
    };
    match answered.await {
        Ok(done) if route.method == doors::Method::Get => {
            if let Known::Since(generation) = known {
                let tag = reply::tag(&done);
                let around = reply.around();
                door.seen
                    .keep(generation, parts.uri.path(), &done, &tag, around);
            }
            reply.found(&parts.headers, done)
        }
        Ok(done) => {
            // Where nothing was made, nothing is said to have been.
            let status = if doors::made_nothing(&done) {
                200
            } else {
                route.status
            };
            reply.done(status, done)
        }
        Err(e) => reply.fail(&e),
    }
}

/// What is known of an answer before anybody is asked.
enum Known {
    /// It was given since the store last changed.
    Answered(Kept),
    /// It may be kept, as what the store says since then.
    Since(Generation),
    /// It depends on more.
    Nothing,
}

/// The answer to a request that was answered since the store last changed, if whoever asks may have it. Anything unusual goes the whole
/// way, where it is told what is wrong.
fn known(door: &Door, tool: &Tool, parts: &axum::http::request::Parts) -> Known {
    if !tool.facts.of_store || parts.uri.query().is_some() {
        return Known::Nothing;
    }
    let Ok(Some(now)) = door.lanes.project().generation() else {
        return Known::Nothing;
    };
    let Some(kept) = door.seen.get(now, parts.uri.path()) else {
        return Known::Since(now);
    };
    let may =
        guard::entered(door, parts, Some(now)).and_then(|who| who.must_have(tool.facts.scope));
    let sound = || {
        request::trace(&parts.headers)?;
        request::acceptable(&parts.headers, "application/json")
    };
    match may.and_then(|()| sound()) {
        Ok(()) => Known::Answered(kept),
        Err(_) => Known::Nothing,
    }
}

/// `If-Match`, and the look at the resource that it is held against.
struct Unless<'a> {
    given: axum::http::header::GetAll<'a, axum::http::HeaderValue>,
    look: &'static Tool,
    of: Route,
}

impl<'a> Unless<'a> {
    fn of(
        tool: &Tool,
        route: &Route,
        parts: &'a axum::http::request::Parts,
    ) -> Result<Option<Self>, AppError> {
        if route.method == doors::Method::Get || !parts.headers.contains_key(IF_MATCH) {
            return Ok(None);
        }
        // What nobody can look at has no tag, so none that is given is its own.
        let (look, of) = doors::guarded(tool, route).ok_or_else(untagged)?;
        let given = parts.headers.get_all(IF_MATCH);
        Ok(Some(Self { given, look, of }))
    }

    /// Looks and decides in one step: what is decided is recorded only if nothing was since the look. Else it is looked again.
    async fn carry_out(
        &self,
        door: &Door,
        path: &RawPathParams,
        context: &Context,
        call: &impl Fn() -> Call,
    ) -> Result<Done, AppError> {
        for _ in 0..LOOKS {
            let mut call = call();
            let seen = Arc::new(Sight {
                size: door.lanes.size().await?,
                moved: AtomicBool::new(false),
            });
            self.hold(door, path, &call.principal, context).await?;
            call.seen = Some(Arc::clone(&seen));
            let done = carried_out(door, call, context).await;
            if !seen.moved.load(Ordering::Relaxed) {
                return done;
            }
        }
        let text = format!("other records came in each of the {LOOKS} times that this was tried");
        Err(AppError::new(Reason::Overloaded, text))
    }

    /// Refuses if the resource is another now.
    async fn hold(
        &self,
        door: &Door,
        path: &RawPathParams,
        principal: &Principal,
        context: &Context,
    ) -> Result<(), AppError> {
        let mut input = json!({});
        let wanted: Vec<&str> = self.of.fields().collect();
        request::with_path(&mut input, path.iter().filter(|(n, _)| wanted.contains(n)))?;
        let seen = carry_out(door, self.look, input, principal.clone(), context).await?;
        let tag = reply::tag(&seen);
        if reply::is(self.given.iter(), &tag) {
            return Ok(());
        }
        let text = format!("what is at `{}` has the tag {tag} now", self.of.path);
        Err(AppError::new(Reason::ResourceChanged, text))
    }
}

/// `If-Match` where nothing has a tag.
fn untagged() -> AppError {
    let text = "nothing at this address has a tag that `If-Match` could name";
    AppError::new(Reason::ResourceChanged, text)
}

async fn input(
    tool: &Tool,
    path: &RawPathParams,
    parts: &axum::http::request::Parts,
    body: Body,
) -> Result<Value, AppError> {
    let mut input = match parts.method {
        Method::GET | Method::HEAD => request::query(tool, parts.uri.query().unwrap_or_default())?,
        _ => request::json(&parts.headers, body).await?,
    };
    request::with_path(&mut input, path.iter())?;
    request::with_key(tool, &mut input, &parts.headers)?;
    Ok(input)
}

/// Carries a use case out: the one place that every call passes, whichever door it came through.
pub(crate) async fn carry_out(
    door: &Door,
    tool: &'static Tool,
    input: Value,
    principal: Principal,
    context: &Context,
) -> Result<Done, AppError> {
    let call = Call {
        tool,
        input,
        principal,
        trace: context.trace.clone(),
        within: None,
        seen: None,
        once: None,
    };
    carried_out(door, call, context).await
}

async fn carried_out(door: &Door, call: Call, context: &Context) -> Result<Done, AppError> {
    // Before anything of the input is looked at, as the contract orders it.
    if call.tool.facts.class == Class::Apply && !door.allow_apply {
        let text = "this server was started without `--allow-apply`: it plans and reads";
        return Err(AppError::new(Reason::ApplyDisabled, text));
    }
    door.lanes.call_in(call, context.clone()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str, more: &[&str]) -> BTreeSet<String> {
        let more = more.iter().map(|h| (*h).to_owned()).collect();
        hosts(address.parse().expect("an address"), more)
    }

    #[test]
    fn a_server_has_the_names_under_which_it_is_reached_and_no_others() {
        let loopback = of("127.0.0.1:8627", &["Gonogo.Example.org"]);
        for name in [
            "127.0.0.1:8627",
            "localhost:8627",
            "[::1]:8627",
            "gonogo.example.org",
        ] {
            assert!(loopback.contains(name), "{name}");
        }
        assert!(!loopback.contains("localhost"));
        assert!(
            of("[::1]:80", &[])
                .is_superset(&["[::1]", "[::1]:80", "localhost"].map(str::to_owned).into())
        );
        let outside = of("192.0.2.7:8627", &[]);
        assert_eq!(outside, ["192.0.2.7:8627".to_owned()].into());
        assert!(of("[2001:db8::7]:8627", &[]).contains("[2001:db8::7]:8627"));
    }
}
