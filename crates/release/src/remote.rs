//! Applying elsewhere: what is sent to a workflow service, what its answers mean, and where an operation stands that it carries out.
//!
//! Pure like its neighbours: bytes and times come in, values and records go out. Invariants: nothing is sent before its intent is
//! durable; a request whose answer is not known is asked about and never sent again blindly; only one of the contract's five words is a
//! state; what ended stays ended.

mod answer;
mod machine;
mod wiring;

pub use answer::{
    Asked, Dispatched, Ended, Heard, LONGEST, Ours, Receipt, Silence, Status, Told, Trouble, asked,
    cancelled, dispatched,
};
pub use machine::{Cancel, Entry, Stage, State, Telling, Todo, after, is_unknown};
pub use wiring::{Endpoint, Limits, TokenFrom, Wiring, same_origin};
