//! What a run says about itself, for people who watch.

pub mod duration;
