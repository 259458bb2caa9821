//! The indexer: reads back what arrived, writes the index, closes members and segments, and hands the bytes to the judge.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::thread;
use std::time::Duration;

use super::reader::{Arrived, Flow, Reader};
use super::{Chunk, Item, News};
use crate::clock::Clock;
use crate::space::{Mode, Space, is_full};
use crate::store::{Store, Syncing};

/// How long an idle stream may wait for the end of its segment's time.
const TICK: Duration = Duration::from_millis(200);

pub(crate) struct Indexer {
    pub(crate) clock: Clock,
    pub(crate) flow: Arc<Flow>,
    pub(crate) arrived: Receiver<Arrived>,
    pub(crate) items: SyncSender<Item>,
    /// Buffers that the judge is done with.
    pub(crate) empty: Receiver<Vec<u8>>,
    pub(crate) news: Sender<News>,
    pub(crate) space: Arc<Space>,
    pub(crate) rotate: Arc<AtomicBool>,
}

impl Indexer {
    /// Indexes what was left behind, then what arrives, until the reader ends.
    pub(crate) fn work(self, store: &mut Store, reader: Reader) -> io::Result<()> {
        let (done, ended) = channel();
        let (syncing, space) = (store.syncing(), Arc::clone(&self.space));
        thread::Builder::new()
            .name("syncer".to_owned())
            .spawn(move || sync(&syncing, &space, &ended))?;
        let result = self.recover(store).and_then(|()| {
            let reading = thread::Builder::new()
                .name("reader".to_owned())
                .spawn(move || reader.work())?;
            // If this fails for another reason than space the pump ends, and the reader with it.
            let indexed = self.index(store);
            if let Err(e) = &indexed
                && !(self.space.mode() == Mode::Last && is_full(e))
            {
                return indexed;
            }
            reading
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the reader panicked")))
                .and(indexed)
        });
        drop(done);
        self.finish(store, result)
    }

    /// Closes what can be closed. On a disk that stays full the bytes stay where they are, in a tail.
    fn finish(&self, store: &mut Store, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(e) if !(self.space.mode() == Mode::Last && is_full(&e)) => return Err(e),
            _ => {}
        }
        let finished = store.finish();
        self.tell(store);
        result.and(finished)
    }

    fn recover(&self, store: &mut Store) -> io::Result<()> {
        let at = self.clock.look();
        store.recover(at, |stream, bytes| self.hand(stream, at, bytes.to_vec()))?;
        self.tell(store);
        Ok(())
    }

    fn index(&self, store: &mut Store) -> io::Result<()> {
        let mut given_up = Ok(());
        loop {
            let next = self.arrived.recv_timeout(TICK);
            if self.rotate.swap(false, Ordering::SeqCst) {
                store.rotate();
            }
            match next {
                // What cannot be indexed stays where it is; the reader goes on until the pipes are empty.
                Ok(arrived) if given_up.is_err() => self.flow.leave(arrived.length.into()),
                Ok(arrived) => {
                    let mut buffer = self.empty.try_recv().unwrap_or_default();
                    store.load(arrived.stream, arrived.length as usize, &mut buffer)?;
                    match store.take(arrived.stream, arrived.at, &buffer, false) {
                        Err(e) if self.space.mode() == Mode::Last && is_full(&e) => {
                            given_up = Err(e);
                        }
                        taken => taken?,
                    }
                    self.flow.leave(arrived.length.into());
                    self.hand(arrived.stream, arrived.at, buffer);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return given_up,
            }
            store.tick(self.clock.look().boot)?;
            self.tell(store);
        }
    }

    fn hand(&self, stream: gonogo_dryrun::Stream, at: gonogo_dryrun::Moment, bytes: Vec<u8>) {
        // A judge that is gone judges nothing; the bytes are kept all the same.
        let _ = self.items.send(Item::Bytes(Chunk { stream, at, bytes }));
    }

    fn tell(&self, store: &mut Store) {
        for event in store.events.drain(..) {
            let _ = self.news.send(News::Event(event));
            self.space.wake();
        }
    }
}

/// Makes durable each second what was written.
fn sync(syncing: &Syncing, space: &Space, ended: &Receiver<()>) {
    while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        // Some file systems find out about a full disk only here.
        let _ = space.persist("sync", || syncing.sync());
    }
}
