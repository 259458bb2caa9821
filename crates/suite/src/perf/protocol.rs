//! The protocol of a comparison: in which order base and head run, when it is looked at, and when it ends.
//!
//! Runs come in blocks of four, `ABBA` or `BAAB` by the toss of a coin that the recorded seed fixes. Within a block a drift of the host
//! cancels; over the blocks the coin makes "the labels could be swapped" true by design, which is all that the test assumes. Two runs
//! of the same side in each block are the calibration: the same program beside itself, at the same time and under the same noise.
//!
//! The samples are looked at after set numbers of blocks, each look with its share of the error probability (the union bound, so that
//! looking often costs nothing in truth). A regression must be seen a second time in fresh samples. What was measured is never measured
//! again for a better answer: after the end there is no next block.

use serde::{Deserialize, Serialize};

use super::judgement::{self, Standing};
use super::{Measurement, PerfError};

/// Runs of a block.
pub const RUNS_OF_A_BLOCK: usize = 4;

/// Most blocks of a stage.
const MOST_BLOCKS: u32 = 128;

/// One of the two things compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What is there.
    Base,
    /// What would replace it.
    Head,
}

/// Which of the two measurements a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The one that is always taken.
    First,
    /// The fresh one after a regression was seen.
    Confirm,
}

/// The rules of a comparison. Shares are fractions: 0.05 is five per cent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// The most by which head may be worse. It passes only if more is excluded.
    pub budget: f64,
    /// What is less than this is of no matter, however sure.
    pub practical: f64,
    /// Probability, over all looks of a stage, of a bound on the wrong side.
    pub alpha: f64,
    /// After how many blocks it is looked at; rising, the last is the most that is measured.
    pub looks: Vec<u32>,
}

impl Default for Protocol {
    /// What kept both error rates on a busy virtual machine of two cores (`cargo xtask bench suite-perf`).
    fn default() -> Self {
        Self {
            budget: 0.05,
            practical: 0.02,
            alpha: 0.03,
            looks: vec![10, 20, 40, 80],
        }
    }
}

impl Protocol {
    /// Refuses rules that mean nothing.
    ///
    /// # Errors
    /// [`PerfError::Rule`] names the field.
    pub fn check(&self) -> Result<(), PerfError> {
        let rule = |ok: bool, field: &'static str, why: &'static str| {
            let of = "the comparison".to_owned();
            if ok {
                Ok(())
            } else {
                Err(PerfError::Rule { field, of, why })
            }
        };
        let share = |v: f64| v > 0.0 && v < 1.0;
        rule(share(self.budget), "budget", "it is not between 0 and 1")?;
        rule(
            share(self.practical),
            "practical",
            "it is not between 0 and 1",
        )?;
        rule(
            self.practical <= self.budget,
            "practical",
            "it is above the budget",
        )?;
        rule(
            self.alpha > 0.0 && self.alpha <= 0.1,
            "alpha",
            "it is not above 0 and at most 0.1",
        )?;
        let rising = self.looks.windows(2).all(|w| w[0] < w[1]);
        rule(
            !self.looks.is_empty() && self.looks.len() <= 10 && rising,
            "looks",
            "it is not one to ten rising numbers of blocks",
        )?;
        let enough = gonogo_stats::fewest_pairs(self.alpha_of_a_look()).unwrap_or(usize::MAX);
        let first = self.looks.first().map_or(0, |n| *n as usize);
        rule(
            first >= enough,
            "looks",
            "the first look has too few blocks to show anything at this alpha",
        )?;
        rule(
            self.most() <= MOST_BLOCKS,
            "looks",
            "more than 128 blocks are asked for",
        )
    }

    /// Each look's share of `alpha`.
    pub(super) fn alpha_of_a_look(&self) -> f64 {
        self.alpha / self.looks.len() as f64
    }

    /// The most blocks of a stage.
    pub(super) fn most(&self) -> u32 {
        self.looks.last().copied().unwrap_or(0)
    }
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run these, in this order, and add the samples.
    Run {
        /// The stage they belong to.
        stage: Stage,
        /// The sides.
        order: Vec<Side>,
    },
    /// Nothing: it can be judged.
    Judge,
}

/// What follows on what was measured so far; also how a measurement begins.
///
/// # Errors
/// [`PerfError::Rule`] for a protocol that means nothing.
pub fn next(so_far: &Measurement) -> Result<Next, PerfError> {
    so_far.protocol.check()?;
    Ok(match judgement::standing(so_far) {
        Standing::More { stage, from, to } => Next::Run {
            stage,
            order: order(so_far.seed, stage, from..to),
        },
        Standing::Broken(_) | Standing::Ended { .. } => Next::Judge,
    })
}

/// The sides of `blocks` of a stage, four to a block.
pub(super) fn order(seed: u64, stage: Stage, blocks: std::ops::Range<u32>) -> Vec<Side> {
    use Side::{Base, Head};
    let side = |block: u32| {
        if coin(seed, stage, block) {
            [Base, Head, Head, Base]
        } else {
            [Head, Base, Base, Head]
        }
    };
    blocks.flat_map(side).collect()
}

/// A bit of splitmix64's output for the block's place in the seed's stream (Steele, Lea & Flood 2014).
fn coin(seed: u64, stage: Stage, block: u32) -> bool {
    let lane = match stage {
        Stage::First => 0,
        Stage::Confirm => 1 << 32,
    };
    let place = (u64::from(block) | lane) + 1;
    let mut z = seed.wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 63 == 1
}
