//! Upgraded connections (WebSocket, RFC 6455, and other protocols): bytes both ways until one side ends or the slot is cut.

use std::rc::Rc;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::counters::SlotStats;
use super::table::Slot;
use super::worker::Conn;

/// The place of an open tunnel in the counters.
struct Open(Arc<SlotStats>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.upgraded_open.down();
    }
}

/// Joins two connections once both have switched protocols. `conn` keeps the client counted as connected.
pub(super) fn join(slot: &Rc<Slot>, conn: Rc<Conn>, client: OnUpgrade, upstream: OnUpgrade) {
    slot.stats.upgraded_open.up();
    let open = Open(Arc::clone(&slot.stats));
    slot.pool.run(async move {
        let _held = (open, conn);
        let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else {
            return;
        };
        let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
        // A broken tunnel has nobody left to be told.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
    });
}
