//! Cases that need no runner.
