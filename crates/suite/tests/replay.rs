//! Replays, proven on the runners themselves: a small project is run, every failure of its report gets a replay, the replay is run, and
//! its report shows this failure and no other test. Pure cases stand in `replay/cases.rs`, `replay/ended.rs`,
//! `replay/proposed.rs` and `replay/selected.rs`.
//!
//! Python's and JavaScript's packages come from PyPI and npm; where they cannot be had, the test says that it was not made.

#[path = "replay/cases.rs"]
mod cases;
#[path = "replay/ended.rs"]
mod ended;
#[path = "replay/project.rs"]
mod project;
#[path = "replay/proposed.rs"]
mod proposed;
#[path = "replay/selected.rs"]
mod selected;
#[path = "replay/tools.rs"]
mod tools;
