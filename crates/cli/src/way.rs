//! The two ways to an answer: the project on this machine, or a server. A command that takes either renders the same answer, and ends
//! with the same exit code.

use std::sync::Arc;

use gonogo_app::access::Principal;
use gonogo_app::calls::{Context, Meter};
use gonogo_app::doors::{Answered, Desk, Done, Server, Tool, UseCase, find};
use gonogo_app::identity::read_key;
use gonogo_app::{AppError, Workspace};
use gonogo_core::Reason;
use gonogo_core::envelope::Class;
use serde_json::Value;

/// Where use cases are carried out.
pub enum Way {
    /// In the project on this machine, in the name of its user.
    Here(Arc<Workspace>, Box<Principal>, Context),
    /// By a server; with the trace of this command.
    There(Server, String),
}

impl Way {
    /// The project, for what is done in this process where there is one.
    pub fn here(&self) -> Option<&Arc<Workspace>> {
        match self {
            Self::Here(ws, ..) => Some(ws),
            Self::There(..) => None,
        }
    }

    /// Carries a use case out.
    ///
    /// # Errors
    /// As the use case says; no server, or no gonogo there.
    pub fn ask<U: UseCase>(&self, input: &U) -> Result<Answered<U::Answer>, AppError> {
        let answered = match self {
            Self::There(server, trace) => server.ask(input, trace),
            Self::Here(..) => self.ask_here(input),
        };
        answered.map_err(of_the_command_line)
    }

    fn ask_here<U: UseCase>(&self, input: &U) -> Result<Answered<U::Answer>, AppError> {
        let input = serde_json::to_value(input).map_err(internal)?;
        let done = self.call(U::FACTS.name, U::FACTS.class, input)?;
        Ok(Answered {
            data: serde_json::from_value(done.data).map_err(internal)?,
            handle: done.handle,
            exit: done.exit,
        })
    }

    /// As [`Self::measured`], for a use case whose input is `input`: what a server would refuse of it is refused here, too.
    ///
    /// # Errors
    /// As `work`, and as the use case's schema and scopes say.
    pub fn held<U: UseCase, T>(
        &self,
        input: &U,
        work: impl FnOnce(&Workspace) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        self.admit(input)?;
        self.measured(U::FACTS.name, work)
    }

    /// Holds an input against its use case's schema, where it is done in the project here and not by the registry.
    ///
    /// # Errors
    /// As the use case's schema and scopes say.
    pub fn admit<U: UseCase>(&self, input: &U) -> Result<(), AppError> {
        let Self::Here(_, principal, _) = self else {
            return Ok(());
        };
        let input = serde_json::to_value(input).map_err(internal)?;
        tool(U::FACTS.name)?
            .admit(&input, principal)
            .map_err(of_the_command_line)
    }

    /// Does in the project here what is done for the use case `name`, and measures it as a call of that; what is waited for afterwards is no
    /// part of the call.
    ///
    /// # Errors
    /// As `work`.
    pub fn measured<T>(
        &self,
        name: &str,
        work: impl FnOnce(&Workspace) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let Self::Here(ws, _, context) = self else {
            return Err(AppError::new(
                Reason::Internal,
                format!("`{name}` is for the project here"),
            ));
        };
        let tool = tool(name)?;
        // Whoever names a key that is none has not asked yet, and no call of theirs has failed.
        if let Some(key) = &ws.caller.key {
            read_key(key)?;
        }
        let meter = Meter::of(&ws.state, ws.tracer.clone());
        let done = meter.measure(tool, context.clone(), |within| work(&ws.within(within)));
        // A command is a process of its own: what it measured is kept now or never, and fails nothing.
        meter.keep(ws.clock.now().wall);
        done
    }

    /// Carries out the use case `name`, whose input may be anything.
    ///
    /// # Errors
    /// As [`Way::ask`].
    pub fn call(&self, name: &str, class: Class, input: Value) -> Result<Done, AppError> {
        match self {
            Self::There(server, trace) => server.call(name, class, input, trace),
            Self::Here(_, principal, _) => self.measured(name, |ws| {
                let tool = tool(name)?;
                let desk = Desk {
                    workspace: ws,
                    principal,
                    base: "",
                    patient: true,
                };
                tool.call(input, &desk)
            }),
        }
    }
}

fn tool(name: &str) -> Result<&'static Tool, AppError> {
    find(name).ok_or_else(|| AppError::new(Reason::ToolUnknown, format!("no use case `{name}`")))
}

/// What the schema refuses came from the command line.
fn of_the_command_line(mut e: AppError) -> AppError {
    if e.reason == Reason::InputMalformed && e.details.get("faults").is_some() {
        e.reason = Reason::ArgumentInvalid;
    }
    e
}

fn internal(e: serde_json::Error) -> AppError {
    AppError::new(Reason::Internal, e.to_string())
}
