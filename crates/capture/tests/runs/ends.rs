//! How runs end, and what is found when something was killed.

use crate::Test;

pub(crate) const TESTS: &[Test] = &[];
