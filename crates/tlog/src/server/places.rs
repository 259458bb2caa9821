//! The places for connections, and who gives up theirs when all are taken.
//!
//! A connection is *answering* from the moment its request has arrived whole until its response has been handed over; all other time
//! it waits for its client. Room is made from those that wait, and from those whose client has stopped reading: from the address that
//! has most of them, the one that has waited longest. So clients that hold connections and say nothing compete with each other.
//!
//! Invariants: never more than [`Places::limit`] connections, closed ones that are not gone yet included. What is being answered to
//! a client that reads is never chosen to be closed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

/// How long a client may have read nothing before its connection is among those that can be closed. Shorter than what anybody waits
/// for an answer, longer than a busy line pauses.
const STALLED: Duration = Duration::from_millis(500);

/// How often it is looked whether somebody has stopped reading, when there is no room else.
const LOOK: Duration = Duration::from_millis(50);

/// All places of a server.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    share: usize,
    table: Mutex<Table>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    taken: BTreeMap<u64, Taken>,
    next: u64,
}

#[derive(Debug)]
struct Taken {
    who: IpAddr,
    answering: bool,
    /// Since when there is nothing to answer.
    since: Instant,
    /// Since when the client has not read what it was sent.
    stalled: Option<Instant>,
    /// Dropped to close the connection; `None` once that was done.
    close: Option<oneshot::Sender<()>>,
}

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
}

/// Ends when the connection is to be closed for somebody else.
pub(super) type Closed = oneshot::Receiver<()>;

/// What a newcomer gets.
#[derive(Debug)]
enum Turn {
    Place(u64, Closed),
    /// Something is being closed, or nothing can be.
    Later,
    /// Its address has its share, all of it being answered.
    Refused,
}

impl Places {
    /// `limit` places, of which one address has at most `share`.
    pub(super) fn new(limit: usize, share: usize) -> Arc<Self> {
        let limit = limit.max(1);
        Arc::new(Self {
            limit,
            share: share.clamp(1, limit),
            table: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Waits for a place, and makes room if there is none. `None` if `address` has its share.
    pub(super) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<(Place, Closed)> {
        let who = group(address);
        loop {
            let turn = self
                .table()
                .turn(who, Instant::now(), self.limit, self.share);
            match turn {
                Turn::Place(id, closed) => {
                    let places = Arc::clone(self);
                    return Some((Place { places, id }, closed));
                }
                Turn::Refused => return None,
                Turn::Later => tokio::select! {
                    () = self.freed.notified() => {}
                    () = sleep(LOOK) => {}
                },
            }
        }
    }

    /// What is noted changes in one assignment, so a panic elsewhere leaves it whole.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A request has arrived whole, or its answer has begun.
    pub(super) fn answering(&self) {
        self.note(|taken| taken.answering = true);
    }

    /// The answer was handed over.
    pub(super) fn answered(&self) {
        self.note(|taken| {
            taken.answering = false;
            taken.since = Instant::now();
        });
    }

    /// The client does, or does not, take what it is sent.
    pub(super) fn stalled(&self, stalled: bool) {
        self.note(|taken| {
            taken.stalled = match (stalled, taken.stalled) {
                (true, None) => Some(Instant::now()),
                (true, since) => since,
                (false, _) => None,
            };
        });
    }

    fn note(&self, change: impl FnOnce(&mut Taken)) {
        if let Some(taken) = self.places.table().taken.get_mut(&self.id) {
            change(taken);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().taken.remove(&self.id);
        self.places.freed.notify_one();
    }
}

impl Table {
    fn turn(&mut self, who: IpAddr, now: Instant, limit: usize, share: usize) -> Turn {
        let held = self
            .taken
            .values()
            .filter(|t| t.who == who && !t.is_closing());
        if share < limit && held.count() >= share && !self.close_one(now, Some(who)) {
            return Turn::Refused;
        }
        if self.taken.len() >= limit {
            // One at a time: what is being closed is gone in a moment.
            if !self.taken.values().any(Taken::is_closing) {
                self.close_one(now, None);
            }
            return Turn::Later;
        }
        let (close, closed) = oneshot::channel();
        let id = self.next;
        self.next += 1;
        let taken = Taken {
            who,
            answering: false,
            since: now,
            stalled: None,
            close: Some(close),
        };
        self.taken.insert(id, taken);
        Turn::Place(id, closed)
    }

    /// Closes the connection that should go, `of` somebody or of anybody; returns whether there was one.
    fn close_one(&mut self, now: Instant, of: Option<IpAddr>) -> bool {
        let waiting = |t: &Taken| (!t.answering && t.stalled.is_none()).then_some(t.since);
        let stalled = |t: &Taken| t.stalled.filter(|since| now - *since >= STALLED);
        let found = self
            .oldest(of, waiting)
            .or_else(|| self.oldest(of, stalled));
        let close = found.and_then(|id| self.taken.get_mut(&id)?.close.take());
        close.is_some()
    }

    /// Of the address that has most connections for which `since` gives a time: the one with the oldest.
    fn oldest(&self, of: Option<IpAddr>, since: impl Fn(&Taken) -> Option<Instant>) -> Option<u64> {
        let mut found: BTreeMap<IpAddr, (usize, Instant, u64)> = BTreeMap::new();
        for (id, taken) in &self.taken {
            if taken.is_closing() || of.is_some_and(|of| of != taken.who) {
                continue;
            }
            let Some(since) = since(taken) else { continue };
            let (count, oldest, which) = found.entry(taken.who).or_insert((0, since, *id));
            *count += 1;
            if since < *oldest {
                (*oldest, *which) = (since, *id);
            }
        }
        let most = found
            .into_values()
            .max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        most.map(|(_, _, id)| id)
    }
}

impl Taken {
    const fn is_closing(&self) -> bool {
        self.close.is_none()
    }
}

/// What counts as one address: for IPv6 the /64, because whoever has one address there has all of it.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// A table with its time, which passes by a second with each newcomer.
    struct World {
        table: Table,
        now: Instant,
        limit: usize,
        share: usize,
        open: BTreeMap<u64, Closed>,
    }

    impl World {
        fn new(limit: usize, share: usize) -> Self {
            Self {
                table: Table::default(),
                now: Instant::now(),
                limit,
                share,
                open: BTreeMap::new(),
            }
        }

        fn come(&mut self, who: IpAddr) -> Turn {
            self.now += Duration::from_secs(1);
            self.table.turn(who, self.now, self.limit, self.share)
        }

        fn enter(&mut self, who: IpAddr) -> u64 {
            match self.come(who) {
                Turn::Place(id, closed) => {
                    self.open.insert(id, closed);
                    id
                }
                other => panic!("{other:?}"),
            }
        }

        /// Those that were told to close, now gone.
        fn closed(&mut self) -> Vec<u64> {
            use tokio::sync::oneshot::error::TryRecvError::Closed as Told;
            let told = |closed: &mut Closed| closed.try_recv() == Err(Told);
            let gone: Vec<u64> = self
                .open
                .iter_mut()
                .filter_map(|(id, c)| told(c).then_some(*id))
                .collect();
            for id in &gone {
                self.open.remove(id);
                self.table.taken.remove(id);
            }
            gone
        }

        fn of(&mut self, id: u64) -> &mut Taken {
            self.table.taken.get_mut(&id).unwrap()
        }
    }

    #[test]
    fn a_full_house_closes_the_longest_waiting_of_who_has_most() {
        let mut world = World::new(4, 4);
        let b = world.enter(B);
        let first = world.enter(A);
        let second = world.enter(A);
        let third = world.enter(A);
        assert!(matches!(world.come(B), Turn::Later));
        // Only one is closed for it, however often it asks.
        assert!(matches!(world.come(B), Turn::Later));
        assert_eq!(world.closed(), [first]);
        let late = world.enter(B);
        // Two each: the longest waiting of all.
        assert!(matches!(world.come(A), Turn::Later));
        assert_eq!(world.closed(), [b]);
        world.enter(A);
        // Who is being answered stays; who was answered waits from then on.
        world.of(second).answering = true;
        assert!(matches!(world.come(B), Turn::Later));
        assert_eq!(world.closed(), [third]);
        let now = world.now;
        world.of(second).answering = false;
        world.of(second).since = now;
        world.enter(A);
        world.of(late).answering = true;
        assert!(matches!(world.come(B), Turn::Later));
        assert_ne!(world.closed(), [second]);
    }

    #[test]
    fn who_does_not_read_goes_after_a_while_and_who_reads_never() {
        let mut world = World::new(2, 2);
        let (reads, stalls) = (world.enter(A), world.enter(A));
        world.of(reads).answering = true;
        world.of(stalls).answering = true;
        assert!(matches!(world.come(B), Turn::Later));
        assert!(world.closed().is_empty());
        world.of(stalls).stalled = Some(world.now + Duration::from_millis(900));
        assert!(matches!(world.come(B), Turn::Later));
        assert!(world.closed().is_empty(), "it may read on in a moment");
        assert!(matches!(world.come(B), Turn::Later));
        assert_eq!(world.closed(), [stalls]);
        // An answer that was handed over and is not read yet is not cut off for somebody who comes right then.
        world.enter(B);
        world.of(reads).answering = false;
        let now = world.now;
        world.of(reads).stalled = Some(now + Duration::from_secs(1));
        assert!(matches!(world.come(A), Turn::Later));
        assert_ne!(world.closed(), [reads]);
    }

    #[test]
    fn one_address_has_its_share_and_no_more() {
        let mut world = World::new(5, 3);
        let ids = [world.enter(A), world.enter(A), world.enter(A)];
        // There is room, but not for it: one of its own goes.
        world.enter(A);
        assert_eq!(world.closed(), [ids[0]]);
        let answering: Vec<u64> = world.open.keys().copied().collect();
        for id in answering {
            world.of(id).answering = true;
        }
        assert!(matches!(world.come(A), Turn::Refused));
        assert!(world.closed().is_empty());
        world.enter(B);
        world.enter(B);
        assert_eq!(world.table.taken.len(), 5);
    }

    #[test]
    fn one_address_is_one_v4_address_or_one_v6_network() {
        for (text, of) in [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            let of: IpAddr = of.parse().unwrap();
            assert_eq!(group(text.parse().unwrap()), of, "{text}");
        }
    }
}
