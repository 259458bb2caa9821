//! Carrying out use cases beside the network: each class has places of its own and a time for an answer.
//!
//! Use cases block, so each runs on a thread. A place is held until its thread is done, not until the caller is answered: a use case that
//! hangs takes one of its class's places and nothing of the others'.

use std::sync::Arc;
use std::time::Duration;

use gonogo_app::AppError;
use gonogo_app::access::Principal;
use gonogo_app::calls::Meter;
use gonogo_app::doors::{Desk, Done, Tool};
use gonogo_app::project::Project;
use gonogo_core::Reason;
use gonogo_core::envelope::Class;
use gonogo_telemetry::Context;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places of each class.
const PLACES: [(Class, usize); 3] = [(Class::Read, 32), (Class::Plan, 8), (Class::Apply, 16)];

/// Threads that all places together can need.
pub(crate) const THREADS: usize = 32 + 8 + 16;

/// A call of a use case.
pub(crate) struct Call {
    /// Which.
    pub(crate) tool: &'static Tool,
    /// With what.
    pub(crate) input: Value,
    /// For whom.
    pub(crate) principal: Principal,
    /// In which trace.
    pub(crate) trace: String,
    /// The time that the caller gives it, which its class admits; its class's own if absent.
    pub(crate) within: Option<Duration>,
}

/// The places.
pub struct Lanes {
    project: Arc<Project>,
    meter: Arc<Meter>,
    base: String,
    places: [Arc<Semaphore>; 3],
}

impl Lanes {
    /// Lanes over a project; `base` is where the server is reached.
    pub fn new(project: Arc<Project>, base: String) -> Self {
        let places = PLACES.map(|(_, n)| Arc::new(Semaphore::new(n)));
        let root = project.root();
        Self {
            meter: Arc::new(Meter::of(&root.state, root.tracer.clone())),
            project,
            base,
            places,
        }
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Where the server is reached; empty if nowhere.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What measures the calls.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    async fn place(
        &self,
        class: Class,
        within: Duration,
    ) -> Result<OwnedSemaphorePermit, AppError> {
        let at = PLACES.iter().position(|(c, _)| *c == class).unwrap_or(0);
        let taken = Arc::clone(&self.places[at]).acquire_owned();
        let full = || {
            let text = "too many requests of this class are under way";
            AppError::new(Reason::Overloaded, text)
        };
        // A third of its time a request waits for a place; then it is told to come again.
        let patience = within / 3;
        let place = tokio::time::timeout(patience, taken).await;
        place.map_err(|_| full())?.map_err(|_| full())
    }

    /// Carries a call out, within the time of its class. It is measured, the wait for a place included.
    pub(crate) async fn call(&self, call: Call) -> Result<Done, AppError> {
        let context = Context::of(&call.trace);
        self.call_in(call, context).await
    }

    /// As [`Self::call`], for a caller who says where in the trace that is.
    pub(crate) async fn call_in(&self, call: Call, context: Context) -> Result<Done, AppError> {
        let running = self.meter.begin(call.tool, context);
        let done = self.carry_out(call, running.within()).await;
        running.end(done.as_ref().err());
        done
    }

    /// Looks once more for a caller who waits: no call of its own.
    pub(crate) async fn once_more(&self, call: Call) -> Result<Done, AppError> {
        self.carry_out(call, None).await
    }

    async fn carry_out(&self, call: Call, parent: Option<String>) -> Result<Done, AppError> {
        let class = call.tool.facts.class;
        let own = Duration::from_millis(class.policy().default_timeout_ms);
        let within = call.within.unwrap_or(own);
        let place = self.place(class, within).await?;
        let (project, base) = (Arc::clone(&self.project), self.base.clone());
        let work = move || {
            let _place = place;
            let mut ws = project.workspace(call.principal.caller(), Some(call.trace))?;
            ws.within = parent;
            let desk = Desk {
                workspace: &ws,
                principal: &call.principal,
                base: &base,
            };
            call.tool.call(call.input, &desk)
        };
        match tokio::time::timeout(within, tokio::task::spawn_blocking(work)).await {
            Ok(Ok(done)) => done,
            Ok(Err(e)) => Err(AppError::new(Reason::Internal, e.to_string())),
            Err(_) => {
                let text = format!("no answer within {} ms", within.as_millis());
                Err(AppError::new(Reason::DeadlineExceeded, text))
            }
        }
    }
}
