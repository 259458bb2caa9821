//! A use case as doors see it: facts, schemas, and one function from JSON to JSON.

use std::sync::OnceLock;

use gonogo_core::Reason;
use gonogo_core::envelope::Class;
use gonogo_store::ledger::{since, trace};
use jsonschema::Validator;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::desk::{Answered, Desk, Done};
use super::schema;
use crate::access::{Principal, Scope};
use crate::{AppError, secrets};

/// An input type that is a use case: what is asked for, and how it is done.
pub trait UseCase: Serialize + DeserializeOwned + JsonSchema {
    /// What doors need to know.
    const FACTS: Facts;
    /// What is answered.
    type Answer: Serialize + DeserializeOwned + JsonSchema;

    /// Does it.
    ///
    /// # Errors
    /// As the use case says.
    fn run(self, desk: &Desk<'_>) -> Result<Answered<Self::Answer>, AppError>;
}

/// What doors need to know of a use case.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Stable name: the tool's id, and the envelope's `toolId`.
    pub name: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What it does, for people and agents: first sentence first.
    pub about: &'static str,
    /// What it may do.
    pub class: Class,
    /// What the caller must be allowed.
    pub scope: Scope,
    /// Whether only people may do it.
    pub people_only: bool,
    /// Whether it may take something away.
    pub destructive: bool,
    /// Whether asking twice is as good as once.
    pub idempotent: bool,
    /// Whether it reaches beyond gonogo's own state.
    pub open_world: bool,
    /// Whether it keeps nothing, whatever its class.
    pub keeps_nothing: bool,
    /// Addresses under HTTP; the first is the usual one.
    pub routes: &'static [Route],
    /// Why agents do not have it over MCP; empty if they do.
    pub not_mcp: &'static str,
    /// Whether a caller may wait for what goes on to end.
    pub waits: bool,
    /// Whether it takes back or holds back: nothing that goes forward may keep it waiting.
    pub urgent: bool,
    /// Whether its answer depends on its input and on the store alone, and not on who asks: then it is good until the store changes.
    pub of_store: bool,
    /// What its answer gives for inputs of others: the field's name, and where it stands in the envelope (RFC 6901).
    pub gives: &'static [(&'static str, &'static str)],
    /// Inputs that are shown and tested.
    pub examples: &'static [&'static str],
}

impl Facts {
    /// Facts of a use case that only looks, to be changed where one differs.
    pub const fn read(name: &'static str, title: &'static str, about: &'static str) -> Self {
        Self {
            name,
            title,
            about,
            class: Class::Read,
            scope: Scope::Read,
            people_only: false,
            destructive: false,
            idempotent: true,
            open_world: false,
            keeps_nothing: false,
            routes: &[],
            not_mcp: "",
            waits: false,
            urgent: false,
            of_store: false,
            gives: &[],
            examples: &["{}"],
        }
    }
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Looks; fields of the input come from path and query.
    Get,
    /// Begins or decides; fields come from path and body.
    Post,
}

impl Method {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// An address under HTTP. `{field}` in the path is a field of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path, like `/v1/plans/{plan}`.
    pub path: &'static str,
    /// Status of a good answer.
    pub status: u16,
}

impl Route {
    /// `GET` of `path`, answered with 200.
    pub const fn get(path: &'static str) -> Self {
        Self {
            method: Method::Get,
            path,
            status: 200,
        }
    }

    /// `POST` to `path`, answered with `status`.
    pub const fn post(path: &'static str, status: u16) -> Self {
        Self {
            method: Method::Post,
            path,
            status,
        }
    }

    /// The input's fields that stand in the path, in order.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> + use<> {
        let parts = self.path.split('/');
        parts.filter_map(|p| p.strip_prefix('{').and_then(|p| p.strip_suffix('}')))
    }
}

/// A use case, with its types forgotten.
pub struct Tool {
    /// Facts.
    pub facts: Facts,
    input: fn() -> Value,
    output: fn() -> Value,
    described: fn(&mut SchemaGenerator) -> Value,
    run: fn(Value, &Desk<'_>) -> Result<Done, AppError>,
    held: OnceLock<Held>,
}

/// Schemas that were made once, and what holds an input against its.
struct Held {
    input: Value,
    output: Value,
    validator: Result<Validator, String>,
}

impl Tool {
    /// The tool of a use case.
    pub const fn of<U: UseCase>() -> Self {
        Self {
            facts: U::FACTS,
            input: schema::of_input::<U>,
            output: schema::of_output::<U::Answer>,
            described: |all| all.subschema_for::<U::Answer>().to_value(),
            run: run::<U>,
            held: OnceLock::new(),
        }
    }

    fn held(&self) -> &Held {
        self.held.get_or_init(|| {
            let input = (self.input)();
            let validator = jsonschema::draft202012::new(&input).map_err(|e| e.to_string());
            Held {
                output: (self.output)(),
                validator,
                input,
            }
        })
    }

    /// JSON Schema 2020-12 of the input: an object without further keys.
    pub fn input(&self) -> &Value {
        &self.held().input
    }

    /// JSON Schema 2020-12 of the answer's `data`.
    pub fn output(&self) -> &Value {
        &self.held().output
    }

    /// The answer's schema as part of a document: what has a name becomes one of the document's schemas.
    pub(super) fn described(&self, all: &mut SchemaGenerator) -> Value {
        (self.described)(all)
    }

    /// Asks whether the caller may, and holds `input` against the schema.
    ///
    /// # Errors
    /// What the scopes do not allow; [`Reason::InputMalformed`] with every fault and its place; [`Reason::SecretInInput`].
    pub fn admit(&self, input: &Value, principal: &Principal) -> Result<(), AppError> {
        principal.must_have(self.facts.scope)?;
        if self.facts.people_only {
            principal.must_be_a_person()?;
        }
        let validator = self.held().validator.as_ref();
        let validator = validator.map_err(|e| AppError::new(Reason::Internal, e.clone()))?;
        schema::check(validator, input)?;
        // What is asked is kept, in one record or another.
        secrets::refuse_in(input, "$")
    }

    /// Does it, if the caller and the input are admitted.
    ///
    /// # Errors
    /// As [`Self::admit`], and as the use case says.
    pub fn call(&self, input: Value, desk: &Desk<'_>) -> Result<Done, AppError> {
        self.admit(&input, desk.principal)?;
        // Whatever it records belongs to the caller's trace.
        match desk.trace() {
            "" => (self.run)(schema::whole(input), desk),
            said => trace::within(Some(said), || (self.run)(schema::whole(input), desk)),
        }
    }

    /// As [`Self::call`], for a caller who decides on what it saw when the ledger had `size` records. Says beside the answer whether it
    /// had others by then: nothing was decided in that case.
    pub fn call_unmoved(
        &self,
        input: Value,
        desk: &Desk<'_>,
        size: u64,
    ) -> (Result<Done, AppError>, bool) {
        since::unmoved(size, || self.call(input, desk))
    }
}

fn run<U: UseCase>(input: Value, desk: &Desk<'_>) -> Result<Done, AppError> {
    // The schema has let it through; what it cannot say is said here.
    let wanted: U = serde_json::from_value(input)
        .map_err(|e| AppError::new(Reason::InputMalformed, format!("input: {e}")))?;
    let answered = wanted.run(desk)?;
    let data = serde_json::to_value(answered.data)
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    Ok(Done {
        data,
        handle: answered.handle,
        exit: answered.exit,
    })
}
