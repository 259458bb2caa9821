//! Who drives an environment. A lease is an owner, an epoch and an end on the boot clock.
//!
//! Invariants: the epoch grows by one with every change of owner and never falls, released leases included; a lease moves
//! to another owner only when it has run out, was released, or its owner's process has certainly ended.

use std::fmt;

use gonogo_core::Span;
use rusqlite::{Connection, OptionalExtension, params};

use crate::boot::{Owner, Process, boot_ms};
use crate::database::Store;
use crate::error::{Fault, StoreError};

/// A lease as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The environment.
    pub environment: String,
    /// The owner's token.
    pub owner: String,
    /// Number of the reign; effects claimed under it carry it.
    pub epoch: u64,
    /// How long it holds after taking or renewing.
    pub length: Span,
    /// End, in milliseconds of the boot clock.
    expires: u64,
}

impl Lease {
    /// How long the lease still holds.
    pub fn left(&self) -> Span {
        Span::from_millis(self.expires.saturating_sub(boot_ms()))
    }

    /// Whether a third of it has passed, so that it is time to renew.
    pub fn is_due(&self) -> bool {
        self.left().as_millis() * 3 <= self.length.as_millis() * 2
    }
}

/// Somebody else who holds, or held, a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub process: Process,
    /// Its epoch.
    pub epoch: u64,
    /// How long the lease still holds; zero if it ran out or was released.
    pub left: Span,
    /// Whether somebody may take over now, and why.
    pub liveness: Liveness,
}

/// What is known about a lease's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The lease holds and nothing says that its owner ended.
    Live,
    /// The lease ran out or was released.
    Expired,
    /// The owner's process ended.
    Dead,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "process {} (epoch {}, lease ends in {})",
            self.process.pid,
            self.epoch,
            self.left.seconds_text()
        )
    }
}

struct Row {
    owner: String,
    epoch: u64,
    expires: u64,
    process: Process,
}

impl Row {
    fn holder(self, now: u64) -> Holder {
        let left = self.expires.saturating_sub(now);
        // An end of another boot says nothing on this boot's clock, but then the process is dead anyway.
        let liveness = if self.process.is_dead() {
            Liveness::Dead
        } else if left == 0 {
            Liveness::Expired
        } else {
            Liveness::Live
        };
        Holder {
            process: self.process,
            epoch: self.epoch,
            left: Span::from_millis(left),
            liveness,
        }
    }
}

impl Store {
    /// Takes the lease of `environment` for `length`, or renews it if `owner` has it. A takeover raises the epoch.
    ///
    /// # Errors
    /// [`StoreError::LeaseHeld`] while another owner lives and its lease has not run out.
    pub fn take_lease(
        &self,
        environment: &str,
        owner: &Owner,
        length: Span,
    ) -> Result<Lease, StoreError> {
        self.write(|c| {
            let now = boot_ms();
            let epoch = match row(c, environment)? {
                None => 1,
                Some(row) if row.owner == owner.token && row.expires > now => row.epoch,
                Some(row) => {
                    let next = row.epoch + 1;
                    let holder = row.holder(now);
                    if holder.liveness == Liveness::Live {
                        return Err(StoreError::LeaseHeld {
                            environment: environment.to_owned(),
                            holder: Box::new(holder),
                        }
                        .into());
                    }
                    next
                }
            };
            let expires = now + length.as_millis();
            let p = &owner.process;
            c.prepare_cached(
                "INSERT OR REPLACE INTO lease(environment, owner, epoch, expires, pid, start, namespace, boot)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                environment,
                owner.token,
                epoch as i64,
                expires as i64,
                p.pid,
                p.start as i64,
                p.namespace,
                p.boot
            ])?;
            Ok(Lease {
                environment: environment.to_owned(),
                owner: owner.token.clone(),
                epoch,
                length,
                expires,
            })
        })
    }

    /// Prolongs a lease that nobody else has taken, even if it ran out in the meantime.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody took over; the lease is unchanged on any error.
    pub fn renew_lease(&self, lease: &mut Lease) -> Result<(), StoreError> {
        let expires = self.write(|c| {
            let expires = boot_ms() + lease.length.as_millis();
            own(c, lease)?;
            c.prepare_cached("UPDATE lease SET expires = ?2 WHERE environment = ?1")?
                .execute(params![lease.environment, expires as i64])?;
            Ok(expires)
        })?;
        lease.expires = expires;
        Ok(())
    }

    /// Begins a new reign of the same owner. A call claimed before carries an older epoch, so a target that has seen the new
    /// one refuses it, however late it comes.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody took over; the lease is unchanged on any error.
    pub fn raise_epoch(&self, lease: &mut Lease) -> Result<(), StoreError> {
        let epoch = lease.epoch + 1;
        self.write(|c| {
            own(c, lease)?;
            c.prepare_cached("UPDATE lease SET epoch = ?2 WHERE environment = ?1")?
                .execute(params![lease.environment, epoch as i64])?;
            Ok(())
        })?;
        lease.epoch = epoch;
        Ok(())
    }

    /// Gives a lease back, whatever its epoch is by now, so that the next controller need not wait. One that another owner took
    /// is left alone.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.write(|c| {
            c.prepare_cached("UPDATE lease SET expires = 0 WHERE environment = ?1 AND owner = ?2")?
                .execute(params![lease.environment, lease.owner])?;
            Ok(())
        })
    }

    /// Who drives `environment`, or did last.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn holder(&self, environment: &str) -> Result<Option<Holder>, StoreError> {
        let row = self.read(|c| row(c, environment))?;
        Ok(row.map(|r| r.holder(boot_ms())))
    }
}

/// Refuses unless `lease` is still the newest of its environment.
pub(crate) fn own(c: &Connection, lease: &Lease) -> Result<(), Fault> {
    let found = c
        .prepare_cached("SELECT owner, epoch FROM lease WHERE environment = ?1")?
        .query_row([&lease.environment], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?))
        })
        .optional()?;
    match found {
        Some((owner, epoch)) if owner == lease.owner && epoch == lease.epoch as i64 => Ok(()),
        _ => Err(StoreError::LeaseLost {
            environment: lease.environment.clone(),
            epoch: lease.epoch,
        }
        .into()),
    }
}

fn row(c: &Connection, environment: &str) -> Result<Option<Row>, Fault> {
    Ok(c.prepare_cached(
        "SELECT owner, epoch, expires, pid, start, namespace, boot FROM lease WHERE environment = ?1",
    )?
    .query_row([environment], |r| {
        Ok(Row {
            owner: r.get(0)?,
            epoch: r.get::<_, i64>(1)? as u64,
            expires: r.get::<_, i64>(2)? as u64,
            process: Process {
                pid: r.get(3)?,
                start: r.get::<_, i64>(4)? as u64,
                namespace: r.get(5)?,
                boot: r.get(6)?,
            },
        })
    })
    .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Span = Span::from_secs(3600);

    fn epoch_after(store: &Store, owner: &Owner, length: Span) -> u64 {
        store.take_lease("prod", owner, length).unwrap().epoch
    }

    #[test]
    fn a_live_owner_keeps_it_and_renewing_keeps_the_epoch() {
        let store = Store::in_memory().unwrap();
        let (a, b) = (Owner::new(), Owner::new());
        let mut lease = store.take_lease("prod", &a, LONG).unwrap();
        assert_eq!(lease.epoch, 1);
        assert!(matches!(
            store.take_lease("prod", &b, LONG),
            Err(StoreError::LeaseHeld { environment, holder })
                if environment == "prod" && holder.epoch == 1 && holder.liveness == Liveness::Live
        ));
        store.renew_lease(&mut lease).unwrap();
        assert_eq!(epoch_after(&store, &a, LONG), 1);
        assert_eq!(
            store.take_lease("staging", &b, LONG).unwrap().epoch,
            1,
            "environments are apart"
        );
    }

    #[test]
    fn a_lease_that_ran_out_moves_on_and_the_old_owner_learns_it() {
        let store = Store::in_memory().unwrap();
        let (a, b) = (Owner::new(), Owner::new());
        let mut old = store.take_lease("prod", &a, Span::ZERO).unwrap();
        assert_eq!(old.left(), Span::ZERO);
        assert!(old.is_due());
        store.renew_lease(&mut old).unwrap();
        assert_eq!(epoch_after(&store, &b, LONG), 2);
        assert!(matches!(
            store.renew_lease(&mut old),
            Err(StoreError::LeaseLost { epoch: 1, .. })
        ));
        store.release_lease(&old).unwrap();
        assert_eq!(
            store.holder("prod").unwrap().unwrap().liveness,
            Liveness::Live,
            "an old owner cannot release the new one's lease"
        );
    }

    #[test]
    fn epochs_grow_over_releases_too() {
        let store = Store::in_memory().unwrap();
        let owner = Owner::new();
        for epoch in 1..4 {
            let lease = store.take_lease("prod", &owner, LONG).unwrap();
            assert_eq!(lease.epoch, epoch);
            store.release_lease(&lease).unwrap();
            assert_eq!(
                store.holder("prod").unwrap().unwrap().liveness,
                Liveness::Expired
            );
        }
    }

    #[test]
    fn a_new_reign_of_one_owner_overtakes_its_older_claims_and_can_be_released() {
        let store = Store::in_memory().unwrap();
        let first = store.take_lease("prod", &Owner::new(), LONG).unwrap();
        let mut lease = first.clone();
        store.raise_epoch(&mut lease).unwrap();
        assert_eq!(lease.epoch, 2);
        assert!(matches!(
            store.renew_lease(&mut first.clone()),
            Err(StoreError::LeaseLost { epoch: 1, .. })
        ));
        store.renew_lease(&mut lease).unwrap();
        store.release_lease(&first).unwrap();
        let holder = store.holder("prod").unwrap().unwrap();
        assert_eq!((holder.epoch, holder.liveness), (2, Liveness::Expired));
        assert_eq!(epoch_after(&store, &Owner::new(), LONG), 3);
        assert!(matches!(
            store.raise_epoch(&mut lease),
            Err(StoreError::LeaseLost { epoch: 2, .. })
        ));
        assert_eq!(lease.epoch, 2);
    }

    #[test]
    fn a_dead_owner_is_replaced_at_once() {
        let store = Store::in_memory().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = Owner {
            token: "dead".into(),
            process: Process {
                pid: child.id(),
                start: 1,
                ..Process::this()
            },
        };
        child.wait().unwrap();
        assert_eq!(epoch_after(&store, &dead, LONG), 1);
        assert_eq!(
            store.holder("prod").unwrap().unwrap().liveness,
            Liveness::Dead
        );
        assert_eq!(epoch_after(&store, &Owner::new(), LONG), 2);
    }
}
