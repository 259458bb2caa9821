//! Plan lint.
