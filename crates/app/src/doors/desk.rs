//! What a use case is given beside its input, and what it gives back.

use gonogo_core::Exit;
use serde_json::Value;

use super::operations::Handle;
use crate::Workspace;
use crate::access::Principal;

/// Where a use case works: the project in the caller's name.
pub struct Desk<'a> {
    /// The project; its caller is the principal.
    pub workspace: &'a Workspace,
    /// Who asks.
    pub principal: &'a Principal,
    /// Where this door is reached from outside, without a slash at its end; empty if nowhere.
    pub base: &'a str,
    /// Whether a use case may keep its thread until what it began has ended; else whoever called it waits, and asks again.
    pub patient: bool,
}

impl Desk<'_> {
    /// The trace that the call belongs to.
    pub fn trace(&self) -> &str {
        self.workspace.trace.as_deref().unwrap_or_default()
    }
}

/// An answer with its type.
#[derive(Debug)]
pub struct Answered<T> {
    /// The envelope's `data`.
    pub data: T,
    /// What began, where something began.
    pub handle: Option<Handle>,
    /// Exit code of a command that ends with it.
    pub exit: Exit,
}

impl<T> From<T> for Answered<T> {
    fn from(data: T) -> Self {
        Self {
            data,
            handle: None,
            exit: Exit::Done,
        }
    }
}

/// An answer as JSON.
#[derive(Debug, Clone)]
pub struct Done {
    /// The envelope's `data`.
    pub data: Value,
    /// What began, where something began.
    pub handle: Option<Handle>,
    /// Exit code of a command that ends with it.
    pub exit: Exit,
}
