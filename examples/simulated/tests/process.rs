//! The runtime as a supervisor meets it: a real process with pipes and signals.
//!
//! Nothing waits for time to pass where it can wait for a line, an end of file or an exit; every such wait has a deadline.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "process/bytes.rs"]
mod bytes;
#[path = "process/ends.rs"]
mod ends;
#[path = "process/evidence.rs"]
mod evidence;
#[path = "process/lab.rs"]
mod lab;
#[path = "process/rows.rs"]
mod rows;
