//! Policies by tables.
