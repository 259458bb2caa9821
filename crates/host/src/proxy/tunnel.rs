//! Upgraded connections (WebSocket, RFC 6455, and other protocols): bytes both ways until one side ends or the slot is cut.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy, split};

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
        let (mut from_client, mut to_client) = split(TokioIo::new(client));
        let (mut from_upstream, mut to_upstream) = split(TokioIo::new(upstream));
        // A client may end its side and still listen; an upstream that has ended has nothing more to hear.
        let up = async {
            copy(&mut from_client, &mut to_upstream).await?;
            to_upstream.shutdown().await?;
            std::future::pending::<io::Result<()>>().await
        };
        let down = async {
            copy(&mut from_upstream, &mut to_client).await?;
            to_client.shutdown().await
        };
        // A broken tunnel has nobody left to be told.
        let _: io::Result<()> = tokio::select! { end = up => end, end = down => end };
    });
}
