//! How often somebody may ask: buckets of tokens, one for each name or address.
//!
//! A bucket holds `burst` tokens and gets `each_minute` of them back; who finds it empty is told when the next one comes. Invariants: the
//! table is bounded, and somebody who makes up names cannot empty it: where it is full of names that asked lately, new ones share one
//! bucket. Time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Names or addresses that have a bucket of their own.
const MOST: usize = 4096;

/// A token has as many parts as a minute has milliseconds: so many a minute are as many parts a millisecond, and nothing is rounded away.
const ONE: u64 = 60_000;

/// How much, and how fast it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many at once.
    pub burst: u32,
    /// So many come back in a minute.
    pub each_minute: u32,
}

impl Rate {
    const fn full(self) -> u64 {
        self.burst as u64 * ONE
    }

    /// What comes back in so many milliseconds.
    const fn back(self, ms: u64) -> u64 {
        (self.each_minute as u64).saturating_mul(ms)
    }

    /// Milliseconds until so much has come back, rounded up.
    const fn until(self, missing: u64) -> u64 {
        match self.each_minute as u64 {
            0 => u64::MAX,
            each => missing.div_ceil(each),
        }
    }
}

/// Nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Milliseconds until there is something again.
    pub again_ms: u64,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: u64,
    at: u64,
}

impl Bucket {
    fn filled(self, rate: Rate, now: u64) -> Self {
        let back = rate.back(now.saturating_sub(self.at));
        Self {
            left: self.left.saturating_add(back).min(rate.full()),
            at: now.max(self.at),
        }
    }
}

/// Buckets of one rate.
pub struct Limiter<K> {
    rate: Rate,
    most: usize,
    of: Mutex<Buckets<K>>,
}

struct Buckets<K> {
    own: HashMap<K, Bucket>,
    shared: Bucket,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Buckets that are full.
    pub fn new(rate: Rate) -> Self {
        Self::with(rate, MOST)
    }

    fn with(rate: Rate, most: usize) -> Self {
        let shared = Bucket {
            left: rate.full(),
            at: 0,
        };
        let of = Mutex::new(Buckets {
            own: HashMap::new(),
            shared,
        });
        Self { rate, most, of }
    }

    /// Takes one, at `now` in monotonic milliseconds.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn take(&self, key: &K, now: u64) -> Result<(), Exhausted> {
        self.with_bucket(key, now, |bucket, rate| match bucket.left >= ONE {
            true => {
                bucket.left -= ONE;
                Ok(())
            }
            false => Err(Exhausted {
                again_ms: rate.until(ONE - bucket.left),
            }),
        })
    }

    /// Whether one could be taken; nothing is.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn look(&self, key: &K, now: u64) -> Result<(), Exhausted> {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = match of.own.get(key) {
            Some(own) => *own,
            None if of.own.len() < self.most => return Ok(()),
            None => of.shared,
        };
        let left = bucket.filled(self.rate, now).left;
        match left >= ONE {
            true => Ok(()),
            false => Err(Exhausted {
                again_ms: self.rate.until(ONE - left),
            }),
        }
    }

    /// Gives one back that was taken for nothing.
    pub fn give_back(&self, key: &K, now: u64) {
        self.with_bucket(key, now, |bucket, rate| {
            bucket.left = (bucket.left + ONE).min(rate.full());
        });
    }

    fn with_bucket<T>(&self, key: &K, now: u64, with: impl FnOnce(&mut Bucket, Rate) -> T) -> T {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = self.rate;
        if let Some(bucket) = of.own.get_mut(key) {
            *bucket = bucket.filled(rate, now);
            return with(bucket, rate);
        }
        if of.own.len() >= self.most {
            // Whoever has a full bucket is as good as forgotten.
            of.own.retain(|_, b| b.filled(rate, now).left < rate.full());
        }
        if of.own.len() < self.most {
            let full = Bucket {
                left: rate.full(),
                at: now,
            };
            of.own.insert(key.clone(), full);
        }
        let Buckets { own, shared } = &mut *of;
        let bucket = own.get_mut(key).unwrap_or(shared);
        *bucket = bucket.filled(rate, now);
        with(bucket, rate)
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which is what one household has.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::V6(octets.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        each_minute: 60,
    };

    #[test]
    fn a_burst_passes_and_then_one_by_one() {
        let limiter = Limiter::new(RATE);
        for _ in 0..3 {
            assert_eq!(limiter.take(&"ada", 1000), Ok(()));
        }
        let empty = Err(Exhausted { again_ms: 1000 });
        assert_eq!(limiter.take(&"ada", 1000), empty);
        assert_eq!(limiter.look(&"ada", 1000), empty);
        assert_eq!(limiter.take(&"bert", 1000), Ok(()), "others are others");
        assert_eq!(
            limiter.take(&"ada", 1400),
            Err(Exhausted { again_ms: 600 }),
            "what has come back meanwhile counts"
        );
        assert_eq!(limiter.take(&"ada", 2000), Ok(()));
        assert_eq!(limiter.take(&"ada", 2000), empty);
        assert_eq!(limiter.take(&"ada", 1), empty, "a clock never goes back");
        // Never more than the burst, however long nobody asked.
        for n in 0..4 {
            assert_eq!(limiter.take(&"ada", 10_000_000).is_ok(), n < 3, "{n}");
        }
    }

    #[test]
    fn slow_rates_are_not_rounded_away() {
        let slow = Rate {
            burst: 1,
            each_minute: 1,
        };
        let limiter = Limiter::new(slow);
        assert!(limiter.take(&1, 0).is_ok());
        let mut passed = 0;
        for ms in 1..=180_000_u64 {
            passed += u32::from(limiter.take(&1, ms).is_ok());
        }
        assert_eq!(passed, 3);
    }

    #[test]
    fn what_was_taken_for_nothing_comes_back_and_no_more() {
        let limiter = Limiter::new(RATE);
        assert!(limiter.take(&1, 0).is_ok());
        limiter.give_back(&1, 0);
        limiter.give_back(&1, 0);
        for n in 0..4 {
            assert_eq!(limiter.take(&1, 0).is_ok(), n < 3, "{n}");
        }
    }

    #[test]
    fn made_up_names_neither_grow_the_table_nor_free_anybody() {
        let limiter = Limiter::with(RATE, 4);
        for _ in 0..3 {
            assert!(limiter.take(&0, 0).is_ok());
        }
        let passed = (1..1000)
            .filter(|name| limiter.take(name, 0).is_ok())
            .count();
        // Three names more have buckets, with one of three taken; all others have three together.
        assert_eq!(passed, 3 + 3);
        assert_eq!(limiter.of.lock().unwrap().own.len(), 4);
        assert!(
            limiter.take(&0, 0).is_err(),
            "the first one is not forgotten"
        );
        assert!(
            limiter.look(&5000, 0).is_err(),
            "new names find nothing left"
        );
        assert!(
            limiter.take(&5000, 60_000).is_ok(),
            "until others are full again"
        );
    }

    #[test]
    fn an_address_is_what_one_household_has() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::1"), "::");
    }
}
