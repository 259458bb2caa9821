//! Runs a child for seconds or days and keeps every byte that it prints.
//!
//! Floor 2. A small *keeper* owns the child's tree and holds the pipes; a *pump* moves their bytes to disk and may die and be started
//! again without losing one. What the bytes mean is `gonogo-dryrun`'s.
