//! Traces: ids, spans, and the way to a collector.
//!
//! Ids that a restart must find again are made from what they are of ([`SpanId::of`]); all others are random. What is sent twice has the
//! same id both times.

mod context;
mod export;
mod otlp;
mod settings;

pub use context::{Context, SpanId, TraceId};
pub use export::{Lost, Tracer};
pub use settings::{Exporting, settings};

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// What a span is of (opentelemetry.io/docs/specs/otel/trace/api, SpanKind).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work inside this process.
    Internal,
    /// A request that was answered.
    Server,
    /// A request that was made.
    Client,
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// What it is part of.
    pub parent: Option<SpanId>,
    /// What it is, in a word of few values.
    pub name: String,
    /// What it is of.
    pub kind: Kind,
    /// Begin, in nanoseconds since 1970.
    pub start: u64,
    /// End.
    pub end: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it did not go well.
    pub error: Option<String>,
}
