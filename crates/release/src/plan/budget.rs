//! The promise from fault to zero: how long a fault may go on serving before traffic is measured to be back.

use gonogo_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Detection-to-rollback budget, its parts and their sum.
///
/// It counts from the first sample period whose counts are enough to fail the check; how many requests that takes depends
/// on traffic and is the business of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// A fault shows in the next sample: one sample period.
    pub sample: Span,
    /// Judging and making the intent durable.
    pub decision: Span,
    /// Writing the weights.
    pub write: Span,
    /// Measuring zero: one period that may straddle the write and one whole clean period.
    pub read_back: Span,
    /// The sum.
    pub total: Span,
}

/// Time allowed for judging a sample and for making the intent durable.
const DECISION: Span = Span::from_millis(100);
/// Time allowed for a weight write, until every worker of the agent routes by it.
pub(crate) const WRITE: Span = Span::from_millis(500);

impl Budget {
    /// Computes the budget for a sample period.
    pub fn of(sample_every: Span) -> Self {
        let read_back = sample_every.plus(sample_every);
        Self {
            sample: sample_every,
            decision: DECISION,
            write: WRITE,
            read_back,
            total: sample_every.plus(DECISION).plus(WRITE).plus(read_back),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_is_the_sum_of_the_parts() {
        let budget = Budget::of(Span::from_millis(500));
        assert_eq!(budget.total, Span::from_millis(500 + 100 + 500 + 1000));
    }
}
