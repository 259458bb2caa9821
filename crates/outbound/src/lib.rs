//! Requests to HTTP services of others: witnesses, object storage, time-stamping authorities, workflow services, receivers of notices.
//!
//! Floor 2. It knows no format and no rule. Invariants: every exchange has a deadline and a bound on the answer's size. Redirects are not
//! followed, no proxy is asked, nothing is sent a second time.

mod body;
mod client;
mod reach;

pub use body::collect;
pub use client::{
    Client, Headed, NoAnswer, exchange, exchange_for_head, exchange_within, head_within, post,
};
pub use reach::Reach;
